package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/commands/runner"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// Drift is what a plan of the commit that was applied last finds to do: nobody
// merged that. A target on which nothing was ever applied has none.

// handworkEvery is how often a target is looked at that somebody changed by hand,
// until its plan is empty.
const handworkEvery = 10 * time.Minute

// look is what is known of a target's last look.
type look struct {
	At      time.Time `json:"at"` // when it was asked for
	Job     string    `json:"job"`
	Ended   time.Time `json:"ended,omitzero"`
	Error   string    `json:"error,omitempty"` // why it told nothing
	Drifted string    `json:"drifted,omitempty"`
	Blind   string    `json:"blind,omitempty"` // since when looks fail: the id of a blind
}

// lookFeature keeps looks by target.
const lookFeature = "look"

// drifts queues a look at every target whose time has come.
func (f *feature) drifts(ctx context.Context) error {
	var due []integrations.Target
	err := f.Store.View(func(tx *store.Tx) error {
		for _, t := range f.Catalog().Targets {
			is, err := f.due(tx, t)
			if err != nil {
				return err
			}
			if is {
				due = append(due, t)
			}
		}
		return nil
	})
	if err != nil || len(due) == 0 {
		return err
	}
	return f.Store.Update(ctx, func(tx *store.Tx) error {
		for _, t := range due {
			// One job a day and target, which looks again and again, keeps the store small.
			if _, err := f.queueLook(tx, t, f.Clock.Now().UTC().Format(time.DateOnly), store.Person{}); err != nil {
				return err
			}
		}
		return nil
	})
}

// due says whether a target is to be looked at now: on its own time, or because
// of handwork. One that an apply left dirty is known not to be as it should.
func (f *feature) due(tx *store.Tx, t integrations.Target) (bool, error) {
	byApply, byHand, err := dirtyOn(tx, t.Name)
	if err != nil {
		return false, err
	}
	every := t.Drift
	if len(byHand) > 0 && (every == 0 || every > handworkEvery) {
		every = handworkEvery
	}
	if every == 0 || byApply != nil && len(byHand) == 0 {
		return false, nil
	}
	last, _, err := store.Feature[look](tx, lookFeature).Get(t.Name)
	if err != nil {
		return false, err
	}
	fresh := slices.ContainsFunc(byHand, func(h *store.Hold) bool { return h.Created.After(last.At) })
	if f.Clock.Now().Sub(last.At) < every && !fresh {
		return false, nil
	}
	by, err := f.busy(tx, t.Name)
	return by == "", err
}

// busy names the job that is changing a target, or is about to, or of which
// nobody knows how it ended: what a plan would find now says nothing.
func (f *feature) busy(tx *store.Tx, target string) (string, error) {
	switch l, err := tx.RunLock(target); {
	case err == nil:
		return l.Job, nil
	case !errors.Is(err, store.ErrNotFound):
		return "", err
	}
	queue, err := tx.TargetQueue(target)
	if err != nil {
		return "", err
	}
	for _, j := range queue {
		if j.State != store.JobBlocked && j.State != store.JobNeedsConfirm {
			return j.ID, nil
		}
	}
	return "", nil
}

// queueLook queues a look at the commit that was applied last. Handwork, and a
// target on which nothing was applied yet, are held to the base branch's head,
// which the job finds out when it runs.
func (f *feature) queueLook(tx *store.Tx, t integrations.Target, key string, who store.Person) (*store.Job, error) {
	last, _, err := gate.LastOn(tx, t.Name)
	if err != nil {
		return nil, err
	}
	_, byHand, err := dirtyOn(tx, t.Name)
	if err != nil {
		return nil, err
	}
	j := &store.Job{Key: "drift|" + t.Name + "|" + key, Kind: kindDrift, Target: t.Name, Repo: t.Repository, Base: t.Base, Requester: who, Created: f.Clock.Now()}
	if old, err := tx.JobByKey(j.Key); err == nil {
		if j = old; !j.Terminal() {
			return j, nil
		}
	} else if !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	j.State, j.SHA, j.Data, j.Why, j.Ended = store.JobQueued, "", nil, "", time.Time{}
	if last.Good != nil && len(byHand) == 0 {
		j.SHA = last.Good.SHA
	}
	if j.ID == "" {
		if _, _, err = tx.InsertJob(j); err != nil {
			return nil, err
		}
	} else if err = tx.PutJob(j); err != nil {
		return nil, err
	}
	looks := store.Feature[look](tx, lookFeature)
	now, _, err := looks.Get(t.Name)
	if err != nil {
		return nil, err
	}
	now.At, now.Job, now.Error = f.Clock.Now(), j.ID, ""
	return j, looks.Put(t.Name, now)
}

