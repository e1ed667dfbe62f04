// Package runner is the life of a job: it takes the run lock in the transaction
// that starts a job, runs it, records how it ended, and after a crash works out
// what can be told about each job that was under way. What a job does is a Kind,
// a value that a feature brings; the runner knows none of them.
package runner

import (
	"context"
	"time"

	"github.com/signalbox-chatops/signalbox/store"
)

// Kind is one kind of job.
type Kind struct {
	Name string
	// Quiet kinds only look, and leave no trace in the audit.
	Quiet bool
	// Heavy kinds run tools and count against the limit of jobs side by side.
	Heavy bool
	// Facts fetches, outside any transaction, what Gate needs to know of the
	// outside; nil when it needs nothing. An error keeps the job queued and is
	// tried again.
	Facts func(ctx context.Context, j *store.Job) (any, error)
	// Gate is asked in the transaction that starts the job. A verdict other than
	// Go ends the start there; an error counts as blocked. What it changes of j is
	// stored with the verdict.
	Gate func(tx *store.Tx, j *store.Job, facts any) (Verdict, error)
	// Deadline is how long an attempt may take from its start (j.Started: what was
	// waited before, in line, for a gate or for a confirmation, is not counted); 0
	// is as long as it takes. It is asked again while the job runs, and must not
	// wait for anything. When it has passed, the attempt is interrupted once and
	// ends as failed; a tool that does not heed that is left to a person.
	Deadline func(j *store.Job) time.Duration
	// Run does the job. It is called again after a crash: from the start when no
	// effect was begun, with r.Resumed when one was. What it does besides effects
	// must ask "already so?" first.
	Run func(ctx context.Context, r *Run) End
	// Changed is called in every transaction that moves the job, so that its
	// feature can move the operation and mark the surfaces. urgent says that
	// people wait for this: a state, not a line of log.
	Changed func(tx *store.Tx, j *store.Job, urgent bool) error
}

// Verdict is a gate's answer at dequeue.
type Verdict struct {
	State string // "" to go on, or the state the job moves to: blocked, superseded …; queued waits for After
	Why   string
	After time.Duration
}

// Go lets the job start.
var Go = Verdict{}

// End is how a run ended.
type End struct {
	// State is a terminal state, or blocked, needs_confirm, unknown, or queued to
	// be run again after After.
	State string
	Why   string
	// Err goes to the operators' log; its text, and for a failed command the
	// tool's own words, go to the job.
	Err   error
	After time.Duration
	// Uncounted says that nothing was tried, so that the attempt does not count.
	Uncounted bool
	// Save is run in the ending transaction, before Changed.
	Save func(tx *store.Tx, j *store.Job) error
}

// Failed is an End for an error.
func Failed(err error) End { return End{State: store.JobFailed, Err: err} }
