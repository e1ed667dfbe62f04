package commands

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/calendar"
)

// A moment is a time in the past as people name it, before it is known in whose
// zone they live and what time it is there.
type moment func(now time.Time) time.Time

// longestMoment is of how many words a moment is made at most: "2 weeks ago",
// "last friday 18:00", "20 nov 2026 10:00".
const longestMoment = 4

// firstYear is before anything that could be asked about.
const firstYear = 1970

// Since is the moment that a word of the kind ArgWhen names, for somebody in
// zone; ok is false if it names none. Days begin at their midnight there, weeks
// on Monday. A weekday alone is the last one before today.
func Since(word string, now time.Time, zone *time.Location) (at time.Time, ok bool) {
	m, ok := past.read(word)
	if !ok {
		return time.Time{}, false
	}
	return m(now.In(zone)), true
}

// Moment is the moment that a word of the kind ArgMoment names, for somebody in zone:
// the next one of that name from now on. Days begin at their midnight there. A weekday
// without a time is today's if it is that day. What can only be meant of the past
// ("yesterday", "3 days ago") is understood too.
func Moment(word string, now time.Time, zone *time.Location) (at time.Time, ok bool) {
	m, ok := toCome.read(word)
	if !ok {
		return time.Time{}, false
	}
	return m(now.In(zone)), true
}

// A tense is which way times are read that do not say it themselves.
type tense struct {
	read  func(s string) (moment, bool)
	say   string   // what can be said
	words []string // what a misspelt word may have been meant as
}

