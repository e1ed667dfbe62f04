package rota

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// roster is a copy of an epoch with other people, "a b,c" for two groups.
func (e Epoch) roster(groups string) Epoch {
	e.Groups = nil
	for g := range strings.SplitSeq(groups, ",") {
		e.Groups = append(e.Groups, strings.Fields(g))
	}
	return e
}

// Each begins on Monday 7 December at 09:00 with the first group of the old roster, and
// is edited on the Wednesday after it. What comes is who is on call on Thursday, and on
// the Tuesdays of the weeks that follow.
func TestAnEditOfARoster27(t *testing.T) {
	z := zone(t, "America/Chicago")
	wednesday := instant(t, z, "2026-12-09 15:00")
	for _, c := range []struct {
		name, old, new string
		once, next     string // what comes if it is done at once, and at the next handoff
	}{
		{"nothing", "a,b,c", "a,b,c", "a b c a", "a b c a"},
		{"one who does not have the turn is removed", "a,b,c", "a,c", "a c a c", "a c a c"},
		{"the last one is removed", "a,b,c", "a,b", "a b a b", "a b a b"},
		{"who has the turn is removed", "a,b,c", "b,c", "b c b c", "a b c b"},
		{"who has the turn is removed, and the order is another", "a,b,c,d", "d,c,b", "b d c b", "a b d c"},
		{"all but who has the turn are removed", "a,b,c", "a", "a a a a", "a a a a"},
		{"everybody is somebody else", "a,b,c", "x,y", "x y x y", "a x y x"},
		{"one is added after whoever has the turn", "a,b,c", "a,x,b,c", "a x b c", "a x b c"},
		{"one is added at the front", "a,b,c", "x,a,b,c", "a b c x", "a b c x"},
		{"somebody takes the place of whoever has the turn", "a,b,c", "x,b,c", "x b c x", "a x b c"},
		{"the order is turned round", "a,b,c", "c,b,a", "a c b a", "a c b a"},
		{"groups", "a b,c", "c,b a", "b+a c b+a c", "a+b c b+a c"},
		{"one of a group that has the turn is removed", "a b,c,d", "b,c,d", "b c d b", "a+b c d b"},
		{"one comes twice", "a,b,a,c", "a,b,a,c,d", "a b a c", "a b a c"},
	} {
		t.Run(c.name, func(t *testing.T) {
			old := turn(t, "2026-12-07 09:00", "weekly", 1).roster(c.old)
			l := Layer{Name: "primary", Epochs: []Epoch{old}}
			for n, e := range []Epoch{l.AtOnce(z, wednesday, old.roster(c.new)), l.AtNextHandoff(z, wednesday, old.roster(c.new))} {
				want := []string{c.once, c.next}[n]
				s := Schedule{Zone: z, Layers: []Layer{l.With(e)}}
				if err := s.Validate(); err != nil {
					t.Fatal(err)
				}
				got := plus(On(s, instant(t, z, "2026-12-10 12:00"))) + " " + plus(On(s, instant(t, z, "2026-12-15 12:00"))) + " " +
					plus(On(s, instant(t, z, "2026-12-22 12:00"))) + " " + plus(On(s, instant(t, z, "2026-12-29 12:00")))
				if got != want {
					t.Errorf("from %v on it is %s, want %s", e.From, got, want)
				}
			}
		})
	}
}

func plus(on []Duty) string { return strings.ReplaceAll(people(on), " ", "+") }

// The second of two turns of the same person is not taken for the first.
func TestWhoComesTwiceKeepsTheirPlace(t *testing.T) {
	old := turn(t, "2026-12-07 09:00", "weekly", 1, "a", "b", "a", "c")
	l := Layer{Epochs: []Epoch{old}}
	now := instant(t, time.UTC, "2026-12-22 12:00") // a has the turn, and c is next
	e := l.AtOnce(time.UTC, now, old.roster("a,b,a,c,d"))
	if got := byWeek(Schedule{Layers: []Layer{l.With(e)}}, now, 4); got != "a c d a" {
		t.Errorf("%s", got)
	}
}

