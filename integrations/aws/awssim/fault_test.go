package awssim

import (
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/smithy-go"
)

func TestThrottlingIsToldInEachProtocol(t *testing.T) {
	b := newBench(t, Demo(), nil)
	ask := map[string]func() error{
		ec2Service:         func() error { return errOf(b.ec2.DescribeInstances(b.ctx, nil)) },
		autoscalingService: func() error { return errOf(b.asg.DescribeAutoScalingGroups(b.ctx, nil)) },
		ssmService:         func() error { return errOf(b.ssm.DescribeInstanceInformation(b.ctx, nil)) },
	}
	for service, want := range map[string]struct {
		code   string
		status int
	}{ec2Service: {"RequestLimitExceeded", 503}, autoscalingService: {"Throttling", 400}, ssmService: {"ThrottlingException", 400}} {
		b.must(b.sim.Fault(Fault{Kind: "throttle", Service: service, Count: 2}))
		for range 2 {
			err := ask[service]()
			b.refused(err, want.code)
			var answer *awshttp.ResponseError
			if !errors.As(err, &answer) || answer.HTTPStatusCode() != want.status {
				b.Errorf("%v, want %d", err, want.status)
			}
		}
		b.must(ask[service]())
	}
}

func (b *bench) unanswered(err error) {
	b.Helper()
	var refused smithy.APIError
	if err == nil || errors.As(err, &refused) {
		b.Fatalf("%v, want no answer", err)
	}
}

func TestAResetHasNotActedAndALostReplyHas(t *testing.T) {
	b := newBench(t, Demo(), nil)
	b.must(b.sim.Fault(Fault{Kind: "reset", Service: "autoscaling", Action: "EnterStandby"}))
	b.unanswered(b.enter(true, "web-1"))
	equal(b, "lifecycle", b.lifecycle("web-1"), "InService")
	b.must(b.sim.Fault(Fault{Kind: "lost", Service: "autoscaling", Action: "EnterStandby"}))
	b.unanswered(b.enter(true, "web-1"))
	equal(b, "lifecycle", b.lifecycle("web-1"), "EnteringStandby")
	b.must(b.enter(true, "web-2"))
}

func TestAnErrorIsOfOneInstanceAndEndsOnTheClock(t *testing.T) {
	b := newBench(t, Demo(), nil)
	b.must(b.sim.Fault(Fault{Kind: "error", ID: b.id("web-1"), Code: "ScalingActivityInProgress", Message: "wait", ForSeconds: 60}))
	b.must(b.enter(true, "web-2"))
	b.refused(b.enter(true, "web-1"), "ScalingActivityInProgress")
	b.refused(b.enter(true, "web-1"), "ScalingActivityInProgress")
	b.clock.pass(time.Minute)
	b.must(b.enter(true, "web-1"))
	b.must(b.sim.Fault(Fault{Kind: "error", Action: "ExitStandby", Code: "ResourceContention", Count: -1}))
	err := b.exit("web-1")
	b.refused(err, "ResourceContention")
	var answer *awshttp.ResponseError
	if !errors.As(err, &answer) || answer.HTTPStatusCode() != 500 {
		b.Errorf("%v, want 500", err)
	}
	b.sim.ClearFaults()
	b.clock.pass(StandbyTime)
	b.must(b.exit("web-1"))
}

func TestReadsLagBehindAChange(t *testing.T) {
	b := newBench(t, Demo(), nil)
	b.must(b.sim.Fault(Fault{Kind: "lag", LagSeconds: 8, Count: 2}))
	b.must(b.enter(true, "web-1"))
	b.clock.pass(6 * time.Second)
	equal(b, "not seen yet", b.lifecycle("web-1"), "InService")
	equal(b, "not seen yet", b.target("web", "web-1"), "healthy/")
	b.refused(b.enter(true, "web-1"), "ValidationError") // a change knows
	b.must(b.enter(true, "web-2"))
	b.clock.pass(2 * time.Second)
	equal(b, "seen", b.lifecycle("web-1"), "Standby")
	equal(b, "the second, not yet", b.lifecycle("web-2"), "InService")
	b.clock.pass(6 * time.Second)
	equal(b, "seen", b.lifecycle("web-2"), "Standby")
}

func TestAFaultThatCannotHappenIsRefused(t *testing.T) {
	b := newBench(t, Demo(), nil)
	for _, f := range []Fault{{Kind: "burn"}, {Kind: "reset", Service: "s3"}, {Kind: "reset", Action: "EnterStandBy"}, {Kind: "reset", Service: "ec2", Action: "EnterStandby"}} {
		if b.sim.Fault(f) == nil {
			b.Errorf("%+v was taken", f)
		}
	}
}

func TestCallsAreWrittenDown(t *testing.T) {
	b := newBench(t, Demo(), nil)
	b.must(b.enter(true, "web-1"))
	_, err := b.ec2.DescribeInstances(b.ctx, &ec2.DescribeInstancesInput{InstanceIds: []string{b.id("db-1")}})
	b.must(err)
	_, err = b.ssm.SendCommand(b.ctx, &ssm.SendCommandInput{DocumentName: aws.String("AWS-RunShellScript"), InstanceIds: []string{b.id("web-2")}, Parameters: map[string][]string{"commands": {"# signalbox:flush"}}})
	b.must(err)
	_, err = b.asg.DescribeLifecycleHooks(b.ctx, &autoscaling.DescribeLifecycleHooksInput{AutoScalingGroupName: aws.String("nope")})
	b.refused(err, "ValidationError")
	calls := b.sim.Calls()
	for n, want := range []struct{ name, id string }{
		{"autoscaling:EnterStandby", b.id("web-1")}, {"ec2:DescribeInstances", b.id("db-1")}, {"ssm:SendCommand", b.id("web-2")}, {"autoscaling:DescribeLifecycleHooks", "nope"},
	} {
		equal(b, "call", calls[n].Name, want.name)
		equal(b, "about", calls[n].IDs[len(calls[n].IDs)-1], want.id)
	}
	equal(b, "the group", calls[0].IDs[0], "web")
	equal(b, "calls", len(calls), 4)
	b.target("web", "web-1")
	equal(b, "name", b.sim.Calls()[4].Name, "elasticloadbalancing:DescribeTargetGroups")
}
