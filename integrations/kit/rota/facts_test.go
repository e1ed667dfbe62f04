package rota

import (
	"fmt"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the same zones on every machine

	"github.com/google/go-cmp/cmp"
)

// The table of test cases in the facts about on-call, section (b), by its numbers. 28
// and 29 are about posts and a restart: what the calculator has to give for them is
// tested in TestHandoffsOfAWindow.

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// local reads a Local that is right.
func local(t testing.TB, text string) Local {
	t.Helper()
	l, err := ParseLocal(text)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// instant reads "2026-11-01 01:30 CST" or, where the clock shows it once, without the
// name.
func instant(t testing.TB, z *time.Location, text string) time.Time {
	t.Helper()
	for _, form := range []string{"2006-01-02 15:04 MST", "2006-01-02 15:04 -0700", "2006-01-02 15:04"} {
		if at, err := time.ParseInLocation(form, text, z); err == nil {
			return at
		}
	}
	t.Fatalf("%q is no time", text)
	return time.Time{}
}

var longAgo = time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC)

// turn makes an epoch of single people, from long ago.
func turn(t testing.TB, anchor, unit string, every int, people ...string) Epoch {
	e := Epoch{From: longAgo, Anchor: local(t, anchor), Unit: unit, Every: every}
	for _, p := range people {
		e.Groups = append(e.Groups, strings.Fields(p))
	}
	return e
}

func (e Epoch) during(t testing.TB, windows ...string) Epoch {
	for _, text := range windows {
		w, err := ParseWindow(text)
		if err != nil {
			t.Fatal(err)
		}
		e.Windows = append(e.Windows, w)
	}
	return e
}

func schedule(z *time.Location, epochs ...Epoch) Schedule {
	return Schedule{Name: "web", Zone: z, Layers: []Layer{{Name: "primary", Epochs: epochs}}}
}

// people tells who is on call: "alice bob", "-" for nobody.
func people(on []Duty) string {
	var out []string
	for _, d := range on {
		out = append(out, d.Person)
	}
	if out == nil {
		return "-"
	}
	return strings.Join(out, " ")
}

// told tells shifts, a line each.
func told(shifts []Shift) (out []string) {
	const form = "2006-01-02 15:04 MST"
	for _, s := range shifts {
		out = append(out, fmt.Sprintf("%s – %s: %s", s.Start.Format(form), s.End.Format(form), people(s.On)))
	}
	return out
}

