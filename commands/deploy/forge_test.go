package deploy

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// fakeForge is a repository and its pull requests.
type fakeForge struct {
	mu       sync.Mutex
	now      time.Time
	branches map[string]string
	pulls    []*integrations.PullRequest
	files    map[int][]string
	order    []string // commits of every branch, oldest first
	authors  map[string]string
	reviews  map[int][]integrations.Review
	turned   map[int]time.Time // when a pull request was turned to another base
	editors  map[int]string    // who edited the text of a pull request last
	deleted  []string
	assigned map[int][]string
	before   map[string]func() // called before a call of that name, without the lock
	heard    func(name string) // called with each call's name, by whoever makes it
	errs     map[string]error
	touched  map[string][]string // what the mirror says a head changes
	beside   map[string]bool     // commits that a moved branch left behind
	moved    []string            // what every base branch changed since a head parted from it
	checks   []integrations.Check
	lost     []integrations.Delivery // newest first
	asked    []string                // GUIDs that were to be sent again
	trees    map[string]string       // the tree of a commit, where it is not its own
	made     map[string]integrations.NewCommit
	held     map[string]map[string]string // the files of a commit, by path: blobs
	besides  map[string][]string          // what a commit changes beside the network
	brings   map[string][]string          // what a merge brings
	lostBase []string                     // what the base branches lost when they were moved back
	pins     map[string]string            // what the version file of api holds at a commit
}

func newForge() *fakeForge {
	f := &fakeForge{now: time.Now().Truncate(time.Second), branches: map[string]string{}, files: map[int][]string{}, authors: map[string]string{},
		reviews: map[int][]integrations.Review{}, turned: map[int]time.Time{}, editors: map[int]string{}, assigned: map[int][]string{}, before: map[string]func(){}, errs: map[string]error{},
		trees: map[string]string{}, made: map[string]integrations.NewCommit{}, held: map[string]map[string]string{}, pins: map[string]string{}, besides: map[string][]string{}, brings: map[string][]string{}}
	base := f.commit("dave")
	f.branches["deployment/staging"], f.branches["deployment/production"] = base, base
	f.branches["main"] = f.commit("dave")
	f.pins[f.branches["main"]] = "v1\n"
	return f
}

func (f *fakeForge) commit(author string) string {
	sha := fmt.Sprintf("%07x%033d", 0xabc0000+len(f.order), 0)
	f.order = append(f.order, sha)
	f.authors[sha] = author
	return sha
}

// tree is the tree of a commit; a merge has that of the head that it merged.
func (f *fakeForge) tree(sha string) string {
	if t, ok := f.trees[sha]; ok {
		return t
	}
	return "tree of " + sha
}

func (f *fakeForge) at(sha string) int { return slices.Index(f.order, sha) }

func (f *fakeForge) call(name string) error {
	f.mu.Lock()
	do, err, heard := f.before[name], f.errs[name], f.heard
	f.mu.Unlock()
	if heard != nil {
		heard(name)
	}
	if do != nil {
		do()
	}
	return err
}

// do changes the forge, as people on its pages would, and moves its time on.
func (f *fakeForge) do(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(time.Second)
	change()
}

func (f *fakeForge) find(n int) *integrations.PullRequest { return f.findIn(repo, n) }

func (f *fakeForge) findIn(repo string, n int) *integrations.PullRequest {
	for _, p := range f.pulls {
		if p.Number == n && p.Repo == repo {
			return p
		}
	}
	return nil
}

// edit changes a pull request and returns it as it then is.
func (f *fakeForge) edit(n int, change func(*integrations.PullRequest)) integrations.PullRequest {
	return f.editIn(repo, n, change)
}

func (f *fakeForge) editIn(repo string, n int, change func(*integrations.PullRequest)) (out integrations.PullRequest) {
	f.do(func() {
		p := f.findIn(repo, n)
		was := p.Base
		change(p)
		if p.UpdatedAt = f.now; p.Base != was {
			f.turned[n] = f.now
		}
		out = *p
	})
	return out
}

func (f *fakeForge) mergeAs(n int, who string) integrations.PullRequest {
	return f.edit(n, func(p *integrations.PullRequest) { f.merge(p, who) })
}

func (f *fakeForge) merge(p *integrations.PullRequest, who string) {
	p.State, p.MergedBy, p.MergedAt = "merged", who, f.now
	p.MergeSHA = f.commit(who)
	f.brings[p.MergeSHA] = slices.Concat(f.files[p.Number], f.lostBase)
	f.trees[p.MergeSHA], f.pins[p.MergeSHA] = f.tree(p.Head), f.pins[p.Head]
	f.branches[p.Base] = p.MergeSHA
}

