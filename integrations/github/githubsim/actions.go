package githubsim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// workflowRun is a run of a workflow, with its one job.
type workflowRun struct {
	ID, Repo, Job      int64
	Number             int
	Path, Name, Title  string
	Event, Branch, SHA string
	Actor              string
	Inputs             map[string]string
	Status, Conclusion string // queued, in_progress, completed; success, failure, cancelled
	Created, Started   time.Time
	Completed          *time.Time
	Log                string
}

// WorkflowRun is what a runner is given, and what tests see of a run.
type WorkflowRun struct {
	ID                 int64
	Repo, Workflow     string // "acme/infra", "deploy.yml"
	Title, Event       string
	Branch, SHA        string
	Inputs             map[string]string
	Status, Conclusion string
}

func (s *Sim) runView(w *workflowRun) WorkflowRun {
	return WorkflowRun{
		ID: w.ID, Repo: s.state.Repos.rows[w.Repo].full(), Workflow: strings.TrimPrefix(w.Path, workflowsDir),
		Title: w.Title, Event: w.Event, Branch: w.Branch, SHA: w.SHA, Inputs: w.Inputs, Status: w.Status, Conclusion: w.Conclusion,
	}
}

// WorkflowRuns lists all runs, oldest first.
func (s *Sim) WorkflowRuns() (out []WorkflowRun) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, w := range s.state.Runs.sorted(nil) {
		out = append(out, s.runView(w))
	}
	return out
}

// Trigger has an event start a workflow by itself at the tip of a branch, as a push does.
func (s *Sim) Trigger(ctx context.Context, repo, file, event, branch string) (id int64, err error) {
	err = s.change(ctx, repo, func(r *repoRow) error {
		sha := r.Refs["refs/heads/"+branch]
		w, err := s.workflowAt(r, sha, file)
		switch {
		case err != nil:
			return err
		case w == nil || !w.on(event):
			return fmt.Errorf("%s of %s is not started by %s", file, repo, event)
		}
		id = s.startRun(r, w, event, branch, sha, "alice", nil).ID
		return nil
	})
	return id, err
}

// startRun begins a run. Call it with the write lock held.
func (s *Sim) startRun(r *repoRow, w *workflow, event, branch, sha, actor string, inputs map[string]string) *workflowRun {
	run := &workflowRun{
		ID: s.newID(), Repo: r.ID, Job: s.newID(), Number: len(s.state.Runs.rows) + 1, Path: w.Path, Name: w.Name, Title: w.title(inputs),
		Event: event, Branch: branch, SHA: sha, Actor: actor, Inputs: inputs, Status: "queued", Created: s.now(), Started: s.now(),
	}
	put(s, &s.state.Runs, run.ID, run)
	ctx, cancel := context.WithCancelCause(s.ctx)
	s.runners[run.ID] = cancel
	view := s.runView(run)
	s.wg.Go(func() {
		defer cancel(nil)
		s.runIt(ctx, run, view)
	})
	return run
}

var errCancelled = errors.New("canceled")

// runIt is the machine that a run runs on.
func (s *Sim) runIt(ctx context.Context, run *workflowRun, view WorkflowRun) {
	if s.cfg.Runner == nil {
		s.endRun(run, "success", &runLog{})
		return
	}
	if s.cfg.Queued != nil {
		s.cfg.Queued(ctx, view)
	}
	s.setRun(run, func() { run.Status = "in_progress" })
	log := &runLog{now: s.now}
	err := s.cfg.Runner(ctx, view, log)
	switch {
	case s.ctx.Err() != nil: // we are closing: the next life finds it broken off
		return
	case errors.Is(context.Cause(ctx), errCancelled):
		log.line("##[error]The operation was canceled.")
		s.endRun(run, "cancelled", log)
	case err != nil:
		log.line("##[error]" + err.Error())
		s.endRun(run, "failure", log)
	default:
		s.endRun(run, "success", log)
	}
}

