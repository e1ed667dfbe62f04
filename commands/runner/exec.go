package runner

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/proc"
	"github.com/signalbox-chatops/signalbox/integrations/kit/redact"
	"github.com/signalbox-chatops/signalbox/store"
)

const (
	// tailBytes is how much of a log's end a job record keeps, and textBytes how
	// much an applier is given: a whole plan, in most cases.
	tailBytes = 2800
	textBytes = 48 << 10
)

// logEvery is how often the record's tail follows the log of a running step.
const logEvery = 3 * time.Second

// exec runs the commands of one attempt under the step shim.
type exec struct {
	run     *Run
	secrets map[string]string
	own     []string // given to the runner's user
}

// Exec is how an applier runs commands in this attempt, with the given secret
// environment. own lists the folders that the steps may write to.
func (run *Run) Exec(secrets map[string]integrations.Secret, own ...string) integrations.Exec {
	e := &exec{run: run, secrets: map[string]string{}, own: own}
	for k, v := range secrets {
		e.secrets[k] = v.Reveal()
	}
	return e
}

// Run implements integrations.Exec.
func (e *exec) Run(ctx context.Context, c integrations.Command) (integrations.Output, error) {
	dir, err := e.newDir(c.Step)
	if err != nil {
		return integrations.Output{}, err
	}
	if err := e.begin(ctx, dir, c, false); err != nil {
		return integrations.Output{}, &integrations.CommandError{Step: c.Step, Err: err}
	}
	out, err := e.follow(ctx, dir, c, false)
	if errors.Is(err, integrations.ErrUnknown) { // it changes nothing: killed is all there is to say
		err = &integrations.CommandError{Step: c.Step, Code: -1, Err: integrations.ErrInterrupted}
	}
	return out, err
}

// Effect implements integrations.Exec.
func (e *exec) Effect(ctx context.Context, name string, c integrations.Command) (integrations.Output, error) {
	if begun, ok := e.run.Job.Effects[name]; ok {
		return e.adopt(ctx, begun, c)
	}
	dir, err := e.newDir(c.Step)
	if err != nil {
		return integrations.Output{}, err
	}
	if e.run.stopped() {
		return integrations.Output{}, &integrations.CommandError{Step: c.Step, Err: integrations.ErrInterrupted}
	}
	err = e.run.Update(ctx, func(tx *store.Tx, j *store.Job) error {
		if j.Interrupts > 0 {
			return integrations.ErrInterrupted
		}
		if e.run.runner.isClosing() {
			return errClosing
		}
		if j.Effects == nil {
			j.Effects = map[string]store.Effect{}
		}
		j.Effects[name] = store.Effect{Dir: dir, Started: e.run.runner.Clock.Now()}
		return nil
	})
	if errors.Is(err, errClosing) {
		e.run.active.cancel() // the next process begins it
	}
	if err != nil {
		return integrations.Output{}, &integrations.CommandError{Step: c.Step, Err: err}
	}
	if err := e.begin(ctx, dir, c, true); err != nil {
		return integrations.Output{}, &integrations.CommandError{Step: c.Step, Err: err}
	}
	return e.follow(ctx, dir, c, true)
}

// adopt finds a step that was begun before a restart. One whose shim never came
// to start its command is made sure never to, and begun anew.
func (e *exec) adopt(ctx context.Context, begun store.Effect, c integrations.Command) (integrations.Output, error) {
	state, _, err := proc.Status(begun.Dir)
	if err != nil {
		return integrations.Output{}, fmt.Errorf("%w: %s: %v", integrations.ErrUnknown, c.Step, err)
	}
	if state == proc.Absent {
		return e.again(ctx, begun, c)
	}
	if state == proc.NotStarted {
		if err := proc.Void(begun.Dir); err == nil {
			return e.again(ctx, begun, c)
		} else if !errors.Is(err, proc.ErrStarted) {
			return integrations.Output{}, fmt.Errorf("%w: %s: %v", integrations.ErrUnknown, c.Step, err)
		}
		if state, _, err = proc.Status(begun.Dir); err != nil || state == proc.NotStarted { // voided by an earlier restart
			return e.again(ctx, begun, c)
		}
	}
	e.run.runner.Log.Info("following a step begun before the restart", "job", e.run.Job.ID, "step", c.Step, "state", state)
	return e.follow(ctx, begun.Dir, c, true)
}

func (e *exec) again(ctx context.Context, begun store.Effect, c integrations.Command) (integrations.Output, error) {
	dir, err := e.newDir(c.Step)
	if err != nil {
		return integrations.Output{}, err
	}
	err = e.run.Update(ctx, func(tx *store.Tx, j *store.Job) error {
		for name, ef := range j.Effects {
			if ef.Dir == begun.Dir {
				j.Effects[name] = store.Effect{Dir: dir, Started: e.run.runner.Clock.Now()}
			}
		}
		return nil
	})
	if err != nil {
		return integrations.Output{}, &integrations.CommandError{Step: c.Step, Err: err}
	}
	if err := e.begin(ctx, dir, c, true); err != nil {
		return integrations.Output{}, &integrations.CommandError{Step: c.Step, Err: err}
	}
	return e.follow(ctx, dir, c, true)
}

