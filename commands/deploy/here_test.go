package deploy

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// outThere is a step that a CI does, which is away, or that is done here.
type outThere struct {
	fakeTool
	local string
	err   error
	here  []bool
	bad   error // of what is done here
}

func (o *outThere) Here() string { return o.local }

func (o *outThere) Apply(_ context.Context, r integrations.Run) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.here = append(o.here, r.Here); r.Here {
		return o.bad
	}
	return o.err
}

// What a CI was to do that is away is done here when somebody asks who may, and only then.
func TestWhatACICannotDoIsDoneHere(t *testing.T) {
	w := newWorld(t)
	step := &outThere{fakeTool: fakeTool{plan: onePlan("a")}, local: "./apply.sh", err: &integrations.Unreached{System: "the CI", Err: errors.New("nobody answers")}}
	n := slices.IndexFunc(w.cat.Targets, func(t integrations.Target) bool { return t.Name == "web/staging" })
	w.cat.Targets[n].Steps = []integrations.Applier{step}
	op, card := w.broughtOut(store.OpFailed)
	_, buttons := shownOf(card)
	at := slices.IndexFunc(buttons, func(b integrations.Button) bool { return b.Label == "Run it here" })
	if at < 0 || buttons[at].Confirm != "Run ./apply.sh on my machine, in place of the CI? What that begins by itself when it is back, it does as well." {
		t.Fatalf("it offers %+v", buttons)
	}
	job := w.job(op, "web/staging", func(j *store.Job) bool { return j.State == store.JobFailed })
	if buttons[at].Command != "retry "+job.ID+" --here" {
		t.Errorf("its button does %q", buttons[at].Command)
	}
	args := map[string]string{"subject": job.ID, "here": "true"}
	w.cat.Rules[1].Verbs = []string{"retry"} // and not to force
	w.refused("dave", "retry", "not_allowed", args)
	step.local = ""
	w.refused("bob", "retry", "not_here", args)
	step.local, step.bad = "./apply.sh", errors.New("it has no credentials")
	w.must("bob", "retry", args)
	m := w.shown(op.ID, "it has no credentials")
	if button(m, "Run it here") != nil {
		t.Error("it is offered again, and nobody knows whether the CI is back")
	}
	w.refused("bob", "retry", "reached", args)
	w.must("bob", "retry", map[string]string{"subject": job.ID})
	w.shown(op.ID, "nobody answers")
	step.bad = nil
	w.must("bob", "retry", args)
	w.reaches(op.ID, store.OpSucceeded)
	if !slices.Equal(step.here, []bool{false, true, false, true}) {
		t.Errorf("it was applied here: %v", step.here)
	}
	if m := w.shown(op.ID, job.ID+" is done on my machine and not by its CI, as bob asked"); button(m, "Run it here") != nil {
		t.Error("it is still offered")
	}
}

// A failure of another kind is tried again where it belongs, and so is the next attempt.
func TestNothingIsDoneHereThatTheCIHeardOf(t *testing.T) {
	w := newWorld(t)
	step := &outThere{fakeTool: fakeTool{plan: onePlan("a")}, local: "./apply.sh", err: errors.New("the tests failed there")}
	n := slices.IndexFunc(w.cat.Targets, func(t integrations.Target) bool { return t.Name == "web/staging" })
	w.cat.Targets[n].Steps = []integrations.Applier{step}
	op, card := w.broughtOut(store.OpFailed)
	if button(card, "Run it here") != nil {
		t.Error("it offers to be run here")
	}
	job := w.job(op, "web/staging", func(j *store.Job) bool { return j.State == store.JobFailed })
	w.refused("bob", "retry", "reached", map[string]string{"subject": job.ID, "here": "true"})
	step.mu.Lock()
	step.err = nil
	step.mu.Unlock()
	w.must("bob", "retry", map[string]string{"subject": job.ID})
	w.reaches(op.ID, store.OpSucceeded)
	if !slices.Equal(step.here, []bool{false, false}) {
		t.Errorf("it was applied here: %v", step.here)
	}
}
