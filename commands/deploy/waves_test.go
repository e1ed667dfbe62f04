package deploy

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// An operation on several targets runs in waves: siblings finish, later waves do
// not start, the operation is partial, a retry runs what failed or never started.

// wavesWorld has the targets a and b in the first wave and c in the second.
func wavesWorld(t *testing.T) *world {
	w := newWorld(t)
	for i, name := range []string{"a", "b", "c"} {
		w.cat.Targets = append(w.cat.Targets, integrations.Target{Name: name + "/production", Environment: "production", Repository: repo, Base: "main",
			Paths: []string{name + "/**"}, Steps: []integrations.Applier{w.tool}, Wave: i / 2})
	}
	w.tool.set(func(f *fakeTool) { f.fails, f.slow = map[string]error{}, map[string]chan struct{}{} })
	return w
}

// merged is an operation of a planned pull request of alice's that bob merged.
func (w *world) merged(head string, files ...string) *store.Operation {
	w.t.Helper()
	pr := w.planPull(head, files...)
	w.hook(w.forge.mergeAs(pr.Number, "bob"))
	return w.opOf(pr.Number)
}

func (w *world) planPull(head string, files ...string) integrations.PullRequest {
	w.t.Helper()
	pr := w.forge.newPull(integrations.PullRequest{Title: head, Author: "alice", Branch: head, Base: "main", Head: head}, files...)
	w.hook(pr)
	w.wait("planned at "+head, isPlanned(w, pr.Number, head))
	return pr
}

func (w *world) opOf(number int) (op *store.Operation) {
	w.t.Helper()
	w.wait("the merge is taken in", func(tx *store.Tx) (bool, error) {
		ops, err := tx.OperationByPull(1, number)
		if len(ops) > 0 {
			op = ops[0]
		}
		return len(ops) > 0, err
	})
	return op
}

// job waits until the apply of an operation on a target is as wanted.
func (w *world) job(op *store.Operation, target string, want func(*store.Job) bool) (found *store.Job) {
	w.t.Helper()
	w.wait("the apply of "+target, func(tx *store.Tx) (bool, error) {
		all, err := tx.JobsOf(op.ID)
		for _, j := range all {
			if j.Kind == kindApply && j.Target == target && want(j) {
				found = j
				return true, err
			}
		}
		return false, err
	})
	return found
}

func is(state string) func(*store.Job) bool {
	return func(j *store.Job) bool { return j.State == state }
}

func (w *world) fails(target string, err error) {
	w.tool.set(func(f *fakeTool) {
		if f.fails[target] = err; err == nil {
			delete(f.fails, target)
		}
	})
}

// slow keeps the applies of a target going until the function is called.
func (w *world) slow(target string) (end func()) {
	hold := make(chan struct{})
	w.tool.set(func(f *fakeTool) { f.slow[target] = hold })
	return func() {
		w.tool.set(func(f *fakeTool) { delete(f.slow, target) })
		close(hold)
	}
}

func (w *world) order() []string {
	w.tool.mu.Lock()
	defer w.tool.mu.Unlock()
	return slices.Clone(w.tool.order)
}

func (w *world) cardLines(op string) string {
	w.t.Helper()
	var all []string
	w.view(func(tx *store.Tx) error {
		m, err := w.f.operationCard(tx, &store.Surface{Subject: op})
		all = append(all, m.Text)
		for _, b := range m.Blocks {
			all = append(all, b.Text.Plain())
			for _, f := range b.Fields {
				all = append(all, f.Name+": "+f.Value.Plain())
			}
			for _, button := range b.Buttons {
				all = append(all, "["+button.Label+"] "+button.Command)
			}
		}
		return err
	})
	return strings.Join(all, "\n")
}

