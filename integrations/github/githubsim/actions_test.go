package githubsim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	gh "github.com/google/go-github/v60/github"
)

const deployWorkflow = `name: deploy
run-name: deploy ${{ inputs.what }} by ${{ github.event.inputs.who }}
on:
  push:
  workflow_dispatch:
    inputs:
      what: {required: true}
      who: {default: nobody}
      size: {type: choice, options: [small, large], default: small}
`

// Each call of go-github's that has to do with a run.
func TestWorkflowRuns(t *testing.T) {
	begun, end := make(chan WorkflowRun, 1), make(chan error)
	w := newActionsWorld(t, func(ctx context.Context, r WorkflowRun, log io.Writer) error {
		fmt.Fprint(log, "hello\nof ", r.Inputs["what"], "\n")
		begun <- r
		return <-end
	})
	api, ctx := w.as("bob"), t.Context()
	event := gh.CreateWorkflowDispatchEventRequest{Ref: "main", Inputs: map[string]any{"what": "all"}}
	resp, err := api.Actions.CreateWorkflowDispatchEventByFileName(ctx, "acme", "web", "deploy.yml", event)
	if err != nil || resp.StatusCode != http.StatusNoContent {
		t.Fatalf("%v, %v", resp, err)
	}
	r := <-begun
	if r.Title != "deploy all by nobody" || r.Inputs["size"] != "small" {
		t.Errorf("it is %+v", r)
	}
	for filter, want := range map[*gh.ListWorkflowRunsOptions]int{
		{Event: "workflow_dispatch"}: 1, {Event: "push"}: 0, {HeadSHA: r.SHA, Branch: "main"}: 1, {HeadSHA: strings.Repeat("0", 40)}: 0,
		{Created: ">=2000-01-01T00:00:00Z"}: 1, {Created: ">=2999-01-01T00:00:00Z"}: 0, {Status: "in_progress"}: 1, {Status: "success"}: 0,
	} {
		got, _, err := api.Actions.ListWorkflowRunsByFileName(ctx, "acme", "web", "deploy.yml", filter)
		if err != nil || got.GetTotalCount() != want || len(got.WorkflowRuns) != want {
			t.Errorf("%+v lists %d, want %d: %v", filter, got.GetTotalCount(), want, err)
		}
	}
	jobs, _, err := api.Actions.ListWorkflowJobs(ctx, "acme", "web", r.ID, nil)
	if err != nil || len(jobs.Jobs) != 1 || jobs.Jobs[0].GetStatus() != "in_progress" {
		t.Fatalf("%+v %v", jobs, err)
	}
	if _, _, err := api.Actions.GetWorkflowJobLogs(ctx, "acme", "web", jobs.Jobs[0].GetID(), 1); err == nil {
		t.Error("there is a log of a job that goes on")
	}
	end <- errors.New("exit code 1")
	run := w.completed(ctx, api, r.ID)
	if run.GetConclusion() != "failure" {
		t.Errorf("it ended %s", run.GetConclusion())
	}
	at, _, err := api.Actions.GetWorkflowJobLogs(ctx, "acme", "web", jobs.Jobs[0].GetID(), 1)
	if err != nil {
		t.Fatal(err)
	}
	text := fetch(t, at.String())
	for _, want := range []string{"Z hello\n", "Z of all\n", "Z ##[error]exit code 1\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("the log lacks %q: %q", want, text)
		}
	}
	resp, err = api.Actions.CancelWorkflowRunByID(ctx, "acme", "web", r.ID)
	if err == nil || resp.StatusCode != http.StatusConflict {
		t.Errorf("a run that is over is cancelled: %v", err)
	}
}

// One that a push began is cancelled.
func TestACancelledWorkflowRun(t *testing.T) {
	begun := make(chan WorkflowRun, 1)
	w := newActionsWorld(t, func(ctx context.Context, r WorkflowRun, _ io.Writer) error {
		begun <- r
		<-ctx.Done()
		return ctx.Err()
	})
	api, ctx := w.as("bob"), t.Context()
	id, err := w.sim.Trigger(ctx, "acme/web", "deploy.yml", "push", "main")
	if err != nil {
		t.Fatal(err)
	}
	<-begun
	_, err = api.Actions.CancelWorkflowRunByID(ctx, "acme", "web", id)
	if !errors.As(err, new(*gh.AcceptedError)) {
		t.Errorf("a cancel is answered %v", err)
	}
	if run := w.completed(ctx, api, id); run.GetConclusion() != "cancelled" || run.GetEvent() != "push" || run.GetDisplayTitle() != "deploy  by " {
		t.Errorf("it came to %+v", run)
	}
}

