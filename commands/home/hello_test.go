package home

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

func (w *flat) introduce(h *hello) {
	w.t.Helper()
	if err := h.introduce(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *flat) helloOf(channel string) (m integrations.Message) {
	w.t.Helper()
	err := w.store.View(func(tx *store.Tx) error {
		s, err := tx.Surface(helloID(channel))
		if err != nil {
			return err
		}
		m, err = w.f.helloCard(tx, s)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

// Once for each channel, by this process and by those after it, also when the
// message itself is forgotten.
func TestIntroducedOnce(t *testing.T) {
	w := newFlat(t)
	first := &hello{feature: w.f}
	w.introduce(first)
	if w.surface(helloID("C0OPS")) == nil {
		t.Fatal("nothing is said in #ops")
	}
	m := w.helloOf("C0OPS")
	var lines []string
	for _, b := range m.Blocks {
		for _, btn := range b.Buttons {
			lines = append(lines, btn.Label+": "+btn.Command)
		}
	}
	if got := strings.Join(lines, "; "); got != "What runs where: services; Plan web to staging: plan web to staging; Deploy web to staging: deploy web to staging" {
		t.Errorf("offered: %s", got)
	}
	if !strings.Contains(m.Text, "/ops deploy web to staging") || !strings.Contains(m.Text, "I am signalbox") {
		t.Errorf("it says %q", m.Text)
	}
	marked := w.surface(helloID("C0OPS")).Marked
	w.introduce(first)
	w.introduce(&hello{feature: w.feature()})
	if s := w.surface(helloID("C0OPS")); s.Marked != marked {
		t.Errorf("it is said again: %+v", s)
	}
	w.update(func(tx *store.Tx) error { return tx.DeleteSurface(helloID("C0OPS")) })
	w.introduce(&hello{feature: w.feature()})
	if w.surface(helloID("C0OPS")) != nil {
		t.Error("it is said again once the message was forgotten")
	}
}

// A channel that is made later is met later, and one whose message could not be
// told, because the bot was not in it, is met after the next start.
func TestIntroducedLater(t *testing.T) {
	w := newFlat(t)
	h := &hello{feature: w.f}
	w.introduce(h)
	w.ids["war-room"] = "C0WAR"
	w.introduce(h)
	s := w.surface(helloID("C0WAR"))
	if s == nil {
		t.Fatal("nothing is said in a channel that is there now")
	}
	if m := w.helloOf("C0WAR"); !strings.Contains(m.Text, "/ops deploy web to production") {
		t.Errorf("what it offers is not asked for there: %q", m.Text)
	}
	w.update(func(tx *store.Tx) error {
		s.Parked = "the bot is not in the channel"
		return tx.PutSurface(s)
	})
	w.introduce(h)
	if w.surface(helloID("C0WAR")).Parked == "" {
		t.Error("it is tried again although nothing has changed")
	}
	w.introduce(&hello{feature: w.feature()})
	if w.surface(helloID("C0WAR")).Parked != "" {
		t.Error("it is not tried again after a start")
	}
}

// Where the bot has spoken before it kept a record, it says nothing.
func TestKnownAlready(t *testing.T) {
	w := newFlat(t)
	w.update(func(tx *store.Tx) error {
		op := operation("n1", alice)
		op.Channel = "C0OPS"
		return tx.PutOperation(op)
	})
	w.introduce(&hello{feature: w.f})
	if w.surface(helloID("C0OPS")) != nil {
		t.Error("it introduces itself where it is known")
	}
	w.cat.Services = nil
	w.ids["war-room"] = "C0WAR"
	w.introduce(&hello{feature: w.feature()})
	if m := w.helloOf("C0WAR"); !strings.Contains(m.Text, "/ops help") || strings.Contains(m.Text, "deploy web") {
		t.Errorf("with no service it says %q", m.Text)
	}
}

func TestChannelThatCannotBeAsked(t *testing.T) {
	w := newFlat(t)
	w.f.Channel = nil
	h := &hello{feature: w.f}
	w.introduce(h)
	lost := errors.New("Slack is away")
	h.Channel = func(_ context.Context, _ string) (string, error) { return "", lost }
	if err := h.introduce(t.Context()); !errors.Is(err, lost) {
		t.Errorf("an error: %v", err)
	}
}
