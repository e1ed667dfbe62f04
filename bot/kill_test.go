package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/github/githubsim"
	"github.com/signalbox-chatops/signalbox/integrations/slack/slacksim"
	"github.com/signalbox-chatops/signalbox/store"
)

// A stage is a moment of the flow at which the bot is killed, once.
type stage struct {
	name string
	at   string // the beginning of the moment
	has  string // what the call to Slack must hold, too
	// onGitHub merges there; else by the card's button.
	onGitHub bool
	// lose loses the reply to what was done, besides, and nobody is killed.
	lose func(b *box) error
}

func loseSlack(method string) func(*box) error {
	return func(b *box) error { return b.slack.Fault(slacksim.FaultSpec{Kind: "lose_reply", Method: method}) }
}

func loseGitHub(method, path string) func(*box) error {
	return func(b *box) error {
		return b.github.Fault(githubsim.FaultSpec{Kind: "lose_reply", Method: method, Path: path})
	}
}

var stages = []stage{
	{name: "the command is accepted", at: "slack ack slash_commands"},
	{name: "the command is being decided", at: "github before GET /repos/acme/web/compare/"},
	{name: "before the branch", at: "github before POST /repos/acme/web/git/refs"},
	{name: "after the branch", at: "github after POST /repos/acme/web/git/refs"},
	{name: "the reply to the branch is lost", lose: loseGitHub("POST", "/acme/web/git/refs")},
	{name: "before the pull request", at: "github before POST /repos/acme/web/pulls"},
	{name: "after the pull request", at: "github after POST /repos/acme/web/pulls"},
	{name: "the reply to the pull request is lost", lose: loseGitHub("POST", "/acme/web/pulls")},
	{name: "the pull request's webhook is on its way", at: "webhook before pull_request opened"},
	{name: "the pull request's webhook is accepted", at: "webhook after pull_request opened"},
	{name: "before the card", at: "slack before chat.postMessage", has: "op-1 "},
	{name: "after the card", at: "slack after chat.postMessage", has: "op-1 "},
	{name: "the reply to the card is lost", lose: loseSlack("chat.postMessage")},
	{name: "before a status", at: "github before POST /repos/acme/web/statuses/"},
	{name: "after a status", at: "github after POST /repos/acme/web/statuses/"},
	{name: "before the comment", at: "github before POST /repos/acme/web/issues/"},
	{name: "after the comment", at: "github after POST /repos/acme/web/issues/"},
	{name: "the reply to the comment is lost", lose: loseGitHub("POST", "/acme/web/issues/")},
	{name: "before the card shows the plan", at: "slack before chat.update", has: "plan +1"},
	{name: "after the card shows the plan", at: "slack after chat.update", has: "plan +1"},
	{name: "the click is accepted", at: "slack ack interactive"},
	{name: "before the merge", at: "github before PUT /repos/acme/web/pulls/"},
	{name: "after the merge", at: "github after PUT /repos/acme/web/pulls/"},
	{name: "the reply to the merge is lost", lose: loseGitHub("PUT", "/merge")},
	{name: "the merge's webhook is on its way", at: "webhook before pull_request closed", onGitHub: true},
	{name: "the merge's webhook is accepted", at: "webhook after pull_request closed", onGitHub: true},
	{name: "before the branch is deleted", at: "github before DELETE /repos/acme/web/git/refs/"},
	{name: "after the branch is deleted", at: "github after DELETE /repos/acme/web/git/refs/"},
	{name: "before the deployment", at: "github before POST /repos/acme/web/deployments"},
	{name: "after the deployment", at: "github after POST /repos/acme/web/deployments"},
	{name: "the reply to the deployment is lost", lose: loseGitHub("POST", "/acme/web/deployments")},
	{name: "before the end is told", at: "slack before chat.update", has: ": succeeded"},
	{name: "after the end is told", at: "slack after chat.update", has: ": succeeded"},
	{name: "the reply to the end is lost", at: "", lose: loseSlack("chat.update")},
	{name: "before the log", at: "slack before chat.postMessage", has: "job-"},
	{name: "after the log", at: "slack after chat.postMessage", has: "job-"},
	{name: "before the log's file", at: "slack before files.completeUploadExternal"},
	{name: "after the log's file", at: "slack after files.completeUploadExternal"},
	{name: "the reply to the log's file is lost", lose: loseSlack("files.completeUploadExternal")},
}

