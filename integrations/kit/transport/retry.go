package transport

import (
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// retry tries reads again, never changes: nobody can tell whether a change
// whose answer was lost was made.
type retry struct {
	next     http.RoundTripper
	tries    int
	patience time.Duration
}

const (
	firstWait = 250 * time.Millisecond
	drainMax  = 64 << 10 // of an answer that is thrown away, so that its connection can be used again
)

func (t retry) RoundTrip(req *http.Request) (*http.Response, error) {
	if !reads(req) || req.Body != nil && req.Body != http.NoBody {
		return t.next.RoundTrip(req)
	}
	for n := 1; ; n++ {
		resp, err := t.next.RoundTrip(req)
		if n >= t.tries || req.Context().Err() != nil {
			return resp, err
		}
		wait := backoff(n)
		if err == nil {
			again, asked := Wait(resp, time.Now())
			if !again {
				return resp, nil
			}
			if asked > 0 {
				wait = asked + rand.N(firstWait)
			}
			if wait > t.patience {
				return resp, nil
			}
			io.CopyN(io.Discard, resp.Body, drainMax)
			resp.Body.Close()
		}
		if err := sleep(req.Context(), min(wait, t.patience)); err != nil {
			return nil, err
		}
	}
}

// backoff doubles with every try; half of it is chance, so that clients that
// failed together do not come back together.
func backoff(n int) time.Duration {
	d := firstWait << min(n-1, 10)
	return d/2 + rand.N(d/2)
}

// Wait says whether an answer asks to come again, and after how long: by
// Retry-After (seconds or a date) or, where no requests remain, by
// X-RateLimit-Reset (seconds since 1970). after is 0 when it does not say.
func Wait(resp *http.Response, now time.Time) (again bool, after time.Duration) {
	header := resp.Header
	limited := header.Get("X-RateLimit-Remaining") == "0"
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
	case http.StatusForbidden:
		if header.Get("Retry-After") == "" && !limited {
			return false, 0
		}
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
