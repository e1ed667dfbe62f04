package incident

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// icons are those of severities.
var icons = map[string]string{
	integrations.SeverityCritical: "🚨", integrations.SeverityError: "🔥", integrations.SeverityWarning: "⚠️", integrations.SeverityInfo: "ℹ️",
}

// card is the message of an incident: of what alerts or a page made; of what somebody
// declared it is another.
func (f *feature) card(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	i, found, err := records(tx).Get(s.Subject)
	if err != nil || !found {
		return integrations.Message{Hold: true}, err
	}
	if i.Source == "" && i.Escalation == nil && i.Members == nil {
		return declared(i.Incident), nil
	}
	title := integrations.R(i.icon(), " ", integrations.Code(i.ID), " ", integrations.Bold(i.titled()))
	small := i.small(true)
	if !i.open() {
		ended := integrations.R("🟢 ", integrations.Code(i.ID), " ", i.titled(), " · over after ", gate.Age(i.Over.Sub(i.Opened)), " · ", i.ender())
		m := integrations.Message{Text: ended.Plain(), Blocks: []integrations.Block{{Text: ended}}}
		m.Blocks = append(m.Blocks, i.lastNotes(1)...)
		customers, err := f.customers(tx, &i)
		if err != nil {
			return m, err
		}
		if len(customers) > 0 {
			m.Blocks = append(m.Blocks, integrations.Block{Buttons: customers})
		}
		m.Blocks = append(m.Blocks, integrations.Block{Context: small})
		return m, nil
	}
	state := i.state(f.Clock.Now())
	m := integrations.Message{Text: integrations.R(i.icon(), " ", i.ID, " ", i.titled(), " · ", state).Plain(), Asks: i.Acked.IsZero()}
	m.Blocks = []integrations.Block{{Text: append(title, integrations.R(" · ", state)...)}}
	if i.Members != nil {
		m.Blocks = append(m.Blocks, integrations.Block{Text: i.Members.shown()})
	} else {
		m.Blocks = append(m.Blocks, i.said()...)
	}
	more, err := f.background(tx, &i)
	if err != nil {
		return m, err
	}
	for _, row := range more.rows {
		m.Blocks = append(m.Blocks, integrations.Block{Text: row})
	}
	m.Blocks = append(m.Blocks, i.lastNotes(3)...)
	m.Blocks = append(m.Blocks, integrations.Block{Buttons: append(i.buttons(), more.buttons...)}, integrations.Block{Context: small})
	return m, nil
}

// titled is its title: in quotes, for the words are somebody else's; a storm's are ours.
func (i *Incident) titled() string {
	if i.Members != nil {
		return i.Title
	}
	return "“" + i.Title + "”"
}

func (i *Incident) icon() string {
	if i.Members != nil {
		return "🌩"
	}
	return cmp.Or(icons[i.Severity], "🔔")
}

// state is how it stands, in a few words.
func (i *Incident) state(now time.Time) integrations.Rich {
	switch {
	case now.Before(i.Snoozed):
		return integrations.R("snoozed by ", gate.FromStore(i.SnoozedBy).Display(), " until ", integrations.When(i.Snoozed, nil))
	case !i.Acked.IsZero():
		return integrations.R("acknowledged by ", i.took())
	case i.Flaps:
		return integrations.R("goes to and fro")
	case len(i.assigned()) > 0:
		return integrations.R("waits for ", strings.Join(i.assigned(), ", "))
	case i.Escalation != nil && i.Escalation.Over && len(i.Escalation.Steps) > 0:
		return integrations.R("nobody came")
	}
	return integrations.R("waits for somebody")
}

// ender is who said that it is over.
func (i *Incident) ender() string {
	if i.OverBy != (store.Person{}) {
		return gate.FromStore(i.OverBy).Display()
	}
	return i.OverName
}

// said is what the source says of it.
func (i *Incident) said() (out []integrations.Block) {
	a := i.Alert
	var rows integrations.Rich
	if t := strings.TrimSpace(a.Text); t != "" && t != i.Title {
		rows = append(rows, integrations.R(integrations.Italic(cut(t, mostText)))...)
	}
	if a.Metric.Value != "" {
		measured := strings.Join(strings.Fields(strings.Join([]string{a.Metric.Name, a.Metric.Value, a.Metric.Operator, a.Metric.Threshold}, " ")), " ")
		if len(rows) > 0 {
			rows = append(rows, integrations.R("\n")...)
		}
		rows = append(rows, integrations.Code(measured))
	}
	var links integrations.Rich
	of := "source"
	if i.Source == "" {
		of = "original"
	}
	for _, l := range []struct{ text, url string }{{of, a.URL}, {"runbook", a.Runbook}, {"picture", a.Image}} {
		if l.url == "" {
			continue
		}
		if len(links) > 0 {
			links = append(links, integrations.R(" · ")...)
		}
		links = append(links, integrations.Link(l.url, l.text))
	}
	if len(links) > 0 {
		if len(rows) > 0 {
			rows = append(rows, integrations.R("\n")...)
		}
		rows = append(rows, links...)
	}
	if len(rows) > 0 {
		out = append(out, integrations.Block{Text: rows})
	}
	return out
}

