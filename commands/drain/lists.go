package drain

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

func distance(a, b string) int { return levenshtein.ComputeDistance(a, b) }

func cmpOr(all ...int) int { return cmp.Or(all...) }

// naturally compares names with numbers at their end: web-2 comes before web-10.
func naturally(a, b string) int {
	return cmpOr(strings.Compare(strings.TrimRight(a, "0123456789"), strings.TrimRight(b, "0123456789")), len(a)-len(b), strings.Compare(a, b))
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
		if b := buttons(d); len(b) > 0 && !d.over() && d.State != statePlanned {
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

// Held says of each drain that is held what it waits for.
func Held(tx *store.Tx) (out []integrations.Rich, err error) {
	all, err := list(tx, func(d *Drain) bool { return d.State == stateHold })
	for _, d := range all {
		out = append(out, integrations.R(icon(d), " ", integrations.Code(d.ID), " ", d.machine(), " · ", d.Why, " · ", gate.FromStore(d.By).Display()))
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
