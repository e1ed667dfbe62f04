package oncall

import (
	"errors"
	"fmt"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/kit/rota"
)

// check finds what is wrong with the layers.
func (s Schedule) check() error {
	var errs []error
	seen := map[string]bool{}
	for n, l := range s.Layers {
		at := fmt.Sprintf("schedules.%s.layers[%d]", s.Name, n)
		if seen[l.Name] {
			errs = append(errs, fmt.Errorf("%s.name: %q is the name of another layer too", at, l.Name))
		}
		seen[l.Name] = true
		_, _, problems := l.epoch(s.zone())
		for _, p := range problems {
			errs = append(errs, fmt.Errorf("%s.%s", at, p))
		}
	}
	return errors.Join(errs...)
}

// epoch is the roster of a layer as the configuration has it, and when it ends; problems
// are lines with the field before a colon.
func (l Layer) epoch(zone *time.Location) (e rota.Epoch, until time.Time, problems []string) {
	bad := func(field, format string, args ...any) {
		problems = append(problems, field+": "+fmt.Sprintf(format, args...))
	}
	if e.Groups = l.Turns(); len(e.Groups) == 0 {
		bad("people", "is missing; list who takes turns")
	}
	for n, turn := range e.Groups {
		if len(turn) == 0 {
			bad(fmt.Sprintf("people[%d]", n), "names nobody")
		}
	}
	var err error
	if e.Anchor, err = rota.ParseLocal(l.From); err != nil {
		bad("from", "%v", err)
	}
	if l.Until != "" {
		end, err := rota.ParseLocal(l.Until)
		if err != nil {
			bad("until", "%v", err)
		}
		until = end.In(zone)
	}
	e.From, e.Unit, e.Every, e.Count = e.Anchor.In(zone), l.Turn, max(l.Every, 1), l.Count
	for n, w := range l.Windows {
		window, err := rota.ParseWindow(w)
		if err != nil {
			bad(fmt.Sprintf("windows[%d]", n), "%v", err)
		}
		e.Windows = append(e.Windows, window)
	}
	if l.Every < 0 || l.Every > mostEvery {
		bad("every", "is %d; want 1 to %d", l.Every, mostEvery)
	}
	switch l.Turn {
	case "hourly", "daily", "weekly", "monthly":
	default:
		bad("turn", "is %q; want hourly, daily, weekly or monthly", l.Turn)
	}
	switch l.Count {
	case "", rota.Elapsed, rota.Active:
	default:
		bad("count", "is %q; want elapsed or active", l.Count)
	}
	return e, until, problems
}

const mostEvery = 1000

// rota is the schedule for the calculator, without what people have changed.
func (s Schedule) rota() (rota.Schedule, error) {
	out := rota.Schedule{Name: s.Name, Zone: s.zone()}
	for _, l := range s.Layers {
		e, until, problems := l.epoch(out.Zone)
		if len(problems) > 0 {
			return out, errors.New(problems[0])
		}
		out.Layers = append(out.Layers, rota.Layer{Name: l.Name, Priority: l.Priority, Until: until, Epochs: []rota.Epoch{e}})
	}
	return out, nil
}
