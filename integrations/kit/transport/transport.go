// Package transport holds the manners that every client of a web service needs:
// time-outs, bounded answers, patience with rate limits, one change at a time,
// and errors that give no token away.
//
// It is part of the kit. Each manner is a RoundTripper around another, and New
// stacks them in the order that works. Waiting here is waiting for somebody
// else's machine, so it uses wall time. It is for answers that end: a stream
// would be cut by Timeout, and held back while its beginning is read.
package transport

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/kit/redact"
)

// Options choose the manners of New; the zero value of each is what it says.
type Options struct {
	// Base makes the requests, and adds the credentials; nil is Base().
	Base http.RoundTripper
	// Host, when set, is the only host that is asked: a redirect elsewhere would
	// take our credentials along.
	Host string
	// Timeout bounds one try, from its first byte sent to the last byte read of
	// its answer; 0 is 30 seconds. Waiting for a turn, and between tries, is
	// bounded by the request's context alone, so the time-out of an http.Client
	// belongs here.
	Timeout time.Duration
	// MaxBody bounds an answer in bytes; 0 is 64 MiB.
	MaxBody int64
	// Cache is how many bytes of answers are kept for asking with their ETag; 0
	// is none.
	Cache int64
	// OneWriter lets one changing request through at a time.
	OneWriter bool
	// Tries of a read, the first one too; 0 is three.
	Tries int
	// Patience is the longest single wait before a read is tried again; an
	// answer that asks for more, or for more than the context has left, is
	// returned as it is. 0 is ten seconds.
	Patience time.Duration
	// Impatient, while it says so, has nothing tried again; nil never does.
	Impatient func() bool
	// Redact takes secrets out of errors; nil knows the patterns only.
	Redact *redact.Redactor
	// Log is told, for debugging, what is tried again; nil is nobody.
	Log *slog.Logger
}

// New stacks the manners.
func New(o Options) http.RoundTripper {
	rt := o.Base
	if rt == nil {
		rt = Base()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	rt = timed{rt, cmp.Or(o.Timeout, 30*time.Second)}
	if tries := cmp.Or(o.Tries, 3); tries > 1 {
		rt = retry{rt, tries, cmp.Or(o.Patience, 10*time.Second), o.Impatient, o.Log, o.Redact}
	}
	rt = bounded{rt, cmp.Or(o.MaxBody, 64<<20)}
	if o.Cache > 0 {
		rt = newETags(rt, o.Cache)
	}
	if o.OneWriter {
		rt = oneWriter{rt, make(chan struct{}, 1)}
	}
	if o.Host != "" {
		rt = onlyHost{rt, o.Host}
	}
	return redacted{rt, o.Redact}
}

// Base is http.DefaultTransport with a time-out on every stage at which a
// server can hang, but for the body, which Options.Timeout bounds.
func Base() *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		ForceAttemptHTTP2:     true,
		MaxIdleConns:          32,
		MaxIdleConnsPerHost:   8,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: 30 * time.Second,
		ExpectContinueTimeout: time.Second,
	}
}

func reads(req *http.Request) bool {
	return req.Method == "" || req.Method == http.MethodGet || req.Method == http.MethodHead
}

// refuse closes the body of a request that is not sent, as a RoundTripper must.
func refuse(req *http.Request, err error) (*http.Response, error) {
	if req.Body != nil {
		req.Body.Close()
	}
	return nil, err
}

type onlyHost struct {
	next http.RoundTripper
	host string
}

func (t onlyHost) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Host != t.host {
		return refuse(req, fmt.Errorf("refused to go from %s to %s with credentials", t.host, req.URL.Host))
	}
	return t.next.RoundTrip(req)
}

type oneWriter struct {
	next http.RoundTripper
	busy chan struct{}
}

func (t oneWriter) RoundTrip(req *http.Request) (*http.Response, error) {
	if reads(req) {
		return t.next.RoundTrip(req)
	}
	select {
	case t.busy <- struct{}{}:
	case <-req.Context().Done():
		return refuse(req, req.Context().Err())
	}
	defer func() { <-t.busy }()
	return t.next.RoundTrip(req)
}

type bounded struct {
	next  http.RoundTripper
	limit int64
}

func (t bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(req)
	if err == nil {
		resp.Body = &boundedBody{resp.Body, t.limit, t.limit}
	}
	return resp, err
}

// boundedBody fails where a silent end would look like a broken answer.
type boundedBody struct {
	io.ReadCloser
	left, limit int64
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, fmt.Errorf("read the answer: it is longer than %d bytes", b.limit)
	}
	return n, err
}

// readUpTo takes up to most bytes of an answer into memory and leaves the answer
// as readable as it was. all says that nothing is left outside.
func readUpTo(resp *http.Response, most int64) (body []byte, all bool, err error) {
	body, err = io.ReadAll(io.LimitReader(resp.Body, most+1))
	if err != nil {
		resp.Body.Close()
		return nil, false, fmt.Errorf("read the answer: %w", err)
	}
	if int64(len(body)) > most {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(body), resp.Body), resp.Body}
		return body, false, nil
	}
	resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return body, true, nil
}

type redacted struct {
	next http.RoundTripper
	r    *redact.Redactor
}

func (t redacted) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(req)
	return resp, t.r.Error(err)
}

// sleep waits in wall time.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