func TestRuleSiblingsFinishAndLaterWavesDoNotStart(t *testing.T) {
	w := wavesWorld(t)
	end := w.slow("a/production")
	w.fails("b/production", errors.New("the cloud says no"))
	op := w.merged("aaa", "a/x", "b/x", "c/x")
	w.job(op, "b/production", is(store.JobFailed))
	w.job(op, "a/production", is(store.JobRunning))
	end()
	w.job(op, "a/production", is(store.JobSucceeded))
	c := w.job(op, "c/production", is(store.JobCancelled))
	if !c.Skipped || c.Attempt != 0 {
		t.Errorf("it is skipped %v, attempt %d", c.Skipped, c.Attempt)
	}
	contains(t, c.Why, "never started: b/production of an earlier wave failed")
	w.reaches(op.ID, store.OpPartial)
	contains(t, w.cardLines(op.ID), "Waves: a/production succeeded, b/production failed → c/production never started")
	if got := w.order(); slices.Contains(got, "c/production") {
		t.Fatalf("applied %v", got)
	}

	w.fails("b/production", nil)
	w.must("alice", "retry", about(op.ID))
	w.reaches(op.ID, store.OpSucceeded)
	if got := w.order()[2:]; !slices.Equal(got, []string{"b/production", "c/production"}) {
		t.Errorf("the retry applied %v", got)
	}
}

func TestOnlyFailedAndNeverStartedIsFailed(t *testing.T) {
	w := wavesWorld(t)
	w.fails("a/production", errors.New("the cloud says no"))
	op := w.merged("aaa", "a/x", "c/x")
	w.job(op, "c/production", is(store.JobCancelled))
	w.reaches(op.ID, store.OpFailed)
	w.must("alice", "retry", about(op.ID)) // and again, in vain
	w.job(op, "a/production", func(j *store.Job) bool { return j.Attempt == 2 && j.State == store.JobFailed })
	c := w.job(op, "c/production", is(store.JobCancelled))
	if !c.Skipped {
		t.Error("what was skipped twice is not called so")
	}
	w.reaches(op.ID, store.OpFailed)
}

// The end of a wave wakes the next one; it does not look at the clock for it.
func TestALaterWaveStartsAtOnce(t *testing.T) {
	w := wavesWorld(t)
	end := w.slow("a/production")
	op := w.merged("aaa", "a/x", "c/x")
	w.job(op, "a/production", is(store.JobRunning))
	waiting := w.job(op, "c/production", func(j *store.Job) bool { return j.State == store.JobQueued && !j.NotBefore.IsZero() })
	contains(t, waiting.Why, "it waits for a/production, of an earlier wave")
	end()
	a, c := w.job(op, "a/production", is(store.JobSucceeded)), w.job(op, "c/production", is(store.JobSucceeded))
	if late := c.Started.Sub(a.Ended); late > waveWait/2 || c.Started.Before(a.Ended) {
		t.Errorf("it started %s after the wave before it", late)
	}
}

func TestAJobThatWaitsForAPersonKeepsLaterWavesWaiting(t *testing.T) {
	w := wavesWorld(t)
	pr := w.planPull("aaa", "a/x", "c/x")
	w.tool.set(func(f *fakeTool) { f.plans = map[string]integrations.Plan{"a/production": onePlan("another")} })
	w.hook(w.forge.mergeAs(pr.Number, "bob"))
	op := w.opOf(pr.Number)
	w.job(op, "a/production", is(store.JobNeedsConfirm))
	w.job(op, "c/production", func(j *store.Job) bool {
		return j.State == store.JobQueued && strings.Contains(j.Why, "it waits for a/production")
	})
	w.must("bob", "confirm", about(op.ID))
	w.reaches(op.ID, store.OpSucceeded)
	if got := w.order(); !slices.Equal(got, []string{"a/production", "c/production"}) {
		t.Errorf("applied %v", got)
	}
	w.hold(store.Hold{Kind: store.HoldHold, Target: "a/production", Reason: "tests", Owner: store.Person{Name: "dave", Slack: "UD", GitHub: "dave"}})
	op = w.merged("bbb", "a/x", "c/x")
	w.job(op, "a/production", is(store.JobBlocked))
	w.job(op, "c/production", func(j *store.Job) bool {
		return j.State == store.JobQueued && strings.Contains(j.Why, "it waits for a/production")
	})
	w.must("alice", "cancel", about(w.job(op, "a/production", is(store.JobBlocked)).ID))
	if c := w.job(op, "c/production", is(store.JobCancelled)); !c.Skipped {
		t.Error("what a dropped wave kept from starting is not called so")
	}
	w.must("alice", "retry", about(op.ID)) // the dropped one stays dropped, and so does what comes after it
	w.job(op, "c/production", func(j *store.Job) bool { return j.State == store.JobCancelled && j.Skipped })
	if a := w.job(op, "a/production", is(store.JobCancelled)); a.Attempt != 0 {
		t.Error("what a person dropped came back")
	}
}

