package deploy

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// A dirty hold is set by an apply that went wrong after it had begun to change
// things, and cleared by what sets that right.

var errCloud = errors.New("the cloud says no")

// dirty are the dirty holds of a target, by an apply first.
func (w *world) dirty(target string) (out []*store.Hold) {
	w.t.Helper()
	w.view(func(tx *store.Tx) error {
		byApply, byHand, err := dirtyOn(tx, target)
		if byApply != nil {
			out = append(out, byApply)
		}
		out = append(out, byHand...)
		return err
	})
	return out
}

// ended is how a hold ended.
func (w *world) ended(id string) (how string) {
	w.t.Helper()
	w.view(func(tx *store.Tx) error {
		e, _, err := store.Feature[gate.Ended](tx, gate.EndedFeature).Get(id)
		how = e.Why
		return err
	})
	return how
}

func (w *world) audited(act, subject string) (n int) {
	w.t.Helper()
	w.view(func(tx *store.Tx) error {
		rows, err := tx.AuditRows(store.AuditFilter{})
		for _, r := range rows {
			if r.Act == act && r.Subject == subject {
				n++
			}
		}
		return err
	})
	return n
}

// failed is an operation on the target a whose apply failed half-way.
func (w *world) failed(head string) (*store.Operation, *store.Job) {
	w.t.Helper()
	w.fails("a/production", errCloud)
	op := w.merged(head, "a/x")
	j := w.job(op, "a/production", is(store.JobFailed))
	w.fails("a/production", nil)
	return w.reaches(op.ID, store.OpFailed), j
}

func TestRuleAFailedApplyLeavesItsTargetDirtyUntilItsRetry(t *testing.T) {
	w := wavesWorld(t)
	op, j := w.failed("aaa")
	holds := w.dirty("a/production")
	if len(holds) != 1 || holds[0].Job != j.ID || holds[0].SHA != op.MergeSHA || !holds[0].Expires.IsZero() || holds[0].Owner.Name != "alice" {
		t.Fatalf("the holds are %+v", holds)
	}
	contains(t, holds[0].Reason, "failed while it changed things: the cloud says no")
	contains(t, w.cardLines(op.ID), "a/production is dirty ("+holds[0].ID+")")

	next := w.merged("bbb", "a/x")
	blocked := w.job(next, "a/production", is(store.JobBlocked))
	contains(t, blocked.Why, "a/production is dirty")

	w.must("alice", "retry", about(op.ID))
	done := w.job(op, "a/production", is(store.JobSucceeded))
	if done.Again {
		t.Error("what was asked for again once stays so")
	}
	if left := w.dirty("a/production"); len(left) > 0 {
		t.Fatalf("it is dirty still: %+v", left)
	}
	contains(t, w.ended(holds[0].ID), j.ID+" succeeded on it")
	if w.audited("dirty", holds[0].ID) != 1 || w.audited("clean", holds[0].ID) != 1 {
		t.Error("the audit does not tell of it once each")
	}
	contains(t, w.cardLines(next.ID), "What blocked it is gone")
	if strings.Contains(w.cardLines(op.ID), "is dirty") {
		t.Error("the card still calls it dirty")
	}
}

func TestAnApplyThatFailedBeforeItsFirstEffectLeavesNothing(t *testing.T) {
	w := wavesWorld(t)
	pr := w.planPull("aaa", "a/x")
	w.tool.set(func(f *fakeTool) { f.planFail = errors.New("no such module") })
	w.hook(w.forge.mergeAs(pr.Number, "bob"))
	w.reaches(w.opOf(pr.Number).ID, store.OpFailed)
	if left := w.dirty("a/production"); len(left) > 0 {
		t.Errorf("it is dirty: %+v", left)
	}
}

func TestAnInterruptedApplyLeavesItsTargetDirty(t *testing.T) {
	w := wavesWorld(t)
	defer w.slow("a/production")()
	op := w.merged("aaa", "a/x")
	j := w.job(op, "a/production", func(j *store.Job) bool { return j.Phase == phaseApply })
	w.wait("it is being applied", func(*store.Tx) (bool, error) { return len(w.order()) == 1, nil })
	w.must("alice", "cancel", about(j.ID))
	w.job(op, "a/production", is(store.JobCancelled))
	holds := w.dirty("a/production")
	if len(holds) != 1 || holds[0].Job != j.ID {
		t.Fatalf("the holds are %+v", holds)
	}
	contains(t, holds[0].Reason, "was interrupted")
}

