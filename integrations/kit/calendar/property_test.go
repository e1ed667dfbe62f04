package calendar

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The model is the rules once more, told the slow way: it looks at the clock on
// the wall, minute by minute.
type model struct {
	zone    *time.Location
	windows []modelWindow
	days    map[string]bool // closed dates
	eves    bool
	timed   [][2]time.Time
}

type modelWindow struct {
	days     [7]bool // time.Weekday
	from, to int     // minutes; to is at most from for one that runs past midnight
}

func (m model) open(t time.Time) bool {
	t = t.In(m.zone)
	date := func(days int) string {
		return time.Date(t.Year(), t.Month(), t.Day()+days, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
	}
	if m.days[date(0)] || m.eves && m.days[date(1)] {
		return false
	}
	for _, e := range m.timed {
		if !t.Before(e[0]) && t.Before(e[1]) {
			return false
		}
	}
	minute, today := t.Hour()*60+t.Minute(), t.Weekday()
	yesterday := (today + 6) % 7
	for _, w := range m.windows {
		switch {
		case w.from < w.to && w.days[today] && minute >= w.from && minute < w.to:
			return true
		case w.from >= w.to && (w.days[today] && minute >= w.from || w.days[yesterday] && minute < w.to):
			return true
		}
	}
	return len(m.windows) == 0
}

var (
	anyZone = rapid.SampledFrom([]string{"UTC", "Asia/Tokyo", "America/Chicago", "Australia/Lord_Howe", "America/Havana", "Asia/Beirut",
		"Africa/Cairo", "America/Santiago", "America/Asuncion", "Asia/Tehran", "Africa/Casablanca", "Europe/Dublin", "Asia/Kathmandu",
		"America/St_Johns", "America/Nuuk", "Pacific/Apia", "Antarctica/Troll", "Pacific/Chatham"})
	anyMinute = rapid.OneOf(rapid.IntRange(0, 24*60-1), rapid.SampledFrom([]int{0, 30, 60, 90, 119, 120, 150, 180, 23 * 60, 24*60 - 1}))
)

// anyStart is the start of a few days, often just before the clocks change.
func anyStart(t *rapid.T, zone *time.Location) time.Time {
	at := time.Unix(rapid.Int64Range(1_262_304_000, 2_240_524_800).Draw(t, "at")/60*60, 0).In(zone) // 2010 to 2040
	if _, change := at.ZoneBounds(); !change.IsZero() && rapid.IntRange(0, 3).Draw(t, "near a change") > 0 {
		return change.Truncate(time.Minute).Add(-time.Duration(rapid.IntRange(0, 72*60).Draw(t, "before it")) * time.Minute)
	}
	return at
}

// anySpec draws a Spec whose closed days are near from, and its model.
func anySpec(t *rapid.T, zone *time.Location, from time.Time) (Spec, model) {
	s, m := Spec{Zone: zone.String()}, model{zone: zone, days: map[string]bool{}}
	for range rapid.IntRange(0, 3).Draw(t, "windows") {
		w := modelWindow{from: anyMinute.Draw(t, "from"), to: anyMinute.Draw(t, "to")}
		if w.from == w.to {
			w.to = (w.from + 1) % (24 * 60)
		}
		first, last := rapid.IntRange(0, 6).Draw(t, "first day"), rapid.IntRange(0, 6).Draw(t, "last day")
		for d := first; ; d = (d + 1) % 7 {
			w.days[d] = true
			if d == last {
				break
			}
		}
		m.windows = append(m.windows, w)
		s.Open = append(s.Open, fmt.Sprintf("%s-%s %02d:%02d–%02d:%02d", strings.ToLower(time.Weekday(first).String()), time.Weekday(last).String()[:3],
			w.from/60, w.from%60, w.to/60, w.to%60))
	}
	for range rapid.IntRange(0, 3).Draw(t, "closed") {
		first := time.Date(from.Year(), from.Month(), from.Day()+rapid.IntRange(-1, 5).Draw(t, "closed from"), 0, 0, 0, 0, time.UTC)
		length := rapid.IntRange(1, 4).Draw(t, "days")
		for d := range length {
			m.days[first.AddDate(0, 0, d).Format(time.DateOnly)] = true
		}
		s.Closed = append(s.Closed, first.Format(time.DateOnly)+".."+first.AddDate(0, 0, length-1).Format(time.DateOnly))
	}
	m.eves = rapid.Bool().Draw(t, "eves")
	s.Eves = m.eves
	return s, m
}

// anyEvents draws events with times and of whole days, as an ICS file.
func anyEvents(t *rapid.T, from time.Time, m *model) string {
	text := "BEGIN:VCALENDAR\n"
	for range rapid.IntRange(1, 4).Draw(t, "events") {
		text += "BEGIN:VEVENT\n"
		if rapid.Bool().Draw(t, "whole day") {
			day := time.Date(from.Year(), from.Month(), from.Day()+rapid.IntRange(-1, 5).Draw(t, "day"), 0, 0, 0, 0, time.UTC)
			m.days[day.Format(time.DateOnly)] = true
			text += "DTSTART;VALUE=DATE:" + day.Format("20060102") + "\n"
		} else {
			start := from.Add(time.Duration(rapid.IntRange(-60, 5*24*60).Draw(t, "start")) * time.Minute)
			minutes := rapid.IntRange(0, 3000).Draw(t, "minutes")
			m.timed = append(m.timed, [2]time.Time{start, start.Add(time.Duration(minutes) * time.Minute)})
			text += fmt.Sprintf("DTSTART:%s\nDURATION:PT%dM\n", start.UTC().Format("20060102T150405Z"), minutes)
		}
		text += "END:VEVENT\n"
	}
	return text + "END:VCALENDAR\n"
}

func TestAtAgreesWithTheClockOnTheWall(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		zone, err := time.LoadLocation(anyZone.Draw(rt, "zone"))
		if err != nil {
			rt.Fatal(err)
		}
		from := anyStart(rt, zone)
		s, m := anySpec(rt, zone, from)
		if rapid.Bool().Draw(rt, "with a file") {
			s.Closed = append(s.Closed, icsFile(t, anyEvents(rt, from, &m)))
		}
		w := parse(t, s)
		const minutes = 6 * 24 * 60
		open := make([]bool, minutes)
		for i := range open {
			open[i] = m.open(from.Add(time.Duration(i) * time.Minute))
		}
		last := -1 // the minute of the last change
		for i := range open {
			at := from.Add(time.Duration(i) * time.Minute)
			if i > 0 && open[i] != open[i-1] {
				last = i
			}
			got := w.At(at.Add(time.Duration(i%60) * time.Second))
			if got.Open != open[i] || got.Open != (got.Why == "") || got.Open && !got.Since.IsZero() {
				rt.Fatalf("%+v at %s: %s", s, at, told(got))
			}
			if since := from.Add(time.Duration(last) * time.Minute); !open[i] && last >= 0 && !got.Since.Equal(since) {
				rt.Fatalf("%+v at %s: %s; it is so since %s", s, at, told(got), since)
			}
			if !open[i] && last < 0 && got.Since.After(from) {
				rt.Fatalf("%+v at %s: %s; it was so before", s, at, told(got))
			}
			if next := slices.Index(open[i:], !open[i]); next >= 0 && !got.Until.Equal(at.Add(time.Duration(next)*time.Minute)) {
				rt.Fatalf("%+v at %s: %s; it ends %d minutes later", s, at, told(got), next)
			} else if end := from.Add(minutes * time.Minute); next < 0 && !got.Until.IsZero() && got.Until.Before(end) {
				rt.Fatalf("%+v at %s: %s; it goes on until %s", s, at, told(got), end)
			}
		}
	})
}

