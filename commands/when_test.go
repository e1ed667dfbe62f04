package commands

import (
	"strings"
	"testing"
	"time"
)

func zoneNamed(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestSince(t *testing.T) {
	const (
		thursday = "2026-11-26T22:30:00Z" // 07:30 on Friday in Tokyo, 17:30 on Thursday in New York
		utc      = "UTC"
		tokyo    = "Asia/Tokyo"
		newYork  = "America/New_York"
		berlin   = "Europe/Berlin"
		cairo    = "Africa/Cairo"
	)
	for _, x := range []struct{ now, zone, word, want string }{
		// Spans end now, to the minute.
		{thursday, utc, "7d", "2026-11-19T22:30:00Z"},
		{thursday, utc, "7 days", "2026-11-19T22:30:00Z"},
		{thursday, utc, "7 days ago", "2026-11-19T22:30:00Z"},
		{thursday, utc, "the last 7 days", "2026-11-19T22:30:00Z"},
		{thursday, utc, "past 2 hours", "2026-11-26T20:30:00Z"},
		{thursday, utc, "2h30m", "2026-11-26T20:00:00Z"},
		{thursday, tokyo, "3日前", "2026-11-23T22:30:00Z"},

		// Days begin at their midnight, where the person is.
		{thursday, utc, "today", "2026-11-26T00:00:00Z"},
		{thursday, tokyo, "today", "2026-11-27T00:00:00+09:00"},
		{thursday, newYork, "today", "2026-11-26T00:00:00-05:00"},
		{thursday, utc, "Yesterday", "2026-11-25T00:00:00Z"},
		{thursday, tokyo, "昨日から", "2026-11-26T00:00:00+09:00"},
		{thursday, utc, "yesterday 18:00", "2026-11-25T18:00:00Z"},

		// A weekday is the last one before today: today has a word of its own.
		{thursday, utc, "friday", "2026-11-20T00:00:00Z"},
		{thursday, tokyo, "friday", "2026-11-20T00:00:00+09:00"},
		{thursday, newYork, "friday", "2026-11-20T00:00:00-05:00"},
		{thursday, utc, "thursday", "2026-11-19T00:00:00Z"},
		{thursday, tokyo, "thursday", "2026-11-26T00:00:00+09:00"},
		{thursday, utc, "wed", "2026-11-25T00:00:00Z"},
		{thursday, utc, "last Friday 10:00", "2026-11-20T10:00:00Z"},
		{thursday, tokyo, "月曜日", "2026-11-23T00:00:00+09:00"},
		{"2026-11-29T12:00:00Z", utc, "monday", "2026-11-23T00:00:00Z"},

		// Weeks begin on Monday.
		{thursday, utc, "this week", "2026-11-23T00:00:00Z"},
		{thursday, utc, "last week", "2026-11-16T00:00:00Z"},
		{"2026-11-29T12:00:00Z", utc, "this week", "2026-11-23T00:00:00Z"},
		{"2026-11-30T12:00:00Z", utc, "last week", "2026-11-23T00:00:00Z"},
		{thursday, utc, "last month", "2026-10-01T00:00:00Z"},
		{"2026-01-31T12:00:00Z", utc, "last month", "2025-12-01T00:00:00Z"},

		// Dates.
		{thursday, utc, "2026-11-20", "2026-11-20T00:00:00Z"},
		{thursday, tokyo, "2026-11-20 10:00", "2026-11-20T10:00:00+09:00"},
		{thursday, newYork, "2026-11-20T10:00:30", "2026-11-20T10:00:30-05:00"},
		{thursday, tokyo, "2026-11-20T10:00:00Z", "2026-11-20T10:00:00Z"},
		{thursday, utc, "20 Nov", "2026-11-20T00:00:00Z"},
		{thursday, utc, "Nov 20, 2025", "2025-11-20T00:00:00Z"},
		{thursday, utc, "24 december", "2025-12-24T00:00:00Z"},
		{"2025-03-01T12:00:00Z", utc, "29 feb", "2025-03-01T00:00:00Z"},
		{thursday, utc, "10:00", "2026-11-26T10:00:00Z"},
		{thursday, utc, "23:00", "2026-11-25T23:00:00Z"},

		// Days on which the clock is moved: in Berlin from 02:00 to 03:00 on
		// 29 March and back on 25 October, in Cairo at midnight of 24 April.
		{"2026-03-29T10:00:00Z", berlin, "today", "2026-03-29T00:00:00+01:00"},
		{"2026-03-30T10:00:00Z", berlin, "yesterday", "2026-03-29T00:00:00+01:00"},
		{"2026-03-30T10:00:00Z", berlin, "24h", "2026-03-29T10:00:00Z"},
		{"2026-03-30T10:00:00Z", berlin, "yesterday 02:30", "2026-03-29T03:30:00+02:00"},
		{"2026-10-26T10:00:00Z", berlin, "yesterday 02:30", "2026-10-25T02:30:00+02:00"},
		{"2026-10-26T10:00:00Z", berlin, "last week", "2026-10-19T00:00:00+02:00"},
		{"2026-11-02T12:00:00Z", newYork, "sunday 01:30", "2026-11-01T01:30:00-04:00"},
		{"2026-04-24T10:00:00Z", cairo, "today", "2026-04-24T01:00:00+03:00"},
	} {
		now, err := time.Parse(time.RFC3339, x.now)
		if err != nil {
			t.Fatal(err)
		}
		want, err := time.Parse(time.RFC3339, x.want)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := Since(x.word, now, zoneNamed(t, x.zone))
		if !ok || !got.Equal(want) {
			t.Errorf("%q at %s in %s is %s (%v), want %s", x.word, x.now, x.zone, got.Format(time.RFC3339), ok, x.want)
		}
	}
}

func TestWhatIsNoTime(t *testing.T) {
	for _, s := range []string{"", "soon", "25:00", "friday 25:00", "2026-13-01", "2026-02-30", "30 feb", "week", "last", "-7d", "7", "tomorrow", "1 jan 1969", "0001-01-01T00:00:00Z", "friday friday"} {
		if at, ok := Since(s, time.Now(), time.UTC); ok {
			t.Errorf("%q is %v", s, at)
		}
	}
}

// asks has the verbs of a team's day, as the language sees them.
var asks = []Verb{
	{Name: "changelog", Effect: Reads, Args: []Arg{
		{Name: "service", Kind: ArgService}, {Name: "environment", Kind: ArgEnvironment, Keyword: "in", Optional: true},
		{Name: "since", Kind: ArgWhen, Keyword: "since", Optional: true},
	}, Examples: []string{"changelog {service} --since friday"}},
	{Name: "who", Effect: Reads, Args: []Arg{
		{Name: "service", Kind: ArgService, Keyword: "deployed", Also: []string{"shipped"}}, {Name: "environment", Kind: ArgEnvironment, Keyword: "in", Optional: true},
	}, Examples: []string{"who deployed {service}"}},
	{Name: "freeze", Effect: Changes, Args: []Arg{{Name: "since", Kind: ArgWhen}}, Examples: []string{"freeze friday"}},
}

func TestTimesInALine(t *testing.T) {
	for _, x := range []struct{ typed, want string }{
		{`changelog web --since friday`, `changelog service=web since=friday`},
		{`changelog web since Friday`, `changelog service=web since=friday`},
		{`changelog web in prod since last week`, `changelog environment=production service=web since=last week`},
		{`changelog --since last week web in prod`, `changelog environment=production service=web since=last week`},
		{`changelog web --since "2026-11-20 10:00" in prod`, `changelog environment=production service=web since=2026-11-20 10:00`},
		{`changelog web --since 2026-11-20 10:00 in prod`, `changelog environment=production service=web since=2026-11-20 10:00`},
		{`changelog web —since=7d`, `changelog service=web since=7d`},
		{`changelog web --since firday`, `changelog service=web since=friday (noted)`},
		{`changelog web --since friday.`, `changelog service=web since=friday`},
		{`changelog web --since soon`, `refused bad_time`},
		{`changelog web --since`, `changelog service=web since?`},
		{`changelog web friday`, `changelog service=web since=friday`},
		{`freeze firday`, `refused bad_time [freeze friday]`},
		{`who deployed web`, `who service=web`},
		{`who shipped web in prod`, `who environment=production service=web`},
		{`who web`, `who service=web`},
		{`who`, `who service?`},
		{`who deployed`, `who service?`},
	} {
		if got := say(Parse(asks, testCatalog(), x.typed, true)); got != x.want {
			t.Errorf("%s\n got %s\nwant %s", x.typed, got, x.want)
		}
	}
}

func TestATimeIsRenderedAsItIsRead(t *testing.T) {
	for _, typed := range []string{`changelog web --since friday`, `changelog web --since "last week"`, `changelog web in prod since "2026-11-20 10:00"`} {
		first := Parse(asks, testCatalog(), typed, true)
		line := Render(first.Call)
		again := Parse(asks, testCatalog(), line, false)
		if a, b := say(first), say(again); a != b || !strings.HasPrefix(line, "changelog web ") {
			t.Errorf("%s is rendered as %s, and read as %s, not as %s", typed, line, b, a)
		}
	}
}

func FuzzSince(f *testing.F) {
	for _, s := range []string{"friday", "last week", "7d", "2026-11-20 10:00", "20 nov", "昨日から", "2026-11-20T10:00:00+09:00", "23:59:59"} {
		f.Add(s, int64(1795168800))
	}
	f.Fuzz(func(t *testing.T, word string, sec int64) {
		now := time.Unix(sec%(1<<33), 0)
		at, ok := Since(word, now, zoneNamed(t, "America/New_York"))
		if again, same := Since(word, now, zoneNamed(t, "America/New_York")); ok != same || !at.Equal(again) {
			t.Errorf("%q is %v, and then %v", word, at, again)
		}
		if r := moments(tokens(word+" x", nil), past); ok && !strings.ContainsFunc(word, isSpace) && len(tokens(word, nil)) == 1 && r.problem != nil {
			t.Errorf("%q is a time, and none in a line: %v", word, r.problem.what)
		}
	})
}
