package github

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/transport"
)

// placesWait is how long a surface waits at least when GitHub does not answer.
const placesWait = 5 * time.Second

// silent is an error of a request that was not answered.
type silent struct {
	since time.Time
	long  time.Duration
	error
}

func (e silent) Unwrap() error { return e.error }

// The answer of a server that could not answer carries, for away, what silent does.
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

// listening notices how requests go, and notes it on what comes back.
type listening struct {
	next    http.RoundTripper
	hearing *transport.Hearing
}

func (t listening) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(req)
	switch since, long := t.hearing.Heard(resp, err); {
	case since.IsZero():
	case err != nil:
		err = silent{since, long, err}
	default:
		resp.Header.Set(headerSince, since.Format(time.RFC3339Nano))
		resp.Header.Set(headerFor, long.String())
	}
	return resp, err
}

// impatient says that GitHub has been silent for so long that a request which is
// not answered is not worth trying again at once: whoever asks will come again.
func (c *Client) impatient() bool {
	since, ok := c.Silent()
	return ok && c.clock.Now().Sub(since) > integrations.SilenceKnown
}

// Silent says since when GitHub has not answered us, in domain time; ok is false
// while it does. It asks nobody.
func (c *Client) Silent() (since time.Time, ok bool) { return c.hearing.Silent() }

// Watched is GitHub, for whoever tells of its silence.
func (c *Client) Watched() integrations.Watched {
	return integrations.Watched{Name: system, Silent: c.Silent}
}

// Answers asks GitHub for what costs nothing of the rate limit. The error is an
// *integrations.Away while it does not answer.
func (c *Client) Answers(ctx context.Context) error {
	_, _, err := c.api.RateLimit.Get(ctx)
	return about(shape(err), "ask whether GitHub answers")
}
