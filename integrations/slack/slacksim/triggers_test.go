package slacksim_test

import (
	"testing"
	"time"
)

func TestTriggers(t *testing.T) {
	cfg := workspace()
	cfg.Quiet = time.Millisecond
	o := open(t, cfg)
	w := o.dial()
	trigger := func() string {
		act := o.say("alice", "ops", "/ops help", "")
		e := w.next()
		w.ack(e.EnvelopeID, "")
		o.wait(act)
		return e.field(t, "trigger_id")
	}
	id := trigger()
	v := o.must("views.open", args("trigger_id", id, "view", modal("One", "")))["view"].(map[string]any)
	if out := o.call("views.open", args("trigger_id", id, "view", modal("Two", ""))); out["error"] != "exchanged_trigger_id" {
		t.Errorf("used again: %v", out)
	}
	if out := o.call("views.update", args("view_id", v["id"].(string), "hash", "old", "view", modal("Three", ""))); out["error"] != "hash_conflict" {
		t.Errorf("with an old hash: %v", out)
	}
	o.must("views.update", args("view_id", v["id"].(string), "hash", v["hash"].(string), "view", modal("Three", "")))
	for _, want := range []any{nil, nil, "push_limit_reached"} {
		if out := o.call("views.push", args("trigger_id", trigger(), "view", modal("More", ""))); out["error"] != want {
			t.Errorf("push: %v, want %v", out, want)
		}
	}
	ms, err := o.Modals("alice")
	if err != nil || len(ms) != 3 || ms[0].Title != "Three" {
		t.Errorf("%+v, %v", ms, err)
	}
}

func TestTriggersExpire(t *testing.T) {
	cfg := workspace()
	cfg.Quiet, cfg.TriggerLife = 20*time.Millisecond, time.Millisecond
	o := open(t, cfg)
	w := o.dial()
	act := o.say("alice", "ops", "/ops help", "")
	e := w.next()
	w.ack(e.EnvelopeID, "")
	o.wait(act) // longer than the trigger lives
	if out := o.call("views.open", args("trigger_id", e.field(t, "trigger_id"), "view", modal("One", ""))); out["error"] != "expired_trigger_id" {
		t.Errorf("%v", out)
	}
}
