package calendar

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// calendarOf writes an ICS file with one event for each argument, and returns
// its entry for Closed. Lines of an event are parted by spaces that stand for
// line ends, "_" is a space.
func calendarOf(t testing.TB, events ...string) string {
	t.Helper()
	text := "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//acme//company//EN\r\n"
	for i, e := range events {
		if !strings.HasPrefix(e, "BEGIN:") {
			e = fmt.Sprintf("BEGIN:VEVENT UID:%d@acme DTSTAMP:20260101T000000Z %s END:VEVENT", i, e)
		}
		text += strings.ReplaceAll(strings.ReplaceAll(e, " ", "\r\n"), "_", " ") + "\r\n"
	}
	return icsFile(t, text+"END:VCALENDAR\r\n")
}

func icsFile(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "company.ics")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return "ics:" + path
}

// closedTimes lists the closed times between two dates in the Spec's zone.
func closedTimes(t testing.TB, s Spec, from, to string) string {
	t.Helper()
	w := parse(t, s)
	at, err := time.ParseInLocation(time.DateOnly, from, w.Zone())
	if err != nil {
		t.Fatal(err)
	}
	end, err := time.ParseInLocation(time.DateOnly, to, w.Zone())
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for at.Before(end) {
		s := w.At(at)
		if !s.Open {
			out = append(out, s.Since.Format("01-02 15:04")+" to "+s.Until.Format("01-02 15:04"))
		}
		if s.Until.IsZero() {
			break
		}
		at = s.Until
	}
	return strings.Join(out, ", ")
}

func TestAnEventCloses(t *testing.T) {
	const christmas = "12-24 00:00 to 12-25 00:00"
	for _, row := range []struct{ name, event, want string }{
		{"a whole day", "DTSTART;VALUE=DATE:20261224 DTEND;VALUE=DATE:20261225", christmas},
		{"a whole day without an end", "DTSTART;VALUE=DATE:20261224", christmas},
		{"a whole day that ends on itself", "DTSTART;VALUE=DATE:20261224 DTEND;VALUE=DATE:20261224", christmas},
		{"a whole day, whatever TZID stands by it", "DTSTART;VALUE=DATE;TZID=America/Chicago:20261224", christmas},
		{"in lower case", "dtstart;value=date:20261224", christmas},
		{"several days, the end is no part", "DTSTART;VALUE=DATE:20261224 DTEND;VALUE=DATE:20261227", "12-24 00:00 to 12-27 00:00"},
		{"days by their number", "DTSTART;VALUE=DATE:20261224 DURATION:P3D", "12-24 00:00 to 12-27 00:00"},
		{"weeks", "DTSTART;VALUE=DATE:20261201 DURATION:P1W", "12-01 00:00 to 12-08 00:00"},
		{"a floating time, which is the zone's", "DTSTART:20261224T100000 DTEND:20261224T113000", "12-24 10:00 to 12-24 11:30"},
		{"a time in UTC", "DTSTART:20261224T100000Z DTEND:20261224T113000Z", "12-24 19:00 to 12-24 20:30"},
		{"a time elsewhere", "DTSTART;TZID=America/Chicago:20261224T100000 DTEND;TZID=America/Chicago:20261224T113000", "12-25 01:00 to 12-25 02:30"},
		{"to the second", "DTSTART:20261224T100030 DURATION:PT1M30S", "12-24 10:00 to 12-24 10:02"},
		{"a length in time", "DTSTART:20261224T100000 DURATION:P1DT2H30M", "12-24 10:00 to 12-25 12:30"},
		{"no length: nothing", "DTSTART:20261224T100000", ""},
		{"cancelled: nothing", "DTSTART;VALUE=DATE:20261224 STATUS:CANCELLED", ""},
		{"tentative, which still closes", "DTSTART;VALUE=DATE:20261224 STATUS:TENTATIVE", christmas},
		{"free time, as holiday feeds mark them", "DTSTART;VALUE=DATE:20261224 TRANSP:TRANSPARENT", christmas},
		{"what is cancelled need not be understood", "DTSTART;VALUE=DATE:20261224 RRULE:FREQ=HOURLY STATUS:CANCELLED", ""},
		{"busy time", "DTSTART;VALUE=DATE:20261224 TRANSP:OPAQUE", christmas},
		{"a to-do: nothing", "BEGIN:VTODO UID:1 DTSTART;VALUE=DATE:20261224 END:VTODO", ""},
		{"an event in lower case", "BEGIN:vevent UID:1 DTSTART;VALUE=DATE:20261224 END:vevent", christmas},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := Spec{Zone: "Asia/Tokyo", Closed: []string{calendarOf(t, row.event)}}
			if got := closedTimes(t, s, "2026-11-01", "2027-02-01"); got != row.want {
				t.Errorf("closed %s, want %s", got, row.want)
			}
		})
	}
}

