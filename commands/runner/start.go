package runner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/store"
)

// startAgain is how long a job whose start could not be stored is let be.
const startAgain = 10 * time.Second

// start asks the gates, takes the run lock and runs the job.
func (r *Runner) start(ctx context.Context, a *active, queued *store.Job) {
	log := r.Log.With("job", queued.ID, "target", queued.Target)
	k, ok := r.kinds[queued.Kind]
	if !ok {
		r.refuse(ctx, queued, Verdict{State: store.JobFailed, Why: fmt.Sprintf("this version knows no job of kind %q", queued.Kind)})
		return
	}
	var facts any
	if k.Facts != nil {
		var err error
		if facts, err = ask(ctx, k, queued); err != nil {
			if ctx.Err() == nil {
				log.Warn("facts for a job", "error", err)
				r.later(ctx, queued, err)
			}
			return
		}
	}
	j, err := r.take(ctx, k, queued, facts)
	if err != nil {
		if ctx.Err() == nil {
			log.Error("start job", "error", err)
			// What cannot be stored cannot be put off in the store either. Whoever
			// stops us ends the wait.
			_ = clock.Sleep(ctx, r.Clock, startAgain)
		}
		return
	}
	if j == nil {
		return // a gate is closed, or somebody else moved it
	}
	r.run(ctx, a, k, j, false)
}

// ask asks a kind for its facts; a fault there is like facts that cannot be read.
func ask(ctx context.Context, k Kind, j *store.Job) (facts any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("a fault in signalbox: %v", p)
		}
	}()
	return k.Facts(ctx, j)
}

// take moves a queued job to preparing, in one transaction with its run lock.
// It returns nil when the job may not start.
func (r *Runner) take(ctx context.Context, k Kind, queued *store.Job, facts any) (*store.Job, error) {
	var started *store.Job
	err := r.Store.Update(ctx, func(tx *store.Tx) error {
		started = nil
		j, err := tx.Job(queued.ID)
		if err != nil {
			return err
		}
		if r.isDraining() || j.State != store.JobQueued || !firstInLine(tx, j) {
			return nil
		}
		if k.Gate != nil {
			v, err := k.Gate(tx, j, facts)
			if err != nil {
				v = Verdict{State: store.JobBlocked, Why: "a condition cannot be read: " + err.Error()}
			}
			if v.State == store.JobQueued {
				return r.wait(tx, j, v.Why, v.After)
			}
			if v.State != "" {
				return r.move(tx, k, j, v.State, v.Why)
			}
		}
		j.Attempt++
		j.Boot, j.Phase, j.Effects, j.Interrupts = r.boot, "", nil, 0
		j.Started, j.Ended, j.NotBefore = r.Clock.Now(), time.Time{}, time.Time{}
		j.FailedStep, j.Error, j.Tail, j.Away = "", "", "", ""
		j.CancelledBy, j.TimedOut, j.StopWhy, j.StopAt, j.Stuck = nil, false, "", time.Time{}, false
		j.WorkDir = r.freshDir(j)
		if j.Locks {
			err := tx.TakeRunLock(store.RunLock{Target: j.Target, Job: j.ID, Attempt: j.Attempt, Since: r.Clock.Now()})
			if errors.Is(err, store.ErrHeld) {
				if j, err = tx.Job(queued.ID); err != nil {
					return err
				}
				return r.wait(tx, j, "its target is still held by an earlier run", 5*time.Second)
			} else if err != nil {
				return err
			}
		}
		started = j
		return r.move(tx, k, j, store.JobPreparing, "")
	})
	return started, err
}

// wait leaves a job queued that cannot start yet: its target is still held by a
// job that comes after it in order (one that is unknown, say), or what a gate
// waits for is under way.
func (r *Runner) wait(tx *store.Tx, j *store.Job, why string, after time.Duration) error {
	j.NotBefore, j.Why = r.Clock.Now().Add(after), why
	if err := tx.PutJob(j); err != nil {
		return err
	}
	return changed(tx, r.kinds[j.Kind], j)
}

