package ingress

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/store"
)

// eager is a clock that moves when it is told to, and on to whatever is waited for.
type eager struct {
	mu  sync.Mutex
	now time.Time
}

func (c *eager) Now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.now }
func (c *eager) move(d time.Duration) {
	c.mu.Lock()
	c.now = c.now.Add(d)
	c.mu.Unlock()
}

func (c *eager) NewTimer(d time.Duration) clock.Timer {
	c.move(d)
	ready := make(chan time.Time, 1)
	ready <- c.Now()
	return fired(ready)
}

type fired chan time.Time

func (f fired) C() <-chan time.Time { return f }
func (fired) Stop() bool            { return false }

// cloud is a fake of the groups: a Go value that keeps to their rules.
type cloud struct {
	t     testing.TB
	clock *eager
	mu    sync.Mutex
	rules []integrations.IngressRule
	ids   int
	calls []string // changes
	// behind is what reads see until shown: the rules before the last change.
	behind []integrations.IngressRule
	shown  time.Time
	lag    time.Duration
	loose  bool // reads tell of rules without the tag too
	// fault is asked before and after each call, and may panic to kill the process.
	fault func(call string, before bool) error
	// watch is called with each change, before it is made.
	watch func(call string)
}

func (c *cloud) do(call string, change func() error) error {
	if c.fault != nil {
		if err := c.fault(call, true); err != nil {
			return err
		}
	}
	if c.watch != nil && !strings.HasPrefix(call, "read") {
		c.watch(call)
	}
	c.mu.Lock()
	if !strings.HasPrefix(call, "read") {
		c.calls = append(c.calls, call)
		c.behind, c.shown = slices.Clone(c.rules), c.clock.Now().Add(c.lag)
	}
	err := change()
	c.mu.Unlock()
	if err == nil && c.fault != nil {
		return c.fault(call, false)
	}
	return err
}

func (c *cloud) Ingress(_ context.Context, at integrations.Site, group string, tagged bool) (out []integrations.IngressRule, err error) {
	if at != home {
		c.t.Errorf("asked at %s", at)
	}
	return out, c.do("read", func() error {
		all := c.rules
		if c.clock.Now().Before(c.shown) {
			all = c.behind
		}
		for _, r := range all {
			if _, has := r.Tags[integrations.TagWindow]; r.Group == group && (has || !tagged || c.loose) {
				r.Tags = maps.Clone(r.Tags)
				out = append(out, r)
			}
		}
		return nil
	})
}

func (c *cloud) Authorize(_ context.Context, _ integrations.Site, r integrations.IngressRule) (id string, err error) {
	return id, c.do("authorize "+r.CIDR, func() error {
		for _, o := range c.rules {
			if o.Group == r.Group && o.Protocol == r.Protocol && o.From == r.From && o.To == r.To && o.CIDR == r.CIDR {
				return fmt.Errorf("%w: %s", integrations.ErrRuleExists, r.CIDR)
			}
		}
		id = c.add(r)
		return nil
	})
}

func (c *cloud) add(r integrations.IngressRule) string {
	c.ids++
	r.ID = fmt.Sprintf("sgr-%d", c.ids)
	c.rules = append(c.rules, r)
	return r.ID
}

func (c *cloud) Revoke(_ context.Context, _ integrations.Site, group, id string) error {
	return c.do("revoke "+id, func() error {
		i := slices.IndexFunc(c.rules, func(r integrations.IngressRule) bool { return r.Group == group && r.ID == id })
		if i < 0 {
			return &integrations.Gone{Why: "no rule is called " + id}
		}
		c.rules = slices.Delete(slices.Clone(c.rules), i, i+1)
		return nil
	})
}

const door = "sg-0a000000000000001"

var (
	home = integrations.Site{Account: "main", Region: "ap-northeast-1"}
	ssh  = integrations.Ingress{Site: home, Group: door, Port: 22, Limit: 42 * time.Minute}
	self = "54.65.0.7"
)

// room is the feature on a real store, with a group and jobs.
type room struct {
	t      testing.TB
	clock  *eager
	store  *store.Store
	cloud  *cloud
	f      *Windows
	config Config
	asked  func(url string) (netip.Addr, error)
}

func newRoom(t testing.TB) *room {
	t.Helper()
	r := &room{t: t, clock: &eager{now: time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC)}, config: Config{Groups: []Group{{ID: door, Account: home.Account, Region: home.Region}}}}
	r.cloud = &cloud{t: t, clock: r.clock}
	r.cloud.add(integrations.IngressRule{Group: door, Protocol: "tcp", From: 443, To: 443, CIDR: "0.0.0.0/0"})
	r.asked = func(string) (netip.Addr, error) { return netip.MustParseAddr(self), nil }
	var err error
	r.store, err = store.Open(filepath.Join(t.TempDir(), "signalbox.db"), store.Options{Now: r.clock.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.store.Close(); err != nil {
			t.Error(err)
		}
	})
	r.starts()
	return r
}

