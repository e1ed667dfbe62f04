package commands

import (
	"testing"
	"time"
)

func TestMoment(t *testing.T) {
	const (
		thursday = "2026-11-26T22:30:00Z" // 07:30 on Friday in Tokyo, 17:30 on Thursday in New York
		utc      = "UTC"
		tokyo    = "Asia/Tokyo"
		newYork  = "America/New_York"
		berlin   = "Europe/Berlin"
	)
	for _, x := range []struct{ now, zone, word, want string }{
		{thursday, utc, "now", thursday},
		{thursday, utc, "2h", "2026-11-27T00:30:00Z"},
		{thursday, utc, "in 3 days", "2026-11-29T22:30:00Z"},
		{thursday, tokyo, "2時間後", "2026-11-27T00:30:00Z"},

		// A time is the next one that the clock shows.
		{thursday, utc, "23:00", "2026-11-26T23:00:00Z"},
		{thursday, utc, "10:00", "2026-11-27T10:00:00Z"},
		{thursday, utc, "22:30", "2026-11-27T22:30:00Z"},
		{thursday, tokyo, "8:00", "2026-11-27T08:00:00+09:00"},

		{thursday, utc, "today", "2026-11-26T00:00:00Z"},
		{thursday, utc, "today 23:00", "2026-11-26T23:00:00Z"},
		{thursday, tokyo, "tomorrow", "2026-11-28T00:00:00+09:00"},
		{thursday, newYork, "Tomorrow 9:00", "2026-11-27T09:00:00-05:00"},
		{thursday, tokyo, "明日 9:00", "2026-11-28T09:00:00+09:00"},
		{thursday, utc, "day after tomorrow", "2026-11-28T00:00:00Z"},

		// A weekday is the next one; today, if it is that day and the time is to come.
		{thursday, utc, "friday", "2026-11-27T00:00:00Z"},
		{thursday, tokyo, "friday", "2026-11-27T00:00:00+09:00"},
		{thursday, tokyo, "friday 18:00", "2026-11-27T18:00:00+09:00"},
		{thursday, tokyo, "friday 7:00", "2026-12-04T07:00:00+09:00"},
		{thursday, tokyo, "next friday", "2026-12-04T00:00:00+09:00"},
		{thursday, utc, "next friday", "2026-11-27T00:00:00Z"},
		{thursday, tokyo, "月曜日", "2026-11-30T00:00:00+09:00"},
		{thursday, utc, "next week", "2026-11-30T00:00:00Z"},
		{"2026-11-30T12:00:00Z", utc, "next week", "2026-12-07T00:00:00Z"},
		{thursday, utc, "next month", "2026-12-01T00:00:00Z"},

		// A date without a year is the next of that name.
		{thursday, utc, "24 dec", "2026-12-24T00:00:00Z"},
		{thursday, utc, "Nov 26", "2026-11-26T00:00:00Z"},
		{thursday, utc, "nov 25", "2027-11-25T00:00:00Z"},
		{thursday, utc, "2026-12-24", "2026-12-24T00:00:00Z"},
		{thursday, tokyo, "2026-12-24 10:00", "2026-12-24T10:00:00+09:00"},
		{thursday, tokyo, "2026-12-24T10:00:00Z", "2026-12-24T10:00:00Z"},

		// What is of the past is said so.
		{thursday, utc, "yesterday 18:00", "2026-11-25T18:00:00Z"},
		{thursday, utc, "3 days ago", "2026-11-23T22:30:00Z"},
		{thursday, utc, "last friday", "2026-11-20T00:00:00Z"},

		// The clock is moved in Berlin on 29 March, from 02:00 to 03:00.
		{"2026-03-28T10:00:00Z", berlin, "tomorrow 02:30", "2026-03-29T03:30:00+02:00"},
		{"2026-03-28T10:00:00Z", berlin, "tomorrow 09:00", "2026-03-29T09:00:00+02:00"},
	} {
		now, err := time.Parse(time.RFC3339, x.now)
		if err != nil {
			t.Fatal(err)
		}
		want, err := time.Parse(time.RFC3339, x.want)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := Moment(x.word, now, zoneNamed(t, x.zone))
		if !ok || !got.Equal(want) {
			t.Errorf("%q at %s in %s is %s (%v), want %s", x.word, x.now, x.zone, got.Format(time.RFC3339), ok, x.want)
		}
	}
	for _, s := range []string{"", "soon", "25:00", "friday 25:00", "2026-13-01", "30 feb", "next", "in", "last", "tomorrow tomorrow"} {
		if at, ok := Moment(s, time.Now(), time.UTC); ok {
			t.Errorf("%q is %v", s, at)
		}
	}
}

