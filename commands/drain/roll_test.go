package drain

import (
	"fmt"
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

func (r *room) roll(id string) (out Roll) {
	r.t.Helper()
	r.view(func(tx *store.Tx) (err error) { out, _, err = rolls(tx).Get(id); return err })
	return out
}

func (r *room) beginsRole() string {
	r.t.Helper()
	id := r.must(alice, "drain role=app").Subject
	roll := r.roll(id)
	r.must(alice, "drain-confirm "+id+" "+roll.Digest)
	return id
}

// floor has a test fail when fewer are healthy than the role asks for.
func (r *room) floor(least int) {
	was := r.fleet.watch
	r.fleet.watch = func(call string) {
		if was != nil {
			was(call)
		}
		for _, p := range r.fleet.pools {
			if ids, _ := healthy(r.fleet.pool(p), nil); len(ids) < least {
				r.t.Errorf("after %s %d are healthy in %s, of at least %d", call, len(ids), p.Name, least)
			}
		}
	}
}

// Twelve instances in three zones, one at a time.
func TestARoleOneAtATime(t *testing.T) {
	r := newRoom(t, 12)
	r.cfg.Roles[0].HealthyPercent = 80
	r.guarded()
	r.floor(10)
	most := 0
	id := r.beginsRole()
	r.goes(func() bool {
		n := 0
		r.view(func(tx *store.Tx) error {
			all, err := actives(tx)
			n = len(all)
			return err
		})
		most = max(most, n)
		return false
	})
	roll := r.roll(id)
	if roll.Ended.IsZero() || len(roll.Done) != 12 || most != 1 || len(r.fleet.ended) != 12 {
		t.Errorf("%d of %d are done, %d at once, %s: %s", len(roll.Done), roll.Of, most, roll.Why, r.story())
	}
	for i, d := range r.all() {
		if d.State != stateDone || d.Instance != fmt.Sprint("i-", i+1) {
			t.Errorf("%d is %s %s", i, d.Instance, d.State)
		}
	}
	if len(r.fleet.boxes) != 24 || r.fleet.group.Desired != 12 {
		t.Errorf("there were %d instances, the group wants %d", len(r.fleet.boxes), r.fleet.group.Desired)
	}
}

// Paused, the one that goes on ends, and no other begins; resumed, it goes on; aborted,
// the one that goes on is put back, and it is over.
func TestARoleIsPausedAndAborted(t *testing.T) {
	r := newRoom(t, 5)
	id := r.beginsRole()
	r.goes(func() bool { return len(r.roll(id).Done) == 1 && r.drain("drain-2").State == stateFlush })
	r.must(bob, "drain-pause "+id)
	r.goes(nil)
	if roll := r.roll(id); len(roll.Done) != 2 || !roll.Paused || !strings.Contains(roll.Why, "bob paused it") {
		t.Fatalf("paused: %+v", roll)
	}
	r.must(bob, "drain-resume "+id)
	r.goes(func() bool { return len(r.all()) == 3 && r.drain("drain-3").State == stateFlush })
	before := r.fleet.boxes["i-3"]
	r.must(bob, "undrain "+id)
	r.goes(nil)
	roll := r.roll(id)
	if d := r.drain("drain-3"); d.State != stateUndone || before.State != integrations.InstanceRunning || roll.Ended.IsZero() || len(roll.Done) != 2 || len(r.all()) != 4 || r.drain("drain-4").State != statePlanned {
		t.Errorf("aborted: %s %+v", d.State, roll)
	}
}

// At the first that does not end well it stops, and says so.
func TestARoleStopsAtTheFirstFailure(t *testing.T) {
	r := newRoom(t, 5)
	id := r.beginsRole()
	r.fleet.boxes["i-2"].mute = true
	r.goes(nil)
	if d := r.drain("drain-2"); d.State != stateHold || len(r.all()) != 2 {
		t.Fatalf("it is %s, of %d", d.State, len(r.all()))
	}
	r.must(alice, "undrain drain-2")
	r.goes(nil)
	if roll := r.roll(id); !roll.Paused || !strings.Contains(roll.Why, "web-2 (i-2) is undone") || len(r.all()) != 3 || r.drain("drain-3").State != statePlanned {
		t.Fatalf("it is %+v", roll)
	}
	r.must(alice, "drain-resume "+id)
	r.goes(nil)
	if roll := r.roll(id); roll.Ended.IsZero() || len(roll.Done) != 4 {
		t.Errorf("it is %+v; %s", roll, r.story())
	}
}

// Killed anywhere, a role goes on where it was.
func TestARoleIsKilledOften(t *testing.T) {
	r := newRoom(t, 4)
	r.guarded()
	r.floor(3)
	n := 0
	r.fleet.fault = func(string, bool) error {
		if n++; n%3 == 0 {
			panic(errKilled)
		}
		return nil
	}
	id := r.beginsRole()
	r.goes(nil)
	if roll := r.roll(id); len(roll.Done) != 4 || len(r.fleet.boxes) != 8 {
		t.Errorf("it is %+v; %s", roll, r.story())
	}
}
