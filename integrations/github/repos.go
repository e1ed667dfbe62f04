package github

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	gh "github.com/google/go-github/v60/github"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// RepoID is GitHub's number for a repository, which a rename does not change.
// It is asked for once.
func (c *Client) RepoID(ctx context.Context, repo string) (int64, error) {
	c.mu.Lock()
	id := c.ids[strings.ToLower(repo)]
	c.mu.Unlock()
	if id != 0 {
		return id, nil
	}
	owner, name, err := split(repo)
	if err != nil {
		return 0, err
	}
	r, _, err := c.api.Repositories.Get(ctx, owner, name)
	if err = shape(err); err != nil {
		return 0, about(err, "get repository %s", repo)
	}
	id = r.GetID()
	c.mu.Lock()
	c.ids[strings.ToLower(repo)] = id
	c.mu.Unlock()
	return id, nil
}

// Resolve is the full SHA of a branch, a tag or a SHA, short or full.
// integrations.ErrNotFound says that there is no such commit. GitHub answers for
// the commits of forks too: whoever needs a commit of this repository has to
// compare it with one of its branches.
func (c *Client) Resolve(ctx context.Context, repo, ref string) (string, error) {
	owner, name, err := split(repo)
	if err != nil {
		return "", err
	}
	if !validRef(ref) {
		return "", fmt.Errorf("resolve %q in %s: %w", ref, repo, integrations.ErrNotFound)
	}
	sha, _, err := c.api.Repositories.GetCommitSHA1(ctx, owner, name, ref, "")
	err = shape(err)
	sha = strings.TrimSpace(sha)
	switch {
	case says(err, http.StatusUnprocessableEntity), says(err, http.StatusConflict): // no commit for the ref; an empty repository
		err = as(err, integrations.ErrNotFound)
	case err == nil && !fullSHA.MatchString(sha):
		err = fmt.Errorf("GitHub answered %.60q, which is no SHA", sha)
	}
	if err != nil {
		return "", about(err, "resolve %s in %s", ref, repo)
	}
	return sha, nil
}

// graphed is a commit with its parents, which only this package looks at.
type graphed struct {
	integrations.Commit
	parents []string
}

// Compare is base...head with all its commits, oldest first. GitHub names at
// most 300 files; whoever must know them all asks git.
func (c *Client) Compare(ctx context.Context, repo, base, head string) (integrations.Comparison, error) {
	cmp, _, err := c.compare(ctx, repo, base, head)
	return cmp, about(err, "compare %s...%s in %s", base, head, repo)
}

func (c *Client) compare(ctx context.Context, repo, base, head string) (integrations.Comparison, []graphed, error) {
	var cmp integrations.Comparison
	owner, name, err := split(repo)
	if err != nil {
		return cmp, nil, err
	}
	if !validRef(base) || !validRef(head) {
		return cmp, nil, integrations.ErrNotFound
	}
	var commits []graphed
	total := 0
	err = c.pages(ctx, func(page int) (*gh.Response, bool, error) {
		got, resp, err := c.api.Repositories.CompareCommits(ctx, owner, name, base, head, &gh.ListOptions{Page: page, PerPage: 250})
		if err != nil {
			return resp, false, err
		}
		if page == 1 {
			cmp = integrations.Comparison{Status: got.GetStatus(), Ahead: got.GetAheadBy(), Behind: got.GetBehindBy(), URL: got.GetHTMLURL()}
			for _, f := range got.Files {
				cmp.Files = appendFile(cmp.Files, f)
			}
			total = got.GetTotalCommits()
		}
		for _, rc := range got.Commits {
			commits = append(commits, graphedOf(rc))
		}
		return resp, len(commits) < total, nil
	})
	if err != nil {
		return cmp, nil, err
	}
	if len(commits) < total {
		return cmp, nil, fmt.Errorf("GitHub sent %d of %d commits", len(commits), total)
	}
	for _, g := range commits {
		cmp.Commits = append(cmp.Commits, g.Commit)
	}
	return cmp, commits, nil
}

