package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// life holds what was started, each part under a name, and stops it last first.
type life struct {
	log    *slog.Logger
	parts  []part
	failed chan error // the first part that ended by itself with an error
}

type part struct {
	name  string
	stop  context.CancelFunc
	done  chan struct{}
	limit time.Duration
}

func newLife(log *slog.Logger) *life { return &life{log: log, failed: make(chan error, 1)} }

// start runs a part until it is stopped. limit is how long its stop may take.
func (l *life) start(name string, limit time.Duration, run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	p := part{name: name, stop: cancel, done: make(chan struct{}), limit: limit}
	l.parts = append(l.parts, p)
	go func() {
		defer close(p.done)
		if err := run(ctx); err != nil && ctx.Err() == nil {
			select {
			case l.failed <- fmt.Errorf("%s: %w", name, err):
			default:
			}
		}
	}()
}

// stop stops every part, last first, each within its limit.
func (l *life) stop() error {
	var errs []error
	for i := len(l.parts) - 1; i >= 0; i-- {
		p := l.parts[i]
		p.stop()
		select {
		case <-p.done:
			l.log.Debug("stopped", "part", p.name)
		case <-time.After(p.limit):
			errs = append(errs, fmt.Errorf("stop %s: still at work after %v", p.name, p.limit))
		}
	}
	l.parts = nil
	return errors.Join(errs...)
}
