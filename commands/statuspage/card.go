package statuspage

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

const (
	mostBlock   = 2500 // bytes of one block: Slack takes 3,000 characters
	mostUpdates = 3    // of an incident
	mostMoves   = 20   // of one block
	mostOthers  = 5
)

// noticeCard is what customers will read, and then what became of it.
func (f *feature) noticeCard(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	n, found, err := notices(tx).Get(s.Subject)
	if err != nil || !found {
		return integrations.Message{Hold: true}, err
	}
	if n.State != stateAsking {
		return became(&n), nil
	}
	title := f.asks(&n)
	m := integrations.Message{Asks: true, Text: fmt.Sprintf("%s 📣 %s", n.ID, title)}
	if n.Plan.Title != "" {
		m.Text += fmt.Sprintf(": “%s”", n.Plan.Title)
	}
	m.Blocks = []integrations.Block{{Text: integrations.R("📣 ", integrations.Bold(title))}}
	if n.Note != "" {
		m.Blocks = append(m.Blocks, integrations.Block{Text: integrations.R("⚠️ ", n.Note)})
	}
	m.Blocks = append(m.Blocks, preview(n.Plan)...)
	for _, row := range warnings(n.Plan) {
		m.Blocks = append(m.Blocks, integrations.Block{Text: row})
	}
	if n.Plan.Body != "" {
		m.Text += fmt.Sprintf(": “%s”", cut(n.Plan.Body, mostBlock))
	}
	m.Blocks = append(m.Blocks, integrations.Block{Buttons: questions(&n)})
	small := integrations.R(integrations.Code(n.ID), " · ", integrations.Who(gate.FromStore(n.By)), " · ", f.told(&n))
	if n.Old {
		small = append(small, integrations.R(" · ", "shown more than five minutes ago: its buttons show it anew")...)
	} else {
		small = append(small, integrations.R(" · ", "to be confirmed until ", integrations.When(n.Shown.Add(confirmFor), nil))...)
	}
	m.Blocks = append(m.Blocks, integrations.Block{Context: small})
	return m, nil
}

func (f *feature) asks(n *Notice) string {
	switch {
	case n.Ask.Act == actOpen:
		return "Customers will read of a new incident"
	case n.Ask.Act == actComponent:
		return "Customers will see another state"
	case n.Plan.Status == integrations.PageResolved:
		return "Customers will read that an incident is over"
	}
	return "Customers will read more of an incident"
}

// told says whom the page writes to.
func (f *feature) told(n *Notice) string {
	if acts()[n.Ask.Act].tells {
		return "subscribers are not written to, unless you press the button that says so"
	}
	return "the page writes to nobody of it, but for webhooks that subscribed to its components"
}

// preview is all that customers will read.
func preview(p plan) (out []integrations.Block) {
	if p.Title != "" {
		head := integrations.R(integrations.Code(p.Title), " · ") // in a form of which nothing is translated
		if p.Was != "" && p.Was != p.Status {
			head = append(head, integrations.R(p.Was, " → ")...)
		}
		head = append(head, integrations.R(p.Status)...)
		if p.Impact != "" {
			head = append(head, integrations.R(" · ", "impact ", p.Impact)...)
		}
		out = append(out, integrations.Block{Text: head})
	}
	for _, part := range parts(p.Body, mostBlock) {
		out = append(out, integrations.Block{Code: part})
	}
	for some := range slices.Chunk(p.Moves, mostMoves) {
		var rows integrations.Rich
		for k, m := range some {
			if k > 0 {
				rows = append(rows, integrations.R("\n")...)
			}
			rows = append(rows, integrations.R("• ", integrations.Code(m.Name), ": ", m.From, " → ", m.To)...)
		}
		out = append(out, integrations.Block{Text: rows})
	}
	return out
}

