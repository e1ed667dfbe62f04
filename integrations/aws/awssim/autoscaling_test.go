package awssim

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
)

func (b *bench) enter(decrement bool, names ...string) error {
	b.Helper()
	in := &autoscaling.EnterStandbyInput{AutoScalingGroupName: aws.String("web"), ShouldDecrementDesiredCapacity: aws.Bool(decrement)}
	for _, n := range names {
		in.InstanceIds = append(in.InstanceIds, b.id(n))
	}
	_, err := b.asg.EnterStandby(b.ctx, in)
	return err
}

func (b *bench) exit(name string) error {
	b.Helper()
	_, err := b.asg.ExitStandby(b.ctx, &autoscaling.ExitStandbyInput{AutoScalingGroupName: aws.String("web"), InstanceIds: []string{b.id(name)}})
	return err
}

func (b *bench) terminate(name string, decrement bool) error {
	b.Helper()
	_, err := b.asg.TerminateInstanceInAutoScalingGroup(b.ctx, &autoscaling.TerminateInstanceInAutoScalingGroupInput{
		InstanceId: aws.String(b.id(name)), ShouldDecrementDesiredCapacity: aws.Bool(decrement),
	})
	return err
}

func (b *bench) group(name string) types.AutoScalingGroup {
	b.Helper()
	out := ok[*autoscaling.DescribeAutoScalingGroupsOutput](b)(b.asg.DescribeAutoScalingGroups(b.ctx, &autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: []string{name}}))
	if len(out.AutoScalingGroups) != 1 {
		b.Fatalf("%d groups named %s", len(out.AutoScalingGroups), name)
	}
	return out.AutoScalingGroups[0]
}

func (b *bench) lifecycle(name string) string {
	b.Helper()
	out := ok[*autoscaling.DescribeAutoScalingInstancesOutput](b)(b.asg.DescribeAutoScalingInstances(b.ctx, &autoscaling.DescribeAutoScalingInstancesInput{InstanceIds: []string{b.id(name)}}))
	if len(out.AutoScalingInstances) == 0 {
		return ""
	}
	return aws.ToString(out.AutoScalingInstances[0].LifecycleState)
}

func (b *bench) target(pool, name string) string {
	b.Helper()
	groups := ok[*elbv2.DescribeTargetGroupsOutput](b)(b.elbv2.DescribeTargetGroups(b.ctx, &elbv2.DescribeTargetGroupsInput{Names: []string{pool}}))
	return b.health(aws.ToString(groups.TargetGroups[0].TargetGroupArn), b.id(name))
}

func (b *bench) resize(least, most, desired int32) {
	b.Helper()
	_, err := b.asg.UpdateAutoScalingGroup(b.ctx, &autoscaling.UpdateAutoScalingGroupInput{
		AutoScalingGroupName: aws.String("web"), MinSize: aws.Int32(least), MaxSize: aws.Int32(most), DesiredCapacity: aws.Int32(desired),
	})
	b.must(err)
}

func TestStandbyLeavesThePoolsAtOnceAndComesBack(t *testing.T) {
	b := newBench(t, Demo(), nil)
	b.must(b.enter(true, "web-1"))
	equal(b, "lifecycle", b.lifecycle("web-1"), "EnteringStandby")
	equal(b, "target", b.target("web", "web-1"), "draining/Target.DeregistrationInProgress")
	equal(b, "desired", aws.ToInt32(b.group("web").DesiredCapacity), 11)
	b.clock.pass(StandbyTime)
	equal(b, "lifecycle", b.lifecycle("web-1"), "Standby")
	equal(b, "target", b.target("web", "web-1"), "draining/Target.DeregistrationInProgress")
	b.clock.pass(25 * time.Second)
	equal(b, "target", b.target("web", "web-1"), "unused/Target.NotRegistered")
	b.must(b.exit("web-1"))
	equal(b, "lifecycle", b.lifecycle("web-1"), "Pending")
	equal(b, "desired", aws.ToInt32(b.group("web").DesiredCapacity), 12)
	b.clock.pass(StandbyTime)
	equal(b, "lifecycle", b.lifecycle("web-1"), "InService")
	equal(b, "target", b.target("web", "web-1"), "initial/Elb.RegistrationInProgress")
	b.clock.pass(30 * time.Second)
	equal(b, "target", b.target("web", "web-1"), "healthy/")
	equal(b, "members", len(b.group("web").Instances), 12)
}

