package transport

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// timed bounds one exchange, its answer's body too.
type timed struct {
	next  http.RoundTripper
	limit time.Duration
}

// slow is our own time-out. It is not context.DeadlineExceeded: whoever asked
// may have time left, and can try again.
type slow struct{ limit time.Duration }

func (e slow) Error() string { return fmt.Sprintf("no whole answer within %v", e.limit) }
func (e slow) Timeout() bool { return true }

func (t timed) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeoutCause(req.Context(), t.limit, slow{t.limit})
	resp, err := t.next.RoundTrip(req.WithContext(ctx))
	if err != nil {
		err = whySlow(ctx, err)
		cancel()
		return nil, err
	}
	resp.Body = &timedBody{resp.Body, ctx, cancel}
	return resp, nil
}

// whySlow is what really ended an exchange: transports report that in words of
// their own.
func whySlow(ctx context.Context, err error) error {
	if late, ok := context.Cause(ctx).(slow); ok {
		return late
	}
	return err
}

type timedBody struct {
	io.ReadCloser
	ctx    context.Context
	cancel context.CancelFunc
}

func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = whySlow(b.ctx, err)
	}
	return n, err
}

func (b *timedBody) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}
