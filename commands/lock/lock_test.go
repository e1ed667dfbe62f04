package lock

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/store"
)

// A desk is the feature on a real store.
type desk struct {
	t     *testing.T
	store *store.Store
	clock *clock.Movable
	cat   *integrations.Catalog
	feat  commands.Feature
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	clk := clock.NewMovable(0)
	s, err := store.Open(filepath.Join(t.TempDir(), "signalbox.db"), store.Options{Now: clk.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	d := &desk{t: t, store: s, clock: clk, cat: &integrations.Catalog{
		People: []integrations.Person{{Name: "alice", Slack: "UA"}, {Name: "bob", Slack: "UB"}, {Name: "root", Slack: "UR"}, {Name: "carol", Slack: "UC"}},
		Groups: map[string][]string{"deployers": {"alice", "bob", "root"}, "admins": {"root"}},
		Rules: []integrations.Rule{{Groups: []string{"deployers"}, Verbs: []string{"lock"}, Environments: []string{"*"}},
			{Groups: []string{"admins"}, Verbs: []string{"unlock-other"}, Environments: []string{"production"}}},
		Environments: []integrations.Environment{{Name: "production"}},
		Services:     []integrations.Service{{Name: "web", Environments: map[string]integrations.ServiceEnvironment{"production": {Targets: []string{"web/production", "cdn"}}}}},
		Targets:      []integrations.Target{{Name: "web/production", Environment: "production"}, {Name: "cdn", Environment: "production"}},
	}}
	d.feat = New(Deps{Store: s, Clock: clk, Log: slog.New(slog.DiscardHandler), Catalog: func() *integrations.Catalog { return d.cat }})
	return d
}

func (d *desk) press(who, verb string, version uint64, args ...string) (commands.Reply, error) {
	d.t.Helper()
	for _, v := range d.feat.Verbs {
		if v.Name != verb {
			continue
		}
		c := &commands.Call{Verb: &v, Args: map[string]string{}, Version: version, Catalog: d.cat, Heard: integrations.Heard{Channel: "C1", ChannelName: "ops"}}
		for i := 0; i < len(args); i += 2 {
			c.Args[args[i]] = args[i+1]
		}
		for _, p := range d.cat.People {
			if p.Name == who {
				c.Who = p
			}
		}
		act, err := v.Decide(context.Background(), c)
		if err != nil {
			return commands.Reply{}, err
		}
		var reply commands.Reply
		err = d.store.Update(context.Background(), func(tx *store.Tx) (err error) { reply, err = act(tx); return err })
		return reply, err
	}
	d.t.Fatalf("there is no verb %q", verb)
	return commands.Reply{}, nil
}

func (d *desk) say(who, verb string, args ...string) commands.Reply {
	d.t.Helper()
	r, err := d.press(who, verb, 0, args...)
	if err != nil {
		d.t.Fatalf("%s says %s %v: %v", who, verb, args, err)
	}
	return r
}

func (d *desk) refused(who, verb, code string, version uint64, args ...string) *commands.Refusal {
	d.t.Helper()
	_, err := d.press(who, verb, version, args...)
	var r *commands.Refusal
	if !errors.As(err, &r) || r.Code != code {
		d.t.Fatalf("%s says %s %v: %v, want a refusal %q", who, verb, args, err, code)
	}
	return r
}

func (d *desk) holds() (all []*store.Hold) {
	d.t.Helper()
	d.view(func(tx *store.Tx) (err error) { all, err = tx.Holds(); return err })
	return all
}

func (d *desk) view(do func(tx *store.Tx) error) {
	d.t.Helper()
	if err := d.store.View(do); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) update(do func(tx *store.Tx) error) {
	d.t.Helper()
	if err := d.store.Update(context.Background(), do); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) card(hold string) (m integrations.Message) {
	d.t.Helper()
	d.view(func(tx *store.Tx) (err error) {
		m, err = d.feat.Cards[card](tx, &store.Surface{Subject: hold})
		return err
	})
	return m
}

func (d *desk) after(by time.Duration) {
	d.t.Helper()
	if err := d.clock.Advance(context.Background(), by, nil); err != nil {
		d.t.Fatal(err)
	}
	if err := d.feat.Ticks[0].Run(context.Background()); err != nil {
		d.t.Fatal(err)
	}
}

func TestLockAndRelease(t *testing.T) {
	d := newDesk(t)
	id := d.say("alice", "lock", "target", "web/production", "reason", "database migration").Subject
	h := d.holds()[0]
	if h.Service != "web" || h.Environment != "production" || h.Owner.Name != "alice" || h.Expires.Sub(h.Created) != 8*time.Hour {
		t.Errorf("the hold is %+v", h)
	}
	r := d.refused("bob", "lock", "held", 0, "target", "web/production", "reason", "mine")
	for _, part := range []string{"alice", "database migration", "until"} {
		if !strings.Contains(r.What, part) {
			t.Errorf("the refusal %q does not say %q", r.What, part)
		}
	}
	d.refused("bob", "unlock", "held", 0, "target", "web/production")
	d.say("alice", "lock", "target", "web/production", "reason", "still migrating", "for", "1h0m0s")
	if again := d.holds(); len(again) != 1 || again[0].ID != id || again[0].Reason != "still migrating" || again[0].Version == h.Version {
		t.Errorf("locked again: %+v", again)
	}
	d.refused("alice", "unlock", "stale", h.Version, "target", "web/production") // the old message's button
	d.say("alice", "unlock", "target", "web/production")
	if n := len(d.holds()); n != 0 {
		t.Errorf("%d holds are left", n)
	}
	if text := d.card(id).Text; !strings.Contains(text, "released by alice") {
		t.Errorf("its message says %q", text)
	}
	d.refused("alice", "unlock", "not_locked", 0, "target", "web/production")
}

func TestWhoMayLock(t *testing.T) {
	d := newDesk(t)
	d.refused("carol", "lock", "not_allowed", 0, "target", "web/production", "reason", "x")
	d.refused("alice", "lock", "no_reason", 0, "target", "web/production", "reason", " ")
	d.refused("alice", "lock", "unknown_target", 0, "target", "moon", "reason", "x")
	for _, long := range []string{"0s", "-1h", "721h", "soon"} {
		d.refused("alice", "lock", "bad_duration", 0, "target", "cdn", "reason", "x", "for", long)
	}
	d.say("alice", "lock", "target", "cdn", "reason", "x")
	if r := d.refused("root", "lock", "held", 0, "target", "cdn", "reason", "y"); !strings.Contains(r.Hint, "you may release it") {
		t.Errorf("the hint for who may release it is %q", r.Hint)
	}
	d.say("root", "unlock", "target", "cdn")
}

func TestLocksExpire(t *testing.T) {
	d := newDesk(t)
	id := d.say("alice", "lock", "target", "cdn", "reason", "x", "for", "1h0m0s").Subject
	d.after(59 * time.Minute)
	if len(d.holds()) != 1 {
		t.Error("it is over before its time")
	}
	d.after(2 * time.Minute)
	if len(d.holds()) != 0 {
		t.Error("it holds after its time")
	}
	if text := d.card(id).Text; !strings.Contains(text, "expired") {
		t.Errorf("its message says %q", text)
	}
	d.say("bob", "lock", "target", "cdn", "reason", "y")
}

// What a lock kept from being merged says so, and says so no more when the lock
// is over: its card, and the status that the merge needs.
func TestWhatALockStoppedIsShownAgain(t *testing.T) {
	d := newDesk(t)
	surfaces := []string{"card", "status"}
	d.update(func(tx *store.Tx) error {
		op := &store.Operation{ID: "op-1", State: store.OpOpen, Kind: "deploy", Service: "web", Environment: "production", Targets: []string{"web/production"}, RepoID: 7, PR: 3}
		return errors.Join(tx.PutOperation(op),
			tell.Open(tx, store.Surface{ID: "card", Place: "p", Card: "c", Subject: "op-1"}),
			tell.Open(tx, store.Surface{ID: "status", Place: "p", Card: "c", Subject: tell.PullSubject(7, 3)}))
	})
	marks := func() (n []uint64) {
		d.view(func(tx *store.Tx) error {
			for _, id := range surfaces {
				s, err := tx.Surface(id)
				if err != nil {
					return err
				}
				n = append(n, s.Marked)
			}
			return nil
		})
		return n
	}
	raised := func(what string, do func()) {
		t.Helper()
		before := marks()
		do()
		for i, n := range marks() {
			if n <= before[i] {
				t.Errorf("%s: the %s is not shown again", what, surfaces[i])
			}
		}
	}
	raised("locked", func() { d.say("alice", "lock", "target", "web/production", "reason", "x") })
	raised("released", func() { d.say("alice", "unlock", "target", "web/production") })
	raised("a target locked", func() { d.say("alice", "lock", "target", "web/production", "reason", "x", "for", "1h0m0s") })
	raised("expired", func() { d.after(2 * time.Hour) })
}

// What waited is offered when the lock is over, and nothing starts by itself.
func TestWhatWaitedIsOffered(t *testing.T) {
	for _, how := range []string{"released", "expired"} {
		t.Run(how, func(t *testing.T) {
			d := newDesk(t)
			id := d.say("alice", "lock", "target", "web/production", "reason", "x", "for", "1h0m0s").Subject
			d.update(func(tx *store.Tx) error {
				_, _, err := tx.InsertJob(&store.Job{ID: "job-9", Key: "k", Kind: "apply", Target: "cdn", Locks: true, Operation: "op-1", State: store.JobBlocked})
				return err
			})
			if how == "released" {
				if r := d.say("alice", "unlock", "target", "web/production"); !strings.Contains(r.Private.Text, "job-9 of op-1 (cdn)") {
					t.Errorf("the answer is %q", r.Private.Text)
				}
			} else {
				d.after(2 * time.Hour) // nobody is there to be told, so its message says it
				m := d.card(id)
				if !strings.Contains(m.Text, "job-9") || len(m.Blocks) != 2 || m.Blocks[1].Buttons[0].Command != "retry job-9" {
					t.Errorf("the lock's message is %+v", m)
				}
			}
			d.view(func(tx *store.Tx) error {
				j, err := tx.Job("job-9")
				if err == nil && j.State != store.JobBlocked {
					t.Errorf("it is %s", j.State)
				}
				return err
			})
		})
	}
}

func TestLocksLists(t *testing.T) {
	d := newDesk(t)
	if m := d.say("carol", "locks").Private; m.Text != "Nothing is locked." {
		t.Errorf("%q", m.Text)
	}
	d.say("alice", "lock", "target", "cdn", "reason", "cache trouble")
	d.update(func(tx *store.Tx) error {
		return tx.TakeRunLock(store.RunLock{Target: "web/production", Job: "job-4", Attempt: 1})
	})
	text := d.say("carol", "locks").Private.Text
	for _, part := range []string{"cdn by alice", "cache trouble", "web/production is running job-4"} {
		if !strings.Contains(text, part) {
			t.Errorf("%q does not say %q", text, part)
		}
	}
}
