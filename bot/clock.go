package main

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
)

// clockDoor is where time comes in: it runs each feature's ticks, once at the
// start and then whenever their time comes round, counted from the start however long
// each takes: so those whose times fall together do, and a clock that is moved has few
// moments to stop at. A tick that is still at work is not begun again.
type clockDoor struct {
	clock clock.Clock
	log   *slog.Logger
	ticks []commands.Tick
	kicks sync.Map // by the tick's name, a channel that asks for it now
	turns sync.Map // by the tick's name, a *turn
}

// turn is where a tick stands. What has fallen due counts as begun: whoever waits until all
// is idle cannot come between its timer and its work.
type turn struct {
	asked atomic.Bool  // for now
	due   atomic.Int64 // Unix nanoseconds; atWork, and 0 before its first time
}

const atWork = -1

func (d *clockDoor) turn(name string) *turn {
	t, _ := d.turns.LoadOrStore(name, &turn{})
	return t.(*turn)
}

// Again has a tick run now, or once more if it is at work; its next round is where it
// was to be.
func (d *clockDoor) Again(name string) {
	d.turn(name).asked.Store(true)
	select {
	case d.kick(name) <- struct{}{}:
	default:
	}
}

func (d *clockDoor) kick(name string) chan struct{} {
	c, _ := d.kicks.LoadOrStore(name, make(chan struct{}, 1))
	return c.(chan struct{})
}

// Run ticks until ctx ends; it returns when the last tick under way has ended.
func (d *clockDoor) Run(ctx context.Context) error {
	var all sync.WaitGroup
	defer all.Wait()
	start := d.clock.Now()
	for _, t := range d.ticks {
		all.Add(1)
		go func() {
			defer all.Done()
			turn := d.turn(t.Name)
			defer turn.due.Store(0)
			for {
				turn.due.Store(atWork)
				turn.asked.Store(false)
				d.tick(ctx, t)
				now := d.clock.Now()
				next := untilNext(start, now, t.Every)
				timer := d.clock.NewTimer(next)
				turn.due.Store(now.Add(next).UnixNano())
				select {
				case <-ctx.Done():
					timer.Stop()
					return
				case <-d.kick(t.Name):
					timer.Stop()
				case <-timer.C():
				}
			}
		}()
	}
	return nil
}

// untilNext is how long it is to the next full round since the start.
func untilNext(start, now time.Time, every time.Duration) time.Duration {
	return every - now.Sub(start)%every
}

func (d *clockDoor) tick(ctx context.Context, t commands.Tick) {
	defer func() {
		if p := recover(); p != nil {
			d.log.Error("tick panicked", "tick", t.Name, "panic", p)
		}
	}()
	if err := t.Run(ctx); err != nil && ctx.Err() == nil {
		d.log.Warn("tick", "tick", t.Name, "error", err)
	}
}

// Idle says whether no tick is at work, due or asked for.
func (d *clockDoor) Idle() bool {
	idle, now := true, d.clock.Now().UnixNano()
	d.turns.Range(func(_, v any) bool {
		t := v.(*turn)
		due := t.due.Load()
		idle = due != atWork && (due == 0 || due > now) && !t.asked.Load()
		return idle
	})
	return idle
}
