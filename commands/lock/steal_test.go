package lock

import (
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/store"
)

// A steal takes the right force and a reason; the old owner is told in a direct
// message, everybody on the card; scope and end stay, the version rises.
func TestRuleStealWithAReasonTellsTheOldOwner(t *testing.T) {
	d := newDesk(t)
	id := d.says("alice", "lock web/production migration").Subject
	was := d.hold(id)
	d.refused("bob", "steal web/production hotfix", "not_allowed")
	d.refused("alice", "steal web/production hotfix", "not_allowed")
	if r := d.says("root", "steal "+id); r.Modal == nil {
		t.Error("a steal without a reason is not asked for one")
	}
	has(t, private(t, d.says("root", "steal web/production hotfix")), "You hold web/production now (hold-1", "alice is told")
	h := d.hold(id)
	if h.Owner.Name != "root" || h.Reason != "hotfix" || scopeOf(d.cat, h) != scopeOf(d.cat, was) || !h.Expires.Equal(was.Expires) || h.Version != was.Version+1 {
		t.Errorf("stolen, it is %+v", h)
	}
	has(t, d.card(id).Text, "locked by root", "hotfix", "Taken over from alice, who held it for “migration”")
	m := d.messages(id, "UA")
	if len(m) != 1 {
		t.Fatalf("alice is told %+v", m)
	}
	has(t, m[0].Text, "root took over your lock on web/production", "hotfix", "migration")
	if m[0].labels() != "Ask root" {
		t.Errorf("alice may press %s", m[0].labels())
	}
	d.refusedAt("alice", "unlock "+id, was.Version, "stale")
	d.refused("alice", "unlock "+id, "held")
	d.refused("root", "steal web/production again", "own")
	d.says("root", "unlock "+id)
	if m := d.messages(id, "UA"); m[0].labels() != "" {
		t.Errorf("when it is over alice may press %s", m[0].labels())
	}
	// One's own on the same is not what is meant.
	d.says("root", "lock cdn mine")
	theirs := d.says("bob", "lock cdn his").Subject
	if r := d.says("root", "steal cdn hotfix"); r.Subject != theirs {
		t.Errorf("stolen is %s", r.Subject)
	}
}

// Others ask the owner by a button: a direct message with Extend and Release, once
// an hour, and word when it is released.
func TestRuleOthersAskTheOwner(t *testing.T) {
	d := newDesk(t)
	id := d.says("alice", "lock web/production migration --for 8h").Subject
	has(t, private(t, d.says("carol", "ask-release "+id)), "asked alice")
	m := d.messages(id, "UA")
	if len(m) != 1 || m[0].labels() != "Extend, Release" {
		t.Fatalf("alice is told %+v", m)
	}
	has(t, m[0].Text, "carol asks you to release your lock on web/production", "migration")
	d.refused("carol", "ask-release "+id, "asked")
	d.refused("alice", "ask-release "+id, "own")
	d.says("bob", "ask-release "+id)
	d.after(61 * time.Minute)
	d.says("carol", "ask-release "+id)
	if m := d.messages(id, "UA"); len(m) != 3 {
		t.Errorf("after an hour alice was told %d times", len(m))
	}
	release := d.messages(id, "UA")[0].buttons()[1]
	if _, err := d.press("alice", release.Command, release.Version); err != nil {
		t.Fatal(err)
	}
	for _, who := range []string{"UB", "UC"} {
		if m := d.messages(id, who); len(m) != 1 {
			t.Errorf("%s is told %+v", who, m)
		} else {
			has(t, m[0].Text, "which you asked alice about, was released by alice")
		}
	}
	has(t, d.messages(id, "UA")[0].Text, "Since then it was released by alice")
	// Asked, and then taken over: the buttons would be somebody else's.
	id = d.says("alice", "lock web/production again").Subject
	d.says("bob", "ask-release "+id)
	d.says("root", "steal "+id+" hotfix")
	for _, m := range d.messages(id, "UA") {
		if m.where["what"] != directAsk {
			continue
		}
		if has(t, m.Text, "Since then root took it over"); m.labels() != "" {
			t.Errorf("alice may press %s", m.labels())
		}
	}
	d.says("bob", "ask-release "+id) // somebody else than before
	// An owner without an account in chat is asked in the channel.
	id = d.says("dave", "lock cdn x").Subject
	d.says("bob", "ask-release "+id)
	all := d.messages(id, "C1")
	has(t, all[len(all)-1].Text, "dave: bob asks you")
}

func TestExtend(t *testing.T) {
	d := newDesk(t)
	id := d.says("alice", "lock web/production migration --for 2h").Subject
	was := d.hold(id)
	has(t, private(t, d.says("alice", "extend web/production --for 90m")), "holds until")
	if h := d.hold(id); h.Expires.Sub(was.Expires) != 90*time.Minute || h.Version == was.Version {
		t.Errorf("extended: %+v", h)
	}
	d.refusedAt("alice", "extend "+id, was.Version, "stale")
	d.refused("bob", "extend "+id, "held")
	d.refused("alice", "extend "+id+" --for 30d", "bad_duration")
	has(t, private(t, d.says("root", "extend "+id)), "alice's")
	if h := d.hold(id); h.Expires.Sub(was.Expires) != 90*time.Minute+usualMore {
		t.Errorf("extended without saying for how long: %+v", h)
	}
	d.says("chief", "stop the house is on fire")
	d.refused("chief", "extend everything", "no_end")
}

// Every change of a hold that nobody typed has its audit row, in the transaction
// that makes it.
func TestRuleTicksAreAudited(t *testing.T) {
	d := newDesk(t)
	id := d.says("alice", "lock cdn x --for 2h").Subject
	d.after(3 * time.Hour)
	var acts []string
	d.view(func(tx *store.Tx) error {
		rows, err := tx.AuditRows(store.AuditFilter{Subject: id})
		for _, r := range rows {
			if r.Target != "cdn" || r.Environment != "production" || r.Via != "clock" || r.Who.Name != "alice" {
				t.Errorf("a row is %+v", r)
			}
			acts = append(acts, r.Act)
		}
		return err
	})
	if len(acts) != 2 || acts[0] != "lock expired" || acts[1] != "lock reminder" {
		t.Errorf("the audit has %q", acts)
	}
}
