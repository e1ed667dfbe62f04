package aws_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/aws/awssim"
)

func TestTag(t *testing.T) {
	w := newWorld(t)
	w.ok(w.fleet.Tag(t.Context(), home, lone, map[string]string{"Status": "draining", "signalbox:drain": "d-1"}, nil))
	if m := w.machine(lone); m.Status != "draining" || m.Tags["signalbox:drain"] != "d-1" || m.Role != "app" {
		t.Errorf("its tags are %v", m.Tags)
	}
	w.ok(w.fleet.Tag(t.Context(), home, lone, map[string]string{"Status": "working"}, []string{"signalbox:drain", "signalbox:none"}))
	if m := w.machine(lone); m.Status != "working" || m.Tags["signalbox:drain"] != "" || m.Name != "lone" {
		t.Errorf("its tags are %v", m.Tags)
	}
	before := len(w.sim.Calls())
	w.ok(w.fleet.Tag(t.Context(), home, lone, nil, nil))
	if n := len(w.sim.Calls()) - before; n > 0 {
		t.Errorf("no tag was to be changed, and %d calls were made", n)
	}
	w.refused(w.fleet.Tag(t.Context(), home, lone, map[string]string{"a": "1"}, []string{"a"}), "aws tag "+lone+": the tag a is to be set and taken away")
	w.gone(w.fleet.Tag(t.Context(), home, nothing, map[string]string{"a": "1"}, nil))
}

// lifecycle is where a member stands, and what its group wants.
func lifecycle(m integrations.Machine) string {
	if m.Group == nil {
		return "none"
	}
	one, _ := m.Group.Member(m.ID)
	return fmt.Sprintf("%s of %d", one.Lifecycle, m.Group.Desired)
}

func TestStandby(t *testing.T) {
	w := newWorld(t)
	id := w.member()
	w.ok(w.fleet.EnterStandby(t.Context(), home, "web", id, true))
	if got := lifecycle(w.machine(id)); got != "EnteringStandby of 2" {
		t.Errorf("it is %s", got)
	}
	w.pass(time.Minute)
	m := w.machine(id)
	if got := lifecycle(m); got != "Standby of 2" || len(m.Pools) > 0 {
		t.Errorf("it is %s, in %d pools", got, len(m.Pools))
	}
	w.refused(w.fleet.EnterStandby(t.Context(), home, "web", id, true), "")
	w.ok(w.fleet.ExitStandby(t.Context(), home, "web", id))
	w.pass(time.Minute)
	if got := lifecycle(w.machine(id)); got != "InService of 3" {
		t.Errorf("it is %s", got)
	}
	w.ok(w.fleet.EnterStandby(t.Context(), home, "web", id, false))
	if got := lifecycle(w.machine(id)); got != "EnteringStandby of 3" {
		t.Errorf("it is %s; want the number as it was", got)
	}
	w.gone(w.fleet.EnterStandby(t.Context(), home, "web", lone, true))
	w.gone(w.fleet.EnterStandby(t.Context(), home, "none", id, true))
}

func TestStandbyKeepsToTheBounds(t *testing.T) {
	w := newWorld(t)
	w.ok(w.fleet.SetDesired(t.Context(), home, "web", 1))
	w.pass(12 * time.Minute)
	id := w.member()
	w.refused(w.fleet.EnterStandby(t.Context(), home, "web", id, true), "")
	if got := lifecycle(w.machine(id)); got != "InService of 1" {
		t.Errorf("it is %s", got)
	}
	w.refused(w.fleet.SetDesired(t.Context(), home, "web", 5), "")
	w.refused(w.fleet.SetDesired(t.Context(), home, "web", -1), "aws set what web wants: -1 is not a number of instances")
	w.gone(w.fleet.SetDesired(t.Context(), home, "none", 1))
}

