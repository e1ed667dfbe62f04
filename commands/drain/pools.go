package drain

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// Pooler is pools that the cloud does not know, such as the backends of HAProxy. Its
// errors are those of the cloud. What is told to leave may be found in again, for a pool
// may forget: whoever drains looks, and tells it again.
type Pooler interface {
	// Holds says whether instances of a role may be in its pools.
	Holds(role string) bool
	// PoolsOf are those that send an instance requests, with all their seats. All are the
	// instances of its role.
	PoolsOf(ctx context.Context, one integrations.Instance, all []integrations.Instance) ([]integrations.Pool, error)
	// Pools reads pools by their seats, as a Viewer does.
	Pools(ctx context.Context, seats []integrations.Seat) ([]integrations.Pool, error)
	Leave(ctx context.Context, s integrations.Seat) error
	// Join puts a seat back. That the pool does not know it yet is *integrations.Later.
	Join(ctx context.Context, s integrations.Seat) error
}

// With is a cloud with more pools, by their kinds.
func With(cloud Cloud, more map[string]Pooler) Cloud { return &pooled{cloud, more} }

type pooled struct {
	Cloud
	more map[string]Pooler
}

// Machine adds the pools that the cloud does not know. What is terminated is in none, and
// has no address by which it would be found.
func (p *pooled) Machine(ctx context.Context, at integrations.Site, id string) (integrations.Machine, error) {
	m, err := p.Cloud.Machine(ctx, at, id)
	if err != nil || m.State == integrations.InstanceTerminated {
		return m, err
	}
	var all []integrations.Instance
	for _, kind := range slices.Sorted(maps.Keys(p.more)) {
		if !p.more[kind].Holds(m.Role) {
			continue
		}
		if all == nil {
			if all, err = p.Cloud.Instances(ctx, m.Role); err != nil {
				return integrations.Machine{}, err
			}
		}
		pools, err := p.more[kind].PoolsOf(ctx, m.Instance, all)
		if err != nil {
			return integrations.Machine{}, err
		}
		m.Pools = append(m.Pools, pools...)
	}
	return m, nil
}

// Pools asks each kind for its own.
func (p *pooled) Pools(ctx context.Context, at integrations.Site, seats []integrations.Seat) ([]integrations.Pool, error) {
	var cloud []integrations.Seat
	other := map[string][]integrations.Seat{}
	for _, s := range seats {
		if _, ok := p.more[s.Kind]; ok {
			other[s.Kind] = append(other[s.Kind], s)
		} else {
			cloud = append(cloud, s)
		}
	}
	out, err := p.Cloud.Pools(ctx, at, cloud)
	if err != nil {
		return nil, err
	}
	for _, kind := range slices.Sorted(maps.Keys(other)) {
		pools, err := p.more[kind].Pools(ctx, other[kind])
		if err != nil {
			return nil, err
		}
		out = append(out, pools...)
	}
	return out, nil
}

func (p *pooled) Leave(ctx context.Context, at integrations.Site, s integrations.Seat) error {
	if more, ok := p.more[s.Kind]; ok {
		return more.Leave(ctx, s)
	}
	return p.Cloud.Leave(ctx, at, s)
}

func (p *pooled) Join(ctx context.Context, at integrations.Site, s integrations.Seat) error {
	if more, ok := p.more[s.Kind]; ok {
		return more.Join(ctx, s)
	}
	return p.Cloud.Join(ctx, at, s)
}

// forgets says whether a seat may be in again without anybody's doing: what is set in
// HAProxy is lost when it is reloaded.
func forgets(s integrations.Seat) bool { return s.Kind == integrations.PoolHAProxy }

// keepOut tells it again to leave the pools that have forgotten it, and says whether
// there are any.
func (s *stepper) keepOut(m integrations.Machine) (bool, error) {
	again := slices.DeleteFunc(s.staying(m.Pools), func(seat integrations.Seat) bool { return !forgets(seat) })
	if len(again) == 0 {
		return false, nil
	}
	s.d.Why = "it is told again to leave " + again[0].Pool
	return true, s.leaveSeats(again)
}

// tellStatus gives it back its tag Status before it joins pools that forget: their
// configuration is made of that tag, and may not have it until then.
func (s *stepper) tellStatus(m integrations.Machine) (done bool, err error) {
	d := s.d
	if !slices.ContainsFunc(d.Seats, forgets) || m.Tags[tagStatus] != draining || d.Was == draining {
		return true, nil
	}
	s.next = time.Second
	if d.HadNone {
		return false, s.Cloud.Tag(s.ctx, d.At, d.Instance, nil, []string{tagStatus})
	}
	return false, s.Cloud.Tag(s.ctx, d.At, d.Instance, map[string]string{tagStatus: d.Was}, nil)
}
