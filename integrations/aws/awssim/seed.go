package awssim

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Kinds of pools.
const (
	KindALB     = "alb"
	KindNLB     = "nlb"
	KindClassic = "classic"
)

// Fleet is what exists when the simulator first starts.
type Fleet struct {
	Accounts []Account
	Regions  []string // of every account
	// In holds what stands where; an Estate without an account or a region is in
	// the first.
	In []Estate
}

// Account is an account of AWS. Number has twelve digits.
type Account struct {
	Name, Number string
	// ExternalID has to be given to assume a role in it, if there is one.
	ExternalID string
}

// Estate is what an account has in a region.
type Estate struct {
	Account, Region string
	Pools           []Pool
	Groups          []Group
	Instances       []Instance // that no group looks after
	Clusters        []Cluster
	Repositories    []Repository
	Parameters      []string // of Systems Manager, by their names
	Images          []Image
	Projects        []Project
	SecurityGroups  []SecurityGroup
}

// Pool is a target group, or a classic load balancer.
type Pool struct {
	Name string
	Kind string // KindALB when empty
	Port int    // 80 when 0
	// Balancer names the load balancer that forwards to the target group; Name
	// when empty, and "-" for none.
	Balancer string
	// Delay is the deregistration delay; 300 s when 0, and none when negative.
	Delay time.Duration
	// Interval is the time between two health checks, 10 s when 0; it takes
	// HealthyAfter (3) of them to come in, and UnhealthyAfter (2) to be seen out.
	Interval                     time.Duration
	HealthyAfter, UnhealthyAfter int
	// CrossZone is "true", "false" or "use_load_balancer_configuration"; the
	// service's default when empty.
	CrossZone                     string
	MinHealthy, MinHealthyPercent int // of target_group_health; 1 and "off" when 0
	Instances                     []string
}

// Group is an Auto Scaling group. It starts with Desired members, in service.
type Group struct {
	Name              string
	Min, Max, Desired int
	Zones             []string // all of the region when empty
	Pools             []string // names
	Hook              *Hook    // of termination
	Launch            *Hook    // of launches; what is launched then says Status=standby
	HealthCheck       string   // "EC2" when empty, or "ELB"
	Suspended         []string
	Tags              map[string]string // of the group itself
	// Model is what its members are like; their names are Group's and a number.
	Model Instance
}

// Hook holds up a termination, or a launch. A launch whose time is over is let in where
// Continue says so, and is ended else.
type Hook struct {
	Name      string
	Heartbeat time.Duration
	Continue  bool
}

// Instance is a machine. ID, Zone and Address are chosen when empty.
type Instance struct {
	ID, Name, Role, Type, Zone, Address string
	Tags                                map[string]string
	Volumes                             []Volume      // a root volume that goes with it, when empty
	Spot, Locked, Protected             bool          // Locked: termination is disabled
	Age                                 time.Duration // a day when 0
	Host                                Host
}

func (m Instance) age() time.Duration { return cmp.Or(m.Age, 24*time.Hour) }

// Volume is a disk of an instance. A Kept one outlives it.
type Volume struct {
	ID, Device string
	Kept       bool
}

// DemoKey is the access key id of the account of Demo.
const DemoKey = "AKIASANDBOX00000001"

// Demo is the sandbox's fleet: twelve web servers behind an application load
// balancer, three workers behind a network load balancer, each in a group that
// replaces them, and two machines that nothing replaces. It is in the account "main",
// in Tokyo.
func Demo() Fleet {
	day := 24 * time.Hour
	return Fleet{
		Accounts: []Account{{Name: "main", Number: "123456789012"}},
		Regions:  []string{"ap-northeast-1"},
		In: []Estate{{
			Pools: []Pool{
				{Name: "web", Kind: KindALB, Port: 8080, Delay: 30 * time.Second},
				{Name: "worker-tcp", Kind: KindNLB, Port: 9000, Delay: 30 * time.Second, CrossZone: "true"},
			},
			Groups: []Group{
				{
					Name: "web", Min: 6, Max: 18, Desired: 12, Pools: []string{"web"}, HealthCheck: "ELB",
					Model: Instance{Role: "app", Age: 9 * day, Host: Host{Connections: 42, BufferBytes: 3 << 20}},
				},
				{
					Name: "worker", Min: 2, Max: 6, Desired: 3, Pools: []string{"worker-tcp"},
					Model: Instance{Role: "worker", Age: 4 * day, Host: Host{Connections: 7, BufferBytes: 1 << 20}},
				},
			},
			Instances: []Instance{
				{Name: "db-1", Role: "db", Type: "r5.xlarge", Age: 200 * day, Locked: true,
					Volumes: []Volume{{Device: "/dev/xvda"}, {Device: "/dev/sdf", Kept: true}}, Host: Host{Connections: 88}},
				{Name: "bastion", Role: "bastion", Type: "t3.micro", Age: 90 * day},
			},
		}},
	}
}

func plant(f Fleet, now time.Time) (*world, error) {
	w := &world{Accounts: slices.Clone(f.Accounts)}
	if len(f.Accounts) == 0 {
		w.Accounts = []Account{{Name: "main", Number: "123456789012"}}
	}
	regions := f.Regions
	if len(regions) == 0 {
		regions = []string{"ap-northeast-1"}
	}
	for _, a := range w.Accounts {
		for _, r := range regions {
			w.Sites = append(w.Sites, &site{Account: a.Name, Number: a.Number, Region: r, Zones: []string{r + "a", r + "c", r + "d"}})
		}
	}
	for _, e := range f.In {
		s := w.site(cmp.Or(e.Account, w.Accounts[0].Name), cmp.Or(e.Region, regions[0]))
		if s == nil {
			return nil, fmt.Errorf("no account %q in region %q", e.Account, e.Region)
		}
		if err := s.plant(w, e, now); err != nil {
			return nil, err
		}
	}
	return w, nil
}

