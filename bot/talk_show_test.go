package main

import (
	"encoding/json"
	"fmt"
	"html"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/signalbox-chatops/signalbox/integrations/slack/slacksim"
)

// talkNames replaces what is new in every run by what is the same: commits and
// jobs are named by the order in which they are first seen.
type talkNames struct {
	base, data string
	commits    []string // by their first seven digits
	jobs       []string
	examples   bool // the jobs that are named are no real ones
}

var (
	talkSHA      = regexp.MustCompile(`\b[0-9a-f]{7,64}\b`)
	talkCode     = regexp.MustCompile(`\b[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}\b`)
	talkJob      = regexp.MustCompile(`\bjob-\d+\b`)
	talkNoJob    = "job-99"
	talkPost     = regexp.MustCompile(`(/archives/C\w+/)p\d{16}`)
	talkUUID     = regexp.MustCompile(`\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`)
	talkULID     = regexp.MustCompile(`\b[0-9A-HJKMNP-TV-Z]{26}\b`)
	talkDay      = regexp.MustCompile(`\b(20\d\d-\d\d-\d\d \d\d:\d\d) UTC`)
	talkSince    = regexp.MustCompile(`(Since .{10,30}) \(\d+ (?:s|min|h|days)(?: \d+ min)?\)`)
	talkHours    = regexp.MustCompile(`\b\d\d:\d\d-\d\d:\d\d\b`)
	talkWeekday  = regexp.MustCompile(`\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) (20\d\d-)`)
	talkOutside  = regexp.MustCompile(`\b(?:\w+day )?\d\d:\d\d( is outside)`)
	talkFrom     = regexp.MustCompile(`(since [^()\n]+) \(20\d\d-\d\d-\d\d \d\d:\d\d \w+\)`)
	talkJaFrom   = regexp.MustCompile(`(から）\*?) ?[（(]20\d\d-\d\d-\d\d \d\d:\d\d \w+[）)]`)
	talkTokyo    = regexp.MustCompile(`\b20\d\d-\d\d-\d\d \d\d:\d\d JST`)
	talkNewYork  = regexp.MustCompile(`\bE[SD]T\b`)
	talkFileDay  = regexp.MustCompile(`-20\d\d-\d\d-\d\d\.`)
	talkSpan     = regexp.MustCompile(`\b\d{1,2} [A-Z][a-z]{2}(?: 20\d\d)? – `)
	talkShift    = regexp.MustCompile(`\b((?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) )\d{1,2} [A-Z][a-z]{2}( \d\d:\d\d\b)`)
	talkLead     = regexp.MustCompile(`\b(median|p90|lead time|Time to restore:) \d+ (?:s|min|h|days)(?: \d+ min)?`)
	talkBar      = regexp.MustCompile(`\bFrom \d{1,2} [A-Z][a-z]{2}:`)
	talkJaDate   = regexp.MustCompile(`(?:\d{4}年)?\d{1,2}月\d{1,2}日`)
	talkJaSpan   = regexp.MustCompile(`\d+(?:秒|分|時間|日)(?:\d+(?:分|時間))?`)
	talkShortDay = regexp.MustCompile(`\b\d{1,2} [A-Z][a-z]{2} 20\d\d\b`)
	talkClock    = regexp.MustCompile(`\b(\d\d:)?\d\d:\d\d UTC`)
	talkRow      = regexp.MustCompile("`\\d\\d:\\d\\d:\\d\\d`")
	talkDate     = regexp.MustCompile(`\w+day 20\d\d-\d\d-\d\d\b|\b20\d\d-\d\d-\d\d（[月火水木金土日]）|\b20\d\d-\d\d-\d\d-\d{4}\b`)
	talkInstant  = regexp.MustCompile(`\b20\d\d-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?( UTC|Z)`)
	talkAge      = regexp.MustCompile(`\b\d+(?: ?s| min| h| days?)(?: \d+ min| \d+ h)? ago`)
	talkMoment   = regexp.MustCompile(`\b(?:a moment|\d+ seconds) ago`)
	talkTook     = regexp.MustCompile(`took \d+ (?:s|min|h)(?: \d+ min)?`)
	talkSpent    = regexp.MustCompile(`after \d+(?:m?\d*s| s| min)\b`)
	talkHeld     = regexp.MustCompile(`(by \w+ for|since|hold-\d+, for) \d+ (?:s|min)\b`)
	talkSilent   = regexp.MustCompile(`(from <time> to <time>), \d+ (?:s|min|h|days)(?: \d+ min)?`)
	talkSignal   = regexp.MustCompile(`\b(killed|interrupt)\. Output:`)
	talkTemp     = regexp.MustCompile(`/tmp/[\w./-]+`)
	talkNoise    = regexp.MustCompile(`(?m)^(?:.*Still (?:creating|modifying|destroying)\.\.\..*|ecs-svc/.* running|\d+ failed; .*)\n?`)
	talkResource = regexp.MustCompile(`^[\w.]+\.[\w.]+(\["[^"]*"\]|\[\d+\])?( \(local-exec\))?: `)
)

