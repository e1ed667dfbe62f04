package githubsim

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bradleyfalzon/ghinstallation/v2"
	"github.com/google/go-github/v60/github"
)

func TestStatuses(t *testing.T) {
	w := newWorld(t, nil)
	sha := w.change("alice", "deployment/production", "a.txt", "a\n")
	c := w.as("bob").Repositories
	set := func(sha string, s github.RepoStatus) error {
		_, _, err := c.CreateStatus(w.ctx, "acme", "web", sha, &s)
		return err
	}
	str := github.String
	wantError(t, set(sha, github.RepoStatus{State: str("great")}), 422, "state")
	wantError(t, set(sha, github.RepoStatus{State: str("success"), Description: str(strings.Repeat("ü", 141))}), 422, "too long")
	w.must(set(sha, github.RepoStatus{State: str("success"), Description: str(strings.Repeat("ü", 140)), Context: str("a")}))
	wantError(t, set(sha, github.RepoStatus{State: str("success"), Context: str(strings.Repeat("c", 256))}), 422, "too long")
	wantError(t, set(sha, github.RepoStatus{State: str("success"), TargetURL: str("ftp://x")}), 422, "http(s)")
	wantError(t, set(strings.Repeat("b", 40), github.RepoStatus{State: str("success")}), 422, "No commit found for SHA")
	w.must(set(sha, github.RepoStatus{State: str("failure"), Context: str("b")}))
	w.must(set(sha, github.RepoStatus{State: str("pending"), Context: str("b")}))
	combined, _, err := c.GetCombinedStatus(w.ctx, "acme", "web", "deployment/production", nil)
	w.must(err)
	if combined.GetState() != "pending" || len(combined.Statuses) != 2 || combined.GetSHA() != sha {
		t.Fatalf("combined %v", combined)
	}
	all, _, err := c.ListStatuses(w.ctx, "acme", "web", sha, nil)
	w.must(err)
	if len(all) != 3 || all[0].GetState() != "pending" || all[0].GetCreator().GetLogin() != "bob" {
		t.Fatalf("statuses %v", all)
	}
	w.idle()
	got := w.recv.all()
	e := got[len(got)-1].payload.(*github.StatusEvent)
	if e.GetState() != "pending" || e.GetContext() != "b" || e.GetSHA() != sha || len(e.Branches) != 1 || e.Branches[0].GetName() != "deployment/production" {
		t.Fatalf("status event %+v", e)
	}
}

func TestCheckRuns(t *testing.T) {
	w := newWorld(t, nil)
	sha := w.change("alice", "main", "a.txt", "a\n")
	_, _, err := w.as("bob").Checks.CreateCheckRun(w.ctx, "acme", "web", github.CreateCheckRunOptions{Name: "x", HeadSHA: sha})
	wantError(t, err, 403, "GitHub App")
	c := w.as("bot").Checks
	run, _, err := c.CreateCheckRun(w.ctx, "acme", "web", github.CreateCheckRunOptions{Name: "x", HeadSHA: sha, Status: github.String("in_progress")})
	w.must(err)
	_, _, err = c.UpdateCheckRun(w.ctx, "acme", "web", run.GetID(), github.UpdateCheckRunOptions{Name: "x", Conclusion: github.String("success")})
	w.must(err)
	list, _, err := c.ListCheckRunsForRef(w.ctx, "acme", "web", "main", nil)
	w.must(err)
	if list.GetTotal() != 1 || list.CheckRuns[0].GetStatus() != "completed" || list.CheckRuns[0].CompletedAt == nil {
		t.Fatalf("check runs %v", list)
	}
}

