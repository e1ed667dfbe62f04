// Package clock is where domain time comes from, so that the sandbox and the
// tests can move it. Time-outs of HTTP and of processes are not domain time and
// use the wall clock directly.
package clock

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Clock tells the time and makes timers.
type Clock interface {
	Now() time.Time
	NewTimer(d time.Duration) Timer
}

// Timer is the part of time.Timer that a Clock can move.
type Timer interface {
	C() <-chan time.Time
	// Stop reports whether it kept the timer from firing.
	Stop() bool
}

// Real is the machine's own clock.
func Real() Clock { return real{} }

type real struct{}

func (real) Now() time.Time { return time.Now() }
func (real) NewTimer(d time.Duration) Timer {
	return realTimer{time.NewTimer(d)}
}

type realTimer struct{ t *time.Timer }

func (t realTimer) C() <-chan time.Time { return t.t.C }
func (t realTimer) Stop() bool          { return t.t.Stop() }

// Sleep waits for d on c, or until ctx ends, whose error it then returns.
func Sleep(ctx context.Context, c Clock, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := c.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Movable runs with the machine's clock, shifted by an offset that Advance
// moves forward. The zero value is not usable; call NewMovable or NewStanding.
type Movable struct {
	mu     sync.Mutex
	offset time.Duration
	timers map[*movableTimer]struct{}
	stands time.Time // the machine's time that it goes by; zero is as it goes on
}

// NewMovable returns a clock that is ahead of the machine's by offset.
func NewMovable(offset time.Duration) *Movable {
	return &Movable{offset: offset, timers: map[*movableTimer]struct{}{}}
}

// NewStanding returns a clock that is ahead of the machine's by offset, and stands still
// but for Advance: what happens at which time does not depend on how fast the machine is.
func NewStanding(offset time.Duration) *Movable {
	m := NewMovable(offset)
	m.stands = time.Now()
	return m
}

// Now is the machine's time plus the offset.
func (m *Movable) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now()
}

func (m *Movable) now() time.Time {
	if m.stands.IsZero() {
		return time.Now().Add(m.offset)
	}
	return m.stands.Add(m.offset)
}

// Offset is how far this clock is ahead of the machine's.
func (m *Movable) Offset() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.offset
}

// NewTimer returns a timer that fires when this clock has moved by d.
func (m *Movable) NewTimer(d time.Duration) Timer {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := &movableTimer{m: m, c: make(chan time.Time, 1), at: m.now().Add(d)}
	m.timers[t] = struct{}{}
	t.arm()
	return t
}

// Advance moves the clock forward by d, from timer to timer: it steps to the
// moment of the earliest timer that falls due, fires it and those that fall due with it,
// within a few milliseconds, waits for settle to return (which should wait until all work
// that the timers caused is done), and goes on. settle may be nil.
func (m *Movable) Advance(ctx context.Context, d time.Duration, settle func(context.Context) error) error {
	m.mu.Lock()
	end := m.now().Add(d)
	m.mu.Unlock()
	for {
		if !m.stepTo(end) {
			break
		}
		if settle != nil {
			if err := settle(ctx); err != nil {
				return err
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	if settle != nil {
		return settle(ctx)
	}
	return nil
}

// together is how far apart timers may be that are for the same moment: each was made a
// little after the moment that it counts from was read.
const together = 20 * time.Millisecond

// stepTo moves to the earliest timer before end and fires it, with those of the same
// moment, or to end. It reports whether a timer was fired.
func (m *Movable) stepTo(end time.Time) bool {
	m.mu.Lock()
	var first *movableTimer
	for t := range m.timers {
		if !t.at.After(end) && (first == nil || t.at.Before(first.at)) {
			first = t
		}
	}
	to := end
	var due []*movableTimer
	if first != nil {
		to = first.at
		for t := range m.timers {
			if !t.at.After(end) && t.at.Sub(first.at) <= together {
				due = append(due, t)
			}
		}
		for _, t := range due {
			if t.at.After(to) {
				to = t.at
			}
		}
	}
	if ahead := to.Sub(m.now()); ahead > 0 {
		m.offset += ahead
		for t := range m.timers {
			t.arm()
		}
	}
	m.mu.Unlock()
	if first == nil {
		return false
	}
	slices.SortFunc(due, func(a, b *movableTimer) int { return a.at.Compare(b.at) })
	for _, t := range due {
		t.fire()
	}
	return true
}

type movableTimer struct {
	m    *Movable
	c    chan time.Time
	at   time.Time
	wall *time.Timer
}

func (t *movableTimer) C() <-chan time.Time { return t.c }

// arm has the machine's own clock fire the timer, where this one goes on with it, or
// where it is due already.
func (t *movableTimer) arm() {
	left := max(0, t.at.Sub(t.m.now()))
	switch {
	case left > 0 && !t.m.stands.IsZero():
	case t.wall == nil:
		t.wall = time.AfterFunc(left, t.fire)
	default:
		t.wall.Reset(left)
	}
}

func (t *movableTimer) Stop() bool {
	t.m.mu.Lock()
	defer t.m.mu.Unlock()
	_, live := t.m.timers[t]
	delete(t.m.timers, t)
	if t.wall != nil {
		t.wall.Stop()
	}
	return live
}

func (t *movableTimer) fire() {
	t.m.mu.Lock()
	now := t.m.now()
	_, live := t.m.timers[t]
	if live && now.Before(t.at) { // the clock was moved while this call was on its way
		t.m.mu.Unlock()
		return
	}
	delete(t.m.timers, t)
	t.m.mu.Unlock()
	if live {
		t.c <- now
	}
}