func talkIndex(list *[]string, what string) int {
	i := slices.Index(*list, what)
	if i < 0 {
		i = len(*list)
		*list = append(*list, what)
	}
	return i
}

// tame writes a text as it would be in every run.
func (n *talkNames) tame(s string, now time.Time) string {
	s = strings.ReplaceAll(s, n.base, "")
	s = strings.ReplaceAll(s, strings.TrimPrefix(n.base, "http://"), "sandbox")
	s = strings.ReplaceAll(s, n.data, "{data}")
	s = talkTemp.ReplaceAllString(s, "{tmp}")
	s = talkHours.ReplaceAllString(s, "<hours>")
	s = talkSince.ReplaceAllString(s, "$1 (<time>)")
	s = talkFrom.ReplaceAllString(s, "$1 (<day>)")
	s = talkJaFrom.ReplaceAllString(s, "$1（<day>）")
	s = talkTokyo.ReplaceAllString(s, "<time in Tokyo>")
	s = talkNewYork.ReplaceAllString(s, "<New York>")
	s = talkFileDay.ReplaceAllString(s, "-<day>.")
	s = talkShift.ReplaceAllString(s, "$1<date>$2")
	s = talkSpan.ReplaceAllString(s, "<date> – ")
	s = talkBar.ReplaceAllString(s, "From <date>:")
	s = talkLead.ReplaceAllString(s, "$1 <time>")
	s = talkJaDate.ReplaceAllString(s, "<date>")
	s = talkJaSpan.ReplaceAllString(s, "<time>")
	s = talkWeekday.ReplaceAllString(s, "$1")
	s = talkOutside.ReplaceAllString(s, "<time>$1")
	s = talkPost.ReplaceAllString(s, "${1}p<ts>")
	s = talkUUID.ReplaceAllString(s, "<id>")
	s = talkCode.ReplaceAllString(s, "<code>")
	s = talkULID.ReplaceAllString(s, "<id>")
	s = talkInstant.ReplaceAllString(s, "<time>")
	s = talkRow.ReplaceAllString(talkDate.ReplaceAllString(s, "<day>"), "`<time>`")
	s = talkDay.ReplaceAllStringFunc(s, func(day string) string {
		at, err := time.Parse("2006-01-02 15:04 MST", day)
		if err != nil {
			return day
		}
		return fmt.Sprintf("<in %s>", strings.TrimSuffix(at.Sub(now).Round(15*time.Minute).String(), "0m0s"))
	})
	s = talkShortDay.ReplaceAllString(s, "<date>")
	s = talkClock.ReplaceAllString(s, "<time>")
	s = talkAge.ReplaceAllString(s, "<time> ago")
	s = talkTook.ReplaceAllString(s, "took <time>")
	s = talkSignal.ReplaceAllString(s, "<signal>. Output:")
	s = talkMoment.ReplaceAllString(s, "<time> ago")
	s = talkSpent.ReplaceAllString(s, "after <time>")
	s = talkSilent.ReplaceAllString(s, "$1, <time>")
	s = talkHeld.ReplaceAllString(s, "$1 <time>")
	s = talkSHA.ReplaceAllStringFunc(s, func(sha string) string {
		i := talkIndex(&n.commits, sha[:7])
		return fmt.Sprintf("sha%04d", i+1)
	})
	if n.examples {
		return s
	}
	return talkJob.ReplaceAllStringFunc(s, func(job string) string {
		if job == talkNoJob {
			return job
		}
		return fmt.Sprintf("job-%d", talkIndex(&n.jobs, job)+1)
	})
}

