package elb

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	v1 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	v2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"github.com/signalbox-chatops/signalbox/integrations/aws/iam"
)

const (
	groups   = "arn:aws:elasticloadbalancing:*:*:targetgroup/*/*"
	classics = "arn:aws:elasticloadbalancing:*:*:loadbalancer/*"
)

// Needs are the actions that this folder calls. Both services have the same prefix, so
// that DescribeLoadBalancers and DescribeLoadBalancerAttributes are of both. The
// changes take a condition on the tags of the pool (the service authorization
// references of Elastic Load Balancing and its V2).
var Needs = []iam.Action{
	{Name: "elasticloadbalancing:DescribeTargetGroups", Why: "lists target groups"},
	{Name: "elasticloadbalancing:DescribeTargetHealth", Why: "finds the groups of an instance, and how it does there"},
	{Name: "elasticloadbalancing:DescribeTargetGroupAttributes", Why: "reads the deregistration delay and the healthy minimum"},
	{Name: "elasticloadbalancing:DescribeLoadBalancers", Why: "reads zones, and lists classic load balancers"},
	{Name: "elasticloadbalancing:DescribeLoadBalancerAttributes", Why: "reads cross-zone balancing and connection draining"},
	{Name: "elasticloadbalancing:DescribeInstanceHealth", Why: "reads how an instance does in a classic load balancer"},
	{Name: "elasticloadbalancing:DeregisterTargets", Why: "takes an instance of no scaling group out of a target group", Change: true, On: groups, Tagged: true},
	{Name: "elasticloadbalancing:RegisterTargets", Why: "puts it back", Change: true, On: groups, Tagged: true},
	{Name: "elasticloadbalancing:DeregisterInstancesFromLoadBalancer", Why: "takes it out of a classic load balancer", Change: true, On: classics, Tagged: true},
	{Name: "elasticloadbalancing:RegisterInstancesWithLoadBalancer", Why: "puts it back", Change: true, On: classics, Tagged: true},
}

// Probes try each read, those of two services at both.
func (r *Reader) Probes(region string) []iam.Probe {
	arn := func(what string) *string {
		return aws.String(fmt.Sprintf("arn:aws:elasticloadbalancing:%s:000000000000:%s/0000000000000000", region, what))
	}
	group, balancer, name := arn("targetgroup/signalbox-check"), arn("loadbalancer/net/signalbox-check"), aws.String("signalbox-check")
	return []iam.Probe{
		{Action: "elasticloadbalancing:DescribeTargetGroups", Try: func(ctx context.Context) error {
			_, err := r.v2.DescribeTargetGroups(ctx, &v2.DescribeTargetGroupsInput{PageSize: aws.Int32(1)})
			return err
		}},
		{Action: "elasticloadbalancing:DescribeTargetHealth", Try: func(ctx context.Context) error {
			_, err := r.v2.DescribeTargetHealth(ctx, &v2.DescribeTargetHealthInput{TargetGroupArn: group})
			return err
		}},
		{Action: "elasticloadbalancing:DescribeTargetGroupAttributes", Try: func(ctx context.Context) error {
			_, err := r.v2.DescribeTargetGroupAttributes(ctx, &v2.DescribeTargetGroupAttributesInput{TargetGroupArn: group})
			return err
		}},
		{Action: "elasticloadbalancing:DescribeLoadBalancers", Try: func(ctx context.Context) error {
			_, err := r.v2.DescribeLoadBalancers(ctx, &v2.DescribeLoadBalancersInput{PageSize: aws.Int32(1)})
			return err
		}},
		{Action: "elasticloadbalancing:DescribeLoadBalancerAttributes", Try: func(ctx context.Context) error {
			_, err := r.v2.DescribeLoadBalancerAttributes(ctx, &v2.DescribeLoadBalancerAttributesInput{LoadBalancerArn: balancer})
			return err
		}},
		{Action: "elasticloadbalancing:DescribeLoadBalancers", Try: func(ctx context.Context) error {
			_, err := r.v1.DescribeLoadBalancers(ctx, &v1.DescribeLoadBalancersInput{PageSize: aws.Int32(1)})
			return err
		}},
		{Action: "elasticloadbalancing:DescribeLoadBalancerAttributes", Try: func(ctx context.Context) error {
			_, err := r.v1.DescribeLoadBalancerAttributes(ctx, &v1.DescribeLoadBalancerAttributesInput{LoadBalancerName: name})
			return err
		}},
		{Action: "elasticloadbalancing:DescribeInstanceHealth", Try: func(ctx context.Context) error {
			_, err := r.v1.DescribeInstanceHealth(ctx, &v1.DescribeInstanceHealthInput{LoadBalancerName: name})
			return err
		}},
	}
}
