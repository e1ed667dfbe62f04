package calendar

import (
	"strings"
	"testing"
	"time"
)

func parse(t testing.TB, s Spec) Windows {
	t.Helper()
	w, err := Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// told says a state in words: "open until …", "closed since … until …: why".
func told(s State) string {
	const form = "Mon 2006-01-02 15:04 -0700"
	var b strings.Builder
	if s.Open {
		b.WriteString("open")
	} else {
		b.WriteString("closed")
	}
	if !s.Since.IsZero() {
		b.WriteString(" since " + s.Since.Format(form))
	}
	if !s.Until.IsZero() {
		b.WriteString(" until " + s.Until.Format(form))
	}
	if s.Why != "" {
		b.WriteString(": " + s.Why)
	}
	return b.String()
}

// standing is a row of a table: a Spec, an instant in its zone, and how it
// stands then.
type standing struct {
	name string
	spec Spec
	at   string
	want string
}

func (row standing) check(t *testing.T) {
	t.Helper()
	w := parse(t, row.spec)
	at, err := time.Parse("2006-01-02 15:04:05 -0700", row.at)
	if err != nil {
		at, err = time.ParseInLocation("2006-01-02 15:04", row.at, w.Zone())
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := told(w.At(at)); got != row.want {
		t.Errorf("at %s\n got %s\nwant %s", row.at, got, row.want)
	}
}

var (
	office   = Spec{Zone: "Asia/Tokyo", Open: []string{"weekdays 10:00–18:00"}, Closed: []string{"japan", "japan-year-end"}}
	eves     = Spec{Zone: "Asia/Tokyo", Open: office.Open, Closed: office.Closed, Eves: true}
	nights   = Spec{Open: []string{"fri 22:00-02:00"}}
	zoneOnly = Spec{Zone: "Asia/Tokyo"}
)

func TestHowItStands(t *testing.T) {
	for _, row := range []standing{
		{"nothing is said: always open", Spec{}, "2026-11-26 12:00", "open"},
		{"a zone alone keeps nothing back", zoneOnly, "2026-11-26 12:00", "open"},
		{"Thursday at noon", office, "2026-11-26 12:00", "open until Thu 2026-11-26 18:00 +0900"},
		{"the first second of the window", office, "2026-11-26 10:00", "open until Thu 2026-11-26 18:00 +0900"},
		{"the second before it", office, "2026-11-26 09:59:59 +0900",
			"closed since Wed 2026-11-25 18:00 +0900 until Thu 2026-11-26 10:00 +0900: Thursday 09:59 is outside the windows (weekdays 10:00-18:00 Asia/Tokyo)"},
		{"the end is no part of it", office, "2026-11-26 18:00",
			"closed since Thu 2026-11-26 18:00 +0900 until Fri 2026-11-27 10:00 +0900: Thursday 18:00 is outside the windows (weekdays 10:00-18:00 Asia/Tokyo)"},
		{"a weekend is one stretch", office, "2026-11-28 12:00",
			"closed since Fri 2026-11-27 18:00 +0900 until Mon 2026-11-30 10:00 +0900: Saturday is outside the windows (weekdays 10:00-18:00 Asia/Tokyo)"},
		{"a holiday closes the window of its day, and joins the weekend", office, "2026-11-23 12:00",
			"closed since Fri 2026-11-20 18:00 +0900 until Tue 2026-11-24 10:00 +0900: 勤労感謝の日 (Labor Thanksgiving Day)"},
		{"the day between two holidays", office, "2026-09-22 12:00",
			"closed since Fri 2026-09-18 18:00 +0900 until Thu 2026-09-24 10:00 +0900: 国民の休日 (Citizens' Holiday)"},
		{"New Year's Day is told before the year end, as it was asked for first", office, "2027-01-01 12:00",
			"closed since Mon 2026-12-28 18:00 +0900 until Mon 2027-01-04 10:00 +0900: 元日 (New Year's Day)"},
		{"the year end", office, "2026-12-30 12:00",
			"closed since Mon 2026-12-28 18:00 +0900 until Mon 2027-01-04 10:00 +0900: 年末年始 (the year end, 29 Dec to 3 Jan)"},
		{"the instant is asked for in another zone", office, "2026-11-26 03:00:00 +0000", "open until Thu 2026-11-26 18:00 +0900"},
	} {
		t.Run(row.name, row.check)
	}
}

func TestAnEveIsClosed(t *testing.T) {
	christmas := Spec{Closed: []string{"2026-12-24..2026-12-26", "2026-12-27"}, Eves: true}
	for _, row := range []standing{
		{"the day before a holiday", eves, "2026-11-02 12:00",
			"closed since Fri 2026-10-30 18:00 +0900 until Wed 2026-11-04 10:00 +0900: the eve of 文化の日 (Culture Day)"},
		{"without eves that day is open", office, "2026-11-02 12:00", "open until Mon 2026-11-02 18:00 +0900"},
		{"a Friday is no eve of a weekend", eves, "2026-11-27 12:00", "open until Fri 2026-11-27 18:00 +0900"},
		{"a Friday is no eve of a Monday's holiday, whose eve is the Sunday", eves, "2026-11-20 12:00", "open until Fri 2026-11-20 18:00 +0900"},
		{"that Sunday", eves, "2026-11-22 12:00",
			"closed since Fri 2026-11-20 18:00 +0900 until Tue 2026-11-24 10:00 +0900: the eve of 勤労感謝の日 (Labor Thanksgiving Day)"},
		{"a stretch of closed days has one eve, before its first", christmas, "2026-12-23 12:00",
			"closed since Wed 2026-12-23 00:00 +0000 until Mon 2026-12-28 00:00 +0000: the eve of 2026-12-24 to 2026-12-26"},
		{"within it each day has its own reason", christmas, "2026-12-26 12:00",
			"closed since Wed 2026-12-23 00:00 +0000 until Mon 2026-12-28 00:00 +0000: 2026-12-24 to 2026-12-26 is closed"},
		{"up to its last", christmas, "2026-12-27 12:00",
			"closed since Wed 2026-12-23 00:00 +0000 until Mon 2026-12-28 00:00 +0000: 2026-12-27 is closed"},
	} {
		t.Run(row.name, row.check)
	}
}

func TestAWindowMayRunPastMidnight(t *testing.T) {
	fridayOff := Spec{Open: nights.Open, Closed: []string{"2026-11-27"}}
	saturdayOff := Spec{Open: nights.Open, Closed: []string{"2026-11-28"}}
	sunday := Spec{Open: []string{"sun 22:00-02:00"}}
	for _, row := range []standing{
		{"the day names its start", nights, "2026-11-28 01:59", "open until Sat 2026-11-28 02:00 +0000"},
		{"so Friday's small hours are outside", nights, "2026-11-27 01:00",
			"closed since Sat 2026-11-21 02:00 +0000 until Fri 2026-11-27 22:00 +0000: Friday 01:00 is outside the windows (fri 22:00-02:00 UTC)"},
		{"Saturday has a window, Friday's", nights, "2026-11-28 02:00",
			"closed since Sat 2026-11-28 02:00 +0000 until Fri 2026-12-04 22:00 +0000: Saturday 02:00 is outside the windows (fri 22:00-02:00 UTC)"},
		{"a holiday closes its own hours alone", fridayOff, "2026-11-28 00:00", "open until Sat 2026-11-28 02:00 +0000"},
		{"before which it is closed", fridayOff, "2026-11-27 23:59",
			"closed since Sat 2026-11-21 02:00 +0000 until Sat 2026-11-28 00:00 +0000: 2026-11-27 is closed"},
		{"the hours after midnight are the next day's holiday", saturdayOff, "2026-11-28 01:00",
			"closed since Sat 2026-11-28 00:00 +0000 until Fri 2026-12-04 22:00 +0000: 2026-11-28 is closed"},
		{"which cuts the evening short", saturdayOff, "2026-11-27 23:00", "open until Sat 2026-11-28 00:00 +0000"},
		{"Sunday's night ends on Monday", sunday, "2026-11-30 01:00", "open until Mon 2026-11-30 02:00 +0000"},
		{"and begins on Sunday", sunday, "2026-11-29 23:00", "open until Mon 2026-11-30 02:00 +0000"},
	} {
		t.Run(row.name, row.check)
	}
}

func TestSeveralWindowsAreAUnion(t *testing.T) {
	touching := Spec{Open: []string{"mon-thu 10:00-18:00", "mon 17:00-24:00", "TUESDAY 0:00 - 3:00"}}
	round := Spec{Open: []string{"weekdays 00:00-24:00", "weekends 00:00-24:00"}}
	wrapped := Spec{Open: []string{"sat-mon 09:00-10:00"}}
	list := Spec{Open: []string{"mon, wed 10:00 — 12:00"}}
	for _, row := range []standing{
		{"windows that touch are one", touching, "2026-11-23 11:00", "open until Tue 2026-11-24 03:00 +0000"},
		{"all week round is always", round, "2026-11-28 11:00", "open"},
		{"days may run over the weekend", wrapped, "2026-11-30 09:30", "open until Mon 2026-11-30 10:00 +0000"},
		{"Friday is not among them", wrapped, "2026-11-27 09:30",
			"closed since Mon 2026-11-23 10:00 +0000 until Sat 2026-11-28 09:00 +0000: Friday is outside the windows (sat-mon 09:00-10:00 UTC)"},
		{"a list of days, with a long dash", list, "2026-11-25 10:00", "open until Wed 2026-11-25 12:00 +0000"},
		{"a day that is not in it, and how the windows are told", list, "2026-11-24 10:00",
			"closed since Mon 2026-11-23 12:00 +0000 until Wed 2026-11-25 10:00 +0000: Tuesday is outside the windows (mon,wed 10:00-12:00 UTC)"},
	} {
		t.Run(row.name, row.check)
	}
}

func TestWhatIsFurtherThanAYearIsNotTold(t *testing.T) {
	years := Spec{Closed: []string{"2026-01-01..2029-12-31"}}
	for _, row := range []standing{
		{"in the middle neither end is told", years, "2028-01-01 00:00", "closed: 2026-01-01 to 2029-12-31 is closed"},
		{"366 days after the start", years, "2027-01-02 00:00", "closed since Thu 2026-01-01 00:00 +0000: 2026-01-01 to 2029-12-31 is closed"},
		{"a second later", years, "2027-01-02 00:00:01 +0000", "closed: 2026-01-01 to 2029-12-31 is closed"},
		{"366 days before the end", years, "2028-12-31 00:00", "closed until Tue 2030-01-01 00:00 +0000: 2026-01-01 to 2029-12-31 is closed"},
		{"a second earlier", years, "2028-12-30 23:59:59 +0000", "closed: 2026-01-01 to 2029-12-31 is closed"},
		{"open, with the next closing in reach", years, "2025-06-01 00:00", "open until Thu 2026-01-01 00:00 +0000"},
		{"open, with none in reach", years, "2024-06-01 00:00", "open"},
	} {
		t.Run(row.name, row.check)
	}
}

func TestTheZeroValueIsAlwaysOpen(t *testing.T) {
	var w Windows
	if s := w.At(time.Unix(1_800_000_000, 0)); told(s) != "open" {
		t.Error(told(s))
	}
	if !w.IsZero() || w.Zone() != time.UTC {
		t.Error(w.IsZero(), w.Zone())
	}
	if !parse(t, zoneOnly).IsZero() || parse(t, zoneOnly).Zone().String() != "Asia/Tokyo" {
		t.Error("a zone alone is no window")
	}
	if parse(t, office).IsZero() || parse(t, Spec{Closed: []string{"2026-12-24"}}).IsZero() {
		t.Error("windows or a closed day are not nothing")
	}
}

func TestEachMistakeIsTold(t *testing.T) {
	_, err := Parse(Spec{
		Zone: "Asia/Toyko",
		Open: []string{"weekdays 10-18", "weekdays 10:00-18:00", "caturday 10:00-18:00", "mon 10:00", "mon 24:00-25:00", "mon 24:00-02:00",
			"mon 10:00-10:00", "", "mon tue 10:00-11:00", "mon 10:60-11:00"},
		Closed: []string{"japan", "2026-02-30", "2027-01-04..2026-12-24", "holidays", "ics:", "ics:testdata/none.ics", ""},
	})
	const windows = `; write days and times like "weekdays 10:00-18:00", "mon,wed 10:00-12:00" or "fri 22:00-02:00"`
	const closings = "; write japan, japan-year-end, a date like 2026-12-24, dates like 2026-12-24..2027-01-04, or ics:/etc/signalbox/company.ics"
	want := strings.Join([]string{
		`zone: "Asia/Toyko" is no zone of the IANA database; write one like Asia/Tokyo, America/Chicago or UTC`,
		`open[0]: "10" is not a time of day (00:00 to 24:00)` + windows,
		`open[2]: "caturday" is no day (mon to sun, weekdays, weekends, daily)` + windows,
		`open[3]: "10:00" is not two times with a hyphen between them` + windows,
		`open[4]: "25:00" is not a time of day (00:00 to 24:00)` + windows,
		`open[5]: 24:00 is the end of a day: a window can end then, and begins at 00:00` + windows,
		`open[6]: 10:00-10:00 is empty: the whole day is 00:00-24:00` + windows,
		`open[7]: "" is not days and times` + windows,
		`open[8]: "mon tue 10:00-11:00" is not days and times` + windows,
		`open[9]: "10:60" is not a time of day (00:00 to 24:00)` + windows,
		`closed[1]: "2026-02-30" is neither a date nor a list that is known` + closings,
		`closed[2]: "2027-01-04..2026-12-24" ends before it begins` + closings,
		`closed[3]: "holidays" is neither a date nor a list that is known` + closings,
		`closed[4]: ics: names no file; write one like ics:/etc/signalbox/company.ics`,
		`closed[5]: read the calendar file: open testdata/none.ics: no such file or directory`,
		`closed[6]: "" is neither a date nor a list that is known` + closings,
	}, "\n")
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

func TestAZoneThatDiffersByMachineIsRefused(t *testing.T) {
	for _, name := range []string{"Local", "local", "../Asia/Tokyo"} {
		if _, err := Parse(Spec{Zone: name}); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}