func (s *site) plant(w *world, e Estate, now time.Time) error {
	for _, g := range e.SecurityGroups {
		s.plantFirewall(w, g, now)
	}
	for _, p := range e.Pools {
		s.Pools = append(s.Pools, newPool(p, len(s.Pools)+1))
	}
	for _, g := range e.Groups {
		if err := s.plantGroup(w, g, now); err != nil {
			return err
		}
	}
	for n, m := range e.Instances {
		m.Zone = cmp.Or(m.Zone, s.Zones[n%len(s.Zones)])
		s.add(w, m, m.Name, now.Add(-m.age()))
	}
	for _, p := range e.Pools {
		for _, id := range p.Instances {
			if s.instance(id) == nil {
				return fmt.Errorf("pool %s: no instance %s", p.Name, id)
			}
			s.pool(p.Name).enter(id, 0, "", time.Time{})
		}
	}
	for _, i := range e.Images {
		if i.Tags = maps.Clone(i.Tags); i.Tags == nil {
			i.Tags = map[string]string{}
		}
		s.Images = append(s.Images, &i)
	}
	for _, name := range e.Parameters {
		if !slices.Contains(s.Parameters, name) {
			s.Parameters = append(s.Parameters, name)
		}
	}
	for _, r := range e.Repositories {
		s.Repositories = append(s.Repositories, newRepository(r, now))
	}
	for _, p := range e.Projects {
		s.Projects = append(s.Projects, newProject(p))
	}
	for _, c := range e.Clusters {
		if err := s.plantCluster(w, c, now); err != nil {
			return err
		}
	}
	return nil
}

func (s *site) plantGroup(w *world, seed Group, now time.Time) error {
	g := &group{
		Name: seed.Name, Min: seed.Min, Max: seed.Max, Desired: seed.Desired,
		Zones: seed.Zones, Pools: seed.Pools, Role: seed.Model.Role, HealthCheck: cmp.Or(seed.HealthCheck, "EC2"),
		Hook: seed.Hook, Launch: seed.Launch, Suspended: slices.Clone(seed.Suspended), Model: seed.Model, Made: now.Add(-seed.Model.age()),
	}
	if len(g.Zones) == 0 {
		g.Zones = s.Zones
	}
	for _, k := range slices.Sorted(maps.Keys(seed.Tags)) {
		g.Tags = append(g.Tags, groupTag{Key: k, Value: seed.Tags[k]})
	}
	if seed.Model.Role != "" {
		g.Tags = append(g.Tags, groupTag{Key: "Role", Value: seed.Model.Role, Propagate: true})
	}
	status := "working"
	if seed.Launch != nil {
		status = "standby"
	}
	g.Tags = append(g.Tags, groupTag{Key: "Status", Value: status, Propagate: true})
	for _, name := range g.Pools {
		if s.pool(name) == nil {
			return fmt.Errorf("group %s: no pool %s", g.Name, name)
		}
	}
	s.Groups = append(s.Groups, g)
	for range g.Desired {
		i := s.launch(w, g, g.Made)
		i.Lifecycle, i.Next, i.Hooked, i.Tags["Status"] = inService, time.Time{}, false, "working"
		i.Running = i.Launched
		for _, name := range g.Pools {
			s.pool(name).enter(i.ID, 0, "", i.Launched)
		}
	}
	return nil
}

func newPool(p Pool, n int) *pool {
	kind := cmp.Or(p.Kind, KindALB)
	cross := map[string]string{KindALB: "use_load_balancer_configuration", KindNLB: "use_load_balancer_configuration", KindClassic: "true"}
	delay := cmp.Or(p.Delay, 300*time.Second)
	return &pool{
		Name: p.Name, Kind: kind, Balancer: cmp.Or(p.Balancer, p.Name), Port: cmp.Or(p.Port, 80),
		Delay: max(0, delay), Interval: cmp.Or(p.Interval, 10*time.Second),
		HealthyAfter: cmp.Or(p.HealthyAfter, 3), UnhealthyAfter: cmp.Or(p.UnhealthyAfter, 2),
		CrossZone: cmp.Or(p.CrossZone, cross[kind]), MinHealthy: p.MinHealthy, MinHealthyPercent: p.MinHealthyPercent,
		Number: n,
	}
}

// add makes an instance as the seed or a group wants it.
func (s *site) add(w *world, m Instance, name string, at time.Time) *instance {
	n := w.next()
	i := &instance{
		ID: cmp.Or(m.ID, fmt.Sprintf("i-0a%015x", n)), Type: cmp.Or(m.Type, "c5.large"), Zone: cmp.Or(m.Zone, s.Zones[0]),
		Address: cmp.Or(m.Address, fmt.Sprintf("10.0.%d.%d", n/200, 10+n%200)), Tags: map[string]string{},
		Volumes: slices.Clone(m.Volumes), Spot: m.Spot, Locked: m.Locked, Protected: m.Protected,
		Launched: at, Running: at, Host: m.Host,
	}
	if len(i.Volumes) == 0 {
		i.Volumes = []Volume{{Device: "/dev/xvda"}}
	}
	for k := range i.Volumes {
		i.Volumes[k].ID = cmp.Or(i.Volumes[k].ID, fmt.Sprintf("vol-0a%013x%02x", n, k))
	}
	maps.Copy(i.Tags, m.Tags)
	for k, v := range map[string]string{"Name": name, "Role": m.Role, "Status": "working"} {
		if _, has := i.Tags[k]; !has && v != "" {
			i.Tags[k] = v
		}
	}
	i.Host.Since = at
	s.Instances = append(s.Instances, i)
	return i
}
