package scaling

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// faults are what can go wrong at a boundary: before a call, or after it and before
// that is written down.
var faults = map[string]func() error{
	"killed": func() error { panic(errKilled) },
	"lost": func() error {
		return &integrations.Later{After: 2 * time.Second, Err: errors.New("connection reset by peer")}
	},
	"throttled": func() error {
		return &integrations.Later{After: 5 * time.Second, Err: errors.New("Throttling"), Unsent: true}
	},
	"refused": func() error { return errors.New("AccessDenied: no") },
}

// A lease is broken at each of its boundaries in each way. The job starts only while
// it holds; in the end nothing of ours is suspended, everything of others is, the tag
// is off, and no lease is left.
func TestBrokenAtEachBoundary(t *testing.T) {
	for name, fault := range faults {
		for _, other := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " beside another ", other), func(t *testing.T) {
				t.Parallel()
				for k := 0; ; k++ {
					if !broken(t, k, name, other, fault) {
						least := map[bool]int{true: 6, false: 12}[name == "throttled"]
						if k < least {
							t.Errorf("there are only %d boundaries", k)
						}
						return
					}
				}
			})
		}
	}
}

// broken runs a job whose lease breaks at one boundary, and says whether that came.
func broken(t *testing.T, k int, name string, other bool, fault func() error) (reached bool) {
	r := newRoom(t)
	var beside *store.Job
	if other {
		beside = r.job("api/production")
		r.must(r.suspends(beside, target("api/production", "web")))
	}
	n := 0
	r.cloud.fault = func(_ string, before bool) error {
		if name == "throttled" && !before {
			return nil
		}
		if n++; n-1 == k {
			reached = true
			return fault()
		}
		return nil
	}
	j := r.job("web/production")
	err := r.suspends(j, target("web/production", "web"))
	for range 3 { // a job that could not start waits, is swept meanwhile, and starts anew
		if err == nil {
			break
		}
		if held := r.lease(j); held == stateHeld {
			t.Errorf("%s at boundary %d: %v, and it holds", name, k, err)
		}
		r.ends(j, store.JobQueued)
		r.clock.move(time.Minute)
		_ = r.sweeps()
		r.ends(j, store.JobRunning)
		err = r.suspends(j, target("web/production", "web"))
	}
	if got := r.cloud.group["web"].Suspended; err != nil || len(without([]string{"AZRebalance", "AlarmNotification", "ScheduledActions"}, got)) > 0 {
		t.Errorf("%s at boundary %d: the job starts (%v), and only %v are suspended", name, k, err, got)
	}
	_ = r.resumes(j)
	r.ends(j, store.JobSucceeded)
	for range 3 {
		r.clock.move(time.Minute)
		_ = r.sweeps()
	}
	if other {
		if got := r.cloud.group["web"]; len(without([]string{"AZRebalance", "AlarmNotification", "ScheduledActions"}, got.Suspended)) > 0 || got.Tags[integrations.TagLock] != "job-1 until 2026-03-04T10:30:00Z" {
			t.Errorf("%s at boundary %d: the other one is left with %s", name, k, r.stands("web"))
		}
		r.ends(beside, store.JobSucceeded)
		_ = r.sweeps()
		_ = r.sweeps()
	}
	r.want("web", before)
	if all := r.leases(); len(all) > 0 {
		t.Errorf("%s at boundary %d: there are %+v", name, k, all)
	}
	return reached
}

// lease is the state of a job's one; "" if it has none.
func (r *room) lease(j *store.Job) string {
	for _, l := range r.leases() {
		if l.Job == j.ID {
			return l.State
		}
	}
	return ""
}
