package githubsim

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-github/v60/github"
)

func TestPullRequestRules(t *testing.T) {
	w := newWorld(t, nil)
	c := w.as("alice").PullRequests
	open := func(head, base, title string) error {
		_, _, err := c.Create(w.ctx, "acme", "web", &github.NewPullRequest{Title: &title, Head: &head, Base: &base})
		return err
	}
	w.change("alice", "topic", "a.txt", "a\n")
	w.must(open("topic", "main", "One"))
	wantError(t, open("topic", "main", "Two"), 422, "A pull request already exists for acme:topic.")
	wantError(t, open("acme:topic", "main", "Two"), 422, "A pull request already exists for acme:topic.")
	wantError(t, open("deployment/production", "main", "Nothing"), 422, "No commits between main and deployment/production")
	wantError(t, open("nowhere", "main", "x"), 422, "head")
	wantError(t, open("topic", "nowhere", "x"), 422, "base")
	wantError(t, open("topic", "deployment/production", ""), 422, "title")
	_, _, err := c.Create(w.ctx, "acme", "web", &github.NewPullRequest{
		Title: github.String("Long"), Head: github.String("topic"), Base: github.String("deployment/production"), Body: github.String(strings.Repeat("x", 65537)),
	})
	wantError(t, err, 422, "too long")
	_, _, err = w.as("carol").PullRequests.Create(w.ctx, "acme", "web", &github.NewPullRequest{
		Title: github.String("x"), Head: github.String("topic"), Base: github.String("deployment/production"),
	})
	wantError(t, err, 403, "not accessible")
	_, _, err = w.as("mallory").PullRequests.Get(w.ctx, "acme", "web", 1)
	wantError(t, err, 404, "Not Found")
	_, _, err = w.client("nonsense").PullRequests.Get(w.ctx, "acme", "web", 1)
	wantError(t, err, 401, "Bad credentials")
	_, _, err = w.client("").PullRequests.Get(w.ctx, "acme", "web", 1)
	wantError(t, err, 404, "Not Found")
}

func TestPullRequestShape(t *testing.T) {
	w := newWorld(t, nil)
	p := w.pr("topic")
	if p.GetNumber() != 1 || p.GetState() != "open" || !p.GetMergeable() || p.GetMergeableState() != "clean" || p.GetMerged() ||
		p.GetCommits() != 1 || p.GetChangedFiles() != 1 || p.GetAdditions() != 1 || p.GetDeletions() != 0 ||
		p.GetHead().GetLabel() != "acme:topic" || p.GetBase().GetRef() != "main" || p.GetUser().GetLogin() != "alice" ||
		p.GetHead().GetRepo().GetFullName() != "acme/web" || p.GetNodeID() == "" ||
		p.GetHTMLURL() != w.srv.URL+"/acme/web/pull/1" || p.Links == nil {
		t.Fatalf("pull request %s", p)
	}
	files, _, err := w.as("carol").PullRequests.ListFiles(w.ctx, "acme", "web", 1, nil)
	w.must(err)
	if len(files) != 1 || files[0].GetFilename() != "topic.txt" || files[0].GetStatus() != "added" || !strings.Contains(files[0].GetPatch(), "+topic") {
		t.Fatalf("files %v", files)
	}
	commits, _, err := w.as("carol").PullRequests.ListCommits(w.ctx, "acme", "web", 1, nil)
	w.must(err)
	if len(commits) != 1 || commits[0].GetSHA() != p.GetHead().GetSHA() || commits[0].GetAuthor().GetLogin() != "alice" {
		t.Fatalf("commits %v", commits)
	}
	raw, _, err := w.as("carol").PullRequests.GetRaw(w.ctx, "acme", "web", 1, github.RawOptions{Type: github.Diff})
	w.must(err)
	if !strings.Contains(raw, "diff --git a/topic.txt b/topic.txt") {
		t.Fatalf("diff %q", raw)
	}
}

