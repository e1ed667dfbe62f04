package commands

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/store"
)

// A house is a dispatcher on a real store, with people who talk to it.
type house struct {
	t     *testing.T
	st    *store.Store
	clock *clock.Movable
	d     *Dispatcher
	stop  func()

	mu   sync.Mutex
	said int
	did  []string // what verbs and handlers did, in order
}

const patience = 30 * time.Second

// build makes a house. change may alter what the dispatcher works with.
func build(t *testing.T, change func(h *house, d *Deps)) *house {
	t.Helper()
	h := &house{t: t, clock: clock.NewMovable(0)}
	var err error
	h.st, err = store.Open(filepath.Join(t.TempDir(), "store.db"), store.Options{Now: h.clock.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	deps := Deps{
		Store: h.st, Clock: h.clock, Catalog: testCatalog, Verbs: h.verbs(), Events: map[string][]Handler{}, Workers: 4,
		DecodeHeard: func(_ string, body []byte) (heard integrations.Heard, err error) {
			return heard, json.Unmarshal(body, &heard)
		},
		DecodeForge: func(_ string, body []byte) (e *integrations.ForgeEvent, err error) {
			return e, json.Unmarshal(body, &e)
		},
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)), TeamID: func() string { return "T1" },
	}
	if change != nil {
		change(h, &deps)
	}
	h.d = New(deps)
	t.Cleanup(func() {
		h.halt()
		if err := h.st.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

func (h *house) run() *house {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.d.Run(ctx) }()
	h.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			h.t.Error(err)
		}
	}
	return h
}

func (h *house) halt() {
	if h.stop != nil {
		h.stop()
		h.stop = nil
	}
}

func (h *house) note(what string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.did = append(h.did, what)
}

func (h *house) done() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.did)
}

// verbs are the test's own, which note that they were carried out. A deploy
// begins an operation.
func (h *house) verbs() []Verb {
	verbs := testVerbs()
	for i := range verbs {
		v := &verbs[i]
		v.Decide = func(ctx context.Context, c *Call) (Act, error) {
			return func(tx *store.Tx) (Reply, error) {
				h.note(Render(c))
				r := Reply{Private: &integrations.Message{Text: "ok " + Render(c)}, Environment: c.Arg("environment")}
				if c.Verb.Name != "deploy" {
					return r, nil
				}
				id, err := tx.NextID("op")
				if err != nil {
					return r, err
				}
				r.Subject = id
				return r, tx.PutOperation(&store.Operation{ID: id, State: store.OpOpen, Service: c.Arg("service"), Environment: c.Arg("environment")})
			}, nil
		}
	}
	return verbs
}

func (h *house) verb(d *Deps, name string) *Verb {
	for i := range d.Verbs {
		if d.Verbs[i].Name == name {
			return &d.Verbs[i]
		}
	}
	h.t.Fatalf("no verb %s", name)
	return nil
}

// post stores an event as a door does.
func (h *house) post(kind string, body any, sent time.Time) (key string) {
	h.t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		h.t.Fatal(err)
	}
	h.mu.Lock()
	h.said++
	key = fmt.Sprintf("K%d", h.said)
	h.mu.Unlock()
	if _, _, err := h.st.Accept(context.Background(), store.Event{Kind: kind, Keys: []string{"trg:" + key}, Body: raw, Sent: sent}); err != nil {
		h.t.Fatal(err)
	}
	return key
}

// says types a line in #ops, waits until it is decided and returns what only
// that person saw, and the outcome.
func (h *house) says(user, line string) (answer, outcome string) {
	h.t.Helper()
	return h.hears(integrations.Heard{Kind: "command", User: user, Text: line})
}

func (h *house) hears(heard integrations.Heard) (answer, outcome string) {
	h.t.Helper()
	if heard.Channel == "" {
		heard.Channel, heard.ChannelName = "C1", "ops"
	}
	if heard.Team == "" {
		heard.Team = "T1"
	}
	return h.wait(h.post("slack.command", heard, h.clock.Now()))
}

