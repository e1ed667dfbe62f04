package awssim

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

func targetsOf(ids ...string) []types.TargetDescription {
	var out []types.TargetDescription
	for _, id := range ids {
		out = append(out, types.TargetDescription{Id: aws.String(id)})
	}
	return out
}

// health is the state and the reason of one target.
func (b *bench) health(arn, id string) string {
	b.Helper()
	out := ok[*elbv2.DescribeTargetHealthOutput](b)(b.elbv2.DescribeTargetHealth(b.ctx, &elbv2.DescribeTargetHealthInput{TargetGroupArn: aws.String(arn), Targets: targetsOf(id)}))
	if len(out.TargetHealthDescriptions) != 1 {
		b.Fatalf("%d targets are told of, one was asked for", len(out.TargetHealthDescriptions))
	}
	h := out.TargetHealthDescriptions[0].TargetHealth
	return fmt.Sprintf("%s/%s", h.State, h.Reason)
}

func (b *bench) arn(name string) string {
	b.Helper()
	out := ok[*elbv2.DescribeTargetGroupsOutput](b)(b.elbv2.DescribeTargetGroups(b.ctx, &elbv2.DescribeTargetGroupsInput{Names: []string{name}}))
	return aws.ToString(out.TargetGroups[0].TargetGroupArn)
}

func (b *bench) deregister(pool, name string) {
	b.Helper()
	_, err := b.elbv2.DeregisterTargets(b.ctx, &elbv2.DeregisterTargetsInput{TargetGroupArn: aws.String(b.arn(pool)), Targets: targetsOf(b.id(name))})
	b.must(err)
}

func TestATargetDrainsForTheDelay(t *testing.T) {
	b := newBench(t, Demo(), nil)
	equal(b, "before", b.target("web", "web-1"), "healthy/")
	b.deregister("web", "web-1")
	b.clock.pass(30*time.Second - time.Millisecond)
	equal(b, "within the delay", b.target("web", "web-1"), "draining/Target.DeregistrationInProgress")
	b.deregister("web", "web-1") // again, which does not begin the delay again
	b.clock.pass(time.Millisecond)
	equal(b, "after it", b.target("web", "web-1"), "unused/Target.NotRegistered")
	all := ok[*elbv2.DescribeTargetHealthOutput](b)(b.elbv2.DescribeTargetHealth(b.ctx, &elbv2.DescribeTargetHealthInput{TargetGroupArn: aws.String(b.arn("web"))}))
	equal(b, "listed", len(all.TargetHealthDescriptions), 11)
	_, err := b.elbv2.RegisterTargets(b.ctx, &elbv2.RegisterTargetsInput{TargetGroupArn: aws.String(b.arn("web")), Targets: targetsOf(b.id("web-1"))})
	b.must(err)
	equal(b, "registered", b.target("web", "web-1"), "initial/Elb.RegistrationInProgress")
	b.clock.pass(30 * time.Second)
	equal(b, "checked", b.target("web", "web-1"), "healthy/")
}

func TestAWrongTargetIsDeregisteredInSilence(t *testing.T) {
	b := newBench(t, Demo(), nil)
	arn := b.arn("web")
	wrong := []types.TargetDescription{{Id: aws.String(b.id("web-1")), Port: aws.Int32(81)}, {Id: aws.String("i-0bbbbbbbbbbbbbbbb")}}
	_, err := b.elbv2.DeregisterTargets(b.ctx, &elbv2.DeregisterTargetsInput{TargetGroupArn: aws.String(arn), Targets: wrong})
	b.must(err)
	equal(b, "the right one", b.target("web", "web-1"), "healthy/")
	out := ok[*elbv2.DescribeTargetHealthOutput](b)(b.elbv2.DescribeTargetHealth(b.ctx, &elbv2.DescribeTargetHealthInput{TargetGroupArn: aws.String(arn), Targets: wrong}))
	for _, d := range out.TargetHealthDescriptions {
		equal(b, "a wrong one", string(d.TargetHealth.State)+"/"+string(d.TargetHealth.Reason), "unused/Target.NotRegistered")
	}
}

func TestTargetGroupsArePagedAndBelongToBalancers(t *testing.T) {
	b := newBench(t, Demo(), nil)
	pages := elbv2.NewDescribeTargetGroupsPaginator(b.elbv2, &elbv2.DescribeTargetGroupsInput{PageSize: aws.Int32(1)})
	var names []string
	for pages.HasMorePages() {
		out := ok[*elbv2.DescribeTargetGroupsOutput](b)(pages.NextPage(b.ctx))
		equal(b, "on the page", len(out.TargetGroups), 1)
		names = append(names, aws.ToString(out.TargetGroups[0].TargetGroupName))
	}
	equal(b, "target groups", fmt.Sprint(names), "[web worker-tcp]")
	lbs := ok[*elbv2.DescribeLoadBalancersOutput](b)(b.elbv2.DescribeLoadBalancers(b.ctx, &elbv2.DescribeLoadBalancersInput{Names: []string{"worker-tcp"}}))
	equal(b, "type", lbs.LoadBalancers[0].Type, types.LoadBalancerTypeEnumNetwork)
	equal(b, "zones", len(lbs.LoadBalancers[0].AvailabilityZones), 3)
	groups := ok[*elbv2.DescribeTargetGroupsOutput](b)(b.elbv2.DescribeTargetGroups(b.ctx, &elbv2.DescribeTargetGroupsInput{LoadBalancerArn: lbs.LoadBalancers[0].LoadBalancerArn}))
	equal(b, "of the balancer", len(groups.TargetGroups), 1)
	_, err := b.elbv2.DescribeTargetGroups(b.ctx, &elbv2.DescribeTargetGroupsInput{Names: []string{"nope"}})
	b.refused(err, "TargetGroupNotFound")
}

