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

// Operation is one request, or one merged pull request, in one environment.
// It owns the card and the reservations.
type Operation struct {
	ID      string `json:"id"` // "op-12"
	Nonce   string `json:"nonce"`
	Version uint64 `json:"version"` // raised by every PutOperation
	State   string `json:"state"`
	Kind    string `json:"kind"` // "deploy" (asked in chat), "infra" (a merged pull request), "unplanned" (a commit without one), "reapply" (what was applied, once more)

	Service     string   `json:"service,omitempty"`
	Environment string   `json:"environment"`
	Targets     []string `json:"targets"`
	Strategy    string   `json:"strategy,omitempty"` // "promote", "pin", or "restore": files go back to what they were

	RepoID  int64  `json:"repo_id"`
	Repo    string `json:"repo"`             // "owner/name"
	Base    string `json:"base"`             // the branch that is merged into
	Branch  string `json:"branch,omitempty"` // the head branch
	Ref     string `json:"ref,omitempty"`    // as asked: "main", "v1.2", a SHA
	FromSHA string `json:"from_sha,omitempty"`
	ToSHA   string `json:"to_sha,omitempty"`
	From    string `json:"from,omitempty"` // pin: the version before; rollback: what was asked for then
	To      string `json:"to,omitempty"`   // pin: the version after

	PR    int    `json:"pr,omitempty"`
	PRURL string `json:"pr_url,omitempty"`
	Head  string `json:"head,omitempty"` // the pull request's head SHA
	// HeadBy chose that head, where it was not the requester: who took newer
	// commits in.
	HeadBy     *Person `json:"head_by,omitempty"`
	CompareURL string  `json:"compare_url,omitempty"`
	Commits    int     `json:"commits,omitempty"`
	// Authored is when the commits between the two versions of a pin were made,
	// where the repository that they come from is known.
	Authored []time.Time `json:"authored,omitempty"`
	Ships    []Ship      `json:"ships,omitempty"`
	Newer    int         `json:"newer,omitempty"` // pull requests that came to the source branch since

	Requester Person     `json:"requester"`
	Channel   string     `json:"channel,omitempty"` // Slack channel id of the card
	Asked     string     `json:"asked,omitempty"`   // where it was asked, for people: "#ops"
	Reason    string     `json:"reason,omitempty"`
	Approvals []Approval `json:"approvals,omitempty"`
	// Ask is who is asked to approve, and how far the asking has come.
	Ask *Ask `json:"ask,omitempty"`
	// Typed are the confirmations of what a plan destroys, by people who typed
	// the target's name.
	Typed []Typed `json:"typed,omitempty"`
	// Passes are the gates that somebody passed alone, each kept as an open
	// review until a second person signs it.
	Passes []Pass `json:"passes,omitempty"`

	// Fix says that whoever asked called it the fix of what left a target dirty.
	Fix bool `json:"fix,omitempty"`
	// Waits is the operation that holds the reservation which this one waits for.
	Waits string `json:"waits,omitempty"`
	// Rollback says that the operation takes its targets back to ToSHA or To,
	// Undoes names the operation whose change that takes back, and Back the one
	// whose result comes back, "" for what stood there before the first one.
	Rollback bool   `json:"rollback,omitempty"`
	Undoes   string `json:"undoes,omitempty"`
	Back     string `json:"back,omitempty"`
	// Again says that what it undoes is a rollback, so that what that took back
	// comes again.
	Again bool `json:"again,omitempty"`
	// TreeOf is the commit that a rollback goes by: the merge whose tree comes
	// back, or, of a pull request of people, the merge whose files go back.
	TreeOf string `json:"tree_of,omitempty"`
	// Unsafe says why going back may not be enough.
	Unsafe string `json:"unsafe,omitempty"`
	// Forward says that the base branch was rolled back, so that the head has to
	// be a commit on it with the tree of ToSHA: a merge alone would keep what the
	// rollback took away.
	Forward bool `json:"forward,omitempty"`
	// Made is the head commit that was made for a rollback or for Forward.
	Made string `json:"made,omitempty"`

	// Pins are the versions that its merge was seen to set when it was to be
	// applied, whoever wrote them.
	Pins []Pin `json:"pins,omitempty"`

	// Auto says that a merge to the service's branch asked for it, and nobody in chat.
	Auto bool `json:"auto,omitempty"`
	// Self is how its merge by itself stands, where its environment merges so.
	Self *SelfMerge `json:"self,omitempty"`

	MergeAskedBy *Person `json:"merge_asked_by,omitempty"`
	CloseAskedBy *Person `json:"close_asked_by,omitempty"`
	MergedBy     Person  `json:"merged_by"`
	MergeSHA     string  `json:"merge_sha,omitempty"`

	Note string `json:"note,omitempty"` // one sentence: what people should know of how it stands

	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"` // set by PutOperation
	Opened  time.Time `json:"opened,omitzero"`
	Merged  time.Time `json:"merged,omitzero"`
	Ended   time.Time `json:"ended,omitzero"`
}

