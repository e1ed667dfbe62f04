package deploy

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/calendar"
	"github.com/signalbox-chatops/signalbox/store"
)

// Who supersedes a line of requests takes its place: nothing waits for one that
// is over already.
func TestSupersedingALineDoesNotWaitForEver(t *testing.T) {
	w := newWorld(t)
	first := w.planned(w.deploy("alice", "staging").ID)
	second := w.must("bob", "deploy", web("staging", "queue")).Subject
	third := w.must("alice", "deploy", web("staging", "supersede")).Subject
	w.reaches(first.ID, store.OpClosed)
	contains(t, w.reaches(second, store.OpClosed).Note, "Superseded by "+third)
	w.reaches(third, store.OpOpen)
}

// What a turn was missed of is found by looking: nobody wakes what waits for one
// that is over.
func TestWhatWaitsForOneThatIsOverIsOpened(t *testing.T) {
	w := newWorld(t)
	first := w.planned(w.deploy("alice", "staging").ID)
	second := w.must("bob", "deploy", web("staging", "queue")).Subject
	w.must("alice", "cancel", about(first.ID))
	w.reaches(second, store.OpOpen)
	third := w.must("alice", "deploy", web("staging", "queue")).Subject
	w.update(func(tx *store.Tx) error { // as an older version may have left it
		op, err := tx.Operation(third)
		if err != nil {
			return err
		}
		op.Waits = first.ID
		return tx.PutOperation(op)
	})
	if err := w.f.waiting(context.Background()); err != nil {
		t.Fatal(err)
	}
	if op := w.op(third, nil); op.Waits != second {
		t.Errorf("it waits for %q", op.Waits)
	}
}

// A yes to staging is no yes to production: whoever turns the pull request to
// another branch takes nobody's approval along, nor what was passed alone.
func TestRetargetingTakesNoApprovalAlong(t *testing.T) {
	w := newWorld(t)
	op := w.planned(w.deploy("alice", "staging").ID)
	w.must("bob", "approve", about(op.ID))
	w.must("alice", "break-glass", because(op.ID, "down", "hotfix"))
	pr := w.forge.edit(op.PR, func(p *integrations.PullRequest) { p.Base = "deployment/production" })
	w.hook(pr)
	w.wait("planned for production, too", isPlanned(w, op.PR, op.Head))
	w.hook(w.forge.mergeAs(op.PR, "alice"))
	w.wait("production waits for a second person", func(tx *store.Tx) (bool, error) {
		all := w.jobs(kindApply)
		return len(all) == 1 && all[0].Target == "web/production" && (all[0].State == store.JobBlocked || all[0].Terminal()), nil
	})
	if n := w.tool.count(); n != 0 {
		t.Error("alice alone brought it to production")
	}
}

// Whoever pushed to a deploy pull request is not the second person to what it
// changes elsewhere, either.
func TestWhoPushedIsNotTheSecondPersonElsewhere(t *testing.T) {
	w := newWorld(t)
	op := w.planned(w.deploy("alice", "production").ID)
	head := w.forge.commit("bob")
	w.forge.do(func() { w.forge.files[op.PR] = []string{"app/main.go", "cdn/main.tf"} })
	w.hook(w.forge.edit(op.PR, func(p *integrations.PullRequest) { p.Head = head }))
	w.wait("planned at the new head", isPlanned(w, op.PR, head))
	w.hook(w.forge.mergeAs(op.PR, "bob"))
	w.wait("both wait", func(tx *store.Tx) (bool, error) {
		all := w.jobs(kindApply)
		return len(all) == 2 && all[0].State != store.JobQueued && all[1].State != store.JobQueued && all[0].State != store.JobRunning && all[1].State != store.JobRunning, nil
	})
	for _, j := range w.jobs(kindApply) {
		if j.State != store.JobBlocked {
			t.Errorf("%s of %s is %s", j.ID, j.Target, j.State)
		}
	}
}

// The pull request was turned to another branch while the merge was on its way:
// signalbox merges it into no branch that nobody asked for.
func TestNoMergeIntoAnotherBranch(t *testing.T) {
	w := newWorld(t)
	op := w.planned(w.deploy("alice", "staging").ID)
	w.forge.do(func() {
		w.forge.find(op.PR).Base = "deployment/production" // and no webhook told of it
	})
	w.must("bob", "merge", about(op.ID))
	op = w.op(op.ID, func(o *store.Operation) bool { return o.MergeAskedBy == nil })
	if p := w.forge.find(op.PR); p.State != "open" {
		t.Errorf("it is %s into %s", p.State, p.Base)
	}
	contains(t, op.Note, "deployment/production")
}

