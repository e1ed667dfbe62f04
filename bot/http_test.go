package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/github"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/store"
)

var hookSecret = integrations.NewSecret("correct horse battery")

func openDoorStore(tb testing.TB, path string) *store.Store {
	tb.Helper()
	s, err := store.Open(path, store.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

func doorOn(s *store.Store, secrets ...integrations.Secret) *httpDoor {
	return newHTTPDoor(HTTPConfig{
		Secrets: func() []integrations.Secret { return secrets }, Store: s, Clock: clock.Real(), Log: slog.New(slog.DiscardHandler),
	})
}

// delivery is a request as GitHub makes it; change may spoil it.
func delivery(body []byte, id string, secret integrations.Secret, change func(*http.Request)) *http.Request {
	r := httptest.NewRequest("POST", "/github", bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-GitHub-Event", "push")
	r.Header.Set("X-GitHub-Delivery", id)
	r.Header.Set("X-Hub-Signature-256", github.Sign(body, secret))
	if change != nil {
		change(r)
	}
	return r
}

func undecided(t *testing.T, s *store.Store) []*store.Event {
	t.Helper()
	var out []*store.Event
	if err := s.View(func(tx *store.Tx) (err error) {
		out, err = tx.Undecided(0)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestDoorRefusesAndAccepts(t *testing.T) {
	body := []byte(`{"ref":"refs/heads/main"}`)
	set := func(k, v string) func(*http.Request) { return func(r *http.Request) { r.Header.Set(k, v) } }
	form := []byte("payload=" + url.QueryEscape(string(body)))
	for _, c := range []struct {
		name   string
		body   []byte
		change func(*http.Request)
		want   int
		stored string // body of the event, "" for none
	}{
		{"signed", body, nil, 202, string(body)},
		{"signature missing", body, func(r *http.Request) { r.Header.Del("X-Hub-Signature-256") }, 401, ""},
		{"signature wrong", body, set("X-Hub-Signature-256", github.Sign(body, integrations.NewSecret("another secret"))), 401, ""},
		{"signature of another body", body, set("X-Hub-Signature-256", github.Sign([]byte("{}"), hookSecret)), 401, ""},
		{"signature cut", body, set("X-Hub-Signature-256", github.Sign(body, hookSecret)[:70]), 401, ""},
		{"signature with more behind it", body, set("X-Hub-Signature-256", github.Sign(body, hookSecret)+"00"), 401, ""},
		{"SHA-1 only", body, func(r *http.Request) {
			r.Header.Del("X-Hub-Signature-256")
			r.Header.Set("X-Hub-Signature", "sha1=0000000000000000000000000000000000000000")
		}, 401, ""},
		{"SHA-1 in the place of SHA-256", body, set("X-Hub-Signature-256", "sha1=0000000000000000000000000000000000000000"), 401, ""},
		{"no delivery id", body, func(r *http.Request) { r.Header.Del("X-GitHub-Delivery") }, 400, ""},
		{"no delivery id and no signature", body, func(r *http.Request) {
			r.Header.Del("X-GitHub-Delivery")
			r.Header.Del("X-Hub-Signature-256")
		}, 401, ""},
		{"delivery id of nobody", body, set("X-GitHub-Delivery", "a\tb"), 400, ""},
		{"not JSON", []byte("hello"), nil, 202, "hello"},
		{"empty", nil, nil, 202, "<empty>"},
		{"form", form, set("Content-Type", "application/x-www-form-urlencoded"), 202, string(body)},
		{"form without payload", []byte("a=b"), set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8"), 202, "a=b"},
		{"odd content type", body, set("Content-Type", ";;;"), 202, string(body)},
		{"too large", nil, func(r *http.Request) { r.ContentLength = webhookMost + 1 }, 413, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := openDoorStore(t, filepath.Join(t.TempDir(), "door.db"))
			w := httptest.NewRecorder()
			doorOn(s, hookSecret).Handler().ServeHTTP(w, delivery(c.body, "d-1", hookSecret, c.change))
			if w.Code != c.want {
				t.Fatalf("answered %d %s, want %d", w.Code, w.Body, c.want)
			}
			events := undecided(t, s)
			switch {
			case c.stored == "" && len(events) > 0:
				t.Fatalf("stored %q of a refused delivery", events[0].Body)
			case c.stored == "":
				return
			case len(events) != 1:
				t.Fatalf("stored %d events, want 1", len(events))
			}
			got := string(events[0].Body)
			if got == "" {
				got = "<empty>"
			}
			if got != c.stored || events[0].Kind != "github.push" || events[0].Accepted.IsZero() {
				t.Errorf("stored %q as %s, want %q", got, events[0].Kind, c.stored)
			}
		})
	}
}

func TestDoorTakesEitherSecretAndNeverAnEmptyOne(t *testing.T) {
	s := openDoorStore(t, filepath.Join(t.TempDir(), "door.db"))
	older, newer := integrations.NewSecret("older secret"), integrations.NewSecret("newer secret")
	post := func(d *httpDoor, id string, secret integrations.Secret) int {
		w := httptest.NewRecorder()
		d.Handler().ServeHTTP(w, delivery([]byte("{}"), id, secret, nil))
		return w.Code
	}
	both := doorOn(s, older, newer)
	if a, b := post(both, "1", older), post(both, "2", newer); a != 202 || b != 202 {
		t.Errorf("two secrets: answered %d and %d, want 202", a, b)
	}
	if code := post(doorOn(s), "3", integrations.Secret{}); code != 401 {
		t.Errorf("no secret: answered %d, want 401", code)
	}
	if code := post(doorOn(s, integrations.Secret{}), "4", integrations.Secret{}); code != 401 {
		t.Errorf("an empty secret: answered %d, want 401", code)
	}
}

func TestDoorTakesADeliveryOnce(t *testing.T) {
	s := openDoorStore(t, filepath.Join(t.TempDir(), "door.db"))
	d := doorOn(s, hookSecret)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			w := httptest.NewRecorder()
			d.Handler().ServeHTTP(w, delivery([]byte("{}"), "same", hookSecret, nil))
			if w.Code != 202 {
				t.Errorf("answered %d, want 202", w.Code)
			}
		})
	}
	wg.Wait()
	w := httptest.NewRecorder()
	d.Handler().ServeHTTP(w, delivery([]byte("{}"), "same", hookSecret, nil))
	if w.Code != 202 || !strings.Contains(w.Body.String(), `"duplicate":true`) {
		t.Errorf("a redelivery was answered %d %s", w.Code, w.Body)
	}
	if n := len(undecided(t, s)); n != 1 {
		t.Errorf("stored %d events, want 1", n)
	}
}

func TestDoorSays503WhenNothingCanBeStored(t *testing.T) {
	s, err := store.Open(filepath.Join(t.TempDir(), "door.db"), store.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	doorOn(s, hookSecret).Handler().ServeHTTP(w, delivery([]byte("{}"), "1", hookSecret, nil))
	if w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("answered %d with Retry-After %q, want 503 and some", w.Code, w.Header().Get("Retry-After"))
	}
}

func TestDoorIsLoudOnceAMinute(t *testing.T) {
	s := openDoorStore(t, filepath.Join(t.TempDir(), "door.db"))
	var log bytes.Buffer
	d := newHTTPDoor(HTTPConfig{
		Secrets: func() []integrations.Secret { return []integrations.Secret{hookSecret} }, Store: s, Clock: clock.Real(),
		Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	for i := range 5 {
		d.Handler().ServeHTTP(httptest.NewRecorder(), delivery([]byte("{}"), fmt.Sprint(i), integrations.NewSecret("wrong secret"), nil))
	}
	if n := strings.Count(log.String(), "level=ERROR"); n != 1 {
		t.Errorf("logged %d times, want once:\n%s", n, &log)
	}
	if strings.Contains(log.String(), hookSecret.Reveal()) {
		t.Error("the log holds the secret")
	}
}

// A body that claims nothing about its length is cut at 25 MB all the same.
func TestDoorCutsABodyWithoutALength(t *testing.T) {
	s := openDoorStore(t, filepath.Join(t.TempDir(), "door.db"))
	r := delivery(nil, "1", hookSecret, nil)
	r.Body, r.ContentLength = io.NopCloser(io.LimitReader(zeros{}, webhookMost+1)), -1
	w := httptest.NewRecorder()
	doorOn(s, hookSecret).Handler().ServeHTTP(w, r)
	if w.Code != 413 {
		t.Errorf("answered %d, want 413", w.Code)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestDoorHealth(t *testing.T) {
	s := openDoorStore(t, filepath.Join(t.TempDir(), "door.db"))
	var notYet error = errors.New("recovery is running")
	d := newHTTPDoor(HTTPConfig{
		Store: s, Clock: clock.Real(), Log: slog.New(slog.DiscardHandler),
		Ready: func() error { return notYet }, Sockets: func() int { return 2 },
		Extra: map[string]http.Handler{"GET /jobs/": http.NotFoundHandler()},
	})
	get := func(path string) (int, map[string]any) {
		w := httptest.NewRecorder()
		d.Handler().ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		var got map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		return w.Code, got
	}
	if code, got := get("/healthz"); code != 200 || got["ready"] != false || got["why"] != "recovery is running" || got["sockets"] != 2.0 || got["store"] != true {
		t.Errorf("before: /healthz answered %d %v", code, got)
	}
	if code, _ := get("/readyz"); code != 503 {
		t.Errorf("before: /readyz answered %d, want 503", code)
	}
	notYet = nil
	if code, got := get("/readyz"); code != 200 || got["ready"] != true {
		t.Errorf("after: /readyz answered %d %v", code, got)
	}
}

// Serve lets a request under way finish, and then lets go of the port.
func TestDoorServesUntilItIsTold(t *testing.T) {
	entered, finish := make(chan struct{}), make(chan struct{})
	d := newHTTPDoor(HTTPConfig{
		Store: openDoorStore(t, filepath.Join(t.TempDir(), "door.db")), Clock: clock.Real(), Log: slog.New(slog.DiscardHandler),
		Extra: map[string]http.Handler{"GET /slow": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			close(entered)
			<-finish
			_, _ = io.WriteString(w, "done")
		})},
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served, got := make(chan error, 1), make(chan string, 1)
	go func() { served <- d.Serve(ctx, ln) }()
	go func() {
		resp, err := http.Get("http://" + ln.Addr().String() + "/slow")
		if err != nil {
			got <- err.Error()
			return
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		got <- string(b)
	}()
	<-entered
	stop()
	for closed := false; !closed; { // nobody new gets in
		c, err := net.Dial("tcp", ln.Addr().String())
		if closed = err != nil; !closed {
			c.Close()
			time.Sleep(time.Millisecond)
		}
	}
	select {
	case err := <-served:
		t.Fatalf("Serve returned %v with a request under way", err)
	default:
	}
	close(finish)
	if s := <-got; s != "done" {
		t.Errorf("the request under way got %q", s)
	}
	if err := <-served; err != nil {
		t.Errorf("Serve: %v", err)
	}
}
