package github

import (
	"bytes"
	"container/list"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

const (
	requestTimeout = 30 * time.Second
	bodyLimit      = 64 << 20
	cacheLimit     = 4 << 20   // bytes of cached bodies, all together
	cacheBodyLimit = 256 << 10 // of one
)

// courteous is the outermost transport. It lets one changing request through at
// a time, which is what GitHub's secondary limits ask for; it asks again for
// what it has with the ETag, which costs nothing of the rate limit; it bounds
// bodies; and it never follows to another host with our credentials.
type courteous struct {
	host   string
	next   http.RoundTripper
	writer chan struct{} // holds one token: whoever has it may change things

	mu    sync.Mutex
	size  int
	order *list.List // of *cached, the most recently used first
	byKey map[string]*list.Element
}

type cached struct {
	key    string
	etag   string
	header http.Header
	body   []byte
}

func newCourteous(host string, next http.RoundTripper) *courteous {
	t := &courteous{host: host, next: next, writer: make(chan struct{}, 1), order: list.New(), byKey: map[string]*list.Element{}}
	t.writer <- struct{}{}
	return t
}

func (t *courteous) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Host != t.host {
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, fmt.Errorf("refused to follow from %s to %s with credentials", t.host, req.URL.Host)
	}
	if req.Method == http.MethodGet || req.Method == http.MethodHead {
		return t.read(req)
	}
	select {
	case <-t.writer:
		defer func() { t.writer <- struct{}{} }()
	case <-req.Context().Done():
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, req.Context().Err()
	}
	return bounded(t.next.RoundTrip(req))
}

func (t *courteous) read(req *http.Request) (*http.Response, error) {
	key := req.Method + " " + req.Header.Get("Accept") + " " + req.URL.String()
	had := t.get(key)
	if had != nil && req.Header.Get("If-None-Match") == "" {
		req = req.Clone(req.Context())
		req.Header.Set("If-None-Match", had.etag)
	}
	resp, err := bounded(t.next.RoundTrip(req))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusNotModified && had != nil {
		resp.Body.Close()
		header := had.header.Clone()
		for k, v := range resp.Header { // the rate limits are the new ones
			header[k] = v
		}
		header.Del("Content-Length")
		resp.StatusCode, resp.Status, resp.Header = http.StatusOK, "200 OK", header
		resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(had.body)), int64(len(had.body))
		return resp, nil
	}
	etag := resp.Header.Get("ETag")
	if resp.StatusCode != http.StatusOK || etag == "" || resp.ContentLength > cacheBodyLimit {
		return resp, nil
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	if len(body) <= cacheBodyLimit {
		t.put(&cached{key: key, etag: etag, header: resp.Header.Clone(), body: body})
	}
	return resp, nil
}

func (t *courteous) get(key string) *cached {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.byKey[key]
	if e == nil {
		return nil
	}
	t.order.MoveToFront(e)
	return e.Value.(*cached)
}

func (t *courteous) put(c *cached) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.byKey[c.key]; e != nil {
		t.drop(e)
	}
	t.byKey[c.key] = t.order.PushFront(c)
	t.size += len(c.body)
	for t.size > cacheLimit {
		t.drop(t.order.Back())
	}
}

func (t *courteous) drop(e *list.Element) {
	c := t.order.Remove(e).(*cached)
	delete(t.byKey, c.key)
	t.size -= len(c.body)
}

// bounded ends a body that is longer than anything GitHub has reason to send
// with an error, where a silent cut would look like broken JSON.
func bounded(resp *http.Response, err error) (*http.Response, error) {
	if err != nil {
		return nil, err
	}
	resp.Body = &boundedBody{ReadCloser: resp.Body, left: bodyLimit}
	return resp, nil
}

type boundedBody struct {
	io.ReadCloser
	left int64
}

func (b *boundedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, fmt.Errorf("the answer is longer than %d bytes", int64(bodyLimit))
	}
	return n, err
}

// bearer adds the token.
type bearer struct {
	token func() string
	next  http.RoundTripper
}

func (t bearer) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Set("Authorization", "Bearer "+t.token())
	return t.next.RoundTrip(req)
}