// What was begun on the target while the history was being compared counts: a
// lower commit does not run over a higher one.
func TestRuleLocalFactsAreThoseOfTheTransactionThatStarts(t *testing.T) {
	w := newWorld(t)
	op := w.planned(w.deploy("alice", "staging").ID)
	merged := w.forge.mergeAs(op.PR, "alice")
	newer := &store.Job{ID: "job-900", Target: "web/staging", SHA: w.forge.commit("bob"), Order: 900}
	w.update(func(tx *store.Tx) error {
		return gate.Begin(tx, &store.Job{ID: "job-800", Target: "web/staging", SHA: w.forge.order[0], Order: 1})
	})
	var once sync.Once
	w.forge.before["Contains"] = func() { // as the job looks, the newer one begins and ends
		once.Do(func() { w.update(func(tx *store.Tx) error { return gate.Begin(tx, newer) }) })
	}
	w.hook(merged)
	w.apply(op.ID, store.JobSuperseded)
	if n := w.tool.count(); n != 0 {
		t.Error("the lower commit was applied over the higher one")
	}
}

// approveButton is what the Approve button of an operation's card was drawn for.
func (w *world) approveButton(id string) (drawn uint64) {
	w.t.Helper()
	w.view(func(tx *store.Tx) error {
		v, err := w.f.view(tx, id)
		if err != nil {
			return err
		}
		_, list, err := w.f.next(tx, v)
		for _, b := range list {
			if b.Label == "Approve" {
				drawn = b.Version
			}
		}
		return err
	})
	if drawn == 0 {
		w.t.Fatalf("the card of %s has no Approve button", id)
	}
	return drawn
}

// A button that was drawn for one head approves no merge of another.
func TestApproveOfAnOldHeadDoesNotReleaseAMerge(t *testing.T) {
	w := newWorld(t)
	op := w.planned(w.deploy("alice", "production").ID)
	var drawn uint64
	w.view(func(tx *store.Tx) error {
		p, err := tx.Pull(1, op.PR)
		drawn = stamp(p, op.Targets)
		return err
	})
	head := w.forge.commit("alice")
	w.hook(w.forge.edit(op.PR, func(p *integrations.PullRequest) { p.Head = head }))
	w.wait("planned at the new head", isPlanned(w, op.PR, head))
	w.hook(w.forge.mergeAs(op.PR, "alice"))
	j := w.apply(op.ID, store.JobBlocked)
	var r *commands.Refusal
	if _, err := w.press("bob", "approve", drawn, about(op.ID)); !errors.As(err, &r) || r.Code != "stale" {
		t.Fatalf("bob's button of the old head: %v", err)
	}
	// The button of the blocked job is for why it is blocked now.
	drawn = w.approveButton(op.ID)
	w.update(func(tx *store.Tx) error {
		return tx.PutHold(&store.Hold{Kind: store.HoldDirty, Target: "web/production", Owner: store.Person{Name: "bob"}, Reason: "by hand"}, 0)
	})
	w.must("alice", "retry", about(op.ID))
	w.wait("blocked for two reasons", func(tx *store.Tx) (bool, error) {
		now, err := tx.Job(j.ID)
		return now.State == store.JobBlocked && len(now.Closed) == 2, err
	})
	if _, err := w.press("bob", "approve", drawn, about(op.ID)); !errors.As(err, &r) || r.Code != "stale" {
		t.Fatalf("bob's button for one of two reasons: %v", err)
	}
	if n := w.tool.count(); n != 0 {
		t.Error("it was applied")
	}
	if _, err := w.press("bob", "approve", w.approveButton(op.ID), about(op.ID)); err != nil {
		t.Fatal(err)
	}
	w.reaches(op.ID, store.OpSucceeded)
}

