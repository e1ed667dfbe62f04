package github

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// pullOf puts a pull request into our words. A list does not say who merged;
// Pull does.
func pullOf(repo string, p *gh.PullRequest) integrations.PullRequest {
	out := integrations.PullRequest{
		RepoID: p.GetBase().GetRepo().GetID(), Repo: p.GetBase().GetRepo().GetFullName(),
		Number: p.GetNumber(), Title: p.GetTitle(), Body: p.GetBody(), URL: p.GetHTMLURL(),
		Author: p.GetUser().GetLogin(), State: p.GetState(), Draft: p.GetDraft(),
		Head: p.GetHead().GetSHA(), Branch: p.GetHead().GetRef(),
		Base: p.GetBase().GetRef(), BaseSHA: p.GetBase().GetSHA(),
		UpdatedAt: p.GetUpdatedAt().Time, CreatedAt: p.GetCreatedAt().Time,
	}
	if out.Repo == "" {
		out.Repo = repo
	}
	// A head without a repository is a fork that was deleted.
	out.Fork = p.GetHead().GetRepo().GetID() == 0 || p.GetHead().GetRepo().GetID() != out.RepoID
	if p.GetMerged() || !p.GetMergedAt().IsZero() {
		out.State = "merged"
		out.MergeSHA, out.MergedBy, out.MergedAt = p.GetMergeCommitSHA(), p.GetMergedBy().GetLogin(), p.GetMergedAt().Time
	}
	return out
}

// Pull is a pull request as it is now.
func (c *Client) Pull(ctx context.Context, repo string, number int) (integrations.PullRequest, error) {
	owner, name, err := split(repo)
	if err != nil {
		return integrations.PullRequest{}, err
	}
	p, _, err := c.api.PullRequests.Get(ctx, owner, name, number)
	if err = shape(err); err != nil {
		return integrations.PullRequest{}, about(err, "get pull request %s#%d", repo, number)
	}
	return pullOf(repo, p), nil
}

// listPulls pages through a list until keep says stop.
func (c *Client) listPulls(ctx context.Context, repo string, o gh.PullRequestListOptions, keep func(integrations.PullRequest) (add, goOn bool)) ([]integrations.PullRequest, error) {
	owner, name, err := split(repo)
	if err != nil {
		return nil, err
	}
	var out []integrations.PullRequest
	err = c.pages(ctx, func(page int) (*gh.Response, bool, error) {
		o.ListOptions = gh.ListOptions{Page: page, PerPage: 100}
		got, resp, err := c.api.PullRequests.List(ctx, owner, name, &o)
		if err != nil {
			return resp, false, err
		}
		for _, p := range got {
			pr := pullOf(repo, p)
			add, goOn := keep(pr)
			if add {
				out = append(out, pr)
			}
			if !goOn {
				return resp, false, nil
			}
		}
		return resp, true, nil
	})
	return out, err
}

func all(integrations.PullRequest) (bool, bool) { return true, true }

// OpenPulls are all open pull requests of a repository.
func (c *Client) OpenPulls(ctx context.Context, repo string) ([]integrations.PullRequest, error) {
	out, err := c.listPulls(ctx, repo, gh.PullRequestListOptions{State: "open"}, all)
	return out, about(err, "list open pull requests of %s", repo)
}

// RecentPulls are the pull requests into base, "" for any, that are closed or
// merged and were last updated at or after since, newest first. Ask Pull for
// who merged one.
func (c *Client) RecentPulls(ctx context.Context, repo, base string, since time.Time) ([]integrations.PullRequest, error) {
	o := gh.PullRequestListOptions{State: "closed", Base: base, Sort: "updated", Direction: "desc"}
	out, err := c.listPulls(ctx, repo, o, func(p integrations.PullRequest) (bool, bool) {
		recent := !p.UpdatedAt.Before(since)
		return recent, recent
	})
	return out, about(err, "list recent pull requests of %s", repo)
}

