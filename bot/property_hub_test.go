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

// A hub is a GitHub that fits in memory, for the property test: one repository,
// its commits with whole trees, its branches, its pull requests. What it does is
// guarded by the history's mutex; what changes it tells the history, which makes
// webhooks of it.
type hub struct {
	now      func() time.Time // to the second, as GitHub has it
	tell     func(kind string, e integrations.ForgeEvent)
	commits  map[string]*hubCommit
	made     []string // commits, oldest first
	branches map[string]string
	pulls    []*hubPull
	checks   map[string][]integrations.Check
	unlinked bool // it does not know yet by which pull request a commit came
}

type hubCommit struct {
	sha, author, message string
	parents              []string
	tree                 map[string]string
}

type hubPull struct {
	integrations.PullRequest
	pusher  string // who pushed the head; "" is whoever opened it
	reviews []integrations.Review
	brought map[string]bool // once merged: the commits that came by it
	files   []string        // once merged: what it changed
}

const (
	hubRepo   = "acme/web"
	hubRepoID = 1
	botLogin  = "signalbox"
)

var hubBases = []string{"main", "deployment/staging", "deployment/production"}

func newHub(now func() time.Time, tell func(string, integrations.ForgeEvent)) *hub {
	h := &hub{now: now, tell: tell, commits: map[string]*hubCommit{}, branches: map[string]string{}, checks: map[string][]integrations.Check{}}
	root := h.commit("dave", "the beginning", nil, map[string]string{"app/a": "0", "cdn/a": "0", "network/a": "0", "network/b": "0", "docs/a": "0"})
	for _, b := range hubBases {
		h.branches[b] = root
	}
	h.branches["main"] = h.commit("dave", "something to ship", []string{root}, map[string]string{"app/a": "1", "cdn/a": "1"})
	return h
}

// commit makes a commit: the tree of its first parent with changes; "" deletes.
func (h *hub) commit(author, message string, parents []string, changes map[string]string) string {
	c := &hubCommit{sha: fmt.Sprintf("c%06d%033d", len(h.made), 0), author: author, message: message, parents: parents, tree: map[string]string{}}
	if len(parents) > 0 {
		maps.Copy(c.tree, h.commits[parents[0]].tree)
	}
	for path, v := range changes {
		if c.tree[path] = v; v == "" {
			delete(c.tree, path)
		}
	}
	h.commits[c.sha], h.made = c, append(h.made, c.sha)
	return c.sha
}

// reach is a commit with all that is in its history.
func (h *hub) reach(sha string) map[string]bool {
	seen := map[string]bool{}
	todo := []string{sha}
	for len(todo) > 0 {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if seen[at] || h.commits[at] == nil {
			continue
		}
		seen[at] = true
		todo = append(todo, h.commits[at].parents...)
	}
	return seen
}

func (h *hub) contains(head, sha string) bool { return h.reach(head)[sha] }

// parted is the newest commit that both have in their history.
func (h *hub) parted(a, b string) string {
	ra, rb := h.reach(a), h.reach(b)
	for _, sha := range slices.Backward(h.made) {
		if ra[sha] && rb[sha] {
			return sha
		}
	}
	return ""
}

func (h *hub) differ(a, b string) []string {
	var out []string
	var ta, tb map[string]string
	if c := h.commits[a]; c != nil {
		ta = c.tree
	}
	if c := h.commits[b]; c != nil {
		tb = c.tree
	}
	for path := range ta {
		if tb[path] != ta[path] {
			out = append(out, path)
		}
	}
	for path := range tb {
		if _, ok := ta[path]; !ok {
			out = append(out, path)
		}
	}
	slices.Sort(out)
	return out
}

// touched are the files that head changed since it parted from base.
func (h *hub) touched(base, head string) []string { return h.differ(h.parted(base, head), head) }

func (h *hub) position(sha string) (n uint64) {
	for c := h.commits[sha]; c != nil; n++ {
		if len(c.parents) == 0 {
			return n + 1
		}
		c = h.commits[c.parents[0]]
	}
	return n
}

func (h *hub) pull(n int) *hubPull {
	if n < 1 || n > len(h.pulls) {
		return nil
	}
	return h.pulls[n-1]
}