// Ship is one pull request (or, with Number 0, loose commits) that an operation ships.
type Ship struct {
	Number  int    `json:"number,omitempty"`
	Title   string `json:"title"`
	Author  string `json:"author,omitempty"`
	URL     string `json:"url,omitempty"`
	Commits int    `json:"commits"`
	// At is when it came to the branch that is deployed: its merge, or the oldest
	// of the loose commits. Zero in what older versions wrote.
	At time.Time `json:"at,omitzero"`
	// Checked is who ticked its box; nil while nobody has.
	Checked *Checked `json:"checked,omitempty"`
	// Box is what the box on GitHub showed when it was last read or written, and
	// BoxAt when GitHub had the edit of it that was taken in last.
	Box   bool      `json:"box,omitempty"`
	BoxAt time.Time `json:"box_at,omitzero"`
}

// Checked says that somebody looked at what a shipped pull request does.
type Checked struct {
	By  Person    `json:"by"`
	Via string    `json:"via"` // "slack" or "github"
	At  time.Time `json:"at"`
}

// SelfMerge is a merge that nobody has to press a button for.
type SelfMerge struct {
	At  time.Time `json:"at,omitzero"`   // when it happens; zero while a gate is closed
	Job string    `json:"job,omitempty"` // the job that does it
	// Kept is who keeps the operation from it, or why a person has to look first.
	Kept *Person `json:"kept,omitempty"`
	Why  string  `json:"why,omitempty"`
}

// Approval is somebody's yes to one head SHA; it does not outlive that head.
type Approval struct {
	By   Person    `json:"by"`
	Head string    `json:"head"`
	Via  string    `json:"via"` // "slack" or "github"
	At   time.Time `json:"at"`
}

// Ask is the asking for an approval: one person first, reminded once, then all
// who may approve.
type Ask struct {
	Head   string    `json:"head"`
	Person Person    `json:"person"`
	Why    string    `json:"why"` // "on call for web", "next in turn"
	At     time.Time `json:"at"`
	Level  int       `json:"level"` // 1 asked, 2 reminded, 3 everybody asked
}

// Typed says that somebody typed the name of a target whose plan destroys
// something. It is good for one change set.
type Typed struct {
	By     Person    `json:"by"`
	Target string    `json:"target"`
	Digest string    `json:"digest"`
	At     time.Time `json:"at"`
}

// Pass says that somebody let an operation through gates alone.
type Pass struct {
	By       Person    `json:"by"`
	Reason   string    `json:"reason"`
	Why      string    `json:"why"` // "break-glass", or the incident: "incident-3"
	Gates    []string  `json:"gates"`
	NoRoster bool      `json:"no_roster,omitempty"` // nobody is configured as on call, and break-glass stood for that
	Head     string    `json:"head,omitempty"`      // what it is for; a push takes it back
	At       time.Time `json:"at"`
	SignedBy *Person   `json:"signed_by,omitempty"`
	SignedAt time.Time `json:"signed_at,omitzero"`
	Nagged   time.Time `json:"nagged,omitzero"`
}

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

