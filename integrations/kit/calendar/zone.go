package calendar

import "time"

const (
	aDay  = 24 * 60 * 60
	aWeek = 7 * aDay
	// apart is more than any zone's wall clock was ever from UTC, in seconds.
	apart = 30 * 60 * 60
)

// segment is a time in which a zone's wall clock is the same number of seconds
// ahead of UTC: [from, to) in Unix seconds. A reading of a wall clock ("wall")
// is counted as the Unix seconds of that date and time in UTC.
type segment struct{ from, to, offset int64 }

// segmentAt finds the segment that an instant is in.
func segmentAt(zone *time.Location, sec int64) segment {
	t := time.Unix(sec, 0).In(zone)
	_, offset := t.Zone()
	s := segment{from: always, to: never, offset: int64(offset)}
	start, end := t.ZoneBounds()
	if !start.IsZero() {
		s.from = start.Unix()
	}
	if !end.IsZero() {
		s.to = end.Unix()
	}
	if s.to <= sec {
		// Where a zone goes by its rule for the years to come, the standard
		// library counts 365 days for a leap year too, and has 31 December
		// lie behind its own end. Nothing changes until the day is over.
		s.to = (floorDiv(sec, aDay) + 1) * aDay
	}
	return s
}

// shownDuring finds when the wall clock shows a reading of [from, to): mostly
// one stretch, none where it was skipped, several where it was set back.
func shownDuring(zone *time.Location, from, to int64) []stretch {
	if to-from <= 4*apart {
		return shownStepwise(zone, from, to)
	}
	// Only the ends of what is long have to be looked at.
	out := append(shownStepwise(zone, from, from+2*apart), stretch{from + apart, to - apart})
	return union(append(out, shownStepwise(zone, to-2*apart, to)...))
}

func shownStepwise(zone *time.Location, from, to int64) (out []stretch) {
	for at := from - apart; at < to+apart; {
		s := segmentAt(zone, at)
		part := stretch{from: max(from-s.offset, s.from), to: min(to-s.offset, s.to)}
		if part.from < part.to {
			out = append(out, part)
		}
		if s.to == never {
			break
		}
		at = s.to
	}
	return union(out)
}

// resolve turns a reading of the wall clock into an instant, as RFC 5545
// (3.3.5) says: of a reading that is shown twice the first, and one that is
// skipped counts as if the clock had not been moved yet.
func resolve(zone *time.Location, wall int64) int64 {
	s := segmentAt(zone, wall-apart)
	for wall-s.offset >= s.to {
		next := segmentAt(zone, s.to)
		if wall-next.offset < next.from {
			break
		}
		s = next
	}
	return wall - s.offset
}

// wallAt is what the wall clock shows at an instant.
func wallAt(zone *time.Location, sec int64) int64 {
	return sec + segmentAt(zone, sec).offset
}

// dayOf is the number of a date, counted from 1970-01-01.
func dayOf(year int, month time.Month, day int) int64 {
	return floorDiv(time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix(), aDay)
}

// floorDiv divides and rounds down, for instants before 1970.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// At is when the wall clock of a zone shows a time of a date. Days and months
// beyond their number count on, as in time.Date. Of a time that is shown twice it
// is the first, and one that is skipped counts as if the clock had not been moved
// yet (RFC 5545, 3.3.5).
func At(zone *time.Location, year int, month time.Month, day, hour, minute, second int) time.Time {
	wall := time.Date(year, month, day, hour, minute, second, 0, time.UTC)
	return time.Unix(resolve(zone, wall.Unix()), 0).In(zone)
}
