package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/kit/redact"
)

// server is a service that a test writes down as a function.
type server func(req *http.Request) (*http.Response, error)

func (s server) RoundTrip(req *http.Request) (*http.Response, error) { return s(req) }

func reply(code int, body string, header ...string) *http.Response {
	w := httptest.NewRecorder()
	for i := 0; i < len(header); i += 2 {
		w.Header().Set(header[i], header[i+1])
	}
	w.WriteHeader(code)
	io.WriteString(w, body)
	return w.Result()
}

func request(t *testing.T, method, url string) *http.Request {
	t.Helper()
	var body io.Reader
	if method != http.MethodGet {
		body = strings.NewReader("x")
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

func text(t *testing.T, resp *http.Response, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d %s", resp.StatusCode, b)
}

func TestReadsAreTriedAgain(t *testing.T) {
	tests := []struct {
		name   string
		first  func() (*http.Response, error)
		within [2]time.Duration
	}{
		{"a dropped connection", func() (*http.Response, error) { return nil, io.ErrUnexpectedEOF }, [2]time.Duration{125 * time.Millisecond, 250 * time.Millisecond}},
		{"a bad gateway", func() (*http.Response, error) { return reply(502, ""), nil }, [2]time.Duration{125 * time.Millisecond, 250 * time.Millisecond}},
		{"an internal error", func() (*http.Response, error) { return reply(500, ""), nil }, [2]time.Duration{125 * time.Millisecond, 250 * time.Millisecond}},
		{"seconds", func() (*http.Response, error) { return reply(429, "", "Retry-After", "3"), nil }, [2]time.Duration{3 * time.Second, 3250 * time.Millisecond}},
		{"a date", func() (*http.Response, error) {
			return reply(503, "", "Retry-After", time.Now().Add(5*time.Second).UTC().Format(http.TimeFormat)), nil
		}, [2]time.Duration{4 * time.Second, 5250 * time.Millisecond}},
		{"a rate limit", func() (*http.Response, error) {
			return reply(403, "", "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", fmt.Sprint(time.Now().Add(7*time.Second).Unix())), nil
		}, [2]time.Duration{6 * time.Second, 7250 * time.Millisecond}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := 0
				rt := New(Options{Base: server(func(req *http.Request) (*http.Response, error) {
					if n++; n == 1 {
						return tc.first()
					}
					return reply(200, "ok"), nil
				})})
				start := time.Now()
				resp, err := rt.RoundTrip(request(t, "GET", "http://h/"))
				if got := text(t, resp, err); got != "200 ok" || n != 2 {
					t.Errorf("got %q after %d tries", got, n)
				}
				if took := time.Since(start); took < tc.within[0] || took > tc.within[1] {
					t.Errorf("it waited %v, want %v", took, tc.within)
				}
			})
		})
	}
}

func TestWhatIsNotTriedAgain(t *testing.T) {
	tests := []struct {
		name, method string
		answer       *http.Response
		tries        int
	}{
		{"a change", "POST", reply(503, "busy"), 1},
		{"a refusal", "GET", reply(403, "busy"), 1},
		{"a mistake", "GET", reply(404, "busy"), 1},
		{"what there is not", "GET", reply(501, "busy"), 1},
		{"an hour to wait", "GET", reply(429, "busy", "Retry-After", "3600"), 1},
		{"enough tries", "GET", reply(503, "busy"), 3},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := 0
				rt := New(Options{Base: server(func(*http.Request) (*http.Response, error) {
					n++
					resp := *tc.answer
					resp.Body = io.NopCloser(strings.NewReader("busy"))
					return &resp, nil
				})})
				resp, err := rt.RoundTrip(request(t, tc.method, "http://h/"))
				if got := text(t, resp, err); !strings.HasSuffix(got, " busy") || n != tc.tries {
					t.Errorf("got %q after %d tries, want %d", got, n, tc.tries)
				}
			})
		})
	}
}

func TestWaitingEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		rt := New(Options{Base: server(func(*http.Request) (*http.Response, error) { return reply(503, "", "Retry-After", "5"), nil })})
		start := time.Now()
		_, err := rt.RoundTrip(request(t, "GET", "http://h/").WithContext(ctx))
		if took := time.Since(start); !errors.Is(err, context.Canceled) || took != time.Second {
			t.Errorf("got %v after %v", err, took)
		}
	})
}

// Whoever has no time to wait is told at once what the service asks for.
func TestAWaitThatTheContextHasNoTimeFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		rt := New(Options{Base: server(func(*http.Request) (*http.Response, error) { return reply(503, "busy", "Retry-After", "5"), nil })})
		start := time.Now()
		resp, err := rt.RoundTrip(request(t, "GET", "http://h/").WithContext(ctx))
		if got := text(t, resp, err); got != "503 busy" || time.Since(start) != 0 {
			t.Errorf("got %q after %v", got, time.Since(start))
		}
	})
}

