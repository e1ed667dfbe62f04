package github

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/github/githubsim"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
)

func (w *world) somePull() integrations.PullRequest {
	w.t.Helper()
	head, err := w.BranchHead(w.ctx, web, "main")
	w.must(err)
	w.must(w.CreateBranch(w.ctx, web, "side", head))
	w.commit("side", "b.txt", "1")
	return w.pull("side", "main")
}

func say(text string) integrations.Message {
	return integrations.Message{Text: text, Blocks: []integrations.Block{{Text: integrations.R(text)}}}
}

func TestCommentIsPostedOnceAndEdited(t *testing.T) {
	w := newWorld(t, nil)
	p := w.somePull()
	place := w.Places()["github.comment"]
	post := integrations.Post{
		Where: map[string]string{"repo": web, "pr": strconv.Itoa(p.Number)}, Nonce: "01HX", Since: time.Now(), Message: say("planning"),
	}
	if ref, found, err := place.Find(w.ctx, post); err != nil || found || ref != "" {
		t.Fatalf("before, Find = %q, %v, %v", ref, found, err)
	}
	w.fault(githubsim.FaultSpec{Kind: "lose_reply", Method: "POST", Path: "/comments"})
	var later *integrations.Later
	if _, err := place.Show(w.ctx, post); !errors.As(err, &later) {
		t.Fatalf("Show with its reply lost: %v, want Later", err)
	}
	ref, found, err := place.Find(w.ctx, post)
	if err != nil || !found {
		t.Fatalf("Find = %q, %v, %v, want the comment", ref, found, err)
	}
	post.Ref, post.Message = ref, say("planned")
	if again, err := place.Show(w.ctx, post); err != nil || again != ref {
		t.Fatalf("edit = %q, %v, want %q", again, err, ref)
	}
	view, err := w.sim.Pull(web, p.Number)
	w.must(err)
	if len(view.Comments) != 1 || view.Comments[0].Body != "<!-- signalbox:01HX -->\nplanned" {
		t.Errorf("comments = %+v, want one, edited", view.Comments)
	}
	id, _ := strconv.ParseInt(ref, 10, 64)
	_, err = w.api.Issues.DeleteComment(w.ctx, "acme", "web", id)
	w.must(err)
	var gone *integrations.Gone
	if _, err := place.Show(w.ctx, post); !errors.As(err, &gone) {
		t.Errorf("edit of a deleted comment: %v, want Gone", err)
	}
	post.Nonce = "x --> <script>"
	if _, err := place.Show(w.ctx, post); err == nil {
		t.Error("a nonce that would end the marker was taken")
	}
}

// A marker that stands in somebody's text is not ours; one on a later page is.
func TestFindLooksThroughAllPages(t *testing.T) {
	w := newWorld(t, nil)
	p := w.somePull()
	place := w.Places()["github.comment"]
	post := integrations.Post{Where: map[string]string{"repo": web, "pr": strconv.Itoa(p.Number)}, Nonce: "n", Message: say("look: <!-- signalbox:ours -->")}
	for range 101 {
		if _, err := place.Show(w.ctx, post); err != nil {
			t.Fatal(err)
		}
	}
	// GitHub takes from anybody what our own rendering would escape.
	quote := "> <!-- signalbox:ours -->"
	_, _, err := w.api.Issues.CreateComment(w.ctx, "acme", "web", p.Number, &gh.IssueComment{Body: &quote})
	w.must(err)
	post.Nonce = "ours"
	if ref, found, err := place.Find(w.ctx, post); err != nil || found {
		t.Errorf("Find took a marker inside a text: %s, %v", ref, err)
	}
	want, err := place.Show(w.ctx, post)
	w.must(err)
	if ref, found, err := place.Find(w.ctx, post); err != nil || !found || ref != want {
		t.Errorf("Find = %q, %v, %v, want %q", ref, found, err, want)
	}
}

func TestStatus(t *testing.T) {
	w := newWorld(t, nil)
	p := w.somePull()
	place := w.Places()["github.status"]
	post := integrations.Post{Where: map[string]string{"repo": web, "sha": p.Head, "context": "signalbox/gate"}, Since: time.Now()}
	if _, found, err := place.Find(w.ctx, post); err != nil || found {
		t.Errorf("before, Find = %v, %v", found, err)
	}
	post.Message.Status = &integrations.Status{Context: "signalbox/gate", State: "pending", Description: strings.Repeat("計", 200), URL: "https://bot.example/jobs/1"}
	ref, err := place.Show(w.ctx, post)
	w.must(err)
	if found, ok, err := place.Find(w.ctx, post); err != nil || !ok || found != ref {
		t.Errorf("Find = %q, %v, %v, want %q", found, ok, err, ref)
	}
	post.Ref, post.Message.Status = ref, &integrations.Status{Context: "signalbox/gate", State: "success", Description: "all planned"}
	_, err = place.Show(w.ctx, post)
	w.must(err)
	view, err := w.sim.Pull(web, p.Number)
	w.must(err)
	if len(view.Statuses) != 1 || view.Statuses[0].State != "success" || view.Statuses[0].Description != "all planned" {
		t.Errorf("statuses = %+v", view.Statuses)
	}

	post.Where["sha"] = strings.Repeat("ab", 20)
	var later *integrations.Later
	var gone *integrations.Gone
	if _, err := place.Show(w.ctx, post); !errors.As(err, &later) {
		t.Errorf("status of a commit not known yet: %v, want Later", err)
	}
	post.Since = time.Now().Add(-time.Hour)
	if _, err := place.Show(w.ctx, post); !errors.As(err, &gone) {
		t.Errorf("status of a commit not known for an hour: %v, want Gone", err)
	}
}