// shot is a pull request as the hub shows it now.
func (h *hub) shot(p *hubPull) integrations.PullRequest {
	pr := p.PullRequest
	pr.BaseSHA = h.branches[pr.Base]
	return pr
}

func (h *hub) happened(p *hubPull, action, sender string) {
	p.UpdatedAt = h.now()
	pr := h.shot(p)
	h.tell("github.pull_request", integrations.ForgeEvent{Kind: "pull_request", Action: action, RepoID: hubRepoID, Repo: hubRepo, Sender: sender, PullRequest: &pr})
}

// move sets a branch, as a push does, and the open pull requests from it.
func (h *hub) move(branch, sha, who string) {
	before := h.branches[branch]
	h.branches[branch] = sha
	if before == "" {
		before = strings.Repeat("0", 40)
	}
	h.tell("github.push", integrations.ForgeEvent{Kind: "push", RepoID: hubRepoID, Repo: hubRepo, Sender: who, Branch: branch, Before: before, After: sha})
	for _, p := range h.pulls {
		if p.State == "open" && p.Branch == branch && p.Head != sha {
			p.Head, p.pusher = sha, who
			h.happened(p, "synchronize", who)
		}
	}
}

func (h *hub) open(who, title, body, branch, base string) (*hubPull, error) {
	head, ok := h.branches[branch]
	switch {
	case !ok:
		return nil, fmt.Errorf("open a pull request: %w", integrations.ErrNotFound)
	case h.contains(h.branches[base], head):
		return nil, fmt.Errorf("open a pull request: no commits between %s and %s", base, branch)
	}
	for _, p := range h.pulls {
		if p.State == "open" && p.Branch == branch && p.Base == base {
			return nil, fmt.Errorf("open a pull request: %w", integrations.ErrExists)
		}
	}
	p := &hubPull{PullRequest: integrations.PullRequest{RepoID: hubRepoID, Repo: hubRepo, Number: len(h.pulls) + 1, Title: title, Body: body, Author: who,
		State: "open", Head: head, Branch: branch, Base: base, CreatedAt: h.now()}}
	p.URL = fmt.Sprintf("https://github.test/%s/pull/%d", hubRepo, p.Number)
	h.pulls = append(h.pulls, p)
	h.happened(p, "opened", who)
	return p, nil
}

// merge merges a pull request; false where there is nothing to merge.
func (h *hub) merge(p *hubPull, who string) bool {
	base, head := h.branches[p.Base], p.Head
	if p.State != "open" || h.contains(base, head) {
		return false
	}
	at := h.parted(base, head)
	changes := map[string]string{}
	for _, path := range h.differ(at, head) {
		changes[path] = h.commits[head].tree[path]
	}
	p.files, p.brought = h.touched(base, head), h.reach(head)
	maps.DeleteFunc(p.brought, func(sha string, _ bool) bool { return h.contains(base, sha) })
	p.MergeSHA = h.commit(who, "merge of #"+fmt.Sprint(p.Number), []string{base, head}, changes)
	p.State, p.MergedBy, p.MergedAt = "merged", who, h.now()
	h.happened(p, "closed", who)
	h.move(p.Base, p.MergeSHA, who)
	return true
}

func (h *hub) close(p *hubPull, who string) {
	p.State = "closed"
	h.happened(p, "closed", who)
}

// reopen opens a closed pull request again, if its branch is where it was.
func (h *hub) reopen(p *hubPull, who string) bool {
	if p.State != "closed" || h.branches[p.Branch] != p.Head || h.contains(h.branches[p.Base], p.Head) {
		return false
	}
	p.State = "open"
	h.happened(p, "reopened", who)
	return true
}

func (h *hub) review(p *hubPull, who, state string) {
	r := integrations.Review{Author: who, State: state, Head: p.Head, At: h.now()}
	p.reviews = append(p.reviews, r)
	p.UpdatedAt = h.now()
	pr := h.shot(p)
	h.tell("github.pull_request_review", integrations.ForgeEvent{Kind: "review", Action: "submitted", RepoID: hubRepoID, Repo: hubRepo, Sender: who, PullRequest: &pr, Review: &r})
}

