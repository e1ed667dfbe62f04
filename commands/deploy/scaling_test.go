package deploy

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// fakeScaling notes what it is asked for, and how many applies had begun then.
type fakeScaling struct {
	tool *fakeTool
	mu   sync.Mutex
	did  []string
	fail []error // one a call
}

func (s *fakeScaling) Suspend(_ context.Context, j *store.Job, t integrations.Target) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.did = append(s.did, "suspend "+t.Scaling[0].Group+" "+applied(s.tool))
	if len(s.fail) == 0 {
		return nil
	}
	err := s.fail[0]
	s.fail = s.fail[1:]
	return err
}

func (s *fakeScaling) Resume(context.Context, string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.did = append(s.did, "resume "+applied(s.tool))
	return nil
}

func (s *fakeScaling) said() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.did, ", ")
}

func applied(tool *fakeTool) string {
	return map[bool]string{true: "applied", false: "planned"}[tool.count() > 0]
}

// still is a world whose target web/staging has a group.
func still(t *testing.T, fail ...error) (*world, *fakeScaling) {
	w := newWorld(t)
	w.scaling.fail = fail
	w.cat.Targets[0].Scaling = []integrations.Scaling{{Group: "web"}}
	return w, w.scaling
}

func (w *world) mergedStill(env string) *store.Operation {
	w.t.Helper()
	op := w.planned(w.deploy("alice", env).ID)
	w.hook(w.forge.mergeAs(op.PR, "alice"))
	return op
}

// The groups of a target are kept still from before its first change until after its
// last one.
func TestGroupsAreKeptStillWhileItIsApplied(t *testing.T) {
	for state, fail := range map[string]error{store.JobSucceeded: nil, store.JobFailed: errors.New("boom")} {
		w, s := still(t)
		w.tool.set(func(f *fakeTool) { f.fail = fail })
		op := w.mergedStill("staging")
		w.apply(op.ID, state)
		if got := s.said(); got != "suspend web planned, resume applied" {
			t.Errorf("%s: %s", state, got)
		}
	}
}

// Of an apply whose end nobody knows they are kept still: it may go on.
func TestGroupsOfAnUnknownApply(t *testing.T) {
	w, s := still(t)
	w.tool.set(func(f *fakeTool) { f.fail = integrations.ErrUnknown })
	w.apply(w.mergedStill("staging").ID, store.JobUnknown)
	if got := s.said(); got != "suspend web planned" {
		t.Error(got)
	}
}

// What changes nothing, and what waits for a person, keeps no group still.
func TestGroupsOfWhatIsNotApplied(t *testing.T) {
	for state, now := range map[string]integrations.Plan{store.JobNoop: {Step: "fake"}, store.JobNeedsConfirm: onePlan("b")} {
		w, s := still(t)
		w.cat.Environments[0].Review = "required"
		op := w.planned(w.deploy("alice", "staging").ID)
		w.tool.set(func(f *fakeTool) { f.plan = now })
		w.hook(w.forge.mergeAs(op.PR, "alice"))
		w.apply(op.ID, state)
		if got := s.said(); got != "" {
			t.Errorf("%s: %s", state, got)
		}
	}
}

// An apply whose groups cannot be kept still yet waits, and is begun anew: nothing was
// changed. One that is refused has failed, and has left nothing dirty.
func TestGroupsThatCannotBeKeptStill(t *testing.T) {
	busy := &integrations.Later{After: time.Second, Err: errors.New("Throttling: rate exceeded")}
	w, s := still(t, busy, busy)
	op := w.mergedStill("staging")
	w.wait("it waits", func(tx *store.Tx) (bool, error) {
		all, err := tx.JobsOf(op.ID)
		for _, j := range all {
			if j.Kind == kindApply && j.State == store.JobQueued && j.Attempt == 0 && strings.Contains(j.Why, "are suspended: Throttling: rate exceeded") {
				return true, err
			}
		}
		return false, err
	})
	if w.tool.count() > 0 {
		t.Error("it was applied")
	}
	if j := w.apply(op.ID, store.JobSucceeded); j.Attempt != 1 {
		t.Errorf("attempt %d", j.Attempt)
	}
	if got := s.said(); got != "suspend web planned, suspend web planned, suspend web planned, resume applied" {
		t.Error(got)
	}

	w, _ = still(t, errors.New("AccessDenied: no"))
	j := w.apply(w.mergedStill("staging").ID, store.JobFailed)
	if want := "nothing was changed, because processes of its auto scaling groups cannot be suspended: AccessDenied: no"; j.Why != want || w.tool.count() > 0 {
		t.Errorf("%q, applied %d times", j.Why, w.tool.count())
	}
	w.view(func(tx *store.Tx) error {
		holds, err := tx.Holds()
		if len(holds) > 0 {
			t.Errorf("it is dirty: %s", holds[0].Reason)
		}
		return err
	})
}

// Without anybody who could keep them still nothing is applied.
func TestGroupsThatNobodyKeepsStill(t *testing.T) {
	f := &feature{}
	end := f.suspend(t.Context(), &store.Job{}, integrations.Target{Scaling: []integrations.Scaling{{Group: "web"}}})
	if end.State != store.JobFailed {
		t.Errorf("it goes on: %+v", end)
	}
	f.resume(t.Context(), &store.Job{}, end)
	if end := f.suspend(t.Context(), &store.Job{}, integrations.Target{}); end.State != "" {
		t.Errorf("without a group it does not go on: %+v", end)
	}
}