func TestPullRequestLife(t *testing.T) {
	w := newWorld(t, nil)
	p := w.pr("topic")
	c := w.as("alice").PullRequests
	edit := func(p *github.PullRequest) error {
		_, _, err := c.Edit(w.ctx, "acme", "web", 1, p)
		return err
	}
	w.idle()
	w.recv.forget()
	w.must(edit(&github.PullRequest{Title: github.String("Better")}))
	w.must(edit(&github.PullRequest{State: github.String("closed")}))
	w.must(edit(&github.PullRequest{State: github.String("open")}))
	sha := w.change("bob", "topic", "b.txt", "b\n")
	w.idle()
	got := w.recv.all()
	var actions []string
	for _, r := range got {
		if e, ok := r.payload.(*github.PullRequestEvent); ok {
			actions = append(actions, e.GetAction())
		}
	}
	if want := []string{"edited", "closed", "reopened", "synchronize"}; !slices.Equal(actions, want) {
		t.Fatalf("actions %v, want %v", actions, want)
	}
	last := got[len(got)-1].payload.(*github.PullRequestEvent)
	if last.GetBefore() != p.GetHead().GetSHA() || last.GetAfter() != sha || last.GetPullRequest().GetHead().GetSHA() != sha ||
		last.GetSender().GetLogin() != "bob" || last.GetNumber() != 1 || last.GetRepo().GetID() == 0 {
		t.Fatalf("synchronize %+v", last)
	}
	// A head branch that goes takes its pull request with it, for good.
	_, err := w.as("alice").Git.DeleteRef(w.ctx, "acme", "web", "heads/topic")
	w.must(err)
	now, _, err := c.Get(w.ctx, "acme", "web", 1)
	w.must(err)
	if now.GetState() != "closed" || now.GetMerged() {
		t.Fatalf("after the branch went: %s", now)
	}
	wantError(t, edit(&github.PullRequest{State: github.String("open")}), 422, "branch has been deleted")
	// Its head can still be fetched.
	dir := w.clone("carol-token")
	w.mustGit(dir, "fetch", "-q", "origin", "refs/pull/1/head")
	if got := w.mustGit(dir, "rev-parse", "FETCH_HEAD"); got != sha {
		t.Fatalf("refs/pull/1/head is %s, want %s", got, sha)
	}
}

func TestMergeMethods(t *testing.T) {
	for method, parents := range map[string]int{"merge": 2, "squash": 1, "rebase": 1} {
		t.Run(method, func(t *testing.T) {
			w := newWorld(t, nil)
			p := w.pr("topic")
			main := w.change("bob", "main", "app/main.txt", "one\ntwo\n3\n")
			res, _, err := w.as("bob").PullRequests.Merge(w.ctx, "acme", "web", 1, "", &github.PullRequestOptions{MergeMethod: method, SHA: p.GetHead().GetSHA()})
			w.must(err)
			now, _, err := w.as("bob").PullRequests.Get(w.ctx, "acme", "web", 1)
			w.must(err)
			if !res.GetMerged() || !now.GetMerged() || now.GetMergedBy().GetLogin() != "bob" || now.GetMergeCommitSHA() != res.GetSHA() || now.GetState() != "closed" {
				t.Fatalf("merged %+v: %s", res, now)
			}
			c, _, err := w.as("bob").Repositories.GetCommit(w.ctx, "acme", "web", res.GetSHA(), nil)
			w.must(err)
			if len(c.Parents) != parents || c.Parents[0].GetSHA() != main {
				t.Fatalf("parents %v", c.Parents)
			}
			dir := w.clone("carol-token")
			if got := w.mustGit(dir, "show", "HEAD:topic.txt") + w.mustGit(dir, "show", "HEAD:app/main.txt"); got != "topicone\ntwo\n3" {
				t.Fatalf("tree %q", got)
			}
			by, _, err := w.as("carol").PullRequests.ListPullRequestsWithCommit(w.ctx, "acme", "web", res.GetSHA(), nil)
			w.must(err)
			if len(by) != 1 || by[0].GetNumber() != 1 {
				t.Fatalf("pulls of the merge %v", by)
			}
		})
	}
}