func TestHandoffsAreReadOffTheWall(t *testing.T) {
	for _, c := range []struct {
		name, zone string
		epoch      Epoch
		from       string
		want       []string
	}{
		{"1 daily, over a day of 25 hours", "America/Chicago", turn(t, "2020-10-30 01:30", "daily", 1, "a", "b"), "2020-10-30 12:00",
			[]string{"2020-10-31 01:30 CDT", "2020-11-01 01:30 CDT", "2020-11-02 01:30 CST"}},
		{"1 hourly, 24 of them", "America/Chicago", turn(t, "2020-10-30 01:30", "hourly", 24, "a", "b"), "2020-10-30 12:00",
			[]string{"2020-10-31 01:30 CDT", "2020-11-01 01:30 CDT", "2020-11-02 01:30 CST"}},
		{"2 daily, at an hour that is skipped", "America/Chicago", turn(t, "2020-03-06 02:30", "daily", 1, "a", "b"), "2020-03-06 12:00",
			[]string{"2020-03-07 02:30 CST", "2020-03-08 03:00 CDT", "2020-03-09 02:30 CDT"}},
		{"3 hourly, over an hour that is skipped", "America/Chicago", turn(t, "2020-03-08 02:30", "hourly", 1, "a", "b"), "2020-03-08 00:00",
			[]string{"2020-03-08 00:30 CST", "2020-03-08 01:30 CST", "2020-03-08 03:00 CDT", "2020-03-08 03:30 CDT", "2020-03-08 04:30 CDT"}},
		{"hourly, over an hour that comes twice", "America/Chicago", turn(t, "2020-11-01 00:30", "hourly", 1, "a", "b"), "2020-11-01 00:00",
			[]string{"2020-11-01 00:30 CDT", "2020-11-01 01:30 CDT", "2020-11-01 02:30 CST"}},
		{"hourly, at a time within the first half of both", "America/Chicago", turn(t, "2020-11-01 00:10", "hourly", 1, "a", "b"), "2020-11-01 01:15 CST",
			[]string{"2020-11-01 02:10 CST", "2020-11-01 03:10 CST"}},
		{"9 weekly, a week of 167 hours", "America/Chicago", turn(t, "2017-03-10 08:00", "weekly", 1, "a", "b"), "2017-03-10 08:00",
			[]string{"2017-03-17 08:00 CDT"}},
		{"9 weekly, a week of 169 hours", "America/Chicago", turn(t, "2017-11-04 08:00", "weekly", 1, "a", "b"), "2017-11-04 08:00",
			[]string{"2017-11-11 08:00 CST"}},
		{"monthly, on the 31st", "Asia/Tokyo", turn(t, "2027-12-31 09:00", "monthly", 1, "a", "b"), "2027-12-31 09:00",
			[]string{"2028-01-31 09:00 JST", "2028-02-29 09:00 JST", "2028-03-31 09:00 JST", "2028-04-30 09:00 JST"}},
		{"monthly, before the anchor", "Asia/Tokyo", turn(t, "2027-12-31 09:00", "monthly", 2, "a", "b"), "2027-02-01 00:00",
			[]string{"2027-02-28 09:00 JST", "2027-04-30 09:00 JST"}},
		{"half an hour is skipped", "Australia/Lord_Howe", turn(t, "2026-10-01 02:10", "daily", 1, "a", "b"), "2026-10-03 12:00",
			[]string{"2026-10-04 02:30 +1100", "2026-10-05 02:10 +1100"}},
		{"half an hour comes twice", "Australia/Lord_Howe", turn(t, "2026-04-01 01:45", "daily", 1, "a", "b"), "2026-04-04 12:00",
			[]string{"2026-04-05 01:45 +1100", "2026-04-06 01:45 +1030"}},
		{"midnight is skipped", "America/Sao_Paulo", turn(t, "2018-11-01 00:00", "daily", 1, "a", "b"), "2018-11-03 12:00",
			[]string{"2018-11-04 01:00 -0200", "2018-11-05 00:00 -0200"}},
		{"the hour before midnight comes twice", "America/Sao_Paulo", turn(t, "2019-02-01 23:30", "daily", 1, "a", "b"), "2019-02-16 12:00",
			[]string{"2019-02-16 23:30 -0200", "2019-02-17 23:30 -0300"}},
		{"a day is skipped, and with it a turn", "Pacific/Apia", turn(t, "2011-12-27 09:00", "daily", 1, "a", "b", "c", "d", "e"), "2011-12-28 12:00",
			[]string{"2011-12-29 09:00 -1000", "2011-12-31 00:00 +1400", "2011-12-31 09:00 +1400"}},
		{"summer time stops for a month of fasting", "Africa/Casablanca", turn(t, "2026-02-01 02:30", "daily", 1, "a", "b"), "2026-02-14 12:00",
			[]string{"2026-02-15 02:30 +0100", "2026-02-16 02:30 +0000"}},
		{"and comes back", "Africa/Casablanca", turn(t, "2026-02-01 02:30", "daily", 1, "a", "b"), "2026-03-21 12:00",
			[]string{"2026-03-22 03:00 +0100", "2026-03-23 02:30 +0100"}},
		{"two hours are skipped", "Antarctica/Troll", turn(t, "2026-03-01 02:30", "daily", 1, "a", "b"), "2026-03-28 12:00",
			[]string{"2026-03-29 03:00 +0200", "2026-03-30 02:30 +0200"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			z := zone(t, c.zone)
			next := Next(schedule(z, c.epoch), instant(t, z, c.from), len(c.want))
			if len(next) != len(c.want) {
				t.Fatalf("%d handoffs: %v", len(next), next)
			}
			for i, h := range next {
				if want := instant(t, z, c.want[i]); !h.At.Equal(want) || !h.After.Start.Equal(h.At) {
					t.Errorf("handoff %d is at %v, want %v", i, h.At, want)
				}
			}
		})
	}
}

