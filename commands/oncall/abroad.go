package oncall

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// A task is what is to be done elsewhere for a schedule.
type task struct {
	write []integrations.Override
	end   []integrations.Override
	read  bool
}

func (f *Rota) task(tx *store.Tx, s Schedule, now time.Time) (t task, err error) {
	r, found, err := reads(tx).Get(s.Name)
	known := found && r.ID == s.PagerDuty
	if err != nil || known && now.Sub(r.Tried) < againEvery {
		return t, err
	}
	all, err := overridesOf(tx, s.Name)
	if err != nil {
		return t, err
	}
	for _, o := range all {
		if o.Remote == "" && o.End.After(now) {
			t.write = append(t.write, o)
		}
	}
	err = ends(tx).Each("", func(_ string, o integrations.Override) error {
		if o.Schedule == s.Name {
			t.end = append(t.end, o)
		}
		return nil
	})
	t.read = !known || now.Sub(r.At) >= refreshEvery || len(t.write)+len(t.end) > 0
	return t, err
}

// abroad writes what people have changed to the system that keeps a schedule, and reads
// it anew. What is to be written stands in the store; that it is done is stored together
// with what was read after it.
func (f *Rota) abroad(ctx context.Context) error {
	var errs error
	for _, s := range f.Config().Schedules {
		if !s.elsewhere() || f.Source == nil {
			continue
		}
		errs = errors.Join(errs, f.abroadOne(ctx, s))
	}
	return errs
}

func (f *Rota) abroadOne(ctx context.Context, s Schedule) error {
	now := f.Clock.Now()
	var t task
	err := f.Store.View(func(tx *store.Tx) (err error) { t, err = f.task(tx, s, now); return err })
	if err != nil || !t.read {
		return err
	}
	d := f.carry(ctx, s, t, now)
	next := read{ID: s.PagerDuty, From: midnight(now, s.zone(), -remoteBack), To: midnight(now, s.zone(), remoteAhead), At: now}
	var failed error
	next.Shifts, failed = f.Source.Timeline(ctx, s.PagerDuty, next.From, next.To)
	if ctx.Err() != nil {
		return nil
	}
	return f.Store.Update(ctx, func(tx *store.Tx) error {
		if err := f.settle(tx, s, d); err != nil {
			return err
		}
		if failed == nil {
			return reads(tx).Put(s.Name, next)
		}
		r, _, err := reads(tx).Get(s.Name)
		if err != nil {
			return err
		}
		if r.ID != s.PagerDuty {
			r = read{ID: s.PagerDuty}
		}
		if r.Why == "" {
			f.Log.Warn("PagerDuty does not tell who is on call", "schedule", s.Name, "error", failed)
		}
		r.Why, r.Tried = said(failed), now
		return reads(tx).Put(s.Name, r)
	})
}

// done is what became of a task, by the ids of its overrides here.
type done struct {
	written map[string]string // what Cancel takes
	ended   map[string]bool
	refused map[string]string // for good, and why
	waits   map[string]string // why it is to be tried again
}

// carry does what is to be done elsewhere. What is to be taken back goes first, and while
// that waits nothing is made: it could be taken for what is to be taken back.
func (f *Rota) carry(ctx context.Context, s Schedule, t task, now time.Time) done {
	d := done{written: map[string]string{}, ended: map[string]bool{}, refused: map[string]string{}, waits: map[string]string{}}
	failed := func(what string, o integrations.Override, err error) {
		var later *integrations.Later
		if ctx.Err() != nil || errors.As(err, &later) {
			d.waits[o.ID] = said(err)
		} else {
			d.refused[o.ID] = said(err)
		}
		f.Log.Warn("an override is not "+what+" in PagerDuty", "schedule", s.Name, "override", o.ID, "error", err)
	}
	for _, o := range t.end {
		if o.End.After(now) {
			if err := f.takeBack(ctx, s, o); err != nil {
				failed("ended", o, err)
			}
		}
		d.ended[o.ID] = d.waits[o.ID] == ""
	}
	for _, why := range d.waits {
		for _, o := range t.write {
			d.waits[o.ID] = why
		}
		return d
	}
	for _, o := range t.write {
		remote, err := f.Source.Override(ctx, s.PagerDuty, o)
		if err != nil {
			failed("made", o, err)
			continue
		}
		d.written[o.ID] = remote
	}
	return d
}

