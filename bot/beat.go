package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
)

// loopWait is how long, of wall time, a loop may take to say that it goes round.
const loopWait = 5 * time.Second

// stuck says which of the loops that all depends on does not go round; nil if all
// do. A loop that has nothing to do does.
func (a *app) stuck(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, loopWait)
	defer cancel()
	var errs []error
	for _, l := range []struct {
		name  string
		alive func(context.Context) error
	}{{"dispatcher", a.dispatcher.Alive}, {"runner", a.runner.Alive}} {
		if err := l.alive(ctx); err != nil {
			errs = append(errs, fmt.Errorf("the %s is stuck: %w", l.name, err))
		}
	}
	return errors.Join(append(errs, a.store.Err())...)
}

// stuckAtWork is stuck for whoever asks from outside: before recovery has run, no
// loop is to go round.
func (a *app) stuckAtWork(ctx context.Context) error {
	if !a.ready.Load() {
		return nil
	}
	return a.stuck(ctx)
}

// sender sends one heartbeat.
type sender interface {
	Send(ctx context.Context, now time.Time) error
}

// beat sends heartbeats for as long as the loops go round, and is quiet when one
// does not: then whoever misses them calls people.
func beat(ctx context.Context, clk clock.Clock, every time.Duration, to sender, stuck func(context.Context) error, say func(msg string, args ...any)) error {
	quiet, failing := false, false
	for clock.Sleep(ctx, clk, every) == nil {
		if err := stuck(ctx); err != nil {
			if !quiet && ctx.Err() == nil {
				say("no heartbeat is sent until it goes on", "error", err)
			}
			quiet = true
			continue
		}
		quiet = false
		err := to.Send(ctx, clk.Now())
		if err != nil && !failing && ctx.Err() == nil {
			say("heartbeat", "error", err)
		}
		failing = err != nil
	}
	return nil
}
