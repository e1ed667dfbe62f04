package past

import (
	"context"
	"errors"
	"fmt"
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

var (
	alice = store.Person{Name: "alice", Slack: "UA", GitHub: "alice-gh"}
	bob   = store.Person{Name: "bob", Slack: "UB", GitHub: "bob-gh"}
)

// still is a clock that shows one time.
type still struct {
	clock.Clock
	at time.Time
}

func (s still) Now() time.Time { return s.at }

// thursday is what the clock shows: half past seven on Friday morning in Tokyo.
var thursday = time.Date(2026, 11, 26, 22, 30, 0, 0, time.UTC)

// A desk is the feature on a real store. What is said to it goes through the
// language and is decided as the dispatcher does; alice sits in New York, bob in
// Tokyo, and nobody knows where carol is.
type desk struct {
	t     *testing.T
	store *store.Store
	cat   *integrations.Catalog
	forge *forgeOf
	feat  commands.Feature
	dir   string
	event uint64
}

func newDesk(t *testing.T, ops ...*store.Operation) *desk {
	t.Helper()
	svc := func(name, strategy string, environments ...string) integrations.Service {
		s := integrations.Service{Name: name, Strategy: strategy, Repository: "acme/" + name, Branch: "main", Environments: map[string]integrations.ServiceEnvironment{}}
		for _, e := range environments {
			s.Environments[e] = integrations.ServiceEnvironment{Branch: "deployment/" + e, Targets: []string{name + "/" + e}}
		}
		return s
	}
	d := &desk{t: t, dir: t.TempDir(), forge: &forgeOf{}, cat: &integrations.Catalog{
		People: []integrations.Person{{Name: "alice", Slack: "UA", GitHub: "alice-gh"}, {Name: "bob", Slack: "UB", GitHub: "bob-gh"}, {Name: "carol", Slack: "UC"}},
		Groups: map[string][]string{"deployers": {"alice", "bob"}},
		Rules:  []integrations.Rule{{Groups: []string{"deployers"}, Verbs: []string{"deploy"}, Environments: []string{"*"}}},
		// The order of the file is not that of the way to production.
		Environments: []integrations.Environment{{Name: "production", Aliases: []string{"prod"}, After: "staging"}, {Name: "staging", After: "test"}, {Name: "test"}},
		Services:     []integrations.Service{svc("web", "promote", "production", "staging", "test"), svc("api", "pin", "staging", "production"), svc("cron", "promote", "test")},
	}}
	var err error
	if d.store, err = store.Open(filepath.Join(d.dir, "signalbox.db"), store.Options{Now: func() time.Time { return thursday }, Log: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.store.Close(); err != nil {
			t.Error(err)
		}
	})
	d.put(ops...)
	d.feat = New(Deps{Store: d.store, Forge: d.forge, Clock: still{clock.Real(), thursday}, Log: slog.New(slog.DiscardHandler), Dir: filepath.Join(d.dir, "past"),
		Zone: func(_ context.Context, user string) (*time.Location, error) {
			name, ok := map[string]string{"UA": "America/New_York", "UB": "Asia/Tokyo"}[user]
			if !ok {
				return nil, errors.New("user_not_found")
			}
			return time.LoadLocation(name)
		}})
	return d
}

func (d *desk) put(ops ...*store.Operation) {
	d.t.Helper()
	err := d.store.Update(context.Background(), func(tx *store.Tx) error {
		for _, o := range ops {
			if err := tx.PutOperation(o); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		d.t.Fatal(err)
	}
}

// deploy is an operation that was asked for an hour before it ended.
func deploy(n int, service, environment, state string, ended time.Time) *store.Operation {
	o := &store.Operation{
		ID: fmt.Sprintf("op-%d", n), Kind: "deploy", State: state, Service: service, Environment: environment, Strategy: "promote", Targets: []string{service + "/" + environment},
		RepoID: 1, Repo: "acme/" + service, PR: n, PRURL: fmt.Sprintf("https://hub/acme/%s/pull/%d", service, n), Requester: alice, MergedBy: bob,
		FromSHA: sha(n - 1), ToSHA: sha(n), MergeSHA: "fade" + sha(n)[4:], Created: ended.Add(-time.Hour), Merged: ended.Add(-time.Minute), Ended: ended,
	}
	if state == store.OpOpen {
		o.MergeSHA, o.MergedBy, o.Merged, o.Ended = "", store.Person{}, time.Time{}, time.Time{}
	}
	return o
}

// sha is a commit by a number.
func sha(n int) string { return strings.Repeat(fmt.Sprintf("%x", n%16), 36) + fmt.Sprintf("%04x", n) }

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
	if c.Verb.Effect != commands.Reads {
		d.t.Errorf("%s does more than read", c.Verb.Name)
	}
	for _, p := range d.cat.People {
		if p.Name == who {
			c.Who = p
		}
	}
	c.Event, c.Heard = d.event, integrations.Heard{Channel: "C1", ChannelName: "ops", User: c.Who.Slack}
	act, err := c.Verb.Decide(context.Background(), c)
	if err != nil {
		return commands.Reply{}, err
	}
	var reply commands.Reply
	err = d.store.Update(context.Background(), func(tx *store.Tx) (err error) { reply, err = act(tx); return err })
	return reply, err
}

// says is what somebody is told; each of want has to stand in it, and what begins
// with "not " must not.
func (d *desk) says(who, line string, want ...string) *integrations.Message {
	d.t.Helper()
	r, err := d.try(who, line)
	if err != nil {
		d.t.Fatalf("%s says %q: %v", who, line, err)
	}
	for _, w := range want {
		if not, ok := strings.CutPrefix(w, "not "); ok && strings.Contains(r.Private.Text, not) {
			d.t.Errorf("%s says %q and is told of %q:\n%s", who, line, not, r.Private.Text)
		} else if !ok && !strings.Contains(r.Private.Text, w) {
			d.t.Errorf("%s says %q and is not told %q:\n%s", who, line, w, r.Private.Text)
		}
	}
	return r.Private
}

func (d *desk) refused(who, line, code string) {
	d.t.Helper()
	_, err := d.try(who, line)
	var r *commands.Refusal
	if !errors.As(err, &r) || r.Code != code {
		d.t.Fatalf("%s says %q: %v, want a refusal %q", who, line, err, code)
	}
	if r.Example == "" {
		d.t.Errorf("%s says %q, and the refusal has no example", who, line)
	}
}

// files are what is sent to people: the names, by the person.
func (d *desk) files() map[string][]integrations.File {
	d.t.Helper()
	out := map[string][]integrations.File{}
	err := d.store.View(func(tx *store.Tx) error {
		for n := range d.event {
			all, err := tx.SurfacesOf(fmt.Sprintf("past-%d", n+1))
			if err != nil {
				return err
			}
			for _, s := range all {
				m, err := d.feat.Cards[s.Card](tx, s)
				if err != nil {
					return err
				}
				out[s.Where["channel"]] = append(out[s.Where["channel"]], *m.File)
			}
		}
		return nil
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return out
}

// forgeOf is a GitHub that knows what a test tells it.
type forgeOf struct {
	between map[string]integrations.Comparison // by "base...head"
	pulls   map[string]integrations.PullRequest
	heads   map[string]string
	err     error
}

func (f *forgeOf) Compare(_ context.Context, repo, base, head string) (integrations.Comparison, error) {
	c, ok := f.between[base+"..."+head]
	if !ok && f.err == nil {
		return c, fmt.Errorf("compare %s...%s in %s: %w", base, head, repo, integrations.ErrNotFound)
	}
	return c, f.err
}

func (f *forgeOf) PullsOfCommit(_ context.Context, _, sha string) ([]integrations.PullRequest, error) {
	if p, ok := f.pulls[sha]; ok {
		return []integrations.PullRequest{p}, f.err
	}
	return nil, f.err
}

func (f *forgeOf) BranchHead(_ context.Context, _, branch string) (string, error) {
	h, ok := f.heads[branch]
	if !ok {
		return "", integrations.ErrNotFound
	}
	return h, nil
}
