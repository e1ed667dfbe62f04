package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/slack/slacksim"
	"github.com/signalbox-chatops/signalbox/store"
)

// talkLine is one thing that a line of a script can be.
type talkLine struct {
	form  *regexp.Regexp
	looks bool // it only looks: nothing comes of it
	do    func(k *talk, m []string) error
}

var talkLines = []talkLine{
	{form: talkForm(`(\w+) in #(\w+): (.*)`), do: func(k *talk, m []string) error { return k.say(m[0], m[1], m[2], "") }},
	{form: talkForm(`(\w+) in #(\w+), twice: (.*)`), do: func(k *talk, m []string) error {
		if err := k.say(m[0], m[1], m[2], ""); err != nil {
			return err
		}
		return k.say(m[0], m[1], m[2], "")
	}},
	{form: talkForm(`(\w+) to signalbox: (.*)`), do: func(k *talk, m []string) error { return k.say(m[0], "@signalbox", m[1], "") }},
	{form: talkForm(`(\w+) in the thread of (op-\d+): (.*)`), do: func(k *talk, m []string) error { return k.say(m[0], "ops", m[2], k.cards[m[1]]) }},
	{form: talkForm(`(\w+) presses ([\w\p{L} ….-]+?)(?: on (\S+))?`), do: func(k *talk, m []string) error { return k.press(m[0], m[1], m[2]) }},
	{form: talkForm(`(\w+) presses the same button, seeing it still`), do: (*talk).pressAgain},
	{form: talkForm(`(\w+) submits (.*)`), do: (*talk).submit},
	{form: talkForm(`(\w+) on GitHub merges (\S+)#(\d+)`), do: func(k *talk, m []string) error {
		return k.call(m[0], "PUT", talkPull(m[1], m[2])+"/merge", map[string]string{"merge_method": "merge"}, nil)
	}},
	{form: talkForm(`(\w+) on GitHub approves (\S+)#(\d+)`), do: func(k *talk, m []string) error {
		return k.call(m[0], "POST", talkPull(m[1], m[2])+"/reviews", map[string]string{"event": "APPROVE"}, nil)
	}},
	{form: talkForm(`(\w+) on GitHub (close|reopen)s (\S+)#(\d+)`), do: func(k *talk, m []string) error {
		state := map[string]string{"close": "closed", "reopen": "open"}[m[1]]
		return k.call(m[0], "PATCH", talkPull(m[2], m[3]), map[string]string{"state": state}, nil)
	}},
	{form: talkForm(`(\w+) on GitHub ticks #(\d+) in (\S+)#(\d+)`), do: func(k *talk, m []string) error {
		var pr struct{ Body string }
		if err := k.call(m[0], "GET", talkPull(m[2], m[3]), nil, &pr); err != nil {
			return err
		}
		text := strings.Replace(pr.Body, "- [ ] #"+m[1]+" ", "- [x] #"+m[1]+" ", 1)
		return k.call(m[0], "PATCH", talkPull(m[2], m[3]), map[string]string{"body": text}, nil)
	}},
	{form: talkForm(`(\w+) on GitHub restores the branch of (\S+)#(\d+)`), do: func(k *talk, m []string) error {
		var pr struct {
			Head struct{ Ref, SHA string } `json:"head"`
		}
		if err := k.call(m[0], "GET", talkPull(m[1], m[2]), nil, &pr); err != nil {
			return err
		}
		return k.call(m[0], "POST", "/api/v3/repos/"+m[1]+"/git/refs", map[string]string{"ref": "refs/heads/" + pr.Head.Ref, "sha": pr.Head.SHA}, nil)
	}},
	{form: talkForm(`(\w+) on GitHub changes (\S+) (\S+) on (\S+): (.*)`), do: (*talk).edit},
	{form: talkForm(`(\w+) on GitHub opens a pull request in (\S+) from (\S+): (.*)`), do: func(k *talk, m []string) error {
		return k.call(m[0], "POST", "/api/v3/repos/"+m[1]+"/pulls", map[string]string{"title": m[3], "head": m[2], "base": "main"}, nil)
	}},
	{form: talkForm(`(\w+) from a fork of (\S+) offers (\S+): (.*)`), do: (*talk).fork},
	{form: talkForm(`(\w+) looks at (\S+)#(\d+)`), looks: true, do: (*talk).lookAtPull},
	{form: talkForm(`the exported audit of (\w+)`), looks: true, do: (*talk).exportedAudit},
	{form: talkForm(`(\w+) looks at the direct messages of signalbox`), looks: true, do: (*talk).lookAtDirect},
	{form: talkForm(`(\w+) looks at the branches of (\S+)`), looks: true, do: (*talk).lookAtBranches},
	{form: talkForm(`(\w+) looks at (\S+) in (\S+) on (\S+)`), looks: true, do: (*talk).lookAtFile},
	{form: talkForm(`the state of (\S+)`), looks: true, do: func(k *talk, m []string) error {
		k.write("", append(k.stateFile(m[0]), []string{"nothing"}[min(len(k.stateFile(m[0])), 1):]...))
		return nil
	}},
	{form: talkForm(`somebody changes the state of (\S+) by hand: (.*)`), looks: true, do: (*talk).handwork},
	{form: talkForm(`(\w+) locks the state as (\S+)`), looks: true, do: (*talk).lockState},
	{form: talkForm(`the lock of the state`), looks: true, do: (*talk).lookAtLock},
	{form: talkForm(`(\w+) waits until (\S+)#(\d+) is planned`), looks: true, do: (*talk).untilPlanned},
	{form: talkForm(`(\d\w+) pass(?:es)?`), do: func(k *talk, m []string) error {
		by, err := time.ParseDuration(m[0])
		k.must(err, "read %s", m[0])
		k.settle(by)
		return nil
	}},
	{form: talkForm(`it is (\d\d:\d\d)`), do: (*talk).itIs},
	{form: talkForm(`the file (\S+) appears`), looks: true, do: func(k *talk, m []string) error { return os.WriteFile(filepath.Join(k.data, m[0]), nil, 0o600) }},
	{form: talkForm(`the file (\S+) is waited for`), looks: true, do: func(k *talk, m []string) error {
		for end := time.Now().Add(talkPatience); ; k.pass() {
			if _, err := os.Stat(filepath.Join(k.data, m[0])); err == nil || time.Now().After(end) {
				return err
			}
		}
	}},
	{form: talkForm(`Slack edits no message for (\S+)`), looks: true, do: func(k *talk, m []string) error {
		d, err := time.ParseDuration(m[0])
		k.must(err, "read %s", m[0])
		k.editsFrom = k.now().Add(d)
		return k.call("", "POST", "/sim/fault", map[string]any{"system": "slack", "kind": "rate_limit", "method": "chat.update", "retry_after": int(d.Seconds())}, nil)
	}},
	{form: talkForm(`Slack edits messages again`), do: func(k *talk, _ []string) error {
		k.settle(k.editsFrom.Add(time.Second).Sub(k.now()))
		return nil
	}},
	{form: talkForm(`the configuration is put into (\S+) as (\S+)`), do: func(k *talk, m []string) error {
		return k.change("alice", m[0], m[1], "main", "", string(k.config))
	}},
	{form: talkForm(`(\w+) on GitHub (approve|denie)s the code of (\w+)`), looks: true, do: (*talk).typeCode},
	{form: talkForm(`(\w+) on the host: (.*)`), do: (*talk).onHost},
	{form: talkForm(`on PagerDuty's page (\w+) is put on call for (\w+)`), looks: true, do: (*talk).putOnCall}, // when that is noticed is the clock's to say
	{form: talkForm(`PagerDuty's page`), looks: true, do: (*talk).lookAtPagerDuty},
	{form: talkForm(`PagerDuty answers (nothing|again)`), looks: true, do: (*talk).pagerDutyAnswers},
	{form: talkForm(`PagerDuty pages for (\w+): (.*)`), do: (*talk).pagerDutyPages},
	{form: talkForm(`in PagerDuty (\w+) (acknowledge|resolve)s the newest incident`), do: (*talk).actsInPagerDuty},
	{form: talkForm(`PagerDuty's newest incident`), looks: true, do: (*talk).lookAtPagerDutyIncident},
	{form: talkForm(`PagerDuty loses its webhooks`), looks: true, do: func(k *talk, _ []string) error {
		return k.call("", "POST", "/sim/fault", map[string]any{"system": "pagerduty", "kind": "lose_webhook", "count": -1}, nil)
	}},
	{form: talkForm(`PagerDuty disables its webhooks`), looks: true, do: func(k *talk, _ []string) error { return k.fault("pagerduty", "disable") }},
	{form: talkForm(`Statuspage's page`), looks: true, do: (*talk).lookAtStatuspage},
	{form: talkForm(`on Statuspage's page (\S+) is (\w+): (.*)`), looks: true, do: (*talk).postOnStatuspage}, // when that is noticed is the clock's to say
	{form: talkForm(`on Statuspage's page the component (\w+) is (\w+)`), looks: true, do: (*talk).setOnStatuspage},
	{form: talkForm(`Statuspage (answers again|answers nothing|loses its next answer|asks to wait)`), looks: true, do: (*talk).statuspageAnswers},
	{form: talkForm(`(GitHub|Slack) is silent`), do: func(k *talk, m []string) error { return k.fault(m[0], "down") }},
	{form: talkForm(`(GitHub|Slack) answers again`), looks: true, do: (*talk).answersAgain}, // when that is noticed is the clock's to say
	{form: talkForm(`(\S+) (vanishes)`), do: (*talk).onInstance},
	{form: talkForm(`the logs of (\S+) (are stuck|cannot be asked about|flow again)`), do: (*talk).onInstance},
	{form: talkForm(`the tests of (\S+) (fail|pass)`), looks: true, do: (*talk).onInstance},
	{form: talkForm(`(\S+) is (working|standby|maintenance|poweroff|retired) in Mackerel`), do: func(k *talk, m []string) error {
		return k.call("", "POST", "/sim/mackerel/hosts", map[string]string{"name": m[0], "status": m[1]}, nil)
	}},
	{form: talkForm(`(\S+) has an alert in Mackerel: (.*)`), do: func(k *talk, m []string) error {
		return k.call("", "POST", "/sim/mackerel/alerts", map[string]string{"host": m[0], "type": "host", "status": "CRITICAL", "monitor": m[1]}, nil)
	}},
	{form: talkForm(`Mackerel loses its next answer about an annotation`), looks: true, do: func(k *talk, _ []string) error {
		return k.call("", "POST", "/sim/fault", map[string]string{"system": "mackerel", "kind": "lost", "action": "annotation.create"}, nil)
	}},
	{form: talkForm(`the graphs of Mackerel`), looks: true, do: (*talk).lookAtGraphs},
	{form: talkForm(`the alert (\S+) (fires|flaps|is resolved)(?:: (\w+), (\w+) in (\w+): (.*))?`), do: (*talk).alert},
	{form: talkForm(`the next deployment of (\S+) crashes at ECS`), looks: true, do: func(k *talk, m []string) error {
		return k.call("", "POST", "/sim/fault", map[string]string{"system": "aws", "kind": "crash", "id": m[0]}, nil)
	}},
	{form: talkForm(`the services of ECS`), looks: true, do: (*talk).lookAtServices},
	{form: talkForm(`the instances`), looks: true, do: (*talk).lookAtInstances},
	{form: talkForm(`(\w+) on GitHub reports (\S+) (\w+) for (\S+)#(\d+)`), do: (*talk).report},
	{form: talkForm(`a webhook (.*)`), looks: true, do: (*talk).webhook},
}

