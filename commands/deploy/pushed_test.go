package deploy

import (
	"errors"
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// pushes has somebody on GitHub push to a pull request, told by a webhook or not.
func (w *world) pushes(number int, who string, told bool) (head string) {
	w.t.Helper()
	w.forge.do(func() { head = w.forge.commit(who) })
	pr := w.forge.edit(number, func(p *integrations.PullRequest) { p.Head = head })
	if told {
		act, err := w.f.onPull(w.t.Context(), commands.Happening{Catalog: w.cat,
			Forge: &integrations.ForgeEvent{PullRequest: &pr, Action: "synchronize", Sender: who}})
		if err != nil {
			w.t.Fatal(err)
		}
		w.update(func(tx *store.Tx) error { _, err := act(tx); return err })
	} else if err := w.f.reconcile(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	w.wait("planned at the pushed head", isPlanned(w, number, head))
	return head
}

// Who pushed has to be somebody who might have asked for it; else somebody with
// the right answers for that head, and the pusher never.
func TestAPushOfSomebodyWhoMayNotWaitsForAnAnswer(t *testing.T) {
	for _, pusher := range []string{"mallory", "carol", "erin"} {
		for _, told := range []bool{true, false} {
			w := newWorld(t)
			w.cat.People = append(w.cat.People, integrations.Person{Name: "erin", Slack: "UE", GitHub: "erin"}) // may approve, and not deploy
			w.cat.Groups["approvers"] = []string{"erin"}
			w.cat.Rules = append(w.cat.Rules, integrations.Rule{Groups: []string{"approvers"}, Verbs: []string{"read", "approve", "merge"}, Environments: []string{"*"}})
			op := w.planned(w.deploy("alice", "staging").ID) // which wants no second person
			head := w.pushes(op.PR, pusher, told)
			w.planned(op.ID)
			w.refused("alice", "merge", "policy", about(op.ID))
			if pusher == "erin" {
				w.refused("erin", "approve", "own", about(op.ID))
				w.refused("erin", "merge", "policy", about(op.ID))
			}
			w.forge.do(func() { // nor does the pusher's own review count
				w.forge.reviews[op.PR] = []integrations.Review{{Author: pusher, State: "APPROVED", Head: head, At: w.forge.now}}
			})
			w.refused("alice", "merge", "policy", about(op.ID))
			w.must("alice", "approve", about(op.ID))
			w.must("alice", "merge", about(op.ID))
			w.reaches(op.ID, store.OpSucceeded)
		}
	}
}

// The same when it is merged on GitHub, into what nobody asked for in chat, too.
func TestAPushOfSomebodyWhoMayNotIsBlockedAtDequeue(t *testing.T) {
	w := newWorld(t)
	w.cat.Environments[1].Approvals = 0
	op := w.planned(w.deploy("alice", "staging").ID)
	w.pushes(op.PR, "mallory", true)
	w.hook(w.forge.mergeAs(op.PR, "alice"))
	contains(t, w.apply(op.ID, store.JobBlocked).Why, "mallory, who pushed")
	w.must("alice", "approve", about(op.ID))
	w.reaches(op.ID, store.OpSucceeded)

	pr := w.forge.newPull(integrations.PullRequest{Title: "network", Author: "alice", Branch: "net", Base: "main", Head: "aaa"}, "network/main.tf")
	w.hook(pr)
	w.wait("planned at aaa", isPlanned(w, pr.Number, "aaa"))
	w.pushes(pr.Number, "carol", true)
	w.hook(w.forge.mergeAs(pr.Number, "alice"))
	w.wait("it is kept or over", func(*store.Tx) (bool, error) {
		j := w.jobs(kindApply)[0]
		return j.Target == "network/production" && (j.State == store.JobBlocked || j.Terminal()), nil
	})
	j := w.jobs(kindApply)[0]
	contains(t, j.Why, "carol, who pushed")
	w.must("bob", "approve", about(j.Operation))
	w.reaches(j.Operation, store.OpSucceeded)
}

// Include takes away nothing that people pushed to our branch, whether the push was
// seen before it was asked for or not.
func TestIncludeTakesNoPushAway(t *testing.T) {
	for _, forward := range []bool{false, true} {
		for _, seen := range []bool{true, false} {
			w := newWorld(t)
			op := w.planned(w.deploy("alice", "staging").ID)
			if forward { // the base was rolled back, so that its head is a commit of ours
				w.update(func(tx *store.Tx) error {
					o, err := tx.Operation(op.ID)
					o.Forward, o.Made = true, o.Head
					return errors.Join(err, tx.PutOperation(o))
				})
			}
			push := func() (head string) {
				w.forge.do(func() { head = w.forge.commit("bob"); w.forge.branches[op.Branch] = head })
				return head
			}
			w.forge.do(func() { w.forge.branches["main"] = w.forge.commit("dave") })
			var head string
			if seen {
				head = push()
				w.hook(w.forge.edit(op.PR, func(p *integrations.PullRequest) { p.Head = head }))
				w.refused("alice", "include", "pushed", about(op.ID))
			} else {
				head = push() // and the webhook is lost
				w.must("alice", "include", about(op.ID))
				now := w.op(op.ID, func(o *store.Operation) bool { return strings.Contains(o.Note, "could not be taken in") })
				contains(t, now.Note, "somebody pushed "+short(head))
			}
			if at, err := w.forge.BranchHead(t.Context(), repo, op.Branch); err != nil || at != head {
				t.Errorf("forward %v, seen %v: the branch is at %s, %v; want %s", forward, seen, at, err, head)
			}
		}
	}
}
