package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/github/githubsim"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/integrations/slack/slacksim"
	"github.com/signalbox-chatops/signalbox/store"
)

// lostBox is a box on a clock that can be moved, none of whose webhooks arrives.
func lostBox(t *testing.T, change func(*boxWorld)) *box {
	t.Helper()
	b := newBox(t, func(w *boxWorld) {
		w.clock = clock.NewMovable(0)
		if change != nil {
			change(w)
		}
	})
	b.loseWebhooks()
	return b
}

func (b *box) loseWebhooks() {
	b.t.Helper()
	if err := b.github.Fault(githubsim.FaultSpec{Kind: "lose_webhook", Count: -1}); err != nil {
		b.t.Fatal(err)
	}
}

// checkLost makes sure that the test was about lost webhooks.
func (b *box) checkLost() {
	b.t.Helper()
	all := b.github.Deliveries()
	for _, d := range all {
		if !d.Lost {
			b.t.Errorf("a webhook arrived: %+v", d)
		}
	}
	if len(all) == 0 {
		b.t.Error("no webhook was ever sent")
	}
}

// With every webhook lost, the reconciler comes to the same end: every five
// minutes, or every half minute when no webhook is expected at all.
func TestEveryWebhookLost(t *testing.T) {
	for inbound, round := range map[string]time.Duration{"webhook": 5 * time.Minute, "none": 30 * time.Second} {
		t.Run(inbound, func(t *testing.T) {
			t.Parallel()
			b := lostBox(t, func(w *boxWorld) { w.inbound = inbound })
			b.runInside()
			b.say("alice", "/ops deploy web to staging")
			b.untilCard("op-1", ": open", "plan +1 ~0 -0")
			b.mergeOnGitHub()
			b.advance(round)
			b.untilTold("op-1", "succeeded")
			b.checkOnce("op-1")
			b.checkLost()
		})
	}
}

// The same when the bot was not even there, and hears of it at its start.
func TestEveryWebhookLostWhileTheBotIsDead(t *testing.T) {
	t.Parallel()
	b := newBox(t, nil)
	b.loseWebhooks()
	b.begin()
	b.kill()
	b.mergeOnGitHub()
	b.start()
	b.untilTold("op-1", "succeeded")
	b.checkOnce("op-1")
	b.checkLost()
}

// A pull request of people, with every webhook lost: opened, pushed to, closed,
// opened again, merged.
func TestEveryWebhookOfPeopleLost(t *testing.T) {
	t.Parallel()
	b := lostBox(t, nil)
	b.runInside()
	n := b.openInfra("one")
	b.advance(5 * time.Minute)
	b.untilPlanned(n)
	b.commit("acme/infra", "change", "network/main.tf", "two")
	b.advance(5 * time.Minute)
	b.untilPlanned(n)
	b.call("alice", "PATCH", fmt.Sprintf("/repos/acme/infra/pulls/%d", n), map[string]any{"state": "closed"}, nil)
	b.advance(5 * time.Minute)
	b.call("alice", "PATCH", fmt.Sprintf("/repos/acme/infra/pulls/%d", n), map[string]any{"state": "open"}, nil)
	b.advance(5 * time.Minute)
	b.untilPlanned(n)
	b.mergeInfra(n)
	b.advance(5 * time.Minute)
	b.untilCard("op-1", ": succeeded")
	b.untilDone()
	if len(b.effects()) != 1 || len(b.pulls("acme/infra")[0].Comments) != 1 {
		t.Errorf("applied %v, comments %+v", b.effects(), b.pulls("acme/infra")[0].Comments)
	}
	b.checkLost()
}

// openInfra opens a pull request that touches network/lab, as alice.
func (b *box) openInfra(text string) int {
	b.t.Helper()
	b.commit("acme/infra", "change", "network/main.tf", text)
	n, err := b.github.OpenPull(b.t.Context(), "alice", "acme/infra", "change", "main", "Change the network", "")
	if err != nil {
		b.t.Fatal(err)
	}
	return n
}

