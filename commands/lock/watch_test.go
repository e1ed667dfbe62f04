package lock

import (
	"errors"
	"fmt"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/store"
)

// The owner is reminded an hour before the end, then every three hours while it
// is extended; each time once, also over a restart.
func TestRuleNagBeforeExpiryThenEveryThreeHours(t *testing.T) {
	d := newDesk(t)
	id := d.says("alice", "lock web/production migration").Subject
	nags := func() int { d.t.Helper(); return len(d.messages(id, "UA")) }
	d.after(6*time.Hour + 50*time.Minute)
	if nags() != 0 {
		t.Fatal("reminded more than an hour before the end")
	}
	d.after(15 * time.Minute)
	if nags() != 1 {
		t.Fatalf("reminded %d times at 7 h", nags())
	}
	m := d.messages(id, "UA")[0]
	has(t, m.Text, "Your lock on web/production ends at", "migration")
	if m.labels() != "Extend, Release" {
		t.Errorf("its buttons are %s", m.labels())
	}
	d.restart()
	d.after(20 * time.Minute)
	if nags() != 1 {
		t.Error("reminded twice")
	}
	extend := d.messages(id, "UA")[0].buttons()[0]
	if _, err := d.press("alice", extend.Command, extend.Version); err != nil {
		t.Fatal(err)
	}
	m = d.messages(id, "UA")[0]
	if has(t, m.Text, "It holds until"); m.labels() != "" {
		t.Errorf("after Extend its buttons are %s", m.labels())
	}
	d.says("alice", "extend web/production --for 8h")
	d.after(2*time.Hour + 30*time.Minute)
	if nags() != 1 {
		t.Error("reminded within three hours")
	}
	d.after(20 * time.Minute)
	if nags() != 2 {
		t.Errorf("after three hours reminded %d times", nags())
	}
}

func TestNagDue(t *testing.T) {
	noon := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	at := func(min int) time.Time { return noon.Add(time.Duration(min) * time.Minute) }
	for _, c := range []struct {
		say           string
		hold          store.Hold
		before, first int // minutes after noon: not yet, and due
	}{
		{"eight hours", store.Hold{Expires: at(480)}, 419, 420},
		{"two hours", store.Hold{Expires: at(120)}, 59, 60},
		{"one hour: when half of it is over", store.Hold{Expires: at(60)}, 29, 30},
		{"twenty minutes: never", store.Hold{Expires: at(20)}, 19, -1},
		{"a freeze", store.Hold{Kind: store.HoldFreeze, Expires: at(1440)}, 1379, 1380},
		{"no end: every three hours", store.Hold{Kind: store.HoldFreeze, Stop: true}, 179, 180},
		{"no end, reminded at three hours", store.Hold{Kind: store.HoldFreeze, Stop: true, Nagged: at(180)}, 359, 360},
		{"extended to eleven hours, reminded at seven", store.Hold{Expires: at(660), Nagged: at(420)}, 599, 600},
		{"extended by an hour, reminded at seven: an hour before the new end", store.Hold{Expires: at(540), Nagged: at(420)}, 479, 480},
		{"reminded for this end already", store.Hold{Expires: at(480), Nagged: at(421)}, 479, -1},
		{"dirty: never", store.Hold{Kind: store.HoldDirty}, 1000, -1},
		{"over", store.Hold{Expires: at(480)}, 419, 479},
	} {
		t.Run(c.say, func(t *testing.T) {
			c.hold.Created = noon
			if nagDue(&c.hold, at(c.before)) {
				t.Errorf("it is due after %d minutes", c.before)
			}
			if c.first >= 0 && !nagDue(&c.hold, at(c.first)) {
				t.Errorf("it is not due after %d minutes", c.first)
			}
			if c.hold.Over(at(480)) && nagDue(&c.hold, at(480)) {
				t.Error("it is due when it is over")
			}
		})
	}
}

