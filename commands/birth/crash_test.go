package birth

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

type fault func(r *room, before bool) error

// of is a fault of one call alone, before it is made.
func (f fault) of(r *room, call string) func(string, bool) error {
	return func(c string, before bool) error {
		if c == call && before {
			return f(r, before)
		}
		return nil
	}
}

// faults are what can go wrong at a boundary: before a change to the outside, or after
// it and before that is written down.
var faults = map[string]fault{
	"killed": func(*room, bool) error { panic(errKilled) },
	"lost": func(*room, bool) error {
		return &integrations.Later{After: 2 * time.Second, Err: errors.New("connection reset by peer")}
	},
	"throttled": func(*room, bool) error {
		return &integrations.Later{After: 5 * time.Second, Err: errors.New("RequestLimitExceeded")}
	},
	"refused": func(*room, bool) error { return errors.New("UnauthorizedOperation: no") },
	"gone": func(r *room, _ bool) error {
		if b := r.fleet.boxes["i-4"]; b.State == integrations.InstanceRunning {
			r.fleet.finish(b)
		}
		return &integrations.Gone{Why: "InvalidInstanceID.NotFound"}
	},
}

// A birth is broken at each of its boundaries in each way, on its way in and where it
// has failed and is tried again, let in or ended. It ends as it should, by itself, or
// waits for a person; and nothing gets requests whose tests have not passed, unless a
// person says so.
func TestBrokenAtEachBoundary(t *testing.T) {
	for name, fault := range faults {
		for _, story := range []string{"", "birth-retry birth-1", "birth-let-in birth-1 it is known", "birth-end birth-1 it is broken"} {
			t.Run(fmt.Sprint(name, " ", story), func(t *testing.T) {
				t.Parallel()
				for k := 0; ; k++ {
					r, reached := broken(newRoom(t), k, story, fault)
					if !reached {
						if k < 10 {
							t.Errorf("there are only %d boundaries: %s", k, r.story())
						}
						return
					}
					if why := r.settled(name, story); why != "" {
						t.Errorf("broken at boundary %d: %s: %s", k, why, r.story())
					}
				}
			})
		}
	}
}

// broken runs a birth that breaks at one boundary.
func broken(r *room, k int, story string, fault fault) (_ *room, reached bool) {
	one := r.fleet.launch(standby)
	one.fails = story != ""
	n := 0
	r.fleet.fault = func(_ string, before bool) error {
		if n++; n-1 == k {
			reached = true
			return fault(r, before)
		}
		return nil
	}
	done := func() bool { b := r.birth(); return b.over() }
	r.goes(time.Minute, func() bool { return len(r.all()) > 0 })
	failed := func() bool { return done() || r.birth().State == stateFailed }
	r.goes(20*time.Minute, failed)
	if story != "" && r.birth().State == stateFailed {
		r.goes(3*time.Minute, done) // it waits
		if one.fails = one.fails && story != "birth-retry birth-1"; r.birth().State == stateFailed {
			_, _ = r.says(story)
		}
		r.goes(20*time.Minute, failed)
	}
	r.goes(2*time.Minute, done) // what is gone by now is seen to be
	return r, reached
}

// settled says what is wrong with how a birth ended that was broken.
func (r *room) settled(fault, story string) string {
	b, one := r.birth(), r.fleet.boxes["i-4"]
	if len(r.all()) > 1 {
		return "it was born twice"
	}
	if len(r.fleet.early) > 0 && story != "birth-let-in birth-1 it is known" {
		return "it got requests before its tests had passed"
	}
	want := map[string]string{"": stateDone, "birth-retry birth-1": stateDone, "birth-let-in birth-1 it is known": stateDone, "birth-end birth-1 it is broken": stateGone}[story]
	switch {
	case fault == "gone" && b.State != stateGone:
		return "its instance is gone, and it is " + b.State
	case fault == "gone":
	case fault == "refused" && b.State == stateFailed && one.State == integrations.InstanceRunning:
	case b.State != want:
		return "it is " + b.State + ", want " + want
	case want == stateDone && (one.Tags[tagStatus] != working || one.Tags[tagBirth] != "" || one.lifecycle != integrations.MemberInService):
		return fmt.Sprintf("it says %v and is %s", one.Tags, one.lifecycle)
	case want == stateDone && one.status != integrations.HostWorking && b.Warning == "":
		return "its monitoring calls nobody: " + one.status
	}
	return ""
}