// Nobody is passed over when a day is: who would have had the day that Apia left out
// has no turn, and the order goes on after them.
func TestATurnWithoutLengthIsSkipped(t *testing.T) {
	z := zone(t, "Pacific/Apia")
	s := schedule(z, turn(t, "2011-12-28 00:00", "daily", 1, "a", "b", "c", "d"))
	got := told(Timeline(s, instant(t, z, "2011-12-28 00:00 -1000"), instant(t, z, "2012-01-02 00:00 +1400")))
	want := []string{
		"2011-12-28 00:00 -10 – 2011-12-29 00:00 -10: a",
		"2011-12-29 00:00 -10 – 2011-12-31 00:00 +14: b",
		"2011-12-31 00:00 +14 – 2012-01-01 00:00 +14: d",
		"2012-01-01 00:00 +14 – 2012-01-02 00:00 +14: a",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWindowsInstants13(t *testing.T) {
	z := zone(t, "America/Chicago")
	for _, c := range []struct{ wall, first, last string }{
		{"2018-11-04 01:00", "2018-11-04 01:00 CDT", "2018-11-04 01:00 CST"},
		{"2018-11-04 01:30", "2018-11-04 01:30 CDT", "2018-11-04 01:30 CST"},
		{"2018-11-04 02:00", "2018-11-04 02:00 CST", "2018-11-04 02:00 CST"},
		{"2018-03-11 02:00", "2018-03-11 03:00 CDT", "2018-03-11 03:00 CDT"},
		{"2018-03-11 02:30", "2018-03-11 03:00 CDT", "2018-03-11 03:00 CDT"},
		{"2018-03-11 03:00", "2018-03-11 03:00 CDT", "2018-03-11 03:00 CDT"},
		{"2018-07-01 12:00", "2018-07-01 12:00 CDT", "2018-07-01 12:00 CDT"},
		// The standard library's bounds of a zone are wrong on this day.
		{"2040-12-31 12:00", "2040-12-31 12:00 CST", "2040-12-31 12:00 CST"},
	} {
		l := local(t, c.wall)
		if got, want := l.In(z), instant(t, z, c.first); !got.Equal(want) {
			t.Errorf("%s is first shown at %v, want %v", l, got, want)
		}
		if got, want := newDial(z, l.wall(), l.wall()).last(l.wall()), instant(t, z, c.last); got != want.Unix() {
			t.Errorf("%s is last shown at %v, want %v", l, time.Unix(got, 0).In(z), want)
		}
		far := newDial(z, longAgo.Unix(), longAgo.Unix()) // that was made for another time
		if got, want := far.first(l.wall()), instant(t, z, c.first); got != want.Unix() {
			t.Errorf("%s is first shown at %v from afar, want %v", l, time.Unix(got, 0).In(z), want)
		}
	}
}

func TestWindows(t *testing.T) {
	for _, c := range []struct {
		name, zone, window string
		want               map[string]bool
	}{
		{"14 over midnight", "America/Chicago", "mon 20:00-08:00", map[string]bool{
			"2018-06-04 20:00": true, "2018-06-05 07:00": true, "2018-06-05 08:00": false, "2018-06-04 09:00": false,
			"2018-06-04 07:00": false, "2018-06-05 20:00": false}},
		{"the same time twice is a whole day", "America/Chicago", "mon 09:00-09:00", map[string]bool{
			"2018-06-04 08:59": false, "2018-06-04 09:00": true, "2018-06-05 08:59": true, "2018-06-05 09:00": false}},
		{"until midnight", "America/Chicago", "mon 12:00-24:00", map[string]bool{
			"2018-06-04 12:00": true, "2018-06-04 23:59": true, "2018-06-05 00:00": false}},
		{"it holds both of an hour that comes twice", "America/Chicago", "sun 00:00-01:30", map[string]bool{
			"2018-11-04 01:29 CDT": true, "2018-11-04 01:45 CDT": true, "2018-11-04 01:29 CST": true, "2018-11-04 01:30 CST": false}},
		{"from a time that is skipped", "America/Chicago", "sun 02:30-05:00", map[string]bool{
			"2018-03-11 01:59": false, "2018-03-11 03:00": true, "2018-03-11 04:59": true, "2018-03-11 05:00": false}},
		{"a window that is skipped", "America/Chicago", "sun 02:10-02:50", map[string]bool{
			"2018-03-11 01:59": false, "2018-03-11 03:00": false, "2018-03-18 02:10": true}},
		{"a day that was skipped", "Pacific/Apia", "fri 09:00-17:00", map[string]bool{
			"2011-12-29 12:00": false, "2011-12-31 00:00": false, "2011-12-31 12:00": false, "2011-12-23 12:00": true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			z := zone(t, c.zone)
			s := schedule(z, turn(t, "2011-01-03 00:00", "weekly", 1, "a").during(t, c.window))
			for at, want := range c.want {
				if got := len(On(s, instant(t, z, at))) > 0; got != want {
					t.Errorf("at %s somebody is on call: %v, want %v", at, got, want)
				}
			}
		})
	}
}

func TestOnlyActiveDaysCount16(t *testing.T) {
	z := zone(t, "America/Chicago")
	e := turn(t, "2024-08-05 00:00", "daily", 2, "A", "B", "C", "D").during(t, "weekdays")
	e.Count = Active
	if got := byDay(schedule(z, e), instant(t, z, "2024-08-05 12:00"), 11); got != "A A B B C - - C D D A" {
		t.Errorf("%s", got)
	}
	// Before the anchor it is counted back in the same way.
	if got := byDay(schedule(z, e), instant(t, z, "2024-07-29 12:00"), 8); got != "B C C D D - - A" {
		t.Errorf("%s", got)
	}
	// A night shift of Friday runs into Saturday, which is nobody's turn of its own.
	e = turn(t, "2024-08-05 00:00", "daily", 1, "A", "B", "C", "D", "E", "F").during(t, "weekdays 20:00-08:00")
	e.Count = Active
	if got := people(On(schedule(z, e), instant(t, z, "2024-08-10 07:00"))); got != "E" {
		t.Errorf("on Saturday morning it is %s", got)
	}
	// All of fourteen people have a turn (GoAlert's issue 55).
	e = turn(t, "2024-08-05 09:00", "daily", 1, strings.Split("a b c d e f g h i j k l m n", " ")...).during(t, "weekdays 09:00-17:00")
	seen := map[string]bool{}
	for _, count := range []string{Elapsed, Active} {
		clear(seen)
		e.Count = count
		for n := range 28 * 7 {
			for _, d := range On(schedule(z, e), instant(t, z, "2024-08-05 12:00").AddDate(0, 0, n)) {
				seen[d.Person] = true
			}
		}
		if want := map[string]int{Elapsed: 10, Active: 14}[count]; len(seen) != want {
			t.Errorf("with %s, %d of 14 have a turn, want %d", count, len(seen), want)
		}
	}
}

// byDay tells who is on call at the same time of so many days.
func byDay(s Schedule, at time.Time, days int) string {
	var out []string
	for n := range days {
		out = append(out, people(On(s, at.AddDate(0, 0, n))))
	}
	return strings.Join(out, " ")
}

func TestGroups18(t *testing.T) {
	s := schedule(time.UTC, turn(t, "2026-12-01 09:00", "daily", 1, "A B", "C"))
	var got []string
	for _, sh := range Timeline(s, instant(t, time.UTC, "2026-12-01 09:00"), instant(t, time.UTC, "2026-12-05 09:00")) {
		got = append(got, people(sh.On))
	}
	if diff := cmp.Diff([]string{"A B", "C", "A B", "C"}, got); diff != "" {
		t.Error(diff)
	}
}

// An anchor of long ago and one of today are the same rotation.
func TestTheAnchorMayBeFar(t *testing.T) {
	z := zone(t, "America/Chicago")
	far, near := turn(t, "1976-12-06 09:00", "weekly", 1, "a", "b", "c"), turn(t, "2026-12-07 09:00", "weekly", 1, "a", "b", "c")
	weeks := int(near.Anchor.wall()-far.Anchor.wall()) / aWeek
	near.Start = weeks % 3
	from, to := instant(t, z, "2026-01-01 00:00"), instant(t, z, "2027-06-01 00:00")
	if diff := cmp.Diff(told(Timeline(schedule(z, near), from, to)), told(Timeline(schedule(z, far), from, to))); diff != "" {
		t.Error(diff)
	}
}
