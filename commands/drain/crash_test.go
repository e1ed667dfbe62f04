package drain

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// faults are what can go wrong at a boundary: before a change to the outside, or after
// it and before that is written down.
var faults = map[string]func(r *room, before bool) error{
	"killed": func(*room, bool) error { panic(errKilled) },
	"lost": func(*room, bool) error {
		return &integrations.Later{After: 2 * time.Second, Err: errors.New("connection reset by peer")}
	},
	"throttled": func(*room, bool) error {
		return &integrations.Later{After: 5 * time.Second, Err: errors.New("RequestLimitExceeded")}
	},
	"refused": func(*room, bool) error { return errors.New("UnauthorizedOperation: no") },
	"gone": func(r *room, _ bool) error {
		if b := r.fleet.boxes["i-2"]; b.State == integrations.InstanceRunning {
			r.fleet.finish(b)
		}
		return &integrations.Gone{Why: "InvalidInstanceID.NotFound"}
	},
}

// guarded has a test fail when an instance is terminated whose buffer is not empty, and
// whose loss nobody accepted.
func (r *room) guarded() {
	r.fleet.watch = func(call string) {
		verb, name, _ := strings.Cut(call, " ")
		if b := r.fleet.boxes[name]; (verb == "stop" || verb == "terminate") && r.cfg.Roles[0].Cluster != "" && len(r.fleet.left(b)) > 0 {
			r.t.Errorf("%s, with tasks left: %v", call, r.fleet.left(b))
		}
		id, ok := strings.CutPrefix(call, "terminate ")
		if !ok {
			return
		}
		b := r.fleet.boxes[id]
		accepted := false
		for _, d := range r.all() {
			accepted = accepted || d.Instance == id && d.Override != nil
		}
		if (b.bytes > 0 || b.running) && !accepted {
			r.t.Errorf("%s was terminated with %d bytes in its buffer, its application running: %t", id, b.bytes, b.running)
		}
	}
}

// A drain is broken at each of its boundaries in each way, on its way out and on its
// way back. It ends as it should, by itself, or waits for a person; and nothing is
// terminated whose logs were not proved to be shipped.
func TestBrokenAtEachBoundary(t *testing.T) {
	for name, fault := range faults {
		for _, back := range []bool{false, true} {
			for where, build := range map[string]func(*testing.T) *room{
				"": func(t *testing.T) *room { return newRoom(t, 4) },
				" of a cluster": func(t *testing.T) *room {
					r := newRoom(t, 4)
					r.clusters()
					return r
				},
				" behind HAProxy": func(t *testing.T) *room {
					r, p := behind(t, 4)
					p.tagged = true
					return r
				},
			} {
				t.Run(fmt.Sprint(name, " back ", back, where), func(t *testing.T) {
					t.Parallel()
					for k := 0; ; k++ {
						if r, reached := broken(build(t), k, back, fault); !reached {
							if k < 10 {
								t.Errorf("there are only %d boundaries: %s", k, r.story())
							}
							return
						} else if !r.settled(name, back) {
							t.Errorf("broken at boundary %d: %s", k, r.story())
						}
					}
				})
			}
		}
	}
}

// broken runs a drain that breaks at one boundary.
func broken(r *room, k int, back bool, fault func(r *room, before bool) error) (_ *room, reached bool) {
	r.guarded()
	d := r.begins("drain web-2")
	n := 0
	r.fleet.fault = func(_ string, before bool) error {
		if n++; n-1 == k {
			reached = true
			return fault(r, before)
		}
		return nil
	}
	if back {
		r.goes(func() bool { return r.drain(d.ID).State == stateTerminate })
		if now := r.drain(d.ID); mayGoBack(now) {
			r.must(bob, "undrain "+d.ID)
		}
	}
	r.goes(nil)
	return r, reached
}

// settled says whether a drain that was broken ended as it may.
func (r *room) settled(fault string, back bool) bool {
	d := r.all()[0]
	switch fault {
	case "gone":
		host := r.watch.host(d.Instance)
		return (d.State == stateGone || d.State == stateDone) && (host.Retired || host.Status == integrations.HostWorking)
	case "refused":
		return d.State == stateHold || d.State == stateRefused || d.State == stateUndone || d.State == stateDone
	}
	host := r.watch.host(d.Instance)
	if back {
		ok := d.State == stateUndone && host.Status == integrations.HostWorking && !host.Retired && len(r.fleet.ended) == 0 &&
			r.fleet.boxes["i-2"].hosted.status != integrations.TaskHostDraining
		r.endsSurplus()
		return ok && r.fleet.group.Desired == 4
	}
	return d.State == stateDone && host.Retired && d.Warning == "" && r.fleet.boxes[d.Instance].State == integrations.InstanceTerminated && r.fleet.group.Desired == 4
}
