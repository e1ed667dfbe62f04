package ingress

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// faults are what can go wrong at a boundary: before a call, or after it and before that
// is written down.
var faults = map[string]func() error{
	"killed": func() error { panic(errKilled) },
	"lost": func() error {
		return &integrations.Later{After: 2 * time.Second, Err: errors.New("connection reset by peer")}
	},
	"throttled": func() error {
		return &integrations.Later{After: 5 * time.Second, Err: errors.New("RequestLimitExceeded"), Unsent: true}
	},
	"refused": func() error { return errors.New("UnauthorizedOperation: no") },
}

// A lease is broken at each of its boundaries in each way, with reads that lag and without,
// beside another job from the same address and without, and the job lives on or dies with
// the process. What is run runs only while the port is open; in the end no rule of ours is
// there, and no lease.
func TestBrokenAtEachBoundary(t *testing.T) {
	for name, fault := range faults {
		for _, lag := range []time.Duration{0, 10 * time.Second} {
			for _, other := range []bool{false, true} {
				t.Run(fmt.Sprint(name, " lag ", lag, " beside another ", other), func(t *testing.T) {
					t.Parallel()
					for k := 0; ; k++ {
						if !broken(t, k, name, lag, other, fault) {
							least := map[bool]int{true: 5, false: 10}[name == "throttled"]
							if other {
								least = map[bool]int{true: 1, false: 2}[name == "throttled"] // the rule is there already
							}
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
}

// broken runs a job whose window breaks at one boundary, and says whether that came.
func broken(t *testing.T, k int, name string, lag time.Duration, other bool, fault func() error) (reached bool) {
	r := newRoom(t)
	r.cloud.lag = lag
	var beside *store.Job
	if other {
		beside = r.job("proxies/production")
		r.must(r.opens(beside))
		r.clock.move(time.Minute)
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
	j := r.job("hosts/production")
	err := r.opens(j)
	for range 3 { // an apply is begun again after the process died, else it has failed and somebody tries again
		if err == nil {
			break
		}
		if !errors.Is(err, errKilled) {
			r.ends(j, store.JobFailed)
			r.clock.move(time.Minute)
			_ = r.sweeps()
			r.ends(j, store.JobRunning)
		}
		err = r.opens(j)
	}
	if err != nil || !strings.HasPrefix(r.stands(), "54.65.0.7/32 ingress-") {
		t.Errorf("%s at boundary %d: it runs (%v), and open is %q", name, k, err, r.stands())
	}
	_ = r.closes(j)
	r.ends(j, store.JobSucceeded)
	for range 3 {
		r.clock.move(time.Minute)
		_ = r.sweeps()
	}
	if other {
		if got := r.stands(); !strings.HasPrefix(got, "54.65.0.7/32 ingress-1 ") {
			t.Errorf("%s at boundary %d: the other one is left with %q", name, k, got)
		}
		r.ends(beside, store.JobSucceeded)
		for range 3 {
			r.clock.move(time.Minute)
			_ = r.sweeps()
		}
	}
	r.want("")
	if all := r.leases(); len(all) > 0 || len(r.told()) > 0 {
		t.Errorf("%s at boundary %d: there are %+v, %q", name, k, all, r.told())
	}
	return reached
}

// The process is killed at each boundary and the job is never begun again: the sweeper of
// the next one alone closes it, at once where the job is over, and else when its time is.
func TestKilledForGood(t *testing.T) {
	for _, over := range []bool{true, false} {
		for k := 0; ; k++ {
			r := newRoom(t)
			n, reached := 0, false
			r.cloud.fault = func(string, bool) error {
				if n++; n-1 == k {
					reached = true
					panic(errKilled)
				}
				return nil
			}
			j := r.job("hosts/production")
			if err := r.opens(j); err == nil {
				_ = r.closes(j)
			}
			if over {
				r.ends(j, store.JobUnknown)
			}
			r.clock.move(map[bool]time.Duration{true: time.Minute, false: 43 * time.Minute}[over])
			for range 2 {
				_ = r.sweeps() // the first may be killed as well
			}
			r.want("")
			if all := r.leases(); len(all) > 0 {
				t.Errorf("killed at boundary %d: there are %+v", k, all)
			}
			if !reached {
				if k < 10 {
					t.Errorf("there are only %d boundaries", k)
				}
				break
			}
		}
	}
}
