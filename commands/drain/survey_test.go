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

// asked runs what asks about a planned drain, as its jobs would, for at most a minute.
func (r *room) asked(id string) *Drain {
	r.t.Helper()
	for end := r.clock.Now().Add(time.Minute); r.clock.Now().Before(end); {
		again, err := r.f.ask(r.t.Context(), r.drain(id))
		if err != nil {
			r.t.Fatal(err)
		}
		if again < 0 {
			return r.drain(id)
		}
		r.clock.move(again)
	}
	r.t.Fatal("it is asked for more than a minute")
	return nil
}

// planned is what the card of a plan says of its host.
func planned(d *Drain) string {
	var out []string
	for _, b := range planBody(d) {
		for _, f := range b.Fields {
			if slices.Contains([]string{"Now", "In its log buffers", "Besides", "Not known because"}, f.Name) {
				out = append(out, f.Name+": "+f.Value.Plain())
			}
		}
	}
	return strings.Join(out, ", ")
}

// The plan is shown at once, and says how it stands when the host has told. What people
// confirm is none of that; and where the host does not tell, they can confirm too.
func TestThePlanSaysHowItStands(t *testing.T) {
	silent := func(r *room, err error) {
		r.fleet.fault = func(call string, before bool) error {
			if before && (strings.HasPrefix(call, "connections") || strings.HasPrefix(call, "logs")) {
				return err
			}
			return nil
		}
	}
	for what, c := range map[string]struct {
		spoil func(r *room)
		says  string
	}{
		"it tells":     {func(*room) {}, "Now: 7 connections, In its log buffers: 4.0 KiB"},
		"it is silent": {func(r *room) { r.fleet.slow = true }, "Now: not known, In its log buffers: not known, Not known because: it did not answer within 10s"},
		"deaf":         {func(r *room) { r.fleet.boxes["i-2"].deaf, r.cfg.Roles[0].Logs = true, logsNone }, "Now: not known, Not known because: Systems Manager does not reach it"},
		"its collector does not answer": {func(r *room) { r.fleet.boxes["i-2"].mute = true },
			"Now: 7 connections, In its log buffers: not known, Not known because: the monitor agent on port 24220 does not answer"},
		"it is refused": {func(r *room) { silent(r, errors.New("AccessDenied")) }, "Now: not known, In its log buffers: not known, Not known because: AccessDenied AccessDenied"},
		"it is busy":    {func(r *room) { silent(r, &integrations.Later{Err: errors.New("ThrottlingException")}) }, "not known"},
		"no port":       {func(r *room) { r.cfg.Roles[0].Port = 0 }, "In its log buffers: 4.0 KiB"},
	} {
		t.Run(what, func(t *testing.T) {
			r := newRoom(t, 4)
			c.spoil(r)
			d := r.drain(r.must(alice, "drain web-2").Subject)
			digest := d.Plan.Digest(d.Instance)
			if card := planned(d); what != "deaf" && !strings.Contains(card, "its host is being asked") {
				t.Errorf("before it was asked: %s", card)
			}
			began := r.clock.Now()
			d = r.asked(d.ID)
			if card := planned(d); !strings.Contains(card, c.says) {
				t.Errorf("its plan is %s", card)
			}
			if took := r.clock.Now().Sub(began); took > 15*time.Second {
				t.Errorf("it was asked for %s", took)
			}
			if d.Plan.Digest(d.Instance) != digest {
				t.Error("what is confirmed depends on it")
			}
			r.must(alice, fmt.Sprintf("drain-confirm %s %s", d.ID, digest))
			if d = r.drain(d.ID); d.State != statePlan {
				t.Errorf("it is %s", d.State)
			}
		})
	}
}

// Confirmed before it told, it is asked no more, and the job that asks drives nothing.
func TestNothingIsAskedOfADrainThatHasBegun(t *testing.T) {
	r := newRoom(t, 4)
	d := r.drain(r.must(alice, "drain web-2").Subject)
	if _, err := r.f.ask(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	stale := r.drain(d.ID)
	r.must(alice, fmt.Sprintf("drain-confirm %s %s", d.ID, d.Plan.Digest(d.Instance)))
	if _, err := r.f.ask(t.Context(), stale); !errors.Is(err, errMoved) {
		t.Errorf("with what it was before: %v", err)
	}
	before := r.drain(d.ID)
	if again, err := r.f.ask(t.Context(), before); again >= 0 || err != nil {
		t.Errorf("it is asked again after %s, %v", again, err)
	}
	jobs := 0
	r.view(func(tx *store.Tx) error {
		all, err := tx.LiveJobs()
		for _, j := range all {
			if strings.HasPrefix(j.Key, "ask "+d.ID) {
				jobs++
			}
		}
		return err
	})
	if after := r.drain(d.ID); after.Version != before.Version || jobs != 1 {
		t.Errorf("it is %+v, and %d jobs ask", after, jobs)
	}
}

// While it waits to be out of its load balancers its connections are counted, and the card
// says how many; that they cannot be counted keeps nothing up.
func TestConnectionsAreCountedWhileItWaits(t *testing.T) {
	r := newRoom(t, 4)
	r.fleet.pools[0].Delay = 2 * time.Minute
	d := r.begins("drain web-2")
	r.goes(func() bool { return r.drain(d.ID).State == stateWait && r.drain(d.ID).Connections == 7 })
	if d = r.drain(d.ID); d.State != stateWait || progress(d) != "7 connections left" {
		t.Fatalf("it is %s, with %q", d.State, progress(d))
	}
	r.fleet.boxes["i-2"].conns = 3
	r.goes(func() bool { return r.drain(d.ID).Connections == 3 })
	if d = r.drain(d.ID); d.State != stateWait {
		t.Errorf("it is %s, with %d connections", d.State, d.Connections)
	}
	r.fleet.fault = func(call string, before bool) error {
		if before && strings.HasPrefix(call, "connections") && r.drain(d.ID).State == stateWait {
			return errors.New("AccessDenied")
		}
		return nil
	}
	r.goes(func() bool { return r.drain(d.ID).Connections < 0 })
	if d = r.drain(d.ID); d.State != stateWait || progress(d) != "" {
		t.Errorf("it is %s, with %q", d.State, progress(d))
	}
	r.goes(nil)
	if d = r.drain(d.ID); d.State != stateDone {
		t.Errorf("it is %s: %s", d.State, d.Why)
	}
}