func TestComments(t *testing.T) {
	w := newWorld(t, nil)
	w.pr("topic")
	bot := w.as("bot").Issues
	m, _, err := bot.CreateComment(w.ctx, "acme", "web", 1, &github.IssueComment{Body: github.String("<!-- signalbox -->plan")})
	w.must(err)
	_, _, err = bot.CreateComment(w.ctx, "acme", "web", 1, &github.IssueComment{Body: github.String(strings.Repeat("x", 65537))})
	wantError(t, err, 422, "too long")
	_, _, err = bot.CreateComment(w.ctx, "acme", "web", 9, &github.IssueComment{Body: github.String("x")})
	wantError(t, err, 404, "Not Found")
	_, _, err = w.as("carol").Issues.EditComment(w.ctx, "acme", "web", m.GetID(), &github.IssueComment{Body: github.String("mine")})
	wantError(t, err, 403, "not accessible")
	_, _, err = bot.EditComment(w.ctx, "acme", "web", m.GetID(), &github.IssueComment{Body: github.String("changed")})
	w.must(err)
	list, _, err := bot.ListComments(w.ctx, "acme", "web", 1, nil)
	w.must(err)
	if len(list) != 1 || list[0].GetBody() != "changed" || list[0].GetUser().GetType() != "Bot" {
		t.Fatalf("comments %v", list)
	}
	_, _, err = bot.AddLabelsToIssue(w.ctx, "acme", "web", 1, []string{"deploy"})
	w.must(err)
	_, err = bot.DeleteComment(w.ctx, "acme", "web", m.GetID())
	w.must(err)
	_, _, err = bot.GetComment(w.ctx, "acme", "web", m.GetID())
	wantError(t, err, 404, "Not Found")
	got := w.events()
	want := []string{"issue_comment.created", "issue_comment.edited", "pull_request.labeled", "issue_comment.deleted"}
	if !slices.Equal(got[len(got)-4:], want) {
		t.Fatalf("events %v", got)
	}
}

func TestDeployments(t *testing.T) {
	w := newWorld(t, nil)
	c := w.as("bot").Repositories
	main := w.change("alice", "main", "a.txt", "a\n")
	no, str := false, github.String
	create := func(r github.DeploymentRequest) (*github.Deployment, error) {
		d, _, err := c.CreateDeployment(w.ctx, "acme", "web", &r)
		return d, err
	}
	// The default is to merge the default branch first, which is no deployment.
	_, err := create(github.DeploymentRequest{Ref: str("deployment/production")})
	var accepted *github.AcceptedError
	if !errors.As(err, &accepted) || !strings.Contains(string(accepted.Raw), "Auto-merged main") {
		t.Fatalf("auto merge: %v", err)
	}
	pending := github.RepoStatus{State: str("pending"), Context: str("ci")}
	_, _, err = w.as("bob").Repositories.CreateStatus(w.ctx, "acme", "web", main, &pending)
	w.must(err)
	_, err = create(github.DeploymentRequest{Ref: str(main), AutoMerge: &no})
	wantError(t, err, 409, "Commit status checks failed")
	_, err = create(github.DeploymentRequest{Ref: str("nowhere")})
	wantError(t, err, 422, "No ref found for: nowhere")
	var made []*github.Deployment
	for range 2 {
		d, err := create(github.DeploymentRequest{
			Ref: str(main), AutoMerge: &no, RequiredContexts: &[]string{}, Environment: str("staging"), Payload: map[string]string{"nonce": "n1"},
		})
		w.must(err)
		made = append(made, d)
		_, _, err = c.CreateDeploymentStatus(w.ctx, "acme", "web", d.GetID(), &github.DeploymentStatusRequest{State: str("success"), LogURL: str("http://log")})
		w.must(err)
	}
	list, _, err := c.ListDeployments(w.ctx, "acme", "web", &github.DeploymentsListOptions{SHA: main, Environment: "staging"})
	w.must(err)
	if len(list) != 2 || list[0].GetID() != made[1].GetID() || string(list[0].Payload) != `{"nonce":"n1"}` {
		t.Fatalf("deployments %v", list)
	}
	old, _, err := c.ListDeploymentStatuses(w.ctx, "acme", "web", made[0].GetID(), nil)
	w.must(err)
	if len(old) != 2 || old[0].GetState() != "inactive" || old[1].GetLogURL() != "http://log" {
		t.Fatalf("statuses of the older deployment %v", old)
	}
	_, _, err = c.CreateDeploymentStatus(w.ctx, "acme", "web", made[0].GetID(), &github.DeploymentStatusRequest{State: str("done")})
	wantError(t, err, 422, "state")
}

