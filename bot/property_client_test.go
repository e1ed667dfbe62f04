package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// hubClient is the hub as the bot reaches it: over a network that can be slow,
// down, or lose an answer.
type hubClient struct{ y *history }

// ask is a call of the bot's. act runs once, unless the call does not get through.
func ask[T any](ctx context.Context, c hubClient, what string, act func(h *hub) (T, error)) (out T, err error) {
	err = c.y.outside(ctx, sysGitHub, what, func() (err error) {
		out, err = act(c.y.hub)
		return err
	})
	return out, err
}

func do(ctx context.Context, c hubClient, what string, act func(h *hub) error) error {
	return c.y.outside(ctx, sysGitHub, what, func() error { return act(c.y.hub) })
}

func (c hubClient) RepoID(ctx context.Context, _ string) (int64, error) {
	return ask(ctx, c, "RepoID", func(*hub) (int64, error) { return hubRepoID, nil })
}

func (c hubClient) Resolve(ctx context.Context, _, ref string) (string, error) {
	return ask(ctx, c, "Resolve "+ref, func(h *hub) (string, error) {
		if sha, ok := h.branches[ref]; ok {
			return sha, nil
		}
		for _, sha := range h.made {
			if len(ref) >= 7 && strings.HasPrefix(sha, ref) {
				return sha, nil
			}
		}
		return "", integrations.ErrNotFound
	})
}

func (c hubClient) BranchHead(ctx context.Context, _, branch string) (string, error) {
	return ask(ctx, c, "BranchHead "+branch, func(h *hub) (string, error) {
		if sha, ok := h.branches[branch]; ok {
			return sha, nil
		}
		return "", integrations.ErrNotFound
	})
}

func (c hubClient) Compare(ctx context.Context, _, base, head string) (integrations.Comparison, error) {
	return ask(ctx, c, "Compare "+base+" "+head, func(h *hub) (integrations.Comparison, error) {
		base, head := cmp.Or(h.branches[base], base), cmp.Or(h.branches[head], head)
		out := integrations.Comparison{URL: "https://github.test/compare"}
		in, had := h.reach(head), h.reach(base)
		if len(in) == 0 || len(had) == 0 {
			return out, integrations.ErrNotFound
		}
		for _, sha := range h.made {
			if in[sha] && !had[sha] {
				out.Commits = append(out.Commits, integrations.Commit{SHA: sha, Message: h.commits[sha].message, Author: h.commits[sha].author})
			}
		}
		out.Ahead = len(out.Commits)
		return out, nil
	})
}

func (c hubClient) PullsOfCommit(ctx context.Context, _, sha string) ([]integrations.PullRequest, error) {
	return ask(ctx, c, "PullsOfCommit "+sha[:7], func(h *hub) ([]integrations.PullRequest, error) {
		return h.list(func(p *hubPull) bool {
			return !h.unlinked && p.State == "merged" && (p.MergeSHA == sha || p.brought[sha])
		}), nil
	})
}

// list leaves out who merged, as GitHub's lists do.
func (h *hub) list(want func(*hubPull) bool) (out []integrations.PullRequest) {
	for _, p := range h.pulls {
		if want(p) {
			pr := h.shot(p)
			pr.MergedBy = ""
			out = append(out, pr)
		}
	}
	return out
}

func (c hubClient) ReadFile(context.Context, string, string, string) ([]byte, string, error) {
	return nil, "", integrations.ErrNotFound
}

func (c hubClient) Pull(ctx context.Context, _ string, n int) (integrations.PullRequest, error) {
	return ask(ctx, c, fmt.Sprint("Pull ", n), func(h *hub) (integrations.PullRequest, error) {
		if p := h.pull(n); p != nil {
			return h.shot(p), nil
		}
		return integrations.PullRequest{}, integrations.ErrNotFound
	})
}

func (c hubClient) FindPull(ctx context.Context, _, head, base string) (integrations.PullRequest, error) {
	return ask(ctx, c, "FindPull "+head, func(h *hub) (integrations.PullRequest, error) {
		for _, p := range slices.Backward(h.pulls) {
			if p.Branch == head && p.Base == base {
				return h.shot(p), nil
			}
		}
		return integrations.PullRequest{}, integrations.ErrNotFound
	})
}

func (c hubClient) OpenPulls(ctx context.Context, _ string) ([]integrations.PullRequest, error) {
	return ask(ctx, c, "OpenPulls", func(h *hub) ([]integrations.PullRequest, error) {
		return h.list(func(p *hubPull) bool { return p.State == "open" }), nil
	})
}

func (c hubClient) RecentPulls(ctx context.Context, _, base string, since time.Time) ([]integrations.PullRequest, error) {
	return ask(ctx, c, "RecentPulls "+base, func(h *hub) ([]integrations.PullRequest, error) {
		return h.list(func(p *hubPull) bool { return p.State == "merged" && p.Base == base && p.UpdatedAt.After(since) }), nil
	})
}

func (c hubClient) PullFiles(ctx context.Context, _ string, n int) ([]string, bool, error) {
	files, err := ask(ctx, c, fmt.Sprint("PullFiles ", n), func(h *hub) ([]string, error) {
		p := h.pull(n)
		switch {
		case p == nil:
			return nil, integrations.ErrNotFound
		case p.State == "merged":
			return p.files, nil
		}
		return h.touched(h.branches[p.Base], p.Head), nil
	})
	return files, false, err
}

