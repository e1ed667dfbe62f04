package rota

import (
	"slices"
	"time"
)

// turns are the boundaries of a rotation as readings of the wall clock. They never go
// back as k grows, and each is worked out by itself, however far from the anchor.
type turns interface {
	// boundary is the reading at which turn k begins.
	boundary(k int64) int64
	// turn is the last one that begins at a reading or before.
	turn(wall int64) int64
}

// units are the words for how long a turn is.
var units = map[string]func(e Epoch) turns{
	"hourly":  evenly(60 * 60),
	"daily":   evenly(aDay),
	"weekly":  evenly(aWeek),
	"monthly": func(e Epoch) turns { return months{e.Anchor, int64(e.Every)} },
}

// unitNames are those words, the shortest first.
var unitNames = []string{"hourly", "daily", "weekly", "monthly"}

// mostEvery is the longest turn, in units: far more than anybody wants, and so little
// that nothing overflows.
const mostEvery = 9999

// turns are the boundaries of e; ok is false where Validate would say why there are
// none.
func (e Epoch) turns() (t turns, ok bool) {
	unit, ok := units[e.Unit]
	if !ok || e.Every < 1 || e.Every > mostEvery || len(e.Groups) == 0 || !e.Anchor.exists() {
		return nil, false
	}
	if e.Count != Active {
		return unit(e), true
	}
	return activeDays(e)
}

// evenly makes turns of the same length on the wall clock.
func evenly(unit int64) func(Epoch) turns {
	return func(e Epoch) turns { return even{e.Anchor.wall(), unit * int64(e.Every)} }
}

type even struct{ anchor, length int64 }

func (t even) boundary(k int64) int64 { return t.anchor + k*t.length }
func (t even) turn(wall int64) int64  { return floorDiv(wall-t.anchor, t.length) }

// months are turns that begin on a day of the month, or on its last day where it is
// too short.
type months struct {
	anchor Local
	every  int64
}

func (t months) boundary(k int64) int64 {
	month := int64(t.anchor.Year)*12 + int64(t.anchor.Month) - 1 + k*t.every
	year, rest := int(floorDiv(month, 12)), time.Month(floorMod(month, 12)+1)
	last := time.Date(year, rest+1, 0, 0, 0, 0, 0, time.UTC).Day()
	return time.Date(year, rest, min(t.anchor.Day, last), t.anchor.Hour, t.anchor.Minute, 0, 0, time.UTC).Unix()
}

func (t months) turn(wall int64) int64 {
	now := time.Unix(wall, 0).UTC()
	k := floorDiv(int64(now.Year()-t.anchor.Year)*12+int64(now.Month()-t.anchor.Month), t.every)
	if t.boundary(k) > wall { // later in this month
		k--
	}
	return k
}

// active are turns of so many days of the windows. A day of them begins at the
// anchor's time of day; one that is none belongs to the turn before it. The calendar
// is counted, so that a day that the zone left out counts as well.
type active struct {
	day   int64   // of the anchor, since 1970-01-01
	clock int64   // its time of day in seconds
	every int64   // days in a turn
	days  []int64 // which of the seven days from the anchor's on are active, 0 to 6
}

func activeDays(e Epoch) (turns, bool) {
	if e.Unit != "daily" {
		return nil, false
	}
	t := active{every: int64(e.Every)}
	t.day, t.clock = floorDiv(e.Anchor.wall(), aDay), floorMod(e.Anchor.wall(), aDay)
	var mask Days
	for _, w := range e.Windows {
		mask |= w.Days
	}
	for n := range int64(7) {
		if mask.Has(weekday(t.day + n)) {
			t.days = append(t.days, n)
		}
	}
	return t, len(t.days) > 0
}

func (t active) boundary(k int64) int64 {
	n, week := k*t.every, int64(len(t.days))
	day := t.day + floorDiv(n, week)*7 + t.days[floorMod(n, week)]
	return day*aDay + t.clock
}

func (t active) turn(wall int64) int64 {
	passed := floorDiv(wall-t.clock, aDay) - t.day + 1 // days that have begun, with the anchor's
	n := floorDiv(passed, 7) * int64(len(t.days))
	for _, d := range t.days {
		if d < floorMod(passed, 7) {
			n++
		}
	}
	return floorDiv(n-1, t.every)
}

// weekday is that of a day since 1970-01-01, a Thursday.
func weekday(day int64) time.Weekday { return time.Weekday(floorMod(day+4, 7)) }

// turnAt is the turn that an instant is in: the last one that has begun. What the
// clock shows gives it but for an hour that comes twice, the second time of which is
// later than all turns that began in the first.
func (d *dial) turnAt(t turns, sec int64) int64 {
	k := t.turn(d.shows(sec))
	for d.first(t.boundary(k+1)) <= sec {
		k++
	}
	return k
}

// A piece is a stretch in which a layer has the same people, [from, to) in Unix
// seconds.
type piece struct {
	from, to int64
	on       []Duty
}

// pieces are those of a layer within [lo, hi), one after the other; where there is
// none, it has nobody.
func (l Layer) pieces(d *dial, lo, hi int64) (out []piece) {
	if !l.Until.IsZero() {
		hi = min(hi, minute(l.Until))
	}
	epochs := l.sorted()
	for i, e := range epochs {
		from, to := max(lo, minute(e.From)), hi
		if i+1 < len(epochs) {
			to = min(to, minute(epochs[i+1].From))
		}
		if from < to {
			out = e.pieces(out, l.Name, d, from, to)
		}
	}
	return out
}

// sorted are the epochs as they begin. Of several that begin at once the last holds.
func (l Layer) sorted() []Epoch {
	byFrom := func(a, b Epoch) int { return a.From.Compare(b.From) }
	if slices.IsSortedFunc(l.Epochs, byFrom) {
		return l.Epochs
	}
	out := slices.Clone(l.Epochs)
	slices.SortStableFunc(out, byFrom)
	return out
}

// pieces appends those of one epoch within [lo, hi).
func (e Epoch) pieces(out []piece, layer string, d *dial, lo, hi int64) []piece {
	t, ok := e.turns()
	if !ok {
		return out
	}
	groups := make([][]Duty, len(e.Groups))
	for i, g := range e.Groups {
		for _, person := range g {
			groups[i] = insert(groups[i], Duty{Person: person, Layer: layer})
		}
	}
	open := []span{{lo, hi}}
	if len(e.Windows) > 0 {
		open = openSpans(e.Windows, d, lo, hi)
	}
	k := d.turnAt(t, lo)
	group := e.group(k)
	out = slices.Grow(out, int(min(max(t.turn(d.shows(hi))-k, 0)+2, mostRoom)))
	for at := lo; at < hi && len(open) > 0; k++ {
		end := min(d.first(t.boundary(k+1)), hi)
		on := groups[group]
		for len(open) > 0 && open[0].from < end {
			if from, to := max(open[0].from, at), min(open[0].to, end); from < to && len(on) > 0 {
				out = append(out, piece{from, to, on})
			}
			if open[0].to > end {
				break
			}
			open = open[1:]
		}
		at = end
		if group++; group == len(groups) {
			group = 0
		}
	}
	return out
}

// group is the one that has turn k.
func (e Epoch) group(k int64) int {
	n := int64(len(e.Groups))
	return int(floorMod(floorMod(k, n)+floorMod(int64(e.Start), n), n))
}
