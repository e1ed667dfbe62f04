package tell

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/store"
)

// The lines of roll-ups are kept for eight days, their surfaces with them.
func TestRollupsArePruned(t *testing.T) {
	r := newHall(t, Manner{})
	roll := func(subject string, at time.Time) {
		r.update(func(tx *store.Tx) error {
			if err := store.Feature[rolled](tx, rollFeature).Put(subject, rolled{Lines: []string{"op-1 succeeded"}, At: at}); err != nil {
				return err
			}
			return Open(tx, store.Surface{ID: ID("wall", subject), Place: "wall", Card: rollCard, Subject: subject})
		})
	}
	left := func() (rolls, surfaces int) {
		t.Helper()
		err := r.store.View(func(tx *store.Tx) error {
			return store.Feature[rolled](tx, rollFeature).Each("", func(k string, _ rolled) error {
				all, err := tx.SurfacesOf(k)
				rolls, surfaces = rolls+1, surfaces+len(all)
				return err
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		return rolls, surfaces
	}
	prune := func(after time.Duration, want int) {
		t.Helper()
		if err := r.clock.Advance(context.Background(), after, nil); err != nil {
			t.Fatal(err)
		}
		if err := r.teller.Prune(context.Background()); err != nil {
			t.Fatal(err)
		}
		if rolls, surfaces := left(); rolls != want || surfaces != want {
			t.Fatalf("after %s there are %d with %d surfaces, want %d", after, rolls, surfaces, want)
		}
	}
	for i := range pruneStep + 1 {
		roll(fmt.Sprintf("rollup C1 %04d", i), r.clock.Now())
	}
	roll("rollup C1 of before", time.Time{})
	prune(keepRollups-time.Minute, pruneStep+2)
	roll("rollup C1 newer", r.clock.Now())
	prune(2*time.Minute, 2)
	prune(keepRollups+time.Minute, 0)
}