func TestContents(t *testing.T) {
	w := newWorld(t, nil)
	c := w.as("bob").Repositories
	file, _, _, err := c.GetContents(w.ctx, "acme", "web", "app/main.txt", nil)
	w.must(err)
	body, err := file.GetContent()
	w.must(err)
	if body != "one\ntwo\nthree\n" || file.GetSize() != len(body) {
		t.Fatalf("content %q", body)
	}
	_, dir, _, err := c.GetContents(w.ctx, "acme", "web", "", nil)
	w.must(err)
	if len(dir) != 2 || dir[0].GetName() != "README.md" || dir[1].GetType() != "dir" {
		t.Fatalf("directory %v", dir)
	}
	put := func(sha *string) error {
		_, _, err := c.UpdateFile(w.ctx, "acme", "web", "app/main.txt", &github.RepositoryContentFileOptions{
			Message: github.String("pin"), Content: []byte("four\n"), SHA: sha, Branch: github.String("deployment/production"),
			Author: &github.CommitAuthor{Name: github.String("Alice"), Email: github.String("alice@example.com")},
		})
		return err
	}
	wantError(t, put(nil), 422, "\"sha\" wasn't supplied")
	wantError(t, put(github.String(strings.Repeat("0", 40))), 409, "does not match")
	w.must(put(file.SHA))
	wantError(t, put(file.SHA), 409, "does not match")
	_, _, _, err = c.GetContents(w.ctx, "acme", "web", "nowhere", nil)
	wantError(t, err, 404, "Not Found")
	commits, _, err := c.ListCommits(w.ctx, "acme", "web", &github.CommitsListOptions{SHA: "deployment/production", Path: "app/main.txt"})
	w.must(err)
	if len(commits) != 2 || commits[0].GetAuthor().GetLogin() != "alice" || commits[0].GetCommit().GetMessage() != "pin" {
		t.Fatalf("commits %v", commits)
	}
	one, _, err := c.GetCommit(w.ctx, "acme", "web", commits[0].GetSHA()[:8], nil)
	w.must(err)
	if one.GetStats().GetAdditions() != 1 || one.GetStats().GetDeletions() != 3 || len(one.Files) != 1 {
		t.Fatalf("commit %v", one)
	}
	_, _, err = c.GetCommit(w.ctx, "acme", "web", "nowhere", nil)
	wantError(t, err, 422, "No commit found for SHA: nowhere")
	del, _, err := c.DeleteFile(w.ctx, "acme", "web", "README.md", &github.RepositoryContentFileOptions{
		Message: github.String("rm"), SHA: dir[0].SHA, Branch: github.String("main"),
	})
	w.must(err)
	if del.Content != nil || del.GetSHA() == "" {
		t.Fatalf("deleted %+v", del)
	}
}

func TestGitObjects(t *testing.T) {
	w := newWorld(t, nil)
	c := w.as("bob").Git
	ref, _, err := c.GetRef(w.ctx, "acme", "web", "heads/main")
	w.must(err)
	head, _, err := c.GetCommit(w.ctx, "acme", "web", ref.GetObject().GetSHA())
	w.must(err)
	tree, _, err := c.CreateTree(w.ctx, "acme", "web", head.GetTree().GetSHA(), []*github.TreeEntry{
		{Path: github.String("run.sh"), Mode: github.String("100755"), Type: github.String("blob"), Content: github.String("#!/bin/sh\n")},
		{Path: github.String("README.md"), Mode: github.String("100644"), Type: github.String("blob")},
	})
	w.must(err)
	made, _, err := c.CreateCommit(w.ctx, "acme", "web", &github.Commit{
		Message: github.String("by hand"), Tree: tree, Parents: []*github.Commit{{SHA: head.SHA}},
	}, nil)
	w.must(err)
	full, _, err := c.GetTree(w.ctx, "acme", "web", made.GetSHA(), true)
	w.must(err)
	var names []string
	for _, e := range full.Entries {
		names = append(names, e.GetMode()+" "+e.GetPath())
	}
	if !slices.Equal(names, []string{"040000 app", "100644 app/main.txt", "100755 run.sh"}) {
		t.Fatalf("tree %v", names)
	}
}

