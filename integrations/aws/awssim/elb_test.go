package awssim

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"
)

// classics is a fleet with two machines behind a classic load balancer, and another
// one that has none.
func classics() Fleet {
	return Fleet{In: []Estate{{
		Pools: []Pool{
			{Name: "old", Kind: KindClassic, Delay: time.Minute, Instances: []string{"i-0c000000000000001", "i-0c000000000000002"}},
			{Name: "older", Kind: KindClassic, Delay: -1, CrossZone: "false"},
		},
		Instances: []Instance{{ID: "i-0c000000000000001", Name: "one"}, {ID: "i-0c000000000000002", Name: "two"}, {ID: "i-0c000000000000003", Name: "three"}},
	}}}
}

func classicIDs(ids ...string) []types.Instance {
	var out []types.Instance
	for _, id := range ids {
		out = append(out, types.Instance{InstanceId: aws.String(id)})
	}
	return out
}

func (b *bench) classicHealth(id string) string {
	b.Helper()
	out := ok[*elb.DescribeInstanceHealthOutput](b)(b.elb.DescribeInstanceHealth(b.ctx, &elb.DescribeInstanceHealthInput{LoadBalancerName: aws.String("old"), Instances: classicIDs(id)}))
	return aws.ToString(out.InstanceStates[0].State) + ": " + aws.ToString(out.InstanceStates[0].Description)
}

func TestAClassicBalancerDrains(t *testing.T) {
	b := newBench(t, classics(), nil)
	one := b.id("one")
	equal(b, "before", b.classicHealth(one), "InService: N/A")
	out := ok[*elb.DeregisterInstancesFromLoadBalancerOutput](b)(b.elb.DeregisterInstancesFromLoadBalancer(b.ctx, &elb.DeregisterInstancesFromLoadBalancerInput{LoadBalancerName: aws.String("old"), Instances: classicIDs(one)}))
	equal(b, "left", len(out.Instances), 1)
	equal(b, "draining", b.classicHealth(one), "InService: Instance deregistration currently in progress.")
	b.clock.pass(time.Minute)
	equal(b, "drained", b.classicHealth(one), "OutOfService: Instance is not currently registered with the LoadBalancer.")
	_, err := b.elb.RegisterInstancesWithLoadBalancer(b.ctx, &elb.RegisterInstancesWithLoadBalancerInput{LoadBalancerName: aws.String("old"), Instances: classicIDs(one)})
	b.must(err)
	equal(b, "registered", b.classicHealth(one), "OutOfService: Instance registration is still in progress.")
	b.clock.pass(30 * time.Second)
	equal(b, "checked", b.classicHealth(one), "InService: N/A")
}

// The state alone does not say that a machine has left: one that was unhealthy is out
// of service all the while.
func TestAnUnhealthyInstanceDrainsOutOfService(t *testing.T) {
	b := newBench(t, classics(), nil)
	b.must(b.sim.SetHost(b.id("one"), func(h *Host) { h.Stopped = true }))
	b.clock.pass(time.Minute)
	_, err := b.elb.DeregisterInstancesFromLoadBalancer(b.ctx, &elb.DeregisterInstancesFromLoadBalancerInput{LoadBalancerName: aws.String("old"), Instances: classicIDs(b.id("one"))})
	b.must(err)
	equal(b, "draining", b.classicHealth(b.id("one")), "OutOfService: Instance deregistration currently in progress.")
}

func TestClassicBalancersArePaged(t *testing.T) {
	b := newBench(t, classics(), nil)
	pages := elb.NewDescribeLoadBalancersPaginator(b.elb, &elb.DescribeLoadBalancersInput{PageSize: aws.Int32(1)})
	var names []string
	for pages.HasMorePages() {
		for _, lb := range ok[*elb.DescribeLoadBalancersOutput](b)(pages.NextPage(b.ctx)).LoadBalancerDescriptions {
			names = append(names, fmt.Sprint(aws.ToString(lb.LoadBalancerName), len(lb.Instances)))
		}
	}
	equal(b, "balancers", fmt.Sprint(names), "[old2 older0]")
	_, err := b.elb.DescribeLoadBalancers(b.ctx, &elb.DescribeLoadBalancersInput{LoadBalancerNames: []string{"nope"}})
	b.refused(err, "LoadBalancerNotFound")
	_, err = b.elb.DescribeInstanceHealth(b.ctx, &elb.DescribeInstanceHealthInput{LoadBalancerName: aws.String("old"), Instances: classicIDs("i-0bbbbbbbbbbbbbbbb")})
	b.refused(err, "InvalidInstance")
}

func TestAttributesOfAClassicBalancer(t *testing.T) {
	b := newBench(t, classics(), nil)
	get := func(name string) string {
		a := ok[*elb.DescribeLoadBalancerAttributesOutput](b)(b.elb.DescribeLoadBalancerAttributes(b.ctx, &elb.DescribeLoadBalancerAttributesInput{LoadBalancerName: aws.String(name)})).LoadBalancerAttributes
		return fmt.Sprint(a.CrossZoneLoadBalancing.Enabled, a.ConnectionDraining.Enabled, aws.ToInt32(a.ConnectionDraining.Timeout))
	}
	equal(b, "old", get("old"), "true true 60")
	equal(b, "older", get("older"), "false false 0")
}