// A feed of holidays as Google exports it: every event is marked as free time.
// All close, unless the configuration says that what is free stays open.
func TestAFeedOfHolidaysCloses(t *testing.T) {
	day := func(uid, from, to, name string) string {
		return "BEGIN:VEVENT\r\nDTSTART;VALUE=DATE:" + from + "\r\nDTEND;VALUE=DATE:" + to + "\r\nDTSTAMP:20261001T000000Z\r\nUID:" + uid + "@google.com\r\n" +
			"CLASS:PUBLIC\r\nCREATED:20261001T000000Z\r\nDESCRIPTION:Public holiday\r\nSTATUS:CONFIRMED\r\nSUMMARY:" + name + "\r\nTRANSP:TRANSPARENT\r\nEND:VEVENT\r\n"
	}
	feed := icsFile(t, "BEGIN:VCALENDAR\r\nPRODID:-//Google Inc//Google Calendar 70.9054//EN\r\nVERSION:2.0\r\nCALSCALE:GREGORIAN\r\nMETHOD:PUBLISH\r\nX-WR-TIMEZONE:UTC\r\n"+
		day("1", "20261103", "20261104", "Culture Day")+day("2", "20261123", "20261124", "Labor Thanksgiving Day")+
		"BEGIN:VEVENT\r\nUID:3\r\nDTSTART;VALUE=DATE:20261225\r\nSUMMARY:Release party\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n")
	const party = "12-25 00:00 to 12-26 00:00"
	for free, want := range map[string]string{"": "11-03 00:00 to 11-04 00:00, 11-23 00:00 to 11-24 00:00, " + party, "closed": "11-03 00:00 to 11-04 00:00, 11-23 00:00 to 11-24 00:00, " + party, "open": party} {
		if got := closedTimes(t, Spec{Zone: "Asia/Tokyo", Closed: []string{feed}, Free: free}, "2026-11-01", "2027-02-01"); got != want {
			t.Errorf("free: %q is closed %s, want %s", free, got, want)
		}
	}
	if _, err := Parse(Spec{Free: "maybe"}); err == nil || err.Error() != `free: "maybe" is neither closed nor open` {
		t.Errorf("free: maybe is %v", err)
	}
}

