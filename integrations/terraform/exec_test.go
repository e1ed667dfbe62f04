package terraform

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/proc"
)

// The test binary is also the step shim.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "step" {
		os.Exit(proc.Main(os.Args[2]))
	}
	os.Exit(m.Run())
}

// shimExec runs commands as the runner does: under the shim, effects once.
type shimExec struct {
	dir     string
	home    string
	secrets map[string]string

	mu      sync.Mutex
	n       int
	effects map[string]string
	ran     []string
	running string
}

func (e *shimExec) Run(ctx context.Context, c integrations.Command) (integrations.Output, error) {
	return e.follow(ctx, e.newDir(c.Step), c, true)
}

func (e *shimExec) Effect(ctx context.Context, name string, c integrations.Command) (integrations.Output, error) {
	e.mu.Lock()
	dir, begun := e.effects[name]
	e.mu.Unlock()
	if !begun {
		dir = e.newDir(c.Step)
		e.mu.Lock()
		e.effects[name] = dir
		e.mu.Unlock()
	}
	return e.follow(ctx, dir, c, !begun)
}

func (e *shimExec) newDir(step string) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.n++
	e.ran = append(e.ran, step)
	e.running = filepath.Join(e.dir, fmt.Sprint(e.n))
	return e.running
}

func (e *shimExec) current() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.running
}

func (e *shimExec) follow(ctx context.Context, dir string, c integrations.Command, start bool) (integrations.Output, error) {
	if start {
		env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + e.home}
		for k, v := range c.Env {
			env = append(env, k+"="+v)
		}
		spec := proc.Spec{Argv: c.Argv, Dir: c.Dir, Env: env, Capture: c.Capture}
		if err := proc.Start(ctx, []string{"/proc/self/exe", "step"}, dir, spec, proc.Secrets{Env: e.secrets}); err != nil {
			return integrations.Output{}, err
		}
	}
	exit, err := proc.Wait(ctx, dir)
	if errors.Is(err, proc.ErrLost) {
		return integrations.Output{}, integrations.ErrUnknown
	}
	if err != nil {
		return integrations.Output{}, err
	}
	tail, err := proc.Tail(dir, 32<<10)
	if err != nil {
		return integrations.Output{}, err
	}
	out := integrations.Output{Code: exit.Code, Tail: string(tail)}
	if c.Capture {
		if out.Stdout, err = proc.Out(dir); err != nil {
			return out, err
		}
	}
	failed := &integrations.CommandError{Step: c.Step, Code: exit.Code, Tail: out.Tail}
	switch {
	case exit.Err != "":
		failed.Err = errors.New(exit.Err)
	case exit.Interrupted && exit.Code != 0:
		failed.Err = integrations.ErrInterrupted
	case exit.Code == 0 || slices.Contains(c.OK, exit.Code):
		return out, nil
	}
	return out, failed
}

// module is a root module in a work tree, with a state that outlives the tree.
type module struct {
	t     testing.TB
	tool  *Tool
	tree  string
	state string
}

func newModule(t testing.TB) *module {
	t.Helper()
	if _, err := exec.LookPath("terraform"); err != nil {
		t.Skip("terraform is not on PATH")
	}
	m := &module{t: t, tool: NewTool("terraform", filepath.Join(t.TempDir(), "cache")), tree: t.TempDir(), state: filepath.Join(t.TempDir(), "net.tfstate")}
	return m
}

// write makes main.tf; the backend block is added.
func (m *module) write(body string) {
	m.t.Helper()
	dir := filepath.Join(m.tree, "network", "production")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "main.tf"), []byte("terraform {\n  backend \"local\" {}\n}\n"+body), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

func (m *module) config() Config {
	return Config{Dir: "network/production", Backend: map[string]string{"path": m.state}}
}

func (m *module) step(change func(*Config)) *Applier {
	m.t.Helper()
	c := m.config()
	if change != nil {
		change(&c)
	}
	a, err := m.tool.Step(c)
	if err != nil {
		m.t.Fatal(err)
	}
	return a
}

// run is a new attempt.
func (m *module) run() (integrations.Run, *shimExec) {
	e := &shimExec{dir: m.t.TempDir(), home: m.t.TempDir(), effects: map[string]string{}, secrets: map[string]string{"TF_VAR_password": "hunter22"}}
	return integrations.Run{
		Target: "network/production", Environment: "production", Job: "j1", SHA: strings.Repeat("ab", 20),
		Tree: m.tree, Work: m.t.TempDir(), HashKey: []byte("key"), Exec: e,
	}, e
}

func (m *module) plan(a *Applier) (integrations.Plan, integrations.Run) {
	m.t.Helper()
	r, _ := m.run()
	p, err := a.Plan(m.t.Context(), r)
	if err != nil {
		m.t.Fatal(explain(err))
	}
	return p, r
}

func (m *module) apply(a *Applier) integrations.Plan {
	m.t.Helper()
	p, r := m.plan(a)
	if err := a.Apply(m.t.Context(), r); err != nil {
		m.t.Fatal(explain(err))
	}
	return p
}

func explain(err error) string {
	var failed *integrations.CommandError
	if errors.As(err, &failed) {
		return err.Error() + "\n" + failed.Tail
	}
	return err.Error()
}

func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}
