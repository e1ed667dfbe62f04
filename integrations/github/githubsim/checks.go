package githubsim

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

func (s *Sim) checkObj(r *repoRow, k *checkRow) obj {
	return obj{
		"id": k.ID, "node_id": nodeID("CR", k.ID), "head_sha": k.SHA, "name": k.Name, "status": k.Status,
		"conclusion": textOrNil(k.Conclusion), "external_id": k.ExternalID, "details_url": textOrNil(k.DetailsURL),
		"started_at": stamp(k.Started), "completed_at": stampOrNil(k.Completed),
		"url":      fmt.Sprintf("%s/check-runs/%d", s.repoURL(r), k.ID),
		"html_url": fmt.Sprintf("%s/runs/%d", s.htmlURL(r), k.ID),
		"output":   obj{"title": textOrNil(k.Title), "summary": textOrNil(k.Summary), "text": textOrNil(k.Text), "annotations_count": 0},
		"app":      s.appOf(k), "pull_requests": []obj{}, "check_suite": obj{"id": k.Suite},
	}
}

// appOf is the App that a check run is of: a bot is one, of its own id.
func (s *Sim) appOf(k *checkRow) obj {
	if strings.EqualFold(k.Creator, s.cfg.App.Bot) {
		return obj{"id": s.cfg.App.ID, "slug": s.cfg.App.Slug, "name": s.cfg.App.Slug}
	}
	name := strings.TrimSuffix(k.Creator, "[bot]")
	return obj{"id": userID(k.Creator), "slug": name, "name": name}
}

// suiteObj is what all the check runs of one App at a commit come to.
func (s *Sim) suiteObj(r *repoRow, k *checkRow) obj {
	status, conclusion := "completed", "success"
	runs := latestRuns(s.checksOf(k.Repo, k.SHA))
	for _, run := range runs {
		switch {
		case run.Suite != k.Suite:
		case run.Status != "completed":
			status = "in_progress"
		case !passes(run.Conclusion):
			conclusion = "failure"
		}
	}
	if status != "completed" {
		conclusion = ""
	}
	return obj{
		"id": k.Suite, "node_id": nodeID("CS", k.Suite), "head_sha": k.SHA, "head_branch": textOrNil(headBranch(r, k.SHA)),
		"status": status, "conclusion": textOrNil(conclusion), "app": s.appOf(k), "pull_requests": []obj{},
		"url": fmt.Sprintf("%s/check-suites/%d", s.repoURL(r), k.Suite),
	}
}

