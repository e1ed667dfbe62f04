package githubsim

import (
	"context"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-github/v60/github"
)

func TestRedelivery(t *testing.T) {
	w := newWorld(t, nil)
	w.recv.answer(http.StatusServiceUnavailable)
	w.change("alice", "main", "a.txt", "a\n")
	w.idle()
	w.recv.answer(http.StatusAccepted)
	c := w.as("alice").Repositories
	hooks, _, err := c.ListHooks(w.ctx, "acme", "web", nil)
	w.must(err)
	if len(hooks) != 1 || !hooks[0].GetActive() || hooks[0].Config.GetURL() != w.recv.srv.URL || hooks[0].Config.GetSecret() == secret {
		t.Fatalf("hooks %v", hooks)
	}
	hook := hooks[0].GetID()
	list, _, err := c.ListHookDeliveries(w.ctx, "acme", "web", hook, nil)
	w.must(err)
	if len(list) != 1 || list[0].GetStatusCode() != 503 || list[0].GetStatus() != "Invalid HTTP Response: 503" || list[0].GetRedelivery() || list[0].GetEvent() != "push" {
		t.Fatalf("deliveries %v", list)
	}
	// GitHub does not try again by itself.
	if got := w.recv.all(); len(got) != 1 {
		t.Fatalf("%d attempts", len(got))
	}
	_, _, err = c.RedeliverHookDelivery(w.ctx, "acme", "web", hook, list[0].GetID())
	var accepted *github.AcceptedError
	if !errors.As(err, &accepted) {
		t.Fatalf("redeliver: %v", err)
	}
	w.idle()
	got := w.recv.all()
	if len(got) != 2 || got[0].id != got[1].id || string(got[0].raw) != string(got[1].raw) {
		t.Fatalf("redelivery %d %v", len(got), got)
	}
	again, _, err := c.ListHookDeliveries(w.ctx, "acme", "web", hook, nil)
	w.must(err)
	if len(again) != 2 || !again[0].GetRedelivery() || again[0].GetStatus() != "OK" || again[0].GetGUID() != again[1].GetGUID() || again[0].GetID() == again[1].GetID() {
		t.Fatalf("deliveries %v", again)
	}
	full, _, err := c.GetHookDelivery(w.ctx, "acme", "web", hook, again[0].GetID())
	w.must(err)
	if string(*full.Request.RawPayload) != string(got[0].raw) || full.Request.Headers["X-GitHub-Delivery"] != got[0].id {
		t.Fatalf("delivery %v", full)
	}
	page, resp, err := c.ListHookDeliveries(w.ctx, "acme", "web", hook, &github.ListCursorOptions{PerPage: 1})
	w.must(err)
	if len(page) != 1 || resp.Cursor == "" {
		t.Fatalf("page %v %+v", page, resp)
	}
	page, _, err = c.ListHookDeliveries(w.ctx, "acme", "web", hook, &github.ListCursorOptions{PerPage: 1, Cursor: resp.Cursor})
	w.must(err)
	if len(page) != 1 || page[0].GetID() != again[1].GetID() {
		t.Fatalf("second page %v", page)
	}
	_, _, err = w.as("bob").Repositories.ListHooks(w.ctx, "acme", "web", nil)
	wantError(t, err, 404, "Not Found")
}

