package deploy

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// twoPlaces is a merged pull request of alice that changes a target in staging and
// one in production; bob holds staging, and production wants a second person.
func twoPlaces(w *world) (name, staging, production string) {
	w.t.Helper()
	w.update(func(tx *store.Tx) error {
		return tx.PutHold(&store.Hold{Kind: store.HoldHold, Environment: "staging", Owner: store.Person{Name: "bob"}, Reason: "tests"}, 0)
	})
	pr := w.forge.newPull(integrations.PullRequest{Title: "both", Author: "alice", Branch: "both", Base: "main", Head: "aaa"}, "network/main.tf", "api.version")
	w.hook(pr)
	w.wait("planned", isPlanned(w, pr.Number, "aaa"))
	w.hook(w.forge.mergeAs(pr.Number, "alice"))
	w.wait("both are blocked", func(tx *store.Tx) (bool, error) {
		all := w.jobs(kindApply)
		for _, j := range all {
			switch op, _ := tx.Operation(j.Operation); op.Environment {
			case "staging":
				staging = op.ID
			case "production":
				production = op.ID
			}
		}
		return len(all) == 2 && all[0].State == store.JobBlocked && all[1].State == store.JobBlocked, nil
	})
	return "#1", staging, production
}

// A pull request that was merged into two environments is two operations: what is
// about one asks which, and offers each.
func TestAPullRequestOfSeveralOperationsAsksWhich(t *testing.T) {
	w := newWorld(t)
	name, staging, production := twoPlaces(w)
	for verb, line := range map[string]string{"approve": "approve ", "retry": "retry ", "rollback": "rollback ", "log": "log ", "confirm": "confirm ", "merge": "merge ",
		"sign": "sign ", "keep": "keep ", "break-glass": "break-glass ", "waive": "waive checks "} {
		args := about(name)
		if line += "{}"; verb == "break-glass" || verb == "waive" {
			args, line = because(name, "down"), line+` "down"`
		}
		_, err := w.say("bob", verb, args)
		var r *commands.Refusal
		if !errors.As(err, &r) || r.Code != "several" || len(r.Buttons) != 2 {
			t.Errorf("%s: %v", verb, err)
			continue
		}
		var all []string
		for _, b := range r.Buttons {
			all = append(all, b.Command)
		}
		for _, id := range []string{staging, production} {
			if contains(t, r.Error(), id); !slices.Contains(all, strings.ReplaceAll(line, "{}", id)) {
				t.Errorf("%s offers %q", verb, all)
			}
		}
	}
	m := w.must("bob", "why", about(name)).Private
	for _, part := range []string{staging, production, "second person", "locked by bob"} {
		contains(t, m.Text, part)
	}

	// One that is over and went well is meant by nobody.
	w.must("bob", "approve", about(production))
	w.reaches(production, store.OpSucceeded)
	w.must("alice", "retry", about(name))
	w.refused("bob", "rollback", "several", about(name))
}

// Cancel means all of them, or none where one refuses.
func TestCancelOfAPullRequestMeansAllItsOperations(t *testing.T) {
	w := newWorld(t)
	name, staging, production := twoPlaces(w)
	_, err := w.say("dave", "cancel", about(name)) // who may in staging alone
	var r *commands.Refusal
	if !errors.As(err, &r) || r.Code != "not_allowed" || len(r.Buttons) != 2 {
		t.Fatalf("dave: %v", err)
	}
	contains(t, r.What, production+" of #1 refuses, so nothing was done")
	if op := w.op(staging, nil); op.Terminal() {
		t.Fatalf("%s is %s", staging, op.State)
	}
	text := w.must("bob", "cancel", about(name)).Private.Text
	for _, id := range []string{staging, production} {
		contains(t, text, id)
		w.reaches(id, store.OpFailed)
	}
	if n := w.tool.count(); n != 0 {
		t.Error("something was applied")
	}
}
