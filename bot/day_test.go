package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
)

// rung is what the bot posted in Slack, and whose phones rang: of whom a new
// message mentions, of whom a direct message goes to, and, at a reply, of all who
// follow its thread because they were mentioned in it. An edit rings nothing.
type rung struct {
	mu       sync.Mutex
	roots    []string // texts of the messages in channels
	replies  []string // texts of those in threads; "file" is one
	direct   []string
	rings    []string // "U0BOB: text" for each phone that rang
	followed map[string]map[string]bool
	sent     map[string]bool // nonces: one that was tried again is one message
}

var mentioned = regexp.MustCompile(`<@(U\w+)>`)

func (r *rung) hear(m moment) {
	if m.what != "slack after chat.postMessage" && m.what != "slack after files.completeUploadExternal" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	text, thread, channel := m.args.Get("text"), m.args.Get("thread_ts"), m.args.Get("channel")
	if nonce := m.args.Get("metadata"); nonce != "" {
		if r.sent[nonce] {
			return
		}
		r.sent[nonce] = true
	}
	called := map[string]bool{}
	plain := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">").Replace(text + m.args.Get("blocks"))
	for _, found := range mentioned.FindAllStringSubmatch(plain, -1) {
		called[found[1]] = true
	}
	switch {
	case m.what == "slack after files.completeUploadExternal":
		text = "file"
		r.replies = append(r.replies, text)
	case thread != "":
		r.replies = append(r.replies, text)
	case strings.HasPrefix(channel, "U"), strings.HasPrefix(channel, "D"):
		r.direct = append(r.direct, text)
		r.rings = append(r.rings, channel+": "+text)
		return
	default:
		r.roots = append(r.roots, text)
	}
	if thread != "" {
		if r.followed[thread] == nil {
			r.followed[thread] = map[string]bool{}
		}
		for who := range called {
			r.followed[thread][who] = true
		}
		called = r.followed[thread]
	}
	for who := range called {
		r.rings = append(r.rings, who+": "+text)
	}
}

// ofKind counts texts that hold any of words.
func ofKind(texts []string, words ...string) (n int) {
	for _, t := range texts {
		if slices.ContainsFunc(words, func(w string) bool { return strings.Contains(t, w) }) {
			n++
		}
	}
	return n
}

// TestDay is a team's day: 15 deploys, of which 5 to production and one fails, 40
// infrastructure pull requests, of which one destroys something and one is merged,
// 12 of Renovate, and 3 incidents. It counts what the bot says in Slack.
func TestDay(t *testing.T) {
	t.Parallel()
	b := newBox(t, func(w *boxWorld) { w.clock, w.renovate, w.environments = clock.NewMovable(0), true, "" })
	heard := &rung{followed: map[string]map[string]bool{}, sent: map[string]bool{}}
	b.runInside()
	b.settle()
	b.onMoment(heard.hear)

	pulls := b.dayOfPulls()
	for i := range 3 {
		b.say("alice", fmt.Sprintf("/ops incident in staging \"alert %d\" --another", i+1))
	}
	for i := range 15 {
		b.dayOfDeploy(i+1, i%3 == 2, i == 13)
	}
	card := ""
	for _, m := range b.history("") {
		if strings.Contains(m.Text, "renovate[bot]") {
			card = m.Text
		}
	}
	if want := "12 pull requests of renovate[bot]: 9 empty plans, 3 with changes"; !strings.Contains(card, want) {
		t.Errorf("the message of the bots says %q, want %q", card, want)
	}
	b.mergeInfra(pulls[0])
	b.untilCard("op-16", ": succeeded")
	b.advance(time.Hour)
	b.settle()

	heard.mu.Lock()
	defer heard.mu.Unlock()
	operations := 15 + 1
	t.Logf("%d messages in channels, %d replies, %d direct, %d phones rang", len(heard.roots), len(heard.replies), len(heard.direct), len(heard.rings))
	want := func(what string, got, most int) {
		t.Helper()
		if got > most {
			t.Errorf("%s: %d, want %d at most\nmessages:\n%s\nreplies:\n%s\nrings:\n%s", what, got, most, strings.Join(heard.roots, "\n"), strings.Join(heard.replies, "\n"), strings.Join(heard.rings, "\n"))
		}
	}
	byOperation := map[string]int{}
	for _, text := range heard.roots {
		if op, _, _ := strings.Cut(text, " "); strings.HasPrefix(op, "op-") {
			byOperation[op]++
		}
	}
	if len(byOperation) != operations {
		t.Errorf("%d operations have a message: %q", len(byOperation), heard.roots)
	}
	for op, n := range byOperation {
		want("messages of "+op+" in the channel", n, 2)
	}
	// A card for each operation, an incident each, one for what destroys and one
	// for the bots.
	want("messages in channels", len(heard.roots), operations+3+1+1)
	if n := ofKind(heard.roots, "destroys or replaces"); n != 1 {
		t.Errorf("%d messages tell of what destroys: %q", n, heard.roots)
	}
	if n := ofKind(heard.roots, "renovate[bot]"); n != 1 {
		t.Errorf("%d messages tell of Renovate: %q", n, heard.roots)
	}
	// One reply with the log of each apply, a call for each approval and each
	// failure, and one whole log, of the failure.
	want("replies", len(heard.replies), operations+5+1+1)
	want("whole logs", ofKind(heard.replies, "file"), 1)
	// Phones: whoever is asked to approve, and whoever asked for what failed, with
	// the log that comes with it.
	want("phones that rang", len(heard.rings), 5+3)
	want("rings of a log", ofKind(heard.rings, ", attempt ", ": file"), 2)
	want("direct messages", len(heard.direct), 0)
	for _, v := range b.slack.Violations() {
		t.Errorf("Slack refused: %s", v)
	}
}

