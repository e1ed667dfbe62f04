package awssim

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const targetParams = "Targets.member.#.Id Targets.member.#.Port Targets.member.#.AvailabilityZone"

func elbv2Ops() []op {
	return []op{
		{
			service: elbv2Service, action: "DescribeLoadBalancers", do: describeBalancers,
			takes: split("LoadBalancerArns.member.# Names.member.# Marker PageSize"),
		},
		{
			service: elbv2Service, action: "DescribeLoadBalancerAttributes", do: describeBalancerAttributes,
			takes: split("LoadBalancerArn"), needs: split("LoadBalancerArn"),
		},
		{
			service: elbv2Service, action: "DescribeTargetGroups", do: describeTargetGroups,
			takes: split("LoadBalancerArn TargetGroupArns.member.# Names.member.# Marker PageSize"),
		},
		{
			service: elbv2Service, action: "DescribeTargetGroupAttributes", do: describeTargetGroupAttributes,
			takes: split("TargetGroupArn"), needs: split("TargetGroupArn"),
		},
		{
			service: elbv2Service, action: "DescribeTargetHealth", do: describeTargetHealth, needs: split("TargetGroupArn"),
			takes: split("TargetGroupArn " + targetParams), knows: split("Include.** Targets.member.#.QuicServerId"),
		},
		{
			service: elbv2Service, action: "RegisterTargets", change: true, do: registerTargets, needs: split("TargetGroupArn"),
			takes: split("TargetGroupArn " + targetParams), knows: split("Targets.member.#.QuicServerId"),
		},
		{
			service: elbv2Service, action: "DeregisterTargets", change: true, do: deregisterTargets, needs: split("TargetGroupArn"),
			takes: split("TargetGroupArn " + targetParams), knows: split("Targets.member.#.QuicServerId"),
		},
	}
}

var targetKinds = []string{KindALB, KindNLB}

func (s *site) targetGroups() []*pool {
	var out []*pool
	for _, p := range s.Pools {
		if slices.Contains(targetKinds, p.Kind) {
			out = append(out, p)
		}
	}
	return out
}

func (c *call) targetGroup(arn string) (*pool, error) {
	for _, p := range c.site.targetGroups() {
		if c.site.poolARN(p) == arn {
			return p, nil
		}
	}
	if !strings.HasPrefix(arn, "arn:aws:elasticloadbalancing:") || !strings.Contains(arn, ":targetgroup/") {
		return nil, refuse("ValidationError", "'%s' is not a valid target group ARN", arn)
	}
	return nil, refuse("TargetGroupNotFound", "One or more target groups not found")
}

// chosen keeps what is named by an ARN or by a name, all when nothing is, and refuses
// what is not there.
func chosen[T any](c *call, all []T, arnKey, nameKey string, arn, name func(T) string, code, what string) ([]T, error) {
	arns, names := c.p.list(arnKey), c.p.list(nameKey)
	if len(arns) > 0 && len(names) > 0 {
		return nil, refuse("ValidationError", "%ss may not be named by ARN and by name at once", what)
	}
	if len(arns)+len(names) == 0 {
		return all, nil
	}
	var out []T
	for _, want := range append(arns, names...) {
		n := slices.IndexFunc(all, func(x T) bool {
			return len(arns) > 0 && arn(x) == want || len(names) > 0 && name(x) == want
		})
		if n < 0 {
			return nil, refuse(code, "%ss '[%s]' not found", what, want)
		}
		out = append(out, all[n])
	}
	return out, nil
}

type balancer struct {
	ARN    string `xml:"LoadBalancerArn"`
	Name   string `xml:"LoadBalancerName"`
	DNS    string `xml:"DNSName"`
	Scheme string
	State  string `xml:"State>Code"`
	Type   string
	Zones  []struct {
		Name string `xml:"ZoneName"`
	} `xml:"AvailabilityZones>member"`
}

var balancerTypes = map[string]string{KindALB: "application", KindNLB: "network"}

