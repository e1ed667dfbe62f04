package lock

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/store"
)

// A hold has an owner, a reason, a scope and an end, eight hours on unless said.
func TestRuleHoldHasOwnerReasonScopeAndEnd(t *testing.T) {
	d := newDesk(t)
	for _, c := range []struct {
		line                         string
		service, environment, target string
		length                       time.Duration
	}{
		{"lock web/production x", "web", "production", "", 8 * time.Hour},
		{"lock web in 本番 x --for 2h", "web", "production", "", 2 * time.Hour},
		{"lock web production x", "web", "production", "", 8 * time.Hour},
		{"lock cdn x", "", "", "cdn", 8 * time.Hour},
		{"lock web x", "web", "", "", 8 * time.Hour},
		{"lock staging x --for 1d", "", "staging", "", 24 * time.Hour},
		{"lock everything x", "", "", "", 8 * time.Hour},
		{"lock all x", "", "", "", 8 * time.Hour},
		{"freeze 本番 x", "", "production", "", 24 * time.Hour},
	} {
		t.Run(c.line, func(t *testing.T) {
			d := newDesk(t)
			h := d.hold(d.says("chief", c.line).Subject)
			if h.Service != c.service || h.Environment != c.environment || h.Target != c.target || h.Expires.Sub(h.Created) != c.length || h.Owner.Name != "chief" || h.Reason != "x" {
				t.Errorf("the hold is %+v", h)
			}
		})
	}
	if r := d.says("alice", "lock cdn"); r.Modal == nil {
		t.Error("a lock without a reason is not asked for one")
	}
	if r := d.says("alice", `lock cdn " "`); r.Modal == nil {
		t.Error("a lock with an empty reason is not asked for one")
	}
	for _, long := range []string{"721h", "soon"} {
		d.refused("alice", "lock cdn x --for "+long, "bad_duration")
	}
	d.refused("alice", "lock moon x", "unknown_scope")
	d.refused("alice", "lock web/stagin x", "unknown_scope")
	d.refused("alice", "lock cdn x --link nothing", "bad_link")
	h := d.hold(d.says("alice", "lock cdn x --link tickets.example.com/42").Subject)
	has(t, h.Link, "https://tickets.example.com/42")
	has(t, d.card(h.ID).Text, h.Link)
}

// For a service or everything, the right is wanted in every environment.
func TestRuleTheRightIsWantedInEveryEnvironment(t *testing.T) {
	d := newDesk(t)
	d.refused("carol", "lock web/production x", "not_allowed")
	has(t, d.refused("root", "freeze everything x", "not_allowed").What, "staging")
	has(t, d.refused("root", "freeze web x", "not_allowed").What, "staging")
	d.says("root", "freeze api x") // which runs in production alone
	d.heard.Channel, d.heard.ChannelName = "C9", "elsewhere"
	d.refused("alice", "lock web x", "wrong_channel")
	d.refused("alice", "lock web/production x", "wrong_channel")
	d.heard.Channel = "C2" // one of production's, and none of staging's
	id := d.says("alice", "lock web x").Subject
	for _, room := range []string{"C1", "C2"} {
		if n := len(d.messages(id, room)); n != 1 {
			t.Errorf("%d messages in %s", n, room)
		}
	}
}

// Locking again by the owner changes the reason; the time only where it is said.
func TestRuleRelockByOwnerChangesTheReasonOnly(t *testing.T) {
	d := newDesk(t)
	id := d.says("alice", "lock web/production migration --for 2h").Subject
	was := d.hold(id)
	d.after(10 * time.Minute)
	has(t, private(t, d.says("alice", "lock web/production migration")), "already")
	if h := d.hold(id); h.Version != was.Version || !h.Expires.Equal(was.Expires) {
		t.Errorf("the same said again changed it to %+v", h)
	}
	d.says("alice", "lock web/production still migrating")
	if h := d.hold(id); h.Reason != "still migrating" || !h.Expires.Equal(was.Expires) || h.Version == was.Version {
		t.Errorf("locked again: %+v", h)
	}
	d.says("alice", "lock web/production still migrating --for 4h")
	if h := d.hold(id); h.Expires.Sub(d.clock.Now()).Round(time.Minute) != 4*time.Hour || len(d.holds()) != 1 {
		t.Errorf("locked again for 4 h: %+v", h)
	}
}

