package github

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	gh "github.com/google/go-github/v60/github"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/github/githubsim"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
)

// as is a client of somebody else's, as a CI is.
func (w *world) as(token string) *gh.Client {
	w.t.Helper()
	c, err := gh.NewClient(nil).WithAuthToken(token).WithEnterpriseURLs(w.srv.URL+"/api/v3/", w.srv.URL)
	w.must(err)
	return c
}

func (w *world) status(sha, name, state string) {
	w.t.Helper()
	_, _, err := w.as("alice-token").Repositories.CreateStatus(w.ctx, "acme", "web", sha, &gh.RepoStatus{
		Context: &name, State: &state, TargetURL: gh.String("https://ci.example/" + name),
	})
	w.must(err)
}

// run reports a check run; a state with a slash is "completed/<conclusion>".
func (w *world) run(sha, name, state string) {
	w.t.Helper()
	o := gh.CreateCheckRunOptions{Name: name, HeadSHA: sha, DetailsURL: gh.String("https://ci.example/" + name)}
	status, conclusion, done := strings.Cut(state, "/")
	if o.Status = &status; done {
		o.Conclusion = &conclusion
	}
	_, _, err := w.as("bot-token").Checks.CreateCheckRun(w.ctx, "acme", "web", o)
	w.must(err)
}

func TestChecksAreTheNewestOfEachName(t *testing.T) {
	w := newWorld(t, nil)
	sha := w.commit("main", "a.txt", "1")
	for _, s := range [][2]string{{"lint", "failure"}, {"lint", "success"}, {"unit", "success"}, {"unit", "pending"}, {"e2e", "error"}, {"both", "success"}} {
		w.status(sha, s[0], s[1])
	}
	for _, r := range [][2]string{
		{"build", "completed/failure"}, {"build", "completed/success"}, {"again", "completed/success"}, {"again", "in_progress"},
		{"wait", "queued"}, {"off", "completed/skipped"}, {"meh", "completed/neutral"}, {"gone", "completed/cancelled"},
		{"slow", "completed/timed_out"}, {"ask", "completed/action_required"}, {"both", "completed/failure"},
	} {
		w.run(sha, r[0], r[1])
	}
	got, err := w.Checks(w.ctx, web, sha)
	w.must(err)
	var lines []string
	for _, k := range got {
		lines = append(lines, k.Name+" "+k.State)
		if k.URL != "https://ci.example/"+k.Name {
			t.Errorf("%s leads to %q", k.Name, k.URL)
		}
	}
	want := []string{
		"again pending", "ask failure", "both success", "both failure", "build success", "e2e failure", "gone failure",
		"lint success", "meh success", "off success", "slow failure", "unit pending", "wait pending",
	}
	if diff := gocmp.Diff(want, lines); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if _, err := w.Checks(w.ctx, web, strings.Repeat("1", 40)); !errors.Is(err, integrations.ErrNotFound) {
		t.Errorf("the checks of no commit: %v, want ErrNotFound", err)
	}
	if got, err := w.Checks(w.ctx, web, w.commit("main", "a.txt", "2")); err != nil || len(got) != 0 {
		t.Errorf("the checks of a commit without any: %v, %v", got, err)
	}
}

// A word that GitHub may think of one day is no success.
func TestAnUnknownConclusionIsAFailure(t *testing.T) {
	for conclusion, want := range map[string]string{"stale": "failure", "startup_failure": "failure", "": "failure", "miraculous": "failure", "success": "success"} {
		if got := runState(&gh.CheckRun{Status: gh.String("completed"), Conclusion: &conclusion}); got != want {
			t.Errorf("%q is %s, want %s", conclusion, got, want)
		}
	}
	for _, status := range []string{"queued", "in_progress", "waiting", "requested", "pending"} {
		if got := runState(&gh.CheckRun{Status: &status}); got != "pending" {
			t.Errorf("%s is %s, want pending", status, got)
		}
	}
}

func TestChecksAreReadPageByPage(t *testing.T) {
	w := newWorld(t, nil)
	sha := w.commit("main", "a.txt", "1")
	for i := range 101 {
		w.status(sha, fmt.Sprintf("s%03d", i), "success")
		w.run(sha, fmt.Sprintf("r%03d", i), "queued")
	}
	got, err := w.Checks(w.ctx, web, sha)
	if err != nil || len(got) != 202 {
		t.Errorf("%d checks, %v, want 202", len(got), err)
	}
}