func TestHookMadeByREST(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Hooks = nil })
	c := w.as("alice").Repositories
	hook := &github.Hook{Events: []string{"issue_comment"}, Config: &github.HookConfig{URL: &w.recv.srv.URL, Secret: github.String(secret), ContentType: github.String("form")}}
	made, _, err := c.CreateHook(w.ctx, "acme", "web", hook)
	w.must(err)
	_, _, err = c.CreateHook(w.ctx, "acme", "web", hook)
	wantError(t, err, 422, "Hook already exists")
	w.pr("topic")
	_, _, err = w.as("carol").Issues.CreateComment(w.ctx, "acme", "web", 1, &github.IssueComment{Body: github.String("hello & good day")})
	w.must(err)
	if got := w.events(); !slices.Equal(got, []string{"ping", "issue_comment.created"}) {
		t.Fatalf("events %v", got)
	}
	e := w.recv.all()[1].payload.(*github.IssueCommentEvent)
	if e.GetComment().GetBody() != "hello & good day" || !e.GetIssue().IsPullRequest() || e.GetIssue().GetNumber() != 1 {
		t.Fatalf("comment event %+v", e)
	}
	_, err = c.DeleteHook(w.ctx, "acme", "web", made.GetID())
	w.must(err)
	w.change("alice", "main", "a.txt", "a\n")
	if got := w.events(); len(got) != 0 {
		t.Fatalf("a deleted hook has deliveries %v", got)
	}
}

func TestLostAndDoubledWebhooks(t *testing.T) {
	w := newWorld(t, nil)
	w.must(w.sim.Fault(FaultSpec{Kind: "lose_webhook", Event: "push"}))
	w.change("alice", "main", "a.txt", "1\n")
	w.idle()
	if n := len(w.recv.all()); n != 0 {
		t.Fatalf("a lost webhook arrived %d times", n)
	}
	if d := w.sim.Deliveries(); len(d) != 1 || !d[0].Lost {
		t.Fatalf("deliveries %+v", d)
	}
	w.must(w.sim.Fault(FaultSpec{Kind: "twice"}))
	w.must(w.sim.Fault(FaultSpec{Kind: "twice", NewID: true}))
	w.change("alice", "main", "a.txt", "2\n")
	w.change("alice", "main", "a.txt", "3\n")
	w.idle()
	got := w.recv.all()
	if len(got) != 4 || got[0].id != got[1].id || got[2].id == got[3].id || string(got[2].raw) != string(got[3].raw) {
		t.Fatalf("doubled webhooks %d", len(got))
	}
	w.must(w.sim.Fault(FaultSpec{Kind: "lose_webhook", Count: -1}))
	w.change("alice", "main", "a.txt", "4\n")
	w.change("alice", "main", "a.txt", "5\n")
	w.idle()
	if len(w.recv.all()) != 4 {
		t.Fatal("not every webhook was lost")
	}
	w.sim.ClearFaults()
	w.must(w.sim.Redeliver(w.sim.Deliveries()[0].ID))
	w.idle()
	if len(w.recv.all()) != 5 {
		t.Fatal("a lost webhook cannot be redelivered")
	}
	if err := w.sim.Fault(FaultSpec{Kind: "gremlin"}); err == nil {
		t.Fatal("a fault that does not exist was armed")
	}
}

func TestReopenKeepsEverything(t *testing.T) {
	w := newWorld(t, nil)
	p := w.pr("topic")
	w.idle()
	w.recv.srv.Config.SetKeepAlivesEnabled(false)
	url := w.recv.srv.URL
	// With nowhere to go, deliveries wait, also over a restart.
	w.sim.SetHookURL("")
	_, _, err := w.as("carol").Issues.CreateComment(w.ctx, "acme", "web", 1, &github.IssueComment{Body: github.String("kept")})
	w.must(err)
	if w.sim.Idle() {
		t.Fatal("idle with a delivery that waits")
	}
	before := len(w.recv.all())
	w.close()
	w.open()
	w.idle()
	got := w.recv.all()
	if len(got) != before+1 || got[before].event != "issue_comment" || url != w.recv.srv.URL {
		t.Fatalf("after reopening %d webhooks, had %d", len(got), before)
	}
	now, _, err := w.as("alice").PullRequests.Get(w.ctx, "acme", "web", 1)
	w.must(err)
	if now.GetHead().GetSHA() != p.GetHead().GetSHA() || now.GetID() != p.GetID() || now.GetComments() != 1 {
		t.Fatalf("after reopening %s", now)
	}
	p2 := w.pr("another")
	if p2.GetNumber() != 2 || p2.GetID() <= p.GetID() {
		t.Fatalf("numbers start again: %s", p2)
	}
}

