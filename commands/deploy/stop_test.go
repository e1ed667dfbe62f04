package deploy

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// Verbs about a job are for plans and applies. Said of the jobs that open, close
// and merge, they must not bring the operation into a state that it is not in.
func TestVerbsOnOtherJobs(t *testing.T) {
	w := newWorld(t)
	op := w.planned(w.deploy("alice", "staging").ID)
	opening := w.jobs(kindOpen)[0]
	for verb, code := range map[string]string{"retry": "not_waiting", "cancel": "over", "resolve": "not_waiting", "confirm": "not_waiting"} {
		args := about(opening.ID)
		args["outcome"] = "failed"
		w.refused("alice", verb, code, args)
	}
	w.update(func(tx *store.Tx) error {
		j, err := tx.Job(opening.ID)
		if err != nil {
			return err
		}
		j.State = store.JobFailed
		return tx.PutJob(j)
	})
	w.refused("alice", "retry", "not_waiting", about(opening.ID))
	if op = w.op(op.ID, nil); op.State != store.OpOpen {
		t.Errorf("%s is %s", op.ID, op.State)
	}
}

// A merge that waits to be tried again is cancelled by its operation, not lost.
func TestCancelAQueuedMerge(t *testing.T) {
	w := newWorld(t)
	op := w.planned(w.deploy("alice", "staging").ID)
	w.forge.errs["MergePull"] = errors.New("GitHub says 502")
	w.must("alice", "merge", about(op.ID))
	w.wait("the merge waits", func(tx *store.Tx) (bool, error) {
		for _, j := range w.jobs(kindMerge) {
			return j.State == store.JobQueued && j.Attempt > 0, nil
		}
		return false, nil
	})
	w.must("alice", "cancel", about(w.jobs(kindMerge)[0].ID))
	op = w.op(op.ID, func(o *store.Operation) bool { return o.MergeAskedBy == nil })
	w.forge.do(func() { delete(w.forge.errs, "MergePull") })
	w.must("alice", "merge", about(op.ID))
	w.reaches(op.ID, store.OpSucceeded)
}

// A failed apply of a commit that came without a pull request is retried as an
// apply; there is no pull request to be opened.
func TestRetryUnplanned(t *testing.T) {
	w := newWorld(t)
	before := w.forge.branches["main"]
	var sha string
	w.forge.do(func() { sha = w.forge.commit("dave"); w.forge.branches["main"] = sha })
	w.push("main", before, sha, "dave")
	w.tool.set(func(f *fakeTool) { f.fail = errors.New("the cloud says no") })
	w.wait("it asks", func(tx *store.Tx) (bool, error) { return len(w.jobs(kindApply)) == 1, nil })
	id := w.jobs(kindApply)[0].Operation
	w.apply(id, store.JobNeedsConfirm)
	w.must("alice", "confirm", about(id))
	w.reaches(id, store.OpFailed)
	w.tool.set(func(f *fakeTool) { f.fail = nil })
	w.must("alice", "retry", about(id))
	w.reaches(id, store.OpSucceeded)
}

// An apply that waits behind another says which, so that somebody can settle that one.
func TestWhatAQueuedApplyWaitsFor(t *testing.T) {
	w := newWorld(t)
	var ids []string
	for _, head := range []string{"aaa", "bbb"} {
		pr := w.forge.newPull(integrations.PullRequest{Title: head, Author: "alice", Branch: head, Base: "main", Head: head}, "network/main.tf")
		w.hook(w.forge.mergeAs(pr.Number, "bob")) // nobody has planned it
		w.wait("it is queued", func(*store.Tx) (bool, error) { return len(w.jobs(kindApply)) == len(ids)+1, nil })
		for _, j := range w.jobs(kindApply) {
			if !slices.Contains(ids, j.Operation) {
				ids = append(ids, j.Operation)
				break
			}
		}
	}
	first := w.apply(ids[0], store.JobNeedsConfirm)
	second := w.apply(ids[1], store.JobQueued)
	w.view(func(tx *store.Tx) error {
		m, err := w.f.operationCard(tx, &store.Surface{Subject: ids[1]})
		var all []string
		for _, b := range m.Blocks {
			all = append(all, b.Text.Plain())
		}
		contains(t, strings.Join(all, "\n"), second.ID+" waits for "+first.ID+" of "+ids[0])
		return err
	})
	w.must("alice", "cancel", about(ids[0]))
	w.apply(ids[1], store.JobNeedsConfirm) // its turn
}
