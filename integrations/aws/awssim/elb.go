package awssim

import (
	"slices"
	"time"
)

const classicParams = "LoadBalancerName Instances.member.#.InstanceId"

func elbOps() []op {
	return []op{
		{
			service: elbService, action: "DescribeLoadBalancers", do: describeClassics,
			takes: split("LoadBalancerNames.member.# Marker PageSize"),
		},
		{
			service: elbService, action: "DescribeLoadBalancerAttributes", do: describeClassicAttributes,
			takes: split("LoadBalancerName"), needs: split("LoadBalancerName"),
		},
		{
			service: elbService, action: "DescribeInstanceHealth", do: describeInstanceHealth,
			takes: split(classicParams), needs: split("LoadBalancerName"),
		},
		{
			service: elbService, action: "DeregisterInstancesFromLoadBalancer", change: true, do: leaveClassic,
			takes: split(classicParams), needs: split("LoadBalancerName Instances.member.1.InstanceId"),
		},
		{
			service: elbService, action: "RegisterInstancesWithLoadBalancer", change: true, do: enterClassic,
			takes: split(classicParams), needs: split("LoadBalancerName Instances.member.1.InstanceId"),
		},
	}
}

type classicInstance struct {
	ID string `xml:"InstanceId"`
}

type classic struct {
	Name      string            `xml:"LoadBalancerName"`
	DNS       string            `xml:"DNSName"`
	Zones     []string          `xml:"AvailabilityZones>member"`
	Instances []classicInstance `xml:"Instances>member"`
	Check     classicCheck      `xml:"HealthCheck"`
	Scheme    string
}

type classicCheck struct {
	Target                                                  string
	Interval, Timeout, UnhealthyThreshold, HealthyThreshold int
}

func (c *call) classic(name string) (*pool, error) {
	if p := c.site.pool(name, KindClassic); p != nil {
		return p, nil
	}
	return nil, refuse("LoadBalancerNotFound", "There is no ACTIVE Load Balancer named '%s'", name)
}

func (c *call) classicMembers(p *pool) []classicInstance {
	var out []classicInstance
	for _, s := range p.Seats {
		if s.Left.IsZero() {
			out = append(out, classicInstance{s.ID})
		}
	}
	return out
}

func describeClassics(c *call) (any, error) {
	var all []*pool
	if names := c.p.list("LoadBalancerNames.member"); len(names) > 0 {
		for _, n := range names {
			p, err := c.classic(n)
			if err != nil {
				return nil, err
			}
			all = append(all, p)
		}
	} else {
		all = slices.DeleteFunc(slices.Clone(c.site.Pools), func(p *pool) bool { return p.Kind != KindClassic })
	}
	all, next, err := page(c, all, "PageSize", "Marker", "ValidationError", 400, 1, 400)
	var out struct {
		List       []classic `xml:"LoadBalancerDescriptions>member"`
		NextMarker string    `xml:",omitempty"`
	}
	out.NextMarker = next
	for _, p := range all {
		out.List = append(out.List, classic{
			Name: p.Name, DNS: p.Name + "." + c.site.Region + ".elb.amazonaws.com", Zones: c.site.Zones, Scheme: "internet-facing",
			Instances: c.classicMembers(p),
			Check:     classicCheck{"TCP:80", int(p.Interval / time.Second), 5, p.UnhealthyAfter, p.HealthyAfter},
		})
	}
	return out, err
}

func describeClassicAttributes(c *call) (any, error) {
	p, err := c.classic(c.p["LoadBalancerName"])
	if err != nil {
		return nil, err
	}
	var out struct {
		Cross    bool `xml:"LoadBalancerAttributes>CrossZoneLoadBalancing>Enabled"`
		Draining bool `xml:"LoadBalancerAttributes>ConnectionDraining>Enabled"`
		Timeout  int  `xml:"LoadBalancerAttributes>ConnectionDraining>Timeout"`
		Idle     int  `xml:"LoadBalancerAttributes>ConnectionSettings>IdleTimeout"`
		Log      bool `xml:"LoadBalancerAttributes>AccessLog>Enabled"`
	}
	out.Cross, out.Draining, out.Timeout, out.Idle = p.CrossZone == "true", p.Delay > 0, int(p.Delay/time.Second), 60
	return out, nil
}

type classicState struct {
	Instance    string `xml:"InstanceId"`
	State       string
	ReasonCode  string
	Description string
}

var classicStates = map[string]classicState{
	seatInitial:   {"", "OutOfService", "ELB", "Instance registration is still in progress."},
	seatHealthy:   {"", "InService", "N/A", "N/A"},
	seatUnhealthy: {"", "OutOfService", "Instance", "Instance has failed at least the UnhealthyThreshold number of health checks consecutively."},
	seatDraining:  {"", "OutOfService", "N/A", "Instance deregistration currently in progress."},
	seatUnused:    {"", "OutOfService", "Instance", "Instance is in terminated state."},
	seatGone:      {"", "OutOfService", "Instance", "Instance is not currently registered with the LoadBalancer."},
}

// classicState of an instance that is leaving is still InService if it was healthy: so
// the state alone does not say that it has left.
func (c *call) classicState(p *pool, id string) classicState {
	state := seatGone
	s := p.seat(id, 0)
	if s != nil {
		state = p.state(c.site, s, c.now)
	}
	out := classicStates[state]
	out.Instance = id
	if state == seatDraining && s.WasHealthy {
		out.State = "InService"
	}
	return out
}

func (c *call) classicNamed() ([]string, error) {
	var ids []string
	for _, x := range c.p.each("Instances.member") {
		if id := x["InstanceId"]; c.site.instance(id) == nil {
			return nil, refuse("InvalidInstance", "Could not find EC2 instance %s.", id)
		}
		ids = append(ids, x["InstanceId"])
	}
	return ids, nil
}

func describeInstanceHealth(c *call) (any, error) {
	p, err := c.classic(c.p["LoadBalancerName"])
	if err != nil {
		return nil, err
	}
	ids, err := c.classicNamed()
	if err != nil {
		return nil, err
	}
	if len(ids) == 0 {
		for _, s := range p.Seats {
			if p.state(c.site, s, c.now) != seatGone {
				ids = append(ids, s.ID)
			}
		}
	}
	var out struct {
		States []classicState `xml:"InstanceStates>member"`
	}
	for _, id := range ids {
		out.States = append(out.States, c.classicState(p, id))
	}
	return out, nil
}

type classicList struct {
	Instances []classicInstance `xml:"Instances>member"`
}

func leaveClassic(c *call) (any, error) {
	p, err := c.classic(c.p["LoadBalancerName"])
	if err != nil {
		return nil, err
	}
	ids, err := c.classicNamed()
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if s := p.seat(id, 0); s != nil {
			p.part(c.site, s, c.now)
		}
	}
	return classicList{c.classicMembers(p)}, nil
}

func enterClassic(c *call) (any, error) {
	p, err := c.classic(c.p["LoadBalancerName"])
	if err != nil {
		return nil, err
	}
	ids, err := c.classicNamed()
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if c.site.instance(id).state(c.now) == "terminated" {
			return nil, refuse("InvalidInstance", "EC2 instance %s is terminated.", id)
		}
	}
	for _, id := range ids {
		p.enter(id, 0, "", c.now)
	}
	return classicList{c.classicMembers(p)}, nil
}
