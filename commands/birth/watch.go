package birth

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// Which instances are born here: those of a role with steps that were launched after
// the role began to be watched, and that do not say that they work. So nobody is
// touched who is there already when the configuration names a role.

const keepOver = 30 * 24 * time.Hour

// watch is a tick: it looks for new instances.
func (f *feature) watch(ctx context.Context) error {
	cfg := f.Config()
	if f.Cloud == nil {
		return nil
	}
	roles := cfg.Names()
	since, err := f.watching(ctx, roles)
	if err != nil || len(roles) == 0 {
		return err
	}
	all, err := f.Cloud.Instances(ctx, roles...)
	if err != nil {
		return err
	}
	fresh := slices.DeleteFunc(slices.Clone(all), func(i integrations.Instance) bool {
		alive := i.State == integrations.InstanceRunning || i.State == integrations.InstancePending
		return !alive || !i.Launched.After(since[i.Role].Since) || slices.Contains(since[i.Role].Passed, i.ID)
	})
	if len(fresh) == 0 {
		return nil
	}
	return f.found(ctx, cfg, fresh, all)
}

// watching says since when each role is watched, and writes down what is not yet.
func (f *feature) watching(ctx context.Context, roles []string) (map[string]Watched, error) {
	now := map[string]Watched{}
	read := func(tx *store.Tx) error {
		clear(now)
		return watched(tx).Each("", func(role string, w Watched) error {
			now[role] = w
			return nil
		})
	}
	if err := f.Store.View(read); err != nil {
		return nil, err
	}
	same := len(now) == len(roles)
	for _, role := range roles {
		_, known := now[role]
		same = same && known
	}
	if same {
		return now, nil
	}
	err := f.Store.Update(ctx, func(tx *store.Tx) error {
		if err := read(tx); err != nil {
			return err
		}
		for _, role := range roles {
			if _, known := now[role]; known {
				continue
			}
			now[role] = Watched{Since: tx.Now()}
			if err := watched(tx).Put(role, now[role]); err != nil {
				return err
			}
		}
		for role := range now {
			if slices.Contains(roles, role) {
				continue
			}
			delete(now, role)
			if err := watched(tx).Delete(role); err != nil {
				return err
			}
		}
		return nil
	})
	return now, err
}

// found begins the births of those that are new.
func (f *feature) found(ctx context.Context, cfg Config, fresh, all []integrations.Instance) error {
	unknown := func(tx *store.Tx) ([]integrations.Instance, error) {
		known := map[string]bool{}
		err := births(tx).Each("", func(_ string, b Birth) error {
			known[b.Instance] = true
			return nil
		})
		return slices.DeleteFunc(slices.Clone(fresh), func(i integrations.Instance) bool { return known[i.ID] }), err
	}
	var left []integrations.Instance
	if err := f.Store.View(func(tx *store.Tx) (err error) { left, err = unknown(tx); return err }); err != nil || len(left) == 0 {
		return err
	}
	return f.Store.Update(ctx, func(tx *store.Tx) error {
		left, err := unknown(tx)
		if err != nil {
			return err
		}
		for _, i := range left {
			if i.Status != "" && i.Status != standby {
				err = pass(tx, i, all)
			} else {
				err = f.bear(tx, cfg, i)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// pass remembers one that is left alone, and forgets those that are there no more.
func pass(tx *store.Tx, i integrations.Instance, all []integrations.Instance) error {
	w, found, err := watched(tx).Get(i.Role)
	if err != nil || !found {
		return err
	}
	w.Passed = slices.DeleteFunc(w.Passed, func(id string) bool {
		return !slices.ContainsFunc(all, func(o integrations.Instance) bool { return o.ID == id })
	})
	w.Passed = append(w.Passed, i.ID)
	return watched(tx).Put(i.Role, w)
}

// bear begins a birth.
func (f *feature) bear(tx *store.Tx, cfg Config, i integrations.Instance) error {
	role, ok := cfg.Role(i.Role)
	if !ok {
		return nil
	}
	id, err := tx.NextID("birth")
	if err != nil {
		return err
	}
	b := &Birth{ID: id, At: i.Site, Instance: i.ID, Name: i.Name, Role: i.Role, Zone: i.Zone, Group: i.Group, Launched: i.Launched, Begun: tx.Now(),
		Room: f.room(cfg), Hook: role.hook(), Steps: role.Steps, Shown: cfg.Notify == notifyAll}
	enter(b, stateMark, tx.Now())
	if err := put(tx, b, false); err != nil {
		return err
	}
	b.Version++
	if b.Shown {
		if err := openCard(tx, b); err != nil {
			return err
		}
	}
	if err := audit(tx, b, store.Person{}, "begun", ""); err != nil {
		return err
	}
	return begin(tx, b)
}

// room is the channel where births are shown.
func (f *feature) room(cfg Config) string {
	if cfg.Channel != "" {
		return f.Channel(strings.TrimPrefix(cfg.Channel, "#"))
	}
	for _, e := range f.Catalog().Environments {
		if len(e.Channels) > 0 {
			return f.Channel(strings.TrimPrefix(e.Channels[0], "#"))
		}
	}
	return ""
}

// keepGoing is a tick: a birth that should go on has a job, whatever became of it.
func (f *feature) keepGoing(ctx context.Context) error {
	var all []*Birth
	if err := f.Store.View(func(tx *store.Tx) (err error) { all, err = list(tx, going); return err }); err != nil || len(all) == 0 {
		return err
	}
	return f.Store.Update(ctx, func(tx *store.Tx) error {
		all, err := list(tx, going)
		if err != nil {
			return err
		}
		jobs, err := tx.LiveJobs()
		if err != nil {
			return err
		}
		has := map[string]bool{}
		for _, j := range jobs {
			if j.Kind == kind {
				id, _, _ := strings.Cut(j.Key, " ")
				has[id] = true
			}
		}
		for _, b := range all {
			if has[b.ID] {
				continue
			}
			if err := again(tx, b); err != nil {
				return fmt.Errorf("keep %s going: %w", b.ID, err)
			}
		}
		return nil
	})
}

// again gives a birth that was changed a job of its own; the one before it ends.
func again(tx *store.Tx, b *Birth) error {
	b.Turn++
	if err := put(tx, b, true); err != nil {
		return err
	}
	b.Version++
	return begin(tx, b)
}

// prune forgets births that are long over. Their instances say that they work, or are
// there no more.
func (f *feature) prune(ctx context.Context) error {
	old := func(tx *store.Tx) ([]*Birth, error) {
		return list(tx, func(b *Birth) bool { return b.over() && tx.Now().Sub(b.Ended) > keepOver })
	}
	var all []*Birth
	if err := f.Store.View(func(tx *store.Tx) (err error) { all, err = old(tx); return err }); err != nil || len(all) == 0 {
		return err
	}
	return f.Store.Update(ctx, func(tx *store.Tx) error {
		all, err := old(tx)
		if err != nil {
			return err
		}
		for _, b := range all {
			if w, found, err := watched(tx).Get(b.Role); err != nil {
				return err
			} else if found && b.State != stateGone { // whatever it says of itself later
				w.Passed = append(w.Passed, b.Instance)
				if err := watched(tx).Put(b.Role, w); err != nil {
					return err
				}
			}
			if err := births(tx).Delete(b.ID); err != nil {
				return err
			}
		}
		return nil
	})
}
