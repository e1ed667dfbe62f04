package deploy

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// selfGrace is how long a merge by itself is announced in these worlds.
const selfGrace = 30 * time.Second

// selfWorld is a world whose staging merges by itself.
func selfWorld(t *testing.T) *world {
	w := newWorld(t)
	w.cat.Environments[0].Merge, w.cat.Environments[0].MergeAfter = "when_green", selfGrace
	return w
}

// tick looks at what waits, as happens every minute.
func (w *world) minute() {
	w.t.Helper()
	if err := w.f.waiting(w.t.Context()); err != nil {
		w.t.Error(err)
	}
}

// announced waits until an operation's merge by itself is announced.
func (w *world) announced(id string) *store.Operation {
	w.t.Helper()
	return w.op(id, func(o *store.Operation) bool { return o.Self != nil && !o.Self.At.IsZero() })
}

func TestAGreenDeployMergesByItselfAsWhoeverAskedForIt(t *testing.T) {
	w := selfWorld(t)
	op := w.announced(w.deploy("alice", "staging").ID)
	if at := op.Self.At.Sub(w.clock.Now()); at <= 0 || at > selfGrace {
		t.Errorf("it merges in %s, not within %s", at, selfGrace)
	}
	op = w.reaches(op.ID, store.OpSucceeded)
	if op.MergedBy.GitHub != "alice" && op.MergedBy.Slack != "UA" {
		t.Errorf("it was merged by %+v, not by whoever asked", op.MergedBy)
	}
}

func TestWhatDestroysSomethingDoesNotMergeByItself(t *testing.T) {
	w := selfWorld(t)
	w.tool.set(func(f *fakeTool) {
		f.plan = integrations.Plan{Step: "fake", Destroy: 1, Changes: []integrations.Change{{Address: "thing.a", Actions: []string{"delete"}, Hash: "d"}}}
	})
	op := w.planned(w.deploy("alice", "staging").ID)
	w.minute()
	if op = w.op(op.ID, nil); op.Self != nil {
		t.Errorf("it is announced: %+v", op.Self)
	}
}

func TestWhoMayNotMergeIsNotMergedForByItself(t *testing.T) {
	w := selfWorld(t)
	w.cat.Rules = []integrations.Rule{{Groups: []string{"deployers"}, Verbs: []string{"deploy", "read"}, Environments: []string{"*"}}}
	op := w.planned(w.deploy("alice", "staging").ID)
	w.minute()
	if op = w.op(op.ID, nil); op.Self != nil {
		t.Errorf("it is announced: %+v", op.Self)
	}
}

func TestHoldKeepsADeployFromMergingByItself(t *testing.T) {
	w := selfWorld(t)
	op := w.announced(w.deploy("alice", "staging").ID)
	w.must("bob", "keep", about(op.ID))
	w.refused("carol", "keep", "not_allowed", about(op.ID))
	w.advance(2 * selfGrace)
	w.minute()
	if op = w.op(op.ID, nil); op.State != store.OpOpen || op.Self.Kept == nil {
		t.Fatalf("it is %s, and its merge by itself %+v", op.State, op.Self)
	}
	w.must("alice", "keep", map[string]string{"subject": op.ID, "over": "true"})
	w.reaches(op.ID, store.OpSucceeded)
	w.refused("alice", "keep", "not_open", about(op.ID))
}

// What comes in the way between the announcement and the merge stops it, and when
// that is gone it is announced again.
func TestAGateThatClosesTakesAMergeByItselfBack(t *testing.T) {
	w := selfWorld(t)
	op := w.announced(w.deploy("alice", "staging").ID)
	freeze := &store.Hold{ID: "hold-1", Kind: store.HoldFreeze, Environment: "staging", Owner: store.Person{Slack: "UB"}, Reason: "wait", Created: w.clock.Now()}
	w.update(func(tx *store.Tx) error { return tx.PutHold(freeze, 0) })
	w.minute()
	if op = w.op(op.ID, nil); op.Self != nil {
		t.Fatalf("while it is frozen, it is announced: %+v", op.Self)
	}
	w.advance(2 * selfGrace)
	w.update(func(tx *store.Tx) error { return tx.DeleteHold(freeze.ID, 1) })
	if op = w.op(op.ID, nil); op.State != store.OpOpen {
		t.Fatalf("while it was frozen, it became %s", op.State)
	}
	w.minute()
	w.announced(op.ID)
	w.reaches(op.ID, store.OpSucceeded)
}