func (f *fakeForge) newPull(p integrations.PullRequest, files ...string) (out integrations.PullRequest) {
	f.do(func() { out = f.add(p, files...) })
	return out
}

func (f *fakeForge) add(p integrations.PullRequest, files ...string) integrations.PullRequest {
	if p.Repo == "" {
		p.Repo = repo
	}
	p.RepoID, p.Number, p.State = repoID(p.Repo), 1, "open"
	for f.findIn(p.Repo, p.Number) != nil {
		p.Number++
	}
	p.URL = fmt.Sprintf("https://github.test/%s/pull/%d", p.Repo, p.Number)
	p.CreatedAt, p.UpdatedAt = f.now, f.now
	f.pulls, f.files[p.Number] = append(f.pulls, &p), files
	return p
}

// repoID is the number of a repository: 1 is the one that most tests know alone.
func repoID(name string) int64 {
	if name == repo {
		return 1
	}
	return 2
}

func (f *fakeForge) RepoID(_ context.Context, repo string) (int64, error) {
	return repoID(repo), f.call("RepoID")
}

func (f *fakeForge) Resolve(_ context.Context, _, ref string) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if sha, ok := f.branches[ref]; ok {
		return sha, nil
	}
	if f.at(ref) >= 0 {
		return ref, nil
	}
	return "", integrations.ErrNotFound
}

