package githubsim

import (
	"fmt"
	"net/http"
	"path"
	"strings"
)

type mergeIn struct {
	Title   string `json:"commit_title"`
	Message string `json:"commit_message"`
	SHA     string `json:"sha"`
	Method  string `json:"merge_method"`
}

func isMerged(c *call) (int, any, error) {
	p, err := c.pull()
	if err != nil {
		return 0, nil, err
	}
	if p.MergedAt == nil {
		return 0, nil, notFound()
	}
	return http.StatusNoContent, nil, nil
}

func mergePull(c *call) (int, any, error) {
	var in mergeIn
	if err := c.in(&in); err != nil {
		return 0, nil, err
	}
	p, err := c.pull()
	if err != nil {
		return 0, nil, err
	}
	sha, err := c.s.merge(c.repo, p, c.login(), in)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, obj{"sha": sha, "merged": true, "message": "Pull Request successfully merged"}, nil
}

// contexts names the status contexts that a branch requires.
func (s *Sim) contexts(r *repoRow, branch string) []string {
	out := []string{}
	for _, p := range r.Protect {
		if ok, err := path.Match(p.Branch, branch); err == nil && ok {
			out = append(out, p.Contexts...)
		}
	}
	return out
}

// missingStatus says which required status keeps a pull request from merging.
func (s *Sim) missingStatus(p *pullRow) string {
	for _, context := range s.contexts(s.state.Repos.rows[p.Repo], p.BaseRef) {
		switch state := s.contextState(p.Repo, p.HeadSHA, context); state {
		case "success":
		case "":
			return fmt.Sprintf("Required status check \"%s\" is expected.", context)
		case "pending":
			return fmt.Sprintf("Required status check \"%s\" is pending.", context)
		default:
			return fmt.Sprintf("Required status check \"%s\" is failing.", context)
		}
	}
	return ""
}

func notAllowed(why string) error { return refuse(http.StatusMethodNotAllowed, "%s", why) }

func (s *Sim) mayMerge(p *pullRow, in mergeIn) error {
	switch {
	case p.State != "open":
		return notAllowed("Pull Request is not mergeable")
	case in.SHA != "" && in.SHA != p.HeadSHA:
		return refuse(http.StatusConflict, "Head branch was modified. Review and try the merge again.")
	case p.Draft:
		return notAllowed("Pull Request is still a draft")
	case !p.Mergeable:
		return notAllowed("Pull Request is not mergeable")
	}
	if why := s.missingStatus(p); why != "" {
		return notAllowed(why)
	}
	return nil
}

// merge merges with real git. What it is about to do is on disk before the
// branch moves, so that a kill in between is neither half nor twice a merge.
func (s *Sim) merge(r *repoRow, p *pullRow, by string, in mergeIn) (string, error) {
	if err := s.mayMerge(p, in); err != nil {
		return "", err
	}
	base := "refs/heads/" + p.BaseRef
	tip := r.Refs[base]
	sha, err := s.mergeCommit(r, p, tip, by, in)
	if err != nil {
		return "", err
	}
	p.Intent = &mergeIntent{SHA: sha, By: by}
	r.Pusher = by
	put(s, &s.state.Pulls, p.ID, p)
	put(s, &s.state.Repos, r.ID, r)
	if err := s.commit(); err != nil {
		return "", err
	}
	s.crashPoint("merge intended")
	if err := s.updateRef(r, base, sha, tip); err != nil {
		p.Intent = nil
		put(s, &s.state.Pulls, p.ID, p)
		return "", notAllowed("Base branch was modified. Review and try the merge again.")
	}
	s.crashPoint("merge ref moved")
	return sha, s.finishMerge(r, p, sha, by)
}

// finishMerge does what follows once the base branch holds the merge.
func (s *Sim) finishMerge(r *repoRow, p *pullRow, sha, by string) error {
	s.markMerged(p, sha, by)
	if err := s.syncRefs(r, by); err != nil {
		return err
	}
	if err := s.pullEvent(r, p, by, "closed", nil); err != nil {
		return err
	}
	head := "refs/heads/" + p.HeadRef
	if !r.DeleteOnMerge || p.HeadRepo != r.ID || r.Refs[head] != p.HeadSHA || p.HeadRef == r.DefaultBranch {
		return nil
	}
	if _, err := s.git(r, "update-ref", "-d", head, p.HeadSHA); err != nil {
		return err
	}
	return s.syncRefs(r, by)
}

