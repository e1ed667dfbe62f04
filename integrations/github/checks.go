package github

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	gh "github.com/google/go-github/v60/github"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// Checks are the newest status of each context and the newest check run of each
// name at a commit, by name. A name that is both stands twice, and both count.
// With an error come those that could be read: a token may be allowed to read
// statuses and not check runs.
func (c *Client) Checks(ctx context.Context, repo, sha string) ([]integrations.Check, error) {
	owner, name, err := split(repo)
	if err != nil {
		return nil, err
	}
	if !fullSHA.MatchString(sha) {
		return nil, fmt.Errorf("read the checks of %q in %s: %w", sha, repo, integrations.ErrNotFound)
	}
	statuses, err := c.statusesAt(ctx, owner, name, sha)
	if err != nil {
		return nil, about(missingCommit(err), "read the statuses of %.12s in %s", sha, repo)
	}
	runs, err := c.checkRunsAt(ctx, owner, name, sha)
	out := slices.Concat(statuses, runs)
	slices.SortStableFunc(out, func(a, b integrations.Check) int { return cmp.Compare(a.Name, b.Name) })
	return out, about(missingCommit(err), "read the check runs of %.12s in %s", sha, repo)
}

// missingCommit: GitHub answers 422 for a commit that it has not.
func missingCommit(err error) error {
	if says(err, http.StatusUnprocessableEntity, "no commit found") {
		return as(err, integrations.ErrNotFound)
	}
	return err
}

func (c *Client) statusesAt(ctx context.Context, owner, name, sha string) ([]integrations.Check, error) {
	var out []integrations.Check
	err := c.pages(ctx, func(page int) (*gh.Response, bool, error) {
		got, resp, err := c.api.Repositories.GetCombinedStatus(ctx, owner, name, sha, &gh.ListOptions{Page: page, PerPage: 100})
		if err != nil {
			return resp, false, err
		}
		for _, s := range got.Statuses {
			k := integrations.Check{Name: s.GetContext(), State: "failure", URL: s.GetTargetURL()}
			if state := s.GetState(); state == "success" || state == "pending" { // the others are "failure" and "error"
				k.State = state
			}
			out = append(out, k)
		}
		return resp, true, nil
	})
	return out, err
}

// checkRunsAt keeps the newest run of each name: one that was started again has a
// higher id. A run of another check suite with the same name is one of them.
func (c *Client) checkRunsAt(ctx context.Context, owner, name, sha string) ([]integrations.Check, error) {
	newest := map[string]*gh.CheckRun{}
	err := c.pages(ctx, func(page int) (*gh.Response, bool, error) {
		got, resp, err := c.api.Checks.ListCheckRunsForRef(ctx, owner, name, sha, &gh.ListCheckRunsOptions{
			Filter: gh.String("latest"), ListOptions: gh.ListOptions{Page: page, PerPage: 100},
		})
		if err != nil {
			return resp, false, err
		}
		for _, r := range got.CheckRuns {
			if known := newest[r.GetName()]; known == nil || known.GetID() < r.GetID() {
				newest[r.GetName()] = r
			}
		}
		return resp, true, nil
	})
	if err != nil {
		return nil, err
	}
	var out []integrations.Check
	for _, r := range newest {
		out = append(out, integrations.Check{Name: r.GetName(), State: runState(r), URL: cmp.Or(r.GetDetailsURL(), r.GetHTMLURL())})
	}
	return out, nil
}

// runState: GitHub lets a merge pass on these three conclusions. Any other that
// it may think of holds the merge back.
func runState(r *gh.CheckRun) string {
	if r.GetStatus() != "completed" {
		return "pending"
	}
	switch r.GetConclusion() {
	case "success", "neutral", "skipped":
		return "success"
	}
	return "failure"
}

// RequiredChecks are the names that a merge into a branch has to wait for, by the
// branch's protection and by rulesets, sorted. Both can be read without being an
// administrator, in a form go-github has not. With an error come those that could
// be read.
func (c *Client) RequiredChecks(ctx context.Context, repo, branch string) ([]string, error) {
	owner, name, err := split(repo)
	if err != nil {
		return nil, err
	}
	if !validRef(branch) {
		return nil, fmt.Errorf("read the rules of branch %q of %s: %w", branch, repo, integrations.ErrNotFound)
	}
	var b struct {
		Protection struct {
			Checks struct {
				Contexts []string `json:"contexts"`
			} `json:"required_status_checks"`
		} `json:"protection"`
	}
	if err := c.get(ctx, fmt.Sprintf("repos/%s/%s/branches/%s", owner, name, url.PathEscape(branch)), &b); err != nil {
		return nil, about(err, "read the protection of branch %s of %s", branch, repo)
	}
	ruled, err := c.ruledChecks(ctx, fmt.Sprintf("repos/%s/%s/rules/branches/%s", owner, name, url.PathEscape(branch)))
	out := slices.Concat(b.Protection.Checks.Contexts, ruled)
	slices.Sort(out)
	return slices.Compact(out), about(err, "read the rulesets of branch %s of %s", branch, repo)
}

