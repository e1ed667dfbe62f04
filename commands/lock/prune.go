package lock

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/store"
)

const (
	keepEnded = 90 * 24 * time.Hour // as long as the events that ended them
	pruneStep = 500                 // how many one transaction removes at most
)

var errEnough = errors.New("enough")

// prune removes what is remembered of holds that ended more than 90 days ago, with
// their surfaces. Their messages and their audit rows stay. One that its messages
// still ask about is kept until that is settled.
func (f *feature) prune(ctx context.Context) error {
	for {
		n := 0
		err := f.Store.Update(ctx, func(tx *store.Tx) (err error) {
			n, err = f.pruneEnded(tx)
			return err
		})
		if err != nil {
			return fmt.Errorf("prune ended locks: %w", err)
		}
		if n < pruneStep {
			return nil
		}
	}
}

// pruneEnded removes up to pruneStep of them, and says how many.
func (f *feature) pruneEnded(tx *store.Tx) (int, error) {
	asked := map[string]bool{}
	err := store.Feature[[]string](tx, askedAbout).Each("", func(hold string, _ []string) error {
		asked[hold] = true
		return nil
	})
	if err != nil {
		return 0, err
	}
	ended := store.Feature[gate.Ended](tx, gate.EndedFeature)
	var old []string
	err = ended.Each("", func(id string, e gate.Ended) error {
		if len(old) == pruneStep {
			return errEnough
		}
		if f.Clock.Now().Sub(e.At) > keepEnded && !asked[id] {
			old = append(old, id)
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return 0, err
	}
	for _, id := range old {
		err := errors.Join(ended.Delete(id), store.Feature[taken](tx, takenFeature).Delete(id), goneHolds(tx).Delete(id), tell.Forget(tx, id))
		if err != nil {
			return 0, err
		}
	}
	return len(old), nil
}