// ruleModel is a recurrence rule, told the slow way: day by day.
type ruleModel struct {
	freq, interval, count int
	until                 time.Time
	months, monthDays     []int
	weekdays              []time.Weekday
	nth                   int // of each weekday, in the month; 0 is all
}

func (r ruleModel) on(start, day time.Time) bool {
	monday := func(t time.Time) time.Time { return t.AddDate(0, 0, -(int(t.Weekday())+6)%7) }
	months := func(t time.Time) int { return t.Year()*12 + int(t.Month()) }
	apart := map[int]int{
		0: day.Year() - start.Year(), 1: months(day) - months(start),
		2: int(monday(day).Sub(monday(start)).Hours()) / (24 * 7), 3: int(day.Sub(start).Hours()) / 24,
	}[r.freq]
	if apart%r.interval != 0 || len(r.months) > 0 && !slices.Contains(r.months, int(day.Month())) {
		return false
	}
	inMonth := day.AddDate(0, 1, -day.Day()).Day()
	byDay := len(r.monthDays) + len(r.weekdays)
	switch {
	case byDay == 0 && r.freq == 0 && (day.Day() != start.Day() || len(r.months) == 0 && day.Month() != start.Month()),
		byDay == 0 && r.freq == 1 && day.Day() != start.Day(),
		byDay == 0 && r.freq == 2 && day.Weekday() != start.Weekday():
		return false
	case len(r.monthDays) > 0 && !slices.Contains(r.monthDays, day.Day()) && !slices.Contains(r.monthDays, day.Day()-inMonth-1):
		return false
	case len(r.weekdays) > 0 && !slices.Contains(r.weekdays, day.Weekday()):
		return false
	}
	return r.nth == 0 || r.nth > 0 && (day.Day()+6)/7 == r.nth || r.nth < 0 && (inMonth-day.Day())/7 == -r.nth-1
}

