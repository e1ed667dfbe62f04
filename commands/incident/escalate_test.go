package incident

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// Three steps, over restarts at every moment: each calls once, whoever is not there is
// said, and all is quiet once somebody has it.
func TestAnEscalation(t *testing.T) {
	d := newDesk(t)
	d.sends(d.alert("firing"))
	want := map[time.Duration][]string{
		0:                          {"incident-1 alice"}, // at once
		5*time.Minute - callEvery:  {"incident-1 alice"},
		5*time.Minute + callEvery:  {"incident-1 alice", "incident-1 alice", "incident-1 bob"}, // the night has nobody
		15*time.Minute - callEvery: {"incident-1 alice", "incident-1 alice", "incident-1 bob"},
		15*time.Minute + callEvery: {"incident-1 alice", "incident-1 alice", "incident-1 bob", "incident-1 alice"}, // once more, from the first
		3 * time.Hour:              {"incident-1 alice", "incident-1 alice", "incident-1 bob", "incident-1 alice", "incident-1 alice", "incident-1 bob"},
	}
	d.cfg.Escalations = nil // it goes by what was configured when it began
	for at := time.Duration(0); at <= 3*time.Hour; at += callEvery {
		d.starts()
		d.tick()
		d.tick()
		if pages, ok := want[at]; ok && !slices.Equal(d.pages(), pages) {
			t.Errorf("after %v %v were called, want %v", at, d.pages(), pages)
		}
		if err := d.clock.Advance(context.Background(), callEvery, nil); err != nil {
			t.Fatal(err)
		}
	}
	var calls []string
	for _, s := range d.shown("incident-1") {
		if rest, ok := strings.CutPrefix(s, "incident-called in C-alerts: "); ok {
			calls = append(calls, rest)
		}
	}
	if want := []string{"📟 called: alice", "📟 nobody stands behind night now", "📟 called: alice, bob", "📟 called: alice", "📟 nobody stands behind night now", "📟 called: alice, bob",
		"🔚 Everybody was called, and nobody came. It calls nobody any more; escalate it to begin anew."}; !slices.Equal(calls, want) {
		t.Errorf("the thread says %q", calls)
	}
	if text, _ := d.card("incident-1"); !strings.Contains(text, "nobody came") {
		t.Errorf("the card says %s", text)
	}
	d.says("bob", "escalate 1 the shop is down")
	if p := d.pages(); len(p) != 7 || p[6] != "incident-1 alice" {
		t.Errorf("escalated, %v were called", p)
	}
}

// Whoever acknowledges first has it, as themselves; then nobody else is called. A button
// of what is over says so.
func TestWhoeverIsFirstHasIt(t *testing.T) {
	d := newDesk(t)
	d.sends(d.alert("firing"))
	d.passes(callEvery)
	if got := d.shown("incident-1")[1]; got != "incident-page in UA: 🚨 incident-1 “disk is full on web-1” · you are called" {
		t.Errorf("alice is shown %s", got)
	}
	d.says("bob", "ack incident-1")
	if no := d.refuses("alice", "ack incident-1", "acknowledged"); !strings.HasPrefix(no.What, "incident-1 is bob's") {
		t.Errorf("alice is told %s", no.What)
	}
	if got := d.shown("incident-1")[1]; got != "incident-page in UA: 🚨 incident-1 “disk is full on web-1” · acknowledged by bob" {
		t.Errorf("alice is shown %s", got)
	}
	d.passes(55 * time.Minute)
	if p := d.pages(); len(p) != 1 {
		t.Errorf("%v were called", p)
	}
	d.sends(d.alert("resolved"))
	for _, line := range []string{"ack 1", "resolved 1", "escalate 1", "snooze 1 30m", "reassign 1 @bob"} {
		d.refuses("alice", line, "over")
	}
	d.refuses("alice", "ack 9", "unknown_incident")
	d.refuses("carol", "ack 1", "not_allowed")
	i := d.incident("incident-1")
	if took := i.FirstAck.Sub(i.Opened); took.Round(time.Second) != callEvery {
		t.Errorf("it was acknowledged after %v", took)
	}
}

// Several at once: the only one, all, or those that somebody was called for.
func TestSeveralAreAcknowledged(t *testing.T) {
	d := newDesk(t)
	d.refuses("alice", "ack", "none")
	d.sends(d.alert("firing"))
	d.says("alice", "ack")
	d.sends(d.alert("firing", key("a")))
	d.passes(2 * callEvery)
	d.sends(d.alert("firing", key("b"), severity("warning")))
	if no := d.refuses("alice", "ack", "several"); !strings.Contains(no.What, "incident-2, incident-3") {
		t.Errorf("alice is told %s", no.What)
	}
	if r := d.says("alice", "ack mine"); r.Private.Text != "Yours: incident-2." {
		t.Errorf("alice is told %s", r.Private.Text)
	}
	if r := d.says("bob", "ack all"); r.Private.Text != "Yours: incident-3." {
		t.Errorf("bob is told %s", r.Private.Text)
	}
}

