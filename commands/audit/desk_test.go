package audit

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/store"
)

var quiet = slog.New(slog.DiscardHandler)

// A desk is the feature on a real store. What is said to it goes through the
// language and is decided as the dispatcher does.
type desk struct {
	t     *testing.T
	dir   string
	clock *clock.Movable
	store *store.Store
	cat   *integrations.Catalog
	feat  commands.Feature
	event uint64
	zone  *time.Location // of everybody
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, zone: time.UTC, dir: t.TempDir(), clock: clock.NewMovable(0), cat: &integrations.Catalog{
		People:       []integrations.Person{{Name: "alice", Slack: "UA", GitHub: "alice-gh"}, {Name: "bob", Slack: "UB"}, {Name: "carol", Slack: "UC"}},
		Groups:       map[string][]string{"deployers": {"alice", "bob"}},
		Rules:        []integrations.Rule{{Groups: []string{"deployers"}, Verbs: []string{"record"}, Environments: []string{"production"}}},
		Environments: []integrations.Environment{{Name: "staging"}, {Name: "production", Aliases: []string{"prod"}}},
		Services: []integrations.Service{
			{Name: "web", Environments: map[string]integrations.ServiceEnvironment{"staging": {Targets: []string{"web-stg"}}, "production": {Targets: []string{"web-prd", "cdn"}}}},
			{Name: "web2", Environments: map[string]integrations.ServiceEnvironment{"production": {Targets: []string{"web-prd2", "cdn"}}}},
		},
		Targets: []integrations.Target{{Name: "web-stg", Environment: "staging"}, {Name: "web-prd", Environment: "production"},
			{Name: "web-prd2", Environment: "production"}, {Name: "cdn", Environment: "production"}},
	}}
	d.store = d.open()
	t.Cleanup(func() {
		if err := d.store.Close(); err != nil {
			t.Error(err)
		}
	})
	d.feat = New(Deps{Store: d.store, Clock: d.clock, Log: quiet, Catalog: func() *integrations.Catalog { return d.cat }, Dir: filepath.Join(d.dir, "audit"),
		Zone: func(context.Context, string) (*time.Location, error) { return d.zone, nil }})
	return d
}

func (d *desk) open() *store.Store {
	d.t.Helper()
	s, err := store.Open(filepath.Join(d.dir, "signalbox.db"), store.Options{Now: d.clock.Now, Log: quiet})
	if err != nil {
		d.t.Fatal(err)
	}
	return s
}

func (d *desk) update(do func(tx *store.Tx) error) {
	d.t.Helper()
	if err := d.store.Update(context.Background(), do); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) view(do func(tx *store.Tx) error) {
	d.t.Helper()
	if err := d.store.View(do); err != nil {
		d.t.Fatal(err)
	}
}

// rows writes audit rows, a second apart unless they say when.
func (d *desk) rows(all ...store.AuditRow) {
	d.t.Helper()
	for i, r := range all {
		if r.At.IsZero() {
			r.At = d.clock.Now().Add(time.Duration(i-len(all)) * time.Second)
		}
		d.update(func(tx *store.Tx) error { return tx.Audit(r) })
	}
}

func (d *desk) try(who, line string) (commands.Reply, error) {
	d.t.Helper()
	d.event++
	u := commands.Parse(d.feat.Verbs, d.cat, line, false)
	if u.Refusal != nil {
		return commands.Reply{}, u.Refusal
	}
	if len(u.Missing) > 0 {
		d.t.Fatalf("%q lacks %v", line, u.Missing)
	}
	c := u.Call
	c.Event, c.Who = d.event, integrations.Person{Name: who}
	for _, p := range d.cat.People {
		if p.Name == who {
			c.Who = p
		}
	}
	c.Heard = integrations.Heard{Channel: "C1", ChannelName: "ops", User: c.Who.Slack}
	act, err := c.Verb.Decide(context.Background(), c)
	if err != nil {
		return commands.Reply{}, err
	}
	var reply commands.Reply
	err = d.store.Update(context.Background(), func(tx *store.Tx) (err error) { reply, err = act(tx); return err })
	return reply, err
}

func (d *desk) say(who, line string) string {
	d.t.Helper()
	r, err := d.try(who, line)
	if err != nil {
		d.t.Fatalf("%s says %q: %v", who, line, err)
	}
	if r.Private == nil {
		return ""
	}
	return r.Private.Text
}

func (d *desk) refused(who, line, code string) {
	d.t.Helper()
	_, err := d.try(who, line)
	var r *commands.Refusal
	if !errors.As(err, &r) || r.Code != code {
		d.t.Fatalf("%s says %q: %v, want a refusal %q", who, line, err, code)
	}
}

// found are the words behind the time and the name of each row of an answer.
func found(text string) (out []string) {
	for l := range strings.Lines(text) {
		if parts := strings.Split(strings.TrimSpace(l), " · "); len(parts) > 2 {
			out = append(out, parts[1])
		}
	}
	return out
}
