package scaling

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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
	mu    sync.Mutex
	group map[string]*integrations.ScalingGroup
	calls []string // changes
	// fault is asked before and after each call, and may panic to kill the process.
	fault func(call string, before bool) error
	// watch is called with each change, before it is made.
	watch func(call string)
}

func (c *cloud) do(call string, at integrations.Site, group string, change func(g *integrations.ScalingGroup)) error {
	if c.fault != nil {
		if err := c.fault(call, true); err != nil {
			return err
		}
	}
	c.mu.Lock()
	g := c.group[group]
	if change != nil {
		c.calls = append(c.calls, call)
	}
	c.mu.Unlock()
	if at != home {
		return errors.New("no such site")
	}
	if g == nil {
		return &integrations.Gone{Why: "no scaling group is called " + group}
	}
	if change != nil {
		if c.watch != nil {
			c.watch(call)
		}
		c.mu.Lock()
		change(g)
		c.mu.Unlock()
	}
	if c.fault != nil {
		return c.fault(call, false)
	}
	return nil
}

func (c *cloud) Group(_ context.Context, at integrations.Site, name string) (out integrations.ScalingGroup, err error) {
	if err := c.do("read "+name, at, name, nil); err != nil {
		return out, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	out = *c.group[name]
	out.Suspended = slices.Clone(out.Suspended)
	out.Tags = map[string]string{}
	for k, v := range c.group[name].Tags {
		out.Tags[k] = v
	}
	return out, nil
}

func (c *cloud) Suspend(_ context.Context, at integrations.Site, group string, processes []string) error {
	if len(processes) == 0 {
		c.t.Error("an empty list would suspend everything")
	}
	return c.do("suspend "+group+" "+strings.Join(processes, ","), at, group, func(g *integrations.ScalingGroup) { g.Suspended = with(g.Suspended, processes) })
}

func (c *cloud) Resume(_ context.Context, at integrations.Site, group string, processes []string) error {
	if len(processes) == 0 {
		c.t.Error("an empty list would resume everything")
	}
	return c.do("resume "+group+" "+strings.Join(processes, ","), at, group, func(g *integrations.ScalingGroup) { g.Suspended = without(g.Suspended, processes) })
}

func (c *cloud) TagGroup(_ context.Context, at integrations.Site, group, key, value string) error {
	return c.do("tag "+group+" "+value, at, group, func(g *integrations.ScalingGroup) { g.Tags[key] = value })
}

func (c *cloud) UntagGroup(_ context.Context, at integrations.Site, group, key string) error {
	return c.do("untag "+group, at, group, func(g *integrations.ScalingGroup) { delete(g.Tags, key) })
}

var home = integrations.Site{Account: "main", Region: "ap-northeast-1"}

// room is the feature on a real store, with groups and jobs.
type room struct {
	t     testing.TB
	clock *eager
	store *store.Store
	cloud *cloud
	f     *Leases
}

func newRoom(t testing.TB) *room {
	t.Helper()
	r := &room{t: t, clock: &eager{now: time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC)}}
	r.cloud = &cloud{t: t, group: map[string]*integrations.ScalingGroup{}}
	for _, name := range []string{"web", "worker"} {
		r.cloud.group[name] = &integrations.ScalingGroup{Name: name, Suspended: []string{"ScheduledActions", "Terminate"}, Tags: map[string]string{"Role": "app"}}
	}
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
	cat := &integrations.Catalog{Environments: []integrations.Environment{{Name: "production", Channels: []string{"ops", "alerts"}}, {Name: "lab"}}}
	r.f = New(Deps{Store: r.store, Clock: r.clock, Log: slog.New(slog.DiscardHandler), Catalog: func() *integrations.Catalog { return cat },
		Cloud: r.cloud, Channel: func(name string) string { return "C-" + name }})
}

func target(name string, groups ...string) integrations.Target {
	t := integrations.Target{Name: name, Environment: "production"}
	for _, g := range groups {
		t.Scaling = append(t.Scaling, integrations.Scaling{Site: home, Group: g, Processes: []string{"AZRebalance", "AlarmNotification", "ScheduledActions"}, Limit: 30 * time.Minute})
	}
	return t
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

func (r *room) suspends(j *store.Job, t integrations.Target) error {
	return r.alive(func() error { return r.f.Suspend(context.Background(), j, t) })
}

func (r *room) resumes(j *store.Job) error {
	return r.alive(func() error { return r.f.Resume(context.Background(), j.ID) })
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

// stands is what of a group is suspended, and its lock.
func (r *room) stands(group string) string {
	g := r.cloud.group[group]
	all := slices.Clone(g.Suspended)
	slices.Sort(all)
	return strings.TrimSpace(strings.Join(all, ",") + " " + g.Tags[integrations.TagLock])
}

func (r *room) want(group, want string) {
	r.t.Helper()
	if got := r.stands(group); got != want {
		r.t.Errorf("%s is %q, want %q; %s", group, got, want, strings.Join(r.cloud.calls, "; "))
	}
}

// told are the messages, by card and channel; those held back are left out.
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
			mentions := 0
			for _, b := range m.Blocks {
				for _, span := range b.Text {
					if span.Person != nil && span.Person.Slack == "UA" {
						mentions++
					}
				}
			}
			if !m.Hold {
				out = append(out, fmt.Sprintf("%s %d: %s", s.Where["channel"], mentions, m.Text))
			}
		}
		return nil
	})
	return out
}
