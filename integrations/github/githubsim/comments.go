package githubsim

import (
	"fmt"
	"net/http"
	"slices"
	"time"
	"unicode/utf8"
)

func (s *Sim) commentObj(r *repoRow, m *commentRow) obj {
	return obj{
		"id": m.ID, "node_id": nodeID("IC", m.ID), "body": m.Body, "user": s.user(m.Author),
		"url":        fmt.Sprintf("%s/issues/comments/%d", s.repoURL(r), m.ID),
		"html_url":   fmt.Sprintf("%s/pull/%d#issuecomment-%d", s.htmlURL(r), m.Number, m.ID),
		"issue_url":  fmt.Sprintf("%s/issues/%d", s.repoURL(r), m.Number),
		"created_at": stamp(m.Created), "updated_at": stamp(m.Updated), "author_association": "COLLABORATOR",
	}
}

// issueObj is a pull request seen as an issue.
func (s *Sim) issueObj(r *repoRow, p *pullRow) obj {
	o := s.pullObj(p)
	pull := obj{"url": o["url"], "html_url": o["html_url"], "diff_url": o["diff_url"], "patch_url": o["patch_url"], "merged_at": o["merged_at"]}
	issue := obj{"pull_request": pull, "url": o["issue_url"], "repository_url": s.repoURL(r), "comments": len(s.commentsOf(r.ID, p.Number))}
	for _, k := range []string{
		"id", "number", "state", "title", "body", "user", "labels", "assignees", "assignee", "milestone",
		"locked", "html_url", "comments_url", "created_at", "updated_at", "closed_at", "author_association", "draft",
	} {
		issue[k] = o[k]
	}
	issue["node_id"] = o["node_id"]
	return issue
}

func (s *Sim) commentsOf(repo int64, number int) []*commentRow {
	return s.state.Comments.sorted(func(m *commentRow) bool { return m.Repo == repo && m.Number == number })
}

func getIssue(c *call) (int, any, error) {
	p, err := c.pull()
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, c.s.issueObj(c.repo, p), nil
}

// listIssueEvents knows of one kind of event: a pull request that was turned to
// another base branch.
func listIssueEvents(c *call) (int, any, error) {
	p, err := c.pull()
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, list(page(c, p.Turns, 30, 100), func(t turn) obj {
		return obj{"event": "base_ref_changed", "actor": c.s.user(t.By), "created_at": stamp(t.At), "commit_id": nil, "commit_url": nil}
	}), nil
}

func updateIssue(c *call) (int, any, error) {
	var in pullUpdate
	if err := c.in(&in); err != nil {
		return 0, nil, err
	}
	in.Base = nil
	p, err := c.pull()
	if err != nil {
		return 0, nil, err
	}
	if err := c.changePull(p, in); err != nil {
		return 0, nil, err
	}
	return http.StatusOK, c.s.issueObj(c.repo, p), nil
}

func listComments(c *call) (int, any, error) {
	p, err := c.pull()
	if err != nil {
		return 0, nil, err
	}
	rows := c.s.commentsOf(c.repo.ID, p.Number)
	if since, err := time.Parse(time.RFC3339, c.r.URL.Query().Get("since")); err == nil {
		rows = slices.DeleteFunc(rows, func(m *commentRow) bool { return m.Updated.Before(since) })
	}
	return http.StatusOK, list(page(c, rows, 30, 100), func(m *commentRow) obj { return c.s.commentObj(c.repo, m) }), nil
}

func checkComment(body string) error {
	switch {
	case body == "":
		return invalid("IssueComment", "data", "unprocessable", "Body cannot be blank")
	case utf8.RuneCountInString(body) > bodyLimit:
		return &apiError{status: 422, message: "Validation Failed", errors: []obj{{
			"resource": "IssueComment", "code": "unprocessable", "field": "data",
			"message": fmt.Sprintf("Body is too long (maximum is %d characters)", bodyLimit),
		}}}
	}
	return nil
}

func createComment(c *call) (int, any, error) {
	var in struct{ Body string }
	if err := c.in(&in); err != nil {
		return 0, nil, err
	}
	p, err := c.pull()
	if err != nil {
		return 0, nil, err
	}
	if err := checkComment(in.Body); err != nil {
		return 0, nil, err
	}
	now := c.s.now()
	m := &commentRow{ID: c.s.newID(), Repo: c.repo.ID, Number: p.Number, Author: c.login(), Body: in.Body, Created: now, Updated: now}
	put(c.s, &c.s.state.Comments, m.ID, m)
	p.Updated = now
	put(c.s, &c.s.state.Pulls, p.ID, p)
	return http.StatusCreated, c.s.commentObj(c.repo, m), c.commentEvent(m, "created", nil)
}

