package circleci_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/circleci/circlecisim"
	"github.com/signalbox-chatops/signalbox/integrations/integrationstest"
)

func TestCircleCIIsAnApplier(t *testing.T) {
	stages := map[string]*ring{} // by the folder outside
	prints := func(outside, words string) {
		stages[outside].will(func(_ context.Context, _ circlecisim.Run, log io.Writer) error {
			_, err := io.WriteString(log, words)
			return err
		})
	}
	integrationstest.Applier(t, integrationstest.ApplierSuite{
		Make: func(t testing.TB, outside string) integrations.Applier {
			c := newRing(t.(*testing.T))
			stages[outside] = c
			c.will(func(_ context.Context, r circlecisim.Run, log io.Writer) error {
				return os.WriteFile(filepath.Join(outside, "deployed"), []byte(r.Parameters["sha"]), 0o600)
			})
			return c.step("")
		},
		Change: func(t testing.TB, tree, outside string) {},
		Fails: func(t testing.TB, tree, outside string) string {
			stages[outside].will(func(_ context.Context, _ circlecisim.Run, log io.Writer) error {
				return errors.New("the database is on fire")
			})
			return "the database is on fire"
		},
		Leaks: func(t testing.TB, tree, outside string) []string {
			prints(outside, "the token is "+token+"\n")
			return nil
		},
		Hangs: func(t testing.TB, tree, outside, child string) {
			stages[outside].will(func(ctx context.Context, _ circlecisim.Run, log io.Writer) error {
				cmd := exec.CommandContext(ctx, "sleep", "600")
				if err := cmd.Start(); err != nil {
					return err
				}
				return errors.Join(os.WriteFile(child, fmt.Appendf(nil, "%d\n", cmd.Process.Pid), 0o600), cmd.Wait())
			})
		},
		Long: func(t testing.TB, tree, outside string) {
			prints(outside, integrationstest.FirstLine+"\n"+strings.Repeat(strings.Repeat("x", 99)+"\n", 12_000)+integrationstest.LastLine+"\n")
		},
		Secrets:   map[string]string{"CIRCLE_TOKEN": token},
		Elsewhere: true,
	})
}

func TestAPipelineIsRunOnceAndItsOutputIsOurs(t *testing.T) {
	for _, more := range []string{"", "definition: " + definition + "\n"} {
		c := newRing(t)
		a := c.step(more + "inputs: {region: osaka}\n")
		if a.Describe() != "circleci gh/acme/web/deploy" {
			t.Error(a.Describe())
		}
		p := c.planned(a, "+0 ~1 -0")
		if want := "runs deploy of gh/acme/web at abababababab\n"; p.Text != want {
			t.Errorf("the plan says %q, want %q", p.Text, want)
		}
		if c.sim.Pipelines() > 0 {
			t.Error("the plan ran it")
		}
		c.apply(a)
		r := c.once("success")
		if v := r.Parameters; v["sha"] != c.run.SHA || v["target"] != "web/production" || v["job"] != "j1" || v["region"] != "osaka" || !strings.HasPrefix(v["nonce"], "sb-") {
			t.Errorf("it was given %+v", v)
		}
		for _, want := range []string{
			"deploy of gh/acme/web at abababababab: " + c.url + "/pipelines/github/acme/web/1\n",
			"==> job job: success\n--> Spin up environment\n--> deploy\ndeploying " + c.run.SHA + " of web/production\n",
		} {
			if !strings.Contains(c.log(), want) {
				t.Errorf("the log lacks %q:\n%s", want, c.log())
			}
		}
		if got := c.planned(a, "+0 ~0 -0"); !strings.Contains(got.Text, "succeeded at abababababab already: http") {
			t.Errorf("the plan says %q", got.Text)
		}
		if p, err := a.Probe(t.Context(), c.run); err != nil || !p.Clean {
			t.Errorf("the probe: %+v %v", p, err)
		}
	}
}