func (s *Sim) mergeCommit(r *repoRow, p *pullRow, tip, by string, in mergeIn) (string, error) {
	tree, ok, err := s.mergeTree(r, tip, p.HeadSHA)
	if err != nil {
		return "", err
	}
	if !ok {
		return "", notAllowed("Pull Request is not mergeable")
	}
	switch in.Method {
	case "", "merge":
		title := fmt.Sprintf("Merge pull request #%d from %s", p.Number, strings.Replace(p.HeadLabel, ":", "/", 1))
		text := message(in, title, p.Title)
		return s.commitTree(r, tree, []string{tip, p.HeadSHA}, text, s.identOf(by), s.webFlow())
	case "squash":
		body, err := s.squashBody(r, p)
		if err != nil {
			return "", err
		}
		text := message(in, fmt.Sprintf("%s (#%d)", p.Title, p.Number), body)
		return s.commitTree(r, tree, []string{tip}, text, s.identOf(p.Author), s.webFlow())
	case "rebase":
		return s.rebase(r, p, tip, by)
	}
	return "", invalid("PullRequest", "merge_method", "invalid", "")
}

func message(in mergeIn, title, body string) string {
	if in.Title != "" {
		title = in.Title
	}
	if in.Message != "" {
		body = in.Message
	}
	if body == "" {
		return title + "\n"
	}
	return title + "\n\n" + body + "\n"
}

func (s *Sim) squashBody(r *repoRow, p *pullRow) (string, error) {
	commits, err := s.pullCommits(r, p)
	if err != nil || len(commits) < 2 {
		return "", err
	}
	var b strings.Builder
	for _, c := range commits {
		fmt.Fprintf(&b, "* %s\n\n", c.Message)
	}
	return strings.TrimSpace(b.String()), nil
}

// rebase puts the commits on top of the base one by one. To pick a commit with
// merge-tree, both sides must meet in its parent, so ours is written anew as a
// child of that parent.
func (s *Sim) rebase(r *repoRow, p *pullRow, tip, by string) (string, error) {
	commits, err := s.pullCommits(r, p)
	if err != nil {
		return "", err
	}
	for _, c := range commits {
		if len(c.Parents) != 1 {
			return "", notAllowed("This branch can't be rebased")
		}
		ours, err := s.commitTree(r, tip+"^{tree}", c.Parents, "ours\n", s.webFlow(), s.webFlow())
		if err != nil {
			return "", err
		}
		tree, ok, err := s.mergeTree(r, ours, c.SHA)
		if err != nil {
			return "", err
		}
		if !ok {
			return "", notAllowed("This branch can't be rebased")
		}
		if tip, err = s.commitTree(r, tree, []string{tip}, c.Message+"\n", c.Author, s.identOf(by)); err != nil {
			return "", err
		}
	}
	return tip, nil
}

// mergeBranch merges one branch (or commit) into another without a pull request.
func mergeBranch(c *call) (int, any, error) {
	var in struct {
		Base, Head string
		Message    string `json:"commit_message"`
	}
	if err := c.in(&in); err != nil {
		return 0, nil, err
	}
	s, r := c.s, c.repo
	tip, head := r.Refs["refs/heads/"+in.Base], c.resolve(in.Head)
	switch {
	case tip == "":
		return 0, nil, refuse(http.StatusNotFound, "Base does not exist")
	case head == "":
		return 0, nil, refuse(http.StatusNotFound, "Head does not exist")
	case s.isAncestor(r, head, tip):
		return http.StatusNoContent, nil, nil
	}
	if in.Message == "" {
		in.Message = fmt.Sprintf("Merge %s into %s", in.Head, in.Base)
	}
	sha, err := s.mergeInto(r, in.Base, head, in.Message, c.login())
	if err != nil {
		return 0, nil, err
	}
	commit, err := s.commitOf(r, sha)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusCreated, s.commitObj(r, commit), nil
}

func (s *Sim) mergeInto(r *repoRow, branch, head, text, by string) (string, error) {
	tip := r.Refs["refs/heads/"+branch]
	tree, ok, err := s.mergeTree(r, tip, head)
	if err != nil {
		return "", err
	}
	if !ok {
		return "", refuse(http.StatusConflict, "Merge conflict")
	}
	sha, err := s.commitTree(r, tree, []string{tip, head}, text+"\n", s.identOf(by), s.webFlow())
	if err != nil {
		return "", err
	}
	if err := s.updateRef(r, "refs/heads/"+branch, sha, tip); err != nil {
		return "", err
	}
	return sha, s.syncRefs(r, by)
}
