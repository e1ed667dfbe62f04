package deploy

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
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
	reviews map[string]string // login -> head approved
	beside  bool              // see gate.Question
}

// applyFacts reads how the job's commit stands to what its target saw last, and
// the reviews of the pull request, which GitHub may have told us of or not.
func (f *feature) applyFacts(ctx context.Context, j *store.Job) (any, error) {
	reviews, err := f.reviews(ctx, j)
	if err != nil {
		return nil, err
	}
	beside, err := f.beside(ctx, j)
	return dequeued{reviews: reviews, beside: beside}, err
}

// beside says whether a commit that stands lower than what its target saw last
// is not a part of that: its base branch was moved back since.
func (f *feature) beside(ctx context.Context, j *store.Job) (bool, error) {
	var last gate.Attempted
	err := f.Store.View(func(tx *store.Tx) (err error) {
		last, _, err = store.Feature[gate.Attempted](tx, gate.AttemptedFeature).Get(j.Target)
		return err
	})
	if err != nil || j.Order >= last.Order {
		return false, err
	}
	within, err := f.Trees.Contains(ctx, j.Repo, last.SHA, j.SHA)
	if err != nil { // what is no longer to be had anywhere is in no history
		f.Log.Warn("compare with what a target saw last", "job", j.ID, "last", last.SHA, "error", err)
	}
	return !within, ctx.Err()
}

func (f *feature) reviews(ctx context.Context, j *store.Job) (map[string]string, error) {
	t, ok := f.Catalog().Target(j.Target)
	if !ok || j.PR == 0 {
		return map[string]string{}, nil
	}
	if env, ok := f.Catalog().Environment(t.Environment); !ok || !env.SecondPerson {
		return map[string]string{}, nil
	}
	reviews, err := f.Forge.Reviews(ctx, j.Repo, j.PR)
	if err != nil {
		return nil, err
	}
	heads := map[string]string{}
	for _, r := range reviews {
		switch strings.ToUpper(r.State) {
		case "APPROVED":
			heads[r.Author] = r.Head
		case "CHANGES_REQUESTED", "DISMISSED":
			delete(heads, r.Author)
		}
	}
	return heads, nil
}

