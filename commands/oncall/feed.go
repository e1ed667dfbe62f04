package oncall

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	ics "github.com/arran4/golang-ical"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/calendar"
)

// How far a feed tells, in days, and how often calendars are asked to look again.
const (
	feedBack, feedAhead = 15, 180
	feedRefresh         = "PT1H"
	feedType            = "text/calendar; charset=utf-8"
)

// A feed is the shifts of people as a calendar that others subscribe to (RFC 5545): of
// one schedule, or of one person in all of them.
type feed struct {
	// title is what calendars call it; "" names it after its person or schedule.
	title     string
	schedules []feedSchedule
	person    string // "" is everybody
	gaps      bool   // tell when nobody is on call, too
	alarm     bool   // remind feedAlarm before a shift begins
	now       time.Time
	language  string // "en" or "ja"
	// origin tells events of one signalbox from those of another that has a schedule
	// and a person of the same names, such as the id of the workspace.
	origin string
}

// A feedSchedule is a schedule's timeline as it was resolved, overrides and swaps and
// all, for at least the time that feedSpan says.
type feedSchedule struct {
	name   string
	zone   *time.Location
	shifts []integrations.Shift
	// changed is when the schedule or one of its overrides was last edited. Calendars
	// take an event for newer by it; zero is taken for today.
	changed time.Time
}

// feedSpan is the time that a feed tells of, in whole days of the schedule's zone: so a
// feed changes at most once a day without an edit.
func feedSpan(now time.Time, zone *time.Location) (from, to time.Time) {
	return midnight(now, zone, -feedBack), midnight(now, zone, feedAhead)
}

func midnight(t time.Time, zone *time.Location, days int) time.Time {
	t = t.In(zone)
	return calendar.At(zone, t.Year(), t.Month(), t.Day()+days, 0, 0, 0)
}

// render is the feed and its entity tag, with its quotes, which is the same as long as
// the feed is.
func (f feed) render() (body []byte, etag string, err error) {
	words := feedWordsOf(f.language)
	c := ics.NewCalendar()
	c.SetProductId("-//signalbox//on call//" + strings.ToUpper(words.code))
	c.SetCalscale("GREGORIAN")
	c.SetMethod(ics.MethodPublish)
	c.SetName(feedText(f.name(words)))
	c.SetRefreshInterval(feedRefresh) // the library adds VALUE=DURATION
	c.SetXPublishedTTL(feedRefresh)
	if zone := f.zone(); zone != "" {
		c.SetXWRTimezone(zone)
	}
	for _, s := range f.schedules {
		f.addEvents(c, s, words)
	}
	var out bytes.Buffer
	// The library ends lines as the machine does that it runs on; the standard says CRLF.
	if err := c.SerializeTo(&out, ics.WithNewLineWindows); err != nil {
		return nil, "", fmt.Errorf("write the calendar: %w", err)
	}
	sum := sha256.Sum256(out.Bytes())
	return out.Bytes(), `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`, nil
}

func (f feed) name(words feedWords) string {
	switch {
	case f.title != "":
		return f.title
	case f.person != "":
		return fmt.Sprintf(words.title, f.person)
	}
	var names []string
	for _, s := range f.schedules {
		names = append(names, s.name)
	}
	return fmt.Sprintf(words.title, strings.Join(names, ", "))
}

// zone is the one that all schedules have; "" where they differ.
func (f feed) zone() (name string) {
	for i, s := range f.schedules {
		if i > 0 && s.zone.String() != name {
			return ""
		}
		name = s.zone.String()
	}
	return name
}

// addEvents adds an event for each stretch of a schedule that the feed tells of.
func (f feed) addEvents(c *ics.Calendar, s feedSchedule, words feedWords) {
	from, to := feedSpan(f.now, s.zone)
	for _, t := range stretches(s.shifts) {
		mine := t.person == f.person || f.person == "" && t.person != ""
		if t.person == "" {
			mine = f.gaps
		}
		if mine && t.end.After(from) && t.start.Before(to) {
			c.AddVEvent(f.event(t, s, words))
		}
	}
}

// A stretch is a time for which one person is on call without a break and for one
// reason, whoever else is. With person "" it is a gap.
type stretch struct {
	person, instead string
	override        bool
	start, end      time.Time
}

// stretches are those of a timeline, by their start and then by the order in it.
func stretches(shifts []integrations.Shift) (out []stretch) {
	last := map[string]int{} // by person, in out
	for _, s := range joined(shifts) {
		on := s.On
		if s.Gap() {
			on = []integrations.Duty{{}}
		}
		for _, d := range on {
			t := stretch{person: d.Person, instead: d.Instead, override: d.Override != "", start: s.Start, end: s.End}
			if n, ok := last[t.person]; ok && out[n].end.Equal(t.start) && out[n].override == t.override && out[n].instead == t.instead {
				out[n].end = t.end
				continue
			}
			last[t.person] = len(out)
			out = append(out, t)
		}
	}
	slices.SortStableFunc(out, func(a, b stretch) int { return a.start.Compare(b.start) })
	return out
}

// feedText is text that may stand in a calendar: valid UTF-8, which strings.Map makes it,
// without control characters and with plain line ends.
func feedText(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case unicode.IsControl(r), r == '\u2028', r == '\u2029':
			return ' '
		}
		return r
	}, strings.ReplaceAll(s, "\r\n", "\n"))
}

// uid names an event for ever: by the schedule, the person and the start. So one whose
// end moves stays the event that it was and is only changed, and an edit elsewhere
// touches nothing. What begins where the timeline was cut off may have begun earlier,
// and is cut elsewhere tomorrow: it goes by its end, where that is known.
func (f feed) uid(t stretch, s feedSchedule) string {
	from, to := feedSpan(f.now, s.zone)
	key := fmt.Sprint("from ", t.start.Unix())
	if t.start.Equal(from) {
		key = fmt.Sprint("until ", t.end.Unix())
		if t.end.Equal(to) {
			key = "always"
		}
	}
	h := sha256.New()
	for _, part := range []string{f.origin, s.name, t.person, key} {
		_, _ = fmt.Fprintf(h, "%d:%s,", len(part), part)
	}
	return hex.EncodeToString(h.Sum(nil)[:16]) + "@signalbox"
}
