package awssim

import (
	"cmp"
	"slices"
	"time"
)

// What a pool thinks of a seat.
const (
	seatInitial   = "initial"
	seatHealthy   = "healthy"
	seatUnhealthy = "unhealthy"
	seatDraining  = "draining"
	seatUnused    = "unused" // the machine is not running
	seatGone      = ""
)

func (p *pool) healthyTime() time.Duration   { return time.Duration(p.HealthyAfter) * p.Interval }
func (p *pool) unhealthyTime() time.Duration { return time.Duration(p.UnhealthyAfter) * p.Interval }

// of lists the seats of an instance, the one that it left long ago included.
func (p *pool) of(id string) []*seat {
	var out []*seat
	for _, s := range p.Seats {
		if s.ID == id {
			out = append(out, s)
		}
	}
	return out
}

func (p *pool) seat(id string, port int) *seat {
	port = cmp.Or(port, p.Port)
	for _, s := range p.Seats {
		if s.ID == id && s.Port == port {
			return s
		}
	}
	return nil
}

// enter registers an instance; one that is in already stays as it is.
func (p *pool) enter(id string, port int, zone string, at time.Time) {
	if s := p.seat(id, port); s != nil {
		if !s.Left.IsZero() {
			s.Entered, s.Left = at, time.Time{}
		}
		return
	}
	p.Seats = append(p.Seats, &seat{ID: id, Port: cmp.Or(port, p.Port), Zone: zone, Entered: at})
}

// part deregisters a seat, unless it is on its way already.
func (p *pool) part(s *site, seat *seat, at time.Time) {
	if seat.Left.IsZero() {
		seat.WasHealthy = p.state(s, seat, at) == seatHealthy
		seat.Left = at
	}
}

func (p *pool) forget(id string) {
	p.Seats = slices.DeleteFunc(p.Seats, func(s *seat) bool { return s.ID == id })
}

// state works out what the pool thinks of a seat, from when what happened to it.
func (p *pool) state(s *site, seat *seat, now time.Time) string {
	if !seat.Left.IsZero() {
		if now.Before(seat.Left.Add(p.Delay)) {
			return seatDraining
		}
		return seatGone
	}
	i := s.instance(seat.ID)
	if i == nil {
		return seatGone
	}
	if !i.Ending.IsZero() {
		// The checks have to fail first: until then it gets requests.
		if now.Before(i.Ending.Add(p.unhealthyTime())) {
			return seatHealthy
		}
		return seatUnused
	}
	return p.checks(&i.Host, latest(seat.Entered, i.Running), now)
}

// checks says what the health checks of a machine have found that could answer them
// since up, if its app ran.
func (p *pool) checks(h *Host, up, now time.Time) string {
	first := up.Add(p.healthyTime())
	if now.Before(first) {
		return seatInitial
	}
	since := now.Sub(h.Since)
	switch {
	case h.Stopped && h.Since.Before(first): // it never came up
		return seatUnhealthy
	case h.Stopped && since >= p.unhealthyTime():
		return seatUnhealthy
	case !h.Stopped && h.Since.After(up) && h.Down >= p.unhealthyTime() && since < p.healthyTime():
		return seatUnhealthy // it is up again, and has to show it
	}
	return seatHealthy
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// takes says whether a seat gets new requests. An application load balancer that has
// no healthy target sends to all of them; a network load balancer goes on sending to
// one that has left, for two minutes.
func (p *pool) takes(s *site, seat *seat, now time.Time) bool {
	if !seat.Left.IsZero() {
		return p.Kind == KindNLB && now.Before(seat.Left.Add(SettleTime))
	}
	if p.state(s, seat, now) == seatHealthy {
		return true
	}
	if p.Kind != KindALB {
		return false
	}
	for _, other := range p.Seats {
		if p.state(s, other, now) == seatHealthy {
			return false
		}
	}
	return p.state(s, seat, now) != seatGone
}

// quietSince is since when an instance has got no new requests of any pool; ok is
// false while it gets some, and when it never was in a pool.
func (s *site) quietSince(id string, now time.Time) (since time.Time, ok bool) {
	for _, p := range s.Pools {
		for _, seat := range p.of(id) {
			if seat.Left.IsZero() {
				return time.Time{}, false
			}
			left := seat.Left
			if p.Kind == KindNLB {
				left = left.Add(SettleTime)
			}
			if since = latest(since, left); since.After(now) {
				return time.Time{}, false
			}
			ok = true
		}
	}
	return since, ok
}