// What expires while its owner is away asks the channel before anything starts: on
// its card, and in a message of its own where something waits.
func TestRuleExpiredAsksTheChannel(t *testing.T) {
	for _, onOpen := range []string{"ask", "run"} {
		d := newDesk(t)
		d.cat.Environments[1].OnOpen = onOpen
		id := d.says("alice", "lock web/production x --for 25m").Subject
		d.waits("job-9", "cdn", "hold")
		d.waits("job-10", "web/staging", "hold") // waits for another
		d.waits("job-11", "web/production", "approvals")
		d.after(20 * time.Minute)
		if len(d.holds()) != 1 {
			t.Error("it is over before its time")
		}
		d.after(10 * time.Minute)
		if len(d.holds()) != 0 {
			t.Error("it holds after its time")
		}
		all := d.messages(id, "C1")
		if len(all) != 2 {
			t.Fatalf("the channel sees %+v", all)
		}
		if l := d.messages(id, "UA"); len(l) > 0 {
			t.Errorf("so short a one, and alice is told %+v", l)
		}
		for _, m := range all {
			has(t, m.Text, "expired", "job-9 of op-job-9 (cdn)", "does not start by itself")
			if b := m.buttons(); len(b) != 2 || b[0].Label != "Retry" || b[0].Command != "retry job-9" || b[1].Label != "Cancel" || b[1].Command != "cancel job-9" {
				t.Errorf("its buttons are %+v", b)
			}
		}
		if s := d.state("job-9"); s != store.JobBlocked {
			t.Errorf("what waited is %s", s)
		}
		// When somebody has chosen, nobody is asked any more.
		d.update(func(tx *store.Tx) error {
			j, err := tx.Job("job-9")
			if err != nil {
				return err
			}
			j.State = store.JobQueued
			return tx.PutJob(j)
		})
		before := d.marks(id)
		d.tick()
		after := d.marks(id)
		if d.tick(); after != before+2 || d.marks(id) != after {
			t.Errorf("its messages were marked %d, %d, %d times", before, after, d.marks(id))
		}
		for _, m := range d.messages(id, "C1") {
			if m.labels() != "" {
				t.Errorf("still asked: %+v", m)
			}
		}
		// Where nothing waits the channel's phones stay silent.
		id = d.says("alice", "lock web/staging x --for 25m").Subject
		d.update(func(tx *store.Tx) error {
			j, err := tx.Job("job-10")
			if err != nil {
				return err
			}
			j.State = store.JobCancelled
			return tx.PutJob(j)
		})
		d.after(30 * time.Minute)
		if all := d.messages(id, "C1"); len(all) != 1 {
			t.Errorf("the channel sees %+v", all)
		}
	}
}

// A release by a person shows what waited, and asks.
func TestRuleReleaseShowsWhatWaitedAndAsks(t *testing.T) {
	d := newDesk(t)
	id := d.says("alice", "lock web/production x").Subject
	d.says("root", "freeze production audit")
	d.waits("job-9", "cdn", "hold", "freeze")
	r := d.says("alice", "unlock web/production")
	has(t, private(t, r), "is unlocked", "job-9 of op-job-9 (cdn), asked for by alice", "still production is frozen by root")
	if l := (shown{Message: *r.Private}).labels(); l != "Retry, Cancel" {
		t.Errorf("it offers %s", l)
	}
	has(t, d.card(id).Text, "released by alice", "job-9")
	if s := d.state("job-9"); s != store.JobBlocked {
		t.Errorf("what waited is %s", s)
	}
}

// What came to hold it since, put there by an apply and not by a person here, is
// named in the message that asks about it.
func TestTheMessageThatAsksNamesWhatAnApplyLeftSince(t *testing.T) {
	d := newDesk(t)
	id := d.says("alice", "lock web/production x").Subject
	d.waits("job-9", "cdn", "hold")
	d.says("alice", "unlock web/production")
	before := d.marks(id)
	d.update(func(tx *store.Tx) error {
		return tx.PutHold(&store.Hold{Kind: store.HoldDirty, Target: "cdn", Reason: "job-3 failed", Job: "job-3"}, 0)
	})
	if d.tick(); d.marks(id) == before {
		t.Error("nobody has it shown anew")
	}
	has(t, d.card(id).Text, "job-9", "still cdn is dirty: “job-3 failed”")
}