func TestCompareIsPaged(t *testing.T) {
	w := newWorld(t, func(c *Config) {
		c.Repos[0].Seed = func(dir string) error {
			var b bytes.Buffer
			for i := range 260 {
				fmt.Fprintf(&b, "commit refs/heads/main\ncommitter A <a@example.com> %d +0000\ndata 3\nc%02d", 1700000000+i, i%100)
				if i == 0 {
					b.WriteString("\nfrom refs/heads/main^0")
				}
				fmt.Fprintf(&b, "\nM 100644 inline n/%d.txt\ndata 1\nx\n", i)
			}
			_, err := gitRun{dir: dir, in: b.Bytes()}.run("fast-import", "--quiet", "--force")
			if err != nil {
				return err
			}
			return Git(dir, "reset", "-q", "--hard")
		}
	})
	c := w.as("carol").Repositories
	got, resp, err := c.CompareCommits(w.ctx, "acme", "web", "deployment/production", "main", nil)
	w.must(err)
	if got.GetTotalCommits() != 260 || got.GetAheadBy() != 260 || got.GetBehindBy() != 0 || got.GetStatus() != "ahead" ||
		len(got.Commits) != 250 || len(got.Files) != 260 || resp.NextPage != 2 {
		t.Fatalf("compare: %s, %d ahead, %d behind, %d commits of %d, %d files, next %d",
			got.GetStatus(), got.GetAheadBy(), got.GetBehindBy(), len(got.Commits), got.GetTotalCommits(), len(got.Files), resp.NextPage)
	}
	first := got.Commits[0]
	got, resp, err = c.CompareCommits(w.ctx, "acme", "web", "deployment/production", "main", &github.ListOptions{Page: 2})
	w.must(err)
	if len(got.Commits) != 10 || len(got.Files) != 0 || resp.NextPage != 0 || got.MergeBaseCommit.GetSHA() != first.Parents[0].GetSHA() {
		t.Fatalf("page 2: %d commits", len(got.Commits))
	}
	got, _, err = c.CompareCommits(w.ctx, "acme", "web", "main", "deployment/production", nil)
	w.must(err)
	if got.GetStatus() != "behind" || got.GetBehindBy() != 260 {
		t.Fatalf("backwards: %s %d", got.GetStatus(), got.GetBehindBy())
	}
	_, _, err = c.CompareCommits(w.ctx, "acme", "web", "nowhere", "main", nil)
	wantError(t, err, 404, "Not Found")
}

func TestConditionalRequestsAreFree(t *testing.T) {
	w := newWorld(t, nil)
	get := func(etag string) *http.Response {
		req, err := http.NewRequestWithContext(w.ctx, http.MethodGet, w.srv.URL+"/api/v3/repos/acme/web/git/ref/heads/main", nil)
		w.must(err)
		req.Header.Set("Authorization", "token alice-token")
		req.Header.Set("If-None-Match", etag)
		resp, err := http.DefaultClient.Do(req)
		w.must(err)
		resp.Body.Close()
		return resp
	}
	first := get("")
	again := get(first.Header.Get("ETag"))
	if first.StatusCode != 200 || again.StatusCode != 304 || again.Header.Get("X-RateLimit-Used") != first.Header.Get("X-RateLimit-Used") {
		t.Fatalf("%d then %d, used %s", first.StatusCode, again.StatusCode, again.Header.Get("X-RateLimit-Used"))
	}
	w.change("alice", "main", "a.txt", "a\n")
	if third := get(first.Header.Get("ETag")); third.StatusCode != 200 {
		t.Fatalf("a change answers %d", third.StatusCode)
	}
}

