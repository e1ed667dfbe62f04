package store

import (
	"encoding/json"
	"time"
)

// Person is somebody as a record remembers them: resolved once, when it
// happened. Name is the config's name for them, or "" for somebody unlinked.
type Person struct {
	Name   string `json:"name,omitempty"`
	Slack  string `json:"slack,omitempty"`  // Slack user id
	GitHub string `json:"github,omitempty"` // GitHub login
}

// The states of an operation.
const (
	OpOpening   = "opening"
	OpOpen      = "open"
	OpMerged    = "merged"
	OpApplying  = "applying"
	OpSucceeded = "succeeded"
	OpNoop      = "noop"
	OpFailed    = "failed"
	OpPartial   = "partial"
	OpClosed    = "closed"
)

// The states of a job.
const (
	JobQueued       = "queued"
	JobPreparing    = "preparing"
	JobDispatching  = "dispatching"
	JobRunning      = "running"
	JobBlocked      = "blocked"       // waits for a gate
	JobNeedsConfirm = "needs_confirm" // waits for a person's Confirm
	JobUnknown      = "unknown"       // an interrupted effect: a person must choose
	JobSucceeded    = "succeeded"
	JobNoop         = "noop"
	JobFailed       = "failed"
	JobCancelled    = "cancelled"
	JobSuperseded   = "superseded"
	JobExpired      = "expired"
)

// Job is one run of one kind on one target.
type Job struct {
	ID      string `json:"id"`      // "job-31"
	Key     string `json:"key"`     // what it means: a second job with this key is the same job
	Version uint64 `json:"version"` // raised by every PutJob
	Kind    string `json:"kind"`    // a key of the runner's table of kinds
	Target  string `json:"target,omitempty"`
	Locks   bool   `json:"locks,omitempty"` // takes the run lock of Target
	Order   uint64 `json:"order"`           // place in the queue of Target; lower runs first

	Operation string `json:"operation,omitempty"`
	RepoID    int64  `json:"repo_id,omitempty"`
	Repo      string `json:"repo,omitempty"`
	PR        int    `json:"pr,omitempty"`
	SHA       string `json:"sha,omitempty"` // what is checked out: a head SHA or a merge SHA
	Base      string `json:"base,omitempty"`
	Requester Person `json:"requester"`

	State   string `json:"state"`
	Attempt int    `json:"attempt"` // counted from 1
	Boot    string `json:"boot,omitempty"`
	Phase   string `json:"phase,omitempty"` // the kind's own word for how far it came; survives a crash
	Why     string `json:"why,omitempty"`   // one sentence: why it waits, or how it ended

	// Data is the kind's own record: the plan it made, the deployment it wrote.
	Data json.RawMessage `json:"data,omitempty"`
	// Effects are the intents of this attempt, by name, written before each effect.
	Effects map[string]Effect `json:"effects,omitempty"`

	ConfirmedDigest string  `json:"confirmed_digest,omitempty"`
	ConfirmedBy     *Person `json:"confirmed_by,omitempty"`
	ApprovedBy      *Person `json:"approved_by,omitempty"` // released it from blocked
	// ApprovedFor are the gates that kept it when it was approved: an approval is
	// for what somebody has looked at, and not for what came later.
	ApprovedFor []string `json:"approved_for,omitempty"`
	// Closed are the gates that were closed when it was last blocked, and Waited
	// is since when it waits for them.
	Closed []string  `json:"closed,omitempty"`
	Waited time.Time `json:"waited,omitzero"`
	// Unread says that it is blocked because something could not be read.
	Unread bool `json:"unread,omitempty"`
	// Wave is its place among the jobs of its operation: those of a lower wave
	// have to succeed first.
	Wave int `json:"wave,omitempty"`
	// Skipped says that it was never started because an earlier wave failed.
	Skipped bool `json:"skipped,omitempty"`
	// SupersededBy is the job that was run instead.
	SupersededBy string `json:"superseded_by,omitempty"`
	// Again says that a person asked for this attempt, so that the commit that was
	// attempted last may be attempted again.
	Again       bool    `json:"again,omitempty"`
	Interrupts  int     `json:"interrupts,omitempty"` // cancels asked of this attempt
	CancelledBy *Person `json:"cancelled_by,omitempty"`

	// What the runner, and no person, asked of this attempt: to stop because its
	// deadline had passed (TimedOut), or because the process was being stopped.
	TimedOut bool      `json:"timed_out,omitempty"`
	StopWhy  string    `json:"stop_why,omitempty"` // becomes Why when it ends by that
	StopAt   time.Time `json:"stop_at,omitzero"`
	Stuck    bool      `json:"stuck,omitempty"` // it did not stop in time: a person is called

	FailedStep string `json:"failed_step,omitempty"`
	Error      string `json:"error,omitempty"`
	Tail       string `json:"tail,omitempty"` // last lines of its log, redacted
	LogFile    string `json:"log_file,omitempty"`
	WorkDir    string `json:"work_dir,omitempty"`

	// Away is the system that does not answer, for which it waits.
	Away string `json:"away,omitempty"`

	NotBefore time.Time `json:"not_before,omitzero"`
	Created   time.Time `json:"created"`
	Updated   time.Time `json:"updated"` // set by PutJob
	Started   time.Time `json:"started,omitzero"`
	Ended     time.Time `json:"ended,omitzero"`
}

