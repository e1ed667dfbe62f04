package githubsim

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

const bodyLimit = 65536

// pull finds the pull request of the call.
func (c *call) pull() (*pullRow, error) {
	n, err := c.number("number")
	if err != nil {
		return nil, err
	}
	p := c.s.pullNumbered(c.repo.ID, int(n))
	if p == nil {
		return nil, notFound()
	}
	return c.stale(p), nil
}

func listPulls(c *call) (int, any, error) {
	q := c.r.URL.Query()
	state := q.Get("state")
	if state == "" {
		state = "open"
	}
	var rows []*pullRow
	for _, p := range c.s.state.Pulls.sorted(func(p *pullRow) bool { return p.Repo == c.repo.ID }) {
		p = c.stale(p)
		if (state == "all" || state == p.State) &&
			(q.Get("base") == "" || q.Get("base") == p.BaseRef) &&
			(!strings.Contains(q.Get("head"), ":") || q.Get("head") == p.HeadLabel) {
			rows = append(rows, p)
		}
	}
	sort, direction := q.Get("sort"), q.Get("direction")
	slices.SortStableFunc(rows, func(a, b *pullRow) int {
		if sort == "updated" {
			if n := a.Updated.Compare(b.Updated); n != 0 {
				return n
			}
		}
		return a.Number - b.Number
	})
	if direction == "desc" || direction == "" && (sort == "" || sort == "created") {
		slices.Reverse(rows)
	}
	return http.StatusOK, list(page(c, rows, 30, 100), c.s.pullObj), nil
}

func getPull(c *call) (int, any, error) {
	p, err := c.pull()
	if err != nil {
		return 0, nil, err
	}
	if strings.Contains(c.r.Header.Get("Accept"), ".diff") {
		text, err := c.s.diffText(c.repo, c.s.mergeBase(c.repo, p.DiffBase, p.HeadSHA), p.HeadSHA)
		return http.StatusOK, text, err
	}
	o := c.s.pullFull(p)
	if p.State == "open" && c.s.faults.take(faultMergeable, c.match()) != nil {
		o["mergeable"], o["mergeable_state"], o["merge_commit_sha"] = nil, "unknown", nil
	}
	return http.StatusOK, o, nil
}

// headRepo finds the repository and branch that "branch" or "owner:branch" name.
func (c *call) headRepo(head string) (*repoRow, string) {
	owner, branch, ok := strings.Cut(head, ":")
	if !ok {
		return c.repo, head
	}
	if owner == c.repo.Owner {
		return c.repo, branch
	}
	for _, f := range c.s.state.Repos.rows {
		if f.Owner == owner && f.Parent == c.repo.ID {
			return f, branch
		}
	}
	return nil, branch
}

func createPull(c *call) (int, any, error) {
	var in struct {
		Title, Head, Base, Body string
		Draft                   bool
	}
	if err := c.in(&in); err != nil {
		return 0, nil, err
	}
	from, branch := c.headRepo(in.Head)
	switch {
	case in.Title == "":
		return 0, nil, invalid("PullRequest", "title", "missing_field", "")
	case utf8.RuneCountInString(in.Title) > 256:
		return 0, nil, tooLong("PullRequest", "title", 256)
	case utf8.RuneCountInString(in.Body) > bodyLimit:
		return 0, nil, tooLong("PullRequest", "body", bodyLimit)
	case from == nil || branch == "" || from.Refs["refs/heads/"+branch] == "":
		return 0, nil, invalid("PullRequest", "head", "invalid", "")
	case c.repo.Refs["refs/heads/"+in.Base] == "":
		return 0, nil, invalid("PullRequest", "base", "invalid", "")
	case c.s.levelOf(c.login(), from) < write:
		return 0, nil, c.forbidden()
	}
	p, err := c.s.openPull(c.repo, from, c.login(), branch, in.Base, in.Title, in.Body, in.Draft)
	if err != nil {
		return 0, nil, err
	}
	c.header.Set("Location", fmt.Sprintf("%s/pulls/%d", c.s.repoURL(c.repo), p.Number))
	return http.StatusCreated, c.s.pullFull(p), nil
}

func (s *Sim) openPull(r, from *repoRow, author, branch, base, title, body string, draft bool) (*pullRow, error) {
	label := from.Owner + ":" + branch
	for _, p := range s.state.Pulls.rows {
		if p.State == "open" && p.Repo == r.ID && p.HeadRepo == from.ID && p.HeadRef == branch && p.BaseRef == base {
			return nil, custom("PullRequest", "A pull request already exists for "+label+".")
		}
	}
	now := s.now()
	p := &pullRow{
		Repo: r.ID, HeadRepo: from.ID, Number: r.LastNumber + 1, Title: title, Body: body, Author: author,
		State: "open", Draft: draft, BaseRef: base, BaseSHA: r.Refs["refs/heads/"+base],
		HeadRef: branch, HeadSHA: from.Refs["refs/heads/"+branch], HeadLabel: label, Created: now, Updated: now,
	}
	if err := s.keepHead(r, from, p); err != nil {
		return nil, err
	}
	if err := s.canBeOpen(r, p); err != nil {
		return nil, err
	}
	r.LastNumber++
	p.ID = s.newID()
	put(s, &s.state.Repos, r.ID, r)
	if err := s.refresh(r, p); err != nil {
		return nil, err
	}
	return p, s.pullEvent(r, p, author, "opened", nil)
}

