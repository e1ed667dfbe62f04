package main

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations/github/githubsim"
)

// edit changes a file of acme/infra as alice.
func (b *box) edit(path, old, text string) {
	b.t.Helper()
	var file struct{ SHA, Content string }
	b.get("/repos/acme/infra/contents/"+path+"?ref=main", &file)
	was, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(file.Content, "\n", ""))
	if err != nil || !strings.Contains(string(was), old) {
		b.t.Fatalf("%s holds no %q: %v", path, old, err)
	}
	b.call("alice", "PUT", "/repos/acme/infra/contents/"+path, map[string]string{
		"message": "Change it", "branch": "main", "sha": file.SHA,
		"content": base64.StdEncoding.EncodeToString([]byte(strings.Replace(string(was), old, text, 1))),
	}, nil)
}

// The configuration is followed without any webhook. The next process begins with
// what was taken last, also while GitHub does not answer; the local file counts again
// when it says so.
func TestFollow(t *testing.T) {
	b := newBox(t, nil)
	if err := b.github.Fault(githubsim.FaultSpec{Kind: "lose_webhook", Count: -1}); err != nil {
		t.Fatal(err)
	}
	b.keepConfig()
	b.edit("signalbox.yaml", "aliases: [stg]", "aliases: [stg, 練習]")
	b.start()
	b.untilCard("reload-1", "staging: aliases: [stg] → [stg 練習]", "changed with commit")
	b.ask("alice", "/ops history in 練習", "Nothing has been deployed")
	b.untilDone()

	b.kill()
	if err := b.github.Fault(githubsim.FaultSpec{Kind: "error", Status: 503, Path: "/repos/acme/infra", Count: 1000}); err != nil {
		t.Fatal(err)
	}
	b.start()
	b.ask("alice", "/ops history in 練習", "Nothing has been deployed")

	path := filepath.Join(b.dir, "signalbox.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	put(t, path, strings.Replace(string(text), "follow: true", "follow: false", 1), 0o600)
	b.signal(syscall.SIGHUP)
	b.untilCard("reload-2", "staging: aliases: [stg 練習] → [stg]", "on this machine")
	b.ask("alice", "/ops history in 練習", "There is no environment")
}
