package drain

import (
	"errors"
	"fmt"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
)

// Out of what sends it requests.

// leave takes it out of its pools: through its group, which puts it in Standby, and
// of what it has not left by that, one by one.
func (s *stepper) leave() (bool, error) {
	m, err := s.look()
	if err != nil {
		return false, err
	}
	d := s.d
	member, grouped := m.Group.Member(m.ID)
	if grouped && (member.Lifecycle == integrations.MemberStandby || member.Lifecycle == integrations.MemberEnteringStandby) && d.Left {
		return true, nil
	}
	if !grouped && d.Left && len(s.staying(m.Pools)) == 0 {
		return true, nil
	}
	// Also of one that was told to leave already, and has not: others may have fallen
	// ill since.
	closed, err := s.ask(m, false)
	switch {
	case err != nil:
		return false, err
	case len(closed) > 0 && !d.Left:
		return false, &refused{closed}
	case len(closed) > 0:
		d.Why = closed[0].String()
		return false, nil
	}
	if !d.Left {
		if err := s.intend(func(d *Drain) { d.Left, d.LeftAt, d.Shrunk = true, s.now, d.shrinks() && grouped }); err != nil {
			return false, err
		}
	}
	s.next = time.Second
	if grouped {
		if member.Lifecycle != integrations.MemberInService {
			d.Why = fmt.Sprintf("it is %s in its group", member.Lifecycle)
			return false, nil
		}
		return false, s.Cloud.EnterStandby(s.ctx, d.At, d.Group, d.Instance, d.shrinks())
	}
	return false, s.leaveAll(m.Pools)
}

// staying are its seats that were not told to go.
func (s *stepper) staying(pools []integrations.Pool) (out []integrations.Seat) {
	for _, p := range pools {
		for _, seat := range p.Seats {
			if seat.Instance == s.d.Instance && seat.State != integrations.SeatUnused && seat.State != integrations.SeatDraining {
				out = append(out, seat)
			}
		}
	}
	return out
}

func (s *stepper) leaveAll(pools []integrations.Pool) error { return s.leaveSeats(s.staying(pools)) }

func (s *stepper) leaveSeats(seats []integrations.Seat) error {
	var errs []error
	for _, seat := range seats {
		err := s.Cloud.Leave(s.ctx, s.d.At, seat)
		var gone *integrations.Gone
		if errors.As(err, &gone) { // it has left already; the next look tells
			continue
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// wait waits until it is in no pool any more, and has no connection that they know of.
func (s *stepper) wait() (bool, error) {
	d := s.d
	m, err := s.look()
	if err != nil {
		return false, err
	}
	if err := s.countMeanwhile(m); err != nil {
		return false, err
	}
	member, grouped := m.Group.Member(m.ID)
	if grouped && member.Lifecycle != integrations.MemberStandby {
		if member.Lifecycle == integrations.MemberInService {
			return false, stuck(fmt.Sprintf("it is InService in %s again: somebody put it back", d.Group))
		}
		d.Why = fmt.Sprintf("it is %s in %s", member.Lifecycle, d.Group)
		return false, nil
	}
	pools, err := s.Cloud.Pools(s.ctx, d.At, d.Seats)
	if err != nil {
		return false, err
	}
	if len(s.staying(pools)) > 0 { // what its group does not take it out of, or what forgot it
		closed, err := s.ask(m, grouped)
		if err != nil {
			return false, err
		}
		if len(closed) > 0 {
			d.Why = closed[0].String()
			return false, nil
		}
		return false, s.leaveAll(pools)
	}
	known := -1
	for _, p := range pools {
		for _, seat := range p.Seats {
			if seat.Instance != d.Instance {
				continue
			}
			if seat.Connections >= 0 {
				known = max(known, 0) + seat.Connections
				d.Connections = known
			}
			if seat.State != integrations.SeatUnused || seat.Reason != integrations.ReasonNotRegistered || seat.Connections > 0 {
				d.Why = fmt.Sprintf("%s: %s", p.Name, seat.State)
				return false, nil
			}
		}
		if left := nlbSettle - s.now.Sub(d.LeftAt); p.Kind == integrations.PoolNLB && left > 0 {
			d.Why = fmt.Sprintf("%s may send new connections for %s more", p.Name, gate.Age(left))
			return false, nil
		}
	}
	d.Connections = -1 // those of an application that is being stopped are counted anew
	return true, nil
}
