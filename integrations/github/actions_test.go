package github

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
	"github.com/signalbox-chatops/signalbox/integrations/github/githubsim"
	"github.com/signalbox-chatops/signalbox/integrations/integrationstest"
)

func TestActionsIsAnApplier(t *testing.T) {
	stages := map[string]*ci{} // by the folder outside
	printed := func(words string) func(context.Context, githubsim.WorkflowRun, io.Writer) error {
		return func(_ context.Context, _ githubsim.WorkflowRun, log io.Writer) error {
			_, err := io.WriteString(log, words)
			return err
		}
	}
	integrationstest.Applier(t, integrationstest.ApplierSuite{
		Make: func(t testing.TB, outside string) integrations.Applier {
			c := newCI(t.(*testing.T), nil)
			stages[outside] = c
			c.will(func(_ context.Context, r githubsim.WorkflowRun, log io.Writer) error {
				return os.WriteFile(filepath.Join(outside, "deployed"), []byte(r.Inputs["sha"]), 0o600)
			})
			return c.step("")
		},
		Change: func(t testing.TB, tree, outside string) {},
		Fails: func(t testing.TB, tree, outside string) string {
			stages[outside].will(func(_ context.Context, _ githubsim.WorkflowRun, log io.Writer) error {
				fmt.Fprintln(log, "the database is on fire")
				return errors.New("Process completed with exit code 7.")
			})
			return "the database is on fire"
		},
		Leaks: func(t testing.TB, tree, outside string) []string {
			stages[outside].will(printed("the token is " + actionsToken + "\n"))
			return nil
		},
		Hangs: func(t testing.TB, tree, outside, child string) {
			stages[outside].will(func(ctx context.Context, _ githubsim.WorkflowRun, log io.Writer) error {
				cmd := exec.CommandContext(ctx, "sleep", "600")
				if err := cmd.Start(); err != nil {
					return err
				}
				return errors.Join(os.WriteFile(child, fmt.Appendf(nil, "%d\n", cmd.Process.Pid), 0o600), cmd.Wait())
			})
		},
		Long: func(t testing.TB, tree, outside string) {
			stages[outside].will(printed(integrationstest.FirstLine + "\n" + strings.Repeat(strings.Repeat("x", 99)+"\n", 12_000) + integrationstest.LastLine + "\n"))
		},
		Secrets:   map[string]string{"GITHUB_TOKEN": actionsToken},
		Elsewhere: true,
	})
}

func TestAWorkflowIsRunOnceAndItsLogIsOurs(t *testing.T) {
	c := newCI(t, nil)
	a := c.step("inputs: {region: osaka}\n")
	if a.Describe() != "actions acme/web/deploy.yml" {
		t.Error(a.Describe())
	}
	p := c.planned(a, "+0 ~1 -0")
	if want := "runs deploy.yml of acme/web at abababababab\n"; p.Text != want {
		t.Errorf("the plan says %q, want %q", p.Text, want)
	}
	if len(c.runs("deploy.yml")) > 0 {
		t.Error("the plan ran it")
	}
	c.apply(a)
	r := c.once("success")
	nonce := r.Inputs["nonce"]
	if r.Inputs["sha"] != c.run.SHA || r.Inputs["target"] != "web/production" || r.Inputs["job"] != "j1" || r.Inputs["region"] != "osaka" || !strings.HasPrefix(nonce, "sb-") || r.Branch != "main" {
		t.Errorf("it was given %+v", r)
	}
	for _, want := range []string{
		fmt.Sprintf("deploy.yml of acme/web at abababababab: %s/acme/web/actions/runs/%d\n", strings.TrimSuffix(c.cfg.GitURL, "/git"), r.ID),
		"==> job job: success\ndeploying " + c.run.SHA + " of web/production\n",
	} {
		if !strings.Contains(c.log(), want) {
			t.Errorf("the log lacks %q:\n%s", want, c.log())
		}
	}
	if got := c.planned(a, "+0 ~0 -0"); !strings.Contains(got.Text, "No changes. deploy.yml of acme/web succeeded at abababababab already: http") {
		t.Errorf("the plan says %q", got.Text)
	}
	c.attempt()
	c.run.SHA = strings.Repeat("cd", 20) // another commit is another matter
	if next := c.planned(a, "+0 ~1 -0"); (integrations.Plans{next}).Digest() != (integrations.Plans{p}).Digest() {
		t.Error("the plan of the merge differs from what was reviewed")
	}
	if p, err := a.Probe(c.ctx, c.run); err != nil || p.Clean || !strings.Contains(p.Text, "There is no run of deploy.yml of acme/web at cdcdcdcdcdcd.") {
		t.Errorf("the probe: %+v %v", p, err)
	}
}

// The tool is killed at each boundary. There is one run in the end, whoever found it.
func TestKilledAtEachBoundary(t *testing.T) {
	for _, k := range []struct {
		name, stage, method, path string
		unknown                   bool
		want                      string
	}{
		{"before anything is looked for", "before", "GET", "/runs", false, "killed before anything was started"},
		{"as it is dispatched", "before", "POST", "/dispatches", false, ""},
		{"accepted, with the answer lost", "after", "POST", "/dispatches", false, ""},
		{"with its id stored", "before", "GET", "/jobs", false, ""},
		{"while its log is read", "after", "GET", "/logs", false, ""},
	} {
		t.Run(k.name, func(t *testing.T) {
			c := newCI(t, nil)
			a := c.step("")
			c.planned(a, "+0 ~1 -0")
			killed := make(chan struct{})
			c.when(k.stage, k.method, k.path, func() { c.kill(); close(killed) })
			err := a.Apply(c.ctx, c.run)
			c.await("the kill", killed)
			if k.want != "" {
				c.says(err, k.unknown, k.want)
				c.attempt()
				c.planned(a, "+0 ~1 -0")
				c.apply(a) // a person said Retry
			} else if err != nil {
				t.Fatalf("%s\n%s", integrationstest.Explain(err), c.log())
			}
			c.once("success")
			if p, err := a.Probe(c.ctx, c.run); err != nil || !p.Clean {
				t.Errorf("the probe: %+v %v", p, err)
			}
		})
	}
}