func (c hubClient) Reviews(ctx context.Context, _ string, n int) ([]integrations.Review, error) {
	return ask(ctx, c, fmt.Sprint("Reviews ", n), func(h *hub) ([]integrations.Review, error) {
		if p := h.pull(n); p != nil {
			return slices.Clone(p.reviews), nil
		}
		return nil, integrations.ErrNotFound
	})
}

// Retargeted is never: nobody here turns a pull request to another branch.
func (c hubClient) Retargeted(context.Context, string, int) (time.Time, error) {
	return time.Time{}, nil
}

func (c hubClient) BodyEditor(context.Context, string, int) (string, error) { return "", nil }

func (c hubClient) Checks(ctx context.Context, _, sha string) ([]integrations.Check, error) {
	return ask(ctx, c, "Checks "+sha[:7], func(h *hub) ([]integrations.Check, error) { return slices.Clone(h.checks[sha]), nil })
}

func (c hubClient) Login(context.Context) (string, error) { return botLogin, nil }

func (c hubClient) CreateBranch(ctx context.Context, _, branch, sha string) error {
	return do(ctx, c, "CreateBranch "+branch, func(h *hub) error {
		if _, there := h.branches[branch]; there {
			return integrations.ErrExists
		}
		h.move(branch, sha, botLogin)
		return nil
	})
}

func (c hubClient) AssignPull(ctx context.Context, _ string, n int, login string) error {
	return do(ctx, c, fmt.Sprint("AssignPull ", n, " ", login), func(*hub) error { return nil })
}

func (c hubClient) DeleteBranch(ctx context.Context, _, branch string) error {
	return do(ctx, c, "DeleteBranch "+branch, func(h *hub) error {
		if _, there := h.branches[branch]; !there {
			return integrations.ErrNotFound
		}
		delete(h.branches, branch)
		for _, p := range h.pulls {
			if p.State == "open" && p.Branch == branch {
				h.close(p, botLogin)
			}
		}
		return nil
	})
}

func (c hubClient) MoveBranch(ctx context.Context, _, branch, sha string) error {
	return do(ctx, c, "MoveBranch "+branch, func(h *hub) error {
		if _, there := h.branches[branch]; !there {
			return integrations.ErrNotFound
		}
		h.move(branch, sha, botLogin)
		return nil
	})
}

func (c hubClient) UpdatePull(ctx context.Context, _ string, n int, title, body string) error {
	return do(ctx, c, fmt.Sprint("UpdatePull ", n), func(h *hub) error {
		p := h.pull(n)
		p.Title, p.Body = title, body
		h.happened(p, "edited", botLogin)
		return nil
	})
}

func (c hubClient) CommitFile(context.Context, string, string, string, []byte, string, string) (string, error) {
	return "", errors.New("nothing is pinned here")
}

// CreateCommit makes a commit whose tree is named by a commit that has it, or is
// that of one with changes; a blob is what stands in the file.
func (c hubClient) CreateCommit(ctx context.Context, _ string, n integrations.NewCommit) (string, error) {
	return ask(ctx, c, "CreateCommit", func(h *hub) (string, error) {
		from := h.commits[cmp.Or(n.Tree, n.Base)]
		if from == nil {
			return "", integrations.ErrNotFound
		}
		sha := h.commit(botLogin, n.Message, n.Parents, nil)
		h.commits[sha].tree = maps.Clone(from.tree)
		for _, f := range n.Files {
			if h.commits[sha].tree[f.Path] = f.Blob; f.Blob == "" {
				delete(h.commits[sha].tree, f.Path)
			}
		}
		return sha, nil
	})
}

func (c hubClient) OpenPull(ctx context.Context, _ string, n integrations.NewPull) (integrations.PullRequest, error) {
	return ask(ctx, c, "OpenPull "+n.Head, func(h *hub) (integrations.PullRequest, error) {
		p, err := h.open(botLogin, n.Title, n.Body, n.Head, n.Base)
		if err != nil {
			return integrations.PullRequest{}, err
		}
		return h.shot(p), nil
	})
}

func (c hubClient) MergePull(ctx context.Context, _ string, n int, head, _ string) (string, error) {
	return ask(ctx, c, fmt.Sprint("MergePull ", n), func(h *hub) (string, error) {
		p := h.pull(n)
		switch {
		case p == nil:
			return "", integrations.ErrNotFound
		case p.State == "open" && p.Head != head:
			return "", integrations.ErrMoved
		case !h.merge(p, botLogin):
			return "", integrations.ErrNotMergeable
		}
		return p.MergeSHA, nil
	})
}

// Nobody sends the webhooks of the hub again: what is lost is found by looking.
func (c hubClient) FailedDeliveries(context.Context, string, time.Time) ([]integrations.Delivery, error) {
	return nil, nil
}

func (c hubClient) Redeliver(context.Context, string, integrations.Delivery) error { return nil }

func (c hubClient) ClosePull(ctx context.Context, _ string, n int) error {
	return do(ctx, c, fmt.Sprint("ClosePull ", n), func(h *hub) error {
		if p := h.pull(n); p.State == "open" {
			h.close(p, botLogin)
		}
		return nil
	})
}
