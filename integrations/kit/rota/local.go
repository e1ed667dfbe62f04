package rota

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/kit/calendar"
)

// A Local is a date and a time of day as a wall clock shows them, in no zone.
type Local struct {
	Year  int
	Month time.Month
	Day   int
	Hour  int
	// Minute is of the hour.
	Minute int
}

// LocalOf is what the clock shows at an instant, in the zone that t is told in.
func LocalOf(t time.Time) Local {
	return Local{t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute()}
}

func (l Local) String() string {
	return fmt.Sprintf("%04d-%02d-%02d %02d:%02d", l.Year, l.Month, l.Day, l.Hour, l.Minute)
}

// In is when the wall clock of a zone shows l: the first time if it does so twice, and
// the first instant after the gap if it never does.
func (l Local) In(zone *time.Location) time.Time {
	w := l.wall()
	return time.Unix(newDial(zone, w, w).first(w), 0).In(zone)
}

// wall is l as a reading of the wall clock: the Unix seconds of that date and time in
// UTC.
func (l Local) wall() int64 {
	return time.Date(l.Year, l.Month, l.Day, l.Hour, l.Minute, 0, 0, time.UTC).Unix()
}

// exists says whether l is on the calendar, in the years that rotations are made for.
func (l Local) exists() bool {
	return l.Year >= firstYear && l.Year <= lastYear && LocalOf(time.Unix(l.wall(), 0).UTC()) == l
}

const (
	firstYear = 1900
	lastYear  = 2999
)

var localForms = []string{"2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02"}

// ParseLocal understands "2026-12-01 09:00", "2026-12-01T09:00", and "2026-12-01" as
// its midnight. The error says what is wrong and shows one that works.
func ParseLocal(text string) (Local, error) {
	tidy := strings.Join(strings.Fields(text), " ")
	for _, form := range localForms {
		t, err := time.Parse(form, tidy)
		if err == nil && t.Year() >= firstYear && t.Year() <= lastYear {
			return LocalOf(t), nil
		}
	}
	return Local{}, fmt.Errorf("%q is not a date and a time of the years %d to %d; write one like \"2026-12-01 09:00\"", text, firstYear, lastYear)
}

// MarshalText and UnmarshalText let a Local stand in a file as text; the zero value is
// "".
func (l Local) MarshalText() ([]byte, error) {
	if l == (Local{}) {
		return nil, nil
	}
	return []byte(l.String()), nil
}

func (l *Local) UnmarshalText(text []byte) (err error) {
	*l = Local{}
	if len(text) > 0 {
		*l, err = ParseLocal(string(text))
	}
	return err
}

const (
	aDay  = 24 * 60 * 60
	aWeek = 7 * aDay
	// apart is more than any zone's wall clock was ever from UTC, in seconds.
	apart = 30 * 60 * 60
	// around is how much more than it was made for a dial keeps: windows of the days
	// before and after are looked up, and what is near to those.
	around = 5 * aDay
)

// A part is a time in which a zone's wall clock is the same number of seconds ahead of
// UTC: [from, to) in Unix seconds.
type part struct{ from, to, offset int64 }

// A dial turns readings of one zone's wall clock into instants. It keeps the parts of
// the time that it is made for; readings far from there cost more.
type dial struct {
	zone  *time.Location
	parts []part // one after the other
}

func newDial(zone *time.Location, lo, hi int64) *dial {
	return &dial{zone: zone, parts: partsOf(zone, lo-around, hi+around)}
}

// partsOf are the parts that meet [lo, hi], one after the other.
func partsOf(zone *time.Location, lo, hi int64) (out []part) {
	for at := lo; at <= hi; {
		var p part
		p.from, p.to, p.offset = calendar.Offset(zone, at)
		if len(out) > 0 {
			p.from = at
		}
		out = append(out, p)
		at = p.to
	}
	return out
}

// near are parts, one after the other, among them all in which the clock could show a
// reading.
func (d *dial) near(wall int64) []part {
	if d.parts[0].from <= wall-apart && d.parts[len(d.parts)-1].to > wall+apart {
		return d.parts
	}
	return partsOf(d.zone, wall-apart, wall+apart)
}

// first is the first instant at which the clock shows a reading or a later one: where
// it is shown twice the first of both, where it is skipped the end of the gap.
// (time.Date does not say which of the two it picks, and of a reading that is skipped it
// makes an instant before the gap or one well after it.)
func (d *dial) first(wall int64) int64 {
	parts := d.near(wall)
	i := sort.Search(len(parts), func(i int) bool { return parts[i].to > wall-apart })
	for parts[i].to <= wall-parts[i].offset {
		i++
	}
	return max(parts[i].from, wall-parts[i].offset)
}

// last is the last instant at which the clock shows a reading or an earlier one: where
// it is shown twice the second of both, where it is skipped the end of the gap.
func (d *dial) last(wall int64) int64 {
	parts := d.near(wall)
	i := sort.Search(len(parts), func(i int) bool { return parts[i].from > wall+apart }) - 1
	for parts[i].from > wall-parts[i].offset {
		i--
	}
	return min(parts[i].to, wall-parts[i].offset)
}

// shows is what the clock shows at an instant.
func (d *dial) shows(sec int64) int64 {
	i, ok := slices.BinarySearchFunc(d.parts, sec, func(p part, sec int64) int {
		switch {
		case p.to <= sec:
			return -1
		case p.from > sec:
			return 1
		}
		return 0
	})
	if ok {
		return sec + d.parts[i].offset
	}
	_, _, offset := calendar.Offset(d.zone, sec)
	return sec + offset
}
