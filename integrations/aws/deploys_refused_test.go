package aws_test

import (
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/aws/awssim"
)

func TestWhatKeepsADeployFromBeginning(t *testing.T) {
	for _, c := range []struct {
		what, settings string
		service        awssim.Service
		want           string
	}{
		{"no cluster", `"cluster": "none"`, awssim.Service{Tasks: 1}, "ClusterNotFoundException"},
		{"no service", `"service": "none"`, awssim.Service{Tasks: 1}, "there is no service none of the cluster apps"},
		{"no container", `"container": "sidecar"`, awssim.Service{Tasks: 1}, `shop:1 has no container "sidecar"; it has app`},
		{"no task", ``, awssim.Service{}, "wants no task"},
		{"another's", ``, awssim.Service{Tasks: 1, Controller: "CODE_DEPLOY"}, "are made by CODE_DEPLOY"},
		{"no repository", `"image": "111111111111.dkr.ecr.ap-northeast-1.amazonaws.com/none"`, awssim.Service{Tasks: 1}, "RepositoryNotFoundException"},
	} {
		t.Run(c.what, func(t *testing.T) {
			c.service.Name, c.service.Container, c.service.Image = "shop", "app", hub+":old"
			q := newQuay(t, c.service)
			_, err := q.step(c.settings).Plan(t.Context(), q.run)
			q.says(err, "ecs plan: ", c.want)
		})
	}
}

// The values of secrets are read by ECS when a task starts: that there are any is looked
// at before, by their names.
func TestParametersThatAreNotThere(t *testing.T) {
	const arn = "arn:aws:ssm:ap-northeast-1:111111111111:parameter/"
	service := func(secrets ...string) *quay {
		return newQuay(t, awssim.Service{Name: "shop", Tasks: 1, Container: "app", Image: hub + ":old", Breaker: awssim.BreakerRollback, Secrets: secrets})
	}
	q := service("/shop/db", "plain:3", arn+"shop/db", arn+"plain", "arn:aws:secretsmanager:ap-northeast-1:111111111111:secret:x", "arn:aws:ssm:us-east-1:111111111111:parameter/far")
	if p := q.planned(q.step(""), "+0 ~1 -0"); len(p.Notes) > 0 {
		t.Errorf("it notes %q", p.Notes)
	}
	q = service("/shop/db", "/shop/key", arn+"shop/none")
	_, err := q.step("").Plan(t.Context(), q.run)
	q.says(err, "tasks of shop:1 could not start: there is no parameter for app's SECRET_2 from /shop/key, app's SECRET_3 from /shop/none")
	q.must(q.sim.Fault(awssim.Fault{Kind: "error", Action: "DescribeParameters", Code: "AccessDeniedException"}))
	if p := q.planned(q.step(""), "+0 ~1 -0"); len(p.Notes) != 1 || !strings.Contains(p.Notes[0], "ssm:DescribeParameters is not allowed") {
		t.Errorf("it notes %q", p.Notes)
	}
}

// The manual's policies are of what is called, and of nothing else.
func TestThePoliciesOfADeploy(t *testing.T) {
	q := newQuay(t, awssim.Service{Name: "shop", Tasks: 2, Container: "app", Image: hub + ":old", Breaker: awssim.BreakerRollback, Secrets: []string{"/shop/db"}})
	a := q.step("")
	q.must(q.sim.BreakService("shop", ""))
	q.planned(a, "+0 ~1 -0")
	_ = a.Apply(t.Context(), q.run) // it is rolled back, so that all is asked
	if _, err := a.Probe(t.Context(), q.run); err != nil {
		t.Fatal(err)
	}
	reads, changes := q.allowed("ecs.md", "plan policy"), q.allowed("ecs.md", "apply policy")
	beside := []string{"ecs:TagResource", "iam:PassRole"} // asked of whoever registers, and no calls
	all := append(slices.Clone(reads), slices.DeleteFunc(slices.Clone(changes), func(s string) bool { return slices.Contains(beside, s) })...)
	slices.Sort(all)
	if got := q.called(); !slices.Equal(got, all) {
		t.Errorf("called are %q, allowed %q", got, all)
	}
	for _, c := range q.sim.Calls() {
		if c.Change && !slices.Contains(changes, c.Name) {
			t.Errorf("%s changes something, and whoever plans may do it", c.Name)
		}
	}
}

