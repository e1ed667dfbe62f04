package github

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/github/githubsim"
	"github.com/signalbox-chatops/signalbox/integrations/integrationstest"
	"github.com/signalbox-chatops/signalbox/integrations/kit/proc"
)

// The tool is our binary called with a word; in these tests that is the test's own.
func TestMain(m *testing.M) {
	integrationstest.Main(m, map[string]func([]string, io.Writer, io.Writer) int{ActionsWord: ActionsMain})
}

const (
	actionsToken = "gho-5ignal-t0ken"
	deployFile   = `name: deploy
run-name: "deploy ${{ inputs.target }} (${{ inputs.nonce }})"
on:
  push:
  workflow_dispatch:
    inputs:
      target: {required: true}
      sha: {required: true}
      job: {required: true}
      nonce: {required: true}
      region: {default: tokyo}
      act: {default: apply}
jobs: {}
`
)

// ci is GitHub Actions whose runs do what a test says, in front of the real tool under
// the real shim.
type ci struct {
	*world
	run  integrations.Run
	exec *integrationstest.Exec

	mu sync.Mutex
	// does is what a run does; set it by will.
	does func(ctx context.Context, r githubsim.WorkflowRun, log io.Writer) error
	// at is asked at each call of the tool, before it is acted on and after.
	at func(stage, method, path string)
}

func newCI(t *testing.T, change func(*githubsim.Config)) *ci {
	c := &ci{}
	c.does = func(_ context.Context, r githubsim.WorkflowRun, log io.Writer) error {
		fmt.Fprintf(log, "deploying %s of %s\n", r.Inputs["sha"], r.Inputs["target"])
		return nil
	}
	c.world = newWorld(t, func(sc *githubsim.Config, _ *Config) {
		sc.Users = append(sc.Users, githubsim.User{Login: "ci[bot]", Token: actionsToken, Bot: true})
		files := map[string]string{
			".github/workflows/deploy.yml":  deployFile,
			".github/workflows/plan.yml":    strings.NewReplacer("name: deploy", "name: plan").Replace(deployFile),
			".github/workflows/push.yml":    "on: push\n",
			".github/workflows/unnamed.yml": strings.Replace(deployFile, "run-name", "x-name", 1),
		}
		sc.Repos[0].Files = files
		sc.Repos[0].Collaborators["ci[bot]"] = "write"
		sc.Runner = func(ctx context.Context, r githubsim.WorkflowRun, log io.Writer) error {
			c.mu.Lock()
			does := c.does
			c.mu.Unlock()
			return does(ctx, r, log)
		}
		sc.OnRequest = func(stage, method, path string) {
			c.mu.Lock()
			at := c.at
			c.mu.Unlock()
			if at != nil && strings.Contains(path, "/actions/") {
				at(stage, method, path)
			}
		}
		if change != nil {
			change(sc)
		}
	})
	c.exec = integrationstest.NewExec(t, map[string]string{"GITHUB_TOKEN": actionsToken})
	c.attempt()
	return c
}

// will says what runs do from now on.
func (c *ci) will(does func(ctx context.Context, r githubsim.WorkflowRun, log io.Writer) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.does = does
}

// attempt is a new one: as after a person said Retry.
func (c *ci) attempt() {
	c.exec = integrationstest.NewExec(c.t, c.exec.Secrets)
	c.run = integrations.Run{
		Target: "web/production", Job: "j1", SHA: strings.Repeat("ab", 20), Tree: c.t.TempDir(), Work: c.t.TempDir(),
		HashKey: []byte("key"), Exec: c.exec,
	}
}

func (c *ci) step(more string) integrations.Applier {
	c.t.Helper()
	a, err := c.make(more)
	c.must(err)
	return a
}

func (c *ci) make(more string) (integrations.Applier, error) {
	text := "repository: acme/web\n"
	for _, line := range []string{"workflow: deploy.yml", "poll: 20ms", "start_wait: 2s", "limit: 1m"} {
		if name, _, _ := strings.Cut(line, ":"); !strings.Contains("\n"+more, "\n"+name+":") {
			text += line + "\n"
		}
	}
	return Actions(c.cfg)("", func(into any) error {
		return yaml.NewDecoder(strings.NewReader(text+more), yaml.Strict()).Decode(into)
	})
}

// when does something once, at a call of the tool.
func (c *ci) when(stage, method, path string, do func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = func(s, m, p string) {
		if s != stage || m != method || !strings.HasSuffix(p, path) {
			return
		}
		c.mu.Lock()
		c.at = nil
		c.mu.Unlock()
		do()
	}
}

func (c *ci) kill() {
	if err := proc.Kill(c.exec.Current()); err != nil {
		c.t.Error(err)
	}
}

func (c *ci) interrupt() {
	if err := proc.Interrupt(c.exec.Current()); err != nil {
		c.t.Error(err)
	}
}

// runs are the runs of a workflow.
func (c *ci) runs(file string) (out []githubsim.WorkflowRun) {
	for _, r := range c.sim.WorkflowRuns() {
		if r.Workflow == file {
			out = append(out, r)
		}
	}
	return out
}

// once holds the runs to one that ended so.
func (c *ci) once(conclusion string) githubsim.WorkflowRun {
	c.t.Helper()
	all := c.runs("deploy.yml")
	if len(all) != 1 || all[0].Conclusion != conclusion {
		c.t.Fatalf("the runs are %+v, want one that is %s\n%s", all, conclusion, c.log())
	}
	return all[0]
}

// log is what the commands have left.
func (c *ci) log() string { return c.exec.Left(c.t) }

func (c *ci) apply(a integrations.Applier) {
	c.t.Helper()
	if err := a.Apply(c.ctx, c.run); err != nil {
		c.t.Fatalf("%s\n%s", integrationstest.Explain(err), c.log())
	}
}

// says holds an error to what it has to say.
func (c *ci) says(err error, unknown bool, words ...string) {
	c.t.Helper()
	if err == nil {
		c.t.Fatalf("it came out well; want %q\n%s", words, c.log())
	}
	if errors.Is(err, integrations.ErrUnknown) != unknown {
		c.t.Errorf("unknown is %v: %v\n%s", !unknown, err, c.log())
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			c.t.Errorf("it says %q, and nothing of %q\n%s", err, w, c.log())
		}
	}
}

func (c *ci) planned(a integrations.Applier, want string) integrations.Plan {
	c.t.Helper()
	p, err := a.Plan(c.ctx, c.run)
	if err != nil {
		c.t.Fatalf("%s\n%s", integrationstest.Explain(err), c.log())
	}
	if got := (integrations.Plans{p}).String(); got != want {
		c.t.Errorf("planned %s, want %s\n%s", got, want, p.Text)
	}
	return p
}

// stays is a run that goes on until it is let go or cancelled.
func (c *ci) stays() (begun chan struct{}, let func()) {
	begun, end := make(chan struct{}, 10), make(chan struct{})
	c.will(func(ctx context.Context, _ githubsim.WorkflowRun, _ io.Writer) error {
		begun <- struct{}{}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-end:
			return nil
		}
	})
	return begun, sync.OnceFunc(func() { close(end) })
}

func (c *ci) await(what string, ch <-chan struct{}) {
	c.t.Helper()
	select {
	case <-ch:
	case <-time.After(time.Minute):
		c.t.Fatalf("waited in vain for %s\n%s", what, c.log())
	}
}

func read(t testing.TB, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(bytes.TrimSpace(b))
}