func talkForm(s string) *regexp.Regexp { return regexp.MustCompile(`^` + s + `$`) }

func talkPull(repo, number string) string { return "/api/v3/repos/" + repo + "/pulls/" + number }

// submit fills in the form that somebody sees: "Service=web, Reason=…".
func (k *talk) submit(m []string) error {
	modal := k.modals[m[0]]
	if modal == nil {
		return fmt.Errorf("%s sees no form", m[0])
	}
	values := map[string]string{}
	for _, pair := range strings.Split(m[1], ", ") {
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			return fmt.Errorf("%q fills in nothing", pair)
		}
		values[name] = value
	}
	var a slacksim.Answer
	err := k.call("", "POST", "/sim/slack/submit", map[string]any{"user": m[0], "view_id": modal.ViewID, "values": values}, &a)
	if err == nil {
		k.answered(m[0], "ops", a)
	}
	return err
}

// edit changes a file: `"old" to "new"`, or `"the whole"`.
func (k *talk) edit(m []string) error {
	old, text, err := talkQuoted(m[4])
	if err != nil {
		return err
	}
	return k.change(m[0], m[1], m[2], m[3], old, text)
}

func talkQuoted(s string) (old, text string, err error) {
	first, err := strconv.QuotedPrefix(s)
	if err != nil {
		return "", "", fmt.Errorf("%s: %w", s, err)
	}
	if text, err = strconv.Unquote(first); err != nil {
		return "", "", err
	}
	rest, ok := strings.CutPrefix(s[len(first):], " to ")
	if !ok {
		return "", text, nil
	}
	old = text
	text, err = strconv.Unquote(rest)
	return old, text, err
}

