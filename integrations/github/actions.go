package github

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/redact"
	"github.com/signalbox-chatops/signalbox/integrations/kit/remote"
	"github.com/signalbox-chatops/signalbox/integrations/kit/transport"
)

// actions is GitHub Actions as the engine of a step: the runs of one workflow.
type actions struct {
	actionsSettings
	api         *gh.Client
	logs        http.RoundTripper // without our credentials, which are not for where logs are
	owner, name string
}

// actionsSettings go from the bot to the tool.
type actionsSettings struct {
	APIURL       string `json:"api_url"`
	Repository   string `json:"repository"`
	Workflow     string `json:"workflow"`
	PlanWorkflow string `json:"plan_workflow,omitempty"`
	Ref          string `json:"ref"`
	Event        string `json:"event"` // by which an adopted run is started
	Token        string `json:"token"` // the name of the variable that holds it
}

var _ remote.Engine = (*actions)(nil)

const (
	dispatchEvent = "workflow_dispatch"
	mostRunPages  = 10              // of a hundred runs, that are looked through for one
	runSkew       = 5 * time.Minute // between our clock and GitHub's
)

// ActionsMain is the tool of the steps `actions`: our binary called with their word.
func ActionsMain(args []string, out, errOut io.Writer) int {
	return remote.Main(args, out, errOut, func(q remote.Request) (remote.Engine, error) {
		var s actionsSettings
		if err := json.Unmarshal(q.Settings, &s); err != nil {
			return nil, fmt.Errorf("read the request: %w", err)
		}
		if q.Plan {
			s.Workflow = s.PlanWorkflow
		}
		return newActions(s)
	})
}

func newActions(s actionsSettings) (*actions, error) {
	token, err := remote.Token(s.Token)
	if err != nil {
		return nil, err
	}
	base, err := url.Parse(s.APIURL + "/")
	if err != nil {
		return nil, fmt.Errorf("read api_url: %w", err)
	}
	a := &actions{actionsSettings: s, logs: transport.New(transport.Options{Timeout: requestTimeout})}
	if a.owner, a.name, err = split(s.Repository); err != nil {
		return nil, err
	}
	auth := bearer{func() string { return token }, transport.Base()}
	a.api = gh.NewClient(&http.Client{Transport: transport.New(transport.Options{
		Base: auth, Host: base.Host, Timeout: requestTimeout, Cache: cacheLimit, Redact: redact.New([]string{token}),
	})})
	a.api.BaseURL, a.api.UserAgent = base, "signalbox"
	return a, nil
}

// judged gives an error of go-github the words of kit/remote.
func judged(err error, act string, args ...any) error {
	err = shape(err)
	if err == nil {
		return nil
	}
	var later *integrations.Later
	var no *refusal
	told := about(err, act, args...)
	switch {
	case errors.As(err, &later):
		return &remote.Unsent{After: later.After, Err: about(later.Err, act, args...)}
	case errors.As(err, &no):
		return remote.JudgeStatus(no.status, 0, told)
	}
	return remote.Judge(told)
}

// Start dispatches the workflow. Which run it began is said by a server that knows
// return_run_details, and by no older one.
func (a *actions) Start(ctx context.Context, q remote.Request, nonce string) (remote.Run, error) {
	body := map[string]any{"ref": a.Ref, "inputs": q.Values(nonce), "return_run_details": true}
	run, err := a.dispatch(ctx, body)
	if says(shape(err), http.StatusUnprocessableEntity, "return_run_details") {
		delete(body, "return_run_details")
		run, err = a.dispatch(ctx, body)
	}
	if says(shape(err), http.StatusNotFound) {
		err = fmt.Errorf("%w (there is no such workflow on the default branch, or the token may not see it)", err)
	}
	return run, judged(err, "dispatch %s of %s at %s", a.Workflow, a.Repository, a.Ref)
}

func (a *actions) dispatch(ctx context.Context, body any) (remote.Run, error) {
	req, err := a.api.NewRequest(http.MethodPost, fmt.Sprintf("repos/%s/%s/actions/workflows/%s/dispatches", a.owner, a.name, url.PathEscape(a.Workflow)), body)
	if err != nil {
		return remote.Run{}, err
	}
	var out struct {
		ID  int64  `json:"workflow_run_id"`
		URL string `json:"html_url"`
	}
	if _, err := a.api.Do(ctx, req, &out); err != nil || out.ID == 0 {
		return remote.Run{}, err
	}
	return remote.Run{ID: strconv.FormatInt(out.ID, 10), URL: out.URL, State: remote.Waiting}, nil
}

// Find looks through the runs of the workflow, newest first. A nonce stands in the name of
// its run, where the workflow's run-name has put it.
func (a *actions) Find(ctx context.Context, s remote.Search) (remote.Run, error) {
	opts := &gh.ListWorkflowRunsOptions{Event: dispatchEvent, ListOptions: gh.ListOptions{PerPage: 100}}
	if s.Nonce == "" {
		opts.Event, opts.HeadSHA = a.Event, s.SHA
	}
	if !s.Since.IsZero() {
		opts.Created = ">=" + s.Since.Add(-runSkew).UTC().Format(time.RFC3339)
	}
	for opts.Page = 1; opts.Page <= mostRunPages; opts.Page++ {
		got, resp, err := a.api.Actions.ListWorkflowRunsByFileName(ctx, a.owner, a.name, url.PathEscape(a.Workflow), opts)
		if err != nil {
			return remote.Run{}, judged(err, "list the runs of %s of %s", a.Workflow, a.Repository)
		}
		i := slices.IndexFunc(got.WorkflowRuns, func(w *gh.WorkflowRun) bool {
			return s.Nonce == "" || strings.Contains(w.GetDisplayTitle(), s.Nonce)
		})
		if i >= 0 {
			return stands(got.WorkflowRuns[i]), nil
		}
		if resp.NextPage == 0 {
			break
		}
	}
	return remote.Run{}, nil
}