func (s *Sim) setRun(run *workflowRun, change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
	put(s, &s.state.Runs, run.ID, run)
	if err := s.commit(); err != nil {
		s.log.Error("keep a workflow run", "err", err)
	}
}

func (s *Sim) endRun(run *workflowRun, conclusion string, log *runLog) {
	s.setRun(run, func() {
		now := s.now()
		run.Log = log.text.String()
		run.Status, run.Conclusion, run.Completed = "completed", conclusion, &now
		delete(s.runners, run.ID)
	})
}

// brokenRuns ends the runs whose machine went with an earlier life.
func (s *Sim) brokenRuns() {
	for _, run := range s.state.Runs.sorted(func(w *workflowRun) bool { return w.Status != "completed" }) {
		now := s.now()
		run.Status, run.Conclusion, run.Completed = "completed", "failure", &now
		run.Log += "##[error]The runner has received a shutdown signal.\n"
		put(s, &s.state.Runs, run.ID, run)
	}
}

// runLog is what a run prints, each line with its time.
type runLog struct {
	now  func() time.Time
	text strings.Builder
	rest string // of a line that has not ended
}

func (l *runLog) Write(p []byte) (int, error) {
	l.rest += string(p)
	for {
		line, rest, ok := strings.Cut(l.rest, "\n")
		if !ok {
			return len(p), nil
		}
		l.line(line)
		l.rest = rest
	}
}

func (l *runLog) line(text string) {
	l.text.WriteString(l.now().UTC().Format("2006-01-02T15:04:05.0000000Z") + " " + text + "\n")
}

func (s *Sim) runObj(r *repoRow, w *workflowRun) obj {
	at := fmt.Sprintf("%s/actions/runs/%d", s.repoURL(r), w.ID)
	return obj{
		"id": w.ID, "node_id": nodeID("WFR", w.ID), "name": w.Name, "display_title": w.Title, "path": w.Path, "event": w.Event,
		"head_branch": w.Branch, "head_sha": w.SHA, "run_number": w.Number, "run_attempt": 1,
		"status": w.Status, "conclusion": textOrNil(w.Conclusion), "url": at, "html_url": fmt.Sprintf("%s/actions/runs/%d", s.htmlURL(r), w.ID),
		"jobs_url": at + "/jobs", "logs_url": at + "/logs", "cancel_url": at + "/cancel", "actor": s.user(w.Actor),
		"created_at": stamp(w.Created), "run_started_at": stamp(w.Started), "updated_at": stamp(s.now()), "pull_requests": []obj{},
	}
}

func (s *Sim) jobObj(r *repoRow, w *workflowRun) obj {
	step := obj{"name": "Run the job", "status": w.Status, "conclusion": textOrNil(w.Conclusion), "number": 1}
	return obj{
		"id": w.Job, "run_id": w.ID, "run_attempt": 1, "name": "job", "workflow_name": w.Name, "head_sha": w.SHA, "head_branch": w.Branch,
		"status": w.Status, "conclusion": textOrNil(w.Conclusion), "steps": []obj{step},
		"url": fmt.Sprintf("%s/actions/jobs/%d", s.repoURL(r), w.Job), "html_url": fmt.Sprintf("%s/actions/runs/%d/job/%d", s.htmlURL(r), w.ID, w.Job),
		"created_at": stamp(w.Created), "started_at": stamp(w.Started), "completed_at": stampOrNil(w.Completed),
	}
}

