package deploy

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// The rules of targets, reservations, holds and freezes as whoever deploys meets
// them. rules_test.go lists every rule with its test.

// refusal is the answer to somebody who may not have it as they ask.
func (w *world) refusal(who, verb string, args map[string]string) *commands.Refusal {
	w.t.Helper()
	_, err := w.say(who, verb, args)
	var r *commands.Refusal
	if !errors.As(err, &r) {
		w.t.Fatalf("%s says %s %v: %v, want a refusal", who, verb, args, err)
	}
	return r
}

func ownedBy(name string) store.Person {
	return store.Person{Name: name, Slack: "U" + string(name[0]-'a'+'A'), GitHub: name}
}

// more gives main one commit more, so that there is something to ship.
func (w *world) more() {
	w.forge.do(func() { w.forge.branches["main"] = w.forge.commit("dave") })
}

// A target is what is shared, and not the service: a second service with the same
// target waits for the first, and a hold on the one stops the other.
func TestRuleTwoServicesMayShareATarget(t *testing.T) {
	w := newWorld(t)
	w.cat.Services = append(w.cat.Services, integrations.Service{Name: "admin", Repository: repo, Strategy: "promote", Branch: "main",
		Environments: map[string]integrations.ServiceEnvironment{"staging": {Branch: "deployment/staging", Targets: []string{"web/staging"}}}})
	admin := map[string]string{"service": "admin", "environment": "staging"}
	first := w.deploy("alice", "staging")
	r := w.refusal("bob", "deploy", admin)
	if r.Code != "reserved" {
		t.Errorf("it is refused as %s", r.Code)
	}
	contains(t, r.What, "web/staging is already being deployed by "+first.ID)
	w.must("alice", "cancel", about(first.ID))
	w.reaches(first.ID, store.OpClosed)
	w.hold(store.Hold{Kind: store.HoldHold, Service: "web", Environment: "staging", Owner: ownedBy("alice"), Reason: "a migration"})
	w.refused("bob", "deploy", "hold", admin)
	w.must("alice", "deploy", admin)
}

// A reservation stands from the request on. What ends it is the close of an
// unmerged pull request, an abandon, and an apply that succeeds or has nothing to
// do; merged and not yet applied, it stands.
func TestRuleAReservationEndsWithItsPullRequestOrItsApply(t *testing.T) {
	merge := func(w *world, op *store.Operation, end string) {
		w.must("bob", "merge", about(op.ID))
		w.reaches(op.ID, end)
	}
	for say, c := range map[string]struct {
		does func(w *world, op *store.Operation)
		free bool
	}{
		"open":             {func(*world, *store.Operation) {}, false},
		"closed on GitHub": {func(w *world, op *store.Operation) { w.closeOnGitHub(op) }, true},
		"abandoned": {func(w *world, op *store.Operation) {
			w.must("alice", "cancel", about(op.ID))
			w.reaches(op.ID, store.OpClosed)
		}, true},
		"applied": {func(w *world, op *store.Operation) { merge(w, op, store.OpSucceeded) }, true},
		"merged, with nothing": {func(w *world, op *store.Operation) {
			w.planSays(integrations.Plan{Step: "fake"})
			merge(w, op, store.OpNoop)
		}, true},
		"merged and held up": {func(w *world, op *store.Operation) {
			w.planSays(onePlan("another"))
			w.must("bob", "merge", about(op.ID))
			w.apply(op.ID, store.JobNeedsConfirm)
		}, false},
	} {
		t.Run(say, func(t *testing.T) {
			w := newWorld(t)
			r := w.must("alice", "deploy", web("production"))
			w.refused("bob", "deploy", "reserved", web("production")) // before there is a pull request
			op := w.planned(w.op(r.Subject, func(o *store.Operation) bool { return o.State == store.OpOpen }).ID)
			c.does(w, op)
			w.more()
			if c.free {
				w.must("bob", "deploy", web("production"))
			} else {
				w.refused("bob", "deploy", "reserved", web("production"))
			}
		})
	}
}

func (w *world) closeOnGitHub(op *store.Operation) {
	w.t.Helper()
	w.hook(w.forge.editIn(op.Repo, op.PR, func(p *integrations.PullRequest) { p.State = "closed" }))
	w.reaches(op.ID, store.OpClosed)
}

