package oncall

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/rota"
	"github.com/signalbox-chatops/signalbox/store"
)

const (
	remoteEvery = 15 * time.Second
	// refreshEvery is how often a schedule that is kept elsewhere is read anew.
	refreshEvery = 5 * time.Minute
	remoteAhead  = 60 * 24 * time.Hour
	// remoteBehind is of how long before it is first read a schedule is asked; from then
	// on what was read is kept.
	remoteBehind = 15 * 24 * time.Hour
	// trusted is how old what was read may be for the gates.
	trusted = time.Hour
)

// Source keeps schedules of its own, by id. Errors are *integrations.Later where it is to
// be tried again; any other is for good.
type Source interface {
	Timeline(ctx context.Context, id string, from, to time.Time) ([]integrations.Shift, error)
	// Override makes an override, if it is not there yet, and gives what Cancel takes.
	Override(ctx context.Context, id string, o integrations.Override) (remote string, err error)
	Cancel(ctx context.Context, id, remote string) error
}

// A read is what a schedule that is kept elsewhere was when it was last read.
type read struct {
	ID string `json:"id"` // there
	// From is since when the shifts are known, To until when.
	From   time.Time            `json:"from,omitzero"`
	To     time.Time            `json:"to"`
	At     time.Time            `json:"at"`
	Shifts []integrations.Shift `json:"shifts"`
	Why    string               `json:"why,omitempty"` // it could not be read since
}

func reads(tx *store.Tx) *store.Records[read] { return store.Feature[read](tx, "oncall read") }

// ends are overrides that are to be taken back elsewhere: the schedule, by what Cancel
// takes.
func ends(tx *store.Tx) *store.Records[string] { return store.Feature[string](tx, "oncall end") }

// elsewhere says whether another system keeps a schedule.
func (s Schedule) elsewhere() bool { return s.PagerDuty != "" }

// ofRead is a schedule that is kept elsewhere, for the calculator: each of its shifts is
// a layer of its own.
func (s Schedule) ofRead(r read) rota.Schedule {
	out := rota.Schedule{Name: s.Name, Zone: s.zone()}
	for n, x := range r.Shifts {
		if x.Gap() {
			continue
		}
		var who []string
		for _, d := range x.On {
			who = append(who, d.Person)
		}
		e := rota.Epoch{From: x.Start, Anchor: rota.LocalOf(x.Start.In(out.Zone)), Unit: "monthly", Every: mostEvery, Groups: [][]string{who}}
		out.Layers = append(out.Layers, rota.Layer{Name: fmt.Sprint(n), Epochs: []rota.Epoch{e}, Until: x.End})
	}
	return out
}

// readOf is what was read of a schedule; it is an error if it never was.
func readOf(tx *store.Tx, s Schedule) (read, error) {
	r, found, err := reads(tx).Get(s.Name)
	if err == nil && (!found || r.ID != s.PagerDuty || r.At.IsZero()) {
		why := "it has not been asked yet"
		if r.Why != "" {
			why = r.Why
		}
		return r, fmt.Errorf("PagerDuty has not told who is on call of %s: %s", s.Name, why)
	}
	return r, err
}

// fresh is an error if what was read is too old to be relied on.
func (f *Rota) fresh(tx *store.Tx, s Schedule) error {
	if !s.elsewhere() {
		return nil
	}
	r, err := readOf(tx, s)
	if age := f.Clock.Now().Sub(r.At); err == nil && age > trusted {
		err = fmt.Errorf("PagerDuty was last heard of %s %s ago: %s", s.Name, age.Round(time.Minute), r.Why)
	}
	return err
}

// A task is what is to be done elsewhere for a schedule.
type task struct {
	write []integrations.Override
	end   []string
	read  bool
	last  read // what was read before
}

// from is from when on a schedule is read anew: its past is kept.
func (t task) from(s Schedule, now time.Time) time.Time {
	if t.last.ID != s.PagerDuty || t.last.From.IsZero() {
		return minute(now).Add(-remoteBehind)
	}
	return minute(now).Add(-time.Hour)
}

// with is what was read now, behind what was read of the time before.
func (r read) with(now read) read {
	if r.ID != now.ID || r.From.IsZero() || !r.From.Before(now.From) || r.To.Before(now.From) {
		return now
	}
	var past []integrations.Shift
	for _, x := range r.Shifts {
		if x.Start.Before(now.From) && x.End.After(now.At.Add(-keepFor)) {
			x.End = earlier(x.End, now.From)
			past = append(past, x)
		}
	}
	now.From = later(r.From, now.At.Add(-keepFor))
	now.Shifts = append(past, now.Shifts...)
	return now
}