func describeBalancers(c *call) (any, error) {
	var all []balancer
	for _, p := range c.site.targetGroups() {
		b := balancer{
			ARN: c.site.balancerARN(p), Name: p.Balancer, DNS: p.Balancer + "." + c.site.Region + ".elb.amazonaws.com",
			Scheme: "internet-facing", State: "active", Type: balancerTypes[p.Kind],
		}
		if p.Balancer == "-" || slices.ContainsFunc(all, func(o balancer) bool { return o.ARN == b.ARN }) {
			continue
		}
		for _, z := range c.site.Zones {
			b.Zones = append(b.Zones, struct {
				Name string `xml:"ZoneName"`
			}{z})
		}
		all = append(all, b)
	}
	all, err := chosen(c, all, "LoadBalancerArns.member", "Names.member",
		func(b balancer) string { return b.ARN }, func(b balancer) string { return b.Name }, "LoadBalancerNotFound", "Load balancer")
	if err != nil {
		return nil, err
	}
	all, next, err := page(c, all, "PageSize", "Marker", "ValidationError", 400, 1, 400)
	return struct {
		LoadBalancers []balancer `xml:"LoadBalancers>member"`
		NextMarker    string     `xml:",omitempty"`
	}{all, next}, err
}

type targetGroup struct {
	ARN            string `xml:"TargetGroupArn"`
	Name           string `xml:"TargetGroupName"`
	Protocol       string
	Port           int
	TargetType     string
	Checked        bool     `xml:"HealthCheckEnabled"`
	CheckPort      string   `xml:"HealthCheckPort"`
	CheckProtocol  string   `xml:"HealthCheckProtocol"`
	Interval       int      `xml:"HealthCheckIntervalSeconds"`
	Timeout        int      `xml:"HealthCheckTimeoutSeconds"`
	HealthyAfter   int      `xml:"HealthyThresholdCount"`
	UnhealthyAfter int      `xml:"UnhealthyThresholdCount"`
	Balancers      []string `xml:"LoadBalancerArns>member"`
}

var targetProtocols = map[string]string{KindALB: "HTTP", KindNLB: "TCP"}

func describeTargetGroups(c *call) (any, error) {
	all, err := chosen(c, c.site.targetGroups(), "TargetGroupArns.member", "Names.member",
		c.site.poolARN, func(p *pool) string { return p.Name }, "TargetGroupNotFound", "Target group")
	if err != nil {
		return nil, err
	}
	if arn := c.p["LoadBalancerArn"]; arn != "" {
		all = slices.DeleteFunc(slices.Clone(all), func(p *pool) bool { return p.Balancer == "-" || c.site.balancerARN(p) != arn })
		if len(all) == 0 {
			return nil, refuse("LoadBalancerNotFound", "Load balancer '%s' not found", arn)
		}
	}
	all, next, err := page(c, all, "PageSize", "Marker", "ValidationError", 400, 1, 400)
	var out struct {
		TargetGroups []targetGroup `xml:"TargetGroups>member"`
		NextMarker   string        `xml:",omitempty"`
	}
	out.NextMarker = next
	for _, p := range all {
		g := targetGroup{
			ARN: c.site.poolARN(p), Name: p.Name, Protocol: targetProtocols[p.Kind], Port: p.Port, TargetType: "instance",
			Checked: true, CheckPort: "traffic-port", CheckProtocol: targetProtocols[p.Kind], Interval: int(p.Interval / time.Second), Timeout: 5,
			HealthyAfter: p.HealthyAfter, UnhealthyAfter: p.UnhealthyAfter,
		}
		if p.Balancer != "-" {
			g.Balancers = []string{c.site.balancerARN(p)}
		}
		out.TargetGroups = append(out.TargetGroups, g)
	}
	return out, err
}

func describeTargetGroupAttributes(c *call) (any, error) {
	p, err := c.targetGroup(c.p["TargetGroupArn"])
	if err != nil {
		return nil, err
	}
	percent := "off"
	if p.MinHealthyPercent > 0 {
		percent = strconv.Itoa(p.MinHealthyPercent)
	}
	type attribute struct{ Key, Value string }
	return struct {
		Attributes []attribute `xml:"Attributes>member"`
	}{[]attribute{
		{"deregistration_delay.timeout_seconds", strconv.Itoa(int(p.Delay / time.Second))},
		{"stickiness.enabled", "false"},
		{"load_balancing.cross_zone.enabled", p.CrossZone},
		{"target_group_health.dns_failover.minimum_healthy_targets.count", "1"},
		{"target_group_health.dns_failover.minimum_healthy_targets.percentage", "off"},
		{"target_group_health.unhealthy_state_routing.minimum_healthy_targets.count", strconv.Itoa(cmp.Or(p.MinHealthy, 1))},
		{"target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage", percent},
	}}, nil
}

type target struct {
	ID   string `xml:"Id"`
	Port int
	Zone string `xml:"AvailabilityZone,omitempty"`
}

