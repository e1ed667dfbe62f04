package deploy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// The jobs of a target run by position on the base branch, and of several that
// wait on one that coalesces the newest runs alone.

func TestRuleCoalesceRunsTheNewestAlone(t *testing.T) {
	w := wavesWorld(t)
	for i := range w.cat.Targets {
		w.cat.Targets[i].Coalesce = w.cat.Targets[i].Name == "a/production"
	}
	h := w.hold(store.Hold{Kind: store.HoldFreeze, Reason: "the shop is full"})
	var ops []*store.Operation
	for i := range 5 {
		ops = append(ops, w.merged(fmt.Sprintf("head%d", i), "a/x"))
	}
	w.job(ops[0], "a/production", is(store.JobBlocked))
	newest := w.job(ops[4], "a/production", is(store.JobQueued))
	w.release(h)
	w.must("alice", "retry", about(ops[0].ID))
	w.reaches(ops[4].ID, store.OpSucceeded)
	if got := w.order(); len(got) != 1 {
		t.Errorf("applied %v", got)
	}
	for _, op := range ops[:4] {
		j := w.job(op, "a/production", is(store.JobSuperseded))
		if j.SupersededBy != newest.ID || j.Attempt != 0 {
			t.Errorf("%s is superseded by %q after %d attempts", j.ID, j.SupersededBy, j.Attempt)
		}
		closed := w.reaches(op.ID, store.OpClosed)
		contains(t, closed.Note, "a/production was superseded by "+newest.ID+" of "+ops[4].ID)
	}
}

// Without it each of them runs, in its order.
func TestWithoutCoalesceEachRuns(t *testing.T) {
	w := wavesWorld(t)
	h := w.hold(store.Hold{Kind: store.HoldFreeze, Reason: "the shop is full"})
	first := w.merged("aaa", "a/x")
	w.job(first, "a/production", is(store.JobBlocked))
	second := w.merged("bbb", "a/x")
	w.job(second, "a/production", is(store.JobQueued))
	w.release(h)
	w.must("alice", "retry", about(first.ID))
	w.reaches(first.ID, store.OpSucceeded)
	w.reaches(second.ID, store.OpSucceeded)
	if got := w.order(); len(got) != 2 {
		t.Errorf("applied %v", got)
	}
}

// A merge that is heard of after a newer one was begun is behind, also when the
// newer one failed: it may have come half the way.
func TestRuleAFailedAttemptStillCountsAsTheLast(t *testing.T) {
	w := wavesWorld(t)
	older := w.planPull("aaa", "a/x")
	older = w.forge.mergeAs(older.Number, "bob") // of which no webhook tells yet
	op, j := w.failed("bbb")
	w.hook(older)
	late := w.opOf(older.Number)
	behind := w.job(late, "a/production", is(store.JobSuperseded))
	if behind.SupersededBy != j.ID {
		t.Errorf("it is superseded by %q", behind.SupersededBy)
	}
	contains(t, behind.Why, "it lies behind "+short(op.MergeSHA))
	contains(t, behind.Why, "open a pull request that reverts to it")
	closed := w.reaches(late.ID, store.OpClosed)
	contains(t, closed.Note, j.ID+" of "+op.ID)
	card := w.cardLines(late.ID)
	if strings.Count(card, "open a pull request that reverts to it") != 2 { // for phones, and in the card
		t.Errorf("the card does not tell what to do, once: %s", card)
	}
	w.refused("alice", "retry", "not_waiting", about(late.ID))
}

// A commit that was applied as unplanned, and of which GitHub says later that it
// came by a pull request, is not applied twice.
func TestRuleTheSameCommitIsNotAppliedAgainUnasked(t *testing.T) {
	w := wavesWorld(t)
	before := w.forge.branches["main"]
	pr := w.forge.newPull(integrations.PullRequest{Title: "late", Author: "alice", Branch: "late", Base: "main", Head: "aaa"}, "network/main.tf")
	merged := w.forge.mergeAs(pr.Number, "bob")
	w.forge.do(func() { w.forge.find(pr.Number).MergeSHA = "" }) // GitHub does not know it by the commit yet
	w.push("main", before, merged.MergeSHA, "bob")
	w.wait("it counts as unplanned", func(*store.Tx) (bool, error) { return len(w.jobs(kindApply)) == 1, nil })
	unplanned := w.jobs(kindApply)[0]
	w.apply(unplanned.Operation, store.JobNeedsConfirm)
	w.must("alice", "confirm", about(unplanned.Operation))
	w.reaches(unplanned.Operation, store.OpSucceeded)
	for range 2 {
		w.hook(merged)
	}
	op := w.opOf(pr.Number)
	j := w.job(op, "network/production", is(store.JobSuperseded))
	if j.SupersededBy != unplanned.ID {
		t.Errorf("it is superseded by %q", j.SupersededBy)
	}
	contains(t, j.Why, "already")
	w.reaches(op.ID, store.OpClosed)
	if n := len(w.jobs(kindApply)); n != 2 || w.tool.count() != 1 {
		t.Errorf("%d jobs, applied %d times", n, w.tool.count())
	}
}

// A target that was superseded is no loss to its operation, and its later waves
// wait for what ran instead.
func TestASupersededTargetCountsByWhatRanInstead(t *testing.T) {
	w := wavesWorld(t)
	for i := range w.cat.Targets {
		w.cat.Targets[i].Coalesce = w.cat.Targets[i].Name == "a/production"
	}
	h := w.hold(store.Hold{Kind: store.HoldFreeze, Reason: "the shop is full"})
	both := w.merged("aaa", "a/x", "c/x")
	w.job(both, "a/production", is(store.JobBlocked))
	newer := w.merged("bbb", "a/x")
	w.release(h)
	end := w.slow("a/production")
	w.must("alice", "retry", about(both.ID))
	w.job(both, "a/production", is(store.JobSuperseded))
	w.job(newer, "a/production", is(store.JobRunning))
	w.job(both, "c/production", func(j *store.Job) bool {
		return j.State == store.JobQueued && strings.Contains(j.Why, "it waits for a/production")
	})
	end()
	w.reaches(newer.ID, store.OpSucceeded)
	op := w.reaches(both.ID, store.OpSucceeded)
	contains(t, op.Note, "a/production was superseded by")
	w.view(func(tx *store.Tx) error {
		last, _, err := gate.LastOn(tx, "a/production")
		if last.Op != newer.ID {
			t.Errorf("a saw %s last", last.Op)
		}
		return err
	})
}
