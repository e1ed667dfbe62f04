package aws_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/aws"
	"github.com/signalbox-chatops/signalbox/integrations/aws/awssim"
	"github.com/signalbox-chatops/signalbox/integrations/aws/codebuild"
)

func TestABuildIsBegunAndFollowed(t *testing.T) {
	d := newDepot(t)
	a := d.make(func(o *codebuild.Order) { o.Inputs = map[string]string{"ROOM": "north"} })
	p := d.planned(a, "+0 ~1 -0")
	if !strings.Contains(p.Text, "runs the project deploy at "+commitA[:12]) {
		t.Errorf("the plan says %q", p.Text)
	}
	d.probe(a, false, "There is no run of the project deploy at "+commitA[:12])
	for _, c := range d.sim.Calls() {
		if c.Change {
			t.Errorf("before the apply %s is called", c.Name)
		}
	}
	d.apply(a)
	d.built("SUCCEEDED")
	b := d.sim.Builds()[0]
	if b.Source != commitA || b.Env["SIGNALBOX_TARGET"] != "shop/production" || b.Env["SIGNALBOX_SHA"] != commitA || b.Env["SIGNALBOX_JOB"] != "j7" || b.Env["SIGNALBOX_NONCE"] == "" || b.Env["ROOM"] != "north" || len(b.Env) != 5 {
		t.Errorf("it was begun as %+v", b)
	}
	for _, want := range []string{
		"https://ap-northeast-1.console.aws.amazon.com/codesuite/codebuild/111111111111/projects/deploy/build/deploy%3A",
		"The log at CloudWatch: https://ap-northeast-1.console.aws.amazon.com/cloudwatch/home?region=ap-northeast-1#logsV2:log-groups/log-group/$252Faws$252Fcodebuild$252Fdeploy/log-events/",
		"\ndeploying\n", "Phase complete: POST_BUILD State: SUCCEEDED", "Phase complete: FINALIZING State: SUCCEEDED", "IN_PROGRESS: phase BUILD", "\nSUCCEEDED\n",
	} {
		if n := strings.Count(d.log.String(), want); n != 1 {
			t.Errorf("the log says %d times %q:\n%s", n, want, d.log.String())
		}
	}
	if strings.Contains(d.log.String(), "cannot be read") {
		t.Errorf("it had not begun to print, and that is told:\n%s", d.log.String())
	}
	d.probe(a, true, "succeeded at "+commitA[:12])
	d.planned(a, "+0 ~0 -0")
	d.apply(a)
	d.again()
	d.planned(a, "+0 ~0 -0") // another job
	d.run.SHA = commitB
	d.planned(a, "+0 ~1 -0")
	d.apply(a)
	d.built("SUCCEEDED", "SUCCEEDED")
}

// The tool is killed at each of its calls, before it is acted on and after: there is one
// build at the end, and what is said of it is true.
func TestABuildKilledAtAnyCall(t *testing.T) {
	for _, c := range []struct {
		action string
		done   bool
		want   string // that is said; "" where it comes out well
		doubt  bool
	}{
		{"ListBuildsForProject", false, "it was killed before anything was started", false},
		{"ListBuildsForProject", true, "it was killed before anything was started", false},
		{"StartBuild", false, "no run of the project deploy showed that knows the nonce", true},
		{"StartBuild", true, "", false},
		{"BatchGetBuilds", false, "", false},
		{"BatchGetBuilds", true, "", false},
		{"GetLogEvents", false, "", false},
		{"GetLogEvents", true, "", false},
	} {
		t.Run(c.action, func(t *testing.T) {
			d := newDepot(t)
			a := d.make(func(o *codebuild.Order) {
				if c.doubt {
					o.StartWait = time.Second
				}
			})
			d.planned(a, "+0 ~1 -0")
			d.once(syscall.SIGKILL, c.action, c.done)
			err := a.Apply(t.Context(), d.run)
			if d.spent != 1 {
				t.Fatalf("it was killed %d times", d.spent)
			}
			if c.want == "" {
				if err != nil {
					t.Fatalf("%v\n%s", err, d.log.String())
				}
				d.built("SUCCEEDED")
				d.probe(a, true, "")
			} else {
				d.says(err, c.want)
				if errors.Is(err, integrations.ErrUnknown) != c.doubt {
					t.Errorf("unknown: %v", err)
				}
				d.built()
				d.probe(a, false, "here is no run")
			}
			d.again() // a person said Retry
			if d.planned(a, map[bool]string{true: "+0 ~0 -0", false: "+0 ~1 -0"}[c.want == ""]); c.want != "" {
				d.apply(a)
			}
			d.built("SUCCEEDED")
		})
	}
}