// handwork changes what a target's state holds, past every merge: `"old" to "new"`.
func (k *talk) handwork(m []string) error {
	old, text, err := talkQuoted(m[1])
	if err != nil {
		return err
	}
	file := filepath.Join(k.data, "tfstate", filepath.FromSlash(m[0])+".tfstate")
	b, err := os.ReadFile(file)
	if err == nil && !strings.Contains(string(b), old) {
		err = fmt.Errorf("the state of %s holds no %q", m[0], old)
	}
	if err != nil {
		return err
	}
	return os.WriteFile(file, []byte(strings.ReplaceAll(string(b), old, text)), 0o600)
}

// fork opens a pull request from a fork: `path: "old" to "new"`.
func (k *talk) fork(m []string) error {
	path, change, _ := strings.Cut(m[3], ": ")
	old, text, err := talkQuoted(change)
	if err != nil {
		return err
	}
	content, _, err := k.file(m[0], m[1], path, "main")
	if err != nil {
		return err
	}
	in := map[string]any{"user": m[0], "repo": m[1], "branch": m[2], "base": "main", "title": m[2], "files": map[string]string{path: strings.Replace(content, old, text, 1)}}
	return k.call("", "POST", "/sim/github/fork", in, nil)
}

// lookAtPull shows a pull request as its page would: body, statuses at its head,
// reviews, comments, and the deployments of what was merged.
func (k *talk) lookAtPull(m []string) error {
	var p struct {
		Title, Body, State string
		Merged             bool
		MergeCommitSHA     string `json:"merge_commit_sha"`
		User               struct{ Login string }
		MergedBy           struct{ Login string } `json:"merged_by"`
		Head, Base         struct{ Ref, SHA string }
	}
	if err := k.call(m[0], "GET", talkPull(m[1], m[2]), nil, &p); err != nil {
		return err
	}
	state := p.State
	if p.Merged {
		state = "merged by " + p.MergedBy.Login
	}
	lines := []string{fmt.Sprintf("%s, by %s, %s → %s, %s", p.Title, p.User.Login, p.Head.Ref, p.Base.Ref, state)}
	lines = append(lines, talkQuote(p.Body)...)
	api := "/api/v3/repos/" + m[1]
	var statuses []struct{ Context, State, Description string }
	if err := k.call(m[0], "GET", api+"/commits/"+p.Head.SHA+"/statuses", nil, &statuses); err != nil {
		return err
	}
	newest := map[string]string{}
	for _, s := range statuses { // newest first
		if _, ok := newest[s.Context]; !ok {
			newest[s.Context] = fmt.Sprintf("status %s: %s, %s", s.Context, s.State, s.Description)
		}
	}
	for _, context := range slices.Sorted(maps.Keys(newest)) {
		lines = append(lines, newest[context])
	}
	var notes []struct {
		Body, State string
		User        struct{ Login string }
	}
	if err := k.call(m[0], "GET", talkPull(m[1], m[2])+"/reviews", nil, &notes); err != nil {
		return err
	}
	for _, n := range notes {
		lines = append(lines, "review by "+n.User.Login+": "+strings.ToLower(n.State))
	}
	if err := k.call(m[0], "GET", api+"/issues/"+m[2]+"/comments", nil, &notes); err != nil {
		return err
	}
	for _, n := range notes {
		lines = append(lines, "comment by "+n.User.Login+":")
		lines = append(lines, talkQuote(n.Body)...)
	}
	if p.Merged {
		more, err := k.deployments(m[0], api, p.MergeCommitSHA)
		if err != nil {
			return err
		}
		lines = append(lines, more...)
	}
	k.write("", lines)
	return nil
}

