// Package asg speaks to Amazon EC2 Auto Scaling for package aws: it reads groups,
// moves their members, has their processes rest, and ends members, each with a type of its own. Errors are the
// SDK's.
package asg

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// Reader reads the groups of one site.
type Reader struct{ api *sdk.Client }

// NewReader makes one.
func NewReader(c aws.Config) *Reader { return &Reader{sdk.NewFromConfig(c)} }

// Of finds the group of an instance, and its place there; "" if it is in none. One
// of a warm pool is in a group too, with a lifecycle of "Warmed:…".
func (r *Reader) Of(ctx context.Context, id string) (group string, m integrations.Member, err error) {
	found, err := r.api.DescribeAutoScalingInstances(ctx, &sdk.DescribeAutoScalingInstancesInput{InstanceIds: []string{id}})
	if err != nil {
		return "", m, err
	}
	for _, i := range found.AutoScalingInstances {
		if aws.ToString(i.InstanceId) == id {
			return aws.ToString(i.AutoScalingGroupName), integrations.Member{
				ID: id, Zone: aws.ToString(i.AvailabilityZone), Lifecycle: aws.ToString(i.LifecycleState),
				Healthy: healthy(i.HealthStatus), Protected: aws.ToBool(i.ProtectedFromScaleIn),
			}, nil
		}
	}
	return "", m, nil
}

// healthy: a group says "Healthy", and of a single instance "HEALTHY".
func healthy(status *string) bool {
	s := aws.ToString(status)
	return s == "Healthy" || s == "HEALTHY"
}

// Group reads a group; nil if there is none of that name.
func (r *Reader) Group(ctx context.Context, name string) (*integrations.ScalingGroup, error) {
	found, err := r.api.DescribeAutoScalingGroups(ctx, &sdk.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: []string{name}})
	if err != nil {
		return nil, err
	}
	for _, g := range found.AutoScalingGroups {
		if aws.ToString(g.AutoScalingGroupName) == name {
			return r.more(ctx, group(g))
		}
	}
	return nil, nil
}

