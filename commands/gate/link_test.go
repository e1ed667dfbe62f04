package gate

import (
	"testing"

	"github.com/signalbox-chatops/signalbox/store"
)

// A refusal names the link of the hold that refuses, of whichever kind.
func TestAClosedGateNamesTheLinkOfItsHold(t *testing.T) {
	const link = "https://tickets.example.com/42?a=1&b=<2>"
	for name, c := range map[string]struct {
		ask  Gate
		hold store.Hold
	}{
		"a lock":       {Hold, store.Hold{Kind: store.HoldHold}},
		"a freeze":     {Freeze, store.Hold{Kind: store.HoldFreeze}},
		"the stop":     {Freeze, store.Hold{Kind: store.HoldFreeze, Stop: true}},
		"a dirty mark": {Dirty, store.Hold{Kind: store.HoldDirty}},
	} {
		t.Run(name, func(t *testing.T) {
			h := c.hold
			h.Owner, h.Reason, h.Link, h.Created = ToStore(alice), "migration", link, noon
			ask := func(tx *store.Tx, q Question) ([]Closed, error) {
				closed, err := c.ask(tx, q)
				for i, one := range closed {
					if one.Link != link {
						t.Errorf("it links to %q", one.Link)
					}
					closed[i].Reason = one.Says()
				}
				return closed, err
			}
			got := asked(t, ask, Question{Service: "web", Environment: "production", Targets: []string{"web"}, Actor: bob}, func(tx *store.Tx) error { return tx.PutHold(&h, 0) })
			if want := "hold-1, for 0 s) " + link; len(got) < len(want) || got[len(got)-len(want):] != want {
				t.Errorf("it says %q", got)
			}
		})
	}
}
