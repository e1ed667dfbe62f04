package deploy

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// The rules of the plan and of the apply on merge. rules_test.go lists every rule
// with its test.

// status is what signalbox/gate says of a pull request at its head.
func (w *world) status(number int) (state string) {
	w.t.Helper()
	w.view(func(tx *store.Tx) error {
		p, err := tx.Pull(1, number)
		if err == nil {
			state, _ = w.f.gateState(tx, p, nil, p.Head)
		}
		return err
	})
	return state
}

// The required status is green when each target is planned at this very head, and
// not because some are, or were.
func TestRuleTheStatusIsGreenOnlyWhenEveryTargetIsPlannedAtThisHead(t *testing.T) {
	w := wavesWorld(t)
	hold := make(chan struct{})
	b := &fakeTool{plan: onePlan("b"), gate: hold}
	i := slices.IndexFunc(w.cat.Targets, func(t integrations.Target) bool { return t.Name == "b/production" })
	w.cat.Targets[i].Steps = []integrations.Applier{b}
	planned := func(number int, target string) {
		t.Helper()
		w.wait(target+" is planned", func(tx *store.Tx) (bool, error) {
			p, err := tx.Pull(1, number)
			return err == nil && p.Plans[target].State == "done" && p.Plans[target].Head == p.Head, err
		})
	}
	is := func(want, when string) {
		t.Helper()
		if got := w.status(1); got != want {
			t.Errorf("%s it is %s, want %s", when, got, want)
		}
	}
	pr := w.forge.newPull(integrations.PullRequest{Title: "both", Author: "alice", Branch: "both", Base: "main", Head: "aaa"}, "a/x", "b/x")
	w.hook(pr)
	planned(pr.Number, "a/production")
	is("pending", "with one of two planned")
	close(hold)
	planned(pr.Number, "b/production")
	w.wait("its facts are read", func(*store.Tx) (bool, error) { return w.status(1) == "success", nil })
	older := func(head string) {
		w.update(func(tx *store.Tx) error {
			p, err := tx.Pull(1, pr.Number)
			if err != nil {
				return err
			}
			plan := p.Plans["b/production"]
			plan.Head = head
			p.Plans["b/production"] = plan
			return tx.PutPull(p)
		})
	}
	older("an older head")
	is("pending", "with a plan of an older head")
	older("aaa")
	is("success", "with the plan of this one")
	hold = make(chan struct{})
	defer close(hold)
	b.set(func(f *fakeTool) { f.gate = hold })
	w.hook(w.forge.edit(pr.Number, func(p *integrations.PullRequest) { p.Head = "bbb" }))
	planned(pr.Number, "a/production")
	is("pending", "with one of two being planned at a new head")
}

// The merge is of the head that was planned, also when a push comes between the
// press and the merge.
func TestRuleTheMergeIsOfThePlannedHead(t *testing.T) {
	for _, call := range []string{"Pull", "MergePull"} { // before we look, and after
		t.Run(call, func(t *testing.T) {
			w := newWorld(t)
			op := w.planned(w.deploy("alice", "staging").ID)
			var once sync.Once
			w.forge.mu.Lock()
			w.forge.before[call] = func() {
				once.Do(func() { w.forge.edit(op.PR, func(p *integrations.PullRequest) { p.Head = "fff" }) })
			}
			w.forge.mu.Unlock()
			w.must("alice", "merge", about(op.ID))
			w.wait("the merge is over", func(*store.Tx) (bool, error) { return w.jobs(kindMerge)[0].Terminal(), nil })
			if p := w.forge.find(op.PR); p.State != "open" {
				t.Errorf("the pull request is %s at %s", p.State, p.Head)
			}
			contains(t, w.op(op.ID, nil).Note, "head")
			if n := len(w.jobs(kindApply)); n != 0 {
				t.Errorf("%d applies", n)
			}
		})
	}
}