// ruledChecks reads the rulesets' part. A server older than rulesets, and a plan
// without them, require nothing by them.
func (c *Client) ruledChecks(ctx context.Context, path string) ([]string, error) {
	var out []string
	err := c.pages(ctx, func(page int) (*gh.Response, bool, error) {
		var rules []struct {
			Type       string `json:"type"`
			Parameters struct {
				Checks []struct {
					Context string `json:"context"`
				} `json:"required_status_checks"`
			} `json:"parameters"`
		}
		req, err := c.api.NewRequest(http.MethodGet, fmt.Sprintf("%s?per_page=100&page=%d", path, page), nil)
		if err != nil {
			return nil, false, err
		}
		resp, err := c.api.Do(ctx, req, &rules)
		for _, r := range rules {
			for _, k := range r.Parameters.Checks {
				if r.Type == "required_status_checks" {
					out = append(out, k.Context)
				}
			}
		}
		return resp, true, err
	})
	if errors.Is(err, integrations.ErrNotFound) || says(err, http.StatusForbidden, "upgrade to ") {
		return nil, nil
	}
	return out, err
}

func (c *Client) get(ctx context.Context, path string, into any) error {
	req, err := c.api.NewRequest(http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	_, err = c.api.Do(ctx, req, into)
	return shape(err)
}

// modes are what git knows an entry of a tree by, and GitHub's word for it.
var modes = map[string]string{"100644": "blob", "100755": "blob", "120000": "blob", "160000": "commit", "040000": "tree"}

// CreateCommit makes a commit by GitHub's git data API and returns its SHA; no
// branch points to it. Sent twice, it leaves a commit that nothing points to.
// ErrNotFound says that the tree, the base or a parent is not there.
func (c *Client) CreateCommit(ctx context.Context, repo string, nc integrations.NewCommit) (string, error) {
	sha, err := c.createCommit(ctx, repo, nc)
	if says(err, http.StatusUnprocessableEntity, "does not exist") {
		err = as(err, integrations.ErrNotFound)
	}
	return sha, about(err, "create a commit in %s", repo)
}

func (c *Client) createCommit(ctx context.Context, repo string, nc integrations.NewCommit) (string, error) {
	owner, name, err := split(repo)
	switch {
	case err != nil:
		return "", err
	case (nc.Tree == "") == (nc.Base == ""):
		return "", errors.New("it needs either a tree or a base")
	case nc.Tree != "" && len(nc.Files) > 0:
		return "", errors.New("files need a base, not a tree")
	case strings.TrimSpace(nc.Message) == "":
		return "", errors.New("it has no message")
	}
	tree := nc.Tree
	if nc.Base != "" {
		if tree, err = c.treeWith(ctx, owner, name, nc.Base, nc.Files); err != nil {
			return "", err
		}
	}
	commit := &gh.Commit{Message: &nc.Message, Tree: &gh.Tree{SHA: &tree}}
	for _, p := range nc.Parents {
		commit.Parents = append(commit.Parents, &gh.Commit{SHA: &p})
	}
	made, _, err := c.api.Git.CreateCommit(ctx, owner, name, commit, nil)
	if err = shape(err); err != nil {
		return "", err
	}
	return made.GetSHA(), nil
}

// treeWith is the tree of a commit with files changed. No change makes no new
// tree: GitHub refuses an empty list.
func (c *Client) treeWith(ctx context.Context, owner, name, base string, files []integrations.FileChange) (string, error) {
	if !fullSHA.MatchString(base) {
		return "", fmt.Errorf("base %q: %w", base, integrations.ErrNotFound)
	}
	commit, _, err := c.api.Git.GetCommit(ctx, owner, name, base)
	if err = shape(err); err != nil {
		return "", about(err, "read the base %.12s", base)
	}
	tree := commit.GetTree().GetSHA()
	if len(files) == 0 {
		return tree, nil
	}
	var entries []*gh.TreeEntry
	for _, f := range files {
		mode := cmp.Or(f.Mode, "100644")
		kind, ok := modes[mode]
		if !ok {
			return "", fmt.Errorf("%s: git has no mode %q", f.Path, mode)
		}
		e := &gh.TreeEntry{Path: &f.Path, Mode: &mode, Type: &kind}
		if f.Blob != "" {
			e.SHA = &f.Blob
		}
		entries = append(entries, e)
	}
	made, _, err := c.api.Git.CreateTree(ctx, owner, name, tree, entries)
	if err = shape(err); err != nil {
		return "", about(err, "make the tree")
	}
	return made.GetSHA(), nil
}