func graphedOf(rc *gh.RepositoryCommit) graphed {
	author := rc.GetAuthor().GetLogin()
	if author == "" {
		author = rc.GetCommit().GetAuthor().GetName()
	}
	g := graphed{Commit: integrations.Commit{
		SHA: rc.GetSHA(), Message: rc.GetCommit().GetMessage(), Author: author, URL: rc.GetHTMLURL(),
		At: rc.GetCommit().GetCommitter().GetDate().Time,
	}}
	for _, p := range rc.Parents {
		g.parents = append(g.parents, p.GetSHA())
	}
	return g
}

func appendFile(files []string, f *gh.CommitFile) []string {
	files = append(files, f.GetFilename())
	if was := f.GetPreviousFilename(); was != "" && was != f.GetFilename() {
		files = append(files, was)
	}
	return files
}

// Commits are the first-parent commits that came to a branch since a SHA,
// oldest first. With no SHA it is the branch's head alone. ErrMoved says that
// the branch does not hold that SHA any more: somebody forced it.
func (c *Client) Commits(ctx context.Context, repo, branch, sinceSHA string) ([]integrations.Commit, error) {
	out, err := c.commitsSince(ctx, repo, branch, sinceSHA)
	return out, about(err, "list commits of %s in %s since %.12s", branch, repo, sinceSHA)
}

func (c *Client) commitsSince(ctx context.Context, repo, branch, sinceSHA string) ([]integrations.Commit, error) {
	head, err := c.BranchHead(ctx, repo, branch)
	if err != nil {
		return nil, err
	}
	if head == sinceSHA {
		return nil, nil
	}
	if sinceSHA == "" {
		return c.commit(ctx, repo, head)
	}
	cmp, commits, err := c.compare(ctx, repo, sinceSHA, head)
	if err != nil {
		return nil, err
	}
	if cmp.Behind > 0 {
		return nil, fmt.Errorf("%w: %s is %s of it", integrations.ErrMoved, branch, cmp.Status)
	}
	bySHA := make(map[string]graphed, len(commits))
	for _, g := range commits {
		bySHA[g.SHA] = g
	}
	var out []integrations.Commit
	for sha := head; ; {
		g, ok := bySHA[sha]
		if !ok {
			break
		}
		out = append(out, g.Commit)
		if len(g.parents) == 0 {
			break
		}
		sha = g.parents[0]
	}
	slices.Reverse(out)
	return out, nil
}

func (c *Client) commit(ctx context.Context, repo, sha string) ([]integrations.Commit, error) {
	owner, name, err := split(repo)
	if err != nil {
		return nil, err
	}
	rc, _, err := c.api.Repositories.GetCommit(ctx, owner, name, sha, &gh.ListOptions{PerPage: 1})
	if err = shape(err); err != nil {
		return nil, err
	}
	return []integrations.Commit{graphedOf(rc).Commit}, nil
}

// BranchHead is the SHA a branch points to.
func (c *Client) BranchHead(ctx context.Context, repo, branch string) (string, error) {
	owner, name, err := split(repo)
	if err != nil {
		return "", err
	}
	if !validRef(branch) {
		return "", fmt.Errorf("get branch %q of %s: %w", branch, repo, integrations.ErrNotFound)
	}
	ref, _, err := c.api.Git.GetRef(ctx, owner, name, "heads/"+branch)
	err = shape(err)
	if says(err, http.StatusConflict) { // an empty repository
		err = as(err, integrations.ErrNotFound)
	}
	if err != nil {
		return "", about(err, "get branch %s of %s", branch, repo)
	}
	return ref.GetObject().GetSHA(), nil
}

// CreateBranch makes a branch at a SHA. ErrExists says that there is one of
// that name, wherever it points.
func (c *Client) CreateBranch(ctx context.Context, repo, branch, sha string) error {
	owner, name, err := split(repo)
	if err != nil {
		return err
	}
	if !validRef(branch) {
		return fmt.Errorf("create branch %q in %s: that is no name for a branch", branch, repo)
	}
	_, _, err = c.api.Git.CreateRef(ctx, owner, name, &gh.Reference{Ref: gh.String("refs/heads/" + branch), Object: &gh.GitObject{SHA: &sha}})
	err = shape(err)
	if says(err, http.StatusUnprocessableEntity, "already exists") {
		err = as(err, integrations.ErrExists)
	}
	return about(err, "create branch %s in %s", branch, repo)
}

