package drain

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// A drain of an instance of a group behind a load balancer: each thing once, in the
// order of the table, and nothing twice.
func TestADrainInOrder(t *testing.T) {
	r := newRoom(t, 4)
	d := r.begins("drain web-2")
	var seen []string
	r.goes(func() bool {
		if now := r.drain(d.ID).State; len(seen) == 0 || seen[len(seen)-1] != now {
			seen = append(seen, now)
		}
		return false
	})
	d = r.drain(d.ID)
	if d.State != stateDone || d.Warning != "" {
		t.Fatalf("it is %s: %s %s; %s", d.State, d.Why, d.Warning, r.story())
	}
	want := []string{statePlan, stateMark, stateLeave, stateWait, stateStop, stateFlush, stateTerminate, stateVerify}
	if !slices.Equal(seen, want) {
		t.Errorf("it went through %v", seen)
	}
	var changes []string
	for _, c := range r.fleet.calls {
		if verb, _, _ := strings.Cut(c, " "); verb != "connections" && verb != "logs" {
			changes = append(changes, c)
		}
	}
	if want := []string{"watch h2 standby", "tag i-2", "standby i-2", "stop i-2", "flush i-2", "terminate i-2", "watch h2 poweroff", "retire h2"}; !slices.Equal(changes, want) {
		t.Errorf("what it changed was %v", changes)
	}
	if r.fleet.group.Desired != 4 || len(r.fleet.boxes) != 5 {
		t.Errorf("the group wants %d and there were %d instances", r.fleet.group.Desired, len(r.fleet.boxes))
	}
}

// Kept, it stops when it is out, and nothing replaces it; put back, everything is as
// it was.
func TestKeptAndPutBack(t *testing.T) {
	r := newRoom(t, 4)
	before := r.look("i-2")
	d := r.begins("drain web-2 --keep")
	r.goes(nil)
	if d = r.drain(d.ID); d.State != stateOut || d.over() || r.fleet.group.Desired != 3 || len(r.fleet.boxes) != 4 {
		t.Fatalf("it is %s (%s), the group wants %d", d.State, d.Why, r.fleet.group.Desired)
	}
	if !r.fleet.boxes["i-2"].running {
		t.Error("its application was stopped")
	}
	r.must(bob, "undrain web-2")
	r.goes(nil)
	if d = r.drain(d.ID); d.State != stateUndone || !strings.Contains(d.Why, "bob put it back") {
		t.Fatalf("it is %s: %s", d.State, d.Why)
	}
	if after := r.look("i-2"); after != before {
		t.Errorf("it was\n%s\nand is\n%s", before, after)
	}
	if _, err := r.says(bob, "undrain web-2"); err == nil {
		t.Error("it was put back twice")
	}
}

// endsSurplus confirms that the replacement of what was put back may go, if there is one.
func (r *room) endsSurplus() {
	r.t.Helper()
	if all := r.all(); len(all) == 2 && all[1].State == statePlanned {
		r.must(alice, fmt.Sprintf("drain-confirm %s %s", all[1].ID, all[1].Plan.Digest(all[1].Instance)))
		r.goes(nil)
		if d := r.drain(all[1].ID); d.State != stateDone || !slices.Equal(r.fleet.ended, []string{d.Instance}) || r.fleet.boxes[d.Instance].bytes > 0 {
			r.t.Errorf("the replacement is %s: %s; ended %v", d.State, d.Why, r.fleet.ended)
		}
	}
}

// look is how an instance and its group look from outside.
func (r *room) look(id string) string {
	b := r.fleet.boxes[id]
	var pools []string
	for _, p := range r.fleet.pools {
		for _, s := range r.fleet.pool(p).Seats {
			if s.Instance == id {
				pools = append(pools, p.Name+" "+s.State)
			}
		}
	}
	return fmt.Sprint(b.State, b.lifecycle, b.Tags, b.running, pools, r.fleet.group.Desired, *r.watch.host(id))
}

