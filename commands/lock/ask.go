package lock

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/store"
)

// askVerb is what the button "Ask alice" types. Whoever may read may ask.
func (f *feature) askVerb() commands.Verb {
	return commands.Verb{
		Name: "ask-release", Summary: "Ask the owner of a lock to release it", Effect: commands.Changes, Right: commands.RightRead, Hidden: true,
		Args:     []commands.Arg{whatArg("the lock: hold-4")},
		Examples: []string{"ask-release hold-4"},
		Decide:   act(f.ask),
	}
}

func (f *feature) ask(tx *store.Tx, c *commands.Call) (commands.Reply, error) {
	h, err := f.pickForeign(tx, c)
	if err != nil {
		return commands.Reply{}, err
	}
	reply := about(c.Catalog, h)
	owner := gate.FromStore(h.Owner)
	switch {
	case mine(h, c.Who):
		return reply, commands.Refuse("own", h.ID+" is yours.").WithExample("unlock " + h.ID)
	case h.Kind == store.HoldDirty:
		return reply, commands.Refuse("dirty", fmt.Sprintf("%s is dirty; nobody holds that.", gate.Scope(h))).WithExample("locks " + gate.Scope(h))
	}
	now := f.Clock.Now()
	asked, err := f.asked(tx, h)
	if err != nil {
		return reply, err
	}
	for _, s := range asked {
		if s.Where["asker"] == c.Who.Slack && s.Where["owner"] == owner.Display() && now.Sub(s.Created) < askAgain {
			return reply, commands.Refuse("asked", fmt.Sprintf("You asked %s %s ago already.", owner.Display(), gate.Age(now.Sub(s.Created)))).
				WithHint("You are told when it is released.")
		}
	}
	err = f.direct(tx, h, h.Owner, directAsk, c.Who.Slack+" "+strconv.FormatInt(now.Unix(), 10), map[string]string{
		"by": c.Who.Display(), "asker": c.Who.Slack, "owner": owner.Display(),
	})
	reply.Private = say(fmt.Sprintf("I asked %s to release %s. You are told when it is.", owner.Display(), h.ID))
	return reply, err
}

// asked are the askings for the release of a hold, newest first.
func (f *feature) asked(tx *store.Tx, h *store.Hold) ([]*store.Surface, error) {
	all, err := tx.SurfacesOf(h.ID)
	all = slices.DeleteFunc(all, func(s *store.Surface) bool { return s.Card != cardDirect || s.Where["what"] != directAsk })
	slices.Reverse(all)
	return all, err
}
