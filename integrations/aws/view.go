package aws

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// sitesAtOnce is how many sites are asked at a time.
const sitesAtOnce = 4

var instanceShape = regexp.MustCompile(`^i-[0-9a-f]+$`)

// Instances are those of all sites with one of the roles, or with any; terminated ones
// are left out. That a site cannot be read is an error that names it, and no instance
// is told then: part of a fleet looks like all of it.
func (f *Fleet) Instances(ctx context.Context, roles ...string) ([]integrations.Instance, error) {
	found, errs := f.everywhere(func(s *site) ([]integrations.Instance, error) {
		got, err := s.insts.ByRole(ctx, roles)
		if err == nil {
			f.note(ctx, s, got)
		}
		return got, shape(ctx, "list instances", "", err)
	})
	if err := together(errs); err != nil {
		return nil, err
	}
	return found, nil
}

// note adds to a list which Spot instances are about to be taken back; a list is worth
// having without. Machine, which decides by it, wants it.
func (f *Fleet) note(ctx context.Context, s *site, all []integrations.Instance) {
	each := make([]*integrations.Instance, len(all))
	for n := range all {
		each[n] = &all[n]
	}
	if err := s.insts.Note(ctx, each); err != nil {
		f.log.WarnContext(ctx, "ask which Spot instances are taken back", "site", s.String(), "error", shape(ctx, "read the Spot requests of", s.String(), err))
	}
}

// Find finds instances by their id or their Name, in all sites. By an id terminated
// ones are found too, and one site that has it is enough; by a Name every site has to
// answer, or another of that Name might be missed.
func (f *Fleet) Find(ctx context.Context, idOrName string) ([]integrations.Instance, error) {
	if idOrName == "" {
		return nil, nil
	}
	if instanceShape.MatchString(idOrName) {
		found, errs := f.everywhere(func(s *site) ([]integrations.Instance, error) {
			got, err := s.insts.ByID(ctx, idOrName)
			return got, shape(ctx, "find", idOrName, err)
		})
		err := together(errs)
		if len(found) > 0 && err != nil {
			f.log.WarnContext(ctx, "a site was not searched", "instance", idOrName, "error", err)
			err = nil
		}
		if len(found) > 0 || err != nil {
			return found, err
		}
	}
	found, errs := f.everywhere(func(s *site) ([]integrations.Instance, error) {
		got, err := s.insts.ByName(ctx, idOrName)
		return got, shape(ctx, "find", idOrName, err)
	})
	if err := together(errs); err != nil {
		return nil, err
	}
	return found, nil
}

// everywhere asks all sites, a few at a time. The instances come in the order of the
// sites, by Name; an error names its site.
func (f *Fleet) everywhere(ask func(*site) ([]integrations.Instance, error)) ([]integrations.Instance, []error) {
	found, errs := make([][]integrations.Instance, len(f.sites)), make([]error, len(f.sites))
	var all errgroup.Group
	all.SetLimit(sitesAtOnce)
	for n, s := range f.sites {
		all.Go(func() error {
			got, err := ask(s)
			if err != nil {
				errs[n] = fmt.Errorf("%s: %w", s.Site, err)
				return nil
			}
			slices.SortStableFunc(got, func(a, b integrations.Instance) int {
				return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
			})
			found[n] = got
			return nil
		})
	}
	_ = all.Wait() // each error is in errs
	return slices.Concat(found...), errs
}

// Group reads a scaling group. One that is not known is *integrations.Gone.
func (f *Fleet) Group(ctx context.Context, at integrations.Site, name string) (integrations.ScalingGroup, error) {
	s, err := f.one(at)
	if err != nil {
		return integrations.ScalingGroup{}, err
	}
	g, err := s.group.Group(ctx, name)
	if err != nil {
		return integrations.ScalingGroup{}, shape(ctx, "read the group", name, err)
	}
	if g == nil {
		return integrations.ScalingGroup{}, &integrations.Gone{Why: "no scaling group is called " + name}
	}
	return *g, nil
}