// One merge is one job for each target, whoever tells of it and how often: the
// webhook, its redelivery, the push to the branch, the reconciler.
func TestRuleOneMergeIsOneJob(t *testing.T) {
	ways := map[string]func(w *world, merged integrations.PullRequest, before string){
		"webhook": func(w *world, merged integrations.PullRequest, _ string) { w.hook(merged) },
		"push": func(w *world, merged integrations.PullRequest, before string) {
			w.push(merged.Base, before, merged.MergeSHA, "bob")
		},
		"reconciler": func(w *world, _ integrations.PullRequest, _ string) {
			if err := w.f.reconcile(w.t.Context()); err != nil {
				w.t.Fatal(err)
			}
		},
	}
	for _, order := range [][]string{{"webhook", "webhook", "push", "reconciler"}, {"reconciler", "webhook", "reconciler"}, {"push", "reconciler", "webhook", "push"}} {
		t.Run(fmt.Sprint(order), func(t *testing.T) {
			w := newWorld(t)
			op := w.planned(w.deploy("alice", "staging").ID)
			before := w.forge.branches[op.Base]
			merged := w.forge.mergeAs(op.PR, "bob")
			for _, way := range order {
				ways[way](w, merged, before)
			}
			w.reaches(op.ID, store.OpSucceeded)
			for _, way := range order { // and when it is over
				ways[way](w, merged, before)
			}
			if jobs := w.jobs(kindApply); len(jobs) != 1 || w.tool.count() != 1 {
				t.Errorf("%d jobs, applied %d times", len(jobs), w.tool.count())
			}
			if op = w.op(op.ID, nil); op.State != store.OpSucceeded {
				t.Errorf("what was told again brought it back to %s", op.State)
			}
		})
	}
}

// What parted from what the target saw last is neither behind nor ahead: a person
// has to let it go on.
func TestRuleWhatDivergedWaitsForAPerson(t *testing.T) {
	w := newWorld(t)
	first := w.planned(w.deploy("alice", "production").ID)
	w.must("bob", "merge", about(first.ID))
	first = w.reaches(first.ID, store.OpSucceeded)
	w.more()
	second := w.planned(w.deploy("alice", "production").ID)
	w.forge.do(func() { w.forge.beside = map[string]bool{first.MergeSHA: true} }) // the branch was moved back by force
	w.hook(w.forge.mergeAs(second.PR, "bob"))
	j := w.apply(second.ID, store.JobBlocked)
	if !slices.Equal(j.Closed, []string{"order"}) || w.tool.count() != 1 {
		t.Fatalf("closed is %v, applied %d times", j.Closed, w.tool.count())
	}
	if _, err := w.press("bob", "approve", w.approveButton(second.ID), about(second.ID)); err != nil {
		t.Fatal(err)
	}
	w.reaches(second.ID, store.OpSucceeded)
}

func change(address, action string) integrations.Change {
	return integrations.Change{Address: address, Actions: []string{action}, Hash: address + action}
}

func planOf(changes ...integrations.Change) integrations.Plan {
	p := integrations.Plan{Step: "fake", Changes: changes}
	for _, c := range changes {
		switch {
		case c.Deletes():
			p.Destroy++
		case c.Actions[0] == "update":
			p.Change++
		default:
			p.Add++
		}
	}
	return p
}

