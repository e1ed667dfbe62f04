package drain

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
	"github.com/signalbox-chatops/signalbox/store"
)

// room is the feature on a real store, a fleet, and people who type.
type room struct {
	t     testing.TB
	clock *still
	store *store.Store
	fleet *fleet
	watch *watch
	cfg   Config
	feat  commands.Feature
	f     *feature
	event uint64
}

var appRole = Role{Name: "app", Unit: "app.service", Port: 8080, Logs: "fluentd", Buffers: []string{"/var/log/td-agent/buffer"}}

var (
	alice = integrations.Person{Name: "alice", Slack: "U-alice"}
	bob   = integrations.Person{Name: "bob", Slack: "U-bob"}
)

func newRoom(t testing.TB, n int) *room {
	t.Helper()
	r := newRoomAt(t, n, t.TempDir())
	t.Cleanup(r.close)
	return r
}

func (r *room) close() {
	if err := r.store.Close(); err != nil {
		r.t.Error(err)
	}
}

func newRoomAt(t testing.TB, n int, dir string) *room {
	t.Helper()
	clk := &still{now: time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC)}
	r := &room{t: t, clock: clk, cfg: Config{Roles: []Role{appRole}}}
	var err error
	r.store, err = store.Open(filepath.Join(dir, "signalbox.db"), store.Options{Now: clk.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	r.fleet = newFleet(t, clk, n)
	r.watch = &watch{fleet: r.fleet, hosts: map[string]*integrations.MonitoredHost{}}
	r.f = &feature{Deps{Store: r.store, Clock: clk, Log: slog.New(slog.DiscardHandler), Cloud: r.fleet, Monitor: r.watch, Config: func() Config { return r.cfg },
		Channel: func(name string) string { return name }}}
	r.feat = New(r.f.Deps)
	return r
}

// says types a line as somebody; what is refused comes back as the error.
func (r *room) says(who integrations.Person, line string) (commands.Reply, error) {
	r.t.Helper()
	return r.hears(integrations.Heard{Channel: "ops", User: who.Slack}, who, line)
}

// hears is says at a door.
func (r *room) hears(heard integrations.Heard, who integrations.Person, line string) (commands.Reply, error) {
	r.t.Helper()
	words := strings.Fields(line)
	for _, v := range r.feat.Verbs {
		if v.Name != words[0] {
			continue
		}
		r.event++
		c := &commands.Call{Verb: &v, Args: map[string]string{}, Who: who, Heard: heard, Event: r.event, Catalog: &integrations.Catalog{}}
		rest := words[1:]
		for i := 0; i < len(rest); i++ {
			if name, ok := strings.CutPrefix(rest[i], "--"); ok {
				c.Args[name] = "true"
				rest = append(rest[:i:i], rest[i+1:]...)
				i--
			}
		}
		for i, a := range v.Args {
			switch {
			case i < len(rest) && a.Kind == commands.ArgText:
				c.Args[a.Name] = strings.Join(rest[i:], " ")
			case i < len(rest):
				c.Args[a.Name] = rest[i]
			}
		}
		act, err := v.Decide(r.t.Context(), c)
		if err != nil {
			return commands.Reply{}, err
		}
		var reply commands.Reply
		err = r.store.Update(context.Background(), func(tx *store.Tx) (err error) { reply, err = act(tx); return err })
		return reply, err
	}
	r.t.Fatalf("no verb is called %s", words[0])
	return commands.Reply{}, nil
}

func (r *room) must(who integrations.Person, line string) commands.Reply {
	r.t.Helper()
	reply, err := r.says(who, line)
	if err != nil {
		r.t.Fatalf("%s: %v", line, err)
	}
	return reply
}

// begins drains an instance: planned and confirmed.
func (r *room) begins(line string) *Drain {
	r.t.Helper()
	reply := r.must(alice, line)
	if reply.Private != nil {
		r.t.Fatalf("%s: %s", line, reply.Private.Text)
	}
	d := r.drain(reply.Subject)
	r.must(alice, fmt.Sprintf("drain-confirm %s %s", d.ID, d.Plan.Digest(d.Instance)))
	return r.drain(d.ID)
}

func (r *room) drain(id string) *Drain {
	r.t.Helper()
	d, err := r.f.read(id)
	if err != nil {
		r.t.Fatal(err)
	}
	return d
}

func (r *room) view(do func(tx *store.Tx) error) {
	r.t.Helper()
	if err := r.store.View(do); err != nil {
		r.t.Fatal(err)
	}
}

var errKilled = errors.New("killed")

// step makes one step of a drain, as the runner would; a fault that panics kills it.
func (r *room) step(d *Drain) (again time.Duration, err error) {
	defer func() {
		if p := recover(); p != nil {
			if p != errKilled {
				panic(p)
			}
			err = errKilled
		}
	}()
	return r.f.step(context.Background(), d)
}

// goes runs the drains that are under way until none goes on by itself, until says
// stop, or for two hours of the clock.
func (r *room) goes(until func() bool) {
	r.t.Helper()
	for end := r.clock.Now().Add(2 * time.Hour); r.clock.Now().Before(end); {
		var all []*Drain
		r.view(func(tx *store.Tx) (err error) {
			all, err = list(tx, func(d *Drain) bool { return !d.rests() })
			return err
		})
		if len(all) == 0 || until != nil && until() {
			return
		}
		wait := time.Minute
		for _, d := range all {
			again, err := r.step(d)
			if err != nil {
				again = time.Second
			}
			if again >= 0 {
				wait = min(wait, max(again, time.Second))
			}
		}
		r.clock.move(wait)
	}
	r.t.Errorf("after two hours it still goes on: %s", r.story())
}

func (r *room) story() string {
	var b strings.Builder
	r.view(func(tx *store.Tx) error {
		return drains(tx).Each("", func(id string, d Drain) error {
			fmt.Fprintf(&b, "%s %s %s %q; ", id, d.Instance, d.State, d.Why)
			return nil
		})
	})
	return b.String() + strings.Join(r.fleet.calls, ", ")
}

// all are the drains, oldest first.
func (r *room) all() (out []*Drain) {
	r.t.Helper()
	r.view(func(tx *store.Tx) (err error) {
		out, err = list(tx, func(*Drain) bool { return true })
		return err
	})
	return out
}
