package main

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/store"
)

// selfStages are where the bot is killed while a merge to main deploys by itself.
var selfStages = []stage{
	{name: "the push is on its way", at: "webhook before push"},
	{name: "the push is accepted", at: "webhook after push"},
	{name: "before the branch", at: "github before POST /repos/acme/web/git/refs"},
	{name: "before the pull request", at: "github before POST /repos/acme/web/pulls"},
	{name: "the reply to the pull request is lost", lose: loseGitHub("POST", "/acme/web/pulls")},
	{name: "its merge is announced", at: "slack after chat.update", has: "plan +"},
	{name: "before the merge", at: "github before PUT /repos/acme/web/pulls/"},
	{name: "after the merge", at: "github after PUT /repos/acme/web/pulls/"},
	{name: "the reply to the merge is lost", lose: loseGitHub("PUT", "/merge")},
}

// Killed at any stage, the bot opens one pull request for what came to main, and
// merges and applies it once, with nobody pressing anything.
func TestKillWhileItDeploysByItself(t *testing.T) {
	for _, s := range selfStages {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			b := newBox(t, func(w *boxWorld) {
				w.edit = func(config string) string {
					config = strings.Replace(config, "review: none", "review: none, merge: when_green, merge_after: 1s", 1)
					return strings.Replace(config, "{branch: deployment/staging,", "{branch: deployment/staging, auto: main,", 1)
				}
			})
			b.start()
			b.until("the bot is ready", b.ready)
			b.until("main was looked at", func() (seen bool) {
				b.book(func(tx *store.Tx) (err error) {
					_, seen, err = store.Feature[string](tx, "auto").Get("web|staging")
					return err
				})
				return seen
			})
			fired := b.arm(s)
			b.commitToMain("VERSION", "1.2.0\n")
			b.untilTold("op-1", "succeeded")
			if s.lose == nil && !fired() {
				t.Fatalf("the flow never came to %q", s.at)
			}
			b.untilDone()
			b.checkOnce("op-1")
			if v := b.version(); v != "1.2.0" {
				t.Errorf("version %q was deployed", v)
			}
		})
	}
}

// commitToMain changes a file on main, as alice does on GitHub's page.
func (b *box) commitToMain(file, text string) {
	b.t.Helper()
	var was struct{ SHA string }
	b.get("/repos/acme/web/contents/"+file+"?ref=main", &was)
	b.call("alice", http.MethodPut, "/repos/acme/web/contents/"+file, map[string]string{
		"message": "Change " + file, "branch": "main", "sha": was.SHA, "content": base64.StdEncoding.EncodeToString([]byte(text)),
	}, nil)
}