// Several suites may have a run of one name, in whatever order GitHub lists them.
func TestTheNewestRunOfANameCounts(t *testing.T) {
	runs := []string{`{"id":5,"name":"unit","status":"completed","conclusion":"failure"}`, `{"id":9,"name":"unit","status":"completed","conclusion":"success"}`}
	api := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/status") {
			fmt.Fprint(rw, `{"statuses":[]}`)
			return
		}
		fmt.Fprintf(rw, `{"total_count":2,"check_runs":[%s]}`, strings.Join(runs, ","))
	}))
	defer api.Close()
	for range 2 {
		c, err := New(Config{Token: integrations.NewSecret("the-token"), APIURL: api.URL}, clock.Real(), nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.Checks(t.Context(), web, strings.Repeat("1", 40))
		if err != nil || len(got) != 1 || got[0].State != "success" {
			t.Errorf("%v = %v, %v, want the success alone", runs, got, err)
		}
		c.Close()
		slices.Reverse(runs)
	}
}

// A token that may not read check runs still reads the statuses, and says so.
func TestStatusesComeWithTheErrorOfTheCheckRuns(t *testing.T) {
	w := newWorld(t, nil)
	sha := w.commit("main", "a.txt", "1")
	w.status(sha, "lint", "success")
	w.fault(githubsim.FaultSpec{Kind: "error", Path: "/check-runs", Status: http.StatusForbidden})
	got, err := w.Checks(w.ctx, web, sha)
	if err == nil || len(got) != 1 || got[0].Name != "lint" {
		t.Errorf("Checks = %v, %v, want lint and an error", got, err)
	}
}

// What a merge waits for and the token cannot read, `check` says beforehand.
func TestCheckTriesToReadRequiredChecks(t *testing.T) {
	w := newWorld(t, func(sc *githubsim.Config, _ *Config) {
		sc.Repos[0].Protect = []githubsim.Protection{{Branch: "main", Contexts: []string{GateStatus, "unit"}}, {Branch: "deployment/*", Contexts: []string{GateStatus}}}
	})
	if f := w.checkBranch(w.ctx, web, "main"); !f.OK || f.Warn {
		t.Errorf("%+v, want OK", f)
	}
	w.fault(githubsim.FaultSpec{Kind: "error", Path: "/check-runs", Status: http.StatusForbidden, Count: -1})
	if f := w.checkBranch(w.ctx, web, "main"); f.OK || !f.Warn || !strings.Contains(f.Say, "whether unit passed cannot be told") || !strings.Contains(f.Do, "GitHub App") {
		t.Errorf("%+v, want a warning about unit", f)
	}
	if f := w.checkBranch(w.ctx, web, "deployment/production"); !f.OK {
		t.Errorf("%+v, want OK: it waits for nothing else", f)
	}
}

func TestRequiredChecks(t *testing.T) {
	w := newWorld(t, func(sc *githubsim.Config, _ *Config) {
		sc.Repos[0].Protect = []githubsim.Protection{{Branch: "deployment/*", Contexts: []string{"unit", GateStatus}}}
	})
	got, err := w.RequiredChecks(w.ctx, web, "deployment/production")
	if err != nil || !slices.Equal(got, []string{GateStatus, "unit"}) {
		t.Errorf("RequiredChecks = %v, %v", got, err)
	}
	if got, err := w.RequiredChecks(w.ctx, web, "main"); err != nil || len(got) != 0 {
		t.Errorf("of a branch that is not protected: %v, %v", got, err)
	}
	if _, err := w.RequiredChecks(w.ctx, web, "nosuch"); !errors.Is(err, integrations.ErrNotFound) {
		t.Errorf("of no branch: %v, want ErrNotFound", err)
	}
	w.fault(githubsim.FaultSpec{Kind: "error", Path: "/rules/", Status: http.StatusForbidden})
	if got, err := w.RequiredChecks(w.ctx, web, "deployment/production"); err == nil || len(got) != 2 {
		t.Errorf("with rulesets that cannot be read: %v, %v, want the protection's and an error", got, err)
	}
}

// Rulesets are read to their last page; a server or a plan without them has none.
func TestRulesetsOfEveryServer(t *testing.T) {
	rules := http.StatusOK
	api := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/branches/main") && !strings.Contains(r.URL.Path, "/rules/"):
			fmt.Fprint(rw, `{"protection":{"required_status_checks":{"contexts":["classic"]}}}`)
		case rules != http.StatusOK:
			rw.WriteHeader(rules)
			fmt.Fprint(rw, `{"message":"Upgrade to GitHub Pro or make this repository public to enable this feature."}`)
		case r.URL.Query().Get("page") == "2":
			fmt.Fprint(rw, `[{"type":"required_status_checks","parameters":{"required_status_checks":[{"context":"late"}]}}]`)
		default:
			rw.Header().Set("Link", fmt.Sprintf(`<http://%s%s?page=2>; rel="next"`, r.Host, r.URL.Path))
			fmt.Fprint(rw, `[{"type":"deletion"},{"type":"required_status_checks","parameters":{"required_status_checks":[{"context":"early"}]}}]`)
		}
	}))
	defer api.Close()
	for status, want := range map[int][]string{
		http.StatusOK: {"classic", "early", "late"}, http.StatusNotFound: {"classic"}, http.StatusForbidden: {"classic"},
	} {
		c, err := New(Config{Token: integrations.NewSecret("the-token"), APIURL: api.URL}, clock.Real(), nil)
		if err != nil {
			t.Fatal(err)
		}
		rules = status
		if got, err := c.RequiredChecks(t.Context(), web, "main"); err != nil || !slices.Equal(got, want) {
			t.Errorf("rulesets that answer %d: %v, %v, want %v", status, got, err, want)
		}
		c.Close()
	}
}