// At the apply the merge commit is planned again. Nothing left is noop; what
// people reviewed, or less of it, is applied; anything else is confirmed first,
// and so is what shrank to a delete.
func TestRuleTheFreshPlanIsHeldToTheReviewedOne(t *testing.T) {
	a, b, drop := change("thing.a", "create"), change("thing.b", "update"), change("thing.c", "delete")
	other := b
	other.Hash = "other values"
	for say, c := range map[string]struct {
		reviewed, fresh integrations.Plan
		state, why      string
	}{
		"nothing is left":           {planOf(a, b), planOf(), store.JobNoop, ""},
		"it is the same":            {planOf(a, b), planOf(a, b), store.JobSucceeded, ""},
		"it is less":                {planOf(a, b), planOf(b), store.JobSucceeded, ""},
		"it is more":                {planOf(a), planOf(a, b), store.JobNeedsConfirm, "not in the reviewed plan: thing.b (update)"},
		"it is something else":      {planOf(a), planOf(b), store.JobNeedsConfirm, "not in the reviewed plan: thing.b (update)"},
		"it sets other values":      {planOf(a, b), planOf(a, other), store.JobNeedsConfirm, "not in the reviewed plan: thing.b (update)"},
		"it destroys, unseen":       {planOf(a), planOf(a, drop), store.JobNeedsConfirm, "not in the reviewed plan: thing.c (delete)"},
		"what remains is a destroy": {planOf(a, drop), planOf(drop), store.JobNeedsConfirm, "what remains destroys thing.c"},
	} {
		t.Run(say, func(t *testing.T) {
			w := wavesWorld(t)
			w.planSays(c.reviewed)
			pr := w.planPull("aaa", "a/x")
			w.planSays(c.fresh)
			w.hook(w.forge.mergeAs(pr.Number, "bob"))
			op := w.opOf(pr.Number)
			contains(t, w.job(op, "a/production", is(c.state)).Why, c.why)
			if got, want := w.tool.count(), map[bool]int{true: 1}[c.state == store.JobSucceeded]; got != want {
				t.Errorf("applied %d times, want %d", got, want)
			}
		})
	}
}

// A retry plans again: what its plan says now is held to what people reviewed, and
// nothing that was planned before is applied.
func TestRuleARetryPlansAgain(t *testing.T) {
	w := wavesWorld(t)
	op, _ := w.failed("aaa")
	w.planSays(onePlan("what the failure left"))
	w.must("alice", "retry", about(op.ID))
	j := w.job(op, "a/production", is(store.JobNeedsConfirm))
	if j.Attempt != 2 || w.tool.count() != 1 {
		t.Errorf("attempt %d, applied %d times", j.Attempt, w.tool.count())
	}
}

// A cancel drops what is queued; what runs before it goes on.
func TestRuleACancelDropsWhatIsQueued(t *testing.T) {
	w := wavesWorld(t)
	end := w.slow("a/production")
	first := w.merged("aaa", "a/x")
	w.job(first, "a/production", is(store.JobRunning))
	second := w.merged("bbb", "a/x")
	w.must("alice", "cancel", about(w.job(second, "a/production", is(store.JobQueued)).ID))
	if j := w.job(second, "a/production", is(store.JobCancelled)); j.Attempt != 0 || j.CancelledBy == nil || j.CancelledBy.Name != "alice" {
		t.Errorf("attempt %d, cancelled by %+v", j.Attempt, j.CancelledBy)
	}
	end()
	w.reaches(first.ID, store.OpSucceeded)
	if w.tool.count() != 1 {
		t.Errorf("applied %d times", w.tool.count())
	}
}

// When the bot merges, GitHub names the bot. Who pressed is stored, is the second
// person, and is who the gates go by.
func TestRuleWhoPressedIsStoredWhenTheBotMerges(t *testing.T) {
	w := newWorld(t)
	op := w.planned(w.deploy("alice", "production").ID)
	w.refused("alice", "merge", "approvals", about(op.ID)) // she is not the second person to herself
	w.must("bob", "merge", about(op.ID))
	op = w.reaches(op.ID, store.OpSucceeded)
	if by := w.forge.find(op.PR).MergedBy; by != "signalbox" {
		t.Fatalf("GitHub says that %s merged it", by)
	}
	if op.Requester.Name != "alice" || op.MergedBy.Name != "bob" {
		t.Errorf("%s asked and %s merged", op.Requester.Name, op.MergedBy.Name)
	}
}

