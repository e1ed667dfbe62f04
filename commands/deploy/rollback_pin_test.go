package deploy

import (
	"errors"
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/store"
)

func TestRollbackOfAPin(t *testing.T) {
	w := newWorld(t)
	pin := func(v string) *store.Operation {
		t.Helper()
		return w.through(w.must("alice", "deploy", map[string]string{"service": "api", "environment": "staging", "ref": v}).Subject, store.OpSucceeded)
	}
	pin("v2")
	b := button(w.card("op-1"), "Roll back")
	if b == nil || !strings.Contains(b.Confirm, "takes api in staging back from v2 to v1, which was there before") {
		t.Errorf("the first one offers %+v", b)
	}
	pin("v3")
	op := w.back(place("api", "staging"))
	if op.From != "v3" || op.To != "v2" || op.Back != "op-1" || op.Made != "" {
		t.Errorf("it is %+v", op)
	}
	if got := w.forge.find(op.PR).Title; got != "Roll back api in staging (v3 → v2)" {
		t.Errorf("the title is %q", got)
	}
	w.through(op.ID, store.OpSucceeded)
	if got := w.forge.pins[w.forge.branches["main"]]; got != "v2\n" {
		t.Errorf("the file holds %q", got)
	}
	w.refused("alice", "rollback", "nothing_to_roll_back", place("api", "staging", "version", "v2"))
	if op = w.back(place("api", "staging", "version", "v1")); op.To != "v1" {
		t.Errorf("it goes to %q", op.To)
	}
}

// A version that came again is not what it is gone back to from itself.
func TestRollbackOfAPinThatCameAgain(t *testing.T) {
	w := newWorld(t)
	pin := func(v, end string) {
		t.Helper()
		w.through(w.must("alice", "deploy", map[string]string{"service": "api", "environment": "staging", "ref": v, "fix": "true"}).Subject, end)
	}
	pin("v2", store.OpSucceeded)
	w.tool.set(func(f *fakeTool) { f.fail = errors.New("no") })
	pin("v3", store.OpFailed)
	w.tool.set(func(f *fakeTool) { f.fail = nil })
	pin("v2", store.OpSucceeded)
	if op := w.back(place("api", "staging")); op.To != "v1" {
		t.Errorf("it goes to %q, want what was there before", op.To)
	}
}