// stands is a run as GitHub tells of it.
func stands(w *gh.WorkflowRun) remote.Run {
	r := remote.Run{ID: strconv.FormatInt(w.GetID(), 10), URL: w.GetHTMLURL(), Name: w.GetDisplayTitle(), State: remote.Waiting, Said: w.GetStatus()}
	switch w.GetStatus() {
	case "in_progress":
		r.State = remote.Running
	case "completed":
		r.Said = w.GetConclusion()
		switch r.Said {
		case "success", "neutral":
			r.State = remote.Succeeded
		case "cancelled":
			r.State = remote.Cancelled
		default: // "skipped" too: it did nothing of what it was to do
			r.State = remote.Failed
		}
	}
	return r
}

// Look implements remote.Engine.
func (a *actions) Look(ctx context.Context, id string) (remote.Run, error) {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return remote.Run{}, &remote.Refused{Err: fmt.Errorf("%q is no run", id)}
	}
	got, _, err := a.api.Actions.GetWorkflowRunByID(ctx, a.owner, a.name, n)
	if err != nil {
		return remote.Run{}, judged(err, "read the run %s of %s", id, a.Repository)
	}
	r := stands(got)
	jobs, err := a.jobs(ctx, id)
	if err != nil { // how it stands is known without them
		return r, nil
	}
	if where := whereabouts(jobs, r.State); where != "" {
		r.Said += ": " + where
	}
	return r, nil
}

func (a *actions) jobs(ctx context.Context, id string) ([]*gh.WorkflowJob, error) {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return nil, err
	}
	var out []*gh.WorkflowJob
	opts := &gh.ListWorkflowJobsOptions{ListOptions: gh.ListOptions{Page: 1, PerPage: 100}}
	for opts.Page != 0 {
		got, resp, err := a.api.Actions.ListWorkflowJobs(ctx, a.owner, a.name, n, opts)
		if err != nil {
			return nil, err
		}
		out, opts.Page = append(out, got.Jobs...), resp.NextPage
	}
	return out, nil
}

// whereabouts names the jobs that run, with their steps; or those that failed.
func whereabouts(jobs []*gh.WorkflowJob, state remote.State) string {
	want := func(status, conclusion string) bool { return status == "in_progress" }
	if state == remote.Succeeded {
		return ""
	}
	if state.Over() {
		want = func(_, conclusion string) bool {
			return conclusion != "" && conclusion != "success" && conclusion != "skipped" && conclusion != "neutral"
		}
	}
	var out []string
	for _, j := range jobs {
		if !want(j.GetStatus(), j.GetConclusion()) {
			continue
		}
		text := "job " + j.GetName()
		for _, st := range j.Steps {
			if want(st.GetStatus(), st.GetConclusion()) {
				text += ", step " + st.GetName()
				break
			}
		}
		out = append(out, text)
	}
	if len(out) > 5 {
		out = append(out[:5], fmt.Sprintf("and %d more", len(out)-5))
	}
	return strings.Join(out, "; ")
}

// Log writes the logs of the jobs that are over: GitHub has none of those that run. The
// place is the list of their ids.
func (a *actions) Log(ctx context.Context, id, since string, w io.Writer) (string, error) {
	jobs, err := a.jobs(ctx, id)
	if err != nil {
		return since, judged(err, "list the jobs of the run %s", id)
	}
	done := strings.Fields(since)
	for _, j := range jobs {
		job := strconv.FormatInt(j.GetID(), 10)
		if j.GetStatus() != "completed" || j.GetConclusion() == "skipped" || slices.Contains(done, job) {
			continue
		}
		if err := a.jobLog(ctx, j, w); err != nil {
			return strings.Join(done, " "), fmt.Errorf("read the log of the job %s: %w", j.GetName(), err)
		}
		done = append(done, job)
	}
	return strings.Join(done, " "), nil
}

func (a *actions) jobLog(ctx context.Context, j *gh.WorkflowJob, w io.Writer) error {
	at, _, err := a.api.Actions.GetWorkflowJobLogs(ctx, a.owner, a.name, j.GetID(), 3)
	if err != nil {
		return shape(err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return errors.New("GitHub said no place where it is") // err holds the signed address
	}
	resp, err := a.logs.RoundTrip(req)
	if err != nil {
		return fmt.Errorf("%s: %w", at.Host, cmp.Or(errors.Unwrap(err), err))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", at.Host, resp.Status)
	}
	fmt.Fprintf(w, "==> job %s: %s\n", j.GetName(), j.GetConclusion())
	lines := bufio.NewReader(resp.Body)
	for {
		line, err := lines.ReadString('\n')
		if line = strings.TrimRight(line, "\r\n"); line != "" || err == nil {
			fmt.Fprintln(w, untimed(line))
		}
		if err != nil {
			return nil // that it broke off is no reason to have it twice
		}
	}
}

// untimed is a line without the time that GitHub puts before each.
func untimed(line string) string {
	line = strings.TrimPrefix(line, "\ufeff")
	at, rest, ok := strings.Cut(line, " ")
	if !ok {
		at, rest = line, ""
	}
	if _, err := time.Parse(time.RFC3339Nano, at); err != nil {
		return line
	}
	return rest
}

// Cancel implements remote.Engine. GitHub refuses it of a run that is over.
func (a *actions) Cancel(ctx context.Context, id string) error {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return &remote.Refused{Err: fmt.Errorf("%q is no run", id)}
	}
	_, err = a.api.Actions.CancelWorkflowRunByID(ctx, a.owner, a.name, n)
	return judged(err, "cancel the run %s of %s", id, a.Repository)
}