// wild puts the real names back into what a script says.
func (n *talkNames) wild(s string) string {
	s = talkJob.ReplaceAllStringFunc(s, func(job string) string {
		var i int
		if _, err := fmt.Sscanf(job, "job-%d", &i); err != nil || i < 1 || i > len(n.jobs) {
			return job
		}
		return n.jobs[i-1]
	})
	for i, sha := range n.commits {
		s = strings.ReplaceAll(s, fmt.Sprintf("sha%04d", i+1), sha)
	}
	return s
}

var (
	talkLink   = regexp.MustCompile(`<(https?://[^|>]+)(?:\|([^>]*))?>`)
	talkTime   = regexp.MustCompile(`<!date\^[^|>]*\|([^>]*)>`)
	talkPerson = regexp.MustCompile(`<@U0([A-Z]+)>`)
	talkRoom   = regexp.MustCompile(`<#[A-Z0-9]+\|([^>]+)>`)
)

// talkMarkup is mrkdwn as it looks, with the paths of its links.
func talkMarkup(s string) string {
	s = talkLink.ReplaceAllStringFunc(s, func(link string) string {
		m := talkLink.FindStringSubmatch(link)
		if m[2] == "" || m[2] == m[1] {
			return m[1]
		}
		return m[2] + " ‹" + m[1] + "›"
	})
	s = talkPerson.ReplaceAllStringFunc(s, func(p string) string { return "@" + strings.ToLower(talkPerson.FindStringSubmatch(p)[1]) })
	s = talkRoom.ReplaceAllString(s, "#$1")
	s = talkTime.ReplaceAllString(s, "$1")
	return html.UnescapeString(s)
}

// talkBlocks is what blocks show, a line each; code stands behind bars. The buttons
// are those of all blocks, in order.
func talkBlocks(raw json.RawMessage, buttons []slacksim.Button) []string {
	type text struct{ Type, Text string }
	var blocks []struct {
		Type     string
		Text     *text
		Fields   []text
		Elements []struct {
			Type string
			Text json.RawMessage
		}
	}
	if err := json.Unmarshal(raw, &blocks); err != nil {
		return []string{"unreadable blocks: " + err.Error()}
	}
	var out []string
	for _, b := range blocks {
		switch {
		case b.Text != nil:
			out = append(out, talkText(talkMarkup(b.Text.Text), "")...)
		case len(b.Fields) > 0:
			for _, f := range b.Fields {
				name, value, _ := strings.Cut(talkMarkup(f.Text), "\n")
				out = append(out, strings.Trim(name, "*")+": "+strings.ReplaceAll(value, "\n", " / "))
			}
		case b.Type == "context":
			for _, e := range b.Elements {
				var s string
				if json.Unmarshal(e.Text, &s) == nil {
					out = append(out, talkText(talkMarkup(s), "· ")...)
				}
			}
		case b.Type == "actions":
			if n := min(len(b.Elements), len(buttons)); n > 0 {
				out, buttons = append(out, talkButtons(buttons[:n])), buttons[n:]
			}
		case b.Type == "divider":
			out = append(out, "----")
		}
	}
	return out
}

