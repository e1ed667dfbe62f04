package deploy

import (
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// What people open into the branch of a place by hand is a promotion of its head:
// it waits for the place before as a deploy from chat does.
func TestAPullRequestByHandIsPromotedInOrder(t *testing.T) {
	w := newWorld(t)
	w.cat.Environments[1].After = "staging"
	head := w.forge.branches["main"]
	pr := w.forge.newPull(integrations.PullRequest{Title: "ship it", Author: "alice", Branch: "main", Base: "deployment/production", Head: head}, "app/main.go")
	w.hook(pr)
	w.wait("planned", isPlanned(w, pr.Number, head))
	w.wait("the status waits for staging", func(tx *store.Tx) (bool, error) {
		p, err := tx.Pull(1, pr.Number)
		if err != nil {
			return false, err
		}
		state, text := w.f.gateState(tx, p, nil, head)
		return state == "pending" && strings.Contains(text, "has not succeeded in staging, which comes first"), nil
	})
	w.hook(w.forge.mergeAs(pr.Number, "bob"))
	var id string
	w.wait("it is kept", func(*store.Tx) (bool, error) {
		all := w.jobs(kindApply)
		if len(all) == 1 {
			id = all[0].Operation
		}
		return len(all) == 1 && all[0].State == store.JobBlocked, nil
	})
	contains(t, w.apply(id, store.JobBlocked).Why, "of web has not succeeded in staging, which comes first")
	w.must("alice", "retry", about(id))
	w.apply(id, store.JobBlocked)

	// Staging has it, by a pull request of people, too; the same head may go on.
	first := w.forge.newPull(integrations.PullRequest{Title: "try it", Author: "bob", Branch: "main", Base: "deployment/staging", Head: head}, "app/main.go")
	w.hook(first)
	w.wait("planned", isPlanned(w, first.Number, head))
	w.hook(w.forge.mergeAs(first.Number, "bob"))
	w.wait("staging has it", func(tx *store.Tx) (bool, error) {
		all, err := tx.OperationByPull(1, first.Number)
		return len(all) == 1 && all[0].State == store.OpSucceeded, err
	})
	w.must("alice", "retry", about(id))
	w.reaches(id, store.OpSucceeded)
}
