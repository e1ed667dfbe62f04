package lock

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

func (f *feature) locksVerb() commands.Verb {
	return commands.Verb{
		Name: "locks", Summary: "List what is held or taken, by whom, why and until when", Effect: commands.Reads,
		Args:     []commands.Arg{{Name: "what", Kind: commands.ArgScope, Optional: true, Help: "only what holds something there"}},
		Examples: []string{"locks", "locks {environment}"},
		Detail:   "The stop, freezes, locks and what is dirty; then what runs, what nobody knows the end of, and what open deploys have reserved.",
		Decide:   act(f.locks),
	}
}

// A row is one line of the list.
type row struct {
	rich    integrations.Rich
	buttons []integrations.Button
}

const (
	mostBlocks = 46   // of Slack's 50, with room for notes on how the line was read
	mostChars  = 9000 // of about 13,000 in all blocks of a message
)

func (f *feature) locks(tx *store.Tx, c *commands.Call) (commands.Reply, error) {
	scope, all := commands.Scope{}, true
	if w := c.Arg("what"); w != "" {
		scope, all = commands.ScopeOf(c.Catalog, w)
		all = all && scope == commands.Scope{}
	}
	rows, err := f.heldRows(tx, c, scope)
	if err != nil {
		return commands.Reply{}, err
	}
	more, err := f.takenRows(tx, c, scope, all)
	if err != nil {
		return commands.Reply{}, err
	}
	rows = append(rows, more...)
	if len(rows) == 0 {
		if all {
			return commands.Reply{Private: say("Nothing is locked.")}, nil
		}
		return commands.Reply{Private: say(fmt.Sprintf("Nothing holds %s.", scope))}, nil
	}
	m := list(rows)
	return commands.Reply{Private: &m}, nil
}

// rank puts what matters most first.
func rank(h *store.Hold) int {
	switch {
	case h.Stop:
		return 0
	case h.Kind == store.HoldFreeze:
		return 1
	case h.Kind == store.HoldHold:
		return 2
	}
	return 3
}

var icons = []string{"🛑 ", "🧊 ", "🔒 ", "🧹 "}

// heldRows are the holds, each with the buttons that its reader may use.
func (f *feature) heldRows(tx *store.Tx, c *commands.Call, scope commands.Scope) ([]row, error) {
	all, err := f.live(tx)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(all, func(a, b *store.Hold) int { return cmp.Compare(rank(a), rank(b)) })
	var out []row
	for _, h := range all {
		if scope != (commands.Scope{}) && !touches(c.Catalog, h, scope) && !names(c.Catalog, h, scope) {
			continue
		}
		r := row{rich: integrations.R(icons[rank(h)], upper(brief(h, f.Clock.Now()))), buttons: f.buttons(c, h)}
		if h.Link != "" {
			r.rich = append(r.rich, integrations.R(" · ", integrations.Link(h.Link, "more"))...)
		}
		if gone := f.gone(c.Catalog, h); gone != "" {
			r.rich = append(r.rich, integrations.R("\n"+gone)...)
		}
		out = append(out, r)
	}
	return out, nil
}

// names says whether a hold of something that is not in the configuration was of
// what a scope names: nobody can tell what it would hold there.
func names(cat *integrations.Catalog, h *store.Hold, s commands.Scope) bool {
	of := scopeOf(cat, h)
	return gate.Gone(cat, h) && (s.Service != "" && s.Service == of.Service || s.Service == "" && s.Environment != "" && s.Environment == of.Environment)
}

func (f *feature) buttons(c *commands.Call, h *store.Hold) []integrations.Button {
	may := func(right string) bool {
		return !slices.ContainsFunc(scopeOf(c.Catalog, h).Environments(c.Catalog), func(env string) bool { return !c.Catalog.May(c.Who, right, env) })
	}
	release := integrations.Button{Label: "Release", Command: "unlock " + h.ID, Version: h.Version}
	extend := integrations.Button{Label: "Extend", Command: "extend " + h.ID, Version: h.Version}
	own := mine(h, c.Who)
	var out []integrations.Button
	switch {
	case h.Stop || h.Kind == store.HoldFreeze:
		release.Command = "unfreeze " + h.ID
		if h.Stop {
			release.Label, release.Confirm = "Go", "Let everything go on?"
		}
		if own || may(rightFreeze) {
			out = append(out, release)
		}
	case h.Kind == store.HoldDirty:
		release.Label = "Release…"
		if may(rightForce) {
			out = append(out, release)
		}
	case own || may(rightOther):
		out = append(out, release)
	}
	if !h.Expires.IsZero() && len(out) > 0 {
		out = append(out, extend)
	}
	return append(out, f.waysPast(c, h)...)
}

