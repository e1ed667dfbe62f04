package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/integrations/kit/proc"
	"github.com/signalbox-chatops/signalbox/store"
)

// A yard is a runner on a real store with real steps.
type yard struct {
	t     *testing.T
	dir   string
	store *store.Store
	clock *clock.Movable
	kinds map[string]Kind
	r     *Runner
	stop  func()
	log   io.Writer // of the runner; nil: nowhere

	parallel int // as in Deps

	mu      sync.Mutex
	seen    []string // "job-1 running", by Changed
	started []string // "apply web 7", by the kinds that say so
}

func newYard(t *testing.T) *yard {
	t.Helper()
	clk := clock.NewMovable(0)
	y := &yard{t: t, dir: t.TempDir(), clock: clk, kinds: map[string]Kind{}}
	var err error
	if y.store, err = store.Open(filepath.Join(y.dir, "signalbox.db"), store.Options{Now: clk.Now, Log: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		y.endSteps()
		if err := y.store.Close(); err != nil {
			t.Error(err)
		}
	})
	y.kind(Kind{Name: "script", Heavy: true, Run: script})
	return y
}

// endSteps leaves no step of a failed test running.
func (y *yard) endSteps() {
	dirs, err := filepath.Glob(filepath.Join(y.dir, "work", "*", "log-*", "*"))
	if err != nil {
		y.t.Error(err)
	}
	for _, dir := range dirs {
		if s, _, err := proc.Status(dir); err == nil && s == proc.Running {
			if err := proc.Kill(dir); err != nil {
				y.t.Error(err)
			}
		}
	}
}

func (y *yard) kind(k Kind) {
	k.Changed = func(_ *store.Tx, j *store.Job, urgent bool) error {
		y.mu.Lock()
		defer y.mu.Unlock()
		if urgent {
			y.seen = append(y.seen, j.ID+" "+j.State)
		}
		return nil
	}
	y.kinds[k.Name] = k
}

// start is a new process on the same store: what it finds is recovered first.
func (y *yard) start() {
	y.t.Helper()
	log := slog.New(slog.DiscardHandler)
	if y.log != nil {
		log = slog.New(slog.NewTextHandler(y.log, nil))
	}
	d := Deps{Store: y.store, Clock: y.clock, Log: log, Dir: filepath.Join(y.dir, "work"),
		Self: []string{"/proc/self/exe", "step"}, Parallel: y.parallel, Env: []string{"PATH"}, Redact: func() []string { return []string{"hunter2hunter2"} }}
	for _, k := range y.kinds {
		d.Kinds = append(d.Kinds, k)
	}
	r, err := New(d)
	if err != nil {
		y.t.Fatal(err)
	}
	if err := r.Recover(context.Background()); err != nil {
		y.t.Fatal(err)
	}
	y.r = r
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	var once sync.Once
	y.stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				y.t.Error(err)
			}
		})
	}
	y.t.Cleanup(func() { y.stop() })
}

// script runs the shell line in the job's Data as its one effect.
func script(ctx context.Context, r *Run) End {
	var line string
	if err := json.Unmarshal(r.Job.Data, &line); err != nil {
		return Failed(err)
	}
	_, err := r.Exec(map[string]integrations.Secret{"TOKEN": integrations.NewSecret("hunter2hunter2")}).Effect(ctx, "it", integrations.Command{
		Step: "sh", Argv: []string{"sh", "-c", line}, Dir: "/"})
	if err != nil {
		return Failed(err)
	}
	return End{State: store.JobSucceeded}
}

// add queues a job; target "" locks nothing.
func (y *yard) add(kind, target string, order uint64, line string) string {
	y.t.Helper()
	data, err := json.Marshal(line)
	if err != nil {
		y.t.Fatal(err)
	}
	j := &store.Job{Key: fmt.Sprint(kind, target, order, line, time.Now().UnixNano()), Kind: kind, Target: target, Locks: target != "", Order: order,
		State: store.JobQueued, Data: data}
	y.update(func(tx *store.Tx) error { _, _, err := tx.InsertJob(j); return err })
	return j.ID
}

func (y *yard) update(do func(tx *store.Tx) error) {
	y.t.Helper()
	if err := y.store.Update(context.Background(), do); err != nil {
		y.t.Fatal(err)
	}
}

func (y *yard) job(id string) (j *store.Job) {
	y.t.Helper()
	if err := y.store.View(func(tx *store.Tx) (err error) { j, err = tx.Job(id); return err }); err != nil {
		y.t.Fatal(err)
	}
	return j
}

func (y *yard) locked(target string) (job string) {
	y.t.Helper()
	err := y.store.View(func(tx *store.Tx) error {
		l, err := tx.RunLock(target)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		} else if err == nil {
			job = l.Job
		}
		return err
	})
	if err != nil {
		y.t.Fatal(err)
	}
	return job
}

func (y *yard) wait(what string, ok func() bool) {
	y.t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			y.mu.Lock()
			defer y.mu.Unlock()
			y.t.Fatalf("waited in vain: %s; %q", what, y.seen)
		}
	}
}

func (y *yard) reaches(id, state string) *store.Job {
	y.t.Helper()
	y.wait(id+" is "+state, func() bool { return y.job(id).State == state })
	return y.job(id)
}

func (y *yard) file(name string) string { return filepath.Join(y.dir, name) }

func (y *yard) touch(name string) {
	y.t.Helper()
	if err := os.WriteFile(y.file(name), nil, 0o600); err != nil {
		y.t.Fatal(err)
	}
}

func (y *yard) lines(name string) []string {
	b, err := os.ReadFile(y.file(name))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	} else if err != nil {
		y.t.Fatal(err)
	}
	return strings.Fields(string(b))
}

// waiting is a line that leaves a mark and goes on when the file "go" is there.
func (y *yard) waiting(mark string) string {
	return fmt.Sprintf("echo %s >> %s; while [ ! -e %s ]; do sleep 0.02; done", mark, y.file("marks"), y.file("go"))
}
