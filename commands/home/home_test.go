package home

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/store"
)

var (
	alice = store.Person{Name: "alice", Slack: "U0ALICE"}
	bob   = store.Person{Name: "bob", Slack: "U0BOB"}
	start = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
)

// stopped is a clock that goes on when the test says so; its timers are real.
type stopped struct {
	mu  sync.Mutex
	now time.Time
}

func (c *stopped) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *stopped) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func (c *stopped) NewTimer(d time.Duration) clock.Timer { return clock.Real().NewTimer(d) }

// flat is the feature on a real store.
type flat struct {
	t     *testing.T
	store *store.Store
	clock *stopped
	cat   *integrations.Catalog
	f     *feature
	ids   map[string]string // of channels, by name
}

func newFlat(t *testing.T) *flat {
	t.Helper()
	w := &flat{t: t, clock: &stopped{now: start}, ids: map[string]string{"ops": "C0OPS"}}
	s, err := store.Open(filepath.Join(t.TempDir(), "signalbox.db"), store.Options{Log: slog.New(slog.DiscardHandler), Now: w.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	w.store = s
	w.cat = &integrations.Catalog{
		People:       []integrations.Person{{Name: "alice", Slack: "U0ALICE"}, {Name: "bob", Slack: "U0BOB"}},
		Groups:       map[string][]string{"all": {"alice", "bob"}},
		Rules:        []integrations.Rule{{Groups: []string{"all"}, Verbs: []string{"*"}, Environments: []string{"*"}}},
		Environments: []integrations.Environment{{Name: "staging", Channels: []string{"#ops"}}, {Name: "production", Channels: []string{"ops", "war-room"}, OnCall: []string{"bob"}}},
		Services: []integrations.Service{{Name: "web", OnCall: []string{"alice"}, Environments: map[string]integrations.ServiceEnvironment{
			"staging": {Targets: []string{"web/staging"}}, "production": {Targets: []string{"web/production"}}}}},
		Targets: []integrations.Target{{Name: "web/staging", Environment: "staging"}, {Name: "web/production", Environment: "production"}},
	}
	w.f = w.feature()
	return w
}

// feature is one as the next process would have it.
func (w *flat) feature() *feature {
	d := Deps{Store: w.store, Clock: w.clock, Log: slog.New(slog.DiscardHandler), Catalog: func() *integrations.Catalog { return w.cat }}
	d.Roster = integrations.ConfiguredRoster(d.Catalog)
	d.Guest = func(_ context.Context, user string) (bool, error) { return user == "U0GUS", nil }
	d.Channel = func(_ context.Context, name string) (string, error) {
		if id, ok := w.ids[name]; ok {
			return id, nil
		}
		return "", &integrations.Gone{Why: "there is no channel #" + name}
	}
	// Cards of others, as far as a Home tab looks at them.
	d.Cards = func() map[string]tell.Card {
		return map[string]tell.Card{
			cardHold: func(_ *store.Tx, s *store.Surface) (integrations.Message, error) {
				return offers(integrations.Button{Label: "Release", Command: "unlock " + s.Subject}), nil
			},
			cardOperation: func(_ *store.Tx, s *store.Surface) (integrations.Message, error) {
				return offers(integrations.Button{Label: "Approve", Command: "approve " + s.Subject}, integrations.Button{Label: "Cancel", Command: "cancel " + s.Subject}), nil
			},
			cardApproval: func(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
				return offers(integrations.Button{Label: "Approve", Command: "approve " + s.Subject, Version: 7}), nil
			},
			cardConfirm: func(*store.Tx, *store.Surface) (integrations.Message, error) { panic("a fault") },
		}
	}
	return &feature{d}
}

func offers(b ...integrations.Button) integrations.Message {
	return integrations.Message{Blocks: []integrations.Block{{Text: integrations.R("a card")}, {Buttons: b}}}
}

func (w *flat) update(do func(tx *store.Tx) error) {
	w.t.Helper()
	if err := w.store.Update(w.t.Context(), do); err != nil {
		w.t.Fatal(err)
	}
}

// open is what the dispatcher does when somebody opens their Home tab.
func (w *flat) open(user string) {
	w.t.Helper()
	act, err := w.f.open(w.t.Context(), &commands.Call{Heard: integrations.Heard{Kind: "home", User: user}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.update(func(tx *store.Tx) error {
		reply, err := act(tx)
		if reply.Private != nil {
			w.t.Errorf("opening the tab is answered: %+v", reply)
		}
		return err
	})
}

// shows is a Home tab, a line a block, as the teller would show it.
func (w *flat) shows(user string) string {
	w.t.Helper()
	var lines []string
	err := w.store.View(func(tx *store.Tx) error {
		s, err := tx.Surface(surfaceID(user))
		if err != nil {
			return err
		}
		m, err := w.f.card(tx, s)
		if len(m.Blocks) > 100 {
			w.t.Errorf("%d blocks", len(m.Blocks))
		}
		for _, b := range m.Blocks {
			line := b.Header + b.Text.Plain() + b.Context.Plain() + b.Code
			for _, btn := range b.Buttons {
				line += "[" + btn.Label + "]"
			}
			lines = append(lines, line)
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}

func (w *flat) surface(id string) (s *store.Surface) {
	w.t.Helper()
	err := w.store.View(func(tx *store.Tx) (err error) {
		s, err = tx.Surface(id)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil
	} else if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// told has a real teller show a surface.
func (w *flat) told(id string) {
	w.t.Helper()
	post := &place{}
	t := tell.New(tell.Deps{Store: w.store, Clock: w.clock, Log: slog.New(slog.DiscardHandler), Places: map[string]integrations.Place{placeHome: post, placeMessage: post},
		Cards: map[string]tell.Card{cardHome: w.f.card, cardHello: w.f.helloCard}})
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan error, 1)
	go func() { done <- t.Run(ctx) }()
	for end := time.Now().Add(20 * time.Second); ; {
		s := w.surface(id)
		if s != nil && s.Shown >= s.Marked {
			break
		}
		if time.Now().After(end) {
			w.t.Fatalf("%s is not told: %+v", id, s)
		}
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-done; err != nil {
		w.t.Fatal(err)
	}
}

type place struct{}

func (*place) Show(context.Context, integrations.Post) (string, error) { return "1.2", nil }
func (*place) Find(context.Context, integrations.Post) (string, bool, error) {
	return "", false, integrations.ErrNotReadable
}

func operation(nonce string, by store.Person) *store.Operation {
	return &store.Operation{ID: "op-" + nonce[1:], Nonce: nonce, State: store.OpOpen, Kind: "deploy", Service: "web", Environment: "production", Targets: []string{"web/production"},
		Head: "abc", PR: 4, PRURL: "https://github.example/acme/web/pull/4", Requester: by}
}

func ask(op, who, level string) store.Surface {
	return store.Surface{ID: tell.ID(placeMessage, op, cardApproval, level), Place: placeMessage, Card: cardApproval, Subject: op,
		Where: map[string]string{"channel": "C0OPS", "head": "abc", "name": who, "level": level}}
}

func TestWhoIsNotKnown(t *testing.T) {
	w := newFlat(t)
	for user, want := range map[string]string{"U0NEW": "slack: U0NEW", "U0GUS": "You are a guest"} {
		w.open(user)
		if got := w.shows(user); !strings.Contains(got, want) || strings.Contains(got, "production") || strings.Contains(got, "Deploy") {
			t.Errorf("%s sees\n%s", user, got)
		}
	}
	act, err := w.f.open(t.Context(), &commands.Call{Heard: integrations.Heard{Kind: "home", User: "U0OLGA", Stranger: true}})
	if act != nil || err != nil || w.surface(surfaceID("U0OLGA")) != nil {
		t.Errorf("somebody of another workspace has a Home tab: %v", err)
	}
}

// Who is asked sees it with the card's own button, and nobody else does.
func TestApprovalsAskedOf(t *testing.T) {
	w := newFlat(t)
	w.open("U0ALICE")
	w.open("U0BOB")
	w.update(func(tx *store.Tx) error {
		op := operation("n1", alice)
		return errors.Join(tx.PutOperation(op), tell.Open(tx, ask(op.ID, "bob", "1")))
	})
	if got := w.shows("U0BOB"); !strings.Contains(got, "What waits for you (1)\n🔷 web → production · open\nop-1 · #4 · alice\n[Approve]\nYour operations\n") {
		t.Errorf("bob is asked, and sees\n%s", got)
	}
	if got := w.shows("U0ALICE"); !strings.Contains(got, "Nothing waits for you.\nYour operations (1)\n") || !strings.Contains(got, "alice\n[Cancel]\n") {
		t.Errorf("alice asked, and sees\n%s", got)
	}
	w.update(func(tx *store.Tx) error {
		op, err := tx.Operation("op-1")
		if err != nil {
			return err
		}
		op.Approvals = []store.Approval{{By: bob, Head: "abc"}}
		return tx.PutOperation(op)
	})
	if got := w.shows("U0BOB"); !strings.Contains(got, "Nothing waits for you.") {
		t.Errorf("bob has agreed, and sees\n%s", got)
	}
}

func TestEverybodyIsAsked(t *testing.T) {
	w := newFlat(t)
	w.open("U0ALICE")
	w.open("U0BOB")
	w.update(func(tx *store.Tx) error {
		op := operation("n1", alice)
		return errors.Join(tx.PutOperation(op), tell.Open(tx, ask(op.ID, "", "3")))
	})
	if a, b := w.shows("U0ALICE"), w.shows("U0BOB"); !strings.Contains(a, "Nothing waits for you.") || !strings.Contains(b, "What waits for you (1)") {
		t.Errorf("alice sees\n%s\nbob sees\n%s", a, b)
	}
}

// An unknown end waits for those who may say what it was; a fault in the card of a
// confirmation leaves the rest of the tab standing.
func TestJobsThatWait(t *testing.T) {
	w := newFlat(t)
	w.open("U0ALICE")
	w.open("U0BOB")
	put := func(nonce, state string) {
		w.update(func(tx *store.Tx) error {
			op := operation(nonce, alice)
			op.State = store.OpApplying
			if err := tx.PutOperation(op); err != nil {
				return err
			}
			j := &store.Job{Key: nonce, Kind: "apply", Target: "web/production", Operation: op.ID, State: state, Requester: alice}
			if _, _, err := tx.InsertJob(j); err != nil {
				return err
			}
			return tell.Open(tx, store.Surface{ID: tell.ID(placeMessage, j.ID, cardConfirm), Place: placeMessage, Card: cardConfirm, Subject: j.ID})
		})
	}
	put("n1", store.JobUnknown)
	put("n2", store.JobNeedsConfirm)
	put("n3", store.JobBlocked)
	got := w.shows("U0BOB")
	if !strings.Contains(got, "What waits for you (2)\n❓ web → production · unknown\nop-1 · #4 · alice\n[Approve][Cancel]\n✋ web → production · blocked\nop-3") {
		t.Errorf("bob sees\n%s", got)
	}
	if got := w.shows("U0ALICE"); !strings.Contains(got, "What waits for you (1)\n❓") {
		t.Errorf("an approval of what alice asked for waits for her:\n%s", got)
	}
	if !strings.Contains(got, "🚧 production: nothing from here yet · op-1 is being applied") {
		t.Errorf("what runs where:\n%s", got)
	}
}

func TestLocksAndTheirEnd(t *testing.T) {
	w := newFlat(t)
	w.open("U0ALICE")
	w.update(func(tx *store.Tx) error {
		return errors.Join(
			tx.PutHold(&store.Hold{Kind: store.HoldHold, Service: "web", Environment: "production", Owner: alice, Reason: "migration", Expires: start.Add(30 * time.Minute)}, 0),
			tx.PutHold(&store.Hold{Kind: store.HoldFreeze, Environment: "staging", Owner: alice, Reason: "audit", Expires: start.Add(3 * time.Hour)}, 0),
			tx.PutHold(&store.Hold{Kind: store.HoldHold, Target: "web/staging", Owner: bob, Reason: "his"}, 0),
			tx.PutHold(&store.Hold{Kind: store.HoldDirty, Target: "web/production", Owner: alice, Reason: "half applied"}, 0))
	})
	got := w.shows("U0ALICE")
	for _, want := range []string{
		"What waits for you (1)\n🔒 web/production ends soon: migration\nhold-1 · until 2026-11-26 12:30 UTC\n[Release][Extend]\n",
		"Your locks (2)\n🔒 web/production: migration\nhold-1 · until 2026-11-26 12:30 UTC\n🧊 staging: audit\nhold-2 · until 2026-11-26 15:00 UTC\n[Release][Extend]\nOn call\n",
		"On call\nweb/staging: alice\nproduction: bob\nweb/production: alice\n", "⚪ staging: nothing from here yet · 🧊 frozen · 🔒 bob",
		"🧹 production: nothing from here yet · 🔒 alice · dirty",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("alice does not see %q in\n%s", want, got)
		}
	}
	w.clock.pass(31 * time.Minute)
	if got := w.shows("U0ALICE"); strings.Contains(got, "migration") {
		t.Errorf("a lock that is over is there:\n%s", got)
	}
}

func TestWhatRunsWhere(t *testing.T) {
	w := newFlat(t)
	w.open("U0ALICE")
	put := func(nonce, state, env, to string) {
		w.clock.pass(time.Minute)
		w.update(func(tx *store.Tx) error {
			op := operation(nonce, alice)
			op.State, op.Environment, op.ToSHA, op.Ended = state, env, strings.Repeat("0", 33)+to, w.clock.Now()
			if len(to) > 7 {
				op.ToSHA = to
			}
			return tx.PutOperation(op)
		})
	}
	put("n1", store.OpSucceeded, "production", "aaaaaaa"+strings.Repeat("0", 33))
	put("n2", store.OpFailed, "production", "bbbbbbb"+strings.Repeat("0", 33))
	put("n3", store.OpClosed, "production", "ccccccc"+strings.Repeat("0", 33))
	put("n4", store.OpNoop, "staging", "ddddddd"+strings.Repeat("0", 33))
	got := w.shows("U0ALICE")
	if !strings.Contains(got, "web\n✅ staging: ddddddd since 2026-11-26 12:04 UTC\n❌ production: aaaaaaa since 2026-11-26 12:01 UTC · the last deploy failed") {
		t.Errorf("alice sees\n%s", got)
	}
}

// However much there is, Slack takes it.
func TestManyThings(t *testing.T) {
	w := newFlat(t)
	w.open("U0ALICE")
	for i := range 40 {
		w.cat.Services = append(w.cat.Services, integrations.Service{Name: fmt.Sprintf("s%d", i), OnCall: []string{"alice"}, Environments: w.cat.Services[0].Environments})
	}
	w.update(func(tx *store.Tx) error {
		for i := range 20 {
			op := operation(fmt.Sprint("n", i), alice)
			if err := errors.Join(tx.PutOperation(op), tell.Open(tx, ask(op.ID, "alice", "1")),
				tx.PutHold(&store.Hold{Kind: store.HoldHold, Target: fmt.Sprint("t", i), Owner: alice, Reason: strings.Repeat("long ", 100), Expires: start.Add(3 * time.Hour)}, 0)); err != nil {
				return err
			}
		}
		return nil
	})
	got := w.shows("U0ALICE") // which counts the blocks
	for _, want := range []string{"What waits for you (20)", "… and 10 more: `/ops status`", "… and 12 more: `/ops locks`", "… and 21 more: `/ops services`", "… and 73 more"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

// After something happened, the tabs that say something else are marked, and no
// others; those that nobody has opened for long are forgotten.
func TestTabsFollow(t *testing.T) {
	w := newFlat(t)
	w.open("U0ALICE")
	w.open("U0BOB")
	w.told(surfaceID("U0ALICE"))
	w.told(surfaceID("U0BOB"))
	look := func() {
		t.Helper()
		if err := w.f.look(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	marks := func() []uint64 {
		return []uint64{w.surface(surfaceID("U0ALICE")).Marked, w.surface(surfaceID("U0BOB")).Marked}
	}
	before := marks()
	if look(); !slices.Equal(before, marks()) {
		t.Errorf("nothing happened, and the marks went from %d to %d", before, marks())
	}
	w.update(func(tx *store.Tx) error {
		return tx.PutHold(&store.Hold{Kind: store.HoldHold, Target: "elsewhere", Owner: alice, Reason: "x"}, 0)
	})
	look()
	if after := marks(); after[0] != before[0]+1 || after[1] != before[1] {
		t.Errorf("alice holds something, and the marks went from %d to %d", before, after)
	}
	w.clock.pass(keptFor - time.Hour)
	w.open("U0BOB")
	w.clock.pass(2 * time.Hour)
	look()
	if w.surface(surfaceID("U0ALICE")) != nil || w.surface(surfaceID("U0BOB")) == nil {
		t.Error("the tab that nobody opened is kept, or the other is not")
	}
}

// Opening a tab publishes it again, also one that was parked.
func TestOpenedAgain(t *testing.T) {
	w := newFlat(t)
	w.open("U0ALICE")
	w.told(surfaceID("U0ALICE"))
	w.update(func(tx *store.Tx) error {
		s, err := tx.Surface(surfaceID("U0ALICE"))
		if err != nil {
			return err
		}
		s.Parked = "the Home tab is switched off"
		return tx.PutSurface(s)
	})
	w.open("U0ALICE")
	if s := w.surface(surfaceID("U0ALICE")); s.Parked != "" || s.Hash != "" || s.Marked <= s.Shown || s.Urgent != s.Marked {
		t.Errorf("it is not shown anew: %+v", s)
	}
}
