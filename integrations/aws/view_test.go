package aws_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/aws/awssim"
)

func names(list []integrations.Instance) (out []string) {
	for _, i := range list {
		out = append(out, i.Site.String()+" "+i.Name)
	}
	return out
}

func TestSites(t *testing.T) {
	w := newWorld(t)
	want := []integrations.Site{home, {Account: "main", Region: "us-west-2"}, other}
	if diff := cmp.Diff(want, w.fleet.Sites()); diff != "" {
		t.Error(diff)
	}
}

// The other account is entered by its role, with the external id that it asks for.
func TestInstances(t *testing.T) {
	w := newWorld(t)
	for _, tt := range []struct {
		roles []string
		want  []string
	}{
		{nil, []string{"main/ap-northeast-1 db-1", "main/ap-northeast-1 lone", "main/ap-northeast-1 web-1", "main/ap-northeast-1 web-2", "main/ap-northeast-1 web-3", "other/us-west-2 lone"}},
		{[]string{"db"}, []string{"main/ap-northeast-1 db-1"}},
		{[]string{"db", "app*"}, []string{"main/ap-northeast-1 db-1"}},
	} {
		got, err := w.fleet.Instances(t.Context(), tt.roles...)
		w.ok(err)
		if diff := cmp.Diff(tt.want, names(got)); diff != "" {
			t.Errorf("%v: %s", tt.roles, diff)
		}
	}
	w.ok(w.sim.Kill(bare))
	w.pass(time.Minute)
	got, err := w.fleet.Instances(t.Context(), "db")
	w.ok(err)
	if len(got) > 0 {
		t.Errorf("%v is terminated, and listed", names(got))
	}
}

func TestInstancesOfASiteThatFails(t *testing.T) {
	w := newWorld(t)
	w.fault(awssim.Fault{Kind: "error", Action: "AssumeRole", Code: "AccessDenied", Message: "no", Count: -1})
	got, err := w.fleet.Instances(t.Context())
	w.refused(err, "other/us-west-2: aws list instances: AccessDenied: no")
	if len(got) > 0 {
		t.Errorf("got %d instances and an error; part of a fleet looks like all of it", len(got))
	}
	w.sim.ClearFaults()
	w.fault(awssim.Fault{Kind: "error", Action: "DescribeInstances", Code: "InternalError", Message: "sorry", Count: -1})
	_, err = w.fleet.Instances(t.Context())
	w.later(err)
	for _, site := range w.fleet.Sites() {
		if !strings.Contains(err.Error(), site.String()+": aws list instances: InternalError: sorry") {
			t.Errorf("the error does not name %s: %v", site, err)
		}
	}
}

func TestFind(t *testing.T) {
	w := newWorld(t)
	for _, tt := range []struct {
		what string
		want []string
	}{
		{lone, []string{"main/ap-northeast-1 lone"}},
		{away, []string{"other/us-west-2 lone"}},
		{"lone", []string{"main/ap-northeast-1 lone", "other/us-west-2 lone"}},
		{"db-1", []string{"main/ap-northeast-1 db-1"}},
		{"web-?", nil}, {"*", nil}, {"", nil}, {"i-", nil}, {nothing, nil},
	} {
		got, err := w.fleet.Find(t.Context(), tt.what)
		w.ok(err)
		if diff := cmp.Diff(tt.want, names(got)); diff != "" {
			t.Errorf("%q: %s", tt.what, diff)
		}
	}
	w.ok(w.sim.Kill(bare))
	w.pass(time.Minute)
	byID, err := w.fleet.Find(t.Context(), bare)
	w.ok(err)
	byName, err := w.fleet.Find(t.Context(), "db-1")
	w.ok(err)
	if len(byID) != 1 || byID[0].State != integrations.InstanceTerminated || len(byName) != 0 {
		t.Errorf("the terminated one is found %d times by its id and %d times by its name; want 1 and 0", len(byID), len(byName))
	}
}