// The tool is killed at each boundary. There is one pipeline in the end, whoever found it.
func TestKilledAtEachBoundary(t *testing.T) {
	for _, k := range []struct{ name, stage, method, path, want string }{
		{"before anything is looked for", "before", "GET", "/pipeline", "killed before anything was started"},
		{"as it is triggered", "before", "POST", "/pipeline", ""},
		{"accepted, with the answer lost", "after", "POST", "/pipeline", ""},
		{"with its id stored", "before", "GET", "/workflow", ""},
		{"while its output is read", "after", "GET", "/web/1", ""},
	} {
		t.Run(k.name, func(t *testing.T) {
			c := newRing(t)
			a := c.step("")
			c.planned(a, "+0 ~1 -0")
			killed := make(chan struct{})
			c.when(k.stage, k.method, k.path, func() { c.kill(); close(killed) })
			err := a.Apply(t.Context(), c.run)
			c.await("the kill", killed)
			if k.want != "" {
				c.says(err, false, k.want)
				c.attempt()
				c.planned(a, "+0 ~1 -0")
				c.apply(a) // a person said Retry
			} else if err != nil {
				t.Fatalf("%s\n%s", integrationstest.Explain(err), c.log())
			}
			c.once("success")
			if p, err := a.Probe(t.Context(), c.run); err != nil || !p.Clean {
				t.Errorf("the probe: %+v %v", p, err)
			}
		})
	}
}

func TestKilledWhileItIsFollowedAndWhileItIsCancelled(t *testing.T) {
	c := newRing(t)
	a := c.step("")
	begun, let := c.stays()
	done := make(chan error, 1)
	go func() { done <- a.Apply(t.Context(), c.run) }()
	c.await("the run", begun)
	c.kill()
	c.when("after", "GET", "/workflow", let) // it is followed again
	if err := <-done; err != nil {
		t.Fatalf("%s\n%s", integrationstest.Explain(err), c.log())
	}
	c.once("success")

	for _, stage := range []string{"before", "after"} {
		c := newRing(t)
		a := c.step("")
		begun, _ := c.stays()
		go func() { done <- a.Apply(t.Context(), c.run) }()
		c.await("the run", begun)
		killed := make(chan struct{})
		c.when(stage, "POST", "/cancel", func() { c.kill(); close(killed) })
		c.interrupt()
		c.await("the kill", killed)
		err := <-done
		c.says(err, false, "its run was cancelled and is over: deploy canceled; what it had done by then stays")
		if !errors.Is(err, integrations.ErrInterrupted) {
			t.Errorf("a person stopped it: %v", err)
		}
		c.once("canceled")
	}
}

func TestAnswersThatAreLostOrLateOrTooMany(t *testing.T) {
	trigger := func(f circlecisim.Fault) circlecisim.Fault {
		f.Method, f.Path = "POST", "/pipeline"
		return f
	}
	for _, f := range []circlecisim.Fault{
		trigger(circlecisim.Fault{Kind: "lost"}),
		trigger(circlecisim.Fault{Kind: "error", Status: 429, RetryAfter: 1}),
		trigger(circlecisim.Fault{Kind: "error", Status: 503, Count: 3}),
		trigger(circlecisim.Fault{Kind: "delay", DelayMS: 300}),
		{Kind: "error", Method: "GET", Path: "/pipeline/", Count: 5},
		{Kind: "reset", Method: "GET", Path: "/workflow", Count: 2},
	} {
		t.Run(fmt.Sprint(f.Kind, f.Status, f.Method), func(t *testing.T) {
			c := newRing(t)
			a := c.step("start_wait: 10s\n")
			c.planned(a, "+0 ~1 -0")
			c.fault(f)
			c.when("after", "POST", "/pipeline", func() { c.fault(circlecisim.Fault{Kind: "late", Count: 2}) })
			c.apply(a)
			c.once("success")
		})
	}
}

