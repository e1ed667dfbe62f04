package oncall

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	ics "github.com/arran4/golang-ical"
	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// read reads a feed back as its subscribers do, by UID.
func (f feed) read(t interface{ Fatal(...any) }) (*ics.Calendar, map[string]*ics.VEvent) {
	body, etag, err := f.render()
	if err != nil || len(etag) < 10 {
		t.Fatal(err, etag)
	}
	c, err := ics.ParseCalendar(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]*ics.VEvent{}
	for _, e := range c.Events() {
		if out[e.Id()] != nil {
			t.Fatal("two events have the UID ", e.Id())
		}
		out[e.Id()] = e
	}
	return c, out
}

// told is what an event says.
type told struct {
	Summary    string
	Start, End int64
}

func toldBy(t interface{ Fatal(...any) }, events map[string]*ics.VEvent) (out []told) {
	for _, e := range events {
		start, err := e.GetStartAt()
		end, err2 := e.GetEndAt()
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		out = append(out, told{e.GetProperty(ics.ComponentPropertySummary).Value, start.Unix(), end.Unix()})
	}
	return sortedTold(out)
}

func sortedTold(out []told) []told {
	slices.SortFunc(out, func(a, b told) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.Summary, b.Summary), cmp.Compare(a.End, b.End))
	})
	return out
}

var feedNow = time.Date(2026, 11, 24, 5, 20, 0, 0, time.UTC)

// aFeed is of a schedule whose shifts are a week long, from 60 days back.
func aFeed(t testing.TB) feed {
	tokyo := zoneOf(t, "Asia/Tokyo")
	from := time.Date(2026, 9, 28, 9, 0, 0, 0, tokyo)
	return feed{now: feedNow, schedules: []feedSchedule{{name: "platform", zone: tokyo, changed: feedNow.Add(-time.Hour), shifts: turns(from, 7*24*time.Hour, 52, "alice", "bob", "")}}}
}

func TestFeed(t *testing.T) {
	f := aFeed(t)
	f.alarm = true
	s := f.schedules[0].shifts
	s[9].On = []integrations.Duty{{Person: "alice", Override: "7", Instead: "bob"}} // 30 Nov, after a gap
	s[10].On = []integrations.Duty{{Person: "bob"}}
	body, _, err := f.render()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//signalbox//on call//EN\r\nCALSCALE:GREGORIAN\r\nMETHOD:PUBLISH\r\n",
		"\r\nX-WR-CALNAME:On call: platform\r\n", "\r\nREFRESH-INTERVAL;VALUE=DURATION:PT1H\r\n", "\r\nX-PUBLISHED-TTL:PT1H\r\n", "\r\nX-WR-TIMEZONE:Asia/Tokyo\r\n",
		"\r\nDTSTART:20261130T000000Z\r\nDTEND:20261207T000000Z\r\nDTSTAMP:20261124T042000Z\r\nLAST-MODIFIED:20261124T042000Z\r\nSEQUENCE:217657200\r\nSUMMARY:alice on call: platform\r\n" +
			"DESCRIPTION:platform: Mon 30 Nov 2026 09:00 – Mon 7 Dec 2026 09:00\r\n  (Asia/Tokyo)\\nInstead of bob\r\nTRANSP:TRANSPARENT\r\nSTATUS:CONFIRMED\r\n" +
			"BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT15M\r\nDESCRIPTION:alice on call: platform\r\nEND:VALARM\r\nEND:VEVENT\r\n",
	} {
		if !strings.Contains(string(body), want) {
			t.Errorf("the feed lacks\n%s", want)
		}
	}
	if t.Failed() {
		t.Logf("%.3000s", body)
	}
	f.language, f.alarm = "ja", false
	_, events := f.read(t)
	for _, e := range events {
		if len(e.Alarms()) > 0 || !strings.Contains(e.GetProperty(ics.ComponentPropertySummary).Value, " オンコール: platform") {
			t.Errorf("in Japanese, without reminders: %v", e)
		}
	}
}

// TestFeedSpan: shifts of 15 days back to 180 ahead are told, whole.
func TestFeedSpan(t *testing.T) {
	f := aFeed(t)
	f.gaps = true
	_, events := f.read(t)
	got := toldBy(t, events)
	from, to := feedSpan(f.now, f.schedules[0].zone)
	if from.Format(time.RFC3339) != "2026-11-09T00:00:00+09:00" || to.Format(time.RFC3339) != "2027-05-23T00:00:00+09:00" {
		t.Errorf("the span is %v to %v", from, to)
	}
	var want []told
	for _, s := range f.schedules[0].shifts {
		if !s.End.After(from) || !s.Start.Before(to) {
			continue
		}
		what := "Nobody on call: platform"
		if !s.Gap() {
			what = s.On[0].Person + " on call: platform"
		}
		want = append(want, told{what, s.Start.Unix(), s.End.Unix()})
	}
	if len(want) != 29 || !slices.Equal(got, sortedTold(want)) {
		t.Errorf("told are\n%v, want\n%v", got, want)
	}
	f.gaps = false
	if _, events := f.read(t); len(events) >= len(want)-8 {
		t.Errorf("without gaps there are %d events", len(events))
	}
}

