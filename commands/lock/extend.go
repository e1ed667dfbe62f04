package lock

import (
	"fmt"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/store"
)

func (f *feature) extendVerb() commands.Verb {
	return commands.Verb{
		Name: "extend", Summary: "Let a lock or a freeze hold longer", Effect: commands.Changes, Right: commands.RightRead, Who: "whose it is; `unlock-other`, or `freeze` for a freeze", // which it asks itself
		Args:     []commands.Arg{whatArg("what is locked or frozen, or the lock: hold-4")},
		Flags:    []commands.Arg{{Name: "for", Kind: commands.ArgDuration, Optional: true, Help: fmt.Sprintf("how much longer; %d h unless said", int(usualMore.Hours()))}},
		Examples: []string{"extend {service}/{environment} --for 2h", "extend hold-4"},
		Detail:   "Counted from when it would have ended.",
		Decide:   act(f.extend),
	}
}

func (f *feature) extend(tx *store.Tx, c *commands.Call) (commands.Reply, error) {
	h, err := f.pick(tx, c, store.HoldHold, store.HoldFreeze)
	if err != nil {
		return commands.Reply{}, err
	}
	reply := about(c.Catalog, h)
	if h.Expires.IsZero() {
		return reply, commands.Refuse("no_end", fmt.Sprintf("%s does not end by itself: %s.", h.ID, f.sentence(h))).WithExample("locks")
	}
	if err := f.mayEnd(tx, c, h); err != nil {
		return reply, err
	}
	more := usualMore
	if d := c.Arg("for"); d != "" {
		if more, err = length(d); err != nil {
			more = 0
		}
	}
	now := f.Clock.Now()
	to := h.Expires.Add(more)
	if more <= 0 || to.After(now.Add(longest)) {
		return reply, commands.Refuse("bad_duration", fmt.Sprintf("A %s holds for up to %s from now, not for “%s” more.", noun(h), longestWords, c.Arg("for"))).
			WithExample("extend " + h.ID + " --for 2h")
	}
	h.Expires = to
	if err := tx.PutHold(h, h.Version); err != nil {
		return reply, err
	}
	text := fmt.Sprintf("%s on %s holds until %s now.", h.ID, gate.Scope(h), gate.Clock(to))
	if !mine(h, c.Who) {
		text += fmt.Sprintf(" It is %s's.", gate.FromStore(h.Owner).Display())
	}
	reply.Private = say(text)
	return reply, f.mark(tx, h)
}

// nagDue says whether the owner of a hold is to be reminded of it now: an hour
// before it ends, of a short one when half of it is over; then, while it is
// extended, every three hours; one without an end, every three hours. A very
// short one ends by itself soon enough, and what is dirty has no owner who could
// simply release it.
func nagDue(h *store.Hold, now time.Time) bool {
	if h.Kind == store.HoldDirty || h.Over(now) {
		return false
	}
	if h.Expires.IsZero() {
		last := h.Created
		if h.Nagged.After(last) {
			last = h.Nagged
		}
		return !now.Before(last.Add(nagEvery))
	}
	life := h.Expires.Sub(h.Created)
	first := h.Expires.Add(-min(nagBefore, life/2))
	switch {
	case life < nagLeast:
		return false
	case h.Nagged.IsZero():
		return !now.Before(first)
	}
	return !now.Before(h.Nagged.Add(nagEvery)) || !now.Before(first) && h.Nagged.Before(first)
}
