package runner

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/signalbox-chatops/signalbox/store"
)

// Run is one attempt at a job, as its kind sees it.
type Run struct {
	// Job is the job as it was last stored.
	Job *store.Job
	// Resumed says that an effect of this attempt was begun before a restart.
	Resumed bool

	runner   *Runner
	kind     Kind
	active   *active
	cleanups []func(context.Context) error
	tail     string // the end of the last step's log
}

// errLost says that the job is not ours to change any more.
var errLost = errors.New("the job was settled by a person meanwhile")

// Update changes the stored job, with its surfaces, in one transaction.
func (run *Run) Update(ctx context.Context, change func(tx *store.Tx, j *store.Job) error) error {
	return run.update(ctx, true, change)
}

func (run *Run) update(ctx context.Context, urgent bool, change func(tx *store.Tx, j *store.Job) error) error {
	var now *store.Job
	err := run.runner.Store.Update(ctx, func(tx *store.Tx) error {
		j, err := tx.Job(run.Job.ID)
		if err != nil {
			return err
		}
		if j.Attempt != run.Job.Attempt || j.Boot != run.runner.boot {
			return errLost
		}
		if err := change(tx, j); err != nil {
			return err
		}
		if err := tx.PutJob(j); err != nil {
			return err
		}
		now = j
		if run.kind.Changed == nil {
			return nil
		}
		return run.kind.Changed(tx, j, urgent)
	})
	if err == nil {
		run.Job = now
	}
	return err
}

// Dir is the attempt's own folder; it is there until the job is over.
func (run *Run) Dir() string { return run.Job.WorkDir }

// LogDir is where the logs of the job's steps stand; it outlives the job.
func (run *Run) LogDir() string { return logDir(run.Job) }

// KeepDir is where an attempt of a job keeps what must not be lost with its own folder;
// it outlives the job as its logs do.
func KeepDir(j *store.Job) string {
	return filepath.Join(filepath.Dir(j.WorkDir), "kept-"+filepath.Base(j.WorkDir))
}

// OnClean adds something to be done when the attempt's folder is removed.
func (run *Run) OnClean(f func(context.Context) error) { run.cleanups = append(run.cleanups, f) }

// stopped says whether a person asked this attempt to stop.
func (run *Run) stopped() bool {
	run.active.mu.Lock()
	defer run.active.mu.Unlock()
	return run.active.stopped
}