// untilPlanned waits until the newest head of a pull request has its plans.
func (k *talk) untilPlanned(m []string) error {
	for end := time.Now().Add(talkPatience); ; k.pass() {
		var p struct{ Head struct{ SHA string } }
		if err := k.call(m[0], "GET", talkPull(m[1], m[2]), nil, &p); err != nil {
			return err
		}
		var s struct {
			Statuses []struct{ Context, State string }
		}
		if err := k.call(m[0], "GET", "/api/v3/repos/"+m[1]+"/commits/"+p.Head.SHA+"/status", nil, &s); err != nil {
			return err
		}
		for _, s := range s.Statuses {
			if s.Context == "signalbox/gate" && s.State == "success" {
				return nil
			}
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s#%s is not planned: %v", m[1], m[2], s.Statuses)
		}
	}
}

func (k *talk) deployments(as, api, sha string) ([]string, error) {
	var all []struct {
		ID                int64
		Task, Environment string
	}
	if err := k.call(as, "GET", api+"/deployments?sha="+sha, nil, &all); err != nil {
		return nil, err
	}
	var out []string
	for _, d := range all {
		var statuses []struct{ State, Description string }
		if err := k.call(as, "GET", fmt.Sprintf("%s/deployments/%d/statuses", api, d.ID), nil, &statuses); err != nil {
			return nil, err
		}
		line := fmt.Sprintf("deployment %s to %s", d.Task, d.Environment)
		if len(statuses) > 0 {
			line += ": " + statuses[0].State + ", " + statuses[0].Description
		}
		out = append(out, line)
	}
	slices.Sort(out)
	return out, nil
}

