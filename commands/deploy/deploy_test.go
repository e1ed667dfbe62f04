package deploy

import (
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

func TestFromTheRequestToTheApply(t *testing.T) {
	w := newWorld(t)
	op := w.planned(w.deploy("alice", "staging").ID)
	w.must("alice", "merge", about(op.ID))
	op = w.reaches(op.ID, store.OpSucceeded)
	if n := w.tool.count(); n != 1 {
		t.Errorf("it was applied %d times", n)
	}
	if op.MergedBy.Name != "alice" {
		t.Errorf("merged by %+v, want alice, who pressed", op.MergedBy)
	}
	w.hook(*w.forge.find(op.PR)) // the webhook comes late, and twice
	w.hook(*w.forge.find(op.PR))
	w.view(func(tx *store.Tx) error {
		all, err := (subject{op: op}).applies(tx)
		if len(all) != 1 {
			t.Errorf("%d applies came of one merge", len(all))
		}
		return err
	})
	if !w.forge.gone(op.Branch) {
		w.wait("the branch is deleted", func(*store.Tx) (bool, error) { return w.forge.gone(op.Branch), nil })
	}
}

// A cancel that comes while the pull request is being opened must not leave an
// operation that can neither be merged nor cancelled.
func TestCancelWhileOpening(t *testing.T) {
	for _, c := range []struct{ name, at string }{
		{"before the branch", "CreateBranch"}, {"before the pull request", "OpenPull"}, {"before its answer", "OpenPull answer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			reached, goOn := make(chan struct{}), make(chan struct{})
			w.forge.before[c.at] = func() { close(reached); <-goOn }
			r := w.must("alice", "deploy", map[string]string{"service": "web", "environment": "staging"})
			<-reached
			w.must("alice", "cancel", about(r.Subject))
			w.wait("the closing has looked", func(tx *store.Tx) (bool, error) {
				all, err := tx.JobsOf(r.Subject)
				return len(all) == 2 && all[1].Attempt > 0 && (all[1].State == store.JobQueued || all[1].Terminal()), err
			})
			close(goOn)
			op := w.reaches(r.Subject, store.OpClosed)
			w.wait("the branch is deleted", func(*store.Tx) (bool, error) { return w.forge.gone(op.Branch), nil })
			if open := w.forge.list(func(p *integrations.PullRequest) bool { return p.State == "open" }); len(open) > 0 {
				t.Errorf("%s is closed and its pull request #%d is open", op.ID, open[0].Number)
			}
		})
	}
}

// The reply to the opening is lost, the person cancels, and the opening is begun
// again: the pull request that was made must be closed too.
func TestCancelAfterALostReply(t *testing.T) {
	w := newWorld(t)
	w.forge.errs["OpenPull answer"] = &integrations.Later{After: 60e9, Err: integrations.ErrNotFound}
	r := w.must("alice", "deploy", map[string]string{"service": "web", "environment": "staging"})
	w.wait("the pull request is there", func(*store.Tx) (bool, error) { return w.forge.find(1) != nil, nil })
	w.wait("the opening is to be tried again", func(tx *store.Tx) (bool, error) {
		all, err := tx.JobsOf(r.Subject)
		return len(all) > 0 && all[0].State == store.JobQueued && all[0].Attempt > 0, err
	})
	w.must("alice", "cancel", about(r.Subject))
	op := w.reaches(r.Subject, store.OpClosed)
	w.wait("the pull request is closed", func(*store.Tx) (bool, error) {
		return len(w.forge.list(func(p *integrations.PullRequest) bool { return p.State == "open" })) == 0, nil
	})
	w.wait("the branch is deleted", func(*store.Tx) (bool, error) { return w.forge.gone(op.Branch), nil })
}