// Where the environment says on_open: run, what waited for this hold alone goes
// on, to be asked again by every gate.
func TestRuleOnOpenRunLetsItGoOn(t *testing.T) {
	for _, c := range []struct {
		say, take, release string
		gates              []string
		want               string
	}{
		{"waited for it alone", "lock web/production x", "unlock web/production", []string{"hold"}, store.JobQueued},
		{"a freeze", "freeze production x", "unfreeze production", []string{"freeze"}, store.JobQueued},
		{"waited for an approval too", "lock web/production x", "unlock web/production", []string{"hold", "approvals"}, store.JobBlocked},
		{"another lock stands there", "lock web/production x", "unlock web/production", []string{"hold"}, store.JobBlocked},
		{"nobody knows what for", "lock web/production x", "unlock web/production", nil, store.JobBlocked},
		{"everything was stopped", "stop the house is on fire", "go", []string{"freeze"}, store.JobBlocked},
	} {
		t.Run(c.say, func(t *testing.T) {
			d := newDesk(t)
			d.cat.Environments[1].OnOpen = "run"
			d.says("chief", c.take)
			if c.say == "another lock stands there" {
				d.says("bob", "lock cdn y")
			}
			d.waits("job-9", "cdn", c.gates...)
			text := private(t, d.says("chief", c.release))
			if s := d.state("job-9"); s != c.want {
				t.Errorf("what waited is %s: %s", s, text)
			}
			if c.want == store.JobQueued {
				has(t, text, "goes on")
			} else {
				has(t, text, "does not start by itself")
			}
		})
	}
}

// Nobody passes a freeze; whoever may freeze lifts it, with a reason where it is
// somebody else's.
func TestRuleFreezeIsLiftedByWhoeverMayFreeze(t *testing.T) {
	d := newDesk(t)
	d.refused("alice", "freeze production x", "not_allowed")
	id := d.says("root", "freeze production audit --for 8h").Subject
	has(t, d.card(id).Text, "frozen by root", "audit", "root included")
	d.refused("alice", "unlock "+id, "not_allowed")
	d.refused("alice", "unfreeze production", "not_allowed")
	has(t, d.refused("alice", "unlock production", "not_locked").Hint, "production is frozen by root")
	d.refused("chief", "unfreeze production", "no_reason")
	d.says("chief", "unfreeze production because the audit is over")
	has(t, d.card(id).Text, "no longer frozen", "lifted by chief", "the audit is over")
	has(t, d.messages(id, "UR")[0].Text, "lifted by chief")
	d.says("root", "freeze production again")
	d.says("root", "unfreeze production")
}

// A stop is a freeze of everything without an end, told in every environment's
// channel; go lifts it and asks about all that waited.
func TestRuleStopAndGo(t *testing.T) {
	d := newDesk(t)
	d.cat.Environments[0].Channels = []string{"C1"}
	d.cat.Environments[1].Channels = []string{"C2"}
	d.refused("root", "stop the house is on fire", "not_allowed") // not in staging
	d.refused("chief", "stop op-3", "not_a_reason")
	d.refused("chief", "stop web", "not_a_reason")
	d.refused("chief", "go", "not_stopped")
	d.heard.Channel = "C7" // from anywhere
	id := d.says("chief", "stop the house is on fire").Subject
	if h := d.hold(id); !h.Stop || !h.Expires.IsZero() || h.Kind != store.HoldFreeze || scopeOf(d.cat, h) != (commands.Scope{}) {
		t.Errorf("the stop is %+v", h)
	}
	for _, room := range []string{"C1", "C2", "C7"} {
		all := d.messages(id, room)
		if len(all) != 1 || all[0].labels() != "Go" {
			t.Fatalf("%s sees %+v", room, all)
		}
		has(t, all[0].Text, "STOP: everything is stopped by chief", "the house is on fire")
	}
	has(t, d.refused("chief", "stop it burns", "stopped").What, "stopped by chief", "the house is on fire")
	d.refused("root", "go", "not_allowed")
	d.waits("job-9", "cdn", "freeze")
	d.after(3*time.Hour + 10*time.Minute)
	if m := d.messages(id, "UX"); len(m) != 1 || m[0].labels() != "Go" {
		t.Errorf("after three hours chief is told %+v", m)
	}
	d.heard.Channel = "C2"
	go_ := d.messages(id, "C2")[0].buttons()[0]
	r, err := d.press("chief", go_.Command, go_.Version)
	if err != nil {
		t.Fatal(err)
	}
	has(t, private(t, r), "Everything may go on", "job-9")
	for _, room := range []string{"C1", "C2", "C7"} {
		all := d.messages(id, room)
		if len(all) != 2 {
			t.Fatalf("%s sees %+v", room, all)
		}
		has(t, all[0].Text, "the stop of chief (“the house is on fire”) was lifted by chief")
		has(t, all[1].Text, "Go: everything may go on", "job-9 of op-job-9")
		// Where its buttons would be refused there are none.
		want := ""
		if room == "C2" {
			want = "Retry, Cancel"
		}
		if l := all[1].labels(); l != want {
			t.Errorf("in %s its buttons are %q", room, l)
		}
	}
	again := d.says("chief", "stop it burns again").Subject
	if d.refusedAt("chief", go_.Command, go_.Version, "over"); len(d.holds()) != 1 {
		t.Errorf("the button of the last stop lifted %s", again)
	}
	d.says("chief", "go")
}

