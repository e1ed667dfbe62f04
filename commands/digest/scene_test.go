package digest

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/integrations/kit/stats"
	"github.com/signalbox-chatops/signalbox/store"
)

// still is a clock that stands until it is moved.
type still struct{ now time.Time }

func (s *still) Now() time.Time                       { return s.now }
func (s *still) NewTimer(d time.Duration) clock.Timer { panic("nothing here waits") }

// scene is the feature on a real store, with deploys and shifts that it is handed.
type scene struct {
	t       testing.TB
	dir     string
	clock   *still
	store   *store.Store
	cfg     Config
	speaks  map[string]string // languages, by channel or person
	deploys []stats.Deploy
	served  []integrations.Served
	pages   []integrations.Page // nil: nobody keeps them
	handled []integrations.Handled
	f       *feature
	event   uint64
}

func zoneOf(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// newScene is at noon of Sunday, 22 November 2026, in Tokyo.
func newScene(t testing.TB) *scene {
	t.Helper()
	s := &scene{t: t, dir: t.TempDir(), clock: &still{time.Date(2026, 11, 22, 12, 0, 0, 0, zoneOf(t, "Asia/Tokyo"))}, cfg: Config{Channel: "ops", Zone: "Asia/Tokyo"}, speaks: map[string]string{}}
	s.starts()
	t.Cleanup(func() { _ = s.store.Close() })
	return s
}

// starts is the process after it ended, however it ended.
func (s *scene) starts() {
	s.t.Helper()
	if s.store != nil {
		if err := s.store.Close(); err != nil {
			s.t.Fatal(err)
		}
	}
	if err := s.cfg.Validate(); err != nil {
		s.t.Fatal(err)
	}
	var err error
	if s.store, err = store.Open(filepath.Join(s.dir, "signalbox.db"), store.Options{Now: s.clock.Now, Log: slog.New(slog.DiscardHandler)}); err != nil {
		s.t.Fatal(err)
	}
	d := Deps{
		Store: s.store, Clock: s.clock, Log: slog.New(slog.DiscardHandler), Config: func() Config { return s.cfg }, Dir: filepath.Join(s.dir, "digest"),
		Channel: func(name string) string { return "C-" + name },
		Zone:    func(context.Context, string) (*time.Location, error) { return time.LoadLocation("America/New_York") },
		Language: func(_ *store.Tx, at *store.Surface) (string, error) {
			for _, key := range []string{"language", "user", "channel"} {
				if code, ok := s.speaks[at.Where[key]]; ok {
					return code, nil
				}
			}
			return "en", nil
		},
		Deploys: func(_ *store.Tx, _, _ string, since, until time.Time) (out []stats.Deploy, err error) {
			for _, d := range s.deploys {
				if d.In(since, until) {
					out = append(out, d)
				}
			}
			return out, nil
		},
		Served: func(_ *store.Tx, from, to time.Time) (out []integrations.Served, err error) {
			for _, x := range s.served {
				x.From, x.To = from, to
				var shifts []integrations.Shift
				for _, sh := range x.Shifts {
					if sh.Start.Before(to) && sh.End.After(from) {
						if sh.Start.Before(from) {
							sh.Start = from
						}
						if sh.End.After(to) {
							sh.End = to
						}
						shifts = append(shifts, sh)
					}
				}
				x.Shifts = shifts
				out = append(out, x)
			}
			return out, nil
		},
	}
	d.Handled = func(_ *store.Tx, from, to time.Time) (out []integrations.Handled, err error) {
		for _, h := range s.handled {
			if h.Over.After(from) && !h.Over.After(to) {
				out = append(out, h)
			}
		}
		return out, nil
	}
	if s.pages != nil {
		d.Pages = func(*store.Tx, time.Time, time.Time) ([]integrations.Page, error) { return s.pages, nil }
	}
	s.f = newFeature(d)
}

// on is the clock on a day of November 2026 in Tokyo, "23 10:00", and what is due posted.
func (s *scene) on(at string) {
	s.t.Helper()
	t, err := time.ParseInLocation("2006-01 2 15:04", "2026-11 "+at, s.cfg.zone())
	if err != nil {
		s.t.Fatal(err)
	}
	s.at(t)
}

func (s *scene) at(t time.Time) {
	s.t.Helper()
	s.clock.now = t
	if err := s.f.watch(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

// A post is what stands somewhere.
type post struct {
	card, where string
	message     integrations.Message
}

// posts are all that was posted, oldest first, as it stands now.
func (s *scene) posts(cards ...string) (out []post) {
	s.t.Helper()
	var all []*store.Surface
	err := s.store.View(func(tx *store.Tx) error {
		err := told(tx).Each("", func(k string, _ telling) error {
			list, err := tx.SurfacesOf(k)
			all = append(all, list...)
			return err
		})
		if err != nil {
			return err
		}
		slices.SortFunc(all, func(a, b *store.Surface) int { return int(a.Order) - int(b.Order) })
		for _, x := range all {
			if len(cards) > 0 && !slices.Contains(cards, x.Card) {
				continue
			}
			m, err := s.f.feature().Cards[x.Card](tx, x)
			if err != nil {
				return err
			}
			out = append(out, post{x.Card, x.Where["channel"], m})
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// titles are the first lines of the digests that were posted.
func (s *scene) titles() (out []string) {
	s.t.Helper()
	for _, p := range s.posts(cardText) {
		first, _, _ := strings.Cut(p.message.Text, "\n")
		out = append(out, first)
	}
	return out
}

var alice = integrations.Person{Name: "alice", Slack: "U-alice"}

// says types a line as alice, in #ops.
func (s *scene) says(line string) (commands.Reply, error) {
	s.t.Helper()
	u := commands.Parse(s.f.feature().Verbs, &integrations.Catalog{People: []integrations.Person{alice}}, line, false)
	if u.Refusal != nil {
		return commands.Reply{}, u.Refusal
	}
	s.event++
	u.Call.Who, u.Call.Heard, u.Call.Event = alice, integrations.Heard{Channel: "C-ops", User: alice.Slack}, s.event
	act, err := u.Call.Verb.Decide(s.t.Context(), u.Call)
	if err != nil {
		return commands.Reply{}, err
	}
	var reply commands.Reply
	err = s.store.Update(s.t.Context(), func(tx *store.Tx) (err error) { reply, err = act(tx); return err })
	return reply, err
}

// refuses types a line that must be refused with a code.
func (s *scene) refuses(line, code string) {
	s.t.Helper()
	_, err := s.says(line)
	var no *commands.Refusal
	if !errors.As(err, &no) || no.Code != code || no.Example == "" {
		s.t.Errorf("%s: %v, want it refused as %s, with an example", line, err, code)
	}
}

// aWeek is a week of two services, and the one before it. Worked out by hand:
// web has 4 deploys, of which 1 failed (25 %) on Tuesday and was mended after 20 min; lead
// times 1 h, 2 h, 3 h. Before: 2 deploys, none failed, lead time 4 h. api has 1 deploy;
// before: 2, of which 1 failed (50 %), mended by the rollback after 2 h on that Saturday.
func (s *scene) aWeek() {
	at := func(day, hour, minute int) time.Time {
		return time.Date(2026, 11, day, hour, minute, 0, 0, s.cfg.zone())
	}
	add := func(service string, at time.Time, bad bool, leads ...time.Duration) {
		s.deploys = append(s.deploys, stats.Deploy{Service: service, Environment: "production", At: at, Bad: bad, Leads: leads})
	}
	add("web", at(10, 10, 0), false, 4*time.Hour)
	add("api", at(11, 10, 0), false)
	add("web", at(12, 10, 0), false)
	add("api", at(14, 10, 0), true)
	s.deploys = append(s.deploys, stats.Deploy{Service: "api", Environment: "production", At: at(14, 12, 0), Rollback: true})
	add("web", at(16, 10, 0), false, time.Hour)
	add("web", at(17, 10, 0), true)
	add("web", at(17, 10, 20), false, 2*time.Hour)
	add("api", at(18, 10, 0), false)
	add("web", at(20, 10, 0), false, 3*time.Hour)
	add("web", at(23, 9, 0), false) // of Monday: another week's
}

// turns are shifts of one length, one after the other; "" is a gap.
func turns(from time.Time, step time.Duration, n int, who ...string) (out []integrations.Shift) {
	for i := range n {
		x := integrations.Shift{Start: from.Add(time.Duration(i) * step), End: from.Add(time.Duration(i+1) * step)}
		if w := who[i%len(who)]; w != "" {
			x.On = []integrations.Duty{{Person: w}}
		}
		out = append(out, x)
	}
	return out
}

// aRota hands over daily at nine: alice, bob, carol; from the tenth of August on.
func (s *scene) aRota() {
	from := time.Date(2026, 8, 10, 9, 0, 0, 0, s.cfg.zone())
	s.served = append(s.served, integrations.Served{Schedule: "platform", Zone: s.cfg.zone(), People: []string{"alice", "bob", "carol"}, Changes: []string{"take", "swap", "take"}, Shifts: turns(from, 24*time.Hour, 150, "alice", "bob", "carol")})
}