func TestAnEventRecurs(t *testing.T) {
	for _, row := range []struct{ name, event, want string }{
		{"every year, since long ago", "DTSTART;VALUE=DATE:20101224 RRULE:FREQ=YEARLY", "12-24 00:00 to 12-25 00:00"},
		{"every year on the fourth Thursday of November", "DTSTART;VALUE=DATE:20201126 RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH", "11-26 00:00 to 11-27 00:00"},
		{"every second week", "DTSTART;VALUE=DATE:20261102 RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=3",
			"11-02 00:00 to 11-03 00:00, 11-16 00:00 to 11-17 00:00, 11-30 00:00 to 12-01 00:00"},
		{"every weekday, until a day", "DTSTART;VALUE=DATE:20261106 RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR;UNTIL=20261110",
			"11-06 00:00 to 11-07 00:00, 11-09 00:00 to 11-11 00:00"},
		{"until a time in UTC, of whole days", "DTSTART;VALUE=DATE:20261102 RRULE:FREQ=DAILY;UNTIL=20261102T150000Z", "11-02 00:00 to 11-04 00:00"},
		{"until a day, of times", "DTSTART:20261102T100000 DTEND:20261102T110000 RRULE:FREQ=DAILY;UNTIL=20261103",
			"11-02 10:00 to 11-02 11:00, 11-03 10:00 to 11-03 11:00"},
		{"until its own time, inclusive", "DTSTART:20261102T100000 DTEND:20261102T110000 RRULE:FREQ=DAILY;UNTIL=20261103T010000Z",
			"11-02 10:00 to 11-02 11:00, 11-03 10:00 to 11-03 11:00"},
		{"until just before", "DTSTART:20261102T100000 DTEND:20261102T110000 RRULE:FREQ=DAILY;UNTIL=20261103T005959Z", "11-02 10:00 to 11-02 11:00"},
		{"until a time on the zone's own clock", "DTSTART:20261102T100000 DTEND:20261102T110000 RRULE:FREQ=DAILY;UNTIL=20261103T100000",
			"11-02 10:00 to 11-02 11:00, 11-03 10:00 to 11-03 11:00"},
		{"the last weekday of each month", "DTSTART;VALUE=DATE:20261130 RRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;COUNT=2",
			"11-30 00:00 to 12-01 00:00, 12-31 00:00 to 01-01 00:00"},
		{"less a date", "DTSTART;VALUE=DATE:20261102 RRULE:FREQ=DAILY;COUNT=4 EXDATE;VALUE=DATE:20261103", "11-02 00:00 to 11-03 00:00, 11-04 00:00 to 11-06 00:00"},
		{"less two dates in one line", "DTSTART;VALUE=DATE:20261102 RRULE:FREQ=DAILY;COUNT=4 EXDATE;VALUE=DATE:20261103,20261104", "11-02 00:00 to 11-03 00:00, 11-05 00:00 to 11-06 00:00"},
		{"less a time, told in UTC", "DTSTART:20261102T100000 DURATION:PT1H RRULE:FREQ=DAILY;COUNT=2 EXDATE:20261102T010000Z", "11-03 10:00 to 11-03 11:00"},
		{"less a time, told by its date alone", "DTSTART:20261102T100000 DURATION:PT1H RRULE:FREQ=DAILY;COUNT=2 EXDATE;VALUE=DATE:20261102", "11-03 10:00 to 11-03 11:00"},
		{"and on other dates", "DTSTART;VALUE=DATE:20261102 RDATE;VALUE=DATE:20261105,20261110", "11-02 00:00 to 11-03 00:00, 11-05 00:00 to 11-06 00:00, 11-10 00:00 to 11-11 00:00"},
		{"the start is one, whether the rule says so or not", "DTSTART;VALUE=DATE:20261103 RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=1", "11-03 00:00 to 11-04 00:00, 11-09 00:00 to 11-10 00:00"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := Spec{Zone: "Asia/Tokyo", Closed: []string{calendarOf(t, row.event)}}
			if got := closedTimes(t, s, "2026-11-01", "2027-02-01"); got != row.want {
				t.Errorf("closed %s, want %s", got, row.want)
			}
		})
	}
}

