package lock

import (
	"fmt"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/store"
)

// taken is remembered of a hold that somebody took over, while it stands.
type taken struct {
	From   store.Person `json:"from"`
	Reason string       `json:"reason"` // what it was held for before
	At     time.Time    `json:"at"`
}

const takenFeature = "hold taken"

func (f *feature) stealVerb() commands.Verb {
	return commands.Verb{
		Name: "steal", Summary: "Take somebody else's lock over, for a reason", Effect: commands.Changes, Right: rightForce,
		Args: []commands.Arg{whatArg("what is locked, or the lock: hold-4"),
			{Name: "reason", Kind: commands.ArgText, Help: "why; its owner is told, and everybody who is stopped will read it"}},
		Examples: []string{"steal {service}/{environment} because alice is asleep and this is the hotfix"},
		Detail:   "The lock stays, with its end; it is yours, and stops the one who had it. They are told at once. A freeze can be taken over too; it stops everybody as before.",
		Decide:   act(f.steal),
	}
}

func (f *feature) steal(tx *store.Tx, c *commands.Call) (commands.Reply, error) {
	h, err := f.pickForeign(tx, c)
	if err != nil {
		return commands.Reply{}, err
	}
	reply := about(c.Catalog, h)
	if err := commands.AllowAll(c, rightForce, scopeOf(c.Catalog, h).Environments(c.Catalog)); err != nil {
		return reply, err
	}
	reason := strings.TrimSpace(c.Arg("reason"))
	switch {
	case h.Kind == store.HoldDirty:
		return reply, commands.Refuse("dirty", fmt.Sprintf("%s is dirty, which is nobody's to take over.", gate.Scope(h))).
			WithHint("Set it right, or say that it is clean.").WithExample("unlock " + h.ID + " because I have looked, and it is as it should be")
	case mine(h, c.Who):
		return reply, commands.Refuse("own", fmt.Sprintf("%s is yours already.", h.ID)).WithExample("unlock " + h.ID)
	case reason == "":
		return reply, commands.Refuse("no_reason", "Taking a lock over needs a reason: its owner will read it.").WithExample("steal " + h.ID + " because this is the hotfix")
	}
	was := *h
	h.Owner, h.Reason, h.Nagged = gate.ToStore(c.Who), reason, time.Time{}
	if err := tx.PutHold(h, h.Version); err != nil {
		return reply, err
	}
	if err := store.Feature[taken](tx, takenFeature).Put(h.ID, taken{From: was.Owner, Reason: was.Reason, At: f.Clock.Now()}); err != nil {
		return reply, err
	}
	if err := f.tellStolen(tx, &was, h); err != nil {
		return reply, err
	}
	if err := f.mark(tx, h); err != nil {
		return reply, err
	}
	text := fmt.Sprintf("You hold %s now (%s%s); %s is told.", gate.Scope(h), h.ID, until(h, ", until "), gate.FromStore(was.Owner).Display())
	if reply.Private = say(text); h.Kind == store.HoldFreeze {
		reply.Private = say(text + " It is a freeze, so it stops you too.")
	}
	return reply, nil
}

// pickForeign is pick, for somebody who does not mean their own.
func (f *feature) pickForeign(tx *store.Tx, c *commands.Call) (*store.Hold, error) {
	h, err := f.pick(tx, c, store.HoldHold, store.HoldFreeze)
	if err != nil || !mine(h, c.Who) || h.ID == c.Arg("what") {
		return h, err
	}
	all, err := f.live(tx)
	if err != nil {
		return nil, err
	}
	for _, o := range all {
		if o.Kind == store.HoldHold && scopeOf(c.Catalog, o) == scopeOf(c.Catalog, h) && !mine(o, c.Who) {
			return o, nil
		}
	}
	return h, nil
}