func TestLocksLists(t *testing.T) {
	d := newDesk(t)
	if m := d.says("carol", "locks").Private; m.Text != "Nothing is locked." {
		t.Errorf("%q", m.Text)
	}
	d.says("alice", "lock cdn cache trouble --link https://tickets.example.com/42")
	d.says("root", "freeze production audit")
	d.says("chief", "stop the house is on fire")
	d.update(func(tx *store.Tx) error {
		if err := tx.PutHold(&store.Hold{Kind: store.HoldDirty, Target: "web/staging", Reason: "job-3 failed", Job: "job-3"}, 0); err != nil {
			return err
		}
		if _, _, err := tx.InsertJob(&store.Job{ID: "job-5", Key: "k", Kind: "apply", Target: "cdn", Locks: true, State: store.JobUnknown}); err != nil {
			return err
		}
		if err := tx.TakeRunLock(store.RunLock{Target: "cdn", Job: "job-5", Attempt: 1}); err != nil {
			return err
		}
		if err := tx.PutOperation(&store.Operation{ID: "op-7", State: store.OpOpen, Kind: "deploy", Service: "web", Environment: "staging", Targets: []string{"web/staging"}, Requester: store.Person{Name: "bob"}, PR: 4, PRURL: "https://x/4"}); err != nil {
			return err
		}
		return tx.TakeRunLock(store.RunLock{Target: "web/production", Job: "job-4", Attempt: 1})
	})
	m := d.says("carol", "locks").Private
	order := []string{"Everything is stopped by chief", "production is frozen by root: “audit”", "cdn is locked by alice: “cache trouble”", "web/staging is dirty: “job-3 failed”",
		"cdn is kept by job-5", "web/production is running job-4", "web/staging is reserved by op-7 of bob, open"}
	at := -1
	for _, part := range order {
		i := index(m.Text, part)
		if i <= at {
			t.Errorf("%q stands at %d, after %d, in\n%s", part, i, at, m.Text)
		}
		at = i
	}
	for who, want := range map[string]string{
		"carol": "Ask chief, Ask root, Ask alice, Mark succeeded, Mark failed",
		"alice": "Ask chief, Ask root, Release, Extend, Mark succeeded, Mark failed",
		"root":  "Ask chief, Release, Extend, Release, Extend, Ask alice, Steal…, Mark succeeded, Mark failed",
		"chief": "Go, Release, Extend, Ask root, Release, Extend, Ask alice, Steal…, Release…, Mark succeeded, Mark failed",
	} {
		if l := (shown{Message: *d.says(who, "locks").Private}).labels(); l != want {
			t.Errorf("%s may press %s, want %s", who, l, want)
		}
	}
	text := d.says("carol", "locks web/staging").Private.Text
	has(t, text, "Everything is stopped", "web/staging is dirty", "reserved by op-7")
	for _, part := range []string{"cdn", "frozen", "job-4"} {
		if index(text, part) >= 0 {
			t.Errorf("the list for web/staging says %q:\n%s", part, text)
		}
	}
}