// TestFeedOfPerson: one person's shifts in all schedules, those with others too, and
// without a break where only the others change.
func TestFeedOfPerson(t *testing.T) {
	f := aFeed(t)
	shop := turns(feedNow, time.Hour, 4, "zoe", "bob", "zoe", "bob")
	shop[1].On = append(shop[1].On, integrations.Duty{Person: "zoe", Layer: "second"})
	f.schedules = append(f.schedules, feedSchedule{name: "shop", zone: time.UTC, changed: feedNow, shifts: shop})
	f.person, f.title = "zoe", ""
	c, events := f.read(t)
	want := []told{{"zoe on call: shop", feedNow.Unix(), feedNow.Add(3 * time.Hour).Unix()}}
	if got := toldBy(t, events); !slices.Equal(got, want) {
		t.Errorf("zoe is told of %v, want %v", got, want)
	}
	props := map[string]string{}
	for _, p := range c.CalendarProperties {
		props[p.IANAToken] = p.Value
	}
	if _, ok := props["X-WR-TIMEZONE"]; ok || props["X-WR-CALNAME"] != "On call: zoe" {
		t.Errorf("a calendar of two zones is %v", props)
	}
}

// TestFeedSameEvent: an event stays the same one, with a higher sequence, when its end
// moves, and as it was when something else is edited or another day comes.
func TestFeedSameEvent(t *testing.T) {
	f := aFeed(t)
	_, was := f.read(t)
	_, wasTag, _ := f.render()
	f.now = f.now.Add(2 * time.Hour)
	if _, tag, _ := f.render(); tag != wasTag {
		t.Error("the entity tag changes without a change")
	}
	edited := f
	edited.schedules = slices.Clone(f.schedules)
	edited.schedules[0].changed = f.now
	s := slices.Clone(f.schedules[0].shifts)
	at := slices.IndexFunc(s, func(s integrations.Shift) bool { return s.Start.After(feedNow) && !s.Gap() })
	s[at].End = s[at].End.Add(-time.Hour)
	s[at+1].Start = s[at].End
	edited.schedules[0].shifts = s
	_, is := edited.read(t)
	if _, tag, _ := edited.render(); tag == wasTag {
		t.Error("the entity tag stays when a shift moved")
	}
	moved := 0
	for id, e := range was {
		n := is[id]
		if n == nil {
			if start, _ := e.GetStartAt(); start.Equal(f.schedules[0].shifts[at+1].Start) {
				continue // whose start moved is another
			}
			t.Fatalf("%s is gone", id)
		}
		end, _ := e.GetEndAt()
		if now, _ := n.GetEndAt(); !now.Equal(end) {
			moved++
			if sequence(n) <= sequence(e) {
				t.Errorf("the sequence went from %d to %d", sequence(e), sequence(n))
			}
		}
	}
	if moved != 1 {
		t.Errorf("%d ends moved", moved)
	}
	f.origin = "another workspace"
	_, others := f.read(t)
	for id := range others {
		if was[id] != nil {
			t.Errorf("two workspaces have the event %s", id)
		}
	}
}

func sequence(e *ics.VEvent) (n int) {
	_, _ = fmt.Sscan(e.GetProperty(ics.ComponentPropertySequence).Value, &n)
	return n
}

// TestFeedDayByDay: while a timeline is known only for the span of each day, events keep
// their UIDs from day to day, and none that changes has its sequence stay or go back.
func TestFeedDayByDay(t *testing.T) {
	f := aFeed(t)
	all := f.schedules[0].shifts
	zone := f.schedules[0].zone
	var was map[string]*ics.VEvent
	seen := map[string]bool{}
	const days = 40
	news := 0
	for day := range days {
		f.now = feedNow.AddDate(0, 0, day)
		from, to := feedSpan(f.now, zone)
		var cut []integrations.Shift
		for _, s := range all {
			s.Start, s.End = later(s.Start, from), earlier(s.End, to)
			if s.Start.Before(s.End) {
				cut = append(cut, s)
			}
		}
		f.schedules[0].shifts = cut
		_, is := f.read(t)
		for id, e := range is {
			old := was[id]
			if old == nil {
				if seen[id] {
					t.Errorf("day %d: %s is back", day, id)
				}
				if day > 0 {
					news++
				}
				seen[id] = true
				continue
			}
			same := toldBy(t, map[string]*ics.VEvent{"": e})[0] == toldBy(t, map[string]*ics.VEvent{"": old})[0]
			if d := sequence(e) - sequence(old); d < 0 || !same && d == 0 {
				t.Errorf("day %d: the sequence of %s changes by %d; the same: %v", day, id, d, same)
			}
		}
		was = is
	}
	// Two thirds of the weeks have somebody on call: each is new when it comes into
	// sight, and when it is cut off at its start.
	if news > 2*(days/7+1)*2/3 {
		t.Errorf("%d events are new in %d days", news, days)
	}
}

