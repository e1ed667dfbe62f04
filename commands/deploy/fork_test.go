package deploy

import (
	"errors"
	"testing"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// A fork's code runs at the head that somebody has looked at, and at no other,
// whatever is pushed between the look and the word.
func TestAForkIsPlannedAtTheHeadThatWasSeen(t *testing.T) {
	w := newWorld(t)
	head := w.forge.commit("mallory")
	pr := w.forge.newPull(integrations.PullRequest{Title: "network", Author: "mallory", Branch: "net", Base: "main", Head: head, Fork: true}, "network/main.tf")
	w.hook(pr)
	ask := func(who, subject string) *commands.Refusal {
		t.Helper()
		_, err := w.say(who, "plan", about(subject))
		var r *commands.Refusal
		if !errors.As(err, &r) {
			t.Fatalf("%s says plan %s: %v", who, subject, err)
		}
		return r
	}
	if r := ask("carol", "#1"); r.Code != "not_allowed" {
		t.Errorf("carol: %+v", r)
	}
	r := ask("alice", "#1")
	if contains(t, r.Error(), head); r.Code != "fork" || len(r.Buttons) != 1 || r.Buttons[0].Command != "plan acme/web#1@"+head {
		t.Fatalf("alice: %+v", r)
	}
	if r := ask("alice", "#1@"+head[:12]); r.Code != "bad_sha" {
		t.Errorf("a short SHA: %+v", r)
	}
	next := w.forge.commit("mallory")
	w.hook(w.forge.edit(pr.Number, func(p *integrations.PullRequest) { p.Head = next }))
	moved := ask("alice", "acme/web#1@"+head)
	if contains(t, moved.Error(), short(next)); moved.Code != "moved" || len(moved.Buttons) != 1 || moved.Buttons[0].Command != "plan acme/web#1@"+next {
		t.Fatalf("the button of the old head: %+v", moved)
	}
	plans := func() (n int) {
		w.view(func(tx *store.Tx) error {
			all, err := tx.JobsByPull(1, pr.Number)
			for _, j := range all {
				if j.Kind == kindPlan {
					n++
				}
			}
			return err
		})
		return n
	}
	if n := plans(); n != 0 {
		t.Fatalf("the fork's code was planned %d times", n)
	}
	w.must("alice", "plan", about("acme/web#1@"+next))
	w.wait("planned", isPlanned(w, pr.Number, next))
	w.must("alice", "plan", about("#1")) // once more, at the head that was let
	w.wait("planned twice", func(tx *store.Tx) (bool, error) { return plans() == 2, nil })
}
