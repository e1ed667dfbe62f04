package aws_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/aws/awssim"
)

func TestADeployReplacesOneImageAndNothingElse(t *testing.T) {
	q := newQuay(t)
	a := q.step("")
	p := q.planned(a, "+0 ~1 -0")
	for _, want := range []string{"shop:1, with another image", "- image " + hub + ":old", "+ image " + hub + "@sha256:", "(the tag " + commitA + ")", "2 tasks are replaced"} {
		if !strings.Contains(p.Text, want) {
			t.Errorf("the plan does not say %q:\n%s", want, p.Text)
		}
	}
	if again := q.planned(a, "+0 ~1 -0"); (integrations.Plans{again}).Digest() != (integrations.Plans{p}).Digest() {
		t.Error("the same plan has another digest")
	}
	for _, c := range q.sim.Calls() {
		if c.Change {
			t.Errorf("the plan calls %s", c.Name)
		}
	}
	q.must(q.sim.Rescale("shop", 3)) // its autoscaling did, meanwhile
	if err := a.Apply(t.Context(), q.run); err != nil {
		t.Fatalf("%v\n%s", err, q.log.String())
	}
	q.stands("shop:2", 2, 2)
	if s := q.service(); s.Desired != 3 || s.Running != 3 || s.Rollout != "COMPLETED" || !strings.HasPrefix(s.Images[0], hub+"@sha256:") {
		t.Errorf("it came to %+v", s)
	}
	was, now := q.sim.Definition("shop:1"), q.sim.Definition("shop:2")
	if !strings.Contains(was, `"environment":[{"name":"PORT","value":"8080"}]`) || !strings.Contains(now, `"environment":[{"name":"PORT","value":"8080"}]`) {
		t.Errorf("%s became %s", was, now)
	}
	if !strings.Contains(now, `{"key":"signalbox:sha","value":"`+commitA+`"}`) {
		t.Errorf("it is not tagged: %s", now)
	}
	if strings.Contains(q.log.String(), "8080") {
		t.Error("the log holds a value of the environment")
	}
	q.planned(a, "+0 ~0 -0")
	if name, err := a.Revision(t.Context(), q.run); err != nil || name != "shop:2" {
		t.Errorf("the revision is %q: %v", name, err)
	}
	if p, err := a.Probe(t.Context(), q.run); err != nil || !p.Clean || !strings.Contains(p.Text, "shop:2 is deployed: 3 of 3") {
		t.Errorf("the probe: %+v %v", p, err)
	}
	if err := a.Apply(t.Context(), q.run); err != nil { // of an empty plan
		t.Error(err)
	}
	q.stands("shop:2", 2, 2)
}

func TestAnImageThatIsStillBuiltIsWaitedFor(t *testing.T) {
	q := newQuay(t)
	q.run.SHA = commitB
	q.must(q.sim.Push("shop", commitB, 20*time.Second))
	q.planned(q.step(""), "+0 ~1 -0")
	if said := q.log.String(); !strings.Contains(said, "There is no image shop:"+commitB+" yet; it is waited for, 10m0s at most") {
		t.Errorf("it said %q", said)
	}
	q.run.SHA = strings.Repeat("c", 40)
	_, err := q.step(`"image_wait": 300`).Plan(t.Context(), q.run)
	q.says(err, "there is no image shop:"+q.run.SHA+" in ECR, after 300ms", "plan it again")
	q.once(syscall.SIGINT, "DescribeImages", true)
	_, err = q.step("").Plan(t.Context(), q.run)
	if !errors.Is(err, integrations.ErrInterrupted) {
		t.Errorf("a person stopped it: %v", err)
	}
}

