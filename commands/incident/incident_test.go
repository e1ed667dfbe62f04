package incident

import (
	"context"
	"encoding/json"
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
	dir   string
	store *store.Store
	clock *clock.Movable
	cat   *integrations.Catalog
	cfg   Config
	feat  commands.Feature
	event uint64
	pager *pager // nil where no other system pages people
	// sources are those that can be asked for more.
	sources   []Source
	texts     Texter
	draw      func(context.Context, []string, string, string, time.Time, time.Time) (integrations.Drawn, error)
	customers func(*store.Tx, integrations.PageSubject) ([]integrations.Button, error)
}

// newDesk is one at which alice is on call of the schedule platform, and bob the second.
func newDesk(t *testing.T) *desk {
	t.Helper()
	runs := map[string]integrations.ServiceEnvironment{"production": {}, "staging": {}}
	d := &desk{t: t, dir: t.TempDir(), clock: clock.NewMovable(0), cat: &integrations.Catalog{
		People:       []integrations.Person{{Name: "alice", Slack: "UA"}, {Name: "bob", Slack: "UB"}, {Name: "carol", Slack: "UC"}},
		Groups:       map[string][]string{"all": {"alice", "bob"}},
		Rules:        []integrations.Rule{{Groups: []string{"all"}, Verbs: []string{"*"}, Environments: []string{"*"}}},
		Environments: []integrations.Environment{{Name: "staging"}, {Name: "production"}},
		Services:     []integrations.Service{{Name: "web", Environments: runs}, {Name: "api", Environments: runs}},
		Schedules:    []integrations.Schedule{{Name: "platform"}, {Name: "night"}},
	}}
	d.cfg = Config{Channel: "alerts", Escalations: []Rule{{Steps: []Step{{Call: []string{"platform"}}, {Call: []string{"night"}}, {Call: []string{"alice", "bob"}, Wait: 10 * time.Minute}}, Repeat: 1}}}
	d.starts()
	t.Cleanup(func() {
		if err := d.store.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// starts is the process after it ended, however it ended.
func (d *desk) starts() {
	d.t.Helper()
	if err := d.cfg.Validate(); err != nil {
		d.t.Fatal(err)
	}
	if d.store != nil {
		if err := d.store.Close(); err != nil {
			d.t.Fatal(err)
		}
	}
	var err error
	if d.store, err = store.Open(filepath.Join(d.dir, "signalbox.db"), store.Options{Now: d.clock.Now, Log: slog.New(slog.DiscardHandler)}); err != nil {
		d.t.Fatal(err)
	}
	d.feat = New(Deps{Store: d.store, Clock: d.clock, Log: slog.New(slog.DiscardHandler), Catalog: func() *integrations.Catalog { return d.cat }, Config: func() Config { return d.cfg },
		Channel: func(name string) string { return "C-" + name }, Drains: true, Sources: func() []Source { return d.sources }, Texts: d.texts, Customers: d.customers, Draw: d.draw, Dir: filepath.Join(d.dir, "pictures"),
		Read: func(_ string, body []byte) (n integrations.AlertNotice, err error) {
			err = json.Unmarshal(body, &n)
			return n, err
		},
		Called: func(name string, _ time.Time) ([]integrations.Person, error) {
			switch name {
			case "platform":
				return d.cat.People[:1], nil
			case "night": // nobody is on call
				return nil, nil
			}
			return d.cat.Named(name)
		}, Remote: d.remote})
}

func (d *desk) says(who, line string) commands.Reply {
	d.t.Helper()
	reply, err := d.tries(who, line)
	if err != nil {
		d.t.Fatalf("%s says %s: %v", who, line, err)
	}
	return reply
}

// refuses types a line that must be refused with a code.
func (d *desk) refuses(who, line, code string) *commands.Refusal {
	d.t.Helper()
	reply, err := d.tries(who, line)
	var no *commands.Refusal
	if !errors.As(err, &no) || no.Code != code {
		d.t.Fatalf("%s says %s: %+v, %v, want %s", who, line, reply.Private, err, code)
	}
	return no
}

func (d *desk) tries(who, line string) (reply commands.Reply, err error) {
	d.t.Helper()
	u := commands.Parse(d.feat.Verbs, d.cat, line, false)
	if u.Refusal != nil || len(u.Missing) > 0 {
		d.t.Fatalf("%s is not understood: %v %v", line, u.Refusal, u.Missing)
	}
	u.Call.Heard = integrations.Heard{Channel: "C1"}
	for _, p := range d.cat.People {
		if p.Name == who {
			u.Call.Who = p
		}
	}
	act, err := u.Call.Verb.Decide(context.Background(), u.Call)
	if err != nil {
		return reply, err
	}
	err = d.store.Update(context.Background(), func(tx *store.Tx) (err error) { reply, err = act(tx); return err })
	return reply, err
}

func (d *desk) open() (n int) {
	d.t.Helper()
	err := d.store.View(func(tx *store.Tx) error {
		return incidents(tx).Each("", func(_ string, i gate.Incident) error {
			if i.Over.IsZero() {
				n++
			}
			return nil
		})
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return n
}

// Two clicks, or two people at once, are one incident: the second finds the first.
func TestAnIncidentIsDeclaredOnce(t *testing.T) {
	for _, c := range []struct {
		name, line string
		after      time.Duration
		same       bool
	}{
		{"the same again", `incident in production "the shop is down" --service web`, 0, true},
		{"in other letters", `incident in production "The shop  is down." --service web`, time.Hour, true},
		{"in other words, at once", `incident in production "checkout answers 500" --service web`, time.Minute, true},
		{"in other words, later", `incident in production "checkout answers 500" --service web`, 3 * time.Minute, false},
		{"said to be another", `incident in production "checkout answers 500" --service web --another`, 0, false},
		{"elsewhere", `incident in staging "the shop is down" --service web`, 0, false},
		{"of another service", `incident in production "the shop is down" --service api`, 0, false},
		{"of all there", `incident in production "the shop is down"`, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDesk(t)
			first := d.says("alice", `incident in production "the shop is down" --service web`)
			if err := d.clock.Advance(context.Background(), c.after, nil); err != nil {
				t.Fatal(err)
			}
			second := d.says("bob", c.line)
			if got := second.Subject == first.Subject; got != c.same {
				t.Fatalf("the second is %s, the first %s", second.Subject, first.Subject)
			}
			if want := map[bool]int{true: 1, false: 2}[c.same]; d.open() != want {
				t.Errorf("%d are open", d.open())
			}
			if !c.same {
				return
			}
			if second.Private == nil || !strings.Contains(second.Private.Text, "incident-1 web in production is open already") || !strings.Contains(second.Private.Text, "alice") {
				t.Fatalf("bob is told %+v", second.Private)
			}
			buttons := second.Private.Blocks[len(second.Private.Blocks)-1].Buttons
			if c.after == time.Hour || c.name == "the same again" {
				if len(buttons) > 0 {
					t.Errorf("of the very same bob may press %+v", buttons)
				}
				return
			}
			if d.says("bob", buttons[0].Command); d.open() != 2 {
				t.Errorf("declared as another one, %d are open", d.open())
			}
		})
	}
}

// What is over is not open: the same can break again.
func TestAnIncidentThatIsOverIsNotFound(t *testing.T) {
	d := newDesk(t)
	d.says("alice", `incident in production "the shop is down"`)
	d.says("alice", "all-clear incident-1")
	if r := d.says("bob", `incident in production "the shop is down"`); r.Subject != "incident-2" {
		t.Errorf("it is %s", r.Subject)
	}
}

// ticking is what one of the feature's clocks does.
func (d *desk) ticking(name string) func(context.Context) error {
	d.t.Helper()
	for _, t := range d.feat.Ticks {
		if t.Name == name {
			return t.Run
		}
	}
	d.t.Fatalf("no tick is called %q", name)
	return nil
}