// TestFeedLines: lines end with CRLF, have 75 octets at most, and are broken between
// letters (RFC 5545, 3.1), whatever people are called.
func TestFeedLines(t *testing.T) {
	f := aFeed(t)
	f.alarm, f.gaps = true, true
	for _, name := range []string{
		strings.Repeat("渡邉", 60), strings.Repeat("a渡 ", 50), "semi;colon, comma\\ and \"quotes\"", "two\r\nlines\rBEGIN:VEVENT", "bad\xff\xfe" + strings.Repeat("\xe6", 90), "\u0085\u2028bell\a", strings.Repeat(" ", 200), strings.Repeat("👩‍👩‍👧", 20),
	} {
		f.schedules[0].name, f.title = name, name
		body, _, err := f.render()
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(body), "\r\n")
		for _, line := range lines {
			if len(line) > 75 || !utf8.ValidString(line) || strings.ContainsAny(line, "\r\n\a\u0085\u2028") {
				t.Errorf("%q: the line %q has %d octets", name, line, len(line))
			}
		}
		c, events := f.read(t)
		if got := len(events); got != 29 {
			t.Errorf("%q: %d events", name, got)
		}
		for _, e := range events {
			if got := e.GetProperty(ics.ComponentPropertySummary).Value; !strings.HasSuffix(got, "n call: "+feedText(name)) {
				t.Errorf("%q is read back as %q", name, got)
			}
		}
		for _, p := range c.CalendarProperties {
			if p.IANAToken == "X-WR-CALNAME" && p.Value != feedText(name) {
				t.Errorf("the calendar %q is called %q", name, p.Value)
			}
		}
	}
}

// TestFeedProperty: whatever the shifts and names, a feed that is read back says at each
// minute who is on call, and nothing else.
func TestFeedProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		people := rapid.SliceOfNDistinct(rapid.StringN(1, 30, -1), 1, 5, func(s string) string { return feedText(s) }).Draw(t, "people")
		f := feed{now: feedNow, gaps: true, alarm: rapid.Bool().Draw(t, "alarm")}
		want := map[told]bool{} // by the minute, 1 long
		for n := range rapid.IntRange(1, 2).Draw(t, "schedules") {
			s := feedSchedule{name: fmt.Sprintf("%d, %s", n, rapid.String().Draw(t, "name")), zone: time.UTC, changed: feedNow}
			at := feedNow.Add(time.Duration(rapid.IntRange(-9000, 9000).Draw(t, "from")) * time.Minute)
			for range rapid.IntRange(0, 10).Draw(t, "shifts") {
				minutes := rapid.IntRange(1, 90).Draw(t, "minutes")
				shift := integrations.Shift{Start: at, End: at.Add(time.Duration(minutes) * time.Minute)}
				for _, p := range rapid.SliceOfNDistinct(rapid.SampledFrom(people), 0, len(people), rapid.ID[string]).Draw(t, "on") {
					shift.On = append(shift.On, integrations.Duty{Person: p, Layer: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "layer"), Override: rapid.SampledFrom([]string{"", "7"}).Draw(t, "override")})
				}
				s.shifts, at = append(s.shifts, shift), shift.End
				for m := range minutes {
					start := shift.Start.Add(time.Duration(m) * time.Minute).Unix()
					for _, d := range shift.On {
						want[told{feedText(d.Person + " on call: " + s.name), start, 1}] = true
					}
					if shift.Gap() {
						want[told{feedText("Nobody on call: " + s.name), start, 1}] = true
					}
				}
			}
			f.schedules = append(f.schedules, s)
		}
		_, events := f.read(t)
		got := map[told]bool{}
		for _, e := range toldBy(t, events) {
			for at := e.Start; at < e.End; at += 60 {
				minute := told{e.Summary, at, 1}
				if got[minute] {
					t.Fatalf("told twice: %v", minute)
				}
				got[minute] = true
			}
		}
		if !maps.Equal(got, want) {
			t.Fatalf("told, and not so:\n%s", gocmp.Diff(got, want))
		}
		sure := 0
		for _, s := range f.schedules {
			sure += len(stretches(s.shifts))
		}
		if len(events) != sure {
			t.Fatalf("%d events for %d stretches", len(events), sure)
		}
	})
}

func TestFeedToken(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		token := newFeedToken()
		if len(token) != 43 || seen[token] || strings.Trim(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			t.Fatalf("the token %q", token)
		}
		seen[token] = true
		hash := hashFeedToken(token)
		if hashFeedToken(token) != hash || hashFeedToken(token+"a") == hash || strings.Contains(hash, token) {
			t.Fatalf("the token %q with the hash %q", token, hash)
		}
	}
}
