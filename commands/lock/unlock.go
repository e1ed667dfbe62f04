package lock

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

func (f *feature) unlockVerb() commands.Verb {
	return commands.Verb{
		Name: "unlock", Aliases: []string{"release-lock"}, Summary: "Release a lock", Effect: commands.Changes, Right: commands.RightRead, Who: "whose it is; `unlock-other`, or `force` for what is dirty", // which it asks itself
		Args: []commands.Arg{whatArg("what was locked, or the lock: hold-4"),
			{Name: "reason", Kind: commands.ArgText, Optional: true, Help: "why; needed where something dirty is said to be clean"}},
		Examples: []string{"unlock {service}/{environment}", "unlock hold-4"},
		Detail: "Yours, or with the right unlock-other somebody else's, who is told. What an apply left dirty is released with the right force and a reason. " +
			"What waited is named and does not start by itself, except where the environment says on_open: run.",
		Decide: act(func(tx *store.Tx, c *commands.Call) (commands.Reply, error) {
			return f.unlock(tx, c, store.HoldHold, store.HoldDirty)
		}),
	}
}

func (f *feature) unfreezeVerb() commands.Verb {
	return commands.Verb{
		Name: "unfreeze", Aliases: []string{"thaw"}, Summary: "Lift a freeze", Effect: commands.Changes, Right: rightFreeze,
		Args: []commands.Arg{whatArg("what was frozen, or the freeze: hold-4"),
			{Name: "reason", Kind: commands.ArgText, Optional: true, Help: "why; needed where the freeze is somebody else's"}},
		Examples: []string{"unfreeze {environment}"},
		Detail:   "Whoever may freeze may lift a freeze; if it is somebody else's, with a reason, and they are told.",
		Decide: act(func(tx *store.Tx, c *commands.Call) (commands.Reply, error) {
			return f.unlock(tx, c, store.HoldFreeze)
		}),
	}
}

func (f *feature) unlock(tx *store.Tx, c *commands.Call, kinds ...string) (commands.Reply, error) {
	h, err := f.pick(tx, c, kinds...)
	if err != nil {
		return commands.Reply{}, err
	}
	if h.Stop {
		return f.liftStop(tx, c, h)
	}
	reply := about(c.Catalog, h)
	if err := f.mayEnd(tx, c, h); err != nil {
		return reply, err
	}
	reason := strings.TrimSpace(c.Arg("reason"))
	if reason == "" && (h.Kind == store.HoldDirty || h.Kind == store.HoldFreeze && !mine(h, c.Who)) {
		return f.askReason(c, reply, h)
	}
	reply.Private, err = f.release(tx, c, h, reason)
	return reply, err
}

// mayEnd asks whether somebody may end a hold, or put its end off. The owner may,
// from anywhere: the hold's messages tell the others.
func (f *feature) mayEnd(tx *store.Tx, c *commands.Call, h *store.Hold) error {
	envs := scopeOf(f.Catalog(), h).Environments(c.Catalog)
	switch {
	case h.Kind == store.HoldDirty:
		return commands.AllowAll(c, rightForce, envs)
	case mine(h, c.Who):
		return nil
	case h.Kind == store.HoldFreeze:
		return commands.AllowAll(c, rightFreeze, envs)
	}
	for _, env := range envs {
		if !c.Catalog.May(c.Who, rightOther, env) {
			return f.others(tx, c, h)
		}
	}
	return commands.AllowAll(c, rightOther, envs)
}

// modalFor is how long after somebody pressed a button a form can be opened.
const modalFor = 2 * time.Second

// askReason opens a form for the reason that this one case needs, or says how the
// line is written where none can be opened.
func (f *feature) askReason(c *commands.Call, reply commands.Reply, h *store.Hold) (commands.Reply, error) {
	if h := c.Heard; h.Trigger != "" && !h.Sent.IsZero() && f.Clock.Now().Sub(h.Sent) < modalFor {
		for _, a := range c.Verb.Args {
			if a.Name == "reason" {
				reply.Modal = commands.NewModal(nil, c, []commands.Arg{a})
			}
		}
		reply.Outcome = "asked for a reason"
		return reply, nil
	}
	what := fmt.Sprintf("This %s is %s's, so lifting it needs a reason.", noun(h), gate.FromStore(h.Owner).Display())
	if h.Kind == store.HoldDirty {
		what = fmt.Sprintf("%s was left dirty, so saying that it is clean needs a reason.", gate.Scope(h))
	}
	example := c.Verb.Name + " " + h.ID + " because it is no longer needed"
	if h.Kind == store.HoldDirty {
		example = c.Verb.Name + " " + h.ID + " because I have looked, and it is as it should be"
	}
	return reply, commands.Refuse("no_reason", what).WithExample(example)
}

// release ends a hold by a person's act, and says what waited for it.
func (f *feature) release(tx *store.Tx, c *commands.Call, h *store.Hold, reason string) (*integrations.Message, error) {
	end := gate.Ended{Hold: *h, How: gate.EndReleased, By: gate.ToStore(c.Who), Why: reason, At: f.Clock.Now()}
	if err := f.end(tx, end); err != nil {
		return nil, err
	}
	if err := f.tellEnd(tx, end); err != nil {
		return nil, err
	}
	gone, err := f.goOn(tx, h, c.Who)
	if err != nil {
		return nil, err
	}
	if err := f.remember(tx, h); err != nil {
		return nil, err
	}
	left, err := f.waiting(tx, h)
	if err != nil {
		return nil, err
	}
	text := f.endedShort(end)
	if !mine(h, c.Who) && h.Kind != store.HoldDirty {
		text += fmt.Sprintf(" It was %s's %s, and %s is told.", gate.FromStore(h.Owner).Display(), noun(h), gate.FromStore(h.Owner).Display())
	}
	for _, j := range gone {
		text += fmt.Sprintf("\n%s of %s (%s) waited for it alone and goes on.", j.ID, j.Operation, j.Target)
	}
	m, err := f.offer(tx, text, left, c.Heard.Channel)
	return &m, err
}

// end deletes a hold and remembers how it ended.
func (f *feature) end(tx *store.Tx, e gate.Ended) error {
	if err := gate.EndHold(tx, e); err != nil {
		return err
	}
	if err := errors.Join(store.Feature[taken](tx, takenFeature).Delete(e.Hold.ID), goneHolds(tx).Delete(e.Hold.ID)); err != nil {
		return err
	}
	return f.mark(tx, &e.Hold)
}

// endedShort is what whoever ended a hold is told.
func (f *feature) endedShort(e gate.Ended) string {
	switch {
	case e.Hold.Stop:
		return "Everything may go on."
	case e.Hold.Kind == store.HoldFreeze:
		return gate.Scope(&e.Hold) + " is no longer frozen."
	case e.Hold.Kind == store.HoldDirty:
		return gate.Scope(&e.Hold) + " counts as clean again."
	}
	return gate.Scope(&e.Hold) + " is unlocked."
}

// howEnded says behind "the lock of alice" how it ended.
func (f *feature) howEnded(e gate.Ended) string {
	by := gate.FromStore(e.By).Display()
	switch e.How {
	case gate.EndExpired:
		return "has expired"
	case gate.EndHealed:
		if e.Why != "" {
			return "was set right: " + e.Why
		}
		return "was set right"
	}
	did := "was released by " + by
	if e.Hold.Kind == store.HoldFreeze {
		did = "was lifted by " + by
	}
	if e.Why != "" {
		did += ": “" + e.Why + "”"
	}
	return did
}