func (f *Rota) task(tx *store.Tx, s Schedule, now time.Time) (t task, err error) {
	all, err := overridesOf(tx, s.Name)
	if err != nil {
		return t, err
	}
	for _, o := range all {
		if o.Remote == "" && o.End.After(now) {
			t.write = append(t.write, o)
		}
	}
	if err := ends(tx).Each("", func(remote, schedule string) error {
		if schedule == s.Name {
			t.end = append(t.end, remote)
		}
		return nil
	}); err != nil {
		return t, err
	}
	r, found, err := reads(tx).Get(s.Name)
	t.last = r
	t.read = !found || r.ID != s.PagerDuty || now.Sub(r.At) >= refreshEvery || len(t.write)+len(t.end) > 0
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
	written, refused, ended := map[string]string{}, map[string]string{}, []string(nil)
	var later *integrations.Later
	for _, o := range t.write {
		remote, err := f.Source.Override(ctx, s.PagerDuty, o)
		switch {
		case err == nil:
			written[o.ID] = remote
		case errors.As(err, &later) || ctx.Err() != nil:
			f.Log.Warn("an override is not in PagerDuty yet", "schedule", s.Name, "override", o.ID, "error", err)
		default:
			refused[o.ID] = err.Error()
		}
	}
	for _, remote := range t.end {
		if err := f.Source.Cancel(ctx, s.PagerDuty, remote); err != nil && (errors.As(err, &later) || ctx.Err() != nil) {
			f.Log.Warn("an override is not taken back in PagerDuty yet", "schedule", s.Name, "error", err)
			continue
		}
		ended = append(ended, remote)
	}
	from := t.from(s, now)
	shifts, failed := f.Source.Timeline(ctx, s.PagerDuty, from, minute(now).Add(remoteAhead))
	if ctx.Err() != nil {
		return nil
	}
	return f.Store.Update(ctx, func(tx *store.Tx) error {
		if err := f.settle(tx, s, written, refused, ended); err != nil {
			return err
		}
		r, _, err := reads(tx).Get(s.Name)
		if err != nil {
			return err
		}
		if failed != nil {
			if r.ID != s.PagerDuty {
				r = read{ID: s.PagerDuty}
			}
			r.Why = failed.Error()
		} else {
			r = r.with(read{ID: s.PagerDuty, At: now, From: from, To: minute(now).Add(remoteAhead), Shifts: shifts})
		}
		return reads(tx).Put(s.Name, r)
	})
}

// settle keeps what became of what was to be done. A change that was refused is taken
// back, and its message says why.
func (f *Rota) settle(tx *store.Tx, s Schedule, written, refused map[string]string, ended []string) error {
	for _, remote := range ended {
		if err := ends(tx).Delete(remote); err != nil {
			return err
		}
	}
	all, err := overridesOf(tx, s.Name)
	if err != nil {
		return err
	}
	for _, o := range all {
		if remote, ok := written[o.ID]; ok {
			o.Remote = remote
			if err := overrides(tx).Put(o.ID, o); err != nil {
				return err
			}
		}
	}
	if len(refused) == 0 {
		return nil
	}
	var bad []change
	err = changes(tx).Each("", func(_ string, c change) error {
		if slices.ContainsFunc(c.Overrides, func(id string) bool { return refused[id] != "" }) && !c.Undone {
			bad = append(bad, c)
		}
		return nil
	})
	for _, c := range bad {
		for _, id := range c.Overrides { // of a swap both halves
			err = errors.Join(err, f.drop(tx, id))
			if refused[id] != "" {
				c.Refused = refused[id]
			}
		}
		c.Undone = true
		err = errors.Join(err, changes(tx).Put(c.ID, c), tell.Mark(tx, c.ID, true))
	}
	return err
}

// drop takes an override out, elsewhere too if it is there.
func (f *Rota) drop(tx *store.Tx, id string) error {
	o, found, err := overrides(tx).Get(id)
	if err != nil || !found {
		return err
	}
	if o.Remote != "" {
		if err := ends(tx).Put(o.Remote, o.Schedule); err != nil {
			return err
		}
	}
	return overrides(tx).Delete(id)
}