func TestDeployment(t *testing.T) {
	w := newWorld(t, nil)
	head, err := w.BranchHead(w.ctx, web, "main")
	w.must(err)
	place := w.Places()["github.deployment"]
	post := integrations.Post{Where: map[string]string{"repo": web}, Nonce: "01HX", Since: time.Now()}
	post.Message.Deployment = &integrations.Deployment{Ref: head, Environment: "production", Task: "apply:network", State: "in_progress", Description: "job-1"}
	other := post
	other.Nonce = "other"
	_, err = place.Show(w.ctx, other)
	w.must(err)
	if _, found, err := place.Find(w.ctx, post); err != nil || found {
		t.Fatalf("before, Find = %v, %v", found, err)
	}
	// The deployment is made, its status is not: the next try must not make another.
	w.fault(githubsim.FaultSpec{Kind: "error", Method: "POST", Path: "/statuses"})
	var later *integrations.Later
	if _, err := place.Show(w.ctx, post); !errors.As(err, &later) {
		t.Fatalf("Show with half of it failing: %v, want Later", err)
	}
	ref, found, err := place.Find(w.ctx, post)
	if err != nil || !found {
		t.Fatalf("Find = %q, %v, %v", ref, found, err)
	}
	post.Ref, post.Message.Deployment.State = ref, "success"
	if again, err := place.Show(w.ctx, post); err != nil || again != ref {
		t.Fatalf("Show = %q, %v, want %q", again, err, ref)
	}
	all, _, err := w.api.Repositories.ListDeployments(w.ctx, "acme", "web", nil)
	w.must(err)
	if len(all) != 2 {
		t.Errorf("%d deployments, want 2", len(all))
	}
	id, _ := strconv.ParseInt(ref, 10, 64)
	states, _, err := w.api.Repositories.ListDeploymentStatuses(w.ctx, "acme", "web", id, nil)
	w.must(err)
	if len(states) != 1 || states[0].GetState() != "success" {
		t.Errorf("statuses = %v, want success alone", states)
	}
}

func TestPlacesAskForTime(t *testing.T) {
	w := newWorld(t, nil)
	p := w.somePull()
	post := integrations.Post{Where: map[string]string{"repo": web, "pr": strconv.Itoa(p.Number), "sha": p.Head, "context": "x"}, Nonce: "n", Message: say("x")}
	post.Message.Status = &integrations.Status{State: "pending"}
	post.Message.Deployment = &integrations.Deployment{Ref: p.Head, Environment: "production", State: "queued"}
	for name := range w.Places() {
		for _, f := range []githubsim.FaultSpec{{Kind: "rate_limit", RetryAfter: 30}, {Kind: "error"}, {Kind: "lose_reply"}} {
			c, err := New(w.cfg, w.clock, nil)
			w.must(err)
			f.Method = http.MethodPost
			w.fault(f)
			_, err = c.Places()[name].Show(w.ctx, post)
			var later *integrations.Later
			if !errors.As(err, &later) || f.Kind == "rate_limit" && (later.After < 25*time.Second || later.After > 31*time.Second) {
				t.Errorf("%s under %s: %v, want Later", name, f.Kind, err)
			}
			c.Close()
			w.sim.ClearFaults()
		}
	}
	gone := post
	gone.Where = map[string]string{"repo": "acme/none", "pr": "1", "sha": p.Head, "context": "x"}
	for name, place := range w.Places() {
		var g *integrations.Gone
		if _, err := place.Show(w.ctx, gone); !errors.As(err, &g) {
			t.Errorf("%s in a repository that is not there: %v, want Gone", name, err)
		}
	}
}

// A deployment's payload comes back as an object, or as one in a string.
func TestPayloadNonce(t *testing.T) {
	for raw, want := range map[string]string{
		`{"signalbox":"n"}`: "n", `"{\"signalbox\":\"n\"}"`: "n", `""`: "", `{}`: "", `"words"`: "", `null`: "", ``: "", `[1]`: "",
	} {
		if got := payloadNonce(json.RawMessage(raw)); got != want {
			t.Errorf("payloadNonce(%s) = %q, want %q", raw, got, want)
		}
	}
}

// A redirect must not carry the token to another host.
func TestTokenStaysOnItsHost(t *testing.T) {
	leaked := ""
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { leaked = r.Header.Get("Authorization") }))
	defer other.Close()
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		http.Redirect(rw, r, strings.Replace(other.URL, "127.0.0.1", "localhost", 1)+r.URL.Path, http.StatusMovedPermanently)
	}))
	defer srv.Close()
	c, err := New(Config{Token: integrations.NewSecret("the-token"), APIURL: srv.URL}, clock.Real(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	err = shape(func() error { _, _, err := c.api.Users.Get(t.Context(), ""); return err }())
	if err == nil || leaked != "" || strings.Contains(err.Error(), "the-token") {
		t.Errorf("err %v, the other host got %q", err, leaked)
	}
}