// headBranch is the first branch whose head is a commit.
func headBranch(r *repoRow, sha string) string {
	var names []string
	for name, at := range r.Refs {
		if branch, ok := strings.CutPrefix(name, "refs/heads/"); ok && at == sha {
			names = append(names, branch)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return slices.Min(names)
}

func passes(conclusion string) bool {
	return conclusion == "success" || conclusion == "neutral" || conclusion == "skipped"
}

// latestRuns keeps the newest run of each name in each suite.
func latestRuns(runs []*checkRow) []*checkRow {
	type key struct {
		suite int64
		name  string
	}
	newest := map[key]int64{}
	for _, k := range runs {
		newest[key{k.Suite, k.Name}] = max(newest[key{k.Suite, k.Name}], k.ID)
	}
	return slices.DeleteFunc(runs, func(k *checkRow) bool { return newest[key{k.Suite, k.Name}] != k.ID })
}

func (s *Sim) checksOf(repo int64, sha string) []*checkRow {
	return s.state.Checks.sorted(func(k *checkRow) bool { return k.Repo == repo && k.SHA == sha })
}

// checksAt lists the runs at a commit, newest first. Without a filter it shows the
// latest of each name only.
func checksAt(c *call, sha string) (int, any, error) {
	q := c.r.URL.Query()
	rows := c.s.checksOf(c.repo.ID, sha)
	switch q.Get("filter") {
	case "", "latest":
		rows = latestRuns(rows)
	case "all":
	default:
		return 0, nil, unprocessable("Invalid request.\n\n%s is not a member of [\"latest\", \"all\"].", q.Get("filter"))
	}
	switch q.Get("status") {
	case "", "queued", "in_progress", "completed":
	default:
		return 0, nil, unprocessable("Invalid request.\n\n%s is not a member of [\"queued\", \"in_progress\", \"completed\"].", q.Get("status"))
	}
	rows = slices.DeleteFunc(rows, func(k *checkRow) bool {
		return q.Get("check_name") != "" && k.Name != q.Get("check_name") || q.Get("status") != "" && k.Status != q.Get("status") ||
			q.Get("app_id") != "" && q.Get("app_id") != fmt.Sprint(c.s.appOf(k)["id"])
	})
	slices.Reverse(rows)
	return http.StatusOK, obj{
		"total_count": len(rows),
		"check_runs":  list(page(c, rows, 30, 100), func(k *checkRow) obj { return c.s.checkObj(c.repo, k) }),
	}, nil
}

type checkIn struct {
	Name, Status, Conclusion *string
	HeadSHA                  string  `json:"head_sha"`
	DetailsURL               *string `json:"details_url"`
	ExternalID               *string `json:"external_id"`
	Output                   *struct{ Title, Summary, Text string }
}

// onlyApps: check runs are written by Apps; a person's token is refused.
func (c *call) onlyApps() error {
	if c.inst || c.user.Bot {
		return nil
	}
	return refuse(http.StatusForbidden, "You must authenticate via a GitHub App.")
}

func createCheck(c *call) (int, any, error) {
	var in checkIn
	if err := c.in(&in); err != nil {
		return 0, nil, err
	}
	if err := c.onlyApps(); err != nil {
		return 0, nil, err
	}
	if in.Name == nil || *in.Name == "" {
		return 0, nil, unprocessable("Invalid request.\n\n\"name\" wasn't supplied.")
	}
	if !fullSHA.MatchString(in.HeadSHA) || c.resolve(in.HeadSHA) == "" {
		return 0, nil, noCommit(in.HeadSHA)
	}
	k := &checkRow{ID: c.s.newID(), Repo: c.repo.ID, SHA: in.HeadSHA, Status: "queued", Creator: c.login(), Started: c.s.now()}
	for _, other := range c.s.checksOf(k.Repo, k.SHA) {
		if other.Creator == k.Creator {
			k.Suite = other.Suite
		}
	}
	if k.Suite == 0 {
		k.Suite = c.s.newID()
	}
	return c.storeCheck(http.StatusCreated, k, in, "created")
}

func (c *call) check() (*checkRow, error) {
	id, err := c.number("id")
	if err != nil {
		return nil, err
	}
	k := c.s.state.Checks.rows[id]
	if k == nil || k.Repo != c.repo.ID {
		return nil, notFound()
	}
	return k, nil
}

func getCheck(c *call) (int, any, error) {
	k, err := c.check()
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, c.s.checkObj(c.repo, k), nil
}

func updateCheck(c *call) (int, any, error) {
	var in checkIn
	if err := c.in(&in); err != nil {
		return 0, nil, err
	}
	if err := c.onlyApps(); err != nil {
		return 0, nil, err
	}
	k, err := c.check()
	if err != nil {
		return 0, nil, err
	}
	return c.storeCheck(http.StatusOK, k, in, "")
}

func (c *call) storeCheck(code int, k *checkRow, in checkIn, action string) (int, any, error) {
	set := func(to *string, from *string) {
		if from != nil {
			*to = *from
		}
	}
	status, conclusion := k.Status, k.Conclusion
	set(&status, in.Status)
	set(&conclusion, in.Conclusion)
	if in.Conclusion != nil {
		status = "completed"
	}
	switch {
	case !slices.Contains(runStatuses, status):
		return 0, nil, unprocessable("Invalid request.\n\n%s is no status.", status)
	case status == "completed" && conclusion == "":
		return 0, nil, unprocessable("Invalid request.\n\nA completed check run needs a conclusion.")
	case conclusion != "" && !slices.Contains(runConclusions, conclusion):
		return 0, nil, unprocessable("Invalid request.\n\n%s is no conclusion.", conclusion)
	}
	set(&k.Name, in.Name)
	set(&k.DetailsURL, in.DetailsURL)
	set(&k.ExternalID, in.ExternalID)
	k.Status, k.Conclusion = status, conclusion
	if in.Output != nil {
		k.Title, k.Summary, k.Text = in.Output.Title, in.Output.Summary, in.Output.Text
	}
	put(c.s, &c.s.state.Checks, k.ID, k)
	if action != "" {
		if err := c.checkEvent(k, action); err != nil {
			return 0, nil, err
		}
	}
	if status == "completed" && k.Completed == nil {
		k.Completed = new(time.Time)
		*k.Completed = c.s.now()
		if err := c.checkCompleted(k); err != nil {
			return 0, nil, err
		}
	}
	return code, c.s.checkObj(c.repo, k), nil
}

// What a caller may set; GitHub alone sets "waiting", "stale" and the like.
var (
	runStatuses    = []string{"queued", "in_progress", "completed"}
	runConclusions = []string{"action_required", "cancelled", "failure", "neutral", "success", "skipped", "timed_out"}
)

func (c *call) checkEvent(k *checkRow, action string) error {
	run := c.s.checkObj(c.repo, k)
	run["check_suite"] = c.s.suiteObj(c.repo, k)
	return c.s.emit(c.repo, c.login(), "check_run", obj{"action": action, "check_run": run})
}

// checkCompleted tells that a run has ended, and with the last one its suite.
func (c *call) checkCompleted(k *checkRow) error {
	if err := c.checkEvent(k, "completed"); err != nil {
		return err
	}
	suite := c.s.suiteObj(c.repo, k)
	if suite["status"] != "completed" {
		return nil
	}
	return c.s.emit(c.repo, c.login(), "check_suite", obj{"action": "completed", "check_suite": suite})
}
