package drain

import (
	"fmt"
	"slices"
	"strings"
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
		s.d.Why = fmt.Sprintf("%s does not start: %s", s.role.Unit, told(r))
		return false, nil
	}
	return true, nil
}

// join puts it back into its pools. Coming out of Standby raises what its group wants
// by one. Where that had not been lowered, and nothing was started in its place yet, it
// is lowered before: then nothing has to go. What was started already stays, for its
// logs are to be shipped as well (see replacement).
func (s *stepper) join() (bool, error) {
	d := s.d
	m, err := s.look()
	if err != nil {
		return false, err
	}
	if done, err := s.tellStatus(m); !done || err != nil {
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
	g := m.Group
	if !d.Shrunk && g.Desired == d.Desired && g.Desired > g.Min && s.replacement(g) == "" {
		return false, s.Cloud.SetDesired(s.ctx, d.At, d.Group, g.Desired-1)
	}
	if g.Desired+1 > g.Max {
		return false, stuck(fmt.Sprintf("%s wants %d and may have %d, so there is no room for it to come back: raise its maximum, and try again", g.Name, g.Desired, g.Max))
	}
	return false, s.Cloud.ExitStandby(s.ctx, d.At, d.Group, d.Instance)
}

// joinAll registers it where it is not; its tasks are for their services to register.
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
		if s.d.ofTask(seat) || in[integrations.Seat{Pool: seat.Pool, Instance: seat.Instance, Port: seat.Port}] {
			continue
		}
		if err := s.Cloud.Join(s.ctx, s.d.At, seat); err != nil {
			return err
		}
	}
	return nil
}

// healthy waits until its pools send it requests again. For tasks nobody waits: its
// cluster starts them here or elsewhere, as it likes.
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
			if seat.Instance == d.Instance && !d.ofTask(seat) && seat.State != integrations.SeatHealthy {
				d.Why = fmt.Sprintf("%s: %s", p.Name, seat.State)
				if seat.State == integrations.SeatUnused || seat.State == integrations.SeatDraining {
					return false, s.joinAll(pools) // what its group does not put it into
				}
				return false, nil
			}
		}
	}
	return true, nil
}

// replacement is the member that was started in its place; "" if there is none.
func (s *stepper) replacement(g *integrations.ScalingGroup) string {
	if g == nil || len(s.d.Members) == 0 {
		return ""
	}
	for _, m := range g.Members {
		if !slices.Contains(s.d.Members, m.ID) && !strings.HasPrefix(m.Lifecycle, "Terminat") {
			return m.ID
		}
	}
	return ""
}

// surplus asks whether the replacement of an instance that was put back is to go: it
// was started by us, it does work by now, and its logs are to be shipped too.
func (s *stepper) surplus() (*Drain, error) {
	d := s.d
	if d.Group == "" || d.Shrunk || !d.Left {
		return nil, nil
	}
	g, err := s.Cloud.Group(s.ctx, d.At, d.Group)
	if err != nil {
		return nil, err
	}
	id := s.replacement(&g)
	if id == "" || g.Desired <= d.Desired {
		return nil, nil
	}
	m, err := s.Cloud.Machine(s.ctx, d.At, id)
	if err != nil {
		return nil, err
	}
	extra := &Drain{At: d.At, Instance: m.ID, Name: m.Name, Role: m.Role, Zone: m.Zone, Group: d.Group, Shrink: true, By: d.By, Room: d.Room,
		Reason: fmt.Sprintf("it was started in the place of %s, which was put back", d.machine()), State: statePlanned, Connections: -1, Bytes: -1, Seats: seats(m)}
	role, _ := s.Config().Role(m.Role)
	extra.Now = unasked(m, role)
	extra.Plan = plan(Question{Machine: m, Role: role, Config: s.Config(), Here: s.here(s.ctx), Shrink: true})
	return extra, nil
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
