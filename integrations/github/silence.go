package github

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
)

// hearing notices, by the requests that are made anyway, since when GitHub does
// not answer. A refusal is an answer; 5xx and a connection that breaks are none.
type hearing struct {
	clock clock.Clock
	mu    sync.Mutex
	since time.Time // of the first request without an answer; zero while it answers
}

// heard takes in how a request went. Of one without an answer it says since when
// there has been none.
func (h *hearing) heard(ok bool) (since time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if ok {
		h.since = time.Time{}
	} else if h.since.IsZero() {
		h.since = h.clock.Now()
	}
	return h.since
}

func (h *hearing) silent() (since time.Time, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.since, !h.since.IsZero()
}

// impatient says that GitHub has been silent for so long that a request which is
// not answered is not worth trying again at once: whoever asks will come again.
func (h *hearing) impatient() bool {
	since, ok := h.silent()
	return ok && h.clock.Now().Sub(since) > integrations.SilenceKnown
}

// placesWait is how long a surface waits at least when GitHub does not answer.
const placesWait = 5 * time.Second

// silent is an error of a request that was not answered.
type silent struct {
	since time.Time
	long  time.Duration
	error
}

func (e silent) Unwrap() error { return e.error }

// The answer of a server that could not answer carries, for shape, what silent does.
const headerSince, headerFor = "X-Signalbox-Silent-Since", "X-Signalbox-Silent-For"

// away is the outage that an error or an answer stands for.
func away(err error, answer *http.Response) *integrations.Away {
	out := &integrations.Away{System: system, Err: err}
	if e := (silent{}); errors.As(err, &e) {
		out.Since, out.For = e.since, e.long
	} else if answer != nil {
		// What is not there stays zero: then nothing is known of a silence.
		out.Since, _ = time.Parse(time.RFC3339Nano, answer.Header.Get(headerSince))
		out.For, _ = time.ParseDuration(answer.Header.Get(headerFor))
	}
	return out
}

// listening is a transport that tells hearing how requests go.
type listening struct {
	next http.RoundTripper
	*hearing
}

func (t listening) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(req)
	switch {
	case errors.Is(err, context.Canceled): // nobody waited for it
	case err != nil:
		since := t.heard(false)
		return resp, silent{since, t.clock.Now().Sub(since), err}
	default:
		if since := t.heard(resp.StatusCode < 500); !since.IsZero() {
			resp.Header.Set(headerSince, since.Format(time.RFC3339Nano))
			resp.Header.Set(headerFor, t.clock.Now().Sub(since).String())
		}
	}
	return resp, err
}

// Silent says since when GitHub has not answered us, in domain time; ok is false
// while it does. It asks nobody.
func (c *Client) Silent() (since time.Time, ok bool) { return c.hearing.silent() }

// Watched is GitHub, as whoever tells of its silence knows it.
func (c *Client) Watched() integrations.Watched {
	return integrations.Watched{Name: system, Silent: c.Silent}
}

// Answers asks GitHub for what costs nothing of the rate limit. The error is an
// *integrations.Away while it does not answer.
func (c *Client) Answers(ctx context.Context) error {
	_, _, err := c.api.RateLimit.Get(ctx)
	return about(shape(err), "ask whether GitHub answers")
}