func TestStandbyKeepsToTheMinimum(t *testing.T) {
	b := newBench(t, Demo(), nil)
	b.resize(12, 18, 12)
	b.refused(b.enter(true, "web-1"), "ValidationError")
	equal(b, "lifecycle", b.lifecycle("web-1"), "InService")
	b.must(b.enter(false, "web-1"))
}

func TestStandbyTwiceIsRefused(t *testing.T) {
	b := newBench(t, Demo(), nil)
	b.must(b.enter(true, "web-1"))
	b.refused(b.enter(true, "web-1"), "ValidationError")
	b.clock.pass(StandbyTime)
	b.refused(b.enter(true, "web-1"), "ValidationError")
	b.refused(b.exit("web-2"), "ValidationError")
}

func TestStandbyWithoutDecrementIsReplacedAndCannotLeaveAboveTheMaximum(t *testing.T) {
	b := newBench(t, Demo(), nil)
	b.resize(6, 12, 12)
	b.must(b.enter(false, "web-1"))
	b.clock.pass(time.Minute)
	equal(b, "members", len(b.group("web").Instances), 13)
	equal(b, "lifecycle", b.lifecycle("web-13"), "InService")
	b.refused(b.exit("web-1"), "ValidationError")
	b.resize(6, 13, 12)
	b.must(b.exit("web-1"))
	equal(b, "desired", aws.ToInt32(b.group("web").DesiredCapacity), 13)
}

func TestSuspendedLaunchKeepsInStandbyAndReplacesNothing(t *testing.T) {
	b := newBench(t, Demo(), nil)
	b.must(b.enter(true, "web-1"))
	b.clock.pass(StandbyTime)
	_, err := b.asg.SuspendProcesses(b.ctx, &autoscaling.SuspendProcessesInput{AutoScalingGroupName: aws.String("web"), ScalingProcesses: []string{"Launch"}})
	b.must(err)
	b.refused(b.exit("web-1"), "ValidationError")
	b.must(b.terminate("web-2", false))
	b.clock.pass(10 * time.Minute)
	equal(b, "members", len(b.group("web").Instances), 11) // web-1 among them
	_, err = b.asg.ResumeProcesses(b.ctx, &autoscaling.ResumeProcessesInput{AutoScalingGroupName: aws.String("web"), ScalingProcesses: []string{"Launch"}})
	b.must(err)
	b.clock.pass(time.Minute)
	equal(b, "members", len(b.group("web").Instances), 12)
	b.must(b.exit("web-1"))
}

func TestSuspendingNothingIsSuspendingAll(t *testing.T) {
	b := newBench(t, Demo(), nil)
	_, err := b.asg.SuspendProcesses(b.ctx, &autoscaling.SuspendProcessesInput{AutoScalingGroupName: aws.String("web"), ScalingProcesses: []string{}})
	b.must(err)
	equal(b, "suspended", len(b.group("web").SuspendedProcesses), len(processes))
	_, err = b.asg.ResumeProcesses(b.ctx, &autoscaling.ResumeProcessesInput{AutoScalingGroupName: aws.String("web")})
	b.must(err)
	equal(b, "suspended", len(b.group("web").SuspendedProcesses), 0)
	shown := b.sim.Groups()
	equal(b, "resumed", *shown[0].Resumed, b.clock.Now())
	equal(b, "of another group", shown[1].Resumed, nil)
	equal(b, "a tag", shown[0].Tags["Role"], "app")
	_, err = b.asg.SuspendProcesses(b.ctx, &autoscaling.SuspendProcessesInput{AutoScalingGroupName: aws.String("web"), ScalingProcesses: []string{"Lunch"}})
	b.refused(err, "ValidationError")
}

