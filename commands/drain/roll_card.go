package drain

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// rollCard is the message of a role's drain.
func (f *feature) rollCard(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	r, found, err := rolls(tx).Get(s.Subject)
	if err != nil || !found {
		return integrations.Message{Hold: true}, err
	}
	title := fmt.Sprintf("drain role=%s: %d of %d done", r.Role, len(r.Done), r.Of)
	state, sign := "goes on", "🚰"
	switch {
	case !r.Ended.IsZero() && len(r.Done) == r.Of:
		state, sign = "done", "✅"
	case !r.Ended.IsZero():
		state, sign = "ended", "⚪"
	case r.Begun.IsZero():
		state, sign, title = word(statePlanned), "🔷", fmt.Sprintf("drain role=%s: %d instances, one at a time", r.Role, r.Of)
	case r.Aborted:
		state, sign = "ending", "↩️"
	case r.Paused:
		state, sign = "paused", "⏸️"
	}
	m := integrations.Message{Text: fmt.Sprintf("%s %s: %s", r.ID, title, state), Asks: r.Begun.IsZero() && r.Ended.IsZero()}
	m.Blocks = []integrations.Block{{Text: integrations.R(sign, " ", integrations.Bold(upper(title)), " · ", state)}}
	if r.Why != "" {
		m.Text += " · " + r.Why
		m.Blocks = append(m.Blocks, integrations.Block{Text: integrations.R(r.Why)})
	}
	if !r.Ended.IsZero() {
		m.Final = fmt.Sprintf("%s %s %s: %s", sign, r.ID, title, state)
	}
	if r.Begun.IsZero() && r.Ended.IsZero() {
		m.Blocks = append(m.Blocks, rollPlan(&r)...)
	}
	if line := order(&r); line != "" {
		m.Blocks = append(m.Blocks, integrations.Block{Context: integrations.R(line)})
	}
	var b []integrations.Button
	if r.Current != "" && r.Ended.IsZero() {
		d, found, err := drains(tx).Get(r.Current)
		if err != nil {
			return m, err
		}
		if found {
			m.Text += fmt.Sprintf(" · %s %s: %s", d.ID, d.machine(), d.State)
			m.Blocks = append(m.Blocks, integrations.Block{Text: integrations.R("↳ ", integrations.Bold(d.short()), " ", integrations.Code(d.Instance), " · ", d.Zone, " · ", word(d.State))})
			m.Blocks = append(m.Blocks, body(&d)...)
			if d.State == stateHold {
				m.Asks, b = true, buttons(&d)
			}
		}
	}
	if b = append(rollButtons(&r), b...); len(b) > 0 {
		m.Blocks = append(m.Blocks, integrations.Block{Buttons: b})
	}
	small := integrations.R(integrations.Code(r.ID), " · asked by ", integrations.Who(gate.FromStore(r.By)))
	if r.Reason != "" {
		small = append(small, integrations.R(": ", integrations.Italic(r.Reason))...)
	}
	m.Blocks = append(m.Blocks, integrations.Block{Context: small})
	return m, nil
}

// order names those that are done and the next ones, once it has begun.
func order(r *Roll) string {
	if r.Begun.IsZero() {
		return ""
	}
	var done, next []string
	for _, c := range r.Done {
		done = append(done, cmp.Or(c.Name, c.ID))
	}
	for _, c := range r.Left {
		next = append(next, cmp.Or(c.Name, c.ID))
	}
	var parts []string
	if len(done) > 0 {
		parts = append(parts, fmt.Sprintf("done: %s", strings.Join(done, ", ")))
	}
	if len(next) > 0 {
		parts = append(parts, fmt.Sprintf("next: %s", strings.Join(next, ", ")))
	}
	return strings.Join(parts, " · ")
}

// rollPlan is what would happen to each.
func rollPlan(r *Roll) []integrations.Block {
	zones, order := map[string]int{}, []string{}
	var names []string
	for _, c := range r.Left {
		if zones[c.Zone]++; zones[c.Zone] == 1 {
			order = append(order, c.Zone)
		}
		name := c.Name
		if name == "" {
			name = c.ID
		}
		names = append(names, name)
	}
	var where []string
	for _, z := range order {
		where = append(where, fmt.Sprintf("%s %d", z, zones[z]))
	}
	fields := append([]integrations.Field{
		{Name: "Instances", Value: integrations.R(strings.Join(names, ", "))},
		{Name: "Zones", Value: integrations.R(strings.Join(where, ", "))},
	}, planFields(&Drain{Plan: r.Plan})...)
	return []integrations.Block{{Fields: fields}, {Context: integrations.R("The numbers are those while one is out. Everything is looked at again before each of them, and it is paused at the first that does not end well.")}}
}

func rollButtons(r *Roll) []integrations.Button {
	abort := integrations.Button{Label: "Abort", Command: "undrain " + r.ID, Confirm: "Drain no more of them, and put back the one that goes on?"}
	switch {
	case !r.Ended.IsZero():
		return nil
	case r.Begun.IsZero():
		return []integrations.Button{
			{Label: "Confirm", Command: "drain-confirm " + r.ID + " " + r.Digest, Style: "primary", Confirm: fmt.Sprintf("End %d instances of the role %s, one at a time, each once its logs are shipped?", r.Of, r.Role)},
			{Label: "Cancel", Command: "undrain " + r.ID},
		}
	case r.Aborted:
		return nil
	case r.Paused:
		return []integrations.Button{{Label: "Resume", Command: "drain-resume " + r.ID, Style: "primary"}, abort}
	}
	return []integrations.Button{{Label: "Pause", Command: "drain-pause " + r.ID}, abort}
}