func (c *call) commentEvent(m *commentRow, action string, changes obj) error {
	payload := obj{"action": action, "comment": c.s.commentObj(c.repo, m)}
	if p := c.s.pullNumbered(m.Repo, m.Number); p != nil {
		payload["issue"] = c.s.issueObj(c.repo, p)
	}
	if changes != nil {
		payload["changes"] = changes
	}
	return c.s.emit(c.repo, c.login(), "issue_comment", payload)
}

func (c *call) comment() (*commentRow, error) {
	id, err := c.number("id")
	if err != nil {
		return nil, err
	}
	m := c.s.state.Comments.rows[id]
	if m == nil || m.Repo != c.repo.ID {
		return nil, notFound()
	}
	return m, nil
}

func getComment(c *call) (int, any, error) {
	m, err := c.comment()
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, c.s.commentObj(c.repo, m), nil
}

func (c *call) ownComment() (*commentRow, error) {
	m, err := c.comment()
	if err != nil {
		return nil, err
	}
	if m.Author != c.login() && !c.can(write) {
		return nil, c.forbidden()
	}
	return m, nil
}

func updateComment(c *call) (int, any, error) {
	var in struct{ Body string }
	if err := c.in(&in); err != nil {
		return 0, nil, err
	}
	m, err := c.ownComment()
	if err != nil {
		return 0, nil, err
	}
	if err := checkComment(in.Body); err != nil {
		return 0, nil, err
	}
	changes := obj{"body": obj{"from": m.Body}}
	m.Body, m.Updated = in.Body, c.s.now()
	put(c.s, &c.s.state.Comments, m.ID, m)
	return http.StatusOK, c.s.commentObj(c.repo, m), c.commentEvent(m, "edited", changes)
}

func deleteComment(c *call) (int, any, error) {
	m, err := c.ownComment()
	if err != nil {
		return 0, nil, err
	}
	remove(c.s, &c.s.state.Comments, m.ID)
	return http.StatusNoContent, nil, c.commentEvent(m, "deleted", nil)
}

func listLabels(c *call) (int, any, error) {
	p, err := c.pull()
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, page(c, c.s.labels(c.repo, p), 30, 100), nil
}

func addLabels(c *call) (int, any, error) {
	var names []string
	if err := c.in(&names); err != nil { // both shapes are allowed
		var in struct{ Labels []string }
		if err := c.in(&in); err != nil {
			return 0, nil, err
		}
		names = in.Labels
	}
	p, err := c.pull()
	if err != nil {
		return 0, nil, err
	}
	for _, name := range names {
		if slices.Contains(p.Labels, name) {
			continue
		}
		p.Labels = append(slices.Clone(p.Labels), name)
		put(c.s, &c.s.state.Pulls, p.ID, p)
		labels := c.s.labels(c.repo, p)
		if err := c.s.pullEvent(c.repo, p, c.login(), "labeled", obj{"label": labels[len(labels)-1]}); err != nil {
			return 0, nil, err
		}
	}
	return http.StatusOK, c.s.labels(c.repo, p), nil
}

func removeLabel(c *call) (int, any, error) {
	p, err := c.pull()
	if err != nil {
		return 0, nil, err
	}
	name := c.path("name")
	if !slices.Contains(p.Labels, name) {
		return 0, nil, refuse(http.StatusNotFound, "Label does not exist")
	}
	p.Labels = slices.DeleteFunc(slices.Clone(p.Labels), func(l string) bool { return l == name })
	put(c.s, &c.s.state.Pulls, p.ID, p)
	err = c.s.pullEvent(c.repo, p, c.login(), "unlabeled", obj{"label": obj{"name": name}})
	return http.StatusOK, c.s.labels(c.repo, p), err
}

func addAssignees(c *call) (int, any, error) {
	var in struct{ Assignees []string }
	if err := c.in(&in); err != nil {
		return 0, nil, err
	}
	p, err := c.pull()
	if err != nil {
		return 0, nil, err
	}
	for _, login := range in.Assignees { // who may not be assigned is silently left out
		if !slices.Contains(p.Assignees, login) && c.s.levelOf(login, c.repo) >= read {
			p.Assignees = append(slices.Clone(p.Assignees), login)
		}
	}
	put(c.s, &c.s.state.Pulls, p.ID, p)
	return http.StatusCreated, c.s.issueObj(c.repo, p), nil
}
