package drain

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// What watches it cannot be told: it waits and says why, and whoever asked for it may
// have it go on without, at once or when it is held. That is written down, and its host
// is retired after its end if it can be.
func TestADrainGoesOnWithoutItsMonitoring(t *testing.T) {
	for what, c := range map[string]struct {
		err  error
		held bool
		back bool // it answers again, later
	}{
		"silent, at once":    {&integrations.Later{After: 4 * time.Second, Err: errors.New("no answer")}, false, true},
		"silent, when held":  {&integrations.Later{After: 4 * time.Second, Err: errors.New("no answer")}, true, true},
		"silent for good":    {&integrations.Later{After: 4 * time.Second, Err: errors.New("no answer")}, true, false},
		"it refuses us":      {errors.New("403: no permission"), true, false},
		"it loses its sight": {&integrations.Gone{Why: "no host h2"}, true, true},
	} {
		t.Run(what, func(t *testing.T) {
			r := newRoom(t, 4)
			r.watch.blind = func() error { return c.err }
			if what == "it loses its sight" { // it finds the host, and cannot change it
				r.watch.blind = nil
				r.fleet.fault = func(call string, before bool) error {
					if before && strings.HasPrefix(call, "watch") {
						return c.err
					}
					return nil
				}
			}
			d := r.begins("drain web-2")
			r.goes(func() bool { now := r.drain(d.ID); return !c.held && now.State == stateMark && now.Why != "" })
			d = r.drain(d.ID)
			if c.held != (d.State == stateHold) || d.Mute == "" || !strings.Contains(d.Why, d.Mute) {
				t.Fatalf("it is %s: %q, %q", d.State, d.Why, d.Mute)
			}
			if all := fmt.Sprint(buttons(d)); !strings.Contains(all, "drain-unwatched "+d.ID) {
				t.Errorf("its buttons are %s", all)
			}
			if _, err := r.says(bob, "drain-unwatched "+d.ID); err == nil || !strings.Contains(err.Error(), "alice asked for drain-1") {
				t.Errorf("somebody else had it go on: %v", err)
			}
			r.must(alice, "drain-unwatched "+d.ID)
			if _, err := r.says(alice, "drain-unwatched "+d.ID); err == nil {
				t.Error("it went on twice")
			}
			if c.back {
				r.goes(func() bool { return r.drain(d.ID).State == stateVerify })
				r.watch.blind, r.fleet.fault = nil, nil
			}
			r.goes(nil)
			if d = r.drain(d.ID); d.State != stateDone || d.Without == nil || c.back != r.watch.host("i-2").Retired || c.back != (d.Warning == "") {
				t.Errorf("it is %s: %s %q, %+v", d.State, d.Why, d.Warning, d.Without)
			}
			if card := fmt.Sprint(body(d)); !strings.Contains(card, "went on without its monitoring") {
				t.Errorf("its card is %s", card)
			}
			n := 0
			r.view(func(tx *store.Tx) error {
				rows, err := tx.AuditRows(store.AuditFilter{Subject: d.ID})
				for _, row := range rows {
					if row.Outcome == "without its monitoring" && row.Who.Name == "alice" && strings.Contains(row.Detail, d.Without.Why) {
						n++
					}
				}
				return err
			})
			if n != 1 {
				t.Errorf("it is recorded %d times", n)
			}
		})
	}
}

// Nothing else is gone on without.
func TestOnlyTheMonitoringIsGoneOnWithout(t *testing.T) {
	r := newRoom(t, 4)
	r.fleet.boxes["i-2"].mute = true
	d := r.begins("drain web-2")
	r.goes(nil)
	if _, err := r.says(alice, "drain-unwatched "+d.ID); err == nil || !strings.Contains(err.Error(), "does not wait for its monitoring: it is held") {
		t.Errorf("held for its logs: %v", err)
	}
	if all := fmt.Sprint(buttons(r.drain(d.ID))); strings.Contains(all, "drain-unwatched") {
		t.Errorf("its buttons are %s", all)
	}
}

// accepted are the doors, and who came through them, by which losses were accepted.
func (r *room) accepted(id string) (out []string) {
	r.t.Helper()
	r.view(func(tx *store.Tx) error {
		rows, err := tx.AuditRows(store.AuditFilter{Subject: id})
		for _, row := range rows {
			if row.Outcome == "log loss accepted" {
				out = append(out, row.Via+" "+row.Who.Name)
			}
		}
		return err
	})
	return out
}

