package githubsim

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

const statusesPerContext = 1000

func (s *Sim) statusObj(r *repoRow, v *statusRow) obj {
	avatar := ""
	if u, ok := s.user(v.Creator).(obj); ok {
		avatar = u["avatar_url"].(string)
	}
	return obj{
		"id": v.ID, "node_id": nodeID("SC", v.ID), "state": v.State, "context": v.Context, "avatar_url": avatar,
		"description": textOrNil(v.Description), "target_url": textOrNil(v.TargetURL), "creator": s.user(v.Creator),
		"url": s.repoURL(r) + "/statuses/" + v.SHA, "created_at": stamp(v.Created), "updated_at": stamp(v.Created),
	}
}

// statusesOf lists a commit's statuses, newest first.
func (s *Sim) statusesOf(repo int64, sha string) []*statusRow {
	rows := s.state.Statuses.sorted(func(v *statusRow) bool { return v.Repo == repo && v.SHA == sha })
	slices.Reverse(rows)
	return rows
}

// latestStatuses keeps the newest of each context.
func (s *Sim) latestStatuses(repo int64, sha string) []*statusRow {
	seen := map[string]bool{}
	return slices.DeleteFunc(s.statusesOf(repo, sha), func(v *statusRow) bool {
		dup := seen[v.Context]
		seen[v.Context] = true
		return dup
	})
}

// contextState is the state of one required context, by status or check run.
func (s *Sim) contextState(repo int64, sha, context string) string {
	for _, v := range s.latestStatuses(repo, sha) {
		if v.Context == context {
			return v.State
		}
	}
	state := ""
	for _, k := range s.checksOf(repo, sha) {
		if k.Name != context {
			continue
		}
		switch {
		case k.Status != "completed":
			state = "pending"
		case k.Conclusion == "success" || k.Conclusion == "neutral" || k.Conclusion == "skipped":
			state = "success"
		default:
			state = "failure"
		}
	}
	return state
}

func statusesAt(c *call, sha string) (int, any, error) {
	rows := c.s.statusesOf(c.repo.ID, sha)
	return http.StatusOK, list(page(c, rows, 30, 100), func(v *statusRow) obj { return c.s.statusObj(c.repo, v) }), nil
}

func listStatusesAt(c *call) (int, any, error) {
	sha := c.resolve(c.path("ref"))
	if sha == "" {
		return 0, nil, noCommit(c.path("ref"))
	}
	return statusesAt(c, sha)
}

func combinedStatus(c *call, sha string) (int, any, error) {
	rows := c.s.latestStatuses(c.repo.ID, sha)
	state := "success"
	if len(rows) == 0 {
		state = "pending"
	}
	for _, v := range rows {
		switch {
		case v.State == "failure" || v.State == "error":
			state = "failure"
		case v.State == "pending" && state != "failure":
			state = "pending"
		}
	}
	return http.StatusOK, obj{
		"state": state, "sha": sha, "total_count": len(rows), "repository": c.s.repoObj(c.repo),
		"statuses":   list(page(c, rows, 30, 100), func(v *statusRow) obj { return c.s.statusObj(c.repo, v) }),
		"commit_url": c.s.repoURL(c.repo) + "/commits/" + sha, "url": c.s.repoURL(c.repo) + "/commits/" + sha + "/status",
	}, nil
}

func createStatus(c *call) (int, any, error) {
	var in struct {
		State, Description, Context string
		TargetURL                   string `json:"target_url"`
	}
	if err := c.in(&in); err != nil {
		return 0, nil, err
	}
	sha := c.path("sha")
	if !fullSHA.MatchString(sha) || c.resolve(sha) != sha {
		return 0, nil, noCommit(sha)
	}
	if in.Context == "" {
		in.Context = "default"
	}
	switch {
	case !slices.Contains([]string{"error", "failure", "pending", "success"}, in.State):
		return 0, nil, invalid("Status", "state", "inclusion", "state is not included in the list")
	case utf8.RuneCountInString(in.Description) > 140:
		return 0, nil, tooLong("Status", "description", 140)
	case utf8.RuneCountInString(in.Context) > 255:
		return 0, nil, tooLong("Status", "context", 255)
	case in.TargetURL != "" && !strings.HasPrefix(in.TargetURL, "http://") && !strings.HasPrefix(in.TargetURL, "https://"):
		return 0, nil, custom("Status", "target_url must use http(s) scheme")
	}
	n := 0
	for _, v := range c.s.statusesOf(c.repo.ID, sha) {
		if v.Context == in.Context {
			n++
		}
	}
	if n >= statusesPerContext {
		return 0, nil, custom("Status", "This SHA and context has reached the maximum number of statuses.")
	}
	v := &statusRow{
		ID: c.s.newID(), Repo: c.repo.ID, SHA: sha, State: in.State, Context: in.Context, Creator: c.login(),
		Description: in.Description, TargetURL: in.TargetURL, Created: c.s.now(),
	}
	put(c.s, &c.s.state.Statuses, v.ID, v)
	return http.StatusCreated, c.s.statusObj(c.repo, v), c.statusEvent(v)
}

