package aws

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// A desk is where the seats of one kind of pool are read, given up and taken.
type desk struct {
	read        func(ctx context.Context, s *site, id string, asked []integrations.Seat) (integrations.Pool, error)
	leave, join func(ctx context.Context, s *site, seat integrations.Seat) error
}

var targetGroup = desk{
	read: func(ctx context.Context, s *site, id string, asked []integrations.Seat) (integrations.Pool, error) {
		return s.pools.TargetGroup(ctx, id, asked)
	},
	leave: func(ctx context.Context, s *site, seat integrations.Seat) error {
		return s.seats.LeaveTargetGroup(ctx, seat)
	},
	join: func(ctx context.Context, s *site, seat integrations.Seat) error {
		return s.seats.JoinTargetGroup(ctx, seat)
	},
}

var desks = map[string]desk{
	integrations.PoolALB: targetGroup,
	integrations.PoolNLB: targetGroup,
	integrations.PoolClassic: {
		read: func(ctx context.Context, s *site, id string, asked []integrations.Seat) (integrations.Pool, error) {
			return s.pools.Classic(ctx, id, asked)
		},
		leave: func(ctx context.Context, s *site, seat integrations.Seat) error {
			return s.seats.LeaveClassic(ctx, seat)
		},
		join: func(ctx context.Context, s *site, seat integrations.Seat) error {
			return s.seats.JoinClassic(ctx, seat)
		},
	},
}

func strange(s integrations.Seat) error {
	return fmt.Errorf("aws: %s in %s is a seat of the kind %q, which AWS does not have", s.Instance, s.Pool, s.Kind)
}

// Leave takes an instance out of a pool: from its target group by the id, port and
// zone of the seat, from a classic load balancer by its name. One that is not in a
// target group is no error; one that is not in a classic load balancer is
// *integrations.Gone.
func (f *Fleet) Leave(ctx context.Context, at integrations.Site, seat integrations.Seat) error {
	d, ok := desks[seat.Kind]
	if !ok {
		return strange(seat)
	}
	return f.change(ctx, at, "take", seat.Instance+" out of "+seat.Pool, func(s *site) error { return d.leave(ctx, s, seat) })
}

// Join puts it back, as the seat says that it was.
func (f *Fleet) Join(ctx context.Context, at integrations.Site, seat integrations.Seat) error {
	d, ok := desks[seat.Kind]
	if !ok {
		return strange(seat)
	}
	return f.change(ctx, at, "put", seat.Instance+" into "+seat.Pool, func(s *site) error { return d.join(ctx, s, seat) })
}

// Tag sets and takes away tags of an instance, each by one call, the setting first.
func (f *Fleet) Tag(ctx context.Context, at integrations.Site, id string, set map[string]string, unset []string) error {
	for _, key := range unset {
		if _, both := set[key]; both {
			return fmt.Errorf("aws tag %s: the tag %s is to be set and taken away", id, key)
		}
	}
	return f.change(ctx, at, "tag", id, func(s *site) error {
		if len(set) > 0 {
			if err := s.tags.Set(ctx, id, maps.Clone(set)); err != nil {
				return err
			}
		}
		if len(unset) > 0 {
			return s.tags.Unset(ctx, id, slices.Clone(unset))
		}
		return nil
	})
}

// EnterStandby takes an instance out of its group's pools; shrink lowers the number
// that the group wants, which EC2 Auto Scaling refuses below its minimum.
func (f *Fleet) EnterStandby(ctx context.Context, at integrations.Site, group, id string, shrink bool) error {
	return f.change(ctx, at, "put", id+" of "+group+" on standby", func(s *site) error { return s.move.EnterStandby(ctx, group, id, shrink) })
}

// ExitStandby puts it back, and raises that number by one, which EC2 Auto Scaling
// refuses above its maximum.
func (f *Fleet) ExitStandby(ctx context.Context, at integrations.Site, group, id string) error {
	return f.change(ctx, at, "take", id+" of "+group+" from standby", func(s *site) error { return s.move.ExitStandby(ctx, group, id) })
}

// SetDesired sets that number.
func (f *Fleet) SetDesired(ctx context.Context, at integrations.Site, group string, n int) error {
	if n < 0 || n > math.MaxInt32 {
		return fmt.Errorf("aws set what %s wants: %d is not a number of instances", group, n)
	}
	return f.change(ctx, at, "set what", group+" wants", func(s *site) error { return s.move.SetDesired(ctx, group, int32(n)) })
}

// Terminate ends an instance for good: through its group, which replaces it, or by
// itself if it has none. AWS does not compare: EC2 ends the member of a group before its
// load balancers have let it go, and EC2 Auto Scaling takes an id without a group. So
// the group is looked up first, and one that was not said is refused.
func (f *Fleet) Terminate(ctx context.Context, at integrations.Site, group, id string) error {
	s, err := f.one(at)
	if err != nil {
		return err
	}
	now, _, err := s.group.Of(ctx, id)
	if err != nil {
		return part(ctx, "read the scaling group of", id, err)
	}
	if now != "" && now != group {
		return fmt.Errorf("aws terminate %s: it is in the scaling group %s, and %s was said", id, now, named(group))
	}
	if group != "" {
		return shape(ctx, "terminate", id+" of "+group, s.let.Terminate(ctx, id))
	}
	return shape(ctx, "terminate", id, s.end.Terminate(ctx, id))
}

func named(group string) string {
	if group == "" {
		return "none"
	}
	return group
}
