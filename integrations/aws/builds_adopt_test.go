package aws_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/aws/awssim"
	"github.com/signalbox-chatops/signalbox/integrations/aws/codebuild"
)

func adopting(o *codebuild.Order) { o.Adopt = true }

// noStarts is that the tool began no build.
func (d *depot) noStarts() {
	d.Helper()
	for _, c := range d.sim.Calls() {
		if c.Name == "codebuild:StartBuild" {
			d.Errorf("a build was begun\n%s", d.log.String())
		}
	}
}

func TestABuildOfAWebhookIsFollowed(t *testing.T) {
	for _, source := range []string{commitA, "refs/heads/deployment/production"} {
		d := newDepot(t)
		a := d.make(adopting)
		if p := d.planned(a, "+0 ~1 -0"); !strings.Contains(p.Text, "AWS CodeBuild runs the project deploy by itself when this is merged") {
			t.Errorf("the plan says %q", p.Text)
		}
		d.must(d.sim.Hook("deploy", source, commitA))
		d.must(d.sim.Hook("deploy", commitB, commitB))
		d.fails(awssim.Verdict{Code: "COMMAND_EXECUTION_ERROR"})
		d.must(d.sim.Hook("deploy", "pr/7", commitA)) // a pull request's own, at the same commit
		d.apply(a)
		d.built("SUCCEEDED", "SUCCEEDED", "FAILED")
		d.noStarts()
		if n := strings.Count(d.log.String(), "\ndeploying\n"); n != 1 {
			t.Errorf("its log is there %d times:\n%s", n, d.log.String())
		}
		d.probe(a, true, "succeeded at "+commitA[:12])
	}
}

// The webhook may come later than the merge is heard of.
func TestABuildOfAWebhookIsWaitedFor(t *testing.T) {
	d := newDepot(t)
	a := d.make(adopting)
	d.planned(a, "+0 ~1 -0")
	looked := 0
	d.at = func(action string, done bool) os.Signal {
		if action == "ListBuildsForProject" && done {
			if looked++; looked == 3 {
				d.must(d.sim.Hook("deploy", commitA, commitA))
			}
		}
		return nil
	}
	d.fails(awssim.Verdict{Code: "COMMAND_EXECUTION_ERROR", Message: "exit status 3"})
	d.says(a.Apply(t.Context(), d.run), "FAILED in the phase BUILD: COMMAND_EXECUTION_ERROR: exit status 3")
	d.built("FAILED")
	d.noStarts()
	if said := d.log.String(); !strings.Contains(said, "AWS CodeBuild has begun no run of the project deploy for "+commitA[:12]+" yet; it is waited for, 20s at most") {
		t.Errorf("it said %q", said)
	}
}

func TestABuildOfAWebhookThatDoesNotCome(t *testing.T) {
	d := newDepot(t)
	a := d.make(func(o *codebuild.Order) { o.Adopt, o.StartWait = true, 300*time.Millisecond })
	d.planned(a, "+0 ~1 -0")
	err := a.Apply(t.Context(), d.run)
	d.says(err, "AWS CodeBuild began no run of the project deploy for "+commitA[:12]+" by itself within 300ms, and adopt starts none")
	if errors.Is(err, integrations.ErrUnknown) {
		t.Errorf("it is known: %v", err)
	}
	d.built()
	d.noStarts()
	d.probe(a, false, "There is no run")
}

// One that we began is not one that CodeBuild began by itself.
func TestABuildOfOursIsNotTheWebhooks(t *testing.T) {
	d := newDepot(t)
	a := d.make(nil)
	d.planned(a, "+0 ~1 -0")
	d.apply(a)
	d.again()
	a = d.make(func(o *codebuild.Order) { o.Adopt, o.StartWait = true, 100*time.Millisecond })
	d.planned(a, "+0 ~1 -0")
	d.says(a.Apply(t.Context(), d.run), "began no run")
	d.built("SUCCEEDED")
}

