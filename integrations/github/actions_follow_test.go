package github

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/github/githubsim"
	"github.com/signalbox-chatops/signalbox/integrations/integrationstest"
)

// A kill while it is followed is nothing to the run.
func TestKilledWhileItIsFollowed(t *testing.T) {
	for _, fails := range []bool{false, true} {
		c := newCI(t, nil)
		a := c.step("")
		c.planned(a, "+0 ~1 -0")
		begun, let := c.stays()
		if fails {
			stay := c.does
			c.will(func(ctx context.Context, r githubsim.WorkflowRun, log io.Writer) error {
				return errors.Join(stay(ctx, r, log), errors.New("Process completed with exit code 1."))
			})
		}
		done := make(chan error, 1)
		go func() { done <- a.Apply(c.ctx, c.run) }()
		c.await("the run", begun)
		c.kill()
		c.when("after", "GET", "/jobs", let) // it is followed again
		err := <-done
		if fails {
			c.says(err, false, "actions find: deploy.yml of acme/web failed: failure: job job, step Run the job: http")
			c.once("failure")
			continue
		}
		if err != nil {
			t.Fatalf("%s\n%s", integrationstest.Explain(err), c.log())
		}
		c.once("success")
	}
}

func TestAnswersThatAreLostOrLateOrTooMany(t *testing.T) {
	dispatch := githubsim.FaultSpec{Method: "POST", Path: "/dispatches"}
	with := func(kind string, change func(*githubsim.FaultSpec)) githubsim.FaultSpec {
		f := dispatch
		f.Kind = kind
		if change != nil {
			change(&f)
		}
		return f
	}
	for _, f := range []githubsim.FaultSpec{
		with("lose_reply", nil),
		with("rate_limit", nil),
		with("rate_limit", func(f *githubsim.FaultSpec) { f.Status = 429 }),
		with("error", func(f *githubsim.FaultSpec) { f.Status, f.Count = 503, 3 }),
		{Kind: "error", Status: 502, Method: "GET", Path: "/actions/runs/", Count: 4},
		{Kind: "error", Status: 404, Method: "GET", Path: "/actions/runs/", Count: 4},
		{Kind: "error", Status: 500, Method: "GET", Path: "/deploy.yml/runs", Count: 2},
		{Kind: "delay", DelayMS: 300, Method: "POST", Path: "/dispatches"},
	} {
		t.Run(fmt.Sprint(f.Kind, f.Status, f.Method), func(t *testing.T) {
			c := newCI(t, nil)
			a := c.step("start_wait: 10s\n")
			c.planned(a, "+0 ~1 -0")
			c.fault(f)
			c.apply(a)
			c.once("success")
		})
	}
}

// The list of runs is behind, the server does not say which run it began, or both.
func TestARunThatIsLookedFor(t *testing.T) {
	for _, old := range []bool{false, true} {
		c := newCI(t, func(sc *githubsim.Config) { sc.NoRunDetails = old })
		a := c.step("")
		c.planned(a, "+0 ~1 -0")
		if !old {
			c.fault(githubsim.FaultSpec{Kind: "lose_reply", Method: "POST", Path: "/dispatches"})
		}
		c.when("after", "POST", "/dispatches", func() { c.fault(githubsim.FaultSpec{Kind: "runs_late", Count: 3}) })
		c.apply(a)
		c.once("success")
		if !strings.Contains(c.log(), "It is looked for by sb-") {
			t.Error(c.log())
		}
	}
}

// What nobody can know is unknown, and what is known is said.
func TestADispatchThatDidNotArrive(t *testing.T) {
	c := newCI(t, nil)
	a := c.step("start_wait: 200ms\n")
	c.planned(a, "+0 ~1 -0")
	c.fault(githubsim.FaultSpec{Kind: "error", Status: 500, Method: "POST", Path: "/dispatches"})
	c.says(a.Apply(c.ctx, c.run), true, "it is not known whether deploy.yml of acme/web was started", "GitHub answered 500", "no run of deploy.yml of acme/web showed that knows the nonce sb-")
	if p, err := a.Probe(c.ctx, c.run); err != nil || p.Clean || !strings.Contains(p.Text, "there is no run that knows it") {
		t.Errorf("the probe: %+v %v", p, err)
	}
	if n := len(c.runs("deploy.yml")); n != 0 {
		t.Errorf("there are %d runs", n)
	}

	// A workflow that does not put the nonce into its name cannot be found by it.
	c.attempt()
	a = c.step("workflow: unnamed.yml\nstart_wait: 200ms\n")
	c.fault(githubsim.FaultSpec{Kind: "lose_reply", Method: "POST", Path: "/dispatches"})
	c.says(a.Apply(c.ctx, c.run), true, "no run of unnamed.yml of acme/web showed")
	if n := len(c.runs("unnamed.yml")); n != 1 {
		t.Errorf("there are %d runs", n)
	}
	c.attempt()
	c.apply(a) // one whose answer came is followed, and told of
	if !strings.Contains(c.log(), `Its name is "deploy" and does not hold the nonce sb-`) {
		t.Error(c.log())
	}
}