// warnings are what somebody may not have thought of.
func warnings(p plan) (out []integrations.Rich) {
	if len(p.Others) > 0 {
		for _, o := range p.Others[:min(len(p.Others), mostOthers)] {
			out = append(out, integrations.R("⚠️ Open on the page already: ", integrations.Code(o.ID), " “", o.Title, "”"))
		}
	}
	if p.Title != "" && p.Was == "" && len(p.Moves) == 0 {
		out = append(out, integrations.R("⚠️ It names no component: all of them stay as they are."))
	}
	if slices.ContainsFunc(p.Moves, func(m move) bool { return m.From == m.To }) {
		out = append(out, integrations.R("⚠️ A component that it names has that state already."))
	}
	return out
}

func questions(n *Notice) []integrations.Button {
	stamp := n.Plan.digest()
	out := []integrations.Button{{Label: "Confirm", Command: "statuspage confirm " + n.ID, Version: stamp, Style: "primary"}}
	if acts()[n.Ask.Act].tells {
		out = append(out, integrations.Button{Label: "Confirm and notify subscribers", Command: "statuspage notify " + n.ID, Version: stamp, Style: "danger",
			Confirm: "Have the page write to everybody who subscribed to it? That cannot be taken back."})
	}
	return append(out, integrations.Button{Label: "Cancel", Command: "statuspage cancel " + n.ID})
}

// became is a line of what became of a notice.
func became(n *Notice) integrations.Message {
	title := n.Plan.Title
	if n.Ask.Act == actComponent && len(n.Plan.Moves) == 1 {
		title = n.Plan.Moves[0].Name
	}
	word := map[string]string{stateSending: "is being posted", statePosted: "is posted", stateFailed: "was not posted", stateCancelled: "cancelled", stateUnknown: "nobody can tell whether it was posted: look at the page"}[n.State]
	icon := map[string]string{stateSending: "⏳", statePosted: "✅", stateFailed: "✋", stateCancelled: "⚪", stateUnknown: "❓"}[n.State]
	m := integrations.Message{Text: fmt.Sprintf("%s %s “%s” · %s", n.ID, icon, title, word), Asks: n.State == stateFailed || n.State == stateUnknown}
	head := integrations.R(icon, " ", integrations.Code(title), " · ", word)
	switch {
	case n.State != statePosted:
	case n.Plan.Status != "":
		head = append(head, integrations.R(" · ", n.Plan.Status)...)
	case len(n.Plan.Moves) == 1:
		head = append(head, integrations.R(" · ", n.Plan.Moves[0].To)...)
	}
	if n.State == statePosted || n.State == stateSending {
		who := "subscribers are not written to"
		if n.Notify {
			who = "subscribers are written to"
		}
		if acts()[n.Ask.Act].tells {
			head = append(head, integrations.R(" · ", who)...)
			m.Text += " · " + who
		}
	}
	m.Blocks = []integrations.Block{{Text: head}}
	if n.Why != "" {
		m.Text += " · " + n.Why
		m.Blocks = append(m.Blocks, integrations.Block{Text: integrations.R(n.Why)})
	}
	if n.State == stateFailed || n.State == stateUnknown {
		m.Blocks = append(m.Blocks, preview(n.Plan)...)
	}
	switch {
	case n.State == stateFailed:
		m.Blocks = append(m.Blocks, integrations.Block{Buttons: []integrations.Button{{Label: "Ask again", Command: "statuspage confirm " + n.ID}}})
	case n.State == stateSending && n.Tried.IsZero() && n.Why != "":
		m.Blocks = append(m.Blocks, integrations.Block{Buttons: []integrations.Button{{Label: "Cancel", Command: "statuspage cancel " + n.ID}}})
	}
	small := integrations.R(integrations.Code(n.ID))
	if n.Confirmed.Name != "" {
		small = append(small, integrations.R(" · ", integrations.Who(gate.FromStore(n.Confirmed)))...)
	}
	if n.URL != "" {
		small = append(small, integrations.R(" · ", integrations.Link(n.URL, n.Incident))...)
	}
	m.Blocks = append(m.Blocks, integrations.Block{Context: small})
	if n.over() {
		m.Final = m.Text
	}
	return m
}