// newDir makes the next step folder of the attempt.
func (e *exec) newDir(step string) (string, error) {
	root := e.run.LogDir()
	if err := os.MkdirAll(root, 0o711); err != nil {
		return "", fmt.Errorf("make the folder of logs: %w", err)
	}
	entries, err := os.ReadDir(root)
	if err != nil {
		return "", fmt.Errorf("read the folder of logs: %w", err)
	}
	slug := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(step))
	dir := filepath.Join(root, fmt.Sprintf("%02d-%s", len(entries)+1, slug))
	if err := os.Mkdir(dir, 0o711); err != nil {
		return "", fmt.Errorf("make the folder of a step: %w", err)
	}
	return dir, nil
}

// begin starts the shim of a command.
func (e *exec) begin(ctx context.Context, dir string, c integrations.Command, effect bool) error {
	r := e.run.runner
	home := filepath.Join(e.run.Dir(), "home")
	if err := os.MkdirAll(home, 0o700); err != nil {
		return fmt.Errorf("make a home for the step: %w", err)
	}
	spec := proc.Spec{Argv: c.Argv, Dir: c.Dir, Env: e.env(home, c.Env), Timeout: c.Timeout, LogCap: r.LogCap, Capture: c.Capture, Tee: c.Tee, RunAs: r.RunAs}
	if spec.Timeout == 0 {
		spec.Timeout = r.Timeout
	}
	if r.RunAs != nil {
		spec.Own = append(slices.Clone(e.own), home)
	}
	secrets := proc.Secrets{Env: e.seen(c), Redact: e.hidden()}
	e.run.active.mu.Lock()
	e.run.active.effect = effect
	e.run.active.mu.Unlock()
	if effect { // always a process of its own, that is seen by the step's name
		return proc.Start(ctx, r.Self, dir, spec, secrets)
	}
	spec.Repeatable = true
	err := r.spares.Start(ctx, dir, spec, secrets)
	r.spares.Ready() // while this one runs, the next one comes up
	return err
}

// seen are the secret variables that a command gets.
func (e *exec) seen(c integrations.Command) map[string]string {
	if c.Secrets == nil {
		return e.secrets
	}
	out := map[string]string{}
	for _, name := range c.Secrets {
		if v, ok := e.secrets[name]; ok {
			out[name] = v
		}
	}
	return out
}

// hidden lists what no output may show.
func (e *exec) hidden() []string {
	out := slices.Collect(maps.Values(e.secrets))
	if e.run.runner.Redact != nil {
		out = append(out, e.run.runner.Redact()...)
	}
	return out
}

// env is the allow-list of the bot's environment, a home of the attempt's own,
// and what the command asks for.
func (e *exec) env(home string, add map[string]string) []string {
	env := map[string]string{"HOME": home, "TMPDIR": home}
	for _, name := range e.run.runner.Env {
		if v, ok := os.LookupEnv(name); ok {
			env[name] = v
		}
	}
	maps.Copy(env, add)
	var out []string
	for _, k := range slices.Sorted(maps.Keys(env)) {
		out = append(out, k+"="+env[k])
	}
	return out
}

// follow waits for a step, keeps the record's tail near its log, and reads what
// it left.
func (e *exec) follow(ctx context.Context, dir string, c integrations.Command, effect bool) (integrations.Output, error) {
	a := e.run.active
	a.mu.Lock()
	a.step, a.effect = dir, effect
	a.mu.Unlock()
	e.run.runner.poke()
	defer func() {
		a.mu.Lock()
		a.step, a.effect = "", false
		a.mu.Unlock()
	}()
	stop := e.trail(ctx, dir)
	exit, err := proc.Wait(ctx, dir)
	stop()
	out := integrations.Output{Code: exit.Code, Tail: tail(dir, textBytes)}
	if out.Tail != "" {
		e.run.tail = cut(out.Tail, tailBytes)
	}
	switch {
	case errors.Is(err, proc.ErrLost):
		return out, fmt.Errorf("%w: %s was killed or lost before it told how it ended", integrations.ErrUnknown, c.Step)
	case err != nil:
		return out, fmt.Errorf("%s: %w", c.Step, err)
	case effect && exit.Signal != "" && (!exit.Interrupted || exit.TimedOut): // it had no time to put down what it did
		return out, fmt.Errorf("%w: %s was ended by signal %s", integrations.ErrUnknown, c.Step, exit.Signal)
	}
	if c.Capture && exit.Err == "" {
		if out.Stdout, err = readOut(dir); err != nil {
			return out, fmt.Errorf("%s: read its output: %w", c.Step, err)
		}
		out.Redact = func(s string) string { return redact.New(e.hidden()).String(s) }
	}
	return out, verdict(c, exit, out)
}

// verdict turns an exit into an error, where it is one.
func verdict(c integrations.Command, exit proc.Exit, out integrations.Output) error {
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
	case exit.OutCut:
		failed.Err = errors.New("its output was longer than can be read")
	case exit.Code == 0 || slices.Contains(c.OK, exit.Code):
		return nil
	}
	return failed
}

// trail copies the log's end to the job's record every few seconds.
func (e *exec) trail(ctx context.Context, dir string) (stop func()) {
	tctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		last := ""
		for {
			select {
			case <-tctx.Done():
				return
			case <-time.After(logEvery):
			}
			now := tail(dir, tailBytes)
			if now == last {
				continue
			}
			last = now
			err := e.run.update(tctx, false, func(tx *store.Tx, j *store.Job) error { j.Tail = now; return nil })
			if err != nil && tctx.Err() == nil {
				e.run.runner.Log.Warn("record a log's tail", "job", e.run.Job.ID, "error", err)
			}
		}
	}()
	return func() { cancel(); <-done }
}

func (r *Runner) poke() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}
