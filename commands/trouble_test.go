package commands

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

func TestAPanicIsToldAndTheHouseStands(t *testing.T) {
	h := build(t, func(h *house, d *Deps) {
		h.verb(d, "locks").Decide = func(context.Context, *Call) (Act, error) { panic("in decide") }
		h.verb(d, "services").Decide = func(context.Context, *Call) (Act, error) {
			return func(*store.Tx) (Reply, error) { panic("in act") }, nil
		}
	}).run()
	for _, c := range [][2]string{{"locks", "in decide"}, {"services", "in act"}} {
		answer, outcome := h.says("U1", c[0])
		contains(t, answer, c[0]+" went wrong", c[1])
		contains(t, outcome, "error: ", c[1])
	}
	if _, outcome := h.says("U1", "status"); outcome != "done" {
		t.Errorf("afterwards, a command is decided %q", outcome)
	}
}

func TestAnErrorIsToldWithItsText(t *testing.T) {
	var asked atomic.Int32
	h := build(t, func(h *house, d *Deps) {
		h.verb(d, "locks").Decide = func(context.Context, *Call) (Act, error) {
			return nil, errors.New("read locks: the disk is on fire")
		}
		h.verb(d, "services").Decide = func(context.Context, *Call) (Act, error) {
			if asked.Add(1) < 3 {
				return nil, fmt.Errorf("ask GitHub: %w", &integrations.Later{Err: errors.New("busy")})
			}
			return nil, nil
		}
		h.verb(d, "note").Decide = func(context.Context, *Call) (Act, error) {
			return func(tx *store.Tx) (Reply, error) {
				if err := tx.PutOperation(&store.Operation{ID: "op-99", State: store.OpOpen}); err != nil {
					return Reply{}, err
				}
				return Reply{}, Refuse("held", "bob holds it.")
			}, nil
		}
	}).run()
	answer, outcome := h.says("U1", "locks")
	contains(t, answer, "the disk is on fire")
	contains(t, outcome, "error: ")
	if _, outcome := h.says("U1", "services"); outcome != "done" || asked.Load() != 3 {
		t.Errorf("what works at the third try is decided %q after %d tries", outcome, asked.Load())
	}
	answer, outcome = h.says("U1", "note x")
	if outcome != "refused: held" {
		t.Errorf("a refusal of the act is decided %q", outcome)
	}
	contains(t, answer, "bob holds it.")
	err := h.st.View(func(tx *store.Tx) error { _, err := tx.Operation("op-99"); return err })
	if !errors.Is(err, store.ErrNotFound) {
		t.Errorf("what a refused act wrote was kept: %v", err)
	}
}