// It can be put back from each state before its termination is begun, and is then as it
// was before; afterwards nobody can.
func TestPutBackFromEachState(t *testing.T) {
	for _, at := range []string{statePlan, stateMark, stateLeave, stateWait, stateStop, stateFlush, stateTerminate, stateVerify} {
		for _, full := range []bool{false, true} {
			t.Run(fmt.Sprint(at, " full ", full), func(t *testing.T) {
				r := newRoom(t, 4)
				if full {
					r.fleet.group.Max = 4                                     // so that there is no room to come back into
					r.watch.host("i-2").Status = integrations.HostMaintenance // and not all were at work before
				}
				before := r.look("i-2")
				d := r.begins("drain web-2")
				r.goes(func() bool { return r.drain(d.ID).State == at })
				_, err := r.says(bob, "undrain "+d.ID)
				if late := at == stateVerify; late != (err != nil) {
					t.Fatalf("to put it back: %v", err)
				}
				r.goes(nil)
				want := stateUndone
				switch {
				case at == stateVerify:
					want = stateDone
				case full && len(r.fleet.boxes) > 4:
					want = stateHold // until somebody makes room
				}
				if d = r.drain(d.ID); d.State != want {
					t.Fatalf("it is %s: %s; %s", d.State, d.Why, r.story())
				}
				if want == stateHold {
					r.fleet.group.Max = 5
					r.must(bob, "drain-retry "+d.ID)
					r.goes(nil)
					d, want = r.drain(d.ID), stateUndone
				}
				if want == stateUndone {
					r.endsSurplus()
				}
				if after := r.look("i-2"); want == stateUndone && after != before {
					t.Errorf("it was\n%s\nand is\n%s\n%s", before, after, r.story())
				}
			})
		}
	}
}

// Once its termination was asked for, nobody puts it back: it may be gone already.
func TestNotPutBackOnceItIsBeingTerminated(t *testing.T) {
	r := newRoom(t, 4)
	d := r.begins("drain web-2")
	r.goes(func() bool { d = r.drain(d.ID); return d.State == stateTerminate && !d.Intent.IsZero() })
	if _, err := r.says(bob, "undrain "+d.ID); err == nil || !strings.Contains(err.Error(), "cannot be taken back") {
		t.Errorf("to put it back: %v", err)
	}
	r.goes(nil)
	if d = r.drain(d.ID); d.State != stateDone {
		t.Errorf("it is %s: %s", d.State, d.Why)
	}
}

// The notice comes between the plan and its load balancers: what was marked is taken back.
// Once it is out it goes on: its logs may be shipped before it ends.
func TestASpotNoticeOnItsWay(t *testing.T) {
	for at, want := range map[string]string{statePlan: stateRefused, stateMark: stateUndone, stateFlush: stateDone} {
		t.Run(at, func(t *testing.T) {
			r := newRoom(t, 4)
			d := r.begins("drain web-2")
			r.goes(func() bool { return r.drain(d.ID).State == at })
			r.fleet.boxes["i-2"].Notice = "marked-for-termination"
			r.goes(nil)
			if d = r.drain(d.ID); d.State != want || r.fleet.boxes["i-2"].Tags["Status"] == draining && want != stateDone {
				t.Errorf("it is %s: %s", d.State, d.Why)
			}
		})
	}
}

// An instance that somebody else ends, or that vanishes, ends its drain loudly.
func TestEndedByAnotherHand(t *testing.T) {
	for _, at := range []string{statePlan, stateMark, stateLeave, stateWait, stateStop, stateFlush, stateTerminate, stateJoin} {
		t.Run(at, func(t *testing.T) {
			r := newRoom(t, 4)
			d := r.begins("drain web-2")
			if at == stateJoin {
				r.goes(func() bool { return r.drain(d.ID).State == stateFlush })
				r.must(alice, "undrain web-2")
			}
			r.goes(func() bool { return r.drain(d.ID).State == at })
			r.fleet.finish(r.fleet.boxes["i-2"])
			r.goes(nil)
			if d = r.drain(d.ID); d.State != stateGone || len(r.fleet.ended) != 0 {
				t.Errorf("it is %s: %s", d.State, d.Why)
			}
		})
	}
}

// A network load balancer still sends new connections for two minutes.
func TestANetworkLoadBalancerSettles(t *testing.T) {
	r := newRoom(t, 4)
	r.fleet.pools[0].Kind, r.fleet.pools[0].Delay = integrations.PoolNLB, time.Second
	d := r.begins("drain web-2")
	r.goes(func() bool { return r.drain(d.ID).State == stateStop })
	if d = r.drain(d.ID); d.Since.Sub(d.LeftAt) < nlbSettle {
		t.Errorf("its application was stopped %s after it left", d.Since.Sub(d.LeftAt))
	}
}

