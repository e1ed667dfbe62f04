package aws_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/aws"
	"github.com/signalbox-chatops/signalbox/integrations/aws/awssim"
)

func TestCheck(t *testing.T) {
	w := newWorld(t)
	want := []integrations.Finding{
		{What: "AWS account main", OK: true, Say: "acts as arn:aws:iam::111111111111:user/signalbox"},
		{What: "AWS reads in main/ap-northeast-1", OK: true, Say: "all 19 are allowed"},
		{What: "AWS reads of ECS in main/ap-northeast-1", OK: true, Say: "all 5 are allowed"},
		{What: "AWS reads in main/us-west-2", OK: true, Say: "all 19 are allowed"},
		{What: "AWS reads of ECS in main/us-west-2", OK: true, Say: "all 5 are allowed"},
		{What: "AWS account other", OK: true, Say: "acts as arn:aws:sts::222222222222:assumed-role/signalbox/signalbox"},
		{What: "AWS reads in other/us-west-2", OK: true, Say: "all 19 are allowed"},
		{What: "AWS reads of ECS in other/us-west-2", OK: true, Say: "all 5 are allowed"},
	}
	if diff := cmp.Diff(want, w.fleet.Check(t.Context())); diff != "" {
		t.Error(diff)
	}
	if n := slices.IndexFunc(w.sim.Calls(), func(c awssim.Call) bool { return c.Change && c.Service != "sts" }); n >= 0 {
		t.Errorf("it called %s, which changes something", w.sim.Calls()[n].Name)
	}
}

func TestCheckNamesWhatIsNotAllowed(t *testing.T) {
	w := newWorld(t)
	w.fault(awssim.Fault{Kind: "error", Service: "ec2", Action: "DescribeInstanceAttribute", Code: "UnauthorizedOperation", Count: -1})
	w.fault(awssim.Fault{Kind: "error", Service: "elb", Action: "DescribeLoadBalancers", Code: "AccessDenied", Count: -1})
	w.fault(awssim.Fault{Kind: "error", Service: "elbv2", Action: "DescribeLoadBalancers", Code: "AccessDenied", Count: -1})
	w.fault(awssim.Fault{Kind: "error", Service: "ssm", Action: "GetCommandInvocation", Code: "AccessDeniedException", Count: -1})
	w.fault(awssim.Fault{Kind: "error", Service: "ecs", Action: "ListTasks", Code: "AccessDeniedException", Count: -1})
	w.fault(awssim.Fault{Kind: "error", Action: "AssumeRole", Code: "AccessDenied", Message: "no", Count: -1})
	got := w.fleet.Check(t.Context())
	want := []integrations.Finding{
		{What: "AWS account main", OK: true, Say: "acts as arn:aws:iam::111111111111:user/signalbox"},
		{
			What: "AWS reads in main/ap-northeast-1",
			Say:  "may not ec2:DescribeInstanceAttribute, elasticloadbalancing:DescribeLoadBalancers, ssm:GetCommandInvocation",
			Do:   "allow it in the policy of the account's role; docs/aws.md has the whole policy",
		},
		{What: "AWS reads of ECS in main/ap-northeast-1", OK: true, Say: "may not ecs:ListTasks; only roles with an ecs_cluster need that"},
		{
			What: "AWS account other", Say: "aws enter other: AccessDenied: no",
			Do: "see that the credentials are right and, where aws.accounts has a role, that its trust policy lets them assume it",
		},
	}
	if diff := cmp.Diff(want, slices.Delete(got, 3, 5)); diff != "" {
		t.Error(diff)
	}
}

func TestCheckOfWhatDoesNotAnswer(t *testing.T) {
	f, err := aws.New(config("http://127.0.0.1:1"), aws.Options{HTTP: &http.Client{Transport: down{}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, found := range f.Check(t.Context()) {
		if found.OK || !strings.Contains(found.Say, "no route to host") || !strings.HasPrefix(found.Do, "see that this machine reaches AWS in ") {
			t.Errorf("got %+v", found)
		}
	}
	w := newWorld(t)
	w.fault(awssim.Fault{Kind: "error", Service: "ssm", Code: "InternalServerError", Message: "sorry", Count: -1})
	found := w.fleet.Check(t.Context())[1]
	if found.OK || !strings.Contains(found.Say, "InternalServerError: sorry") {
		t.Errorf("got %+v", found)
	}
}

// What the policy allows is what is called: no more, and no less.
func TestNeedsAreWhatIsCalled(t *testing.T) {
	w := newWorld(t)
	_, err := w.fleet.Instances(t.Context())
	w.ok(err)
	_, err = w.fleet.Find(t.Context(), "lone")
	w.ok(err)
	m := w.machine(lone)
	_, err = w.fleet.Pools(t.Context(), home, []integrations.Seat{seat(t, m, "tcp"), seat(t, m, "old")})
	w.ok(err)
	w.fleet.Check(t.Context())
	g, err := w.fleet.Names(t.Context(), lone)
	w.ok(err)
	_, err = w.fleet.Series(t.Context(), g, g.Metrics[0], w.clock.Now().Add(-time.Hour), w.clock.Now())
	w.ok(err)
	do := deeds(w)
	for _, action := range []string{
		"RecordLifecycleActionHeartbeat", "CompleteLifecycleAction", "CreateTags", "DeleteTags", "EnterStandby", "ExitStandby", "SetDesiredCapacity", "SuspendProcesses", "ResumeProcesses",
		"CreateOrUpdateTags", "DeleteTags of a group", "DeregisterTargets", "RegisterTargets",
		"DeregisterInstancesFromLoadBalancer", "RegisterInstancesWithLoadBalancer", "UpdateContainerInstancesState", "SendCommand", "AuthorizeSecurityGroupIngress", "RevokeSecurityGroupIngress", "TerminateInstanceInAutoScalingGroup", "TerminateInstances",
	} {
		w.ok(do[action]())
		w.pass(time.Minute)
		delete(do, action)
	}
	if len(do) > 0 {
		t.Errorf("%d changes were not made", len(do))
	}
	_, err = w.fleet.Ingress(t.Context(), home, doors, true)
	w.ok(err)
	_, err = w.fleet.Result(t.Context(), home, lone, "00000000-0000-4000-8000-00000000ffff")
	w.ok(err)
	_, err = w.fleet.Text(t.Context(), home, phone, "", "incident-3: the shop is down")
	w.ok(err)
	var called []string
	for _, c := range w.sim.Calls() {
		called = append(called, c.Name)
	}
	slices.Sort(called)
	if diff := cmp.Diff(aws.Needs(), slices.Compact(called)); diff != "" {
		t.Errorf("what is needed (-) is not what is called (+): %s", diff)
	}
}
