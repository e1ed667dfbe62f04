package drain

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// What another hand ended is taken from its monitoring, which had been told to be quiet of
// it; also when it waited for a person. Where the monitoring does not answer, that is said.
func TestEndedByAnotherHandIsTakenFromItsMonitoring(t *testing.T) {
	for what, c := range map[string]struct {
		to      func(r *room) *Drain // brings a drain to where it is ended
		silent  bool                 // what watches it
		retired bool
		says    string
	}{
		"before it was marked": {func(r *room) *Drain { return r.comes("drain web-2", statePlan) }, false, false, "somebody else ended it while it was planned"},
		"on its way":           {func(r *room) *Drain { return r.comes("drain web-2", stateFlush) }, false, true, "somebody else ended it while it was shipping its logs"},
		"going back": {func(r *room) *Drain {
			d := r.comes("drain web-2", stateFlush)
			r.must(bob, "undrain "+d.ID)
			r.goes(func() bool { return r.drain(d.ID).State == stateJoin })
			return d
		}, false, true, "somebody else ended it while it was going back into its load balancers"},
		"held": {func(r *room) *Drain { r.fleet.boxes["i-2"].mute = true; return r.comes("drain web-2", stateHold) }, false, true, "somebody else ended it while it was held"},
		"kept": {func(r *room) *Drain { return r.comes("drain web-2 --keep", stateOut) }, false, true, "somebody else ended it while it was out and kept"},
		"its monitoring is silent": {func(r *room) *Drain { return r.comes("drain web-2", stateFlush) }, true, false,
			"its host in the monitoring may still be in standby: its monitoring asks to wait: no answer"},
	} {
		t.Run(what, func(t *testing.T) {
			r := newRoom(t, 4)
			d := c.to(r)
			if c.silent {
				r.watch.blind = func() error { return &integrations.Later{After: time.Second, Err: errors.New("no answer")} }
			}
			if err := r.f.keepGoing(t.Context()); err != nil || r.drain(d.ID).over() {
				t.Fatalf("it is over too early: %v", err)
			}
			r.fleet.finish(r.fleet.boxes["i-2"])
			if err := r.f.keepGoing(t.Context()); err != nil {
				t.Fatal(err)
			}
			r.goes(nil)
			if d = r.drain(d.ID); d.State != stateGone || !strings.Contains(d.Why, c.says) {
				t.Errorf("it is %s: %s", d.State, d.Why)
			}
			if h := r.watch.host("i-2"); h.Retired != c.retired || !c.retired && !c.silent && h.Status != integrations.HostWorking {
				t.Errorf("its host is %+v", h)
			}
			if _, err := r.says(alice, "undrain "+d.ID); err == nil {
				t.Error("it was put back")
			}
		})
	}
}

// comes begins a drain, and brings it to a state.
func (r *room) comes(line, to string) *Drain {
	r.t.Helper()
	d := r.begins(line)
	r.goes(func() bool { return r.drain(d.ID).State == to })
	if now := r.drain(d.ID); now.State != to {
		r.t.Fatalf("it is %s: %s", now.State, now.Why)
	}
	return d
}

// That something else is gone does not say that the instance is.
func TestSomethingElseIsGone(t *testing.T) {
	t.Run("a seat", func(t *testing.T) {
		r := newRoom(t, 4)
		r.cfg.Roles[0].Alone, r.fleet.boxes["i-2"].Group, r.fleet.boxes["i-2"].lifecycle = true, "", ""
		r.fleet.group.Desired--
		r.fleet.fault = func(call string, before bool) error {
			if !before && strings.HasPrefix(call, "leave") {
				return &integrations.Gone{Why: "InvalidInstance"}
			}
			return nil
		}
		d := r.begins("drain web-2")
		r.goes(nil)
		if d = r.drain(d.ID); d.State != stateDone {
			t.Errorf("it is %s: %s", d.State, d.Why)
		}
	})
	t.Run("a command", func(t *testing.T) {
		r := newRoom(t, 4)
		d := r.comes("drain web-2", stateStop)
		r.fleet.fault = func(call string, before bool) error {
			if before && strings.HasPrefix(call, "stop") {
				return &integrations.Gone{Why: "InvalidInstanceId"}
			}
			return nil
		}
		r.goes(nil)
		if d = r.drain(d.ID); d.State != stateHold || !strings.Contains(d.Why, "“InvalidInstanceId”") || slices.Contains(r.fleet.calls, "retire h2") {
			t.Errorf("it is %s: %s", d.State, d.Why)
		}
	})
}
