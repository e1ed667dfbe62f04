package oncall

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/kit/rota"
	"github.com/signalbox-chatops/signalbox/store"
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

// A roster is a layer as it stood in the configuration when it was last looked at, and
// the epochs that came of all that stood there.
type roster struct {
	Zone   string       `json:"zone"`
	Layer  Layer        `json:"layer"`
	Epochs []rota.Epoch `json:"epochs"`
}

func rosters(tx *store.Tx) *store.Records[roster] { return store.Feature[roster](tx, "oncall roster") }

func rosterKey(s Schedule, l Layer) string { return s.Name + "\x00" + l.Name }

// rota is the schedule for the calculator, without what people have changed.
func (f *Rota) rota(tx *store.Tx, s Schedule) (rota.Schedule, error) {
	out := rota.Schedule{Name: s.Name, Zone: s.zone()}
	if s.elsewhere() {
		r, err := readOf(tx, s)
		return s.ofRead(r), err
	}
	for _, l := range s.Layers {
		e, until, problems := l.epoch(out.Zone)
		if len(problems) > 0 {
			return out, errors.New(problems[0])
		}
		layer := rota.Layer{Name: l.Name, Priority: l.Priority, Until: until, Epochs: []rota.Epoch{e}}
		kept, found, err := rosters(tx).Get(rosterKey(s, l))
		if err != nil {
			return out, err
		}
		if found {
			layer.Epochs = kept.Epochs
		}
		out.Layers = append(out.Layers, layer)
	}
	return out, nil
}

// stale are the layers that stand otherwise in the configuration than they are kept.
func stale(tx *store.Tx, s Schedule) (out []Layer, err error) {
	for _, l := range s.Layers {
		kept, found, err := rosters(tx).Get(rosterKey(s, l))
		if err != nil {
			return nil, err
		}
		if !found || kept.Zone != s.Zone || !reflect.DeepEqual(kept.Layer, l) {
			out = append(out, l)
		}
	}
	return out, nil
}

// edit takes over what was edited in the configuration: a roster that was known before
// changes at its next handoff, so that nobody's turn is cut short or begun anew
// (facts/oncall.md (b) 9). Whose next shift moves is told so, as with any change.
func (f *Rota) edit(tx *store.Tx, s Schedule, now time.Time) error {
	layers, err := stale(tx, s)
	if err != nil || len(layers) == 0 {
		return err
	}
	all, err := overridesOf(tx, s.Name)
	if err != nil {
		return err
	}
	r, err := f.rota(tx, s)
	if err != nil {
		return err
	}
	edited := false
	before := change{Act: "roster"}
	was, err := f.snapshot(tx, s, all, now)
	if err != nil {
		return err
	}
	for _, l := range layers {
		e, _, problems := l.epoch(s.zone())
		if len(problems) > 0 {
			return errors.New(problems[0])
		}
		kept, found, err := rosters(tx).Get(rosterKey(s, l))
		if err != nil {
			return err
		}
		epochs := []rota.Epoch{e}
		if found && kept.Zone == s.Zone {
			i := slices.IndexFunc(r.Layers, func(x rota.Layer) bool { return x.Name == l.Name })
			epochs = r.Layers[i].With(r.Layers[i].AtNextHandoff(s.zone(), now, e)).Epochs
		}
		edited = edited || found
		if err := rosters(tx).Put(rosterKey(s, l), roster{Zone: s.Zone, Layer: l, Epochs: epochs}); err != nil {
			return err
		}
	}
	if !edited {
		return nil
	}
	is, err := f.snapshot(tx, s, all, now)
	if err != nil {
		return err
	}
	if !compare(&before, was, is) || s.Channel == "" {
		return nil
	}
	before.What, before.Schedule, before.At = "the roster was changed in the configuration", s.Name, now
	return f.keep(tx, s, &before, f.Channel(s.Channel))
}
