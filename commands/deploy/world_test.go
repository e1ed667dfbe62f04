package deploy

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
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
	scaling *fakeScaling
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
	w.cat, w.scaling = testCatalog(w.tool), &fakeScaling{tool: w.tool}
	w.f = &feature{Deps: Deps{Store: s, Forge: w.forge, Trees: fakeTrees{w.forge}, Clock: clk, Log: log,
		Catalog: func() *integrations.Catalog { return w.cat }, Poll: time.Hour, Channel: func(n string) string { return "C-" + n }, Scaling: w.scaling}}
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

	offers []integrations.Offer // of a probe
	mend   func(context.Context) (string, error)
	mends  []string // the keys of the offers that were taken up
	kept   string   // what the last probe or mend was given to keep things in
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
func (t *fakeTool) Probe(_ context.Context, r integrations.Run) (integrations.Probe, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = r.Keep
	return integrations.Probe{Text: "looked", Offers: t.offers}, nil
}
func (t *fakeTool) Mend(ctx context.Context, r integrations.Run, o integrations.Offer) (string, error) {
	t.mu.Lock()
	t.mends, t.kept = append(t.mends, o.Key), r.Keep
	do := t.mend
	t.mu.Unlock()
	return do(ctx)
}
func (t *fakeTool) set(do func(*fakeTool)) { t.mu.Lock(); do(t); t.mu.Unlock() }
func (t *fakeTool) count() int             { t.mu.Lock(); defer t.mu.Unlock(); return t.applied }

func contains(t *testing.T, text, part string) {
	t.Helper()
	if !strings.Contains(text, part) {
		t.Errorf("%q does not say %q", text, part)
	}
}