// A long list stays within what Slack takes, and says what it leaves out.
func TestALongListFits(t *testing.T) {
	for _, n := range []int{1, 20, 24, 25, 60, 300} {
		d := newDesk(t)
		d.update(func(tx *store.Tx) error {
			for i := range n {
				h := &store.Hold{Kind: store.HoldHold, Target: "cdn", Owner: store.Person{Name: "alice"}, Reason: fmt.Sprintf("reason %d of many", i), Expires: d.clock.Now().Add(time.Hour)}
				if err := tx.PutHold(h, 0); err != nil {
					return err
				}
			}
			return nil
		})
		m := d.says("alice", "locks").Private
		chars := 0
		for _, b := range m.Blocks {
			chars += len([]rune(b.Text.Plain()))
		}
		if len(m.Blocks) > 48 || chars > 10000 {
			t.Errorf("%d locks are %d blocks and %d characters", n, len(m.Blocks), chars)
		}
		last := fmt.Sprintf("reason %d of many", n-1)
		if n <= 60 && index(m.Text, last) < 0 {
			t.Errorf("of %d locks the last is not there", n)
		}
		if n == 300 {
			has(t, m.Text, "more: `/ops locks <what>`")
		}
	}
}

// A message that asks about what waited for a lock says what else holds it now,
// also what somebody took later.
func TestWhatIsAskedAboutNamesWhatHoldsItSince(t *testing.T) {
	d := newDesk(t)
	d.says("alice", "lock web/production migration")
	d.waits("job-1", "web/production", "hold")
	d.says("alice", "unlock web/production")
	before := d.marks("hold-1")
	d.says("chief", `stop "the database is on fire"`)
	has(t, d.card("hold-1").Text, "still everything is stopped by chief")
	if d.marks("hold-1") == before {
		t.Error("the stop changes what the message says, and nobody marked it")
	}
	has(t, d.card("hold-1").Text, "job-1")
	d.waits("job-2", "web/production", "hold") // for a lock of later
	if text := d.card("hold-1").Text; strings.Contains(text, "job-2") {
		t.Errorf("job-2 never waited for hold-1, and its message says %q", text)
	}
}

// What was tried again and waits for something else by now is asked about no more.
func TestWhatWaitsForSomethingElseIsAskedAboutNoMore(t *testing.T) {
	d := newDesk(t)
	d.says("alice", "lock web/production migration")
	d.waits("job-1", "web/production", "hold")
	d.says("alice", "unlock web/production")
	has(t, d.card("hold-1").Text, "job-1")
	d.update(func(tx *store.Tx) error {
		j, err := tx.Job("job-1")
		if err != nil {
			return err
		}
		j.Closed = []string{"approvals"}
		return tx.PutJob(j)
	})
	before := d.marks("hold-1")
	d.tick()
	if text := d.card("hold-1").Text; strings.Contains(text, "job-1") || d.marks("hold-1") == before {
		t.Errorf("marked %d times since, the message says %q", d.marks("hold-1")-before, text)
	}
}

// The card of the operation that left something dirty says so, and says so no more
// when somebody counts it as clean.
func TestTheCauseOfADirtyTargetIsShownAnew(t *testing.T) {
	d := newDesk(t)
	d.update(func(tx *store.Tx) error {
		return errors.Join(
			tx.PutOperation(&store.Operation{ID: "op-1", State: store.OpFailed, Kind: "deploy", Environment: "production", Targets: []string{"cdn"}}),
			tx.PutJob(&store.Job{ID: "job-1", Key: "k", Kind: "apply", Target: "cdn", Operation: "op-1", State: store.JobFailed}),
			tell.Open(tx, store.Surface{ID: "card", Place: "p", Card: "c", Subject: "op-1"}),
			tx.PutHold(&store.Hold{Kind: store.HoldDirty, Target: "cdn", Reason: "job-1 failed", Job: "job-1"}, 0))
	})
	before := d.marks("op-1")
	d.says("root", "unlock cdn I looked")
	if d.marks("op-1") == before {
		t.Error("its card still says that it is dirty")
	}
}
