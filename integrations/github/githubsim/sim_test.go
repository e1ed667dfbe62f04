package githubsim

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-github/v60/github"
)

const secret = "s3cret"

// world is a simulator behind a real listener, with a webhook receiver that
// checks signatures as the bot does.
type world struct {
	t    *testing.T
	cfg  Config
	sim  *Sim
	srv  *httptest.Server
	recv *receiver
	ctx  context.Context
}

type received struct {
	id, event string
	payload   any
	raw       []byte
}

type receiver struct {
	t      *testing.T
	srv    *httptest.Server
	mu     sync.Mutex
	got    []received
	status int
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{t: t, status: http.StatusAccepted}
	r.srv = httptest.NewServer(r)
	t.Cleanup(r.srv.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return // the simulator was closed while it sent
	}
	req.Body = io.NopCloser(bytes.NewReader(body))
	raw, err := github.ValidatePayload(req, []byte(secret))
	if err != nil {
		r.t.Errorf("payload of %s: %v", github.WebHookType(req), err)
	}
	payload, err := github.ParseWebHook(github.WebHookType(req), raw)
	if err != nil {
		r.t.Errorf("parse %s: %v", github.WebHookType(req), err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = append(r.got, received{github.DeliveryID(req), github.WebHookType(req), payload, raw})
	w.WriteHeader(r.status)
}

func (r *receiver) answer(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

func (r *receiver) all() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]received(nil), r.got...)
}

func (r *receiver) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = nil
}

func baseConfig(dir string) Config {
	return Config{
		Dir: dir,
		Users: []User{
			{Login: "alice", Name: "Alice", Email: "alice@example.com", Token: "alice-token"},
			{Login: "bob", Name: "Bob", Email: "bob@example.com", Token: "bob-token"},
			{Login: "carol", Token: "carol-token"},
			{Login: "mallory", Token: "mallory-token"},
			{Login: "signalbox[bot]", Token: "bot-token", Bot: true},
		},
		Repos: []Repo{{
			Owner: "acme", Name: "web", Branches: []string{"deployment/production"},
			Files: map[string]string{"README.md": "web\n", "app/main.txt": "one\ntwo\nthree\n"},
			Collaborators: map[string]string{
				"alice": "admin", "bob": "write", "carol": "read", "signalbox[bot]": "write",
			},
		}},
		App: App{ID: 7, InstallationID: 70, Slug: "signalbox", Bot: "signalbox[bot]"},
	}
}

// newWorld starts a simulator; change may alter its configuration first.
func newWorld(t *testing.T, change func(*Config)) *world {
	t.Helper()
	cfg := baseConfig(t.TempDir())
	cfg.Hooks = []Hook{{Repo: "*", Secret: secret}}
	if change != nil {
		change(&cfg)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	w := &world{t: t, cfg: cfg, ctx: ctx, recv: newReceiver(t)}
	w.open()
	t.Cleanup(func() { w.close() })
	return w
}

func (w *world) open() {
	w.t.Helper()
	sim, err := New(w.cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.sim, w.srv = sim, httptest.NewServer(sim.Handler())
	sim.SetBase(w.srv.URL)
	sim.SetHookURL(w.recv.srv.URL)
}

func (w *world) close() {
	if w.sim == nil {
		return
	}
	w.srv.Close()
	if err := w.sim.Close(); err != nil {
		w.t.Error(err)
	}
	w.sim = nil
}

func (w *world) client(token string) *github.Client {
	c := github.NewClient(nil)
	if token != "" {
		c = c.WithAuthToken(token)
	}
	u := *c.BaseURL
	u.Scheme, u.Host, u.Path = "http", strings.TrimPrefix(w.srv.URL, "http://"), "/api/v3/"
	c.BaseURL = &u
	return c
}

func (w *world) as(login string) *github.Client { return w.client(login + "-token") }

// idle waits until every webhook has been sent.
func (w *world) idle() {
	w.t.Helper()
	if err := w.sim.WaitIdle(w.ctx); err != nil {
		w.t.Fatal(err)
	}
}

// events are "event" or "event.action", in the order in which they arrived.
func (w *world) events() []string {
	w.t.Helper()
	w.idle()
	var out []string
	for _, d := range w.sim.Deliveries() {
		name := d.Event
		if d.Action != "" {
			name += "." + d.Action
		}
		out = append(out, name)
	}
	return out
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func text(s string) *string { return &s }

// change commits one file to a branch, made when missing.
func (w *world) change(login, branch, file, content string) string {
	w.t.Helper()
	sha, err := w.sim.Commit(w.ctx, login, "acme/web", branch, "Change "+file, map[string]*string{file: text(content)})
	w.must(err)
	return sha
}

// pr makes a branch with one change and opens a pull request into main.
func (w *world) pr(branch string) *github.PullRequest {
	w.t.Helper()
	w.change("alice", branch, branch+".txt", branch+"\n")
	p, _, err := w.as("alice").PullRequests.Create(w.ctx, "acme", "web", &github.NewPullRequest{
		Title: github.String("Add " + branch), Head: &branch, Base: github.String("main"), Body: github.String("why"),
	})
	w.must(err)
	return p
}

// wantError checks the status and a part of what GitHub says.
func wantError(t *testing.T, err error, status int, part string) {
	t.Helper()
	var e *github.ErrorResponse
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want %d %q", err, status, part)
	}
	if e.Response.StatusCode != status || !strings.Contains(e.Error(), part) {
		t.Fatalf("got %d %v, want %d %q", e.Response.StatusCode, e, status, part)
	}
}

// run runs the real git in a directory.
func (w *world) git(dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(w.ctx, "git", args...)
	cmd.Dir = dir
	cmd.Env = gitEnv(ident{"Alice", "alice@example.com", time.Unix(1700000000, 0)}.env("AUTHOR")...)
	cmd.Env = append(cmd.Env, ident{"Alice", "alice@example.com", time.Unix(1700000000, 0)}.env("COMMITTER")...)
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func (w *world) mustGit(dir string, args ...string) string {
	w.t.Helper()
	out, err := w.git(dir, args...)
	if err != nil {
		w.t.Fatalf("git %v: %v: %s", args, err, out)
	}
	return out
}

func (w *world) remote(token string) string {
	return strings.Replace(w.srv.URL, "http://", "http://x-access-token:"+token+"@", 1) + "/git/acme/web.git"
}

func (w *world) clone(token string) string {
	w.t.Helper()
	dir := filepath.Join(w.t.TempDir(), "clone")
	w.mustGit("", "clone", "-q", w.remote(token), dir)
	return dir
}

func (w *world) write(dir, file, content string) {
	w.t.Helper()
	w.must(os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600))
}