func anyRule(t *rapid.T, start time.Time) (r ruleModel, text string) {
	list := func(name string, g *rapid.Generator[int]) []int {
		return rapid.SliceOfNDistinct(g, 1, 3, rapid.ID[int]).Draw(t, name)
	}
	join := func(in []int) string { return strings.Trim(strings.ReplaceAll(fmt.Sprint(in), " ", ","), "[]") }
	r = ruleModel{freq: rapid.IntRange(0, 3).Draw(t, "freq"), interval: rapid.IntRange(1, 4).Draw(t, "interval")}
	text = "FREQ=" + []string{"YEARLY", "MONTHLY", "WEEKLY", "DAILY"}[r.freq]
	if r.interval > 1 {
		text += fmt.Sprintf(";INTERVAL=%d", r.interval)
	}
	if rapid.IntRange(0, 2).Draw(t, "months?") == 0 {
		r.months = list("months", rapid.IntRange(1, 12))
		text += ";BYMONTH=" + join(r.months)
	}
	if r.freq != 2 && rapid.IntRange(0, 2).Draw(t, "month days?") == 0 {
		r.monthDays = list("month days", rapid.OneOf(rapid.IntRange(1, 31), rapid.IntRange(-31, -1)))
		text += ";BYMONTHDAY=" + join(r.monthDays)
	}
	if rapid.IntRange(0, 1).Draw(t, "weekdays?") == 0 {
		if r.freq == 1 || r.freq == 0 && len(r.months) > 0 {
			r.nth = rapid.IntRange(-5, 5).Draw(t, "nth")
		}
		var names []string
		for _, d := range list("weekdays", rapid.IntRange(0, 6)) {
			r.weekdays = append(r.weekdays, time.Weekday(d))
			name := strings.ToUpper(time.Weekday(d).String()[:2])
			if r.nth != 0 {
				name = fmt.Sprint(r.nth) + name
			}
			names = append(names, name)
		}
		text += ";BYDAY=" + strings.Join(names, ",")
	}
	switch rapid.IntRange(0, 2).Draw(t, "end") {
	case 1:
		r.count = rapid.IntRange(1, 40).Draw(t, "count")
		text += fmt.Sprintf(";COUNT=%d", r.count)
	case 2:
		r.until = start.AddDate(0, 0, rapid.IntRange(0, 2000).Draw(t, "until"))
		text += ";UNTIL=" + r.until.Format("20060102")
	}
	return r, text
}

func TestRecurrenceAgreesWithACalendarOnTheWall(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		start := time.Date(2024, 1, 1+rapid.IntRange(0, 1500).Draw(rt, "start"), 0, 0, 0, 0, time.UTC)
		r, text := anyRule(rt, start)
		days, _, err := parseICS([]byte("BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:"+start.Format("20060102")+
			"\nRRULE:"+text+"\nEND:VEVENT\nEND:VCALENDAR\n"), "x", time.UTC, false)
		never := err != nil && strings.Contains(err.Error(), "finds no day")
		if err != nil && !never {
			rt.Fatal(err)
		}
		got := map[int64]bool{}
		for _, d := range days {
			got[d.first] = true
		}
		found := 0
		for day := start; day.Year() < 2040; day = day.AddDate(0, 0, 1) {
			want := r.on(start, day) && (r.count == 0 || found < r.count) && (r.until.IsZero() || !day.After(r.until))
			if want {
				found++
			}
			if never && !want {
				continue
			}
			// The start is always one.
			if n := day.Unix() / aDay; got[n] != (want || day.Equal(start)) {
				rt.Fatalf("%s from %s: %s is %v", text, start.Format(time.DateOnly), day.Format("Mon 2006-01-02"), got[n])
			}
		}
	})
}