func TestAnOccurrenceThatWasMovedOrCancelled(t *testing.T) {
	const weekly = "BEGIN:VEVENT UID:weekly DTSTART:20261102T100000 DTEND:20261102T110000 RRULE:FREQ=WEEKLY;COUNT=3 END:VEVENT"
	for _, row := range []struct{ name, second, want string }{
		{"moved", "BEGIN:VEVENT UID:weekly RECURRENCE-ID:20261109T100000 DTSTART:20261110T120000 DTEND:20261110T130000 END:VEVENT",
			"11-02 10:00 to 11-02 11:00, 11-10 12:00 to 11-10 13:00, 11-16 10:00 to 11-16 11:00"},
		{"cancelled", "BEGIN:VEVENT UID:weekly RECURRENCE-ID:20261109T010000Z DTSTART:20261109T100000 STATUS:CANCELLED END:VEVENT",
			"11-02 10:00 to 11-02 11:00, 11-16 10:00 to 11-16 11:00"},
		{"named by its date", "BEGIN:VEVENT UID:weekly RECURRENCE-ID;VALUE=DATE:20261109 DTSTART:20261109T100000 STATUS:CANCELLED END:VEVENT",
			"11-02 10:00 to 11-02 11:00, 11-16 10:00 to 11-16 11:00"},
		{"of another event", "BEGIN:VEVENT UID:other RECURRENCE-ID:20261109T100000 DTSTART:20261109T100000 STATUS:CANCELLED END:VEVENT",
			"11-02 10:00 to 11-02 11:00, 11-09 10:00 to 11-09 11:00, 11-16 10:00 to 11-16 11:00"},
	} {
		t.Run(row.name, func(t *testing.T) {
			for _, events := range [][]string{{weekly, row.second}, {row.second, weekly}} {
				s := Spec{Zone: "Asia/Tokyo", Closed: []string{calendarOf(t, events...)}}
				if got := closedTimes(t, s, "2026-11-01", "2027-02-01"); got != row.want {
					t.Errorf("closed %s, want %s", got, row.want)
				}
			}
		})
	}
}

func TestEventsWhenTheClocksChange(t *testing.T) {
	for _, row := range []struct{ name, event, want string }{
		{"a daily event keeps its time on the wall", "DTSTART:20261031T090000 DTEND:20261031T100000 RRULE:FREQ=DAILY;COUNT=2",
			"10-31 09:00 to 10-31 10:00, 11-01 09:00 to 11-01 10:00"},
		{"a day is as long as the calendar has it", "DTSTART:20261031T120000 DURATION:P1D", "10-31 12:00 to 11-01 12:00"},
		{"24 hours are 24 hours", "DTSTART:20261031T120000 DURATION:PT24H", "10-31 12:00 to 11-01 11:00"},
		{"a whole day is 25 hours", "DTSTART;VALUE=DATE:20261101", "11-01 00:00 to 11-02 00:00"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := Spec{Zone: "America/Chicago", Closed: []string{calendarOf(t, row.event)}}
			if got := closedTimes(t, s, "2026-10-30", "2026-11-10"); got != row.want {
				t.Errorf("closed %s, want %s", got, row.want)
			}
		})
	}
}

func TestZonesThatTheFileDescribes(t *testing.T) {
	zone := func(name, more string) string {
		return "BEGIN:VTIMEZONE TZID:" + name + " " + more + " END:VTIMEZONE"
	}
	observance := func(kind, offset string) string {
		return "BEGIN:" + kind + " DTSTART:16010101T000000 TZOFFSETFROM:+0000 TZOFFSETTO:" + offset + " END:" + kind
	}
	const event = "DTSTART;TZID=Tokyo_Standard_Time:20261224T100000 DURATION:PT1H"
	for _, row := range []struct{ name, zone string }{
		{"one offset all year", zone("Tokyo_Standard_Time", observance("STANDARD", "+0900")+" "+observance("DAYLIGHT", "+0900"))},
		{"its place", zone("Tokyo_Standard_Time", "X-LIC-LOCATION:Asia/Tokyo "+observance("STANDARD", "+0100"))},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := Spec{Closed: []string{calendarOf(t, row.zone, event)}}
			if got := closedTimes(t, s, "2026-12-01", "2027-01-01"); got != "12-24 01:00 to 12-24 02:00" {
				t.Errorf("closed %s", got)
			}
		})
	}
	s := Spec{Closed: []string{calendarOf(t, zone("Tokyo_Standard_Time", observance("STANDARD", "+0900")+" "+observance("DAYLIGHT", "+1000")), event)}}
	if _, err := Parse(s); err == nil || !strings.Contains(err.Error(), `TZID "Tokyo Standard Time" is not an IANA zone`) {
		t.Errorf("a zone with rules of its own: %v", err)
	}
}