// freshDir is a folder that no earlier start of the job has used: what a start
// that was killed left running may still be writing to its own.
func (r *Runner) freshDir(j *store.Job) string {
	dir := filepath.Join(r.Dir, j.ID, strconv.Itoa(j.Attempt))
	for at, n := dir, 2; ; at, n = dir+"."+strconv.Itoa(n), n+1 {
		again := *j
		again.WorkDir = at
		if _, err := os.Lstat(logDir(&again)); err != nil {
			if _, err := os.Lstat(at); err != nil {
				return at
			}
		}
	}
}

// move changes a job's state with its audit row and what its kind adds.
func (r *Runner) move(tx *store.Tx, k Kind, j *store.Job, state, why string) error {
	j.State, j.Why = state, why
	if j.Terminal() {
		j.Ended = r.Clock.Now()
	}
	if err := tx.PutJob(j); err != nil {
		return err
	}
	if k.Quiet {
		return changed(tx, k, j)
	}
	err := tx.Audit(store.AuditRow{Who: j.Requester, Act: "job " + j.Kind, Subject: j.ID, Target: j.Target, Outcome: state, Detail: why, Via: "runner"})
	if err != nil {
		return err
	}
	if err := r.markRestart(tx); err != nil {
		return err
	}
	return changed(tx, k, j)
}

func changed(tx *store.Tx, k Kind, j *store.Job) error {
	if k.Changed == nil {
		return nil
	}
	return k.Changed(tx, j, true)
}

// refuse ends a job that never started.
func (r *Runner) refuse(ctx context.Context, queued *store.Job, v Verdict) {
	err := r.Store.Update(ctx, func(tx *store.Tx) error {
		j, err := tx.Job(queued.ID)
		if err != nil || j.State != store.JobQueued {
			return err
		}
		return r.move(tx, r.kinds[j.Kind], j, v.State, v.Why)
	})
	if err != nil && ctx.Err() == nil {
		r.Log.Error("refuse job", "job", queued.ID, "error", err)
	}
}

// later leaves a job queued, for a little while, whose facts cannot be read.
func (r *Runner) later(ctx context.Context, queued *store.Job, cause error) {
	why, away := "its facts cannot be read: "+cause.Error(), integrations.AwayOf(cause)
	if silent := (*integrations.Away)(nil); errors.As(cause, &silent) {
		why = silent.Silence() + "; it goes on as soon as it does"
	}
	err := r.Store.Update(ctx, func(tx *store.Tx) error {
		j, err := tx.Job(queued.ID)
		if err != nil || j.State != store.JobQueued {
			return err
		}
		news := j.Away != away
		j.NotBefore, j.Why, j.Away = r.Clock.Now().Add(10*time.Second), why, away
		if err := tx.PutJob(j); err != nil || !news {
			return err
		}
		return changed(tx, r.kinds[j.Kind], j)
	})
	if err != nil && ctx.Err() == nil {
		r.Log.Error("delay job", "job", queued.ID, "error", err)
	}
}

// run runs a job whose start is committed and records its end.
func (r *Runner) run(ctx context.Context, a *active, k Kind, j *store.Job, resumed bool) {
	if k.Heavy && !resumed {
		r.spares.Ready()
	}
	a.mu.Lock()
	a.attempt = j.Attempt
	a.mu.Unlock()
	run := &Run{Job: j, Resumed: resumed, runner: r, kind: k, active: a}
	end := run.guarded(ctx)
	if ctx.Err() != nil && !run.stopped() {
		return // we are being stopped: the next start finds the job as it stands
	}
	r.finish(context.WithoutCancel(ctx), k, run, end)
}

func (run *Run) guarded(ctx context.Context) (end End) {
	defer func() {
		if p := recover(); p != nil {
			run.runner.Log.Error("job panicked", "job", run.Job.ID, "panic", p, "stack", string(debug.Stack()))
			end = Failed(fmt.Errorf("a fault in signalbox: %v", p))
			if len(run.Job.Effects) > 0 {
				end.State = store.JobUnknown
			}
		}
	}()
	if run.Job.State == store.JobPreparing {
		err := run.Update(ctx, func(tx *store.Tx, j *store.Job) error { j.State = store.JobRunning; return nil })
		if err != nil {
			return Failed(err)
		}
	}
	return run.kind.Run(ctx, run)
}

