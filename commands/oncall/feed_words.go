package oncall

import (
	"fmt"
	"time"
)

// feedWords are the words in a feed.
type feedWords struct {
	code, title         string
	onCall, gap         string // the summaries
	when                string // the schedule, from, to and the zone
	moment              func(time.Time) string
	instead, anOverride string
}

func feedWordsOf(language string) feedWords {
	if language == "ja" {
		return feedWords{
			code: "ja", title: "オンコール: %s", onCall: "%s オンコール: %s", gap: "担当なし: %s",
			when: "%s: %s〜%s (%s)", instead: "%sの代わり", anOverride: "交代",
			moment: func(t time.Time) string {
				return t.Format("2006年1月2日") + "(" + weekdaysJa[t.Weekday()] + ") " + t.Format("15:04")
			},
		}
	}
	return feedWords{
		code: "en", title: "On call: %s", onCall: "%s on call: %s", gap: "Nobody on call: %s",
		when: "%s: %s – %s (%s)", instead: "Instead of %s", anOverride: "By an override",
		moment: func(t time.Time) string { return t.Format("Mon 2 Jan 2006 15:04") },
	}
}

func (w feedWords) summary(person, schedule string) string {
	if person == "" {
		return fmt.Sprintf(w.gap, schedule)
	}
	return fmt.Sprintf(w.onCall, person, schedule)
}

// description says when it is in the schedule's zone, as the calendar shows it in its
// reader's, and for whom it is.
func (w feedWords) description(t stretch, s feedSchedule) string {
	out := fmt.Sprintf(w.when, s.name, w.moment(t.start.In(s.zone)), w.moment(t.end.In(s.zone)), s.zone)
	switch {
	case t.instead != "":
		out += "\n" + fmt.Sprintf(w.instead, t.instead)
	case t.override:
		out += "\n" + w.anOverride
	}
	return out
}