// An approval is for what kept a job when it was given: what leaves its target
// dirty later has not been looked at by anybody.
func TestAnApprovalIsNoFixOfWhatCameLater(t *testing.T) {
	w := newWorld(t)
	freeze := &store.Hold{Kind: store.HoldFreeze, Environment: "production", Owner: store.Person{Name: "bob"}, Reason: "audit"}
	op := w.planned(w.deploy("alice", "production").ID)
	w.update(func(tx *store.Tx) error { return tx.PutHold(freeze, 0) })
	w.hook(w.forge.mergeAs(op.PR, "alice"))
	w.apply(op.ID, store.JobBlocked)
	w.must("bob", "approve", about(op.ID)) // frozen still
	w.wait("blocked by the freeze alone", func(tx *store.Tx) (bool, error) {
		all := w.jobs(kindApply)
		return len(all) == 1 && len(all[0].Closed) == 1 && all[0].State == store.JobBlocked, nil
	})
	w.update(func(tx *store.Tx) error {
		if err := tx.DeleteHold(freeze.ID, freeze.Version); err != nil {
			return err
		}
		return tx.PutHold(&store.Hold{Kind: store.HoldDirty, Target: "web/production", Owner: store.Person{Name: "bob"}, Reason: "by hand"}, 0)
	})
	w.must("alice", "retry", about(op.ID))
	w.wait("it is blocked or over", func(tx *store.Tx) (bool, error) {
		j := w.jobs(kindApply)[0]
		return j.Terminal() || j.State == store.JobBlocked && len(j.Closed) == 1 && j.Closed[0] == "dirty", nil
	})
	if n := w.tool.count(); n != 0 {
		t.Error("it was applied to a dirty target")
	}
	if _, err := w.press("bob", "approve", w.approveButton(op.ID), about(op.ID)); err != nil {
		t.Fatal(err)
	}
	w.reaches(op.ID, store.OpSucceeded)
}

// Where two have to agree to what was merged, each of them counts.
func TestTwoApproveWhatIsBlocked(t *testing.T) {
	w := newWorld(t)
	w.cat.Environments[1].Approvals = 2
	w.cat.Rules[0].Groups = append(w.cat.Rules[0].Groups, "stagers") // dave may approve, too
	op := w.planned(w.deploy("alice", "production").ID)
	w.hook(w.forge.mergeAs(op.PR, "alice"))
	w.apply(op.ID, store.JobBlocked)
	w.must("bob", "approve", about(op.ID))
	j := w.apply(op.ID, store.JobBlocked)
	contains(t, j.Why, "only bob agreed")
	w.must("dave", "approve", about(op.ID))
	w.reaches(op.ID, store.OpSucceeded)
}

// An open review is brought up until it is signed, however much was deployed since.
func TestAnOpenReviewIsNotForgotten(t *testing.T) {
	w := newWorld(t)
	w.cat.Environments[1].OnCall = []string{"alice"}
	op := w.planned(w.deploy("alice", "production").ID)
	w.must("alice", "break-glass", because(op.ID, "down", "hotfix"))
	w.must("alice", "merge", about(op.ID))
	w.reaches(op.ID, store.OpSucceeded)
	w.advance(time.Minute)
	for i := range 250 {
		w.update(func(tx *store.Tx) error {
			id, err := tx.NextID("op")
			if err != nil {
				return err
			}
			return tx.PutOperation(&store.Operation{ID: id, Kind: "infra", State: store.OpSucceeded, Environment: "staging", Created: w.clock.Now().Add(time.Duration(i))})
		})
	}
	w.advance(reviewEvery)
	nagged := func() time.Time {
		if err := w.f.waiting(context.Background()); err != nil {
			t.Fatal(err)
		}
		return w.op(op.ID, nil).Passes[0].Nagged
	}
	first := nagged()
	if first.IsZero() {
		t.Fatal("nobody is reminded of the open review")
	}
	w.must("bob", "sign", about(op.ID))
	w.advance(reviewEvery)
	if nagged() != first {
		t.Error("what is signed is brought up again")
	}
}

// faulty is a window that cannot be asked.
type faulty struct{ *opening }

func (faulty) At(time.Time) calendar.State { panic("no such calendar") }

// What cannot be looked at for one operation keeps no other from being looked at.
func TestOneThatCannotBeLookedAtKeepsNoOtherWaiting(t *testing.T) {
	w := newWorld(t)
	window := &opening{open: true}
	w.cat.Environments[1].Windows = window
	op := w.planned(w.deploy("alice", "production").ID)
	w.planned(w.deploy("alice", "staging").ID)
	if err := w.f.waiting(context.Background()); err != nil {
		t.Fatal(err)
	}
	marked := func() (n uint64) {
		w.view(func(tx *store.Tx) error {
			s, err := tx.Surface(cardID(op.ID))
			n = s.Marked
			return err
		})
		return n
	}
	before := marked()
	window.open, w.cat.Environments[0].Windows = false, faulty{}
	if err := w.f.waiting(context.Background()); err == nil {
		t.Error("what went wrong is not said")
	}
	if marked() == before {
		t.Error("the card of the other does not show that its window is closed")
	}
}