// saveTries is how often an end is recorded with what its kind saves with it.
const saveTries = 5

// finish records the end, and tries until the store takes it: a job whose end
// is not stored holds its lock. What a kind cannot save is left out in the end,
// and the job has failed then.
func (r *Runner) finish(ctx context.Context, k Kind, run *Run, end End) {
	if (run.stopped() || run.Job.Interrupts > 0) && end.State == store.JobFailed { // asked now, or before a restart
		end.State = store.JobCancelled
	}
	if errors.Is(end.Err, integrations.ErrUnknown) {
		end.State = store.JobUnknown
	}
	wait := 100 * time.Millisecond
	for n := 1; ; n, wait = n+1, min(2*wait, 10*time.Second) {
		err := r.Store.Update(ctx, func(tx *store.Tx) error { return r.end(tx, k, run, end) })
		if err == nil {
			break
		}
		r.Log.Error("record a job's end", "job", run.Job.ID, "state", end.State, "error", err)
		if errors.Is(err, store.ErrClosed) {
			return
		}
		if n == saveTries && end.Save != nil && r.Store.Err() == nil {
			end = Failed(fmt.Errorf("what came of it (%s) cannot be stored: %w", end.State, err))
		}
		time.Sleep(wait)
	}
	j := run.Job
	level := slog.LevelInfo
	if j.State == store.JobQueued { // it looked, and looks again
		level = slog.LevelDebug
	}
	r.Log.Log(ctx, level, "job ended", "job", j.ID, "kind", j.Kind, "target", j.Target, "operation", j.Operation, "state", j.State, "attempt", j.Attempt,
		"took", r.Clock.Now().Sub(j.Started).Round(time.Millisecond), "why", j.Why, "error", j.Error)
	if j.Terminal() || j.State == store.JobNeedsConfirm || j.State == store.JobQueued {
		run.clean(ctx)
	}
}

func (r *Runner) end(tx *store.Tx, k Kind, run *Run, end End) error {
	j, err := tx.Job(run.Job.ID)
	if err != nil {
		return err
	}
	if j.Attempt != run.Job.Attempt || j.Boot != r.boot || j.State != store.JobRunning && j.State != store.JobPreparing && j.State != store.JobDispatching {
		run.Job = j
		return nil // a person settled it meanwhile
	}
	why := end.Why
	if run.tail != "" {
		j.Tail = run.tail
	}
	var failed *integrations.CommandError
	if errors.As(end.Err, &failed) {
		j.FailedStep = failed.Step
		if failed.Tail != "" {
			j.Tail = cut(failed.Tail, tailBytes)
		}
	}
	if end.Err != nil {
		j.Error = end.Err.Error()
		if why == "" {
			why = j.Error
		}
	}
	if end.State == store.JobCancelled {
		end.State, why = asAsked(j, why)
		if j.StopWhy != "" && j.Error != "" {
			j.Error = why // no person interrupted it
		}
	}
	if end.State == store.JobQueued {
		j.Away = integrations.AwayOf(end.Err)
	}
	if end.Uncounted {
		j.Attempt--
	}
	if end.After > 0 {
		j.NotBefore = r.Clock.Now().Add(end.After)
	}
	if j.Locks && end.State != store.JobUnknown {
		if err := tx.DropRunLock(j.Target, j.ID); err != nil {
			return err
		}
	}
	if end.Save != nil {
		if err := end.Save(tx, j); err != nil {
			return err
		}
	}
	run.Job = j
	return r.move(tx, k, j, end.State, why)
}

// clean removes the attempt's work tree; the log stands elsewhere and stays.
func (run *Run) clean(ctx context.Context) {
	for _, f := range run.cleanups {
		if err := f(ctx); err != nil {
			run.runner.Log.Warn("clean up after a job", "job", run.Job.ID, "error", err)
		}
	}
	if err := os.RemoveAll(run.Job.WorkDir); err != nil {
		run.runner.Log.Warn("clean up after a job", "job", run.Job.ID, "error", err)
	}
}