// Whoever accepts a loss on the host itself is recorded to have done so there.
func TestALossIsAcceptedAtTheHost(t *testing.T) {
	r := newRoom(t, 4)
	r.fleet.boxes["i-2"].mute = true
	d := r.begins("drain web-2")
	r.goes(nil)
	if _, err := r.hears(integrations.Heard{Kind: "host", User: "bob"}, bob, "drain-override "+d.ID+" its disk is broken"); err != nil {
		t.Fatal(err)
	}
	if rows := r.accepted(d.ID); !slices.Equal(rows, []string{"host bob"}) {
		t.Errorf("the audit says that %v accepted it", rows)
	}
}

// Its buffers are empty, and an output still tries again: something is not shipped that
// no number of them shows.
func TestOutputsThatTryAgainHoldIt(t *testing.T) {
	r := newRoom(t, 4)
	b := r.fleet.boxes["i-2"]
	b.retries, b.retried = 7, true
	d := r.begins("drain web-2")
	r.goes(nil)
	if d = r.drain(d.ID); d.State != stateHold || d.Held != stateFlush || !strings.Contains(d.Why, "its outputs try again: 1 more since the last look") {
		t.Fatalf("it is %s: %s", d.State, d.Why)
	}
	b.retried = false
	r.must(alice, "drain-retry "+d.ID)
	r.goes(nil)
	if d = r.drain(d.ID); d.State != stateDone {
		t.Errorf("it is %s: %s", d.State, d.Why)
	}
}

// The buffer does not empty: it is never terminated, whoever asked is called once, and
// a second person may accept the loss.
func TestUnshippedLogsHoldIt(t *testing.T) {
	for what, spoil := range map[string]func(b *box){
		"stuck": func(b *box) { b.stuck = true }, "mute": func(b *box) { b.mute = true }, "given up": func(*box) {},
	} {
		t.Run(what, func(t *testing.T) {
			r := newRoom(t, 4)
			d := r.begins("drain web-2")
			r.goes(func() bool { return r.drain(d.ID).State == stateFlush })
			spoil(r.fleet.boxes["i-2"])
			began := r.clock.Now()
			for r.drain(d.ID).State != stateHold {
				again, err := r.step(r.drain(d.ID))
				if err != nil || r.clock.Now().Sub(began) > time.Hour {
					t.Fatalf("it is not held: %v; %s", err, r.story())
				}
				if what == "given up" && len(r.drain(d.ID).Samples) == 1 {
					r.fleet.boxes["i-2"].givenUp = 1
				}
				r.clock.move(max(again, time.Second))
			}
			if d = r.drain(d.ID); d.Held != stateFlush || len(r.fleet.ended) > 0 || d.Holds != 1 {
				t.Fatalf("held in %s: %s, ended %v", d.Held, d.Why, r.fleet.ended)
			}
			r.clock.move(24 * time.Hour) // nothing goes on by itself
			r.goes(nil)
			if _, err := r.says(alice, "drain-override "+d.ID+" whatever"); err == nil {
				t.Error("whoever asked for it accepted the loss")
			}
			if _, err := r.says(bob, "drain-override "+d.ID); err == nil {
				t.Error("the loss was accepted without a reason")
			}
			r.must(bob, "drain-override "+d.ID+" its disk is broken")
			r.goes(nil)
			if rows := r.accepted(d.ID); !slices.Equal(rows, []string{"slack bob"}) {
				t.Errorf("the audit says that %v accepted it", rows)
			}
			if d = r.drain(d.ID); d.State != stateDone || d.Override == nil || d.Override.Reason != "its disk is broken" || !d.Proved.IsZero() {
				t.Errorf("it is %s: %s", d.State, d.Why)
			}
		})
	}
}

// Held, it can try again, and puts back.
func TestHeldTriesAgain(t *testing.T) {
	r := newRoom(t, 4)
	d := r.begins("drain web-2")
	r.goes(func() bool { return r.drain(d.ID).State == stateFlush })
	r.fleet.boxes["i-2"].mute = true
	r.goes(nil)
	if d = r.drain(d.ID); d.State != stateHold {
		t.Fatalf("it is %s", d.State)
	}
	r.fleet.boxes["i-2"].mute = false
	r.must(alice, "drain-retry "+d.ID)
	if _, err := r.says(alice, "drain-retry "+d.ID); err == nil {
		t.Error("it tried again twice")
	}
	r.goes(nil)
	if d = r.drain(d.ID); d.State != stateDone {
		t.Errorf("it is %s: %s", d.State, d.Why)
	}
}