const mostText = 600

func cut(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

// small is what stands below in small letters; counts says whether what each alert changes
// does.
func (i *Incident) small(counts bool) integrations.Rich {
	var parts []integrations.Rich
	if i.Source != "" {
		parts = append(parts, integrations.R(i.Source))
	}
	if where := where(i.Incident); i.Service != "" || i.Environment != "" {
		parts = append(parts, integrations.R(strings.TrimPrefix(where, "in ")))
	}
	if host := cmp.Or(i.Alert.Host, i.Alert.Instance); host != "" {
		parts = append(parts, integrations.R(host))
	}
	if i.By != (store.Person{}) && i.Source == "" && i.Members == nil {
		parts = append(parts, integrations.R("called by ", gate.FromStore(i.By).Display()))
	}
	parts = append(parts, integrations.R("since ", integrations.When(i.Opened, nil)))
	if counts && i.Count > 1 {
		parts = append(parts, integrations.R(fmt.Sprintf("%d alerts", i.Count)))
	}
	if i.Reopened > 0 {
		parts = append(parts, integrations.R(fmt.Sprintf("came back %d times", i.Reopened)))
	}
	if e := i.Elsewhere; e != nil && e.Why != "" {
		parts = append(parts, integrations.R("⏳ ", i.Source, " does not answer, and is told as soon as it does"))
	}
	if !i.FirstAck.IsZero() {
		parts = append(parts, integrations.R("acknowledged after ", gate.Age(i.FirstAck.Sub(i.Opened))))
	}
	var out integrations.Rich
	for n, p := range parts {
		if n > 0 {
			out = append(out, integrations.R(" · ")...)
		}
		out = append(out, p...)
	}
	return out
}

// lastNotes are the newest notes, the newest last.
func (i *Incident) lastNotes(n int) (out []integrations.Block) {
	for _, one := range i.Notes[max(0, len(i.Notes)-n):] {
		who := one.Name
		if one.By != (store.Person{}) {
			who = gate.FromStore(one.By).Display()
		}
		out = append(out, integrations.Block{Text: integrations.R("📝 ", who, ": ", integrations.Italic(cut(one.Text, mostText)))})
	}
	return out
}

func (i *Incident) buttons() (out []integrations.Button) {
	if i.Acked.IsZero() {
		out = append(out, integrations.Button{Label: "Acknowledge", Command: "ack " + i.ID, Style: "primary"})
	}
	out = append(out, integrations.Button{Label: "Resolve", Command: "all-clear " + i.ID, Confirm: "Is it well again?"},
		integrations.Button{Label: "Escalate", Command: "escalate " + i.ID, Confirm: "Call whoever is next?"},
		integrations.Button{Label: "Snooze 1 h", Command: "snooze " + i.ID + " 1h"}, integrations.Button{Label: "Note…", Command: "note " + i.ID}, integrations.Button{Label: "Reassign…", Command: "reassign " + i.ID})
	return out
}

// shown says what a storm stands for.
func (m *Members) shown() integrations.Rich {
	out := integrations.R(fmt.Sprintf("%d incidents · %d open · %d acknowledged", m.All, m.Open, m.Acked))
	names := sortedKeys(m.Checks)
	slices.SortStableFunc(names, func(a, b string) int { return m.Checks[b] - m.Checks[a] })
	for n, name := range names {
		if n == mostShown {
			out = append(out, integrations.R("\n", fmt.Sprintf("and %d more", len(names)-mostShown))...)
			break
		}
		out = append(out, integrations.R("\n• ", fmt.Sprintf("%d × ", m.Checks[name]), integrations.Italic(cut(name, 120)))...)
	}
	return out
}

const mostShown = 8

// background is what helps whoever looks at an incident.
type background struct {
	rows    []integrations.Rich
	buttons []integrations.Button
}

const (
	lately    = 7 * 24 * time.Hour // in which the same may have come before
	justNow   = time.Hour          // in which a deploy may be the reason
	mostLooks = 10                 // at operations
)

// background finds how often the same came lately and what helped then, and what was
// deployed just before.
func (f *feature) background(tx *store.Tx, i *Incident) (out background, err error) {
	if i.Key != "" {
		t, _, err := trails(tx).Get(trailKey(i.Source, i.Key))
		if err != nil {
			return out, err
		}
		times, helped := 1, ""
		for _, id := range t.Past {
			before, found, err := records(tx).Get(id)
			if err != nil {
				return out, err
			}
			if found && i.Opened.Sub(before.Opened) < lately {
				times++
				if n := len(before.Notes); n > 0 {
					helped = before.Notes[n-1].Text
				}
			}
		}
		if times > 1 {
			row := integrations.R("🔁 ", fmt.Sprintf("%d times within a week", times))
			if helped != "" {
				row = append(row, integrations.R(" · last time: ", integrations.Italic(cut(helped, 200)))...)
			}
			out.rows = append(out.rows, row)
		}
	}
	if i.Service != "" {
		ops, err := tx.OperationsOf(i.Service, i.Environment, mostLooks)
		if err != nil {
			return out, err
		}
		for _, op := range ops {
			if op.Ended.IsZero() || op.Ended.After(i.Opened) || i.Opened.Sub(op.Ended) > justNow || op.State == store.OpClosed || op.State == store.OpNoop {
				continue
			}
			out.rows = append(out.rows, integrations.R("🚢 ", integrations.Code(op.ID), " ", op.State, " ", gate.Age(i.Opened.Sub(op.Ended)), " before it began · ", gate.FromStore(op.Requester).Display()))
			if op.State == store.OpSucceeded && len(out.buttons) == 0 {
				out.buttons = append(out.buttons, integrations.Button{Label: "Roll back", Command: "rollback " + op.ID, Confirm: "Open a pull request that takes back what it changed?"})
			}
			break
		}
	}
	customers, err := f.customers(tx, i)
	if err != nil {
		return out, err
	}
	out.buttons = append(out.buttons, customers...)
	if host := cmp.Or(i.Alert.Instance, i.Alert.Host); host != "" && f.Drains && !strings.ContainsAny(host, " \t\"") {
		out.buttons = append(out.buttons, integrations.Button{Label: "Drain…", Command: "drain " + host})
	}
	return out, nil
}

// pageCard is the direct message to somebody who is called.
func (f *feature) pageCard(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	i, found, err := records(tx).Get(s.Subject)
	if err != nil || !found {
		return integrations.Message{Hold: true}, err
	}
	title := integrations.R(i.icon(), " ", integrations.Code(i.ID), " ", integrations.Bold(i.titled()))
	switch {
	case !i.open():
		title = integrations.R("🟢 ", integrations.Code(i.ID), " ", i.titled(), " · over after ", gate.Age(i.Over.Sub(i.Opened)), " · ", i.ender())
		return integrations.Message{Text: title.Plain(), Blocks: []integrations.Block{{Text: title}}}, nil
	case !i.Acked.IsZero():
		title = append(title, integrations.R(" · acknowledged by ", i.took())...)
		return integrations.Message{Text: title.Plain(), Blocks: []integrations.Block{{Text: title}, {Buttons: i.buttons()}}}, nil
	}
	m := integrations.Message{Text: integrations.R(title, " · you are called").Plain(), Asks: true}
	m.Blocks = append([]integrations.Block{{Text: append(title, integrations.R(" · you are called")...)}}, i.said()...)
	if n, err := strconv.Atoi(s.Where["n"]); err == nil && i.Escalation != nil && n < len(i.Escalation.Calls) && i.Escalation.Calls[n].By != "" {
		c := i.Escalation.Calls[n]
		by := integrations.R("asked for by ", c.By)
		if c.Why != "" {
			by = append(by, integrations.R(": ", integrations.Italic(cut(c.Why, mostText)))...)
		}
		m.Blocks = append(m.Blocks, integrations.Block{Text: by})
	}
	m.Blocks = append(m.Blocks, integrations.Block{Buttons: i.buttons()}, integrations.Block{Context: i.small(false)}) // each alert would be an edit of each of these
	return m, nil
}

// awakeCard says in the thread that a snooze is over.
func (f *feature) awakeCard(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	return *say("⏰ The snooze is over, and it is still open: it waits for somebody again."), nil
}

// reminderCard asks whoever has an incident.
func (f *feature) reminderCard(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	i, found, err := records(tx).Get(s.Subject)
	if err != nil || !found {
		return integrations.Message{Hold: true}, err
	}
	if !i.open() {
		if s.Ref == "" {
			return integrations.Message{Hold: true}, nil
		}
		return *say(fmt.Sprintf("🟢 %s is over.", i.ID)), nil
	}
	text := integrations.R("⏳ ", integrations.Code(i.ID), " ", integrations.Bold(i.titled()), " is ", i.took(), "'s since ", integrations.When(i.Acked, nil), ", and still open.")
	return integrations.Message{Text: text.Plain(), Blocks: []integrations.Block{{Text: text}, {Buttons: i.buttons()}}}, nil
}
