package circleci_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/circleci/circlecisim"
)

const localStep = "start_wait: 100ms\nlocal: [sh, -c, 'echo \"$SIGNALBOX_TARGET $SIGNALBOX_SHA\" >> ran']\n"

// While the CI is away a person may have the step done here, once. What they reviewed is
// what is done: it needs no other plan.
func TestItIsRunHere(t *testing.T) {
	c := newRing(t)
	a := c.step(localStep)
	reviewed := c.planned(a, "+0 ~1 -0")
	c.fault(circlecisim.Fault{Kind: "error", Status: 503, Count: -1})
	c.attempt()
	var away *integrations.Unreached
	if err := a.Apply(t.Context(), c.run); !errors.As(err, &away) || away.System != "CircleCI" {
		t.Errorf("while it is away: %v", err)
	}
	if _, err := a.Plan(t.Context(), c.run); !errors.As(err, &away) {
		t.Errorf("a plan while it is away: %v", err)
	}
	c.attempt()
	c.run.Here = true
	if p := c.planned(a, "+0 ~1 -0"); p.Changes[0].Hash != reviewed.Changes[0].Hash {
		t.Errorf("another plan: %+v, and %+v was reviewed", p, reviewed)
	}
	c.must(a.Apply(t.Context(), c.run))
	c.must(a.Apply(t.Context(), c.run)) // as after a restart
	ran, err := os.ReadFile(filepath.Join(c.run.Tree, "ran"))
	if want := "web/production " + c.run.SHA + "\n"; err != nil || string(ran) != want || c.sim.Pipelines() != 0 {
		t.Errorf("it ran as %q (%v), want %q, and there are %d pipelines", ran, err, want, c.sim.Pipelines())
	}
	if p, err := a.Probe(t.Context(), c.run); err != nil || p.Clean {
		t.Errorf("of what was interrupted here it knows %+v (%v)", p, err)
	}
}

// What the CI does or has done, now that it is back, is not done here as well.
func TestNothingIsRunHereThatRanThere(t *testing.T) {
	c := newRing(t)
	a := c.step(localStep)
	begun, let := c.stays()
	done := make(chan error, 1)
	go func() { done <- a.Apply(t.Context(), c.run) }()
	c.await("the run", begun)
	first := c.run
	c.attempt()
	c.run.Here = true
	_, err := a.Plan(t.Context(), c.run)
	c.says(err, false, "CircleCI is back, and deploy of gh/acme/web runs there at this commit: ", "; nothing was run here")
	let()
	c.must(<-done)
	c.attempt()
	c.run.SHA, c.run.Here = first.SHA, true
	if p := c.planned(a, "+0 ~0 -0"); len(p.Changes) != 0 {
		t.Errorf("it would change %+v", p)
	}
	c.must(a.Apply(t.Context(), c.run))
	if _, err := os.Stat(filepath.Join(c.run.Tree, "ran")); err == nil {
		t.Error("it ran here, too")
	}
	c.once("success")
}

// A step that says nothing of it is not run here; and of one that another run plans nobody
// knows what that would say: it is confirmed.
func TestWhatCannotJustBeRunHere(t *testing.T) {
	c := newRing(t)
	c.run.Here = true
	_, err := c.step("").Plan(t.Context(), c.run)
	c.says(err, false, "circleci gh/acme/web/deploy has no local, by which it could be run here")
	plans := c.planned(c.step(localStep+"plan: {workflow: plan, inputs: {act: plan}}\n"), "+0 ~1 -0")
	if same := c.planned(c.step(localStep), "+0 ~1 -0"); same.Changes[0].Hash == plans.Changes[0].Hash {
		t.Error("it counts as reviewed")
	}
}
