package deploy

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/calendar"
	"github.com/signalbox-chatops/signalbox/store"
)

func (w *world) incident() {
	w.t.Helper()
	w.update(func(tx *store.Tx) error {
		return store.Feature[gate.Incident](tx, gate.IncidentFeature).Put("incident-1", gate.Incident{ID: "incident-1", Title: "down", Environment: "production", By: store.Person{Name: "bob"}, Opened: w.clock.Now()})
	})
}

func because(op, reason string, flags ...string) map[string]string {
	args := map[string]string{"subject": op, "reason": reason}
	for _, f := range flags {
		args[f] = "true"
	}
	return args
}

// noGlass takes the right break-glass away from the deployers.
func (w *world) noGlass() {
	w.cat.Rules[0].Verbs = []string{"deploy", "merge", "approve", "cancel", "retry", "plan", "rollback"}
}

// The person on call acts alone with an open incident, for a rollback or a
// hotfix; it stays an open review until somebody else signs it.
func TestRuleAloneAtNightNeedsAnIncidentAndTheCall(t *testing.T) {
	w := newWorld(t)
	w.noGlass()
	w.cat.Environments[1].OnCall = []string{"alice"}
	op := w.planned(w.deploy("alice", "production").ID)
	w.refused("alice", "break-glass", "no_incident", because(op.ID, "down", "hotfix"))
	w.incident()
	w.refused("bob", "break-glass", "not_allowed", because(op.ID, "down", "hotfix")) // he is not on call
	w.refused("alice", "break-glass", "not_urgent", because(op.ID, "down"))
	w.refused("alice", "break-glass", "no_reason", because(op.ID, " ", "hotfix"))
	w.must("alice", "break-glass", because(op.ID, "the shop is down", "hotfix"))
	w.must("alice", "merge", about(op.ID))
	w.reaches(op.ID, store.OpSucceeded)
	w.refused("alice", "sign", "own", about(op.ID))
	w.refused("dave", "sign", "not_allowed", about(op.ID))
	w.must("bob", "sign", about(op.ID))
	w.refused("bob", "sign", "not_waiting", about(op.ID))
	if p := w.op(op.ID, nil).Passes; len(p) != 1 || p[0].SignedBy == nil || p[0].Why != "incident-1" {
		t.Errorf("it is on record as %+v", p)
	}
}

// Never a hold, a dirty target or the order of commits, and a freeze only with
// the right of its own.
func TestRuleAloneNeverPassesAHoldOrADirtyTarget(t *testing.T) {
	w := newWorld(t)
	w.cat.Environments[1].OnCall = []string{"alice"}
	op := w.planned(w.deploy("alice", "production").ID)
	put := func(kind string) *store.Hold {
		h := &store.Hold{Kind: kind, Environment: "production", Owner: store.Person{Name: "bob"}, Reason: "careful"}
		w.update(func(tx *store.Tx) error { return tx.PutHold(h, 0) })
		return h
	}
	drop := func(h *store.Hold) { w.update(func(tx *store.Tx) error { return tx.DeleteHold(h.ID, h.Version) }) }
	w.must("alice", "break-glass", because(op.ID, "down", "hotfix"))
	for _, kind := range []string{store.HoldHold, store.HoldDirty} {
		h := put(kind)
		w.refused("alice", "merge", map[string]string{store.HoldHold: "hold", store.HoldDirty: "dirty"}[kind], about(op.ID))
		drop(h)
	}
	put(store.HoldFreeze)
	w.refused("alice", "merge", "freeze", about(op.ID)) // it came later
	w.must("alice", "break-glass", because(op.ID, "down", "hotfix"))
	w.must("alice", "merge", about(op.ID)) // passed with the right break-glass
	w.reaches(op.ID, store.OpSucceeded)
}