// Whatever the process was doing when it died, an event is decided exactly
// once: what the act wrote, the outcome and the answer are one transaction.
func TestNothingIsDecidedByHalves(t *testing.T) {
	h := build(t, func(h *house, d *Deps) {
		v := h.verb(d, "deploy")
		inner := v.Decide
		v.Decide = func(ctx context.Context, c *Call) (Act, error) {
			act, err := inner(ctx, c)
			if err == nil && len(h.done()) == 0 {
				h.note("died before the commit")
				return func(tx *store.Tx) (Reply, error) {
					if _, err := act(tx); err != nil {
						return Reply{}, err
					}
					return Reply{}, store.ErrConflict // the transaction is not kept
				}, nil
			}
			return act, err
		}
	})
	key := h.post("slack.command", integrations.Heard{Kind: "command", Team: "T1", User: "U1", Channel: "C1", Text: "deploy web to staging"}, h.clock.Now())
	h.run()
	if _, outcome := h.wait(key); outcome != "done" {
		t.Fatalf("decided %q", outcome)
	}
	err := h.st.View(func(tx *store.Tx) error {
		live, err := tx.LiveOperations()
		if len(live) != 1 || live[0].ID != "op-1" {
			t.Errorf("there are %d operations, want op-1 alone", len(live))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	h.halt()
	// After a restart, an event that was decided is not decided again.
	h.d = New(h.d.Deps)
	h.run()
	h.says("U2", "status")
	if got := h.audit(); len(got) != 1 {
		t.Errorf("audit: %q", got)
	}
}

// Two that decide the same event (an old process that is slow to die) do it once.
func TestAnEventIsDecidedOnce(t *testing.T) {
	var both sync.WaitGroup
	both.Add(2)
	h := build(t, func(h *house, d *Deps) {
		v := h.verb(d, "deploy")
		inner := v.Decide
		v.Decide = func(ctx context.Context, c *Call) (Act, error) {
			act, err := inner(ctx, c)
			both.Done()
			both.Wait() // until both have decided what to do
			return act, err
		}
	})
	key := h.post("slack.command", integrations.Heard{Kind: "command", Team: "T1", User: "U1", Channel: "C1", Text: "deploy web to staging"}, h.clock.Now())
	other := New(h.d.Deps)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- other.Run(ctx) }()
	h.run()
	h.wait(key)
	wait, stop := context.WithTimeout(context.Background(), patience)
	defer stop()
	if err := other.WaitDecided(wait, key); err != nil {
		t.Error(err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if got := h.done(); len(got) != 1 {
		t.Errorf("done: %q", got)
	}
	if got := h.audit(); len(got) != 1 {
		t.Errorf("audit: %q", got)
	}
}

func TestUndecidedIsDecidedAfterARestart(t *testing.T) {
	h := build(t, func(h *house, d *Deps) {
		h.verb(d, "note").Decide = func(ctx context.Context, c *Call) (Act, error) {
			if len(h.done()) == 0 {
				h.note("began")
				<-ctx.Done() // the process is told to stop meanwhile
				return nil, ctx.Err()
			}
			return func(*store.Tx) (Reply, error) { h.note("did " + c.Arg("word")); return Reply{}, nil }, nil
		}
	}).run()
	key := h.post("slack.command", integrations.Heard{Kind: "command", Team: "T1", User: "U1", Channel: "C1", Text: "note x"}, h.clock.Now())
	h.until("the first try", func() bool { return len(h.done()) == 1 })
	h.halt()
	if e := h.event(1); !e.Decided.IsZero() {
		t.Fatalf("an interrupted decision is stored as %q", e.Outcome)
	}
	h.d = New(h.d.Deps)
	h.run()
	if _, outcome := h.wait(key); outcome != "done" {
		t.Fatalf("decided %q", outcome)
	}
}

func TestAWebhookIsTriedUntilItIsDecided(t *testing.T) {
	var failing atomic.Bool
	failing.Store(true)
	h := build(t, func(h *house, d *Deps) {
		d.Events["github."] = []Handler{func(_ context.Context, e Happening) (Act, error) {
			if failing.Load() && e.Forge.After == "bad" {
				return nil, errors.New("ask GitHub: no route to host")
			}
			return func(tx *store.Tx) (Reply, error) {
				h.note(e.Forge.Repo + " " + e.Forge.After)
				return Reply{Subject: "op-" + e.Forge.After}, nil
			}, nil
		}}
		d.Events["github.push"] = []Handler{func(context.Context, Happening) (Act, error) { return nil, nil }}
	}).run()
	push := func(repo, after string) string {
		return h.post("github.push", integrations.ForgeEvent{Kind: "push", Repo: repo, Sender: "bob", After: after}, time.Time{})
	}
	bad, next, other := push("acme/web", "bad"), push("acme/web", "next"), push("acme/infra", "other")
	h.wait(other)
	// Those behind it wait for a few tries, then pass it.
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	h.until("the next one passing", func() bool {
		_ = h.clock.Advance(ctx, 10*time.Second, nil)
		return slices.Contains(h.done(), "acme/web next")
	})
	h.wait(next)
	h.until("idleness while it waits for its time", h.d.Idle)
	if e := h.event(1); !e.Decided.IsZero() {
		t.Fatalf("the failing event is decided %q", e.Outcome)
	}
	failing.Store(false)
	h.until("the failing one's turn", func() bool {
		_ = h.clock.Advance(ctx, time.Minute, nil)
		return slices.Contains(h.done(), "acme/web bad")
	})
	h.wait(bad)
	if got := h.audit(); !slices.Contains(got, "bob github.push op-bad done ()") {
		t.Errorf("audit: %q", got)
	}
}

func TestWebhooksOfARepositoryKeepTheirOrder(t *testing.T) {
	h := build(t, func(h *house, d *Deps) {
		d.Events["github."] = []Handler{func(_ context.Context, e Happening) (Act, error) {
			return func(*store.Tx) (Reply, error) { h.note(e.Forge.After); return Reply{}, nil }, nil
		}}
	})
	var want, keys []string
	for i := range 600 { // more than is pulled at once
		want = append(want, fmt.Sprint(i))
		keys = append(keys, h.post("github.push", integrations.ForgeEvent{Repo: "acme/web", After: fmt.Sprint(i)}, time.Time{}))
	}
	h.run()
	h.wait(keys[len(keys)-1])
	if got := h.done(); !slices.Equal(got, want) {
		t.Errorf("decided in the order %q", got)
	}
}

func TestWhatCannotBeReadIsDecided(t *testing.T) {
	h := build(t, func(h *house, d *Deps) {
		d.DecodeForge = func(string, []byte) (*integrations.ForgeEvent, error) { return nil, errors.New("no JSON") }
		d.Events["github."] = []Handler{func(context.Context, Happening) (Act, error) { panic("handed on") }}
		d.Events["alert."] = []Handler{func(_ context.Context, e Happening) (Act, error) {
			h.note(e.Kind + " " + string(e.Body))
			return nil, nil
		}}
	}).run()
	if _, outcome := h.wait(h.post("github.push", 1, time.Time{})); outcome != "error: no JSON" {
		t.Errorf("decided %q", outcome)
	}
	if _, outcome := h.wait(h.post("alert.sensu", 7, time.Time{})); outcome != "done" || !slices.Equal(h.done(), []string{"alert.sensu 7"}) {
		t.Errorf("decided %q, done %q", outcome, h.done())
	}
	if _, outcome := h.wait(h.post("slack.event", integrations.Heard{Kind: "home"}, time.Time{})); !strings.HasPrefix(outcome, "ignored: ") {
		t.Errorf("decided %q", outcome)
	}
}

func TestAHandlerThatPanicsIsGivenUp(t *testing.T) {
	h := build(t, func(h *house, d *Deps) {
		d.Events["github."] = []Handler{func(context.Context, Happening) (Act, error) { h.note("try"); panic("oops") }}
	}).run()
	h.post("github.push", integrations.ForgeEvent{Repo: "acme/web"}, time.Time{})
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	h.until("the end of it", func() bool {
		_ = h.clock.Advance(ctx, time.Second, nil)
		return !h.event(1).Decided.IsZero()
	})
	if got := h.done(); len(got) != tries {
		t.Errorf("tried %d times, want %d", len(got), tries)
	}
	contains(t, h.event(1).Outcome, "error: panic: oops")
}

func TestClicks(t *testing.T) {
	var version atomic.Uint64
	h := build(t, func(h *house, d *Deps) {
		v := h.verb(d, "merge")
		inner := v.Decide
		v.Decide = func(ctx context.Context, c *Call) (Act, error) { version.Store(c.Version); return inner(ctx, c) }
	}).run()
	click := func(user, command string) (string, string) {
		return h.hears(integrations.Heard{Kind: "click", User: user, Command: command, Version: 7})
	}
	if _, outcome := click("U1", "merge op-12"); outcome != "done" || version.Load() != 7 {
		t.Errorf("decided %q with version %d", outcome, version.Load())
	}
	if answer, outcome := click("U3", "merge op-12"); outcome != "refused: not_allowed" || answer == "" {
		t.Errorf("somebody else's click is decided %q and answered %q", outcome, answer)
	}
	if answer, outcome := click("U1", "vanish op-12"); outcome != "refused: stale_button" || answer == "" {
		t.Errorf("an old button is decided %q and answered %q", outcome, answer)
	}
	if answer, _ := click("U1", "lock web/prod &amp;"); !strings.Contains(answer, "&amp;") {
		t.Errorf("what a button carries is taken for chat's own writing: %q", answer)
	}
}

func TestThreadsAreForPeople(t *testing.T) {
	h := build(t, nil)
	err := h.st.Update(context.Background(), func(tx *store.Tx) error {
		if err := tx.PutOperation(&store.Operation{ID: "op-5", State: store.OpOpen}); err != nil {
			return err
		}
		return tx.PutSurface(&store.Surface{ID: "card", Place: "slack.message", Subject: "op-5", Ref: "100.1", Where: map[string]string{"channel": "C1"}})
	})
	if err != nil {
		t.Fatal(err)
	}
	h.run()
	reply := func(kind, thread, text string) string {
		answer, outcome := h.hears(integrations.Heard{Kind: kind, User: "U1", Channel: "C1", ChannelName: "ops", Thread: thread, Text: text})
		if strings.HasPrefix(outcome, "ignored") && answer != "" {
			t.Errorf("%q is ignored and answered %q", text, answer)
		}
		return outcome
	}
	const ignored = "ignored: people talking"
	for _, c := range []struct{ kind, thread, text, want string }{
		{"reply", "100.1", "merge", "done"},
		{"reply", "100.1", "status", "done"},
		{"reply", "100.1", "merge op-7", "done"},
		{"reply", "100.1", "lock wbe/production for the db", "refused: unknown_target"},
		{"reply", "100.1", "merge conflicts again, sigh", ignored},
		{"reply", "100.1", "status looks fine to me", ignored},
		{"reply", "100.1", "deploy went well", ignored},
		{"reply", "100.1", "mrege", ignored},
		{"reply", "100.1", "thanks!", ignored},
		{"reply", "100.1", "", ignored},
		{"reply", "200.2", "merge op-5", ignored},
		{"reply", "", "merge op-5", ignored},
		{"mention", "100.1", "merge", "done"},
		{"mention", "200.2", "merge", "refused: missing"},
		{"mention", "100.1", "thanks!", "refused: unknown_verb"},
	} {
		if got := reply(c.kind, c.thread, c.text); got != c.want {
			t.Errorf("%s in %q: %s\n is decided %q, want %q", c.kind, c.thread, c.text, got, c.want)
		}
		if err := h.clock.Advance(context.Background(), 15*time.Second, nil); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"merge op-5", "status op-5", "merge op-7", "merge op-5"}
	if got := h.done(); !slices.Equal(got, want) {
		t.Errorf("done: %q, want %q", got, want)
	}
}

func TestOldAnswersAreForgotten(t *testing.T) {
	h := build(t, nil).run()
	for range 6 {
		h.says("U1", "status")
	}
	if err := h.clock.Advance(context.Background(), 72*time.Hour, nil); err != nil {
		t.Fatal(err)
	}
	h.says("U1", "status")
	err := h.st.View(func(tx *store.Tx) error {
		for _, event := range []string{"event-1", "event-4"} {
			if left, err := tx.SurfacesOf(event); err != nil || len(left) > 0 {
				t.Errorf("the answer of three days ago to %s is kept: %v %v", event, left, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if h.shown("slack.private", 7) == "" {
		t.Error("the newest answer is not kept")
	}
}
