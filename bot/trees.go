package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/git"
)

// trees gives the deploy feature its work trees, by the names of repositories.
type trees struct {
	mirrors *git.Mirrors
	github  cloner
}

// cloner is what the work trees need of the place that repositories are cloned from.
type cloner interface {
	// CloneURL is where a repository, "owner/name", is fetched from.
	CloneURL(repo string) string
	// Answers asks whether it can be reached: an *[integrations.Away] when not.
	Answers(ctx context.Context) error
}

func (t trees) repo(name string) (*git.Repo, error) { return t.mirrors.Repo(t.github.CloneURL(name)) }

// ensure has a repository's mirror hold commits. When that does not work GitHub is
// asked whether it answers at all: git says it in words of its own.
func (t trees) ensure(ctx context.Context, r *git.Repo, shas ...string) error {
	err := r.Ensure(ctx, shas...)
	if err == nil || errors.Is(err, git.ErrNotFound) || ctx.Err() != nil {
		return err
	}
	var away *integrations.Away
	if errors.As(t.github.Answers(ctx), &away) {
		return &integrations.Away{System: away.System, Since: away.Since, For: away.For, Err: err}
	}
	return err
}

func (t trees) Fetch(ctx context.Context, repo, sha string) error {
	r, err := t.repo(repo)
	if err != nil {
		return err
	}
	return t.ensure(ctx, r, sha)
}

func (t trees) Ahead(repo, sha string) {
	if r, err := t.repo(repo); err == nil {
		r.Ahead(sha)
	}
}

func (t trees) Checkout(ctx context.Context, repo, sha, dir string) error {
	r, err := t.repo(repo)
	if err != nil {
		return err
	}
	return r.Worktree(ctx, sha, dir)
}

func (t trees) Remove(ctx context.Context, repo, dir string) error {
	r, err := t.repo(repo)
	if err != nil {
		return err
	}
	return r.RemoveWorktree(ctx, dir)
}

func (t trees) Position(ctx context.Context, repo, sha string) (uint64, error) {
	r, err := t.repo(repo)
	if err != nil {
		return 0, err
	}
	at, _, err := r.FirstParentPosition(ctx, sha, sha)
	return uint64(at), err
}

func (t trees) Since(ctx context.Context, repo, from, to string) ([]string, error) {
	r, err := t.repo(repo)
	if err != nil {
		return nil, err
	}
	if err := t.ensure(ctx, r, from, to); err != nil {
		return nil, err
	}
	log, err := r.FirstParentLog(ctx, from, to, 0)
	var out []string
	for i := len(log) - 1; i >= 0; i-- {
		out = append(out, log[i].SHA)
	}
	return out, err
}

func (t trees) Touched(ctx context.Context, repo, base, head string) ([]string, error) {
	r, err := t.repo(repo)
	if err != nil {
		return nil, err
	}
	if err := t.ensure(ctx, r, base, head); err != nil {
		return nil, err
	}
	return r.ChangedFiles(ctx, base, head)
}

func (t trees) Contains(ctx context.Context, repo, head, sha string) (bool, error) {
	r, err := t.repo(repo)
	if err != nil {
		return false, err
	}
	if err := t.ensure(ctx, r, head, sha); err != nil {
		return false, err
	}
	return r.IsAncestor(ctx, sha, head)
}

func (t trees) Introduced(ctx context.Context, repo, sha string) ([]string, error) {
	r, err := t.repo(repo)
	if err != nil {
		return nil, err
	}
	parent, err := t.Parent(ctx, repo, sha)
	if err != nil {
		return nil, err
	}
	return r.DiffFiles(ctx, parent, sha)
}

func (t trees) Parent(ctx context.Context, repo, sha string) (string, error) {
	r, err := t.repo(repo)
	if err != nil {
		return "", err
	}
	if err := t.ensure(ctx, r, sha); err != nil {
		return "", err
	}
	log, err := r.FirstParentLog(ctx, "", sha, 1)
	if err != nil {
		return "", err
	}
	if len(log) == 0 || len(log[0].Parents) == 0 {
		return "", fmt.Errorf("commit %s of %s has no parent to compare with", sha, repo)
	}
	return log[0].Parents[0], nil
}

func (t trees) Merged(ctx context.Context, repo, sha string) (string, error) {
	r, err := t.repo(repo)
	if err != nil {
		return "", err
	}
	log, err := r.FirstParentLog(ctx, "", sha, 1)
	if err != nil || len(log) == 0 || len(log[0].Parents) < 2 {
		return "", err
	}
	return log[0].Parents[1], nil
}

func (t trees) Tree(ctx context.Context, repo, sha string) (string, error) {
	r, err := t.repo(repo)
	if err != nil {
		return "", err
	}
	if err := t.ensure(ctx, r, sha); err != nil {
		return "", err
	}
	return r.Tree(ctx, sha)
}

func (t trees) File(ctx context.Context, repo, sha, path string) ([]byte, error) {
	r, err := t.repo(repo)
	if err != nil {
		return nil, err
	}
	if err := t.ensure(ctx, r, sha); err != nil {
		return nil, err
	}
	content, err := r.Show(ctx, sha, path)
	if errors.Is(err, git.ErrNotFound) {
		return nil, fmt.Errorf("%w: %w", integrations.ErrNotFound, err)
	}
	return content, err
}

func (t trees) Blobs(ctx context.Context, repo, sha string, paths []string) (map[string]integrations.FileChange, error) {
	r, err := t.repo(repo)
	if err != nil {
		return nil, err
	}
	if err := t.ensure(ctx, r, sha); err != nil {
		return nil, err
	}
	found, err := r.Entries(ctx, sha, paths)
	out := map[string]integrations.FileChange{}
	for path, e := range found {
		out[path] = integrations.FileChange{Path: path, Blob: e.SHA, Mode: e.Mode}
	}
	return out, err
}