func TestAttributesOfATargetGroup(t *testing.T) {
	fleet := Demo()
	fleet.In[0].Pools[0].MinHealthy, fleet.In[0].Pools[0].MinHealthyPercent, fleet.In[0].Pools[0].CrossZone = 3, 40, "false"
	b := newBench(t, fleet, nil)
	out := ok[*elbv2.DescribeTargetGroupAttributesOutput](b)(b.elbv2.DescribeTargetGroupAttributes(b.ctx, &elbv2.DescribeTargetGroupAttributesInput{TargetGroupArn: aws.String(b.arn("web"))}))
	got := map[string]string{}
	for _, a := range out.Attributes {
		got[aws.ToString(a.Key)] = aws.ToString(a.Value)
	}
	for key, want := range map[string]string{
		"deregistration_delay.timeout_seconds":                                           "30",
		"load_balancing.cross_zone.enabled":                                              "false",
		"target_group_health.unhealthy_state_routing.minimum_healthy_targets.count":      "3",
		"target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage": "40",
		"target_group_health.dns_failover.minimum_healthy_targets.percentage":            "off",
	} {
		equal(b, key, got[key], want)
	}
}

func TestOnlyARunningInstanceIsRegistered(t *testing.T) {
	b := newBench(t, Demo(), nil)
	register := func(id string) error {
		_, err := b.elbv2.RegisterTargets(b.ctx, &elbv2.RegisterTargetsInput{TargetGroupArn: aws.String(b.arn("web")), Targets: targetsOf(id)})
		return err
	}
	b.refused(register("i-0bbbbbbbbbbbbbbbb"), "InvalidTarget")
	b.must(b.sim.Kill(b.id("bastion")))
	b.refused(register(b.id("bastion")), "InvalidTarget")
}

func TestATargetThatIsKilledGetsRequestsUntilTheChecksFail(t *testing.T) {
	b := newBench(t, Demo(), nil)
	b.must(b.sim.Kill(b.id("web-1")))
	b.clock.pass(19 * time.Second)
	equal(b, "before", b.target("web", "web-1"), "healthy/")
	b.clock.pass(time.Second)
	equal(b, "after", b.target("web", "web-1"), "unused/Target.InvalidState")
}

func (b *bench) pool(name, pool string) PoolView {
	for _, p := range b.view(name).Pools {
		if p.Name == pool {
			return p
		}
	}
	return PoolView{}
}

func TestAnApplicationBalancerFailsOpen(t *testing.T) {
	b := newBench(t, patient(), nil)
	stop := func(name string) {
		b.must(b.sim.SetHost(b.id(name), func(h *Host) { h.Stopped = true }))
	}
	for n := 1; n < 12; n++ {
		stop(fmt.Sprintf("web-%d", n))
	}
	b.clock.pass(time.Minute)
	equal(b, "with one healthy", b.pool("web-1", "web"), PoolView{"web", KindALB, "unhealthy", false})
	stop("web-12")
	b.clock.pass(time.Minute)
	equal(b, "with none", b.pool("web-1", "web"), PoolView{"web", KindALB, "unhealthy", true})
}

func TestANetworkBalancerSendsForTwoMinutesMore(t *testing.T) {
	b := newBench(t, Demo(), nil)
	b.deregister("worker-tcp", "worker-1")
	b.clock.pass(2*time.Minute - time.Second)
	equal(b, "target", b.target("worker-tcp", "worker-1"), "unused/Target.NotRegistered")
	equal(b, "connections", b.view("worker-1").Connections, 7)
	equal(b, "pool", b.pool("worker-1", "worker-tcp"), PoolView{"worker-tcp", KindNLB, "unused", true})
	b.clock.pass(time.Second + LeavingTime)
	equal(b, "connections", b.view("worker-1").Connections, 0)
}

func TestConnectionsEndWhenAnApplicationBalancerLetsGo(t *testing.T) {
	b := newBench(t, Demo(), nil)
	equal(b, "before", b.view("web-1").Connections, 42)
	b.deregister("web", "web-1")
	b.clock.pass(LeavingTime / 2)
	equal(b, "half way", b.view("web-1").Connections, 21)
	b.clock.pass(LeavingTime / 2)
	equal(b, "after", b.view("web-1").Connections, 0)
}
