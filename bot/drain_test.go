package main

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations/kit/proc"
	"github.com/signalbox-chatops/signalbox/integrations/slack/slacksim"
	"github.com/signalbox-chatops/signalbox/store"
)

// draining comes to the middle of an apply, whose bot then begins to stop and
// waits, for a limit such as "30m".
func draining(t *testing.T, limit string) *box {
	t.Helper()
	b := applying(t, func(w *boxWorld) { w.runner = "  drain_on_stop: true\n  drain_limit: " + limit + "\n" })
	b.signal(syscall.SIGTERM)
	b.until("it is not ready any more", func() bool { return !b.ready() })
	return b
}

// line is what #ops reads of a restart, "" before it does.
func (b *box) line() (text string) {
	for _, m := range b.history("") {
		if m.Bot && (strings.HasPrefix(m.Text, "I am being restarted") || strings.HasPrefix(m.Text, "I am down") || strings.HasPrefix(m.Text, "I was restarted")) {
			text += m.Text
		}
	}
	return text
}

func (b *box) untilLine(words ...string) {
	b.t.Helper()
	for _, w := range words {
		b.until("#ops reads "+w, func() bool { return strings.Contains(b.line(), w) })
	}
}

// reads types a line while the bot may be stopping, and waits until that person
// alone is answered with a text that holds want.
func (b *box) reads(user, text, want string) {
	b.t.Helper()
	if _, err := b.slack.Say(b.t.Context(), user, "ops", text, ""); err != nil {
		b.t.Fatal(err)
	}
	b.until(user+", who typed "+text+", reads "+want, func() bool { return b.times(user, want) > 0 })
}

// times counts the private answers that hold a text.
func (b *box) times(user, want string) (n int) {
	b.t.Helper()
	all, err := b.slack.Ephemerals(user, "ops")
	if err != nil {
		b.t.Fatal(err)
	}
	for _, m := range all {
		if strings.Contains(m.Text, want) {
			n++
		}
	}
	return n
}

// health is what /healthz answers.
func (b *box) health() (h healthReport, status int) {
	b.t.Helper()
	resp, err := http.Get("http://" + b.listen + "/healthz")
	if err != nil {
		return h, 0
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&h); err != nil {
		b.t.Fatal(err)
	}
	return h, resp.StatusCode
}

// counts says how many locks there are, pushes that are decided, and events that
// are not.
func (b *box) counts() (holds, pushes, undecided int) {
	b.t.Helper()
	b.book(func(tx *store.Tx) error {
		all, err := tx.Holds()
		if err != nil {
			return err
		}
		holds = len(all)
		left, err := tx.Undecided(0)
		undecided = len(left)
		for seq := uint64(1); err == nil; seq++ {
			e, err := tx.Event(seq)
			if err != nil {
				break
			}
			if e.Kind == "github.push" && !e.Decided.IsZero() {
				pushes++
			}
		}
		return err
	})
	return holds, pushes, undecided
}

