package oncall

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/signalbox-chatops/signalbox/integrations"
)

func zoneOf(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// turns are shifts of one length, one after the other; "" is a gap.
func turns(from time.Time, step time.Duration, n int, who ...string) (out []integrations.Shift) {
	for i := range n {
		s := integrations.Shift{Start: from.Add(time.Duration(i) * step), End: from.Add(time.Duration(i+1) * step)}
		if w := who[i%len(who)]; w != "" {
			s.On = []integrations.Duty{{Person: w}}
		}
		out = append(out, s)
	}
	return out
}

func hm(h, m int) time.Duration { return time.Duration(h)*time.Hour + time.Duration(m)*time.Minute }

// TestPiecesOf: bars stand where the wall clock of the zone says, also on days of 23, 25
// and other hours.
func TestPiecesOf(t *testing.T) {
	chicago := zoneOf(t, "America/Chicago")
	at := func(zone *time.Location, s string) time.Time {
		v, err := time.Parse("2006-01-02 15:04 -0700", s)
		if err != nil {
			t.Fatal(err)
		}
		return v.In(zone)
	}
	between := func(zone *time.Location, from, to string) []integrations.Shift {
		return []integrations.Shift{{Start: at(zone, from), End: at(zone, to), On: []integrations.Duty{{Person: "alice"}}}}
	}
	type drawn struct {
		from, to time.Duration
		half     int
		begins   bool
	}
	for name, c := range map[string]struct {
		zone   *time.Location
		day    time.Time
		shifts []integrations.Shift
		want   []drawn
		skip   []span
	}{
		"spring": {chicago, time.Date(2026, 3, 8, 0, 0, 0, 0, time.UTC), between(chicago, "2026-03-08 01:30 -0600", "2026-03-08 04:00 -0500"),
			[]drawn{{hm(1, 30), hm(2, 0), halfNone, true}, {hm(3, 0), hm(4, 0), halfNone, false}}, []span{{hm(2, 0), hm(3, 0)}}},
		"the whole of spring": {chicago, time.Date(2026, 3, 8, 0, 0, 0, 0, time.UTC), between(chicago, "2026-03-01 00:00 -0600", "2026-04-01 04:00 -0500"),
			[]drawn{{0, hm(2, 0), halfNone, false}, {hm(3, 0), hm(24, 0), halfNone, false}}, []span{{hm(2, 0), hm(3, 0)}}},
		"fall": {chicago, time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), between(chicago, "2026-11-01 00:30 -0500", "2026-11-01 01:45 -0600"),
			[]drawn{{hm(0, 30), hm(1, 0), halfNone, true}, {hm(1, 0), hm(2, 0), halfFirst, false}, {hm(1, 0), hm(1, 45), halfSecond, false}}, nil},
		"between the two": {chicago, time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), between(chicago, "2026-11-01 01:30 -0500", "2026-11-01 01:15 -0600"),
			[]drawn{{hm(1, 30), hm(2, 0), halfFirst, true}, {hm(1, 0), hm(1, 15), halfSecond, false}}, nil},
		"the day before": {chicago, time.Date(2026, 10, 31, 0, 0, 0, 0, time.UTC), between(chicago, "2026-11-01 00:00 -0500", "2026-11-01 01:15 -0600"), nil, nil},
		// midnight itself is skipped there
		"Beirut": {zoneOf(t, "Asia/Beirut"), time.Date(2026, 3, 29, 0, 0, 0, 0, time.UTC), between(zoneOf(t, "Asia/Beirut"), "2026-03-28 20:00 +0200", "2026-03-29 02:00 +0300"),
			[]drawn{{hm(1, 0), hm(2, 0), halfNone, false}}, []span{{0, hm(1, 0)}}},
		// half an hour
		"Lord Howe": {zoneOf(t, "Australia/Lord_Howe"), time.Date(2026, 4, 5, 0, 0, 0, 0, time.UTC), between(zoneOf(t, "Australia/Lord_Howe"), "2026-04-05 01:00 +1100", "2026-04-05 02:00 +1030"),
			[]drawn{{hm(1, 0), hm(1, 30), halfNone, true}, {hm(1, 30), hm(2, 0), halfFirst, false}, {hm(1, 30), hm(2, 0), halfSecond, false}}, nil},
	} {
		runs := runsOf(c.zone, c.day.Year(), c.day.Month(), c.day.Day())
		var got []drawn
		for _, p := range piecesOf(c.shifts, runs) {
			got = append(got, drawn{p.from, p.to, p.half, p.begins})
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: drawn %v, want %v", name, got, c.want)
		}
		if skip := skipped(runs); !slices.Equal(skip, c.skip) {
			t.Errorf("%s: skipped %v, want %v", name, skip, c.skip)
		}
	}
}

