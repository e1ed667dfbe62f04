package window

import (
	"testing"
	"time"
)

var start = time.Unix(1700000000, 0)

func at(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }

func TestWait(t *testing.T) {
	w := New(3, time.Minute)
	for n, s := range []int{0, 20, 10} { // one for later
		if wait := w.Wait(start, 0); wait != 0 {
			t.Fatalf("after %d of 3 it waits %v", n, wait)
		}
		w.Take(at(s))
	}
	for _, c := range []struct {
		now, ahead int
		want       time.Duration
	}{
		{20, 0, 40 * time.Second},
		{20, 1, 50 * time.Second}, // the next place is another's
		{20, 2, time.Minute},
		{20, 3, time.Minute}, // more than there ever is
		{59, 0, time.Second},
		{60, 0, 0},
		{60, 1, 10 * time.Second},
		{200, 2, 0},
		{200, 3, time.Minute},
	} {
		w := *w
		if got := w.Wait(at(c.now), c.ahead); got != c.want {
			t.Errorf("at %d s, behind %d others, it waits %v, want %v", c.now, c.ahead, got, c.want)
		}
	}
}

// Whatever is asked when, no stretch holds more than Most.
func TestNoStretchHoldsMore(t *testing.T) {
	w := New(5, time.Minute)
	var taken []time.Time
	now := start
	for n := range 400 {
		if w.Wait(now, 0) == 0 {
			w.Take(now)
			taken = append(taken, now)
		}
		now = now.Add(time.Duration(n*7919%9000) * time.Millisecond)
	}
	for i := range taken[5:] {
		if d := taken[i+5].Sub(taken[i]); d < time.Minute {
			t.Fatalf("six within %v", d)
		}
	}
	if len(taken) < 100 {
		t.Errorf("only %d of 400 were let through", len(taken))
	}
}