func TestMergeRefusals(t *testing.T) {
	w := newWorld(t, func(c *Config) {
		c.Repos[0].Protect = []Protection{{Branch: "main", Contexts: []string{"signalbox/gate"}}}
	})
	p := w.pr("topic")
	if p.GetMergeableState() != "blocked" {
		t.Fatalf("state %s", p.GetMergeableState())
	}
	merge := func(login, sha string) error {
		_, _, err := w.as(login).PullRequests.Merge(w.ctx, "acme", "web", 1, "", &github.PullRequestOptions{SHA: sha})
		return err
	}
	status := func(state string) {
		_, _, err := w.as("bob").Repositories.CreateStatus(w.ctx, "acme", "web", p.GetHead().GetSHA(), &github.RepoStatus{State: &state, Context: github.String("signalbox/gate")})
		w.must(err)
	}
	wantError(t, merge("bob", ""), 405, `Required status check "signalbox/gate" is expected.`)
	status("pending")
	wantError(t, merge("bob", ""), 405, "is pending")
	status("failure")
	wantError(t, merge("bob", ""), 405, "is failing")
	status("success")
	wantError(t, merge("carol", ""), 403, "not accessible")
	wantError(t, merge("bob", strings.Repeat("0", 40)), 409, "Head branch was modified")
	w.change("bob", "main", "topic.txt", "something else\n")
	now, _, err := w.as("bob").PullRequests.Get(w.ctx, "acme", "web", 1)
	w.must(err)
	if now.GetMergeable() || now.GetMergeableState() != "dirty" {
		t.Fatalf("a conflict is %v %s", now.GetMergeable(), now.GetMergeableState())
	}
	wantError(t, merge("bob", ""), 405, "Pull Request is not mergeable")
}

func TestMergeRace(t *testing.T) {
	w := newWorld(t, nil)
	p := w.pr("topic")
	var wg sync.WaitGroup
	errs := make([]error, 6)
	for i := range errs {
		wg.Go(func() {
			_, _, errs[i] = w.as("bob").PullRequests.Merge(w.ctx, "acme", "web", 1, "", &github.PullRequestOptions{SHA: p.GetHead().GetSHA()})
		})
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
			continue
		}
		wantError(t, err, 405, "Pull Request is not mergeable")
	}
	if won != 1 {
		t.Fatalf("%d merges", won)
	}
	closed := 0
	for _, e := range w.events() {
		if e == "pull_request.closed" {
			closed++
		}
	}
	if closed != 1 {
		t.Fatalf("%d closed events", closed)
	}
}

func TestPushOfTheHeadIntoTheBaseMerges(t *testing.T) {
	w := newWorld(t, nil)
	p := w.pr("topic")
	dir := w.clone("bob-token")
	w.mustGit(dir, "merge", "-q", "--no-ff", "-m", "by hand", "origin/topic")
	w.mustGit(dir, "push", "-q", "origin", "HEAD:main")
	now, _, err := w.as("bob").PullRequests.Get(w.ctx, "acme", "web", p.GetNumber())
	w.must(err)
	if !now.GetMerged() || now.GetMergedBy().GetLogin() != "bob" || now.GetMergeCommitSHA() != w.mustGit(dir, "rev-parse", "HEAD") {
		t.Fatalf("merged by hand: %s", now)
	}
}

func TestDeleteBranchOnMerge(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Repos[0].DeleteBranchOnMerge = true })
	w.pr("topic")
	w.must(w.sim.Merge(w.ctx, "bob", "acme/web", 1))
	_, _, err := w.as("bob").Git.GetRef(w.ctx, "acme", "web", "heads/topic")
	wantError(t, err, 404, "Not Found")
	got := w.events()
	if want := []string{"push", "pull_request.closed", "delete", "push"}; !slices.Equal(got[len(got)-4:], want) {
		t.Fatalf("events %v", got)
	}
}