// talkStopping is what Terraform says, by two ways and in any order, when it is
// asked to stop; talkFailed is wrapped where its words happen to end.
var (
	talkStopping = regexp.MustCompile(`(?m)^(?:Interrupt received\.|Please wait for Terraform to .*|Gracefully shutting down\.\.\.|Stopping operation\.\.\.|Error: execution halted)(?:\n|$)`)
	talkFailed   = regexp.MustCompile(`(?s)Error running command '.*`)
	talkGap      = regexp.MustCompile(`\n{3,}`)
)

func talkQuieter(s string) string {
	s = talkGap.ReplaceAllString(talkStopping.ReplaceAllString(s, ""), "\n\n")
	return talkFailed.ReplaceAllStringFunc(s, func(said string) string { return strings.Join(strings.Fields(said), " ") })
}

func talkText(s, before string) []string {
	code := strings.HasPrefix(s, "```") && strings.HasSuffix(s, "```")
	if code {
		s, before = talkQuieter(strings.Trim(s, "`\n")), "| "
	}
	var out []string
	for line := range strings.Lines(talkNoise.ReplaceAllString(s+"\n", "")) {
		out = append(out, strings.TrimRight(before+strings.TrimRight(line, "\n"), " "))
	}
	if code {
		talkSort(out)
	}
	return out
}

// talkSort puts the lines of resources that a tool handles side by side in order.
func talkSort(lines []string) {
	for i := 0; i < len(lines); {
		j := i
		for j < len(lines) && talkResource.MatchString(strings.TrimPrefix(lines[j], "| ")) {
			j++
		}
		slices.Sort(lines[i:j])
		i = j + 1
	}
}

func talkButtons(buttons []slacksim.Button) string {
	var out []string
	for _, b := range buttons {
		label := b.Label
		if b.URL != "" {
			label += " ‹" + b.URL + "›"
		}
		if b.Confirm != nil {
			label += ": " + html.UnescapeString(b.Confirm.Text)
		}
		out = append(out, "["+label+"]")
	}
	return strings.Join(out, " ")
}

// talkMessage is a message as it is seen: what a phone says of it, what stands
// in it where that is more, its buttons where they stand.
func talkMessage(text string, blocks json.RawMessage, buttons []slacksim.Button, files []slacksim.File) []string {
	out := talkText(talkMarkup(text), "")
	rest := talkBlocks(blocks, buttons)
	switch {
	case len(rest) == 0:
	case talkBare(strings.Join(out, "")) == talkBare(strings.Join(talkBlocks(blocks, nil), "")):
		out = nil
		for _, line := range rest {
			if strings.HasPrefix(line, "[") && strings.Contains(talkButtons(buttons), line) {
				line = "  " + line
			}
			out = append(out, line)
		}
	default:
		for _, line := range rest {
			out = append(out, "  "+line)
		}
	}
	if b := talkButtons(buttons); b != "" && !strings.Contains(string(blocks), `"actions"`) {
		out = append(out, "  "+b)
	}
	for _, f := range files {
		out = append(out, "  file "+f.Name)
		if f.Alt != "" {
			out = append(out, "  that shows: "+f.Alt)
		}
	}
	return out
}

// talkBare is a text without its form, to see whether two say the same.
func talkBare(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, talkTarget.ReplaceAllString(s, ""))
}

var talkTarget = regexp.MustCompile(` ‹[^›]*›`)

// talkModal is an open modal as it is seen.
func talkModal(m *slacksim.Modal) []string {
	out := []string{"a form, " + m.Title + ":"}
	for _, line := range talkBlocks(m.Blocks, nil) {
		out = append(out, "  "+line)
	}
	for _, in := range m.Inputs {
		line := "  " + in.Label
		if in.Optional {
			line += " (optional)"
		}
		line += ": " + in.Value
		var names []string
		for _, o := range in.Options {
			names = append(names, o.Text)
		}
		if len(names) > 0 {
			line += " (of " + strings.Join(names, ", ") + ")"
		}
		out = append(out, strings.TrimRight(line, " "))
	}
	for _, e := range m.Errors {
		out = append(out, "  wrong: "+e)
	}
	return append(out, "  ["+m.Submit+"]")
}