// What GitHub refuses, with its status and its words.
func TestDispatchesThatAreRefused(t *testing.T) {
	w := newActionsWorld(t, nil)
	for _, c := range []struct {
		login, file, ref string
		inputs           map[string]any
		status           int
		words            string
	}{
		{"bob", "none.yml", "main", nil, 404, "Not Found"},
		{"bob", "deploy.yml", "nowhere", nil, 422, "No ref found for: nowhere"},
		{"bob", "push.yml", "main", nil, 422, "Workflow does not have 'workflow_dispatch' trigger"},
		{"bob", "deploy.yml", "main", nil, 422, "Required input 'what' not provided"},
		{"bob", "deploy.yml", "main", map[string]any{"what": "x", "b": "1", "a": "2"}, 422, `Unexpected inputs provided: ["a", "b"]`},
		{"bob", "deploy.yml", "main", map[string]any{"what": "x", "size": "huge"}, 422, "Provided value 'huge' for input 'size' not in the list of allowed values"},
		{"bob", "deploy.yml", "main", map[string]any{"what": 1}, 422, "is not a string"},
		{"carol", "deploy.yml", "main", map[string]any{"what": "x"}, 403, ""},
	} {
		_, err := w.as(c.login).Actions.CreateWorkflowDispatchEventByFileName(t.Context(), "acme", "web", c.file, gh.CreateWorkflowDispatchEventRequest{Ref: c.ref, Inputs: c.inputs})
		var no *gh.ErrorResponse
		if !errors.As(err, &no) || no.Response.StatusCode != c.status || !strings.Contains(no.Message, c.words) {
			t.Errorf("%s at %s with %v is answered %v, want %d %q", c.file, c.ref, c.inputs, err, c.status, c.words)
		}
	}
	if n := len(w.sim.WorkflowRuns()); n != 0 {
		t.Errorf("there are %d runs", n)
	}
}

// actionsWorld is a repository with workflows, whose runs do what a test says.
func newActionsWorld(t *testing.T, runner func(context.Context, WorkflowRun, io.Writer) error) *world {
	return newWorld(t, func(c *Config) {
		c.Runner = runner
		for i := range c.Repos {
			if c.Repos[i].Owner+"/"+c.Repos[i].Name == "acme/web" {
				c.Repos[i].Files = map[string]string{".github/workflows/deploy.yml": deployWorkflow, ".github/workflows/push.yml": "on: push\n"}
			}
		}
	})
}

// completed waits for a run's end.
func (w *world) completed(ctx context.Context, api *gh.Client, id int64) *gh.WorkflowRun {
	w.t.Helper()
	for {
		run, _, err := api.Actions.GetWorkflowRunByID(ctx, "acme", "web", id)
		if err != nil {
			w.t.Fatal(err)
		}
		if run.GetStatus() == "completed" {
			return run
		}
	}
}

func fetch(t *testing.T, at string) string {
	t.Helper()
	resp, err := http.Get(at)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %v", at, resp.Status, err)
	}
	return string(b)
}

// A machine that goes down ends its runs.
func TestRunsDoNotOutliveTheirMachine(t *testing.T) {
	begun := make(chan WorkflowRun, 1)
	w := newActionsWorld(t, func(ctx context.Context, r WorkflowRun, _ io.Writer) error {
		begun <- r
		<-ctx.Done()
		return ctx.Err()
	})
	if _, err := w.sim.Trigger(t.Context(), "acme/web", "deploy.yml", "push", "main"); err != nil {
		t.Fatal(err)
	}
	r := <-begun
	w.close()
	w.open()
	if run := w.completed(t.Context(), w.as("bob"), r.ID); run.GetConclusion() != "failure" {
		t.Errorf("it ended %s", run.GetConclusion())
	}
}