func TestAnEditOfWhenItHandsOver(t *testing.T) {
	z := zone(t, "America/Chicago")
	wednesday := instant(t, z, "2026-12-09 15:00")
	old := turn(t, "2026-12-07 09:00", "weekly", 1, "a", "b", "c")
	l := Layer{Name: "primary", Epochs: []Epoch{old}}
	change := func(anchor, unit string) Epoch {
		e := old
		e.Anchor, e.Unit = local(t, anchor), unit
		return e
	}
	for _, c := range []struct {
		name string
		e    Epoch
		want []string
	}{
		{"on Tuesdays: nobody has the one day between", l.AtNextHandoff(z, wednesday, change("2026-12-08 10:00", "weekly")),
			[]string{"2026-12-15 10:00 b", "2026-12-22 10:00 c"}},
		{"on Fridays: whoever comes next has the rest of the week", l.AtNextHandoff(z, wednesday, change("2026-12-04 09:00", "weekly")),
			[]string{"2026-12-14 09:00 b", "2026-12-18 09:00 c"}},
		{"every day", l.AtNextHandoff(z, wednesday, change("2026-12-07 10:00", "daily")),
			[]string{"2026-12-14 10:00 b", "2026-12-15 10:00 c"}},
		{"every day at once", l.AtOnce(z, wednesday, change("2026-12-07 10:00", "daily")),
			[]string{"2026-12-10 10:00 b", "2026-12-11 10:00 c"}},
		{"by the old anchor", l.AtOnce(z, wednesday, func() Epoch { e := old; e.Anchor, e.Unit = Local{}, "daily"; return e }()),
			[]string{"2026-12-10 09:00 b", "2026-12-11 09:00 c"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := Schedule{Zone: z, Layers: []Layer{l.With(c.e)}}
			var got []string
			for _, h := range Next(s, wednesday, 2) {
				got = append(got, h.At.Format("2006-01-02 15:04 ")+people(h.After.On))
			}
			if strings.Join(got, ", ") != strings.Join(c.want, ", ") {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

// In the second of an hour that comes twice, the turn is the one that began in the first.
func TestAnEditInAnHourThatComesTwice(t *testing.T) {
	z := zone(t, "America/Chicago")
	now := instant(t, z, "2020-11-01 01:15 CST")
	old := turn(t, "2020-11-01 00:10", "hourly", 1, "a", "b", "c")
	l := Layer{Epochs: []Epoch{old}}
	e := l.AtNextHandoff(z, now, old.roster("b,x,c"))
	if want := instant(t, z, "2020-11-01 02:10 CST"); !e.From.Equal(want) {
		t.Errorf("from %v, want %v", e.From, want)
	}
	s := Schedule{Zone: z, Layers: []Layer{l.With(e)}}
	if got := people(On(s, now)) + people(On(s, e.From)); got != "bx" {
		t.Errorf("%s", got)
	}
}

func TestAnEditOfALayerWithoutATurn(t *testing.T) {
	now := instant(t, time.UTC, "2026-12-09 15:00").Add(31 * time.Second)
	roster := turn(t, "2026-12-07 09:00", "weekly", 1, "a", "b")
	roster.Start = 1
	later := roster
	later.From = now.AddDate(0, 0, 1)
	for name, l := range map[string]Layer{
		"new":      {},
		"to begin": {Epochs: []Epoch{later}},
		"over":     {Epochs: []Epoch{roster}, Until: now},
		"wrong":    {Epochs: []Epoch{{From: longAgo}}},
	} {
		for _, e := range []Epoch{l.AtOnce(time.UTC, now, roster), l.AtNextHandoff(time.UTC, now, roster)} {
			if !e.From.Equal(now.Truncate(time.Minute)) || e.Start != 1 {
				t.Errorf("%s: %+v", name, e)
			}
		}
		if _, ok := l.EpochAt(now); ok != (name == "wrong") {
			t.Errorf("%s has a roster: %v", name, ok)
		}
	}
	if got := (Layer{}).AtOnce(nil, now, Epoch{}); !got.From.Equal(now.Truncate(time.Minute)) {
		t.Errorf("%+v", got)
	}
	l := Layer{Epochs: []Epoch{roster}}
	if e := l.AtOnce(nil, now, Epoch{Unit: "daily", Every: 1}); e.Start != 0 {
		t.Errorf("a roster of nobody: %+v", e)
	}
	// The next handoff after the end of a layer is none.
	l.Until = now.Add(time.Hour)
	if e := l.AtNextHandoff(nil, now, roster); !e.From.Equal(now.Truncate(time.Minute)) {
		t.Errorf("%+v", e)
	}
}

// Two edits before one handoff: the second was made knowing the first, and holds.
func TestAnEditOfAnEdit(t *testing.T) {
	now := instant(t, time.UTC, "2026-12-09 15:00")
	old := turn(t, "2026-12-07 09:00", "weekly", 1, "a", "b", "c")
	l := Layer{Epochs: []Epoch{old}}
	l = l.With(l.AtNextHandoff(time.UTC, now, old.roster("a,c")))
	l = l.With(l.AtNextHandoff(time.UTC, now.Add(time.Hour), old.roster("a,c,d")))
	if got := byWeek(Schedule{Layers: []Layer{l}}, now, 4); len(l.Epochs) != 2 || got != "a c d a" {
		t.Errorf("%s: %+v", got, l.Epochs)
	}
	// A roster that begins in the middle of a turn is a handoff too.
	middle := old.roster("b,c")
	middle.From = now.AddDate(0, 0, 1)
	if e := l.With(middle).AtNextHandoff(time.UTC, now, old); !e.From.Equal(middle.From) {
		t.Errorf("the next handoff is at %v, want %v", e.From, middle.From)
	}
	if e, ok := l.EpochAt(now); !ok || len(e.Groups) != 3 || e.Groups[1][0] != "b" {
		t.Errorf("in force is %+v", e)
	}
	l = l.With(l.AtOnce(time.UTC, now.Add(2*time.Hour), old.roster("a,e")))
	if got := byWeek(Schedule{Layers: []Layer{l}}, now.Add(2*time.Hour), 3); len(l.Epochs) != 2 || got != "a e a" {
		t.Errorf("%s: %+v", got, l.Epochs)
	}
}

// Whoever has the turn and stays in the roster keeps it, whatever is edited; and who
// is on call until a handoff that is waited for does not change at all.
func TestAnEditMovesNobodyWhoStays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		z, err := time.LoadLocation(anyZone.Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		now, _ := anyView(t, z)
		old, roster := anyEpoch(t, now), anyEpoch(t, now)
		old.From, old.Windows, old.Count, roster.Windows, roster.Count = now.AddDate(-1, 0, 0), nil, "", nil, ""
		single := func(groups [][]string) {
			for i := range groups {
				groups[i] = groups[i][:1]
			}
		}
		single(old.Groups)
		single(roster.Groups)
		l := Layer{Name: "x", Epochs: []Epoch{old}}
		s := func(l Layer) Schedule { return Schedule{Zone: z, Layers: []Layer{l}} }
		before := people(On(s(l), now))
		stays := false
		for _, g := range roster.Groups {
			stays = stays || g[0] == before
		}
		once := l.With(l.AtOnce(z, now, roster))
		if after := people(On(s(once), now)); stays && after != before {
			t.Fatalf("%s had the turn, and then %s\n%+v", before, after, once)
		}
		if err := s(once).Validate(); err != nil {
			t.Fatal(err)
		}
		later := l.AtNextHandoff(z, now, roster)
		if err := s(l.With(later)).Validate(); err != nil {
			t.Fatal(err)
		}
		if later.From.Before(now) {
			t.Fatalf("the next handoff after %v is at %v\n%+v", now, later.From, l)
		}
		if later.From.After(now) {
			if got := told(Timeline(s(l.With(later)), now, later.From)); len(got) != 1 || people(On(s(l.With(later)), now)) != before {
				t.Fatalf("until %v it is %v, and was %s\n%+v", later.From, got, before, l)
			}
		}
	})
}