// An id is of one site: that another does not answer hides nothing. A name may be.
func TestFindWhileASiteFails(t *testing.T) {
	w := newWorld(t)
	w.fault(awssim.Fault{Kind: "error", Action: "AssumeRole", Code: "AccessDenied", Message: "no", Count: -1})
	got, err := w.fleet.Find(t.Context(), lone)
	w.ok(err)
	if len(got) != 1 {
		t.Errorf("found %v", names(got))
	}
	if _, err = w.fleet.Find(t.Context(), "lone"); err == nil {
		t.Error("a name was searched in some sites alone")
	}
	if _, err = w.fleet.Find(t.Context(), away); err == nil {
		t.Error("an id that was not found was not searched everywhere, and that is no error")
	}
	again := newWorld(t)
	again.fault(awssim.Fault{Kind: "error", Action: "AssumeRole", Code: "AccessDenied", Message: "no"})
	if got, err = again.fleet.Find(t.Context(), away); err == nil {
		t.Errorf("an id was not searched everywhere, its name was, and %v came of it", names(got))
	}
}

func TestMachineOfAGroup(t *testing.T) {
	w := newWorld(t)
	id := w.member()
	w.ok(w.sim.Suspend("web", true, "Launch"))
	before := w.clock.Now()
	m := w.machine(id)
	if m.Role != "app" || m.Status != "working" || m.Instance.Group != "web" || m.State != integrations.InstanceRunning || m.Address == "" || m.Type != "c5.large" || m.Zone == "" || m.Launched.IsZero() || m.Tags["Name"] != m.Name {
		t.Errorf("the instance is %+v", m.Instance)
	}
	if m.Locked || len(m.Loses) > 0 || !m.Reachable || m.Seen.Before(before) || m.Seen.After(w.clock.Now()) {
		t.Errorf("locked %v, loses %v, reachable %v, seen %v", m.Locked, m.Loses, m.Reachable, m.Seen)
	}
	g := m.Group
	if g == nil {
		t.Fatal("it has no group")
	}
	one, ok := g.Member(id)
	if !ok || one.Lifecycle != integrations.MemberInService || !one.Healthy || one.Zone != m.Zone {
		t.Errorf("as a member it is %+v", one)
	}
	want := integrations.ScalingGroup{Name: "web", Min: 1, Max: 4, Desired: 3, Suspended: []string{"Launch"}, HookTimeout: 7 * time.Minute,
		Tags: map[string]string{"Owner": "web team", "Role": "app", "Status": "working"}}
	if diff := cmp.Diff(want, *g, cmpopts.IgnoreFields(want, "Members")); diff != "" || len(g.Members) != 3 {
		t.Errorf("%d members; %s", len(g.Members), diff)
	}
	if len(m.Pools) != 1 {
		t.Fatalf("it is in %d pools; want web alone", len(m.Pools))
	}
	p := m.Pools[0]
	wantPool := integrations.Pool{Name: "web", Kind: integrations.PoolALB, Delay: 30 * time.Second, Spread: true, MinHealthy: 1, MinHealthyPercent: 50,
		Zones: []string{"ap-northeast-1a", "ap-northeast-1c", "ap-northeast-1d"}}
	if diff := cmp.Diff(wantPool, p, cmpopts.IgnoreFields(p, "ID", "Seats")); diff != "" || len(p.Seats) != 3 {
		t.Errorf("%d seats; %s", len(p.Seats), diff)
	}
	wantSeat := integrations.Seat{Pool: p.ID, Kind: integrations.PoolALB, Instance: id, Port: 8080, State: integrations.SeatHealthy, Connections: -1}
	if diff := cmp.Diff(wantSeat, seat(t, m, "web")); diff != "" {
		t.Error(diff)
	}
	w.ok(w.sim.Refresh("web", true))
	if !w.machine(id).Group.Refreshing {
		t.Error("a refresh goes on, and is not seen")
	}
}

