package incident

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

func TestActsAreThoseOfWhoPressed(t *testing.T) {
	for _, c := range []struct{ line, did, shown string }{
		{"ack incident-1", "ack bob P1", "acknowledged by bob"},
		{"ack", "ack bob P1", "acknowledged by bob"},
		{"all-clear incident-1", "resolve bob P1", "over after"},
		{"all-clear incident-1 the disk was full", "note bob P1, resolve bob P1", "over after"},
		{"escalate incident-1", "escalate bob P1", "waits for bob"},
		{"escalate incident-1 I cannot reach it", "note bob P1, escalate bob P1", "waits for bob"},
		{"reassign incident-1 carol", "reassign bob P1", "waits for carol"},
		{"snooze incident-1 30m", "ack bob P1, snooze bob P1", "snoozed by bob"},
		{"note incident-1 it is the second disk", "note bob P1", "waits for alice"},
	} {
		t.Run(c.line, func(t *testing.T) {
			d := newPagedDesk(t)
			d.told("P1")
			if text, _ := d.card("incident-1"); !strings.Contains(text, "waits for alice") {
				t.Fatalf("the card says\n%s", text)
			}
			if d.says("bob", c.line); len(d.pager.did) > 0 {
				t.Fatalf("%q was done before it was stored", d.pager.did)
			}
			d.doesThere()
			if got := strings.Join(d.pager.did, ", "); got != c.did {
				t.Errorf("it did %q, want %q", got, c.did)
			}
			before, _ := d.card("incident-1")
			d.agrees() // and says the same when it is read
			after, _ := d.card("incident-1")
			for _, text := range []string{before, after} {
				if !strings.Contains(text, c.shown) {
					t.Errorf("the card has no %q:\n%s", c.shown, text)
				}
			}
			if len(d.pages()) > 0 {
				t.Errorf("we page too: %q", d.pages())
			}
		})
	}
}

// Each act is broken at each boundary in each way: it is done once, or not at all, and the
// message says what is so.
func TestAnActIsBrokenAtEachBoundary(t *testing.T) {
	faults := map[string]error{
		"killed":  errKilled,
		"lost":    &integrations.Later{After: 2 * time.Second, Err: errors.New("connection reset by peer")},
		"slow":    &integrations.Later{After: 40 * time.Second, Err: errors.New("429 Too Many Requests"), Unsent: true},
		"refused": errors.New("2010: You do not have permission"),
	}
	for _, line := range []string{"ack incident-1", "all-clear incident-1 it was full", "escalate incident-1", "reassign incident-1 carol", "snooze incident-1 30m", "note incident-1 hm"} {
		for name, fault := range faults {
			t.Run(name+" "+line, func(t *testing.T) {
				t.Parallel()
				for n := 0; ; n++ {
					d := newPagedDesk(t)
					d.told("P1")
					d.says("bob", line)
					k, reached := 0, false
					d.pager.fault = func(call string, before bool) error {
						if call == "knows" || !before && (name == "slow" || name == "refused") {
							return nil
						}
						if k++; k-1 != n {
							return nil
						}
						if reached = true; name == "killed" {
							panic(errKilled)
						}
						return fault
					}
					d.doesThere()
					if !reached {
						if n == 0 {
							t.Fatal("there was no boundary")
						}
						return
					}
					d.pager.fault = nil
					done := slices.Clone(d.pager.did)
					if slices.Sort(done); len(slices.Compact(done)) != len(d.pager.did) {
						t.Errorf("broken at %d it is done twice: %q", n, d.pager.did)
					}
					d.agrees()
					d.same("P1")
					if text := strings.Join(d.shown("incident-1"), "\n"); strings.Contains(text, "did not take") != (name == "refused") {
						t.Errorf("broken at %d it tells\n%s", n, text)
					}
				}
			})
		}
	}
}

// same holds that the newest incident of a key is as the other system has it.
func (d *desk) same(id string) {
	d.t.Helper()
	i, there := d.incident("incident-1"), d.pager.all[id]
	var by string
	if len(there.AcknowledgedBy) > 0 {
		by = there.AcknowledgedBy[0].Name
	}
	here := map[bool]string{true: integrations.RemoteTriggered, false: integrations.RemoteAcknowledged}[i.Acked.IsZero()]
	if !i.open() {
		here = integrations.RemoteResolved
	}
	if here != there.Status || here == integrations.RemoteAcknowledged && by != i.took() {
		d.t.Errorf("it is %s by %q here, and %s by %q there", here, i.took(), there.Status, by)
	}
	if i.Elsewhere == nil || len(i.Elsewhere.Wishes) > 0 || i.Elsewhere.Job {
		d.t.Errorf("something is still wished for: %+v", i.Elsewhere)
	}
}

func TestStrangersAreRefused(t *testing.T) {
	d := newPagedDesk(t)
	d.told("P1")
	for _, line := range []string{"ack incident-1", "ack", "ack mine", "all-clear incident-1", "escalate incident-1", "snooze incident-1 1h", "note incident-1 hm", "reassign incident-1 bob"} {
		if no := d.refuses("dave", line, "stranger"); !strings.Contains(no.What, "dave@acme.example") {
			t.Errorf("dave is told %s", no.What)
		}
		if no := d.refuses("erin", line, "stranger"); !strings.Contains(no.What, "none of erin") {
			t.Errorf("erin is told %s", no.What)
		}
	}
	d.refuses("alice", "reassign incident-1 dave", "stranger")
	d.refuses("alice", "reassign incident-1 erin", "stranger")
	if d.doesThere(); len(d.pager.did) > 0 {
		t.Errorf("it did %q", d.pager.did)
	}
	if i := d.incident("incident-1"); !i.Acked.IsZero() || !i.open() {
		t.Errorf("it is %+v", i)
	}
}