// Terminal says whether the operation is over.
func (o *Operation) Terminal() bool {
	switch o.State {
	case OpSucceeded, OpNoop, OpFailed, OpPartial, OpClosed:
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

// Pull is what we know of one pull request of a watched repository.
type Pull struct {
	RepoID  int64  `json:"repo_id"`
	Repo    string `json:"repo"`
	Number  int    `json:"number"`
	Version uint64 `json:"version"` // raised by every PutPull
	URL     string `json:"url"`
	Title   string `json:"title"`
	Author  string `json:"author"` // GitHub login
	State   string `json:"state"`  // "open", "merged" or "closed"
	Head    string `json:"head"`   // SHA
	Branch  string `json:"branch"` // head ref
	Fork    bool   `json:"fork,omitempty"`
	Base    string `json:"base"` // base ref
	// Turned is GitHub's own updated_at at which it was first seen to go into another
	// branch, and TurnedAfter the one at which it was last seen to go into the branch
	// before; zero until somebody turned it.
	Turned      time.Time `json:"turned,omitzero"`
	TurnedAfter time.Time `json:"turned_after,omitzero"`
	// HeadBy is the GitHub login of who pushed the head; "" until somebody did.
	HeadBy string `json:"head_by,omitempty"`

	MergeSHA string    `json:"merge_sha,omitempty"`
	MergedBy string    `json:"merged_by,omitempty"` // GitHub login
	MergedAt time.Time `json:"merged_at,omitzero"`

	Operation string    `json:"operation,omitempty"` // the operation that opened it
	Seen      time.Time `json:"seen,omitzero"`       // GitHub's own updated_at of what we know

	// ExaminedHead is the head at which Targets was worked out; until it equals
	// Head, nothing is known about the targets. ExaminedFor stands for the targets
	// that there were: others may touch what these did not.
	ExaminedHead string             `json:"examined_head,omitempty"`
	ExaminedFor  string             `json:"examined_for,omitempty"`
	Targets      []string           `json:"targets,omitempty"`
	ForkAllowed  string             `json:"fork_allowed,omitempty"` // head SHA that somebody with the right let be planned
	Plans        map[string]Planned `json:"plans,omitempty"`        // by target
	Reviews      map[string]string  `json:"reviews,omitempty"`      // login -> head SHA approved
	Applied      bool               `json:"applied,omitempty"`      // its merge was turned into jobs
	// Facts is what was last read of the outside for the gates.
	Facts Facts `json:"facts,omitzero"`

	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"` // set by PutPull
}

// Facts are what the gates need to know of the outside, and when it was read.
type Facts struct {
	At   time.Time `json:"at"`
	Head string    `json:"head"` // the head for which they were read
	// Into is the base branch for which they were read.
	Into string `json:"into,omitempty"`
	// Base is where the base branch stood, and Moved the files in a target's
	// paths that it changed since the head parted from it, by target.
	Base  string              `json:"base,omitempty"`
	Moved map[string][]string `json:"moved,omitempty"`
	// Checks are the states of the head's checks by name: "pending", "success",
	// "failure".
	Checks map[string]string `json:"checks,omitempty"`
	// Reviews are those of the pull request since it goes into Into: login -> head
	// approved.
	Reviews map[string]string `json:"reviews,omitempty"`
	// Pins are the versions that the head sets in files of services.
	Pins []Pin `json:"pins,omitempty"`
	// Unread says what could not be read, by gate: it keeps that gate closed.
	Unread map[string]string `json:"unread,omitempty"`
	// Away is the system that did not answer when something could not be read.
	Away      string    `json:"away,omitempty"`
	AwaySince time.Time `json:"away_since,omitzero"`
}

// Pin is a version that a change sets in the file of a service: what stands there
// at one commit and not at another.
type Pin struct {
	Service     string `json:"service"`
	Environment string `json:"environment"`
	From        string `json:"from"` // "" where there was none
	To          string `json:"to"`
}

// Planned is the last plan of one target at one head.
type Planned struct {
	Head  string          `json:"head"`
	Job   string          `json:"job"`
	State string          `json:"state"` // "pending", "done" or "failed"
	Doc   json.RawMessage `json:"doc,omitempty"`
	Why   string          `json:"why,omitempty"`
	At    time.Time       `json:"at"`
}

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
