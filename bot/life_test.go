package main

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestPartsStopLastFirst(t *testing.T) {
	l := newLife(slog.New(slog.DiscardHandler))
	var order []string
	for _, name := range []string{"first", "second", "third"} {
		l.start(name, time.Minute, func(ctx context.Context) error {
			<-ctx.Done()
			order = append(order, name)
			return ctx.Err()
		})
	}
	if err := l.stop(); err != nil {
		t.Fatal(err)
	}
	if want := []string{"third", "second", "first"}; !slices.Equal(order, want) {
		t.Errorf("stopped in the order %v", order)
	}
}

func TestAPartThatDoesNotStopIsNamed(t *testing.T) {
	l := newLife(slog.New(slog.DiscardHandler))
	end := make(chan struct{})
	defer close(end)
	l.start("stubborn", time.Millisecond, func(context.Context) error { <-end; return nil })
	if err := l.stop(); err == nil || !strings.Contains(err.Error(), "stubborn") {
		t.Errorf("stop: %v", err)
	}
}

func TestAPartThatEndsByItselfIsReported(t *testing.T) {
	l := newLife(slog.New(slog.DiscardHandler))
	l.start("door", time.Minute, func(context.Context) error { return errors.New("the address is taken") })
	if err := <-l.failed; err == nil || err.Error() != "door: the address is taken" {
		t.Errorf("failed: %v", err)
	}
	if err := l.stop(); err != nil {
		t.Error(err)
	}
}
