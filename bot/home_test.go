package main

import (
	"strings"
	"testing"
)

// greetings are the bot's introductions in #ops.
func (b *box) greetings() (n int) {
	for _, m := range b.history("") {
		if m.Bot && strings.Contains(m.Text, "I am signalbox") {
			n++
		}
	}
	return n
}

// untilGreeted starts the bot and waits for its introduction.
func (b *box) untilGreeted() {
	b.t.Helper()
	b.start()
	b.until("the bot introduces itself", func() bool { return b.greetings() > 0 })
}

// Killed before or after it has introduced itself, or with the answer to that lost,
// the bot does so once, and never again however often it is started.
func TestIntroducedOnce(t *testing.T) {
	for _, s := range []stage{
		{name: "before it is posted", at: "slack before chat.postMessage", has: "I am signalbox"},
		{name: "after it is posted", at: "slack after chat.postMessage", has: "I am signalbox"},
		{name: "the reply is lost", lose: loseSlack("chat.postMessage")},
	} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			b := newBox(t, nil)
			var fired func() bool
			if s.lose == nil {
				fired = b.arm(s)
			} else if err := s.lose(b); err != nil {
				t.Fatal(err)
			}
			b.untilGreeted()
			if fired != nil { // the message is there a moment before
				b.until(s.at, fired)
			}
			b.until("the bot is there", b.ready)
			b.restart()
			b.begin()
			if n := b.greetings(); n != 1 {
				t.Errorf("it introduced itself %d times", n)
			}
		})
	}
}

// A Home tab that somebody looks at follows what happens, also what happened while
// the bot was dead, and so do its buttons.
func TestHomeTabFollows(t *testing.T) {
	t.Parallel()
	b := newBox(t, nil)
	b.untilGreeted()
	b.until("alice's Home tab", func() bool {
		v, err := b.slack.OpenHome(t.Context(), "alice")
		return err == nil && strings.Contains(string(v.Blocks), "Nothing of yours is under way")
	})
	shows := func(words string) func() bool {
		return func() bool {
			v, err := b.slack.Home("alice")
			return err == nil && strings.Contains(string(v.Blocks), words)
		}
	}
	b.begin()
	b.until("her operation on her Home tab", shows("op-1"))
	b.kill()
	b.mergeOnGitHub()
	b.start()
	b.untilTold("op-1", "succeeded")
	b.until("what runs where on her Home tab", shows("✅ staging"))
	b.until("the end of her operation on her Home tab", shows("Nothing of yours is under way"))
	if v := b.slack.Violations(); len(v) > 0 {
		t.Errorf("violations: %q", v)
	}
}
