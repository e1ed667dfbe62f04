package github

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/github/githubsim"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
)

func TestPromotionFromBranchToMerge(t *testing.T) {
	w := newWorld(t, nil)
	from, err := w.BranchHead(w.ctx, web, "deployment/production")
	w.must(err)
	w.commit("main", "a.txt", "1")
	head := w.commit("main", "b.txt", "2")
	for _, ref := range []string{"main", head, head[:10]} {
		if sha, err := w.Resolve(w.ctx, web, ref); err != nil || sha != head {
			t.Errorf("Resolve(%s) = %s, %v, want %s", ref, sha, err, head)
		}
	}
	cmp, err := w.Compare(w.ctx, web, "deployment/production", head)
	w.must(err)
	if cmp.Status != "ahead" || cmp.Ahead != 2 || len(cmp.Commits) != 2 || cmp.Commits[1].SHA != head || !slices.Equal(cmp.Files, []string{"a.txt", "b.txt"}) {
		t.Errorf("Compare = %+v", cmp)
	}
	if c := cmp.Commits[0]; c.Author != "alice" || c.Message != "Change a.txt" || c.At.IsZero() {
		t.Errorf("first commit = %+v", c)
	}

	branch := "signalbox/web-production-op-1"
	w.must(w.CreateBranch(w.ctx, web, branch, head))
	if err := w.CreateBranch(w.ctx, web, branch, head); !errors.Is(err, integrations.ErrExists) {
		t.Errorf("a second CreateBranch: %v, want ErrExists", err)
	}
	p := w.pull(branch, "deployment/production")
	if p.State != "open" || p.Head != head || p.Branch != branch || p.Base != "deployment/production" || p.Fork || p.Author != "signalbox[bot]" || p.RepoID == 0 || p.MergeSHA != "" {
		t.Errorf("OpenPull = %+v", p)
	}
	if _, err := w.OpenPull(w.ctx, web, integrations.NewPull{Title: "Again", Head: branch, Base: "deployment/production"}); !errors.Is(err, integrations.ErrExists) {
		t.Errorf("a second OpenPull: %v, want ErrExists", err)
	}
	if found, err := w.FindPull(w.ctx, web, branch, "deployment/production"); err != nil || found.Number != p.Number {
		t.Errorf("FindPull = #%d, %v", found.Number, err)
	}
	if files, more, err := w.PullFiles(w.ctx, web, p.Number); err != nil || more || !slices.Equal(files, []string{"a.txt", "b.txt"}) {
		t.Errorf("PullFiles = %v, %v, %v", files, more, err)
	}
	if open, err := w.OpenPulls(w.ctx, web); err != nil || len(open) != 1 {
		t.Errorf("OpenPulls = %v, %v", open, err)
	}

	began := time.Now().Add(-time.Minute)
	if _, err := w.MergePull(w.ctx, web, p.Number, from, "Deploy"); !errors.Is(err, integrations.ErrMoved) {
		t.Errorf("MergePull at another head: %v, want ErrMoved", err)
	}
	sha, err := w.MergePull(w.ctx, web, p.Number, head, "Deploy")
	w.must(err)
	if _, err := w.MergePull(w.ctx, web, p.Number, head, "Deploy"); !errors.Is(err, integrations.ErrNotMergeable) {
		t.Errorf("a second MergePull: %v, want ErrNotMergeable", err)
	}
	now, err := w.Pull(w.ctx, web, p.Number)
	w.must(err)
	if now.State != "merged" || now.MergeSHA != sha || now.MergedBy != "signalbox[bot]" || now.MergedAt.IsZero() {
		t.Errorf("after the merge Pull = %+v, want merge %s", now, sha)
	}
	recent, err := w.RecentPulls(w.ctx, web, "deployment/production", began)
	if err != nil || len(recent) != 1 || recent[0].State != "merged" || recent[0].MergeSHA != sha {
		t.Errorf("RecentPulls = %+v, %v", recent, err)
	}
	if late, err := w.RecentPulls(w.ctx, web, "", time.Now().Add(time.Hour)); err != nil || len(late) != 0 {
		t.Errorf("RecentPulls of the future = %v, %v", late, err)
	}
	commits, err := w.Commits(w.ctx, web, "deployment/production", from)
	if err != nil || len(commits) != 1 || commits[0].SHA != sha {
		t.Errorf("first-parent commits = %+v, %v, want the merge alone", commits, err)
	}
	pulls, err := w.PullsOfCommit(w.ctx, web, sha)
	if err != nil || len(pulls) != 1 || pulls[0].Number != p.Number {
		t.Errorf("PullsOfCommit = %+v, %v", pulls, err)
	}
	for range 2 {
		if err := w.DeleteBranch(w.ctx, web, branch); err != nil {
			t.Errorf("DeleteBranch: %v", err)
		}
	}
	if _, err := w.BranchHead(w.ctx, web, branch); !errors.Is(err, integrations.ErrNotFound) {
		t.Errorf("BranchHead of a deleted branch: %v, want ErrNotFound", err)
	}
}

