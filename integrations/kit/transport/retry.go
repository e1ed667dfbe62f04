package transport

import (
	"context"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/kit/redact"
)

// retry tries reads again, never changes: nobody can tell whether a change
// whose answer was lost was made. A read is not over before its answer is here,
// so one that breaks off is tried again as well, up to whole bytes.
type retry struct {
	next      http.RoundTripper
	tries     int
	patience  time.Duration
	impatient func() bool // may be nil
	log       *slog.Logger
	redact    *redact.Redactor
}

const (
	firstWait = 250 * time.Millisecond
	whole     = 8 << 20
	drainMax  = 64 << 10 // of an answer that is thrown away, so that its connection can be used again
)

func (t retry) RoundTrip(req *http.Request) (*http.Response, error) {
	if !reads(req) || req.Body != nil && req.Body != http.NoBody {
		return t.next.RoundTrip(req)
	}
	for n := 1; ; n++ {
		resp, err := t.read(req)
		wait, again := t.again(req.Context(), n, resp, err)
		if !again {
			return resp, err
		}
		t.log.DebugContext(req.Context(), "trying again", "host", req.URL.Host, "path", req.URL.Path, "after", wait, "outcome", t.outcome(resp, err))
		if resp != nil {
			io.CopyN(io.Discard, resp.Body, drainMax)
			resp.Body.Close()
		}
		if err := sleep(req.Context(), wait); err != nil {
			return nil, err
		}
	}
}

func (t retry) read(req *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if resp.ContentLength <= whole {
		if _, _, err := readUpTo(resp, whole); err != nil {
			return nil, err
		}
	}
	return resp, nil
}

// again says whether the nth try was not the last, and how long to wait.
func (t retry) again(ctx context.Context, n int, resp *http.Response, err error) (time.Duration, bool) {
	if n >= t.tries || ctx.Err() != nil || t.impatient != nil && t.impatient() {
		return 0, false
	}
	wait := min(backoff(n), t.patience)
	if err == nil {
		asks, after := Wait(resp, time.Now())
		if !asks {
			return 0, false
		}
		if after > 0 {
			wait = after + rand.N(firstWait)
		}
	}
	if end, ok := ctx.Deadline(); ok && time.Until(end) < wait {
		return 0, false
	}
	return wait, wait <= t.patience
}

func (t retry) outcome(resp *http.Response, err error) any {
	if err != nil {
		return t.redact.Error(err)
	}
	return resp.Status
}

// backoff triples with every try, so that four of them outlast a restart on the
// other side; half of it is chance, so that clients that failed together do not
// come back together.
func backoff(n int) time.Duration {
	d := firstWait
	for range min(n-1, 8) {
		d *= 3
	}
	return d/2 + rand.N(d/2)
}

// Wait says whether an answer asks to come again, and after how long: by
// Retry-After (seconds or a date) or, where no requests remain, by
// X-RateLimit-Reset (seconds since 1970). after is 0 when it does not say.
func Wait(resp *http.Response, now time.Time) (again bool, after time.Duration) {
	header := resp.Header
	limited := header.Get("X-RateLimit-Remaining") == "0"
	switch code := resp.StatusCode; {
	case code == http.StatusTooManyRequests, code >= 500 && code != http.StatusNotImplemented:
	case code == http.StatusForbidden && (limited || header.Get("Retry-After") != ""):
	default:
		return false, 0
	}
	if s := header.Get("Retry-After"); s != "" {
		if n, err := strconv.Atoi(s); err == nil && n >= 0 {
			return true, time.Duration(n) * time.Second
		}
		if at, err := http.ParseTime(s); err == nil {
			return true, max(0, at.Sub(now))
		}
	}
	if limited {
		if n, err := strconv.ParseInt(header.Get("X-RateLimit-Reset"), 10, 64); err == nil {
			return true, max(0, time.Unix(n, 0).Sub(now))
		}
	}
	return true, 0
}