// Its id was stored, and what was stored is gone: it is found by its nonce all the same.
func TestABuildOfATryWhoseWorkIsGone(t *testing.T) {
	d := newDepot(t)
	a := d.make(nil)
	d.planned(a, "+0 ~1 -0")
	d.once(syscall.SIGKILL, "StartBuild", true)
	d.run.Exec = deaf{d.quay}
	if err := a.Apply(t.Context(), d.run); !errors.Is(err, integrations.ErrUnknown) {
		t.Fatalf("nobody can look: %v", err)
	}
	d.built("IN_PROGRESS")
	d.run.Exec = d.quay
	d.again()
	d.planned(a, "+0 ~1 -0")
	d.apply(a)
	if !strings.Contains(d.log.String(), "An earlier try began the project deploy at this commit, and no second one is started") {
		t.Error(d.log.String())
	}
	d.built("SUCCEEDED")
}

// deaf runs effects alone: nobody can look at what they left.
type deaf struct{ *quay }

func (deaf) Run(context.Context, integrations.Command) (integrations.Output, error) {
	return integrations.Output{}, errors.New("it cannot be looked at")
}

// It is killed as a person has it stopped: it is stopped all the same.
func TestABuildKilledWhileItIsStopped(t *testing.T) {
	for _, done := range []bool{false, true} {
		d := newDepot(t)
		d.long()
		a := d.make(nil)
		d.planned(a, "+0 ~1 -0")
		looked := 0
		d.at = func(action string, after bool) os.Signal {
			switch {
			case action == "BatchGetBuilds" && after:
				if looked++; looked == 3 {
					return syscall.SIGINT
				}
			case action == "StopBuild" && after == done:
				return syscall.SIGKILL
			}
			return nil
		}
		err := a.Apply(t.Context(), d.run)
		if d.spent != 2 {
			t.Fatalf("%d signals were sent", d.spent)
		}
		d.says(err, "its run was cancelled and is over: STOPPED", "what it had done by then stays")
		if !errors.Is(err, integrations.ErrInterrupted) || errors.Is(err, integrations.ErrUnknown) {
			t.Errorf("a person stopped it: %v", err)
		}
		d.built("STOPPED")
		d.probe(a, false, "is over: STOPPED")
		d.again()
		d.planned(a, "+0 ~1 -0")
		d.apply(a)
		d.built("STOPPED", "SUCCEEDED")
	}
}

func TestABuildThatIsCancelled(t *testing.T) {
	d := newDepot(t)
	d.long()
	a := d.make(nil)
	d.planned(a, "+0 ~1 -0")
	d.once(syscall.SIGINT, "StartBuild", false)
	err := a.Apply(t.Context(), d.run)
	var left *integrations.Left
	if !errors.Is(err, integrations.ErrInterrupted) || !errors.As(err, &left) || !strings.Contains(left.What, "its run was cancelled and is over: STOPPED") {
		t.Errorf("a person stopped it: %v\n%s", err, d.log.String())
	}
	d.built("STOPPED")
	d.again()
	d.planned(a, "+0 ~1 -0")
	d.must(d.sim.Fault(awssim.Fault{Kind: "throttle", Action: "ListBuildsForProject", Count: -1}))
	d.once(syscall.SIGINT, "ListBuildsForProject", true)
	d.says(a.Apply(t.Context(), d.run), "nothing was started")
	d.built("STOPPED")
}

