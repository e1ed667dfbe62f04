package oncall

import (
	"time"

	ics "github.com/arran4/golang-ical"
)

// feedAlarm is how long before a shift a calendar reminds of it.
const feedAlarm = "-PT15M"

// feedEpoch is what the sequence of events is counted from, in seconds: so it grows with
// each change and fits into 31 bits until 2088.
var feedEpoch = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

// event is a stretch as an event. It takes no time in the calendars of those who are on
// call: they may be invited to meetings all the same.
func (f feed) event(t stretch, s feedSchedule, words feedWords) *ics.VEvent {
	e := ics.NewEvent(f.uid(t, s))
	e.SetStartAt(t.start)
	e.SetEndAt(t.end)
	stamp := f.stamp(t, s)
	e.SetDtStampTime(stamp)
	e.SetLastModifiedAt(stamp)
	e.SetSequence(max(0, int(stamp.Sub(feedEpoch)/time.Second)))
	summary := words.summary(t.person, s.name)
	e.SetSummary(feedText(summary))
	e.SetDescription(feedText(words.description(t, s)))
	e.SetTimeTransparency(ics.TransparencyTransparent)
	e.SetStatus(ics.ObjectStatusConfirmed)
	if f.alarm && t.person != "" {
		a := e.AddAlarm()
		a.SetAction(ics.ActionDisplay)
		a.SetTrigger(feedAlarm)
		a.SetDescription(feedText(summary))
	}
	return e
}

// stamp is when an event was last changed: by an edit, or because the timeline is known
// a day further. What is beyond the feed's span makes an event's end move day by day, and
// where it is cut off its start; the stamp moves with them and never goes back.
func (f feed) stamp(t stretch, s feedSchedule) time.Time {
	from, _ := feedSpan(f.now, s.zone)
	today := midnight(f.now, s.zone, 0)
	known := midnight(t.end.Add(-time.Nanosecond), s.zone, 1-feedAhead) // the day on which its end came into the span
	stamp := later(s.changed, earlier(today, known))
	if t.start.Equal(from) || s.changed.IsZero() {
		stamp = later(stamp, today)
	}
	return stamp.UTC()
}
