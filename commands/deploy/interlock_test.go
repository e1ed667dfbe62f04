package deploy

import (
	"context"
	"testing"

	"github.com/signalbox-chatops/signalbox/store"
)

// Who supersedes a line of requests takes its place: nothing waits for one that
// is over already.
func TestSupersedingALineDoesNotWaitForEver(t *testing.T) {
	w := newWorld(t)
	first := w.planned(w.deploy("alice", "staging").ID)
	second := w.must("bob", "deploy", web("staging", "queue")).Subject
	third := w.must("alice", "deploy", web("staging", "supersede")).Subject
	w.reaches(first.ID, store.OpClosed)
	contains(t, w.reaches(second, store.OpClosed).Note, "Superseded by "+third)
	w.reaches(third, store.OpOpen)
}

// What a turn was missed of is found by looking: nobody wakes what waits for one
// that is over.
func TestWhatWaitsForOneThatIsOverIsOpened(t *testing.T) {
	w := newWorld(t)
	first := w.planned(w.deploy("alice", "staging").ID)
	second := w.must("bob", "deploy", web("staging", "queue")).Subject
	w.must("alice", "cancel", about(first.ID))
	w.reaches(second, store.OpOpen)
	third := w.must("alice", "deploy", web("staging", "queue")).Subject
	w.update(func(tx *store.Tx) error { // as an older version may have left it
		op, err := tx.Operation(third)
		if err != nil {
			return err
		}
		op.Waits = first.ID
		return tx.PutOperation(op)
	})
	if err := w.f.waiting(context.Background()); err != nil {
		t.Fatal(err)
	}
	if op := w.op(third, nil); op.Waits != second {
		t.Errorf("it waits for %q", op.Waits)
	}
}