func group(g types.AutoScalingGroup) *integrations.ScalingGroup {
	out := &integrations.ScalingGroup{
		Name: aws.ToString(g.AutoScalingGroupName), Min: int(aws.ToInt32(g.MinSize)), Max: int(aws.ToInt32(g.MaxSize)),
		Desired: int(aws.ToInt32(g.DesiredCapacity)), Tags: map[string]string{},
	}
	for _, i := range g.Instances {
		out.Members = append(out.Members, integrations.Member{
			ID: aws.ToString(i.InstanceId), Zone: aws.ToString(i.AvailabilityZone), Lifecycle: string(i.LifecycleState),
			Healthy: healthy(i.HealthStatus), Protected: aws.ToBool(i.ProtectedFromScaleIn),
		})
	}
	for _, p := range g.SuspendedProcesses {
		out.Suspended = append(out.Suspended, aws.ToString(p.ProcessName))
	}
	for _, t := range g.Tags {
		out.Tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	return out
}

// over are the states of a refresh that does nothing any more. One of a state that is
// not known here is taken to be going on.
var over = map[types.InstanceRefreshStatus]bool{
	types.InstanceRefreshStatusSuccessful: true, types.InstanceRefreshStatusFailed: true, types.InstanceRefreshStatusCancelled: true,
	types.InstanceRefreshStatusRollbackFailed: true, types.InstanceRefreshStatusRollbackSuccessful: true,
}

func (r *Reader) more(ctx context.Context, g *integrations.ScalingGroup) (*integrations.ScalingGroup, error) {
	// The newest come first, and only one goes on at a time: a page is enough.
	refreshes, err := r.api.DescribeInstanceRefreshes(ctx, &sdk.DescribeInstanceRefreshesInput{AutoScalingGroupName: &g.Name, MaxRecords: aws.Int32(10)})
	if err != nil {
		return nil, err
	}
	for _, one := range refreshes.InstanceRefreshes {
		g.Refreshing = g.Refreshing || !over[one.Status]
	}
	hooks, err := r.api.DescribeLifecycleHooks(ctx, &sdk.DescribeLifecycleHooksInput{AutoScalingGroupName: &g.Name})
	if err != nil {
		return nil, err
	}
	for _, h := range hooks.LifecycleHooks {
		wait := time.Hour // what EC2 Auto Scaling takes where none is set
		if h.HeartbeatTimeout != nil {
			wait = time.Duration(*h.HeartbeatTimeout) * time.Second
		}
		switch aws.ToString(h.LifecycleTransition) {
		case "autoscaling:EC2_INSTANCE_TERMINATING":
			g.HookTimeout = max(g.HookTimeout, wait) // they run at the same time
		case "autoscaling:EC2_INSTANCE_LAUNCHING":
			longest := min(longestWait, waits*wait)
			if h.GlobalTimeout != nil {
				longest = time.Duration(*h.GlobalTimeout) * time.Second
			}
			g.LaunchHooks = append(g.LaunchHooks, integrations.LaunchHook{
				Name: aws.ToString(h.LifecycleHookName), Timeout: wait, Longest: longest, Ends: aws.ToString(h.DefaultResult) != proceed,
			})
		}
	}
	return g, nil
}

// A member waits at a hook for 48 hours at the longest, or for a hundred of its
// time-outs, whichever is less (the guide's page on lifecycle hooks).
const (
	longestWait = 48 * time.Hour
	waits       = 100
)

// What a lifecycle action may be completed with.
const proceed, abandon = "CONTINUE", "ABANDON"

// Launcher has new members wait at a launch hook, and lets them go on.
type Launcher struct{ api *sdk.Client }

// NewLauncher makes one.
func NewLauncher(c aws.Config) *Launcher { return &Launcher{sdk.NewFromConfig(c)} }

// Wait begins the time of a hook anew for a member.
func (l *Launcher) Wait(ctx context.Context, group, hook, id string) error {
	_, err := l.api.RecordLifecycleActionHeartbeat(ctx, &sdk.RecordLifecycleActionHeartbeatInput{AutoScalingGroupName: &group, LifecycleHookName: &hook, InstanceId: &id})
	return err
}

// Proceed lets a member go on.
func (l *Launcher) Proceed(ctx context.Context, group, hook, id string) error {
	_, err := l.api.CompleteLifecycleAction(ctx, &sdk.CompleteLifecycleActionInput{
		AutoScalingGroupName: &group, LifecycleHookName: &hook, InstanceId: &id, LifecycleActionResult: aws.String(proceed),
	})
	return err
}

// Mover moves members of groups out and in, and sets how many a group wants.
type Mover struct{ api *sdk.Client }

// NewMover makes one.
func NewMover(c aws.Config) *Mover { return &Mover{sdk.NewFromConfig(c)} }

// EnterStandby takes a member out of service; shrink lowers what the group wants.
func (m *Mover) EnterStandby(ctx context.Context, group, id string, shrink bool) error {
	_, err := m.api.EnterStandby(ctx, &sdk.EnterStandbyInput{
		AutoScalingGroupName: &group, InstanceIds: []string{id}, ShouldDecrementDesiredCapacity: &shrink,
	})
	return err
}

// ExitStandby puts a member back, and raises what the group wants by one.
func (m *Mover) ExitStandby(ctx context.Context, group, id string) error {
	_, err := m.api.ExitStandby(ctx, &sdk.ExitStandbyInput{AutoScalingGroupName: &group, InstanceIds: []string{id}})
	return err
}

// SetDesired sets what the group wants, now and not after its cooldown.
func (m *Mover) SetDesired(ctx context.Context, group string, n int32) error {
	_, err := m.api.SetDesiredCapacity(ctx, &sdk.SetDesiredCapacityInput{
		AutoScalingGroupName: &group, DesiredCapacity: &n, HonorCooldown: aws.Bool(false),
	})
	return err
}

// Rester has processes of groups rest, and tags groups.
type Rester struct{ api *sdk.Client }

// NewRester makes one.
func NewRester(c aws.Config) *Rester { return &Rester{sdk.NewFromConfig(c)} }

// errAll: an empty list is every process to EC2 Auto Scaling, and none to us.
var errAll = errors.New("no process is named, which would be all of them")

// Suspend has the named processes rest; those that do already go on resting.
func (r *Rester) Suspend(ctx context.Context, group string, processes []string) error {
	if len(processes) == 0 {
		return errAll
	}
	_, err := r.api.SuspendProcesses(ctx, &sdk.SuspendProcessesInput{AutoScalingGroupName: &group, ScalingProcesses: processes})
	return err
}

// Resume has the named processes run.
func (r *Rester) Resume(ctx context.Context, group string, processes []string) error {
	if len(processes) == 0 {
		return errAll
	}
	_, err := r.api.ResumeProcesses(ctx, &sdk.ResumeProcessesInput{AutoScalingGroupName: &group, ScalingProcesses: processes})
	return err
}

// resourceGroup is what EC2 Auto Scaling calls a group among what has tags.
const resourceGroup = "auto-scaling-group"

// Tag sets a tag of the group alone: the instances that it starts do not get it.
func (r *Rester) Tag(ctx context.Context, group, key, value string) error {
	_, err := r.api.CreateOrUpdateTags(ctx, &sdk.CreateOrUpdateTagsInput{Tags: []types.Tag{{
		ResourceId: &group, ResourceType: aws.String(resourceGroup), Key: &key, Value: &value, PropagateAtLaunch: aws.Bool(false),
	}}})
	return err
}

// Untag takes a tag away, whatever its value; one that is not there is no error.
func (r *Rester) Untag(ctx context.Context, group, key string) error {
	_, err := r.api.DeleteTags(ctx, &sdk.DeleteTagsInput{Tags: []types.Tag{{ResourceId: &group, ResourceType: aws.String(resourceGroup), Key: &key}}})
	return err
}

// Ender terminates members, for good.
type Ender struct{ api *sdk.Client }

// NewEnder makes one.
func NewEnder(c aws.Config) *Ender { return &Ender{sdk.NewFromConfig(c)} }

// Abandon has a group end a new member that waits at a launch hook, and start another.
func (e *Ender) Abandon(ctx context.Context, group, hook, id string) error {
	_, err := e.api.CompleteLifecycleAction(ctx, &sdk.CompleteLifecycleActionInput{
		AutoScalingGroupName: &group, LifecycleHookName: &hook, InstanceId: &id, LifecycleActionResult: aws.String(abandon),
	})
	return err
}

// Terminate ends a member through its group, which takes it from its load balancers
// first and replaces it.
func (e *Ender) Terminate(ctx context.Context, id string) error {
	_, err := e.api.TerminateInstanceInAutoScalingGroup(ctx, &sdk.TerminateInstanceInAutoScalingGroupInput{
		InstanceId: &id, ShouldDecrementDesiredCapacity: aws.Bool(false),
	})
	return err
}
