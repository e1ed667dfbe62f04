package deploy

import (
	"fmt"
	"slices"

	"github.com/signalbox-chatops/signalbox/store"
)

// replanOpen plans the open pull requests on a target again when an apply has
// changed what they were planned against; their approvals stay, for the head is
// the same. A plan that has not begun yet will see the change by itself, so that
// several applies in a row make one.
func (f *feature) replanOpen(tx *store.Tx, _ *store.Operation, j *store.Job) error {
	if j.State != store.JobSucceeded {
		return nil
	}
	open, err := tx.OpenPulls("")
	if err != nil {
		return err
	}
	for _, p := range open {
		planned, ok := p.Plans[j.Target]
		if !slices.Contains(p.Targets, j.Target) || !ok || planned.Head != p.Head || p.Fork && p.ForkAllowed != p.Head {
			continue
		}
		stale, err := f.planStale(tx, planned)
		if err != nil {
			return err
		}
		if !stale {
			continue
		}
		if err := f.renew(tx, p, j); err != nil {
			return err
		}
	}
	return nil
}

// planStale says whether a plan saw, or may have seen, the target as it was
// before. A plan that did not work is not tried again for that.
func (f *feature) planStale(tx *store.Tx, planned store.Planned) (bool, error) {
	if planned.State != "pending" {
		return planned.State == "done", nil
	}
	j, err := tx.Job(planned.Job)
	return err == nil && j.State != store.JobQueued && !j.Terminal(), err
}

// renew queues a plan at the same head. The old one is kept until it is there: it
// is shown meanwhile, and it is what was reviewed if the pull request is merged
// before that.
func (f *feature) renew(tx *store.Tx, p *store.Pull, j *store.Job) error {
	var op *store.Operation
	if p.Operation != "" {
		var err error
		if op, err = tx.Operation(p.Operation); err != nil {
			return err
		}
	}
	old := p.Plans[j.Target]
	if err := f.queuePlan(tx, p, op, j.Target, fmt.Sprintf("after %s attempt %d", j.ID, j.Attempt)); err != nil {
		return err
	}
	now := p.Plans[j.Target]
	now.Doc = old.Doc
	p.Plans[j.Target] = now
	if err := tx.PutPull(p); err != nil {
		return err
	}
	return f.markPullOf(tx, p)
}

// renewing says whether a plan is being made again, with the old one at hand.
func renewing(p store.Planned) bool { return p.State == "pending" && len(p.Doc) > 0 }