// Machine reads an instance with all that decides whether it may go. One that is not
// known any more is *integrations.Gone.
func (f *Fleet) Machine(ctx context.Context, at integrations.Site, id string) (integrations.Machine, error) {
	s, err := f.one(at)
	if err != nil {
		return integrations.Machine{}, err
	}
	seen := f.clock.Now()
	one, err := s.insts.Details(ctx, id)
	if err != nil {
		return integrations.Machine{}, shape(ctx, "read", id, err)
	}
	m := integrations.Machine{Instance: one.Instance, Locked: one.Locked, Loses: one.Loses, Seen: seen}
	spot := one.Instance
	all, ctx := errgroup.WithContext(ctx)
	all.Go(func() error {
		var err error
		m.Group, err = s.groupOf(ctx, one.Instance)
		return part(ctx, "read the scaling group of", id, err)
	})
	all.Go(func() error {
		var err error
		m.Pools, err = s.pools.Of(ctx, id)
		return part(ctx, "read the load balancers of", id, err)
	})
	all.Go(func() error {
		return part(ctx, "read the Spot request of", id, s.insts.Note(ctx, []*integrations.Instance{&spot}))
	})
	all.Go(func() error {
		var err error
		m.Reachable, err = s.hosts.Online(ctx, id)
		return part(ctx, "read the agent of", id, err)
	})
	if err := all.Wait(); err != nil {
		return integrations.Machine{}, err
	}
	m.Notice = spot.Notice
	m.Instance.Group = ""
	if m.Group != nil {
		m.Instance.Group = m.Group.Name
	}
	return m, nil
}

// groupOf reads the group that replaces an instance; nil if none does. A group lets go
// of those that end, whose tag still names it. One of a warm pool is not among the
// members that a group tells, and is added.
func (s *site) groupOf(ctx context.Context, i integrations.Instance) (*integrations.ScalingGroup, error) {
	name, member, err := s.group.Of(ctx, i.ID)
	if err != nil {
		return nil, err
	}
	in := name != ""
	if !in && (i.State == integrations.InstanceEnding || i.State == integrations.InstanceTerminated) {
		name = i.Group
	}
	if name == "" {
		return nil, nil
	}
	g, err := s.group.Group(ctx, name)
	switch {
	case err != nil:
		return nil, err
	case g == nil && in:
		return nil, &integrations.Later{After: afterChange, Err: fmt.Errorf("aws read the scaling group %s of %s: it was deleted meanwhile", name, i.ID)}
	case g == nil:
		return nil, nil
	}
	if _, told := g.Member(i.ID); in && !told {
		g.Members = append(g.Members, member)
	}
	return g, nil
}

// Pools reads the pools of the seats, in their order, each with all its seats and with
// those asked for as they are now: unused where the seat or the pool is gone.
func (f *Fleet) Pools(ctx context.Context, at integrations.Site, seats []integrations.Seat) ([]integrations.Pool, error) {
	s, err := f.one(at)
	if err != nil {
		return nil, err
	}
	var order []string
	asked := map[string][]integrations.Seat{}
	for _, seat := range seats {
		if _, ok := desks[seat.Kind]; !ok {
			return nil, strange(seat)
		}
		if asked[seat.Pool] == nil {
			order = append(order, seat.Pool)
		}
		asked[seat.Pool] = append(asked[seat.Pool], seat)
	}
	out := make([]integrations.Pool, len(order))
	all, ctx := errgroup.WithContext(ctx)
	all.SetLimit(poolsAtOnce)
	for n, id := range order {
		all.Go(func() error {
			p, err := desks[asked[id][0].Kind].read(ctx, s, id, asked[id])
			out[n] = p
			return part(ctx, "read the pool", id, err)
		})
	}
	if err := all.Wait(); err != nil {
		return nil, err
	}
	return out, nil
}

// poolsAtOnce is how many pools are read at a time.
const poolsAtOnce = 4