// incidentCard is an incident as the page has it.
func (f *feature) incidentCard(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	i, found, err := incidents(tx).Get(strings.TrimPrefix(s.Subject, incidentSubject("")))
	if err != nil || !found {
		return integrations.Message{Hold: true}, err
	}
	r, _, err := readings(tx).Get(theReading)
	if err != nil {
		return integrations.Message{}, err
	}
	word := i.Status
	if i.Gone {
		word = "is not on the page any more"
	}
	m := integrations.Message{Text: fmt.Sprintf("%s %s “%s” · %s", i.ID, icon(i), i.Title, word)}
	head := integrations.R(icon(i), " ", integrations.Code(i.Title), " · ", word)
	if i.Impact != "" && i.Impact != none {
		head = append(head, integrations.R(" · ", "impact ", i.Impact)...)
	}
	m.Blocks = []integrations.Block{{Text: head}}
	if len(i.Components) > 0 {
		m.Blocks = append(m.Blocks, integrations.Block{Text: parade(i.Components)})
	}
	for _, u := range i.Updates[:min(len(i.Updates), mostUpdates)] {
		row := integrations.R(integrations.When(u.At, nil), " · ", u.Status)
		if u.Body != "" {
			row = append(row, integrations.R(" · ", integrations.Italic(cut(u.Body, mostBlock/mostUpdates)))...)
		}
		m.Blocks = append(m.Blocks, integrations.Block{Text: row})
	}
	if i.Ended.IsZero() {
		m.Blocks = append(m.Blocks, integrations.Block{Buttons: handles(i.PageIncident)})
	} else {
		m.Final = m.Text
	}
	small := integrations.R(integrations.Code(i.ID), " · ", "on the status page")
	if i.URL != "" {
		small = integrations.R(integrations.Link(i.URL, i.ID), " · ", "on the status page")
	}
	if i.About != "" {
		small = append(small, integrations.R(" · ", integrations.Code(i.About))...)
	}
	if more := len(i.Updates) - mostUpdates; more > 0 {
		older := fmt.Sprintf("%d older messages", more)
		if more == 1 {
			older = "1 older message"
		}
		small = append(small, integrations.R(" · ", older)...)
	}
	if r.Why != "" && i.Ended.IsZero() {
		small = append(small, integrations.R(" · ⏳ ", "as of ", integrations.When(i.Seen, nil), "; Statuspage does not answer: ", r.Why)...)
	}
	m.Blocks = append(m.Blocks, integrations.Block{Context: small})
	return m, nil
}

func icon(i Incident) string {
	switch {
	case i.Gone:
		return "⚪"
	case i.Over():
		return "✅"
	case i.Status == integrations.PageMonitoring:
		return "👀"
	}
	return "📣"
}

// handles are what people can do about an incident; each opens a form.
func handles(i integrations.PageIncident) []integrations.Button {
	out := []integrations.Button{{Label: "Update…", Command: "statuspage update " + i.ID}, {Label: "Resolve…", Command: "statuspage resolve " + i.ID}}
	if i.URL != "" {
		out = append(out, integrations.Button{Label: "On the page", URL: i.URL})
	}
	return out
}

var lights = map[string]string{
	integrations.ComponentOperational: "🟢", integrations.ComponentDegraded: "🟡", integrations.ComponentPartialOutage: "🟠",
	integrations.ComponentMajorOutage: "🔴", integrations.ComponentMaintenance: "🔵",
}

// parade is components in a line, each with its state.
func parade(all []integrations.PageComponent) (out integrations.Rich) {
	for n, c := range all {
		if n > 0 {
			out = append(out, integrations.R(" · ")...)
		}
		out = append(out, integrations.R(lights[c.Status], " ", integrations.Code(c.Name), " ", c.Status)...)
	}
	return out
}

// cut shortens a text to so many bytes, at a letter.
func cut(text string, most int) string {
	all := parts(text, most)
	if len(all) < 2 {
		return text
	}
	return all[0] + "…"
}

// parts cuts a text into pieces of so many bytes at most, at letters.
func parts(text string, most int) (out []string) {
	for len(text) > most {
		at := most
		for at > 0 && !utf8.RuneStart(text[at]) {
			at--
		}
		out, text = append(out, text[:at]), text[at:]
	}
	if text != "" {
		out = append(out, text)
	}
	return out
}