// The run of an attempt whose answer nobody got shows late. The next attempt follows it.
func TestARunOfAnEarlierAttemptIsFollowed(t *testing.T) {
	c := newCI(t, nil)
	a := c.step("start_wait: 300ms\n")
	c.planned(a, "+0 ~1 -0")
	begun, let := c.stays()
	c.fault(githubsim.FaultSpec{Kind: "lose_reply", Method: "POST", Path: "/dispatches"})
	c.when("after", "POST", "/dispatches", func() { c.fault(githubsim.FaultSpec{Kind: "runs_late", Count: -1}) })
	c.says(a.Apply(c.ctx, c.run), true, "no run of deploy.yml of acme/web showed")
	c.await("the run", begun)
	c.sim.ClearFaults()
	c.attempt()
	c.planned(a, "+0 ~1 -0")
	c.when("after", "GET", "/jobs", let)
	c.apply(a)
	c.once("success")
	if !strings.Contains(c.log(), "An earlier try began deploy.yml of acme/web at this commit, and no second one is started") {
		t.Error(c.log())
	}
	c.attempt()
	c.apply(a) // by a plan of before it had succeeded
	c.once("success")
}

func TestWhatGitHubRefuses(t *testing.T) {
	for _, k := range []struct {
		name, more, want string
		token            string
	}{
		{"a workflow that is not there", "workflow: none.yml\n", "404: Not Found", ""},
		{"a ref that is not there", "ref: release\n", "dispatch deploy.yml of acme/web at release: GitHub answered 422: No ref found for: release; nothing was started", ""},
		{"an input that is not declared", "inputs: {colour: red}\n", `Unexpected inputs provided: ["colour"]; nothing was started`, ""},
		{"a workflow that is not dispatched", "workflow: push.yml\n", "Workflow does not have 'workflow_dispatch' trigger; nothing was started", ""},
		{"a token that may not", "", "GitHub answered 404", "mallory-token"},
		{"no token", "token: CI_TOKEN\n", "there is no CI_TOKEN in the environment of the step: give it a token in plan_env and apply_env", ""},
	} {
		t.Run(k.name, func(t *testing.T) {
			c := newCI(t, nil)
			if k.token != "" {
				c.exec.Secrets["GITHUB_TOKEN"] = k.token
			}
			err := c.step(k.more).Apply(c.ctx, c.run)
			c.says(err, false, k.want)
			var failed *integrations.CommandError
			if !errors.As(err, &failed) {
				t.Errorf("it is no command that failed: %v", err)
			}
			if n := len(c.sim.WorkflowRuns()); n != 0 {
				t.Errorf("there are %d runs", n)
			}
		})
	}
}

func TestTheCIIsDown(t *testing.T) {
	for _, k := range []struct{ local, want string }{
		{"", "this step has no local, by which it could be run here; apply it again when GitHub Actions is back"},
		{"local: [make, deploy]\n", "it can be run here: make deploy"},
	} {
		c := newCI(t, nil)
		a := c.step("start_wait: 100ms\n" + k.local)
		c.planned(a, "+0 ~1 -0")
		since := time.Now().UTC()
		c.fault(githubsim.FaultSpec{Kind: "down"})
		_, err := a.Plan(c.ctx, c.run) // as right before an apply
		c.says(err, false, "GitHub Actions cannot be reached since "+since.Format("15:04")[:4], "; nothing was started; "+k.want)
		err = a.Apply(c.ctx, c.run)
		c.says(err, false, "GitHub Actions cannot be reached since "+since.Format("15:04")[:4], "GitHub answered 503", "; nothing was started; "+k.want)
		c.fault(githubsim.FaultSpec{Kind: "up"})
		if n := len(c.sim.WorkflowRuns()); n != 0 {
			t.Errorf("there are %d runs", n)
		}
		c.attempt()
		c.apply(a)
		c.once("success")
	}
}

// It goes down while the run goes on.
func TestTheCIIsAwayWhileItIsFollowed(t *testing.T) {
	c := newCI(t, nil)
	a := c.step("")
	begun, let := c.stays()
	done := make(chan error, 1)
	go func() { done <- a.Apply(c.ctx, c.run) }()
	c.await("the run", begun)
	c.when("after", "GET", "/jobs", func() {
		c.fault(githubsim.FaultSpec{Kind: "error", Status: 500, Path: "/actions/", Count: 9})
		let()
	})
	if err := <-done; err != nil {
		t.Fatalf("%s\n%s", integrationstest.Explain(err), c.log())
	}
	c.once("success")
	if !strings.Contains(c.log(), "It cannot be looked at now: read the run ") {
		t.Error(c.log())
	}
}

