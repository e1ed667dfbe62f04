package deploy

import (
	"slices"
	"testing"

	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// After an apply, open pull requests on the same target are planned again.

func (w *world) pull(number int) (p *store.Pull) {
	w.t.Helper()
	w.view(func(tx *store.Tx) (err error) { p, err = tx.Pull(1, number); return err })
	return p
}

// planJobs are the plans made for a pull request.
func (w *world) planJobs(number int) (out []*store.Job) {
	w.t.Helper()
	w.view(func(tx *store.Tx) error {
		all, err := tx.JobsByPull(1, number)
		out = slices.DeleteFunc(all, func(j *store.Job) bool { return j.Kind != kindPlan })
		return err
	})
	return out
}

func (w *world) digest(number int, target string) string {
	return plansOf(w.pull(number).Plans[target]).Digest()
}

func TestRuleAfterAnApplyOpenPullRequestsArePlannedAgain(t *testing.T) {
	w := wavesWorld(t)
	open := w.planPull("open", "a/x", "b/x")
	other := w.planPull("other", "b/x")
	was := w.digest(open.Number, "a/production")
	pr := w.planPull("aaa", "a/x")
	end := w.slow("a/production")
	w.hook(w.forge.mergeAs(pr.Number, "bob"))
	op := w.opOf(pr.Number)
	w.job(op, "a/production", func(j *store.Job) bool { return j.Phase == phaseApply })
	w.plans("a/production", onePlan("changed"))
	hold := make(chan struct{})
	w.tool.set(func(f *fakeTool) { f.gate = hold })
	end()
	w.reaches(op.ID, store.OpSucceeded)
	p := w.pull(open.Number)
	if planned := p.Plans["a/production"]; !renewing(planned) || plansOf(planned).Digest() != was {
		t.Errorf("while it is renewed, the plan is %+v", planned)
	}
	q := gate.Question{At: gate.AtMerge, Now: w.clock.Now(), Catalog: w.cat, Environment: "production", Targets: p.Targets, Pull: p, Head: p.Head}
	w.view(func(tx *store.Tx) error {
		if closed := gate.Ask(tx, q, "covers"); len(closed) != 1 {
			t.Errorf("meanwhile these gates are closed: %+v", closed)
		}
		contains(t, planBlocks("a/production", p, p.Plans["a/production"])[0].Text.Plain(), "is planned again because the target was changed since")
		return nil
	})
	w.tool.set(func(f *fakeTool) { f.gate = nil })
	close(hold)
	w.wait("it is planned again", func(*store.Tx) (bool, error) { return w.digest(open.Number, "a/production") != was, nil })
	if n := len(w.planJobs(open.Number)); n != 3 { // a and b, and a again
		t.Errorf("%d plans were made of it", n)
	}
	if n := len(w.planJobs(other.Number)); n != 1 {
		t.Errorf("%d plans were made of one that touches another target", n)
	}
}

// An approval is for the head, which has not moved.
func TestAnApprovalOutlivesARenewedPlan(t *testing.T) {
	w := newWorld(t)
	op := w.planned(w.deploy("alice", "production").ID)
	w.must("bob", "approve", about(op.ID))
	pr := w.forge.newPull(integrations.PullRequest{Title: "app", Author: "alice", Branch: "app", Base: "deployment/production", Head: "bbb"}, "app/x")
	w.hook(pr)
	w.wait("planned", isPlanned(w, pr.Number, "bbb"))
	w.hook(w.forge.mergeAs(pr.Number, "bob"))
	w.reaches(w.opOf(pr.Number).ID, store.OpSucceeded)
	w.wait("it is planned again", func(*store.Tx) (bool, error) { return len(w.planJobs(op.PR)) == 2, nil })
	op = w.planned(op.ID)
	if len(op.Approvals) != 1 || op.Approvals[0].Head != op.Head {
		t.Errorf("its approvals are %+v at %s", op.Approvals, op.Head)
	}
}

// Several applies in a row make one plan: what waits to be planned sees them all.
func TestSeveralAppliesMakeOnePlan(t *testing.T) {
	w := wavesWorld(t)
	open := w.planPull("open", "a/x")
	w.stop()
	for i := range 3 {
		w.update(func(tx *store.Tx) error {
			return w.f.replanOpen(tx, nil, &store.Job{ID: "job-99", Attempt: i + 1, Target: "a/production", State: store.JobSucceeded})
		})
	}
	if n := len(w.planJobs(open.Number)); n != 2 {
		t.Errorf("%d plans were queued", n)
	}
}

// A plan that was under way may have seen the target before the apply.
func TestAPlanUnderWayIsMadeAgain(t *testing.T) {
	w := wavesWorld(t)
	hold := make(chan struct{})
	w.tool.set(func(f *fakeTool) { f.gate = hold })
	pr := w.forge.newPull(integrations.PullRequest{Title: "open", Author: "alice", Branch: "open", Base: "main", Head: "open"}, "a/x")
	w.hook(pr)
	w.wait("it is being planned", func(*store.Tx) (bool, error) {
		all := w.planJobs(pr.Number)
		return len(all) == 1 && all[0].State == store.JobRunning, nil
	})
	w.update(func(tx *store.Tx) error {
		return w.f.replanOpen(tx, nil, &store.Job{ID: "job-99", Attempt: 1, Target: "a/production", State: store.JobSucceeded})
	})
	w.tool.set(func(f *fakeTool) { f.gate = nil })
	w.wait("planned", isPlanned(w, pr.Number, "open"))
	if all := w.planJobs(pr.Number); len(all) != 2 || w.pull(pr.Number).Plans["a/production"].Job != all[1].ID {
		t.Errorf("the plans are %+v", all)
	}
	close(hold)
}

// A fork's code is run only where somebody asked for it; what was empty changes
// nothing.
func TestWhatIsNotPlannedAgain(t *testing.T) {
	w := wavesWorld(t)
	fork := w.planPull("fork", "a/x")
	w.update(func(tx *store.Tx) error {
		p, err := tx.Pull(1, fork.Number)
		if err != nil {
			return err
		}
		p.Fork = true
		return tx.PutPull(p)
	})
	w.stop()
	after := func(state string) int {
		w.update(func(tx *store.Tx) error {
			return w.f.replanOpen(tx, nil, &store.Job{ID: "job-99", Attempt: 1, Target: "a/production", State: state})
		})
		return len(w.planJobs(fork.Number))
	}
	if n := after(store.JobSucceeded); n != 1 {
		t.Errorf("a fork was planned %d times", n)
	}
	w.update(func(tx *store.Tx) error {
		p, err := tx.Pull(1, fork.Number)
		if err != nil {
			return err
		}
		p.ForkAllowed = p.Head
		return tx.PutPull(p)
	})
	if n := after(store.JobNoop); n != 1 {
		t.Errorf("an empty apply had it planned %d times", n)
	}
	if n := after(store.JobSucceeded); n != 2 {
		t.Errorf("a fork that was let was planned %d times", n)
	}
}

// A pull request that is merged while its plan is renewed is held to the plan
// that people saw.
func TestMergedWhileItsPlanIsRenewed(t *testing.T) {
	w := wavesWorld(t)
	open := w.planPull("open", "a/x")
	hold := make(chan struct{})
	w.tool.set(func(f *fakeTool) { f.gate = hold })
	w.update(func(tx *store.Tx) error {
		return w.f.replanOpen(tx, nil, &store.Job{ID: "job-99", Attempt: 1, Target: "a/production", State: store.JobSucceeded})
	})
	w.wait("it is being renewed", func(*store.Tx) (bool, error) { return len(w.planJobs(open.Number)) == 2, nil })
	w.hook(w.forge.mergeAs(open.Number, "bob"))
	w.tool.set(func(f *fakeTool) { f.gate = nil })
	close(hold)
	w.reaches(w.opOf(open.Number).ID, store.OpSucceeded)
}