// GitHub's no to a merge by itself is for a person to look at.
func TestARefusedMergeByItselfIsNotTriedForEver(t *testing.T) {
	w := selfWorld(t)
	w.forge.do(func() {
		w.forge.errs["MergePull"] = fmt.Errorf("a review is required: %w", integrations.ErrNotMergeable)
	})
	op := w.announced(w.deploy("alice", "staging").ID)
	op = w.op(op.ID, func(o *store.Operation) bool { return o.Self != nil && o.Self.Why != "" })
	w.minute()
	w.advance(2 * selfGrace)
	w.minute()
	if again := w.op(op.ID, nil); again.Self.Job != "" || again.State != store.OpOpen {
		t.Errorf("it is tried again: %+v", again.Self)
	}
	w.forge.do(func() { delete(w.forge.errs, "MergePull") })
	w.must("bob", "merge", about(op.ID))
	w.reaches(op.ID, store.OpSucceeded)
}

// A merge by hand and one by itself at once are one merge.
func TestMergingByHandWhileItMergesByItself(t *testing.T) {
	w := selfWorld(t)
	op := w.announced(w.deploy("alice", "staging").ID)
	w.must("bob", "merge", about(op.ID))
	w.advance(2 * selfGrace)
	w.reaches(op.ID, store.OpSucceeded)
	if n := w.tool.count(); n != 1 {
		t.Errorf("it was applied %d times", n)
	}
}

// autoWorld deploys each merge to main to staging, where somebody has to merge.
func autoWorld(t *testing.T) *world {
	w := newWorld(t)
	e := w.cat.Services[1].Environments["staging"]
	e.Auto = true
	w.cat.Services[1].Environments["staging"] = e
	if err := w.f.reconcileAutos(context.Background()); err != nil {
		t.Fatal(err)
	}
	return w
}

// mergeToMain moves main on as a merged pull request of somebody does.
func (w *world) mergeToMain(who string) (before, after string) {
	w.t.Helper()
	w.forge.do(func() {
		before = w.forge.branches["main"]
		after = w.forge.commit(who)
		w.forge.branches["main"] = after
		w.forge.add(integrations.PullRequest{Base: "main", Branch: "topic", Head: after, State: "merged", MergedBy: who, MergeSHA: after, Author: who, Title: "a change"})
	})
	return before, after
}

// autos are the deploys that a merge asked for, oldest first.
func (w *world) autos() (out []*store.Operation) {
	w.t.Helper()
	w.view(func(tx *store.Tx) error {
		all, err := tx.Operations("", 0)
		for _, o := range all {
			if o.Auto {
				out = append([]*store.Operation{o}, out...)
			}
		}
		return err
	})
	return out
}

func TestAMergeToMainAsksForADeployOnce(t *testing.T) {
	for what, tell := range map[string]func(w *world, before, after string){
		"a webhook": func(w *world, before, after string) { w.push("main", before, after, "bob") },
		"a webhook twice": func(w *world, before, after string) {
			w.push("main", before, after, "bob")
			w.push("main", before, after, "bob")
		},
		"no webhook": func(w *world, _, _ string) {
			if err := w.f.reconcileAutos(context.Background()); err != nil {
				w.t.Error(err)
			}
		},
	} {
		t.Run(what, func(t *testing.T) {
			w := autoWorld(t)
			before, after := w.mergeToMain("bob")
			tell(w, before, after)
			w.wait("a deploy", func(*store.Tx) (bool, error) { return true, nil })
			op := w.op("op-1", func(o *store.Operation) bool { return o.State == store.OpOpen })
			if op.ToSHA != after || op.Requester.GitHub != "bob" || op.Environment != "staging" {
				t.Errorf("it deploys %s to %s for %+v", op.ToSHA, op.Environment, op.Requester)
			}
			tell(w, before, after)
			w.advance(time.Minute)
			if n := len(w.autos()); n != 1 {
				t.Errorf("there are %d deploys", n)
			}
		})
	}
}

// The first look at a branch deploys nothing: what is there was there before us.
func TestTurningAutoOnDeploysNothing(t *testing.T) {
	w := autoWorld(t)
	w.advance(time.Minute)
	if n := len(w.autos()); n != 0 {
		t.Errorf("there are %d deploys", n)
	}
}

