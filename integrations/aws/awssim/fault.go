package awssim

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// The kinds of misbehaviour.
const (
	faultThrottle = "throttle" // refuse, as one who called too often
	faultReset    = "reset"    // close the connection without acting
	faultLost     = "lost"     // act, then close the connection
	faultError    = "error"    // refuse with Code
	faultLag      = "lag"      // act, and let reads not know of it for LagSeconds
)

var faultKinds = []string{faultThrottle, faultReset, faultLost, faultError, faultLag}

// Fault is one misbehaviour to come. Service (ec2, elbv2, elb, autoscaling, ssm, ecs,
// ecr, sts, cloudwatch, sns, codebuild, logs), Action and ID (one of the things that the call names, or the instance's id) narrow
// it to some calls; empty matches all. "lag" is of calls that change something.
type Fault struct {
	Kind    string `json:"kind"`
	Service string `json:"service,omitempty"`
	Action  string `json:"action,omitempty"`
	ID      string `json:"id,omitempty"`
	// Count is how often; 0 is once, or any number where ForSeconds is given; -1
	// until ClearFaults.
	Count      int    `json:"count,omitempty"`
	ForSeconds int    `json:"for_seconds,omitempty"` // it ends then, on the clock
	Code       string `json:"code,omitempty"`        // of an error; InternalFailure when empty
	Message    string `json:"message,omitempty"`
	Status     int    `json:"status,omitempty"`      // the code's own when 0
	LagSeconds int    `json:"lag_seconds,omitempty"` // 10 when 0

	until time.Time
}

// Fault arms a misbehaviour.
func (s *Sim) Fault(f Fault) error {
	if !slices.Contains(faultKinds, f.Kind) {
		return fmt.Errorf("fault %q: no such kind", f.Kind)
	}
	if _, ok := services[f.Service]; f.Service != "" && !ok {
		return fmt.Errorf("fault %s: no service %q", f.Kind, f.Service)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.Action != "" && !slices.ContainsFunc(slices.Collect(maps.Values(s.ops)), func(o *op) bool {
		return o.action == f.Action && (f.Service == "" || o.service == f.Service)
	}) {
		return fmt.Errorf("fault %s: no action %q", f.Kind, f.Action)
	}
	if f.ForSeconds > 0 {
		f.until = s.clock.Now().Add(time.Duration(f.ForSeconds) * time.Second)
	}
	if f.Count == 0 {
		f.Count = 1
		if f.ForSeconds > 0 {
			f.Count = -1
		}
	}
	if f.Code == "" {
		f.Code = "InternalFailure"
	}
	if f.LagSeconds == 0 {
		f.LagSeconds = 10
	}
	s.faults = append(s.faults, &f)
	return nil
}

// ClearFaults disarms all of them, and lets every read know all.
func (s *Sim) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults, s.stale = nil, nil
}

// armed finds the first armed fault of the kind that matches; -1 is none.
func (s *Sim) armed(kind string, c *call) int {
	s.faults = slices.DeleteFunc(s.faults, func(f *Fault) bool { return !f.until.IsZero() && !c.now.Before(f.until) })
	return slices.IndexFunc(s.faults, func(f *Fault) bool { return f.Kind == kind && f.matches(c) })
}

// take uses that fault up.
func (s *Sim) take(kind string, c *call) *Fault {
	n := s.armed(kind, c)
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

func (f *Fault) matches(c *call) bool {
	return (f.Service == "" || f.Service == c.op.service) &&
		(f.Action == "" || f.Action == c.op.action) &&
		(f.ID == "" || slices.Contains(c.ids(), f.ID))
}

// staleWorld is what reads see until then: the fleet before a change.
type staleWorld struct {
	until time.Time
	world *world
}

// fallBehind gives a read the oldest fleet that it may still see.
func (s *Sim) fallBehind(c *call) {
	s.stale = slices.DeleteFunc(s.stale, func(w staleWorld) bool { return !c.now.Before(w.until) })
	if len(s.stale) == 0 {
		return
	}
	if site := s.stale[0].world.site(c.site.Account, c.site.Region); site != nil {
		c.w, c.site = s.stale[0].world, site
	}
}