var (
	past = tense{readMoment, "friday, yesterday, last week, 7d, 2026-11-20 or \"2026-11-20 10:00\"",
		[]string{"today", "yesterday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}}
	toCome = tense{readAhead, "18:00, tomorrow, friday 9:00, 2h, 2026-12-24 or \"2026-12-24 10:00\"",
		[]string{"now", "today", "tomorrow", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}}
)

// moments reads as many tokens as make a moment.
func moments(toks []token, in tense) reading {
	var words []string
	best := 0
	for i, t := range toks {
		if i == longestMoment || t.flag != "" || i > 0 && t.quoted {
			break
		}
		words = append(words, t.text)
		if _, ok := in.read(strings.Join(words, " ")); ok {
			best = i + 1
		}
	}
	if best > 0 {
		return fit(integrations.Fold(strings.Join(words[:best], " ")), best)
	}
	word := toks[0].text
	for _, w := range spellings(word)[1:] {
		if _, ok := in.read(w); ok {
			return fit(integrations.Fold(w), 1)
		}
	}
	p := &problem{
		code: "bad_time",
		what: fmt.Sprintf("%s is no time that I know: say %s.", show(word), in.say),
	}
	if strings.IndexFunc(word, func(r rune) bool { return r >= '0' && r <= '9' }) < 0 {
		p.near = nearest(word, in.words, 1)
	}
	return misfit(word, 1, p)
}

// readMoment reads "friday", "last week", "7d", "3 days ago", "yesterday 18:00",
// "20 nov", "2026-11-20", "2026-11-20 10:00" or an RFC 3339 time.
func readMoment(s string) (moment, bool) {
	s = strings.Join(strings.Fields(integrations.Fold(s)), " ")
	s = strings.TrimSuffix(s, "から")
	if at, err := time.Parse(time.RFC3339, strings.ToUpper(s)); err == nil && at.Year() >= firstYear {
		return func(time.Time) time.Time { return at }, true
	}
	if d, ok := backwards(s); ok {
		return func(now time.Time) time.Time { return now.Add(-d) }, true
	}
	if hour, ok := clockTime(s); ok { // the last time that the clock showed it
		return func(now time.Time) time.Time {
			at := day{}.at(now, hour)
			if at.After(now) {
				at = day{days: -1}.at(now, hour)
			}
			return at
		}, true
	}
	date, rest := dateAndTime(s)
	hour, _ := clockTime(rest)
	d, ok := readDay(date)
	if !ok {
		return nil, false
	}
	return func(now time.Time) time.Time { return d(now).at(now, hour) }, true
}

// dateAndTime splits "friday 18:00"; the time is "" where there is none.
func dateAndTime(s string) (date, clock string) {
	if i := max(strings.LastIndexByte(s, ' '), dateT(s)); i > 0 {
		if _, ok := clockTime(s[i+1:]); ok {
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

// dateT is where the T of "2026-11-20T10:00" stands, 0 if there is none.
func dateT(s string) int {
	if len(s) > 10 && s[10] == 't' {
		return 10
	}
	return 0
}

// backwards reads a time span that ends now: "7d", "7 days", "3 days ago", "last 7 days".
func backwards(s string) (time.Duration, bool) {
	s = strings.TrimSuffix(strings.TrimSuffix(s, " ago"), "前")
	for _, w := range []string{"the last ", "the past ", "last ", "past "} {
		if rest, ok := strings.CutPrefix(s, w); ok {
			s = rest
			break
		}
	}
	return parseDuration(strings.ReplaceAll(s, " ", ""))
}

var clockForm = regexp.MustCompile(`^([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?$`)

// clockTime is a time of day as seconds since midnight; "" is midnight and no time.
func clockTime(s string) (seconds int, ok bool) {
	m := clockForm.FindStringSubmatch(s)
	if m == nil {
		return 0, false
	}
	h, _ := strconv.Atoi(m[1])
	minute, _ := strconv.Atoi(m[2])
	sec, _ := strconv.Atoi("0" + m[3])
	return (h*60+minute)*60 + sec, h < 24 && minute < 60 && sec < 60
}

// A day is a date, or so many days from today if it has no year.
type day struct {
	year  int
	month time.Month
	date  int
	days  int
}

// at is a time of the day, so many seconds of the clock after midnight.
func (d day) at(now time.Time, seconds int) time.Time {
	if d.year == 0 {
		d.year, d.month, d.date = now.Date()
	}
	return calendar.At(now.Location(), d.year, d.month, d.date+d.days, 0, 0, seconds)
}

// A dater is a day as people name it.
type dater func(now time.Time) day

var dateForms = []string{"2006-01-02", "2006/01/02", "2 Jan 2006", "2 January 2006", "Jan 2 2006", "January 2 2006"}

var shortForms = []string{"2 Jan", "2 January", "Jan 2", "January 2"}

func readDay(s string) (dater, bool) {
	if d, ok := namedDays[s]; ok {
		return d, true
	}
	if w, ok := weekdays[strings.TrimPrefix(s, "last ")]; ok {
		return func(now time.Time) day { return day{days: -1 - (int(now.Weekday())-int(w)+6)%7} }, true
	}
	s = strings.ReplaceAll(s, ",", "")
	for _, form := range dateForms {
		if t, err := time.Parse(form, s); err == nil && t.Year() >= firstYear {
			return func(time.Time) day { return day{year: t.Year(), month: t.Month(), date: t.Day()} }, true
		}
	}
	for _, form := range shortForms { // in a leap year, so that 29 feb is read; of the last year that has had it
		if t, err := time.Parse(form+" 2006", s+" 2000"); err == nil {
			return func(now time.Time) day {
				year := now.Year()
				if t.Month() > now.Month() || t.Month() == now.Month() && t.Day() > now.Day() {
					year--
				}
				return day{year: year, month: t.Month(), date: t.Day()}
			}, true
		}
	}
	return nil, false
}

// daysAgo, mondays and firsts name a day by how long ago it, its week or its month was.
func daysAgo(n int) dater { return func(time.Time) day { return day{days: -n} } }

func mondays(ago int) dater {
	return func(now time.Time) day { return day{days: -(int(now.Weekday())+6)%7 - 7*ago} }
}

func firsts(ago int) dater {
	return func(now time.Time) day { return day{year: now.Year(), month: now.Month() - time.Month(ago), date: 1} }
}

var namedDays = map[string]dater{
	"today": daysAgo(0), "yesterday": daysAgo(1), "the day before yesterday": daysAgo(2),
	"this week": mondays(0), "last week": mondays(1), "this month": firsts(0), "last month": firsts(1),
	"今日": daysAgo(0), "昨日": daysAgo(1), "一昨日": daysAgo(2), "今週": mondays(0), "先週": mondays(1), "今月": firsts(0), "先月": firsts(1),
}

var weekdays = func() map[string]time.Weekday {
	out := map[string]time.Weekday{"tues": time.Tuesday, "thur": time.Thursday, "thurs": time.Thursday}
	for w, kanji := range []string{"日", "月", "火", "水", "木", "金", "土"} {
		name := strings.ToLower(time.Weekday(w).String())
		out[name], out[name[:3]] = time.Weekday(w), time.Weekday(w)
		out[kanji+"曜"], out[kanji+"曜日"] = time.Weekday(w), time.Weekday(w)
	}
	return out
}()