func (b *box) mergeInfra(n int) {
	b.t.Helper()
	if err := b.github.Merge(b.t.Context(), "bob", "acme/infra", n); err != nil {
		b.t.Fatal(err)
	}
}

// commit sets one file on a branch, as alice, and returns the commit.
func (b *box) commit(repo, branch, file, text string) string {
	b.t.Helper()
	text = "# " + text + "\n"
	sha, err := b.github.Commit(b.t.Context(), "alice", repo, branch, "change "+file, map[string]*string{file: &text})
	if err != nil {
		b.t.Fatal(err)
	}
	return sha
}

// untilPlanned waits until the head of a pull request in acme/infra is planned.
func (b *box) untilPlanned(n int) {
	b.t.Helper()
	b.until(fmt.Sprintf("#%d is planned", n), func() bool {
		p, err := b.github.Pull("acme/infra", n)
		if err != nil {
			b.t.Fatal(err)
		}
		for _, s := range p.Statuses {
			if s.Context == "signalbox/gate" && s.State == "success" && strings.Contains(s.Description, "planned") {
				return len(p.Comments) > 0 && strings.Contains(p.Comments[0].Body, p.HeadSHA[:7])
			}
		}
		return false
	})
}

// deliver sends the body of a delivery to the bot, as another one.
func (b *box) deliver(d githubsim.Delivery, guid string) {
	b.t.Helper()
	body, err := b.github.Payload(d.ID)
	if err != nil {
		b.t.Fatal(err)
	}
	mac := hmac.New(sha256.New, []byte("sandbox-webhook-secret"))
	mac.Write(body)
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, "http://"+b.listen+"/github", bytes.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	for k, v := range map[string]string{
		"Content-Type": "application/json", "X-GitHub-Event": d.Event, "X-GitHub-Delivery": guid,
		"X-Hub-Signature-256": "sha256=" + hex.EncodeToString(mac.Sum(nil)),
	} {
		r.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		b.t.Fatalf("%s: %s", d.Event, resp.Status)
	}
}

// Every webhook twice, under the same delivery id or under another, and all of
// them once more when everything is over: nothing happens twice.
func TestWebhooksTwice(t *testing.T) {
	for _, newID := range []bool{false, true} {
		t.Run(fmt.Sprintf("new id %t", newID), func(t *testing.T) {
			t.Parallel()
			b := newBox(t, nil)
			if err := b.github.Fault(githubsim.FaultSpec{Kind: "twice", Count: -1, NewID: newID}); err != nil {
				t.Fatal(err)
			}
			b.flow(true)
			b.untilDone()
			b.github.ClearFaults()
			for i, d := range slices.Backward(b.github.Deliveries()) {
				if newID {
					b.deliver(d, fmt.Sprintf("late-%d", i))
				} else if err := b.github.Redeliver(d.ID); err != nil {
					t.Fatal(err)
				}
			}
			if err := b.github.WaitIdle(t.Context()); err != nil {
				t.Fatal(err)
			}
			b.checkOnce("op-1")
			if b.card("op-2") != nil {
				t.Error("a second operation came of it")
			}
		})
	}
}