// While the other system does not answer everybody may act here; whom it turns out not to
// know then has done nothing.
func TestAStrangerWhoWasNotKnownToBeOne(t *testing.T) {
	d := newPagedDesk(t)
	d.told("P1")
	away := &integrations.Later{After: time.Second, Err: errors.New("503")}
	d.pager.fault = func(call string, _ bool) error { return away }
	d.says("dave", "ack incident-1")
	if text, _ := d.card("incident-1"); !strings.Contains(text, "acknowledged by dave") {
		t.Errorf("the card says\n%s", text)
	}
	tries := 0
	d.pager.fault = func(call string, _ bool) error {
		if tries++; tries < 4 {
			return away
		}
		return nil
	}
	d.doesThere()
	if text, _ := d.card("incident-1"); !strings.Contains(text, "waits for alice") {
		t.Errorf("the card says\n%s", text)
	}
	if text := strings.Join(d.shown("incident-1"), "\n"); !strings.Contains(text, "PagerDuty did not take dave's ack: no PagerDuty user has the address dave@acme.example") {
		t.Errorf("it tells\n%s", text)
	}
}

// What is over there takes notes still, of those whom it knows.
func TestANoteOfAStrangerOnWhatIsOver(t *testing.T) {
	d := newPagedDesk(t)
	d.told("P1")
	d.says("bob", "all-clear incident-1")
	d.doesThere()
	d.refuses("erin", "note incident-1 it was the disk", "stranger")
	d.says("carol", "note incident-1 it was the disk")
	if d.doesThere(); d.pager.did[len(d.pager.did)-1] != "note carol P1" {
		t.Errorf("it did %q", d.pager.did)
	}
}

// One job carries out what is wanted of an incident, also what is wanted while it works.
func TestOneJobForAnIncident(t *testing.T) {
	d := newPagedDesk(t)
	d.told("P1")
	d.says("bob", "ack incident-1")
	d.says("bob", "note incident-1 one")
	d.pager.fault = func(call string, before bool) error {
		if call == "note" && before && len(d.pager.did) == 1 {
			d.says("carol", "note incident-1 two")
		}
		return nil
	}
	if runs := d.doesThere(); runs != 1 || strings.Join(d.pager.did, ", ") != "ack bob P1, note bob P1, note carol P1" {
		t.Errorf("in %d runs it did %q", runs, d.pager.did)
	}
}

// After a day nobody wants it any more, and that is said.
func TestWhatCouldNotBeDoneForADay(t *testing.T) {
	d := newPagedDesk(t)
	d.told("P1")
	d.says("bob", "ack incident-1")
	d.pager.fault = func(call string, _ bool) error {
		d.moves(30 * time.Minute)
		return &integrations.Later{After: time.Second, Err: errors.New("503 Service Unavailable")}
	}
	d.doesThere()
	if text := strings.Join(d.shown("incident-1"), "\n"); !strings.Contains(text, "PagerDuty did not take bob's ack: 503 Service Unavailable") {
		t.Errorf("it tells\n%s", text)
	}
	if i := d.incident("incident-1"); !i.Acked.IsZero() {
		t.Error("it is still bob's")
	}
}

// Whoever was first there has it, though somebody pressed here before that was heard of.
func TestTheFirstThereWins(t *testing.T) {
	d := newPagedDesk(t)
	d.told("P1")
	d.pager.acks("P1", "carol")
	d.says("bob", "ack incident-1")
	d.doesThere()
	if text, _ := d.card("incident-1"); !strings.Contains(text, "acknowledged by carol") {
		t.Errorf("the card says\n%s", text)
	}
	if text := strings.Join(d.shown("incident-1"), "\n"); !strings.Contains(text, "carol was first, in PagerDuty: it is theirs, and not bob's.") {
		t.Errorf("it tells\n%s", text)
	}
	if no := d.refuses("bob", "ack incident-1", "acknowledged"); !strings.Contains(no.What, "is carol's") {
		t.Errorf("bob is told %s", no.What)
	}
}

// What is over there is over here, whatever somebody pressed meanwhile.
func TestAStaleButton(t *testing.T) {
	for _, line := range []string{"ack incident-1", "escalate incident-1", "snooze incident-1 1h", "all-clear incident-1"} {
		d := newPagedDesk(t)
		d.told("P1")
		d.pager.resolves("P1", "carol")
		d.says("bob", line)
		d.doesThere()
		if i := d.incident("incident-1"); i.open() || i.ender() != "carol" || d.pager.all["P1"].Status != integrations.RemoteResolved {
			t.Errorf("%s: it is over: %v, by %s", line, !i.open(), i.ender())
		}
		if text := strings.Join(d.shown("incident-1"), "\n"); !strings.Contains(text, "It was over in PagerDuty already: carol said so.") {
			t.Errorf("%s tells\n%s", line, text)
		}
		if no := d.refuses("bob", "ack incident-1", "over"); !strings.Contains(no.What, "carol said so") {
			t.Errorf("bob is told %s", no.What)
		}
	}
}
