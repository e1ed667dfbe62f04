package deploy

import (
	"context"
	"errors"
	"slices"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// fakeTrees know the commits of the fake forge; position is the order in which
// they were made.
type fakeTrees struct{ f *fakeForge }

func (t fakeTrees) Fetch(context.Context, string, string) error { return nil }

func (t fakeTrees) Ahead(string, string) {}

func (t fakeTrees) Checkout(context.Context, string, string, string) error { return nil }

func (t fakeTrees) Remove(context.Context, string, string) error { return nil }

func (t fakeTrees) Position(_ context.Context, _, sha string) (uint64, error) {
	t.f.mu.Lock()
	defer t.f.mu.Unlock()
	if at := t.f.at(sha); at >= 0 {
		return uint64(at + 1), nil
	}
	return 0, integrations.ErrNotFound
}

func (t fakeTrees) Since(_ context.Context, _, from, to string) ([]string, error) {
	t.f.mu.Lock()
	defer t.f.mu.Unlock()
	return slices.Clone(t.f.order[t.f.at(from)+1 : t.f.at(to)+1]), nil
}

func (t fakeTrees) Touched(_ context.Context, _, base, head string) ([]string, error) {
	t.f.mu.Lock()
	defer t.f.mu.Unlock()
	if slices.ContainsFunc(t.f.pulls, func(p *integrations.PullRequest) bool { return p.Head == base }) {
		return t.f.moved, nil // what the base branch changed since
	}
	files, ok := t.f.touched[head]
	if !ok {
		return nil, errors.New("the mirror does not have it")
	}
	return files, nil
}

func (t fakeTrees) Contains(_ context.Context, _, head, sha string) (bool, error) {
	if err := t.f.call("Contains"); err != nil {
		return false, err
	}
	t.f.mu.Lock()
	defer t.f.mu.Unlock()
	if t.f.beside[sha] || t.f.beside[head] {
		return false, nil
	}
	return t.f.at(sha) <= t.f.at(head), nil
}

func (t fakeTrees) Introduced(_ context.Context, _, sha string) ([]string, error) {
	t.f.mu.Lock()
	defer t.f.mu.Unlock()
	files, merged := t.f.brings[sha]
	if !merged { // somebody pushed it
		files = []string{"network/main.tf"}
	}
	return append(slices.Clone(files), t.f.besides[sha]...), nil
}

func (t fakeTrees) Parent(_ context.Context, _, sha string) (string, error) {
	t.f.mu.Lock()
	defer t.f.mu.Unlock()
	return t.f.order[t.f.at(sha)-1], nil
}

func (t fakeTrees) Merged(_ context.Context, _, sha string) (string, error) {
	t.f.mu.Lock()
	defer t.f.mu.Unlock()
	for _, p := range t.f.pulls {
		if p.MergeSHA == sha {
			return p.Head, nil
		}
	}
	return "", nil
}

func (t fakeTrees) Tree(_ context.Context, _, sha string) (string, error) {
	t.f.mu.Lock()
	defer t.f.mu.Unlock()
	if t.f.at(sha) < 0 {
		return "", integrations.ErrNotFound
	}
	return t.f.tree(sha), nil
}

func (t fakeTrees) File(ctx context.Context, repo, sha, path string) ([]byte, error) {
	if err := t.f.call("File"); err != nil {
		return nil, err
	}
	content, _, err := t.f.ReadFile(ctx, repo, path, sha)
	return content, err
}

func (t fakeTrees) Blobs(_ context.Context, _, sha string, paths []string) (map[string]integrations.FileChange, error) {
	t.f.mu.Lock()
	defer t.f.mu.Unlock()
	out := map[string]integrations.FileChange{}
	for _, p := range paths {
		if blob, ok := t.f.held[sha][p]; ok {
			out[p] = integrations.FileChange{Path: p, Blob: blob, Mode: "100644"}
		}
	}
	return out, nil
}
