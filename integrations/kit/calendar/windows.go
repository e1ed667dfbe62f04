package calendar

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// stretch is [from, to) in seconds.
type stretch struct{ from, to int64 }

const windowForms = `write days and times like "weekdays 10:00-18:00", "mon,wed 10:00-12:00" or "fri 22:00-02:00"`

// dayNames are the words for days; Monday is 0.
var dayNames = map[string]int{
	"mon": 0, "monday": 0, "tue": 1, "tues": 1, "tuesday": 1, "wed": 2, "weds": 2, "wednesday": 2,
	"thu": 3, "thur": 3, "thurs": 3, "thursday": 3, "fri": 4, "friday": 4,
	"sat": 5, "saturday": 5, "sun": 6, "sunday": 6,
}

// dayGroups are the words for several days.
var dayGroups = map[string][]int{
	"daily": {0, 1, 2, 3, 4, 5, 6}, "weekdays": {0, 1, 2, 3, 4}, "weekends": {5, 6},
}

var (
	// Chat, mail and documents turn a hyphen into one of its longer sisters.
	dashes    = strings.NewReplacer("\u2010", "-", "\u2011", "-", "\u2012", "-", "–", "-", "—", "-", "−", "-")
	looseMark = regexp.MustCompile(`\s*([-,])\s*`)
	timeOfDay = regexp.MustCompile(`^(\d{1,2}):(\d{2})$`)
)

// parseOpen understands the windows and joins them into one week.
func (w *Windows) parseOpen(open []string) error {
	var (
		week  []stretch
		words []string
		errs  []error
	)
	for i, text := range open {
		parts, err := parseWindow(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("open[%d]: %w; %s", i, err, windowForms))
			continue
		}
		week = append(week, parts...)
		words = append(words, tidyWindow(text))
	}
	w.week = union(week)
	w.windowed = len(open) > 0 && !slices.Equal(w.week, []stretch{{0, aWeek}})
	w.said = strings.Join(words, ", ") + " " + w.Zone().String()
	return errors.Join(errs...)
}

// tidyWindow is a window with plain hyphens, and spaces only between words.
func tidyWindow(text string) string {
	return strings.Join(strings.Fields(looseMark.ReplaceAllString(dashes.Replace(text), "$1")), " ")
}

// parseWindow understands one window. Its parts are in wall seconds since
// Monday 00:00, within one week.
func parseWindow(text string) ([]stretch, error) {
	words := strings.Fields(tidyWindow(text))
	if len(words) != 2 {
		return nil, fmt.Errorf("%q is not days and times", text)
	}
	days, err := parseDays(strings.ToLower(words[0]))
	if err != nil {
		return nil, err
	}
	start, end, ok := strings.Cut(words[1], "-")
	if !ok {
		return nil, fmt.Errorf("%q is not two times with a hyphen between them", words[1])
	}
	from, err := parseTime(start)
	if err != nil {
		return nil, err
	}
	to, err := parseTime(end)
	switch {
	case err != nil:
		return nil, err
	case from == aDay:
		return nil, errors.New("24:00 is the end of a day: a window can end then, and begins at 00:00")
	case from == to:
		return nil, fmt.Errorf("%s is empty: the whole day is 00:00-24:00", words[1])
	case to < from:
		to += aDay
	}
	var out []stretch
	for _, day := range days {
		part := stretch{from: int64(day)*aDay + from, to: int64(day)*aDay + to}
		if part.to > aWeek { // Sunday's night runs into Monday
			out = append(out, stretch{0, part.to - aWeek})
			part.to = aWeek
		}
		out = append(out, part)
	}
	return out, nil
}

// parseDays understands "weekdays", "mon-thu", "fri-mon" and "mon,wed".
func parseDays(text string) (days []int, err error) {
	for name := range strings.SplitSeq(text, ",") {
		if group, ok := dayGroups[name]; ok {
			days = append(days, group...)
			continue
		}
		first, last, isRange := strings.Cut(name, "-")
		if !isRange {
			last = first
		}
		from, ok := dayNames[first]
		to, ok2 := dayNames[last]
		if !ok || !ok2 {
			return nil, fmt.Errorf("%q is no day (mon to sun, weekdays, weekends, daily)", name)
		}
		for day := from; ; day = (day + 1) % 7 {
			days = append(days, day)
			if day == to {
				break
			}
		}
	}
	return days, nil
}

// parseTime understands 00:00 to 24:00, as seconds.
func parseTime(text string) (int64, error) {
	m := timeOfDay.FindStringSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("%q is not a time of day (00:00 to 24:00)", text)
	}
	hour, errHour := strconv.Atoi(m[1])
	minute, errMinute := strconv.Atoi(m[2])
	if err := errors.Join(errHour, errMinute); err != nil || minute > 59 || hour*60+minute > 24*60 {
		return 0, fmt.Errorf("%q is not a time of day (00:00 to 24:00)", text)
	}
	return int64(hour*60+minute) * 60, nil
}

// union sorts stretches and joins those that touch.
func union(in []stretch) (out []stretch) {
	in = slices.Clone(in)
	slices.SortFunc(in, func(a, b stretch) int { return cmp.Compare(a.from, b.from) })
	for _, s := range in {
		if n := len(out); n > 0 && s.from <= out[n-1].to {
			out[n-1].to = max(out[n-1].to, s.to)
			continue
		}
		out = append(out, s)
	}
	return out
}

// weekPiece says whether a reading of the wall clock is in a window, and from
// which reading to which that is so within its week.
func weekPiece(week []stretch, wall int64) (open bool, from, to int64) {
	const firstMonday = 4 * aDay // 1970-01-05
	monday := floorDiv(wall-firstMonday, aWeek)*aWeek + firstMonday
	from, to = monday, monday+aWeek
	for _, s := range week {
		switch {
		case wall < monday+s.from:
			return false, from, monday + s.from
		case wall < monday+s.to:
			return true, monday + s.from, monday + s.to
		}
		from = monday + s.to
	}
	return false, from, to
}

// opensOn reports whether a weekday has any window, be it the end of the
// evening before's.
func (w Windows) opensOn(day time.Weekday) bool {
	from := int64(day+6) % 7 * aDay
	return slices.ContainsFunc(w.week, func(s stretch) bool { return s.from < from+aDay && s.to > from })
}
