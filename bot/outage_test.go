package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/github/githubsim"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/integrations/slack/slacksim"
	"github.com/signalbox-chatops/signalbox/store"
)

// The systems are taken away for an hour, one after the other, in the middle of
// work.

// busyBox is a workspace on a clock that moves, with an operation in staging.
func busyBox(t *testing.T) *box {
	t.Helper()
	b := newBox(t, func(w *boxWorld) { w.clock = clock.NewMovable(0) })
	b.runInside()
	b.say("alice", "/ops deploy web to staging")
	b.untilCard("op-1", ": open", "plan +1")
	return b
}

func (b *box) take(system, kind string) {
	b.t.Helper()
	var err error
	switch system {
	case "slack":
		err = b.slack.Fault(slacksim.FaultSpec{Kind: kind})
	case "github":
		err = b.github.Fault(githubsim.FaultSpec{Kind: kind})
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// host types a line on the bot's machine, and wants the answer to hold words.
func (b *box) host(user, line string, code int, words ...string) {
	b.t.Helper()
	text, got := b.inside.Load().OnHost(b.t.Context(), user, line)
	if got != code {
		b.t.Errorf("%s on the host: %s: exit code %d, want %d:\n%s", user, line, got, code, text)
	}
	for _, w := range words {
		if !strings.Contains(text, w) {
			b.t.Errorf("%s on the host: %s: no %q in\n%s", user, line, w, text)
		}
	}
}

// cards counts the messages that are the card of an operation.
func (b *box) cards(op string) (n int) {
	for _, m := range b.history("") {
		if strings.HasPrefix(m.Text, op+" ") {
			n++
		}
	}
	return n
}

func (b *box) audit(via string) (acts []string) {
	b.book(func(tx *store.Tx) error {
		rows, err := tx.AuditRows(store.AuditFilter{})
		for _, r := range rows {
			if r.Via == via {
				acts = append(acts, r.Who.Name+" "+r.Act+" "+r.Outcome)
			}
		}
		return err
	})
	return acts
}

func TestGitHubIsAwayForAnHour(t *testing.T) {
	t.Parallel()
	b := busyBox(t)
	b.say("alice", "/ops deploy web to production")
	b.untilCard("op-2", ": open", "plan +1")
	b.tell("hold-apply")
	b.click("alice", b.card("op-1").TS, "Merge")
	b.until("the apply has begun", func() bool { return b.told("at-apply") })

	b.take("github", "down")
	b.untell("hold-apply") // what runs goes on to its end
	b.untilCard("op-1", ": succeeded")
	b.click("bob", b.card("op-2").TS, "Merge")
	b.untilCard("op-2", ": open", "waits: GitHub has not answered since")
	b.advance(3 * time.Minute)
	b.ask("carol", "/ops status", "the merge of op-2")
	b.ask("alice", "/ops deploy web to staging", "deploy needs it. Nothing was changed.")
	if all := b.history(""); !strings.Contains(all[len(all)-1].Text, "GitHub has not answered since") {
		t.Errorf("nobody was told: %q", all[len(all)-1].Text)
	}
	b.advance(57 * time.Minute)
	b.untilCard("op-2", ": open", "waits: GitHub has not answered since")

	b.take("github", "up")
	b.advance(2 * time.Minute)
	b.untilCard("op-2", ": succeeded")
	b.untilDone()
	all := b.history("")
	if last := all[len(all)-1].Text; !strings.Contains(last, "GitHub answers again") || !strings.Contains(last, "What waited goes on: the merge of op-2.") {
		t.Errorf("the last message is %q", last)
	}
	if got := len(b.effects()); got != 2 {
		t.Errorf("%d applies, want 2", got)
	}
	for _, s := range []string{"op-1", "op-2"} {
		if n := b.cards(s); n != 1 {
			t.Errorf("%d cards of %s", n, s)
		}
	}
}

// CI reports nothing for an hour: what waits for it says so, a merge by hand is
// refused in words, and what merges by itself goes on once CI answers, also when the
// webhook that says so is lost. The bot is started anew in between.
func TestCIIsAwayForAnHour(t *testing.T) {
	t.Parallel()
	b := newBox(t, func(w *boxWorld) {
		w.clock = clock.NewMovable(0)
		w.environments += ", checks: [ci/build]"
		w.edit = func(text string) string {
			return strings.Replace(text, "review: none", "review: none, merge: when_green", 1)
		}
	})
	stop := b.runInside()
	b.say("alice", "/ops deploy web to staging")
	b.say("alice", "/ops deploy web to production")
	b.untilCard("op-1", ": open", "plan +1")
	b.untilCard("op-2", ": open", "plan +1")
	report := func(state string) {
		pulls := b.pulls("acme/web")
		b.call("bob", http.MethodPost, "/repos/acme/web/statuses/"+pulls[len(pulls)-1].HeadSHA, map[string]string{"context": "ci/build", "state": state}, nil)
	}
	report("pending") // both have one head
	b.advance(30 * time.Minute)
	stop()
	b.runInside()
	b.advance(30 * time.Minute)
	for _, op := range []string{"op-1", "op-2"} {
		b.untilCard(op, ": open")
		if blocks := string(b.card(op).Blocks); !strings.Contains(blocks, "ci/build") {
			t.Errorf("the card of %s does not say what it waits for:\n%s", op, blocks)
		}
	}
	b.ask("bob", "/ops merge op-2", "ci/build")
	if got := len(b.effects()); got != 0 {
		t.Fatalf("%d applies without a check", got)
	}

	if err := b.github.Fault(githubsim.FaultSpec{Kind: "lose_webhook", Event: "status", Count: -1}); err != nil {
		t.Fatal(err)
	}
	report("success")
	b.advance(15 * time.Minute)
	b.untilCard("op-1", ": succeeded")
	b.click("bob", b.card("op-2").TS, "Merge")
	b.untilCard("op-2", ": succeeded")
	b.untilDone()
	if got := len(b.effects()); got != 2 {
		t.Errorf("%d applies, want 2", got)
	}
}

// A merge that waits for GitHub can be dropped, and is not made then.
func TestAMergeThatWaitsIsDropped(t *testing.T) {
	t.Parallel()
	b := busyBox(t)
	b.take("github", "down")
	b.click("alice", b.card("op-1").TS, "Merge")
	b.untilCard("op-1", "waits: GitHub has not answered since")
	b.ask("alice", "/ops cancel op-1", "Dropped the merge of op-1.")
	b.take("github", "up")
	b.advance(10 * time.Minute)
	b.untilCard("op-1", ": open", "It was not merged: cancelled by alice")
	if got := len(b.effects()); got != 0 {
		t.Errorf("%d applies of what was not merged", got)
	}
}

func TestSlackIsAwayForAnHour(t *testing.T) {
	t.Parallel()
	b := busyBox(t)
	before := len(b.history(""))
	b.take("slack", "down")
	b.host("alice", "status", exitOK, "op-1 web → staging · open")
	b.host("carol", "merge op-1", exitFailed, "You may not merge.")
	b.host("mallory", "merge op-1", exitFailed, "I do not know you")
	b.host("alice", "merge op-1", exitOK, "Merging acme/web#")
	b.host("alice", "deploy web to production", exitOK, "Begun: op-2")
	b.advance(5 * time.Minute)
	b.host("alice", "merge op-2", exitFailed, "wants a second person")
	b.host("bob", "merge op-2", exitOK)
	b.advance(time.Minute)
	b.host("bob", `lock web/production "I look into it"`, exitOK, "Done: hold-1")
	b.advance(24 * time.Minute)
	b.host("carol", "status", exitOK, "Slack has not answered since", "messages wait to be shown there")
	for range 10 { // people come and go
		b.host("bob", "unlock web/production", exitOK)
		b.host("bob", `lock web/production "I look into it again"`, exitOK)
	}
	b.advance(30 * time.Minute)

	b.take("slack", "up")
	b.until("Slack hears the bot", b.ready)
	b.advance(5 * time.Minute)
	b.untilDone()
	for _, op := range []string{"op-1", "op-2"} {
		b.untilCard(op, ": succeeded")
		if n := b.cards(op); n != 1 {
			t.Errorf("%d cards of %s", n, op)
		}
	}
	all := b.history("")
	if n := len(all) - before; n > 16 { // eleven locks, a card, a roll-up, and that Slack is back
		t.Errorf("%d messages were posted", n)
	}
	told := false
	for _, m := range all {
		told = told || strings.Contains(m.Text, "Slack answers again") && strings.Contains(m.Text, "2 operations ended")
	}
	if !told {
		t.Error("nobody was told that Slack was away")
	}
	if got := len(b.effects()); got != 2 {
		t.Errorf("%d applies, want 2", got)
	}
	by := strings.Join(b.audit("host"), "\n")
	for _, want := range []string{"carol merge refused: not_allowed", "alice merge done", "bob merge done", "bob lock done"} {
		if !strings.Contains(by, want) {
			t.Errorf("the audit does not say %q:\n%s", want, by)
		}
	}
}

// Without Slack at the start, what comes from the host and from GitHub is decided
// all the same; what people had typed before waits until Slack says who we are.
func TestSlackIsAwayAtTheStart(t *testing.T) {
	t.Parallel()
	b := newBox(t, func(w *boxWorld) { w.clock = clock.NewMovable(0) })
	b.take("slack", "down")
	b.deaf = true
	b.runInside()
	b.host("alice", "deploy web to staging", exitOK, "Begun: op-1")
	b.settle()
	b.host("bob", "status op-1", exitOK, "open")
	b.host("bob", "merge op-1", exitOK)
	b.advance(2 * time.Minute)
	b.host("bob", "history", exitOK, "op-1", "succeeded")
	if resp, err := http.Get(b.base + "/bot/readyz"); err != nil || resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("without Slack it is ready: %v, %v", resp.Status, err)
	} else {
		_ = resp.Body.Close()
	}
	b.take("slack", "up")
	b.until("Slack hears the bot", b.ready)
	b.advance(time.Minute)
	b.untilCard("op-1", ": succeeded")
	b.ask("alice", "/ops status", "Nothing is under way")
}
