package deploy

import (
	"errors"
	"slices"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

func isPlanned(w *world, number int, head string) func(tx *store.Tx) (bool, error) {
	return func(tx *store.Tx) (bool, error) {
		p, err := tx.Pull(1, number)
		if err != nil {
			return false, err
		}
		_, ready := counts(p, p.Targets)
		return ready && p.Head == head, nil
	}
}

// Somebody pushes and takes the push back: the first head is planned again.
func TestForcePushedBack(t *testing.T) {
	w := newWorld(t)
	pr := w.forge.newPull(integrations.PullRequest{Title: "network", Author: "alice", Branch: "net", Base: "main", Head: "aaa"}, "network/main.tf")
	w.hook(pr)
	w.wait("planned at aaa", isPlanned(w, pr.Number, "aaa"))
	for _, head := range []string{"bbb", "aaa", "bbb"} {
		w.hook(w.forge.edit(pr.Number, func(p *integrations.PullRequest) { p.Head = head }))
		w.wait("planned at "+head, isPlanned(w, pr.Number, head))
	}
}

// A pull request that is closed while it is planned, and reopened, is planned.
func TestReopenedAfterAPlanWasDropped(t *testing.T) {
	w := newWorld(t)
	hold := make(chan struct{})
	w.tool.set(func(f *fakeTool) { f.gate = hold })
	pr := w.forge.newPull(integrations.PullRequest{Title: "network", Author: "alice", Branch: "net", Base: "main", Head: "aaa"}, "network/main.tf")
	w.hook(pr)
	w.hook(w.forge.edit(pr.Number, func(p *integrations.PullRequest) { p.State = "closed" }))
	w.wait("the plan is dropped", func(tx *store.Tx) (bool, error) {
		all, err := tx.JobsByPull(1, pr.Number)
		all = slices.DeleteFunc(all, func(j *store.Job) bool { return j.Kind != kindPlan })
		return len(all) == 1 && all[0].Terminal(), err
	})
	w.tool.set(func(f *fakeTool) { f.gate = nil })
	w.hook(w.forge.edit(pr.Number, func(p *integrations.PullRequest) { p.State = "open" }))
	w.wait("planned at aaa", isPlanned(w, pr.Number, "aaa"))
	close(hold)
}

// Older sights after newer ones, and the same one twice, change nothing.
func TestWebhooksOutOfOrder(t *testing.T) {
	w := newWorld(t)
	opened := w.forge.newPull(integrations.PullRequest{Title: "network", Author: "alice", Branch: "net", Base: "main", Head: "aaa"}, "network/main.tf")
	pushed := w.forge.edit(opened.Number, func(p *integrations.PullRequest) { p.Head = "bbb" })
	merged := w.forge.mergeAs(opened.Number, "bob")
	for _, pr := range []integrations.PullRequest{merged, opened, pushed, merged} {
		w.hook(pr)
	}
	w.view(func(tx *store.Tx) error {
		p, err := tx.Pull(1, opened.Number)
		if p.State != "merged" || p.Head != "bbb" || !p.Applied {
			t.Errorf("it is %s at %s, applied %v", p.State, p.Head, p.Applied)
		}
		return err
	})
	if n := len(w.jobs(kindApply)); n != 1 {
		t.Errorf("%d applies came of one merge", n)
	}
}

// A base branch that was moved back lost what an open pull request was cut from, so
// that its merge brings that again: it is planned, and waits for somebody's yes.
func TestAMergeBringsMoreThanItsPullRequestShowed(t *testing.T) {
	w := newWorld(t)
	pr := w.forge.newPull(integrations.PullRequest{Title: "words", Author: "alice", Branch: "words", Base: "main", Head: "aaa"}, "docs/words.md")
	w.hook(pr)
	w.forge.do(func() { w.forge.lostBase = []string{"network/main.tf"} })
	w.hook(w.forge.mergeAs(pr.Number, "bob"))
	w.wait("it waits for a confirmation", func(*store.Tx) (bool, error) {
		all := w.jobs(kindApply)
		return len(all) == 1 && all[0].Target == "network/production" && all[0].State == store.JobNeedsConfirm, nil
	})
	w.hook(*w.forge.find(pr.Number))
	if n := len(w.jobs(kindApply)); n != 1 {
		t.Errorf("%d applies came of one merge", n)
	}
}

// Reopening gives back an operation that can be merged, whatever was under way
// when it was closed.
func TestReopenedOperation(t *testing.T) {
	w := newWorld(t)
	op := w.planned(w.deploy("alice", "staging").ID)
	alice := store.Person{Name: "alice"}
	w.update(func(tx *store.Tx) error { // the merge was asked for and the pull request closed meanwhile
		o, err := tx.Operation(op.ID)
		if err != nil {
			return err
		}
		o.MergeAskedBy = &alice
		return tx.PutOperation(o)
	})
	w.hook(w.forge.edit(op.PR, func(p *integrations.PullRequest) { p.State = "closed" }))
	w.reaches(op.ID, store.OpClosed)
	w.wait("the branch is deleted", func(*store.Tx) (bool, error) { return w.forge.gone(op.Branch), nil })
	w.hook(w.forge.edit(op.PR, func(p *integrations.PullRequest) { p.State = "open" }))
	op = w.reaches(op.ID, store.OpOpen)
	if !op.Ended.IsZero() || op.MergeAskedBy != nil {
		t.Errorf("reopened: ended %v, merge asked by %v", op.Ended, op.MergeAskedBy)
	}
	w.planned(op.ID)
	w.must("alice", "merge", about(op.ID))
	w.reaches(op.ID, store.OpSucceeded)
}

// A merge of a head that was pushed after somebody had pressed Merge is not theirs.
func TestMergedAtAnotherHead(t *testing.T) {
	w := newWorld(t)
	op := w.planned(w.deploy("alice", "production").ID)
	w.must("bob", "approve", about(op.ID))
	bob := store.Person{Name: "bob", Slack: "UB", GitHub: "bob"}
	w.update(func(tx *store.Tx) error { // bob pressed Merge; the job that does it has not come to it
		o, err := tx.Operation(op.ID)
		if err != nil {
			return err
		}
		o.MergeAskedBy = &bob
		return tx.PutOperation(o)
	})
	w.forge.edit(op.PR, func(p *integrations.PullRequest) { p.Head = "eee" })
	w.hook(w.forge.mergeAs(op.PR, "mallory"))
	w.apply(op.ID, store.JobBlocked)
	op = w.op(op.ID, nil)
	if op.MergedBy.Name == "bob" {
		t.Error("a merge by mallory of a head that bob has not seen counts as his")
	}
	if n := w.tool.count(); n != 0 {
		t.Error("it was applied")
	}
}

// Whoever retargets a deploy pull request and merges it elsewhere has not
// deployed to where it was meant for.
func TestMergedIntoAnotherBranch(t *testing.T) {
	w := newWorld(t)
	op := w.planned(w.deploy("alice", "staging").ID)
	w.hook(w.forge.edit(op.PR, func(p *integrations.PullRequest) { p.Base = "deployment/production" }))
	w.hook(w.forge.mergeAs(op.PR, "alice"))
	op = w.reaches(op.ID, store.OpClosed)
	contains(t, op.Note, "deployment/production")
	if n := w.tool.count(); n != 0 {
		t.Errorf("something was applied %d times", n)
	}
	w.wait("web/production alone waits, for a second person", func(*store.Tx) (bool, error) {
		all := w.jobs(kindApply)
		return len(all) == 1 && all[0].Target == "web/production" && all[0].State == store.JobBlocked, nil
	})
}

// A deploy pull request that touches another target's paths too is applied there too.
func TestTouchesMoreThanItsTargets(t *testing.T) {
	w := newWorld(t)
	op := w.planned(w.deploy("alice", "production").ID)
	w.forge.do(func() { w.forge.files[op.PR] = []string{"app/main.go", "cdn/main.tf"} })
	w.hook(w.forge.edit(op.PR, func(p *integrations.PullRequest) { p.Head = "eee" }))
	w.wait("both are planned", isPlanned(w, op.PR, "eee"))
	w.hook(w.forge.mergeAs(op.PR, "bob"))
	w.reaches(op.ID, store.OpSucceeded)
	w.wait("both are applied", func(*store.Tx) (bool, error) { return w.tool.count() == 2, nil })
}

// What cannot be read of one pull request does not keep the others from being seen.
func TestReconcileGoesOn(t *testing.T) {
	w := newWorld(t)
	bad := w.forge.newPull(integrations.PullRequest{Title: "bad", Author: "alice", Branch: "bad", Base: "main", Head: "aaa"}, "network/main.tf")
	good := w.forge.newPull(integrations.PullRequest{Title: "good", Author: "alice", Branch: "good", Base: "main", Head: "bbb"}, "network/main.tf")
	w.forge.errs["PullFiles 1"] = errors.New("GitHub says 502")
	if err := w.f.reconcile(t.Context()); err == nil {
		t.Error("what went wrong is not said")
	}
	w.wait("the other is planned", isPlanned(w, good.Number, "bbb"))
	w.forge.do(func() { delete(w.forge.errs, "PullFiles 1") })
	if err := w.f.reconcile(t.Context()); err != nil {
		t.Error(err)
	}
	w.wait("planned at last", isPlanned(w, bad.Number, "aaa"))
}

// GitHub's list of changed files may be that of the head before.
func TestFilesAreThoseOfTheHead(t *testing.T) {
	w := newWorld(t)
	pr := w.forge.newPull(integrations.PullRequest{Title: "network", Author: "alice", Branch: "net", Base: "main", Head: "aaa", BaseSHA: "base"}, "README.md")
	w.forge.touched = map[string][]string{"aaa": {"network/main.tf"}}
	w.hook(pr)
	w.wait("planned at aaa", isPlanned(w, pr.Number, "aaa"))
}

// The first look at a branch may fail half the way. What is merged after it is
// found by the next one all the same.
func TestAMergeAfterAFirstLookThatFailedIsFound(t *testing.T) {
	w := newWorld(t)
	w.forge.do(func() { w.forge.errs["RecentPulls"] = errors.New("502") })
	if err := w.f.reconcile(t.Context()); err == nil {
		t.Fatal("the first look did not fail")
	}
	pr := w.forge.newPull(integrations.PullRequest{Title: "unheard", Author: "alice", Branch: "unheard", Base: "main", Head: "aaa"}, "network/main.tf")
	w.forge.mergeAs(pr.Number, "bob")
	w.forge.do(func() { delete(w.forge.errs, "RecentPulls") })
	if err := w.f.reconcile(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.wait("the merge is taken in", func(tx *store.Tx) (bool, error) {
		all, err := tx.JobsByPull(pr.RepoID, pr.Number)
		return len(all) > 0, err
	})
}
