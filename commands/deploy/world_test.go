package deploy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/runner"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/store"
)

// A world is the feature on a real store with a real runner; GitHub, git and the
// tools are Go values.
type world struct {
	t     *testing.T
	store *store.Store
	clock *clock.Movable
	forge *fakeForge
	tool  *fakeTool
	f     *feature
	verbs map[string]commands.Verb
	cat   *integrations.Catalog
	event uint64
	// trigger is what a form is opened with; "" is somebody for whom none can be.
	trigger string
	stop    func()
}

const (
	repo     = "acme/web"
	patience = 30 * time.Second
)

func newWorld(t *testing.T) *world {
	t.Helper()
	clk := clock.NewMovable(0)
	log := slog.New(slog.DiscardHandler)
	s, err := store.Open(filepath.Join(t.TempDir(), "signalbox.db"), store.Options{Now: clk.Now, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, store: s, clock: clk, forge: newForge(), tool: &fakeTool{plan: onePlan("a")}}
	w.cat = testCatalog(w.tool)
	w.f = &feature{Deps: Deps{Store: s, Forge: w.forge, Trees: fakeTrees{w.forge}, Clock: clk, Log: log,
		Catalog: func() *integrations.Catalog { return w.cat }, Poll: time.Hour, Channel: func(n string) string { return "C-" + n }}}
	w.f.Roster = integrations.ConfiguredRoster(w.f.Catalog)
	feat := New(w.f.Deps)
	w.verbs = map[string]commands.Verb{}
	for _, v := range feat.Verbs {
		w.verbs[v.Name] = v
	}
	r, err := runner.New(runner.Deps{Store: s, Clock: clk, Log: log, Kinds: feat.Kinds, Dir: filepath.Join(t.TempDir(), "work"), Self: []string{"/nonexistent"}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	var once sync.Once
	w.stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(func() {
		w.stop()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func testCatalog(tool integrations.Applier) *integrations.Catalog {
	target := func(name, env, base string, paths ...string) integrations.Target {
		return integrations.Target{Name: name, Environment: env, Repository: repo, Base: base, Paths: paths, Steps: []integrations.Applier{tool}}
	}
	return &integrations.Catalog{
		People: []integrations.Person{
			{Name: "alice", Slack: "UA", GitHub: "alice"}, {Name: "bob", Slack: "UB", GitHub: "bob"},
			{Name: "carol", Slack: "UC", GitHub: "carol"}, {Name: "dave", Slack: "UD", GitHub: "dave"},
		},
		Groups: map[string][]string{"deployers": {"alice", "bob"}, "stagers": {"dave"}},
		Rules: []integrations.Rule{
			{Groups: []string{"deployers"}, Verbs: []string{"*"}, Environments: []string{"*"}},
			{Groups: []string{"stagers"}, Verbs: []string{"*"}, Environments: []string{"staging"}},
		},
		Environments: []integrations.Environment{
			{Name: "staging", Channels: []string{"ops"}, Review: "none"},
			{Name: "production", Channels: []string{"ops"}, Approvals: 1, Review: "required"},
		},
		Services: []integrations.Service{{Name: "api", Repository: repo, Strategy: "pin", Branch: "main",
			Environments: map[string]integrations.ServiceEnvironment{
				"staging": {Branch: "main", File: "api.version", Targets: []string{"api/staging"}},
			}}, {Name: "web", Repository: repo, Strategy: "promote", Branch: "main",
			Environments: map[string]integrations.ServiceEnvironment{
				"staging":    {Branch: "deployment/staging", Targets: []string{"web/staging"}},
				"production": {Branch: "deployment/production", Targets: []string{"web/production"}},
			}}},
		Targets: []integrations.Target{
			target("web/staging", "staging", "deployment/staging", "**"),
			target("web/production", "production", "deployment/production", "app/**"),
			target("cdn/production", "production", "deployment/production", "cdn/**"),
			target("network/production", "production", "main", "network/**"),
			target("api/staging", "staging", "main", "api.version"),
		},
	}
}

func onePlan(hash string) integrations.Plan {
	return integrations.Plan{Step: "fake", Add: 1, Changes: []integrations.Change{{Address: "thing.a", Actions: []string{"create"}, Hash: hash}}}
}

// say is a typed line of somebody in #ops.
func (w *world) say(who, verb string, args map[string]string) (commands.Reply, error) {
	return w.press(who, verb, 0, args)
}

// press is a button of somebody, drawn for a version.
func (w *world) press(who, verb string, version uint64, args map[string]string) (commands.Reply, error) {
	w.t.Helper()
	w.event++
	v, ok := w.verbs[verb]
	if !ok {
		w.t.Fatalf("there is no verb %q", verb)
	}
	var p integrations.Person
	for _, q := range w.cat.People {
		if q.Name == who {
			p = q
		}
	}
	c := &commands.Call{Verb: &v, Args: args, Who: p, Event: w.event, Version: version, Catalog: w.cat,
		Heard: integrations.Heard{Trigger: w.trigger, User: p.Slack, Channel: "C-ops", ChannelName: "ops"}}
	act, err := v.Decide(context.Background(), c)
	if err != nil {
		return commands.Reply{}, err
	}
	var reply commands.Reply
	err = w.store.Update(context.Background(), func(tx *store.Tx) (err error) { reply, err = act(tx); return err })
	return reply, err
}

func (w *world) must(who, verb string, args map[string]string) commands.Reply {
	w.t.Helper()
	r, err := w.say(who, verb, args)
	if err != nil {
		w.t.Fatalf("%s says %s %v: %v", who, verb, args, err)
	}
	return r
}

func (w *world) refused(who, verb, code string, args map[string]string) {
	w.t.Helper()
	_, err := w.say(who, verb, args)
	var r *commands.Refusal
	if !errors.As(err, &r) || r.Code != code {
		w.t.Fatalf("%s says %s %v: %v, want a refusal %q", who, verb, args, err, code)
	}
}

func about(subject string) map[string]string { return map[string]string{"subject": subject} }

// deploy asks for web in an environment and waits for its pull request.
func (w *world) deploy(who, env string) *store.Operation {
	w.t.Helper()
	r := w.must(who, "deploy", map[string]string{"service": "web", "environment": env})
	return w.op(r.Subject, func(o *store.Operation) bool { return o.State == store.OpOpen })
}

// planned waits until an operation's pull request is planned at its head.
func (w *world) planned(id string) *store.Operation {
	w.t.Helper()
	w.wait(id+" is planned", func(tx *store.Tx) (bool, error) {
		v, err := w.f.view(tx, id)
		return v.ready, err
	})
	return w.op(id, nil)
}

func (w *world) op(id string, want func(*store.Operation) bool) *store.Operation {
	w.t.Helper()
	var op *store.Operation
	w.wait("operation "+id, func(tx *store.Tx) (ok bool, err error) {
		op, err = tx.Operation(id)
		return err == nil && (want == nil || want(op)), err
	})
	return op
}

func (w *world) reaches(id, state string) *store.Operation {
	w.t.Helper()
	return w.op(id, func(o *store.Operation) bool { return o.State == state })
}

// apply waits until the one apply of an operation is in a state.
func (w *world) apply(id, state string) *store.Job {
	w.t.Helper()
	var found *store.Job
	w.wait("the apply of "+id+" is "+state, func(tx *store.Tx) (bool, error) {
		all, err := tx.JobsOf(id)
		for _, j := range all {
			if j.Kind == kindApply && j.State == state {
				found = j
				return true, err
			}
		}
		return false, err
	})
	return found
}

func (w *world) jobs(kind string) []*store.Job {
	w.t.Helper()
	var out []*store.Job
	w.view(func(tx *store.Tx) error {
		ops, err := tx.Operations("", 0)
		if err != nil {
			return err
		}
		for _, op := range ops {
			all, err := tx.JobsOf(op.ID)
			if err != nil {
				return err
			}
			for _, j := range all {
				if j.Kind == kind {
					out = append(out, j)
				}
			}
		}
		return nil
	})
	return out
}

func (w *world) view(do func(tx *store.Tx) error) {
	w.t.Helper()
	if err := w.store.View(do); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) update(do func(tx *store.Tx) error) {
	w.t.Helper()
	if err := w.store.Update(context.Background(), do); err != nil {
		w.t.Fatal(err)
	}
}

// wait polls; what it waits for may need a delayed job, so the clock is moved.
func (w *world) wait(what string, ok func(tx *store.Tx) (bool, error)) {
	w.t.Helper()
	deadline := time.Now().Add(patience)
	for n := 0; ; n++ {
		done := false
		err := w.store.View(func(tx *store.Tx) (err error) { done, err = ok(tx); return err })
		if err == nil && done {
			return
		}
		if time.Now().After(deadline) {
			w.dump()
			w.t.Fatalf("waited in vain: %s (%v)", what, err)
		}
		if n%20 == 19 {
			if err := w.clock.Advance(context.Background(), 5*time.Second, nil); err != nil {
				w.t.Fatal(err)
			}
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func (w *world) dump() {
	w.view(func(tx *store.Tx) error {
		ops, err := tx.Operations("", 0)
		if err != nil {
			return err
		}
		for _, op := range ops {
			w.t.Logf("%s %s %s PR %d: %s", op.ID, op.Kind, op.State, op.PR, op.Note)
			all, err := tx.JobsOf(op.ID)
			if err != nil {
				return err
			}
			for _, j := range all {
				w.t.Logf("  %s %s %s %s attempt %d: %s (%s)", j.ID, j.Kind, j.Target, j.State, j.Attempt, j.Why, j.Error)
			}
		}
		return nil
	})
}

// hook gives the feature a webhook: the pull request as the forge has it, or as
// it was.
func (w *world) hook(pr integrations.PullRequest) {
	w.t.Helper()
	act, err := w.f.onPull(context.Background(), commands.Happening{Forge: &integrations.ForgeEvent{PullRequest: &pr}, Catalog: w.cat})
	if err != nil {
		w.t.Fatal(err)
	}
	w.update(func(tx *store.Tx) error { _, err := act(tx); return err })
}

// push gives it a push to a branch.
func (w *world) push(branch, before, after, sender string) {
	w.t.Helper()
	act, err := w.f.onPush(context.Background(), commands.Happening{Catalog: w.cat,
		Forge: &integrations.ForgeEvent{RepoID: 1, Repo: repo, Branch: branch, Before: before, After: after, Sender: sender}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.update(func(tx *store.Tx) error { _, err := act(tx); return err })
}

// fakeTool is an applier that runs nothing.
type fakeTool struct {
	mu      sync.Mutex
	plan    integrations.Plan
	fail    error
	applied int
	gate    chan struct{} // when set, a plan waits for it

	// By target: how an apply fails, what it waits for, what a plan says, and why
	// there is none; and the targets that were applied, in order.
	fails    map[string]error
	slow     map[string]chan struct{}
	plans    map[string]integrations.Plan
	planFail error
	order    []string
}

func (t *fakeTool) Describe() string { return "fake" }
func (t *fakeTool) Plan(ctx context.Context, r integrations.Run) (integrations.Plan, error) {
	t.mu.Lock()
	wait := t.gate
	t.mu.Unlock()
	if wait != nil {
		select {
		case <-wait:
		case <-ctx.Done():
			return integrations.Plan{}, ctx.Err()
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if p, ok := t.plans[r.Target]; ok {
		return p, t.planFail
	}
	return t.plan, t.planFail
}
func (t *fakeTool) Apply(ctx context.Context, r integrations.Run) error {
	t.mu.Lock()
	wait := t.slow[r.Target]
	t.applied++
	t.order = append(t.order, r.Target)
	t.mu.Unlock()
	if wait != nil {
		select {
		case <-wait:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err, ok := t.fails[r.Target]; ok {
		return err
	}
	return t.fail
}
func (t *fakeTool) Probe(context.Context, integrations.Run) (integrations.Probe, error) {
	return integrations.Probe{Text: "looked"}, nil
}
func (t *fakeTool) set(do func(*fakeTool)) { t.mu.Lock(); do(t); t.mu.Unlock() }
func (t *fakeTool) count() int             { t.mu.Lock(); defer t.mu.Unlock(); return t.applied }

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
	pins     map[string]string            // what the version file of api holds at a commit
}

func newForge() *fakeForge {
	f := &fakeForge{now: time.Now().Truncate(time.Second), branches: map[string]string{}, files: map[int][]string{}, authors: map[string]string{},
		reviews: map[int][]integrations.Review{}, turned: map[int]time.Time{}, editors: map[int]string{}, assigned: map[int][]string{}, before: map[string]func(){}, errs: map[string]error{},
		trees: map[string]string{}, made: map[string]integrations.NewCommit{}, held: map[string]map[string]string{}, pins: map[string]string{}, besides: map[string][]string{}}
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

// fakeTrees know the commits of the fake forge; position is the order in which
// they were made.
type fakeTrees struct{ f *fakeForge }

func (t fakeTrees) Fetch(context.Context, string, string) error            { return nil }
func (t fakeTrees) Ahead(string, string)                                   {}
func (t fakeTrees) Checkout(context.Context, string, string, string) error { return nil }
func (t fakeTrees) Remove(context.Context, string, string) error           { return nil }
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
	return append([]string{"network/main.tf"}, t.f.besides[sha]...), nil
}

func (t fakeTrees) Parent(_ context.Context, _, sha string) (string, error) {
	t.f.mu.Lock()
	defer t.f.mu.Unlock()
	return t.f.order[t.f.at(sha)-1], nil
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

func contains(t *testing.T, text, part string) {
	t.Helper()
	if !strings.Contains(text, part) {
		t.Errorf("%q does not say %q", text, part)
	}
}