func (h *house) wait(key string) (answer, outcome string) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := h.d.WaitDecided(ctx, key); err != nil {
		h.t.Fatalf("the event %s was not decided: %v", key, err)
	}
	var seq uint64
	fmt.Sscanf(key, "K%d", &seq)
	e := h.event(seq)
	return h.shown("slack.private", seq), e.Outcome
}

func (h *house) event(seq uint64) (e *store.Event) {
	h.t.Helper()
	if err := h.st.View(func(tx *store.Tx) (err error) { e, err = tx.Event(seq); return err }); err != nil {
		h.t.Fatal(err)
	}
	return e
}

// shown is what stands at a place about an event.
func (h *house) shown(place string, seq uint64) string {
	h.t.Helper()
	m := h.message(place, seq)
	text := m.Text
	for _, b := range m.Blocks {
		for _, x := range b.Buttons {
			text += fmt.Sprintf(" [%s: %s]", x.Label, x.Command)
		}
	}
	return text
}

func (h *house) message(place string, seq uint64) (m integrations.Message) {
	h.t.Helper()
	err := h.st.View(func(tx *store.Tx) error {
		s, err := tx.Surface(tell.ID(place, fmt.Sprintf("event-%d", seq)))
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if s.Marked == 0 {
			return errors.New("the surface is not marked")
		}
		m, err = RenderReply(tx, s)
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return m
}

func (h *house) audit() (rows []string) {
	h.t.Helper()
	err := h.st.View(func(tx *store.Tx) error {
		all, err := tx.AuditRows(store.AuditFilter{})
		for _, r := range all {
			rows = append(rows, fmt.Sprintf("%s %s %s %s (%s)", r.Who.Name, r.Act, r.Subject, r.Outcome, r.Detail))
		}
		slices.Reverse(rows)
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return rows
}

func (h *house) until(what string, is func() bool) {
	h.t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			h.t.Fatalf("%s did not come about; done so far: %q", what, h.done())
		}
	}
}

func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%q does not say %q", text, p)
		}
	}
}

func TestConversation(t *testing.T) {
	h := build(t, nil).run()
	for _, talk := range []struct {
		user, line, outcome string
		answer              []string
	}{
		{"U1", "deploy web to staging", "done", []string{"ok deploy web to staging"}},
		{"U3", "deploy web to production", "refused: not_allowed", []string{"You may not deploy in production", "alice and bob"}},
		{"U3", "status", "done", []string{"ok status"}},
		{"U3", "statsu", "done", []string{"“statsu”", "ok status"}},
		{"U1", "deploy wbe to staging", "refused: unknown_service", []string{"[deploy web to staging: deploy web to staging]", "/ops deploy"}},
		{"U1", "approve op-1", "refused: not_allowed", []string{"You may not approve", "Nobody may"}},
		{"U9", "status", "refused: not_linked", []string{"U9", "whoami"}},
		{"U9", "deploy wbe to staging", "refused: not_linked", []string{"U9"}},
		{"U9", "whoami", "done", []string{"ok whoami"}},
		{"U1", "lock web/prod", "refused: missing", []string{"What is the reason?"}},
		{"U1", "deploy worker because x", "refused: missing", []string{`[deploy worker to staging because "x": deploy worker to staging because "x"]`}},
	} {
		answer, outcome := h.says(talk.user, talk.line)
		if outcome != talk.outcome {
			t.Errorf("%s: %s\n is decided %q, want %q", talk.user, talk.line, outcome, talk.outcome)
		}
		contains(t, answer, talk.answer...)
		if talk.user == "U9" && strings.Contains(answer, "web") {
			t.Errorf("somebody nobody knows was told of a service: %q", answer)
		}
	}
	want := []string{
		"alice deploy op-1 done (deploy web to staging)",
		"carol deploy  refused: not_allowed (deploy web to production)",
		"alice deploy  refused: unknown_service (deploy wbe to staging)",
		"alice approve  refused: not_allowed (approve op-1)",
		" status  refused: not_linked (status)",
		" deploy  refused: not_linked (deploy wbe to staging)",
		"alice lock  refused: missing (lock web/prod)",
		"alice deploy  refused: missing (deploy worker because x)",
	}
	if got := h.audit(); !slices.Equal(got, want) {
		t.Errorf("audit\n got: %s\nwant: %s", strings.Join(got, "\n      "), strings.Join(want, "\n      "))
	}
}

