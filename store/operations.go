package store

import (
	"fmt"
	"time"
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

// Terminal says whether the operation is over.
func (o *Operation) Terminal() bool {
	switch o.State {
	case OpSucceeded, OpNoop, OpFailed, OpPartial, OpClosed:
		return true
	}
	return false
}

var operations = table[Operation]{
	what: "operation", rows: bucketOperationsRows, topic: TopicOperations,
	entries: func(o *Operation) []entry {
		list := []entry{}
		for _, scope := range scopes(o.Service, o.Environment) {
			list = append(list, entry{bucketOperationsByScope, scope.at(o.Created).id(o.ID)})
		}
		for _, t := range o.Targets {
			list = append(list, entry{bucketOperationsByTarget, key{}.text(t).at(o.Created).id(o.ID)})
		}
		if o.PR != 0 {
			list = append(list, entry{bucketOperationsByPull, key{}.pull(o.RepoID, o.PR).id(o.ID)})
		}
		if !o.Terminal() {
			list = append(list, entry{bucketOperationsLive, key{}.at(o.Created).id(o.ID)})
		}
		return list
	},
}

// scopes are the prefixes under which a record of (service, environment) is
// found, where "" stands for any.
func scopes(service, environment string) []key {
	list := []key{key{}.text("").text("")}
	if environment != "" {
		list = append(list, key{}.text("").text(environment))
	}
	if service != "" {
		list = append(list, key{}.text(service).text(""))
	}
	if service != "" && environment != "" {
		list = append(list, key{}.text(service).text(environment))
	}
	return list
}

// Operation returns the operation with this id, or ErrNotFound.
func (tx *Tx) Operation(id string) (*Operation, error) { return operations.get(tx, []byte(id)) }

// PutOperation writes o, whose Version must be the one that is stored (0: none
// is), else it is ErrConflict. It raises o.Version and sets o.Updated, and
// o.Created if that is zero.
func (tx *Tx) PutOperation(o *Operation) error {
	if err := checkText(append([]string{o.ID, o.Service, o.Environment}, o.Targets...)...); err != nil {
		return fmt.Errorf("write operation: %w", err)
	}
	old, have, err := stored(tx, &operations, []byte(o.ID))
	if err != nil {
		return err
	}
	if have && old.Version != o.Version || !have && o.Version != 0 {
		return conflict("operation", o.ID, o.Version)
	}
	stamp(tx, &o.Version, &o.Created, &o.Updated)
	return operations.put(tx, []byte(o.ID), old, o)
}

// stored reads the row that is about to be written over, if there is one.
func stored[T any](tx *Tx, t *table[T], k []byte) (old *T, have bool, err error) {
	old, err = t.get(tx, k)
	if notFound(err) {
		return nil, false, nil
	}
	return old, err == nil, err
}

func conflict(what, id string, version uint64) error {
	return fmt.Errorf("write %s %s, read at version %d: %w", what, id, version, ErrConflict)
}

func stamp(tx *Tx, version *uint64, created, updated *time.Time) {
	set(tx, version, *version+1)
	set(tx, updated, tx.now)
	if created.IsZero() {
		set(tx, created, tx.now)
	}
}

// OperationByPull returns the operations of a pull request, oldest first.
func (tx *Tx) OperationByPull(repoID int64, number int) ([]*Operation, error) {
	return operations.through(tx, bucketOperationsByPull, key{}.pull(repoID, number), false, 0, nil)
}

// LiveOperations returns those that are not over, oldest first.
func (tx *Tx) LiveOperations() ([]*Operation, error) {
	return operations.through(tx, bucketOperationsLive, nil, false, 0, nil)
}

// OperationsOf returns the newest operations of a service in an environment,
// newest first; "" is any, a limit of 0 all.
func (tx *Tx) OperationsOf(service, environment string, limit int) ([]*Operation, error) {
	return operations.through(tx, bucketOperationsByScope, key{}.text(service).text(environment), true, limit, nil)
}

// OperationsByTarget returns the newest operations that touch target, newest first.
func (tx *Tx) OperationsByTarget(target string, limit int) ([]*Operation, error) {
	return operations.through(tx, bucketOperationsByTarget, key{}.text(target), true, limit, nil)
}

// Operations pages through all, newest first: before is the id of the last one
// of the page before, "" to begin.
func (tx *Tx) Operations(before string, limit int) ([]*Operation, error) {
	if before == "" {
		return tx.OperationsOf("", "", limit)
	}
	last, err := tx.Operation(before)
	if err != nil {
		return nil, err
	}
	prefix := key{}.text("").text("")
	end := append(key{}, prefix...).at(last.Created).id(last.ID)
	return operations.until(tx, bucketOperationsByScope, prefix, end, limit)
}