// dayOfPulls has the pull requests of a day opened, after one was merged so that
// the others change something or nothing, and gives the numbers of people's.
func (b *box) dayOfPulls() (people []int) {
	b.t.Helper()
	open := func(who, branch, file, text string) int {
		_, err := b.github.Commit(b.t.Context(), who, "acme/infra", branch, "change "+file, map[string]*string{file: &text})
		if err != nil {
			b.t.Fatal(err)
		}
		n, err := b.github.OpenPull(b.t.Context(), who, "acme/infra", branch, "main", "Change "+file, "")
		if err != nil {
			b.t.Fatal(err)
		}
		return n
	}
	// What the stand-in would have made of main.
	made, err := exec.CommandContext(b.t.Context(), "sh", "-c", "echo '# 1' | cksum | cut -d' ' -f1").Output()
	if err != nil {
		b.t.Fatal(err)
	}
	put(b.t, filepath.Join(b.dir, "tfstate", "network"), string(made), 0o666)
	for i := range 39 {
		people = append(people, open("alice", fmt.Sprintf("people-%d", i), fmt.Sprintf("network/p%d.tf", i), "# p\n"))
	}
	open("bob", "destroying", "network/destroys.tf", "# gone\n")
	for i := range 9 {
		open("renovate[bot]", fmt.Sprintf("renovate-%d", i), fmt.Sprintf("network/lock-%d.hcl", i), "1\n")
	}
	for i := range 3 {
		open("renovate[bot]", fmt.Sprintf("renovate-tf-%d", i), fmt.Sprintf("network/r%d.tf", i), "# r\n")
	}
	b.until("all are planned", func() bool {
		planned := 0
		for _, p := range b.pulls("acme/infra") {
			if len(p.Comments) > 0 {
				planned++
			}
		}
		return planned == 52
	})
	b.settle()
	return people
}

// dayOfDeploy is one deploy, from asking to its end.
func (b *box) dayOfDeploy(n int, production, fails bool) {
	b.t.Helper()
	b.commit("acme/web", "main", "VERSION", fmt.Sprint("day ", n))
	op, where := fmt.Sprintf("op-%d", n), "staging"
	if production {
		where = "production"
	}
	if fails {
		b.tell("fail-apply")
		defer b.untell("fail-apply")
	}
	b.say("alice", "/ops deploy web to "+where)
	b.untilCard(op, ": open", "plan +")
	b.settle()
	if err := b.github.Merge(b.t.Context(), "bob", "acme/web", b.pulls("acme/web")[0].Number); err != nil {
		b.t.Fatal(err)
	}
	end := ": succeeded"
	if fails {
		end = ": failed"
	}
	b.untilCard(op, end)
	b.settle()
	b.advance(time.Minute) // Slack takes so many edits of one
	b.settle()
}
