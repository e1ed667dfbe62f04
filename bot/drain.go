package main

import (
	"context"
	"errors"
	"time"
)

// tellWait is how long what a drain changed may take to be told before the teller
// stops; what is not told by then is told by the next process.
const tellWait = 10 * time.Second

// drain is the beginning of a stop with runner.drain_on_stop: everything stays
// open and at work, but nothing new is begun, until what runs has ended or the
// limit has passed. Without that setting a stop begins at once, and leaves what
// runs to the next process. It returns early with the error of a part that fails.
func (a *app) drain() error {
	if !a.Config.Runner.DrainOnStop {
		return nil
	}
	a.draining.Store(true)
	a.dispatcher.Keep()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	drained := make(chan error, 1)
	go func() { // waited for below, either way
		err := a.runner.Drain(ctx, a.Config.Runner.DrainLimit)
		a.untilTold(ctx)
		drained <- err
	}()
	select {
	case err := <-drained:
		return err
	case err := <-a.life.failed:
		cancel()
		return errors.Join(err, <-drained)
	}
}

// untilTold waits until the teller has nothing to tell, now or when its pace lets
// it, a little while at most.
func (a *app) untilTold(ctx context.Context) {
	for until := time.Now().Add(tellWait); ctx.Err() == nil && time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		if a.teller.Rests(a.Clock.Now().Add(time.Until(until))) {
			return
		}
	}
}
