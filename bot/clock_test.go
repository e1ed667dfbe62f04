package main

import (
	"context"
	"log/slog"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
)

// A round comes when it is due since the start, and not later by what each took.
func TestUntilNext(t *testing.T) {
	start := time.Date(2026, 3, 4, 3, 0, 7, 5, time.UTC)
	for after, want := range map[time.Duration]time.Duration{
		0: time.Minute, time.Second: 59 * time.Second, time.Minute: time.Minute, 61*time.Second + time.Millisecond: 59*time.Second - time.Millisecond, 24*time.Hour - 1: 1,
	} {
		if got := untilNext(start, start.Add(after), time.Minute); got != want {
			t.Errorf("after %v it is %v, want %v", after, got, want)
		}
	}
}

// What is due or asked for is not idle before it has begun, nor before the next round is
// waited for: a clock that is moved while all is idle passes over no tick.
func TestClockDoorIsIdle(t *testing.T) {
	clk, ran := clock.NewStanding(0), make(chan struct{})
	d := &clockDoor{clock: clk, log: slog.New(slog.DiscardHandler), ticks: []commands.Tick{{Name: "look", Every: time.Minute, Run: func(context.Context) error {
		ran <- struct{}{}
		return nil
	}}}}
	d.Again("unheard")
	if d.Idle() {
		t.Error("it is idle, and a tick is asked for")
	}
	d.turns.Clear()
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() { _ = d.Run(ctx) })
	defer all.Wait()
	defer cancel()
	for range 50 {
		<-ran
		for !d.Idle() {
			runtime.Gosched()
		}
		// All timers are made: the next one is fired, and the tick has begun at once.
		if err := clk.Advance(ctx, time.Minute, nil); err != nil {
			t.Fatal(err)
		}
		if d.Idle() {
			t.Fatal("it is idle, and a tick is due")
		}
	}
	<-ran
}
