package elb

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// targetGroups lists the groups whose targets are instances; fresh asks again although
// the list is not old.
func (r *Reader) targetGroups(ctx context.Context, fresh bool) ([]types.TargetGroup, error) {
	r.mu.Lock()
	known, asOf := r.groups, r.asOf
	r.mu.Unlock()
	if age := r.now().Sub(asOf); !fresh && !asOf.IsZero() && age >= 0 && age < groupsFor {
		return known, nil
	}
	asked := r.now()
	var out []types.TargetGroup
	pages := v2.NewDescribeTargetGroupsPaginator(r.v2, &v2.DescribeTargetGroupsInput{PageSize: aws.Int32(pageSize)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, g := range page.TargetGroups {
			if g.TargetType == types.TargetTypeEnumInstance {
				out = append(out, g)
			}
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.groups, r.asOf = out, asked
	return out, nil
}

// forget has the list asked for again: it named a group that is gone.
func (r *Reader) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asOf = time.Time{}
}

func notFound(err error) bool {
	var group *types.TargetGroupNotFoundException
	return errors.As(err, &group)
}

// groupOf reads a target group if it has a seat for the instance; nil if it has none,
// or is gone.
func (r *Reader) groupOf(ctx context.Context, g types.TargetGroup, instance string) (*integrations.Pool, error) {
	seats, err := r.targets(ctx, g, nil)
	if notFound(err) {
		r.forget()
		return nil, nil
	}
	if err != nil || !holds(seats, instance) {
		return nil, err
	}
	p, err := r.group(ctx, g)
	if notFound(err) {
		r.forget()
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	p.Seats = seats
	return &p, nil
}

// TargetGroup reads a target group by its ARN, with all its seats and those asked for.
func (r *Reader) TargetGroup(ctx context.Context, arn string, asked []integrations.Seat) (integrations.Pool, error) {
	g, ok, err := r.find(ctx, arn)
	if err != nil {
		return integrations.Pool{}, err
	}
	kind := integrations.PoolALB
	if len(asked) > 0 && asked[0].Kind != "" {
		kind = asked[0].Kind
	}
	if !ok {
		return gone(arn, targetGroupName(arn), kind, asked), nil
	}
	p, seats, err := r.whole(ctx, g, asked)
	if notFound(err) {
		r.forget()
		return gone(arn, targetGroupName(arn), kind, asked), nil
	}
	if err != nil {
		return integrations.Pool{}, err
	}
	p.Seats = seats
	return p, nil
}

func (r *Reader) whole(ctx context.Context, g types.TargetGroup, asked []integrations.Seat) (integrations.Pool, []integrations.Seat, error) {
	seats, err := r.targets(ctx, g, nil)
	if err != nil {
		return integrations.Pool{}, nil, err
	}
	// One that is asked for by itself is told with the reason why it is not there.
	if more := lacking(seats, asked); len(more) > 0 {
		said, err := r.targets(ctx, g, more)
		if err != nil {
			return integrations.Pool{}, nil, err
		}
		seats = append(seats, said...)
		for _, s := range lacking(said, more) {
			seats = append(seats, unused(s, kindOf(g.Protocol)))
		}
	}
	p, err := r.group(ctx, g)
	return p, seats, err
}

// find looks a group up, in a fresh list if the one at hand does not have it.
func (r *Reader) find(ctx context.Context, arn string) (types.TargetGroup, bool, error) {
	for _, fresh := range []bool{false, true} {
		groups, err := r.targetGroups(ctx, fresh)
		if err != nil {
			return types.TargetGroup{}, false, err
		}
		if n := slices.IndexFunc(groups, func(g types.TargetGroup) bool { return aws.ToString(g.TargetGroupArn) == arn }); n >= 0 {
			return groups[n], true, nil
		}
	}
	return types.TargetGroup{}, false, nil
}

// targetGroupName reads it from an ARN: "…:targetgroup/web/73e2d6bc24d8a067".
func targetGroupName(arn string) string {
	parts := strings.Split(arn, "/")
	return parts[max(0, len(parts)-2)]
}

// kinds are the load balancers that speak a protocol. One that is not here is taken to
// be a network load balancer's, which needs the more patience of the two.
var kinds = map[types.ProtocolEnum]string{types.ProtocolEnumHttp: integrations.PoolALB, types.ProtocolEnumHttps: integrations.PoolALB}

func kindOf(p types.ProtocolEnum) string {
	if kind, ok := kinds[p]; ok {
		return kind
	}
	return integrations.PoolNLB
}

// targets reads the seats of a group: all, or how those asked for are.
func (r *Reader) targets(ctx context.Context, g types.TargetGroup, asked []integrations.Seat) ([]integrations.Seat, error) {
	in := &v2.DescribeTargetHealthInput{TargetGroupArn: g.TargetGroupArn}
	for _, s := range asked {
		in.Targets = append(in.Targets, target(s))
	}
	got, err := r.v2.DescribeTargetHealth(ctx, in)
	if err != nil {
		return nil, err
	}
	var out []integrations.Seat
	for _, d := range got.TargetHealthDescriptions {
		s := integrations.Seat{Pool: aws.ToString(g.TargetGroupArn), Kind: kindOf(g.Protocol), Connections: -1}
		if d.Target != nil {
			s.Instance, s.Port, s.Zone = aws.ToString(d.Target.Id), int(aws.ToInt32(d.Target.Port)), aws.ToString(d.Target.AvailabilityZone)
		}
		if d.TargetHealth != nil {
			s.State, s.Reason = string(d.TargetHealth.State), string(d.TargetHealth.Reason)
		}
		out = append(out, s)
	}
	return out, nil
}

func target(s integrations.Seat) types.TargetDescription {
	t := types.TargetDescription{Id: aws.String(s.Instance)}
	if s.Port != 0 {
		t.Port = aws.Int32(int32(s.Port))
	}
	if s.Zone != "" {
		t.AvailabilityZone = aws.String(s.Zone)
	}
	return t
}

// Attributes of target groups and load balancers, by the API reference's names.
const (
	attrDelay   = "deregistration_delay.timeout_seconds"
	attrSpread  = "load_balancing.cross_zone.enabled"
	attrLeast   = "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count"
	attrPercent = "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage"
	askBalancer = "use_load_balancer_configuration"
)

// group reads what a target group is set to.
func (r *Reader) group(ctx context.Context, g types.TargetGroup) (integrations.Pool, error) {
	p := integrations.Pool{ID: aws.ToString(g.TargetGroupArn), Name: aws.ToString(g.TargetGroupName), Kind: kindOf(g.Protocol)}
	got, err := r.v2.DescribeTargetGroupAttributes(ctx, &v2.DescribeTargetGroupAttributesInput{TargetGroupArn: g.TargetGroupArn})
	if err != nil {
		return p, err
	}
	set := map[string]string{}
	for _, a := range got.Attributes {
		set[aws.ToString(a.Key)] = aws.ToString(a.Value)
	}
	p.Delay = 300 * time.Second // what a group has that says nothing
	if n, ok := number(set[attrDelay]); ok {
		p.Delay = time.Duration(n) * time.Second
	}
	p.MinHealthy, _ = number(set[attrLeast])
	p.MinHealthyPercent, _ = number(set[attrPercent]) // or "off"
	spread, err := r.balancers(ctx, g, &p, set[attrSpread])
	p.Spread = spread
	return p, err
}

func number(s string) (int, bool) {
	n, err := strconv.Atoi(s)
	return n, err == nil && n >= 0
}

// balancers reads the zones of a group's load balancers, and whether each instance
// takes requests of all of them: by the group's own setting, or by theirs. Application
// load balancers do so unless the group says otherwise.
func (r *Reader) balancers(ctx context.Context, g types.TargetGroup, p *integrations.Pool, setting string) (bool, error) {
	spread := setting == "true"
	ask := setting == askBalancer || setting == ""
	if ask {
		spread = p.Kind == integrations.PoolALB
	}
	if len(g.LoadBalancerArns) == 0 {
		return spread, nil
	}
	got, err := r.v2.DescribeLoadBalancers(ctx, &v2.DescribeLoadBalancersInput{LoadBalancerArns: g.LoadBalancerArns})
	if err != nil {
		return false, err
	}
	for n, b := range got.LoadBalancers {
		for _, z := range b.AvailabilityZones {
			if name := aws.ToString(z.ZoneName); !slices.Contains(p.Zones, name) {
				p.Zones = append(p.Zones, name)
			}
		}
		if ask && p.Kind != integrations.PoolALB {
			own, err := r.balancerSpreads(ctx, b.LoadBalancerArn)
			if err != nil {
				return false, err
			}
			spread = own && (spread || n == 0)
		}
	}
	slices.Sort(p.Zones)
	return spread, nil
}

func (r *Reader) balancerSpreads(ctx context.Context, arn *string) (bool, error) {
	got, err := r.v2.DescribeLoadBalancerAttributes(ctx, &v2.DescribeLoadBalancerAttributesInput{LoadBalancerArn: arn})
	if err != nil {
		return false, err
	}
	for _, a := range got.Attributes {
		if aws.ToString(a.Key) == attrSpread {
			return aws.ToString(a.Value) == "true", nil
		}
	}
	return false, nil
}

// LeaveTargetGroup deregisters a seat by its id, port and zone. One that is not there
// is no error to the service: only a look tells.
func (m *Mover) LeaveTargetGroup(ctx context.Context, s integrations.Seat) error {
	_, err := m.v2.DeregisterTargets(ctx, &v2.DeregisterTargetsInput{TargetGroupArn: &s.Pool, Targets: []types.TargetDescription{target(s)}})
	return err
}

// JoinTargetGroup registers it again, as it was.
func (m *Mover) JoinTargetGroup(ctx context.Context, s integrations.Seat) error {
	_, err := m.v2.RegisterTargets(ctx, &v2.RegisterTargetsInput{TargetGroupArn: &s.Pool, Targets: []types.TargetDescription{target(s)}})
	return err
}
