package githubsim

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-github/v60/github"
)

func TestLostReplyHasActed(t *testing.T) {
	w := newWorld(t, nil)
	w.pr("topic")
	w.must(w.sim.Fault(FaultSpec{Kind: "lose_reply", Method: "POST", Path: "/comments"}))
	create := func() error {
		_, _, err := w.as("bot").Issues.CreateComment(w.ctx, "acme", "web", 1, &github.IssueComment{Body: github.String("x")})
		return err
	}
	var answered *github.ErrorResponse
	if err := create(); err == nil || errors.As(err, &answered) {
		t.Fatalf("the reply was not lost: %v", err)
	}
	w.must(create())
	p, err := w.sim.Pull("acme/web", 1)
	w.must(err)
	if len(p.Comments) != 2 {
		t.Fatalf("%d comments", len(p.Comments))
	}
}

func TestErrorsAndRateLimits(t *testing.T) {
	w := newWorld(t, nil)
	get := func() error {
		_, _, err := w.as("bob").Repositories.Get(w.ctx, "acme", "web")
		return err
	}
	w.must(w.sim.Fault(FaultSpec{Kind: "error", Status: 503, Count: 2}))
	wantError(t, get(), 503, "")
	wantError(t, get(), 503, "")
	w.must(get())
	w.must(w.sim.Fault(FaultSpec{Kind: "rate_limit", RetryAfter: 2}))
	var secondary *github.AbuseRateLimitError
	if err := get(); !errors.As(err, &secondary) || secondary.GetRetryAfter() != 2*time.Second {
		t.Fatalf("secondary limit: %v", err)
	}
	w.must(w.sim.Fault(FaultSpec{Kind: "rate_limit", Status: 429, RetryAfter: 1}))
	wantError(t, mustNotLimit(w.client("bob-token"), w), 429, "secondary rate limit")
	w.must(w.sim.Fault(FaultSpec{Kind: "rate_limit", Primary: true}))
	var primary *github.RateLimitError
	if _, _, err := w.client("bob-token").Repositories.Get(w.ctx, "acme", "web"); !errors.As(err, &primary) {
		t.Fatalf("primary limit: %v", err)
	}
}

// mustNotLimit asks with a client that has not been told to wait.
func mustNotLimit(c *github.Client, w *world) error {
	_, _, err := c.Repositories.Get(w.ctx, "acme", "web")
	return err
}

func TestLagIsSeenByReadsAndEnds(t *testing.T) {
	w := newWorld(t, nil)
	old := w.pr("topic").GetHead().GetSHA()
	w.must(w.sim.Fault(FaultSpec{Kind: "lag", Count: 3, Repo: "acme/web"}))
	sha := w.change("bob", "topic", "b.txt", "b\n")
	w.idle()
	got := w.recv.all()
	if e := got[len(got)-1].payload.(*github.PullRequestEvent); e.GetAfter() != sha {
		t.Fatalf("the webhook must know: %+v", e)
	}
	c := w.as("alice")
	p, _, err := c.PullRequests.Get(w.ctx, "acme", "web", 1)
	w.must(err)
	ref, _, err := c.Git.GetRef(w.ctx, "acme", "web", "heads/topic")
	w.must(err)
	if p.GetHead().GetSHA() != old || ref.GetObject().GetSHA() != old {
		t.Fatalf("REST knows already: %s %s", p.GetHead().GetSHA(), ref.GetObject().GetSHA())
	}
	_, _, err = c.Repositories.GetCommit(w.ctx, "acme", "web", sha, nil)
	wantError(t, err, 422, "No commit found")
	p, _, err = c.PullRequests.Get(w.ctx, "acme", "web", 1)
	w.must(err)
	if p.GetHead().GetSHA() != sha {
		t.Fatal("the lag does not end")
	}
}

func TestMergeableIsUnknownAtFirst(t *testing.T) {
	w := newWorld(t, nil)
	w.pr("topic")
	w.must(w.sim.Fault(FaultSpec{Kind: "mergeable_unknown"}))
	for i, known := range []bool{false, true} {
		p, _, err := w.as("bob").PullRequests.Get(w.ctx, "acme", "web", 1)
		w.must(err)
		if (p.Mergeable != nil) != known {
			t.Fatalf("read %d: mergeable %v", i, p.Mergeable)
		}
	}
}

func TestOnRequestStandsAroundTheAct(t *testing.T) {
	w := newWorld(t, nil)
	w.pr("topic")
	var mu sync.Mutex
	var seen []string
	w.sim.SetHooks(func(stage, method, path string) {
		p, err := w.sim.Pull("acme/web", 1)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, stage+" "+method+" "+path+" "+p.State)
	}, nil)
	_, _, err := w.as("bob").PullRequests.Merge(w.ctx, "acme", "web", 1, "", nil)
	w.must(err)
	mu.Lock()
	defer mu.Unlock()
	want := []string{"before PUT /repos/acme/web/pulls/1/merge open", "after PUT /repos/acme/web/pulls/1/merge merged"}
	if !slices.Equal(seen, want) {
		t.Fatalf("seen %q", seen)
	}
}
