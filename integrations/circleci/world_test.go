package circleci_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/circleci"
	"github.com/signalbox-chatops/signalbox/integrations/circleci/circlecisim"
	"github.com/signalbox-chatops/signalbox/integrations/integrationstest"
	"github.com/signalbox-chatops/signalbox/integrations/kit/proc"
)

// The tool is our binary called with a word; in these tests that is the test's own.
func TestMain(m *testing.M) {
	integrationstest.Main(m, map[string]func([]string, io.Writer, io.Writer) int{circleci.Word: circleci.Main})
}

const (
	token      = "c1rcle-5ignal-t0ken"
	definition = "0fd3c1a4-7c1b-4b6e-9c53-2a1d1b0f7a11"
	configFile = `version: 2.1
parameters:
  target: {type: string, default: ""}
  sha: {type: string, default: ""}
  job: {type: string, default: ""}
  nonce: {type: string, default: ""}
  region: {type: string, default: tokyo}
  only: {type: string, default: deploy}
  broken: {type: string, default: ""}
jobs:
  deploy:
    environment: {NONCE: << pipeline.parameters.nonce >>}
workflows:
  deploy: {when: {equal: [deploy, << pipeline.parameters.only >>]}, jobs: [deploy]}
  plan: {when: {equal: [plan, << pipeline.parameters.only >>]}, jobs: [deploy]}
`
)

// ring is a CircleCI whose workflows do what a test says, in front of the real tool under
// the real shim.
type ring struct {
	*testing.T
	sim  *circlecisim.Sim
	url  string
	run  integrations.Run
	exec *integrationstest.Exec

	mu   sync.Mutex
	does func(ctx context.Context, r circlecisim.Run, log io.Writer) error
	at   func(stage, method, path string)
}

func newRing(t *testing.T) *ring {
	c := &ring{T: t}
	c.sim = circlecisim.New(circlecisim.Config{
		Token: token, Project: "gh/acme/web", Branches: map[string]string{"main": strings.Repeat("11", 20)}, File: configFile, Definition: definition,
		Runner: func(ctx context.Context, r circlecisim.Run, log io.Writer) error {
			c.mu.Lock()
			does := c.does
			c.mu.Unlock()
			if does == nil {
				_, err := fmt.Fprintf(log, "deploying %s of %s\n", r.Parameters["sha"], r.Parameters["target"])
				return err
			}
			return does(ctx, r, log)
		},
		OnRequest: func(stage, method, path string) {
			c.mu.Lock()
			at := c.at
			c.mu.Unlock()
			if at != nil {
				at(stage, method, path)
			}
		},
	})
	srv := httptest.NewServer(c.sim.Handler())
	c.url = srv.URL
	c.sim.SetBase(srv.URL)
	t.Cleanup(func() {
		c.sim.Close()
		srv.Close()
		for _, v := range c.sim.Violations() {
			t.Errorf("it asked for what CircleCI does not have: %s", v)
		}
	})
	c.attempt()
	return c
}

// attempt is a new one: as after a person said Retry.
func (c *ring) attempt() {
	c.exec = integrationstest.NewExec(c.T, map[string]string{"CIRCLE_TOKEN": token})
	c.run = integrations.Run{
		Target: "web/production", Job: "j1", SHA: strings.Repeat("ab", 20), Tree: c.TempDir(), Work: c.TempDir(),
		HashKey: []byte("key"), Exec: c.exec,
	}
}

// will says what workflows do from now on.
func (c *ring) will(does func(ctx context.Context, r circlecisim.Run, log io.Writer) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.does = does
}

func (c *ring) must(err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}

func (c *ring) fault(f circlecisim.Fault) {
	c.Helper()
	c.must(c.sim.Fault(f))
}

func (c *ring) make(more string) (integrations.Applier, error) {
	text := ""
	for _, line := range []string{"url: " + c.url + "/api/v2", "project: gh/acme/web", "workflow: deploy", "poll: 20ms", "start_wait: 2s", "limit: 1m"} {
		if name, _, _ := strings.Cut(line, ":"); !strings.Contains("\n"+more, "\n"+name+":") {
			text += line + "\n"
		}
	}
	return circleci.Make("", func(into any) error {
		return yaml.NewDecoder(strings.NewReader(text+more), yaml.Strict()).Decode(into)
	})
}

func (c *ring) step(more string) integrations.Applier {
	c.Helper()
	a, err := c.make(more)
	c.must(err)
	return a
}

// when does something once, at a call of the tool.
func (c *ring) when(stage, method, path string, do func()) {
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

func (c *ring) kill()      { c.signal(proc.Kill(c.exec.Current())) }
func (c *ring) interrupt() { c.signal(proc.Interrupt(c.exec.Current())) }

func (c *ring) signal(err error) {
	if err != nil {
		c.Error(err)
	}
}

// once holds the pipelines to one that ended so.
func (c *ring) once(status string) circlecisim.Run {
	c.Helper()
	all := c.sim.Runs()
	if len(all) != 1 || all[0].Status != status || c.sim.Pipelines() != 1 {
		c.Fatalf("the runs are %+v of %d pipelines, want one that is %s\n%s", all, c.sim.Pipelines(), status, c.log())
	}
	return all[0]
}

func (c *ring) log() string { return c.exec.Left(c.T) }

func (c *ring) apply(a integrations.Applier) {
	c.Helper()
	if err := a.Apply(c.Context(), c.run); err != nil {
		c.Fatalf("%s\n%s", integrationstest.Explain(err), c.log())
	}
}

// says holds an error to what it has to say.
func (c *ring) says(err error, unknown bool, words ...string) {
	c.Helper()
	if err == nil {
		c.Fatalf("it came out well; want %q\n%s", words, c.log())
	}
	if errors.Is(err, integrations.ErrUnknown) != unknown {
		c.Errorf("unknown is %v: %v\n%s", !unknown, err, c.log())
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			c.Errorf("it says %q, and nothing of %q\n%s", err, w, c.log())
		}
	}
}

func (c *ring) planned(a integrations.Applier, want string) integrations.Plan {
	c.Helper()
	p, err := a.Plan(c.Context(), c.run)
	if err != nil {
		c.Fatalf("%s\n%s", integrationstest.Explain(err), c.log())
	}
	if got := (integrations.Plans{p}).String(); got != want {
		c.Errorf("planned %s, want %s\n%s", got, want, p.Text)
	}
	return p
}

// stays is a run that goes on until it is let go or cancelled.
func (c *ring) stays() (begun chan struct{}, let func()) {
	begun, end := make(chan struct{}, 10), make(chan struct{})
	c.will(func(ctx context.Context, _ circlecisim.Run, _ io.Writer) error {
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

func (c *ring) await(what string, ch <-chan struct{}) {
	c.Helper()
	select {
	case <-ch:
	case <-time.After(time.Minute):
		c.Fatalf("waited in vain for %s\n%s", what, c.log())
	}
}