// The webhooks of a pull request come last first, and late: what was merged is
// asked about, because nobody saw its plan, and applied once when confirmed.
func TestWebhooksBackwards(t *testing.T) {
	t.Parallel()
	b := newBox(t, nil)
	b.loseWebhooks()
	b.start()
	b.until("the bot is there", b.ready)
	b.until("the branches are known", func() bool { return len(b.undone()) == 0 && b.knowsBranch("acme/infra", "main") })
	n := b.openInfra("one")
	b.commit("acme/infra", "change", "network/main.tf", "two")
	b.mergeInfra(n)
	if err := b.github.WaitIdle(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i, d := range slices.Backward(b.github.Deliveries()) {
		b.deliver(d, fmt.Sprintf("late-%d", i))
	}
	b.untilCard("op-1", "needs_confirm")
	if len(b.effects()) != 0 {
		t.Fatal("it was applied before anybody confirmed it")
	}
	b.click("bob", b.confirmation().TS, "Confirm")
	b.untilCard("op-1", ": succeeded")
	b.untilDone()
	if len(b.effects()) != 1 || b.card("op-2") != nil {
		t.Errorf("applied %v", b.effects())
	}
}

// confirmation is the message that asks for one.
func (b *box) confirmation() (m slacksim.Message) {
	b.t.Helper()
	b.until("a confirmation is asked for", func() bool {
		for _, m = range b.history("") {
			for _, button := range m.Buttons {
				if button.Label == "Confirm" {
					return true
				}
			}
		}
		return false
	})
	return m
}

// A commit that comes to a watched branch without a pull request is shown, and
// applied when somebody has confirmed it.
func TestCommitWithoutAPullRequest(t *testing.T) {
	for _, lost := range []bool{false, true} {
		t.Run(fmt.Sprintf("webhook lost %t", lost), func(t *testing.T) {
			t.Parallel()
			b := lostBox(t, nil)
			b.runInside()
			b.advance(time.Second)
			if !lost {
				b.github.ClearFaults()
			}
			sha := b.commit("acme/infra", "main", "network/main.tf", "by hand")
			b.commit("acme/infra", "main", "README.md", "touches no target")
			if err := b.github.WaitIdle(t.Context()); err != nil {
				t.Fatal(err)
			}
			b.advance(5*time.Minute + 30*time.Second)
			b.untilCard("op-1", "needs_confirm", "unplanned commit "+sha[:7])
			if len(b.effects()) != 0 {
				t.Fatal("it was applied before anybody confirmed it")
			}
			b.click("bob", b.confirmation().TS, "Confirm")
			b.untilCard("op-1", ": succeeded")
			b.advance(10 * time.Minute)
			b.untilDone()
			if len(b.effects()) != 1 || b.card("op-2") != nil {
				t.Errorf("applied %v", b.effects())
			}
		})
	}
}

// Closed by hand, a deploy is over and its target free.
func TestClosedByHand(t *testing.T) {
	t.Parallel()
	b := newBox(t, nil)
	b.begin()
	b.call("alice", "PATCH", fmt.Sprintf("/repos/acme/web/pulls/%d", b.pulls("acme/web")[0].Number), map[string]any{"state": "closed"}, nil)
	b.untilCard("op-1", ": closed", "closed on GitHub without a merge")
	b.until("its branch is gone", func() bool {
		refs, err := b.github.Refs("acme/web")
		if err != nil {
			t.Fatal(err)
		}
		return refs["refs/heads/signalbox/web-staging-op-1"] == ""
	})
	b.say("alice", "/ops deploy web to staging")
	b.untilCard("op-2", ": open", "plan +1 ~0 -0")
	b.pressMerge("op-2")
	b.untilCard("op-2", ": succeeded")
	b.untilDone()
	if len(b.effects()) != 1 {
		t.Errorf("applied %v", b.effects())
	}
}

// Somebody pushes to the branch of a deploy, or moves it by force: what is there
// now is planned, and the card says so.
func TestForcePushed(t *testing.T) {
	t.Parallel()
	b := newBox(t, nil)
	b.begin()
	branch := "signalbox/web-staging-op-1"
	pushed := b.commit("acme/web", branch, "VERSION", "pushed")
	b.untilCard("op-1", ": open", "plan +1 ~0 -0", "the head is "+pushed[:7])
	refs, err := b.github.Refs("acme/web")
	if err != nil {
		t.Fatal(err)
	}
	b.call("alice", "PATCH", "/repos/acme/web/git/refs/heads/"+branch, map[string]any{"sha": refs["refs/heads/main"], "force": true}, nil)
	b.untilCard("op-1", ": open", "plan +1 ~0 -0", "the head is "+refs["refs/heads/main"][:7]+" again")
	b.pressMerge("op-1")
	b.untilTold("op-1", "succeeded")
	b.checkOnce("op-1")
}

// knowsBranch says whether the bot has looked at a watched branch.
func (b *box) knowsBranch(repo, branch string) (known bool) {
	b.t.Helper()
	b.book(func(tx *store.Tx) (err error) {
		_, known, err = store.Feature[string](tx, "branch").Get(repo + "|" + branch)
		return err
	})
	return known
}