func (w *world) hold(h store.Hold) *store.Hold {
	w.t.Helper()
	w.update(func(tx *store.Tx) error { return tx.PutHold(&h, 0) })
	return &h
}

func (w *world) release(h *store.Hold) {
	w.t.Helper()
	w.update(func(tx *store.Tx) error { return tx.DeleteHold(h.ID, h.Version) })
}

func TestRuleAFreezeInTheMiddleStopsLaterWaves(t *testing.T) {
	w := wavesWorld(t)
	end := w.slow("a/production")
	op := w.merged("aaa", "a/x", "c/x")
	w.job(op, "a/production", is(store.JobRunning))
	freeze := w.hold(store.Hold{Kind: store.HoldFreeze, Reason: "the shop is full"})
	end()
	w.job(op, "a/production", is(store.JobSucceeded)) // what runs is let run
	c := w.job(op, "c/production", is(store.JobBlocked))
	contains(t, c.Why, "the shop is full")
	w.release(freeze)
	w.must("alice", "retry", about(op.ID))
	w.reaches(op.ID, store.OpSucceeded)
}

// A later job that is blocked waits for nobody any more once its wave cannot come.
func TestABlockedJobIsSkippedWithItsWave(t *testing.T) {
	w := wavesWorld(t)
	end := w.slow("a/production")
	w.fails("a/production", errors.New("the cloud says no"))
	op := w.merged("aaa", "a/x", "c/x")
	w.job(op, "a/production", is(store.JobRunning))
	w.hold(store.Hold{Kind: store.HoldFreeze, Target: "c/production", Reason: "the shop is full"})
	if err := w.clock.Advance(t.Context(), 2*time.Minute, nil); err != nil { // it asks again
		t.Fatal(err)
	}
	w.job(op, "c/production", is(store.JobBlocked))
	end()
	if c := w.job(op, "c/production", is(store.JobCancelled)); !c.Skipped {
		t.Error("it is not called skipped")
	}
	w.reaches(op.ID, store.OpFailed)
}

// A cancel of the whole operation cancels the later waves, too, which the end of
// the first one wakes in the same transaction.
func TestCancelOfAnOperationInWaves(t *testing.T) {
	w := wavesWorld(t)
	pr := w.planPull("h1", "a/x", "c/x")
	w.hook(w.forge.mergeAs(pr.Number, "alice")) // her own: it is blocked
	op := w.opOf(pr.Number)
	for _, target := range []string{"a/production", "c/production"} {
		w.job(op, target, func(j *store.Job) bool { return j.State == store.JobBlocked })
	}
	w.must("bob", "cancel", about(op.ID))
	for _, target := range []string{"a/production", "c/production"} {
		w.job(op, target, func(j *store.Job) bool { return j.State == store.JobCancelled })
	}
}

// The card speaks of one job at a time. Of several that nobody knows the end of,
// each is settled by buttons where it is told of.
func TestEachOfSeveralUnknownAppliesIsOnAButton(t *testing.T) {
	w := wavesWorld(t)
	w.fails("a/production", integrations.ErrUnknown)
	w.fails("b/production", integrations.ErrUnknown)
	op := w.merged("aaa", "a/x", "b/x")
	for _, target := range []string{"a/production", "b/production"} {
		j := w.job(op, target, is(store.JobUnknown))
		w.view(func(tx *store.Tx) error {
			all, err := tx.SurfacesOf(j.ID)
			for _, s := range all {
				if s.Card != cardAttention {
					continue
				}
				m, err := w.f.attentionCard(tx, s)
				if err != nil {
					return err
				}
				if b := button(m, "Mark failed"); b == nil || b.Command != "resolve "+j.ID+" failed" {
					t.Errorf("%s cannot be settled by a button: %+v", j.ID, m.Blocks)
				}
				return nil
			}
			t.Errorf("nobody was told of %s: %v", j.ID, err)
			return err
		})
	}
}
