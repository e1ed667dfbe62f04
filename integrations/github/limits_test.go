package github

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/github/githubsim"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
)

func TestReadsOutliveOutagesAndLimits(t *testing.T) {
	w := newWorld(t, nil)
	for _, f := range []githubsim.FaultSpec{
		{Kind: "error", Count: 2}, {Kind: "lose_reply"},
		{Kind: "rate_limit", RetryAfter: 1}, {Kind: "rate_limit", RetryAfter: 1, Status: 429},
	} {
		// A client of its own each time: go-github remembers a limit.
		c, err := New(w.cfg, w.clock, nil)
		w.must(err)
		w.fault(f)
		if _, err := c.BranchHead(w.ctx, web, "main"); err != nil {
			t.Errorf("%s %d: %v", f.Kind, f.Status, err)
		}
		c.Close()
	}
}

func TestLimitThatIsTooLong(t *testing.T) {
	w := newWorld(t, nil)
	for _, f := range []githubsim.FaultSpec{
		{Kind: "rate_limit", RetryAfter: 600}, {Kind: "rate_limit", RetryAfter: 600, Status: 429}, {Kind: "rate_limit", Primary: true},
	} {
		c, err := New(w.cfg, w.clock, nil)
		w.must(err)
		w.fault(f)
		_, err = c.BranchHead(w.ctx, web, "main")
		var later *integrations.Later
		if !errors.As(err, &later) || later.After < time.Second || later.After > longestWait || errors.Is(err, integrations.ErrNotFound) {
			t.Errorf("%+v: %v, want Later", f, err)
		}
		c.Close()
		w.sim.ClearFaults()
	}
	w.fault(githubsim.FaultSpec{Kind: "rate_limit", RetryAfter: 100})
	ctx, cancel := context.WithTimeout(w.ctx, 30*time.Second)
	defer cancel()
	var later *integrations.Later
	if _, err := w.BranchHead(ctx, web, "main"); !errors.As(err, &later) {
		t.Errorf("with no time to wait: %v, want Later at once", err)
	}
}

// The writer's place: two changing requests never overlap, reads do not wait.
func TestOneWriterAtATime(t *testing.T) {
	w := newWorld(t, nil)
	at := make(chan struct{})
	goOn := make(chan struct{})
	var mu sync.Mutex
	writing, most, first := 0, 0, true
	w.sim.SetHooks(func(stage, method, _ string) {
		if method != http.MethodPost {
			return
		}
		mu.Lock()
		if stage == "after" {
			writing--
			mu.Unlock()
			return
		}
		writing++
		most = max(most, writing)
		wait := first
		first = false
		mu.Unlock()
		if wait {
			close(at)
			<-goOn
		}
	}, nil)
	head, err := w.BranchHead(w.ctx, web, "main")
	w.must(err)
	done := make(chan error, 2)
	for i := range 2 {
		go func() { done <- w.CreateBranch(w.ctx, web, fmt.Sprintf("b%d", i), head) }()
	}
	<-at
	if _, err := w.BranchHead(w.ctx, web, "deployment/production"); err != nil {
		t.Errorf("a read beside a write: %v", err)
	}
	time.AfterFunc(50*time.Millisecond, func() { close(goOn) }) // room for the second write to come, were it let
	for range 2 {
		w.must(<-done)
	}
	mu.Lock()
	defer mu.Unlock()
	if most != 1 {
		t.Errorf("%d writes at once, want 1", most)
	}
}

func TestETagSavesTheSecondRead(t *testing.T) {
	w := newWorld(t, nil)
	var asked, saved atomic.Int32
	front := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		rec := httptest.NewRecorder()
		w.sim.Handler().ServeHTTP(rec, r)
		if rec.Code == http.StatusNotModified {
			saved.Add(1)
		}
		maps.Copy(rw.Header(), rec.Header())
		rw.WriteHeader(rec.Code)
		rw.Write(rec.Body.Bytes())
	}))
	defer front.Close()
	cfg := w.cfg
	cfg.APIURL = front.URL + "/api/v3"
	c, err := New(cfg, w.clock, nil)
	w.must(err)
	defer c.Close()
	a, err := c.BranchHead(w.ctx, web, "main")
	w.must(err)
	b, err := c.BranchHead(w.ctx, web, "main")
	w.must(err)
	if a != b || asked.Load() != 2 || saved.Load() != 1 {
		t.Errorf("read %s, then %s; %d of %d answers were 304, want 1 of 2", a, b, saved.Load(), asked.Load())
	}
	sha := w.commit("main", "a.txt", "1")
	if now, err := c.BranchHead(w.ctx, web, "main"); err != nil || now != sha || saved.Load() != 1 {
		t.Errorf("after a push BranchHead = %s, %v, want %s", now, err, sha)
	}
}

func TestChangesAreSentOnce(t *testing.T) {
	var asked atomic.Int32
	api := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		asked.Add(1)
		panic(http.ErrAbortHandler) // the connection breaks with the answer under way
	}))
	defer api.Close()
	c, err := New(Config{Token: integrations.NewSecret("the-token"), APIURL: api.URL + "/api/v3"}, clock.Real(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	err = c.CreateBranch(t.Context(), web, "x", strings.Repeat("1", 40))
	if err == nil || asked.Load() != 1 {
		t.Errorf("%v, asked %d times, want once", err, asked.Load())
	}
}
