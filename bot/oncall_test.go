package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
)

// onCallOfADay hands over at nine in Tokyo, alice on the first day, then bob, carol, and
// again; it ends with the seventh day.
const onCallOfADay = `oncall:
  schedules:
    platform:
      zone: Asia/Tokyo
      channel: ops
      handoffs: true
      posts: ["30 8 * * fri"]
      gaps: 72h
      layers:
        - {name: primary, people: [alice, bob, carol], from: "%s 09:00", until: "%s 09:00", turn: daily}
`

// TestAWeekOnCall is a week of handoffs with a restart before each of them, one of them
// missed, a take, a swap and a gap. Everything is posted once.
func TestAWeekOnCall(t *testing.T) {
	t.Parallel()
	tokyo, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	first := time.Now().In(tokyo).AddDate(0, 0, 2)
	for first.Weekday() != time.Monday {
		first = first.AddDate(0, 0, 1)
	}
	first = time.Date(first.Year(), first.Month(), first.Day(), 9, 0, 0, 0, tokyo)
	day := func(n int) time.Time { return first.AddDate(0, 0, n) }
	b := newBox(t, func(w *boxWorld) {
		w.clock = clock.NewMovable(time.Until(first.Add(time.Hour)))
		w.edit = func(text string) string {
			return text + fmt.Sprintf(onCallOfADay, first.Format(time.DateOnly), day(7).Format(time.DateOnly))
		}
	})
	stop := b.runInside()
	// to moves the clock while the bot is down, and starts it again.
	to := func(at time.Time) {
		t.Helper()
		stop()
		if err := b.clock.Advance(t.Context(), at.Sub(b.clock.Now()), nil); err != nil {
			t.Fatal(err)
		}
		stop = b.runInside()
		b.settle()
	}
	posts := func(words ...string) (out []string) {
	messages:
		for _, m := range b.history("") {
			for _, w := range words {
				if !strings.Contains(m.Text, w) {
					continue messages
				}
			}
			out = append(out, m.Text)
		}
		return out
	}
	handed := func(n int, who string) {
		t.Helper()
		var got []string
		for _, m := range posts("is on call until") {
			if strings.HasPrefix(m, "☎️ platform:") && !strings.Contains(m, "takes") && !strings.Contains(m, "swap") {
				got = append(got, m)
			}
		}
		if len(got) != n || !strings.Contains(got[n-1][:60], who) {
			t.Errorf("posted are %d, want %d, the last of %s:\n%s", len(got), n, who, strings.Join(got, "\n"))
		}
	}
	soon := func(n int) time.Time { return day(n).Add(-time.Minute) }

	to(soon(1))
	b.advance(2 * time.Minute)
	handed(1, "bob")
	to(day(1).Add(time.Hour))
	handed(1, "bob")

	b.say("carol", "/ops oncall take 2h") // on Tuesday, from bob
	to(day(1).Add(3*time.Hour - time.Minute))
	b.advance(2 * time.Minute)
	handed(2, "bob")

	to(day(2).Add(3 * time.Minute)) // it was down when Wednesday's was due
	handed(3, "carol")
	if late := posts("late by 3 min"); len(late) != 1 {
		t.Errorf("marked as late are %q", late)
	}

	b.say("alice", "/ops oncall swap @bob thursday") // hers, for his on Friday
	asked := b.history("")
	b.click("bob", asked[len(asked)-1].TS, "Accept")
	to(soon(3))
	b.advance(2 * time.Minute)
	handed(4, "bob")

	to(day(4).Add(-31 * time.Minute))
	b.advance(2 * time.Minute) // the set time of Friday
	handed(5, "bob")
	to(soon(4))
	b.advance(2 * time.Minute)
	handed(6, "alice")
	if gaps := posts("nobody is on call from"); len(gaps) != 1 {
		t.Errorf("the gap is told as %q", gaps)
	}
	to(soon(5))
	b.advance(2 * time.Minute)
	handed(7, "carol")
	if gaps := posts("nobody is on call from"); len(gaps) != 1 {
		t.Errorf("the gap is told as %q", gaps)
	}
}
