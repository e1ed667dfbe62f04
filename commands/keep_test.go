package commands

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// again is another process on the same store.
func (h *house) again() *house {
	h.halt()
	h.d = New(h.d.Deps)
	return h
}

// kept is what somebody reads of an event that was kept, "" for nothing.
func (h *house) kept(seq uint64) (text string) {
	h.t.Helper()
	err := h.st.View(func(tx *store.Tx) error {
		all, err := tx.SurfacesOf(keptSubject(seq))
		for _, s := range all {
			m, err := renderKept(tx, s)
			if err != nil {
				return err
			}
			text += m.Text
		}
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return text
}

func (h *house) undecided() (seqs []uint64) {
	h.t.Helper()
	err := h.st.View(func(tx *store.Tx) error {
		all, err := tx.Undecided(0)
		for _, e := range all {
			seqs = append(seqs, e.Seq)
		}
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return seqs
}

func command(user, text string) integrations.Heard {
	return integrations.Heard{Kind: "command", Team: "T1", User: user, Channel: "C1", ChannelName: "ops", Text: text, ResponseURL: "https://slack/" + user}
}

// While the process is being stopped, questions and refusals are answered as
// always, webhooks are decided, and what stops something is carried out. What
// changes something is left undecided, and its asker told, whether it was typed,
// pressed or submitted.
func TestWhatIsKeptWhileStopping(t *testing.T) {
	h := build(t, func(h *house, d *Deps) {
		d.Verbs = append(d.Verbs, Verb{Name: "cancel", Effect: Changes, Right: "deploy", Halts: true, Args: []Arg{{Name: "subject", Kind: ArgSubject}},
			Decide: func(context.Context, *Call) (Act, error) {
				return func(*store.Tx) (Reply, error) { h.note("cancel"); return Reply{}, nil }, nil
			}})
		d.Events["github."] = []Handler{func(context.Context, Happening) (Act, error) {
			return func(*store.Tx) (Reply, error) { h.note("webhook"); return Reply{}, nil }, nil
		}}
	})
	h.d.Keep()
	h.run()
	now := h.clock.Now()
	click := integrations.Heard{Kind: "click", Team: "T1", User: "U1", Channel: "C1", ChannelName: "ops", Command: "merge op-12", Version: 4}
	submit := integrations.Heard{Kind: "submit", Team: "T1", User: "U1", Channel: "C1", ChannelName: "ops", Verb: "deploy", Values: map[string]string{"service": "web", "environment": "staging"}}
	for _, c := range []struct {
		name, kind string
		body       any
		kept       bool
		outcome    string
	}{
		{"a command that changes something", "slack.command", command("U1", "deploy web to staging"), true, ""},
		{"a button that changes something", "slack.click", click, true, ""},
		{"a form that changes something", "slack.submit", submit, true, ""},
		{"a question", "slack.command", command("U1", "locks"), false, "done"},
		{"a command that is not understood", "slack.command", command("U1", "dploy web to staging"), false, "refused: unknown_verb"},
		{"a command that is not allowed", "slack.command", command("U3", "deploy web to staging"), false, "refused: not_allowed"},
		{"a command that stops something", "slack.command", command("U1", "cancel op-12"), false, "done"},
		{"a webhook", "github.push", integrations.ForgeEvent{Repo: "acme/web"}, false, "done"},
	} {
		t.Run(c.name, func(t *testing.T) {
			key := h.post(c.kind, c.body, now)
			answer, outcome := h.wait(key)
			seq := uint64(h.said)
			if left := slices.Contains(h.undecided(), seq); left != c.kept || outcome != c.outcome {
				t.Errorf("undecided: %v, outcome %q, answer %q", left, outcome, answer)
			}
			told := h.kept(seq)
			if c.kept && (!strings.Contains(told, "being restarted and have kept this") || answer != "") || !c.kept && told != "" {
				t.Errorf("told %q, answered %q", told, answer)
			}
		})
	}
	if got := h.done(); !slices.Equal(got, []string{"locks", "cancel", "webhook"}) {
		t.Errorf("done: %q", got)
	}
	h.until("idleness", h.d.Idle)
}

// After the restart what was kept is decided by the ordinary rules, in its order:
// what is older than two minutes is asked about instead.
func TestWhatWasKeptIsDecidedAfterTheRestart(t *testing.T) {
	for name, c := range map[string]struct {
		away time.Duration
		done []string
		want []string
	}{
		"soon": {time.Minute, []string{"deploy web to staging", "lock network/production migration --for 8h", "locks"}, []string{"ok deploy web to staging", "ok lock"}},
		"late": {3 * time.Minute, []string{"locks"}, []string{"I have not done it. To do it now: deploy web to staging [Run it now: deploy web to staging]", "[Run it now: lock"}},
	} {
		t.Run(name, func(t *testing.T) {
			h := build(t, nil)
			h.d.Keep()
			h.run()
			h.says("U1", "deploy web to staging")
			h.says("U1", "lock network/production migration")
			h.says("U1", "locks") // the same person's question is not held up
			if !slices.Equal(h.undecided(), []uint64{1, 2}) {
				t.Fatalf("undecided: %v", h.undecided())
			}
			h.halt()
			if err := h.clock.Advance(context.Background(), c.away, nil); err != nil {
				t.Fatal(err)
			}
			h.again().run()
			for i, want := range c.want {
				seq := uint64(i + 1)
				h.until("the decision", func() bool { return !h.event(seq).Decided.IsZero() })
				contains(t, h.shown("slack.private", seq), want)
				if told := h.kept(seq); told != "" {
					t.Errorf("it still says %q", told)
				}
			}
			got := h.done()
			slices.Sort(got)
			want := slices.Sorted(slices.Values(c.done))
			for i := range want {
				if len(got) != len(want) || !strings.HasPrefix(got[i], strings.Fields(want[i])[0]) {
					t.Fatalf("done: %q, want %q", got, want)
				}
			}
		})
	}
}

// mouth is a place that shows things to one person and cannot be read back. While
// it is stopped, what is shown may or may not have arrived.
type mouth struct {
	mu    sync.Mutex
	said  []string
	stuck chan struct{}
}

func (m *mouth) Show(ctx context.Context, p integrations.Post) (string, error) {
	m.mu.Lock()
	m.said = append(m.said, p.Message.Text)
	stuck := m.stuck
	m.mu.Unlock()
	if stuck != nil {
		close(stuck)
		<-ctx.Done()
		return "", ctx.Err()
	}
	return "shown", nil
}

func (m *mouth) Find(context.Context, integrations.Post) (string, bool, error) {
	return "", false, integrations.ErrNotReadable
}

func (m *mouth) all() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.said)
}

// A process that dies in the middle of telling tells no more than once, however
// often the event is kept after that, and what is decided in the end is answered.
func TestWhatIsKeptIsToldOnce(t *testing.T) {
	h := build(t, nil)
	m := &mouth{stuck: make(chan struct{})}
	tells := func() (stop func()) {
		teller := tell.New(tell.Deps{Store: h.st, Clock: h.clock, Log: h.d.Log, Cards: Cards(), Places: map[string]integrations.Place{placePrivate: m},
			Manners: map[string]tell.Manner{placePrivate: {AtMostOnce: true}}})
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- teller.Run(ctx) }() // waited for by stop
		return func() {
			h.until("all is told", func() bool { return ctx.Err() != nil || m.stuck != nil || teller.Idle() })
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}
	h.d.Keep()
	h.run()
	stop := tells()
	h.says("U1", "deploy web to staging")
	<-m.stuck
	stop() // in the middle of it
	m.stuck = nil
	h.again()
	h.d.Keep() // stopped again before it was decided
	h.run()
	h.wait("K1")
	stop = tells()
	stop()
	if got := m.all(); len(got) != 1 {
		t.Errorf("told %d times: %q", len(got), got)
	}
	h.again().run()
	stop = tells()
	h.until("the decision", func() bool { return !h.event(1).Decided.IsZero() })
	stop()
	if got := m.all(); len(got) != 2 || !strings.Contains(got[1], "ok deploy web to staging") {
		t.Errorf("told: %q", got)
	}
}
