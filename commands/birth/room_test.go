package birth

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
	cfg   Config
	feat  commands.Feature
	f     *feature
}

var (
	alice   = integrations.Person{Name: "alice", Slack: "U-alice"}
	appRole = Role{Name: "app", Steps: []Step{{Name: "provision", Kind: kindProvision, Run: "/opt/provision"}, {Name: "smoke", Run: "/opt/smoke", Args: []string{"it's", "all"}, Limit: time.Minute}}}
)

// newRoom has three instances that work, and has looked once.
func newRoom(t testing.TB) *room {
	t.Helper()
	clk := &still{now: time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC)}
	r := &room{t: t, clock: clk, cfg: Config{OnCall: []string{"alice"}, Roles: []Role{appRole}}, fleet: newFleet(t, clk)}
	var err error
	r.store, err = store.Open(filepath.Join(t.TempDir(), "signalbox.db"), store.Options{Now: clk.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.store.Close(); err != nil {
			t.Error(err)
		}
	})
	catalog := &integrations.Catalog{People: []integrations.Person{alice}, Environments: []integrations.Environment{{Name: "production", Channels: []string{"ops"}}}}
	r.f = &feature{Deps{Store: r.store, Clock: clk, Log: slog.New(slog.DiscardHandler), Cloud: r.fleet, Monitor: r.fleet, Config: func() Config { return r.cfg },
		Catalog: func() *integrations.Catalog { return catalog }, Channel: func(name string) string { return name }}}
	r.feat = New(r.f.Deps)
	for range 3 {
		b := r.fleet.launch(working)
		b.lifecycle, b.seated = integrations.MemberInService, clk.Now()
	}
	clk.move(time.Hour)
	r.watch()
	clk.move(time.Minute)
	return r
}

func (r *room) watch() {
	r.t.Helper()
	if err := r.f.watch(context.Background()); err != nil {
		r.t.Fatal(err)
	}
}

// says types a line; what is refused comes back as the error.
func (r *room) says(line string) (commands.Reply, error) {
	r.t.Helper()
	words := strings.Fields(line)
	for _, v := range r.feat.Verbs {
		if v.Name != words[0] {
			continue
		}
		c := &commands.Call{Verb: &v, Args: map[string]string{}, Who: alice, Heard: integrations.Heard{Channel: "ops", User: alice.Slack}, Catalog: r.f.Catalog()}
		rest := words[1:]
		for i, a := range v.Args {
			switch {
			case i < len(rest) && a.Kind == commands.ArgText:
				c.Args[a.Name] = strings.Join(rest[i:], " ")
			case i < len(rest):
				c.Args[a.Name] = rest[i]
			}
		}
		act, err := v.Decide(context.Background(), c)
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

func (r *room) must(line string) string {
	r.t.Helper()
	reply, err := r.says(line)
	if err != nil {
		r.t.Fatalf("%s: %v", line, err)
	}
	return reply.Private.Text
}

func (r *room) view(do func(tx *store.Tx) error) {
	r.t.Helper()
	if err := r.store.View(do); err != nil {
		r.t.Fatal(err)
	}
}

// all are the births, oldest first.
func (r *room) all() (out []*Birth) {
	r.t.Helper()
	r.view(func(tx *store.Tx) (err error) {
		out, err = list(tx, func(*Birth) bool { return true })
		return err
	})
	return out
}

// birth is the newest.
func (r *room) birth() *Birth {
	r.t.Helper()
	all := r.all()
	if len(all) == 0 {
		r.t.Fatal("nothing was born")
	}
	return all[len(all)-1]
}

var errKilled = errors.New("killed")

// step makes one step, as the runner would; a fault that panics kills it.
func (r *room) step(b *Birth) (again time.Duration, err error) {
	defer func() {
		if p := recover(); p != nil {
			if p != errKilled {
				panic(p)
			}
			err = errKilled
		}
	}()
	return r.f.step(context.Background(), b)
}

// goes runs what is to be done for so long, or until something is so.
func (r *room) goes(limit time.Duration, until func() bool) {
	r.t.Helper()
	due := map[string]time.Time{}
	for end := r.clock.Now().Add(limit); r.clock.Now().Before(end); r.clock.move(time.Second) {
		if r.clock.Now().Second()%30 == 0 {
			r.watch()
		}
		for _, b := range r.all() {
			if b.over() || r.clock.Now().Before(due[fmt.Sprint(b.ID, b.Turn)]) {
				continue
			}
			again, err := r.step(b)
			if err != nil {
				again = time.Second
			}
			due[fmt.Sprint(b.ID, b.Turn)] = r.clock.Now().Add(again)
		}
		if until != nil && until() {
			return
		}
	}
}

// reaches runs until the newest birth is in a state.
func (r *room) reaches(state string) *Birth {
	r.t.Helper()
	is := func() bool { all := r.all(); return len(all) > 0 && all[len(all)-1].State == state }
	r.goes(2*time.Hour, is)
	if !is() {
		r.t.Fatalf("it never is %s: %s", state, r.story())
	}
	return r.birth()
}

func (r *room) story() string {
	var b strings.Builder
	for _, one := range r.all() {
		fmt.Fprintf(&b, "%s %s %s %q %q; ", one.ID, one.Instance, one.State, one.Why, one.Warning)
	}
	return b.String() + strings.Join(r.fleet.calls, ", ")
}

// count is how often something was done to the outside.
func (r *room) count(call string) (n int) {
	for _, c := range r.fleet.calls {
		if c == call {
			n++
		}
	}
	return n
}

// shown is the message of a birth.
func (r *room) shown(b *Birth) string {
	r.t.Helper()
	var out strings.Builder
	r.view(func(tx *store.Tx) error {
		m, err := r.f.card(tx, &store.Surface{Subject: b.ID})
		out.WriteString(m.Text)
		for _, block := range m.Blocks {
			out.WriteString("\n" + block.Text.Plain() + block.Context.Plain())
			for _, button := range block.Buttons {
				out.WriteString("[" + button.Label + ": " + button.Command + "]")
			}
		}
		return err
	})
	return out.String()
}

// surfaces are the messages that were opened, by their cards.
func (r *room) surfaces() map[string]int {
	r.t.Helper()
	out := map[string]int{}
	r.view(func(tx *store.Tx) error {
		all, err := list(tx, func(*Birth) bool { return true })
		for _, b := range all {
			of, err := tx.SurfacesOf(b.ID)
			if err != nil {
				return err
			}
			for _, s := range of {
				out[s.Card]++
			}
		}
		return err
	})
	return out
}