// What was reviewed goes before what was merged, where both hold the same files.
func TestTheImageOfTheReviewedHeadIsTaken(t *testing.T) {
	q := newQuay(t)
	q.run.SHA, q.run.Same = commitB, []string{commitA}
	first := q.planned(q.step(""), "+0 ~1 -0")
	q.must(q.sim.Push("shop", commitB, -time.Second))
	if p := q.planned(q.step(""), "+0 ~1 -0"); p.Text != first.Text {
		t.Errorf("%s became %s", first.Text, p.Text)
	}
	q.run.Same = nil
	if p := q.planned(q.step(""), "+0 ~1 -0"); !strings.Contains(p.Text, commitB) {
		t.Error(p.Text)
	}
	q.must(os.WriteFile(filepath.Join(q.run.Tree, "VERSION"), []byte("1.4.2\n"), 0o600))
	if p := q.planned(q.step(`"tag_file": "VERSION"`), "+0 ~1 -0"); !strings.Contains(p.Text, "(the tag 1.4.2)") {
		t.Error(p.Text)
	}
	q.must(os.WriteFile(filepath.Join(q.run.Tree, "VERSION"), []byte("no tag\n"), 0o600))
	_, err := q.step(`"tag_file": "VERSION"`).Plan(t.Context(), q.run)
	q.says(err, `holds "no tag"`)
	_, err = q.step(`"tag_file": "none"`).Plan(t.Context(), q.run)
	q.says(err, "there is no file none in the repository")
}

// ECS is steady after a roll-back, as it is after a deployment.
func TestARollBackIsNoSuccess(t *testing.T) {
	q := newQuay(t)
	a := q.step("")
	q.planned(a, "+0 ~1 -0")
	q.must(q.sim.BreakService("shop", ""))
	q.says(a.Apply(t.Context(), q.run), "ecs apply: the service rolled back to shop:1", "tasks stopped: Essential container in task exited (app: exit code 1)")
	q.stands("shop:1", 2, 3)
	if s := q.service(); s.Rollout != "COMPLETED" || s.Running != 2 {
		t.Errorf("it came to %+v", s)
	}
	if p, err := a.Probe(t.Context(), q.run); err != nil || p.Clean || !strings.Contains(p.Text, "shop:2, which this apply registered, does not run: shop is at shop:1") {
		t.Errorf("the probe: %+v %v", p, err)
	}
	// A second try uses what the first one registered.
	q.planned(a, "+0 ~1 -0")
	if err := a.Apply(t.Context(), q.run); err != nil {
		t.Fatalf("%v\n%s", err, q.log.String())
	}
	q.stands("shop:2", 2, 4)
}

// ECS tells of stopped tasks for an hour: those of an earlier deployment explain nothing.
func TestReasonsAreOfThisDeployment(t *testing.T) {
	q := newQuay(t)
	a := q.step("")
	for _, c := range []struct{ sha, why, not string }{{commitA, "CannotPullContainerError: denied", "exit code"}, {commitB, "", "CannotPull"}} {
		q.run.SHA, q.run.Work = c.sha, t.TempDir()
		if c.sha == commitB {
			q.must(q.sim.Push("shop", commitB, -time.Second))
		}
		q.planned(a, "+0 ~1 -0")
		q.must(q.sim.BreakService("shop", c.why))
		err := a.Apply(t.Context(), q.run)
		q.says(err, "rolled back to shop:1", "tasks stopped: "+c.why)
		if strings.Contains(err.Error(), c.not) {
			t.Errorf("it says %q", err)
		}
	}
}

func TestTasksThatFailWithoutARollBack(t *testing.T) {
	for _, c := range []struct {
		breaker, why string
		limit        string
		unknown      bool
		want         []string
	}{
		{awssim.BreakerStop, "", "", false, []string{"shop:2 did not come up", "tasks failed to start", "exit code 1", "Nothing went back by itself"}},
		{awssim.BreakerStop, "CannotPullContainerError: denied", "", false, []string{"tasks stopped: CannotPullContainerError: denied"}},
		{"", "", `"limit": 1500`, true, []string{"it is not over after 1.5s", "shop:2 is PRIMARY, IN_PROGRESS, with 0 of 2 running", "ECS goes on by itself"}},
	} {
		q := newQuay(t, awssim.Service{Name: "shop", Tasks: 2, Container: "app", Image: hub + ":old", Breaker: c.breaker})
		a := q.step(c.limit)
		if p := q.planned(a, "+0 ~1 -0"); len(p.Notes) != 1 || !strings.Contains(p.Notes[0], "circuit breaker") {
			t.Errorf("the plan notes %q", p.Notes)
		}
		q.must(q.sim.BreakService("shop", c.why))
		err := a.Apply(t.Context(), q.run)
		q.says(err, c.want...)
		if errors.Is(err, integrations.ErrUnknown) != c.unknown {
			t.Errorf("%v: unknown %v, want %v", err, !c.unknown, c.unknown)
		}
		q.stands("shop:2", 2, 2)
	}
}

