package deploy

import (
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// Drift: a scheduled read-only plan; one message a target until it is gone.

// looked waits until the last look at a target is over.
func (w *world) looked(target string) (j *store.Job) {
	w.t.Helper()
	w.wait("the look at "+target, func(tx *store.Tx) (bool, error) {
		l, _, err := store.Feature[look](tx, lookFeature).Get(target)
		if err != nil || l.Job == "" {
			return false, err
		}
		j, err = tx.Job(l.Job)
		return err == nil && j.Terminal(), err
	})
	return j
}

// drift is the episode that goes on at a target.
func (w *world) drift(target string) (id string) {
	w.t.Helper()
	w.view(func(tx *store.Tx) error {
		l, _, err := store.Feature[look](tx, lookFeature).Get(target)
		id = l.Drifted
		return err
	})
	return id
}

func (w *world) driftMessage(id string) (m integrations.Message) {
	w.t.Helper()
	w.view(func(tx *store.Tx) (err error) {
		m, err = w.f.driftCard(tx, &store.Surface{Subject: id})
		return err
	})
	return m
}

func (w *world) plans(target string, p integrations.Plan) {
	w.tool.set(func(f *fakeTool) {
		if f.plans == nil {
			f.plans = map[string]integrations.Plan{}
		}
		f.plans[target] = p
	})
}

// tick lets time pass and the targets be looked at whose time has come.
func (w *world) tick(by time.Duration) {
	w.t.Helper()
	if err := w.clock.Advance(w.t.Context(), by, nil); err != nil {
		w.t.Fatal(err)
	}
	if err := w.f.drifts(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// driftWorld looks at the target a every hour; aaa was applied there.
func driftWorld(t *testing.T) (*world, *store.Operation) {
	w := wavesWorld(t)
	for i := range w.cat.Targets {
		if w.cat.Targets[i].Name == "a/production" {
			w.cat.Targets[i].Drift = time.Hour
		}
	}
	op := w.reaches(w.merged("aaa", "a/x").ID, store.OpSucceeded)
	w.plans("a/production", integrations.Plan{})
	return w, op
}

func TestDriftHasOneMessageUntilItIsGone(t *testing.T) {
	w, op := driftWorld(t)
	w.forge.do(func() { w.forge.branches["main"] = w.forge.commit("dave") }) // what is merged and not applied is no drift
	w.tick(0)
	if j := w.looked("a/production"); j.SHA != op.MergeSHA || w.drift("a/production") != "" {
		t.Fatalf("it looked at %s and found %q", j.SHA, w.drift("a/production"))
	}
	w.plans("a/production", integrations.Plan{Step: "fake", Change: 1, Changes: []integrations.Change{{Address: "thing.a", Actions: []string{"update"}, Hash: "x"}}})
	w.tick(59 * time.Minute)
	w.looked("a/production")
	if id := w.drift("a/production"); id != "" {
		t.Fatal("it was looked at before its time")
	}
	w.tick(time.Minute)
	w.looked("a/production")
	id := w.drift("a/production")
	contains(t, w.driftMessage(id).Text, id+" 🌊 a/production has drifted: +0 ~1 -0; last applied "+short(op.MergeSHA)+" by "+op.ID)
	w.tick(time.Hour)
	w.looked("a/production")
	if again := w.drift("a/production"); again != id {
		t.Errorf("%s goes on as %s", id, again)
	}
	m := w.driftMessage(id)
	contains(t, m.Blocks[len(m.Blocks)-1].Context.Plain(), "seen 2 times")
	w.plans("a/production", integrations.Plan{})
	w.tick(time.Hour)
	w.looked("a/production")
	if w.drift("a/production") != "" {
		t.Error("an empty plan does not end it")
	}
	m = w.driftMessage(id)
	contains(t, m.Text, "is as it was merged again")
	for _, b := range m.Blocks {
		if len(b.Buttons) > 0 {
			t.Error("what is gone has buttons")
		}
	}
	w.plans("a/production", onePlan("y"))
	w.tick(time.Hour)
	w.looked("a/production")
	if next := w.drift("a/production"); next == "" || next == id {
		t.Errorf("a new drift is %q", next)
	}
	w.view(func(tx *store.Tx) error {
		all, err := tx.SurfacesOf(id)
		if len(all) != 1 || all[0].Where["channel"] != "C-ops" {
			t.Errorf("its messages are %+v", all)
		}
		return err
	})
}

func TestATargetOnWhichNothingWasAppliedHasNoDrift(t *testing.T) {
	w := wavesWorld(t)
	for i := range w.cat.Targets {
		w.cat.Targets[i].Drift = time.Hour
	}
	w.tick(0)
	w.looked("a/production")
	if id := w.drift("a/production"); id != "" {
		t.Errorf("it drifted: %s", id)
	}
	w.refused("alice", "reapply", "never_applied", map[string]string{"target": "a/production"})
}

// While something changes a target, or nobody knows how that ended, a plan of it
// says nothing; the same holds for one that an apply left dirty.
func TestNoLookWhileATargetIsChanged(t *testing.T) {
	w, _ := driftWorld(t)
	end := w.slow("a/production")
	w.plans("a/production", onePlan("b"))
	op := w.merged("bbb", "a/x")
	w.job(op, "a/production", func(j *store.Job) bool { return j.Phase == phaseApply })
	w.tick(2 * time.Hour)
	w.refused("alice", "drift", "busy", map[string]string{"target": "a/production"})
	w.fails("a/production", errCloud)
	end()
	w.job(op, "a/production", is(store.JobFailed))
	w.tick(2 * time.Hour)
	w.view(func(tx *store.Tx) error {
		l, ok, err := store.Feature[look](tx, lookFeature).Get("a/production")
		if ok {
			t.Errorf("it was looked at: %+v", l)
		}
		return err
	})
}

// A look that an apply overtakes says nothing of the target.
func TestALookThatAnApplyOvertook(t *testing.T) {
	w, op := driftWorld(t)
	w.plans("a/production", onePlan("x"))
	hold := make(chan struct{})
	w.tool.set(func(f *fakeTool) { f.gate = hold })
	w.tick(0)
	w.wait("it looks", func(tx *store.Tx) (bool, error) {
		l, _, err := store.Feature[look](tx, lookFeature).Get("a/production")
		if err != nil || l.Job == "" {
			return false, err
		}
		j, err := tx.Job(l.Job)
		return err == nil && j.State == store.JobRunning, err
	})
	j := w.job(op, "a/production", is(store.JobSucceeded))
	w.update(func(tx *store.Tx) error {
		return tx.TakeRunLock(store.RunLock{Target: "a/production", Job: j.ID, Attempt: 1, Since: w.clock.Now()})
	})
	w.tool.set(func(f *fakeTool) { f.gate = nil })
	close(hold)
	w.looked("a/production")
	if id := w.drift("a/production"); id != "" {
		t.Errorf("it drifted: %s", id)
	}
}

// Re-apply brings back the commit that was applied last, with a confirmation by
// somebody else where a second person is wanted, and a look follows at once.
func TestReapply(t *testing.T) {
	w, first := driftWorld(t)
	w.plans("a/production", onePlan("x"))
	w.tick(0)
	w.looked("a/production")
	id := w.drift("a/production")
	m := w.driftMessage(id)
	var button integrations.Button
	for _, b := range m.Blocks {
		if len(b.Buttons) > 0 {
			button = b.Buttons[0]
		}
	}
	if button.Label != "Re-apply" || button.Command != "reapply a/production" {
		t.Fatalf("its button is %+v", button)
	}
	target := map[string]string{"target": "a/production"}
	w.refused("carol", "reapply", "not_allowed", target)
	if _, err := w.press("alice", "reapply", button.Version+2, target); err == nil {
		t.Fatal("a button of another drift works")
	}
	r, err := w.press("alice", "reapply", button.Version, target)
	if err != nil {
		t.Fatal(err)
	}
	op := w.op(r.Subject, nil)
	w.refused("alice", "reapply", "busy", target)
	j := w.job(op, "a/production", is(store.JobNeedsConfirm))
	contains(t, j.Why, "again, over what changed since")
	if j.SHA != first.MergeSHA {
		t.Errorf("it applies %s", j.SHA)
	}
	w.refused("alice", "confirm", "own", about(j.ID))
	end := w.slow("a/production")
	w.must("bob", "confirm", about(j.ID))
	w.job(op, "a/production", func(j *store.Job) bool { return j.Phase == phaseApply && j.State == store.JobRunning })
	w.plans("a/production", integrations.Plan{})
	end()
	w.reaches(op.ID, store.OpSucceeded)
	w.wait("it is gone", func(tx *store.Tx) (bool, error) {
		l, _, err := store.Feature[look](tx, lookFeature).Get("a/production")
		return l.Drifted == "", err
	})
	contains(t, w.driftMessage(id).Text, "is as it was merged again")
}

// Applying what came before a later attempt would take that back.
func TestReapplyNeverGoesBack(t *testing.T) {
	w, _ := driftWorld(t)
	w.plans("a/production", onePlan("a"))
	w.failed("bbb")
	w.refused("alice", "reapply", "behind", map[string]string{"target": "a/production"})
}
