package statuspagesim

import (
	"fmt"
	"net/http"
	"slices"
	"time"
)

// The kinds of misbehaviour.
const (
	faultThrottle = "throttle" // refuse, as one who called too often
	faultReset    = "reset"    // close the connection without acting
	faultLost     = "lost"     // act, then close the connection
	faultError    = "error"    // refuse with Status
)

var faultKinds = []string{faultThrottle, faultReset, faultLost, faultError}

// Fault is one misbehaviour to come. Action (components.list, incident.create …) narrows it
// to some calls; empty matches all.
type Fault struct {
	Kind   string `json:"kind"`
	Action string `json:"action,omitempty"`
	// Count is how often; 0 is once, or any number where ForSeconds is given; -1
	// until ClearFaults.
	Count      int    `json:"count,omitempty"`
	ForSeconds int    `json:"for_seconds,omitempty"` // it ends then, on the clock
	Status     int    `json:"status,omitempty"`      // of an error, 500 when 0; of a throttle, 420 when 0
	Message    string `json:"message,omitempty"`     // of an error, as it is: JSON or not
	RetryAfter string `json:"retry_after,omitempty"` // the header, of an error or a throttle

	until time.Time
}

// Fault arms a misbehaviour.
func (s *Sim) Fault(f Fault) error {
	if !slices.Contains(faultKinds, f.Kind) {
		return fmt.Errorf("fault %q: no such kind", f.Kind)
	}
	if f.Action != "" && !slices.ContainsFunc(routes, func(r route) bool { return r.action == f.Action }) {
		return fmt.Errorf("fault %s: no action %q", f.Kind, f.Action)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.ForSeconds > 0 {
		f.until = s.clock.Now().Add(time.Duration(f.ForSeconds) * time.Second)
	}
	if f.Count == 0 {
		f.Count = 1
		if f.ForSeconds > 0 {
			f.Count = -1
		}
	}
	switch {
	case f.Status != 0:
	case f.Kind == faultThrottle:
		f.Status = statusLimit
	default:
		f.Status = http.StatusInternalServerError
	}
	s.faults = append(s.faults, &f)
	return nil
}

// ClearFaults disarms all of them.
func (s *Sim) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// take uses the first armed fault of the kind up that matches; nil is none.
func (s *Sim) take(kind, action string) *Fault {
	now := s.clock.Now()
	s.faults = slices.DeleteFunc(s.faults, func(f *Fault) bool { return !f.until.IsZero() && !now.Before(f.until) })
	n := slices.IndexFunc(s.faults, func(f *Fault) bool { return f.Kind == kind && (f.Action == "" || f.Action == action) })
	if n < 0 {
		return nil
	}
	f := s.faults[n]
	if f.Count > 0 {
		if f.Count--; f.Count == 0 {
			s.faults = slices.Delete(s.faults, n, n+1)
		}
	}
	return f
}
