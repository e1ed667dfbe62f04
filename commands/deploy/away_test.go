package deploy

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// silence is GitHub's, for so long.
func silence(w *world, long time.Duration) error {
	return &integrations.Away{System: "GitHub", Since: w.clock.Now().Add(-long), For: long, Err: errors.New("503")}
}

// down has every call that a merge begins with fail.
func (w *world) down(err error) {
	w.forge.do(func() {
		for _, call := range []string{"Pull", "BranchHead", "MergePull"} {
			if w.forge.errs[call] = err; err == nil {
				delete(w.forge.errs, call)
			}
		}
	})
}

// Merges that are pressed while GitHub is silent wait, without counting as tried,
// and are made in the order in which they were pressed.
func TestMergesWaitForGitHubInOrder(t *testing.T) {
	w := newWorld(t)
	var mu sync.Mutex
	var merged []string
	first := w.planned(w.deploy("alice", "staging").ID)
	second := w.planned(w.deploy("bob", "production").ID)
	w.forge.do(func() {
		w.forge.heard = func(name string) {
			if name == "MergePull" {
				mu.Lock()
				defer mu.Unlock()
				merged = append(merged, name)
			}
		}
	})
	w.down(silence(w, time.Hour))
	for _, op := range []*store.Operation{second, first} { // the other way round than they were opened
		r := w.must("alice", "merge", about(op.ID))
		if !strings.Contains(r.Private.Text, "GitHub does not answer") {
			t.Errorf("alice reads %q", r.Private.Text)
		}
	}
	w.wait("both merges wait for GitHub", func(tx *store.Tx) (bool, error) {
		n := 0
		for _, id := range []string{first.ID, second.ID} {
			j, err := waitingMerge(tx, &store.Operation{ID: id})
			if err != nil {
				return false, err
			}
			if j != nil && j.Attempt == 0 && j.Away == "GitHub" {
				n++
			}
		}
		return n == 2, nil
	})
	var order []string
	w.forge.do(func() {
		w.forge.before["MergePull"] = func() {
			mu.Lock()
			defer mu.Unlock()
			order = append(order, "merge")
		}
	})
	w.down(nil)
	a, b := w.reaches(second.ID, store.OpSucceeded), w.reaches(first.ID, store.OpSucceeded)
	if !a.Merged.Before(b.Merged) {
		t.Errorf("%s was pressed first and merged at %v, %s at %v", a.ID, a.Merged, b.ID, b.Merged)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(order) != 2 || len(merged) < 2 {
		t.Errorf("GitHub was asked to merge %d times, want twice", len(order))
	}
}

// A call that GitHub cannot answer while it answers others is no silence: the job
// fails in the end, as it did before.
func TestOneCallThatIsNeverAnsweredFails(t *testing.T) {
	w := newWorld(t)
	op := w.planned(w.deploy("alice", "staging").ID)
	w.forge.do(func() { w.forge.errs["MergePull"] = silence(w, 0) })
	w.must("alice", "merge", about(op.ID))
	w.op(op.ID, func(o *store.Operation) bool { return strings.HasPrefix(o.Note, "It was not merged") })
}

// What is applied by a tool that keeps no revisions goes back by git alone.
func TestADirectRollbackNeedsAnApplierThatCan(t *testing.T) {
	w := newWorld(t)
	w.ship("staging", store.OpSucceeded)
	w.newMain()
	w.ship("staging", store.OpSucceeded)
	w.refused("alice", "rollback", "no_reason", place("web", "staging", "direct", "true"))
	_, err := w.say("alice", "rollback", place("web", "staging", "direct", "true", "reason", "the shop is down"))
	var r *commands.Refusal
	if !errors.As(err, &r) || r.Code != "not_direct" || !strings.Contains(r.What, "is applied by fake, which cannot go back past git") {
		t.Fatalf("alice reads %v", err)
	}
	if !slices.ContainsFunc(r.Buttons, func(b integrations.Button) bool { return strings.HasPrefix(b.Command, "rollback ") }) {
		t.Errorf("no way by git is offered: %+v", r.Buttons)
	}
}