func TestAMemberThatIsTerminatedIsReplaced(t *testing.T) {
	b := newBench(t, Demo(), nil)
	b.must(b.terminate("web-1", false))
	equal(b, "lifecycle", b.lifecycle("web-1"), "Terminating")
	equal(b, "target", b.target("web", "web-1"), "draining/Target.DeregistrationInProgress")
	equal(b, "state", b.view("web-1").State, "running")
	b.clock.pass(BalanceTime)
	v := b.view("web-13")
	equal(b, "replacement", v.Lifecycle+" "+v.State, "Pending pending")
	equal(b, "its tags", v.Role+" "+v.Status, "app working")
	equal(b, "its zone", v.Zone, b.view("web-1").Zone)
	b.clock.pass(25 * time.Second)
	equal(b, "state", b.view("web-1").State, "shutting-down")
	b.clock.pass(ShutdownTime)
	equal(b, "state", b.view("web-1").State, "terminated")
	equal(b, "lifecycle", b.lifecycle("web-1"), "")
	equal(b, "replacement", b.lifecycle("web-13"), "InService")
	equal(b, "its target", b.target("web", "web-13"), "initial/Elb.RegistrationInProgress")
	b.clock.pass(30 * time.Second)
	equal(b, "its target", b.target("web", "web-13"), "healthy/")
	g := b.group("web")
	equal(b, "desired", aws.ToInt32(g.DesiredCapacity), 12)
	equal(b, "members", len(g.Instances), 12)
}

func TestAMemberTerminatedWithDecrementIsNotReplaced(t *testing.T) {
	b := newBench(t, Demo(), nil)
	b.must(b.terminate("web-1", true))
	b.clock.pass(10 * time.Minute)
	g := b.group("web")
	equal(b, "desired", aws.ToInt32(g.DesiredCapacity), 11)
	equal(b, "members", len(g.Instances), 11)
	b.resize(11, 18, 11)
	b.refused(b.terminate("web-2", true), "ValidationError")
}

func TestAMemberInStandbyIsTerminatedAndDesiredStays(t *testing.T) {
	b := newBench(t, Demo(), nil)
	b.must(b.enter(false, "web-1"))
	b.clock.pass(time.Minute)
	equal(b, "members", len(b.group("web").Instances), 13)
	b.must(b.terminate("web-1", false))
	b.clock.pass(time.Minute)
	g := b.group("web")
	equal(b, "desired", aws.ToInt32(g.DesiredCapacity), 12)
	equal(b, "members", len(g.Instances), 12)
	equal(b, "state", b.view("web-1").State, "terminated")
}

func TestAHookHoldsUpATermination(t *testing.T) {
	fleet := Demo()
	fleet.In[0].Groups[0].Hook = &Hook{Name: "flush", Heartbeat: 10 * time.Minute}
	b := newBench(t, fleet, nil)
	hooks := ok[*autoscaling.DescribeLifecycleHooksOutput](b)(b.asg.DescribeLifecycleHooks(b.ctx, &autoscaling.DescribeLifecycleHooksInput{AutoScalingGroupName: aws.String("web")}))
	equal(b, "hooks", len(hooks.LifecycleHooks), 1)
	equal(b, "heartbeat", aws.ToInt32(hooks.LifecycleHooks[0].HeartbeatTimeout), 600)
	b.must(b.terminate("web-1", false))
	b.refused(b.terminate("web-1", false), "ScalingActivityInProgress")
	b.clock.pass(30 * time.Second)
	equal(b, "lifecycle", b.lifecycle("web-1"), "Terminating:Wait")
	b.clock.pass(10*time.Minute - time.Second)
	equal(b, "state", b.view("web-1").State, "running")
	b.clock.pass(time.Second)
	equal(b, "state", b.view("web-1").State, "shutting-down")
	b.clock.pass(ShutdownTime)
	equal(b, "lifecycle", b.lifecycle("web-1"), "")
}