// TestKilled runs this test binary as a simulator of its own, ends it with
// SIGKILL at a named point of a merge, and looks at what the next life finds.
func TestKilled(t *testing.T) {
	for point, merged := range map[string]bool{"merge intended": false, "merge ref moved": true} {
		t.Run(point, func(t *testing.T) {
			w := newWorld(t, nil)
			w.pr("topic")
			w.idle()
			w.recv.forget()
			w.close()
			cmd := exec.CommandContext(w.ctx, os.Args[0], "-test.run=^TestChildThatDies$")
			cmd.Env = append(os.Environ(), "GITHUBSIM_DIR="+w.cfg.Dir, "GITHUBSIM_POINT="+point)
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(err.Error(), "killed") {
				t.Fatalf("the child was not killed: %v %s", err, out)
			}
			w.open()
			p, err := w.sim.Pull("acme/web", 1)
			w.must(err)
			if (p.State == "merged") != merged {
				t.Fatalf("after the kill: %s", p.State)
			}
			if !merged {
				w.must(w.sim.Merge(w.ctx, "bob", "acme/web", 1))
			}
			p, err = w.sim.Pull("acme/web", 1)
			w.must(err)
			refs, err := w.sim.Refs("acme/web")
			w.must(err)
			if p.MergedBy != "bob" || refs["refs/heads/main"] != p.MergeSHA {
				t.Fatalf("merged by %s as %s, main is %s", p.MergedBy, p.MergeSHA, refs["refs/heads/main"])
			}
			w.idle()
			var events []string
			for _, r := range w.recv.all() {
				events = append(events, r.event)
			}
			if !slices.Equal(events, []string{"push", "pull_request"}) {
				t.Fatalf("events %v", events)
			}
		})
	}
}

func TestChildThatDies(t *testing.T) {
	dir := os.Getenv("GITHUBSIM_DIR")
	if dir == "" {
		return
	}
	cfg := baseConfig(dir)
	cfg.Hooks = []Hook{{Repo: "*", Secret: secret}}
	sim, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	sim.crash = func(point string) {
		if point != os.Getenv("GITHUBSIM_POINT") {
			return
		}
		self, err := os.FindProcess(os.Getpid())
		if err == nil {
			err = self.Kill()
		}
		t.Errorf("still alive: %v", err)
		select {}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	// A squash, because nothing but the intent tells afterwards that it is
	// this pull request's.
	t.Fatalf("merge: %v", sim.change(ctx, "acme/web", func(r *repoRow) error {
		_, err := sim.merge(r, sim.pullNumbered(r.ID, 1), "bob", mergeIn{Method: "squash"})
		return err
	}))
}

func TestPushThatReachedOnlyGitIsFoundAtStart(t *testing.T) {
	w := newWorld(t, nil)
	w.pr("topic")
	w.idle()
	w.recv.forget()
	r := w.sim.repoNamed("acme", "web")
	main := r.Refs["refs/heads/main"]
	w.close()
	w.mustGit(w.bare(), "update-ref", "refs/heads/topic", main)
	w.mustGit(w.bare(), "update-ref", "refs/heads/extra", main)
	left := filepath.Join(w.cfg.Dir, "push-123")
	w.must(os.WriteFile(left, []byte("PACK"), 0o600))
	w.open()
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("a dead push's pack is still there: %v", err)
	}
	w.idle()
	var events []string
	for _, r := range w.recv.all() {
		events = append(events, r.event)
	}
	if !slices.Equal(events, []string{"create", "push", "push", "pull_request"}) {
		t.Fatalf("events %v", events)
	}
}

// bare is where acme/web lies.
func (w *world) bare() string { return w.cfg.Dir + "/git/acme/web.git" }