// MoveBranch moves a branch forward to a SHA. ErrMoved says that the branch is
// not an ancestor of it.
func (c *Client) MoveBranch(ctx context.Context, repo, branch, sha string) error {
	owner, name, err := split(repo)
	if err != nil {
		return err
	}
	_, _, err = c.api.Git.UpdateRef(ctx, owner, name, &gh.Reference{Ref: gh.String("refs/heads/" + branch), Object: &gh.GitObject{SHA: &sha}}, false)
	err = shape(err)
	if says(err, http.StatusUnprocessableEntity, "fast forward") || says(err, http.StatusUnprocessableEntity, "fast-forward") {
		err = as(err, integrations.ErrMoved)
	}
	return about(err, "move branch %s in %s to %s", branch, repo, sha)
}

// DeleteBranch deletes a branch; that it is gone already is no error.
func (c *Client) DeleteBranch(ctx context.Context, repo, branch string) error {
	owner, name, err := split(repo)
	if err != nil {
		return err
	}
	if !validRef(branch) {
		return nil
	}
	_, err = c.api.Git.DeleteRef(ctx, owner, name, "heads/"+branch)
	err = shape(err)
	if says(err, http.StatusUnprocessableEntity, "does not exist") {
		return nil
	}
	return about(err, "delete branch %s of %s", branch, repo)
}

// ReadFile is a file's content at a ref, and the SHA that CommitFile wants.
func (c *Client) ReadFile(ctx context.Context, repo, path, ref string) (content []byte, blobSHA string, err error) {
	content, blobSHA, err = c.readFile(ctx, repo, path, ref)
	return content, blobSHA, about(err, "read %s of %s at %s", path, repo, ref)
}

func (c *Client) readFile(ctx context.Context, repo, path, ref string) ([]byte, string, error) {
	owner, name, err := split(repo)
	if err != nil {
		return nil, "", err
	}
	if !validRef(ref) {
		return nil, "", integrations.ErrNotFound
	}
	file, _, _, err := c.api.Repositories.GetContents(ctx, owner, name, path, &gh.RepositoryContentGetOptions{Ref: ref})
	err = shape(err)
	switch {
	case err != nil:
		return nil, "", err
	case file == nil || file.GetType() == "dir":
		return nil, "", fmt.Errorf("it is a folder")
	case file.GetType() != "" && file.GetType() != "file":
		return nil, "", fmt.Errorf("it is a %s, not a file", file.GetType())
	}
	if file.GetEncoding() == "none" || file.Content == nil { // GitHub leaves out what is over 1 MB
		raw, _, err := c.api.Git.GetBlobRaw(ctx, owner, name, file.GetSHA())
		return raw, file.GetSHA(), shape(err)
	}
	text, err := file.GetContent()
	return []byte(text), file.GetSHA(), err
}

// CommitFile commits one file to a branch and returns the commit's SHA. blobSHA
// is what the file was, "" for a new one. ErrMoved says that it is not that any
// more.
func (c *Client) CommitFile(ctx context.Context, repo, branch, path string, content []byte, blobSHA, message string) (string, error) {
	owner, name, err := split(repo)
	if err != nil {
		return "", err
	}
	o := &gh.RepositoryContentFileOptions{Message: &message, Content: content, Branch: &branch}
	if blobSHA != "" {
		o.SHA = &blobSHA
	}
	got, _, err := c.api.Repositories.UpdateFile(ctx, owner, name, path, o) // makes a new one too
	err = shape(err)
	switch {
	case says(err, http.StatusConflict):
		err = as(err, integrations.ErrMoved)
	case says(err, http.StatusUnprocessableEntity, "wasn't supplied"):
		err = as(err, integrations.ErrExists)
	}
	if err != nil {
		return "", about(err, "commit %s to %s of %s", path, branch, repo)
	}
	return got.Commit.GetSHA(), nil
}
