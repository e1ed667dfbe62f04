package runner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/integrations/kit/proc"
	"github.com/signalbox-chatops/signalbox/store"
)

// Deps are what a Runner works with.
type Deps struct {
	Store *store.Store
	Clock clock.Clock
	Log   *slog.Logger
	Kinds []Kind
	// Dir holds a folder for each job, with one for each attempt.
	Dir string
	// Self is the command that runs the step shim; a step's folder is added.
	Self []string
	// Parallel is how many heavy jobs run side by side.
	Parallel int
	// Env names the variables of the bot's environment that steps may see.
	Env []string
	// RunAs is whom steps run as; nil is the bot's own user.
	RunAs *proc.User
	// Redact lists what no log may show.
	Redact func() []string
	LogCap int64
	// Timeout of one command.
	Timeout time.Duration
	// DrainOnStop waits this long for running steps at a stop, then interrupts
	// them. 0 leaves them running, to be found again at the next start.
	DrainOnStop time.Duration
}

// StopWait is how long steps that were interrupted after DrainOnStop may take to end.
const StopWait = time.Minute

// Runner runs jobs. Recover must return before Run is called.
type Runner struct {
	Deps
	boot  string
	kinds map[string]Kind

	// spares keeps a shim at the ready while a job runs that starts tools.
	spares proc.Spares

	line line // of the loop alone

	mu     sync.Mutex
	active map[string]*active // by job id
	heavy  int
	wake   chan struct{}
}

// active is a job that this process is running.
type active struct {
	cancel context.CancelFunc
	heavy  bool
	asked  int // interrupts carried out

	mu      sync.Mutex
	step    string // folder of the running step
	effect  bool   // the running step is an effect
	stopped bool   // a person asked it to stop
}

// New makes a runner. A second kind of the same name is an error of the wiring.
func New(d Deps) (*Runner, error) {
	if d.Parallel <= 0 {
		d.Parallel = 4
	}
	r := &Runner{Deps: d, boot: ulid.Make().String(), kinds: map[string]Kind{}, active: map[string]*active{}, wake: make(chan struct{}, 1)}
	r.spares.Self = d.Self
	for _, k := range d.Kinds {
		if _, twice := r.kinds[k.Name]; twice {
			return nil, fmt.Errorf("job kind %q is wired twice", k.Name)
		}
		r.kinds[k.Name] = k
	}
	if err := os.MkdirAll(d.Dir, 0o711); err != nil {
		return nil, fmt.Errorf("make the folder of jobs: %w", err)
	}
	return r, nil
}

// Run starts jobs until ctx ends, and returns when every one that this process
// follows has been let go. Their steps go on unless DrainOnStop says otherwise.
func (r *Runner) Run(ctx context.Context) error {
	changed, stop := r.Store.Watch("jobs")
	defer stop()
	work, release := context.WithCancel(context.WithoutCancel(ctx))
	var jobs sync.WaitGroup
	defer jobs.Wait()
	defer release()
	if err := r.resume(work, &jobs); err != nil {
		return err
	}
	for {
		next, err := r.round(work, &jobs)
		if err != nil {
			r.Log.Error("read jobs", "error", err)
			next = time.Second
		}
		timer := r.Clock.NewTimer(next)
		select {
		case <-ctx.Done():
			timer.Stop()
			r.drain(&jobs)
			return nil
		case <-changed:
		case <-r.wake:
		case <-timer.C():
		}
		timer.Stop()
	}
}

// drain waits for the running steps, then interrupts them, if that is asked for.
func (r *Runner) drain(jobs *sync.WaitGroup) {
	if r.DrainOnStop <= 0 {
		return
	}
	done := make(chan struct{})
	go func() { jobs.Wait(); close(done) }()
	r.Log.Info("waiting for running jobs", "jobs", r.Active(), "limit", r.DrainOnStop)
	select {
	case <-done:
		return
	case <-time.After(r.DrainOnStop):
	}
	r.Log.Warn("interrupting running jobs", "jobs", r.Active())
	r.mu.Lock()
	for id, a := range r.active {
		if step := a.current(); step != "" {
			if err := proc.Interrupt(step); err != nil {
				r.Log.Error("interrupt step", "job", id, "error", err)
			}
		}
	}
	r.mu.Unlock()
	select {
	case <-done:
	case <-time.After(StopWait):
	}
}