// A form that was filled in late is for the plan that it was opened for.
func TestAFormIsForWhatItWasOpenedFor(t *testing.T) {
	w := newWorld(t)
	destroy := func(what string) {
		w.tool.set(func(f *fakeTool) {
			f.plan = integrations.Plan{Step: "fake", Destroy: 1, Changes: []integrations.Change{{Address: what, Actions: []string{"delete"}, Hash: what}}}
		})
	}
	destroy("thing.a")
	op := w.planned(w.deploy("alice", "staging").ID)
	w.trigger = "T1"
	form := w.must("alice", "merge", about(op.ID)).Modal
	if form == nil || form.Version == 0 {
		t.Fatalf("the form is %+v", form)
	}
	destroy("thing.b")
	head := w.forge.commit("alice")
	w.hook(w.forge.edit(op.PR, func(p *integrations.PullRequest) { p.Head = head }))
	w.wait("planned at the new head", isPlanned(w, op.PR, head))
	filled := map[string]string{"subject": op.ID, "destroys": "web/staging"}
	var r *commands.Refusal
	if _, err := w.press("alice", "merge", form.Version, filled); !errors.As(err, &r) || r.Code != "stale" {
		t.Fatalf("the form of the old plan: %v", err)
	}
	form = w.must("alice", "merge", about(op.ID)).Modal
	if _, err := w.press("alice", "merge", form.Version, filled); err != nil {
		t.Fatal(err)
	}
	w.reaches(op.ID, store.OpSucceeded)

	// The same for a confirmation.
	destroy("thing.c")
	w.forge.do(func() { w.forge.branches["main"] = w.forge.commit("dave") })
	next := w.planned(w.deploy("alice", "staging").ID)
	w.hook(w.forge.mergeAs(next.PR, "alice"))
	j := w.apply(next.ID, store.JobNeedsConfirm)
	form = w.must("alice", "confirm", about(j.ID)).Modal
	w.trigger = ""
	destroy("thing.d")
	w.must("bob", "confirm", map[string]string{"subject": j.ID, "destroys": "web/staging"}) // asks again: it differs
	w.wait("it asks again", func(tx *store.Tx) (bool, error) {
		now, err := tx.Job(j.ID)
		return now.State == store.JobNeedsConfirm && now.Attempt == 2, err
	})
	if _, err := w.press("alice", "confirm", form.Version, map[string]string{"subject": j.ID, "destroys": "web/staging"}); !errors.As(err, &r) || r.Code != "stale" {
		t.Fatalf("the form of the old confirmation: %v", err)
	}
}

// A stop that comes between the press of Merge and the merge holds it.
func TestRuleTheMergeAsksTheGatesAgain(t *testing.T) {
	w := newWorld(t)
	op := w.planned(w.deploy("alice", "staging").ID)
	var once sync.Once
	between := func() {
		once.Do(func() {
			w.update(func(tx *store.Tx) error {
				return tx.PutHold(&store.Hold{Kind: store.HoldFreeze, Stop: true, Owner: store.Person{Name: "bob"}, Reason: "fire"}, 0)
			})
			w.forge.do(func() { delete(w.forge.errs, "MergePull") })
		})
	}
	w.forge.do(func() {
		w.forge.errs["MergePull"], w.forge.before["MergePull"] = &integrations.Later{After: time.Minute}, between
	})
	w.must("alice", "merge", about(op.ID))
	op = w.op(op.ID, func(o *store.Operation) bool { return o.MergeAskedBy == nil })
	contains(t, op.Note, "It was not merged: everything is stopped by bob")
	if p := w.forge.find(op.PR); p.State != "open" {
		t.Errorf("it is %s", p.State)
	}
}

// A branch of ours that somebody else opened a pull request from, into another
// place, is not the operation's pull request.
func TestAPullRequestIntoAnotherBranchIsNotOurs(t *testing.T) {
	w := newWorld(t)
	var once sync.Once
	w.forge.before["OpenPull"] = func() {
		once.Do(func() {
			var branch string
			w.view(func(tx *store.Tx) error {
				op, err := tx.Operation("op-1")
				branch = op.Branch
				return err
			})
			w.hook(w.forge.newPull(integrations.PullRequest{Title: "mine", Author: "dave", Branch: branch, Base: "deployment/production", Head: w.forge.branches["main"]}, "app/main.go"))
		})
	}
	op := w.planned(w.deploy("alice", "staging").ID)
	if p := w.forge.find(op.PR); p.Base != "deployment/staging" {
		t.Errorf("its pull request goes into %s", p.Base)
	}
}