// Killed at any stage and started again, the bot opens one pull request, merges
// once, applies once, and posts everything once.
func TestKill(t *testing.T) {
	for _, s := range stages {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			b := newBox(t, nil)
			fired := b.arm(s)
			b.flow(s.onGitHub)
			if s.lose == nil && !fired() {
				t.Fatalf("the flow never came to %q", s.at)
			}
			b.checkOnce("op-1")
		})
	}
}

// arm makes the stage happen.
func (b *box) arm(s stage) (fired func() bool) {
	if s.lose != nil {
		b.untilGreeted() // or it would be that reply which is lost
		if err := s.lose(b); err != nil {
			b.t.Fatal(err)
		}
		return nil
	}
	var mu sync.Mutex
	done := false
	b.onMoment(func(m moment) {
		mu.Lock()
		defer mu.Unlock()
		if !done && strings.HasPrefix(m.what, s.at) && strings.Contains(m.args.Get("text"), s.has) {
			done = true
			b.cut()
		}
	})
	return func() bool {
		mu.Lock()
		defer mu.Unlock()
		return done
	}
}

// flow deploys web to staging: a request, its plan, the merge, the apply, the
// end as it is told everywhere.
func (b *box) flow(onGitHub bool) {
	b.t.Helper()
	b.begin()
	if onGitHub {
		b.mergeOnGitHub()
	} else {
		b.pressMerge("op-1")
	}
	b.untilTold("op-1", "succeeded")
}

// begin asks for the deploy and waits for its plan.
func (b *box) begin() {
	b.t.Helper()
	b.start()
	b.say("alice", "/ops deploy web to staging")
	b.untilCard("op-1", ": open", "plan +1 ~0 -0")
}

func (b *box) mergeOnGitHub() {
	b.t.Helper()
	if err := b.github.Merge(b.t.Context(), "bob", "acme/web", b.pulls("acme/web")[0].Number); err != nil {
		b.t.Fatal(err)
	}
}

// pressMerge presses Merge until Slack says that the bot has heard it. What was
// acknowledged is not pressed again.
func (b *box) pressMerge(op string) {
	b.t.Helper()
	b.until("Merge is pressed", func() bool {
		for _, p := range b.pulls("acme/web") {
			if strings.HasSuffix(p.HeadRef, "-"+op) && p.State == "merged" {
				return true
			}
		}
		m := b.card(op)
		if !b.ready() || m == nil || len(m.Buttons) == 0 || m.Buttons[0].Label != "Merge" {
			return false
		}
		_, err := b.slack.Click(b.t.Context(), "alice", "ops", m.TS, "Merge")
		return err == nil
	})
}

// untilTold waits until every surface of an operation shows its end.
func (b *box) untilTold(op, state string) {
	b.t.Helper()
	missing := ""
	defer func() {
		if b.t.Failed() {
			b.t.Log("missing: " + missing)
		}
	}()
	b.until(op+" is told", func() bool {
		missing = b.untold(op, state)
		return missing == ""
	})
}

func (b *box) untold(op, state string) string {
	m := b.card(op)
	if m == nil || !strings.Contains(m.Text, ": "+state) {
		return "the card"
	}
	logs, files := b.thread(m.TS)
	if logs == 0 || files == 0 {
		return "the log"
	}
	p := b.pulls("acme/web")[0]
	if len(p.Comments) == 0 || !strings.Contains(p.Comments[0].Body, "<b>"+state+"</b>") {
		return "the comment"
	}
	for _, want := range []string{"signalbox/gate", "signalbox/web/staging"} {
		ok := false
		for _, s := range p.Statuses {
			ok = ok || s.Context == want && s.State == "success"
		}
		if !ok {
			return "the status " + want
		}
	}
	if d := b.deployments(); len(d) == 0 || d[0] != map[string]string{"succeeded": "success", "failed": "failure", "unknown": "error"}[state] {
		return "the deployment"
	}
	refs, err := b.github.Refs("acme/web")
	if err != nil {
		b.t.Fatal(err)
	}
	for r := range refs {
		if strings.Contains(r, "signalbox/") {
			return "the end of branch " + r
		}
	}
	return ""
}

// thread counts the logs and the files under a card.
func (b *box) thread(ts string) (logs, files int) {
	for _, r := range b.history(ts) {
		if len(r.Files) > 0 {
			files += len(r.Files)
		} else if strings.HasPrefix(r.Text, "job-") {
			logs++
		}
	}
	return logs, files
}

