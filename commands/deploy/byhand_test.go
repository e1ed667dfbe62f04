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

// A review that was given while a pull request went into another branch counts
// for that one alone, whether or not a webhook told of the turn, and whether or
// not GitHub tells when it was.
func TestAReviewIsForOneBase(t *testing.T) {
	for _, of := range []struct {
		name                string
		lost, silent, there bool
	}{{name: "the webhook told"}, {name: "the webhook was lost", lost: true}, {name: "GitHub does not tell when", silent: true},
		{name: "it was turned there and back, unseen", lost: true, there: true}} {
		t.Run(of.name, func(t *testing.T) {
			w := newWorld(t)
			head := w.forge.branches["main"]
			base := map[bool]string{false: "deployment/staging", true: "deployment/production"}[of.there]
			pr := w.forge.newPull(integrations.PullRequest{Title: "ship it", Author: "alice", Branch: "main", Base: base, Head: head}, "app/main.go")
			w.hook(pr)
			if of.there {
				w.forge.edit(pr.Number, func(p *integrations.PullRequest) { p.Base = "deployment/staging" })
			}
			w.forge.do(func() {
				w.forge.reviews[pr.Number] = []integrations.Review{{Author: "bob", State: "APPROVED", Head: head, At: w.forge.now}}
			})
			turned := w.forge.edit(pr.Number, func(p *integrations.PullRequest) { p.Base = "deployment/production" })
			if of.silent {
				w.forge.do(func() { delete(w.forge.turned, pr.Number) })
			}
			if of.lost {
				if err := w.f.reconcile(t.Context()); err != nil {
					t.Fatal(err)
				}
			} else {
				w.hook(turned)
			}
			w.wait("planned for production", isPlanned(w, pr.Number, head))
			w.hook(w.forge.mergeAs(pr.Number, "alice"))
			w.wait("it waits for a second person", func(*store.Tx) (bool, error) {
				all := w.jobs(kindApply)
				return len(all) == 1 && (all[0].State == store.JobBlocked || all[0].Terminal()), nil
			})
			if n := w.tool.count(); n != 0 {
				t.Fatal("a yes to staging brought it to production")
			}
			w.forge.do(func() { // a review since then counts
				w.forge.reviews[pr.Number] = append(w.forge.reviews[pr.Number], integrations.Review{Author: "bob", State: "APPROVED", Head: head, At: w.forge.now})
			})
			id := w.jobs(kindApply)[0].Operation
			w.must("alice", "retry", about(id))
			w.reaches(id, store.OpSucceeded)
		})
	}
}