func TestWhoeverComesFromElsewhere(t *testing.T) {
	h := build(t, func(_ *house, d *Deps) {
		d.Guest = func(_ context.Context, user string) (bool, error) { return user == "U2", nil }
	}).run()
	for _, c := range []struct {
		heard   integrations.Heard
		outcome string
	}{
		{integrations.Heard{User: "U1", Team: "T2", Text: "status"}, "refused: stranger"},
		{integrations.Heard{User: "U1", Stranger: true, Text: "deploy web to staging"}, "refused: stranger"},
		{integrations.Heard{User: "U1", Stranger: true, Text: "whoami"}, "done"},
		{integrations.Heard{User: "U2", Text: "status"}, "refused: guest"},
		{integrations.Heard{User: "U1", Bot: true, Text: "deploy web to staging"}, "ignored: a bot said it"},
		// What changes is asked for where the others see it.
		{integrations.Heard{User: "U1", Channel: "C9", ChannelName: "random", Text: "deploy web to staging"}, "refused: wrong_channel"},
		{integrations.Heard{User: "U1", Channel: "C9", ChannelName: "random", Text: "status"}, "done"},
		{integrations.Heard{User: "U1", Channel: "D1", ChannelName: "ops", Private: true, Text: "deploy web to staging"}, "refused: wrong_channel"},
		{integrations.Heard{User: "U1", Channel: "C1", Text: "deploy web to staging"}, "done"},
		{integrations.Heard{User: "U1", Channel: "C1", Text: "lock web/prod x"}, "refused: wrong_channel"},
	} {
		c.heard.Kind = "command"
		if _, outcome := h.hears(c.heard); outcome != c.outcome {
			t.Errorf("%+v\n is decided %q, want %q", c.heard, outcome, c.outcome)
		}
	}
}

func TestAMentionDoesNotNameItsChannel(t *testing.T) {
	h := build(t, func(_ *house, d *Deps) {
		d.ChannelID = func(_ context.Context, name string) (string, error) {
			switch name {
			case "ops":
				return "C77", nil
			case "C1":
				return "", &integrations.Gone{Why: "there is none"}
			}
			return "", errors.New("asked for " + name)
		}
	}).run()
	for channel, want := range map[string]string{"C77": "done", "C78": "refused: wrong_channel"} {
		if _, outcome := h.hears(integrations.Heard{Kind: "mention", User: "U1", Channel: channel, Text: "deploy web to production"}); outcome != want {
			t.Errorf("a mention in %s is decided %q, want %q", channel, outcome, want)
		}
	}
}

func TestMissingArgumentOpensAModal(t *testing.T) {
	h := build(t, nil).run()
	key := h.post("slack.command", integrations.Heard{Kind: "command", Team: "T1", User: "U1", Channel: "C1", ChannelName: "ops", Text: "deploy web", Trigger: "123"}, h.clock.Now())
	if _, outcome := h.wait(key); outcome != "asked" {
		t.Fatalf("decided %q", outcome)
	}
	m := h.message("slack.modal", 1).Modal
	if m == nil || m.Verb != "deploy" {
		t.Fatalf("the modal is %+v", m)
	}
	answer, outcome := h.hears(integrations.Heard{Kind: "submit", User: "U1", Verb: m.Verb, Values: map[string]string{"service": "web", "environment": "staging"}})
	if outcome != "done" {
		t.Fatalf("the submission is decided %q: %s", outcome, answer)
	}
	if got := h.done(); !slices.Equal(got, []string{"deploy web to staging"}) {
		t.Fatalf("done: %q", got)
	}
}

