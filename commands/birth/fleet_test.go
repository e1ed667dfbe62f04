package birth

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
)

// still is a clock that moves when it is told to.
type still struct {
	mu  sync.Mutex
	now time.Time
}

func (c *still) Now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.now }
func (c *still) move(d time.Duration) {
	c.mu.Lock()
	c.now = c.now.Add(d)
	c.mu.Unlock()
}
func (c *still) NewTimer(time.Duration) clock.Timer { panic("nothing here sleeps") }

// box is one instance of the fake fleet, and its host.
type box struct {
	integrations.Instance
	lifecycle string    // once it has come up
	wait      time.Time // at the hook, until then
	ended     time.Time
	ready     time.Time // commands reach it from then on
	seated    time.Time // it is in the pool since
	fails     bool      // its tests
	sick      bool      // its pool does not find it healthy
	mute      int       // commands that nobody can tell about
	ran       []string
	monitored bool
	status    string // in the monitoring
}

// fleet is a fake cloud and what watches it: a Go value that keeps to the rules that a
// birth relies on. The wire is the simulator's.
type fleet struct {
	t     testing.TB
	clock *still
	at    integrations.Site
	boxes map[string]*box
	next  int
	// hook is that of the group; nil is none.
	hook     *integrations.LaunchHook
	alone    bool // there is no group
	commands map[string]integrations.CommandResult
	calls    []string
	fault    func(call string, before bool) error
	monitor  bool // it knows every instance, else none
	stale    int  // looks that do not show yet that one was let in
	early    []string
}

const joins, healthy = 30 * time.Second, 20 * time.Second

func newFleet(t testing.TB, clk *still) *fleet {
	return &fleet{t: t, clock: clk, at: integrations.Site{Account: "main", Region: "ap-northeast-1"}, boxes: map[string]*box{}, monitor: true,
		hook: &integrations.LaunchHook{Name: DefaultHook, Timeout: 3 * time.Minute, Longest: 5 * time.Hour, Ends: true}, commands: map[string]integrations.CommandResult{}}
}

// launch starts one that says a status of itself, "" if it says nothing.
func (f *fleet) launch(status string) *box {
	f.next++
	b := &box{lifecycle: integrations.MemberPending, ready: f.clock.Now().Add(40 * time.Second), monitored: f.monitor, status: integrations.HostWorking}
	b.Instance = integrations.Instance{Site: f.at, ID: fmt.Sprintf("i-%d", f.next), Name: fmt.Sprintf("web-%d", f.next), Role: "app", Zone: "a", State: integrations.InstanceRunning,
		Launched: f.clock.Now(), Group: "web", Tags: map[string]string{"Role": "app"}}
	if f.alone {
		b.Group, b.lifecycle = "", ""
	}
	if status != "" {
		b.Tags[tagStatus] = status
	}
	f.boxes[b.ID] = b
	return b
}

// settle lets happen what is due by the clock.
func (f *fleet) settle() {
	now := f.clock.Now()
	for _, b := range f.boxes {
		switch {
		case b.State == integrations.InstanceEnding && now.Sub(b.ended) > 20*time.Second:
			b.State = integrations.InstanceTerminated
		case b.lifecycle == integrations.MemberPending && now.Sub(b.Launched) >= joins && f.hook != nil:
			b.lifecycle, b.wait = integrations.MemberWaiting, now.Add(f.hook.Timeout)
		case b.lifecycle == integrations.MemberPending && now.Sub(b.Launched) >= joins:
			f.seat(b)
		case b.lifecycle == integrations.MemberWaiting && now.After(b.wait) && f.hook.Ends:
			f.finish(b)
		case b.lifecycle == integrations.MemberWaiting && now.After(b.wait):
			f.seat(b)
		}
	}
}

// seat puts it into the pool: from then on it gets requests.
func (f *fleet) seat(b *box) {
	b.lifecycle, b.seated = integrations.MemberInService, f.clock.Now()
	if b.Tags[tagStatus] != working && (b.fails || !slices.Contains(b.ran, "smoke")) {
		f.early = append(f.early, b.ID)
	}
}

func (f *fleet) finish(b *box) {
	b.State, b.ended, b.lifecycle, b.seated = integrations.InstanceEnding, f.clock.Now(), "Terminating", time.Time{}
}

func (f *fleet) Instances(_ context.Context, roles ...string) (out []integrations.Instance, err error) {
	f.settle()
	for _, id := range slices.Sorted(maps.Keys(f.boxes)) {
		if b := f.boxes[id]; b.State != integrations.InstanceTerminated && slices.Contains(roles, b.Role) {
			i := b.Instance
			i.Status = b.Tags[tagStatus]
			out = append(out, i)
		}
	}
	return out, nil
}

func (f *fleet) Group(context.Context, integrations.Site, string) (integrations.ScalingGroup, error) {
	f.settle()
	g := integrations.ScalingGroup{Name: "web"}
	if f.hook != nil {
		g.LaunchHooks = []integrations.LaunchHook{{Name: "other"}, *f.hook}
	}
	for _, b := range f.boxes {
		life := b.lifecycle
		if life == integrations.MemberInService && f.stale > 0 && f.clock.Now().Sub(b.seated) < time.Minute {
			f.stale--
			life = integrations.MemberWaiting
		}
		g.Members = append(g.Members, integrations.Member{ID: b.ID, Lifecycle: life, Healthy: true})
	}
	return g, nil
}

