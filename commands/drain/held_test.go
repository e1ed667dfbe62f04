package drain

import (
	"errors"
	"fmt"
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