func (h *hub) check(sha, state string) {
	h.checks[sha] = []integrations.Check{{Name: "ci", State: state}}
	h.tell("github.status", integrations.ForgeEvent{Kind: "check", RepoID: hubRepoID, Repo: hubRepo, Sender: "ci", SHA: sha, Check: "ci"})
}

// agreed are the logins whose newest review approves a head.
func (p *hubPull) agreed(head string) []string {
	last := map[string]string{}
	for _, r := range p.reviews {
		switch r.State {
		case "APPROVED":
			last[r.Author] = r.Head
		case "CHANGES_REQUESTED", "DISMISSED":
			delete(last, r.Author)
		}
	}
	maps.DeleteFunc(last, func(_, at string) bool { return at != head })
	return slices.Sorted(maps.Keys(last))
}

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

// hubTrees is the mirror: only a fetch goes over the network.
type hubTrees struct{ y *history }

func (t hubTrees) read(do func(h *hub)) { t.y.mu.Lock(); defer t.y.mu.Unlock(); do(t.y.hub) }

func (t hubTrees) Fetch(ctx context.Context, _, sha string) error {
	return t.y.outside(ctx, sysGitHub, "Fetch "+sha[:7], func() error {
		if t.y.hub.commits[sha] == nil {
			return integrations.ErrNotFound
		}
		return nil
	})
}
func (t hubTrees) Ahead(string, string)                                   {}
func (t hubTrees) Checkout(context.Context, string, string, string) error { return nil }
func (t hubTrees) Remove(context.Context, string, string) error           { return nil }
func (t hubTrees) Position(_ context.Context, _, sha string) (n uint64, err error) {
	t.read(func(h *hub) { n = h.position(sha) })
	return n, nil
}
func (t hubTrees) Since(_ context.Context, _, from, to string) (out []string, err error) {
	t.read(func(h *hub) {
		had := h.reach(from)
		for c := h.commits[to]; c != nil && !had[c.sha]; {
			out = append(out, c.sha)
			if len(c.parents) == 0 {
				break
			}
			c = h.commits[c.parents[0]]
		}
	})
	slices.Reverse(out)
	return out, nil
}
func (t hubTrees) Touched(_ context.Context, _, base, head string) (out []string, err error) {
	t.read(func(h *hub) { out = h.touched(base, head) })
	return out, nil
}
func (t hubTrees) Contains(_ context.Context, _, head, sha string) (in bool, err error) {
	t.read(func(h *hub) { in = h.contains(head, sha) })
	return in, nil
}
func (t hubTrees) Introduced(_ context.Context, _, sha string) (out []string, err error) {
	t.read(func(h *hub) {
		if c := h.commits[sha]; len(c.parents) > 0 {
			out = h.differ(c.parents[0], sha)
		}
	})
	return out, nil
}
func (t hubTrees) Parent(_ context.Context, _, sha string) (out string, err error) {
	t.read(func(h *hub) {
		if c := h.commits[sha]; c != nil && len(c.parents) > 0 {
			out = c.parents[0]
		}
	})
	return out, nil
}
func (t hubTrees) Tree(_ context.Context, _, sha string) (out string, err error) {
	t.read(func(h *hub) { // the first commit that has it names it
		for _, c := range h.made {
			if maps.Equal(h.commits[c].tree, h.commits[sha].tree) {
				out = c
				return
			}
		}
	})
	return out, nil
}
func (t hubTrees) File(_ context.Context, _, sha, path string) (out []byte, err error) {
	err = integrations.ErrNotFound
	t.read(func(h *hub) {
		if v := h.commits[sha].tree[path]; v != "" {
			out, err = []byte(v), nil
		}
	})
	return out, err
}

func (t hubTrees) Blobs(_ context.Context, _, sha string, paths []string) (map[string]integrations.FileChange, error) {
	out := map[string]integrations.FileChange{}
	t.read(func(h *hub) {
		for _, path := range paths {
			if v := h.commits[sha].tree[path]; v != "" {
				out[path] = integrations.FileChange{Path: path, Blob: v}
			}
		}
	})
	return out, nil
}