func TestWhatAnEventSays(t *testing.T) {
	for _, row := range []struct{ name, summary, want string }{
		{"its summary", `SUMMARY:Company_trip\,_no_deploys`, "Company trip, no deploys"},
		{"on one line", `SUMMARY:Company\ntrip`, "Company trip"},
		{"over a folded line", "SUMMARY:Com\r\n_pany_trip", "Company trip"},
		{"in Japanese", "SUMMARY;LANGUAGE=ja:創立記念日", "創立記念日"},
		{"none", "DESCRIPTION:x", "an event without a name in company.ics"},
		{"too long", "SUMMARY:" + strings.Repeat("長", 300), strings.Repeat("長", 199) + "…"},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := parse(t, Spec{Closed: []string{calendarOf(t, "DTSTART;VALUE=DATE:20261224 "+row.summary)}, Eves: true})
			if got := w.At(time.Date(2026, 12, 24, 12, 0, 0, 0, time.UTC)).Why; got != row.want {
				t.Errorf("%q, want %q", got, row.want)
			}
			if got := w.At(time.Date(2026, 12, 23, 12, 0, 0, 0, time.UTC)).Why; got != "the eve of "+row.want {
				t.Errorf("eve: %q", got)
			}
		})
	}
}

func TestAnEventWithTimesHasNoEve(t *testing.T) {
	s := Spec{Closed: []string{calendarOf(t, "DTSTART:20261224T000000 DTEND:20261225T000000"), "2026-12-28"}, Eves: true}
	if got, want := closedTimes(t, s, "2026-12-01", "2027-01-01"), "12-24 00:00 to 12-25 00:00, 12-27 00:00 to 12-29 00:00"; got != want {
		t.Errorf("closed %s, want %s", got, want)
	}
}