func TestPinCommitsAFile(t *testing.T) {
	w := newWorld(t, nil)
	head, err := w.BranchHead(w.ctx, web, "main")
	w.must(err)
	w.must(w.CreateBranch(w.ctx, web, "pin", head))
	content, blob, err := w.ReadFile(w.ctx, web, "app/main.txt", "main")
	if err != nil || string(content) != "one\n" {
		t.Fatalf("ReadFile = %q, %v", content, err)
	}
	sha, err := w.CommitFile(w.ctx, web, "pin", "app/main.txt", []byte("two\n"), blob, "Set it to two")
	w.must(err)
	if now, err := w.BranchHead(w.ctx, web, "pin"); err != nil || now != sha {
		t.Errorf("the branch is at %s, %v, want %s", now, err, sha)
	}
	if _, err := w.CommitFile(w.ctx, web, "pin", "app/main.txt", []byte("three\n"), blob, "Late"); !errors.Is(err, integrations.ErrMoved) {
		t.Errorf("CommitFile over a changed file: %v, want ErrMoved", err)
	}
	if _, err := w.CommitFile(w.ctx, web, "pin", "app/main.txt", []byte("three\n"), "", "New"); !errors.Is(err, integrations.ErrExists) {
		t.Errorf("CommitFile of a new file that is there: %v, want ErrExists", err)
	}
	if _, err := w.CommitFile(w.ctx, web, "pin", "new.txt", []byte("x"), "", "New"); err != nil {
		t.Errorf("CommitFile of a new file: %v", err)
	}
	if content, _, err := w.ReadFile(w.ctx, web, "app/main.txt", "pin"); err != nil || string(content) != "two\n" {
		t.Errorf("afterwards ReadFile = %q, %v", content, err)
	}
	if _, _, err := w.ReadFile(w.ctx, web, "app", "main"); err == nil || errors.Is(err, integrations.ErrNotFound) {
		t.Errorf("ReadFile of a folder: %v, want an error that says so", err)
	}
	if _, _, err := w.ReadFile(w.ctx, web, "nowhere", "main"); !errors.Is(err, integrations.ErrNotFound) {
		t.Errorf("ReadFile of nothing: %v, want ErrNotFound", err)
	}
}

func TestPagesAreAllRead(t *testing.T) {
	w := newWorld(t, nil)
	from, err := w.BranchHead(w.ctx, web, "main")
	w.must(err)
	const n = 12
	var last string
	for i := range n {
		last = w.commit("main", fmt.Sprintf("f%02d.txt", i), "x")
	}
	commits, err := w.Commits(w.ctx, web, "main", from)
	w.must(err)
	if len(commits) != n || commits[n-1].SHA != last {
		t.Errorf("Commits = %d of them, want %d, the newest last", len(commits), n)
	}
	if none, err := w.Commits(w.ctx, web, "main", last); err != nil || len(none) != 0 {
		t.Errorf("Commits since the head = %v, %v", none, err)
	}
	if one, err := w.Commits(w.ctx, web, "main", ""); err != nil || len(one) != 1 || one[0].SHA != last {
		t.Errorf("Commits since nothing = %v, %v, want the head alone", one, err)
	}
	side := w.commit("deployment/production", "side.txt", "x")
	if _, err := w.Commits(w.ctx, web, "main", side); !errors.Is(err, integrations.ErrMoved) {
		t.Errorf("Commits since a commit that is not on the branch: %v, want ErrMoved", err)
	}
}

