package deploy

import (
	"errors"
	"testing"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// links are those that a message leads to.
func links(m *integrations.Message) (out []string) {
	for _, b := range m.Blocks {
		for _, s := range append(b.Text, b.Context...) {
			if s.URL != "" {
				out = append(out, s.URL)
			}
		}
	}
	return out
}

// The link of a lock is in the refusal, on the card, in the answer to why, and in
// what a blocked job says.
func TestARefusalByALockNamesItsLink(t *testing.T) {
	const link = "https://tickets.example.com/42"
	w := newWorld(t)
	op := w.planned(w.deploy("alice", "production").ID)
	w.must("bob", "approve", about(op.ID))
	w.update(func(tx *store.Tx) error {
		return tx.PutHold(&store.Hold{Kind: store.HoldHold, Target: "web/production", Owner: store.Person{Name: "bob"}, Reason: "migration", Link: link}, 0)
	})
	_, err := w.say("alice", "merge", about(op.ID))
	var r *commands.Refusal
	if !errors.As(err, &r) {
		t.Fatalf("the merge: %v", err)
	}
	contains(t, r.What, "migration")
	contains(t, r.What, link)
	has := func(what string, m *integrations.Message) {
		t.Helper()
		for _, l := range links(m) {
			if l == link {
				return
			}
		}
		t.Errorf("%s links to %q", what, links(m))
	}
	has("why", w.must("carol", "why", about(op.ID)).Private)
	has("why a target", w.must("carol", "why", about("web/production")).Private)
	w.view(func(tx *store.Tx) error {
		all, err := tx.SurfacesOf(op.ID)
		for _, s := range all {
			if s.Card == cardOperation && s.Place == placeMessage {
				m, err := w.f.operationCard(tx, s)
				if err != nil {
					return err
				}
				has("the card", &m)
			}
		}
		return err
	})
	w.hook(w.forge.mergeAs(op.PR, "bob"))
	contains(t, w.apply(op.ID, store.JobBlocked).Why, link)
}