// The tool is killed at each of its calls, before it is acted on and after: nothing is
// registered or deployed twice, and what is said of it is true.
func TestKilledAtAnyCall(t *testing.T) {
	for _, c := range []struct {
		action string
		done   bool
		want   string // that is said; "" where it comes out well
		again  bool   // it was deployed by then, so that there is nothing left to do
	}{
		{"DescribeServices", false, "killed before anything was registered", false},
		{"DescribeImages", true, "killed before anything was registered", false},
		{"RegisterTaskDefinition", false, "killed before anything was registered", false},
		{"RegisterTaskDefinition", true, "killed after shop:2 was registered and before the service was told; shop is at shop:1", false},
		{"UpdateService", false, "killed after shop:2 was registered and before the service was told; shop is at shop:1", false},
		{"UpdateService", true, "", true},
	} {
		t.Run(c.action, func(t *testing.T) {
			q := newQuay(t)
			a := q.step("")
			q.planned(a, "+0 ~1 -0")
			q.once(syscall.SIGKILL, c.action, c.done)
			err := a.Apply(t.Context(), q.run)
			if q.spent != 1 {
				t.Fatalf("it was killed %d times", q.spent)
			}
			if c.want != "" {
				q.says(err, c.want, "nothing was deployed")
				if errors.Is(err, integrations.ErrUnknown) {
					t.Errorf("%v: it is known", err)
				}
			} else if err != nil {
				t.Fatal(err)
			}
			p, err := a.Probe(t.Context(), q.run)
			if err != nil || p.Clean != c.again {
				t.Errorf("the probe: %+v %v", p, err)
			}
			if c.again {
				q.must(a.Apply(t.Context(), q.run)) // by the same plan
				q.stands("shop:2", 2, 2)
				return
			}
			q.planned(a, "+0 ~1 -0") // a person said Retry
			if err := a.Apply(t.Context(), q.run); err != nil {
				t.Fatalf("%v\n%s", err, q.log.String())
			}
			q.stands("shop:2", 2, 2)
		})
	}
}

// A kill while it is followed, of the tool and of all that it wrote down, is nothing to
// the deployment: it is found by the tag.
func TestKilledWhileItIsFollowed(t *testing.T) {
	for _, broken := range []bool{false, true} {
		q := newQuay(t)
		a := q.step("")
		q.planned(a, "+0 ~1 -0")
		if broken {
			q.must(q.sim.BreakService("shop", ""))
		}
		updated := false
		q.at = func(action string, done bool) os.Signal {
			updated = updated || action == "UpdateService" && done
			if updated && action == "DescribeServices" {
				q.must(os.Remove(filepath.Join(q.run.Work, "ecs-record.json")))
				return syscall.SIGKILL
			}
			return nil
		}
		err := a.Apply(t.Context(), q.run)
		if broken {
			q.says(err, "the service rolled back to shop:1", "exit code 1")
			q.stands("shop:1", 2, 3)
			continue
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, q.log.String())
		}
		q.stands("shop:2", 2, 2)
	}
}

// Nobody looked before it was all over: that nothing was deployed would be wrong.
func TestKilledAndLookedForLongAfterTheRollBack(t *testing.T) {
	q := newQuay(t)
	a := q.step("")
	q.planned(a, "+0 ~1 -0")
	q.must(q.sim.BreakService("shop", ""))
	q.at = func(action string, done bool) os.Signal {
		if action != "UpdateService" || !done {
			return nil
		}
		q.must(q.clock.Advance(context.Background(), 5*time.Minute, nil))
		return syscall.SIGKILL
	}
	err := a.Apply(t.Context(), q.run)
	q.says(err, "the service rolled back to shop:1: 4 tasks stopped: Essential container in task exited")
	if errors.Is(err, integrations.ErrUnknown) {
		t.Errorf("%v: it is known", err)
	}
	q.stands("shop:1", 2, 3)
}

