package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/signalbox-chatops/signalbox/store"
)

// StopWait is how long jobs that a drain has interrupted may take to end, and
// followWait how long a drain waits for a process that has only just begun.
const (
	StopWait   = time.Minute
	followWait = 10 * time.Second
)

// errClosing says that an effect came too late to be begun by this process.
var errClosing = errors.New("signalbox is being stopped")

// Drain readies a process for its end where the steps end with it, as in a
// container: no job is begun any more, and those that run are waited for, for
// limit of wall time at most, as it is the machine's patience that runs out. What
// has begun to change something by then is interrupted, once and recorded, and
// has StopWait to end; what has not is let go and begun again by the next process.
// Those who wait for a job are told. It returns early when ctx ends.
func (r *Runner) Drain(ctx context.Context, limit time.Duration) error {
	select {
	case <-r.following:
	case <-time.After(followWait):
		return nil // it follows nothing, and nothing was begun
	case <-ctx.Done():
		return nil
	}
	if r.drainFrom() == 0 {
		return nil
	}
	r.Log.Info("waiting for running jobs", "jobs", r.Active(), "limit", limit)
	err := r.tellRestart(ctx, limit)
	if !r.isQuiet(ctx, limit) {
		err = errors.Join(err, r.endEffects(ctx, limit))
		r.isQuiet(ctx, StopWait)
	}
	if n := r.Active(); n > 0 {
		r.Log.Warn("jobs are still running and are left to the next start", "jobs", n)
	}
	return errors.Join(err, r.changeRestart(context.WithoutCancel(ctx), func(n *restart) { n.Down = r.Clock.Now() }))
}

// drainFrom lets nothing begin any more, and returns how many jobs run.
func (r *Runner) drainFrom() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.draining {
		r.draining = true
		if len(r.active) == 0 {
			close(r.quiet)
		}
	}
	return len(r.active)
}

func (r *Runner) isDraining() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.draining
}

func (r *Runner) isClosing() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.closing
}

// isQuiet waits until nothing runs any more, for so long at most.
func (r *Runner) isQuiet(ctx context.Context, most time.Duration) bool {
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-r.quiet:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// endEffects asks the jobs that have begun an effect to stop, and lets the others
// go: they have changed nothing, and the next process begins them again.
func (r *Runner) endEffects(ctx context.Context, waited time.Duration) error {
	// From here on no effect is begun. One that was is in the store already,
	// because the store has one writer and begins each in a transaction.
	r.mu.Lock()
	r.closing = true
	running := map[string]*active{}
	for id, a := range r.active {
		running[id] = a
	}
	r.mu.Unlock()
	err := r.changeRestart(ctx, func(n *restart) { n.Asked = r.Clock.Now() })
	for id, a := range running {
		var j *store.Job
		if e := r.Store.View(func(tx *store.Tx) (e error) { j, e = tx.Job(id); return e }); e != nil {
			err = errors.Join(err, e)
			continue
		}
		begun := false
		err = errors.Join(err, r.record(ctx, stopping{j, func(j *store.Job) bool {
			if begun = len(j.Effects) > 0; !begun || j.Interrupts > 0 {
				return false
			}
			j.StopWhy = fmt.Sprintf("interrupted because signalbox was stopped and had waited %v for it", waited)
			j.Why = fmt.Sprintf("signalbox is being stopped; it has waited %v for this and has asked it to stop", waited)
			return true
		}}))
		if !begun {
			a.cancel()
		}
	}
	return err
}
