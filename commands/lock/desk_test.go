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
	"github.com/signalbox-chatops/signalbox/commands/gate"
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
	// heard is how what is said next comes in.
	heard integrations.Heard
}

// catalog: alice and bob lock everywhere; root may do all in production, and chief
// all everywhere; carol only reads, and dave has no account in chat.
func catalog() *integrations.Catalog {
	places := map[string]integrations.ServiceEnvironment{"production": {Targets: []string{"web/production", "cdn"}}, "staging": {Targets: []string{"web/staging"}}}
	return &integrations.Catalog{
		People: []integrations.Person{{Name: "alice", Slack: "UA"}, {Name: "bob", Slack: "UB"}, {Name: "root", Slack: "UR"}, {Name: "chief", Slack: "UX"},
			{Name: "carol", Slack: "UC"}, {Name: "dave", GitHub: "dave"}},
		Groups: map[string][]string{"deployers": {"alice", "bob", "root", "chief", "dave"}, "admins": {"root", "chief"}, "chiefs": {"chief"}},
		Rules: []integrations.Rule{{Groups: []string{"deployers"}, Verbs: []string{"lock"}, Environments: []string{"*"}},
			{Groups: []string{"admins"}, Verbs: []string{"unlock-other", "force", "freeze"}, Environments: []string{"production"}},
			{Groups: []string{"chiefs"}, Verbs: []string{"*"}, Environments: []string{"*"}}},
		Environments: []integrations.Environment{{Name: "staging", Channels: []string{"C1"}}, {Name: "production", Aliases: []string{"本番"}, Channels: []string{"C1", "C2"}}},
		Services:     []integrations.Service{{Name: "web", Environments: places}, {Name: "api", Environments: map[string]integrations.ServiceEnvironment{"production": {Targets: []string{"cdn"}}}}},
		Targets:      []integrations.Target{{Name: "web/production", Environment: "production"}, {Name: "cdn", Environment: "production"}, {Name: "web/staging", Environment: "staging"}},
	}
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
	d := &desk{t: t, store: s, clock: clk, cat: catalog(), heard: integrations.Heard{Channel: "C1", ChannelName: "ops"}}
	d.restart()
	return d
}

// restart makes the feature anew on the same store, as a new process would.
func (d *desk) restart() {
	d.feat = New(Deps{Store: d.store, Clock: d.clock, Log: slog.New(slog.DiscardHandler), Catalog: func() *integrations.Catalog { return d.cat },
		Channel: func(name string) string { return name }})
}

func (d *desk) person(name string) integrations.Person {
	for _, p := range d.cat.People {
		if p.Name == name {
			return p
		}
	}
	d.t.Fatalf("nobody is called %s", name)
	return integrations.Person{}
}

// press decides a line as somebody, as if a button of that version carried it, and
// writes the audit row as the dispatcher does.
func (d *desk) press(who, line string, version uint64) (commands.Reply, error) {
	d.t.Helper()
	u := commands.Parse(d.feat.Verbs, d.cat, line, false)
	if u.Refusal != nil {
		return commands.Reply{}, u.Refusal
	}
	if len(u.Missing) > 0 {
		return commands.Reply{Modal: commands.NewModal(d.feat.Verbs, u.Call, u.Missing)}, nil
	}
	c := u.Call
	c.Version, c.Heard, c.Who = version, d.heard, d.person(who)
	if err := commands.Allow(c, commands.RightOf(c.Verb), commands.EnvironmentOf(c)); err != nil {
		return commands.Reply{}, err
	}
	act, err := c.Verb.Decide(context.Background(), c)
	if err != nil {
		return commands.Reply{}, err
	}
	var reply commands.Reply
	err = d.store.Update(context.Background(), func(tx *store.Tx) (err error) { reply, err = act(tx); return err })
	return reply, err
}

// says decides a line that must be done.
func (d *desk) says(who, line string) commands.Reply {
	d.t.Helper()
	r, err := d.press(who, line, 0)
	if err != nil {
		d.t.Fatalf("%s says %s: %v", who, line, err)
	}
	return r
}

func (d *desk) refused(who, line, code string) *commands.Refusal {
	d.t.Helper()
	return d.refusedAt(who, line, 0, code)
}

