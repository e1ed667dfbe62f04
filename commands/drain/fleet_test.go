package drain

import (
	"context"
	"fmt"
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
	lifecycle string
	moving    time.Time // until when it is on its way into lifecycle
	locked    bool
	loses     []string
	deaf      bool                 // no command reaches it
	launched  bool                 // as a replacement
	seats     map[string]time.Time // pool → when it was registered; draining is in leaving
	leaving   map[string]time.Time // pool → when it was told to leave

	running bool // the application
	conns   int
	bytes   int64 // in its log buffer
	stuck   bool  // the buffer does not empty
	mute    bool  // its collector does not answer
	emitted int64
	givenUp int64
	retries int64
	retried bool // one more at each look
	flushed time.Time
	ended   time.Time
	hosted
}

// fleet is a fake cloud: a Go value that keeps to the rules that the drain relies on.
// The wire is the simulator's, which the whole bot is tested against.
type fleet struct {
	t     testing.TB
	clock *still
	at    integrations.Site
	boxes map[string]*box
	group integrations.ScalingGroup // Members are worked out
	pools []integrations.Pool       // without seats
	next  int

	commands map[string]func() integrations.CommandResult
	calls    []string
	// fault is asked before and after each change, and may panic to kill the process.
	fault func(call string, before bool) error
	// watch is called after each change.
	watch   func(call string)
	ended   []string
	cluster bool // what it launches runs tasks
	slow    bool // no command comes to an end
}

const healthyAfter = 20 * time.Second

func newFleet(t testing.TB, clk *still, n int) *fleet {
	f := &fleet{t: t, clock: clk, at: integrations.Site{Account: "main", Region: "ap-northeast-1"}, boxes: map[string]*box{}, commands: map[string]func() integrations.CommandResult{},
		group: integrations.ScalingGroup{Name: "web", Min: 2, Max: n + 4, Desired: n},
		pools: []integrations.Pool{{ID: "tg/web", Name: "web", Kind: integrations.PoolALB, Delay: 30 * time.Second, Spread: true, Zones: []string{"a", "c", "d"}}}}
	for range n {
		f.launch("app", "web")
	}
	clk.move(time.Hour)
	return f
}

// launch starts an instance in service.
func (f *fleet) launch(role, group string) *box {
	f.next++
	zone := []string{"a", "c", "d"}[f.next%3]
	b := &box{lifecycle: integrations.MemberInService, seats: map[string]time.Time{}, leaving: map[string]time.Time{}, running: true, conns: 7, bytes: 4096, emitted: 10}
	b.Instance = integrations.Instance{Status: "working", Site: f.at, ID: fmt.Sprintf("i-%d", f.next), Name: fmt.Sprintf("web-%d", f.next), Role: role, Zone: zone, Address: fmt.Sprintf("10.0.0.%d", f.next), State: integrations.InstanceRunning,
		Launched: f.clock.Now(), Group: group, Tags: map[string]string{"Role": role, "Status": "working"}}
	if group == "" {
		b.lifecycle = ""
	}
	f.boxes[b.ID] = b
	if f.cluster {
		b.register()
	}
	for _, p := range f.pools {
		if p.ID != taskPool {
			b.seats[p.ID] = f.clock.Now()
		}
	}
	return b
}

// settle lets happen what is due by the clock: replacements above all.
func (f *fleet) settle() {
	now := f.clock.Now()
	in := 0
	for _, b := range f.boxes {
		if b.State == integrations.InstanceEnding && now.Sub(b.ended) >= 20*time.Second {
			b.State = integrations.InstanceTerminated
		}
		if b.State != integrations.InstanceRunning || b.Group == "" {
			continue
		}
		if b.lifecycle == integrations.MemberInService || strings.HasPrefix(b.lifecycle, "Pending") {
			in++
		}
	}
	for ; in < f.group.Desired; in++ {
		f.launch("app", f.group.Name).launched = true
	}
	for ; in > f.group.Desired; in-- {
		for _, id := range slices.Sorted(func(yield func(string) bool) {
			for id := range f.boxes {
				if !yield(id) {
					return
				}
			}
		}) {
			if b := f.boxes[id]; b.launched && b.State == integrations.InstanceRunning && b.lifecycle == integrations.MemberInService {
				f.finish(b)
				break
			}
		}
	}
}

