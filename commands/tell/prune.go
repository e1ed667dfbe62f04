package tell

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/signalbox-chatops/signalbox/store"
)

const (
	// keepRollups is how long the lines of roll-ups are kept: what they tell stands
	// in the operations, and their messages are edited no more.
	keepRollups = 8 * 24 * time.Hour
	// pruneStep is how many of them one transaction removes at most.
	pruneStep = 500
)

var errEnough = errors.New("enough")

// Prune removes roll-ups that were begun more than eight days ago, with their
// surfaces; the messages stay. Of one that does not say when it was begun the time
// counts from the first look at it.
func (t *Teller) Prune(ctx context.Context) error {
	for {
		n := 0
		err := t.Store.Update(ctx, func(tx *store.Tx) (err error) {
			n, err = pruneRollups(tx, t.Clock.Now())
			return err
		})
		if err != nil {
			return fmt.Errorf("prune roll-ups: %w", err)
		}
		if n < pruneStep {
			return nil
		}
	}
}

// pruneRollups removes up to pruneStep of them, and says how many it changed.
func pruneRollups(tx *store.Tx, now time.Time) (int, error) {
	all := store.Feature[rolled](tx, rollFeature)
	old, undated := []string{}, map[string]rolled{}
	err := all.Each("", func(subject string, r rolled) error {
		switch {
		case len(old)+len(undated) == pruneStep:
			return errEnough
		case r.At.IsZero():
			r.At = now
			undated[subject] = r
		case now.Sub(r.At) > keepRollups:
			old = append(old, subject)
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return 0, err
	}
	for subject, r := range undated {
		if err := all.Put(subject, r); err != nil {
			return 0, err
		}
	}
	for _, subject := range old {
		if err := errors.Join(all.Delete(subject), Forget(tx, subject)); err != nil {
			return 0, err
		}
	}
	return len(old) + len(undated), nil
}

// Forget drops the surfaces of a subject that is no longer kept. What was told
// stays where it was told, and is edited no more.
func Forget(tx *store.Tx, subject string) error {
	all, err := tx.SurfacesOf(subject)
	for _, s := range all {
		err = errors.Join(err, tx.DeleteSurface(s.ID))
	}
	return err
}