func TestAnswersThatAreLostOrLateOrTooMany(t *testing.T) {
	for _, f := range []awssim.Fault{
		{Kind: "lost", Action: "RegisterTaskDefinition"}, {Kind: "lost", Action: "UpdateService"}, {Kind: "throttle", Action: "RegisterTaskDefinition", Count: 2},
		{Kind: "throttle", Action: "UpdateService", Count: 2}, {Kind: "throttle", Service: "ecs", Action: "DescribeServices", Count: 4},
		{Kind: "lag", Action: "UpdateService", LagSeconds: 8}, {Kind: "lag", Action: "RegisterTaskDefinition", LagSeconds: 8},
	} {
		t.Run(f.Kind+" "+f.Action, func(t *testing.T) {
			q := newQuay(t)
			a := q.step("")
			q.planned(a, "+0 ~1 -0")
			q.must(q.sim.Fault(f))
			err := a.Apply(t.Context(), q.run)
			if f.Action == "DescribeServices" {
				q.says(err, "ThrottlingException") // of the first look, before anything was done
				q.stands("shop:1", 1, 1)
				return
			}
			if err != nil {
				t.Fatalf("%v\n%s", err, q.log.String())
			}
			q.stands("shop:2", 2, 2)
		})
	}
}

// What never reached ECS is said to be that, or to be unknown.
func TestCallsThatDidNotArrive(t *testing.T) {
	q := newQuay(t)
	a := q.step("")
	q.planned(a, "+0 ~1 -0")
	q.must(q.sim.Fault(awssim.Fault{Kind: "reset", Action: "RegisterTaskDefinition"}))
	err := a.Apply(t.Context(), q.run)
	q.says(err, "nothing was deployed: try it again")
	q.must(q.sim.Fault(awssim.Fault{Kind: "reset", Action: "UpdateService"}))
	err = a.Apply(t.Context(), q.run)
	q.says(err, "ECS tells of no deployment of shop:2; it is at shop:1")
	if !errors.Is(err, integrations.ErrUnknown) {
		t.Errorf("%v: nobody can know", err)
	}
	q.must(q.sim.Fault(awssim.Fault{Kind: "error", Action: "UpdateService", Code: "AccessDeniedException", Message: "no"}))
	q.says(a.Apply(t.Context(), q.run), "AccessDeniedException: no; nothing was deployed")
	q.stands("shop:1", 2, 1)
}

func TestACancelSaysWhatGoesOn(t *testing.T) {
	q := newQuay(t)
	a := q.step("")
	q.planned(a, "+0 ~1 -0")
	q.once(syscall.SIGINT, "UpdateService", false)
	err := a.Apply(t.Context(), q.run)
	q.says(err, "ECS goes on by itself", "of shop:2 is PRIMARY, IN_PROGRESS")
	var left *integrations.Left
	if !errors.Is(err, integrations.ErrInterrupted) || errors.Is(err, integrations.ErrUnknown) || !errors.As(err, &left) || !strings.HasPrefix(left.What, "ECS goes on by itself: ") {
		t.Errorf("a person stopped it: %v", err)
	}
	if p, err := a.Probe(t.Context(), q.run); err != nil || p.Clean || !strings.Contains(p.Text, "It goes on at ECS by itself") {
		t.Errorf("the probe: %+v %v", p, err)
	}
	q.must(q.clock.Advance(t.Context(), 5*time.Minute, nil))
	q.stands("shop:2", 2, 2)
	if q.service().Rollout != "COMPLETED" {
		t.Errorf("it came to %+v", q.service())
	}
	q = newQuay(t)
	a = q.step("")
	q.planned(a, "+0 ~1 -0")
	q.once(syscall.SIGINT, "DescribeServices", false)
	q.says(a.Apply(t.Context(), q.run), "nothing was deployed")
	q.stands("shop:1", 1, 1)
}

func TestRevert(t *testing.T) {
	q := newQuay(t)
	a := q.step("")
	q.planned(a, "+0 ~1 -0")
	q.must(a.Apply(t.Context(), q.run))
	q.run.Work = t.TempDir()
	q.must(a.Revert(t.Context(), q.run, "shop:1"))
	q.stands("shop:1", 2, 3)
	q.must(a.Revert(t.Context(), q.run, "shop:1")) // it is there already
	q.stands("shop:1", 2, 3)
	q.run.Work = t.TempDir()
	q.once(syscall.SIGKILL, "UpdateService", true)
	q.must(a.Revert(t.Context(), q.run, "shop:2"))
	q.stands("shop:2", 2, 4)
	q.must(q.sim.Deregister("shop:1"))
	q.run.Work = t.TempDir()
	q.says(a.Revert(t.Context(), q.run, "shop:1"), "there is no revision shop:1 any more")
	q.run.Work = t.TempDir()
	q.says(a.Revert(t.Context(), q.run, "shop:9"), "there is no revision shop:9 any more")
	q.stands("shop:2", 2, 4)
}