// Several coexist, and whoever comes second is told of all that stand there.
func TestRuleHoldsCoexist(t *testing.T) {
	d := newDesk(t)
	first := d.says("alice", "lock web/production migration").Subject
	d.says("root", "freeze production audit")
	r := d.says("bob", "lock web/production load test")
	has(t, private(t, r), "web/production is locked by alice: “migration” (hold-1", "production is frozen by root: “audit” (hold-2", "theirs wait for you")
	if l := (shown{Message: *r.Private}).labels(); l != "Ask alice, Ask root" {
		t.Errorf("it offers %s", l)
	}
	if n := len(d.holds()); n != 3 {
		t.Errorf("%d holds stand", n)
	}
	has(t, d.card(first).Text, "Also hold-3, a lock of bob")
	d.says("bob", "unlock web/production") // his own, without an id
	if all := d.holds(); len(all) != 2 || all[0].ID != first {
		t.Errorf("after it: %+v", all)
	}
	if text := d.card(first).Text; strings.Contains(text, "Also") {
		t.Errorf("the other's card says %q", text)
	}
}

// What a lock kept from being merged says so, and says so no more when the lock is
// over: its card, and the status that the merge needs.
func TestWhatALockStoppedIsShownAgain(t *testing.T) {
	d := newDesk(t)
	d.update(func(tx *store.Tx) error {
		op := &store.Operation{ID: "op-1", State: store.OpOpen, Kind: "deploy", Service: "web", Environment: "production", Targets: []string{"web/production"}, RepoID: 7, PR: 3}
		return errors.Join(tx.PutOperation(op),
			tell.Open(tx, store.Surface{ID: "card", Place: "p", Card: "c", Subject: "op-1"}),
			tell.Open(tx, store.Surface{ID: "status", Place: "p", Card: "c", Subject: tell.PullSubject(7, 3)}))
	})
	raised := func(what string, do func()) {
		t.Helper()
		card, status := d.marks("op-1"), d.marks(tell.PullSubject(7, 3))
		do()
		if d.marks("op-1") <= card || d.marks(tell.PullSubject(7, 3)) <= status {
			t.Errorf("%s: card or status is not shown again", what)
		}
	}
	raised("locked", func() { d.says("alice", "lock web/production x") })
	raised("locked again", func() { d.says("alice", "lock web/production y") })
	raised("released", func() { d.says("alice", "unlock web/production") })
	raised("locked for everything", func() { d.says("chief", "stop the house is on fire") })
	raised("go", func() { d.says("chief", "go") })
	raised("a target locked", func() { d.says("alice", "lock web/production x --for 1h") })
	raised("extended", func() { d.says("alice", "extend web/production") })
	raised("stolen", func() { d.says("root", "steal web/production hotfix") })
	raised("expired", func() { d.after(5 * time.Hour) })
}

// Release is by id and version: an old button frees no newer lock.
func TestRuleUnlockIsByIDAndVersion(t *testing.T) {
	d := newDesk(t)
	id := d.says("alice", "lock web/production migration").Subject
	old := d.card(id).buttons()[0]
	if old.Command != "unlock "+id {
		t.Errorf("its button says %q", old.Command)
	}
	d.says("alice", "lock web/production another reason")
	d.refusedAt("alice", old.Command, old.Version, "stale")
	d.says("alice", "unlock web/production")
	second := d.says("alice", "lock web/production again").Subject
	has(t, d.refusedAt("alice", old.Command, old.Version, "over").What, "released by alice")
	if all := d.holds(); len(all) != 1 || all[0].ID != second {
		t.Errorf("the old button left %+v", all)
	}
	now := d.card(second).buttons()[0]
	if _, err := d.press("alice", now.Command, now.Version); err != nil {
		t.Errorf("the new button: %v", err)
	}
	has(t, d.card(id).Text, "released by alice")
	d.refused("alice", "unlock web/production", "not_locked")
	d.refused("alice", "unlock hold-77", "unknown_hold")
}

