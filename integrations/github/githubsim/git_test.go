package githubsim

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-github/v60/github"
)

func TestCloneAndPushOverHTTP(t *testing.T) {
	w := newWorld(t, nil)
	dir := w.clone("alice-token")
	w.write(dir, "new.txt", "hello\n")
	w.mustGit(dir, "add", "-A")
	w.mustGit(dir, "commit", "-q", "-m", "Add new.txt")
	w.mustGit(dir, "push", "-q", "origin", "HEAD:main")
	sha := w.mustGit(dir, "rev-parse", "HEAD")

	ref, _, err := w.as("bob").Git.GetRef(w.ctx, "acme", "web", "heads/main")
	w.must(err)
	if ref.GetObject().GetSHA() != sha {
		t.Fatalf("main is at %s, pushed %s", ref.GetObject().GetSHA(), sha)
	}
	w.idle()
	got := w.recv.all()
	if len(got) != 1 || got[0].event != "push" {
		t.Fatalf("webhooks: %+v", got)
	}
	push := got[0].payload.(*github.PushEvent)
	if push.GetAfter() != sha || push.GetRef() != "refs/heads/main" || push.GetSender().GetLogin() != "alice" || push.GetForced() {
		t.Fatalf("push event %+v", push)
	}
	if len(push.Commits) != 1 || !slices.Equal(push.Commits[0].Added, []string{"new.txt"}) || push.Commits[0].GetAuthor().GetLogin() != "alice" {
		t.Fatalf("push commits %+v", push.Commits)
	}
	if v := w.sim.Violations(); len(v) != 0 {
		t.Fatalf("violations %v", v)
	}
}

func TestPushAccess(t *testing.T) {
	w := newWorld(t, nil)
	for _, tc := range []struct{ token, want string }{
		{"carol-token", "403"},
		{"mallory-token", "not found"},
		{"wrong", "Authentication failed"},
	} {
		dir := w.clone("alice-token")
		w.mustGit(dir, "commit", "-q", "--allow-empty", "-m", "x")
		out, err := w.git(dir, "push", w.remote(tc.token), "HEAD:main")
		if err == nil || !strings.Contains(out, tc.want) {
			t.Errorf("push as %s: %v %s, want %s", tc.token, err, out, tc.want)
		}
	}
	if got := w.events(); len(got) != 0 {
		t.Fatalf("refused pushes made webhooks: %v", got)
	}
	if out, err := w.git("", "ls-remote", w.srv.URL+"/git/acme/web.git"); err == nil {
		t.Fatalf("a private repository was read without a token: %s", out)
	}
	// Who may only read can read, and nobody writes what GitHub keeps.
	dir := w.clone("carol-token")
	out, err := w.git(dir, "push", w.remote("alice-token"), "HEAD:refs/pull/9/head")
	if err == nil || !strings.Contains(out, "hidden ref") {
		t.Fatalf("push to refs/pull: %v %s", err, out)
	}
}

func TestPushWithLostReplyHasHappened(t *testing.T) {
	w := newWorld(t, nil)
	dir := w.clone("alice-token")
	w.mustGit(dir, "commit", "-q", "--allow-empty", "-m", "x")
	w.must(w.sim.Fault(FaultSpec{Kind: "lose_reply", Method: http.MethodPost, Path: "git-receive-pack"}))
	if out, err := w.git(dir, "push", "origin", "HEAD:main"); err == nil {
		t.Fatalf("the reply was not lost: %s", out)
	}
	refs, err := w.sim.Refs("acme/web")
	w.must(err)
	if refs["refs/heads/main"] != w.mustGit(dir, "rev-parse", "HEAD") {
		t.Fatal("the push was not done")
	}
}

func TestForcePushAndDeleteAreTold(t *testing.T) {
	w := newWorld(t, nil)
	dir := w.clone("alice-token")
	w.mustGit(dir, "commit", "-q", "--allow-empty", "-m", "one")
	w.mustGit(dir, "push", "-q", "origin", "HEAD:topic")
	w.mustGit(dir, "commit", "-q", "--amend", "--allow-empty", "-m", "two")
	w.mustGit(dir, "push", "-q", "-f", "origin", "HEAD:topic")
	w.mustGit(dir, "push", "-q", "origin", ":topic")
	w.mustGit(dir, "tag", "-a", "v1", "-m", "v1")
	w.mustGit(dir, "push", "-q", "origin", "v1")
	want := []string{"create", "push", "push", "delete", "push", "create", "push"}
	if got := w.events(); !slices.Equal(got, want) {
		t.Fatalf("events %v, want %v", got, want)
	}
	got := w.recv.all()
	if !got[2].payload.(*github.PushEvent).GetForced() || !got[4].payload.(*github.PushEvent).GetDeleted() {
		t.Fatal("forced or deleted is not marked")
	}
	// An annotated tag is a commit to who asks for one.
	c, _, err := w.as("alice").Repositories.GetCommit(w.ctx, "acme", "web", "v1", nil)
	w.must(err)
	if c.GetSHA() != w.mustGit(dir, "rev-parse", "HEAD") {
		t.Fatalf("v1 resolves to %s", c.GetSHA())
	}
}

func TestRefRules(t *testing.T) {
	w := newWorld(t, nil)
	c := w.as("bob")
	main, _, err := c.Git.GetRef(w.ctx, "acme", "web", "heads/main")
	w.must(err)
	sha := main.GetObject().GetSHA()
	newRef := func(ref, sha string) error {
		_, _, err := c.Git.CreateRef(w.ctx, "acme", "web", &github.Reference{Ref: &ref, Object: &github.GitObject{SHA: &sha}})
		return err
	}
	w.must(newRef("refs/heads/signalbox/web-1", sha))
	wantError(t, newRef("refs/heads/signalbox/web-1", sha), 422, "Reference already exists")
	wantError(t, newRef("refs/heads/other", strings.Repeat("a", 40)), 422, "Object does not exist")
	wantError(t, newRef("refs/heads/bad..name", sha), 422, "not a valid ref name")
	_, _, err = w.as("carol").Git.CreateRef(w.ctx, "acme", "web", &github.Reference{Ref: github.String("refs/heads/c"), Object: &github.GitObject{SHA: &sha}})
	wantError(t, err, 403, "not accessible")

	tip := w.change("alice", "main", "a.txt", "a\n")
	_, _, err = c.Git.UpdateRef(w.ctx, "acme", "web", &github.Reference{Ref: github.String("refs/heads/main"), Object: &github.GitObject{SHA: &sha}}, false)
	wantError(t, err, 422, "Update is not a fast forward")
	_, _, err = c.Git.UpdateRef(w.ctx, "acme", "web", &github.Reference{Ref: github.String("refs/heads/signalbox/web-1"), Object: &github.GitObject{SHA: &tip}}, false)
	w.must(err)
	_, err = c.Git.DeleteRef(w.ctx, "acme", "web", "heads/signalbox/web-1")
	w.must(err)
	_, err = c.Git.DeleteRef(w.ctx, "acme", "web", "heads/signalbox/web-1")
	wantError(t, err, 422, "Reference does not exist")
	_, _, err = c.Git.GetRef(w.ctx, "acme", "web", "heads/signalbox/web-1")
	wantError(t, err, 404, "Not Found")
	b, _, err := c.Repositories.GetBranch(w.ctx, "acme", "web", "deployment/production", 0)
	w.must(err)
	if b.GetCommit().GetSHA() != sha {
		t.Fatalf("branch %+v", b)
	}
}
