package deploy

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

func web(env string, flags ...string) map[string]string {
	args := map[string]string{"service": "web", "environment": env}
	for _, f := range flags {
		args[f] = "true"
	}
	return args
}

// A second request is refused with a way on: queue behind the first, or supersede
// it. Queued ones open in the order in which they were asked for.
func TestRuleASecondRequestQueuesOrSupersedes(t *testing.T) {
	w := newWorld(t)
	first := w.planned(w.deploy("alice", "staging").ID)
	_, err := w.say("bob", "deploy", web("staging"))
	var r *commands.Refusal
	if !errors.As(err, &r) || r.Code != "reserved" || len(r.Buttons) != 2 {
		t.Fatalf("the second request: %v", err)
	}
	contains(t, r.What, first.ID)
	contains(t, r.Buttons[0].Command, "--queue")
	contains(t, r.Buttons[1].Command, "--supersede")

	second := w.op(w.must("bob", "deploy", web("staging", "queue")).Subject, nil)
	third := w.op(w.must("alice", "deploy", web("staging", "queue")).Subject, nil)
	if second.Waits != first.ID || third.Waits != second.ID || second.State != store.OpOpening {
		t.Fatalf("they wait for %q and %q", second.Waits, third.Waits)
	}
	w.forge.do(func() { w.forge.branches["main"] = w.forge.commit("dave") })
	w.must("alice", "cancel", about(first.ID))
	second = w.reaches(second.ID, store.OpOpen)
	if third = w.op(third.ID, nil); third.Waits != second.ID || third.State != store.OpOpening {
		t.Fatalf("the third does not wait for its turn: %+v", third)
	}
	w.must("bob", "cancel", about(second.ID))
	w.reaches(third.ID, store.OpOpen)
}

func TestRuleSupersedeClosesTheOpenOne(t *testing.T) {
	w := newWorld(t)
	first := w.planned(w.deploy("alice", "staging").ID)
	second := w.must("bob", "deploy", web("staging", "supersede")).Subject
	contains(t, w.reaches(first.ID, store.OpClosed).Note, "Superseded by "+second)
	second = w.reaches(second, store.OpOpen).ID
	if p := w.forge.find(first.PR); p.State != "closed" {
		t.Errorf("the first pull request is %s", p.State)
	}
	// What is merged cannot be superseded any more; one may queue behind it.
	w.planned(second)
	hold := make(chan struct{})
	w.tool.set(func(f *fakeTool) { f.gate = hold })
	defer close(hold)
	w.hook(w.forge.mergeAs(w.op(second, nil).PR, "bob"))
	w.reaches(second, store.OpApplying)
	w.forge.do(func() { w.forge.branches["main"] = w.forge.commit("dave") })
	w.refused("alice", "deploy", "merged", web("staging", "supersede"))
	if third := w.op(w.must("alice", "deploy", web("staging", "queue")).Subject, nil); third.Waits != second {
		t.Errorf("the third waits for %q", third.Waits)
	}
}

// Who supersedes an open one closes those that wait behind it, too; those are over
// at once, and nobody may wait for them.
func TestSupersedeWaitsForNobodyWhoIsOver(t *testing.T) {
	w := newWorld(t)
	first := w.planned(w.deploy("alice", "staging").ID)
	second := w.must("bob", "deploy", web("staging", "queue")).Subject
	third := w.must("alice", "deploy", web("staging", "supersede")).Subject
	w.reaches(second, store.OpClosed)
	w.reaches(first.ID, store.OpClosed)
	w.reaches(third, store.OpOpen)
}

// GitHub opened it and lost the answer, and then a freeze kept it from being tried
// again: it is there all the same, and is shown and reserves its target.
func TestAPullRequestThatIsThereAfterAllIsOpen(t *testing.T) {
	w := newWorld(t)
	w.forge.errs["OpenPull answer"] = errors.New("the answer was lost")
	id := w.must("alice", "deploy", web("staging")).Subject
	w.wait("it is to be tried again", func(tx *store.Tx) (bool, error) {
		all, err := tx.JobsOf(id)
		return err == nil && all[0].State == store.JobQueued && all[0].Attempt > 0, err
	})
	w.update(func(tx *store.Tx) error {
		return tx.PutHold(&store.Hold{Kind: store.HoldFreeze, Environment: "staging", Reason: "audit"}, 0)
	})
	w.reaches(id, store.OpFailed)
	if err := w.f.reconcile(t.Context()); err != nil {
		t.Fatal(err)
	}
	op := w.reaches(id, store.OpOpen)
	contains(t, op.Note, "after all")
	if op.PR == 0 || !op.Ended.IsZero() {
		t.Errorf("it is %+v", op)
	}
	w.refused("bob", "deploy", "freeze", web("staging"))
}

