package calendar

import (
	"strings"
	"testing"
	"time"
)

// steady says what is wrong with w around an instant: it must tell the same
// until it changes, and change then.
func steady(w Windows, at time.Time) string {
	for range 3 {
		s := w.At(at)
		switch {
		case s.Open != (s.Why == ""):
			return "open and why: " + told(s)
		case !s.Since.IsZero() && s.Since.After(at):
			return "since later: " + told(s)
		case s.Until.IsZero():
			return ""
		case !s.Until.After(at):
			return "until earlier: " + told(s)
		case w.At(s.Until).Open == s.Open || w.At(s.Until.Add(-time.Second)).Open != s.Open:
			return "no change: " + told(s)
		}
		at = s.Until
	}
	return ""
}

func FuzzWindow(f *testing.F) {
	for _, text := range []string{"weekdays 10:00-18:00", "fri 22:00-02:00", "sat-mon,wed 9:00 – 24:00", "daily 00:00-24:00", "sun 24:00-00:00", "mon-", ", 1:1-2:2"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		w, err := Parse(Spec{Zone: "America/Havana", Open: []string{text}})
		if err != nil {
			if !strings.HasPrefix(err.Error(), "open[0]: ") {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		if what := steady(w, time.Date(2026, 3, 7, 12, 0, 0, 0, w.Zone())); what != "" {
			t.Errorf("%q: %s", text, what)
		}
		for _, s := range w.week {
			if s.from < 0 || s.from >= s.to || s.to > aWeek {
				t.Errorf("%q: %+v", text, w.week)
			}
		}
	})
}

func FuzzClosed(f *testing.F) {
	for _, text := range []string{"japan", "2026-12-24", "2026-12-24..2027-01-04", "0000-01-01 .. 9999-12-31", "JAPAN-year-end", ".."} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.HasPrefix(strings.ToLower(strings.TrimSpace(text)), "ics") {
			t.Skip("it names a file of this machine")
		}
		w, err := Parse(Spec{Zone: "America/St_Johns", Closed: []string{text}, Eves: true})
		if err != nil {
			return
		}
		if what := steady(w, time.Date(2026, 12, 1, 12, 0, 0, 0, w.Zone())); what != "" {
			t.Errorf("%q: %s", text, what)
		}
	})
}

func FuzzICS(f *testing.F) {
	event := func(lines ...string) string {
		return "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:a\n" + strings.Join(lines, "\n") + "\nEND:VEVENT\nEND:VCALENDAR\n"
	}
	for _, text := range []string{
		event("DTSTART;VALUE=DATE:20261224", "DTEND;VALUE=DATE:20261227", "SUMMARY:Trip"),
		event("DTSTART;TZID=Asia/Tokyo:20261224T100000", "DURATION:P1DT2H", "RRULE:FREQ=WEEKLY;BYDAY=MO,TU;UNTIL=20270101", "EXDATE:20261228T010000Z"),
		event("DTSTART:20260101T000000Z", "RECURRENCE-ID;VALUE=DATE:20260101", "RDATE:20260101T000000Z,20260101T010000Z", "STATUS:CANCELLED"),
		event("DTSTART;VALUE=DATE:20240229", "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1;BYSETPOS=1;WKST=SU;INTERVAL=4"),
		"BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\nTZID:x\nBEGIN:STANDARD\nTZOFFSETTO:+0900\nEND:STANDARD\nEND:VTIMEZONE\nEND:VCALENDAR",
	} {
		f.Add(text)
	}
	zone, err := time.LoadLocation("America/Chicago")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		days, timed, err := parseICS([]byte(text), "x.ics", zone, false)
		if err != nil {
			return
		}
		w := Windows{zone: zone, set: true}
		w.close(days, timed)
		if what := steady(w, time.Date(2026, 12, 1, 12, 0, 0, 0, zone)); what != "" {
			t.Error(what)
		}
	})
}

// FuzzRule keeps the library from what it was not written for: a rule is
// refused, or worked out.
func FuzzRule(f *testing.F) {
	for _, rule := range []string{
		"FREQ=YEARLY", "FREQ=MONTHLY;BYDAY=-1FR,2MO;BYMONTH=1,2", "FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=SA,SU;COUNT=9", "FREQ=DAILY;BYHOUR=9,10;BYMINUTE=30;BYSECOND=5",
		"FREQ=YEARLY;BYYEARDAY=-366,366,1;BYDAY=MO", "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "FREQ=YEARLY;BYDAY=53MO,-53TU;BYSETPOS=-366,366", "FREQ=MONTHLY;INTERVAL=99999",
		"FREQ=WEEKLY;BYSETPOS=366;BYDAY=MO", "FREQ=YEARLY;UNTIL=20990101T000000Z;BYMONTHDAY=31,-31",
	} {
		f.Add(rule, true)
		f.Add(rule, false)
	}
	f.Fuzz(func(t *testing.T, rule string, wholeDay bool) {
		at := &file{zone: time.UTC}
		start := moment{date: wholeDay, wall: 1_785_542_400, zone: time.UTC} // 2026-08-01
		r, err := at.readRule(rule, start)
		if err != nil {
			return
		}
		keys, err := r.expand(start, 5000)
		if err != nil {
			return
		}
		for _, key := range keys {
			if key < start.wall || key > r.until || key > dayOf(horizon+1, 1, 1)*aDay {
				t.Errorf("%s: %d is out of bounds", rule, key)
			}
		}
	})
}