func TestAppInstallation(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(c *Config) { c.App.Key = &key.PublicKey })
	client := func(k *rsa.PrivateKey) *github.Client {
		path := filepath.Join(t.TempDir(), "app.pem")
		w.must(os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k)}), 0o600))
		tr, err := ghinstallation.NewKeyFromFile(http.DefaultTransport, 7, 70, path)
		w.must(err)
		tr.BaseURL = w.srv.URL + "/api/v3"
		c := w.client("")
		out := github.NewClient(&http.Client{Transport: tr})
		out.BaseURL = c.BaseURL
		return out
	}
	w.pr("topic")
	app := client(key)
	m, _, err := app.Issues.CreateComment(w.ctx, "acme", "web", 1, &github.IssueComment{Body: github.String("hello")})
	w.must(err)
	if m.GetUser().GetLogin() != "signalbox[bot]" {
		t.Fatalf("the App acts as %s", m.GetUser().GetLogin())
	}
	jwt, err := ghinstallation.NewAppsTransport(http.DefaultTransport, 7, pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
	w.must(err)
	self := github.NewClient(&http.Client{Transport: jwt})
	self.BaseURL = app.BaseURL
	conf, _, err := self.Apps.GetHookConfig(w.ctx)
	w.must(err)
	if conf.GetURL() != w.recv.srv.URL {
		t.Fatalf("the App's hook goes to %s", conf.GetURL())
	}
	_, _, err = app.Users.Get(w.ctx, "")
	wantError(t, err, 403, "Resource not accessible by integration")
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := client(other).Repositories.Get(w.ctx, "acme", "web"); err == nil || !strings.Contains(err.Error(), "401") {
		t.Fatalf("a foreign key: %v", err)
	}
}

func TestPermissionLevels(t *testing.T) {
	w := newWorld(t, nil)
	for login, want := range map[string]string{"alice": "admin", "bob": "write", "carol": "read", "mallory": "none"} {
		got, _, err := w.as("alice").Repositories.GetPermissionLevel(w.ctx, "acme", "web", login)
		w.must(err)
		if got.GetPermission() != want {
			t.Errorf("%s has %s, want %s", login, got.GetPermission(), want)
		}
	}
	me, _, err := w.as("alice").Users.Get(w.ctx, "")
	w.must(err)
	if me.GetLogin() != "alice" || me.GetEmail() != "alice@example.com" {
		t.Fatalf("user %v", me)
	}
}

func TestProtectionIsReadable(t *testing.T) {
	w := newWorld(t, func(c *Config) {
		c.Repos[0].Protect = []Protection{{Branch: "deployment/*", Contexts: []string{"signalbox/gate"}}}
	})
	for branch, want := range map[string]int{"main": 0, "deployment/production": 1} {
		b, _, err := w.as("carol").Repositories.GetBranch(w.ctx, "acme", "web", branch, 0)
		w.must(err)
		if b.GetProtected() != (want == 1) {
			t.Fatalf("branch %s: %v", branch, b)
		}
		rules, _, err := w.as("carol").Repositories.GetRulesForBranch(w.ctx, "acme", "web", branch)
		w.must(err)
		if len(rules) != want {
			t.Fatalf("rules of %s: %v", branch, rules)
		}
	}
}

func TestUnknownEndpointIsWrittenDown(t *testing.T) {
	w := newWorld(t, nil)
	_, _, err := w.as("alice").Actions.ListWorkflows(w.ctx, "acme", "web", nil)
	wantError(t, err, 404, "Not Found")
	if v := w.sim.Violations(); len(v) != 1 || !strings.Contains(v[0], "GET /repos/acme/web/actions/workflows") {
		t.Fatalf("violations %v", v)
	}
}
