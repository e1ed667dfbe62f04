package deploy

import (
	"testing"

	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// The message that asked about a plan is marked when its job changes. So it speaks
// of that job alone, and not of an operation that goes on with other targets.
func TestASettledQuestionSpeaksOfItsOwnJob(t *testing.T) {
	w := newWorld(t)
	pr := w.forge.newPull(integrations.PullRequest{Title: "both", Author: "alice", Branch: "both", Base: "deployment/production", Head: w.forge.branches["main"]}, "app/x", "cdn/x")
	w.hook(pr)
	w.wait("it is planned", func(tx *store.Tx) (bool, error) {
		p, err := tx.Pull(1, pr.Number)
		return err == nil && p.Plans["web/production"].State == "done" && p.Plans["cdn/production"].State == "done", err
	})
	w.tool.set(func(f *fakeTool) { f.plan = onePlan("b") })
	w.hook(w.forge.mergeAs(pr.Number, "bob"))
	var jobs []*store.Job
	w.wait("both ask for a confirmation", func(*store.Tx) (bool, error) {
		jobs = w.jobs(kindApply)
		return len(jobs) == 2 && jobs[0].State == store.JobNeedsConfirm && jobs[1].State == store.JobNeedsConfirm, nil
	})
	said := func() (text string) {
		w.view(func(tx *store.Tx) error {
			s, err := tx.Surface(tell.ID(placeMessage, jobs[0].ID, cardConfirm, "1"))
			if err != nil {
				return err
			}
			m, err := w.f.confirmCard(tx, s)
			text = m.Text
			return err
		})
		return text
	}
	op := jobs[0].Operation
	w.must("bob", "confirm", about(jobs[0].ID))
	w.wait("the first is over", func(tx *store.Tx) (bool, error) {
		j, err := tx.Job(jobs[0].ID)
		return err == nil && j.State == store.JobSucceeded, err
	})
	before := said()
	w.must("bob", "confirm", about(jobs[1].ID))
	w.reaches(op, store.OpSucceeded)
	if after := said(); after != before {
		t.Errorf("the first message says %q when the second job is over, and nobody marked it since it said %q", after, before)
	}
}