// canBeOpen refuses what has nothing to merge.
func (s *Sim) canBeOpen(r *repoRow, p *pullRow) error {
	base := r.Refs["refs/heads/"+p.BaseRef]
	if s.mergeBase(r, base, p.HeadSHA) == "" {
		return custom("PullRequest", fmt.Sprintf("The %s branch has no history in common with %s", p.HeadLabel, r.Owner+":"+p.BaseRef))
	}
	if s.isAncestor(r, p.HeadSHA, base) {
		return custom("PullRequest", fmt.Sprintf("No commits between %s and %s", p.BaseRef, p.HeadRef))
	}
	return nil
}

type pullUpdate struct {
	Title, Body, State, Base *string
}

func updatePull(c *call) (int, any, error) {
	var in pullUpdate
	if err := c.in(&in); err != nil {
		return 0, nil, err
	}
	p, err := c.pull()
	if err != nil {
		return 0, nil, err
	}
	if err := c.changePull(p, in); err != nil {
		return 0, nil, err
	}
	return http.StatusOK, c.s.pullFull(p), nil
}

func (c *call) changePull(p *pullRow, in pullUpdate) error {
	if p.Author != c.login() && !c.can(triage) {
		return c.forbidden()
	}
	switch {
	case in.Title != nil && *in.Title == "":
		return invalid("PullRequest", "title", "missing_field", "")
	case in.Title != nil && utf8.RuneCountInString(*in.Title) > 256:
		return tooLong("PullRequest", "title", 256)
	case in.Body != nil && utf8.RuneCountInString(*in.Body) > bodyLimit:
		return tooLong("PullRequest", "body", bodyLimit)
	case in.State != nil && *in.State != "open" && *in.State != "closed":
		return invalid("PullRequest", "state", "invalid", "")
	case in.Base != nil && c.repo.Refs["refs/heads/"+*in.Base] == "":
		return invalid("PullRequest", "base", "invalid", "")
	case in.Base != nil && *in.Base != p.BaseRef && p.State == "closed":
		return custom("PullRequest", "Cannot change the base branch of a closed pull request.")
	}
	if in.State != nil && *in.State == "open" && p.State == "closed" {
		if err := c.canReopen(p); err != nil {
			return err
		}
	}
	return c.applyUpdate(p, in)
}

func (c *call) canReopen(p *pullRow) error {
	refused := func(why string) error {
		return custom("PullRequest", "state cannot be changed. "+why)
	}
	if p.MergedAt != nil {
		return refused("The pull request cannot be reopened.")
	}
	from := c.s.state.Repos.rows[p.HeadRepo]
	tip := ""
	if from != nil {
		tip = from.Refs["refs/heads/"+p.HeadRef]
	}
	switch {
	case tip == "":
		return refused("The " + p.HeadRef + " branch has been deleted.")
	case c.repo.Refs["refs/heads/"+p.BaseRef] == "":
		return refused("The " + p.BaseRef + " branch has been deleted.")
	case !c.s.isAncestor(from, p.HeadSHA, tip):
		return refused("The " + p.HeadRef + " branch was force-pushed or recreated.")
	}
	for _, o := range c.s.state.Pulls.rows {
		if o.State == "open" && o.Repo == p.Repo && o.HeadRepo == p.HeadRepo && o.HeadRef == p.HeadRef && o.BaseRef == p.BaseRef {
			return custom("PullRequest", "A pull request already exists for "+p.HeadLabel+".")
		}
	}
	return nil
}

func (c *call) applyUpdate(p *pullRow, in pullUpdate) error {
	s, changes, at := c.s, obj{}, c.s.now()
	if in.Title != nil && *in.Title != p.Title {
		changes["title"] = obj{"from": p.Title}
		p.Title = *in.Title
	}
	if in.Body != nil && *in.Body != p.Body {
		changes["body"] = obj{"from": p.Body}
		p.Body, p.Editor = *in.Body, c.login()
	}
	if in.Base != nil && *in.Base != p.BaseRef {
		changes["base"] = obj{"ref": obj{"from": p.BaseRef}, "sha": obj{"from": p.BaseSHA}}
		p.BaseRef, p.BaseSHA = *in.Base, c.repo.Refs["refs/heads/"+*in.Base]
		p.Turns = append(p.Turns, turn{By: c.login(), At: at})
		if err := s.refresh(c.repo, p); err != nil {
			return err
		}
	}
	p.Updated = at
	put(s, &s.state.Pulls, p.ID, p)
	if len(changes) > 0 {
		if err := s.pullEvent(c.repo, p, c.login(), "edited", obj{"changes": changes}); err != nil {
			return err
		}
	}
	switch {
	case in.State == nil || *in.State == p.State:
		return nil
	case *in.State == "closed":
		return s.closePull(c.repo, p, c.login())
	}
	return s.reopen(c.repo, p, c.login())
}

func (s *Sim) reopen(r *repoRow, p *pullRow, actor string) error {
	from := s.state.Repos.rows[p.HeadRepo]
	p.State, p.Closed = "open", nil
	p.HeadSHA, p.BaseSHA = from.Refs["refs/heads/"+p.HeadRef], r.Refs["refs/heads/"+p.BaseRef]
	if err := s.keepHead(r, from, p); err != nil {
		return err
	}
	if err := s.refresh(r, p); err != nil {
		return err
	}
	return s.pullEvent(r, p, actor, "reopened", nil)
}