// Merged jobs queue: nobody's reservation keeps what people merged on GitHub from
// being applied.
func TestRuleMergedJobsNeverExcludeEachOther(t *testing.T) {
	w := newWorld(t)
	op := w.planned(w.deploy("alice", "staging").ID)
	pr := w.forge.newPull(integrations.PullRequest{Title: "by hand", Author: "alice", Branch: "hand", Base: "deployment/staging", Head: w.forge.branches["main"]}, "x")
	w.hook(pr)
	w.wait("planned", isPlanned(w, pr.Number, pr.Head))
	w.hook(w.forge.mergeAs(pr.Number, "alice"))
	w.wait("the other is applied", func(tx *store.Tx) (bool, error) {
		ops, err := tx.OperationByPull(1, pr.Number)
		return len(ops) == 1 && ops[0].State == store.OpSucceeded, err
	})
	if op = w.op(op.ID, nil); op.State != store.OpOpen {
		t.Errorf("%s is %s", op.ID, op.State)
	}
}

// One whose content was shipped by the one before it has nothing left to do.
func TestWhatWaitedAndWasShippedIsClosed(t *testing.T) {
	w := newWorld(t)
	first := w.planned(w.deploy("alice", "staging").ID)
	second := w.must("bob", "deploy", web("staging", "queue")).Subject
	w.must("alice", "merge", about(first.ID))
	w.reaches(first.ID, store.OpSucceeded)
	op := w.reaches(second, store.OpClosed)
	contains(t, op.Note, "nothing left to ship")
}

func TestAQueuedOneCanBeCancelled(t *testing.T) {
	w := newWorld(t)
	first := w.planned(w.deploy("alice", "staging").ID)
	second := w.must("bob", "deploy", web("staging", "queue")).Subject
	w.must("bob", "cancel", about(second))
	if op := w.op(second, nil); op.State != store.OpClosed || op.PR != 0 {
		t.Errorf("it is %s with pull request %d", op.State, op.PR)
	}
	w.must("alice", "merge", about(first.ID))
	w.reaches(first.ID, store.OpSucceeded)
}

// A freeze that comes between the command and the pull request stops the opening.
func TestRuleTheOpeningAsksTheGatesAgain(t *testing.T) {
	w := newWorld(t)
	first := w.planned(w.deploy("alice", "staging").ID)
	second := w.must("bob", "deploy", web("staging", "queue")).Subject
	w.update(func(tx *store.Tx) error {
		return tx.PutHold(&store.Hold{Kind: store.HoldFreeze, Environment: "staging", Owner: store.Person{Name: "bob"}, Reason: "demo"}, 0)
	})
	w.must("alice", "cancel", about(first.ID))
	op := w.reaches(second, store.OpFailed)
	contains(t, op.Note, "staging is frozen by bob: “demo”")
	if op.PR != 0 {
		t.Error("a pull request was opened")
	}
}

// What destroys is merged by typing the target's name, for that change set alone.
func TestRuleDestroysAreTyped(t *testing.T) {
	w := newWorld(t)
	w.tool.set(func(f *fakeTool) {
		f.plan = integrations.Plan{Step: "fake", Destroy: 1, Changes: []integrations.Change{{Address: "thing.a", Actions: []string{"delete"}, Hash: "a"}}}
	})
	op := w.planned(w.deploy("alice", "staging").ID)
	w.refused("alice", "merge", "destroys", about(op.ID))
	w.refused("alice", "merge", "destroys", map[string]string{"subject": op.ID, "destroys": "web/production"})
	w.must("alice", "merge", map[string]string{"subject": op.ID, "destroys": "Web/Staging"})
	w.reaches(op.ID, store.OpSucceeded)
	if len(op.Typed) != 0 || len(w.op(op.ID, nil).Typed) != 1 {
		t.Error("nobody wrote down who typed it")
	}
}

// Who merges on GitHub has typed nothing, so the job asks.
func TestRuleDestroysMergedOnGitHubAreConfirmed(t *testing.T) {
	w := newWorld(t)
	w.tool.set(func(f *fakeTool) {
		f.plan = integrations.Plan{Step: "fake", Add: 1, Destroy: 1, Changes: []integrations.Change{{Address: "thing.a", Actions: []string{"delete", "create"}, Hash: "a"}}}
	})
	op := w.planned(w.deploy("alice", "staging").ID)
	w.hook(w.forge.mergeAs(op.PR, "alice"))
	j := w.apply(op.ID, store.JobNeedsConfirm)
	contains(t, j.Why, "nobody has typed web/staging")
	w.refused("alice", "confirm", "destroys", about(j.ID))
	w.must("alice", "confirm", map[string]string{"subject": j.ID, "destroys": "web/staging"})
	w.reaches(op.ID, store.OpSucceeded)
}

// The gates at the merge go by facts that were read for it, and a base that moved
// in the target's paths closes one.
func TestRuleAMovedBaseIsSeenAtTheMerge(t *testing.T) {
	w := newWorld(t)
	op := w.planned(w.deploy("alice", "staging").ID)
	w.forge.do(func() { w.forge.moved = []string{"deploy/x.tf"} })
	w.refused("alice", "merge", "base", about(op.ID))
	w.forge.do(func() { w.forge.moved = nil })
	w.must("alice", "merge", about(op.ID))
	w.reaches(op.ID, store.OpSucceeded)
}

