package runner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/signalbox-chatops/signalbox/integrations/kit/proc"
	"github.com/signalbox-chatops/signalbox/store"
)

// Recover works out, before anything is decided or done, what can be told about
// each job that was under way when the last process ended. One that had begun no
// effect is queued again as the same attempt, and what its steps left running is
// ended. One that had is followed by Run, from the step's folder. Jobs that wait
// stay as they are.
func (r *Runner) Recover(ctx context.Context) error {
	var live []*store.Job
	err := r.Store.View(func(tx *store.Tx) (err error) {
		live, err = tx.LiveJobs()
		return err
	})
	if err != nil {
		return fmt.Errorf("read the jobs under way: %w", err)
	}
	for _, j := range live {
		if !UnderWay(j) {
			continue
		}
		if err := r.recoverJob(ctx, j); err != nil {
			if err = r.giveUp(ctx, j, err); err != nil {
				return fmt.Errorf("recover %s: %w", j.ID, err)
			}
		}
	}
	return r.back(ctx)
}

func (r *Runner) recoverJob(ctx context.Context, j *store.Job) error {
	k := r.kinds[j.Kind]
	if len(j.Effects) > 0 {
		r.Log.Info("a job was under way", "job", j.ID, "kind", j.Kind, "target", j.Target, "phase", j.Phase)
		return r.Store.Update(ctx, func(tx *store.Tx) error {
			now, err := tx.Job(j.ID)
			if err != nil {
				return err
			}
			now.Boot = r.boot
			why := "found again after a restart"
			if now.StopWhy != "" { // it is stopping, which says more
				why = now.Why
			}
			return r.move(tx, k, now, store.JobRunning, why)
		})
	}
	if err := endSteps(j); err != nil {
		return err
	}
	if err := os.RemoveAll(j.WorkDir); err != nil { // something writes there still; the next start has its own
		r.Log.Warn("remove the interrupted attempt", "job", j.ID, "error", err)
	}
	return r.Store.Update(ctx, func(tx *store.Tx) error {
		now, err := tx.Job(j.ID)
		if err != nil {
			return err
		}
		if now.Locks {
			if err := tx.DropRunLock(now.Target, now.ID); err != nil {
				return err
			}
		}
		if now.Interrupts > 0 {
			state, why := asAsked(now, "cancelled")
			return r.move(tx, k, now, state, why)
		}
		now.Attempt-- // the same attempt, begun again: it had changed nothing
		return r.move(tx, k, now, store.JobQueued, "begun again after a restart")
	})
}

// giveUp leaves to a person a job that cannot be recovered, so that it does not
// keep the process from starting.
func (r *Runner) giveUp(ctx context.Context, j *store.Job, why error) error {
	r.Log.Error("recover a job", "job", j.ID, "kind", j.Kind, "target", j.Target, "error", why)
	state := store.JobFailed
	if j.Locks || len(j.Effects) > 0 {
		state = store.JobUnknown
	}
	return r.Store.Update(ctx, func(tx *store.Tx) error {
		now, err := tx.Job(j.ID)
		if err != nil {
			return err
		}
		return r.move(tx, r.kinds[j.Kind], now, state, "it could not be recovered after a restart: "+why.Error())
	})
}

// endSteps ends whatever an attempt that had begun no effect left running.
func endSteps(j *store.Job) error {
	if j.WorkDir == "" {
		return nil
	}
	dirs, err := filepath.Glob(filepath.Join(logDir(j), "*"))
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		if err := proc.Void(dir); err == nil {
			continue // its shim never began, and now never will
		}
		if err := proc.Kill(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("end the step %s: %w", filepath.Base(dir), err)
		}
	}
	return nil
}

// resume follows the jobs whose effects were begun before this process.
func (r *Runner) resume(ctx context.Context, jobs *sync.WaitGroup) error {
	var mine []*store.Job
	err := r.Store.View(func(tx *store.Tx) error {
		live, err := tx.LiveJobs()
		for _, j := range live {
			if j.State == store.JobRunning && j.Boot == r.boot {
				mine = append(mine, j)
			}
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("read the jobs to follow: %w", err)
	}
	defer close(r.following)
	for _, j := range mine {
		k, ok := r.kinds[j.Kind]
		if !ok {
			if err := r.giveUp(ctx, j, fmt.Errorf("this version knows no job of kind %q", j.Kind)); err != nil {
				return fmt.Errorf("leave %s to a person: %w", j.ID, err)
			}
			continue
		}
		jctx, cancel := context.WithCancel(ctx)
		a := &active{cancel: cancel}
		if !r.enter(j.ID, a) {
			cancel()
			continue
		}
		jobs.Add(1)
		go func() {
			defer jobs.Done()
			defer r.leave(j.ID)
			defer cancel()
			r.run(jctx, a, k, j, true)
		}()
	}
	return nil
}