// talkFence is code in Markdown; what tools print is shown in Slack, and here it
// only stands in the way.
var talkFence = regexp.MustCompile("(?ms)^(`{3,}|~{3,})\n.*?^(?:`{3,}|~{3,})$")

func talkQuote(body string) []string {
	var out []string
	for line := range strings.Lines(talkFence.ReplaceAllString(strings.TrimSpace(body), "``` … ```")) {
		out = append(out, strings.TrimRight("> "+strings.TrimRight(line, "\r\n"), " "))
	}
	return out
}

// exportedAudit shows what the files for a log shipper say that somebody did, once nothing
// more comes to them: each is written a while after what it tells of, by the machine's clock.
func (k *talk) exportedAudit(m []string) error {
	rows, quiet := []string(nil), 0
	for end := time.Now().Add(talkPatience); quiet < int(3*time.Second/talkLook); quiet++ {
		time.Sleep(talkLook)
		now, err := k.exported(m[0])
		if err == nil && time.Now().After(end) {
			err = fmt.Errorf("the exported audit of %s does not come to rest: %q", m[0], now)
		}
		if err != nil {
			return err
		}
		if len(now) != len(rows) || len(now) == 0 {
			rows, quiet = now, 0
		}
	}
	k.write("", rows)
	return nil
}