func TestAPlanThatIsStale(t *testing.T) {
	q := newQuay(t)
	a := q.step("")
	q.planned(a, "+0 ~1 -0")
	other := q.run
	other.SHA, other.Work = commitB, t.TempDir()
	q.must(q.sim.Push("shop", commitB, -time.Second))
	if _, err := a.Plan(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	q.must(a.Apply(t.Context(), other))
	q.says(a.Apply(t.Context(), q.run), "the plan is stale: it was made when shop:1 ran, and now it is shop:2")
	q.stands("shop:2", 2, 2)

	// And one that another deployment stands in the way of.
	other.Work = t.TempDir()
	q.once(syscall.SIGINT, "UpdateService", true)
	q.says(a.Revert(t.Context(), other, "shop:1"), "ECS goes on by itself")
	if p := q.planned(a, "+0 ~1 -0"); len(p.Notes) != 1 || !strings.Contains(p.Notes[0], "A deployment is under way at ECS") {
		t.Errorf("it notes %q", p.Notes)
	}
	q.says(a.Apply(t.Context(), q.run), "another deployment is under way at ECS: ecs-svc/", "of shop:1, IN_PROGRESS; apply it again when that is over")
	q.stands("shop:1", 2, 3)
}

// Whoever deploys by another hand is not taken for a roll-back.
func TestAnotherDeploymentTakesItsPlace(t *testing.T) {
	q := newQuay(t)
	a := q.step("")
	q.planned(a, "+0 ~1 -0")
	q.must(a.Apply(t.Context(), q.run))
	q.run.SHA, q.run.Work = commitB, t.TempDir()
	q.must(q.sim.Push("shop", commitB, -time.Second))
	q.planned(a, "+0 ~1 -0")
	q.at = func(action string, done bool) os.Signal {
		if action == "UpdateService" && done {
			q.must(q.sim.Redeploy("shop", "shop:1"))
		}
		return nil
	}
	q.says(a.Apply(t.Context(), q.run), "another deployment took its place: ecs-svc/", "of shop:1 (COMPLETED); shop:3 did not come up to its end")
	q.stands("shop:1", 3, 4)
}

func TestThePlanGoesByAnAccountOfItsOwn(t *testing.T) {
	q := newQuay(t)
	a := q.step(`"plan_account": "reader"`)
	q.planned(a, "+0 ~1 -0")
	assumed := func() (n int) {
		for _, c := range q.sim.Calls() {
			if c.Name == "sts:AssumeRole" && slices.Contains(c.IDs, "arn:aws:iam::111111111111:role/reader") {
				n++
			}
		}
		return n
	}
	if assumed() != 1 {
		t.Errorf("the plan took the reader's role %d times", assumed())
	}
	q.must(a.Apply(t.Context(), q.run))
	if assumed() != 1 {
		t.Error("the apply took the reader's role")
	}
}

func TestSettingsThatAreRefused(t *testing.T) {
	q := newQuay(t)
	for settings, want := range map[string]string{
		`"cluster": "arn:aws:ecs:x"`:    "cluster: ",
		`"service": ""`:                 "service: ",
		`"container": "a b"`:            "container: ",
		`"image": "nginx"`:              "image: ",
		`"tag": "{sha} {x}"`:            "tag: ",
		`"tag_file": "../x"`:            "tag_file: ",
		`"account": "none"`:             `account: there is no account "none"; want one of main, reader`,
		`"account": ""`:                 "account: is missing; want one of main, reader",
		`"plan_account": "none"`:        "plan_account: ",
		`"region": "us-east-1"`:         `region: "us-east-1" is not a region of the account main; want one of ap-northeast-1`,
		`"limit": 0`:                    "limit: ",
		`"image_wait": -1`:              "image_wait: ",
		`"image": "` + hub + `:latest"`: "image: ",
	} {
		_, err := q.make(settings)
		q.says(err, want)
	}
}