// brokenOff ends in the middle.
type brokenOff struct{ io.Reader }

func (b brokenOff) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func TestAnAnswerThatBreaksOffIsAskedForAgain(t *testing.T) {
	for method, want := range map[string]int{"GET": 2, "POST": 1} {
		synctest.Test(t, func(t *testing.T) {
			n := 0
			rt := New(Options{Base: server(func(*http.Request) (*http.Response, error) {
				resp := reply(200, "whole")
				if n++; n == 1 {
					resp.Body = io.NopCloser(brokenOff{strings.NewReader("who")})
				}
				return resp, nil
			})})
			resp, err := rt.RoundTrip(request(t, method, "http://h/"))
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(resp.Body)
			if n != want || method == "GET" && string(got) != "whole" || method == "POST" && err == nil {
				t.Errorf("%s: got %q, %v after %d tries, want %d", method, got, err, n, want)
			}
		})
	}
}

func TestALargeAnswerIsReadAsItComes(t *testing.T) {
	large := strings.Repeat("x", whole+100)
	rt := New(Options{Base: server(func(*http.Request) (*http.Response, error) {
		resp := reply(200, large)
		resp.ContentLength = -1
		return resp, nil
	})})
	resp, err := rt.RoundTrip(request(t, "GET", "http://h/"))
	if got := text(t, resp, err); got != "200 "+large {
		t.Errorf("got %d bytes", len(got))
	}
}

// What hangs is given up and, where it was a read, tried again; our time-out is
// not mistaken for the end of the caller's patience.
func TestATryHasItsTime(t *testing.T) {
	for _, tc := range []struct {
		name, method string
		tries        int
		body         bool
	}{
		{"a read without an answer", "GET", 2, false},
		{"a read whose answer stops", "GET", 2, true},
		{"a change without an answer", "POST", 1, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := 0
				rt := New(Options{Timeout: time.Minute, Tries: 2, Base: server(func(req *http.Request) (*http.Response, error) {
					n++
					if !tc.body {
						<-req.Context().Done()
						return nil, req.Context().Err()
					}
					resp := reply(200, "")
					r, w := io.Pipe()
					context.AfterFunc(req.Context(), func() { w.CloseWithError(req.Context().Err()) })
					resp.Body, resp.ContentLength = r, -1
					return resp, nil
				})})
				start := time.Now()
				_, err := rt.RoundTrip(request(t, tc.method, "http://h/"))
				took := time.Since(start).Round(time.Minute)
				if err == nil || !strings.Contains(err.Error(), "no whole answer within 1m0s") || errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v", err)
				}
				if n != tc.tries || took != time.Duration(tc.tries)*time.Minute {
					t.Errorf("%d tries in %v, want %d", n, took, tc.tries)
				}
			})
		})
	}
}

// Time spent waiting for a turn is not the time of a try.
func TestWaitingForATurnIsNotATry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt := New(Options{OneWriter: true, Timeout: time.Minute, Base: server(func(req *http.Request) (*http.Response, error) {
			select {
			case <-time.After(50 * time.Second):
				return reply(200, ""), nil
			case <-req.Context().Done():
				return nil, req.Context().Err()
			}
		})})
		done := make(chan error, 3)
		for range cap(done) {
			go func() {
				resp, err := rt.RoundTrip(request(t, "POST", "http://h/"))
				if err == nil {
					resp.Body.Close()
				}
				done <- err
			}()
		}
		for range cap(done) {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
}

func TestOneChangeAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most, readers atomic.Int32
		rt := New(Options{OneWriter: true, Base: server(func(req *http.Request) (*http.Response, error) {
			if req.Method == http.MethodGet {
				readers.Add(1)
				return reply(200, ""), nil
			}
			most.Store(max(most.Load(), now.Add(1)))
			time.Sleep(time.Second)
			now.Add(-1)
			return reply(200, ""), nil
		})})
		done := make(chan error, 4)
		for range cap(done) {
			go func() {
				_, err := rt.RoundTrip(request(t, "POST", "http://h/"))
				done <- err
			}()
		}
		synctest.Wait()
		if _, err := rt.RoundTrip(request(t, "GET", "http://h/")); err != nil || readers.Load() != 1 || now.Load() != 1 {
			t.Errorf("a read beside %d changes: %v", now.Load(), err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := rt.RoundTrip(request(t, "POST", "http://h/").WithContext(ctx)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a change that cannot wait: %v", err)
		}
		for range cap(done) {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if most.Load() != 1 {
			t.Errorf("%d changes at once", most.Load())
		}
	})
}