// duty has verbs of two words, as the language sees them.
var duty = []Verb{
	{Name: "oncall", Aliases: []string{"pager"}, Effect: Reads, Args: []Arg{
		{Name: "schedule", Kind: ArgSchedule, Optional: true}, {Name: "at", Kind: ArgMoment, Keyword: "at", Strict: true, Optional: true},
	}, Examples: []string{"oncall"}},
	{Name: "oncall next", Effect: Reads, Args: []Arg{{Name: "schedule", Kind: ArgSchedule, Optional: true}}, Examples: []string{"oncall next"}},
	{Name: "oncall take", Aliases: []string{"take"}, Effect: Changes, Args: []Arg{{Name: "for", Kind: ArgDuration}, {Name: "schedule", Kind: ArgSchedule, Optional: true}}, Examples: []string{"oncall take 2h"}},
	{Name: "oncall cover", Effect: Changes, Args: []Arg{
		{Name: "person", Kind: ArgWord}, {Name: "from", Kind: ArgMoment, Keyword: "from", Strict: true}, {Name: "to", Kind: ArgMoment, Keyword: "to", Also: []string{"until"}, Strict: true},
		{Name: "by", Kind: ArgWord, Keyword: "by", Strict: true},
	}, Examples: []string{"oncall cover @alice from tomorrow 9:00 to friday by @bob"}},
	{Name: "help", Effect: Reads, Args: []Arg{{Name: "command", Kind: ArgVerb, Optional: true}}, Examples: []string{"help"}},
}

func TestVerbsOfTwoWords(t *testing.T) {
	for _, x := range []struct{ typed, want string }{
		{"oncall", "oncall"},
		{"pager", "oncall"},
		{"oncall platform", "oncall schedule=platform"},
		{"oncall platform at friday 9:00", "oncall at=friday 9:00 schedule=platform"},
		{"oncall at tomorrow", "oncall at=tomorrow"},
		{"oncall next", "oncall next"},
		{"OnCall  Next platform", "oncall next schedule=platform"},
		{"oncall take 2h", "oncall take for=2h0m0s"},
		{"take 2h", "oncall take for=2h0m0s"},
		{"oncall take 2h platform", "oncall take for=2h0m0s schedule=platform"},
		{"oncall take", "oncall take for?"},
		{"oncall cover @alice from tomorrow 9:00 to friday by @bob", "oncall cover by=@bob from=tomorrow 9:00 person=@alice to=friday"},
		{"oncall cover alice from 2026-12-24 until 2026-12-26 18:00 by bob", "oncall cover by=bob from=2026-12-24 person=alice to=2026-12-26 18:00"},
		{"oncall tke 2h", "refused unknown_verb [oncall take 2h]"},
		{"oncall nxt", "oncall next (noted)"},
		{"oncall infra", "oncall schedule=platform"},
		{"oncall platfrom", "oncall schedule=platform (noted)"},
		{"oncall take 2h platfrom", "refused unknown_schedule [oncall take 2h platform]"},
		{"oncall nights", "refused unknown_schedule"},
		{"help oncall take", "help command=oncall take"},
		{"help oncall", "help command=oncall"},
		{`"oncall take" 2h`, "oncall take for=2h0m0s"},
	} {
		if got := say(Parse(duty, testCatalog(), x.typed, true)); got != x.want {
			t.Errorf("%s\n is %s\nwant %s", x.typed, got, x.want)
		}
	}
	for i := range duty {
		v := &duty[i]
		u := Parse(duty, testCatalog(), v.Examples[0], false)
		if u.Refusal != nil || len(u.Missing) > 0 {
			t.Errorf("%s: %+v", v.Examples[0], u)
			continue
		}
		if again := Parse(duty, testCatalog(), Render(u.Call), false); again.Refusal != nil || Render(again.Call) != Render(u.Call) {
			t.Errorf("%s is rendered as %s, which is not read so", v.Examples[0], Render(u.Call))
		}
	}
}