func TestMachineOfNoGroup(t *testing.T) {
	w := newWorld(t)
	m := w.machine(lone)
	if m.Group != nil || m.Instance.Group != "" {
		t.Errorf("its group is %v, %q", m.Group, m.Instance.Group)
	}
	if diff := cmp.Diff([]string{"instance store"}, m.Loses); diff != "" {
		t.Error(diff)
	}
	byName := map[string]integrations.Pool{}
	for _, p := range m.Pools {
		byName[p.Name] = p
	}
	zones := []string{"ap-northeast-1a", "ap-northeast-1c", "ap-northeast-1d"}
	want := map[string]integrations.Pool{
		"tcp": {Name: "tcp", Kind: integrations.PoolNLB, Delay: 60 * time.Second, MinHealthy: 2, Zones: zones},
		"old": {ID: "old", Name: "old", Kind: integrations.PoolClassic, Delay: 40 * time.Second, Zones: zones},
	}
	if diff := cmp.Diff(want, byName, cmpopts.IgnoreFields(integrations.Pool{}, "Seats"), cmp.FilterPath(func(p cmp.Path) bool {
		return p.Last().String() == ".ID"
	}, cmp.Comparer(func(a, b string) bool { return a == b || a == "" || b == "" }))); diff != "" {
		t.Error(diff)
	}
	if s := seat(t, m, "old"); s.State != integrations.SeatHealthy || s.Port != 0 || s.Connections != -1 {
		t.Errorf("its seat in the classic one is %+v", s)
	}
	m = w.machine(bare)
	if !m.Locked || !m.Spot || len(m.Pools) > 0 {
		t.Errorf("locked %v, spot %v, pools %v", m.Locked, m.Spot, m.Pools)
	}
	if diff := cmp.Diff([]string{"vol-0123456789abcdef0 (/dev/sdf)"}, m.Loses); diff != "" {
		t.Error(diff)
	}
	w.ok(w.sim.SetHost(bare, func(h *awssim.Host) { h.Unreachable = true }))
	if w.machine(bare).Reachable {
		t.Error("its agent is away, and it is reachable")
	}
}

func TestMachineThatEnds(t *testing.T) {
	w := newWorld(t)
	id := w.member()
	w.ok(w.fleet.Terminate(t.Context(), home, "web", id))
	w.pass(12 * time.Minute)
	m := w.machine(id)
	if m.State != integrations.InstanceTerminated {
		t.Fatalf("it is %s", m.State)
	}
	if m.Group == nil || m.Group.Name != "web" {
		t.Errorf("its group is %v; want the one that has replaced it", m.Group)
	} else if _, in := m.Group.Member(id); in {
		t.Error("it is still a member")
	}
	w.pass(2 * time.Hour)
	_, err := w.fleet.Machine(t.Context(), home, id)
	w.gone(err)
	_, err = w.fleet.Machine(t.Context(), home, nothing)
	w.gone(err)
	_, err = w.fleet.Machine(t.Context(), integrations.Site{Account: "main", Region: "eu-west-1"}, id)
	w.refused(err, "aws: the configuration has no site main/eu-west-1")
}

// The list of target groups is asked for once a minute, the health each time.
func TestTheListOfTargetGroupsIsKept(t *testing.T) {
	w := newWorld(t)
	asked := func() (groups, health int) {
		from := len(w.sim.Calls())
		w.machine(lone)
		return w.calls(from, "elasticloadbalancing:DescribeTargetGroups"), w.calls(from, "elasticloadbalancing:DescribeTargetHealth")
	}
	for _, tt := range []struct {
		after time.Duration
		want  int
	}{{0, 1}, {0, 0}, {59 * time.Second, 0}, {2 * time.Second, 1}} {
		w.pass(tt.after)
		if groups, health := asked(); groups != tt.want || health != 3 {
			t.Errorf("after %v the list was asked for %d times and the health %d; want %d and 3", tt.after, groups, health, tt.want)
		}
	}
}

func TestPools(t *testing.T) {
	w := newWorld(t)
	m := w.machine(lone)
	tcp, old := seat(t, m, "tcp"), seat(t, m, "old")
	strange := tcp
	strange.Port = 1
	lost := integrations.Seat{Pool: strings.Replace(tcp.Pool, "targetgroup/tcp", "targetgroup/lost", 1), Kind: integrations.PoolNLB, Instance: lone, Port: 9000}
	none := integrations.Seat{Pool: "none", Kind: integrations.PoolClassic, Instance: lone}
	stranger := integrations.Seat{Pool: "old", Kind: integrations.PoolClassic, Instance: nothing}
	got, err := w.fleet.Pools(t.Context(), home, []integrations.Seat{tcp, old, strange, lost, none, stranger})
	w.ok(err)
	var order []string
	for _, p := range got {
		order = append(order, p.Name)
	}
	if diff := cmp.Diff([]string{"tcp", "old", "lost", "none"}, order); diff != "" {
		t.Fatal(diff)
	}
	unused := func(s integrations.Seat) integrations.Seat {
		s.State, s.Reason, s.Connections = integrations.SeatUnused, integrations.ReasonNotRegistered, -1
		return s
	}
	for n, want := range [][]integrations.Seat{{tcp, unused(strange)}, {old, unused(stranger)}, {unused(lost)}, {unused(none)}} {
		if diff := cmp.Diff(want, got[n].Seats); diff != "" {
			t.Errorf("%s: %s", got[n].Name, diff)
		}
	}
	if got[0].Delay != time.Minute || got[1].Delay != 40*time.Second {
		t.Errorf("the delays are %v and %v", got[0].Delay, got[1].Delay)
	}
	_, err = w.fleet.Pools(t.Context(), home, []integrations.Seat{{Pool: "backend", Kind: integrations.PoolHAProxy, Instance: lone}})
	w.refused(err, `aws: `+lone+` in backend is a seat of the kind "haproxy", which AWS does not have`)
}

