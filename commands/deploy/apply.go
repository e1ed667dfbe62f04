package deploy

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/commands/runner"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// phaseApply says that the plan is settled and that steps are being applied.
const phaseApply = "apply"

// dequeued is what the gates need to know of the outside when a job starts.
type dequeued struct {
	facts  store.Facts
	stands string // see gate.Question
	last   string // the commit that stands is said of
	pins   []store.Pin
}

// applyFacts reads how the job's commit stands to what its target saw last, and
// of the pull request what GitHub may have told us of or not.
func (f *feature) applyFacts(ctx context.Context, j *store.Job) (any, error) {
	d := dequeued{}
	if j.PR > 0 {
		var p *store.Pull
		err := f.Store.View(func(tx *store.Tx) (err error) {
			p, err = tx.Pull(j.RepoID, j.PR)
			return err
		})
		if err != nil {
			return nil, err
		}
		t, _ := f.Catalog().Target(j.Target)
		if d.facts = f.readFacts(ctx, p, nil, t.Environment); d.facts.Away != "" {
			return nil, awayNow(d.facts)
		}
	}
	var err error
	if d.stands, d.last, err = f.stands(ctx, j); err != nil {
		return nil, err
	}
	if d.pins, err = f.jobPins(ctx, j, d); err != nil {
		return nil, err
	}
	return d, ctx.Err()
}

// stands says how a job's commit stands to what its target saw last, and which
// commit that is.
func (f *feature) stands(ctx context.Context, j *store.Job) (stands, of string, err error) {
	var last gate.Attempted
	var ok bool
	err = f.Store.View(func(tx *store.Tx) (err error) {
		last, ok, err = gate.LastOn(tx, j.Target)
		return err
	})
	switch {
	case err != nil || !ok:
		return "", "", err
	case last.SHA == j.SHA:
		return gate.StandsIdentical, last.SHA, nil
	}
	if err := f.Trees.Fetch(ctx, j.Repo, j.SHA); err != nil {
		return "", "", err
	}
	for _, c := range []struct{ head, in, stands string }{{j.SHA, last.SHA, gate.StandsAhead}, {last.SHA, j.SHA, gate.StandsBehind}} {
		within, err := f.Trees.Contains(ctx, j.Repo, c.head, c.in)
		if err != nil { // what is no longer to be had anywhere is in no history
			f.Log.Warn("compare with what a target saw last", "job", j.ID, "last", last.SHA, "error", err)
			return gate.StandsDiverged, last.SHA, ctx.Err()
		}
		if within {
			return c.stands, last.SHA, nil
		}
	}
	return gate.StandsDiverged, last.SHA, nil
}

// unmergedGates are those of what no merge brought: a person confirms it instead
// of approving it.
var unmergedGates = []string{"freeze", "hold", "dirty", "window", "cool-down", "order", "wave"}

// applyQuestion is what the gates are asked about an apply job.
func (f *feature) applyQuestion(at string, op *store.Operation, p *store.Pull, j *store.Job) (q gate.Question, only []string) {
	q = f.question(at, f.Catalog(), op, nil)
	q.Targets, q.Job, q.Pull = []string{j.Target}, j, p
	q.Actor, q.Pins = known(f.Catalog(), op.MergedBy), op.Pins
	q.Explicit = op.Kind == "deploy" && q.Actor.Same(q.Requester)
	if op.Kind == opReapply {
		q.Actor, q.Explicit, only = q.Requester, true, unmergedGates
	}
	if op.Kind == "unplanned" {
		only = unmergedGates
		if j.ConfirmedBy != nil {
			q.Actor, q.Requester = known(f.Catalog(), *j.ConfirmedBy), known(f.Catalog(), *j.ConfirmedBy)
			q.Explicit = true
		}
	}
	return q, only
}

// applyGate asks every gate again, in the transaction that takes the run lock.
func (f *feature) applyGate(tx *store.Tx, j *store.Job, facts any) (runner.Verdict, error) {
	op, err := tx.Operation(j.Operation)
	if err != nil {
		return runner.Go, err
	}
	outside, _ := facts.(dequeued)
	// What was begun while the history was compared makes the comparison void.
	if last, _, err := gate.LastOn(tx, j.Target); err != nil {
		return runner.Go, err
	} else if last.SHA != outside.last {
		why := last.Job + " began on " + j.Target + " meanwhile; how they stand to each other is looked at again"
		return runner.Verdict{State: store.JobQueued, Why: why, After: time.Second}, nil
	}
	var p *store.Pull
	if j.PR > 0 {
		if p, err = tx.Pull(j.RepoID, j.PR); err != nil {
			return runner.Go, err
		}
		withFacts(p, outside.facts)
	}
	if keepPins(f.Catalog(), op, j, outside) {
		if err := tx.PutOperation(op); err != nil {
			return runner.Go, err
		}
	}
	q, only := f.applyQuestion(gate.AtDequeue, op, p, j)
	q.Stands = outside.stands
	return verdict(j, gate.Ask(tx, q, only...), f.Clock.Now()), nil
}