func TestCreateCommit(t *testing.T) {
	w := newWorld(t, nil)
	base := w.commit("main", "dir/b.txt", "b")
	_, blob, err := w.ReadFile(w.ctx, web, "dir/b.txt", base)
	w.must(err)
	made, err := w.CreateCommit(w.ctx, web, integrations.NewCommit{
		Message: "Move b", Parents: []string{base}, Base: base,
		Files: []integrations.FileChange{{Path: "dir/b.txt"}, {Path: "c.txt", Blob: blob}, {Path: "bin/run", Blob: blob, Mode: "100755"}},
	})
	w.must(err)
	cmp, err := w.Compare(w.ctx, web, base, made)
	w.must(err)
	if len(cmp.Commits) != 1 || cmp.Commits[0].Message != "Move b" || cmp.Behind != 0 {
		t.Errorf("the commit is %+v", cmp)
	}
	tree, _, err := w.as("alice-token").Git.GetTree(w.ctx, "acme", "web", made, true)
	w.must(err)
	has := map[string]string{}
	for _, e := range tree.Entries {
		has[e.GetPath()] = e.GetMode()
	}
	if has["c.txt"] != "100644" || has["bin/run"] != "100755" || has["dir/b.txt"] != "" || has["app/main.txt"] == "" {
		t.Errorf("its tree is %v", has)
	}
	if head, err := w.BranchHead(w.ctx, web, "main"); err != nil || head != base {
		t.Errorf("main moved to %s, %v", head, err)
	}
	// A commit of a whole tree, as a revert to an old state is.
	old, _, err := w.as("alice-token").Git.GetCommit(w.ctx, "acme", "web", base)
	w.must(err)
	back, err := w.CreateCommit(w.ctx, web, integrations.NewCommit{Message: "Back", Parents: []string{made}, Tree: old.GetTree().GetSHA()})
	w.must(err)
	if cmp, err := w.Compare(w.ctx, web, base, back); err != nil || len(cmp.Files) != 0 || cmp.Ahead != 2 {
		t.Errorf("going back = %+v, %v", cmp, err)
	}
	same, err := w.CreateCommit(w.ctx, web, integrations.NewCommit{Message: "As it is", Parents: []string{made}, Base: base})
	w.must(err)
	if cmp, err := w.Compare(w.ctx, web, base, same); err != nil || len(cmp.Files) != 0 {
		t.Errorf("a base without changes = %+v, %v", cmp, err)
	}
	merge, err := w.CreateCommit(w.ctx, web, integrations.NewCommit{Message: "Join", Parents: []string{made, same}, Base: same})
	w.must(err)
	if c, _, err := w.as("alice-token").Git.GetCommit(w.ctx, "acme", "web", merge); err != nil || len(c.Parents) != 2 || c.Parents[1].GetSHA() != same {
		t.Errorf("the parents of a merge = %v, %v", c, err)
	}
}

func TestCreateCommitSaysWhatIsWrong(t *testing.T) {
	w := newWorld(t, nil)
	base := w.commit("main", "b.txt", "b")
	none := strings.Repeat("1", 40)
	_, blob, err := w.ReadFile(w.ctx, web, "b.txt", base)
	w.must(err)
	for name, c := range map[string]struct {
		nc      integrations.NewCommit
		missing bool
		say     string
	}{
		"neither":     {integrations.NewCommit{Message: "m"}, false, "either a tree or a base"},
		"both":        {integrations.NewCommit{Message: "m", Tree: none, Base: base}, false, "either a tree or a base"},
		"loose files": {integrations.NewCommit{Message: "m", Tree: none, Files: []integrations.FileChange{{Path: "x"}}}, false, "files need a base"},
		"no message":  {integrations.NewCommit{Message: " ", Base: base}, false, "no message"},
		"odd mode":    {integrations.NewCommit{Message: "m", Base: base, Files: []integrations.FileChange{{Path: "x", Blob: blob, Mode: "777"}}}, false, `no mode "777"`},
		"no tree":     {integrations.NewCommit{Message: "m", Tree: none}, true, "Tree SHA does not exist"},
		"no base":     {integrations.NewCommit{Message: "m", Base: none}, true, "read the base"},
		"bad base":    {integrations.NewCommit{Message: "m", Base: "../x"}, true, "base"},
		"no parent":   {integrations.NewCommit{Message: "m", Base: base, Parents: []string{none}}, true, "Parent SHA does not exist"},
		"no blob":     {integrations.NewCommit{Message: "m", Base: base, Files: []integrations.FileChange{{Path: "x", Blob: none}}}, false, "not a valid blob"},
		"no file":     {integrations.NewCommit{Message: "m", Base: base, Files: []integrations.FileChange{{Path: "nosuch"}}}, false, "BadObjectState"},
	} {
		sha, err := w.CreateCommit(w.ctx, web, c.nc)
		if err == nil || sha != "" || errors.Is(err, integrations.ErrNotFound) != c.missing || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%s: %q, %v, want %q and ErrNotFound %v", name, sha, err, c.say, c.missing)
		}
	}
}

