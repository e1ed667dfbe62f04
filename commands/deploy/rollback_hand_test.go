package deploy

import (
	"slices"
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// What goes with a rollback is what came since, but for what is gone already.
func TestWhatARollbackTakes(t *testing.T) {
	deploy := func(id string) *store.Operation { return &store.Operation{ID: id, State: store.OpSucceeded} }
	undo := func(id, undoes, back string) *store.Operation {
		return &store.Operation{ID: id, State: store.OpSucceeded, Rollback: true, Undoes: undoes, Back: back}
	}
	failed := undo("op-4", "op-3", "op-1")
	failed.State = store.OpFailed
	one, two, three, four, five := deploy("op-1"), deploy("op-2"), deploy("op-3"), undo("op-4", "op-3", "op-1"), deploy("op-5")
	for _, c := range []struct {
		say    string
		merged []*store.Operation // newest first
		to     string
		want   string
	}{
		{"the newest", []*store.Operation{three, two, one}, "op-2", "op-3"},
		{"several", []*store.Operation{three, two, one}, "op-1", "op-3 op-2"},
		{"all", []*store.Operation{three, two, one}, "", "op-3 op-2 op-1"},
		{"back to a rollback", []*store.Operation{five, four, three, two, one}, "op-4", "op-5"},
		{"past a rollback, which had taken the rest", []*store.Operation{five, four, three, two, one}, "op-1", "op-5"},
		{"before a rollback that did not work", []*store.Operation{five, failed, three, two, one}, "op-2", "op-5 op-4 op-3"},
		{"a rollback", []*store.Operation{four, three, two, one}, "op-3", "op-4"},
	} {
		var got []string
		for _, o := range (past{merged: c.merged}).taken(good{op: c.to}) {
			got = append(got, o.ID)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v, want %s", c.say, got, c.want)
		}
	}
}

// mergedByHand merges a pull request of people that touches the network.
func (w *world) mergedByHand(title string, before, after map[string]string) (op *store.Operation, merge string) {
	w.t.Helper()
	head := "head of " + title
	pr := w.forge.newPull(integrations.PullRequest{Title: title, Author: "bob", Branch: title, Base: "main", Head: head}, "network/main.tf")
	w.hook(pr)
	w.wait("planned", isPlanned(w, pr.Number, head))
	w.forge.do(func() {
		w.forge.reviews[pr.Number] = []integrations.Review{{Author: "alice", State: "APPROVED", Head: head}}
		w.forge.held[w.forge.order[len(w.forge.order)-1]] = before
	})
	merged := w.forge.mergeAs(pr.Number, "bob")
	w.forge.do(func() {
		w.forge.held[merged.MergeSHA], w.forge.besides[merged.MergeSHA] = after, []string{"README.md"}
		after["README.md"] = "of " + title
	})
	w.hook(merged)
	w.wait("applied", func(tx *store.Tx) (bool, error) {
		ops, err := tx.OperationByPull(1, pr.Number)
		if len(ops) == 1 {
			op = ops[0]
		}
		return op != nil && op.State == store.OpSucceeded, err
	})
	return op, merged.MergeSHA
}

// Of a merge of people the files that it changed go back, and no others.
func TestRollbackOfAMergeOfPeople(t *testing.T) {
	w := newWorld(t)
	op, merge := w.mergedByHand("subnet", map[string]string{"network/main.tf": "old"}, map[string]string{"network/main.tf": "new"})
	b := button(w.card(op.ID), "Roll back")
	if b == nil {
		t.Fatal("its card has no Roll back")
	}
	reply, err := w.press("alice", "rollback", b.Version, about(op.ID))
	if err != nil {
		t.Fatal(err)
	}
	back := w.planned(reply.Subject)
	made := w.forge.made[back.Head]
	if made.Base != merge || !slices.Equal(made.Parents, []string{merge}) || !slices.Equal(made.Files, []integrations.FileChange{{Path: "network/main.tf", Blob: "old", Mode: "100644"}}) {
		t.Errorf("it made %+v", made)
	}
	if got := w.forge.find(back.PR).Title; got != "Roll back #1 “subnet” in production" {
		t.Errorf("the title is %q", got)
	}
	if !slices.Equal(back.Targets, op.Targets) || back.Base != "main" || back.Unsafe != "" {
		t.Errorf("it is %+v", back)
	}
	if b := button(w.card(op.ID), "Roll back"); b != nil {
		t.Errorf("what is being taken back is offered again: %+v", b)
	}
	w.refused("alice", "rollback", "no_version", map[string]string{"subject": op.ID, "version": "op-1"})
	w.refused("dave", "rollback", "not_allowed", about(op.ID))
	w.refused("alice", "rollback", "not_merged", about(back.ID))
}

// A file that the merge brought goes; one that was changed again since goes back
// with a warning; and where all is as before there is nothing to do.
func TestRollbackOfAMergeAfterOthers(t *testing.T) {
	w := newWorld(t)
	op, merge := w.mergedByHand("subnet", nil, map[string]string{"network/main.tf": "new"})
	_, second := w.mergedByHand("wider", map[string]string{"network/main.tf": "new"}, map[string]string{"network/main.tf": "newer"})
	w.forge.do(func() { w.forge.held[merge] = map[string]string{"network/main.tf": "new"} })
	contains(t, cardText(w.card(op.ID)), "op-2 (merge of #2 “wider” in production) changed network/production since")
	back := w.back(about(op.ID))
	if made := w.forge.made[back.Head]; !slices.Equal(made.Files, []integrations.FileChange{{Path: "network/main.tf"}}) || made.Base != second {
		t.Errorf("it made %+v", made)
	}
	contains(t, w.forge.find(back.PR).Body, "changed network/main.tf since, and that goes too")
	w.must("alice", "cancel", about(back.ID))
	w.reaches(back.ID, store.OpClosed)
	w.forge.do(func() { w.forge.held[second] = nil })
	w.refused("alice", "rollback", "nothing_to_roll_back", about(op.ID))
}

func TestNothingToRollBack(t *testing.T) {
	w := newWorld(t)
	w.refused("alice", "rollback", "nothing_to_roll_back", place("web", "staging"))
	op := w.deploy("alice", "staging")
	w.refused("alice", "rollback", "not_merged", about(op.ID))
	w.refused("alice", "rollback", "unknown_subject", about("op-99"))
	w.planned(op.ID)
	if b := button(w.card(op.ID), "Roll back"); b != nil {
		t.Errorf("an open one offers %+v", b)
	}
}