type targetHealth struct {
	State       string
	Reason      string `xml:",omitempty"`
	Description string `xml:",omitempty"`
}

type targetDescription struct {
	Target target
	Port   string       `xml:"HealthCheckPort"`
	Health targetHealth `xml:"TargetHealth"`
}

// targetStates puts what a pool thinks of a seat in the service's words.
var targetStates = map[string]targetHealth{
	seatInitial:   {"initial", "Elb.RegistrationInProgress", "Target registration is in progress"},
	seatHealthy:   {"healthy", "", ""},
	seatUnhealthy: {"unhealthy", "Target.FailedHealthChecks", "Health checks failed"},
	seatDraining:  {"draining", "Target.DeregistrationInProgress", "Target deregistration is in progress"},
	seatUnused:    {"unused", "Target.InvalidState", "Target is in the terminated state"},
	seatGone:      {"unused", "Target.NotRegistered", "Target is not registered to the target group"},
}

var notInUse = targetHealth{"unused", "Target.NotInUse", "Target group is not configured to receive traffic from the load balancer"}

func (c *call) targetHealth(p *pool, s *seat) targetHealth {
	state := seatGone
	if s != nil {
		state = p.state(c.site, s, c.now)
	}
	if p.Balancer == "-" && state != seatGone {
		return notInUse
	}
	return targetStates[state]
}

// targets reads Targets; a port that is not given is the group's.
func (c *call) targets(p *pool) ([]target, error) {
	var out []target
	for _, t := range c.p.each("Targets.member") {
		port := p.Port
		if v, given := t["Port"]; given {
			n, err := strconv.Atoi(v)
			if err != nil || n < 1 || n > 65535 {
				return nil, refuse("ValidationError", "The port '%s' is not valid", v)
			}
			port = n
		}
		if t["Id"] == "" {
			return nil, refuse("ValidationError", "A target must be specified")
		}
		out = append(out, target{t["Id"], port, t["AvailabilityZone"]})
	}
	return out, nil
}

func describeTargetHealth(c *call) (any, error) {
	p, err := c.targetGroup(c.p["TargetGroupArn"])
	if err != nil {
		return nil, err
	}
	asked, err := c.targets(p)
	if err != nil {
		return nil, err
	}
	var out struct {
		List []targetDescription `xml:"TargetHealthDescriptions>member"`
	}
	for _, t := range asked {
		if !instanceID.MatchString(t.ID) {
			return nil, refuse("InvalidTarget", "The target '%s' is not valid", t.ID)
		}
		out.List = append(out.List, targetDescription{t, strconv.Itoa(t.Port), c.targetHealth(p, p.seat(t.ID, t.Port))})
	}
	if len(asked) > 0 {
		return out, nil
	}
	for _, s := range p.Seats {
		if p.state(c.site, s, c.now) != seatGone {
			out.List = append(out.List, targetDescription{target{s.ID, s.Port, s.Zone}, strconv.Itoa(s.Port), c.targetHealth(p, s)})
		}
	}
	return out, nil
}

func registerTargets(c *call) (any, error) {
	p, err := c.targetGroup(c.p["TargetGroupArn"])
	if err != nil {
		return nil, err
	}
	list, err := c.targets(p)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, refuse("ValidationError", "At least one target must be specified")
	}
	for _, t := range list {
		i := c.site.instance(t.ID)
		switch {
		case i == nil:
			return nil, refuse("InvalidTarget", "The following targets are not valid: '%s'", t.ID)
		case i.state(c.now) != "running":
			return nil, refuse("InvalidTarget", "The following targets are not in a running state and cannot be registered: '%s'", t.ID)
		case t.Zone != "":
			return nil, refuse("ValidationError", "You cannot specify an Availability Zone for the target '%s'", t.ID)
		}
	}
	for _, t := range list {
		p.enter(t.ID, t.Port, t.Zone, c.now)
	}
	return struct{}{}, nil
}

// deregisterTargets says yes to targets that it does not know, as the service does.
func deregisterTargets(c *call) (any, error) {
	p, err := c.targetGroup(c.p["TargetGroupArn"])
	if err != nil {
		return nil, err
	}
	list, err := c.targets(p)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, refuse("ValidationError", "At least one target must be specified")
	}
	for _, t := range list {
		if s := p.seat(t.ID, t.Port); s != nil {
			p.part(c.site, s, c.now)
		}
	}
	return struct{}{}, nil
}