func (k *talk) exported(who string) (out []string, err error) {
	files, err := filepath.Glob(filepath.Join(k.data, "*", "audit", "*.jsonl"))
	if err != nil {
		return nil, err
	}
	for _, path := range files {
		raw, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		for line := range bytes.Lines(raw) {
			var row store.AuditRow
			if err := json.Unmarshal(line, &row); err != nil {
				return nil, err
			}
			if row.Who.Name == who {
				out = append(out, strings.TrimSpace(row.Act+" "+row.Subject+" "+row.Target+" "+row.Outcome))
			}
		}
	}
	return out, nil
}

// typeCode types, as somebody, the newest code that a person was sent.
func (k *talk) typeCode(m []string) error {
	code := ""
	k.directly(func(who string, msg slacksim.Message) {
		if found := talkCode.FindString(msg.Text); who == m[2] && found != "" {
			code = found
		}
	})
	return k.call("", "POST", "/sim/github/device", map[string]any{"user": m[0], "code": code, "deny": m[1] == "denie"}, nil)
}

// lookAtDirect shows what signalbox has sent to somebody alone.
func (k *talk) lookAtDirect(m []string) error {
	var room struct{ Channel struct{ ID string } }
	h := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	form := url.Values{"token": {"xoxb-sandbox"}, "users": {"U0" + strings.ToUpper(m[0])}}.Encode()
	if _, err := k.send("", "POST", "/slack/api/conversations.open", h, form, &room); err != nil {
		return err
	}
	for _, msg := range k.history(room.Channel.ID, "") {
		k.write("", talkMessage(msg.Text, msg.Blocks, msg.Buttons, msg.Files))
	}
	return nil
}

func (k *talk) lookAtBranches(m []string) error {
	var all []struct{ Name string }
	if err := k.call(m[0], "GET", "/api/v3/repos/"+m[1]+"/branches", nil, &all); err != nil {
		return err
	}
	var names []string
	for _, b := range all {
		names = append(names, b.Name)
	}
	slices.Sort(names)
	k.write("", []string{strings.Join(names, ", ")})
	return nil
}

func (k *talk) lookAtFile(m []string) error {
	text, _, err := k.file(m[0], m[2], m[1], url.QueryEscape(m[3]))
	if err == nil {
		k.write("", talkQuote(text))
	}
	return err
}

// webhook sends one that GitHub would not, and shows what the door answers.
func (k *talk) webhook(m []string) error {
	body := `{"zen":"Keep it logically awesome."}`
	mac := hmac.New(sha256.New, []byte("sandbox-webhook-secret"))
	mac.Write([]byte(body))
	h := http.Header{"X-Github-Event": {"ping"}, "X-Github-Delivery": {"5ca1ab1e-0000-4000-8000-000000000000"}, "X-Hub-Signature-256": {"sha256=" + hex.EncodeToString(mac.Sum(nil))}}
	switch m[0] {
	case "without a signature":
		h.Del("X-Hub-Signature-256")
	case "with a wrong signature":
		body += " "
	case "signed with SHA-1 only":
		mac := hmac.New(sha1.New, []byte("sandbox-webhook-secret"))
		mac.Write([]byte(body))
		h.Del("X-Hub-Signature-256")
		h.Set("X-Hub-Signature", "sha1="+hex.EncodeToString(mac.Sum(nil)))
	case "without a delivery id":
		h.Del("X-Github-Delivery")
	case "that is right":
	case "that cannot be parsed":
		body = "{"
		mac := hmac.New(sha256.New, []byte("sandbox-webhook-secret"))
		mac.Write([]byte(body))
		h.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
		h.Set("X-Github-Event", "pull_request")
		h.Set("X-Github-Delivery", "5ca1ab1e-0000-4000-8000-000000000001")
	case "too large":
		body = strings.Repeat(" ", 25<<20+1)
	default:
		return fmt.Errorf("no webhook is %q", m[0])
	}
	code, err := k.send("", "POST", "/bot/github", h, body, nil)
	if code == 0 {
		return err
	}
	answer := strconv.Itoa(code)
	if err != nil {
		answer += " " + err.Error()
	}
	k.write("", []string{answer})
	return nil
}
