package githubsim

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

func (s *Sim) reviewObj(r *repoRow, v *reviewRow) obj {
	pull := fmt.Sprintf("%s/pulls/%d", s.repoURL(r), v.Number)
	html := fmt.Sprintf("%s/pull/%d#pullrequestreview-%d", s.htmlURL(r), v.Number, v.ID)
	o := obj{
		"id": v.ID, "node_id": nodeID("PRR", v.ID), "user": s.user(v.Author), "body": v.Body, "state": v.State,
		"html_url": html, "pull_request_url": pull, "commit_id": v.Commit, "author_association": "COLLABORATOR",
		"_links": obj{"html": obj{"href": html}, "pull_request": obj{"href": pull}},
	}
	if v.State != "PENDING" {
		o["submitted_at"] = stamp(v.Submitted)
	}
	return o
}

func (s *Sim) reviewsOf(repo int64, number int) []*reviewRow {
	return s.state.Reviews.sorted(func(v *reviewRow) bool { return v.Repo == repo && v.Number == number })
}

func listReviews(c *call) (int, any, error) {
	p, err := c.pull()
	if err != nil {
		return 0, nil, err
	}
	rows := c.s.reviewsOf(c.repo.ID, p.Number)
	rows = slices.DeleteFunc(rows, func(v *reviewRow) bool { return v.State == "PENDING" && v.Author != c.login() })
	return http.StatusOK, list(page(c, rows, 30, 100), func(v *reviewRow) obj { return c.s.reviewObj(c.repo, v) }), nil
}

func (c *call) review() (*pullRow, *reviewRow, error) {
	p, err := c.pull()
	if err != nil {
		return nil, nil, err
	}
	id, err := c.number("id")
	if err != nil {
		return nil, nil, err
	}
	v := c.s.state.Reviews.rows[id]
	if v == nil || v.Repo != c.repo.ID || v.Number != p.Number {
		return nil, nil, notFound()
	}
	return p, v, nil
}

func getReview(c *call) (int, any, error) {
	_, v, err := c.review()
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, c.s.reviewObj(c.repo, v), nil
}

type reviewIn struct {
	Body, Event string
	CommitID    string `json:"commit_id"`
}

var reviewStates = map[string]string{
	"": "PENDING", "APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED", "COMMENT": "COMMENTED",
}

func (c *call) checkReview(p *pullRow, in reviewIn) error {
	state, known := reviewStates[in.Event]
	switch {
	case !known:
		return unprocessable("Invalid request.\n\n\"%s\" is not a member of [\"APPROVE\", \"REQUEST_CHANGES\", \"COMMENT\"].", in.Event)
	case utf8.RuneCountInString(in.Body) > bodyLimit:
		return tooLong("PullRequestReview", "body", bodyLimit)
	case state == "APPROVED" && p.Author == c.login():
		return &apiError{status: 422, message: "Unprocessable Entity", errors: []obj{{"message": "Can not approve your own pull request"}}}
	case state == "CHANGES_REQUESTED" && p.Author == c.login():
		return &apiError{status: 422, message: "Unprocessable Entity", errors: []obj{{"message": "Can not request changes on your own pull request"}}}
	case in.Body == "" && (state == "CHANGES_REQUESTED" || state == "COMMENTED"):
		return &apiError{status: 422, message: "Unprocessable Entity", errors: []obj{{"message": "Body can't be blank"}}}
	case in.CommitID != "" && c.resolve(in.CommitID) == "":
		return unprocessable("The commit_id is not part of the pull request")
	}
	return nil
}

func createReview(c *call) (int, any, error) {
	var in reviewIn
	if err := c.in(&in); err != nil {
		return 0, nil, err
	}
	p, err := c.pull()
	if err != nil {
		return 0, nil, err
	}
	if err := c.checkReview(p, in); err != nil {
		return 0, nil, err
	}
	v := &reviewRow{
		ID: c.s.newID(), Repo: c.repo.ID, Number: p.Number, Author: c.login(), Body: in.Body,
		State: reviewStates[in.Event], Commit: in.CommitID, Submitted: c.s.now(),
	}
	if v.Commit == "" {
		v.Commit = p.HeadSHA
	}
	return c.storeReview(p, v, "submitted")
}