// Whoever drops a job that never began, or its retry that did not, changes nothing.
func TestADroppedJobLeavesNothing(t *testing.T) {
	w := wavesWorld(t)
	op, _ := w.failed("aaa")
	w.release(w.dirty("a/production")[0]) // somebody has set it right
	w.hold(store.Hold{Kind: store.HoldFreeze, Reason: "the shop is full"})
	w.must("alice", "retry", about(op.ID))
	if j := w.job(op, "a/production", is(store.JobBlocked)); !j.Again {
		t.Error("it is forgotten that a person asked for it again")
	}
	w.must("alice", "cancel", about(op.ID))
	if j := w.job(op, "a/production", is(store.JobCancelled)); j.Again {
		t.Error("what was asked for again once stays so")
	}
	op = w.merged("bbb", "a/x")
	w.job(op, "a/production", is(store.JobBlocked))
	w.must("alice", "cancel", about(op.ID))
	w.job(op, "a/production", is(store.JobCancelled))
	if left := w.dirty("a/production"); len(left) > 0 {
		t.Errorf("it is dirty: %+v", left)
	}
}

// An unknown apply that is tried again and dropped before it began is left as
// nobody knows it: whoever said retry has looked.
func TestAnUnknownApplyIsTriedAgain(t *testing.T) {
	w := wavesWorld(t)
	w.fails("a/production", integrations.ErrUnknown)
	op := w.merged("aaa", "a/x")
	j := w.job(op, "a/production", is(store.JobUnknown))
	w.hold(store.Hold{Kind: store.HoldFreeze, Reason: "the shop is full"})
	w.must("alice", "resolve", map[string]string{"subject": j.ID, "outcome": "retry"})
	if j := w.job(op, "a/production", is(store.JobBlocked)); !j.Again || j.Phase != "" {
		t.Errorf("it is asked for again: %v, and in the phase %q", j.Again, j.Phase)
	}
}

func TestRuleAnUnknownApplyThatFailedLeavesDirt(t *testing.T) {
	for outcome, want := range map[string]int{"failed": 1, "succeeded": 0, "retry": 0} {
		t.Run(outcome, func(t *testing.T) {
			w := wavesWorld(t)
			w.fails("a/production", integrations.ErrUnknown)
			op := w.merged("aaa", "a/x")
			j := w.job(op, "a/production", is(store.JobUnknown))
			w.fails("a/production", nil)
			w.must("alice", "resolve", map[string]string{"subject": j.ID, "outcome": outcome})
			w.op(op.ID, (*store.Operation).Terminal)
			if got := w.dirty("a/production"); len(got) != want {
				t.Errorf("the holds are %+v", got)
			}
		})
	}
}

func TestRuleAConfirmationExpiresInADayAndLeavesDirt(t *testing.T) {
	w := wavesWorld(t)
	pr := w.planPull("aaa", "a/x")
	w.tool.set(func(f *fakeTool) { f.plan = onePlan("another") })
	w.hook(w.forge.mergeAs(pr.Number, "bob"))
	op := w.opOf(pr.Number)
	j := w.job(op, "a/production", is(store.JobNeedsConfirm))
	if err := w.clock.Advance(t.Context(), confirmLife+time.Hour, nil); err != nil {
		t.Fatal(err)
	}
	if err := w.f.expire(t.Context()); err != nil {
		t.Fatal(err)
	}
	holds := w.dirty("a/production")
	if len(holds) != 1 || holds[0].Job != j.ID {
		t.Fatalf("the holds are %+v", holds)
	}
	contains(t, holds[0].Reason, "nobody confirmed")
	w.must("alice", "retry", about(op.ID)) // which asks again, and passes the gate
	w.job(op, "a/production", is(store.JobNeedsConfirm))
	w.must("bob", "confirm", about(op.ID))
	w.reaches(op.ID, store.OpSucceeded)
	if left := w.dirty("a/production"); len(left) > 0 {
		t.Errorf("it is dirty still: %+v", left)
	}
}

func TestASecondFailureTakesThePlaceOfTheFirst(t *testing.T) {
	w := wavesWorld(t)
	_, first := w.failed("aaa")
	was := w.dirty("a/production")[0]
	w.fails("a/production", errCloud)
	op := w.merged("bbb", "a/x")
	w.job(op, "a/production", is(store.JobBlocked))
	w.must("bob", "approve", about(op.ID)) // it is the fix, somebody says
	j := w.job(op, "a/production", is(store.JobFailed))
	holds := w.dirty("a/production")
	if len(holds) != 1 || holds[0].ID != was.ID || holds[0].Job != j.ID || holds[0].Version <= was.Version {
		t.Fatalf("the holds are %+v", holds)
	}
	w.fails("a/production", nil)
	w.refused("alice", "retry", "behind", about(first.ID))
	w.must("alice", "retry", about(j.ID))
	w.reaches(op.ID, store.OpSucceeded)
	if left := w.dirty("a/production"); len(left) > 0 {
		t.Errorf("it is dirty still: %+v", left)
	}
}

// What is blocked because its target is dirty can be let on as the fix, and the
// card offers that.
func TestABlockedJobIsLetOnAsTheFix(t *testing.T) {
	w := wavesWorld(t)
	w.failed("aaa")
	op := w.merged("bbb", "a/x")
	w.job(op, "a/production", is(store.JobBlocked))
	contains(t, w.cardLines(op.ID), "[Approve] approve "+op.ID)
	w.must("bob", "approve", about(op.ID))
	w.reaches(op.ID, store.OpSucceeded)
	if left := w.dirty("a/production"); len(left) > 0 {
		t.Errorf("it is dirty still: %+v", left)
	}
}