func TestAnIntentGoesStale(t *testing.T) {
	h := build(t, nil)
	heard := func(line string) integrations.Heard {
		return integrations.Heard{Kind: "command", Team: "T1", User: "U1", Channel: "C1", ChannelName: "ops", Text: line}
	}
	change := h.post("slack.command", heard("deploy web to staging"), h.clock.Now())
	read := h.post("slack.command", heard("status"), h.clock.Now())
	if err := h.clock.Advance(context.Background(), 3*time.Minute, nil); err != nil {
		t.Fatal(err)
	}
	fresh := h.post("slack.command", heard("lock web/staging x"), h.clock.Now())
	h.run()
	answer, outcome := h.wait(change)
	if outcome != "stale" {
		t.Errorf("the change is decided %q", outcome)
	}
	contains(t, answer, "3 minutes", "[Run it now: deploy web to staging]")
	if answer, outcome := h.wait(read); outcome != "stale: dropped" || answer != "" {
		t.Errorf("the question is decided %q and answered %q", outcome, answer)
	}
	if _, outcome := h.wait(fresh); outcome != "done" {
		t.Errorf("the fresh one is decided %q", outcome)
	}
	if got := h.done(); !slices.Equal(got, []string{`lock web/staging "x" --for 8h`}) {
		t.Errorf("done: %q", got)
	}
	// Pressing the button does it.
	if _, outcome := h.hears(integrations.Heard{Kind: "click", User: "U1", Command: "deploy web to staging"}); outcome != "done" {
		t.Errorf("the click is decided %q", outcome)
	}
}

func TestTheSameTwicePointsToTheFirst(t *testing.T) {
	h := build(t, nil).run()
	h.says("U1", "deploy web to staging")
	answer, outcome := h.says("U1", "ship web stg")
	if outcome != "double" {
		t.Fatalf("the second is decided %q: %s", outcome, answer)
	}
	contains(t, answer, "op-1")
	if _, outcome := h.says("U2", "deploy web to staging"); outcome != "done" {
		t.Errorf("somebody else's is decided %q", outcome)
	}
	if _, outcome := h.says("U1", "deploy api to staging"); outcome != "done" {
		t.Errorf("another one is decided %q", outcome)
	}
	if err := h.clock.Advance(context.Background(), 11*time.Second, nil); err != nil {
		t.Fatal(err)
	}
	if _, outcome := h.says("U1", "deploy web to staging"); outcome != "done" {
		t.Errorf("after eleven seconds it is decided %q", outcome)
	}
	// Once what it began is over, the same command is a new one.
	err := h.st.Update(context.Background(), func(tx *store.Tx) error {
		for _, id := range []string{"op-1", "op-2", "op-3", "op-4"} {
			o, err := tx.Operation(id)
			if err != nil {
				return err
			}
			o.State = store.OpSucceeded
			if err := tx.PutOperation(o); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, outcome := h.says("U1", "deploy web to staging"); outcome != "done" {
		t.Errorf("after the first is over it is decided %q", outcome)
	}
}

func TestOnePersonIsHeardInOrder(t *testing.T) {
	release := make(chan struct{})
	h := build(t, func(h *house, d *Deps) {
		v := h.verb(d, "note")
		v.Decide = func(ctx context.Context, c *Call) (Act, error) {
			if c.Arg("word") == "slow" {
				select {
				case <-release:
				case <-ctx.Done():
					return nil, ctx.Err()
				}
			}
			return func(*store.Tx) (Reply, error) { h.note(c.Who.Name + " " + c.Arg("word")); return Reply{}, nil }, nil
		}
	}).run()
	var keys []string
	for _, word := range []string{"slow", "a", "b", "c", "d"} {
		keys = append(keys, h.post("slack.command", integrations.Heard{Kind: "command", Team: "T1", User: "U1", Channel: "C1", Text: "note " + word}, h.clock.Now()))
	}
	h.hears(integrations.Heard{Kind: "command", User: "U2", Text: "note other"}) // is not held up
	if h.d.Idle() {
		t.Error("idle while a decision waits")
	}
	close(release)
	for _, k := range keys {
		h.wait(k)
	}
	want := []string{"bob other", "alice slow", "alice a", "alice b", "alice c", "alice d"}
	if got := h.done(); !slices.Equal(got, want) {
		t.Errorf("done in the order %q, want %q", got, want)
	}
	h.until("idleness", h.d.Idle)
}