// Answers that are lost, late, too many or of a service that is not well: one build.
func TestABuildWhoseAnswersAreLost(t *testing.T) {
	for _, f := range []awssim.Fault{
		{Kind: "lost", Action: "StartBuild"}, {Kind: "lost", Action: "StartBuild", Count: 3}, {Kind: "reset", Action: "StartBuild", Count: 2},
		{Kind: "throttle", Action: "StartBuild", Count: 1}, {Kind: "error", Action: "StartBuild"}, {Kind: "error", Action: "StartBuild", Status: 429, Code: "TooManyRequestsException"},
		{Kind: "lag", Action: "StartBuild", LagSeconds: 12}, {Kind: "throttle", Action: "BatchGetBuilds", Count: 4}, {Kind: "error", Action: "BatchGetBuilds", Count: 7},
		{Kind: "error", Action: "GetLogEvents", Count: 7}, {Kind: "error", Action: "ListBuildsForProject", Count: 4, Status: 503, Code: "ServiceUnavailable"},
	} {
		t.Run(f.Kind+" "+f.Action, func(t *testing.T) {
			d := newDepot(t)
			a := d.make(nil)
			d.planned(a, "+0 ~1 -0")
			d.must(d.sim.Fault(f))
			d.apply(a)
			d.built("SUCCEEDED")
			if n := strings.Count(d.log.String(), "\ndeploying\n"); n != 1 {
				t.Errorf("its log is there %d times:\n%s", n, d.log.String())
			}
		})
	}
}

func TestABuildThatCodeBuildDoesNotTake(t *testing.T) {
	d := newDepot(t)
	_, err := d.make(func(o *codebuild.Order) { o.Project = "none" }).Plan(t.Context(), d.run)
	d.says(err, "codebuild plan: ", "aws list the builds of none: ResourceNotFoundException: Project cannot be found")
	a := d.make(nil)
	d.planned(a, "+0 ~1 -0")
	d.must(d.sim.Fault(awssim.Fault{Kind: "error", Action: "StartBuild", Code: "AccessDeniedException", Message: "no"}))
	d.says(a.Apply(t.Context(), d.run), "aws start a build of deploy: AccessDeniedException: no; nothing was started")
	d.must(d.sim.Fault(awssim.Fault{Kind: "error", Action: "StartBuild", Code: "AccountLimitExceededException", Message: "Cannot have more than 60 builds in queue for the account"}))
	d.apply(a)
	if !strings.Contains(d.log.String(), "Cannot have more than 60 builds") {
		t.Error(d.log.String())
	}
	d.built("SUCCEEDED")
}

func TestABuildThatDoesNotComeOutWell(t *testing.T) {
	for _, c := range []struct {
		verdict awssim.Verdict
		status  string
		want    []string
	}{
		{
			awssim.Verdict{Code: "COMMAND_EXECUTION_ERROR", Message: "Error while executing command: make deploy. Reason: exit status 1"}, "FAILED",
			[]string{"the project deploy failed: FAILED in the phase BUILD: COMMAND_EXECUTION_ERROR: Error while executing command: make deploy. Reason: exit status 1", "https://"},
		},
		{
			awssim.Verdict{Phase: "DOWNLOAD_SOURCE", Code: "YAML_FILE_ERROR", Message: "YAML file does not exist"}, "FAILED",
			[]string{"FAILED in the phase DOWNLOAD_SOURCE: YAML_FILE_ERROR: YAML file does not exist"},
		},
		{awssim.Verdict{Status: "TIMED_OUT", Code: "BUILD_TIMED_OUT", Message: "Build has timed out. "}, "TIMED_OUT", []string{"TIMED_OUT in the phase BUILD: BUILD_TIMED_OUT: Build has timed out."}},
		{awssim.Verdict{Phase: "PROVISIONING", Status: "FAULT", Code: "INTERNAL_SERVICE_ERROR"}, "FAULT", []string{"FAULT in the phase PROVISIONING: INTERNAL_SERVICE_ERROR"}},
	} {
		t.Run(c.status, func(t *testing.T) {
			d := newDepot(t)
			a := d.make(nil)
			d.planned(a, "+0 ~1 -0")
			d.fails(c.verdict)
			err := a.Apply(t.Context(), d.run)
			d.says(err, c.want...)
			var failed *integrations.CommandError
			if !errors.As(err, &failed) || errors.Is(err, integrations.ErrUnknown) {
				t.Fatalf("it just failed: %v", err)
			}
			if c.verdict.Phase == "" && !strings.Contains(failed.Tail, "Phase complete: BUILD State: "+c.status) {
				t.Errorf("the end of its log is %q", failed.Tail)
			}
			d.built(c.status)
			d.probe(a, false, "is over: "+c.status)
			d.again()
			d.planned(a, "+0 ~1 -0")
			d.apply(a) // a second try is a second build, which a person asked for
			d.built(c.status, "SUCCEEDED")
		})
	}
}

