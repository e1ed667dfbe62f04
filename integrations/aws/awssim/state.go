package awssim

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// world is all that is kept. Slices, not maps: they have an order, and the order of
// events decides the ids of what they make.
type world struct {
	Seq      int       // of ids
	Rolls    int       // of deployments, and of tasks without a machine
	Settled  time.Time // all has happened until then
	Accounts []Account
	Sites    []*site
	Keys     []tempKey
}

// tempKey is what AssumeRole gave away.
type tempKey struct {
	ID, Token, Account, Role, Session string
	Until                             time.Time
}

// site is one account in one region.
type site struct {
	Account, Number, Region string
	Zones                   []string
	Instances               []*instance
	Groups                  []*group
	Pools                   []*pool
	Commands                []*command
	Clusters                []*cluster
	Texts                   []Text
	OptedOut                []string // phones
	Definitions             []*definition
	Repositories            []*repository
	Parameters              []string // of Systems Manager, by their names
	Images                  []*Image
	Projects                []*project
	Firewalls               []*firewall
}

type instance struct {
	ID, Type, Zone, Address string
	Tags                    map[string]string
	Volumes                 []Volume
	Spot, Locked            bool
	// Launched; Running, Ending and Ended say from when on it is running,
	// shutting down and terminated. Zero is not at all.
	Launched, Running, Ending, Ended time.Time
	Why                              string // it ended
	SpotNotice                       time.Time

	// Group, and where the instance stands in it. Next is when that changes by
	// itself, zero if it does not.
	Group, Lifecycle string
	Protected        bool
	Next             time.Time
	Hooked           bool      // it has to pass the launch hook of its group
	WaitEnd          time.Time // at a hook, however often a heartbeat comes

	Host Host
}

type group struct {
	Name              string
	Min, Max, Desired int
	Zones, Pools      []string
	Role              string
	HealthCheck       string // EC2 or ELB
	Hook, Launch      *Hook
	Suspended         []string
	Resumed           time.Time // when the last of them was
	Tags              []groupTag
	Untagged          Untagged // the last that was taken away
	Model             Instance // what it launches
	Launched          int      // names given so far
	Off               time.Time
	Refreshing        bool
	Made              time.Time
	Activities        []activity
}

type groupTag struct {
	Key, Value string
	Propagate  bool
}

type activity struct {
	ID, What, Cause string
	Start, End      time.Time
}

// pool is a target group or a classic load balancer.
type pool struct {
	Name, Kind, Balancer          string
	Port                          int
	Delay, Interval               time.Duration
	HealthyAfter, UnhealthyAfter  int
	CrossZone                     string // true, false or use_load_balancer_configuration
	MinHealthy, MinHealthyPercent int
	Number                        int // for its ARN
	Seats                         []*seat
}

// seat is an instance in a pool. Left is when it was deregistered, zero when it was
// not; a seat that left is kept for a while, as its connections are worked out from it.
type seat struct {
	ID            string
	Port          int
	Zone          string // that it was registered with
	Entered, Left time.Time
	WasHealthy    bool // when it left
}

type command struct {
	ID, Comment, Script string
	Sent                time.Time
	Delivery, Execution time.Duration
	Runs                []*run
}

// run is a command on one instance. Next is when it goes on by itself.
type run struct {
	Instance        string
	Status, Details string
	Out             string
	Exit            int
	Late            bool // it runs longer than it may
	Start, End      time.Time
	Next            time.Time
}

func (w *world) clone() *world {
	b, err := json.Marshal(w)
	if err != nil {
		panic(fmt.Sprintf("awssim: copy the state: %v", err)) // plain data
	}
	out := &world{}
	if err := json.Unmarshal(b, out); err != nil {
		panic(fmt.Sprintf("awssim: copy the state: %v", err))
	}
	return out
}

func (w *world) next() int {
	w.Seq++
	return w.Seq
}

func (w *world) account(name string) *Account {
	for i := range w.Accounts {
		if w.Accounts[i].Name == name {
			return &w.Accounts[i]
		}
	}
	return nil
}

func (w *world) site(account, region string) *site {
	for _, s := range w.Sites {
		if s.Account == account && s.Region == region {
			return s
		}
	}
	return nil
}

// find looks an instance up in all sites.
func (w *world) find(id string) (*site, *instance) {
	for _, s := range w.Sites {
		if i := s.instance(id); i != nil {
			return s, i
		}
	}
	return nil, nil
}

func (s *site) instance(id string) *instance {
	for _, i := range s.Instances {
		if i.ID == id {
			return i
		}
	}
	return nil
}

func (s *site) group(name string) *group {
	for _, g := range s.Groups {
		if g.Name == name {
			return g
		}
	}
	return nil
}

// pool finds one of the kinds by its name.
func (s *site) pool(name string, kinds ...string) *pool {
	for _, p := range s.Pools {
		if p.Name == name && (len(kinds) == 0 || slices.Contains(kinds, p.Kind)) {
			return p
		}
	}
	return nil
}

func (s *site) members(g *group) []*instance {
	var out []*instance
	for _, i := range s.Instances {
		if i.Group == g.Name {
			out = append(out, i)
		}
	}
	return out
}

// The states of an instance, in EC2's words, with EC2's codes.
var stateCodes = map[string]int{"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48}

func (i *instance) state(now time.Time) string {
	switch {
	case !i.Ended.IsZero() && !now.Before(i.Ended):
		return "terminated"
	case !i.Ending.IsZero() && !now.Before(i.Ending):
		return "shutting-down"
	case now.Before(i.Running):
		return "pending"
	}
	return "running"
}

// end begins the end of an instance.
func (i *instance) end(at time.Time, why string) {
	if i.Ending.IsZero() {
		i.Ending, i.Ended, i.Why = at, at.Add(ShutdownTime), why
	}
}

func (s *site) arn(service, rest string) string {
	return "arn:aws:" + service + ":" + s.Region + ":" + s.Number + ":" + rest
}

// poolARN is the ARN of a target group.
func (s *site) poolARN(p *pool) string {
	return s.arn("elasticloadbalancing", fmt.Sprintf("targetgroup/%s/%016x", p.Name, p.Number))
}

var balancerPaths = map[string]string{KindALB: "app", KindNLB: "net"}

func (s *site) balancerARN(p *pool) string {
	first := p // a balancer has the number of its first target group
	for _, q := range s.Pools {
		if q.Kind == p.Kind && q.Balancer == p.Balancer {
			first = q
			break
		}
	}
	return s.arn("elasticloadbalancing", fmt.Sprintf("loadbalancer/%s/%s/%016x", balancerPaths[p.Kind], p.Balancer, first.Number))
}

func (s *site) groupARN(g *group) string {
	return s.arn("autoscaling", "autoScalingGroup:00000000-0000-4000-8000-000000000000:autoScalingGroupName/"+g.Name)
}