// Snoozed, it is quiet, and at the end it calls again; given to somebody, they are called;
// forgotten, whoever has it is reminded.
func TestSnoozedGivenAndForgotten(t *testing.T) {
	d := newDesk(t)
	d.sends(d.alert("firing"))
	d.says("bob", "snooze 1 30m")
	if text, _ := d.card("incident-1"); !strings.Contains(text, "snoozed by bob until ") {
		t.Errorf("the card says %s", text)
	}
	d.passes(30*time.Minute - callEvery)
	if p := d.pages(); len(p) != 1 {
		t.Errorf("%v were called", p)
	}
	d.passes(2 * callEvery)
	if p := d.pages(); !slices.Equal(p, []string{"incident-1 alice", "incident-1 alice"}) {
		t.Errorf("awake, %v were called", p)
	}
	if all := strings.Join(d.shown("incident-1"), "\n"); strings.Count(all, "⏰ The snooze is over") != 1 {
		t.Errorf("it shows %s", all)
	}
	d.says("alice", "reassign 1 @bob")
	if p := d.pages(); len(p) != 3 || p[2] != "incident-1 bob" {
		t.Errorf("given to bob, %v were called", p)
	}
	d.refuses("alice", "reassign 1 @zoe", "nobody")
	reminders := func() int {
		return strings.Count(strings.Join(d.shown("incident-1"), "\n"), "incident-reminder in UB: ⏳ incident-1")
	}
	d.passes(time.Hour - callEvery)
	d.starts()
	if n := reminders(); n != 0 {
		t.Errorf("bob is reminded %d times within the hour", n)
	}
	d.passes(2 * callEvery)
	if n := reminders(); n != 1 {
		t.Errorf("bob is reminded %d times", n)
	}
	d.says("bob", "note 1 the disk is on its way")
	d.passes(59 * time.Minute)
	if n := reminders(); n != 1 {
		t.Errorf("bob wrote, and is reminded %d times", n)
	}
	d.passes(30 * time.Hour)
	if n := reminders(); n > 24 {
		t.Errorf("bob is reminded %d times", n)
	}
}

// A page is an incident that calls somebody at once, until they come.
func TestAPage(t *testing.T) {
	d := newDesk(t)
	r := d.says("alice", `page @bob the queue does not move`)
	if r.Subject != "incident-1" || !slices.Equal(d.pages(), []string{"incident-1 bob"}) {
		t.Fatalf("%+v, and %v were called", r, d.pages())
	}
	d.passes(5*time.Minute + callEvery)
	if p := d.pages(); len(p) != 2 {
		t.Errorf("%v were called", p)
	}
	d.says("bob", "ack 1")
	d.passes(time.Hour / 2)
	if p := d.pages(); len(p) != 2 {
		t.Errorf("bob came, and %v were called", p)
	}
	d.refuses("alice", "page @zoe hello", "nobody")
}

// Whoever has it first is who had it first; one that is lost calls again at once, and from
// the beginning where everybody had been called.
func TestOneThatIsLostCallsAtOnce(t *testing.T) {
	d := newDesk(t)
	d.sends(d.alert("firing", severity("warning")))
	d.sends(d.alert("firing"))
	if i := d.incident("incident-1"); i.Severity != integrations.SeverityCritical || i.Escalation != nil {
		t.Errorf("worse, it is %s, %+v", i.Severity, i.Escalation)
	}
	d.sends(d.alert("firing", key("b")))
	d.passes(time.Minute)
	d.sends(d.alert("acknowledged", key("b")))
	d.passes(time.Minute)
	d.sends(d.alert("unacknowledged", key("b")))
	d.passes(callEvery)
	if p := d.pages(); !slices.Equal(p, []string{"incident-2 alice", "incident-2 alice", "incident-2 bob"}) {
		t.Errorf("%v were called", p)
	}
	d.says("bob", "ack 2")
	if i := d.incident("incident-2"); i.FirstAck.Sub(i.Opened).Round(time.Second) != time.Minute {
		t.Errorf("first it was had after %v", i.FirstAck.Sub(i.Opened))
	}
	d.sends(d.alert("firing", key("c")))
	d.passes(time.Hour) // everybody was called, and nobody came
	n := len(d.pages())
	d.sends(d.alert("acknowledged", key("c")))
	d.passes(time.Minute)
	d.sends(d.alert("unacknowledged", key("c")))
	d.passes(callEvery)
	if p := d.pages(); len(p) != n+1 || p[n] != "incident-3 alice" {
		t.Errorf("anew, %v were called", p[n:])
	}
	d.says("bob", "reassign 3 @bob")
	if len(d.pages()) != n+1 {
		t.Error("bob took it, and is called")
	}
	d.says("bob", "snooze 3 3h")
	d.passes(2 * time.Hour)
	if all := strings.Join(d.shown("incident-3"), "\n"); strings.Contains(all, "incident-reminder") {
		t.Errorf("it is snoozed, and bob is reminded: %s", all)
	}
}

// Somebody who stands in a step twice is called once.
func TestNobodyIsCalledTwiceAtOnce(t *testing.T) {
	d := newDesk(t)
	d.cfg.Escalations = []Rule{{Steps: []Step{{Call: []string{"platform", "alice", "all"}}}}}
	d.sends(d.alert("firing"))
	if p := d.pages(); !slices.Equal(p, []string{"incident-1 alice", "incident-1 bob"}) {
		t.Errorf("%v were called", p)
	}
}