func TestReviews(t *testing.T) {
	w := newWorld(t, nil)
	w.pr("topic")
	review := func(login, event, body string) error {
		_, _, err := w.as(login).PullRequests.CreateReview(w.ctx, "acme", "web", 1, &github.PullRequestReviewRequest{Event: &event, Body: &body})
		return err
	}
	wantError(t, review("alice", "APPROVE", ""), 422, "Can not approve your own pull request")
	wantError(t, review("bob", "REQUEST_CHANGES", ""), 422, "blank")
	w.must(review("bob", "APPROVE", ""))
	list, _, err := w.as("carol").PullRequests.ListReviews(w.ctx, "acme", "web", 1, nil)
	w.must(err)
	if len(list) != 1 || list[0].GetState() != "APPROVED" || list[0].GetUser().GetLogin() != "bob" {
		t.Fatalf("reviews %v", list)
	}
	_, _, err = w.as("alice").PullRequests.DismissReview(w.ctx, "acme", "web", 1, list[0].GetID(), &github.PullRequestReviewDismissalRequest{Message: github.String("moved on")})
	w.must(err)
	_, _, err = w.as("alice").PullRequests.RequestReviewers(w.ctx, "acme", "web", 1, github.ReviewersRequest{Reviewers: []string{"mallory"}})
	wantError(t, err, 422, "collaborators")
	_, _, err = w.as("alice").PullRequests.RequestReviewers(w.ctx, "acme", "web", 1, github.ReviewersRequest{Reviewers: []string{"bob"}})
	w.must(err)
	w.idle()
	var states []string
	for _, r := range w.recv.all() {
		if e, ok := r.payload.(*github.PullRequestReviewEvent); ok {
			states = append(states, e.GetAction()+" "+e.GetReview().GetState())
		}
	}
	if want := []string{"submitted approved", "dismissed dismissed"}; !slices.Equal(states, want) {
		t.Fatalf("review events %v", states)
	}
}

func TestForkPullRequest(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Repos[0].Collaborators["mallory"] = "read" })
	n, err := w.sim.ForkPR(w.ctx, "mallory", "acme/web", "evil", "main", "Help you", map[string]*string{"x.tf": text("x\n")})
	w.must(err)
	p, _, err := w.as("alice").PullRequests.Get(w.ctx, "acme", "web", n)
	w.must(err)
	if p.GetHead().GetRepo().GetFullName() != "mallory/web" || !p.GetHead().GetRepo().GetFork() || p.GetHead().GetLabel() != "mallory:evil" || p.GetChangedFiles() != 1 {
		t.Fatalf("fork's pull request %s", p)
	}
	_, _, err = w.as("carol").Repositories.Get(w.ctx, "mallory", "web")
	w.must(err) // who sees the parent sees its forks
	_, _, err = w.as("carol").PullRequests.Create(w.ctx, "mallory", "web", &github.NewPullRequest{
		Title: github.String("x"), Head: github.String("evil"), Base: github.String("main"),
	})
	wantError(t, err, 403, "not accessible")
	sha, err := w.sim.Commit(w.ctx, "mallory", "mallory/web", "evil", "More", map[string]*string{"y.tf": text("y\n")})
	w.must(err)
	p, _, err = w.as("alice").PullRequests.Get(w.ctx, "acme", "web", n)
	w.must(err)
	if p.GetHead().GetSHA() != sha || p.GetChangedFiles() != 2 {
		t.Fatalf("after a push to the fork: %s", p)
	}
	w.must(w.sim.Merge(w.ctx, "alice", "acme/web", n))
}

func TestListPullsFiltersAndPages(t *testing.T) {
	w := newWorld(t, nil)
	for i := range 5 {
		w.pr(fmt.Sprintf("topic-%d", i))
	}
	w.must(w.sim.Merge(w.ctx, "bob", "acme/web", 3))
	c := w.as("carol").PullRequests
	numbers := func(o *github.PullRequestListOptions) ([]int, *github.Response) {
		list, resp, err := c.List(w.ctx, "acme", "web", o)
		w.must(err)
		var out []int
		for _, p := range list {
			out = append(out, p.GetNumber())
		}
		return out, resp
	}
	if got, _ := numbers(nil); !slices.Equal(got, []int{5, 4, 2, 1}) {
		t.Fatalf("open %v", got)
	}
	if got, _ := numbers(&github.PullRequestListOptions{State: "closed"}); !slices.Equal(got, []int{3}) {
		t.Fatalf("closed %v", got)
	}
	if got, _ := numbers(&github.PullRequestListOptions{Head: "acme:topic-1"}); !slices.Equal(got, []int{2}) {
		t.Fatalf("by head %v", got)
	}
	if got, _ := numbers(&github.PullRequestListOptions{Base: "deployment/production"}); len(got) != 0 {
		t.Fatalf("by base %v", got)
	}
	got, resp := numbers(&github.PullRequestListOptions{State: "all", Sort: "created", Direction: "asc", ListOptions: github.ListOptions{PerPage: 2, Page: 2}})
	if !slices.Equal(got, []int{3, 4}) || resp.NextPage != 3 || resp.LastPage != 3 || resp.PrevPage != 1 {
		t.Fatalf("page 2 %v, %+v", got, resp)
	}
}