func TestMergeOfAConflict(t *testing.T) {
	w := newWorld(t, nil)
	head, err := w.BranchHead(w.ctx, web, "main")
	w.must(err)
	w.must(w.CreateBranch(w.ctx, web, "side", head))
	mine := w.commit("side", "app/main.txt", "mine\n")
	w.commit("main", "app/main.txt", "theirs\n")
	p := w.pull("side", "main")
	if _, err := w.MergePull(w.ctx, web, p.Number, mine, ""); !errors.Is(err, integrations.ErrNotMergeable) {
		t.Errorf("MergePull of a conflict: %v, want ErrNotMergeable", err)
	}
	w.must(w.AssignPull(w.ctx, web, p.Number, "alice"))
	w.must(w.AssignPull(w.ctx, web, p.Number, "nobody-at-all")) // GitHub leaves them out without a word
	w.must(w.UpdatePull(w.ctx, web, p.Number, "another title", "another text"))
	w.must(w.ClosePull(w.ctx, web, p.Number))
	if now, err := w.Pull(w.ctx, web, p.Number); err != nil || now.State != "closed" || now.Body != "another text" || now.Title != "another title" || now.MergeSHA != "" {
		t.Errorf("Pull = %+v, %v, want closed", now, err)
	}
}

func TestMergeMethodIsAsConfigured(t *testing.T) {
	for method, want := range map[string]int{"merge": 3, "squash": 1, "rebase": 2} {
		w := newWorld(t, func(_ *githubsim.Config, c *Config) { c.MergeMethod = method })
		from, err := w.BranchHead(w.ctx, web, "main")
		w.must(err)
		w.must(w.CreateBranch(w.ctx, web, "side", from))
		w.commit("side", "a.txt", "1")
		head := w.commit("side", "b.txt", "1")
		p := w.pull("side", "main")
		sha, err := w.MergePull(w.ctx, web, p.Number, head, "Bring it in")
		w.must(err)
		if cmp, err := w.Compare(w.ctx, web, from, sha); err != nil || cmp.Ahead != want {
			t.Errorf("%s: %d new commits, %v, want %d", method, cmp.Ahead, err, want)
		}
	}
}

func TestForkIsToldApart(t *testing.T) {
	w := newWorld(t, func(sc *githubsim.Config, _ *Config) { sc.Repos[0].Public = true })
	text := "hostile"
	n, err := w.sim.ForkPR(w.ctx, "mallory", web, "patch", "main", "Hello", map[string]*string{"x": &text})
	w.must(err)
	p, err := w.Pull(w.ctx, web, n)
	if err != nil || !p.Fork || p.Author != "mallory" || p.Repo != web {
		t.Errorf("Pull = %+v, %v, want a fork's", p, err)
	}
	if _, err := w.FindPull(w.ctx, web, "patch", "main"); !errors.Is(err, integrations.ErrNotFound) {
		t.Errorf("FindPull took a fork's branch of the same name: %v", err)
	}
}

func TestWhatDoesNotExist(t *testing.T) {
	w := newWorld(t, nil)
	for _, ref := range []string{"nosuch", "", "-x", "a..b", "a b", "../../user", "main~1", "x\n", strings.Repeat("0", 40)} {
		if _, err := w.Resolve(w.ctx, web, ref); !errors.Is(err, integrations.ErrNotFound) {
			t.Errorf("Resolve(%q): %v, want ErrNotFound", ref, err)
		}
	}
	for _, repo := range []string{"acme/none", "acme", "acme/web/pulls", "../user/x", "acme/..", ""} {
		if _, err := w.RepoID(w.ctx, repo); !errors.Is(err, integrations.ErrNotFound) {
			t.Errorf("RepoID(%q): %v, want ErrNotFound", repo, err)
		}
	}
	_, err := w.Pull(w.ctx, web, 999)
	if !errors.Is(err, integrations.ErrNotFound) || !strings.HasPrefix(err.Error(), "get pull request acme/web#999: ") {
		t.Errorf("Pull: %v, want ErrNotFound saying the act and the thing", err)
	}
}

