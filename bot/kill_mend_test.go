package main

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/store"
)

// overHTTP is a box whose Terraform keeps the state of web/staging at a server.
func overHTTP(t *testing.T) (*box, *talkState) {
	t.Helper()
	s := &talkState{}
	server := httptest.NewServer(s)
	t.Cleanup(func() { s.do(func() { s.hold = "" }); server.Close() })
	terraform := realTerraform(t)
	b := newBox(t, func(w *boxWorld) {
		terraform(w)
		w.deploy = strings.Replace(w.deploy, `backend "local"`, `backend "http"`, 1)
		w.edit = func(text string) string {
			return strings.Replace(text, fmt.Sprintf("backend: {path: %q}", w.b.dir+"/tfstate/staging"),
				fmt.Sprintf("backend: {address: %[1]q, lock_address: %[1]q, unlock_address: %[1]q, retry_max: \"0\"}", server.URL), 1)
		}
	})
	return b, s
}

// untilShown waits until an operation's card shows something, and returns its ts.
func (b *box) untilShown(op, part string) (ts string) {
	b.t.Helper()
	b.until(op+" shows "+part, func() bool {
		m := b.card(op)
		if m != nil {
			ts = m.TS
		}
		return m != nil && strings.Contains(string(m.Blocks), part)
	})
	return ts
}

// mends are the jobs that set something right.
func (b *box) mends() (out []*store.Job) {
	b.t.Helper()
	b.book(func(tx *store.Tx) error {
		all, err := tx.JobsOf("op-1")
		for _, j := range all {
			if j.Kind == "mend" {
				out = append(out, j)
			}
		}
		return err
	})
	return out
}

// killed presses a button whose command then waits for the server, kills the bot, lets
// the server go on and starts the bot again.
func (b *box) killed(s *talkState, label, method string) {
	b.t.Helper()
	before := 0
	s.do(func() { s.hold, before = method, s.did[method] })
	b.click("bob", b.card("op-1").TS, label)
	b.until("the server was asked", func() (asked bool) { s.do(func() { asked = s.did[method] > before }); return asked })
	b.kill()
	s.do(func() { s.hold = "" })
	b.start()
}

// A state that an apply could not save is told, kept and saved, once, although the bot
// is killed while it is.
func TestKillWhileAStateIsSaved(t *testing.T) {
	t.Parallel()
	b, s := overHTTP(t)
	b.begin()
	b.tell("hold-apply")
	b.mergeOnGitHub()
	b.until("the apply has begun", func() bool { return b.told("at-apply") })
	s.do(func() { s.dead = true })
	b.untell("hold-apply")
	b.untilCard("op-1", ": unknown", "the state was not saved: ", "; 1 resource is in it")
	s.do(func() { s.dead = false })
	b.ask("bob", "/ops resolve op-1 retry", "would be made again")
	b.untilShown("op-1", "A plan would still change +1 ~0 -0")

	b.killed(s, "Save the state", "POST")
	b.untilShown("op-1", "The state was saved.")
	b.untilShown("op-1", "A plan finds nothing left to do.")
	all, posts := b.mends(), 0
	s.do(func() { posts = s.did["POST"] })
	if len(all) != 1 || all[0].Attempt != 1 || posts != 1 || !strings.Contains(string(s.state), "1.1.0") {
		t.Errorf("%d jobs, the first %+v, and it was saved %d times: %s", len(all), all[0], posts, s.state)
	}
	b.click("bob", b.card("op-1").TS, "Mark succeeded")
	b.untilCard("op-1", ": succeeded")
	b.checkOnce("op-1")
	if n := len(b.effects()); n != 1 {
		t.Errorf("applied %d times", n)
	}
}

// The lock of somebody who is gone is released once, although the bot is killed while
// that is done.
func TestKillWhileALockIsReleased(t *testing.T) {
	t.Parallel()
	b, s := overHTTP(t)
	s.lock = []byte(`{"ID": "lock-of-eve"}`)
	b.start()
	b.say("alice", "/ops deploy web to staging")
	b.untilShown("op-1", "lock lock-of-eve")
	b.killed(s, "Release the state lock", "UNLOCK")
	b.untilShown("op-1", "lock lock-of-eve was released.")
	frees := 0
	s.do(func() { frees = s.did["UNLOCK"] })
	if all := b.mends(); len(all) != 1 || all[0].Attempt != 1 || frees != 1 {
		t.Errorf("%d jobs, the first %+v, and it was released %d times", len(all), all[0], frees)
	}
	b.click("alice", b.card("op-1").TS, "Retry")
	b.untilCard("op-1", ": open", "plan +1 ~0 -0")
	b.untilDone()
}
