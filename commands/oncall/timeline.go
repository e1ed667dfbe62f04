package oncall

import (
	"fmt"
	"slices"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/rota"
	"github.com/signalbox-chatops/signalbox/store"
)

const (
	// ahead is how far shifts are looked for.
	ahead = 400 * 24 * time.Hour
	// mineAhead is how far somebody's own shifts are listed.
	mineAhead = 60 * 24 * time.Hour
	shownNext = 4 // shifts
)

// timeline is the schedule as people have changed it.
func (f *Rota) timeline(tx *store.Tx, s Schedule, from, to time.Time) ([]integrations.Shift, error) {
	all, err := overridesOf(tx, s.Name)
	if err != nil {
		return nil, err
	}
	return f.with(tx, s, all, from, to)
}

// with is the schedule with these overrides.
func (f *Rota) with(tx *store.Tx, s Schedule, all []integrations.Override, from, to time.Time) ([]integrations.Shift, error) {
	r, err := f.rota(tx, s)
	if err != nil {
		return nil, fmt.Errorf("work out %s: %w", s.Name, err)
	}
	for _, o := range all {
		if o.Remote == "" { // others are in what was read
			r.Overrides = append(r.Overrides, o)
		}
	}
	if from, to, err = f.known(tx, s, from, to); err != nil {
		return nil, err
	}
	return rota.Timeline(r, minute(from), minute(to)), nil
}

// known is the part of a time in which a schedule is known. It is an error if that is none.
func (f *Rota) known(tx *store.Tx, s Schedule, from, to time.Time) (time.Time, time.Time, error) {
	if !s.elsewhere() {
		return from, to, nil
	}
	r, err := readOf(tx, s)
	if err != nil {
		return from, to, err
	}
	if from.Before(r.From) {
		from = r.From
	}
	if to.After(r.To) {
		to = r.To
	}
	if !minute(to).After(minute(from)) {
		return from, to, unknown(s, r)
	}
	return from, to, nil
}

func unknown(s Schedule, r read) error {
	zone := s.zone()
	const layout = "2006-01-02 15:04 MST"
	return commands.Refuse("not_known", fmt.Sprintf("Of %s I know who is on call from %s until %s, and not then.", s.Name, r.From.In(zone).Format(layout), r.To.In(zone).Format(layout))).WithHint("PagerDuty keeps it, and its page shows more.").WithExample("oncall " + s.Name)
}

// since is an error if shifts begin later than they were asked for: nobody knows what was
// before.
func (f *Rota) since(tx *store.Tx, s Schedule, shifts []integrations.Shift, at time.Time) error {
	if !shifts[0].Start.After(minute(at)) {
		return nil
	}
	r, err := readOf(tx, s)
	if err == nil {
		err = unknown(s, r)
	}
	return err
}

func (f *Rota) at(tx *store.Tx, s Schedule, at time.Time) (integrations.Shift, error) {
	at = minute(at)
	shifts, err := f.timeline(tx, s, at, at.Add(time.Minute))
	if err != nil {
		return integrations.Shift{}, err
	}
	return shifts[0], f.since(tx, s, shifts, at)
}

// minute is the minute that a moment is in: shifts begin and end with one.
func minute(t time.Time) time.Time { return t.Truncate(time.Minute) }

// coming are the shift of a moment and those after it, n at most, each as long as the
// same people are on call, whatever puts them there. One that does not end as far as
// anybody looks has no End.
func (f *Rota) coming(tx *store.Tx, s Schedule, all []integrations.Override, at time.Time, n int) ([]integrations.Shift, error) {
	for span := 8 * 24 * time.Hour; ; span *= 4 {
		span = min(span, ahead)
		shifts, err := f.with(tx, s, all, at, at.Add(span))
		if err == nil {
			err = f.since(tx, s, shifts, at)
		}
		if err != nil {
			return nil, err
		}
		shifts = merged(shifts)
		if len(shifts) > n { // the last one may be cut off
			return shifts[:n], nil
		}
		if span == ahead {
			last := len(shifts) - 1
			if s.elsewhere() && last > 0 { // how long that goes on is not known
				return shifts[:last], nil
			}
			shifts[last].End = time.Time{}
			return shifts, nil
		}
	}
}

// merged puts neighbours together that have the same people.
func merged(shifts []integrations.Shift) (out []integrations.Shift) {
	for _, x := range shifts {
		if n := len(out); n > 0 && same(out[n-1], x) {
			out[n-1].End = x.End
			continue
		}
		out = append(out, x)
	}
	return out
}

// ownOf are the periods in which somebody is on call, in one piece each.
func ownOf(shifts []integrations.Shift, name string) (out []period) {
	for _, x := range shifts {
		if !on(x, name) {
			continue
		}
		if n := len(out); n > 0 && out[n-1].End.Equal(x.Start) {
			out[n-1].End = x.End
			continue
		}
		out = append(out, period{x.Start, x.End})
	}
	return out
}

func on(x integrations.Shift, name string) bool {
	return slices.ContainsFunc(x.On, func(d integrations.Duty) bool { return d.Person == name })
}

// nobody is why nobody can be named.
func nobody(schedule string, at time.Time, zone *time.Location) error {
	return commands.Refuse("gap", fmt.Sprintf("Nobody is on call of %s at %s.", schedule, at.In(zone).Format("2006-01-02 15:04 MST"))).WithExample("oncall take 2h " + schedule)
}

// theSchedule is the one that a call names, or the only one there is.
func (f *Rota) theSchedule(c *commands.Call) (Schedule, error) {
	all := f.Config().Schedules
	if name := c.Arg("schedule"); name != "" {
		if s, ok := f.Config().schedule(name); ok {
			return s, nil
		}
		return Schedule{}, commands.Refuse("unknown_schedule", fmt.Sprintf("There is no schedule %s any more.", name)).WithExample("oncall")
	}
	switch len(all) {
	case 0:
		return Schedule{}, noSchedules()
	case 1:
		return all[0], nil
	}
	var each []integrations.Button
	for _, s := range all[:min(len(all), 5)] {
		each = append(each, integrations.Button{Label: s.Name, Command: commands.Render(cloneWith(c, "schedule", s.Name))})
	}
	return Schedule{}, commands.Refuse("which_schedule", "Of which schedule? There is "+list(f.Config().Names())+".").WithExample(each[0].Command).WithButtons(each...)
}

func noSchedules() error {
	return commands.Refuse("no_schedules", "My configuration has no on-call schedule yet.").WithHint("They stand under `oncall:` there; `signalbox init` and the README show one.").WithExample("services")
}

func list(words []string) string {
	if len(words) < 2 {
		return fmt.Sprint(words)
	}
	out := words[0]
	for _, w := range words[1 : len(words)-1] {
		out += ", " + w
	}
	return out + " and " + words[len(words)-1]
}

func (f *Rota) zoneOf(schedule string) *time.Location {
	s, _ := f.Config().schedule(schedule)
	return s.zone()
}
