package transport

import (
	"bytes"
	"container/list"
	"crypto/sha256"
	"io"
	"net/http"
	"sync"
)

// etags asks again for what it has with the ETag. Answers belong to whoever
// asked: the Authorization header is a part of the key, hashed.
type etags struct {
	next  http.RoundTripper
	limit int64

	mu    sync.Mutex
	size  int64
	order *list.List // of *answer, the most recently used first
	byKey map[key]*list.Element
}

type key struct {
	url, accept string
	who         [32]byte
}

type answer struct {
	key    key
	etag   string
	header http.Header
	body   []byte
}

func newETags(next http.RoundTripper, limit int64) *etags {
	return &etags{next: next, limit: limit, order: list.New(), byKey: map[key]*list.Element{}}
}

func (t *etags) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method != http.MethodGet || req.Header.Get("If-None-Match") != "" || req.Header.Get("Range") != "" {
		return t.next.RoundTrip(req)
	}
	k := key{req.URL.String(), req.Header.Get("Accept"), sha256.Sum256([]byte(req.Header.Get("Authorization")))}
	had := t.get(k)
	if had != nil {
		req = req.Clone(req.Context())
		req.Header.Set("If-None-Match", had.etag)
	}
	resp, err := t.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if had != nil && resp.StatusCode == http.StatusNotModified {
		resp.Body.Close()
		return had.answer(resp), nil
	}
	return t.keep(k, resp)
}

// answer is the kept answer with what is new in the headers: rate limits.
func (a *answer) answer(resp *http.Response) *http.Response {
	header := a.header.Clone()
	for k, v := range resp.Header {
		header[k] = v
	}
	header.Del("Content-Length")
	resp.StatusCode, resp.Status, resp.Header = http.StatusOK, "200 OK", header
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(a.body)), int64(len(a.body))
	return resp
}

// keep reads an answer that can be kept. One that turns out too large goes on
// as it came.
func (t *etags) keep(k key, resp *http.Response) (*http.Response, error) {
	etag := resp.Header.Get("ETag")
	most := t.limit / 8 // no answer takes the place of all others
	if resp.StatusCode != http.StatusOK || etag == "" || resp.ContentLength > most {
		return resp, nil
	}
	body, all, err := readUpTo(resp, most)
	if err != nil || !all {
		return resp, err
	}
	t.put(&answer{k, etag, resp.Header.Clone(), body})
	return resp, nil
}

func (t *etags) get(k key) *answer {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.byKey[k]
	if e == nil {
		return nil
	}
	t.order.MoveToFront(e)
	return e.Value.(*answer)
}

func (t *etags) put(a *answer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.byKey[a.key]; e != nil {
		t.drop(e)
	}
	t.byKey[a.key] = t.order.PushFront(a)
	for t.size += a.cost(); t.size > t.limit; {
		t.drop(t.order.Back())
	}
}

// cost counts what stands around a body too, or many small ones would be free.
func (a *answer) cost() int64 { return int64(len(a.body)+len(a.key.url)) + 1024 }

func (t *etags) drop(e *list.Element) {
	a := t.order.Remove(e).(*answer)
	delete(t.byKey, a.key)
	t.size -= a.cost()
}
