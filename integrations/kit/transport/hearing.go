package transport

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"
)

// Hearing notices, by the requests that are made anyway, since when a service does
// not answer. A refusal is an answer; 5xx and a connection that breaks are none.
type Hearing struct {
	now   func() time.Time
	mu    sync.Mutex
	since time.Time // of the first request without an answer; zero while it answers
}

// NewHearing makes one that tells the time by now.
func NewHearing(now func() time.Time) *Hearing { return &Hearing{now: now} }

// Heard takes in how a request went. Without an answer it says since when there is
// none, and for how long that has been so.
func (h *Hearing) Heard(resp *http.Response, err error) (since time.Time, long time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch ok := err == nil && resp.StatusCode < 500; {
	case errors.Is(err, context.Canceled): // nobody waited for it
		return time.Time{}, 0
	case ok:
		h.since = time.Time{}
		return h.since, 0
	case h.since.IsZero():
		h.since = h.now()
	}
	return h.since, h.now().Sub(h.since)
}

// Silent says since when there is no answer; ok is false while there is.
func (h *Hearing) Silent() (since time.Time, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.since, !h.since.IsZero()
}

// Over listens to what goes through another transport.
func (h *Hearing) Over(next http.RoundTripper) http.RoundTripper { return heard{next, h} }

type heard struct {
	next http.RoundTripper
	h    *Hearing
}

func (t heard) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(req)
	t.h.Heard(resp, err)
	return resp, err
}
