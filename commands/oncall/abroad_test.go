package oncall

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/rota"
)

func away() error {
	return &integrations.Later{After: time.Second, Err: errors.New("503 Service Unavailable")}
}

// besides is platform, and before it database, which has never been heard of.
func besides(t *testing.T) (*room, *abroadSource) {
	there := daily()
	there.Name, there.Layers, there.PagerDuty = "database", nil, "P1"
	r := newRoom(t, there, daily())
	x := &abroadSource{err: away()}
	r.f.Source = x
	r.goesAbroad()
	return r, x
}

// A schedule of which nothing is known keeps no other from being told and shown.
func TestOneThatIsNotHeardOfIsAlone(t *testing.T) {
	r, _ := besides(t)
	r.ticks()
	r.must(carol, "oncall swap @alice 2026-03-05 platform")
	r.at(5, "09:00")
	r.posts("alice is on call until 2026-03-06 09:00 JST")
	if all := r.told(cardSwap); len(all) != 1 || !strings.Contains(all[0], "is expired") {
		t.Errorf("the swap is told as %q", all)
	}
	const why = "⚠️ PagerDuty has not told who is on call of database: “503 Service Unavailable”."
	for line, want := range map[string]string{
		"oncall": why + "\n☎️ platform: alice until", "oncall next": why + "\nplatform\nThu 5 Mar 09:00  alice", "oncall mine": "platform\nThu 5 Mar 09:00 – Fri 6 Mar 09:00",
	} {
		if text := r.must(alice, line).Private.Text; !strings.Contains(text, want) || !strings.Contains(text, why) {
			t.Errorf("%s says %q", line, text)
		}
	}
	for _, line := range []string{"oncall database", "oncall next database", "oncall take 2h database"} {
		r.refuses(alice, line, "unheard")
	}
}

// Of several schedules each can be meant by a button.
func TestWhichScheduleIsAskedWithButtons(t *testing.T) {
	r, x := besides(t)
	x.err, x.schedule = nil, rota.Schedule{Zone: daily().zone()}
	r.clock.now = r.clock.now.Add(againEvery)
	r.goesAbroad()
	for _, line := range []string{"oncall take 2h", `oncall take 1d from tomorrow 9:00`, `oncall take 3h --reason "carol is ill"`} {
		_, err := r.says(bob, line)
		var no *commands.Refusal
		if !errors.As(err, &no) || no.Code != "which_schedule" || len(no.Buttons) != 2 || no.Buttons[0].Label != "database" || no.Buttons[1].Label != "platform" {
			t.Fatalf("%s: %v, %+v", line, err, no)
		}
		for _, b := range no.Buttons {
			r.must(bob, b.Command)
		}
	}
	if all := r.told(cardChange); len(all) != 6 || !strings.Contains(all[4], "database: bob takes") || !strings.Contains(all[5], "platform: bob takes") {
		t.Errorf("it is told as %q", all)
	}
}

// While it does not answer, what is changed here waits and says so; what was read is shown
// with its age; it is asked every minute, and not more often.
func TestWhatWaitsSaysSo(t *testing.T) {
	r, x := newRoomAbroad(t)
	r.clock.now = r.clock.now.Add(refreshEvery)
	read := r.clock.now
	r.goesAbroad()
	if text := r.must(alice, "oncall").Private.Text; strings.Contains(text, "answer") {
		t.Errorf("it says %q", text)
	}
	x.err = away()
	r.must(bob, "oncall take 2h")
	waits := func(n int, want bool) {
		t.Helper()
		all := r.told(cardChange)
		if len(all) <= n || strings.Contains(all[n], "⏳ PagerDuty does not have it yet, and calls whom it called before: “503 Service Unavailable”") != want {
			t.Errorf("it is told as %q", all)
		}
	}
	waits(0, false) // it was not tried yet
	r.goesAbroad()
	waits(0, true)
	r.must(alice, "oncall take 30m")
	waits(1, true)
	r.expect("alice until 4 12:35, bob until 4 14:05, carol until 5 09:00")
	if text := r.must(alice, "oncall").Private.Text; !strings.Contains(text, "alice (for carol) until 2026-03-04 12:35 JST, then bob (for carol)\n⏳ platform is as PagerDuty had it at "+read.In(daily().zone()).Format("2006-01-02 15:04 MST")+"; it does not answer now.") {
		t.Errorf("it says %q", text)
	}
	asked := x.asked
	for range 8 {
		r.clock.now = r.clock.now.Add(remoteEvery)
		r.goesAbroad()
	}
	if x.asked != asked+2 {
		t.Errorf("it was asked %d times in two minutes", x.asked-asked)
	}
	r.must(bob, "oncall cancel") // what was never made
	waits(2, true)
	if all := r.told(cardChange); strings.Contains(all[0], "⏳") || !strings.Contains(all[0], "taken back") {
		t.Errorf("taken back it is told as %q", all[0])
	}
	r.must(alice, "oncall cancel rota-2")
	r.must(alice, "oncall take 30m")
	x.err = nil
	r.clock.now = r.clock.now.Add(againEvery)
	r.goesAbroad()
	for n := range 5 {
		waits(n, false)
	}
	if len(x.schedule.Overrides) != 1 || x.schedule.Overrides[0].Person != "alice" || x.made != 1 {
		t.Errorf("there are %+v, of %d", x.schedule.Overrides, x.made)
	}
}