func (f *fleet) Machine(ctx context.Context, at integrations.Site, id string) (integrations.Machine, error) {
	b := f.boxes[id]
	if b == nil {
		return integrations.Machine{}, &integrations.Gone{Why: "InvalidInstanceID.NotFound"}
	}
	f.settle()
	m := integrations.Machine{Instance: b.Instance, Reachable: !f.clock.Now().Before(b.ready)}
	m.Tags = maps.Clone(b.Tags)
	m.Status = m.Tags[tagStatus]
	if b.Group != "" {
		g, _ := f.Group(ctx, at, b.Group)
		m.Group = &g
	}
	if !b.seated.IsZero() {
		s := integrations.Seat{Pool: "tg/web", Instance: id, State: "initial"}
		if f.clock.Now().Sub(b.seated) > healthy && !b.sick {
			s.State = integrations.SeatHealthy
		}
		m.Pools = []integrations.Pool{{ID: "tg/web", Name: "web", Seats: []integrations.Seat{s}}}
	}
	return m, nil
}

// change does something to the outside, unless a fault comes in its way.
func (f *fleet) change(call string, do func() error) error {
	f.settle()
	if f.fault != nil {
		if err := f.fault(call, true); err != nil {
			return err
		}
	}
	f.calls = append(f.calls, call)
	if err := do(); err != nil {
		return err
	}
	if f.fault != nil {
		return f.fault(call, false)
	}
	return nil
}

func (f *fleet) Tag(_ context.Context, _ integrations.Site, id string, set map[string]string, unset []string) error {
	return f.change("tag "+id+" "+set[tagStatus], func() error {
		maps.Copy(f.boxes[id].Tags, set)
		for _, k := range unset {
			delete(f.boxes[id].Tags, k)
		}
		return nil
	})
}

// waiting is refused for whatever does not wait, as by EC2 Auto Scaling.
func (f *fleet) waiting(call, group, hook, id string, do func(b *box)) error {
	return f.change(call+" "+id, func() error {
		b := f.boxes[id]
		if group != "web" || f.hook == nil || hook != f.hook.Name || b.lifecycle != integrations.MemberWaiting {
			return errors.New("ValidationError: No active Lifecycle Action found with instance ID " + id)
		}
		do(b)
		return nil
	})
}

func (f *fleet) KeepWaiting(_ context.Context, _ integrations.Site, group, hook, id string) error {
	return f.waiting("wait", group, hook, id, func(b *box) {
		b.wait = f.clock.Now().Add(f.hook.Timeout)
		if last := b.Launched.Add(joins + f.hook.Longest); last.Before(b.wait) {
			b.wait = last
		}
	})
}

func (f *fleet) LetIn(_ context.Context, _ integrations.Site, group, hook, id string) error {
	return f.waiting("let in", group, hook, id, f.seat)
}

func (f *fleet) Abandon(_ context.Context, _ integrations.Site, group, hook, id string) error {
	return f.waiting("abandon", group, hook, id, f.finish)
}

func (f *fleet) Start(_ context.Context, _ integrations.Site, id, script string, _ time.Duration) (string, error) {
	first, _, _ := strings.Cut(strings.TrimPrefix(script, "# signalbox:birth "), "\n")
	what, name, _ := strings.Cut(first, " ")
	command := fmt.Sprintf("cmd-%d", len(f.commands)+1)
	err := f.change("run "+name+" "+id, func() error {
		b := f.boxes[id]
		if f.clock.Now().Before(b.ready) {
			return errors.New("InvalidInstanceId: not in a valid state")
		}
		b.ran = append(b.ran, name)
		result := integrations.CommandResult{State: integrations.CommandDone, Output: "all is well"}
		switch {
		case b.mute > 0:
			b.mute--
			result = integrations.CommandResult{State: integrations.CommandUnknown, Why: "Undeliverable"}
		case what == kindTest && b.fails:
			result = integrations.CommandResult{State: integrations.CommandDone, Exit: 1, Output: "3 of 12 failed"}
		}
		f.commands[command] = result
		return nil
	})
	return command, err
}

func (f *fleet) Result(_ context.Context, _ integrations.Site, _, command string) (integrations.CommandResult, error) {
	if result, ok := f.commands[command]; ok {
		return result, nil
	}
	return integrations.CommandResult{State: integrations.CommandUnknown, Why: "no such command"}, nil
}

func (f *fleet) HostByInstance(_ context.Context, id string) (integrations.MonitoredHost, error) {
	b := f.boxes[id]
	if b == nil || !b.monitored {
		return integrations.MonitoredHost{}, &integrations.Gone{Why: "no host of " + id}
	}
	return integrations.MonitoredHost{ID: "h-" + id, Status: b.status}, nil
}

func (f *fleet) SetStatus(_ context.Context, host, status string) error {
	id := strings.TrimPrefix(host, "h-")
	return f.change("watch "+id+" "+status, func() error {
		f.boxes[id].status = status
		return nil
	})
}
