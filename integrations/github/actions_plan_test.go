package github

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/github/githubsim"
)

func TestAdoptFollowsWhatTheCIStartsByItself(t *testing.T) {
	c := newCI(t, nil)
	a := c.step("adopt: true\n")
	c.run.SHA = c.commit("main", "app/main.txt", "two\n")
	if p := c.planned(a, "+0 ~1 -0"); !strings.Contains(p.Text, "GitHub Actions runs deploy.yml of acme/web by itself when this is merged; that run is followed, and none is started.") {
		t.Errorf("the plan says %q", p.Text)
	}
	c.when("after", "GET", "/runs", func() { // it was looked for, and not there yet
		_, err := c.sim.Trigger(c.ctx, web, "deploy.yml", "push", "main")
		c.must(err)
	})
	c.apply(a)
	if r := c.once("success"); r.Event != "push" || r.SHA != c.run.SHA {
		t.Errorf("it is %+v", r)
	}
	if !strings.Contains(c.log(), "has begun no run of deploy.yml of acme/web for "+c.run.SHA[:12]+" yet; it is waited for, 2s at most") {
		t.Error(c.log())
	}
	if p, err := a.Probe(c.ctx, c.run); err != nil || !p.Clean {
		t.Errorf("the probe: %+v %v", p, err)
	}
	c.attempt()
	c.says(c.step("adopt: true\nstart_wait: 100ms\n").Apply(c.ctx, c.run), false, "GitHub Actions began no run of deploy.yml of acme/web for abababababab by itself within 100ms, and adopt starts none")
	c.once("success")
}

// A killed tool finds it again, an adopted run is not cancelled for its length, and a
// person can have it cancelled.
func TestAnAdoptedRunIsFollowed(t *testing.T) {
	c := newCI(t, nil)
	c.run.SHA = c.commit("main", "app/main.txt", "two\n")
	begun, let := c.stays()
	_, err := c.sim.Trigger(c.ctx, web, "deploy.yml", "push", "main")
	c.must(err)
	c.await("the run", begun)
	err = c.step("adopt: true\nlimit: 100ms\n").Apply(c.ctx, c.run)
	c.says(err, true, "it is not over after 100ms: in_progress: job job, step Run the job; it goes on by itself: http")
	sha := c.run.SHA
	c.attempt()
	c.run.SHA = sha
	c.when("after", "GET", "/jobs", func() { c.kill(); let() })
	c.apply(c.step("adopt: true\n"))
	c.once("success")
}

// A run that was dispatched is of a branch whose tip may be that very commit.
func TestAdoptTakesNoRunOfOurs(t *testing.T) {
	c := newCI(t, nil)
	sha := c.commit("main", "app/main.txt", "two\n")
	c.run.SHA = sha
	c.apply(c.step(""))
	if r := c.once("success"); r.SHA != sha {
		t.Fatalf("it is %+v", r)
	}
	c.attempt()
	c.run.SHA = sha
	c.says(c.step("adopt: true\nstart_wait: 100ms\n").Apply(c.ctx, c.run), false, "GitHub Actions began no run of deploy.yml of acme/web for "+sha[:12]+" by itself")
	c.once("success")
}

const plannedText = "--- signalbox plan ---\n  + a bucket\nsecret " + actionsToken + "\n--- end of signalbox plan ---\n"

