package main

import (
	"slices"
	"sync"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
)

// jumpClock is the bubble's clock and how far it was set forward. A jump fires at
// once what fell due meanwhile, as a machine does that has slept.
type jumpClock struct {
	mu     sync.Mutex
	offset time.Duration
	timers map[*jumpTimer]struct{}
}

type jumpTimer struct {
	k    *jumpClock
	c    chan time.Time
	at   time.Time
	wall *time.Timer
}

func (k *jumpClock) Now() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	return time.Now().Add(k.offset)
}

func (k *jumpClock) NewTimer(d time.Duration) clock.Timer {
	k.mu.Lock()
	defer k.mu.Unlock()
	t := &jumpTimer{k: k, c: make(chan time.Time, 1), at: time.Now().Add(k.offset + d)}
	k.timers[t] = struct{}{}
	t.wall = time.AfterFunc(d, t.fire)
	return t
}

func (k *jumpClock) jump(d time.Duration) {
	k.mu.Lock()
	k.offset += d
	now := time.Now().Add(k.offset)
	var due []*jumpTimer
	for t := range k.timers {
		if t.at.After(now) {
			t.wall.Reset(t.at.Sub(now))
		} else {
			due = append(due, t)
		}
	}
	k.mu.Unlock()
	slices.SortFunc(due, func(a, b *jumpTimer) int { return a.at.Compare(b.at) })
	for _, t := range due {
		t.fire()
	}
}

func (t *jumpTimer) C() <-chan time.Time { return t.c }

func (t *jumpTimer) Stop() bool {
	t.k.mu.Lock()
	defer t.k.mu.Unlock()
	_, live := t.k.timers[t]
	delete(t.k.timers, t)
	t.wall.Stop()
	return live
}

func (t *jumpTimer) fire() {
	t.k.mu.Lock()
	defer t.k.mu.Unlock()
	if _, live := t.k.timers[t]; live {
		delete(t.k.timers, t)
		t.wall.Stop()
		t.c <- time.Now().Add(t.k.offset)
	}
}
