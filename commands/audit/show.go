package audit

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

const (
	shown     = 30 // rows of an answer
	inBlock   = 10 // lines of a block, so that one holds them all
	mostWords = 120
)

// show is an answer: a line a row, the days apart.
func show(q question, found findings) integrations.Message {
	rows := found.rows[:min(shown, len(found.rows))]
	m := integrations.Message{Text: q.title()}
	m.Blocks = append(m.Blocks, integrations.Block{Text: integrations.R(integrations.Bold(q.title()))})
	day := ""
	var lines []integrations.Rich
	flush := func() {
		for part := range slices.Chunk(lines, inBlock) {
			var text integrations.Rich
			for i, l := range part {
				if i > 0 {
					text = append(text, integrations.R("\n")...)
				}
				text = append(text, l...)
			}
			m.Blocks = append(m.Blocks, integrations.Block{Text: text})
		}
		lines = nil
	}
	for _, r := range rows {
		if d := r.At.In(q.zone).Format("Monday 2006-01-02"); d != day {
			flush()
			day = d
			zone, _ := r.At.In(q.zone).Zone()
			lines = append(lines, integrations.R(integrations.Bold(d), " ("+zone+")"))
		}
		lines = append(lines, line(r, q.zone, found.names))
	}
	flush()
	for _, b := range m.Blocks[1:] {
		m.Text += "\n" + b.Text.Plain()
	}
	if more := len(found.rows) - len(rows); more > 0 {
		count := fmt.Sprintf("%d more", more)
		if found.cut {
			count = "more than " + count
		}
		note := integrations.R(count+": narrow it with ", integrations.Code("in <environment>"), ", ", integrations.Code("--since 2h"), " or ",
			integrations.Code("--by <person>"), ", or get all as a file with ", integrations.Code("--export"), ".")
		m.Text += "\n" + note.Plain()
		m.Blocks = append(m.Blocks, integrations.Block{Context: note})
	}
	return m
}

// line is one row: when, who, what, about what, how it was decided.
func line(r *store.AuditRow, zone *time.Location, names map[string]string) integrations.Rich {
	out := integrations.R(integrations.Code(r.At.In(zone).Format("15:04:05")), " ", integrations.Bold(whoOf(r)), " · ", did(r))
	if s := r.Subject; s != "" {
		if name, ok := names[s]; ok {
			s = name
		}
		out = append(out, integrations.R(" · ", s)...)
	}
	if r.Via == "host" {
		out = append(out, integrations.R(" · on the host")...)
	}
	outcome := r.Outcome
	if _, job := jobKind(r); job && r.Detail != "" {
		outcome += ": " + r.Detail
	}
	return append(out, integrations.R(" · ", short(outcome, mostWords))...)
}

// did is what was done. What somebody typed may be anything, and is code.
func did(r *store.AuditRow) any {
	s := short(words(r), mostWords)
	_, job := jobKind(r)
	if !job && r.Act != "" && strings.HasPrefix(r.Detail, r.Act) {
		return integrations.Code(s)
	}
	return s
}

// ours are the ways by which we do things ourselves.
var ours = []string{"", "runner", "clock"}

// whoOf names who did it; what nobody asked for we did ourselves.
func whoOf(r *store.AuditRow) string {
	switch {
	case r.Who != store.Person{}:
		return gate.FromStore(r.Who).Display()
	case slices.Contains(ours, r.Via):
		return "signalbox"
	}
	return "somebody on " + r.Via
}

// words say what was done. A command is told as it was typed; the rest is named
// by whoever wrote the row.
func words(r *store.AuditRow) string {
	if kind, ok := jobKind(r); ok {
		return strings.TrimSuffix(kind+" of "+r.Target, " of ")
	}
	if system, what, ok := strings.Cut(r.Act, "."); ok {
		return strings.ReplaceAll(what, "_", " ") + " on " + system
	}
	if r.Detail != "" {
		return r.Detail
	}
	return strings.TrimSpace(r.Act + " " + r.Target)
}

func jobKind(r *store.AuditRow) (string, bool) { return strings.CutPrefix(r.Act, "job ") }

func short(s string, most int) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

// nothing says that there is no such row, and what may help.
func nothing(c *commands.Call, q question) integrations.Message {
	text := "Nothing is on record"
	if q.about != "" {
		text += " " + q.about
	}
	switch {
	case q.last > 0:
		text += " in the last " + gate.Age(q.last)
	case !q.since.IsZero():
		text += " since " + q.when()
	}
	text += "."
	if q.stray != "" {
		var names []string
		for _, p := range c.Catalog.People {
			names = append(names, p.Name)
		}
		slices.Sort(names)
		text += fmt.Sprintf(" I know nobody called “%s”; there is %s.", short(q.stray, 40), short(strings.Join(names, ", "), 400))
	}
	m := integrations.Message{Text: text, Blocks: []integrations.Block{{Text: integrations.R(text)}}}
	if !q.since.IsZero() {
		again := *c
		again.Args = map[string]string{}
		for k, v := range c.Args {
			again.Args[k] = v
		}
		again.Args["since"] = "30d"
		line := commands.Prompt + " " + commands.Render(&again)
		m.Text += " Look further back: " + line
		m.Blocks = append(m.Blocks, integrations.Block{Context: integrations.R("Look further back: ", integrations.Code(line))})
	}
	return m
}