// takenRows are what jobs and open deploys hold.
func (f *feature) takenRows(tx *store.Tx, c *commands.Call, scope commands.Scope, all bool) ([]row, error) {
	in := func(service, env string, targets ...string) bool {
		h := &store.Hold{Service: scope.Service, Environment: scope.Environment, Target: scope.Target}
		return all || gate.Covers(c.Catalog, h, service, env, targets)
	}
	runs, err := tx.RunLocks()
	if err != nil {
		return nil, fmt.Errorf("the run locks cannot be read, so every target counts as running: %w", err)
	}
	var out []row
	for _, r := range runs {
		t, _ := c.Catalog.Target(r.Target)
		if !in("", t.Environment, r.Target) {
			continue
		}
		j, err := tx.Job(r.Job)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		out = append(out, f.runRow(r, j))
	}
	ops, err := tx.LiveOperations()
	if err != nil {
		return nil, err
	}
	for _, op := range ops {
		if op.Kind == "deploy" && op.Waits == "" && in(op.Service, op.Environment, op.Targets...) {
			out = append(out, f.reservedRow(op))
		}
	}
	return out, nil
}

func (f *feature) runRow(r *store.RunLock, j *store.Job) row {
	of := ""
	if j != nil && j.Operation != "" {
		of = " of " + j.Operation
	}
	if j != nil && j.State == store.JobUnknown {
		text := fmt.Sprintf("❓ %s is kept by %s%s, of which nobody knows how it ended: look at the real thing, then say what it was", r.Target, r.Job, of)
		return row{integrations.R(text), []integrations.Button{
			{Label: "Mark succeeded", Command: "resolve " + r.Job + " succeeded", Confirm: "You have looked, and " + r.Target + " is as the merge wants it?"},
			{Label: "Mark failed", Command: "resolve " + r.Job + " failed", Confirm: "You have looked, and " + r.Target + " is not as the merge wants it?"},
		}}
	}
	return row{rich: integrations.R(fmt.Sprintf("🚧 %s is running %s%s since %s", r.Target, r.Job, of, gate.Age(f.Clock.Now().Sub(r.Since))))}
}

func (f *feature) reservedRow(op *store.Operation) row {
	names := strings.Join(op.Targets[:min(3, len(op.Targets))], ", ")
	if n := len(op.Targets) - 3; n > 0 {
		names += fmt.Sprintf(" and %d more", n)
	}
	verb := "is"
	if len(op.Targets) > 1 {
		verb = "are"
	}
	rich := integrations.R("📌 ", names, " ", verb, " reserved by ", integrations.Code(op.ID), " of ", gate.FromStore(op.Requester).Display(), ", ", op.State)
	if op.PRURL != "" {
		rich = append(rich, integrations.R(" · ", integrations.Link(op.PRURL, fmt.Sprintf("#%d", op.PR)))...)
	}
	return row{rich: append(rich, integrations.R(" · ", gate.Age(f.Clock.Now().Sub(op.Created)), " ago")...)}
}

// list puts rows into one message, within what Slack takes: when they are many,
// the later ones have no buttons, and then they are only counted.
func list(rows []row) integrations.Message {
	var m integrations.Message
	chars, left := 0, 0
	var packed integrations.Rich
	for i, r := range rows {
		text := r.rich.Plain()
		if chars += len([]rune(text)); chars > mostChars {
			left = len(rows) - i
			break
		}
		if m.Text != "" {
			m.Text += "\n"
		}
		m.Text += text
		// A row with its buttons takes two blocks; what may still come takes one each.
		if room := mostBlocks - len(m.Blocks); packed == nil && room >= 2+min(len(rows)-i-1, 10) {
			m.Blocks = append(m.Blocks, integrations.Block{Text: r.rich})
			if len(r.buttons) > 0 {
				m.Blocks = append(m.Blocks, integrations.Block{Buttons: r.buttons})
			}
			continue
		}
		if len([]rune(packed.Plain()))+len([]rune(text)) > 2500 {
			m.Blocks = append(m.Blocks, integrations.Block{Text: packed})
			packed = nil
		}
		packed = append(append(packed, r.rich...), integrations.R("\n")...)
	}
	if packed != nil {
		m.Blocks = append(m.Blocks, integrations.Block{Text: packed})
	}
	if left > 0 {
		more := fmt.Sprintf("… and %d more: `%s locks <what>` narrows it down.", left, commands.Prompt)
		m.Text += "\n" + more
		m.Blocks = append(m.Blocks, integrations.Block{Context: integrations.R(more)})
	}
	return m
}
