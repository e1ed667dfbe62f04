package github

import (
	"context"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/github/githubsim"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
)

const web = "acme/web"

// world is a client in front of the simulated GitHub.
type world struct {
	*Client
	t   *testing.T
	sim *githubsim.Sim
	srv *httptest.Server
	ctx context.Context
}

func newWorld(t *testing.T, change func(*githubsim.Config, *Config)) *world {
	t.Helper()
	files := map[string]string{"README.md": "web\n", "app/main.txt": "one\n"}
	roles := map[string]string{"alice": "admin", "bob": "write", "signalbox[bot]": "write"}
	sc := githubsim.Config{
		Dir: t.TempDir(),
		Users: []githubsim.User{
			{Login: "alice", Name: "Alice", Email: "alice@example.com", Token: "alice-token"},
			{Login: "bob", Name: "Bob", Email: "bob@example.com", Token: "bob-token"},
			{Login: "mallory", Token: "mallory-token"},
			{Login: "signalbox[bot]", Token: "bot-token", Bot: true},
		},
		Repos: []githubsim.Repo{{Owner: "acme", Name: "web", Branches: []string{"deployment/production"}, Files: files, Collaborators: roles}},
		App:   githubsim.App{ID: 7, InstallationID: 70, Slug: "signalbox", Bot: "signalbox[bot]"},
	}
	cfg := Config{Token: integrations.NewSecret("bot-token")}
	if change != nil {
		change(&sc, &cfg)
	}
	sim, err := githubsim.New(sc)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(sim.Handler())
	sim.SetBase(srv.URL)
	cfg.APIURL, cfg.GitURL = srv.URL+"/api/v3", srv.URL+"/git"
	c, err := New(cfg, clock.Real(), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(func() {
		cancel()
		c.Close()
		srv.Close()
		for _, v := range sim.Violations() {
			t.Errorf("the client asked for what GitHub does not have: %s", v)
		}
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
	})
	return &world{Client: c, t: t, sim: sim, srv: srv, ctx: ctx}
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// commit changes a file on a branch as alice.
func (w *world) commit(branch, file, content string) string {
	w.t.Helper()
	sha, err := w.sim.Commit(w.ctx, "alice", web, branch, "Change "+file, map[string]*string{file: &content})
	w.must(err)
	return sha
}

// pull opens a pull request of ours into a branch.
func (w *world) pull(head, base string) integrations.PullRequest {
	w.t.Helper()
	p, err := w.OpenPull(w.ctx, web, integrations.NewPull{Title: "Deploy", Body: "text", Head: head, Base: base})
	w.must(err)
	return p
}

func (w *world) fault(f githubsim.FaultSpec) {
	w.t.Helper()
	w.must(w.sim.Fault(f))
}