func TestTeamMembers(t *testing.T) {
	w := newWorld(t, func(sc *githubsim.Config, _ *Config) {
		big := githubsim.Team{Slug: "big"}
		for i := range 101 {
			login := fmt.Sprintf("u%03d", i)
			sc.Users = append(sc.Users, githubsim.User{Login: login})
			big.Members = append(big.Members, login)
		}
		sc.Orgs = []githubsim.Org{
			{Name: "acme", Members: []string{"alice", "signalbox[bot]"}, Teams: []githubsim.Team{
				{Slug: "sre", Members: []string{"bob"}}, {Slug: "night-shift", Parent: "sre", Members: []string{"bob", "alice"}},
				{Slug: "hidden", Secret: true, Members: []string{"alice"}}, big,
			}},
			{Name: "other", Teams: []githubsim.Team{{Slug: "sre", Members: []string{"mallory"}}}},
		}
	})
	if got, err := w.TeamMembers(w.ctx, "acme/sre"); err != nil || !slices.Equal(got, []string{"alice", "bob"}) {
		t.Errorf("a team with a child team = %v, %v", got, err)
	}
	if got, err := w.TeamMembers(w.ctx, "acme/big"); err != nil || len(got) != 101 {
		t.Errorf("a big team has %d, %v, want 101", len(got), err)
	}
	w.must(w.sim.SetTeam("acme/night-shift"))
	if got, err := w.TeamMembers(w.ctx, "acme/sre"); err != nil || !slices.Equal(got, []string{"bob"}) {
		t.Errorf("after alice has left = %v, %v", got, err)
	}
	for _, team := range []string{"acme/nosuch", "other/sre", "acme/hidden", "acme", "acme/", "/sre", "acme/sre/x", "acme/../app", ""} {
		if got, err := w.TeamMembers(w.ctx, team); !errors.Is(err, integrations.ErrNotFound) {
			t.Errorf("%q = %v, %v, want ErrNotFound", team, got, err)
		}
	}
	// A 404 of the real thing is not a call that the simulator does not know: that
	// would be a violation.
	w.fault(githubsim.FaultSpec{Kind: "error", Path: "/teams/sre/", Count: -1, Status: http.StatusServiceUnavailable})
	if got, err := w.TeamMembers(w.ctx, "acme/sre"); err == nil || errors.Is(err, integrations.ErrNotFound) {
		t.Errorf("with GitHub down = %v, %v, want an outage", got, err)
	}
}

// What the simulator sends about checks is understood.
func TestChecksAreHeard(t *testing.T) {
	w := newWorld(t, func(sc *githubsim.Config, _ *Config) {
		sc.Hooks = []githubsim.Hook{{Repo: web, Events: slices.Concat(neededEvents, usefulEvents)}}
	})
	var mu sync.Mutex
	heard := map[string]int{}
	recv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body := readAll(t, r)
		e, err := DecodeForge("github."+r.Header.Get("X-GitHub-Event"), body)
		if err != nil {
			t.Errorf("decode %s: %v", body, err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		heard[cmp.Or(e.Kind, "?")+" "+e.Action+" "+e.SHA+" "+strings.Join(e.Branches, ",")]++
	}))
	defer recv.Close()
	sha := w.commit("main", "a.txt", "1")
	w.status(sha, "lint", "success")
	w.run(sha, "unit", "in_progress")
	w.run(sha, "unit", "completed/success")
	w.sim.SetHookURL(recv.URL)
	w.must(w.sim.WaitIdle(w.ctx))
	mu.Lock()
	defer mu.Unlock()
	want := map[string]int{
		"push   ": 1, "check  " + sha + " main": 1, "check created " + sha + " main": 2, "check completed " + sha + " main": 2,
	}
	if diff := gocmp.Diff(want, heard); diff != "" {
		t.Errorf("heard %v: -want +got:\n%s", slices.Sorted(maps.Keys(heard)), diff)
	}
}