// Terminal says whether nothing more will happen to the job.
func (j *Job) Terminal() bool {
	switch j.State {
	case JobSucceeded, JobNoop, JobFailed, JobCancelled, JobSuperseded, JobExpired:
		return true
	}
	return false
}

// Effect is an intent to change something outside, and what came of it.
type Effect struct {
	Dir     string    `json:"dir,omitempty"`    // the step's folder, for a local step
	Remote  string    `json:"remote,omitempty"` // the remote id, written right after
	Started time.Time `json:"started"`
	Done    bool      `json:"done,omitempty"`
}

// RunLock is held by a job on a target. It has no expiry and no unlock command.
type RunLock struct {
	Target  string    `json:"target"`
	Job     string    `json:"job"`
	Attempt int       `json:"attempt"`
	Since   time.Time `json:"since"`
}

// The kinds of holds.
const (
	HoldHold   = "hold"   // its owner passes by an act of their own
	HoldFreeze = "freeze" // nobody passes, its owner included
	HoldDirty  = "dirty"  // the target is not as anybody planned it
)

// Hold is held by a person, with a reason, on a scope.
type Hold struct {
	ID          string `json:"id"` // "hold-4"
	Version     uint64 `json:"version"`
	Kind        string `json:"kind"` // one of the kinds above
	Service     string `json:"service,omitempty"`
	Environment string `json:"environment,omitempty"`
	Target      string `json:"target,omitempty"` // no service, environment or target: global
	// Targets are those of the service or the environment when it was taken: it
	// holds them once the configuration no longer knows that name.
	Targets []string  `json:"targets,omitempty"`
	Owner   Person    `json:"owner"`
	Reason  string    `json:"reason"`
	Channel string    `json:"channel,omitempty"`
	Link    string    `json:"link,omitempty"`
	Stop    bool      `json:"stop,omitempty"` // the freeze of everything that /ops stop makes
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires,omitzero"` // zero: it does not expire
	Nagged  time.Time `json:"nagged,omitzero"`  // when its owner was last reminded

	// For the kind dirty: the job whose apply left the target so, and its commit.
	// Without a job it was handwork, and the next empty plan ends it.
	Job string `json:"job,omitempty"`
	SHA string `json:"sha,omitempty"`
}

// Over says whether a hold has expired.
func (h *Hold) Over(now time.Time) bool { return !h.Expires.IsZero() && !now.Before(h.Expires) }

// Surface is a projection of the store somewhere outside: a Slack message, a
// pull request's comment, a commit status.
type Surface struct {
	ID      string            `json:"id"`      // Place and Subject and what tells two of them apart
	Place   string            `json:"place"`   // a key of the teller's table: "slack.message", "github.status" …
	Card    string            `json:"card"`    // the renderer
	Subject string            `json:"subject"` // what it shows, e.g. "op-12"
	Where   map[string]string `json:"where,omitempty"`
	Order   uint64            `json:"order"` // sequence: told in this order within one channel

	Marked uint64    `json:"marked"`           // raised by every MarkSurface
	Shown  uint64    `json:"shown"`            // Marked as it was when last shown
	Urgent uint64    `json:"urgent,omitempty"` // Marked as it was at the last change that people wait for
	Due    time.Time `json:"due,omitzero"`
	After  time.Time `json:"after,omitzero"` // it is not posted before
	Hash   string    `json:"hash,omitempty"` // of what was last shown
	End    string    `json:"end,omitempty"`  // the line about its end that people were shown, on it or in a roll-up

	Ref      string    `json:"ref,omitempty"` // the remote reference: a ts, a comment id
	Nonce    string    `json:"nonce,omitempty"`
	IntentAt time.Time `json:"intent_at,omitzero"` // set before the first post, kept until Ref is known
	Parked   string    `json:"parked,omitempty"`   // why it can no longer be shown
	Tries    int       `json:"tries,omitempty"`
	Error    string    `json:"error,omitempty"`
	Created  time.Time `json:"created"`
	Updated  time.Time `json:"updated"`
}

// Event is something a door accepted.
type Event struct {
	Seq      uint64    `json:"seq"`
	Kind     string    `json:"kind"` // "slack.command", "slack.click", "github.pull_request" …
	Keys     []string  `json:"keys"` // any of them seen before makes it a duplicate
	Sent     time.Time `json:"sent"` // when the person or system sent it, where that is known
	Accepted time.Time `json:"accepted"`
	Body     []byte    `json:"-"`
	BodyErr  error     `json:"-"` // why Body, which should be there, could not be read
	Decided  time.Time `json:"decided,omitzero"`
	Outcome  string    `json:"outcome,omitempty"`
}

// AuditRow says who did what to what, and how it was decided. Append-only.
type AuditRow struct {
	Seq         uint64    `json:"seq"`
	At          time.Time `json:"at"`
	Who         Person    `json:"who"`
	Act         string    `json:"act"`     // the verb, or the transition: "deploy", "job running"
	Subject     string    `json:"subject"` // "op-12", "job-31", "hold-4"
	Service     string    `json:"service,omitempty"`
	Environment string    `json:"environment,omitempty"`
	Target      string    `json:"target,omitempty"`
	Outcome     string    `json:"outcome"` // "done", "refused", a state
	Detail      string    `json:"detail,omitempty"`
	Via         string    `json:"via,omitempty"` // "slack", "github", "runner", "clock"
}
