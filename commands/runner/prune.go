package runner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/signalbox-chatops/signalbox/store"
)

// keepLogs is how long the logs of a job that is over stay on this disk. The
// whole log was uploaded where people read it; the job's record keeps its end.
const keepLogs = 30 * 24 * time.Hour

// Prune removes the folders of jobs that were over long ago.
func (r *Runner) Prune(ctx context.Context) error {
	entries, err := os.ReadDir(r.Dir)
	if err != nil {
		return fmt.Errorf("read the folder of jobs: %w", err)
	}
	var old []string
	err = r.Store.View(func(tx *store.Tx) error {
		for _, e := range entries {
			j, err := tx.Job(e.Name())
			if errors.Is(err, store.ErrNotFound) {
				continue // not ours to judge
			} else if err != nil {
				return err
			}
			if j.Terminal() && r.Clock.Now().Sub(j.Ended) > keepLogs {
				old = append(old, j.ID)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, id := range old {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := os.RemoveAll(filepath.Join(r.Dir, id)); err != nil {
			return fmt.Errorf("remove the logs of %s: %w", id, err)
		}
	}
	return nil
}
