package ingress

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/runner"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/store"
)

// Open implements integrations.IngressWindow. With an error the run has no lease any
// more, or one that is being closed; only where ctx ends first it is left as it is, for
// the next process to go on with.
func (f *Windows) Open(ctx context.Context, r integrations.Run, i integrations.Ingress) error {
	err := f.open(ctx, r, i)
	if err == nil || ctx.Err() != nil {
		return err
	}
	f.Close(ctx, r, i)
	return fmt.Errorf("open %s to this machine: %w", i, err)
}

func (f *Windows) open(ctx context.Context, r integrations.Run, i integrations.Ingress) error {
	switch {
	case f.Cloud == nil:
		return errors.New("no account of AWS is configured")
	case !slices.ContainsFunc(f.Config().Allowed(), i.Same):
		return errors.New("it is not among ingress.groups of the configuration any more")
	case i.Limit <= 0 || i.Limit > integrations.IngressLongest+integrations.IngressGrace:
		return fmt.Errorf("nothing may stay open for %s", i.Limit)
	}
	var from netip.Addr
	return f.patiently(ctx, func() (err error) {
		if !from.IsValid() {
			if from, err = f.address(ctx); err != nil {
				return err
			}
		}
		return f.openOnce(ctx, r, i, netip.PrefixFrom(from, from.BitLen()).String())
	})
}

// patiently does something again that is to be tried again.
func (f *Windows) patiently(ctx context.Context, do func() error) error {
	for n := 1; ; n++ {
		err := do()
		var later *integrations.Later
		if !errors.As(err, &later) || n == tries {
			return err
		}
		if err := clock.Sleep(ctx, f.Clock, later.After); err != nil {
			return err
		}
	}
}

// address is this machine's own, as its hosts see it.
func (f *Windows) address(ctx context.Context) (netip.Addr, error) {
	if c := f.Config(); c.Address != "" {
		return integrations.GlobalIPv4(c.Address)
	}
	return f.Ask(ctx, f.Config().AddressURL)
}

// openOnce looks at the group and does what is still to be done.
func (f *Windows) openOnce(ctx context.Context, r integrations.Run, i integrations.Ingress, cidr string) error {
	defer f.alone(i.Site, i.Group)()
	all, err := f.Cloud.Ingress(ctx, i.Site, i.Group, false)
	if err != nil {
		return err
	}
	var l *Lease
	err = f.Store.Update(ctx, func(tx *store.Tx) (err error) {
		l, err = f.begin(tx, r, i, cidr)
		return err
	})
	if err != nil {
		return err
	}
	rule, there := l.found(all)
	if !there {
		if rule, err = f.authorize(ctx, l); err != nil {
			return err
		}
	}
	err = f.Store.Update(ctx, func(tx *store.Tx) error {
		l.State, l.Rule, l.Foreign = stateOpen, rule.ID, !ours(rule)
		return errors.Join(leases(tx).Put(l.ID, *l), f.audit(tx, l, "open-port", "done", l.detail()))
	})
	if err == nil {
		f.Log.Info("a port is open", "job", l.Job, "lease", l.ID, "group", l.Group, "port", l.Port, "cidr", l.CIDR, "rule", l.Rule, "foreign", l.Foreign, "until", l.Expires)
	}
	return err
}

// authorize makes the rule. One that is there already, which was not seen a moment ago, is
// looked for.
func (f *Windows) authorize(ctx context.Context, l *Lease) (integrations.IngressRule, error) {
	want := l.rule()
	id, err := f.Cloud.Authorize(ctx, l.Site, want)
	if err == nil {
		want.ID = id
		return want, nil
	}
	if !errors.Is(err, integrations.ErrRuleExists) {
		return want, err
	}
	all, err := f.Cloud.Ingress(ctx, l.Site, l.Group, false)
	if err != nil {
		return want, err
	}
	if rule, there := l.found(all); there {
		return rule, nil
	}
	return want, &integrations.Later{After: visible / tries, Err: errors.New("the group has the rule, and does not show it yet"), Unsent: true}
}

// begin writes the lease down, before anything is changed. One that the job has already
// is taken anew.
func (f *Windows) begin(tx *store.Tx, r integrations.Run, i integrations.Ingress, cidr string) (*Lease, error) {
	j, err := tx.Job(r.Job)
	if err != nil {
		return nil, err
	}
	if !runner.UnderWay(j) {
		return nil, fmt.Errorf("%s is not under way any more", r.Job)
	}
	l := &Lease{Ingress: i, CIDR: cidr, Job: r.Job}
	mine, err := live(tx, func(o *Lease) bool { return o.Job == r.Job && o.with(l) })
	switch {
	case err != nil:
		return nil, err
	case len(mine) > 0:
		l = mine[0]
	default:
		l.Begun = f.Clock.Now()
		if l.ID, err = tx.NextID("ingress"); err != nil {
			return nil, err
		}
	}
	l.Ingress, l.State, l.Target, l.Environment, l.By, l.Room = i, stateOpening, r.Target, r.Environment, j.Requester, f.room(tx, j, r.Environment)
	l.Sent, l.Expires = f.Clock.Now(), f.Clock.Now().Add(i.Limit)
	l.Since, l.Why = time.Time{}, ""
	return l, errors.Join(leases(tx).Put(l.ID, *l), f.markTold(tx, l))
}

// room is where people are told: what the configuration says, the first channel of the
// environment, where the operation is shown, or the first channel there is.
func (f *Windows) room(tx *store.Tx, j *store.Job, environment string) string {
	if c := f.Config().Channel; c != "" {
		return f.Channel(c)
	}
	if env, _ := f.Catalog().Environment(environment); len(env.Channels) > 0 {
		return f.Channel(env.Channels[0])
	}
	if op, err := tx.Operation(j.Operation); err == nil && op.Channel != "" {
		return op.Channel
	}
	return f.anyRoom()
}

func (f *Windows) anyRoom() string {
	if c := f.Config().Channel; c != "" {
		return f.Channel(c)
	}
	for _, e := range f.Catalog().Environments {
		if len(e.Channels) > 0 {
			return f.Channel(e.Channels[0])
		}
	}
	return ""
}

// detail is what the audit keeps.
func (l *Lease) detail() string {
	say := fmt.Sprintf("port %d of %s to %s", l.Port, l.Group, l.CIDR)
	if l.Rule != "" {
		say += " by " + l.Rule
	}
	if l.Foreign {
		say += ", which was there before"
	}
	return say
}

func (f *Windows) audit(tx *store.Tx, l *Lease, act, outcome, detail string) error {
	return tx.Audit(store.AuditRow{Who: l.By, Act: act, Subject: l.Job, Environment: l.Environment, Target: l.Target, Outcome: outcome, Detail: detail, Via: "runner"})
}