func TestETags(t *testing.T) {
	asked, saved := 0, 0
	version := "1"
	rt := New(Options{Cache: 8 << 10, Base: server(func(req *http.Request) (*http.Response, error) {
		asked++
		etag := `"` + version + `"`
		if req.Header.Get("If-None-Match") == etag {
			saved++
			return reply(304, "", "X-RateLimit-Remaining", fmt.Sprint(100-asked)), nil
		}
		return reply(200, "version "+version+" for "+req.Header.Get("Authorization"), "ETag", etag, "X-Kept", "yes"), nil
	})})
	get := func(path, who string) (string, http.Header) {
		t.Helper()
		req := request(t, "GET", "http://h"+path)
		req.Header.Set("Authorization", who)
		resp, err := rt.RoundTrip(req)
		return text(t, resp, err), resp.Header
	}
	for i := range 3 {
		got, header := get("/a", "alice")
		if got != "200 version 1 for alice" || saved != i || header.Get("X-Kept") != "yes" {
			t.Errorf("%d: got %q with %v, %d saved", i, got, header, saved)
		}
		if i > 0 && header.Get("X-RateLimit-Remaining") != fmt.Sprint(100-asked) {
			t.Errorf("the rate limit is an old one: %v", header)
		}
	}
	if got, _ := get("/a", "bob"); got != "200 version 1 for bob" {
		t.Errorf("bob got %q", got)
	}
	version = "2"
	if got, _ := get("/a", "alice"); got != "200 version 2 for alice" {
		t.Errorf("after a change: %q", got)
	}
	for i := range 100 {
		get(fmt.Sprintf("/%d", i), "alice")
	}
	before := saved
	get("/99", "alice")
	get("/0", "alice")
	if saved != before+1 {
		t.Errorf("of the newest and the oldest %d are kept, want one", saved-before)
	}
}

func TestALargeAnswerIsNotKept(t *testing.T) {
	large := strings.Repeat("x", 5000)
	rt := New(Options{Cache: 8 << 10, Base: server(func(req *http.Request) (*http.Response, error) {
		if req.Header.Get("If-None-Match") != "" {
			t.Error("it was kept")
		}
		resp := reply(200, large, "ETag", `"1"`)
		resp.ContentLength = -1
		return resp, nil
	})})
	for range 2 {
		resp, err := rt.RoundTrip(request(t, "GET", "http://h/"))
		if got := text(t, resp, err); got != "200 "+large {
			t.Errorf("got %d bytes", len(got))
		}
	}
}

func TestAnAnswerIsBounded(t *testing.T) {
	rt := New(Options{MaxBody: 5, Base: server(func(req *http.Request) (*http.Response, error) { return reply(200, req.URL.Path), nil })})
	resp, err := rt.RoundTrip(request(t, "GET", "http://h/1234"))
	if got := text(t, resp, err); got != "200 /1234" {
		t.Errorf("got %q", got)
	}
	resp, err = rt.RoundTrip(request(t, "GET", "http://h/12345"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(resp.Body); err == nil || !strings.Contains(err.Error(), "longer than 5 bytes") {
		t.Errorf("got %v", err)
	}
}

func TestErrorsGiveNothingAway(t *testing.T) {
	lost := errors.New("proxyconnect: hunter22 said no")
	rt := New(Options{Tries: 1, Redact: redact.New([]string{"hunter22"}), Base: server(func(*http.Request) (*http.Response, error) { return nil, lost })})
	_, err := rt.RoundTrip(request(t, "GET", "http://h/"))
	if err == nil || strings.Contains(err.Error(), "hunter22") || !errors.Is(err, lost) {
		t.Errorf("got %v", err)
	}
}

func TestARedirectElsewhereIsRefused(t *testing.T) {
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("another host was asked") }))
	defer thief.Close()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, thief.URL, http.StatusTemporaryRedirect)
	}))
	defer srv.Close()
	c := http.Client{Transport: New(Options{Host: strings.TrimPrefix(srv.URL, "http://")})}
	if _, err := c.Post(srv.URL, "text/plain", strings.NewReader("x")); err == nil || !strings.Contains(err.Error(), "refused to go") {
		t.Errorf("got %v", err)
	}
}

func TestAServerThatHangs(t *testing.T) {
	base := Base()
	base.ResponseHeaderTimeout = 50 * time.Millisecond
	stop := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { <-stop }))
	defer srv.Close()
	defer close(stop)
	c := http.Client{Transport: New(Options{Base: base, Tries: 1})}
	if _, err := c.Get(srv.URL); err == nil || !strings.Contains(err.Error(), "timeout awaiting response headers") {
		t.Errorf("got %v", err)
	}
}
