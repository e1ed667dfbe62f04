package deploy

import (
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// The rule of the second person, by every way around it that we could think of.

func TestRuleTheRequesterIsNeverTheApprover(t *testing.T) {
	w := newWorld(t)
	op := w.planned(w.deploy("alice", "production").ID)
	w.refused("alice", "approve", "own", about(op.ID))
	w.refused("alice", "merge", "approvals", about(op.ID))
	w.refused("carol", "approve", "not_allowed", about(op.ID))
	w.refused("dave", "approve", "not_allowed", about(op.ID)) // who may in staging
	w.must("bob", "approve", about(op.ID))
	w.refused("bob", "approve", "already", about(op.ID))
	w.must("alice", "merge", about(op.ID))
	w.reaches(op.ID, store.OpSucceeded)
}

func TestRuleAnApprovalIsForOneHead(t *testing.T) {
	w := newWorld(t)
	op := w.planned(w.deploy("alice", "production").ID)
	w.must("bob", "approve", about(op.ID))
	w.pushes(op.PR, "alice", true)
	w.refused("alice", "merge", "approvals", about(op.ID))
}

func TestRuleAMergeOnGitHubThatSkippedAGateIsBlocked(t *testing.T) {
	w := newWorld(t)
	op := w.planned(w.deploy("alice", "production").ID)
	w.forge.do(func() { // and her own review does not help
		w.forge.reviews[op.PR] = []integrations.Review{{Author: "alice", State: "APPROVED", Head: op.Head}, {Author: "mallory", State: "APPROVED", Head: op.Head}}
	})
	w.hook(w.forge.mergeAs(op.PR, "alice"))
	j := w.apply(op.ID, store.JobBlocked)
	w.refused("alice", "approve", "own", about(op.ID))
	w.refused("alice", "approve", "own", about(j.ID))
	w.must("alice", "retry", about(op.ID)) // asks the gates again, and they are closed still
	w.wait("blocked again", func(tx *store.Tx) (bool, error) {
		now, err := tx.Job(j.ID)
		return now.State == store.JobBlocked && now.Version > j.Version+1, err
	})
	if n := w.tool.count(); n != 0 {
		t.Fatal("it was applied")
	}
	w.must("bob", "approve", about(op.ID))
	w.reaches(op.ID, store.OpSucceeded)
}

// Who presses Merge here after a stranger has merged on GitHub, unseen, did not
// merge it.
func TestAStrangersMergeIsNotThatOfWhoeverAskedForOne(t *testing.T) {
	w := newWorld(t)
	op := w.planned(w.deploy("alice", "production").ID)
	w.must("bob", "approve", about(op.ID))
	w.forge.mergeAs(op.PR, "mallory") // and the webhook is lost
	w.must("bob", "merge", about(op.ID))
	contains(t, w.apply(op.ID, store.JobBlocked).Why, "mallory")
	if by := w.op(op.ID, nil).MergedBy; by.Name != "" || by.GitHub != "mallory" {
		t.Errorf("it was merged by %+v", by)
	}
}

func TestRuleAReviewOnGitHubCountsAtItsHead(t *testing.T) {
	w := newWorld(t)
	op := w.planned(w.deploy("alice", "production").ID)
	w.forge.do(func() {
		w.forge.reviews[op.PR] = []integrations.Review{{Author: "bob", State: "APPROVED", Head: "an older head"}, {Author: "Bob", State: "APPROVED", Head: op.Head}}
	})
	w.hook(w.forge.mergeAs(op.PR, "alice"))
	w.reaches(op.ID, store.OpSucceeded)
}

func TestWhoeverRetriesDoesNotBecomeTheRequester(t *testing.T) {
	w := newWorld(t)
	w.forge.errs["CreateBranch"] = integrations.ErrNotFound
	r := w.must("alice", "deploy", map[string]string{"service": "web", "environment": "production"})
	w.reaches(r.Subject, store.OpFailed)
	w.forge.do(func() { delete(w.forge.errs, "CreateBranch") })
	w.must("bob", "retry", about(r.Subject))
	op := w.planned(r.Subject)
	if op.Requester.Name != "alice" {
		t.Errorf("it was asked for by %s", op.Requester.Name)
	}
	w.refused("alice", "approve", "own", about(op.ID))
}

// A commit pushed past every pull request is confirmed by somebody who neither
// pushed nor wrote it, also when the webhook that names the pusher is lost.
func TestUnplannedWantsSomebodyElse(t *testing.T) {
	for _, lost := range []bool{false, true} {
		w := newWorld(t)
		if err := w.f.reconcile(t.Context()); err != nil { // the branch is known from here on
			t.Fatal(err)
		}
		before := w.forge.branches["main"]
		var sha string
		author := map[bool]string{false: "dave", true: "alice"}[lost]
		w.forge.do(func() { sha = w.forge.commit(author); w.forge.branches["main"] = sha })
		if lost {
			if err := w.f.reconcile(t.Context()); err != nil {
				t.Fatal(err)
			}
		} else {
			w.push("main", before, sha, "alice")
		}
		w.wait("it asks", func(*store.Tx) (bool, error) { return len(w.jobs(kindApply)) == 1, nil })
		id := w.jobs(kindApply)[0].Operation
		w.apply(id, store.JobNeedsConfirm)
		w.refused("alice", "confirm", "own", about(id))
		w.must("bob", "confirm", about(id))
		w.reaches(id, store.OpSucceeded)
	}
}

// The plan of what was merged differs from the reviewed one: whoever asked does
// not let it go on alone.
func TestRuleAnotherPlanIsConfirmedBySomebodyElse(t *testing.T) {
	w := newWorld(t)
	op := w.planned(w.deploy("alice", "production").ID)
	w.must("bob", "approve", about(op.ID))
	w.tool.set(func(f *fakeTool) { f.plan = onePlan("something else") })
	w.must("alice", "merge", about(op.ID))
	j := w.apply(op.ID, store.JobNeedsConfirm)
	w.view(func(tx *store.Tx) error {
		if _, err := tx.RunLock(j.Target); err == nil {
			t.Error("a job that waits for a person keeps the run lock")
		}
		return nil
	})
	w.refused("alice", "confirm", "own", about(op.ID))
	w.refused("dave", "confirm", "not_allowed", about(j.ID))
	if _, err := w.press("bob", "confirm", stampOf("another plan"), about(j.ID)); err == nil {
		t.Error("a button that was drawn for another plan confirmed this one")
	}
	w.tool.set(func(f *fakeTool) { f.plan = onePlan("yet another") })
	w.must("bob", "confirm", about(j.ID)) // it changes again: asked again
	w.wait("it asks again", func(tx *store.Tx) (bool, error) {
		now, err := tx.Job(j.ID)
		return now.State == store.JobNeedsConfirm && now.Attempt == 2, err
	})
	if n := w.tool.count(); n != 0 {
		t.Fatal("a plan that nobody confirmed was applied")
	}
	w.must("bob", "confirm", about(j.ID))
	w.reaches(op.ID, store.OpSucceeded)
}

// Where two have to agree to a change, one of them, and never whoever asked,
// confirms what its plan became at the merge.
func TestRuleOneConfirmsAlsoWhereTwoApprove(t *testing.T) {
	w := newWorld(t)
	w.cat.Environments[1].Approvals = 2
	w.cat.Rules[0].Groups = append(w.cat.Rules[0].Groups, "stagers") // dave may approve, too
	op := w.planned(w.deploy("alice", "production").ID)
	w.must("bob", "approve", about(op.ID))
	w.must("dave", "approve", about(op.ID))
	w.tool.set(func(f *fakeTool) { f.plan = onePlan("something else") })
	w.must("alice", "merge", about(op.ID))
	j := w.apply(op.ID, store.JobNeedsConfirm)
	w.refused("alice", "confirm", "own", about(j.ID))
	w.refused("carol", "confirm", "not_allowed", about(j.ID))
	w.must("bob", "confirm", about(j.ID))
	w.reaches(op.ID, store.OpSucceeded)
}

// Whoever takes newer commits in has chosen the head, and is not the second
// person to it; whoever asked first may be.
func TestIncludeIsNotApprovedByWhoeverDidIt(t *testing.T) {
	w := newWorld(t)
	op := w.planned(w.deploy("alice", "production").ID)
	var sha string
	w.forge.do(func() { sha = w.forge.commit("bob"); w.forge.branches["main"] = sha })
	w.must("bob", "include", about(op.ID))
	w.op(op.ID, func(o *store.Operation) bool { return o.ToSHA == sha })
	w.wait("planned at the new head", isPlanned(w, op.PR, sha))
	w.refused("bob", "approve", "own", about(op.ID))
	w.refused("bob", "merge", "approvals", about(op.ID))
	w.must("alice", "approve", about(op.ID))
	w.must("bob", "merge", about(op.ID))
	w.reaches(op.ID, store.OpSucceeded)
}