// A merge just before the first look at the branch is told of by its push alone.
func TestAPushBeforeTheFirstLookIsNotLost(t *testing.T) {
	w := autoWorld(t)
	w.update(func(tx *store.Tx) error { return store.Feature[string](tx, autoFeature).Delete("web|staging") })
	before, after := w.mergeToMain("bob")
	if err := w.f.reconcileAutos(context.Background()); err != nil {
		t.Fatal(err)
	}
	w.push("main", before, after, "bob")
	w.op("op-1", func(o *store.Operation) bool { return o.State == store.OpOpen && o.ToSHA == after })
}

func TestTheNewestMergeWins(t *testing.T) {
	w := autoWorld(t)
	before, after := w.mergeToMain("bob")
	w.push("main", before, after, "bob")
	op := w.op("op-1", func(o *store.Operation) bool { return o.State == store.OpOpen })
	before, after = w.mergeToMain("alice")
	w.push("main", before, after, "alice")
	op = w.op(op.ID, func(o *store.Operation) bool { return o.ToSHA == after && o.Head == after })
	if op.HeadBy == nil || op.HeadBy.GitHub != "alice" {
		t.Errorf("its head was chosen by %+v", op.HeadBy)
	}
	if n := len(w.autos()); n != 1 {
		t.Errorf("there are %d deploys", n)
	}
}

// Behind somebody's open deploy the newest waits for its turn; older ones that
// waited are closed.
func TestADeployByItselfWaitsForAPersonsAndTheNewestWins(t *testing.T) {
	w := autoWorld(t)
	mine := w.deploy("alice", "staging")
	for range 2 {
		before, after := w.mergeToMain("bob")
		w.push("main", before, after, "bob")
		w.wait("a deploy that waits for "+after, func(tx *store.Tx) (bool, error) {
			live, err := tx.LiveOperations()
			for _, o := range live {
				if o.ToSHA == after && o.Waits == mine.ID {
					return true, err
				}
			}
			return false, err
		})
	}
	states := []string{}
	for _, o := range w.autos() {
		states = append(states, o.State)
	}
	if fmt.Sprint(states) != "[closed opening]" {
		t.Errorf("the deploys by themselves are %v", states)
	}
}

// Somebody whom nobody knows merged: the deploy is there, and goes nowhere by
// itself.
func TestAStrangersMergeDeploysNothingByItself(t *testing.T) {
	w := autoWorld(t)
	w.cat.Environments[0].Merge, w.cat.Environments[0].MergeAfter = "when_green", selfGrace
	before, after := w.mergeToMain("stranger")
	w.push("main", before, after, "stranger")
	op := w.planned(w.op("op-1", func(o *store.Operation) bool { return o.State == store.OpOpen }).ID)
	w.minute()
	w.advance(2 * selfGrace)
	if op = w.op(op.ID, nil); op.State != store.OpOpen || op.Self != nil {
		t.Errorf("it is %s, and its merge by itself %+v", op.State, op.Self)
	}
}

// GitHub's webhook of a push comes before all of its API knows the commit.
func TestADeployByItselfWaitsForGitHubToKnowTheCommit(t *testing.T) {
	w := autoWorld(t)
	w.forge.do(func() { w.forge.errs["Compare"] = fmt.Errorf("compare: %w", integrations.ErrNotFound) })
	before, after := w.mergeToMain("bob")
	w.push("main", before, after, "bob")
	w.advance(3 * time.Second)
	w.forge.do(func() { delete(w.forge.errs, "Compare") })
	w.op("op-1", func(o *store.Operation) bool { return o.State == store.OpOpen && o.ToSHA == after })
}

// What GitHub cannot answer is asked again, and lost nowhere.
func TestADeployByItselfOutlivesGitHubsFaults(t *testing.T) {
	w := autoWorld(t)
	w.forge.do(func() { w.forge.errs["BranchHead"] = errors.New("502") })
	before, after := w.mergeToMain("bob")
	w.push("main", before, after, "bob")
	w.advance(3 * time.Second)
	w.forge.do(func() { delete(w.forge.errs, "BranchHead") })
	w.op("op-1", func(o *store.Operation) bool { return o.State == store.OpOpen && o.ToSHA == after })
}