// It is killed at each call: the webhook's build is followed, and none is begun.
func TestABuildOfAWebhookIsFollowedThroughAKill(t *testing.T) {
	for _, action := range []string{"BatchGetBuilds", "GetLogEvents"} {
		d := newDepot(t)
		a := d.make(adopting)
		d.planned(a, "+0 ~1 -0")
		d.must(d.sim.Hook("deploy", commitA, commitA))
		seen := 0
		d.at = func(called string, done bool) os.Signal {
			if called == action && done {
				if seen++; seen == 3 {
					return syscall.SIGKILL
				}
			}
			return nil
		}
		d.apply(a)
		if d.spent != 1 {
			t.Errorf("it was killed %d times", d.spent)
		}
		d.built("SUCCEEDED")
		d.noStarts()
	}
}

// A plan of its own is what a build of another project prints between the marks.
func TestABuildPlans(t *testing.T) {
	d := newDepot(t)
	a := d.make(func(o *codebuild.Order) {
		o.Plan = codebuild.Plan{Project: "plan", Inputs: map[string]string{"DRY": "yes"}, Nothing: "^Nothing"}
	})
	prints := func(lines ...string) {
		d.Helper()
		all := append(append([]string{"preparing", "--- signalbox plan ---"}, lines...), "--- end of signalbox plan ---", "done")
		d.must(d.sim.SetProject("plan", func(p *awssim.Project) { p.Prints = all }))
		d.again()
	}
	prints("Nothing is to be changed.")
	d.planned(a, "+0 ~0 -0")
	d.apply(a)
	d.built()
	if b := d.sim.Builds()[0]; b.Project != "plan" || b.Source != commitA || b.Env["DRY"] != "yes" {
		t.Errorf("what planned is %+v", b)
	}
	prints("one host is to be changed")
	p := d.planned(a, "+0 ~1 -0")
	if strings.TrimSpace(p.Text) != "one host is to be changed" || len(p.Notes) != 1 || !strings.Contains(p.Notes[0], "projects/plan/build/") {
		t.Errorf("the plan is %+v", p)
	}
	plans := len(d.sim.Builds())
	d.apply(a)
	d.built("SUCCEEDED")
	b := d.sim.Builds() // those of the project deploy first
	if b[0].Project != "deploy" || b[0].Source != commitA || b[0].Env["DRY"] != "" || len(b) != plans+1 {
		t.Errorf("its builds are %+v", b)
	}
	d.must(d.sim.SetProject("plan", func(p *awssim.Project) { p.Prints = []string{"no marks"} }))
	d.again()
	_, err := a.Plan(context.Background(), d.run)
	d.says(err, "its log has no plan in it")
}

func TestWhatNoOrderOfABuildIs(t *testing.T) {
	d := newDepot(t)
	for _, c := range []struct {
		change func(o *codebuild.Order)
		want   []string
	}{
		{func(o *codebuild.Order) { o.Project = "arn:aws:codebuild:x" }, []string{`project: "arn:aws:codebuild:x" is not the name of a project`}},
		{func(o *codebuild.Order) { o.Plan = codebuild.Plan{Project: "a b", Nothing: "("} }, []string{`plan.project: "a b" is not`, `plan.nothing: "(" is no pattern`}},
		{func(o *codebuild.Order) { o.Plan.Nothing = "x" }, []string{"plan.project: is missing, and there is more of a plan"}},
		{func(o *codebuild.Order) {
			o.Inputs = map[string]string{"A-B": "", "CODEBUILD_X": "", "SIGNALBOX_SHA": ""}
		}, []string{`inputs: "A-B" is not`, "inputs: CODEBUILD_X is a name of", "inputs: SIGNALBOX_SHA is a name of"}},
		{func(o *codebuild.Order) { o.Poll, o.Limit, o.StartWait = 0, -1, 0 }, []string{"poll: 0s is too short", "limit: -1ns is not", "start_wait: 0s is not"}},
		{func(o *codebuild.Order) { o.Account, o.PlanAccount = "x", "y" }, []string{`account: there is no account "x"`, `plan_account: there is no account "y"`}},
		{func(o *codebuild.Order) { o.Region = "us-east-1" }, []string{"region: \"us-east-1\" is not a region of the account main"}},
	} {
		_, err := d.order(c.change)
		d.says(err, c.want...)
	}
}