// Who may release: the owner; with unlock-other others; everybody else is told
// every blocker, and how to ask.
func TestRuleWhoMayRelease(t *testing.T) {
	d := newDesk(t)
	d.says("alice", "lock web/production migration")
	d.says("dave", "lock web/production audit")
	r := d.refused("bob", "unlock hold-1", "held")
	has(t, r.What, "alice", "migration", "hold-1", "until", "dave", "audit", "hold-2")
	if l := r.Buttons; len(l) != 2 || l[0].Label != "Ask alice" || l[0].Command != "ask-release hold-1" || l[1].Label != "Ask dave" {
		t.Errorf("it offers %+v", l)
	}
	which := d.refused("root", "unlock web/production because they left", "which")
	if len(which.Buttons) != 2 || which.Buttons[1].Command != `unlock hold-2 "they left"` {
		t.Errorf("it offers %+v", which.Buttons)
	}
	d.says("root", "unlock hold-1 because alice left")
	if m := d.messages("hold-1", "UA"); len(m) != 1 {
		t.Errorf("alice is told %+v", m)
	} else {
		has(t, m[0].Text, "released by root", "alice left")
	}
	// The owner may from anywhere, also from a direct message.
	id := d.says("bob", "lock staging load test").Subject
	d.heard.Channel, d.heard.ChannelName, d.heard.Private = "D1", "", true
	d.says("bob", "unlock "+id)
	d.refused("root", "unlock hold-2", "wrong_channel")
}

// Dirty is cleared by an authorised person with a reason.
func TestRuleDirtyNeedsForceAndAReason(t *testing.T) {
	d := newDesk(t)
	d.update(func(tx *store.Tx) error {
		h := &store.Hold{Kind: store.HoldDirty, Target: "cdn", Owner: gate.ToStore(d.person("alice")), Reason: "job-3 failed", Job: "job-3", SHA: "abc"}
		return errors.Join(tx.PutHold(h, 0), tell.Open(tx, store.Surface{ID: "c", Place: placeMessage, Card: cardHold, Subject: h.ID, Where: map[string]string{"channel": "C1"}}))
	})
	has(t, d.card("hold-1").Text, "cdn is dirty", "job-3 failed")
	if l := d.card("hold-1").labels(); l != "Retry, Release…" {
		t.Errorf("its buttons are %s", l)
	}
	d.refused("alice", "unlock cdn I looked", "not_allowed")
	d.refused("root", "unlock cdn", "no_reason")
	d.heard.Trigger, d.heard.Sent = "t", d.clock.Now()
	if r := d.says("root", "unlock hold-1"); r.Modal == nil || len(d.holds()) != 1 {
		t.Errorf("a button's press is answered with %+v", r)
	}
	d.refused("root", "extend cdn", "not_locked")
	d.refused("root", "steal hold-1 mine", "dirty")
	d.says("root", "unlock cdn I looked")
	has(t, d.card("hold-1").Text, "no longer dirty", "released by root: “I looked”")
	// One that another feature ended says what set it right, or at least that it is over.
	d.update(func(tx *store.Tx) error {
		h := &store.Hold{Kind: store.HoldDirty, Target: "cdn", Reason: "handwork"}
		if err := tx.PutHold(h, 0); err != nil {
			return err
		}
		return errors.Join(gate.EndHold(tx, gate.Ended{Hold: *h, How: gate.EndHealed, Why: "op-9 succeeded"}),
			tell.Open(tx, store.Surface{ID: "c2", Place: placeMessage, Card: cardHold, Subject: h.ID, Where: map[string]string{"channel": "C1"}}),
			tell.Open(tx, store.Surface{ID: "c3", Place: placeMessage, Card: cardHold, Subject: "hold-9", Where: map[string]string{"channel": "C1"}}))
	})
	has(t, d.card("hold-2").Text, "set right: op-9 succeeded")
	has(t, d.card("hold-9").Text, "hold-9 is over")
}

func TestScopeIsRead(t *testing.T) {
	d := newDesk(t)
	for line, want := range map[string]string{
		"lock web/prodution x":    "unknown_scope", // and is offered what was meant
		"lock web prodction x y":  "unknown_scope", // instead of all of web
		"lock api in staging x":   "unknown_scope", // where it does not run
		"lock web in maintenance": "",
	} {
		_, err := d.press("alice", line, 0)
		var r *commands.Refusal
		if got := ""; errors.As(err, &r) {
			if got = r.Code; got != want {
				t.Errorf("%s: %v", line, err)
			}
		} else if want != "" {
			t.Errorf("%s: %v", line, err)
		}
	}
	if h := d.holds(); len(h) != 1 || h[0].Service != "web" || h[0].Environment != "" || h[0].Reason != "in maintenance" {
		t.Errorf("it holds %+v", h)
	}
	r := d.refused("alice", "lock web prodction x", "unknown_scope")
	if len(r.Buttons) != 1 || r.Buttons[0].Command != `lock web/production "x"` {
		t.Errorf("it offers %+v", r.Buttons)
	}
}