func submitReview(c *call) (int, any, error) {
	var in reviewIn
	if err := c.in(&in); err != nil {
		return 0, nil, err
	}
	p, v, err := c.review()
	if err != nil {
		return 0, nil, err
	}
	if v.State != "PENDING" || v.Author != c.login() {
		return 0, nil, unprocessable("Can not submit this review")
	}
	if in.Body == "" {
		in.Body = v.Body
	}
	if err := c.checkReview(p, in); err != nil {
		return 0, nil, err
	}
	v.Body, v.State, v.Submitted = in.Body, reviewStates[in.Event], c.s.now()
	return c.storeReview(p, v, "submitted")
}

func dismissReview(c *call) (int, any, error) {
	var in struct{ Message string }
	if err := c.in(&in); err != nil {
		return 0, nil, err
	}
	p, v, err := c.review()
	if err != nil {
		return 0, nil, err
	}
	switch {
	case in.Message == "":
		return 0, nil, unprocessable("Invalid request.\n\n\"message\" wasn't supplied.")
	case v.State != "APPROVED" && v.State != "CHANGES_REQUESTED":
		return 0, nil, unprocessable("Can not dismiss a %s pull request review", strings.ToLower(v.State))
	}
	v.State = "DISMISSED"
	return c.storeReview(p, v, "dismissed")
}

func (c *call) storeReview(p *pullRow, v *reviewRow, action string) (int, any, error) {
	put(c.s, &c.s.state.Reviews, v.ID, v)
	o := c.s.reviewObj(c.repo, v)
	if v.State == "PENDING" {
		return http.StatusOK, o, nil
	}
	p.Reviewers = slices.DeleteFunc(p.Reviewers, func(login string) bool { return login == v.Author })
	p.Updated = c.s.now()
	put(c.s, &c.s.state.Pulls, p.ID, p)
	told := c.s.reviewObj(c.repo, v) // webhooks write the state in small letters
	told["state"] = strings.ToLower(v.State)
	err := c.s.emit(c.repo, c.login(), "pull_request_review", obj{"action": action, "review": told, "pull_request": c.s.pullObj(p)})
	return http.StatusOK, o, err
}

func listReviewers(c *call) (int, any, error) {
	p, err := c.pull()
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, obj{"users": list(p.Reviewers, c.s.userIn), "teams": []obj{}}, nil
}

func requestReviewers(c *call) (int, any, error) {
	var in struct{ Reviewers []string }
	if err := c.in(&in); err != nil {
		return 0, nil, err
	}
	p, err := c.pull()
	if err != nil {
		return 0, nil, err
	}
	for _, login := range in.Reviewers {
		if strings.EqualFold(login, p.Author) {
			return 0, nil, unprocessable("Review cannot be requested from pull request author.")
		}
		if c.s.userNamed(login) == nil || c.s.levelOf(login, c.repo) < read {
			return 0, nil, unprocessable("Reviews may only be requested from collaborators. One or more of the users or teams you specified is not a collaborator of the %s repository.", c.repo.full())
		}
	}
	for _, login := range in.Reviewers {
		if !slices.Contains(p.Reviewers, login) {
			p.Reviewers = append(slices.Clone(p.Reviewers), login)
			if err := c.s.pullEvent(c.repo, p, c.login(), "review_requested", obj{"requested_reviewer": c.s.user(login)}); err != nil {
				return 0, nil, err
			}
		}
	}
	put(c.s, &c.s.state.Pulls, p.ID, p)
	return http.StatusCreated, c.s.pullObj(p), nil
}

func unrequestReviewers(c *call) (int, any, error) {
	var in struct{ Reviewers []string }
	if err := c.in(&in); err != nil {
		return 0, nil, err
	}
	p, err := c.pull()
	if err != nil {
		return 0, nil, err
	}
	p.Reviewers = slices.DeleteFunc(slices.Clone(p.Reviewers), func(login string) bool { return slices.Contains(in.Reviewers, login) })
	put(c.s, &c.s.state.Pulls, p.ID, p)
	return http.StatusOK, c.s.pullObj(p), nil
}