func TestWrongTokenSaysSo(t *testing.T) {
	w := newWorld(t, func(_ *githubsim.Config, c *Config) { c.Token = integrations.NewSecret("no-such-token") })
	_, err := w.Login(w.ctx)
	if err == nil || !strings.Contains(err.Error(), "401") || strings.Contains(err.Error(), "no-such-token") {
		t.Errorf("Login: %v, want 401 without the token", err)
	}
	f := w.Check(w.ctx, map[string][]string{web: {"main"}})
	if len(f) != 1 || f[0].OK || f[0].Do == "" {
		t.Errorf("Check = %+v, want the token alone", f)
	}
}

func TestReviews(t *testing.T) {
	w := newWorld(t, nil)
	head := w.commit("main", "a.txt", "1")
	w.must(w.CreateBranch(w.ctx, web, "side", head))
	sha := w.commit("side", "b.txt", "1")
	p := w.pull("side", "main")
	bob, err := New(Config{Token: integrations.NewSecret("bob-token"), APIURL: w.cfg.APIURL}, w.clock, nil)
	w.must(err)
	defer bob.Close()
	req, err := bob.api.NewRequest("POST", fmt.Sprintf("repos/acme/web/pulls/%d/reviews", p.Number), map[string]string{"event": "APPROVE"})
	w.must(err)
	_, err = bob.api.Do(w.ctx, req, nil)
	w.must(err)
	reviews, err := w.Reviews(w.ctx, web, p.Number)
	if err != nil || len(reviews) != 1 || reviews[0].Author != "bob" || reviews[0].State != "APPROVED" || reviews[0].Head != sha || reviews[0].At.IsZero() {
		t.Errorf("Reviews = %+v, %v", reviews, err)
	}
}

func TestRetargeted(t *testing.T) {
	w := newWorld(t, nil)
	head := w.commit("main", "a.txt", "1")
	w.must(w.CreateBranch(w.ctx, web, "side", head))
	w.must(w.CreateBranch(w.ctx, web, "other", head))
	w.commit("side", "b.txt", "1")
	p := w.pull("side", "main")
	if at, err := w.Retargeted(w.ctx, web, p.Number); err != nil || !at.IsZero() {
		t.Errorf("before anybody turned it: %s, %v", at, err)
	}
	title, base := "another title", "other"
	_, _, err := w.api.PullRequests.Edit(w.ctx, "acme", "web", p.Number, &gh.PullRequest{Title: &title})
	w.must(err)
	_, _, err = w.api.PullRequests.Edit(w.ctx, "acme", "web", p.Number, &gh.PullRequest{Base: &gh.PullRequestBranch{Ref: &base}})
	w.must(err)
	now, err := w.Pull(w.ctx, web, p.Number)
	w.must(err)
	if at, err := w.Retargeted(w.ctx, web, p.Number); err != nil || !at.Equal(now.UpdatedAt) || now.Base != "other" {
		t.Errorf("Retargeted = %s, %v; it goes into %s since %s", at, err, now.Base, now.UpdatedAt)
	}
	if _, err := w.Retargeted(w.ctx, web, 99); !errors.Is(err, integrations.ErrNotFound) {
		t.Errorf("of one that is not there: %v", err)
	}
}

func TestAppAuthentication(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	pemKey := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	w := newWorld(t, func(sc *githubsim.Config, c *Config) {
		sc.App.Key = &key.PublicKey
		c.Token, c.App = integrations.Secret{}, &AppConfig{ID: 7, InstallationID: 70, PrivateKey: integrations.NewSecret(string(pemKey))}
	})
	if login, err := w.Login(w.ctx); err != nil || login != "signalbox[bot]" {
		t.Errorf("Login = %s, %v", login, err)
	}
	if _, err := w.RepoID(w.ctx, web); err != nil {
		t.Errorf("RepoID: %v", err)
	}
	token, err := w.GitToken(w.ctx, w.CloneURL(web))
	if err != nil || token == "" {
		t.Errorf("GitToken: %v", err)
	}
	if other, err := w.GitToken(w.ctx, "https://evil.example/acme/web.git"); err != nil || other != "" {
		t.Errorf("GitToken for another host = %q, %v, want none", other, err)
	}
	if other, _ := w.GitToken(w.ctx, w.cfg.GitURL+".evil.example/acme/web.git"); other != "" {
		t.Error("GitToken for a host that begins with ours gave the token away")
	}
}