// waveWait is how long a job waits before it looks again whether the wave before
// it is through; the end of one of its jobs wakes it sooner.
const waveWait = time.Minute

// verdict turns the closed gates of a job into the state that it waits or ends in.
func verdict(j *store.Job, closed []gate.Closed, now time.Time) runner.Verdict {
	if len(closed) == 0 {
		j.Closed, j.Waited, j.Unread = nil, time.Time{}, false
		return runner.Go
	}
	waits, unread := true, false
	var why, names []string
	for _, c := range closed {
		if c.Never {
			if j.SupersededBy, j.Skipped = c.By, c.Gate == "wave"; j.Skipped {
				return runner.Verdict{State: store.JobCancelled, Why: "never started: " + c.Reason}
			}
			return runner.Verdict{State: store.JobSuperseded, Why: superseded(c)}
		}
		waits, unread = waits && c.Wait, unread || c.Unread
		why = append(why, c.Says())
		if !slices.Contains(names, c.Gate) {
			names = append(names, c.Gate)
		}
	}
	if waits {
		return runner.Verdict{State: store.JobQueued, Why: strings.Join(why, "; "), After: waveWait}
	}
	j.Unread = unread
	if j.Closed = names; j.Waited.IsZero() {
		j.Waited = now
	}
	return runner.Verdict{State: store.JobBlocked, Why: strings.Join(why, "; ")}
}

// superseded says why a job is, and what to do about it where there is something.
func superseded(c gate.Closed) string {
	if c.Opens == "nothing" {
		return c.Reason
	}
	return c.Reason + "; " + strings.TrimPrefix(c.Opens, "nothing: ")
}

// apply plans the merge commit again and applies it when what it would change is
// what people reviewed.
func (f *feature) apply(ctx context.Context, r *runner.Run) runner.End {
	t, ok := f.Catalog().Target(r.Job.Target)
	if !ok {
		return runner.Failed(fmt.Errorf("no target is called %q any more", r.Job.Target))
	}
	tree := filepath.Join(r.Dir(), "tree")
	if r.Resumed || r.Job.Phase == phaseApply {
		r.OnClean(func(ctx context.Context) error { return f.Trees.Remove(ctx, r.Job.Repo, tree) })
		end := f.applySteps(ctx, r, t, tree)
		f.resume(ctx, r.Job, end)
		return end
	}
	tree, err := f.checkout(ctx, r)
	if err != nil {
		return beginAgain(r.Job, fmt.Errorf("check out %s: %w", short(r.Job.SHA), err))
	}
	plans, err := f.planSteps(ctx, r, t, tree)
	if err != nil {
		return offering(unreached(runner.Failed(err)))
	}
	op, err := f.operation(r.Job.Operation)
	if err != nil {
		return runner.Failed(err)
	}
	rec, end := f.compare(r.Job, op, t, plans)
	if end.State != "" {
		return f.noteRevisions(ctx, r, t, tree, end)
	}
	return f.begun(ctx, r, t, tree, rec)
}

// begun applies what is settled. The groups of the target are kept still from before
// its first change until after its last, and no longer: what waits for a person, or
// changes nothing, suspends nothing.
func (f *feature) begun(ctx context.Context, r *runner.Run, t integrations.Target, tree string, rec record) (end runner.End) {
	if end = f.suspend(ctx, r.Job, t); end.State != "" {
		return end
	}
	defer func() { f.resume(ctx, r.Job, end) }()
	rec.Steps, rec.Step, rec.Built = nil, 0, nil
	err := r.Update(ctx, func(tx *store.Tx, j *store.Job) error {
		if j.Interrupts > 0 {
			return integrations.ErrInterrupted
		}
		j.Phase = phaseApply
		if err := gate.Begin(tx, j); err != nil {
			return err
		}
		return setRecord(j, rec)
	})
	if err != nil {
		return runner.Failed(err)
	}
	return f.applySteps(ctx, r, t, tree)
}

// compare holds the fresh plan to the reviewed one. An End with a state stops here.
func (f *feature) compare(j *store.Job, op *store.Operation, t integrations.Target, plans integrations.Plans) (record, runner.End) {
	rec := recordOf(j)
	rec.Plans, rec.Differs, rec.Left = plans, "", ""
	stop := func(state, why string) runner.End {
		return runner.End{State: state, Why: why, Save: func(_ *store.Tx, j *store.Job) error { return setRecord(j, rec) }}
	}
	if plans.Empty() {
		return rec, stop(store.JobNoop, "nothing to change: the target is already as the merge wants it")
	}
	if j.ConfirmedBy != nil && j.ConfirmedDigest == plans.Digest() {
		return rec, runner.End{}
	}
	if rec.Differs = f.differs(j, op, t, plans, &rec); rec.Differs == "" {
		rec.Differs = untyped(op, t.Name, plans)
	}
	if rec.Differs == "" {
		return rec, runner.End{}
	}
	if j.ConfirmedBy != nil {
		rec.Differs += "; it changed again since it was confirmed"
	}
	return rec, stop(store.JobNeedsConfirm, rec.Differs)
}