// Active is how many jobs this process is running.
func (r *Runner) Active() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.active)
}

// Idle says whether nothing runs and nothing could be started now.
func (r *Runner) Idle() bool {
	if r.Active() > 0 {
		return false
	}
	idle := true
	err := r.Store.View(func(tx *store.Tx) error {
		live, err := tx.LiveJobs()
		if err != nil {
			return err
		}
		for _, j := range live {
			if r.ready(j) && firstInLine(tx, j) {
				idle = false
			}
		}
		return nil
	})
	return err == nil && idle
}

func (r *Runner) ready(j *store.Job) bool {
	return j.State == store.JobQueued && !r.Clock.Now().Before(j.NotBefore)
}

// firstInLine says whether no job with a lower order waits for the same target.
// A job that waits for a person keeps its place: what comes after it contains it.
func firstInLine(tx *store.Tx, j *store.Job) bool {
	if !j.Locks {
		return true
	}
	queue, err := tx.TargetQueue(j.Target)
	return err == nil && len(queue) > 0 && queue[0].ID == j.ID
}

// round starts what can be started and carries out interrupts that were asked
// for. It returns how long to sleep when nothing changes.
func (r *Runner) round(ctx context.Context, jobs *sync.WaitGroup) (time.Duration, error) {
	var live []*store.Job
	err := r.Store.View(func(tx *store.Tx) (err error) {
		live, err = tx.LiveJobs()
		return err
	})
	if err != nil {
		return 0, err
	}
	next := time.Minute
	for _, j := range live {
		if j.State == store.JobQueued && !r.ready(j) {
			next = min(next, j.NotBefore.Sub(r.Clock.Now()))
		}
		if j.Interrupts > 0 {
			r.interrupt(j)
		}
	}
	r.admit(ctx, jobs, live)
	return max(next, 0), nil
}

// begin gives a queued job to a goroutine of its own, if there is room.
func (r *Runner) begin(ctx context.Context, jobs *sync.WaitGroup, j *store.Job) {
	k := r.kinds[j.Kind]
	jctx, cancel := context.WithCancel(ctx)
	a := &active{cancel: cancel, heavy: k.Heavy}
	if !r.enter(j.ID, a) {
		cancel()
		return
	}
	jobs.Add(1)
	go func() {
		defer jobs.Done()
		defer r.leave(j.ID)
		defer cancel()
		r.start(jctx, a, j)
	}()
}

func (r *Runner) enter(id string, a *active) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.active[id] != nil || a.heavy && r.heavy >= r.Parallel {
		return false
	}
	if a.heavy {
		r.heavy++
	}
	r.active[id] = a
	return true
}

func (r *Runner) leave(id string) {
	r.mu.Lock()
	if r.active[id].heavy {
		if r.heavy--; r.heavy == 0 {
			r.spares.Release()
		}
	}
	delete(r.active, id)
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// interrupt carries out what a person asked of a running job: first SIGINT to
// the step, at the second asking its end at once. Both were recorded before.
func (r *Runner) interrupt(j *store.Job) {
	r.mu.Lock()
	a := r.active[j.ID]
	r.mu.Unlock()
	if a == nil {
		if j.State == store.JobUnknown && j.Interrupts > 1 {
			r.endLeftovers(j)
		}
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.asked >= j.Interrupts {
		return
	}
	a.stopped = true
	if a.step == "" {
		if !a.effect {
			a.cancel()
			a.asked = j.Interrupts
		}
		return
	}
	var err error
	if j.Interrupts > 1 {
		err = proc.Kill(a.step)
	} else {
		err = proc.Interrupt(a.step)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		r.Log.Error("stop step", "job", j.ID, "step", a.step, "error", err)
		return
	}
	a.asked = j.Interrupts
}

// endLeftovers ends what the steps of an unknown job have left running, as a
// person asked.
func (r *Runner) endLeftovers(j *store.Job) {
	if n, err := Leftovers(j); err == nil && n == 0 {
		return
	}
	for _, e := range j.Effects {
		if err := proc.Kill(e.Dir); err != nil {
			r.Log.Error("end what a step left running", "job", j.ID, "step", e.Dir, "error", err)
		}
	}
}

func (a *active) current() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.step
}