// At the command the refusal offers the retry, and the same line as the fix.
func TestADeployToADirtyTargetIsRefusedUnlessItIsTheFix(t *testing.T) {
	w := newWorld(t)
	op := w.planned(w.deploy("alice", "staging").ID)
	w.tool.set(func(f *fakeTool) { f.fail = errCloud })
	w.must("alice", "merge", about(op.ID))
	w.reaches(op.ID, store.OpFailed)
	w.tool.set(func(f *fakeTool) { f.fail = nil })
	w.forge.do(func() { w.forge.branches["main"] = w.forge.commit("dave") })
	_, err := w.say("alice", "deploy", map[string]string{"service": "web", "environment": "staging"})
	var r *commands.Refusal
	if !errors.As(err, &r) || r.Code != "dirty" {
		t.Fatalf("it is not refused as dirty: %v", err)
	}
	var offers []string
	for _, b := range r.Buttons {
		offers = append(offers, b.Label+": "+b.Command)
	}
	if got, want := strings.Join(offers, "; "), "Retry: retry "+w.apply(op.ID, store.JobFailed).ID+"; Deploy the fix: deploy web to staging --fix"; got != want {
		t.Errorf("it offers %q, want %q", got, want)
	}
	w.must("alice", "deploy", map[string]string{"service": "web", "environment": "staging", "fix": "true"})
	var fix *store.Operation
	w.wait("the fix is open", func(tx *store.Tx) (bool, error) {
		live, err := tx.LiveOperations()
		if len(live) > 0 {
			fix = live[0]
		}
		return len(live) > 0 && live[0].State == store.OpOpen, err
	})
	w.planned(fix.ID)
	w.must("alice", "merge", about(fix.ID))
	w.reaches(fix.ID, store.OpSucceeded)
	if left := w.dirty("web/staging"); len(left) > 0 {
		t.Errorf("it is dirty still: %+v", left)
	}
}

// Work by hand that was put on record is over when the plan of the base branch is
// empty: by a look, which comes at once and then every ten minutes.
func TestHandworkIsOverWhenItsPlanIsEmpty(t *testing.T) {
	w := wavesWorld(t)
	w.reaches(w.merged("aaa", "a/x").ID, store.OpSucceeded)
	h := w.hold(store.Hold{Kind: store.HoldDirty, Target: "a/production", Reason: "alice added a rule", Owner: store.Person{Name: "alice"}})
	var other string
	w.forge.do(func() { other = w.forge.commit("dave"); w.forge.branches["main"] = other })
	look := func() *store.Job {
		t.Helper()
		if err := w.f.drifts(t.Context()); err != nil {
			t.Fatal(err)
		}
		return w.looked("a/production")
	}
	first := look()
	if first.SHA != other {
		t.Errorf("it looked at %s, not at the head of main", first.SHA)
	}
	if again := look(); again.Attempt != first.Attempt {
		t.Error("it looked twice at once")
	}
	if len(w.dirty("a/production")) != 1 || w.drift("a/production") != "" {
		t.Fatal("a plan with something to do made it clean, or a drift")
	}
	w.tool.set(func(f *fakeTool) { f.plans = map[string]integrations.Plan{"a/production": {}} })
	if err := w.clock.Advance(t.Context(), handworkEvery, nil); err != nil {
		t.Fatal(err)
	}
	look()
	if left := w.dirty("a/production"); len(left) > 0 {
		t.Fatalf("it is dirty still: %+v", left)
	}
	contains(t, w.ended(h.ID), "an empty plan of main")
	if w.audited("clean", h.ID) != 1 {
		t.Error("the audit does not tell of it")
	}
}

func TestHandworkDuringAnApplyStays(t *testing.T) {
	w := wavesWorld(t)
	before := w.hold(store.Hold{Kind: store.HoldDirty, Target: "a/production", Reason: "before"})
	end := w.slow("a/production")
	pr := w.planPull("aaa", "a/x")
	w.hook(w.forge.mergeAs(pr.Number, "bob"))
	op := w.opOf(pr.Number)
	w.job(op, "a/production", is(store.JobBlocked))
	w.must("bob", "approve", about(op.ID))
	w.job(op, "a/production", is(store.JobRunning))
	if err := w.clock.Advance(t.Context(), time.Second, nil); err != nil {
		t.Fatal(err)
	}
	during := w.hold(store.Hold{Kind: store.HoldDirty, Target: "a/production", Reason: "during"})
	end()
	w.reaches(op.ID, store.OpSucceeded)
	if left := w.dirty("a/production"); len(left) != 1 || left[0].ID != during.ID {
		t.Errorf("what is left is %+v, and %s was %q", left, before.ID, w.ended(before.ID))
	}
}
