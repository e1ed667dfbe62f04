package awssim

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// grow plants what a state that was kept does not have and the fleet has: accounts,
// regions, and in each pools, groups, clusters, repositories and projects by their names.
// Machines that no group looks after are planted where their region is new; elsewhere they
// may have gone for good.
func (w *world) grow(f Fleet, now time.Time) error {
	for _, s := range w.Sites {
		for _, cl := range s.Clusters {
			s.furnish(w, cl, now)
		}
	}
	if len(f.Accounts) == 0 || len(f.Regions) == 0 {
		return nil
	}
	grown, err := plant(Fleet{Accounts: f.Accounts, Regions: f.Regions}, now)
	if err != nil {
		return err
	}
	for _, a := range f.Accounts {
		if w.account(a.Name) == nil {
			w.Accounts = append(w.Accounts, a)
		}
	}
	var fresh []*site
	for _, s := range grown.Sites {
		if w.site(s.Account, s.Region) == nil {
			w.Sites, fresh = append(w.Sites, s), append(fresh, s)
		}
	}
	for _, e := range f.In {
		s := w.site(cmp.Or(e.Account, f.Accounts[0].Name), cmp.Or(e.Region, f.Regions[0]))
		if s == nil {
			return fmt.Errorf("no account %q in region %q", e.Account, e.Region)
		}
		e.Pools = slices.DeleteFunc(slices.Clone(e.Pools), func(p Pool) bool { return s.pool(p.Name) != nil })
		e.Groups = slices.DeleteFunc(slices.Clone(e.Groups), func(g Group) bool { return s.group(g.Name) != nil })
		e.Clusters = slices.DeleteFunc(slices.Clone(e.Clusters), func(c Cluster) bool { return s.cluster(c.Name) != nil })
		e.Repositories = slices.DeleteFunc(slices.Clone(e.Repositories), func(r Repository) bool { return s.repository(r.Name) != nil })
		e.Projects = slices.DeleteFunc(slices.Clone(e.Projects), func(p Project) bool { return s.project(p.Name) != nil })
		if !slices.Contains(fresh, s) {
			e.Instances = nil
		}
		if err := s.plant(w, e, now); err != nil {
			return err
		}
	}
	return nil
}