// FindPull is the pull request from one branch of a repository into another:
// the open one, else the newest. ErrNotFound says that there never was one.
func (c *Client) FindPull(ctx context.Context, repo, head, base string) (integrations.PullRequest, error) {
	owner, _, _ := strings.Cut(repo, "/")
	o := gh.PullRequestListOptions{State: "all", Head: owner + ":" + head, Base: base, Sort: "created", Direction: "desc"}
	out, err := c.listPulls(ctx, repo, o, func(p integrations.PullRequest) (bool, bool) {
		return p.Branch == head && p.Base == base && !p.Fork, true
	})
	if err == nil && len(out) == 0 {
		err = integrations.ErrNotFound
	}
	if err != nil {
		return integrations.PullRequest{}, about(err, "find the pull request from %s into %s in %s", head, base, repo)
	}
	for _, p := range out {
		if p.State == "open" {
			return p, nil
		}
	}
	return out[0], nil
}

// PullsOfCommit are the pull requests that brought a commit in, or will.
func (c *Client) PullsOfCommit(ctx context.Context, repo, sha string) ([]integrations.PullRequest, error) {
	owner, name, err := split(repo)
	if err != nil {
		return nil, err
	}
	var out []integrations.PullRequest
	err = c.pages(ctx, func(page int) (*gh.Response, bool, error) {
		got, resp, err := c.api.PullRequests.ListPullRequestsWithCommit(ctx, owner, name, sha, &gh.ListOptions{Page: page, PerPage: 100})
		for _, p := range got {
			out = append(out, pullOf(repo, p))
		}
		return resp, true, err
	})
	return out, about(err, "list the pull requests of commit %.12s in %s", sha, repo)
}

// PullFiles are the names of the files a pull request touches, both names of a
// renamed one. GitHub lists 3,000 at most; truncated says that there are more.
func (c *Client) PullFiles(ctx context.Context, repo string, number int) (files []string, truncated bool, err error) {
	owner, name, err := split(repo)
	if err != nil {
		return nil, false, err
	}
	const most = 3000
	n := 0
	err = c.pages(ctx, func(page int) (*gh.Response, bool, error) {
		got, resp, err := c.api.PullRequests.ListFiles(ctx, owner, name, number, &gh.ListOptions{Page: page, PerPage: 100})
		for _, f := range got {
			files = appendFile(files, f)
		}
		n += len(got)
		return resp, true, err
	})
	return files, n >= most, about(err, "list the files of pull request %s#%d", repo, number)
}

// OpenPull opens a pull request; its body is Markdown. ErrExists says that one is open between those
// branches; FindPull finds it.
func (c *Client) OpenPull(ctx context.Context, repo string, n integrations.NewPull) (integrations.PullRequest, error) {
	owner, name, err := split(repo)
	if err != nil {
		return integrations.PullRequest{}, err
	}
	p, _, err := c.api.PullRequests.Create(ctx, owner, name, &gh.NewPullRequest{
		Title: gh.String(cut(oneLine(n.Title), titleMost)), Body: gh.String(cut(n.Body, bodyMost)), Head: &n.Head, Base: &n.Base,
	})
	err = shape(err)
	if says(err, http.StatusUnprocessableEntity, "already exists") {
		err = as(err, integrations.ErrExists)
	}
	if err != nil {
		return integrations.PullRequest{}, about(err, "open a pull request from %s into %s in %s", n.Head, n.Base, repo)
	}
	return pullOf(repo, p), nil
}

// MergePull merges a pull request if its head is still headSHA, and returns the
// SHA of the merge. ErrMoved: the head is another. ErrNotMergeable: conflicts, a
// rule of the repository, or it is closed or merged already, which Pull tells.
func (c *Client) MergePull(ctx context.Context, repo string, number int, headSHA, title string) (string, error) {
	sha, err := c.mergePull(ctx, repo, number, headSHA, title)
	return sha, about(err, "merge pull request %s#%d", repo, number)
}

