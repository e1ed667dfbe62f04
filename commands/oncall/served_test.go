package oncall

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/store"
)

// served is what was of the schedules, in lines.
func (r *room) served(from, to time.Time) string {
	r.t.Helper()
	var out []string
	err := r.store.View(func(tx *store.Tx) error {
		all, err := r.f.Served(tx, from, to)
		for _, s := range all {
			line := fmt.Sprintf("%s %s–%s %v %v:", s.Schedule, s.From.In(s.Zone).Format("2 15:04"), s.To.In(s.Zone).Format("2 15:04"), s.People, s.Changes)
			for _, x := range merged(s.Shifts) {
				line += fmt.Sprintf(" %s %s", x.Start.In(s.Zone).Format("2 15:04"), names(x))
			}
			out = append(out, line)
		}
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return strings.Join(out, "\n")
}

func TestServed(t *testing.T) {
	r := newRoom(t, daily())
	tokyo := daily().zone()
	day := func(n, hour int) time.Time { return time.Date(2026, 3, n, hour, 0, 0, 0, tokyo) }
	r.must(bob, "oncall take 2h")                                                    // from noon of the fourth
	r.must(alice, "oncall cover @carol from tomorrow 0:00 to tomorrow 3:00 by @bob") // made on the fourth
	r.must(carol, "oncall take 1h from tomorrow 10:00")                              // which she takes back
	r.must(carol, "oncall cancel")
	r.at(20, "12:00") // long after
	want := "platform 4 09:00–5 12:00 [alice bob carol] [take cover]: 4 09:00 carol 4 12:00 bob 4 14:00 carol 5 00:00 bob 5 03:00 carol 5 09:00 alice"
	if got := r.served(day(4, 9), day(5, 12)); got != want {
		t.Errorf("it was\n%s\nwant\n%s", got, want)
	}
	if got := r.served(day(5, 9), day(5, 12)); got != "platform 5 09:00–5 12:00 [alice bob carol] []: 5 09:00 alice" {
		t.Errorf("the day after was %s", got)
	}
	if got := r.served(day(5, 9), day(5, 9)); got != "" {
		t.Errorf("of no time it says %s", got)
	}
}

// Of a schedule that is kept elsewhere the past is what that system says of it, as far
// back as it is asked.
func TestServedElsewhere(t *testing.T) {
	r, x := newRoomAbroad(t) // at noon of the fourth; the first layer begins on the second
	day := func(n, hour int) time.Time { return time.Date(2026, 3, n, hour, 0, 0, 0, daily().zone()) }
	if got, want := r.served(day(3, 12), day(5, 9)), "platform 3 12:00–5 09:00 [] []: 3 12:00 bob 4 09:00 carol"; got != want {
		t.Errorf("it was\n%s\nwant\n%s", got, want)
	}
	r.clock.now = day(8, 10)
	x.schedule.Layers[0].Epochs[0].Groups = [][]string{{"zoe"}} // another roster, from whenever: that system knows what was
	r.goesAbroad()
	r.starts()
	r.f.Source = x
	if got, want := r.served(day(6, 12), day(9, 9)), "platform 6 12:00–9 09:00 [] []: 6 12:00 zoe"; got != want {
		t.Errorf("it was\n%s\nwant\n%s", got, want)
	}
	if got := r.served(day(1, 0).AddDate(0, -2, 0), day(1, 0).AddDate(0, -1, 0)); got != "" {
		t.Errorf("of a time that nobody knows it says %s", got)
	}
	r.clock.now = day(8, 14).Add(keepFor + 48*time.Hour)
	r.goesAbroad() // it was not heard of for longer than is read ahead
	if got := r.served(day(6, 12), day(9, 9)); got != "" {
		t.Errorf("what is long over is %s", got)
	}
	r.cfg.Schedules[0].PagerDuty = "P3"
	if got := r.served(r.clock.now, r.clock.now.Add(time.Hour)); got != "" {
		t.Errorf("of one that was never read it says %s", got)
	}
}
