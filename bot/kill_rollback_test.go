package main

import (
	"encoding/base64"
	"strings"
	"testing"
)

// rollbackStages are the moments that a rollback has beside those of a deploy.
var rollbackStages = []stage{
	{name: "the rollback is being decided", at: "github before GET /repos/acme/web/compare/"},
	{name: "before the commit", at: "github before POST /repos/acme/web/git/commits"},
	{name: "after the commit", at: "github after POST /repos/acme/web/git/commits"},
	{name: "the reply to the commit is lost", lose: loseGitHub("POST", "/acme/web/git/commits")},
	{name: "before the branch", at: "github before POST /repos/acme/web/git/refs"},
	{name: "after the branch", at: "github after POST /repos/acme/web/git/refs"},
	{name: "the reply to the branch is lost", lose: loseGitHub("POST", "/acme/web/git/refs")},
	{name: "before the pull request", at: "github before POST /repos/acme/web/pulls"},
	{name: "after the pull request", at: "github after POST /repos/acme/web/pulls"},
	{name: "before the merge", at: "github before PUT /repos/acme/web/pulls/"},
	{name: "after the merge", at: "github after PUT /repos/acme/web/pulls/"},
}

// Killed at any stage of a rollback, the bot opens one pull request for it, which
// brings back the files that were there, and merges and applies it once.
func TestKillRollback(t *testing.T) {
	for _, s := range rollbackStages {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			b := newBox(t, nil)
			b.flow(false)
			b.untilDone()
			if v := b.version(); v != "1.1.0" {
				t.Fatalf("version %q was deployed", v)
			}
			fired := b.arm(s)
			b.say("bob", "/ops rollback web in staging")
			b.untilCard("op-2", ": open", "plan +0 ~1 -0")
			b.pressMerge("op-2")
			b.untilCard("op-2", ": succeeded")
			if s.lose == nil && !fired() {
				t.Fatalf("the flow never came to %q", s.at)
			}
			b.untilDone()
			b.checkRolledBack()
		})
	}
}

// version is what the file VERSION holds on the branch of staging.
func (b *box) version() string {
	b.t.Helper()
	var file struct{ Content string }
	b.get("/repos/acme/web/contents/VERSION?ref=deployment/staging", &file)
	text, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(file.Content, "\n", ""))
	if err != nil {
		b.t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

func (b *box) checkRolledBack() {
	b.t.Helper()
	if v := b.version(); v != "1.0.0" {
		b.t.Errorf("version %q stands on the branch", v)
	}
	if n := len(b.pulls("acme/web")); n != 2 {
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
	if merges != 2 {
		b.t.Errorf("%d merges", merges)
	}
	if n := len(b.effects()); n != 2 {
		b.t.Errorf("%d applies: %v", n, b.effects())
	}
	cards := 0
	for _, m := range b.history("") {
		if strings.HasPrefix(m.Text, "op-2 ") {
			cards++
		}
	}
	if cards != 1 {
		b.t.Errorf("%d cards", cards)
	}
	refs, err := b.github.Refs("acme/web")
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
}
