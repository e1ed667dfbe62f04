package main

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/store"
)

// joiningStages are the moments between an admin's yes and the configuration that
// says it.
var joiningStages = []stage{
	{name: "the yes is accepted", at: "slack ack slash_commands", has: ""},
	{name: "the configuration is read", at: "github before GET /repos/acme/infra/contents/signalbox.yaml"},
	{name: "before the branch", at: "github before POST /repos/acme/infra/git/refs"},
	{name: "after the branch", at: "github after POST /repos/acme/infra/git/refs"},
	{name: "the reply to the branch is lost", lose: loseGitHub("POST", "/acme/infra/git/refs")},
	{name: "before the commit", at: "github before PUT /repos/acme/infra/contents/"},
	{name: "after the commit", at: "github after PUT /repos/acme/infra/contents/"},
	{name: "the reply to the commit is lost", lose: loseGitHub("PUT", "/acme/infra/contents/")},
	{name: "before the pull request", at: "github before POST /repos/acme/infra/pulls"},
	{name: "after the pull request", at: "github after POST /repos/acme/infra/pulls"},
	{name: "the reply to the pull request is lost", lose: loseGitHub("POST", "/acme/infra/pulls")},
	{name: "before the card", at: "slack before chat.postMessage", has: "change-1 "},
	{name: "after the card", at: "slack after chat.postMessage", has: "change-1 "},
	{name: "the merge's webhook is accepted", at: "webhook after pull_request closed"},
	{name: "before the reload is told", at: "slack before chat.postMessage", has: "reload-1 "},
	{name: "after the reload is told", at: "slack after chat.postMessage", has: "reload-1 "},
}

// Killed at any moment after an admin's yes, the bot opens one pull request, which
// says what was granted, once; its merge comes into effect and is told, once.
func TestKillJoining(t *testing.T) {
	for _, s := range joiningStages {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			b := newBox(t, nil)
			b.keepConfig()
			b.start()
			b.ask("carol", `/ops role request deployers "the web team"`, "I asked the admins")
			fired := b.arm(s)
			b.say("alice", "/ops grant ask-1")
			b.untilCard("change-1", ": open")
			b.until("the pull request is there", func() bool { return len(b.pulls("acme/infra")) > 0 })
			if err := b.github.Merge(t.Context(), "bob", "acme/infra", b.pulls("acme/infra")[0].Number); err != nil {
				t.Fatal(err)
			}
			b.untilCard("change-1", ": merged")
			b.untilCard("reload-1", "carol is in deployers")
			b.ask("carol", "/ops people carol", "in deployers")
			if s.lose == nil && !fired() {
				t.Fatalf("the flow never came to %q", s.at)
			}
			b.untilDone()
			b.checkJoined()
			b.restart()
			b.ask("carol", "/ops people carol", "in deployers")
			b.untilDone()
			b.checkJoined()
		})
	}
}

// keepConfig puts the bot's configuration into acme/infra, which the local one says
// to follow.
func (b *box) keepConfig() {
	b.t.Helper()
	path := filepath.Join(b.dir, "signalbox.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		b.t.Fatal(err)
	}
	text = append(text, "config: {repository: acme/infra, follow: true} # kept there\n"...)
	put(b.t, path, string(text), 0o600)
	b.call("alice", "PUT", "/repos/acme/infra/contents/signalbox.yaml", map[string]string{
		"message": "Keep the configuration here", "branch": "main", "content": base64.StdEncoding.EncodeToString(text),
	}, nil)
}

func (b *box) checkJoined() {
	b.t.Helper()
	if n := len(b.pulls("acme/infra")); n != 1 {
		b.t.Errorf("%d pull requests", n)
	}
	var file struct{ Content string }
	b.get("/repos/acme/infra/contents/signalbox.yaml?ref=main", &file)
	text, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(file.Content, "\n", ""))
	if err != nil || !strings.Contains(string(text), "deployers: [alice, bob, carol]\n") || !strings.Contains(string(text), "# kept there") {
		b.t.Errorf("the configuration says: %v\n%s", err, text)
	}
	told := map[string]int{}
	for _, m := range b.history("") {
		first, _, _ := strings.Cut(m.Text, " ")
		told[first]++
	}
	if told["change-1"] != 1 || told["reload-1"] != 1 || told["reload-2"] != 0 || told["change-2"] != 0 {
		b.t.Errorf("told: %v", told)
	}
	refs, err := b.github.Refs("acme/infra")
	if err != nil {
		b.t.Fatal(err)
	}
	for r := range refs {
		if strings.Contains(r, "signalbox/") {
			b.t.Errorf("branch %s is left", r)
		}
	}
	if v := append(b.slack.Violations(), b.github.Violations()...); len(v) > 0 {
		b.t.Errorf("violations: %q", v)
	}
	b.book(func(tx *store.Tx) error {
		rows, err := tx.AuditRows(store.AuditFilter{Subject: "reload-1"})
		if len(rows) != 1 {
			b.t.Errorf("%d rows of the audit tell of the reload", len(rows))
		}
		return err
	})
}
