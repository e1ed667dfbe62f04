package audit

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

func (d *desk) holds() (all []*store.Hold) {
	d.t.Helper()
	d.view(func(tx *store.Tx) (err error) { all, err = tx.Holds(); return err })
	return all
}

// cards are the messages about a subject, as they look now.
func (d *desk) cards(subject string) (all []integrations.Message) {
	d.t.Helper()
	d.view(func(tx *store.Tx) error {
		list, err := tx.SurfacesOf(subject)
		for _, s := range list {
			if s.Where["channel"] != "C1" {
				d.t.Errorf("a card stands in %q", s.Where["channel"])
			}
			m, err := d.feat.Cards[s.Card](tx, s)
			if err != nil {
				d.t.Fatal(err)
			}
			all = append(all, m)
		}
		return err
	})
	return all
}

// Handwork makes its target dirty, without an end in time; more of it adds to
// that, and does not make it dirty twice.
func TestHandworkMakesATargetDirty(t *testing.T) {
	d := newDesk(t)
	d.update(func(tx *store.Tx) error { // another's dirty target, and a lock on this one
		if err := tx.PutHold(&store.Hold{Kind: dirty, Target: "web-prd2", Reason: "other"}, 0); err != nil {
			return err
		}
		return tx.PutHold(&store.Hold{Kind: "hold", Target: "web-prd", Reason: "migration"}, 0)
	})
	r, err := d.try("alice", `record web-prd "scaled the group to 6"`)
	if err != nil {
		t.Fatal(err)
	}
	if r.Subject != "hold-3" || r.Target != "web-prd" || r.Environment != "production" {
		t.Errorf("the audit row is about %q, %q, %q", r.Subject, r.Target, r.Environment)
	}
	h := d.holds()[2]
	want := store.Hold{ID: "hold-3", Version: 1, Kind: "dirty", Target: "web-prd", Owner: alice, Reason: "scaled the group to 6", Channel: "C1", Created: h.Created}
	if diff := cmp.Diff(want, *h); diff != "" {
		t.Errorf("the hold: %s", diff)
	}
	if !h.Expires.IsZero() {
		t.Errorf("it expires at %v", h.Expires)
	}
	d.say("bob", `record web-prd terraform apply from my laptop`)
	all := d.holds()
	if len(all) != 3 || all[2].Reason != "scaled the group to 6; terraform apply from my laptop" || !cmp.Equal(all[2].Owner, alice) {
		t.Errorf("after the second: %+v", all)
	}
	cards := d.cards("hold-3")
	if len(cards) != 2 || !strings.Contains(cards[0].Text, "alice did by hand: scaled the group to 6. web-prd is dirty until a plan of it is empty") || !strings.Contains(cards[1].Text, "bob did by hand: terraform apply from my laptop") {
		t.Errorf("cards: %+v", cards)
	}

	// Clean again, and dirty once more: that is another hold.
	d.update(func(tx *store.Tx) error { return tx.DeleteHold("hold-3", 2) })
	for _, c := range d.cards("hold-3") {
		if !strings.Contains(c.Text, "web-prd is not dirty any more.") {
			t.Errorf("when it is over: %s", c.Text)
		}
	}
	d.say("bob", `record web-prd "again"`)
	if h := d.holds()[2]; h.ID != "hold-4" || h.Reason != "again" {
		t.Errorf("dirty again: %+v", h)
	}
}

func TestHandworkIsRecordedOnOneTargetByWhoMay(t *testing.T) {
	d := newDesk(t)
	d.refused("carol", `record web-prd "x"`, "not_allowed")
	d.refused("alice", `record web-stg "x"`, "not_allowed")
	d.refused("alice", `record web/staging "x"`, "not_allowed")
	d.refused("alice", `record web/production "x"`, "many_targets")
	d.refused("alice", `record wbe-prd "x"`, "unknown_target")
	if n := len(d.holds()); n != 0 {
		t.Fatalf("%d holds", n)
	}
	d.cat.Rules[0].Environments = []string{"*"}
	if d.say("alice", `record web/staging "x"`); d.holds()[0].Target != "web-stg" {
		t.Errorf("a service with one target: %+v", d.holds()[0])
	}
	d.say("alice", "record cdn "+strings.Repeat("long ", 300))
	if n := len([]rune(d.holds()[1].Reason)); n > mostReason {
		t.Errorf("a reason of %d characters", n)
	}
}

// Whoever waits for the target sees it at once.
func TestHandworkMarksWhatWaitsForTheTarget(t *testing.T) {
	d := newDesk(t)
	subjects := []string{"op-1", "op-2", tell.PullSubject(7, 4)}
	d.update(func(tx *store.Tx) error {
		for _, op := range []*store.Operation{
			{ID: "op-1", State: store.OpOpen, RepoID: 7, PR: 4, Targets: []string{"web-stg", "web-prd"}}, {ID: "op-2", State: store.OpOpen, Targets: []string{"web-prd2"}},
		} {
			if err := tx.PutOperation(op); err != nil {
				return err
			}
		}
		for _, s := range subjects {
			if err := tell.Open(tx, store.Surface{ID: s, Place: "slack.message", Card: "x", Subject: s}); err != nil {
				return err
			}
		}
		return nil
	})
	d.say("alice", "record web-prd x")
	d.view(func(tx *store.Tx) error {
		for s, want := range map[string]uint64{subjects[0]: 2, subjects[1]: 1, subjects[2]: 2} {
			if got, err := tx.Surface(s); err != nil || got.Marked != want {
				t.Errorf("%s is marked %d times, want %d (%v)", s, got.Marked, want, err)
			}
		}
		return nil
	})
}
