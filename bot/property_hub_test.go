package main

import (
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