// TestPiecesProperty: whatever the zone and the day, as much is drawn of each person as
// they are on call, within the day, and no two pieces lie on each other.
func TestPiecesProperty(t *testing.T) {
	zones := []*time.Location{time.UTC}
	for _, name := range []string{"Asia/Tokyo", "America/Chicago", "Europe/Paris", "Australia/Lord_Howe", "Asia/Beirut", "America/Havana", "Asia/Kathmandu", "Africa/Casablanca", "Pacific/Apia"} {
		zones = append(zones, zoneOf(t, name))
	}
	rapid.Check(t, func(t *rapid.T) {
		zone := rapid.SampledFrom(zones).Draw(t, "zone")
		day := time.Date(rapid.IntRange(2010, 2037).Draw(t, "year"), 1, rapid.IntRange(1, 366).Draw(t, "day"), 0, 0, 0, 0, time.UTC)
		var shifts []integrations.Shift
		at := day.Add(-30 * time.Hour)
		for i := range rapid.IntRange(1, 12).Draw(t, "shifts") {
			end := at.Add(time.Duration(rapid.IntRange(1, 1200).Draw(t, "minutes")) * time.Minute)
			shifts = append(shifts, integrations.Shift{Start: at, End: end, On: []integrations.Duty{{Person: string(rune('a' + i))}}})
			at = end
		}
		want, got := map[string]time.Duration{}, map[string]time.Duration{}
		for m := day.Add(-30 * time.Hour); m.Before(day.Add(54 * time.Hour)); m = m.Add(time.Minute) {
			if l := m.In(zone); l.Year() != day.Year() || l.YearDay() != day.YearDay() {
				continue
			}
			for _, s := range shifts {
				if !m.Before(s.Start) && m.Before(s.End) {
					want[s.On[0].Person] += time.Minute
				}
			}
		}
		pieces := piecesOf(shifts, runsOf(zone, day.Year(), day.Month(), day.Day()))
		for i, p := range pieces {
			got[p.on[0].Person] += p.to - p.from
			if p.from < 0 || p.from >= p.to || p.to > 24*time.Hour {
				t.Fatalf("piece %v to %v", p.from, p.to)
			}
			for _, q := range pieces[:i] {
				if max(p.from, q.from) < min(p.to, q.to) && (p.half == q.half || p.half == halfNone || q.half == halfNone) {
					t.Fatalf("%+v lies on %+v", p, q)
				}
			}
		}
		for who, d := range want {
			if got[who] != d {
				t.Fatalf("%s is on call for %v of %s in %s, drawn are %v", who, d, day.Format(time.DateOnly), zone, got[who])
			}
		}
	})
}

// TestJoined: what differs only in its layer is one shift; an override is another.
func TestJoined(t *testing.T) {
	s := turns(time.Unix(0, 0), time.Hour, 5, "alice")
	s[1].On[0].Layer, s[2].On = "nights", []integrations.Duty{{Person: "alice", Override: "1", Instead: "bob"}, {Person: "alice"}}
	slices.Reverse(s)
	s[0].On[0].Override = "2"
	got := joined(append(s, integrations.Shift{Start: time.Unix(9, 0), End: time.Unix(9, 0)}))
	if len(got) != 4 || !got[0].End.Equal(time.Unix(7200, 0)) || len(got[1].On) != 1 || got[1].On[0].Override == "" {
		t.Errorf("joined are %v", got)
	}
}
