package githubsim

import (
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/bradleyfalzon/ghinstallation/v2"
	"github.com/google/go-github/v60/github"
)

func (w *world) team(login, slug string, o *github.TeamListTeamMembersOptions) ([]string, error) {
	users, _, err := w.as(login).Teams.ListTeamMembersBySlug(w.ctx, "acme", slug, o)
	var out []string
	for _, u := range users {
		out = append(out, u.GetLogin())
	}
	return out, err
}

// Teams are seen by those of the organisation, and kept over a restart.
func TestTeams(t *testing.T) {
	w := newWorld(t, func(c *Config) {
		c.Orgs = []Org{{Name: "acme", Members: []string{"alice", "bob"}, Teams: []Team{
			{Slug: "sre", Members: []string{"bob"}}, {Slug: "oncall", Parent: "sre", Members: []string{"carol"}},
			{Slug: "secret", Secret: true, Members: []string{"bob"}},
		}}}
	})
	for _, c := range []struct{ login, slug, want string }{
		{"alice", "sre", "bob carol"}, {"alice", "SRE", "bob carol"}, {"alice", "oncall", "carol"}, {"bob", "secret", "bob"},
		{"alice", "secret", "404"}, {"alice", "nosuch", "404"}, {"mallory", "sre", "404"}, {"carol", "sre", "404"},
	} {
		members, err := w.team(c.login, c.slug, nil)
		got := strings.Join(members, " ")
		var refused *github.ErrorResponse
		if errors.As(err, &refused) && refused.Response.StatusCode == http.StatusNotFound {
			got = "404"
		}
		if got != c.want {
			t.Errorf("%s asks for %s: %q, %v, want %q", c.login, c.slug, got, err, c.want)
		}
	}
	_, err := w.team("alice", "sre", &github.TeamListTeamMembersOptions{Role: "king"})
	wantError(t, err, 422, "role")
	if got, err := w.team("alice", "sre", &github.TeamListTeamMembersOptions{ListOptions: github.ListOptions{Page: 2, PerPage: 1}}); err != nil || !slices.Equal(got, []string{"carol"}) {
		t.Errorf("the second page: %v, %v", got, err)
	}
	_, _, err = w.client("").Teams.ListTeamMembersBySlug(w.ctx, "acme", "sre", nil)
	wantError(t, err, 401, "Requires authentication")

	w.must(w.sim.SetTeam("acme/sre", "alice"))
	w.close()
	w.open()
	if got, err := w.team("alice", "sre", nil); err != nil || !slices.Equal(got, []string{"alice", "carol"}) {
		t.Errorf("after a change and a restart: %v, %v", got, err)
	}
	for _, bad := range [][]string{{"acme/nosuch"}, {"acme/sre", "nobody"}} {
		if err := w.sim.SetTeam(bad[0], bad[1:]...); err == nil {
			t.Errorf("SetTeam(%v) went through", bad)
		}
	}
	w.must(w.sim.Fault(FaultSpec{Kind: "error", Path: "/orgs/acme/teams/sre"}))
	_, err = w.team("alice", "sre", nil)
	wantError(t, err, 502, "")
}

// The App's own webhook: no repository lists it, its deliveries stand under the
// App, and each says which installation it is of.
func TestTheAppsOwnWebhook(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(c *Config) {
		c.Hooks = []Hook{{Repo: "*", Secret: secret, App: true}}
		c.App.Key = &key.PublicKey
	})
	asApp := ghinstallation.NewAppsTransportFromPrivateKey(http.DefaultTransport, 7, key)
	app := github.NewClient(&http.Client{Transport: asApp})
	app.BaseURL = w.client("").BaseURL
	w.recv.answer(http.StatusServiceUnavailable)
	w.change("alice", "main", "a.txt", "1\n")
	w.change("alice", "main", "a.txt", "2\n")
	w.idle()
	if hooks, _, err := w.as("alice").Repositories.ListHooks(w.ctx, "acme", "web", nil); err != nil || len(hooks) != 0 {
		t.Errorf("the repository lists %v, %v", hooks, err)
	}
	page, resp, err := app.Apps.ListHookDeliveries(w.ctx, &github.ListCursorOptions{PerPage: 1})
	w.must(err)
	if len(page) != 1 || resp.Cursor == "" || page[0].GetInstallationID() != 70 || page[0].GetStatusCode() != 503 || page[0].GetRepositoryID() == 0 {
		t.Fatalf("the first page %v %+v", page, resp)
	}
	older, resp, err := app.Apps.ListHookDeliveries(w.ctx, &github.ListCursorOptions{PerPage: 1, Cursor: resp.Cursor})
	w.must(err)
	if len(older) != 1 || resp.Cursor != "" || older[0].GetID() >= page[0].GetID() {
		t.Fatalf("the second page %v %+v", older, resp)
	}
	w.recv.answer(http.StatusAccepted)
	_, _, err = app.Apps.RedeliverHookDelivery(w.ctx, older[0].GetID())
	if !errors.As(err, new(*github.AcceptedError)) {
		t.Fatalf("redeliver: %v", err)
	}
	w.idle()
	got := w.recv.all()
	last := got[len(got)-1]
	if last.id != older[0].GetGUID() || last.payload.(*github.PushEvent).GetInstallation().GetID() != 70 {
		t.Errorf("the redelivery is %s of %s", last.raw, last.id)
	}
	_, _, err = app.Apps.RedeliverHookDelivery(w.ctx, 12345678)
	wantError(t, err, 404, "")
	_, _, err = w.as("alice").Apps.ListHookDeliveries(w.ctx, nil)
	wantError(t, err, 401, "")
}

