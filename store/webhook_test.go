package store

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// webhook makes a body of about 10 KB in the manner of GitHub's: nested users
// and repositories full of URLs that differ little, and ids, hashes and words
// that differ wholly.
func webhook(n int64) []byte {
	r := rand.New(rand.NewPCG(uint64(n), 7))
	sha := func() string {
		raw := make([]byte, 20)
		for i := range raw {
			raw[i] = byte(r.Uint32())
		}
		return hex.EncodeToString(raw)
	}
	user := func() map[string]any {
		login := fmt.Sprintf("user%d", r.IntN(1000))
		m := map[string]any{"login": login, "id": r.IntN(1 << 30), "node_id": sha()[:20], "type": "User", "site_admin": false}
		for _, what := range []string{"followers", "gists", "starred", "subscriptions", "orgs", "repos", "events", "received_events"} {
			m[what+"_url"] = "https://api.github.com/users/" + login + "/" + what
		}
		return m
	}
	repo := func() map[string]any {
		name := fmt.Sprintf("acme/repo%d", r.IntN(50))
		m := map[string]any{"id": r.IntN(1 << 30), "full_name": name, "private": true, "owner": user()}
		for _, what := range []string{"forks", "keys", "collaborators", "teams", "hooks", "events", "branches", "tags", "blobs", "trees", "statuses", "commits", "merges", "issues", "pulls", "labels"} {
			m[what+"_url"] = "https://api.github.com/repos/" + name + "/" + what + "{/sha}"
		}
		return m
	}
	words := func(n int) string {
		var out []string
		for range n {
			out = append(out, fmt.Sprintf("%c%x", 'a'+rune(r.IntN(26)), r.IntN(1<<16)))
		}
		return strings.Join(out, " ")
	}
	body, err := json.Marshal(map[string]any{
		"action": "synchronize", "number": n, "before": sha(), "after": sha(), "sender": user(), "repository": repo(),
		"pull_request": map[string]any{
			"id": r.IntN(1 << 30), "title": words(8), "body": words(120), "user": user(), "merge_commit_sha": sha(),
			"head": map[string]any{"sha": sha(), "ref": words(1), "repo": repo(), "user": user()},
			"base": map[string]any{"sha": sha(), "ref": "main", "repo": repo(), "user": user()},
		},
	})
	if err != nil {
		panic(err)
	}
	return body
}

func TestBodiesComeBackAsTheyWere(t *testing.T) {
	noise := make([]byte, 5000)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(noise)
	for _, body := range [][]byte{nil, {}, []byte("x"), bytes.Repeat([]byte("abc"), 1000), noise, webhook(1)} {
		packed := pack(body)
		if len(packed) > len(body)+1 {
			t.Errorf("%d bytes became %d", len(body), len(packed))
		}
		got, err := unpack(packed)
		if err != nil || !bytes.Equal(got, body) {
			t.Errorf("%d bytes came back as %d, %v", len(body), len(got), err)
		}
	}
	if n := len(webhook(1)); n < 8_000 || n > 13_000 {
		t.Errorf("a webhook of %d bytes measures something else", n)
	}
	for _, bad := range [][]byte{nil, {'?'}, {codecZstd, 1, 2, 3}} {
		if _, err := unpack(bad); err == nil {
			t.Errorf("unpacked %q", bad)
		}
	}
}