// A server that sends us elsewhere does not get our token there, and a change
// whose answer was lost is not sent again.
func TestTheTokenStaysAtTheAPI(t *testing.T) {
	thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("another host was asked for %s, with %q", r.URL.Path, r.Header.Get("Authorization"))
	}))
	defer thief.Close()
	var asked atomic.Int32
	var with atomic.Value
	api := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		with.Store(r.Header.Get("Authorization"))
		http.Redirect(rw, r, thief.URL+r.URL.Path, http.StatusTemporaryRedirect)
	}))
	defer api.Close()
	c, err := New(Config{Token: integrations.NewSecret("the-token"), APIURL: api.URL + "/api/v3"}, clock.Real(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for act, do := range map[string]func() error{
		"a read":   func() error { _, err := c.BranchHead(t.Context(), web, "main"); return err },
		"a change": func() error { return c.CreateBranch(t.Context(), web, "x", strings.Repeat("1", 40)) },
	} {
		asked.Store(0)
		err := do()
		if err == nil || !strings.Contains(err.Error(), "refused to go from") || asked.Load() != 1 || with.Load() != "Bearer the-token" {
			t.Errorf("%s: %v, asked %d times with %v", act, err, asked.Load(), with.Load())
		}
	}
}

func TestCheckFindsWhatIsMissing(t *testing.T) {
	w := newWorld(t, func(sc *githubsim.Config, c *Config) {
		c.Token = integrations.NewSecret("alice-token")
		sc.Repos[0].Protect = []githubsim.Protection{{Branch: "main", Contexts: []string{GateStatus}}}
		sc.Hooks = []githubsim.Hook{{Repo: web, URL: "http://127.0.0.1:1/github", Secret: "s", Events: []string{"push"}}}
	})
	got := map[string]integrations.Finding{}
	for _, f := range w.Check(w.ctx, map[string][]string{web: {"main", "nosuch"}, "acme/none": {"main"}}) {
		got[f.What] = f
	}
	for what, ok := range map[string]bool{
		"GitHub token": true, "GitHub acme/web": true, "GitHub acme/none": false,
		"GitHub webhook of acme/web": false, "GitHub acme/web branch main": true, "GitHub acme/web branch nosuch": false,
	} {
		f, there := got[what]
		if !there || f.OK != ok || !ok && f.Do == "" {
			t.Errorf("%s: %+v, want OK %v", what, f, ok)
		}
	}
	if f := got["GitHub webhook of acme/web"]; !strings.Contains(f.Say, "pull_request") {
		t.Errorf("the webhook's finding says %q, want the events it lacks", f.Say)
	}
}

func TestCheckKnowsHowARepositoryMerges(t *testing.T) {
	yes, no := true, false
	r := &gh.Repository{AllowMergeCommit: &no, AllowSquashMerge: &yes}
	for method, want := range map[string]bool{"merge": false, "squash": true, "rebase": true} {
		if allows(r, method) != want {
			t.Errorf("%s: %v, want %v", method, !want, want)
		}
	}
}

func TestConfigSaysEveryMistake(t *testing.T) {
	err := Config{
		APIURL: "ftp://x", GitURL: "https://user:pw@x", MergeMethod: "octopus",
		WebhookSecrets: []integrations.Secret{integrations.NewSecret("short"), {}, {}},
		App:            &AppConfig{PrivateKey: integrations.NewSecret("not a key")},
		Token:          integrations.NewSecret("to ken"),
	}.Validate()
	for _, want := range []string{"token: give either", "token: has white space", "app.id", "app.installation_id", "app.private_key", "api_url", "git_url", "webhook_secrets:", "webhook_secrets[0]", "merge_method"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not among the mistakes:\n%v", want, err)
		}
	}
	if (Config{}).Validate() == nil {
		t.Error("a configuration without credentials is taken")
	}
	c := Config{APIURL: "https://ghe.example/api/v3/"}.withDefaults()
	if c.APIURL != "https://ghe.example/api/v3" || c.GitURL != "https://ghe.example" {
		t.Errorf("an Enterprise Server's URLs are %s and %s", c.APIURL, c.GitURL)
	}
}
