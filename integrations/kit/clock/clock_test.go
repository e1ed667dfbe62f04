package clock

import (
	"context"
	"testing"
	"time"
)

func TestAdvanceGoesFromTimerToTimer(t *testing.T) {
	c := NewMovable(0)
	start := c.Now()
	first, second, later := c.NewTimer(time.Hour), c.NewTimer(2*time.Hour), c.NewTimer(48*time.Hour)
	var seen []time.Duration
	err := c.Advance(context.Background(), 24*time.Hour, func(context.Context) error {
		for _, timer := range []Timer{first, second, later} {
			select {
			case at := <-timer.C():
				seen = append(seen, at.Sub(start).Round(time.Minute))
			default:
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(seen) != 2 || seen[0] != time.Hour || seen[1] != 2*time.Hour {
		t.Fatalf("timers fired at %v, want 1h and 2h, each in its own step", seen)
	}
	if !later.Stop() {
		t.Fatal("a timer past the end of the step had fired")
	}
	if got := c.Now().Sub(start).Round(time.Minute); got != 24*time.Hour {
		t.Fatalf("the clock moved by %v, want 24h", got)
	}
}

func TestStoppedTimerDoesNotFire(t *testing.T) {
	c := NewMovable(0)
	timer := c.NewTimer(time.Minute)
	timer.Stop()
	if err := c.Advance(context.Background(), time.Hour, nil); err != nil {
		t.Fatal(err)
	}
	select {
	case <-timer.C():
		t.Fatal("a stopped timer fired")
	default:
	}
}

func TestMovableTimerFiresWithWallTime(t *testing.T) {
	c := NewMovable(5 * time.Hour)
	select {
	case <-c.NewTimer(time.Millisecond).C():
	case <-time.After(5 * time.Second):
		t.Fatal("a timer of one millisecond did not fire in five seconds")
	}
}

// A clock that stands has no timer fire by itself, but for one that is due.
func TestStandingClock(t *testing.T) {
	c := NewStanding(5 * time.Hour)
	if ahead := time.Until(c.Now()).Round(time.Minute); ahead != 5*time.Hour {
		t.Errorf("it is ahead by %v", ahead)
	}
	start, soon, due := c.Now(), c.NewTimer(time.Nanosecond), c.NewTimer(0)
	<-due.C()
	select {
	case <-soon.C():
		t.Fatal("a timer fired by itself")
	default:
	}
	if !c.Now().Equal(start) {
		t.Errorf("it went on by %v", c.Now().Sub(start))
	}
	if err := c.Advance(context.Background(), time.Hour, nil); err != nil {
		t.Fatal(err)
	}
	<-soon.C()
	if got := c.Now().Sub(start); got != time.Hour {
		t.Errorf("it was moved by %v, want 1h", got)
	}
}