func (f *fakeForge) BranchHead(_ context.Context, _, branch string) (string, error) {
	if err := f.call("BranchHead"); err != nil {
		return "", err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if sha, ok := f.branches[branch]; ok {
		return sha, nil
	}
	return "", integrations.ErrNotFound
}

func (f *fakeForge) Compare(_ context.Context, _, base, head string) (integrations.Comparison, error) {
	if err := f.call("Compare"); err != nil {
		return integrations.Comparison{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for name, sha := range f.branches {
		if name == base {
			base = sha
		}
	}
	c := integrations.Comparison{URL: "https://github.test/compare"}
	for i := f.at(base) + 1; i <= f.at(head); i++ {
		c.Commits = append(c.Commits, integrations.Commit{SHA: f.order[i], Message: "change " + f.order[i], Author: f.authors[f.order[i]]})
	}
	c.Ahead = len(c.Commits)
	return c, nil
}

func (f *fakeForge) PullsOfCommit(_ context.Context, _, sha string) ([]integrations.PullRequest, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []integrations.PullRequest
	for _, p := range f.pulls {
		if p.MergeSHA == sha {
			out = append(out, *p)
		}
	}
	return out, nil
}

func (f *fakeForge) ReadFile(_ context.Context, _, _, ref string) ([]byte, string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if sha, ok := f.branches[ref]; ok {
		ref = sha
	}
	if v, ok := f.pins[ref]; ok {
		return []byte(v), "blob of " + v, nil
	}
	return nil, "", integrations.ErrNotFound
}

func (f *fakeForge) Pull(_ context.Context, repo string, n int) (integrations.PullRequest, error) {
	if err := f.call("Pull"); err != nil {
		return integrations.PullRequest{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if p := f.findIn(repo, n); p != nil {
		return *p, nil
	}
	return integrations.PullRequest{}, integrations.ErrNotFound
}

func (f *fakeForge) FindPull(_ context.Context, repo, head, base string) (integrations.PullRequest, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.pulls {
		if p.Branch == head && p.Base == base && p.Repo == repo {
			return *p, nil
		}
	}
	return integrations.PullRequest{}, integrations.ErrNotFound
}

func (f *fakeForge) OpenPulls(_ context.Context, repo string) ([]integrations.PullRequest, error) {
	return f.list(func(p *integrations.PullRequest) bool { return p.Repo == repo && p.State == "open" }), f.call("OpenPulls")
}

func (f *fakeForge) RecentPulls(_ context.Context, repo, base string, _ time.Time) ([]integrations.PullRequest, error) {
	return f.list(func(p *integrations.PullRequest) bool { return p.Repo == repo && p.State == "merged" && p.Base == base }), f.call("RecentPulls")
}

func (f *fakeForge) list(want func(*integrations.PullRequest) bool) (out []integrations.PullRequest) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.pulls {
		if want(p) {
			out = append(out, *p)
		}
	}
	return out
}

func (f *fakeForge) PullFiles(_ context.Context, _ string, n int) ([]string, bool, error) {
	if err := f.call(fmt.Sprintf("PullFiles %d", n)); err != nil {
		return nil, false, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.files[n], false, nil
}

func (f *fakeForge) Reviews(_ context.Context, _ string, n int) ([]integrations.Review, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.reviews[n]), nil
}

func (f *fakeForge) Retargeted(_ context.Context, _ string, n int) (time.Time, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.turned[n], nil
}

func (f *fakeForge) BodyEditor(_ context.Context, _ string, n int) (string, error) {
	if err := f.call("BodyEditor"); err != nil {
		return "", err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.editors[n], nil
}

func (f *fakeForge) Checks(context.Context, string, string) ([]integrations.Check, error) {
	if err := f.call("Checks"); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.checks), nil
}

func (f *fakeForge) FailedDeliveries(context.Context, string, time.Time) ([]integrations.Delivery, error) {
	if err := f.call("FailedDeliveries"); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.lost), nil
}

func (f *fakeForge) Redeliver(_ context.Context, _ string, d integrations.Delivery) error {
	f.do(func() { f.asked = append(f.asked, d.GUID) })
	return f.call("Redeliver")
}

func (f *fakeForge) Login(context.Context) (string, error) { return "signalbox", nil }

func (f *fakeForge) CreateBranch(_ context.Context, _, branch, sha string) error {
	if err := f.call("CreateBranch"); err != nil {
		return err
	}
	f.do(func() { f.branches[branch] = sha })
	return nil
}

func (f *fakeForge) DeleteBranch(_ context.Context, _, branch string) error {
	f.do(func() { delete(f.branches, branch); f.deleted = append(f.deleted, branch) })
	return nil
}

func (f *fakeForge) gone(branch string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, there := f.branches[branch]
	return !there
}

func (f *fakeForge) MoveBranch(_ context.Context, _, branch, sha string) error {
	f.do(func() {
		f.branches[branch] = sha
		for _, p := range f.pulls {
			if p.Branch == branch {
				p.Head, p.UpdatedAt = sha, f.now
			}
		}
	})
	return nil
}

func (f *fakeForge) UpdatePull(_ context.Context, repo string, n int, title, body string) error {
	f.editIn(repo, n, func(p *integrations.PullRequest) { p.Title, p.Body, f.editors[n] = title, body, "signalbox" })
	return nil
}

func (f *fakeForge) CommitFile(_ context.Context, _, branch, _ string, content []byte, _, _ string) (sha string, err error) {
	f.do(func() {
		sha = f.commit("signalbox")
		f.pins[sha], f.branches[branch] = string(content), sha
	})
	return sha, nil
}

func (f *fakeForge) CreateCommit(_ context.Context, _ string, c integrations.NewCommit) (sha string, err error) {
	if err := f.call("CreateCommit"); err != nil {
		return "", err
	}
	f.do(func() {
		sha = f.commit("signalbox")
		f.made[sha] = c
		if c.Tree != "" {
			f.trees[sha] = c.Tree
		}
	})
	return sha, f.call("CreateCommit answer")
}

func (f *fakeForge) OpenPull(_ context.Context, repo string, n integrations.NewPull) (integrations.PullRequest, error) {
	if err := f.call("OpenPull"); err != nil {
		return integrations.PullRequest{}, err
	}
	var out integrations.PullRequest
	f.do(func() {
		out = f.add(integrations.PullRequest{Repo: repo, Title: n.Title, Body: n.Body, Branch: n.Head, Base: n.Base, Head: f.branches[n.Head], Author: "signalbox"}, "app/main.go")
	})
	return out, f.call("OpenPull answer")
}

func (f *fakeForge) MergePull(_ context.Context, repo string, n int, head, _ string) (string, error) {
	if err := f.call("MergePull"); err != nil {
		return "", err
	}
	f.mu.Lock()
	p := f.findIn(repo, n)
	moved := p.Head != head
	f.mu.Unlock()
	if moved {
		return "", integrations.ErrMoved
	}
	return f.editIn(repo, n, func(p *integrations.PullRequest) { f.merge(p, "signalbox") }).MergeSHA, nil
}

func (f *fakeForge) AssignPull(_ context.Context, _ string, n int, login string) error {
	f.do(func() { f.assigned[n] = append(f.assigned[n], login) })
	return f.call("AssignPull")
}

func (f *fakeForge) ClosePull(_ context.Context, repo string, n int) error {
	f.editIn(repo, n, func(p *integrations.PullRequest) { p.State = "closed" })
	return nil
}
