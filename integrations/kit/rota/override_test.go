package rota

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// says makes overrides "take t", "a>b", "add x" and "remove a", each made after the one
// before it; their ids are 1, 2, 3…
func says(t testing.TB, from, to time.Time, all ...[3]string) (out []Override) {
	for i, w := range all {
		out = append(out, Override{ID: fmt.Sprint(i + 1), Kind: w[0], Person: w[1], Instead: w[2], Start: from, End: to, Order: uint64(i + 1)})
		if err := ValidateOverride(out[i]); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func take(p string) [3]string       { return [3]string{Take, p, ""} }
func replace(a, b string) [3]string { return [3]string{Replace, b, a} }
func add(p string) [3]string        { return [3]string{Add, p, ""} }
func remove(a string) [3]string     { return [3]string{Remove, "", a} }

func TestOverridesOfDifferentKinds(t *testing.T) {
	for _, c := range []struct {
		name, base string // who is on call by the layers; "" is nobody
		made       [][3]string
		want       string
	}{
		{"take", "a", [][3]string{take("t")}, "t for a by 1"},
		{"take from two", "a c", [][3]string{take("t")}, "t for a by 1"},
		{"take in a gap", "", [][3]string{take("t")}, "t by 1"},
		{"take by whoever has it", "a", [][3]string{take("a")}, "a"},
		{"take by one of two", "a c", [][3]string{take("c")}, "c for a by 1"},
		{"the later take", "a", [][3]string{take("t"), take("u")}, "u for a by 2"},
		{"the later take in a gap", "", [][3]string{take("t"), take("u")}, "u by 2"},
		{"replace", "a c", [][3]string{replace("a", "b")}, "b for a by 1, c"},
		{"23 replace of somebody who is not on call", "a", [][3]string{replace("x", "y")}, "a"},
		{"22 replaces are no chain", "a", [][3]string{replace("a", "b"), replace("b", "c")}, "b for a by 1"},
		{"nor the other way around", "a", [][3]string{replace("b", "c"), replace("a", "b")}, "b for a by 2"},
		{"the later replace", "a", [][3]string{replace("a", "b"), replace("a", "c")}, "c for a by 2"},
		{"two who are on call together swap", "a b", [][3]string{replace("a", "b"), replace("b", "a")}, "b for a by 1, a for b by 2"},
		{"replace by somebody who is on call too", "a b", [][3]string{replace("a", "b")}, "b for a by 1"},
		{"the same, who is asked first", "b a", [][3]string{replace("a", "b")}, "b for a by 1"},
		{"add", "a", [][3]string{add("x")}, "a, x by 1"},
		{"add in a gap", "", [][3]string{add("x")}, "x by 1"},
		{"add of somebody who is on call", "a", [][3]string{add("a")}, "a"},
		{"two adds", "a", [][3]string{add("x"), add("y")}, "a, x by 1, y by 2"},
		{"the same add twice", "a", [][3]string{add("x"), add("y"), add("x")}, "a, y by 2, x by 3"},
		{"remove", "a c", [][3]string{remove("a")}, "c"},
		{"remove makes a gap", "a", [][3]string{remove("a")}, ""},
		{"remove of somebody who is not on call", "a", [][3]string{remove("x")}, "a"},

		{"take, then replace", "a", [][3]string{take("t"), replace("a", "b")}, "b for a by 2"},
		{"take from two, then replace of one", "a c", [][3]string{take("t"), replace("a", "b")}, "b for a by 2, t for c by 1"},
		{"take, then replace of somebody else", "a", [][3]string{take("t"), replace("x", "b")}, "t for a by 1"},
		{"take, then replace of the taker", "a", [][3]string{take("t"), replace("t", "b")}, "t for a by 1"},
		{"replace, then take", "a", [][3]string{replace("a", "b"), take("t")}, "t for a by 2"},
		{"take, then remove of whom it put aside", "a", [][3]string{take("t"), remove("a")}, "t for a by 1"},
		{"take, then remove of the taker, who is not on call by the layers", "a", [][3]string{take("t"), remove("t")}, "t for a by 1"},
		{"take by one of two, then remove of them", "a t", [][3]string{take("t"), remove("t")}, "t for a by 1"},
		{"take by the one who has it, then remove of them", "t", [][3]string{take("t"), remove("t")}, ""},
		{"remove, then take", "a", [][3]string{remove("a"), take("t")}, "t for a by 2"},
		{"take, then add", "a", [][3]string{take("t"), add("x")}, "t for a by 1, x by 2"},
		{"take, then add of whom it put aside", "a", [][3]string{take("t"), add("a")}, "t for a by 1, a by 2"},
		{"add, then take", "a", [][3]string{add("x"), take("t")}, "t for a by 2"},
		{"add, then take in a gap", "", [][3]string{add("x"), take("t")}, "t by 2"},
		{"replace, then remove of the same", "a", [][3]string{replace("a", "b"), remove("a")}, ""},
		{"remove, then replace of the same", "a", [][3]string{remove("a"), replace("a", "b")}, "b for a by 2"},
		{"replace, then remove of who stands in", "a", [][3]string{replace("a", "b"), remove("b")}, "b for a by 1"},
		{"add, then remove of the same", "a", [][3]string{add("x"), remove("x")}, "a"},
		{"remove, then add of the same", "a c", [][3]string{remove("a"), add("a")}, "c, a by 2"},
		{"add, then remove of somebody on call", "a", [][3]string{add("a"), remove("a")}, ""},
		{"replace, then add of who was put aside", "a", [][3]string{replace("a", "b"), add("a")}, "b for a by 1, a by 2"},
		{"add, then replace of the same", "a", [][3]string{add("a"), replace("a", "b")}, "b for a by 2"},
		{"add, then replace of them where the layers do not have them", "a", [][3]string{add("x"), replace("x", "b")}, "a, x by 1"},
		{"take, replace and remove of the same", "a", [][3]string{take("t"), replace("a", "b"), remove("a")}, ""},
		{"replace, take and remove of the same", "a", [][3]string{replace("a", "b"), take("t"), remove("a")}, "t for a by 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := schedule(time.UTC, turn(t, "2026-12-01 00:00", "weekly", 1, c.base))
			from := instant(t, time.UTC, "2026-12-01 10:00")
			s.Overrides = says(t, from, from.Add(time.Hour), c.made...)
			// The order of the list means nothing.
			for n := range s.Overrides {
				s.Overrides = append(s.Overrides[1:], s.Overrides[0])
				if got := why(On(s, from)); got != c.want {
					t.Errorf("turned %d times it is %q, want %q", n+1, got, c.want)
				}
			}
		})
	}
}

func why(on []Duty) (out string) {
	for i, d := range on {
		if i > 0 {
			out += ", "
		}
		out += d.Person
		if d.Instead != "" {
			out += " for " + d.Instead
		}
		if d.Override != "" {
			out += " by " + d.Override
		}
	}
	return out
}

func TestAnOverrideSplitsAShift20(t *testing.T) {
	at := func(text string) time.Time { return instant(t, time.UTC, "2026-12-01 "+text) }
	s := schedule(time.UTC, turn(t, "2026-12-01 08:00", "hourly", 2, "foobar", "other"))
	s.Overrides = says(t, at("08:30"), at("08:45"), replace("foobar", "binbaz"))
	want := []string{
		"2026-12-01 08:00 UTC – 2026-12-01 08:30 UTC: foobar",
		"2026-12-01 08:30 UTC – 2026-12-01 08:45 UTC: binbaz",
		"2026-12-01 08:45 UTC – 2026-12-01 09:00 UTC: foobar",
	}
	if diff := cmp.Diff(want, told(Timeline(s, at("08:00"), at("09:00")))); diff != "" {
		t.Error(diff)
	}
	// 24: it is over at its end.
	for text, want := range map[string]string{"08:29": "foobar", "08:30": "binbaz", "08:44": "binbaz", "08:45": "foobar"} {
		if got := people(On(s, at(text))); got != want {
			t.Errorf("at %s it is %s, want %s", text, got, want)
		}
	}
}

func TestTheSecondsOfAnOverrideAreCutOff(t *testing.T) {
	at := instant(t, time.UTC, "2026-12-01 08:30")
	s := schedule(time.UTC, turn(t, "2026-12-01 00:00", "daily", 1, "a"))
	s.Overrides = says(t, at.Add(59*time.Second), at.Add(2*time.Minute+time.Second), take("t"))
	if got := people(On(s, at)); got != "t" {
		t.Errorf("at the start of its minute it is %s", got)
	}
	if got := people(On(s, at.Add(2*time.Minute))); got != "a" {
		t.Errorf("at the end of its last whole minute it is %s", got)
	}
	want := []string{
		"2026-12-01 08:29 UTC – 2026-12-01 08:30 UTC: a",
		"2026-12-01 08:30 UTC – 2026-12-01 08:32 UTC: t",
		"2026-12-01 08:32 UTC – 2026-12-01 08:33 UTC: a",
	}
	if diff := cmp.Diff(want, told(Timeline(s, at.Add(-time.Minute), at.Add(3*time.Minute)))); diff != "" {
		t.Error(diff)
	}
}

// A swap is two replaces, each where the other one would have been.
func TestASwap(t *testing.T) {
	s := schedule(time.UTC, turn(t, "2026-12-07 09:00", "weekly", 1, "alice", "bob", "carol"))
	week := func(n int) time.Time { return instant(t, time.UTC, "2026-12-07 09:00").AddDate(0, 0, 7*n) }
	s.Overrides = append(says(t, week(0), week(1), replace("alice", "carol")), says(t, week(2), week(3), replace("carol", "alice"))...)
	if got := byWeek(s, week(0), 4); got != "carol bob alice alice" {
		t.Errorf("%s", got)
	}
	mine := Of(Timeline(s, week(0), week(4)), "alice")
	if len(mine) != 1 || !mine[0].Start.Equal(week(2)) || !mine[0].End.Equal(week(4)) || mine[0].Duty.Instead != "carol" {
		t.Errorf("alice has %+v", mine)
	}
}

func byWeek(s Schedule, at time.Time, weeks int) (out string) {
	for n := range weeks {
		if n > 0 {
			out += " "
		}
		out += people(On(s, at.AddDate(0, 0, 7*n)))
	}
	return out
}
