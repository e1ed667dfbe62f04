package lock

import (
	"errors"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// Who may end a hold, or put its end off, by the one right that they have: the
// right to take locks is not wanted besides.
func TestRuleWhoMayEndWhat(t *testing.T) {
	const own, others, frozen, dirty = "own", "another's", "a freeze", "dirty"
	may := map[string][]string{ // by right, what it lets release
		"lock":         {own},
		"unlock-other": {own, others},
		"force":        {own, dirty},
		"freeze":       {own, frozen},
		"deploy":       {own},
	}
	for right, lets := range may {
		for _, what := range []string{own, others, frozen, dirty} {
			for _, verb := range []string{"unlock", "extend"} {
				if verb == "extend" && what == dirty { // it has no end
					continue
				}
				t.Run(right+" "+verb+" "+what, func(t *testing.T) {
					d := newDesk(t)
					d.cat.Rules = []integrations.Rule{{Groups: []string{"one"}, Verbs: []string{right}, Environments: []string{"production"}}}
					d.cat.Groups = map[string][]string{"one": {"bob"}}
					h := &store.Hold{Kind: store.HoldHold, Service: "web", Environment: "production", Owner: gate.ToStore(d.person("alice")), Reason: "migration", Expires: d.clock.Now().Add(time.Hour)}
					switch what {
					case own:
						h.Owner = gate.ToStore(d.person("bob"))
					case frozen:
						h.Kind = store.HoldFreeze
					case dirty:
						h.Kind, h.Expires = store.HoldDirty, time.Time{}
					}
					d.update(func(tx *store.Tx) error { return tx.PutHold(h, 0) })
					line := verb + " " + h.ID
					if verb == "unlock" {
						line += " because it is over"
					}
					_, err := d.press("bob", line, 0)
					want := false
					for _, l := range lets {
						want = want || l == what
					}
					var r *commands.Refusal
					if errors.As(err, &r); want != (err == nil) || err != nil && r == nil {
						t.Errorf("it is %v", err)
					}
				})
			}
		}
	}
}
