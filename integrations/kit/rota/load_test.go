package rota

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func office(t testing.TB, zone string) Hours {
	t.Helper()
	h := Hours{Zone: mustZone(t, zone)}
	var err error
	if h.Working, err = ParseWindow("mon-fri 09:00-18:00"); err == nil {
		h.Sleeping, err = ParseWindow("22:00-07:00")
	}
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func mustZone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// TestSplit is worked out by hand. A week has 45 working hours, 63 of sleep, 30 of
// evenings (two before work and four after it on five days) and 30 of weekend.
func TestSplit(t *testing.T) {
	const hour = time.Hour
	for name, c := range map[string]struct {
		zone, from, to string
		want           Load
	}{
		"a week":                     {"Asia/Tokyo", "2026-11-16 00:00", "2026-11-23 00:00", Load{Working: 45 * hour, Evening: 30 * hour, Weekend: 30 * hour, Sleeping: 63 * hour}},
		"a day of work":              {"Asia/Tokyo", "2026-11-16 00:00", "2026-11-17 00:00", Load{Working: 9 * hour, Evening: 6 * hour, Sleeping: 9 * hour}},
		"a Saturday":                 {"Asia/Tokyo", "2026-11-21 00:00", "2026-11-22 00:00", Load{Weekend: 15 * hour, Sleeping: 9 * hour}},
		"a night":                    {"Asia/Tokyo", "2026-11-20 21:00", "2026-11-21 08:00", Load{Evening: hour, Sleeping: 9 * hour, Weekend: hour}},
		"a lunch":                    {"Asia/Tokyo", "2026-11-18 12:30", "2026-11-18 13:15", Load{Working: 45 * time.Minute}},
		"nothing":                    {"Asia/Tokyo", "2026-11-18 12:30", "2026-11-18 12:30", Load{}},
		"a week that ends backwards": {"Asia/Tokyo", "2026-11-23 00:00", "2026-11-16 00:00", Load{}},
		// The clock is moved in the night to Sunday: the sleep is an hour shorter, or longer.
		"the short week in Chicago": {"America/Chicago", "2026-03-02 00:00", "2026-03-09 00:00", Load{Working: 45 * hour, Evening: 30 * hour, Weekend: 30 * hour, Sleeping: 62 * hour}},
		"the long week in Chicago":  {"America/Chicago", "2026-10-26 00:00", "2026-11-02 00:00", Load{Working: 45 * hour, Evening: 30 * hour, Weekend: 30 * hour, Sleeping: 64 * hour}},
		// Samoa had no Friday, 30 December 2011.
		"the week without a Friday": {"Pacific/Apia", "2011-12-26 00:00", "2012-01-02 00:00", Load{Working: 36 * hour, Evening: 24 * hour, Weekend: 30 * hour, Sleeping: 54 * hour}},
	} {
		h := office(t, c.zone)
		if d := cmp.Diff(c.want, h.Split(inZone(t, c.zone, c.from), inZone(t, c.zone, c.to))); d != "" {
			t.Errorf("%s (-want +got)\n%s", name, d)
		}
	}
}

func inZone(t testing.TB, zone, text string) time.Time {
	t.Helper()
	l, err := ParseLocal(text)
	if err != nil {
		t.Fatal(err)
	}
	return l.In(mustZone(t, zone))
}

func TestKind(t *testing.T) {
	h := office(t, "Asia/Tokyo")
	for at, want := range map[string]string{
		"2026-11-18 08:59": Evening, "2026-11-18 09:00": Working, "2026-11-18 17:59": Working, "2026-11-18 18:00": Evening, "2026-11-18 22:00": Sleeping, "2026-11-19 06:59": Sleeping, "2026-11-19 07:00": Evening,
		"2026-11-21 12:00": Weekend, "2026-11-21 23:00": Sleeping, "2026-11-23 06:59": Sleeping,
	} {
		if got := h.Kind(inZone(t, "Asia/Tokyo", at)); got != want {
			t.Errorf("%s is %s, want %s", at, got, want)
		}
	}
}

// TestLoads: a day that alice and bob share, of which bob has the night alone and nobody
// the last hour.
func TestLoads(t *testing.T) {
	h, at := office(t, "Asia/Tokyo"), func(s string) time.Time { return inZone(t, "Asia/Tokyo", "2026-11-"+s) }
	on := func(from, to string, who ...string) Shift {
		s := Shift{Start: at(from), End: at(to)}
		for _, w := range who {
			s.On = append(s.On, Duty{Person: w})
		}
		return s
	}
	shifts := []Shift{on("15 12:00", "18 17:00", "alice", "bob"), on("18 17:00", "19 09:00", "bob"), on("19 09:00", "19 10:00"), on("19 10:00", "30 00:00", "alice")}
	got := h.Loads(shifts, at("18 09:00"), at("19 10:00"))
	want := map[string]Load{"alice": {Working: 8 * time.Hour}, "bob": {Working: 9 * time.Hour, Evening: 6 * time.Hour, Sleeping: 9 * time.Hour}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	if got := Covered(shifts, at("18 09:00"), at("19 10:00")); got != 24*time.Hour {
		t.Errorf("covered are %v", got)
	}
}

func anyHours(t *rapid.T, z *time.Location) Hours {
	w := func(name string) Window {
		return Window{Days(rapid.IntRange(0, 127).Draw(t, name+" days")), Clock(anyClock.Draw(t, name+" from")), Clock(anyClock.Draw(t, name+" to"))}
	}
	return Hours{Zone: z, Working: w("working"), Sleeping: w("sleeping")}
}

// The kinds of anybody's hours add up to the time that they were on call, all people's to
// the time that was covered where one is on call at once; and each minute is of the kind
// that it is said to be, in any zone and whatever its clocks do.
func TestLoadsAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		z, err := time.LoadLocation(anyZone.Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		from, to := anyView(t, z)
		h := anyHours(t, z)
		var s Schedule
		s.Zone = z
		e := anyEpoch(t, from)
		alone := rapid.Bool().Draw(t, "one at once")
		for i := range e.Groups {
			if alone {
				e.Groups[i] = e.Groups[i][:1]
			}
		}
		s.Layers = []Layer{{Epochs: []Epoch{e}}}
		shifts := Timeline(s, from, to)
		loads := h.Loads(shifts, from, to)
		own, all := map[string]time.Duration{}, time.Duration(0)
		for _, x := range shifts {
			for _, d := range x.On {
				own[d.Person] += x.End.Sub(x.Start)
			}
		}
		for who, want := range own {
			if got := loads[who].Total(); got != want {
				t.Fatalf("%s was on call for %v, and has %v", who, want, loads[who])
			}
			all += want
		}
		if len(loads) != len(own) {
			t.Fatalf("loads of %v, shifts of %v", loads, own)
		}
		if covered := Covered(shifts, from, to); alone && covered != all || covered > to.Sub(from) {
			t.Fatalf("covered are %v, all people have %v", covered, all)
		}
		if got := h.Split(from, to).Total(); got != to.Sub(from) {
			t.Fatalf("%v is split into %v", to.Sub(from), got)
		}
		byMinute := Load{}
		for at := from; at.Before(to); at = at.Add(time.Minute) {
			byMinute[h.Kind(at)] += time.Minute
		}
		if d := cmp.Diff(byMinute, h.Split(from, to)); d != "" {
			t.Fatalf("minute by minute (-) and at once (+)\n%s", d)
		}
	})
}
