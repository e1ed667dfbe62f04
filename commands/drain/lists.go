package drain

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

const mostRows = 40

func distance(a, b string) int { return levenshtein.ComputeDistance(a, b) }

func cmpOr(all ...int) int { return cmp.Or(all...) }

// naturally compares names with numbers at their end: web-2 comes before web-10.
func naturally(a, b string) int {
	return cmpOr(strings.Compare(strings.TrimRight(a, "0123456789"), strings.TrimRight(b, "0123456789")), len(a)-len(b), strings.Compare(a, b))
}

func (f *feature) instancesVerb() commands.Verb {
	return commands.Verb{
		Name: "instances", Summary: "List the instances, with their role, state, age and zone", Effect: commands.Reads,
		Args:     []commands.Arg{{Name: "role", Kind: commands.ArgWord, Optional: true, Help: "only one role: role=app"}},
		Examples: []string{"instances", "instances role=app"},
		Decide:   f.instances,
	}
}

func (f *feature) instances(ctx context.Context, c *commands.Call) (commands.Act, error) {
	if err := f.clouded(); err != nil {
		return nil, err
	}
	var roles []string
	if w := c.Arg("role"); w != "" {
		name, _ := roleOf(w)
		roles = []string{cmp.Or(name, w)}
	}
	all, err := f.Cloud.Instances(ctx, roles...)
	if err != nil {
		return nil, f.unread("The instances", err)
	}
	slices.SortFunc(all, func(a, b integrations.Instance) int {
		return cmpOr(strings.Compare(a.Role, b.Role), naturally(a.Name, b.Name), strings.Compare(a.ID, b.ID))
	})
	return func(tx *store.Tx) (commands.Reply, error) {
		going, err := actives(tx)
		if err != nil {
			return commands.Reply{}, err
		}
		return commands.Reply{Private: f.listed(all, going)}, nil
	}, nil
}

func (f *feature) listed(all []integrations.Instance, going []*Drain) *integrations.Message {
	if len(all) == 0 {
		return say("No instance runs.")
	}
	var lines []string
	role := "\x00"
	for _, i := range all {
		if i.Role != role {
			role = i.Role
			n := 0
			for _, o := range all {
				if o.Role == role {
					n++
				}
			}
			lines = append(lines, fmt.Sprintf("%s · %d", cmp.Or(role, "no role"), n))
		}
		line := fmt.Sprintf("  %s %s · %s · %s · %s old", cmp.Or(i.Name, "-"), i.ID, cmp.Or(i.Status, i.State), i.Zone, gate.Age(f.Clock.Now().Sub(i.Launched)))
		for _, d := range going {
			if d.Instance == i.ID {
				line += fmt.Sprintf(" · %s: %s", d.ID, word(d.State))
			}
		}
		if i.Status == draining && !slices.ContainsFunc(going, func(d *Drain) bool { return d.Instance == i.ID }) {
			line += " · ⚠️ it says that it is draining, and no drain goes on"
		}
		lines = append(lines, line)
	}
	if more := len(lines) - mostRows; more > 0 {
		lines = append(lines[:mostRows], fmt.Sprintf("and %d more", more))
	}
	text := strings.Join(lines, "\n")
	return &integrations.Message{Text: text, Blocks: []integrations.Block{{Code: text}}}
}

func (f *feature) drainsVerb() commands.Verb {
	return commands.Verb{
		Name: "drains", Summary: "List the drains that go on, and the newest that are over", Effect: commands.Reads, Examples: []string{"drains"},
		Decide: func(context.Context, *commands.Call) (commands.Act, error) {
			return func(tx *store.Tx) (commands.Reply, error) { return f.drains(tx) }, nil
		},
	}
}

func (f *feature) drains(tx *store.Tx) (commands.Reply, error) {
	all, err := list(tx, func(d *Drain) bool { return true })
	if err != nil {
		return commands.Reply{}, err
	}
	slices.SortFunc(all, func(a, b *Drain) int {
		return cmpOr(boolFirst(!a.over(), !b.over()), b.Asked.Compare(a.Asked), strings.Compare(b.ID, a.ID))
	})
	if len(all) == 0 {
		return commands.Reply{Private: say("Nothing was drained from here yet.")}, nil
	}
	var m integrations.Message
	for _, d := range all[:min(len(all), 15)] {
		line := integrations.R(icon(d), " ", integrations.Code(d.ID), " ", d.machine(), " · ", d.Role, " · ", word(d.State), " · ", gate.FromStore(d.By).Display(), ", ", gate.Age(f.Clock.Now().Sub(d.Since)))
		if d.Why != "" {
			line = append(line, integrations.R(" · ", d.Why)...)
		}
		m.Text += line.Plain() + "\n"
		m.Blocks = append(m.Blocks, integrations.Block{Text: line})
		if b := buttons(d); len(b) > 0 && d.State != statePlanned {
			m.Blocks = append(m.Blocks, integrations.Block{Buttons: b})
		}
	}
	m.Text = strings.TrimRight(m.Text, "\n")
	return commands.Reply{Private: &m}, nil
}

// UnderWay says of each drain that goes on or is held, or whose instance is kept, how far it is.
func UnderWay(tx *store.Tx) (out []integrations.Rich, err error) {
	all, err := list(tx, func(d *Drain) bool { return !d.over() && d.State != statePlanned })
	for _, d := range all {
		row := integrations.R(icon(d), " ", integrations.Code(d.ID), " ", d.machine(), " · ", word(d.State))
		if d.State == stateHold {
			row = append(row, integrations.R(" · ", d.Why)...)
		}
		out = append(out, append(row, integrations.R(" · ", gate.FromStore(d.By).Display())...))
	}
	return out, err
}

func boolFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}