// One that was made, and of which nobody heard before it was taken back, is found there.
func TestATakeBackFindsWhatNobodyHeardOf(t *testing.T) {
	r, x := newRoomAbroad(t)
	r.must(bob, "oncall take 2h")
	x.lose, x.blind = true, true
	r.goesAbroad()
	if x.made != 1 || len(x.schedule.Overrides) != 1 {
		t.Fatalf("%d were made", x.made)
	}
	r.must(bob, "oncall cancel")
	r.must(bob, "oncall take 2h") // the same once more, which is not the one that goes
	x.blind = false
	r.clock.now = r.clock.now.Add(againEvery)
	r.goesAbroad()
	if x.made != 2 || len(x.schedule.Overrides) != 1 || x.schedule.Overrides[0].Remote != "R2" {
		t.Errorf("there are %+v, of %d", x.schedule.Overrides, x.made)
	}
	r.expect("bob until 4 14:00, carol until 5 09:00")
	r.must(bob, "oncall cancel")
	r.goesAbroad()
	if len(x.schedule.Overrides) != 0 {
		t.Errorf("there are %+v", x.schedule.Overrides)
	}
}

// What is not taken back there is told, and shown as it is.
func TestATakeBackThatIsRefused(t *testing.T) {
	r, x := newRoomAbroad(t)
	r.must(bob, "oncall take 2h")
	r.goesAbroad()
	x.keep = "403 Forbidden"
	r.must(bob, "oncall cancel")
	r.goesAbroad()
	r.goesAbroad()
	if all := r.told(cardChange); len(all) != 2 || !strings.Contains(all[1], "PagerDuty did not take it, and nothing was changed: “403 Forbidden”") {
		t.Errorf("it is told as %q", all)
	}
	r.expect("bob until 4 14:00, carol until 5 09:00")
}

// A calendar is the same all day, however often the schedule is read anew.
func TestACalendarOfWhatIsKeptElsewhere(t *testing.T) {
	r, _ := newRoomAbroad(t)
	r.f.URL = "https://ops.example/"
	r.clock.now = r.clock.now.AddDate(0, 0, 30)
	r.goesAbroad()
	all := r.calendar("oncall calendar platform")
	tag := r.get(all, "").Header().Get("ETag")
	r.clock.now = r.clock.now.Add(2 * refreshEvery)
	r.goesAbroad()
	if w := r.get(all, tag); w.Code != 304 {
		t.Errorf("ten minutes later it is another one: %d\n%.900s", w.Code, w.Body)
	}
}

// What was before the time that was read is nobody's to say: it is no gap, and where it
// ends is no handoff.
func TestBeforeWhatWasReadIsNoGap(t *testing.T) {
	r, _ := newRoomAbroad(t)
	r.ticks()
	r.clock.now = r.clock.now.Add(5 * time.Hour) // it was down
	r.goesAbroad()
	r.ticks()
	r.posts()
	r.clock.now = r.clock.now.AddDate(0, 0, remoteBack+1)
	r.goesAbroad()
	r.ticks()
	r.posts()
	r.refuses(alice, "oncall at 2026-03-03 12:00", "not_known")
	r.refuses(alice, "oncall at 2026-09-03 12:00", "not_known")
}
