package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/store"
)

// intake is what the doors for webhooks have in common: so many deliveries at once, of
// a bounded size and in a bounded time, each stored before it is answered.
type intake struct {
	store    *store.Store
	clock    clock.Clock
	log      *slog.Logger
	patience time.Duration // of the sender with our answer
	room     chan struct{} // a place for each delivery at work
	larges   chan struct{} // and for each large one
	failed   seldom
}

func newIntake(st *store.Store, clk clock.Clock, log *slog.Logger, atOnce, larges int, patience time.Duration) *intake {
	return &intake{store: st, clock: clk, log: log, patience: patience, room: make(chan struct{}, atOnce), larges: make(chan struct{}, larges)}
}

// body reads a delivery of at most so many bytes, in its turn. Where ok is false the
// answer is written; else leave has to be called when the delivery is done with.
func (d *intake) body(w http.ResponseWriter, r *http.Request, most int64) (body []byte, leave func(), ok bool) {
	tooLarge := func() {
		answer(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("a delivery holds at most %d MB", most>>20))
	}
	if r.ContentLength > most {
		tooLarge()
		return nil, nil, false
	}
	leave, ok = d.enter(r)
	if !ok {
		w.Header().Set("Retry-After", "5")
		answer(w, http.StatusServiceUnavailable, "too many deliveries at once")
		return nil, nil, false
	}
	body, err := readWebhook(w, r, most)
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &long):
		tooLarge()
	case err != nil:
		answer(w, http.StatusBadRequest, "the body ended early")
	default:
		return body, leave, true
	}
	leave()
	return nil, nil, false
}

// accept stores an event and answers. The sender may have gone by then; what it
// sent is kept all the same.
func (d *intake) accept(w http.ResponseWriter, r *http.Request, e store.Event) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), d.patience)
	defer cancel()
	e.Accepted = d.clock.Now()
	_, duplicate, err := d.store.Accept(ctx, e)
	switch {
	case err != nil:
		if n, loud := d.failed.now(); loud {
			d.log.Error("webhook not stored, and refused", "kind", e.Kind, "delivery", e.Keys[0], "err", err, "times", n)
		}
		w.Header().Set("Retry-After", "60")
		answer(w, http.StatusServiceUnavailable, "it could not be stored")
	case duplicate:
		reply(w, http.StatusAccepted, duplicateReply)
	default:
		reply(w, http.StatusAccepted, acceptedReply)
	}
}

var (
	acceptedReply  = []byte(`{"ok":true}` + "\n")
	duplicateReply = []byte(`{"ok":true,"duplicate":true}` + "\n")
)

// enter takes a place for a delivery, and one of the few for a large one.
func (d *intake) enter(r *http.Request) (leave func(), ok bool) {
	large := r.ContentLength < 0 || r.ContentLength > webhookLarge
	if !take(r.Context(), d.room, d.patience/2) {
		return nil, false
	}
	if large && !take(r.Context(), d.larges, d.patience/2) {
		<-d.room
		return nil, false
	}
	return func() {
		if large {
			<-d.larges
		}
		<-d.room
	}, true
}

func take(ctx context.Context, places chan struct{}, patience time.Duration) bool {
	select {
	case places <- struct{}{}:
		return true
	default:
	}
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case places <- struct{}{}:
		return true
	case <-t.C:
	case <-ctx.Done():
	}
	return false
}

func readWebhook(w http.ResponseWriter, r *http.Request, most int64) ([]byte, error) {
	// Not every ResponseWriter has a connection; the server's has.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(readPatience))
	in := http.MaxBytesReader(w, r.Body, most)
	if n := r.ContentLength; n >= 0 && n <= webhookLarge {
		body := make([]byte, n)
		_, err := io.ReadFull(in, body)
		return body, err
	}
	return io.ReadAll(in)
}

// seldom counts what happens and speaks up once a minute.
type seldom struct {
	mu    sync.Mutex
	last  time.Time
	quiet int
}

// now counts one more; loud says that it is time to tell of n.
func (s *seldom) now() (n int, loud bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.quiet++
	if now := time.Now(); s.last.IsZero() || now.Sub(s.last) >= time.Minute {
		n, s.quiet, s.last = s.quiet, 0, now
		return n, true
	}
	return 0, false
}
