package awssim

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
)

func hooked(t *testing.T, h Hook) *bench {
	t.Helper()
	f := Demo()
	f.In[0].Groups[0].Launch = &h
	b := newBench(t, f, nil)
	b.must(b.terminate("web-1", false))
	b.clock.pass(BalanceTime)
	b.sim.Instances()
	b.clock.pass(JoinTime)
	return b
}

func (b *bench) beat(name string) error {
	b.Helper()
	_, err := b.asg.RecordLifecycleActionHeartbeat(b.ctx, &autoscaling.RecordLifecycleActionHeartbeatInput{
		AutoScalingGroupName: aws.String("web"), LifecycleHookName: aws.String("born"), InstanceId: aws.String(b.id(name)),
	})
	return err
}

func (b *bench) complete(name, hook, result string) error {
	b.Helper()
	_, err := b.asg.CompleteLifecycleAction(b.ctx, &autoscaling.CompleteLifecycleActionInput{
		AutoScalingGroupName: aws.String("web"), LifecycleHookName: aws.String(hook), InstanceId: aws.String(b.id(name)), LifecycleActionResult: aws.String(result),
	})
	return err
}

// A new member waits at the launch hook, in no pool, and is let in when that is said;
// who says it twice, or of one that does not wait, is refused.
func TestALaunchHookHoldsUpALaunch(t *testing.T) {
	b := hooked(t, Hook{Name: "born", Heartbeat: time.Minute})
	equal(b, "lifecycle", b.lifecycle("web-13"), "Pending:Wait")
	equal(b, "target", b.target("web", "web-13"), "unused/Target.NotRegistered")
	equal(b, "status", b.view("web-13").Status, "standby")
	equal(b, "another's status", b.view("web-2").Status, "working")
	b.refused(b.complete("web-13", "other", "CONTINUE"), "ValidationError")
	b.refused(b.complete("web-13", "born", "MAYBE"), "ValidationError")
	b.refused(b.complete("web-2", "born", "CONTINUE"), "ValidationError")
	b.refused(b.beat("web-2"), "ValidationError")
	b.must(b.complete("web-13", "born", "CONTINUE"))
	equal(b, "lifecycle", b.lifecycle("web-13"), "Pending:Proceed")
	b.refused(b.complete("web-13", "born", "CONTINUE"), "ValidationError")
	b.clock.pass(ProceedTime)
	equal(b, "lifecycle", b.lifecycle("web-13"), "InService")
	b.clock.pass(time.Minute)
	equal(b, "target", b.target("web", "web-13"), "healthy/")
	b.must(b.enter(true, "web-13"))
	b.clock.pass(time.Minute)
	b.must(b.exit("web-13")) // which no launch hook holds up
	b.clock.pass(time.Minute)
	equal(b, "lifecycle", b.lifecycle("web-13"), "InService")
}

// A heartbeat begins the time anew, and never beyond a hundred time-outs; when it is
// over the hook's own result counts.
func TestTheTimeOfALaunchHook(t *testing.T) {
	for on, want := range map[bool]string{true: "InService", false: "Terminating"} {
		b := hooked(t, Hook{Name: "born", Heartbeat: time.Minute, Continue: on})
		for range 140 {
			if b.lifecycle("web-13") != "Pending:Wait" {
				break
			}
			b.clock.pass(50 * time.Second)
			if b.lifecycle("web-13") == "Pending:Wait" {
				b.must(b.beat("web-13"))
			}
		}
		waited := b.clock.Now().Sub(b.view("web-13").Launched) - JoinTime
		if waited < 100*time.Minute || waited > 102*time.Minute {
			t.Errorf("it waited for %v", waited)
		}
		if on {
			b.clock.pass(ProceedTime)
		}
		equal(b, "lifecycle", b.lifecycle("web-13"), want)
	}
}

// One that is abandoned is ended, and another one is launched.
func TestALaunchIsAbandoned(t *testing.T) {
	b := hooked(t, Hook{Name: "born", Heartbeat: time.Minute})
	b.must(b.complete("web-13", "born", "ABANDON"))
	equal(b, "lifecycle", b.lifecycle("web-13"), "Terminating")
	b.clock.pass(BalanceTime)
	b.sim.Instances()
	b.clock.pass(JoinTime)
	equal(b, "lifecycle", b.lifecycle("web-14"), "Pending:Wait")
}

// A termination that waits at its hook can be prolonged and let go on as well.
func TestATerminationIsCompleted(t *testing.T) {
	f := Demo()
	f.In[0].Groups[0].Hook = &Hook{Name: "born", Heartbeat: time.Minute}
	b := newBench(t, f, nil)
	b.must(b.terminate("web-1", false))
	b.clock.pass(40 * time.Second)
	equal(b, "lifecycle", b.lifecycle("web-1"), "Terminating:Wait")
	b.must(b.beat("web-1"))
	b.clock.pass(50 * time.Second)
	equal(b, "lifecycle", b.lifecycle("web-1"), "Terminating:Wait")
	b.must(b.complete("web-1", "born", "CONTINUE"))
	equal(b, "lifecycle", b.lifecycle("web-1"), "Terminating:Proceed")
}