// A seat leaves by the port that it was registered with, and comes back to it; on its
// way it is draining, in a classic load balancer too, which calls that InService.
func TestLeaveAndJoin(t *testing.T) {
	w := newWorld(t)
	m := w.machine(lone)
	seats := []integrations.Seat{seat(t, m, "tcp"), seat(t, m, "old")}
	for _, s := range seats {
		w.ok(w.fleet.Leave(t.Context(), home, s))
	}
	states := func() (out []string) {
		pools, err := w.fleet.Pools(t.Context(), home, seats)
		w.ok(err)
		for _, p := range pools {
			for _, s := range p.Seats {
				if s.Instance == lone {
					out = append(out, p.Name+" "+s.State)
				}
			}
		}
		return out
	}
	for _, tt := range []struct {
		after time.Duration
		want  []string
	}{
		{0, []string{"tcp draining", "old draining"}},
		{41 * time.Second, []string{"tcp draining", "old unused"}},
		{20 * time.Second, []string{"tcp unused", "old unused"}},
	} {
		w.pass(tt.after)
		if diff := cmp.Diff(tt.want, states()); diff != "" {
			t.Errorf("after %v: %s", tt.after, diff)
		}
	}
	if m := w.machine(lone); len(m.Pools) > 0 {
		t.Errorf("it has left, and is still in %v", m.Pools)
	}
	for _, s := range seats {
		w.ok(w.fleet.Join(t.Context(), home, s))
	}
	w.pass(time.Minute)
	if diff := cmp.Diff([]string{"tcp healthy", "old healthy"}, states()); diff != "" {
		t.Error(diff)
	}
	back := seat(t, w.machine(lone), "tcp")
	if diff := cmp.Diff(seats[0], back); diff != "" {
		t.Error(diff)
	}
	gone := seats[0]
	gone.Pool = strings.Replace(gone.Pool, "/tcp/", "/lost/", 1)
	w.gone(w.fleet.Leave(t.Context(), home, gone))
	w.gone(w.fleet.Join(t.Context(), home, integrations.Seat{Pool: "none", Kind: integrations.PoolClassic, Instance: lone}))
	w.refused(w.fleet.Leave(t.Context(), home, integrations.Seat{Kind: integrations.PoolHAProxy}), "")
	w.refused(w.fleet.Join(t.Context(), home, integrations.Seat{Kind: integrations.PoolHAProxy}), "")
}

// What has many pages is read whole: 1,000 instances are one, and 400 pools of a kind.
func TestEveryPageIsRead(t *testing.T) {
	many := awssim.Estate{Account: "main", Region: "ap-northeast-1"}
	for n := range 1_001 {
		many.Instances = append(many.Instances, awssim.Instance{ID: fmt.Sprintf("i-%017x", n+1), Role: "app", Age: time.Hour})
	}
	last := many.Instances[1_000].ID
	for n := range 401 {
		many.Pools = append(many.Pools,
			awssim.Pool{Name: fmt.Sprintf("group-%03d", n)},
			awssim.Pool{Name: fmt.Sprintf("classic-%03d", n), Kind: awssim.KindClassic})
	}
	for n := range many.Pools[800:] {
		many.Pools[800+n].Instances = []string{last}
	}
	w := newWorldOf(t, awssim.Fleet{Accounts: estate().Accounts, Regions: estate().Regions, In: []awssim.Estate{many}})
	got, err := w.fleet.Instances(t.Context(), "app")
	w.ok(err)
	if len(got) != 1_001 {
		t.Errorf("%d instances are listed; want 1,001", len(got))
	}
	var pools []string
	for _, p := range w.machine(last).Pools {
		pools = append(pools, p.Name)
	}
	if diff := cmp.Diff([]string{"group-400", "classic-400"}, pools); diff != "" {
		t.Error(diff)
	}
}