func TestAWorkflowThatPlans(t *testing.T) {
	c := newCI(t, nil)
	a := c.step("inputs: {region: osaka}\nplan: {workflow: plan.yml, inputs: {act: plan}, nothing: '^No changes'}\n")
	prints := func(text string) {
		c.will(func(_ context.Context, r githubsim.WorkflowRun, log io.Writer) error {
			fmt.Fprintln(log, "run "+r.Inputs["nonce"]) // differs each time
			_, err := io.WriteString(log, text)
			return err
		})
	}
	prints(plannedText)
	p := c.planned(a, "+0 ~1 -0")
	if !strings.Contains(p.Text, "  + a bucket\n") || strings.Contains(p.Text, "sb-") || strings.Contains(p.Text, actionsToken) || len(p.Notes) != 1 {
		t.Errorf("the plan says %q %q", p.Text, p.Notes)
	}
	if again := c.planned(a, "+0 ~1 -0"); (integrations.Plans{again}).Digest() != (integrations.Plans{p}).Digest() {
		t.Error("the same plan has another digest")
	}
	prints(strings.Replace(plannedText, "bucket", "queue", 1))
	if other := c.planned(a, "+0 ~1 -0"); (integrations.Plans{other}).Digest() == (integrations.Plans{p}).Digest() {
		t.Error("another plan has the same digest")
	}
	if in := c.runs("plan.yml")[0].Inputs; in["act"] != "plan" || in["region"] != "osaka" || in["sha"] != c.run.SHA {
		t.Errorf("it was given %v", in)
	}
	if n, m := len(c.runs("plan.yml")), len(c.runs("deploy.yml")); n != 3 || m != 0 {
		t.Errorf("there are %d runs that plan, and %d others", n, m)
	}
	prints(strings.Replace(plannedText, "  + a bucket", "No changes.", 1))
	c.planned(a, "+0 ~0 -0")
	c.apply(a)
	if n := len(c.runs("deploy.yml")); n != 0 {
		t.Errorf("there are %d runs", n)
	}
	prints("no marks\n")
	_, err := a.Plan(c.ctx, c.run)
	c.says(err, false, "its log has no plan in it", "--- signalbox plan ---")
	c.will(func(context.Context, githubsim.WorkflowRun, io.Writer) error { return errors.New("exit code 1") })
	_, err = a.Plan(c.ctx, c.run)
	c.says(err, false, "plan.yml of acme/web failed: failure")
}

// A plan that was killed is followed by the next one, and none is begun twice.
func TestAPlanThatWasKilled(t *testing.T) {
	c := newCI(t, nil)
	a := c.step("plan: {workflow: plan.yml}\n")
	c.will(func(_ context.Context, _ githubsim.WorkflowRun, log io.Writer) error {
		_, err := io.WriteString(log, plannedText)
		return err
	})
	c.when("after", "POST", "/dispatches", c.kill)
	if _, err := a.Plan(c.ctx, c.run); !errors.Is(err, integrations.ErrInterrupted) {
		t.Errorf("it was killed: %v", err)
	}
	c.planned(a, "+0 ~1 -0")
	if n := len(c.runs("plan.yml")); n != 1 {
		t.Errorf("there are %d runs", n)
	}
	if left := read(t, filepath.Join(c.run.Work, "remote-plan.json")); left != "{}" {
		t.Errorf("it left %s", left)
	}
}

func TestActionsMistakes(t *testing.T) {
	c := newCI(t, nil)
	for more, want := range map[string]string{
		"workflow: .github/workflows/deploy.yml\n":    "workflow: \".github/workflows/deploy.yml\" is not the file of a workflow",
		"ref: " + strings.Repeat("a", 40) + "\n":      "is not a branch or tag",
		"plan: {nothing: x}\n":                        "plan.workflow: is missing",
		"plan: {workflow: p.yml, inputs: {sha: x}}\n": "plan.inputs: sha is given by signalbox itself",
		"plan: {workflow: p.yml, nothing: '('}\n":     "is no pattern",
		"token: ghp_$(x)\n":                           "token: want the name of a variable",
		"adopt: true\ninputs: {a: b}\n":               "inputs: a run that the CI starts by itself is given none",
		"inputs: {nonce: b}\n":                        "inputs: nonce is given by signalbox itself",
		"poll: 1ms\n":                                 "poll: 1ms is too short",
		"limit: 0s\n":                                 "limit: 0s is not a time",
		"colour: red\n":                               "unknown field \"colour\"",
	} {
		if _, err := c.make(more); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s says %v, want %q", more, err, want)
		}
	}
	if _, err := os.Stat(c.run.Work); err != nil {
		t.Error(err)
	}
}
