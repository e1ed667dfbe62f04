package integrationstest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/proc"
	"github.com/signalbox-chatops/signalbox/integrations/kit/redact"
)

// Main is the TestMain of a package that runs steps: the test binary is also the step
// shim, and the tools that are our own binary, by the word it is called with.
func Main(m *testing.M, tools map[string]func(args []string, out, errOut io.Writer) int) {
	if len(os.Args) > 2 && os.Args[1] == "step" {
		syscall.Exit(proc.Main(os.Args[2])) // os.Exit sleeps a second under the race detector
	}
	if len(os.Args) > 1 && tools[os.Args[1]] != nil {
		syscall.Exit(tools[os.Args[1]](os.Args[2:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// Exec runs commands as the runner does: under the step shim, with an allow-list of the
// environment, secrets by a descriptor, and each effect once. Its fields are set before
// it is used.
type Exec struct {
	Dir     string // holds a folder for each command
	Secrets map[string]string
	LogCap  int64         // in bytes; 0 is the shim's own
	Timeout time.Duration // of a command that has none; 0 is none
	Grace   time.Duration // after it; 0 is the shim's own

	mu      sync.Mutex
	ran     []string // the steps, in order
	dirs    []string
	effects map[string]string // folders, by name
}

var _ integrations.Exec = (*Exec)(nil)

// NewExec is one in a folder of the test's own.
func NewExec(t testing.TB, secrets map[string]string) *Exec {
	return &Exec{Dir: t.TempDir(), Secrets: secrets, effects: map[string]string{}}
}

// Run implements integrations.Exec.
func (e *Exec) Run(ctx context.Context, c integrations.Command) (integrations.Output, error) {
	dir := e.newDir(c.Step, "")
	if err := e.start(ctx, dir, c); err != nil {
		return integrations.Output{}, &integrations.CommandError{Step: c.Step, Err: err}
	}
	out, err := e.follow(ctx, dir, c)
	if errors.Is(err, integrations.ErrUnknown) {
		err = &integrations.CommandError{Step: c.Step, Code: -1, Err: integrations.ErrInterrupted}
	}
	return out, err
}

// Effect implements integrations.Exec.
func (e *Exec) Effect(ctx context.Context, name string, c integrations.Command) (integrations.Output, error) {
	e.mu.Lock()
	dir, begun := e.effects[name]
	e.mu.Unlock()
	if !begun {
		dir = e.newDir(c.Step, name)
		if err := e.start(ctx, dir, c); err != nil {
			return integrations.Output{}, &integrations.CommandError{Step: c.Step, Err: err}
		}
	}
	return e.follow(ctx, dir, c)
}

func (e *Exec) newDir(step, effect string) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	dir := filepath.Join(e.Dir, fmt.Sprintf("%02d", len(e.dirs)+1))
	e.ran, e.dirs = append(e.ran, step), append(e.dirs, dir)
	if effect != "" {
		e.effects[effect] = dir
	}
	return dir
}

// Ran are the steps that were run, in order; of them, effects were begun so often.
func (e *Exec) Ran() (steps []string, effects int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.ran), len(e.effects)
}

// Current is the folder of the command that was started last.
func (e *Exec) Current() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.dirs) == 0 {
		return ""
	}
	return e.dirs[len(e.dirs)-1]
}

// Left is all that the commands left on disk that people or other programs may read,
// joined: their logs, and what they were told to run.
func (e *Exec) Left(t testing.TB) string {
	t.Helper()
	var b strings.Builder
	for _, f := range files(t, e.Dir) {
		text, err := os.ReadFile(filepath.Join(e.Dir, f))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "==> %s\n%s\n", f, text)
	}
	return b.String()
}

// Home is the home of the commands.
func (e *Exec) Home() string { return filepath.Join(e.Dir, "home") }

func (e *Exec) start(ctx context.Context, dir string, c integrations.Command) error {
	if err := os.MkdirAll(e.Home(), 0o700); err != nil {
		return err
	}
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + e.Home(), "TMPDIR=" + e.Home()}
	for _, k := range slices.Sorted(maps.Keys(c.Env)) {
		env = append(env, k+"="+c.Env[k])
	}
	spec := proc.Spec{Argv: c.Argv, Dir: c.Dir, Env: env, Timeout: c.Timeout, Grace: e.Grace, LogCap: e.LogCap, Capture: c.Capture, Tee: c.Tee, Repeatable: true}
	if spec.Timeout == 0 {
		spec.Timeout = e.Timeout
	}
	secrets := proc.Secrets{Env: e.Secrets, Redact: e.values()}
	if c.Secrets != nil {
		secrets.Env = map[string]string{}
		for _, name := range c.Secrets {
			if v, ok := e.Secrets[name]; ok {
				secrets.Env[name] = v
			}
		}
	}
	return proc.Start(ctx, []string{"/proc/self/exe", "step"}, dir, spec, secrets)
}

func (e *Exec) values() []string { return slices.Collect(maps.Values(e.Secrets)) }

// tailBytes is how much of a log's end an applier is given.
const tailBytes = 48 << 10

func (e *Exec) follow(ctx context.Context, dir string, c integrations.Command) (integrations.Output, error) {
	exit, err := proc.Wait(ctx, dir)
	if errors.Is(err, proc.ErrLost) {
		return integrations.Output{}, fmt.Errorf("%w: %s", integrations.ErrUnknown, c.Step)
	} else if err != nil {
		return integrations.Output{}, err
	}
	tail, err := proc.Tail(dir, tailBytes)
	if err != nil {
		return integrations.Output{}, err
	}
	out := integrations.Output{Code: exit.Code, Tail: string(tail)}
	if c.Capture && exit.Err == "" {
		if out.Stdout, err = proc.Out(dir); err != nil {
			return out, err
		}
		if err := proc.RemoveOut(dir); err != nil {
			return out, err
		}
		out.Redact = redact.New(e.values()).String
	}
	failed := &integrations.CommandError{Step: c.Step, Code: exit.Code, Tail: out.Tail}
	switch {
	case exit.Err != "":
		failed.Err = errors.New(exit.Err)
	case exit.Interrupted && exit.Code != 0:
		failed.Err = integrations.ErrInterrupted
	case exit.TimedOut:
		failed.Err = errors.New("it ran longer than its limit and was interrupted")
	case exit.Signal != "":
		failed.Err = fmt.Errorf("ended by signal %s", exit.Signal)
	case exit.Code == 0 || slices.Contains(c.OK, exit.Code):
		return out, nil
	}
	return out, failed
}