// What cannot be read keeps its gate closed.
func TestRuleAnErrorReadingAFactIsBlocked(t *testing.T) {
	w := newWorld(t)
	w.cat.Environments[0].Checks = []string{"build"}
	op := w.planned(w.deploy("alice", "staging").ID)
	w.refused("alice", "merge", "checks", about(op.ID)) // it has not reported
	w.forge.do(func() { w.forge.errs["Checks"] = errors.New("GitHub is away") })
	_, err := w.say("alice", "merge", about(op.ID))
	if err == nil || !strings.Contains(err.Error(), "GitHub is away") {
		t.Fatalf("the merge: %v", err)
	}
	w.forge.do(func() {
		delete(w.forge.errs, "Checks")
		w.forge.checks = []integrations.Check{{Name: "build", State: "success"}}
	})
	w.must("alice", "merge", about(op.ID))
	w.reaches(op.ID, store.OpSucceeded)
}

// A check that turns red between the merge and the start keeps the job.
func TestRuleGatesAreAskedAgainAtDequeue(t *testing.T) {
	w := newWorld(t)
	w.cat.Environments[0].Checks = []string{"*"}
	op := w.planned(w.deploy("alice", "staging").ID)
	w.forge.do(func() { w.forge.checks = []integrations.Check{{Name: "build", State: "failure"}} })
	w.hook(w.forge.mergeAs(op.PR, "alice"))
	j := w.apply(op.ID, store.JobBlocked)
	contains(t, j.Why, "the check build is red")
	w.forge.do(func() { w.forge.checks[0].State = "success" })
	w.must("alice", "retry", about(op.ID))
	w.reaches(op.ID, store.OpSucceeded)
}

// advance moves the clock without waiting for anything.
func (w *world) advance(by time.Duration) {
	w.t.Helper()
	if err := w.clock.Advance(context.Background(), by, nil); err != nil {
		w.t.Fatal(err)
	}
}

// A plan that was a day old at the merge was not reviewed.
func TestRuleAPlanIsGoodForADay(t *testing.T) {
	w := newWorld(t)
	op := w.planned(w.deploy("alice", "production").ID)
	w.must("bob", "approve", about(op.ID))
	w.advance(25 * time.Hour)
	w.refused("alice", "merge", "fresh", about(op.ID))
	w.forge.do(func() { w.forge.now = w.clock.Now() })
	w.hook(w.forge.mergeAs(op.PR, "bob"))
	j := w.apply(op.ID, store.JobNeedsConfirm)
	contains(t, j.Why, "nobody has reviewed a plan")
}

// Operations that were asked for at the same instant stand in the order of their numbers.
func TestOlderByNumber(t *testing.T) {
	nine, ten := &store.Operation{ID: "op-9"}, &store.Operation{ID: "op-10"}
	if !older(nine, ten) || older(ten, nine) || older(nine, nine) {
		t.Error("op-9 does not come before op-10")
	}
}

// Who reopens a pull request after somebody else took its target does not make two
// open ones of it, whether a webhook tells of it or not.
func TestReopeningTakesNoTargetThatSomebodyElseHolds(t *testing.T) {
	for _, told := range []bool{true, false} {
		w := newWorld(t)
		first := w.planned(w.deploy("alice", "staging").ID)
		sight := func(pr integrations.PullRequest) {
			if told {
				w.hook(pr)
			} else if err := w.f.reconcile(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		state := func(s string) { sight(w.forge.edit(first.PR, func(p *integrations.PullRequest) { p.State = s })) }
		closed := func() {
			w.wait("it is closed on GitHub", func(*store.Tx) (bool, error) {
				p, err := w.forge.Pull(t.Context(), repo, first.PR)
				return p.State == "closed", err
			})
		}
		state("closed")
		w.reaches(first.ID, store.OpClosed)
		second := w.planned(w.deploy("bob", "staging").ID)
		state("open")
		closed()
		op := w.op(first.ID, nil)
		contains(t, op.Note, second.ID+" ("+second.PRURL+") holds web/staging by now")
		if op.State != store.OpClosed {
			t.Errorf("it is %s", op.State)
		}
		w.wait("the comment says why", func(tx *store.Tx) (bool, error) {
			m, err := w.f.commentCard(tx, &store.Surface{Subject: pullSubject(1, first.PR)})
			return slices.ContainsFunc(m.Blocks, func(b integrations.Block) bool { return strings.Contains(b.Text.Plain(), "holds web/staging by now") }), err
		})
		w.must("bob", "cancel", about(second.ID))
		w.reaches(second.ID, store.OpClosed)
		w.wait("we saw it closed", func(tx *store.Tx) (bool, error) {
			p, err := tx.Pull(1, first.PR)
			return p.State == "closed", err
		})
		state("open") // nobody holds it any more
		w.reaches(first.ID, store.OpOpen)
		w.refused("bob", "deploy", "reserved", web("staging"))
	}
}