// listWorkflowRuns lists them newest first, of one workflow or of all.
func listWorkflowRuns(c *call) (int, any, error) {
	q := c.r.URL.Query()
	since, err := createdSince(q.Get("created"))
	if err != nil {
		return 0, nil, err
	}
	if file := c.path("workflow"); file != "" {
		w, err := c.s.workflowAt(c.repo, c.repo.Refs["refs/heads/"+c.repo.DefaultBranch], file)
		if err != nil {
			return 0, nil, err
		}
		if w == nil {
			return 0, nil, notFound()
		}
	}
	fits := func(want, have string) bool { return want == "" || want == have }
	rows := c.s.state.Runs.sorted(func(w *workflowRun) bool {
		return w.Repo == c.repo.ID && (c.path("workflow") == "" || w.Path == workflowsDir+c.path("workflow")) &&
			fits(q.Get("event"), w.Event) && fits(q.Get("branch"), w.Branch) && fits(q.Get("head_sha"), w.SHA) &&
			(fits(q.Get("status"), w.Status) || q.Get("status") == w.Conclusion) && !w.Created.Truncate(time.Second).Before(since)
	})
	slices.Reverse(rows)
	if len(rows) > 0 && c.s.faults.take(faultRunsLate, c.match()) != nil {
		rows = rows[1:] // the list is behind
	}
	total := len(rows)
	return http.StatusOK, obj{"total_count": total, "workflow_runs": list(page(c, rows, 30, 100), func(w *workflowRun) obj { return c.s.runObj(c.repo, w) })}, nil
}

// createdSince reads as much of GitHub's search syntax for dates as ">=" is.
func createdSince(q string) (time.Time, error) {
	if q == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, strings.TrimPrefix(q, ">="))
	if err != nil || !strings.HasPrefix(q, ">=") {
		return at, unprocessable("Invalid request.\n\n%s is not a date the simulator knows.", q)
	}
	return at, nil
}

func (c *call) workflowRun() (*workflowRun, error) {
	id, err := c.number("run")
	if err != nil {
		return nil, err
	}
	w := c.s.state.Runs.rows[id]
	if w == nil || w.Repo != c.repo.ID {
		return nil, notFound()
	}
	return w, nil
}

func getWorkflowRun(c *call) (int, any, error) {
	w, err := c.workflowRun()
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, c.s.runObj(c.repo, w), nil
}

func listWorkflowJobs(c *call) (int, any, error) {
	w, err := c.workflowRun()
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, obj{"total_count": 1, "jobs": []obj{c.s.jobObj(c.repo, w)}}, nil
}

// cancelWorkflowRun asks for a run's end, which comes later.
func cancelWorkflowRun(c *call) (int, any, error) {
	w, err := c.workflowRun()
	if err != nil {
		return 0, nil, err
	}
	if w.Status == "completed" {
		return 0, nil, refuse(http.StatusConflict, "Cannot cancel a workflow run that is completed.")
	}
	if cancel := c.s.runners[w.ID]; cancel != nil {
		cancel(errCancelled)
	}
	return http.StatusAccepted, obj{}, nil
}

// jobLogs says where the log of a job is, once the job is over.
func jobLogs(c *call) (int, any, error) {
	id, err := c.number("job")
	if err != nil {
		return 0, nil, err
	}
	for _, w := range c.s.state.Runs.rows {
		if w.Job == id && w.Repo == c.repo.ID && w.Status == "completed" {
			c.header.Set("Location", fmt.Sprintf("%s/_logs/%d?sig=signed", c.s.base, id))
			return http.StatusFound, nil, nil
		}
	}
	return 0, nil, notFound()
}

// serveLogs is the store of logs, which is not GitHub's: it refuses its credentials.
func (s *Sim) serveLogs(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "" {
		s.violation("GET %s: with credentials", r.URL.Path)
		http.Error(w, "AuthenticationFailed", http.StatusForbidden)
		return
	}
	id, _ := strconv.ParseInt(strings.Trim(r.URL.Path, "/"), 10, 64)
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, run := range s.state.Runs.rows {
		if run.Job == id && r.URL.Query().Get("sig") == "signed" {
			w.Header().Set("Content-Type", "text/plain")
			if _, err := io.WriteString(w, run.Log); err != nil {
				s.log.Debug("write a log", "err", err)
			}
			return
		}
	}
	http.Error(w, "BlobNotFound", http.StatusNotFound)
}
