package ingress

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// Close implements integrations.IngressWindow, whether ctx has ended or not. What it
// cannot close now is closed by the sweeper.
func (f *Windows) Close(ctx context.Context, r integrations.Run, i integrations.Ingress) {
	if err := f.close(ctx, r, i); err != nil {
		f.Log.Warn("close a port that was opened for a job", "job", r.Job, "error", err)
	}
}

func (f *Windows) close(ctx context.Context, r integrations.Run, i integrations.Ingress) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeLimit)
	defer cancel()
	var mine []*Lease
	err := f.Store.View(func(tx *store.Tx) (err error) {
		mine, err = live(tx, func(l *Lease) bool { return l.Job == r.Job && l.Same(i) })
		return err
	})
	for _, l := range mine {
		err = errors.Join(err, f.patiently(ctx, func() error {
			return f.release(ctx, l, func(*store.Tx, *Lease) (bool, error) { return true, nil })
		}))
	}
	return err
}

// sweep closes what is open past its time or its job, and what could not be closed
// before; and looks for rules that no lease knows.
func (f *Windows) sweep(ctx context.Context) error {
	if f.Cloud == nil {
		return nil
	}
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
	return errors.Join(err, f.lookForStrays(ctx))
}

// due says whether a lease is to be closed.
func (f *Windows) due(tx *store.Tx, l *Lease) (bool, error) {
	if l.State == stateClosing || f.expired(l) {
		return true, nil
	}
	held, err := holds(tx, l)
	return !held, err
}

func (f *Windows) expired(l *Lease) bool { return !f.Clock.Now().Before(l.Expires) }

// release closes one if that is still wanted when nobody else is at work on its group. A
// rule that another lease is of as well is that one's to close.
func (f *Windows) release(ctx context.Context, l *Lease, wanted func(*store.Tx, *Lease) (bool, error)) error {
	defer f.alone(l.Site, l.Group)()
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
		if others, err = live(tx, func(o *Lease) bool { return o.ID != l.ID && o.with(l) }); err != nil {
			return err
		}
		return f.beginRelease(tx, l)
	})
	if err != nil || over {
		return err
	}
	if len(others) == 0 {
		if err := f.shut(ctx, l); err != nil {
			if ctx.Err() != nil {
				return err
			}
			return errors.Join(fmt.Errorf("close %s of %s: %w", l.ID, l.Job, err), f.noteStuck(ctx, l, err))
		}
	}
	return f.Store.Update(ctx, func(tx *store.Tx) error { return f.end(tx, l, others) })
}

// beginRelease writes down that the lease is relied on no more.
func (f *Windows) beginRelease(tx *store.Tx, l *Lease) error {
	if l.State == stateClosing {
		return nil
	}
	l.State, l.Since = stateClosing, f.Clock.Now()
	if f.expired(l) {
		if err := f.audit(tx, l, "open-port", "expired", l.detail()); err != nil {
			return err
		}
	}
	return leases(tx).Put(l.ID, *l)
}

// shut revokes the rule, where it is ours, by its id and by every other that a rule of
// ours for the same address has; and returns only when the group shows none any more.
func (f *Windows) shut(ctx context.Context, l *Lease) error {
	ids, err := f.shown(ctx, l)
	if err != nil {
		return err
	}
	if l.Rule != "" && !l.Foreign && !slices.Contains(ids, l.Rule) {
		ids = append(ids, l.Rule)
	}
	proven := l.Foreign
	for _, id := range ids {
		err := f.Cloud.Revoke(ctx, l.Site, l.Group, id)
		var gone *integrations.Gone
		switch {
		case errors.As(err, &gone): // or not there yet
		case err != nil:
			return err
		default:
			proven = proven || id == l.Rule
		}
	}
	switch ids, err = f.shown(ctx, l); {
	case err != nil:
		return err
	case len(ids) > 0:
		if l.Rule == "" {
			if err := f.noteRule(ctx, l, ids[0]); err != nil {
				return err
			}
		}
		return &integrations.Later{After: visible / tries, Err: fmt.Errorf("it was revoked, and %s is still shown", ids[0])}
	}
	// What was asked for a moment ago and is not to be seen may only not be shown yet.
	if wait := l.Sent.Add(visible).Sub(f.Clock.Now()); wait > 0 && !proven {
		return &integrations.Later{After: wait, Err: errors.New("what was opened last may not be shown yet"), Unsent: true}
	}
	return nil
}

// shown are the ids of the rules of ours that the lease is of.
func (f *Windows) shown(ctx context.Context, l *Lease) (ids []string, err error) {
	all, err := f.Cloud.Ingress(ctx, l.Site, l.Group, true)
	for _, r := range all {
		if ours(r) && l.is(r) {
			ids = append(ids, r.ID)
		}
	}
	return ids, err
}

// noteRule keeps the id of a rule that was found by its tag.
func (f *Windows) noteRule(ctx context.Context, l *Lease, id string) error {
	l.Rule = id
	return f.Store.Update(ctx, func(tx *store.Tx) error { return leases(tx).Put(l.ID, *l) })
}

// end ends a lease. Another one of the same rule knows as much of it from now on.
func (f *Windows) end(tx *store.Tx, l *Lease, others []*Lease) error {
	for _, heir := range others {
		if heir.Rule == "" {
			heir.Rule, heir.Foreign = l.Rule, l.Foreign
		}
		if l.Sent.After(heir.Sent) {
			heir.Sent = l.Sent
		}
		if err := leases(tx).Put(heir.ID, *heir); err != nil {
			return err
		}
	}
	l.State, l.Ended, l.Why = stateOver, f.Clock.Now(), ""
	outcome := "done"
	switch {
	case len(others) > 0:
		outcome = "left to " + others[0].ID
	case l.Foreign:
		outcome = "left as it was"
	}
	if err := f.audit(tx, l, "close-port", outcome, l.detail()); err != nil {
		return err
	}
	f.Log.Info("a port is closed", "job", l.Job, "lease", l.ID, "group", l.Group, "port", l.Port, "cidr", l.CIDR, "rule", l.Rule, "outcome", outcome)
	if !l.Stuck { // nobody was told of it
		return leases(tx).Delete(l.ID)
	}
	return errors.Join(leases(tx).Put(l.ID, *l), f.markTold(tx, l))
}