// The buttons of a refusal do what they say: a retry queues, too.
func TestARetriedOpeningQueues(t *testing.T) {
	w := newWorld(t)
	w.forge.errs["CreateBranch"] = integrations.ErrNotFound
	first := w.reaches(w.must("alice", "deploy", web("staging")).Subject, store.OpFailed)
	w.forge.do(func() { delete(w.forge.errs, "CreateBranch") })
	second := w.planned(w.deploy("bob", "staging").ID)
	_, err := w.say("alice", "retry", about(first.ID))
	var r *commands.Refusal
	if !errors.As(err, &r) || r.Code != "reserved" {
		t.Fatalf("the retry: %v", err)
	}
	contains(t, r.Buttons[0].Command, "retry "+first.ID+" --queue")
	w.must("alice", "retry", map[string]string{"subject": first.ID, "queue": "true"})
	if op := w.op(first.ID, nil); op.Waits != second.ID || op.State != store.OpOpening {
		t.Errorf("it is %s and waits for %q", op.State, op.Waits)
	}
	w.must("bob", "cancel", about(second.ID))
	w.reaches(first.ID, store.OpOpen)
}

// Who pushed is whoever GitHub names, however the head was first seen: a commit's
// author is whatever the one who made it wrote.
func TestTheAuthorOfACommitIsNotWhoPushedIt(t *testing.T) {
	for _, author := range []string{"alice", ""} {
		w := newWorld(t)
		op := w.planned(w.deploy("alice", "production").ID)
		head := w.forge.commit(author) // bob wrote her name on it, or nobody's
		pr := w.forge.edit(op.PR, func(p *integrations.PullRequest) { p.Head = head })
		if err := w.f.reconcile(t.Context()); err != nil { // the webhook is late
			t.Fatal(err)
		}
		w.wait("planned at the new head", isPlanned(w, op.PR, head))
		act, err := w.f.onPull(t.Context(), commands.Happening{Forge: &integrations.ForgeEvent{PullRequest: &pr, Action: "synchronize", Sender: "bob"}, Catalog: w.cat})
		if err != nil {
			t.Fatal(err)
		}
		w.update(func(tx *store.Tx) error { _, err := act(tx); return err })
		w.refused("bob", "approve", "own", about(op.ID))
		w.refused("bob", "merge", "approvals", about(op.ID))
	}
}

// Who pushed to somebody else's pull request has chosen what it brings.
func TestWhoPushedToAPlainPullRequestIsNotTheSecondPerson(t *testing.T) {
	w := newWorld(t)
	pr := w.forge.newPull(integrations.PullRequest{Title: "network", Author: "alice", Branch: "net", Base: "main", Head: w.forge.commit("alice")}, "network/main.tf")
	w.hook(pr)
	w.wait("planned", isPlanned(w, pr.Number, pr.Head))
	pr = w.forge.edit(pr.Number, func(p *integrations.PullRequest) { p.Head = w.forge.commit("bob") })
	act, err := w.f.onPull(t.Context(), commands.Happening{Forge: &integrations.ForgeEvent{PullRequest: &pr, Action: "synchronize", Sender: "bob"}, Catalog: w.cat})
	if err != nil {
		t.Fatal(err)
	}
	w.update(func(tx *store.Tx) error { _, err := act(tx); return err })
	w.wait("planned at bob's head", isPlanned(w, pr.Number, pr.Head))
	w.hook(w.forge.mergeAs(pr.Number, "bob"))
	w.wait("it is looked at", func(*store.Tx) (bool, error) {
		all := w.jobs(kindApply)
		return len(all) == 1 && (all[0].State == store.JobBlocked || all[0].Terminal()), nil
	})
	id := w.jobs(kindApply)[0].Operation
	if n := w.tool.count(); n != 0 {
		t.Fatal("bob alone brought his own push to production")
	}
	w.refused("bob", "approve", "own", about(id))
	w.must("alice", "approve", about(id))
	w.reaches(id, store.OpSucceeded)
}
