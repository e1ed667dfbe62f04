package incident

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/calendar"
	"github.com/signalbox-chatops/signalbox/store"
)

// Recurring is a silence that comes every week: of development hosts that are stopped at
// night, say.
type Recurring struct {
	// What is a service, a source, a host or a check; Environment "" is every one.
	What        string `yaml:"what"`
	Environment string `yaml:"environment"`
	Reason      string `yaml:"reason"`
	// During are the times of the week, as deploy windows are written, by the clocks of
	// Zone, an IANA time zone; "" is UTC.
	During []string `yaml:"during"`
	Zone   string   `yaml:"zone"`
}

const mostRecurring = 50

// check names every mistake, each with its field.
func (r Recurring) check(bad func(field, format string, args ...any)) {
	if strings.TrimSpace(r.What) == "" {
		bad(".what", "is missing; want a service, a source, a host or a check")
	}
	if strings.TrimSpace(r.Reason) == "" {
		bad(".reason", "is missing; whoever misses an alert reads it")
	}
	if len(r.During) == 0 {
		bad(".during", `is missing; want times of the week, such as ["weekdays 20:00-08:00"]`)
		return
	}
	w, err := r.windows()
	if err != nil {
		for _, line := range strings.Split(err.Error(), "\n") {
			field, say, _ := strings.Cut(line, ": ")
			bad("."+strings.Replace(field, "open[", "during[", 1), "%s", say)
		}
		return
	}
	if at := w.At(time.Unix(0, 0)); at.Until.IsZero() {
		bad(".during", "is always; want times that end, or nothing is ever told")
	}
}

func (r Recurring) windows() (calendar.Windows, error) {
	return calendar.Parse(calendar.Spec{Zone: r.Zone, Open: r.During})
}

// digest tells one setting from another: of a changed one what came before ends.
func (r Recurring) digest() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", []any{r.What, r.Environment, r.During, r.Zone}))
	return hex.EncodeToString(sum[:8])
}

// recurringID is the name of the nth silence of the configuration, from 0; its turns have
// it one after the other.
func recurringID(n int) string { return fmt.Sprintf("recurring-%d", n+1) }

// recurring begins the silences whose time has come, and ends those that are not in the
// configuration any more.
func (f *feature) recurring(ctx context.Context, now time.Time) error {
	due := false
	err := f.Store.View(func(tx *store.Tx) (err error) {
		due, err = f.turns(tx, now, func(*Silence) error { return nil })
		return err
	})
	if err != nil || !due {
		return err
	}
	return f.Store.Update(ctx, func(tx *store.Tx) error { return f.recur(tx, now) })
}

// recur is what recurring does, in a transaction.
func (f *feature) recur(tx *store.Tx, now time.Time) error {
	_, err := f.turns(tx, now, func(s *Silence) error {
		if err := silences(tx).Put(s.ID, *s); err != nil {
			return err
		}
		if !s.on(now) { // its setting is gone: the rounds end it
			return f.lift(tx, s.ID)
		}
		return f.carry(tx, s, f.Catalog())
	})
	return err
}

// turns calls for each silence that begins, and for each that is to end as its setting is
// not there any more; it says whether there was one. A turn that somebody ended stays
// ended. What the turn before held, and nobody looked into yet, is held on.
func (f *feature) turns(tx *store.Tx, now time.Time, do func(s *Silence) error) (any bool, err error) {
	settings := f.Config().Silences
	known, err := silencesThat(tx, func(s *Silence) bool { return s.Recurs != "" })
	if err != nil {
		return false, err
	}
	by := map[string]Silence{}
	for _, s := range known {
		by[s.ID] = s
	}
	cat := f.Catalog()
	for n, r := range settings {
		id := recurringID(n)
		was, is := by[id]
		same := is && was.Recurs == r.digest()
		if same {
			delete(by, id)
		}
		if is && !same && !was.Over {
			continue // it is ended first
		}
		until, on := r.turn(now)
		if !on || same && (was.Turn.Equal(until) || was.Over && now.Before(was.Turn)) { // its end may have moved
			continue
		}
		delete(by, id)
		s := Silence{ID: id, What: r.what(cat), Environment: r.environment(cat), Reason: r.Reason, From: now, Until: until, Recurs: r.digest(), Turn: until}
		if same && !was.Over {
			s.Held, s.Lost = was.Held, was.Lost
		}
		any = true
		if err := do(&s); err != nil {
			return any, err
		}
	}
	for _, s := range known {
		if left, gone := by[s.ID]; gone && left.on(now) {
			left.Until = now
			any = true
			if err := do(&left); err != nil {
				return any, err
			}
		}
	}
	return any, nil
}

// recurs says whether an alert is one that a recurring silence would hold back.
func (f *feature) recurs(a integrations.Alert) bool {
	cat := f.Catalog()
	return slices.ContainsFunc(f.Config().Silences, func(r Recurring) bool {
		s := Silence{What: r.what(cat), Environment: r.environment(cat)}
		return s.covers(a)
	})
}

// turn is the end of the one that a moment is in.
func (r Recurring) turn(at time.Time) (until time.Time, on bool) {
	w, err := r.windows()
	if err != nil { // Validate has read them once
		return time.Time{}, false
	}
	state := w.At(at)
	return state.Until.UTC(), state.Open && !state.Until.IsZero()
}

func (r Recurring) what(cat *integrations.Catalog) string {
	service, _ := cat.Service(r.What)
	return cmp.Or(service.Name, r.What)
}

func (r Recurring) environment(cat *integrations.Catalog) string {
	e, _ := cat.Environment(r.Environment)
	return cmp.Or(e.Name, r.Environment)
}

// toCome are the rows of the silences that come by themselves and are not on now.
func (f *feature) toCome(now time.Time) (out []integrations.Rich) {
	cat := f.Catalog()
	for n, r := range f.Config().Silences {
		w, err := r.windows()
		if err != nil {
			continue
		}
		s := Silence{What: r.what(cat), Environment: r.environment(cat)}
		if at := w.At(now); !at.Open {
			out = append(out, integrations.R("🔁 ", integrations.Code(recurringID(n)), " ", integrations.Bold(s.where()), " · quiet from ", integrations.When(at.Until, nil), " · ", integrations.Italic(r.Reason)))
		}
	}
	return out
}
