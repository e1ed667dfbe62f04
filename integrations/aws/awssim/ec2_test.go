package awssim

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

func (b *bench) described(in *ec2.DescribeInstancesInput) []types.Instance {
	b.Helper()
	var out []types.Instance
	for _, r := range ok[*ec2.DescribeInstancesOutput](b)(b.ec2.DescribeInstances(b.ctx, in)).Reservations {
		out = append(out, r.Instances...)
	}
	return out
}

func filter(name string, values ...string) *ec2.DescribeInstancesInput {
	return &ec2.DescribeInstancesInput{Filters: []types.Filter{{Name: aws.String(name), Values: values}}}
}

func tagsOf(i types.Instance) map[string]string {
	out := map[string]string{}
	for _, t := range i.Tags {
		out[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	return out
}

func TestInstancesAreFiltered(t *testing.T) {
	b := newBench(t, Demo(), nil)
	b.must(b.sim.Kill(b.id("web-12")))
	for _, c := range []struct {
		in   *ec2.DescribeInstancesInput
		want int
	}{
		{filter("instance-id", b.id("web-1"), b.id("db-1")), 2},
		{filter("tag:Role", "app"), 12},
		{filter("tag:Role", "app", "db"), 13},
		{filter("tag:Name", "web-1?"), 3},
		{filter("tag:Name", "w*"), 15},
		{filter("tag:Nothing", "*"), 0},
		{filter("instance-state-name", "running"), 16},
		{filter("instance-state-name", "shutting-down"), 1},
		{filter("private-ip-address", aws.ToString(b.described(filter("tag:Name", "db-1"))[0].PrivateIpAddress)), 1},
		{&ec2.DescribeInstancesInput{InstanceIds: []string{b.id("web-3")}}, 1},
		{&ec2.DescribeInstancesInput{}, 17},
	} {
		t.Run(fmt.Sprint(c.in.Filters), func(t *testing.T) {
			if got := len(b.described(c.in)); got != c.want {
				t.Errorf("%d instances, want %d", got, c.want)
			}
		})
	}
	_, err := b.ec2.DescribeInstances(b.ctx, filter("color", "red"))
	b.refused(err, "InvalidParameterValue")
}

func TestInstancesArePaged(t *testing.T) {
	b := newBench(t, Demo(), nil)
	pages := ec2.NewDescribeInstancesPaginator(b.ec2, &ec2.DescribeInstancesInput{MaxResults: aws.Int32(5)})
	seen := map[string]bool{}
	n := 0
	for ; pages.HasMorePages(); n++ {
		for _, r := range ok[*ec2.DescribeInstancesOutput](b)(pages.NextPage(b.ctx)).Reservations {
			seen[aws.ToString(r.Instances[0].InstanceId)] = true
		}
	}
	equal(b, "pages", n, 4)
	equal(b, "instances", len(seen), 17)
	_, err := b.ec2.DescribeInstances(b.ctx, &ec2.DescribeInstancesInput{MaxResults: aws.Int32(5), InstanceIds: []string{b.id("web-1")}})
	b.refused(err, "InvalidParameterCombination")
	_, err = b.ec2.DescribeInstances(b.ctx, &ec2.DescribeInstancesInput{MaxResults: aws.Int32(4)})
	b.refused(err, "InvalidParameterValue")
	_, err = b.ec2.DescribeInstances(b.ctx, &ec2.DescribeInstancesInput{NextToken: aws.String("x")})
	b.refused(err, "InvalidNextToken")
}

func TestWhatAnInstanceTells(t *testing.T) {
	b := newBench(t, Demo(), nil)
	i := b.described(filter("tag:Name", "db-1"))[0]
	equal(b, "id", aws.ToString(i.InstanceId), "i-0a000000000000010")
	equal(b, "type", i.InstanceType, types.InstanceTypeR5Xlarge)
	equal(b, "zone", aws.ToString(i.Placement.AvailabilityZone), "ap-northeast-1a")
	equal(b, "launched", aws.ToTime(i.LaunchTime), b.clock.Now().Add(-200*24*time.Hour))
	equal(b, "disks", len(i.BlockDeviceMappings), 2)
	equal(b, "the first goes with it", aws.ToBool(i.BlockDeviceMappings[0].Ebs.DeleteOnTermination), true)
	equal(b, "the second stays", aws.ToBool(i.BlockDeviceMappings[1].Ebs.DeleteOnTermination), false)
	member := b.described(filter("tag:Name", "web-1"))[0]
	equal(b, "tags", fmt.Sprint(tagsOf(member)), "map[Name:web-1 Role:app Status:working aws:autoscaling:groupName:web]")
	volumes := ok[*ec2.DescribeVolumesOutput](b)(b.ec2.DescribeVolumes(b.ctx, &ec2.DescribeVolumesInput{
		Filters: []types.Filter{{Name: aws.String("attachment.instance-id"), Values: []string{b.id("db-1")}}},
	})).Volumes
	equal(b, "volumes", len(volumes), 2)
	equal(b, "the second stays", aws.ToBool(volumes[1].Attachments[0].DeleteOnTermination), false)
	attribute := func(name string) bool {
		return aws.ToBool(ok[*ec2.DescribeInstanceAttributeOutput](b)(b.ec2.DescribeInstanceAttribute(b.ctx, &ec2.DescribeInstanceAttributeInput{
			InstanceId: aws.String(b.id(name)), Attribute: types.InstanceAttributeNameDisableApiTermination,
		})).DisableApiTermination.Value)
	}
	equal(b, "db-1 is locked", attribute("db-1"), true)
	equal(b, "web-1 is locked", attribute("web-1"), false)
}

func TestInstanceStorageIsTold(t *testing.T) {
	b := newBench(t, Demo(), nil)
	out := ok[*ec2.DescribeInstanceTypesOutput](b)(b.ec2.DescribeInstanceTypes(b.ctx, &ec2.DescribeInstanceTypesInput{InstanceTypes: []types.InstanceType{"c5.large", "c5d.large"}}))
	for n, want := range []bool{false, true} {
		equal(b, string(out.InstanceTypes[n].InstanceType), aws.ToBool(out.InstanceTypes[n].InstanceStorageSupported), want)
	}
	_, err := b.ec2.DescribeInstanceTypes(b.ctx, &ec2.DescribeInstanceTypesInput{InstanceTypes: []types.InstanceType{"c9.huge"}})
	b.refused(err, "InvalidInstanceType")
}

func TestTagsOfAnInstance(t *testing.T) {
	b := newBench(t, Demo(), nil)
	id := b.id("web-1")
	create := func(key, value string) error {
		_, err := b.ec2.CreateTags(b.ctx, &ec2.CreateTagsInput{Resources: []string{id}, Tags: []types.Tag{{Key: aws.String(key), Value: aws.String(value)}}})
		return err
	}
	remove := func(tag types.Tag) {
		_, err := b.ec2.DeleteTags(b.ctx, &ec2.DeleteTagsInput{Resources: []string{id}, Tags: []types.Tag{tag}})
		b.must(err)
	}
	status := func() string { return tagsOf(b.described(filter("instance-id", id))[0])["Status"] }
	b.must(create("Status", "draining"))
	equal(b, "status", status(), "draining")
	remove(types.Tag{Key: aws.String("Status"), Value: aws.String("working")})
	equal(b, "another value keeps it", status(), "draining")
	remove(types.Tag{Key: aws.String("Status")})
	equal(b, "status", status(), "")
	b.refused(create("aws:x", "y"), "InvalidParameterValue")
	id = "i-0bbbbbbbbbbbbbbbb"
	b.refused(create("Status", "draining"), "InvalidInstanceID.NotFound")
	id = "web-1"
	b.refused(create("Status", "draining"), "InvalidInstanceID.Malformed")
}

func (b *bench) kill(change func(*ec2.TerminateInstancesInput), names ...string) error {
	b.Helper()
	in := &ec2.TerminateInstancesInput{}
	for _, n := range names {
		in.InstanceIds = append(in.InstanceIds, b.id(n))
	}
	if change != nil {
		change(in)
	}
	_, err := b.ec2.TerminateInstances(b.ctx, in)
	return err
}

func TestATerminatedInstanceIsShownForAnHour(t *testing.T) {
	b := newBench(t, Demo(), nil)
	id := b.id("bastion")
	b.must(b.kill(nil, "bastion"))
	b.must(b.kill(nil, "bastion")) // again is no error
	equal(b, "state", b.view("bastion").State, "shutting-down")
	b.clock.pass(ShutdownTime)
	i := b.described(filter("instance-id", id))[0]
	equal(b, "state", i.State.Name, types.InstanceStateNameTerminated)
	equal(b, "reason", aws.ToString(i.StateReason.Code), "Client.UserInitiatedShutdown")
	equal(b, "address", aws.ToString(i.PrivateIpAddress), "")
	b.clock.pass(RemainTime - time.Second)
	equal(b, "shown", len(b.described(filter("instance-id", id))), 1)
	b.clock.pass(time.Second)
	equal(b, "shown", len(b.described(filter("instance-id", id))), 0)
	_, err := b.ec2.DescribeInstances(b.ctx, &ec2.DescribeInstancesInput{InstanceIds: []string{id}})
	b.refused(err, "InvalidInstanceID.NotFound")
}

func TestALockedInstanceIsNotTerminated(t *testing.T) {
	b := newBench(t, Demo(), nil)
	b.refused(b.kill(nil, "bastion", "db-1"), "OperationNotPermitted")
	equal(b, "the other", b.view("bastion").State, "running")
}

func TestTerminationByForceIsNotSimulated(t *testing.T) {
	b := newBench(t, Demo(), nil)
	b.refused(b.kill(func(in *ec2.TerminateInstancesInput) { in.SkipOsShutdown = aws.Bool(true) }, "bastion"), unsimulated)
	b.refused(b.kill(func(in *ec2.TerminateInstancesInput) { in.Force = aws.Bool(true) }, "bastion"), unsimulated)
	b.refused(b.kill(func(in *ec2.TerminateInstancesInput) { in.DryRun = aws.Bool(true) }, "bastion"), "DryRunOperation")
	equal(b, "state", b.view("bastion").State, "running")
}

func TestAMemberKilledThroughEC2DoesNotDrainAndIsReplaced(t *testing.T) {
	fleet := Demo()
	fleet.In[0].Groups[0].Hook = &Hook{Name: "flush", Heartbeat: 2 * time.Minute}
	b := newBench(t, fleet, nil)
	b.must(b.kill(nil, "web-1"))
	equal(b, "lifecycle", b.lifecycle("web-1"), "InService")
	equal(b, "target", b.target("web", "web-1"), "healthy/")
	equal(b, "connections", b.view("web-1").Connections, 0)
	b.clock.pass(NoticeTime + EndTime)
	equal(b, "state", b.view("web-1").State, "terminated")
	equal(b, "the hook fires on a dead host", b.lifecycle("web-1"), "Terminating:Wait")
	b.clock.pass(JoinTime)
	equal(b, "replacement", b.lifecycle("web-13"), "InService")
	b.clock.pass(2 * time.Minute)
	equal(b, "lifecycle", b.lifecycle("web-1"), "")
	equal(b, "members", len(b.group("web").Instances), 12)
}
