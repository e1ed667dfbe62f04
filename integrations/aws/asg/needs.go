package asg

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/autoscaling"

	"github.com/signalbox-chatops/signalbox/integrations/aws/iam"
)

const groups = "arn:aws:autoscaling:*:*:autoScalingGroup:*:autoScalingGroupName/*"

// Needs are the actions that this folder calls. Each change takes a condition on the
// tags of the group, which are not those of its instances (the service authorization
// reference of EC2 Auto Scaling).
var Needs = []iam.Action{
	{Name: "autoscaling:DescribeAutoScalingInstances", Why: "finds the group of an instance"},
	{Name: "autoscaling:DescribeAutoScalingGroups", Why: "reads a group and its members"},
	{Name: "autoscaling:DescribeInstanceRefreshes", Why: "sees whether a group is replacing its instances"},
	{Name: "autoscaling:DescribeLifecycleHooks", Why: "knows how long a termination may take, and where a new instance waits"},
	{Name: "autoscaling:EnterStandby", Why: "takes an instance out of service", Change: true, On: groups, Tagged: true},
	{Name: "autoscaling:ExitStandby", Why: "puts it back", Change: true, On: groups, Tagged: true},
	{Name: "autoscaling:SetDesiredCapacity", Why: "puts back how many a group wants", Change: true, On: groups, Tagged: true},
	{Name: "autoscaling:SuspendProcesses", Why: "has a group's processes rest while an apply goes on", Change: true, On: groups, Tagged: true},
	{Name: "autoscaling:ResumeProcesses", Why: "has those run again", Change: true, On: groups, Tagged: true},
	{Name: "autoscaling:CreateOrUpdateTags", Why: "says on the group for which apply, and until when", Change: true, On: groups, Tagged: true, Keys: true},
	{Name: "autoscaling:DeleteTags", Why: "takes that off", Change: true, On: groups, Tagged: true, Keys: true},
	{Name: "autoscaling:RecordLifecycleActionHeartbeat", Why: "has a new instance wait at its group's launch hook while it is tested", Change: true, On: groups, Tagged: true},
	{Name: "autoscaling:CompleteLifecycleAction", Why: "lets it in when it is, or ends it where a person says so", Change: true, On: groups, Tagged: true},
	{Name: "autoscaling:TerminateInstanceInAutoScalingGroup", Why: "ends an instance that is replaced", Change: true, On: groups, Tagged: true},
}

// Probes try each read.
func (r *Reader) Probes() []iam.Probe {
	nothing := aws.String("signalbox-check")
	return []iam.Probe{
		{Action: "autoscaling:DescribeAutoScalingInstances", Try: func(ctx context.Context) error {
			_, err := r.api.DescribeAutoScalingInstances(ctx, &sdk.DescribeAutoScalingInstancesInput{MaxRecords: aws.Int32(1)})
			return err
		}},
		{Action: "autoscaling:DescribeAutoScalingGroups", Try: func(ctx context.Context) error {
			_, err := r.api.DescribeAutoScalingGroups(ctx, &sdk.DescribeAutoScalingGroupsInput{MaxRecords: aws.Int32(1)})
			return err
		}},
		{Action: "autoscaling:DescribeInstanceRefreshes", Try: func(ctx context.Context) error {
			_, err := r.api.DescribeInstanceRefreshes(ctx, &sdk.DescribeInstanceRefreshesInput{AutoScalingGroupName: nothing})
			return err
		}},
		{Action: "autoscaling:DescribeLifecycleHooks", Try: func(ctx context.Context) error {
			_, err := r.api.DescribeLifecycleHooks(ctx, &sdk.DescribeLifecycleHooksInput{AutoScalingGroupName: nothing})
			return err
		}},
	}
}