func (c *call) statusEvent(v *statusRow) error {
	commit, err := c.s.commitOf(c.repo, v.SHA)
	if err != nil {
		return err
	}
	out, err := c.s.git(c.repo, "for-each-ref", "--count=10", "--contains", v.SHA, "--format=%(refname)", "refs/heads")
	if err != nil {
		return err
	}
	branches := list(strings.Fields(out), func(name string) obj {
		sha := c.repo.Refs[name]
		return obj{"name": strings.TrimPrefix(name, "refs/heads/"), "protected": false, "commit": obj{"sha": sha, "url": c.s.repoURL(c.repo) + "/commits/" + sha}}
	})
	return c.s.emit(c.repo, c.login(), "status", obj{
		"id": v.ID, "sha": v.SHA, "name": c.repo.full(), "context": v.Context, "state": v.State,
		"description": textOrNil(v.Description), "target_url": textOrNil(v.TargetURL),
		"commit": c.commitObj(commit), "branches": branches, "created_at": stamp(v.Created), "updated_at": stamp(v.Created),
	})
}

func (s *Sim) checkObj(r *repoRow, k *checkRow) obj {
	return obj{
		"id": k.ID, "node_id": nodeID("CR", k.ID), "head_sha": k.SHA, "name": k.Name, "status": k.Status,
		"conclusion": textOrNil(k.Conclusion), "external_id": k.ExternalID, "details_url": textOrNil(k.DetailsURL),
		"started_at": stamp(k.Started), "completed_at": stampOrNil(k.Completed),
		"url":      fmt.Sprintf("%s/check-runs/%d", s.repoURL(r), k.ID),
		"html_url": fmt.Sprintf("%s/runs/%d", s.htmlURL(r), k.ID),
		"output":   obj{"title": textOrNil(k.Title), "summary": textOrNil(k.Summary), "text": textOrNil(k.Text), "annotations_count": 0},
		"app":      obj{"id": s.cfg.App.ID, "slug": s.cfg.App.Slug, "name": s.cfg.App.Slug}, "pull_requests": []obj{},
	}
}

func (s *Sim) checksOf(repo int64, sha string) []*checkRow {
	return s.state.Checks.sorted(func(k *checkRow) bool { return k.Repo == repo && k.SHA == sha })
}

func checksAt(c *call, sha string) (int, any, error) {
	name := c.r.URL.Query().Get("check_name")
	rows := slices.DeleteFunc(c.s.checksOf(c.repo.ID, sha), func(k *checkRow) bool { return name != "" && k.Name != name })
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
	if status == "completed" && conclusion == "" {
		return 0, nil, unprocessable("Invalid request.\n\nA completed check run needs a conclusion.")
	}
	set(&k.Name, in.Name)
	set(&k.DetailsURL, in.DetailsURL)
	set(&k.ExternalID, in.ExternalID)
	k.Status, k.Conclusion = status, conclusion
	if in.Output != nil {
		k.Title, k.Summary, k.Text = in.Output.Title, in.Output.Summary, in.Output.Text
	}
	put(c.s, &c.s.state.Checks, k.ID, k)
	event := func(action string) error {
		return c.s.emit(c.repo, c.login(), "check_run", obj{"action": action, "check_run": c.s.checkObj(c.repo, k)})
	}
	if action != "" {
		if err := event(action); err != nil {
			return 0, nil, err
		}
	}
	if status == "completed" && k.Completed == nil {
		k.Completed = new(time.Time)
		*k.Completed = c.s.now()
		if err := event("completed"); err != nil {
			return 0, nil, err
		}
	}
	return code, c.s.checkObj(c.repo, k), nil
}