func TestDesiredKeepsToItsBounds(t *testing.T) {
	b := newBench(t, Demo(), nil)
	set := func(n int32) error {
		_, err := b.asg.SetDesiredCapacity(b.ctx, &autoscaling.SetDesiredCapacityInput{AutoScalingGroupName: aws.String("web"), DesiredCapacity: aws.Int32(n)})
		return err
	}
	b.refused(set(19), "ValidationError")
	b.refused(set(5), "ValidationError")
	b.must(set(14))
	b.clock.pass(time.Minute)
	equal(b, "members", len(b.group("web").Instances), 14)
	b.must(set(10))
	b.clock.pass(5 * time.Minute)
	equal(b, "members", len(b.group("web").Instances), 10)
	_, err := b.asg.UpdateAutoScalingGroup(b.ctx, &autoscaling.UpdateAutoScalingGroupInput{AutoScalingGroupName: aws.String("web"), MinSize: aws.Int32(11)})
	b.must(err)
	equal(b, "desired", aws.ToInt32(b.group("web").DesiredCapacity), 11)
	_, err = b.asg.UpdateAutoScalingGroup(b.ctx, &autoscaling.UpdateAutoScalingGroupInput{AutoScalingGroupName: aws.String("web"), MinSize: aws.Int32(19)})
	b.refused(err, "ValidationError")
	_, err = b.asg.UpdateAutoScalingGroup(b.ctx, &autoscaling.UpdateAutoScalingGroupInput{AutoScalingGroupName: aws.String("web"), DesiredCapacity: aws.Int32(19)})
	b.refused(err, "ValidationError")
}

func TestWhatAUpdateDoesNotSimulateIsRefused(t *testing.T) {
	b := newBench(t, Demo(), nil)
	_, err := b.asg.UpdateAutoScalingGroup(b.ctx, &autoscaling.UpdateAutoScalingGroupInput{AutoScalingGroupName: aws.String("web"), HealthCheckType: aws.String("EC2")})
	b.refused(err, unsimulated)
}

func TestGroupsArePagedAndFiltered(t *testing.T) {
	b := newBench(t, Demo(), nil)
	pages := autoscaling.NewDescribeAutoScalingGroupsPaginator(b.asg, &autoscaling.DescribeAutoScalingGroupsInput{MaxRecords: aws.Int32(1)})
	var names []string
	for pages.HasMorePages() {
		out := ok[*autoscaling.DescribeAutoScalingGroupsOutput](b)(pages.NextPage(b.ctx))
		equal(b, "groups on the page", len(out.AutoScalingGroups), 1)
		names = append(names, aws.ToString(out.AutoScalingGroups[0].AutoScalingGroupName))
	}
	equal(b, "groups", len(names), 2)
	out := ok[*autoscaling.DescribeAutoScalingGroupsOutput](b)(b.asg.DescribeAutoScalingGroups(b.ctx, &autoscaling.DescribeAutoScalingGroupsInput{
		Filters: []types.Filter{{Name: aws.String("tag:Role"), Values: []string{"worker"}}}, IncludeInstances: aws.Bool(false),
	}))
	equal(b, "workers", len(out.AutoScalingGroups), 1)
	equal(b, "instances", len(out.AutoScalingGroups[0].Instances), 0)
	_, err := b.asg.DescribeAutoScalingGroups(b.ctx, &autoscaling.DescribeAutoScalingGroupsInput{Filters: []types.Filter{{Name: aws.String("color"), Values: []string{"x"}}}})
	b.refused(err, "ValidationError")
	members := ok[*autoscaling.DescribeAutoScalingInstancesOutput](b)(b.asg.DescribeAutoScalingInstances(b.ctx, &autoscaling.DescribeAutoScalingInstancesInput{}))
	equal(b, "members", len(members.AutoScalingInstances), 15)
	equal(b, "health", aws.ToString(members.AutoScalingInstances[0].HealthStatus), "HEALTHY")
}

