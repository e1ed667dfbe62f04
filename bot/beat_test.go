package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/store"
)

// Heartbeats come while the loops go round, and none while one does not.
func TestTheHeartbeatIsQuietWhenALoopIsStuck(t *testing.T) {
	got := make(chan string, 16)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- r.Method + " " + r.Header.Get("X-Api-Key") + " " + string(body)
	}))
	defer server.Close()
	c := HeartbeatConfig{URL: integrations.NewSecret(server.URL + "/s3cret"), Every: time.Minute, Kind: "mackerel", Key: integrations.NewSecret("k")}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	clk := clock.NewMovable(0)
	var loop atomic.Bool // stuck
	asked, said := make(chan struct{}, 16), make(chan string, 16)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- beat(ctx, clk, c.Every, heartbeats(c), func(context.Context) error {
			defer func() { asked <- struct{}{} }()
			if loop.Load() {
				return errors.New("the runner is stuck")
			}
			return nil
		}, func(msg string, _ ...any) { said <- msg })
	}()
	pass := func() {
		for { // until its timer is there to be moved
			if err := clk.Advance(t.Context(), time.Minute, func(context.Context) error { return nil }); err != nil {
				t.Fatal(err)
			}
			select {
			case <-asked:
				return
			default:
			}
		}
	}
	pass()
	if beat := <-got; !strings.HasPrefix(beat, "POST k [{") || !strings.Contains(beat, `"name":"signalbox.heartbeat"`) {
		t.Errorf("it sent %q", beat)
	}
	for len(got) > 0 {
		<-got
	}
	loop.Store(true)
	pass()
	pass()
	if msg := <-said; !strings.Contains(msg, "no heartbeat") {
		t.Errorf("it said %q", msg)
	}
	loop.Store(false)
	pass()
	<-got
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A heartbeat that cannot be sent does not tell its address, which is a secret.
func TestAHeartbeatTellsNoSecret(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	url := server.URL + "/s3cret"
	err := heartbeats(HeartbeatConfig{URL: integrations.NewSecret(url)}).Send(t.Context(), time.Now())
	if err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("404: %v", err)
	}
	server.Close()
	err = heartbeats(HeartbeatConfig{URL: integrations.NewSecret(url)}).Send(t.Context(), time.Now())
	if err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("nobody there: %v", err)
	}
}

// /healthz is 503 when a loop is stuck, and says which.
func TestHealthKnowsAStuckLoop(t *testing.T) {
	s, err := store.Open(filepath.Join(t.TempDir(), "x.db"), store.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var stuck error
	door := newHTTPDoor(HTTPConfig{Store: s, Clock: clock.Real(), Log: slog.New(slog.DiscardHandler), Stuck: func(context.Context) error { return stuck }}).Handler()
	get := func(path string) (int, string) {
		w := httptest.NewRecorder()
		door.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		return w.Code, w.Body.String()
	}
	if code, text := get("/healthz"); code != http.StatusOK || strings.Contains(text, "stuck") {
		t.Errorf("at work: %d %s", code, text)
	}
	stuck = errors.New("the runner is stuck")
	for _, path := range []string{"/healthz", "/readyz"} {
		if code, text := get(path); code != http.StatusServiceUnavailable || !strings.Contains(text, `"ok":false`) || !strings.Contains(text, "the runner is stuck") {
			t.Errorf("%s with a stuck loop: %d %s", path, code, text)
		}
	}
}
