package githubsim

import (
	"net/http"
	"slices"
	"strings"
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
		case passes(k.Conclusion):
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