// applyGate asks every gate again, in the transaction that takes the run lock.
func (f *feature) applyGate(tx *store.Tx, j *store.Job, facts any) (runner.Verdict, error) {
	op, err := tx.Operation(j.Operation)
	if err != nil {
		return runner.Go, err
	}
	q := f.question(gate.AtDequeue, f.Catalog(), op, nil)
	q.Targets, q.Job = []string{j.Target}, j
	q.Actor = known(f.Catalog(), op.MergedBy)
	q.Explicit = op.Kind == "deploy" && q.Actor.Same(q.Requester)
	outside, _ := facts.(dequeued)
	q.Beside = outside.beside
	if j.PR > 0 {
		if q.Pull, err = tx.Pull(j.RepoID, j.PR); err != nil {
			return runner.Go, err
		}
		q.Pull.Reviews = outside.reviews
	}
	gates := gate.Dequeue
	if op.Kind == "unplanned" { // nobody merged it: a person confirms it instead
		gates = map[string]gate.Gate{"hold": gate.Hold, "order": gate.Position}
		if j.ConfirmedBy != nil {
			q.Actor, q.Requester = known(f.Catalog(), *j.ConfirmedBy), known(f.Catalog(), *j.ConfirmedBy)
			q.Explicit = true
		}
	}
	closed := gate.All(tx, q, gates)
	if len(closed) == 0 {
		return runner.Go, nil
	}
	for _, c := range closed {
		if c.Gate == "order" && !q.Beside {
			return runner.Verdict{State: store.JobSuperseded, Why: c.Reason}, nil
		}
	}
	var why []string
	for _, c := range closed {
		why = append(why, c.Reason)
	}
	return runner.Verdict{State: store.JobBlocked, Why: strings.Join(why, "; ")}, nil
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
		return f.applySteps(ctx, r, t, tree)
	}
	tree, err := f.checkout(ctx, r)
	if err != nil {
		return runner.Failed(fmt.Errorf("check out %s: %w", short(r.Job.SHA), err))
	}
	plans, err := f.planSteps(ctx, r, t, tree)
	if err != nil {
		return runner.Failed(err)
	}
	op, err := f.operation(r.Job.Operation)
	if err != nil {
		return runner.Failed(err)
	}
	rec, end := f.compare(r.Job, op, t, plans)
	if end.State != "" {
		return end
	}
	err = r.Update(ctx, func(tx *store.Tx, j *store.Job) error {
		if j.Interrupts > 0 {
			return integrations.ErrInterrupted
		}
		j.Phase = phaseApply
		last := gate.Attempted{SHA: j.SHA, Order: j.Order, Job: j.ID}
		if err := store.Feature[gate.Attempted](tx, gate.AttemptedFeature).Put(j.Target, last); err != nil {
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
	rec.Plans, rec.Differs = plans, ""
	stop := func(state, why string) runner.End {
		return runner.End{State: state, Why: why, Save: func(_ *store.Tx, j *store.Job) error { return setRecord(j, rec) }}
	}
	if plans.Empty() {
		return rec, stop(store.JobNoop, "nothing to change: the target is already as the merge wants it")
	}
	env, _ := f.Catalog().Environment(t.Environment)
	if op.Kind != "unplanned" && env.Review == "none" || j.ConfirmedBy != nil && j.ConfirmedDigest == plans.Digest() {
		return rec, runner.End{}
	}
	reviewed, have := f.reviewed(j)
	if have {
		rec.Reviewed = reviewed.Digest()
		ok, why := plans.Within(reviewed)
		if ok {
			return rec, runner.End{}
		}
		rec.Differs = why
	} else if rec.Differs = "nobody has reviewed a plan of what was merged"; op.Kind == "unplanned" {
		rec.Differs = "the commit came to " + op.Base + " without a pull request"
	}
	if j.ConfirmedBy != nil {
		rec.Differs += "; it changed again since it was confirmed"
	}
	return rec, stop(store.JobNeedsConfirm, rec.Differs)
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
		if have = ok && planned.State == "done" && planned.Head == p.Head; have {
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
		run := f.step(r, t, tree, i, t.ApplyEnv)
		run.Exec = named{run.Exec, fmt.Sprintf("%d ", i+1)}
		if err := s.Apply(ctx, run); err != nil {
			if errors.Is(err, integrations.ErrUnknown) {
				return runner.End{State: store.JobUnknown, Err: err, Why: "it was interrupted while it changed things, and nobody can tell how far it came"}
			}
			return runner.Failed(err)
		}
	}
	return runner.End{State: store.JobSucceeded}
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
		if err := f.queueProbe(tx, j); err != nil {
			return err
		}
	}
	if err := errors.Join(f.openStopped(tx, op, j), f.settle(tx, op)); err != nil {
		return err
	}
	if err := f.putOp(tx, op, true); err != nil {
		return err
	}
	return f.markPull(tx, j)
}

func (f *feature) markPull(tx *store.Tx, j *store.Job) error {
	if j.PR == 0 {
		return nil
	}
	return tell.Mark(tx, pullSubject(j.RepoID, j.PR), true)
}

// settle works out an operation's state from those of its apply jobs.
func (f *feature) settle(tx *store.Tx, op *store.Operation) error {
	all, err := (subject{op: op}).applies(tx)
	if err != nil {
		return err
	}
	n := map[string]int{}
	for _, j := range all {
		n[j.State]++
		if !j.Terminal() {
			n["live"]++
		}
		if j.Attempt > 0 {
			n["begun"]++
		}
	}
	good, total := n[store.JobSucceeded]+n[store.JobNoop], len(all)
	if total == 0 {
		return nil
	}
	switch {
	case n["live"] > 0 && n["begun"] == 0:
		op.State = store.OpMerged
	case n["live"] > 0:
		op.State = store.OpApplying
	case n[store.JobNoop] == total:
		op.State = store.OpNoop
	case good == total:
		op.State = store.OpSucceeded
	case n[store.JobSuperseded] == total:
		op.State, op.Note = store.OpClosed, "A newer merge of the same target was applied instead."
	case good > 0:
		op.State = store.OpPartial
	default:
		op.State = store.OpFailed
	}
	op.Ended = time.Time{}
	if op.Terminal() {
		op.Ended = f.Clock.Now()
	}
	if op.Terminal() && op.State != store.OpClosed {
		op.Note = "" // it told what was to come
	}
	return nil
}

// queueProbe looks, reading only, at what an interrupted apply left.
func (f *feature) queueProbe(tx *store.Tx, j *store.Job) error {
	p := &store.Job{
		Key: fmt.Sprintf("probe|%s|%d", j.ID, j.Attempt), Kind: kindProbe, Target: j.Target, Operation: j.Operation,
		Repo: j.Repo, RepoID: j.RepoID, PR: j.PR, SHA: j.SHA, Base: j.Base, Requester: j.Requester,
		State: store.JobQueued, Created: f.Clock.Now(),
	}
	if err := setRecord(p, record{From: j.ID}); err != nil {
		return err
	}
	_, _, err := tx.InsertJob(p)
	return err
}

// probe asks the tools what they see, and keeps the answer with the unknown job.
func (f *feature) probe(ctx context.Context, r *runner.Run) runner.End {
	t, ok := f.Catalog().Target(r.Job.Target)
	if !ok {
		return runner.Failed(fmt.Errorf("no target is called %q any more", r.Job.Target))
	}
	tree, err := f.checkout(ctx, r)
	if err != nil {
		return again(r.Job, err)
	}
	var texts []string
	clean := len(t.Steps) > 0
	for i, s := range t.Steps {
		run := f.step(r, t, tree, i, t.PlanEnv)
		if err := makeDir(run.Work); err != nil {
			return runner.Failed(err)
		}
		p, err := s.Probe(ctx, run)
		if err != nil {
			clean = false
			texts = append(texts, s.Describe()+" could not be probed: "+err.Error())
			continue
		}
		clean = clean && p.Clean
		if p.Text != "" {
			texts = append(texts, p.Text)
		}
	}
	return runner.End{State: store.JobSucceeded, Save: func(tx *store.Tx, j *store.Job) error {
		of, err := tx.Job(recordOf(j).From)
		if err != nil || of.State != store.JobUnknown {
			return err
		}
		rec := recordOf(of)
		rec.Probe, rec.Clean = strings.Join(texts, "\n"), clean
		if err := setRecord(of, rec); err != nil {
			return err
		}
		return tx.PutJob(of)
	}}
}

func (f *feature) probeChanged(tx *store.Tx, j *store.Job, urgent bool) error {
	if j.Operation == "" {
		return nil
	}
	return tell.Mark(tx, j.Operation, urgent)
}