// In a container a stop waits for the apply and says so. Meanwhile the process is
// alive and not ready, questions are answered, webhooks come in, and what would
// change something is kept, its asker told, and decided by the next process.
func TestDrainOnStop(t *testing.T) {
	t.Parallel()
	b := draining(t, "30m")
	if h, status := b.health(); status != http.StatusOK || !h.OK || h.Ready || !strings.Contains(h.Why, "being stopped") {
		t.Errorf("healthz: %d %+v", status, h)
	}
	b.untilLine("I am being restarted, and wait for the apply of op-1 on web/staging, 30m0s at most")
	b.reads("bob", "/ops status op-1", "applying")
	b.reads("bob", `/ops lock web/production "a migration"`, "I am being restarted and have kept this")
	_, before, _ := b.counts()
	version := "1.2.0\n"
	if _, err := b.github.Commit(t.Context(), "alice", "acme/web", "main", "more", map[string]*string{"VERSION": &version}); err != nil {
		t.Fatal(err)
	}
	b.until("the push is decided", func() bool { _, n, _ := b.counts(); return n > before })
	if holds, _, undecided := b.counts(); holds != 0 || undecided != 1 {
		t.Errorf("while it stops there are %d locks and %d undecided events", holds, undecided)
	}
	if b.told("at-interrupt") {
		t.Error("the apply was interrupted")
	}
	b.untell("hold-apply")
	if code := b.untilEnded(); code != exitOK {
		t.Errorf("it ended with %d", code)
	}
	if m := b.card("op-1"); !strings.Contains(m.Text, ": succeeded") {
		t.Errorf("when it was gone the card said %q", m.Text)
	}
	if got := b.line(); !strings.HasPrefix(got, "I am down for a restart. The apply of op-1 on web/staging: succeeded.") {
		t.Errorf("when it was gone #ops read %q", got)
	}
	b.start()
	b.until("the lock is taken", func() bool { n, _, left := b.counts(); return n == 1 && left == 0 })
	b.untilLine("I was restarted and am back.")
	b.until("the lock is shown", func() bool {
		return slices.ContainsFunc(b.history(""), func(m slacksim.Message) bool { return m.Bot && strings.Contains(m.Text, "a migration") })
	})
	if n := b.times("bob", "have kept this"); n != 1 {
		t.Errorf("bob was told %d times", n)
	}
	b.untilTold("op-1", "succeeded")
	b.checkOnce("op-1")
}

// What does not end within the limit is interrupted, once; the operation says by
// what, its asker is called, and a retry is offered.
func TestDrainOnStopInterrupts(t *testing.T) {
	t.Parallel()
	b := applying(t, func(w *boxWorld) { w.runner = "  drain_on_stop: true\n  drain_limit: 1s\n" })
	b.signal(syscall.SIGTERM)
	b.until("the apply is interrupted", func() bool { return b.told("at-interrupt") })
	if code := b.untilEnded(); code != exitOK {
		t.Errorf("it ended with %d", code)
	}
	why := "interrupted because signalbox was stopped and had waited 1s for it"
	j := b.applyJob()
	if j.State != store.JobCancelled || j.Why != why || !strings.Contains(j.Tail, "interrupted") || j.Interrupts != 1 {
		t.Errorf("%s is %s because %q after %d interrupts, tail %q", j.ID, j.State, j.Why, j.Interrupts, j.Tail)
	}
	card := b.untilCard("op-1", ": failed", why)
	called := 0
	for _, m := range b.history(card.TS) {
		if strings.Contains(m.Text, "web/staging was "+why) {
			called++
		}
	}
	if called != 1 {
		t.Errorf("whoever asked was called %d times", called)
	}
	b.untell("hold-apply")
	b.start()
	b.untilLine("I was restarted and am back. The apply of op-1 on web/staging: cancelled.")
	b.untilDone()
	if n := len(b.effects()); n != 1 {
		t.Errorf("applied %d times", n)
	}
	b.click("bob", b.card("op-1").TS, "Retry")
	b.untilCard("op-1", ": succeeded")
}

// A second SIGTERM does not wait. The apply goes on, and the next process, which
// finds it, says so.
func TestDrainIsAbortedByASecondSignal(t *testing.T) {
	t.Parallel()
	b := draining(t, "30m")
	b.untilLine("I am being restarted, and wait for the apply of op-1")
	b.signal(syscall.SIGTERM)
	if code := b.untilEnded(); code != exitAborted {
		t.Errorf("it ended with %d, want %d", code, exitAborted)
	}
	b.untilStep(b.step("-apply"), proc.Running)
	b.start()
	b.untilLine("I was restarted; the apply of op-1 on web/staging goes on.")
	b.untell("hold-apply")
	b.untilTold("op-1", "succeeded")
	b.checkOnce("op-1")
	if b.told("at-interrupt") {
		t.Error("the apply was interrupted")
	}
}

// Whoever does not want to wait cancels what a stop waits for.
func TestDrainOnStopIsShortenedByACancel(t *testing.T) {
	t.Parallel()
	b := draining(t, "30m")
	b.reads("bob", "/ops cancel op-1", "Interrupting")
	if code := b.untilEnded(); code != exitOK {
		t.Errorf("it ended with %d", code)
	}
	b.untilCard("op-1", "cancelled by bob")
	b.untell("hold-apply")
}