// Check runs: filters, suites, and what is told of them to hooks that want it.
func TestCheckRunsAreFilteredAndTold(t *testing.T) {
	w := newWorld(t, func(c *Config) {
		c.Hooks = []Hook{{Repo: "*", Secret: secret, Events: []string{"check_suite", "status"}}}
		c.Users = append(c.Users, User{Login: "ci[bot]", Token: "ci-token", Bot: true})
		c.Repos[0].Collaborators["ci[bot]"] = "write"
	})
	sha := w.change("alice", "main", "a.txt", "a\n")
	report := func(login, name, status, conclusion string) error {
		o := github.CreateCheckRunOptions{Name: name, HeadSHA: sha, Status: &status}
		if conclusion != "" {
			o.Conclusion = &conclusion
		}
		_, _, err := w.as(login).Checks.CreateCheckRun(w.ctx, "acme", "web", o)
		return err
	}
	for _, r := range [][4]string{
		{"bot", "a", "completed", "failure"}, {"bot", "a", "in_progress", ""}, {"bot", "b", "completed", "success"},
		{"ci", "a", "completed", "success"},
	} {
		w.must(report(r[0], r[1], r[2], r[3]))
	}
	wantError(t, report("bot", "a", "waiting", ""), 422, "no status")
	wantError(t, report("bot", "a", "completed", "stale"), 422, "no conclusion")
	ask := func(o github.ListCheckRunsOptions) string {
		got, _, err := w.as("alice").Checks.ListCheckRunsForRef(w.ctx, "acme", "web", sha, &o)
		if err != nil {
			return err.Error()
		}
		var lines []string
		for _, r := range got.CheckRuns {
			lines = append(lines, r.GetName()+" "+r.GetStatus()+" "+r.GetConclusion())
		}
		return strings.Join(lines, ", ")
	}
	for _, c := range []struct {
		o    github.ListCheckRunsOptions
		want string
	}{
		{github.ListCheckRunsOptions{}, "a completed success, b completed success, a in_progress "},
		{github.ListCheckRunsOptions{Filter: text("all"), CheckName: text("a")}, "a completed success, a in_progress , a completed failure"},
		{github.ListCheckRunsOptions{Status: text("in_progress")}, "a in_progress "},
		{github.ListCheckRunsOptions{AppID: github.Int64(7), CheckName: text("a")}, "a in_progress "},
		{github.ListCheckRunsOptions{ListOptions: github.ListOptions{PerPage: 1, Page: 2}}, "b completed success"},
	} {
		if got := ask(c.o); got != c.want {
			t.Errorf("%+v: %q, want %q", c.o, got, c.want)
		}
	}
	if got := ask(github.ListCheckRunsOptions{Filter: text("newest")}); !strings.Contains(got, "422") {
		t.Errorf("a filter that there is not: %s", got)
	}
	if got := w.events(); !slices.Equal(got, []string{"check_suite.completed", "check_suite.completed"}) {
		t.Fatalf("events %v, want one suite a time that it was whole", got)
	}
	suite := w.recv.all()[0].payload.(*github.CheckSuiteEvent).GetCheckSuite()
	if suite.GetConclusion() != "failure" || suite.GetHeadSHA() != sha || suite.GetHeadBranch() != "main" {
		t.Errorf("the first suite %v", suite)
	}
}
