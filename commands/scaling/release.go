package scaling

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// Resume gives back the leases of a job, which is over or changes nothing any more.
// What it cannot do now is done by the sweeper.
func (f *Leases) Resume(ctx context.Context, job string) error {
	var mine []*Lease
	err := f.Store.View(func(tx *store.Tx) (err error) {
		mine, err = live(tx, func(l *Lease) bool { return l.Job == job })
		return err
	})
	for _, l := range mine {
		err = errors.Join(err, f.release(ctx, l, func(*store.Tx, *Lease) (bool, error) { return true, nil }))
	}
	return err
}

// sweep gives back every lease whose job is over or whose time is, and those that
// could not be given back before.
func (f *Leases) sweep(ctx context.Context) error {
	var all []*Lease
	err := f.Store.View(func(tx *store.Tx) error {
		found, err := live(tx, func(*Lease) bool { return true })
		for _, l := range found {
			is, e := f.due(tx, l)
			if err = errors.Join(err, e); is {
				all = append(all, l)
			}
		}
		return err
	})
	for _, l := range all {
		err = errors.Join(err, f.release(ctx, l, f.due))
	}
	return err
}

// due says whether a lease is to be given back.
func (f *Leases) due(tx *store.Tx, l *Lease) (bool, error) {
	if l.State == stateReleasing || f.expired(l) {
		return true, nil
	}
	held, err := holds(tx, l)
	return !held, err
}

func (f *Leases) expired(l *Lease) bool { return !f.Clock.Now().Before(l.Expires) }

// release gives one back if that is still wanted when nobody else is at work on its
// group.
func (f *Leases) release(ctx context.Context, l *Lease, wanted func(*store.Tx, *Lease) (bool, error)) error {
	defer f.alone(l.At, l.Group)()
	var others []*Lease
	over := false
	err := f.Store.Update(ctx, func(tx *store.Tx) (err error) {
		now, found, err := leases(tx).Get(l.ID)
		if over = !found || now.State == stateOver; err != nil || over {
			return err
		}
		l = &now
		yes, err := wanted(tx, l)
		if over = !yes; err != nil || over {
			return err
		}
		if others, err = live(tx, func(o *Lease) bool { return o.ID != l.ID && o.on(l.At, l.Group) }); err != nil {
			return err
		}
		return f.beginRelease(tx, l)
	})
	if err != nil || over {
		return err
	}
	if err := f.putBack(ctx, l, others); err != nil {
		if ctx.Err() != nil {
			return err
		}
		return errors.Join(fmt.Errorf("give back %s on %s of %s: %w", l.ID, l.Group, l.Job, err), f.noteStuck(ctx, l, err))
	}
	return f.Store.Update(ctx, func(tx *store.Tx) error { return f.end(tx, l, others) })
}

// beginRelease writes down that the lease is relied on no more, and tells people if
// its job is not over.
func (f *Leases) beginRelease(tx *store.Tx, l *Lease) error {
	if l.State == stateReleasing {
		return nil
	}
	held, err := holds(tx, l)
	if err != nil {
		return err
	}
	l.State, l.Since = stateReleasing, f.Clock.Now()
	if held && f.expired(l) {
		l.Overdue = true
		if err := errors.Join(f.tell(tx, l, cardOverdue), f.audit(tx, l, "suspend", "expired", l.tag())); err != nil {
			return err
		}
	}
	return leases(tx).Put(l.ID, *l)
}

// putBack asks what is still as we made it, and takes that back: the processes of ours
// that no other lease needs, then the tag.
func (f *Leases) putBack(ctx context.Context, l *Lease, others []*Lease) error {
	g, err := f.Cloud.Group(ctx, l.At, l.Group)
	var gone *integrations.Gone
	if errors.As(err, &gone) {
		return nil
	} else if err != nil {
		return err
	}
	free := without(l.Ours, union(others, processesOf))
	hidden := without(free, g.Suspended)
	if seen := without(free, hidden); len(seen) > 0 {
		if err := f.Cloud.Resume(ctx, l.At, l.Group, seen); err != nil {
			return err
		}
	}
	tag := g.Tags[integrations.TagLock]
	switch {
	case tag != "" && !knows(append(others, l), tag): // somebody else's
	case len(others) > 0:
		if want := latest(others).tag(); tag != want {
			err = f.Cloud.TagGroup(ctx, l.At, l.Group, integrations.TagLock, want)
		}
	case tag != "":
		err = f.Cloud.UntagGroup(ctx, l.At, l.Group, integrations.TagLock)
	}
	if err != nil {
		return err
	}
	// What was begun a moment ago and is not to be seen may only not be shown yet.
	if wait := l.Sent.Add(visible).Sub(f.Clock.Now()); wait > 0 && (len(hidden) > 0 || tag == "") {
		return &integrations.Later{After: wait, Err: errors.New("what was suspended last may not be shown yet"), Unsent: true}
	}
	return nil
}

// end ends a lease. What it suspended and another one needs is that one's to resume.
func (f *Leases) end(tx *store.Tx, l *Lease, others []*Lease) error {
	free := without(l.Ours, union(others, processesOf))
	for _, p := range without(l.Ours, free) {
		i := slices.IndexFunc(others, func(o *Lease) bool { return slices.Contains(o.Processes, p) })
		heir := others[i]
		heir.Ours = with(heir.Ours, []string{p})
		if l.Sent.After(heir.Sent) {
			heir.Sent = l.Sent
		}
		if err := leases(tx).Put(heir.ID, *heir); err != nil {
			return err
		}
	}
	l.State, l.Ended, l.Why = stateOver, f.Clock.Now(), ""
	if err := f.audit(tx, l, "resume", "done", strings.Join(free, ", ")); err != nil {
		return err
	}
	if !l.Stuck && !l.Overdue { // nobody was told of it
		return leases(tx).Delete(l.ID)
	}
	return errors.Join(leases(tx).Put(l.ID, *l), f.markTold(tx, l))
}
