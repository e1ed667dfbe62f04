package github

import (
	"context"
	"testing"

	gh "github.com/google/go-github/v60/github"
)

// Who edited a pull request last is asked of GraphQL, which writes the logins of
// bots without their ending.
func TestWhoEditedAPullRequest(t *testing.T) {
	w := newWorld(t, nil)
	p := w.somePull()
	edited := func(want string) {
		t.Helper()
		if got, err := w.BodyEditor(context.Background(), web, p.Number); err != nil || got != want {
			t.Fatalf("edited by %q, %v; want %q", got, err, want)
		}
	}
	edited("")
	text := "bob was here"
	if _, _, err := w.as("bob-token").PullRequests.Edit(w.ctx, "acme", "web", p.Number, &gh.PullRequest{Body: &text}); err != nil {
		t.Fatal(err)
	}
	edited("bob")
	if err := w.UpdatePull(w.ctx, web, p.Number, "Deploy", "we were, too"); err != nil {
		t.Fatal(err)
	}
	edited("signalbox[bot]")
	if _, err := w.BodyEditor(w.ctx, web, 4711); err == nil {
		t.Error("somebody edited a pull request that there is not")
	}
}