// differs says how a fresh plan differs from what people reviewed before the
// merge; "" where it does not, or where the environment wants no review.
func (f *feature) differs(j *store.Job, op *store.Operation, t integrations.Target, plans integrations.Plans, rec *record) string {
	if env, _ := f.Catalog().Environment(t.Environment); unreviewed(op, env) {
		return ""
	}
	reviewed, have := f.reviewed(j)
	if !have {
		return whyUnreviewed(op)
	}
	rec.Reviewed = reviewed.Digest()
	_, why := plans.Within(reviewed)
	return why
}

// unreviewed says whether an apply may do what nobody has looked at.
func unreviewed(op *store.Operation, env integrations.Environment) bool {
	return env.Review == "none" && op.Kind != "unplanned" && (op.Kind != opReapply || env.Approvals == 0)
}

func whyUnreviewed(op *store.Operation) string {
	if op.Kind == "unplanned" {
		return "the commit came to " + op.Base + " without a pull request"
	}
	if op.Kind == opReapply {
		return "it applies " + short(op.MergeSHA) + " again, over what changed since, which no pull request shows"
	}
	return "nobody has reviewed a plan of what was merged"
}

// reviewed is the plan of the head that was merged.
func (f *feature) reviewed(j *store.Job) (integrations.Plans, bool) {
	if j.PR == 0 {
		return nil, false
	}
	var plans integrations.Plans
	have := false
	err := f.Store.View(func(tx *store.Tx) error {
		p, err := tx.Pull(j.RepoID, j.PR)
		if err != nil {
			return err
		}
		planned, ok := p.Plans[j.Target]
		if have = ok && planned.State == "done" && planned.Head == p.Head && !gate.Stale(planned, p.MergedAt); have {
			plans = plansOf(planned)
		}
		return nil
	})
	if err != nil {
		f.Log.Error("read the reviewed plan", "job", j.ID, "error", err)
		return nil, false
	}
	return plans, have
}

func (f *feature) applySteps(ctx context.Context, r *runner.Run, t integrations.Target, tree string) runner.End {
	for i, s := range t.Steps {
		if err := reached(ctx, r, t, i); err != nil {
			return runner.Failed(err)
		}
		run := f.step(r, t, tree, i, t.ApplyEnv)
		run.Exec = named{run.Exec, fmt.Sprintf("%d ", i+1)}
		if err := s.Apply(ctx, run); err != nil {
			err = ofStep(i, s, err)
			if errors.Is(err, integrations.ErrUnknown) {
				return offering(runner.End{State: store.JobUnknown, Err: err, Why: unknownWhy(err)})
			}
			return offering(unreached(f.finish(ctx, r, t, tree, i, stoppedShort(err))))
		}
	}
	return f.noteRevisions(ctx, r, t, tree, f.finish(ctx, r, t, tree, len(t.Steps), runner.End{State: store.JobSucceeded}))
}

// named keeps the effects of different steps apart.
type named struct {
	integrations.Exec
	prefix string
}

func (n named) Effect(ctx context.Context, name string, c integrations.Command) (integrations.Output, error) {
	return n.Exec.Effect(ctx, n.prefix+name, c)
}

// applyChanged brings an apply job's state to its operation.
func (f *feature) applyChanged(tx *store.Tx, j *store.Job, urgent bool) error {
	if err := tell.Mark(tx, j.ID, urgent); err != nil {
		return err
	}
	op, err := tx.Operation(j.Operation)
	if err != nil {
		return err
	}
	if !urgent { // a line of log
		return nil
	}
	if err := f.afterApply(tx, op, j); err != nil {
		return err
	}
	if j.Terminal() {
		if err := f.markBeside(tx, j); err != nil {
			return err
		}
	}
	if j.State == store.JobNeedsConfirm {
		if err := f.openConfirm(tx, op, j); err != nil {
			return err
		}
	}
	needed := j.State == store.JobFailed && j.CancelledBy == nil // whoever said that it failed knows
	if needed || j.State == store.JobBlocked || j.State == store.JobUnknown {
		if err := f.openAttention(tx, op, j); err != nil {
			return err
		}
	}
	if j.State == store.JobUnknown {
		if err := f.queueProbe(tx, j, ""); err != nil {
			return err
		}
	}
	was := op.State
	if err := errors.Join(f.openStopped(tx, op, j), f.openGraph(tx, j), f.settle(tx, op), f.measure(tx, op, was)); err != nil {
		return err
	}
	if err := f.putOp(tx, op, true); err != nil {
		return err
	}
	return f.markPull(tx, j)
}