func (d *desk) refusedAt(who, line string, version uint64, code string) *commands.Refusal {
	d.t.Helper()
	reply, err := d.press(who, line, version)
	var r *commands.Refusal
	if !errors.As(err, &r) || r.Code != code {
		d.t.Fatalf("%s says %s: %+v, %v; want a refusal %q", who, line, reply.Private, err, code)
	}
	return r
}

func (d *desk) holds() (all []*store.Hold) {
	d.t.Helper()
	d.view(func(tx *store.Tx) (err error) { all, err = tx.Holds(); return err })
	return all
}

func (d *desk) hold(id string) (h *store.Hold) {
	d.t.Helper()
	d.view(func(tx *store.Tx) (err error) { h, err = tx.Hold(id); return err })
	return h
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

// A shown is a message as it would be told now, and where.
type shown struct {
	where map[string]string
	integrations.Message
}

func (s shown) buttons() (out []integrations.Button) {
	for _, b := range s.Blocks {
		out = append(out, b.Buttons...)
	}
	return out
}

func (s shown) labels() string {
	var out []string
	for _, b := range s.buttons() {
		out = append(out, b.Label)
	}
	return strings.Join(out, ", ")
}

// messages are those about a hold in a channel, as they look now.
func (d *desk) messages(hold, channel string) (out []shown) {
	d.t.Helper()
	d.view(func(tx *store.Tx) error {
		all, err := tx.SurfacesOf(hold)
		for _, s := range all {
			if s.Where["channel"] != channel {
				continue
			}
			m, err := d.feat.Cards[s.Card](tx, s)
			if err != nil {
				return err
			}
			if !m.Hold {
				out = append(out, shown{s.Where, m})
			}
		}
		return err
	})
	return out
}

// card is the message of a hold in C1.
func (d *desk) card(hold string) shown {
	d.t.Helper()
	all := d.messages(hold, "C1")
	if len(all) == 0 {
		d.t.Fatalf("%s has no message in C1", hold)
	}
	return all[0]
}

// marks counts how often what shows a subject was marked.
func (d *desk) marks(subject string) (n uint64) {
	d.t.Helper()
	d.view(func(tx *store.Tx) error {
		all, err := tx.SurfacesOf(subject)
		for _, s := range all {
			n += s.Marked
		}
		return err
	})
	return n
}

// after lets time pass, with the ticks that come round in it.
func (d *desk) after(by time.Duration) {
	d.t.Helper()
	for by > 0 {
		step := min(by, watchEvery)
		if err := d.clock.Advance(context.Background(), step, nil); err != nil {
			d.t.Fatal(err)
		}
		d.tick()
		by -= step
	}
}

func (d *desk) tick() {
	d.t.Helper()
	for _, t := range d.feat.Ticks {
		if err := t.Run(context.Background()); err != nil {
			d.t.Fatal(err)
		}
	}
}

// waits puts a blocked apply job and its operation there.
func (d *desk) waits(job, target string, gates ...string) {
	d.t.Helper()
	d.update(func(tx *store.Tx) error {
		t, _ := d.cat.Target(target)
		op := &store.Operation{ID: "op-" + job, State: store.OpMerged, Kind: "deploy", Service: "web", Environment: t.Environment, Targets: []string{target}}
		if err := tx.PutOperation(op); err != nil {
			return err
		}
		_, _, err := tx.InsertJob(&store.Job{ID: job, Key: job, Kind: "apply", Target: target, Locks: true, Operation: op.ID, State: store.JobBlocked, Closed: gates,
			Requester: gate.ToStore(d.person("alice"))})
		return err
	})
}

func (d *desk) state(job string) (state string) {
	d.t.Helper()
	d.view(func(tx *store.Tx) error {
		j, err := tx.Job(job)
		if err == nil {
			state = j.State
		}
		return err
	})
	return state
}

// has fails unless a text says every part.
func has(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%q does not say %q", text, p)
		}
	}
}

func private(t *testing.T, r commands.Reply) string {
	t.Helper()
	if r.Private == nil {
		t.Fatal("nothing was answered")
	}
	return r.Private.Text
}

func index(s, part string) int { return strings.Index(s, part) }
