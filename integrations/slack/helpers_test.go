package slack

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/integrations/slack/slacksim"
)

// enough is how long a test waits for what must happen.
const enough = 20 * time.Second

// office is a simulated workspace with a client of ours.
type office struct {
	*slacksim.Sim
	*Client
	t   *testing.T
	url string
	log *logBook
}

func open(t *testing.T, change ...func(*slacksim.Config, *Config)) *office {
	t.Helper()
	sc := slacksim.Config{
		Users: []slacksim.User{
			{ID: "U0ALICE", Name: "alice", Email: "alice@example.com"},
			{ID: "U0BOB", Name: "bob"},
			{ID: "U0GUS", Name: "gus", Guest: true},
			{ID: "U0OLGA", Name: "olga", OtherTeam: "T0OTHER"},
		},
		Channels: []slacksim.Channel{
			{ID: "C0OPS", Name: "ops", Members: []string{"alice", "bob", "gus", "olga", "signalbox"}},
			{ID: "C0RANDOM", Name: "random", Members: []string{"alice"}},
		},
		Quiet: 300 * time.Millisecond,
	}
	cc := Config{
		AppToken: integrations.NewSecret("xapp-1-sandbox"), BotToken: integrations.NewSecret("xoxb-sandbox"),
		Connections: 1, SecondAfter: time.Millisecond,
	}
	for _, f := range change {
		f(&sc, &cc)
	}
	sim, err := slacksim.New(sc)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(sim.Handler())
	sim.SetBase(srv.URL)
	t.Cleanup(func() {
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
		srv.Close()
	})
	cc.APIURL = srv.URL + "/api"
	book := &logBook{}
	c, err := New(cc, clock.Real(), slog.New(slog.NewTextHandler(book, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		t.Fatal(err)
	}
	c.links.base = time.Millisecond
	return &office{Sim: sim, Client: c, t: t, url: srv.URL, log: book}
}

// logBook keeps what was logged.
type logBook struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logBook) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// ear collects what was accepted.
type ear struct {
	mu  sync.Mutex
	all []Envelope
	// answer is what accept returns, if it is set.
	answer func(Envelope) (any, error)
}

func (e *ear) accept(_ context.Context, env Envelope) (any, error) {
	e.mu.Lock()
	e.all = append(e.all, env)
	answer := e.answer
	e.mu.Unlock()
	if answer != nil {
		return answer(env)
	}
	return nil, nil
}

func (e *ear) heard() []Envelope {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]Envelope(nil), e.all...)
}

// listen runs Listen until the test ends and waits until it is ready.
func (o *office) listen(e *ear) {
	o.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- o.Listen(ctx, e.accept) }()
	o.t.Cleanup(func() {
		cancel()
		if err := o.ended(ended); err != nil {
			o.t.Errorf("Listen: %v", err)
		}
	})
	o.until("the socket is ready", o.Ready)
	o.until("the bot knows who it is", func() bool { return o.Self().User != "" })
}

func (o *office) ended(c <-chan error) error {
	o.t.Helper()
	select {
	case err := <-c:
		return err
	case <-time.After(enough):
		o.t.Fatal("Listen did not end")
		return nil
	}
}

// until polls for a condition.
func (o *office) until(what string, ok func() bool) {
	o.t.Helper()
	for deadline := time.Now().Add(enough); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			o.t.Fatalf("%s: not within %v; violations %q; log:\n%s", what, enough, o.Violations(), o.log)
		}
	}
}

func (o *office) clean() {
	o.t.Helper()
	if v := o.Violations(); len(v) > 0 {
		o.t.Errorf("violations: %q", v)
	}
}

func (o *office) say(user, channel, text, thread string) slacksim.Answer {
	o.t.Helper()
	a, err := o.Say(o.t.Context(), user, channel, text, thread)
	if err != nil {
		o.t.Fatalf("say %q: %v; log:\n%s", text, err, o.log)
	}
	return a
}

func (o *office) fault(f slacksim.FaultSpec) {
	o.t.Helper()
	if err := o.Fault(f); err != nil {
		o.t.Fatal(err)
	}
}

// show shows a message in a place and returns its reference.
func (o *office) show(place string, p integrations.Post) string {
	o.t.Helper()
	ref, err := o.Places()[place].Show(o.t.Context(), p)
	if err != nil {
		o.t.Fatalf("show in %s: %v", place, err)
	}
	return ref
}

func (o *office) history(thread string) []slacksim.Message {
	o.t.Helper()
	all, err := o.History("ops", thread)
	if err != nil {
		o.t.Fatal(err)
	}
	return all
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