// What nobody can know is unknown, and what is known is said.
func TestATriggerThatDidNotArrive(t *testing.T) {
	c := newRing(t)
	a := c.step("start_wait: 200ms\n")
	c.fault(circlecisim.Fault{Kind: "reset", Method: "POST", Path: "/pipeline"})
	c.says(a.Apply(t.Context(), c.run), true, "it is not known whether deploy of gh/acme/web was started", "knows the nonce sb-")
	if n := c.sim.Pipelines(); n != 0 {
		t.Errorf("there are %d pipelines", n)
	}
	c.attempt()
	c.apply(a)
	c.once("success")

	c = newRing(t) // the tool is killed besides: that nobody knows is all there is to say
	c.when("before", "POST", "/pipeline", func() {
		c.fault(circlecisim.Fault{Kind: "reset", Method: "POST", Path: "/pipeline"})
		c.kill()
	})
	a = c.step("start_wait: 200ms\n")
	c.says(a.Apply(t.Context(), c.run), true, "it was killed as it began deploy of gh/acme/web; in 200ms no run of deploy of gh/acme/web showed that knows the nonce sb-")
	if p, err := a.Probe(t.Context(), c.run); err != nil || p.Clean || !strings.Contains(p.Text, "there is no run that knows it") {
		t.Errorf("the probe: %+v %v", p, err)
	}
	c.attempt()
	c.apply(a)
	c.once("success")
}

func TestWhatCircleCIRefuses(t *testing.T) {
	for _, k := range []struct{ name, more, want string }{
		{"a branch that is not there", "branch: release\n", "circleci trigger a pipeline of gh/acme/web: 400 Bad Request: Branch not found; nothing was started"},
		{"a parameter that is not declared", "inputs: {colour: red}\n", "Unexpected argument(s): colour; nothing was started"},
		{"a project that is not there", "project: gh/acme/none\n", "404 Not Found: Project not found; nothing was started"},
		{"a definition that is not there", "definition: " + strings.Replace(definition, "0", "1", 1) + "\n", "Pipeline definition not found; nothing was started"},
		{"no token", "token: CI_TOKEN\n", "there is no CI_TOKEN in the environment of the step: give it a token in plan_env and apply_env"},
	} {
		t.Run(k.name, func(t *testing.T) {
			c := newRing(t)
			c.says(c.step(k.more).Apply(t.Context(), c.run), false, k.want)
			if n := c.sim.Pipelines(); n != 0 {
				t.Errorf("there are %d pipelines", n)
			}
		})
	}
	c := newRing(t)
	c.exec.Secrets["CIRCLE_TOKEN"] = "another-t0ken"
	c.says(c.step("").Apply(t.Context(), c.run), false, "401 Unauthorized: You must log in first.; nothing was started")
	c = newRing(t)
	c.says(c.step(`inputs: {broken: "true"}`+"\n").Apply(t.Context(), c.run), false, "deploy of gh/acme/web failed: errored: Job 'deploy' requires 'build'", "/pipelines/github/acme/web/1")
	c = newRing(t)
	c.says(c.step("workflow: release\n").Apply(t.Context(), c.run), false, "release of gh/acme/web failed: it has no workflow release")
}

func TestTheCIIsDown(t *testing.T) {
	c := newRing(t)
	a := c.step("start_wait: 100ms\nlocal: [make, deploy]\n")
	c.fault(circlecisim.Fault{Kind: "error", Status: 503, Count: -1})
	c.says(a.Apply(t.Context(), c.run), false, "CircleCI cannot be reached since ", "503 Service Unavailable", "; nothing was started; it can be run here: make deploy")
	c.sim.ClearFaults()
	c.attempt()
	c.apply(a)
	c.once("success")
}

func TestACancelAndOneElsewhere(t *testing.T) {
	for _, here := range []bool{true, false} {
		c := newRing(t)
		a := c.step("")
		begun, _ := c.stays()
		done := make(chan error, 1)
		go func() { done <- a.Apply(t.Context(), c.run) }()
		c.await("the run", begun)
		want := "deploy of gh/acme/web was cancelled at CircleCI: deploy canceled; what it had done by then stays: http"
		if here {
			want = "its run was cancelled and is over: deploy canceled; what it had done by then stays: http"
			c.interrupt()
		} else {
			c.sim.CancelAll()
		}
		err := <-done
		c.says(err, false, want)
		var left *integrations.Left
		if errors.Is(err, integrations.ErrInterrupted) != here || errors.As(err, &left) != here {
			t.Errorf("a person here: %v; %v", here, err)
		}
		c.once("canceled")
	}
}