// It was told to leave, and that failed; meanwhile another one fell ill. It is not told
// again before there are enough, and held when that does not come.
func TestNotToldAgainWhenOthersFellIll(t *testing.T) {
	r := newRoom(t, 3)
	r.cfg.Roles[0].Healthy = 2
	d := r.begins("drain web-2")
	r.goes(func() bool { return r.drain(d.ID).State == stateLeave })
	r.fleet.fault = func(call string, before bool) error {
		if before && call == "standby i-2" {
			return &integrations.Later{After: time.Second, Err: errors.New("RequestLimitExceeded")}
		}
		return nil
	}
	if _, err := r.step(r.drain(d.ID)); err != nil {
		t.Fatal(err)
	}
	r.fleet.fault = nil
	if d = r.drain(d.ID); d.State != stateLeave || !d.Left {
		t.Fatalf("it is %s", d.State)
	}
	r.fleet.boxes["i-3"].running = false
	r.goes(nil)
	if d = r.drain(d.ID); d.State != stateHold || slices.Contains(r.fleet.calls, "standby i-2") {
		t.Fatalf("it is %s: %s; %s", d.State, d.Why, r.story())
	}
	r.fleet.boxes["i-3"].running = true
	r.must(alice, "drain-retry "+d.ID)
	r.goes(nil)
	if d = r.drain(d.ID); d.State != stateDone {
		t.Errorf("it is %s: %s", d.State, d.Why)
	}
}

// What its group does not take it out of, it is taken out of one by one; and put back.
func TestAPoolThatTheGroupDoesNotKnow(t *testing.T) {
	r := newRoom(t, 4)
	r.fleet.pools = append(r.fleet.pools, integrations.Pool{ID: "tg/extra", Name: "extra", Kind: integrations.PoolALB, Spread: true, Delay: 10 * time.Second})
	for _, b := range r.fleet.boxes {
		b.seats["tg/extra"] = r.clock.Now().Add(-time.Hour)
	}
	r.fleet.watch = func(call string) { // the group lets that seat alone
		if call == "standby i-2" {
			delete(r.fleet.boxes["i-2"].leaving, "tg/extra")
			r.fleet.boxes["i-2"].seats["tg/extra"] = r.clock.Now().Add(-time.Hour)
		}
		if call == "unstandby i-2" {
			delete(r.fleet.boxes["i-2"].seats, "tg/extra")
		}
	}
	before := r.look("i-2")
	d := r.begins("drain web-2")
	r.goes(func() bool { return r.drain(d.ID).State == stateStop })
	if !slices.Contains(r.fleet.calls, "leave tg/extra i-2") {
		t.Errorf("it is still there: %s", r.story())
	}
	r.must(alice, "undrain web-2")
	r.goes(nil)
	r.endsSurplus()
	if after := r.look("i-2"); after != before {
		t.Errorf("it was\n%s\nand is\n%s", before, after)
	}
}

// Somebody puts it back while it is drained: that is no accident, and a person is asked.
func TestPutBackByAnotherHand(t *testing.T) {
	r := newRoom(t, 4)
	d := r.begins("drain web-2")
	r.goes(func() bool { return r.drain(d.ID).State == stateWait })
	if err := r.fleet.ExitStandby(t.Context(), r.fleet.at, "web", "i-2"); err != nil {
		t.Fatal(err)
	}
	r.goes(nil)
	if d = r.drain(d.ID); d.State != stateHold || !strings.Contains(d.Why, "somebody put it back") {
		t.Errorf("it is %s: %s", d.State, d.Why)
	}
}

// A plan is good for five minutes, and for what was seen.
func TestAPlanIsConfirmedAsItWasSeen(t *testing.T) {
	r := newRoom(t, 4)
	d := r.drain(r.must(alice, "drain web-2").Subject)
	line := fmt.Sprintf("drain-confirm %s %s", d.ID, d.Plan.Digest(d.Instance))
	r.fleet.boxes["i-3"].running = false // one less is healthy
	reply := r.must(alice, line)
	if now := r.drain(d.ID); reply.Outcome != "planned again" || now.State != statePlanned || now.Plan.Pools[0].After != 2 {
		t.Fatalf("%q: %+v", reply.Outcome, now.Plan)
	}
	line = fmt.Sprintf("drain-confirm %s %s", d.ID, r.drain(d.ID).Plan.Digest(d.Instance))
	r.clock.move(confirmFor + time.Second)
	if reply := r.must(alice, line); reply.Outcome != "planned again" || r.drain(d.ID).State != statePlanned {
		t.Errorf("after five minutes: %q", reply.Outcome)
	}
	r.must(alice, line)
	if now := r.drain(d.ID); now.State != statePlan {
		t.Errorf("it is %s", now.State)
	}
	if _, err := r.says(bob, line); err == nil {
		t.Error("it was confirmed twice")
	}
}
