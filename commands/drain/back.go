package drain

import (
	"fmt"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// The way back, in reverse order: facts/aws.md 1.5.

func (s *stepper) start() (bool, error) {
	if _, err := s.look(); err != nil {
		return false, err
	}
	if s.role.Unit == "" {
		return true, nil
	}
	r, ready, err := s.host("start", script("start", s.role))
	if err != nil || !ready {
		return false, err
	}
	if r.State != integrations.CommandDone || r.Exit != 0 {
		s.d.Why = "starting " + s.role.Unit + ": " + told(r)
		return false, nil
	}
	return true, nil
}

// join puts it back into its pools. Coming out of Standby raises what its group wants
// by one: where we had not lowered that, it is set back, before if there is no room
// for one more and afterwards if there is; but only while it is still what it was.
func (s *stepper) join() (bool, error) {
	d := s.d
	m, err := s.look()
	if err != nil {
		return false, err
	}
	if d.Group == "" {
		return true, s.joinAll(m.Pools)
	}
	member, ok := m.Group.Member(m.ID)
	if !ok {
		return false, stuck(fmt.Sprintf("the group %s does not list it any more", d.Group))
	}
	switch member.Lifecycle {
	case integrations.MemberInService, integrations.MemberPending:
		return true, nil
	case integrations.MemberStandby:
	default:
		d.Why = fmt.Sprintf("it is %s in %s", member.Lifecycle, d.Group)
		return false, nil
	}
	if err := s.intend(nil); err != nil {
		return false, err
	}
	s.next = time.Second
	if g := m.Group; g.Desired+1 > g.Max {
		if d.Shrunk || g.Desired != d.Desired || g.Desired-1 < g.Min {
			return false, stuck(fmt.Sprintf("%s wants %d and may have %d: there is no room for it to come back", g.Name, g.Desired, g.Max))
		}
		if err := s.Cloud.SetDesired(s.ctx, d.At, d.Group, g.Desired-1); err != nil {
			return false, err
		}
	}
	return false, s.Cloud.ExitStandby(s.ctx, d.At, d.Group, d.Instance)
}

// joinAll registers it where it is not.
func (s *stepper) joinAll(pools []integrations.Pool) error {
	in := map[integrations.Seat]bool{}
	for _, p := range pools {
		for _, seat := range p.Seats {
			if seat.State != integrations.SeatUnused && seat.State != integrations.SeatDraining {
				in[integrations.Seat{Pool: seat.Pool, Instance: seat.Instance, Port: seat.Port}] = true
			}
		}
	}
	for _, seat := range s.d.Seats {
		if in[integrations.Seat{Pool: seat.Pool, Instance: seat.Instance, Port: seat.Port}] {
			continue
		}
		if err := s.Cloud.Join(s.ctx, s.d.At, seat); err != nil {
			return err
		}
	}
	return nil
}

// healthy waits until its pools send it requests again.
func (s *stepper) healthy() (bool, error) {
	d := s.d
	m, err := s.look()
	if err != nil {
		return false, err
	}
	if member, ok := m.Group.Member(m.ID); ok && member.Lifecycle != integrations.MemberInService {
		d.Why = fmt.Sprintf("it is %s in %s", member.Lifecycle, d.Group)
		return false, nil
	}
	pools, err := s.Cloud.Pools(s.ctx, d.At, d.Seats)
	if err != nil {
		return false, err
	}
	for _, p := range pools {
		for _, seat := range p.Seats {
			if seat.Instance == d.Instance && seat.State != integrations.SeatHealthy {
				d.Why = fmt.Sprintf("%s: %s", p.Name, seat.State)
				if seat.State == integrations.SeatUnused || seat.State == integrations.SeatDraining {
					return false, s.joinAll(pools) // what its group does not put it into
				}
				return false, nil
			}
		}
	}
	if g := m.Group; g != nil && !d.Shrunk && g.Desired == d.Desired+1 {
		return false, s.Cloud.SetDesired(s.ctx, d.At, d.Group, d.Desired)
	}
	return true, nil
}

// unmark gives it the tag back that it had, takes ours off, and has people called for it
// again.
func (s *stepper) unmark() (bool, error) {
	d := s.d
	m, err := s.look()
	if err != nil {
		return false, err
	}
	status, has := m.Tags[tagStatus]
	_, ours := m.Tags[tagDrain]
	_, was := m.Tags[tagWas]
	right := has == !d.HadNone && status == d.Was
	if right && !ours && !was {
		return s.speak()
	}
	set, unset := map[string]string{}, []string{tagDrain, tagWas}
	if d.HadNone {
		unset = append(unset, tagStatus)
	} else if !right {
		set[tagStatus] = d.Was
	}
	s.next = time.Second
	return false, s.Cloud.Tag(s.ctx, d.At, d.Instance, set, unset)
}
