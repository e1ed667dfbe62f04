package commands

import (
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// readAhead reads "18:00", "tomorrow", "friday 9:00", "next week", "2h", "in 3 days",
// "24 dec", "2026-12-24 10:00", "now", and what readMoment reads of the past.
func readAhead(s string) (moment, bool) {
	s = strings.Join(strings.Fields(integrations.Fold(s)), " ")
	s = strings.TrimSuffix(strings.TrimSuffix(s, "まで"), "から")
	switch s {
	case "now", "今":
		return func(now time.Time) time.Time { return now }, true
	case "last", "past", "":
		return nil, false
	}
	span := strings.TrimSuffix(strings.TrimPrefix(s, "in "), "後")
	if d, ok := parseDuration(strings.ReplaceAll(span, " ", "")); ok {
		return func(now time.Time) time.Time { return now.Add(d) }, true
	}
	if hour, ok := clockTime(s); ok { // the next time that the clock shows it
		return func(now time.Time) time.Time {
			at := day{}.at(now, hour)
			if !at.After(now) {
				at = day{days: 1}.at(now, hour)
			}
			return at
		}, true
	}
	date, clock := dateAndTime(s)
	hour, _ := clockTime(clock)
	if d, ok := aheadDay(date); ok {
		return func(now time.Time) time.Time { return d(now, clock != "", hour).at(now, hour) }, true
	}
	return readMoment(s)
}

// An aheadDater is a day to come as people name it; timed says that a time of that day
// was named too, which today may have passed.
type aheadDater func(now time.Time, timed bool, seconds int) day

func daysAhead(n int) aheadDater {
	return func(time.Time, bool, int) day { return day{days: n} }
}

var daysToCome = map[string]aheadDater{
	"tomorrow": daysAhead(1), "the day after tomorrow": daysAhead(2), "day after tomorrow": daysAhead(2),
	"明日": daysAhead(1), "明後日": daysAhead(2),
	"next week": nextMonday, "来週": nextMonday, "next month": nextFirst, "来月": nextFirst,
}

func nextMonday(now time.Time, _ bool, _ int) day { return day{days: 7 - (int(now.Weekday())+6)%7} }

func nextFirst(now time.Time, _ bool, _ int) day {
	return day{year: now.Year(), month: now.Month() + 1, date: 1}
}

func aheadDay(s string) (aheadDater, bool) {
	if d, ok := daysToCome[s]; ok {
		return d, true
	}
	if w, ok := weekdays[strings.TrimPrefix(strings.TrimPrefix(s, "next "), "this ")]; ok {
		another := strings.HasPrefix(s, "next ") // "next friday", said on a Friday, is another one
		return func(now time.Time, timed bool, seconds int) day {
			ahead := (int(w) - int(now.Weekday()) + 7) % 7
			if ahead == 0 && (another || timed && !(day{}).at(now, seconds).After(now)) {
				ahead = 7
			}
			return day{days: ahead}
		}, true
	}
	s = strings.ReplaceAll(s, ",", "")
	for _, form := range shortForms { // in a leap year, so that 29 feb is read
		if t, err := time.Parse(form+" 2006", s+" 2000"); err == nil {
			return func(now time.Time, _ bool, _ int) day {
				year := now.Year()
				if t.Month() < now.Month() || t.Month() == now.Month() && t.Day() < now.Day() {
					year++
				}
				return day{year: year, month: t.Month(), date: t.Day()}
			}, true
		}
	}
	return nil, false
}