func TestABuildThatAnotherHandStops(t *testing.T) {
	d := newDepot(t)
	d.long()
	a := d.make(nil)
	d.planned(a, "+0 ~1 -0")
	looked := 0
	d.at = func(action string, done bool) os.Signal {
		if action == "BatchGetBuilds" && done {
			if looked++; looked == 4 {
				d.must(d.sim.StopBuilds("deploy"))
			}
		}
		return nil
	}
	d.says(a.Apply(t.Context(), d.run), "the project deploy was cancelled at AWS CodeBuild: STOPPED", "what it had done by then stays")
	d.built("STOPPED")
}

func TestABuildThatTakesTooLong(t *testing.T) {
	d := newDepot(t)
	d.long()
	a := d.make(func(o *codebuild.Order) { o.Limit = 10 * time.Millisecond })
	d.planned(a, "+0 ~1 -0")
	err := a.Apply(t.Context(), d.run)
	d.says(err, "the project deploy was not over after 10ms and was cancelled; what it had done by then stays")
	if errors.Is(err, integrations.ErrUnknown) {
		t.Errorf("it is known: %v", err)
	}
	d.built("STOPPED")
}

// The manual's policies are of what is called, and of nothing else; a plan reads.
func TestThePoliciesOfABuild(t *testing.T) {
	d := newDepot(t)
	a := d.make(nil)
	d.planned(a, "+0 ~1 -0")
	d.must(d.sim.Hook("deploy", commitB, commitB)) // there is something to read
	d.probe(a, false, "")
	reads, changes := d.allowed("appliers.md", "codebuild plan policy"), d.allowed("appliers.md", "codebuild apply policy")
	if got := d.called(); !slices.Equal(got, reads) {
		t.Errorf("called are %q to plan and to probe, allowed %q", got, reads)
	}
	d.once(syscall.SIGINT, "StartBuild", true)
	d.says(a.Apply(t.Context(), d.run), "was cancelled")
	d.again()
	d.planned(a, "+0 ~1 -0")
	d.apply(a)
	all := append(slices.Clone(reads), changes...)
	slices.Sort(all)
	if got := d.called(); !slices.Equal(got, all) {
		t.Errorf("called are %q, allowed %q", got, all)
	}
}

func TestABuildIsPlannedByAnAccountOfItsOwn(t *testing.T) {
	d := newDepot(t)
	c := config(d.url)
	c.Accounts = c.Accounts[:1]
	c.Accounts[0].Regions = []string{"ap-northeast-1"}
	reader := c.Accounts[0]
	reader.Name, reader.Role = "reader", "arn:aws:iam::111111111111:role/reader"
	c.Accounts = append(c.Accounts, reader)
	a, err := aws.Builds(c)("", func(into any) error {
		o := into.(*codebuild.Order)
		o.Project, o.Account, o.PlanAccount, o.Poll = "deploy", "main", "reader", 20*time.Millisecond
		return nil
	})
	d.must(err)
	assumed := func() (n int) {
		for _, c := range d.sim.Calls() {
			if c.Name == "sts:AssumeRole" && slices.Contains(c.IDs, reader.Role) {
				n++
			}
		}
		return n
	}
	d.planned(a, "+0 ~1 -0")
	if assumed() != 1 {
		t.Errorf("the plan took the reader's role %d times", assumed())
	}
	d.apply(a)
	if assumed() != 1 {
		t.Error("the apply took the reader's role")
	}
	d.probe(a, true, "")
	if assumed() != 2 {
		t.Error("the probe did not take the reader's role")
	}
}
