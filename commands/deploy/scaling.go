package deploy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/runner"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// Scaling keeps the auto scaling groups of a target still while an apply changes it.
type Scaling interface {
	// Suspend returns when their processes are suspended; with an error none is relied
	// on, and *integrations.Later says that it is to be tried again.
	Suspend(ctx context.Context, j *store.Job, t integrations.Target) error
	// Resume has what was suspended for a job run again. It also happens without this,
	// a little later, once the job is over.
	Resume(ctx context.Context, job string) error
}

// suspendAgain is how soon an apply is begun again whose groups could not be kept
// still: it plans again then.
const suspendAgain = 30 * time.Second

// suspend keeps the groups of a job's target still. An End with a state stops here,
// with nothing changed.
func (f *feature) suspend(ctx context.Context, j *store.Job, t integrations.Target) runner.End {
	if len(t.Scaling) == 0 {
		return runner.End{}
	}
	err := errors.New("nothing here can suspend them")
	if f.Scaling != nil {
		err = f.Scaling.Suspend(ctx, j, t)
	}
	var later *integrations.Later
	switch {
	case err == nil:
		return runner.End{}
	case errors.As(err, &later):
		why := "it waits until processes of its auto scaling groups are suspended: " + later.Err.Error()
		return runner.End{State: store.JobQueued, Why: why, After: max(later.After, suspendAgain), Uncounted: true}
	}
	return runner.Failed(fmt.Errorf("nothing was changed, because processes of its auto scaling groups cannot be suspended: %w", err))
}

// resume lets them go when the apply has ended. One that nobody knows the end of may
// still change things, a fault in signalbox included; of one that is left to the next
// process ctx is over.
func (f *feature) resume(ctx context.Context, j *store.Job, end runner.End) {
	if f.Scaling == nil || ctx.Err() != nil || end.State == "" || end.State == store.JobUnknown {
		return
	}
	if err := f.Scaling.Resume(ctx, j.ID); err != nil {
		f.Log.Warn("resume processes that were suspended for a job", "job", j.ID, "error", err)
	}
}
