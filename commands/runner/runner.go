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
}

// Runner runs jobs. Recover must return before Run is called.
type Runner struct {
	Deps
	boot  string
	kinds map[string]Kind

	// spares keeps a shim at the ready while a job runs that starts tools.
	spares proc.Spares

	wake      chan struct{}
	asks      chan struct{} // taken by the loop, to show that it goes round
	following chan struct{} // closed when what the last process left is followed

	line line // of the loop alone

	mu       sync.Mutex
	active   map[string]*active // by job id
	heavy    int
	draining bool          // no job is begun any more
	closing  bool          // nor an effect of one
	quiet    chan struct{} // closed when nothing runs of what was drained
	restart  string        // the subject of what people are told of the drain
}

// active is a job that this process is running.
type active struct {
	cancel context.CancelFunc
	heavy  bool
	asked  int // interrupts carried out

	mu      sync.Mutex
	attempt int    // that is being run; 0 until its start is committed
	step    string // folder of the running step
	effect  bool   // the running step is an effect
	stopped bool   // a person asked it to stop
}

// New makes a runner. A second kind of the same name is an error of the wiring.
func New(d Deps) (*Runner, error) {
	if d.Parallel <= 0 {
		d.Parallel = 4
	}
	r := &Runner{Deps: d, boot: ulid.Make().String(), kinds: map[string]Kind{}, active: map[string]*active{}, wake: make(chan struct{}, 1), asks: make(chan struct{}),
		following: make(chan struct{}), quiet: make(chan struct{})}
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
// follows has been let go. Their steps go on, to be found again at the next start:
// who wants them to end first calls Drain before ctx ends.
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
			return nil
		case <-changed:
		case <-r.wake:
		case <-r.asks:
		case <-timer.C():
		}
		timer.Stop()
	}
}

// Alive says whether the loop goes round; it waits for that until ctx ends. A job
// that takes long keeps it from nothing.
func (r *Runner) Alive(ctx context.Context) error {
	select {
	case r.asks <- struct{}{}:
		return nil
	case <-ctx.Done():
		return errors.New("its loop does not go round")
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
	var up []stopping
	next := time.Minute
	for _, j := range live {
		if j.State == store.JobQueued && !r.ready(j) {
			next = min(next, j.NotBefore.Sub(r.Clock.Now()))
		}
		if change, wait := r.timeUp(j); change != nil {
			up = append(up, stopping{j, change})
		} else if wait > 0 {
			next = min(next, wait)
		}
		if j.Interrupts > 0 {
			r.interrupt(j)
		}
	}
	for _, s := range up { // what comes of it is carried out in the round that this causes
		if err := r.record(ctx, s); err != nil {
			return 0, err
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
	if r.draining || r.active[id] != nil || a.heavy && r.heavy >= r.Parallel {
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
	if r.draining && len(r.active) == 0 {
		close(r.quiet)
	}
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}
