package oncall

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
	"github.com/signalbox-chatops/signalbox/store"
)

// still is a clock that stands until it is moved.
type still struct{ now time.Time }

func (s *still) Now() time.Time                       { return s.now }
func (s *still) NewTimer(d time.Duration) clock.Timer { panic("nothing here waits") }

// room is the feature on a real store, and people who type.
type room struct {
	t     testing.TB
	dir   string
	clock *still
	store *store.Store
	cfg   Config
	cat   integrations.Catalog
	f     *Rota
	verbs []commands.Verb
	event uint64
}

var (
	alice = integrations.Person{Name: "alice", Slack: "U-alice"}
	bob   = integrations.Person{Name: "bob", Slack: "U-bob"}
	carol = integrations.Person{Name: "carol", Slack: "U-carol"}
)

// daily hands over at nine in Tokyo: alice on Monday the second of March, bob, carol.
func daily() Schedule {
	return Schedule{Name: "platform", Zone: "Asia/Tokyo", Channel: "alerts", Handoffs: true,
		Layers: []Layer{{Name: "primary", People: []string{"alice", "bob", "carol"}, From: "2026-03-02 09:00", Turn: "daily"}}}
}

// newRoom is at noon of Wednesday, 4 March in Tokyo: carol is on call.
func newRoom(t testing.TB, schedules ...Schedule) *room {
	t.Helper()
	r := &room{t: t, dir: t.TempDir(), clock: &still{time.Date(2026, 3, 4, 3, 0, 0, 0, time.UTC)}, cfg: Config{Schedules: schedules}}
	if err := r.cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	r.cat = integrations.Catalog{People: []integrations.Person{alice, bob, carol}}
	for _, s := range schedules {
		r.cat.Schedules = append(r.cat.Schedules, integrations.Schedule{Name: s.Name})
	}
	r.starts()
	t.Cleanup(func() { _ = r.store.Close() })
	return r
}

// starts is the process after it ended, however it ended.
func (r *room) starts() {
	r.t.Helper()
	if r.store != nil {
		if err := r.store.Close(); err != nil {
			r.t.Fatal(err)
		}
	}
	var err error
	if r.store, err = store.Open(filepath.Join(r.dir, "signalbox.db"), store.Options{Now: r.clock.Now, Log: slog.New(slog.DiscardHandler)}); err != nil {
		r.t.Fatal(err)
	}
	r.f = New(Deps{Store: r.store, Clock: r.clock, Log: slog.New(slog.DiscardHandler), Catalog: func() *integrations.Catalog { return &r.cat }, Config: func() Config { return r.cfg },
		Channel: func(name string) string { return name },
		Zone:    func(context.Context, string) (*time.Location, error) { return r.cfg.Schedules[0].zone(), nil }})
	r.verbs = r.f.Feature().Verbs
}

// says types a line as somebody; what is refused comes back as the error.
func (r *room) says(who integrations.Person, line string) (commands.Reply, error) {
	r.t.Helper()
	u := commands.Parse(r.verbs, &r.cat, line, false)
	if u.Refusal != nil {
		return commands.Reply{}, u.Refusal
	}
	if len(u.Missing) > 0 {
		r.t.Fatalf("%s lacks %v", line, u.Missing)
	}
	r.event++
	u.Call.Who, u.Call.Heard, u.Call.Event = who, integrations.Heard{Channel: "ops", User: who.Slack}, r.event
	act, err := u.Call.Verb.Decide(r.t.Context(), u.Call)
	if err != nil {
		return commands.Reply{}, err
	}
	var reply commands.Reply
	err = r.store.Update(r.t.Context(), func(tx *store.Tx) (err error) { reply, err = act(tx); return err })
	return reply, err
}

func (r *room) must(who integrations.Person, line string) commands.Reply {
	r.t.Helper()
	reply, err := r.says(who, line)
	if err != nil {
		r.t.Fatalf("%s: %v", line, err)
	}
	return reply
}

// refuses types a line that must be refused with a code.
func (r *room) refuses(who integrations.Person, line, code string) {
	r.t.Helper()
	reply, err := r.says(who, line)
	var no *commands.Refusal
	if !errors.As(err, &no) || no.Code != code {
		r.t.Errorf("%s: %v, and says %+v; want it refused as %s", line, err, reply, code)
		return
	}
	if no.Example == "" {
		r.t.Errorf("%s: the refusal %q has no example", line, no.What)
	}
}

// at moves the clock to a time of March 2026 in Tokyo, and has what is due posted.
func (r *room) at(day int, clockTime string) {
	r.t.Helper()
	t, err := time.Parse("15:04:05", clockTime)
	if err != nil {
		t, err = time.Parse("15:04", clockTime)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	r.clock.now = time.Date(2026, 3, day, t.Hour(), t.Minute(), t.Second(), 0, r.cfg.Schedules[0].zone())
	r.ticks()
}

func (r *room) ticks() {
	r.t.Helper()
	if err := r.f.watch(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

// told are the texts of all messages of a card, oldest first, as they are now.
func (r *room) told(card string) (out []string) {
	r.t.Helper()
	type one struct {
		order uint64
		text  string
	}
	var all []one
	err := r.store.View(func(tx *store.Tx) error {
		list, err := surfaces(tx)
		if err != nil {
			return err
		}
		for _, s := range list {
			if s.Card != card {
				continue
			}
			m, err := r.f.Feature().Cards[card](tx, s)
			if err != nil {
				return err
			}
			all = append(all, one{s.Order, s.Where["channel"] + ": " + m.Text})
		}
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	slices.SortFunc(all, func(a, b one) int { return int(a.order) - int(b.order) })
	for _, x := range all {
		out = append(out, x.text)
	}
	return out
}

// surfaces are those of all that the feature keeps.
func surfaces(tx *store.Tx) (out []*store.Surface, err error) {
	var subjects []string
	note := func(k string) error { subjects = append(subjects, k); return nil }
	err = errors.Join(changes(tx).Each("", func(k string, _ change) error { return note(k) }), swaps(tx).Each("", func(k string, _ swap) error { return note(k) }),
		handoffs(tx).Each("", func(k string, _ handoff) error { return note(k) }), gapsTold(tx).Each("", func(k string, _ period) error { return note(k) }),
		mirrors(tx).Each("", func(k string, _ mirror) error { return note(k) }))
	for _, s := range subjects {
		list, err2 := tx.SurfacesOf(s)
		out, err = append(out, list...), errors.Join(err, err2)
	}
	return out, err
}

// next are who is on call from now on, in a line.
func (r *room) next(n int) string {
	r.t.Helper()
	var out []string
	err := r.store.View(func(tx *store.Tx) error {
		s := r.cfg.Schedules[0]
		all, err := overridesOf(tx, s.Name)
		if err != nil {
			return err
		}
		shifts, err := r.f.coming(tx, s, all, r.clock.now, n)
		for _, x := range shifts {
			end := "…"
			if !x.End.IsZero() {
				end = x.End.In(s.zone()).Format("2 15:04")
			}
			out = append(out, names(x)+" until "+end)
		}
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return strings.Join(out, ", ")
}

func (r *room) expect(what string) {
	r.t.Helper()
	if got := r.next(strings.Count(what, ",") + 1); got != what {
		r.t.Errorf("it goes on with %s\nwant %s", got, what)
	}
}