func TestRuleAFreezeIsNotPassedWithAnIncidentAlone(t *testing.T) {
	w := newWorld(t)
	w.noGlass()
	w.cat.Environments[1].OnCall = []string{"alice"}
	op := w.planned(w.deploy("alice", "production").ID)
	w.incident()
	w.update(func(tx *store.Tx) error {
		return tx.PutHold(&store.Hold{Kind: store.HoldFreeze, Environment: "production", Owner: store.Person{Name: "bob"}, Reason: "audit"}, 0)
	})
	w.must("alice", "break-glass", because(op.ID, "down", "hotfix"))
	w.refused("alice", "merge", "freeze", about(op.ID))
}

// One person is asked, reminded, and then everybody.
func TestRuleOnePersonIsAskedThenRemindedThenAll(t *testing.T) {
	w := newWorld(t)
	w.cat.Rules[0].Groups = append(w.cat.Rules[0].Groups, "stagers") // dave may approve, too
	asked := func(op *store.Operation, level int, who string) {
		t.Helper()
		if err := w.f.waiting(context.Background()); err != nil {
			t.Fatal(err)
		}
		if a := w.op(op.ID, nil).Ask; a == nil || a.Level != level || a.Person.Name != who {
			t.Fatalf("asked is %+v, want level %d of %s", a, level, who)
		}
	}
	op := w.planned(w.deploy("alice", "production").ID)
	asked(op, askedOne, "bob")
	asked(op, askedOne, "bob") // and only once
	w.advance(askRemind)
	asked(op, askedAgain, "bob")
	w.advance(askEveryone)
	asked(op, askedAll, "bob")
	var levels []string
	w.view(func(tx *store.Tx) error {
		all, err := tx.SurfacesOf(op.ID)
		for _, s := range all {
			if s.Card == cardAsk {
				m, err := w.f.askCard(tx, s)
				if err != nil {
					return err
				}
				levels = append(levels, m.Text)
			}
		}
		return err
	})
	if len(levels) != 3 || !strings.Contains(levels[0], "bob (next in turn)") || !strings.Contains(levels[2], "dave") {
		t.Errorf("they read %q", levels)
	}
	w.must("alice", "cancel", about(op.ID))
	w.reaches(op.ID, store.OpClosed)

	// The next one is another's turn; and whoever is on call goes first.
	next := w.planned(w.deploy("alice", "production").ID)
	asked(next, askedOne, "dave")
	w.must("alice", "cancel", about(next.ID))
	w.reaches(next.ID, store.OpClosed)
	w.cat.Services[0].OnCall = []string{"bob"}
	called := w.planned(w.deploy("alice", "production").ID)
	asked(called, askedOne, "bob")
}

// opening is a window that a test opens.
type opening struct{ open bool }

func (o *opening) At(time.Time) calendar.State {
	return calendar.State{Open: o.open, Why: "it is night"}
}
func (o *opening) Zone() *time.Location { return time.UTC }

// What waited for a window does not start by surprise when it opens: somebody is
// asked, unless the environment says run.
func TestRuleWhatWaitedForAWindowAsks(t *testing.T) {
	for _, onOpen := range []string{"ask", "run"} {
		t.Run(onOpen, func(t *testing.T) {
			w := newWorld(t)
			window := &opening{}
			w.cat.Environments[0].Windows, w.cat.Environments[0].OnOpen = window, onOpen
			op := w.planned(w.deploy("alice", "staging").ID)
			w.refused("alice", "merge", "window", about(op.ID))
			w.hook(w.forge.mergeAs(op.PR, "alice"))
			j := w.apply(op.ID, store.JobBlocked)
			contains(t, j.Why, "it is night")
			if err := w.f.waiting(context.Background()); err != nil {
				t.Fatal(err)
			}
			window.open = true
			for range 2 {
				if err := w.f.waiting(context.Background()); err != nil {
					t.Fatal(err)
				}
			}
			if onOpen == "run" {
				w.reaches(op.ID, store.OpSucceeded)
				return
			}
			asked := 0
			w.view(func(tx *store.Tx) error {
				all, err := tx.SurfacesOf(j.ID)
				for _, s := range all {
					if s.Card == cardOpened {
						asked++
					}
				}
				return err
			})
			if now := w.apply(op.ID, store.JobBlocked); asked != 1 || now.ID != j.ID {
				t.Errorf("asked %d times", asked)
			}
			w.must("alice", "retry", about(op.ID))
			w.reaches(op.ID, store.OpSucceeded)
		})
	}
}

