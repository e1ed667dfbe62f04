package circlecisim

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// The kinds of misbehaviour.
const (
	faultDelay = "delay" // wait DelayMS before acting
	faultReset = "reset" // close the connection without acting
	faultLost  = "lost"  // act, then close the connection
	faultError = "error" // refuse with Status, without acting
	faultLate  = "late"  // the list of pipelines lacks the newest
)

var faultKinds = []string{faultDelay, faultReset, faultLost, faultError, faultLate}

// Fault is one misbehaviour to come. Method and Path (a part of it) narrow it to some
// calls; empty matches all.
type Fault struct {
	Kind         string
	Method, Path string
	Count        int // how often; 0 is once, -1 until ClearFaults
	DelayMS      int
	Status       int // of an error; 0 is 500
	RetryAfter   int // seconds, of an error
}

// Fault arms a misbehaviour.
func (s *Sim) Fault(f Fault) error {
	if !slices.Contains(faultKinds, f.Kind) {
		return fmt.Errorf("fault %q: no such kind", f.Kind)
	}
	if f.Count == 0 {
		f.Count = 1
	}
	if f.Status == 0 {
		f.Status = http.StatusInternalServerError
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
	return nil
}

// ClearFaults disarms all of them.
func (s *Sim) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

func (s *Sim) take(kind string, r *http.Request) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.takeLocked(kind, r)
}

// takeLocked uses the first armed fault of the kind up that matches; nil is none.
func (s *Sim) takeLocked(kind string, r *http.Request) *Fault {
	n := slices.IndexFunc(s.faults, func(f *Fault) bool {
		return f.Kind == kind && (f.Method == "" || f.Method == r.Method) && strings.Contains(r.URL.Path, f.Path)
	})
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
