package deploy

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// down is a roster that cannot be read.
type down struct{}

func (down) OnCall(string, string, time.Time) ([]integrations.Person, error) {
	return nil, errors.New("the schedule has nobody now")
}

// Who passes what alone: the person on call, with an incident or the right
// break-glass; where nobody is configured as on call, the right stands for that;
// a freeze asks for the right alone. A change that is neither a rollback nor the
// hotfix passes no more than a freeze.
func TestRuleWhoPassesWhatAlone(t *testing.T) {
	const (
		all    = "freeze, window, cool-down, checks, approvals"
		alone  = "window, cool-down, checks, approvals"
		freeze = "freeze"
	)
	for _, c := range []struct {
		roster                          string // who is on call: "", alice, bob or down
		glass, incident, urgent, frozen bool
		gates, refused                  string
	}{
		{"", true, false, true, false, all, ""},
		{"", true, true, true, true, all, ""},
		{"", true, false, false, false, "", "not_urgent"},
		{"", true, false, false, true, freeze, ""},
		{"", false, true, true, true, "", "not_allowed"},
		{"", false, false, true, false, "", "not_allowed"},
		{"alice", true, false, true, false, all, ""},
		{"alice", true, false, false, false, "", "not_urgent"},
		{"alice", true, false, false, true, freeze, ""},
		{"alice", false, true, true, false, alone, ""},
		{"alice", false, true, true, true, alone, ""},
		{"alice", false, true, false, false, "", "not_urgent"},
		{"alice", false, true, false, true, "", "not_urgent"},
		{"alice", false, false, true, false, "", "no_incident"},
		{"bob", true, true, true, false, "", "not_on_call"},
		{"bob", true, true, true, true, freeze, ""},
		{"bob", true, false, false, true, freeze, ""},
		{"bob", false, true, true, true, "", "not_allowed"},
		{"down", true, true, true, true, freeze, ""},
		{"down", true, true, true, false, "", "roster"},
		{"down", false, true, true, true, "", "roster"},
	} {
		var name []string
		for word, is := range map[string]bool{"glass": c.glass, "incident": c.incident, "urgent": c.urgent, "frozen": c.frozen} {
			if is {
				name = append(name, word)
			}
		}
		slices.Sort(name)
		t.Run(strings.Join(append(name, "called="+c.roster), " "), func(t *testing.T) {
			w := newWorld(t)
			switch c.roster {
			case "":
			case "down":
				w.f.Roster = down{}
				for _, v := range New(w.f.Deps).Verbs {
					w.verbs[v.Name] = v
				}
			default:
				w.cat.Environments[1].OnCall = []string{c.roster}
			}
			op := &store.Operation{ID: "op-9", State: store.OpOpen, Kind: "deploy", Service: "web", Environment: "production", Targets: []string{"web/production"}, Channel: "C-ops"}
			w.update(func(tx *store.Tx) error { return tx.PutOperation(op) })
			if !c.glass {
				w.noGlass()
			}
			if c.incident {
				w.incident()
			}
			if c.frozen {
				w.update(func(tx *store.Tx) error {
					return tx.PutHold(&store.Hold{Kind: store.HoldFreeze, Environment: "production", Owner: store.Person{Name: "bob"}, Reason: "audit"}, 0)
				})
			}
			args := because(op.ID, "the shop is down")
			if c.urgent {
				args["hotfix"] = "true"
			}
			_, err := w.say("alice", "break-glass", args)
			var r *commands.Refusal
			if errors.As(err, &r); c.refused != "" || err != nil {
				if r == nil || r.Code != c.refused {
					t.Fatalf("refused with %v, want %q", err, c.refused)
				}
				return
			}
			passes := w.op(op.ID, nil).Passes
			if len(passes) != 1 || strings.Join(passes[0].Gates, ", ") != c.gates {
				t.Fatalf("passed is %+v, want %s", passes, c.gates)
			}
			post := ""
			w.view(func(tx *store.Tx) error {
				m, err := w.f.passCard(tx, &store.Surface{Subject: op.ID, Where: map[string]string{"pass": "0"}})
				post = m.Text
				return err
			})
			stands := c.roster == "" && c.urgent
			if got := strings.Contains(post, "which stands for on call: nobody is configured as that for web in production"); got != stands {
				t.Errorf("the post says %q", post)
			}
		})
	}
}