func (c *Client) mergePull(ctx context.Context, repo string, number int, headSHA, title string) (string, error) {
	owner, name, err := split(repo)
	if err != nil {
		return "", err
	}
	if !fullSHA.MatchString(headSHA) {
		return "", fmt.Errorf("%q is not a full SHA: %w", headSHA, integrations.ErrMoved)
	}
	o := &gh.PullRequestOptions{CommitTitle: title, SHA: headSHA, MergeMethod: c.cfg.MergeMethod}
	for try := 1; ; try++ {
		got, _, err := c.api.PullRequests.Merge(ctx, owner, name, number, "", o)
		err = shape(err)
		switch {
		case err == nil && got.GetMerged():
			return got.GetSHA(), nil
		case err == nil:
			return "", fmt.Errorf("GitHub says %q: %w", got.GetMessage(), integrations.ErrNotMergeable)
		case says(err, http.StatusMethodNotAllowed):
			return "", as(err, integrations.ErrNotMergeable)
		case says(err, http.StatusConflict, "base branch was modified") && try < 4:
			// Another merge came first; nothing was done, and GitHub says to try again.
			t := time.NewTimer(time.Duration(try) * 300 * time.Millisecond)
			select {
			case <-t.C:
			case <-ctx.Done():
				t.Stop()
				return "", ctx.Err()
			}
		case says(err, http.StatusConflict), says(err, http.StatusUnprocessableEntity):
			return "", as(err, integrations.ErrMoved)
		default:
			return "", err
		}
	}
}

// ClosePull closes a pull request without merging it.
func (c *Client) ClosePull(ctx context.Context, repo string, number int) error {
	return about(c.editPull(ctx, repo, number, &gh.PullRequest{State: gh.String("closed")}), "close pull request %s#%d", repo, number)
}

// AssignPull assigns a pull request to somebody, besides who is assigned already.
// Who may not be assigned is silently left out, as GitHub does.
func (c *Client) AssignPull(ctx context.Context, repo string, number int, login string) error {
	owner, name, err := split(repo)
	if err != nil {
		return err
	}
	_, _, err = c.api.Issues.AddAssignees(ctx, owner, name, number, []string{login})
	return about(shape(err), "assign pull request %s#%d to %s", repo, number, login)
}

// UpdatePull replaces a pull request's title and what it says, in Markdown.
func (c *Client) UpdatePull(ctx context.Context, repo string, number int, title, body string) error {
	return about(c.editPull(ctx, repo, number, &gh.PullRequest{Title: gh.String(cut(oneLine(title), titleMost)), Body: gh.String(cut(body, bodyMost))}), "edit pull request %s#%d", repo, number)
}

func (c *Client) editPull(ctx context.Context, repo string, number int, change *gh.PullRequest) error {
	owner, name, err := split(repo)
	if err != nil {
		return err
	}
	_, _, err = c.api.PullRequests.Edit(ctx, owner, name, number, change)
	return shape(err)
}

// Retargeted is when a pull request was last turned to another base branch, by
// somebody or by GitHub itself; zero where it never was. The API of issue events
// tells; that of the timeline does not.
func (c *Client) Retargeted(ctx context.Context, repo string, number int) (time.Time, error) {
	owner, name, err := split(repo)
	if err != nil {
		return time.Time{}, err
	}
	var last time.Time
	err = c.pages(ctx, func(page int) (*gh.Response, bool, error) {
		got, resp, err := c.api.Issues.ListIssueEvents(ctx, owner, name, number, &gh.ListOptions{Page: page, PerPage: 100})
		for _, e := range got {
			turned := e.GetEvent() == "base_ref_changed" || e.GetEvent() == "automatic_base_change_succeeded"
			if at := e.GetCreatedAt().Time; turned && at.After(last) {
				last = at
			}
		}
		return resp, true, err
	})
	return last, about(err, "list the events of pull request %s#%d", repo, number)
}

// Reviews are a pull request's reviews, oldest first.
func (c *Client) Reviews(ctx context.Context, repo string, number int) ([]integrations.Review, error) {
	owner, name, err := split(repo)
	if err != nil {
		return nil, err
	}
	var out []integrations.Review
	err = c.pages(ctx, func(page int) (*gh.Response, bool, error) {
		got, resp, err := c.api.PullRequests.ListReviews(ctx, owner, name, number, &gh.ListOptions{Page: page, PerPage: 100})
		for _, r := range got {
			out = append(out, integrations.Review{
				Author: r.GetUser().GetLogin(), State: strings.ToUpper(r.GetState()), Head: r.GetCommitID(), At: r.GetSubmittedAt().Time,
			})
		}
		return resp, true, err
	})
	return out, about(err, "list the reviews of pull request %s#%d", repo, number)
}