// An unknown apply is a person's to settle: no tick and no look does it, it keeps
// its target, and once somebody who may has said how it ended the next one starts.
func TestRuleAnUnknownApplyIsSettledByAPerson(t *testing.T) {
	w := wavesWorld(t)
	w.fails("a/production", integrations.ErrUnknown)
	op := w.merged("aaa", "a/x")
	j := w.job(op, "a/production", is(store.JobUnknown))
	w.fails("a/production", nil)
	next := w.merged("bbb", "a/x")
	w.job(next, "a/production", is(store.JobQueued))
	w.wait("it was looked at", func(tx *store.Tx) (bool, error) {
		now, err := tx.Job(j.ID)
		return err == nil && recordOf(now).Probe != "", err
	})
	w.advance(72 * time.Hour)
	for _, tick := range []func() error{
		func() error { return w.f.expire(t.Context()) },
		func() error { return w.f.reconcile(t.Context()) },
		func() error { return w.f.waiting(t.Context()) },
	} {
		if err := tick(); err != nil {
			t.Fatal(err)
		}
	}
	w.refused("alice", "retry", "unknown", about(j.ID))
	w.refused("carol", "resolve", "not_allowed", map[string]string{"subject": j.ID, "outcome": "succeeded"})
	w.view(func(tx *store.Tx) error {
		l, err := tx.RunLock("a/production")
		if err != nil || l.Job != j.ID {
			t.Errorf("the run lock is %+v: %v", l, err)
		}
		now, err := tx.Job(j.ID)
		if now.State != store.JobUnknown || w.tool.count() != 1 {
			t.Errorf("it is %s, applied %d times", now.State, w.tool.count())
		}
		return err
	})
	w.must("alice", "resolve", map[string]string{"subject": j.ID, "outcome": "succeeded"})
	w.reaches(op.ID, store.OpSucceeded)
	w.reaches(next.ID, store.OpSucceeded)
	w.view(func(tx *store.Tx) error {
		last, _, err := gate.LastOn(tx, "a/production")
		if last.Op != next.ID {
			t.Errorf("a saw %s last", last.Op)
		}
		return err
	})
}

// Nobody waits for GitHub inside a transaction, in which everybody else waits for
// the one writer: from the request to the apply, no call is made by what the store
// has called.
func TestRuleNoCallGoesOutInsideATransaction(t *testing.T) {
	w := newWorld(t)
	w.cat.Environments[1].Checks = []string{"build"}
	w.forge.do(func() { w.forge.checks = []integrations.Check{{Name: "build", State: "success"}} })
	var mu sync.Mutex
	calls := map[string]bool{} // by name: whether one was made inside
	w.forge.mu.Lock()
	w.forge.heard = func(name string) {
		stack := make([]byte, 1<<16)
		stack = stack[:runtime.Stack(stack, false)]
		mu.Lock()
		defer mu.Unlock()
		calls[name] = calls[name] || bytes.Contains(stack, []byte("signalbox/store.("))
	}
	w.forge.mu.Unlock()
	op := w.planned(w.deploy("alice", "production").ID)
	w.must("bob", "merge", about(op.ID))
	w.reaches(op.ID, store.OpSucceeded)
	w.more()
	op = w.planned(w.deploy("alice", "production").ID)
	w.hook(w.forge.mergeAs(op.PR, "bob"))
	w.reaches(op.ID, store.OpSucceeded)
	for _, tick := range []func(context.Context) error{w.f.expire, w.f.reconcile, w.f.waiting} {
		if err := tick(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	for _, name := range []string{"RepoID", "BranchHead", "Pull", "OpenPull", "MergePull", "Checks", "Contains", "OpenPulls", "RecentPulls"} {
		if _, made := calls[name]; !made {
			t.Errorf("%s was never called", name)
		}
	}
	for name, inside := range calls {
		if inside {
			t.Errorf("%s is called inside a transaction", name)
		}
	}
}