// A member goes through its group, which replaces it; one of no group by itself.
func TestTerminate(t *testing.T) {
	w := newWorld(t)
	id, from := w.member(), len(w.sim.Calls())
	w.ok(w.fleet.Terminate(t.Context(), home, "web", id))
	w.ok(w.fleet.Terminate(t.Context(), home, "", lone))
	if through, itself := w.calls(from, "autoscaling:TerminateInstanceInAutoScalingGroup"), w.calls(from, "ec2:TerminateInstances"); through != 1 || itself != 1 {
		t.Errorf("%d went through the group and %d by themselves; want one of each", through, itself)
	}
	w.later(w.fleet.Terminate(t.Context(), home, "web", id)) // it is on its way
	w.pass(12 * time.Minute)
	if m := w.machine(lone); m.State != integrations.InstanceTerminated {
		t.Errorf("it is %s", m.State)
	}
	g := w.machine(id).Group
	if g == nil || g.Desired != 3 || len(g.Members) != 3 {
		t.Errorf("the group is %+v; want three members", g)
	}
	w.gone(w.fleet.Terminate(t.Context(), home, "web", id)) // it is gone
	w.gone(w.fleet.Terminate(t.Context(), home, "", nothing))
	w.refused(w.fleet.Terminate(t.Context(), home, "", bare), "") // its termination is disabled
}

// EC2 would end a member at once, and EC2 Auto Scaling one of another group: neither is
// let come to it.
func TestTerminateOfAnotherGroup(t *testing.T) {
	w := newWorld(t)
	id := w.member()
	w.refused(w.fleet.Terminate(t.Context(), home, "", id), "aws terminate "+id+": it is in the scaling group web, and none was said")
	w.refused(w.fleet.Terminate(t.Context(), home, "worker", id), "aws terminate "+id+": it is in the scaling group web, and worker was said")
	if m := w.machine(id); m.State != integrations.InstanceRunning || lifecycle(m) != "InService of 3" {
		t.Errorf("it is %s, %s", m.State, lifecycle(m))
	}
}

// deeds are all changes by their actions, each of something that is there to be changed.
func deeds(w *world) map[string]func() error {
	id := w.member()
	m := w.machine(lone)
	tcp, old := seat(w.T, m, "tcp"), seat(w.T, m, "old")
	ctx := w.Context()
	tasks, err := w.fleet.TaskHost(ctx, home, integrations.AnyCluster, lone)
	w.ok(err)
	waits := w.born(1)
	return map[string]func() error{
		"RecordLifecycleActionHeartbeat": func() error { return w.fleet.KeepWaiting(ctx, home, "born", "birth", waits) },
		"CompleteLifecycleAction":        func() error { return w.fleet.LetIn(ctx, home, "born", "birth", waits) },
		"CreateTags": func() error {
			return w.fleet.Tag(ctx, home, lone, map[string]string{"Status": "draining"}, nil)
		},
		"DeleteTags":                          func() error { return w.fleet.Tag(ctx, home, lone, nil, []string{"Status"}) },
		"EnterStandby":                        func() error { return w.fleet.EnterStandby(ctx, home, "web", id, true) },
		"ExitStandby":                         func() error { return w.fleet.ExitStandby(ctx, home, "web", id) },
		"SetDesiredCapacity":                  func() error { return w.fleet.SetDesired(ctx, home, "web", 4) },
		"DeregisterTargets":                   func() error { return w.fleet.Leave(ctx, home, tcp) },
		"RegisterTargets":                     func() error { return w.fleet.Join(ctx, home, tcp) },
		"DeregisterInstancesFromLoadBalancer": func() error { return w.fleet.Leave(ctx, home, old) },
		"RegisterInstancesWithLoadBalancer":   func() error { return w.fleet.Join(ctx, home, old) },
		"SuspendProcesses":                    func() error { return w.fleet.Suspend(ctx, home, "web", []string{"AZRebalance"}) },
		"ResumeProcesses":                     func() error { return w.fleet.Resume(ctx, home, "web", []string{"AZRebalance"}) },
		"CreateOrUpdateTags":                  func() error { return w.fleet.TagGroup(ctx, home, "web", "signalbox:lock", "job-7") },
		"DeleteTags of a group":               func() error { return w.fleet.UntagGroup(ctx, home, "web", "signalbox:lock") },
		"TerminateInstanceInAutoScalingGroup": func() error { return w.fleet.Terminate(ctx, home, "web", id) },
		"TerminateInstances":                  func() error { return w.fleet.Terminate(ctx, home, "", lone) },
		"UpdateContainerInstancesState":       func() error { return w.fleet.DrainTasks(ctx, home, tasks.Cluster, tasks.ID) },
		"AuthorizeSecurityGroupIngress": func() error {
			_, err := w.fleet.Authorize(ctx, home, doorRule("54.65.0.7/32"))
			return err
		},
		"RevokeSecurityGroupIngress": func() error { return w.fleet.Revoke(ctx, home, doors, w.sim.Rules(doors)[0].ID) },
		"SendCommand": func() error {
			_, err := w.fleet.Start(ctx, home, lone, "true", time.Minute)
			return err
		},
	}
}

