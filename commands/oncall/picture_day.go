package oncall

import (
	"slices"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/calendar"
)

// A span is a stretch of a day's wall clock, counted from midnight.
type span struct{ from, to time.Duration }

// Halves of a bar. An hour that is shown twice, when the clock is set back, is drawn
// once above and once below.
const (
	halfNone  = iota
	halfFirst // the first time that it was shown
	halfSecond
)

// A piece is what is drawn of a shift on a day: while the wall clock runs on.
type piece struct {
	span
	half int
	on   []integrations.Duty
	// begins says that the shift starts here, and did not go on from the day before;
	// before are those who were on call until then.
	begins bool
	before []integrations.Duty
}

// fresh says whether somebody's turn begins with the piece.
func (p piece) fresh(d integrations.Duty) bool {
	return p.begins && !slices.ContainsFunc(p.before, func(o integrations.Duty) bool { return sameDuty(o, d) })
}

// A run is a time in which the wall clock runs on, and what it shows.
type run struct {
	from, to time.Time
	wall     span
}

// runsOf are the runs of a date, in order: one on most days.
func runsOf(zone *time.Location, year int, month time.Month, day int) (runs []run) {
	at, end := calendar.At(zone, year, month, day, 0, 0, 0), calendar.At(zone, year, month, day+1, 0, 0, 0)
	midnight := time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix()
	for at.Before(end) {
		_, next := at.ZoneBounds()
		if next.IsZero() || !next.After(at) || next.After(end) {
			next = end
		}
		_, offset := at.Zone()
		from := time.Duration(at.Unix()+int64(offset)-midnight) * time.Second
		runs = append(runs, run{from: at, to: next, wall: span{from, from + next.Sub(at)}})
		at = next.In(zone)
	}
	return runs
}

// skipped are the times of a date that the wall clock never shows.
func skipped(runs []run) (out []span) {
	const day = 24 * time.Hour
	shown := time.Duration(0)
	for _, r := range runs {
		if r.wall.from > shown {
			out = append(out, span{shown, r.wall.from})
		}
		shown = max(shown, r.wall.to)
	}
	if shown < day {
		out = append(out, span{shown, day})
	}
	return out
}

// piecesOf cuts shifts, in order, into what is drawn on a date.
func piecesOf(shifts []integrations.Shift, runs []run) (out []piece) {
	for i, r := range runs {
		for n, s := range shifts {
			from, to := later(s.Start, r.from), earlier(s.End, r.to)
			if !from.Before(to) {
				continue
			}
			p := piece{on: s.On, begins: from.Equal(s.Start)}
			if n > 0 && shifts[n-1].End.Equal(s.Start) {
				p.before = shifts[n-1].On
			}
			p.span = span{r.wall.from + from.Sub(r.from), r.wall.from + to.Sub(r.from)}
			out = append(out, halves(p, i, runs)...)
		}
	}
	return out
}

// halves splits a piece of a run where another run of the same day shows the same times.
func halves(p piece, of int, runs []run) (out []piece) {
	for i, other := range runs {
		twice := span{max(p.from, other.wall.from), min(p.to, other.wall.to)}
		if i == of || twice.from >= twice.to {
			continue
		}
		part := func(s span, half int) {
			if s.from < s.to {
				q := p
				q.span, q.half, q.begins = s, half, p.begins && s.from == p.from
				out = append(out, q)
			}
		}
		part(span{p.from, twice.from}, halfNone)
		half := halfFirst
		if of > i {
			half = halfSecond
		}
		part(twice, half)
		part(span{twice.to, p.to}, halfNone)
		return out
	}
	return append(out, p)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// joined are shifts in order, with those made one in which the same people are on call
// for the same reason: pictures know no layers.
func joined(shifts []integrations.Shift) (out []integrations.Shift) {
	shifts = slices.Clone(shifts)
	slices.SortStableFunc(shifts, func(a, b integrations.Shift) int { return a.Start.Compare(b.Start) })
	for _, s := range shifts {
		if !s.Start.Before(s.End) {
			continue
		}
		s.On = eachOnce(s.On)
		if n := len(out); n > 0 && out[n-1].End.Equal(s.Start) && slices.EqualFunc(out[n-1].On, s.On, sameDuty) {
			out[n-1].End = s.End
			continue
		}
		out = append(out, s)
	}
	return out
}

// eachOnce are duties without those of somebody who is already there.
func eachOnce(on []integrations.Duty) (out []integrations.Duty) {
	for _, d := range on {
		if !slices.ContainsFunc(out, func(o integrations.Duty) bool { return o.Person == d.Person }) {
			out = append(out, d)
		}
	}
	return out
}

func sameDuty(a, b integrations.Duty) bool {
	return a.Person == b.Person && (a.Override == "") == (b.Override == "") && a.Instead == b.Instead
}