// Who pushed the head is not the second person to it.
func TestRuleWhoPushedIsNotTheSecondPerson(t *testing.T) {
	w := newWorld(t)
	op := w.planned(w.deploy("alice", "production").ID)
	head := w.forge.commit("bob")
	w.hook(w.forge.edit(op.PR, func(p *integrations.PullRequest) { p.Head = head }))
	w.wait("planned at the new head", isPlanned(w, op.PR, head))
	w.refused("bob", "approve", "own", about(op.ID))
	w.must("alice", "approve", about(op.ID)) // she did not bring it
	w.must("alice", "merge", about(op.ID))
	w.reaches(op.ID, store.OpSucceeded)
}

// Why answers for operations, jobs, pull requests and targets.
func TestWhy(t *testing.T) {
	w := newWorld(t)
	says := func(subject string, parts ...string) {
		t.Helper()
		r := w.must("carol", "why", about(subject))
		for _, p := range parts {
			contains(t, r.Private.Text, p)
		}
	}
	op := w.planned(w.deploy("alice", "production").ID)
	says(op.ID, "kept by 1 closed gate", "approvals: production wants a second person", "Opens: somebody other than alice approves", "Open: freeze, hold")
	says("web/production", "Nothing keeps web/production", "reserved by "+op.ID, "Nothing was ever applied")
	w.update(func(tx *store.Tx) error {
		return tx.PutHold(&store.Hold{Kind: store.HoldHold, Target: "web/production", Owner: store.Person{Name: "bob"}, Reason: "migration"}, 0)
	})
	says(op.ID, "kept by 2 closed gates", "hold: web/production is locked by bob: “migration”")
	says("web/production", "kept by 1 closed gate", "migration")
	w.hook(w.forge.mergeAs(op.PR, "bob"))
	j := w.apply(op.ID, store.JobBlocked)
	says(j.ID, "kept by 1 closed gate", "migration", "order")
	pr := w.forge.newPull(integrations.PullRequest{Title: "network", Author: "alice", Branch: "net", Base: "main", Head: "aaa"}, "network/main.tf")
	w.hook(pr)
	says("#"+itoa(pr.Number), "in production", "approvals")
	w.refused("carol", "why", "unknown_subject", about("moon/production"))
}

func itoa(n int) string { return strconv.Itoa(n) }

// A group that cannot be read means no; the job is looked at again by itself once
// it can.
func TestRuleAGroupThatCannotBeReadMeansNo(t *testing.T) {
	w := newWorld(t)
	down := errors.New("the GitHub team acme/sre cannot be read")
	read := func(string) ([]string, error) { return nil, down }
	w.cat.Live = map[string][]integrations.GroupSource{"sre": {{Kind: "team", Name: "acme/sre"}}}
	w.cat.Members = func(g string) ([]string, error) {
		if g != "sre" {
			return nil, nil
		}
		return read(g)
	}
	w.cat.Rules = append([]integrations.Rule{{Groups: []string{"sre"}, Verbs: []string{"*"}, Environments: []string{"*"}}}, w.cat.Rules...)
	op := w.planned(w.deploy("alice", "staging").ID)
	w.hook(w.forge.mergeAs(op.PR, "carol"))
	j := w.apply(op.ID, store.JobBlocked)
	contains(t, j.Why, "acme/sre cannot be read")
	read = func(string) ([]string, error) { return []string{"carol"}, nil }
	w.advance(unreadWait)
	if err := w.f.waiting(context.Background()); err != nil {
		t.Fatal(err)
	}
	w.reaches(op.ID, store.OpSucceeded)
}