// A change is tried once, whatever becomes of it: throttled, refused by a service that
// is not well, cut off before it was done or after.
func TestAChangeIsTriedOnce(t *testing.T) {
	actions := slices.Sorted(func(yield func(string) bool) {
		for action := range deeds(newWorld(t)) {
			if !yield(action) {
				return
			}
		}
	})
	for _, action := range actions {
		for _, f := range []awssim.Fault{
			{Kind: "throttle"}, {Kind: "reset"}, {Kind: "lost"}, {Kind: "error", Code: "InternalFailure"}, {Kind: "error", Code: "ServiceUnavailable"},
		} {
			t.Run(action+" "+f.Kind+f.Code, func(t *testing.T) {
				w := newWorld(t)
				do := deeds(w)
				if action == "ExitStandby" {
					w.ok(do["EnterStandby"]())
					w.pass(time.Minute)
				}
				f.Action, _, _ = strings.Cut(action, " ")
				f.Count = -1
				w.fault(f)
				from := len(w.sim.Calls())
				later := w.later(do[action]())
				if n := w.named(from, f.Action); n != 1 {
					t.Errorf("it was tried %d times", n)
				}
				if later.Unsent != (f.Kind == "throttle") {
					t.Errorf("that nothing was done is %v for certain", later.Unsent)
				}
				w.sim.ClearFaults()
				if f.Kind != "lost" {
					w.ok(do[action]()) // nothing was done
				}
			})
		}
	}
}

// named counts the calls of an action, of whatever service.
func (w *world) named(from int, action string) (n int) {
	for _, c := range w.sim.Calls()[from:] {
		if slices.Contains([]string{"ec2:" + action, "autoscaling:" + action, "elasticloadbalancing:" + action, "ssm:" + action, "ecs:" + action}, c.Name) {
			n++
		}
	}
	return n
}

// What was done although its answer was lost is seen by whoever looks.
func TestALostChangeIsSeen(t *testing.T) {
	w := newWorld(t)
	id := w.member()
	for _, action := range []string{"EnterStandby", "CreateTags", "DeregisterTargets"} {
		w.fault(awssim.Fault{Kind: "lost", Action: action})
	}
	w.later(w.fleet.EnterStandby(t.Context(), home, "web", id, true))
	w.later(w.fleet.Tag(t.Context(), home, id, map[string]string{"Status": "draining"}, nil))
	s := seat(t, w.machine(lone), "tcp")
	w.later(w.fleet.Leave(t.Context(), home, s))
	m := w.machine(id)
	got := []string{lifecycle(m), m.Status, seat(t, w.machine(lone), "tcp").State}
	if diff := cmp.Diff([]string{"EnteringStandby of 2", "draining", "draining"}, got); diff != "" {
		t.Error(diff)
	}
}

// A read is tried three times.
func TestAReadIsTriedThreeTimes(t *testing.T) {
	w := newWorld(t)
	const action = "DescribeInstanceAttribute"
	for _, tt := range []struct {
		fault awssim.Fault
		want  int
		ok    bool
	}{
		{awssim.Fault{Kind: "reset", Count: 2}, 3, true},
		{awssim.Fault{Kind: "lost", Count: 2}, 3, true},
		{awssim.Fault{Kind: "throttle", Count: 1}, 2, true},
		{awssim.Fault{Kind: "error", Code: "InternalError", Count: -1}, 3, false},
		{awssim.Fault{Kind: "error", Code: "UnauthorizedOperation", Count: -1}, 1, false},
	} {
		w.sim.ClearFaults()
		tt.fault.Action = action
		w.fault(tt.fault)
		from := len(w.sim.Calls())
		_, err := w.fleet.Machine(t.Context(), home, lone)
		if n := w.named(from, action); n != tt.want || (err == nil) != tt.ok {
			t.Errorf("%s%s: it was tried %d times, and %v came of it; want %d", tt.fault.Kind, tt.fault.Code, n, err, tt.want)
		}
	}
}