// planSays makes every plan from now on say p.
func (w *world) planSays(p integrations.Plan) { w.tool.set(func(f *fakeTool) { f.plan = p }) }

// A closed pull request frees what it held and nothing else: it is known by the
// repository's id and its number. acme/web#1 is not acme/web-prod#1, in what a
// webhook tells and in what the reconciler finds.
func TestRuleAClosedPullRequestFreesItsOwnTargetsAlone(t *testing.T) {
	const other = repo + "-prod"
	w := newWorld(t)
	w.cat.Targets = append(w.cat.Targets, integrations.Target{Name: "shop/staging", Environment: "staging", Repository: other, Base: "deployment/staging",
		Paths: []string{"**"}, Steps: []integrations.Applier{w.tool}})
	w.cat.Services = append(w.cat.Services, integrations.Service{Name: "shop", Repository: other, Strategy: "promote", Branch: "main",
		Environments: map[string]integrations.ServiceEnvironment{"staging": {Branch: "deployment/staging", Targets: []string{"shop/staging"}}}})
	shop := map[string]string{"service": "shop", "environment": "staging"}
	mine := w.planned(w.deploy("alice", "staging").ID)
	theirs := w.planned(w.reaches(w.must("bob", "deploy", shop).Subject, store.OpOpen).ID)
	if mine.PR != theirs.PR || mine.RepoID == theirs.RepoID {
		t.Fatalf("they are %d#%d and %d#%d", mine.RepoID, mine.PR, theirs.RepoID, theirs.PR)
	}
	w.closeOnGitHub(mine)
	if err := w.f.reconcile(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.view(func(tx *store.Tx) error {
		p, err := tx.Pull(theirs.RepoID, theirs.PR)
		if p.State != "open" || p.Plans["shop/staging"].State != "done" {
			t.Errorf("the other is %s, planned %+v", p.State, p.Plans)
		}
		return err
	})
	if op := w.op(theirs.ID, nil); op.State != store.OpOpen {
		t.Errorf("the other operation is %s: %s", op.State, op.Note)
	}
	w.refused("alice", "deploy", "reserved", shop)
	w.must("bob", "deploy", web("staging"))
}

// deaf is a tool that does not stop planning when it is told to.
type deaf struct {
	*fakeTool
	began, end chan struct{}
	once       *sync.Once
}

func (s deaf) Plan(_ context.Context, r integrations.Run) (integrations.Plan, error) {
	s.once.Do(func() { close(s.began) })
	<-s.end
	return s.fakeTool.Plan(context.Background(), r)
}

// A plan that ends after its pull request was closed changes nothing there: it
// takes no target back and shows no plan of what is over.
func TestRuleAPlanThatEndsAfterTheCloseTakesNothing(t *testing.T) {
	w := newWorld(t)
	slow := deaf{w.tool, make(chan struct{}), make(chan struct{}), &sync.Once{}}
	w.cat.Targets[0].Steps = []integrations.Applier{slow}
	op := w.deploy("alice", "staging")
	<-slow.began
	w.closeOnGitHub(op)
	close(slow.end)
	w.wait("the plan ends", func(*store.Tx) (bool, error) {
		all := w.jobs(kindPlan)
		return len(all) == 1 && all[0].State == store.JobSucceeded, nil
	})
	w.view(func(tx *store.Tx) error {
		p, err := tx.Pull(1, op.PR)
		if p.State != "closed" || len(p.Plans) > 0 {
			t.Errorf("it is %s, planned %+v", p.State, p.Plans)
		}
		return err
	})
	if op = w.op(op.ID, nil); op.State != store.OpClosed {
		t.Errorf("it is %s again", op.State)
	}
	w.must("bob", "deploy", web("staging"))
}

// The owner of a hold passes it by an own command or by the merge of what they
// asked for. What others asked for is kept, whoever presses the button.
func TestRuleAHoldOwnerPassesByTheirOwnActAlone(t *testing.T) {
	w := newWorld(t)
	bobs := w.planned(w.deploy("bob", "staging").ID)
	h := w.hold(store.Hold{Kind: store.HoldHold, Target: "web/staging", Owner: ownedBy("alice"), Reason: "a migration"})
	w.refused("bob", "merge", "hold", about(bobs.ID))
	w.refused("alice", "merge", "hold", about(bobs.ID))
	w.hook(w.forge.mergeAs(bobs.PR, "alice"))
	contains(t, w.apply(bobs.ID, store.JobBlocked).Why, "a migration")
	if w.tool.count() != 0 {
		t.Error("what bob asked for was applied because alice merged it")
	}
	w.release(h)
	w.must("bob", "retry", about(bobs.ID))
	w.reaches(bobs.ID, store.OpSucceeded)

	w.hold(store.Hold{Kind: store.HoldHold, Target: "web/staging", Owner: ownedBy("alice"), Reason: "the rest of it"})
	w.more()
	w.refused("bob", "deploy", "hold", web("staging"))
	own := w.planned(w.deploy("alice", "staging").ID)
	w.must("alice", "merge", about(own.ID))
	w.reaches(own.ID, store.OpSucceeded)
}

// A freeze stops its owner, too, at the command and at the merge.
func TestRuleAFreezeStopsItsOwner(t *testing.T) {
	w := newWorld(t)
	op := w.planned(w.deploy("alice", "staging").ID)
	w.hold(store.Hold{Kind: store.HoldFreeze, Owner: ownedBy("alice"), Reason: "the shop is full"})
	w.refused("alice", "merge", "freeze", about(op.ID))
	w.refused("alice", "deploy", "freeze", web("production"))
	w.hook(w.forge.mergeAs(op.PR, "alice"))
	w.apply(op.ID, store.JobBlocked)
	if w.tool.count() != 0 {
		t.Error("it was applied")
	}
}

// The gates are asked at the command already: what is refused there begins
// nothing. Every blocker is named, with its age and its reason.
func TestRuleTheCommandAsksTheGatesAndNamesEveryBlocker(t *testing.T) {
	w := newWorld(t)
	w.hold(store.Hold{Kind: store.HoldHold, Target: "web/staging", Owner: ownedBy("bob"), Reason: "a migration"})
	w.hold(store.Hold{Kind: store.HoldHold, Environment: "staging", Owner: ownedBy("dave"), Reason: "an audit"})
	w.hold(store.Hold{Kind: store.HoldFreeze, Reason: "the shop is full", Owner: ownedBy("carol")})
	w.advance(2 * time.Hour)
	r := w.refusal("alice", "deploy", web("staging"))
	for _, part := range []string{"bob", "a migration", "dave", "an audit", "carol", "the shop is full", "2 h"} {
		contains(t, r.What, part)
	}
	w.view(func(tx *store.Tx) error {
		ops, err := tx.Operations("", 0)
		if len(ops) > 0 {
			t.Errorf("it began %s", ops[0].ID)
		}
		return err
	})
}

// The glass is broken by who has the right to, with a reason, and the channel reads
// who did it and why until a second person has signed it.
func TestRuleBreakGlassWantsARightAndAReasonAndIsPosted(t *testing.T) {
	w := newWorld(t)
	op := w.planned(w.deploy("alice", "production").ID)
	w.must("bob", "approve", about(op.ID))
	w.hold(store.Hold{Kind: store.HoldFreeze, Owner: ownedBy("bob"), Reason: "the shop is full"})
	w.refused("dave", "break-glass", "not_allowed", because(op.ID, "the shop is down"))
	w.refused("alice", "break-glass", "no_reason", because(op.ID, " "))
	w.refused("alice", "merge", "freeze", about(op.ID))
	w.must("alice", "break-glass", because(op.ID, "the shop is down"))
	w.view(func(tx *store.Tx) error {
		all, err := tx.SurfacesOf(op.ID)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(all, func(s *store.Surface) bool { return s.Card == cardPass })
		if i < 0 {
			t.Fatal("nothing is posted")
		}
		m, err := w.f.passCard(tx, all[i])
		if where := all[i].Where["channel"]; where != "C-ops" {
			t.Errorf("it is posted in %s", where)
		}
		contains(t, m.Text, "alice passed freeze")
		contains(t, m.Text, "the shop is down")
		contains(t, m.Text, "open review")
		return err
	})
	w.must("alice", "merge", about(op.ID))
	w.reaches(op.ID, store.OpSucceeded)
}