func (f *fleet) finish(b *box) {
	b.State, b.ended, b.lifecycle = integrations.InstanceEnding, f.clock.Now(), "Terminating"
	b.seats = map[string]time.Time{}
}

func (f *fleet) life(b *box) string {
	if b.lifecycle == integrations.MemberStandby && f.clock.Now().Before(b.moving) {
		return integrations.MemberEnteringStandby
	}
	return b.lifecycle
}

func (f *fleet) scaling() *integrations.ScalingGroup {
	f.settle()
	g := f.group
	g.Members = nil
	for _, id := range f.ids() {
		if b := f.boxes[id]; b.Group == g.Name && b.State != integrations.InstanceTerminated {
			g.Members = append(g.Members, integrations.Member{ID: id, Zone: b.Zone, Lifecycle: f.life(b), Healthy: true})
		}
	}
	return &g
}

func (f *fleet) ids() []string {
	var out []string
	for id := range f.boxes {
		out = append(out, id)
	}
	slices.SortFunc(out, naturally)
	return out
}

func (f *fleet) pool(p integrations.Pool) integrations.Pool {
	now := f.clock.Now()
	p.Seats = nil
	for _, id := range f.ids() {
		b := f.boxes[id]
		if p.ID == taskPool {
			p.Seats = append(p.Seats, f.taskSeats(p, b)...)
			continue
		}
		seat := integrations.Seat{Pool: p.ID, Kind: p.Kind, Instance: id, Port: 8080, Zone: b.Zone, Connections: -1}
		since, in := b.seats[p.ID]
		left, leaving := b.leaving[p.ID]
		switch {
		case leaving && now.Sub(left) < p.Delay:
			seat.State = integrations.SeatDraining
		case !in:
			seat.State, seat.Reason = integrations.SeatUnused, integrations.ReasonNotRegistered
		case b.State != integrations.InstanceRunning || !b.running:
			seat.State = "unhealthy"
		case now.Sub(since) < healthyAfter:
			seat.State = "initial"
		default:
			seat.State = integrations.SeatHealthy
		}
		p.Seats = append(p.Seats, seat)
	}
	return p
}

func (f *fleet) Sites() []integrations.Site { return []integrations.Site{f.at} }

func (f *fleet) Instances(_ context.Context, roles ...string) (out []integrations.Instance, err error) {
	f.settle()
	for _, id := range f.ids() {
		if b := f.boxes[id]; b.State != integrations.InstanceTerminated && (len(roles) == 0 || slices.Contains(roles, b.Role)) {
			out = append(out, b.Instance)
		}
	}
	return out, nil
}

func (f *fleet) Find(_ context.Context, idOrName string) (out []integrations.Instance, err error) {
	for _, id := range f.ids() {
		if b := f.boxes[id]; b.State != integrations.InstanceTerminated && (b.ID == idOrName || b.Name == idOrName) {
			out = append(out, b.Instance)
		}
	}
	return out, nil
}

func (f *fleet) Machine(_ context.Context, _ integrations.Site, id string) (integrations.Machine, error) {
	b := f.boxes[id]
	if b == nil {
		return integrations.Machine{}, &integrations.Gone{Why: "InvalidInstanceID.NotFound"}
	}
	f.settle()
	m := integrations.Machine{Instance: b.Instance, Locked: b.locked, Loses: b.loses, Reachable: !b.deaf, Seen: f.clock.Now()}
	m.Status = b.Tags["Status"]
	m.Tags = map[string]string{}
	for k, v := range b.Tags {
		m.Tags[k] = v
	}
	if b.Group != "" {
		m.Group = f.scaling()
	}
	for _, p := range f.pools {
		m.Pools = append(m.Pools, f.pool(p))
	}
	return m, nil
}

func (f *fleet) Group(context.Context, integrations.Site, string) (integrations.ScalingGroup, error) {
	return *f.scaling(), nil
}

func (f *fleet) Pools(_ context.Context, _ integrations.Site, seats []integrations.Seat) (out []integrations.Pool, err error) {
	f.settle()
	for _, p := range f.pools {
		if slices.ContainsFunc(seats, func(s integrations.Seat) bool { return s.Pool == p.ID }) {
			out = append(out, f.with(f.pool(p), seats))
		}
	}
	return out, nil
}