// said is an error for people: when it is tried again is ours to say.
func said(err error) string {
	var later *integrations.Later
	if errors.As(err, &later) && later.Err != nil {
		return later.Err.Error()
	}
	return err.Error()
}

func (f *Rota) takeBack(ctx context.Context, s Schedule, o integrations.Override) (err error) {
	remote := o.Remote
	if remote == "" { // it may have been made, and nobody heard of it
		if remote, err = f.Source.Find(ctx, s.PagerDuty, o); err != nil || remote == "" {
			return err
		}
	}
	return f.Source.Cancel(ctx, s.PagerDuty, remote)
}

// settle keeps what became of what was to be done, and tells it.
func (f *Rota) settle(tx *store.Tx, s Schedule, d done) error {
	if len(d.written)+len(d.ended)+len(d.refused)+len(d.waits) == 0 {
		return nil
	}
	for id, over := range d.ended {
		if over {
			if err := ends(tx).Delete(id); err != nil {
				return err
			}
		}
	}
	all, err := overridesOf(tx, s.Name)
	if err != nil {
		return err
	}
	for _, o := range all {
		if remote, ok := d.written[o.ID]; ok {
			o.Remote = remote
			if err := overrides(tx).Put(o.ID, o); err != nil {
				return err
			}
		}
	}
	var told []change
	err = changes(tx).Each("", func(_ string, c change) error {
		if c.Schedule == s.Name && c.became(d) {
			told = append(told, c)
		}
		return nil
	})
	for _, c := range told {
		if c.Refused != "" && !c.Undone && len(c.Ended) == 0 {
			c.Undone = true
			for _, id := range c.Overrides { // of a swap both halves
				if d.refused[id] != "" {
					err = errors.Join(err, overrides(tx).Delete(id))
				} else {
					err = errors.Join(err, f.drop(tx, id))
				}
			}
		}
		err = errors.Join(err, changes(tx).Put(c.ID, c), tell.Mark(tx, c.ID, true))
	}
	return err
}

// became takes over what came of the overrides that a change has made or taken back, and
// says whether that is to be told.
func (c *change) became(d done) bool {
	ids := c.Ended
	if !c.Undone {
		ids = append(slices.Clone(ids), c.Overrides...)
	}
	was, carried := *c, false
	waits := ""
	for _, id := range ids {
		if why := d.refused[id]; why != "" {
			c.Refused = why
		}
		if why := d.waits[id]; why != "" {
			waits = why
		}
		_, written := d.written[id]
		carried = carried || written || d.ended[id] || d.waits[id] != ""
	}
	if carried || c.Refused != "" {
		c.Waits = waits
	}
	return c.Refused != was.Refused || c.Waits != was.Waits
}

// drop takes an override out, here and elsewhere.
func (f *Rota) drop(tx *store.Tx, id string) error {
	o, found, err := overrides(tx).Get(id)
	if err != nil || !found {
		return err
	}
	return errors.Join(ends(tx).Put(id, o), overrides(tx).Delete(id))
}

// silence is why the system that keeps a schedule does not answer now; "" if it does.
func silence(tx *store.Tx, s Schedule) (string, error) {
	r, _, err := reads(tx).Get(s.Name)
	if r.ID != s.PagerDuty || !s.elsewhere() {
		return "", err
	}
	return r.Why, err
}

// asOf says that what is said of a schedule is not what its keeper says now; nothing where
// it is, or where nothing was ever read.
func asOf(tx *store.Tx, s Schedule, zone *time.Location) (integrations.Rich, error) {
	r, _, err := reads(tx).Get(s.Name)
	if err != nil || !s.elsewhere() || r.ID != s.PagerDuty || r.Why == "" || r.At.IsZero() {
		return nil, err
	}
	return integrations.R("⏳ ", integrations.Bold(s.Name), " is as PagerDuty had it at ", integrations.When(r.At, zone), "; it does not answer now."), nil
}
