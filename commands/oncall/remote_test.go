package oncall

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/rota"
	"github.com/signalbox-chatops/signalbox/store"
)

// abroadSource is a system that keeps the schedule of daily(), and takes overrides.
type abroadSource struct {
	schedule rota.Schedule
	err      error  // of everything
	refuse   string // of overrides
	keep     string // why none is taken back
	lose     bool   // the answer of the next override
	blind    bool   // who is on call is not told
	made     int
	asked    int // who is on call
}

func (x *abroadSource) Timeline(_ context.Context, id string, from, to time.Time) ([]integrations.Shift, error) {
	x.asked++
	switch {
	case x.err != nil:
		return nil, x.err
	case x.blind:
		return nil, errors.New("504 Gateway Timeout")
	case id != "P1":
		return nil, fmt.Errorf("no %s", id)
	}
	return rota.Timeline(x.schedule, from, to), nil
}

func (x *abroadSource) Override(_ context.Context, _ string, o integrations.Override) (string, error) {
	if x.refuse != "" {
		return "", errors.New(x.refuse)
	}
	if x.err != nil {
		return "", x.err
	}
	for _, there := range x.schedule.Overrides {
		if there.Person == o.Person && there.Start.Equal(o.Start) && there.End.Equal(o.End) {
			return there.Remote, nil
		}
	}
	x.made++
	o.Remote = fmt.Sprint("R", x.made)
	x.schedule.Overrides = append(x.schedule.Overrides, o)
	if x.lose {
		x.lose = false
		return "", &integrations.Later{After: time.Second, Err: errors.New("the answer was lost")}
	}
	return o.Remote, nil
}

func (x *abroadSource) Find(_ context.Context, _ string, o integrations.Override) (string, error) {
	if x.err != nil {
		return "", x.err
	}
	for _, there := range x.schedule.Overrides {
		if there.Person == o.Person && there.Start.Equal(o.Start) && there.End.Equal(o.End) {
			return there.Remote, nil
		}
	}
	return "", nil
}

func (x *abroadSource) Cancel(_ context.Context, _, remote string) error {
	if x.err != nil {
		return x.err
	}
	if x.keep != "" {
		return errors.New(x.keep)
	}
	x.schedule.Overrides = slices.DeleteFunc(x.schedule.Overrides, func(o integrations.Override) bool { return o.Remote == remote })
	return nil
}

func newRoomAbroad(t *testing.T) (*room, *abroadSource) {
	s := daily()
	e, _, _ := s.Layers[0].epoch(s.zone())
	x := &abroadSource{schedule: rota.Schedule{Zone: s.zone(), Layers: []rota.Layer{{Name: "primary", Epochs: []rota.Epoch{e}}}}}
	s.Layers, s.PagerDuty = nil, "P1"
	r := newRoom(t, s)
	r.f.Source = x
	r.goesAbroad()
	return r, x
}

func (r *room) goesAbroad() {
	r.t.Helper()
	if err := r.f.abroad(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

func TestAScheduleKeptElsewhere(t *testing.T) {
	r, x := newRoomAbroad(t)
	r.expect("carol until 5 09:00, alice until 6 09:00, bob until 7 09:00")
	r.ticks()
	r.at(5, "09:00")
	r.posts("alice is on call until 2026-03-06 09:00 JST")

	// What is changed in chat counts at once, and is written there.
	r.must(bob, "oncall take 2h")
	r.expect("bob until 5 11:00, alice until 6 09:00")
	x.lose = true
	r.goesAbroad() // made, and nobody knows
	r.expect("bob until 5 11:00, alice until 6 09:00")
	r.goesAbroad()
	if x.made != 1 || len(x.schedule.Overrides) != 1 {
		t.Errorf("%d were made there", x.made)
	}
	r.expect("bob until 5 11:00, alice until 6 09:00")

	// Somebody changes it there afterwards: that holds.
	x.schedule.Overrides = append(x.schedule.Overrides, integrations.Override{Kind: rota.Take, Person: "carol", Start: r.clock.now, End: r.clock.now.Add(time.Hour), Order: 99})
	r.clock.now = r.clock.now.Add(refreshEvery)
	r.goesAbroad()
	r.expect("carol until 5 10:00, bob until 5 11:00, alice until 6 09:00")

	r.must(bob, "oncall cancel")
	r.starts()
	r.f.Source = x
	r.goesAbroad()
	r.expect("carol until 5 10:00, alice until 6 09:00")
	err := r.store.View(func(tx *store.Tx) error {
		return ends(tx).Each("", func(id string, _ integrations.Override) error { return fmt.Errorf("%s is to be taken back again", id) })
	})
	if err != nil {
		t.Error(err)
	}
	if all := r.told(cardChange); !strings.Contains(all[0], "taken back") || !strings.Contains(all[1], "PagerDuty says what comes then") {
		t.Errorf("it is told as %q", all)
	}
}

func TestWhatIsRefusedElsewhere(t *testing.T) {
	r, x := newRoomAbroad(t)
	x.refuse = "the schedule is managed by Terraform"
	r.must(bob, "oncall take 2h")
	r.goesAbroad()
	r.expect("carol until 5 09:00, alice until 6 09:00")
	r.refuses(bob, "oncall cancel", "nothing")
	r.refuses(bob, "oncall cancel rota-1", "over")
	if all := r.told(cardChange); len(all) != 1 || !strings.Contains(all[0], "PagerDuty did not take it, and nothing was changed: “the schedule is managed by Terraform”") {
		t.Errorf("it is told as %q", all)
	}
	if all := r.told(cardMoved); len(all) != 1 || !strings.HasPrefix(all[0], "U-carol: ☎️ Your next shift of platform has not moved: PagerDuty did not take the change. bob takes the pager") {
		t.Errorf("whose shift it was is told %q", all)
	}
}

func TestWhenItIsNotHeardOf(t *testing.T) {
	r, x := newRoomAbroad(t)
	r.cat.Environments = []integrations.Environment{{Name: "production", OnCall: []string{"platform"}}}
	x.err = errors.New("no route to host")
	r.clock.now = r.clock.now.Add(refreshEvery)
	r.goesAbroad()
	r.expect("carol until 5 09:00, alice until 6 09:00") // what was read before still says it
	if people, err := r.f.OnCall("web", "production", r.clock.now); err != nil || len(people) != 1 {
		t.Errorf("on call are %v, %v", people, err)
	}
	r.clock.now = r.clock.now.Add(trusted)
	r.goesAbroad()
	if people, err := r.f.OnCall("web", "production", r.clock.now); err == nil || !strings.Contains(err.Error(), "no route to host") {
		t.Errorf("on call are %v, %v", people, err)
	}
	// One that was never read is nobody's.
	r.cfg.Schedules[0].PagerDuty, x.err = "P2", nil
	r.goesAbroad()
	u := commands.Parse(r.verbs, &r.cat, "oncall", false)
	u.Call.Who = alice
	if _, err := r.says(alice, "oncall"); err == nil || !strings.Contains(err.Error(), "no P2") {
		t.Errorf("it says %v", err)
	}
}