func TestWhatAFileSaysAndIsNotUnderstood(t *testing.T) {
	const day = "DTSTART;VALUE=DATE:20261224 "
	for _, row := range []struct{ name, event, want string }{
		{"by the hour", day + "RRULE:FREQ=HOURLY", `FREQ is "HOURLY"`},
		{"no frequency", day + "RRULE:COUNT=2", `FREQ is ""`},
		{"a part from elsewhere", day + "RRULE:FREQ=YEARLY;BYEASTER=0", "it says BYEASTER"},
		{"week numbers", day + "RRULE:FREQ=YEARLY;BYWEEKNO=20", "it says BYWEEKNO"},
		{"a part twice", day + "RRULE:FREQ=YEARLY;BYMONTH=1;BYMONTH=2", "BYMONTH stands twice"},
		{"no interval", day + "RRULE:FREQ=DAILY;INTERVAL=0", "INTERVAL=0 is not a number from 1"},
		{"two ends", day + "RRULE:FREQ=DAILY;COUNT=2;UNTIL=20270101", "both COUNT and UNTIL"},
		{"a month too many", day + "RRULE:FREQ=YEARLY;BYMONTH=13", "bymonth must be between 1 and 12"},
		{"the 53rd Monday of a month", day + "RRULE:FREQ=MONTHLY;BYDAY=-53MO", "BYDAY=-53MO does not go with FREQ=MONTHLY"},
		{"the second Monday of a week", day + "RRULE:FREQ=WEEKLY;BYDAY=2MO", "BYDAY=+2MO does not go with FREQ=WEEKLY"},
		{"hours of a whole day", day + "RRULE:FREQ=DAILY;BYHOUR=9", "BYHOUR=9 is not for whole days"},
		{"an until that is none", day + "RRULE:FREQ=DAILY;UNTIL=soon", `UNTIL "SOON"`},
		{"30 February", day + "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "finds no day until 2099"},
		{"two rules", day + "RRULE:FREQ=YEARLY RRULE:FREQ=WEEKLY", "two RRULEs"},
		{"what a rule leaves out", day + "RRULE:FREQ=DAILY EXRULE:FREQ=WEEKLY", "EXRULE is not understood"},
		{"periods", day + "RDATE;VALUE=PERIOD:20261224T100000Z/PT1H", "RDATE with periods"},
		{"a time among dates", day + "RDATE:20261224T100000Z", "RDATE and DTSTART are not both dates"},
		{"a time left out of dates", day + "RRULE:FREQ=DAILY EXDATE:20261224T100000Z", "leaves out a time"},
		{"this and all that follow", day + "RECURRENCE-ID;RANGE=THISANDFUTURE;VALUE=DATE:20261224", "RANGE changes several"},
		{"no start", "SUMMARY:x", "needs one DTSTART"},
		{"an end and a length", day + "DTEND;VALUE=DATE:20261225 DURATION:P1D", "at most one DTEND or DURATION"},
		{"an end before the start", day + "DTEND;VALUE=DATE:20261223", "DTEND 20261223 is before DTSTART 20261224"},
		{"a date and a time", day + "DTEND:20261225T100000", "not both dates or both times"},
		{"hours of days", day + "DURATION:PT5H", "is not in days"},
		{"a length that is none", day + "DURATION:-P1D", `DURATION "-P1D" is not a length`},
		{"a day that is none", "DTSTART;VALUE=DATE:20260230", `DTSTART "20260230" is neither a date`},
		{"a time that is none", "DTSTART:20261224T250000", `DTSTART "20261224T250000" is neither a date`},
		{"an unknown zone", "DTSTART;TZID=W._Europe_Standard_Time:20261224T100000", `TZID "W. Europe Standard Time" is not an IANA zone`},
	} {
		t.Run(row.name, func(t *testing.T) {
			entry := calendarOf(t, row.event+" SUMMARY:Trip")
			_, err := Parse(Spec{Closed: []string{"japan", entry}})
			if err == nil {
				t.Fatal("it is taken")
			}
			got := err.Error()
			if !strings.HasPrefix(got, "closed[1]: "+strings.TrimPrefix(entry, "ics:")+`: event "`) || !strings.Contains(got, "(UID 0@acme)") || !strings.Contains(got, row.want) {
				t.Errorf("got %s\nwant %s", got, row.want)
			}
		})
	}
}

func TestAFileThatIsNoneIsRefused(t *testing.T) {
	const head, event, end = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\n", "BEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20261224\r\nEND:VEVENT\r\n", "END:VCALENDAR\r\n"
	for _, row := range []struct{ name, text, want string }{
		{"empty", "", "does not end with END:VCALENDAR"},
		{"a page", "<html>sign in</html>", "does not end with END:VCALENDAR"},
		{"cut off between events", head + event, "does not end with END:VCALENDAR"},
		{"cut off in an event", head + event[:30] + end, "not a well-formed ICS file"},
		{"no beginning", end, "not a well-formed ICS file"},
		{"too large", head + strings.Repeat("X-PAD:0123456789\r\n", maxICS/18) + end, "larger than 1024 KiB"},
		{"many weekly events without an end", head + strings.Repeat(strings.Replace(event, "END", "RRULE:FREQ=DAILY\r\nEND", 1), 20) + end, "recur more than 400000 times"},
		{"many mistakes", head + strings.Repeat(strings.Replace(event, "20261224", "2026", 1), 15) + end, "and more events after these"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := Parse(Spec{Closed: []string{icsFile(t, row.text)}})
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("got %v\nwant %s", err, row.want)
			}
		})
	}
	if _, err := Parse(Spec{Closed: []string{icsFile(t, "\ufeff"+strings.ReplaceAll(head+event+end, "\r\n", "\n"))}}); err != nil {
		t.Errorf("line ends of Unix and a byte order mark: %v", err)
	}
}
