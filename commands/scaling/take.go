package scaling

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/runner"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/store"
)

// Suspend takes a lease on each group of a job's target, and returns when the
// processes of all of them are suspended: before that the job may change nothing.
// With an error it holds none. One of type *integrations.Later says that it is to be
// tried again.
func (f *Leases) Suspend(ctx context.Context, j *store.Job, t integrations.Target) error {
	all := slices.SortedFunc(slices.Values(t.Scaling), func(a, b integrations.Scaling) int {
		return cmp.Or(cmp.Compare(a.Site.String(), b.Site.String()), cmp.Compare(a.Group, b.Group))
	})
	for _, s := range all {
		err := f.takeOne(ctx, j, t, s)
		if err == nil {
			continue
		}
		if ctx.Err() == nil {
			if err := f.Resume(ctx, j.ID); err != nil {
				f.Log.Warn("give back the leases of a job that does not start", "job", j.ID, "error", err)
			}
		}
		return err
	}
	return nil
}

func (f *Leases) takeOne(ctx context.Context, j *store.Job, t integrations.Target, s integrations.Scaling) error {
	if f.Cloud == nil {
		return fmt.Errorf("suspend processes of %s: no account of AWS is configured", s.Group)
	}
	until := f.Clock.Now().Add(s.Limit)
	for n := 1; ; n++ {
		err := f.take(ctx, j, t, s, until)
		var later *integrations.Later
		if !errors.As(err, &later) || n == tries {
			return err
		}
		if err := clock.Sleep(ctx, f.Clock, later.After); err != nil {
			return err
		}
	}
}

// take looks at the group and does what is still to be done.
func (f *Leases) take(ctx context.Context, j *store.Job, t integrations.Target, s integrations.Scaling, until time.Time) error {
	defer f.alone(s.Site, s.Group)()
	g, err := f.Cloud.Group(ctx, s.Site, s.Group)
	if err != nil {
		return err
	}
	var l *Lease
	var tag string
	err = f.Store.Update(ctx, func(tx *store.Tx) (err error) {
		l, tag, err = f.begin(tx, j, t, s, g, until)
		return err
	})
	if err != nil {
		return err
	}
	if g.Tags[integrations.TagLock] != tag {
		if err := f.Cloud.TagGroup(ctx, s.Site, s.Group, integrations.TagLock, tag); err != nil {
			return err
		}
	}
	if missing := without(l.Processes, g.Suspended); len(missing) > 0 {
		if err := f.Cloud.Suspend(ctx, s.Site, s.Group, missing); err != nil {
			return err
		}
	}
	return f.Store.Update(ctx, func(tx *store.Tx) error {
		l.State = stateHeld
		return errors.Join(leases(tx).Put(l.ID, *l), f.audit(tx, l, "suspend", "done", strings.Join(l.Ours, ", ")))
	})
}

// begin writes the lease down, before anything is changed, and says what the group's
// tag has to be. A lease that the job has already is taken anew.
func (f *Leases) begin(tx *store.Tx, j *store.Job, t integrations.Target, s integrations.Scaling, g integrations.ScalingGroup, until time.Time) (*Lease, string, error) {
	now, err := tx.Job(j.ID)
	if err != nil {
		return nil, "", err
	}
	if !runner.UnderWay(now) || now.Attempt != j.Attempt {
		return nil, "", fmt.Errorf("%s is not under way any more", j.ID)
	}
	all, err := live(tx, func(l *Lease) bool { return l.on(s.Site, s.Group) })
	if err != nil {
		return nil, "", err
	}
	if tag := g.Tags[integrations.TagLock]; tag != "" && !knows(all, tag) && !past(tag, f.Clock.Now()) {
		return nil, "", &integrations.Later{After: lockedWait, Err: fmt.Errorf("the group %s is locked by somebody else: %s", s.Group, tag), Unsent: true}
	}
	i := slices.IndexFunc(all, func(l *Lease) bool { return l.Job == j.ID })
	if i < 0 {
		l := &Lease{At: s.Site, Group: s.Group, Job: j.ID, Before: without(s.Processes, without(s.Processes, g.Suspended))}
		l.Before = without(l.Before, union(all, oursOf))
		if l.ID, err = tx.NextID("lease"); err != nil {
			return nil, "", err
		}
		i, all = len(all), append(all, l)
	}
	l := all[i]
	l.State, l.Target, l.Environment, l.By, l.Room = stateTaking, t.Name, t.Environment, j.Requester, f.room(tx, j, t)
	l.Processes, l.Limit, l.Expires, l.Sent = s.Processes, s.Limit, until, f.Clock.Now()
	l.Since, l.Why, l.Stuck, l.Overdue = time.Time{}, "", false, false
	l.Ours = with(l.Ours, without(s.Processes, g.Suspended))
	return l, latest(all).tag(), leases(tx).Put(l.ID, *l)
}

// room is where people are told of a target: the first channel of its environment, or
// where the operation is shown.
func (f *Leases) room(tx *store.Tx, j *store.Job, t integrations.Target) string {
	if env, _ := f.Catalog().Environment(t.Environment); len(env.Channels) > 0 {
		return f.Channel(env.Channels[0])
	}
	if op, err := tx.Operation(j.Operation); err == nil {
		return op.Channel
	}
	return ""
}

func (f *Leases) audit(tx *store.Tx, l *Lease, act, outcome, detail string) error {
	return tx.Audit(store.AuditRow{Who: l.By, Act: act, Subject: l.Job, Environment: l.Environment, Target: l.Target, Outcome: outcome,
		Detail: strings.TrimSuffix(l.Group+": "+detail, ": "), Via: "runner"})
}