// starts is a new process on the same store.
func (r *room) starts() {
	cat := &integrations.Catalog{Environments: []integrations.Environment{{Name: "lab"}, {Name: "production", Channels: []string{"ops", "alerts"}}}}
	r.f = New(Deps{Store: r.store, Clock: r.clock, Log: slog.New(slog.DiscardHandler), Catalog: func() *integrations.Catalog { return cat },
		Config: func() Config { return r.config }, Cloud: r.cloud, Channel: func(name string) string { return "C-" + name },
		Ask: func(_ context.Context, url string) (netip.Addr, error) { return r.asked(url) }})
}

// job is an apply that runs.
func (r *room) job(target string) *store.Job {
	r.t.Helper()
	j := &store.Job{Key: "apply|" + target, Kind: "apply", Target: target, State: store.JobRunning, Attempt: 1, Requester: store.Person{Name: "alice", Slack: "UA"}}
	r.update(func(tx *store.Tx) error { _, _, err := tx.InsertJob(j); return err })
	return j
}

// ends moves a job.
func (r *room) ends(j *store.Job, state string) {
	r.t.Helper()
	r.update(func(tx *store.Tx) error {
		now, err := tx.Job(j.ID)
		if err != nil {
			return err
		}
		now.State = state
		return tx.PutJob(now)
	})
}

func (r *room) update(do func(tx *store.Tx) error) {
	r.t.Helper()
	if err := r.store.Update(context.Background(), do); err != nil {
		r.t.Fatal(err)
	}
}

func (r *room) view(do func(tx *store.Tx) error) {
	r.t.Helper()
	if err := r.store.View(do); err != nil {
		r.t.Fatal(err)
	}
}

// leases are those that are kept, over or not.
func (r *room) leases() (out []Lease) {
	r.t.Helper()
	r.view(func(tx *store.Tx) error {
		return leases(tx).Each("", func(_ string, l Lease) error { out = append(out, l); return nil })
	})
	return out
}

// acts are the rows of the audit, the oldest first.
func (r *room) acts() (out []string) {
	r.t.Helper()
	r.view(func(tx *store.Tx) error {
		rows, err := tx.AuditAfter(0, 100)
		for _, a := range rows {
			out = append(out, strings.Join([]string{a.Act, a.Subject, a.Outcome, a.Detail}, " | "))
		}
		return err
	})
	return out
}

var errKilled = errors.New("killed")

// alive runs something; a fault that panics kills it, and the process starts anew.
func (r *room) alive(do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			if p != errKilled {
				panic(p)
			}
			err = errKilled
			r.starts()
		}
	}()
	return do()
}

func (r *room) run(j *store.Job) integrations.Run {
	return integrations.Run{Job: j.ID, Target: j.Target, Environment: "production"}
}

func (r *room) opens(j *store.Job) error {
	return r.alive(func() error { return r.f.Open(context.Background(), r.run(j), ssh) })
}

func (r *room) closes(j *store.Job) error {
	return r.alive(func() error { return r.f.close(context.Background(), r.run(j), ssh) })
}

func (r *room) sweeps() error {
	return r.alive(func() error { return r.f.sweep(context.Background()) })
}

func (r *room) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// stands are the rules of the group for port 22: those of ours with their tags.
func (r *room) stands() string {
	var out []string
	for _, rule := range r.cloud.rules {
		if rule.From == 22 {
			out = append(out, strings.TrimSpace(rule.CIDR+" "+rule.Tags[integrations.TagWindow]))
		}
	}
	return strings.Join(out, ", ")
}

func (r *room) want(want string) {
	r.t.Helper()
	if got := r.stands(); got != want {
		r.t.Errorf("open is %q, want %q; %s", got, want, strings.Join(r.cloud.calls, "; "))
	}
}

// told are the messages, by channel; those held back are left out.
func (r *room) told() (out []string) {
	r.t.Helper()
	r.view(func(tx *store.Tx) error {
		due, err := tx.DueSurfaces(r.clock.Now().Add(time.Hour), 0)
		if err != nil {
			return err
		}
		for _, s := range due {
			m, err := r.f.Feature().Cards[s.Card](tx, s)
			if err != nil {
				return err
			}
			if !m.Hold {
				out = append(out, s.Where["channel"]+": "+m.Text)
			}
		}
		return nil
	})
	return out
}

// posted gives what is told a place, as the teller does: it is told again when it is marked.
func (r *room) posted() {
	r.t.Helper()
	r.update(func(tx *store.Tx) error {
		due, err := tx.DueSurfaces(r.clock.Now().Add(time.Hour), 0)
		for _, s := range due {
			s.Ref, s.Shown = "ts", s.Marked
			err = errors.Join(err, tx.PutSurface(s))
		}
		return err
	})
}

// underWay is what status says.
func (r *room) underWay() (out []string) {
	r.t.Helper()
	r.view(func(tx *store.Tx) error {
		rows, err := UnderWay(tx)
		for _, row := range rows {
			out = append(out, row.Plain())
		}
		return err
	})
	return out
}
