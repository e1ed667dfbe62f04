package calendar

import "time"

// What other tools of the kit need of this one.

// Offset tells how many seconds a zone's wall clock is ahead of UTC at an instant,
// and from when until before when it is so: all in Unix seconds. from is
// math.MinInt64 and to math.MaxInt64 where nothing changes before or after. Two
// neighbours may have the same offset: a zone can change its name alone.
func Offset(zone *time.Location, sec int64) (from, to, offset int64) {
	s := segmentAt(zone, sec)
	return s.from, s.to, s.offset
}

// ParseDays understands days in lower case, "weekdays", "mon-thu", "fri-mon" or
// "mon,wed". The error names what is no day, and what is one.
func ParseDays(text string) ([]time.Weekday, error) {
	days, err := parseDays(text)
	if err != nil {
		return nil, err
	}
	out := make([]time.Weekday, len(days))
	for i, d := range days {
		out[i] = time.Weekday((d + 1) % 7)
	}
	return out, nil
}

// ParseMinutes understands a time of day, "0:00" to "24:00", as minutes.
func ParseMinutes(text string) (int, error) {
	sec, err := parseTime(text)
	return int(sec / 60), err
}

// Tidy has plain hyphens, and spaces only between words.
func Tidy(text string) string { return tidyWindow(text) }