// drift is the look: a plan, with the credentials of one.
func (f *feature) drift(ctx context.Context, r *runner.Run) runner.End {
	t, ok := f.Catalog().Target(r.Job.Target)
	if !ok {
		return runner.Failed(fmt.Errorf("no target is called %q any more", r.Job.Target))
	}
	if r.Job.SHA == "" {
		head, err := f.Forge.BranchHead(ctx, t.Repository, t.Base)
		if err == nil {
			err = r.Update(ctx, func(_ *store.Tx, j *store.Job) error {
				j.SHA = head
				return setRecord(j, record{Branch: t.Base})
			})
		}
		if err != nil {
			return beginAgain(r.Job, fmt.Errorf("find the head of %s: %w", t.Base, err))
		}
	}
	tree, err := f.checkout(ctx, r)
	if err != nil {
		return beginAgain(r.Job, fmt.Errorf("check out %s: %w", short(r.Job.SHA), err))
	}
	plans, err := f.planSteps(ctx, r, t, tree)
	if err != nil {
		return offering(runner.Failed(err))
	}
	return runner.End{State: store.JobSucceeded, Save: func(_ *store.Tx, j *store.Job) error {
		rec := recordOf(j)
		rec.Plans = plans
		return setRecord(j, rec)
	}}
}

// driftChanged takes in what a look found.
func (f *feature) driftChanged(tx *store.Tx, j *store.Job, urgent bool) error {
	if err := tell.Mark(tx, j.ID, urgent); err != nil || !j.Terminal() || !urgent {
		return err
	}
	looks := store.Feature[look](tx, lookFeature)
	l, _, err := looks.Get(j.Target)
	if err != nil {
		return err
	}
	l.Ended, l.Error = f.Clock.Now(), ""
	switch j.State {
	case store.JobSucceeded:
		err = errors.Join(f.sees(tx, &l), f.found(tx, j, &l))
	case store.JobFailed:
		if l.Error = j.Why; l.Error == "" {
			l.Error = j.Error
		}
		err = f.blinded(tx, j, &l)
	default:
		l.Error = j.Why
	}
	if err != nil {
		return err
	}
	return looks.Put(j.Target, l)
}

// found judges the plan of a look. What an apply has overtaken says nothing.
func (f *feature) found(tx *store.Tx, j *store.Job, l *look) error {
	last, _, err := gate.LastOn(tx, j.Target)
	if err != nil {
		return err
	}
	by, err := f.busy(tx, j.Target)
	if err != nil {
		return err
	}
	if by != "" || last.Job != "" && (last.Ended.IsZero() || last.Ended.After(j.Started)) {
		l.Error = "an apply came in between"
		return nil
	}
	byApply, byHand, err := dirtyOn(tx, j.Target)
	if err != nil {
		return err
	}
	rec := recordOf(j)
	applied := last.Good != nil && j.SHA == last.Good.SHA
	switch {
	case rec.Plans.Empty():
		if rec.Branch != "" {
			if err := f.endHandwork(tx, byHand, j, "an empty plan of "+rec.Branch+" ("+j.ID+")"); err != nil {
				return err
			}
		}
		if applied || rec.Branch != "" {
			return f.driftGone(tx, l, "its plan is empty again")
		}
	case applied && byApply == nil && len(byHand) == 0:
		return f.drifted(tx, j, l, last, rec.Plans)
	}
	return nil
}

// lookAgain looks at a target that had drifted as soon as an apply is over.
func (f *feature) lookAgain(tx *store.Tx, _ *store.Operation, j *store.Job) error {
	looks := store.Feature[look](tx, lookFeature)
	l, _, err := looks.Get(j.Target)
	if err != nil || l.Drifted == "" {
		return err
	}
	switch j.State {
	case store.JobNoop:
		if err := f.driftGone(tx, &l, j.ID+" found nothing to change"); err != nil {
			return err
		}
		return looks.Put(j.Target, l)
	case store.JobSucceeded:
		if t, ok := f.Catalog().Target(j.Target); ok {
			_, err = f.queueLook(tx, t, fmt.Sprintf("after %s %d", j.ID, j.Attempt), store.Person{})
		}
	}
	return err
}