func TestTagsOfAGroup(t *testing.T) {
	b := newBench(t, Demo(), nil)
	tag := types.Tag{ResourceId: aws.String("web"), ResourceType: aws.String("auto-scaling-group"), Key: aws.String("signalbox:lock"), Value: aws.String("d1"), PropagateAtLaunch: aws.Bool(false)}
	_, err := b.asg.CreateOrUpdateTags(b.ctx, &autoscaling.CreateOrUpdateTagsInput{Tags: []types.Tag{tag}})
	b.must(err)
	has := func() (n int) {
		for _, t := range b.group("web").Tags {
			if aws.ToString(t.Key) == "signalbox:lock" {
				n++
			}
		}
		return n
	}
	equal(b, "tags", has(), 1)
	tag.PropagateAtLaunch = aws.Bool(true)
	_, err = b.asg.CreateOrUpdateTags(b.ctx, &autoscaling.CreateOrUpdateTagsInput{Tags: []types.Tag{tag}})
	b.must(err)
	equal(b, "tags", has(), 1)
	b.resize(6, 18, 13)
	b.clock.pass(BalanceTime)
	equal(b, "of a new member", tagsOf(b.described(filter("tag:Name", "web-13"))[0])["signalbox:lock"], "d1")
	_, err = b.asg.DeleteTags(b.ctx, &autoscaling.DeleteTagsInput{Tags: []types.Tag{tag}})
	b.must(err)
	equal(b, "tags", has(), 0)
	equal(b, "the last", *b.sim.Groups()[0].Untagged, Untagged{"signalbox:lock", "d1", b.clock.Now()})
	tag.ResourceId = aws.String("nope")
	_, err = b.asg.CreateOrUpdateTags(b.ctx, &autoscaling.CreateOrUpdateTagsInput{Tags: []types.Tag{tag}})
	b.refused(err, "ValidationError")
}

func TestActivitiesAreTold(t *testing.T) {
	b := newBench(t, Demo(), nil)
	b.must(b.enter(true, "web-1"))
	list := func() []types.Activity {
		return ok[*autoscaling.DescribeScalingActivitiesOutput](b)(b.asg.DescribeScalingActivities(b.ctx, &autoscaling.DescribeScalingActivitiesInput{AutoScalingGroupName: aws.String("web")})).Activities
	}
	equal(b, "status", list()[0].StatusCode, types.ScalingActivityStatusCodeInProgress)
	b.clock.pass(StandbyTime)
	equal(b, "status", list()[0].StatusCode, types.ScalingActivityStatusCodeSuccessful)
}

func TestARefreshIsShown(t *testing.T) {
	b := newBench(t, Demo(), nil)
	refreshes := func() int {
		return len(ok[*autoscaling.DescribeInstanceRefreshesOutput](b)(b.asg.DescribeInstanceRefreshes(b.ctx, &autoscaling.DescribeInstanceRefreshesInput{AutoScalingGroupName: aws.String("web")})).InstanceRefreshes)
	}
	equal(b, "refreshes", refreshes(), 0)
	b.must(b.sim.Refresh("web", true))
	equal(b, "refreshes", refreshes(), 1)
}

func TestAStoppedAppIsReplacedWhereTheGroupAsksItsPools(t *testing.T) {
	b := newBench(t, Demo(), nil) // web does, worker does not
	b.must(b.sim.SetHost(b.id("web-1"), func(h *Host) { h.Stopped = true }))
	b.must(b.sim.SetHost(b.id("worker-1"), func(h *Host) { h.Stopped = true }))
	b.clock.pass(20 * time.Second)
	equal(b, "target", b.target("web", "web-1"), "unhealthy/Target.FailedHealthChecks")
	equal(b, "lifecycle", b.lifecycle("web-1"), "InService")
	b.clock.pass(NoticeTime)
	equal(b, "lifecycle", b.lifecycle("web-1"), "Terminating")
	equal(b, "lifecycle", b.lifecycle("worker-1"), "InService")
}