// deployments are the newest states of GitHub's deployments, newest first.
func (b *box) deployments() (states []string) {
	b.t.Helper()
	var all []struct {
		ID int64 `json:"id"`
	}
	b.get("/repos/acme/web/deployments", &all)
	for _, d := range all {
		var of []struct {
			State string `json:"state"`
		}
		b.get(fmt.Sprintf("/repos/acme/web/deployments/%d/statuses", d.ID), &of)
		state := "none"
		if len(of) > 0 {
			state = of[0].State
		}
		states = append(states, state)
	}
	return states
}

// checkOnce waits until the bot is done and looks everywhere for what happened
// twice.
func (b *box) checkOnce(op string) {
	b.t.Helper()
	b.untilDone()
	b.checkNothingTwice(op)
	b.book(func(tx *store.Tx) error {
		o, err := tx.Operation(op)
		if err != nil {
			return err
		}
		for _, subject := range []string{op, "pull " + strconv.FormatInt(o.RepoID, 10) + " " + strconv.Itoa(o.PR)} {
			all, err := tx.SurfacesOf(subject)
			if err != nil {
				return err
			}
			for _, s := range all {
				if s.Parked != "" {
					b.t.Errorf("surface %s is parked: %s", s.ID, s.Parked)
				}
			}
		}
		return nil
	})
}

func (b *box) checkNothingTwice(op string) {
	b.t.Helper()
	if n := len(b.pulls("acme/web")); n != 1 {
		b.t.Errorf("%d pull requests", n)
	}
	var commits []struct {
		Parents []any `json:"parents"`
	}
	b.get("/repos/acme/web/commits?sha=deployment/staging", &commits)
	merges := 0
	for _, c := range commits {
		if len(c.Parents) > 1 {
			merges++
		}
	}
	if merges != 1 {
		b.t.Errorf("%d merges", merges)
	}
	if n := len(b.effects()); n != 1 {
		b.t.Errorf("%d applies: %v", n, b.effects())
	}
	cards, nonces := 0, map[string]bool{}
	for _, m := range b.history("") {
		if strings.HasPrefix(m.Text, op+" ") {
			cards++
		}
		for _, r := range append(b.history(m.TS), m) {
			if string(r.Metadata) != "" && nonces[string(r.Metadata)] {
				b.t.Errorf("posted twice: %s", r.Text)
			}
			nonces[string(r.Metadata)] = true
		}
	}
	logs, files := b.thread(b.card(op).TS)
	if cards != 1 || logs != 1 || files != 1 {
		b.t.Errorf("%d cards, %d logs, %d files", cards, logs, files)
	}
	if n := len(b.pulls("acme/web")[0].Comments); n != 1 {
		b.t.Errorf("%d comments", n)
	}
	if d := b.deployments(); len(d) != 1 {
		b.t.Errorf("deployments: %v", d)
	}
	if v := append(b.slack.Violations(), b.github.Violations()...); len(v) > 0 {
		b.t.Errorf("violations: %q", v)
	}
}

// Killed again and again, at moments that nobody chose, the bot comes to the
// same end. SIGNALBOX_KILL_SEED repeats a run, SIGNALBOX_KILL_RUNS makes more.
func TestKillAnywhere(t *testing.T) {
	seed, runs := uint64(time.Now().UnixNano()), 6
	if s := os.Getenv("SIGNALBOX_KILL_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seed, runs = n, 1
	} else if s := os.Getenv("SIGNALBOX_KILL_RUNS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		runs = n
	}
	for n := range uint64(runs) {
		t.Run(fmt.Sprint(seed+n), func(t *testing.T) {
			t.Parallel()
			b := newBox(t, nil)
			b.killAnywhere(seed + n)
			b.flow(n%2 == 1)
			b.checkOnce("op-1")
		})
	}
}

// killAnywhere kills the bot at up to five moments, which follow from the seed
// as far as the order of moments does.
func (b *box) killAnywhere(seed uint64) {
	b.t.Logf("SIGNALBOX_KILL_SEED=%d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	var mu sync.Mutex
	gap := func() int { return r.IntN([]int{30, 100, 200}[r.IntN(3)]) } // a start alone has dozens of moments
	kills, next := 5, gap()
	b.onMoment(func(m moment) {
		mu.Lock()
		defer mu.Unlock()
		if next--; next >= 0 || kills == 0 || b.dead.Load() {
			return
		}
		kills, next = kills-1, gap()
		b.t.Logf("killed at %s", m.what)
		b.cut()
	})
}