func TestARunThatTakesTooLong(t *testing.T) {
	c := newRing(t)
	c.stays()
	c.says(c.step("limit: 200ms\n").Apply(t.Context(), c.run), false, "deploy of gh/acme/web was not over after 200ms and was cancelled")
	c.once("canceled")
}

func TestAdoptFollowsWhatTheCIStartsByItself(t *testing.T) {
	c := newRing(t)
	a := c.step("adopt: true\n")
	c.planned(a, "+0 ~1 -0")
	c.when("after", "GET", "/pipeline", func() { c.must(c.sim.Push("main", c.run.SHA)) })
	c.apply(a)
	if r := c.once("success"); r.Trigger != "webhook" || r.SHA != c.run.SHA {
		t.Errorf("it is %+v", r)
	}
	if p, err := a.Probe(t.Context(), c.run); err != nil || !p.Clean {
		t.Errorf("the probe: %+v %v", p, err)
	}
	c.attempt()
	c.run.SHA = strings.Repeat("cd", 20)
	c.says(c.step("adopt: true\nstart_wait: 100ms\n").Apply(t.Context(), c.run), false, "CircleCI began no run of deploy of gh/acme/web for cdcdcdcdcdcd by itself within 100ms, and adopt starts none")
	c.once("success")
}

// A pipeline that an API call began runs a branch whose tip may be that very commit.
func TestAdoptTakesNoPipelineOfOurs(t *testing.T) {
	c := newRing(t)
	c.run.SHA = strings.Repeat("11", 20)
	c.apply(c.step(""))
	c.attempt()
	c.run.SHA = strings.Repeat("11", 20)
	c.says(c.step("adopt: true\nstart_wait: 100ms\n").Apply(t.Context(), c.run), false, "CircleCI began no run of deploy of gh/acme/web for 111111111111 by itself")
	c.once("success")
}

func TestAPipelineThatPlans(t *testing.T) {
	c := newRing(t)
	a := c.step("plan: {workflow: plan, inputs: {only: plan}, nothing: '^No changes'}\n")
	prints := func(text string) {
		c.will(func(_ context.Context, r circlecisim.Run, log io.Writer) error {
			_, err := fmt.Fprintf(log, "%s\n--- signalbox plan ---\n%s\n--- end of signalbox plan ---\n", r.Parameters["nonce"], text)
			return err
		})
	}
	prints("  + a bucket")
	if p := c.planned(a, "+0 ~1 -0"); p.Text != "  + a bucket\n" {
		t.Errorf("the plan says %q", p.Text)
	}
	prints("No changes.")
	c.planned(a, "+0 ~0 -0")
	for _, r := range c.sim.Runs() {
		if r.Workflow != "plan" || !strings.HasPrefix(r.Parameters["nonce"], "sp-") {
			t.Errorf("it ran %+v", r)
		}
	}
	if n := c.sim.Pipelines(); n != 2 {
		t.Errorf("there are %d pipelines", n)
	}
}

func TestMistakes(t *testing.T) {
	c := newRing(t)
	for more, want := range map[string]string{
		"url: https://circleci.com\n":             "url: \"https://circleci.com\" is not that of the API v2",
		"project: acme/web\n":                     "project: \"acme/web\" is not the slug of a project",
		"definition: deploy\n":                    "definition: \"deploy\" is not the id",
		"branch: -x\n":                            "branch: \"-x\" is not a branch",
		"token: $(x)\n":                           "token: want the name of a variable",
		"plan: {nothing: x}\n":                    "plan.workflow: is missing",
		"plan: {workflow: p, nothing: '('}\n":     "plan.nothing: \"(\" is no pattern",
		"plan: {workflow: p, inputs: {job: x}}\n": "plan.inputs: job is given by signalbox itself",
		"inputs: {nonce: b}\n":                    "inputs: nonce is given by signalbox itself",
		"colour: red\n":                           "unknown field \"colour\"",
	} {
		if _, err := c.make(more); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s says %v, want %q", more, err, want)
		}
	}
}
