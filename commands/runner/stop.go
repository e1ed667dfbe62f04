package runner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/kit/proc"
	"github.com/signalbox-chatops/signalbox/store"
)

// stopGrace is how long a tool may take to put down its work once it was asked to
// stop; Terraform has been seen to need that long. After it nothing is killed by a
// machine: a person is called, who may.
const stopGrace = 10 * time.Minute

// A stopping is what is to be recorded of a job that is to stop.
type stopping struct {
	job    *store.Job
	change func(j *store.Job) bool // false: it needs not
}

// timeUp looks at a running job's deadline: what is to be recorded now, nil for
// nothing, and how long nothing will be (0: ever).
//
// The deadline is domain time, although the time-outs of processes are not: it is
// reckoned from Started, which is stored as domain time and outlives the process
// that stored it, and two clocks cannot be subtracted. It bounds a job; each of its
// commands has a limit of wall time besides, which the step's shim keeps.
func (r *Runner) timeUp(j *store.Job) (change func(*store.Job) bool, wait time.Duration) {
	now := r.Clock.Now()
	switch {
	case !UnderWay(j):
	case j.Interrupts == 0:
		k := r.kinds[j.Kind]
		if k.Deadline == nil {
			break
		}
		limit := k.Deadline(j)
		if limit <= 0 {
			break
		}
		if wait = j.Started.Add(limit).Sub(now); wait > 0 {
			return nil, wait
		}
		return func(j *store.Job) bool {
			if j.Interrupts > 0 {
				return false
			}
			j.TimedOut = true
			j.StopWhy = fmt.Sprintf("it took longer than its limit of %v and was interrupted", limit)
			j.Why = fmt.Sprintf("it has taken longer than its limit of %v and was asked to stop", limit)
			return true
		}, 0
	case j.Interrupts == 1 && !j.StopAt.IsZero() && !j.Stuck:
		if wait = j.StopAt.Add(stopGrace).Sub(now); wait > 0 {
			return nil, wait
		}
		return func(j *store.Job) bool {
			if j.Interrupts != 1 || j.Stuck {
				return false
			}
			j.Stuck = true
			j.Why = fmt.Sprintf("it was asked to stop and has not done so within %v; no machine kills it", stopGrace)
			return true
		}, 0
	}
	return nil, 0
}

// UnderWay says whether a job is being run.
func UnderWay(j *store.Job) bool {
	return j.State == store.JobPreparing || j.State == store.JobDispatching || j.State == store.JobRunning
}

// record writes down what is asked of a running job before it is carried out, so
// that whoever finds the job's end knows why. The first thing asked is to stop.
func (r *Runner) record(ctx context.Context, s stopping) error {
	err := r.Store.Update(ctx, func(tx *store.Tx) error {
		j, err := tx.Job(s.job.ID)
		if err != nil || j.Attempt != s.job.Attempt || !UnderWay(j) || !s.change(j) {
			return err
		}
		if j.Interrupts == 0 {
			j.Interrupts, j.StopAt = 1, r.Clock.Now()
		}
		if err := tx.PutJob(j); err != nil {
			return err
		}
		row := store.AuditRow{Who: j.Requester, Act: "job " + j.Kind, Subject: j.ID, Target: j.Target, Outcome: "interrupted", Detail: j.Why, Via: "runner"}
		if j.Stuck {
			row.Outcome = "not stopping"
		}
		if err := errors.Join(tx.Audit(row), r.markRestart(tx)); err != nil {
			return err
		}
		if k := r.kinds[j.Kind]; k.Changed != nil {
			return k.Changed(tx, j, true)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("record that %s is to stop: %w", s.job.ID, err)
	}
	return nil
}

// asAsked is how a job ends that stopped because it was asked to: what took too
// long has failed, the rest is cancelled. why is said where nobody is known to
// have asked.
func asAsked(j *store.Job, why string) (state, because string) {
	switch {
	case j.TimedOut:
		return store.JobFailed, j.StopWhy
	case j.CancelledBy != nil:
		return store.JobCancelled, "cancelled by " + j.CancelledBy.Name
	case j.StopWhy != "":
		return store.JobCancelled, j.StopWhy
	}
	return store.JobCancelled, why
}

// interrupt carries out what a person asked of a running job: first SIGINT to
// the step, at the second asking its end at once. Both were recorded before.
func (r *Runner) interrupt(j *store.Job) {
	r.mu.Lock()
	a := r.active[j.ID]
	r.mu.Unlock()
	if a == nil {
		if j.State == store.JobUnknown && j.Interrupts > 1 {
			r.endLeftovers(j)
		}
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	// j was read a moment ago: what was asked of an earlier attempt is nothing to
	// this one.
	if a.attempt != j.Attempt || j.State == store.JobQueued || a.asked >= j.Interrupts {
		return
	}
	a.stopped = true
	if a.step == "" {
		if !a.effect {
			a.cancel()
			a.asked = j.Interrupts
		}
		return
	}
	var err error
	if j.Interrupts > 1 {
		err = proc.Kill(a.step)
	} else {
		err = proc.Interrupt(a.step)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		r.Log.Error("stop step", "job", j.ID, "step", a.step, "error", err)
		return
	}
	a.asked = j.Interrupts
}

// endLeftovers ends what the steps of an unknown job have left running, as a
// person asked.
func (r *Runner) endLeftovers(j *store.Job) {
	if n, err := Leftovers(j); err == nil && n == 0 {
		return
	}
	for _, e := range j.Effects {
		if err := proc.Kill(e.Dir); err != nil {
			r.Log.Error("end what a step left running", "job", j.ID, "step", e.Dir, "error", err)
		}
	}
}
