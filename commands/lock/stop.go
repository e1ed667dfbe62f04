package lock

import (
	"fmt"
	"strings"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

func (f *feature) stopVerb() commands.Verb {
	return commands.Verb{
		Name: "stop", Summary: "Stop everything: nothing is merged or applied until somebody says go", Effect: commands.Changes, Right: rightFreeze, Halts: true,
		Args:     []commands.Arg{{Name: "reason", Kind: commands.ArgText, Help: "why everything has to stop"}},
		Examples: []string{`stop "the database is on fire"`},
		Detail:   "A freeze of everything that does not end by itself. It needs the right freeze in every environment, works from any channel, and is posted in the channels of all environments. What runs already runs to its end.",
		Decide:   act(f.stop),
	}
}

func (f *feature) goVerb() commands.Verb {
	return commands.Verb{
		Name: "go", Summary: "Lift the stop of everything", Effect: commands.Changes, Right: rightFreeze,
		Args:     []commands.Arg{{Name: "reason", Kind: commands.ArgText, Optional: true, Help: "why it may go on"}},
		Examples: []string{"go"},
		Detail:   "It shows all that waited, and starts none of it.",
		Decide:   act(f.lift),
	}
}

// mayStop wants the right in every environment, from wherever it is said: the
// channels of all of them are told.
func mayStop(c *commands.Call) error {
	for _, e := range c.Catalog.Environments {
		if !c.Catalog.May(c.Who, rightFreeze, e.Name) {
			return commands.Allow(c, rightFreeze, e.Name)
		}
	}
	return commands.Allow(c, rightFreeze, "")
}

// standing is the stop that stands; nil if none does.
func (f *feature) standing(tx *store.Tx) (*store.Hold, error) {
	all, err := f.live(tx)
	if err != nil {
		return nil, err
	}
	for _, h := range all {
		if h.Stop {
			return h, nil
		}
	}
	return nil, nil
}

func (f *feature) stop(tx *store.Tx, c *commands.Call) (commands.Reply, error) {
	if err := mayStop(c); err != nil {
		return commands.Reply{}, err
	}
	reason := strings.TrimSpace(c.Arg("reason"))
	if err := aReason(c, reason); err != nil {
		return commands.Reply{}, err
	}
	old, err := f.standing(tx)
	if err != nil {
		return commands.Reply{}, err
	}
	if old != nil {
		return commands.Reply{Subject: old.ID}, commands.Refuse("stopped", fmt.Sprintf("It is stopped already: %s.", f.sentence(old))).WithExample("go")
	}
	h := &store.Hold{Kind: store.HoldFreeze, Stop: true, Owner: gate.ToStore(c.Who), Reason: reason, Channel: c.Heard.Channel, Created: f.Clock.Now()}
	if err := f.begin(tx, c, h); err != nil {
		return commands.Reply{}, err
	}
	reply := commands.Reply{Subject: h.ID}
	running, err := f.running(tx)
	if running != "" {
		reply.Private = say("Everything is stopped, except what runs already: " + running + ".")
	}
	return reply, err
}

// running names the applies that a stop does not reach.
func (f *feature) running(tx *store.Tx) (string, error) {
	locks, err := tx.RunLocks()
	var out []string
	for _, l := range locks {
		out = append(out, fmt.Sprintf("%s on %s (`/ops cancel %s` interrupts it)", l.Job, l.Target, l.Job))
	}
	return strings.Join(out, ", "), err
}

// aReason refuses to stop everything where one thing was meant: "stop op-3".
func aReason(c *commands.Call, reason string) error {
	scope, isScope := commands.ScopeOf(c.Catalog, reason)
	switch {
	case reason == "":
		return commands.Refuse("no_reason", "A stop needs a reason: everybody will read it.").WithExample(`stop "the database is on fire"`)
	case commands.IsSubject(reason):
		return commands.Refuse("not_a_reason", fmt.Sprintf("`stop` stops everything everywhere. Is it %s alone that you want to stop?", reason)).
			WithHint("If it is everything, say why in a few words.").
			WithButtons(integrations.Button{Label: "Cancel " + reason, Command: "cancel " + reason})
	case isScope && scope != commands.Scope{}:
		return commands.Refuse("not_a_reason", fmt.Sprintf("`stop` stops everything everywhere. Is it %s alone that you want to stop?", scope)).
			WithHint("If it is everything, say why in a few words.").WithExample(fmt.Sprintf(`freeze %s "the database is on fire"`, scope)).
			WithButtons(integrations.Button{Label: "Freeze " + scope.String() + "…", Command: "freeze " + scope.String()})
	}
	return nil
}

// lift ends the stop. What waited is asked about in a new message.
func (f *feature) lift(tx *store.Tx, c *commands.Call) (commands.Reply, error) {
	if err := mayStop(c); err != nil {
		return commands.Reply{}, err
	}
	h, err := f.standing(tx)
	if err != nil {
		return commands.Reply{}, err
	}
	if h == nil {
		return commands.Reply{}, commands.Refuse("not_stopped", "Nothing is stopped.").WithExample("locks")
	}
	return f.liftStop(tx, c, h)
}

func (f *feature) liftStop(tx *store.Tx, c *commands.Call, h *store.Hold) (commands.Reply, error) {
	reply := commands.Reply{Subject: h.ID}
	if err := mayStop(c); err != nil {
		return reply, err
	}
	var err error
	if reply.Private, err = f.release(tx, c, h, strings.TrimSpace(c.Arg("reason"))); err != nil {
		return reply, err
	}
	return reply, f.openAsk(tx, h)
}