func TestACancelEndsTheRun(t *testing.T) {
	c := newCI(t, nil)
	a := c.step("")
	begun, _ := c.stays()
	done := make(chan error, 1)
	go func() { done <- a.Apply(c.ctx, c.run) }()
	c.await("the run", begun)
	c.interrupt()
	err := <-done
	c.says(err, false, "its run was cancelled and is over: cancelled: job job, step Run the job; what it had done by then stays: http")
	var left *integrations.Left
	if !errors.Is(err, integrations.ErrInterrupted) || !errors.As(err, &left) {
		t.Errorf("a person stopped it: %v", err)
	}
	c.once("cancelled")
	if p, err := a.Probe(c.ctx, c.run); err != nil || p.Clean || !strings.Contains(p.Text, "is over: cancelled") {
		t.Errorf("the probe: %+v %v", p, err)
	}
}

// The person's word comes while it is dispatched, or before.
func TestACancelAsItBegins(t *testing.T) {
	c := newCI(t, nil)
	a := c.step("")
	c.stays()
	c.when("before", "GET", "/runs", c.interrupt)
	// It may hear of it only after it has dispatched.
	if err := a.Apply(c.ctx, c.run); len(c.sim.WorkflowRuns()) == 0 {
		c.says(err, false, "nothing was started")
	} else {
		c.says(err, false, "its run was cancelled and is over")
		c.once("cancelled")
		c = newCI(t, nil)
		a = c.step("")
		c.stays()
	}
	c.attempt()
	c.when("before", "POST", "/dispatches", c.interrupt)
	c.says(a.Apply(c.ctx, c.run), false, "its run was cancelled and is over")
	c.once("cancelled")
}

func TestACancelThatComesTooLate(t *testing.T) {
	c := newCI(t, nil)
	a := c.step("")
	begun, let := c.stays()
	done := make(chan error, 1)
	go func() { done <- a.Apply(c.ctx, c.run) }()
	c.await("the run", begun)
	c.when("before", "POST", "/cancel", func() {
		let()
		for len(c.runs("deploy.yml")) == 0 || c.runs("deploy.yml")[0].Status != "completed" {
			if c.ctx.Err() != nil {
				return
			}
		}
	})
	c.interrupt()
	if err := <-done; err != nil {
		t.Fatalf("%s\n%s", integrationstest.Explain(err), c.log())
	}
	c.once("success")
	if !strings.Contains(c.log(), "It had succeeded before it could be cancelled: http") {
		t.Error(c.log())
	}
}

// A cancel that was begun is carried on by who follows.
func TestKilledWhileItIsCancelled(t *testing.T) {
	for _, stage := range []string{"before", "after"} {
		c := newCI(t, nil)
		a := c.step("")
		begun, _ := c.stays()
		done := make(chan error, 1)
		go func() { done <- a.Apply(c.ctx, c.run) }()
		c.await("the run", begun)
		killed := make(chan struct{})
		c.when(stage, "POST", "/cancel", func() { c.kill(); close(killed) })
		c.interrupt()
		c.await("the kill", killed)
		err := <-done
		c.says(err, false, "its run was cancelled and is over")
		if !errors.Is(err, integrations.ErrInterrupted) {
			t.Errorf("a person stopped it: %v", err)
		}
		c.once("cancelled")
	}
}

func TestCancelledElsewhereAndGone(t *testing.T) {
	c := newCI(t, nil)
	a := c.step("")
	begun, _ := c.stays()
	done := make(chan error, 1)
	go func() { done <- a.Apply(c.ctx, c.run) }()
	c.await("the run", begun)
	_, err := c.api.Actions.CancelWorkflowRunByID(c.ctx, "acme", "web", c.runs("deploy.yml")[0].ID)
	c.must(shape(err))
	err = <-done
	c.says(err, false, "deploy.yml of acme/web was cancelled at GitHub Actions: cancelled: job job, step Run the job; what it had done by then stays: http")
	if errors.Is(err, integrations.ErrInterrupted) {
		t.Errorf("nobody here stopped it: %v", err)
	}
	c.once("cancelled")
}

func TestARunThatTakesTooLong(t *testing.T) {
	c := newCI(t, nil)
	a := c.step("limit: 200ms\n")
	c.stays()
	err := a.Apply(c.ctx, c.run)
	c.says(err, false, "deploy.yml of acme/web was not over after 200ms and was cancelled; what it had done by then stays: http")
	if errors.Is(err, integrations.ErrInterrupted) {
		t.Errorf("nobody stopped it: %v", err)
	}
	c.once("cancelled")
}
