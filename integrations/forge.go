package integrations

import (
	"errors"
	"time"
)

// The words for what stands on GitHub. SHAs are full; a repository is "owner/name".

// ErrNotFound is a forge's answer for what does not exist or may not be seen.
var ErrNotFound = errors.New("not found")

// ErrMoved says that a head is not where the caller thought: a merge by SHA was refused.
var ErrMoved = errors.New("the head moved")

// ErrNotMergeable says that a pull request cannot be merged: conflicts, or a rule of the repository.
var ErrNotMergeable = errors.New("not mergeable")

// ErrExists says that what was to be created is there already.
var ErrExists = errors.New("exists already")

// Commit is one commit.
type Commit struct {
	SHA     string    `json:"sha"`
	Message string    `json:"message"`
	Author  string    `json:"author"` // GitHub login, or the name in the commit
	URL     string    `json:"url"`
	At      time.Time `json:"at"`
}

// Comparison is base...head.
type Comparison struct {
	Status  string   `json:"status"` // "ahead", "behind", "diverged" or "identical"
	Ahead   int      `json:"ahead"`
	Behind  int      `json:"behind"`
	Commits []Commit `json:"commits"` // oldest first, all pages
	Files   []string `json:"files"`   // both names of a renamed one
	URL     string   `json:"url"`
}

// PullRequest is a pull request as its host shows it now.
type PullRequest struct {
	RepoID    int64     `json:"repo_id"`
	Repo      string    `json:"repo"`
	Number    int       `json:"number"`
	Title     string    `json:"title"`
	Body      string    `json:"body"`
	URL       string    `json:"url"`
	Author    string    `json:"author"`
	State     string    `json:"state"` // "open", "merged" or "closed"
	Draft     bool      `json:"draft"`
	Head      string    `json:"head"`   // SHA
	Branch    string    `json:"branch"` // head ref
	Fork      bool      `json:"fork"`
	Base      string    `json:"base"` // base ref
	BaseSHA   string    `json:"base_sha"`
	MergeSHA  string    `json:"merge_sha"` // only once it is merged
	MergedBy  string    `json:"merged_by"`
	MergedAt  time.Time `json:"merged_at"`
	UpdatedAt time.Time `json:"updated_at"`
	CreatedAt time.Time `json:"created_at"`
}

// Review is one review of a pull request.
type Review struct {
	Author string    `json:"author"`
	State  string    `json:"state"` // "APPROVED", "CHANGES_REQUESTED", "DISMISSED", "COMMENTED"
	Head   string    `json:"head"`
	At     time.Time `json:"at"`
}

// ForgeEvent is a webhook, or what the reconciler found out without one.
type ForgeEvent struct {
	Kind   string `json:"kind"`   // "pull_request", "push", "review", "check", "ignored"
	Action string `json:"action"` // the webhook's own: "opened", "synchronize", "closed" …
	RepoID int64  `json:"repo_id"`
	Repo   string `json:"repo"`
	Sender string `json:"sender"`
	// PullRequest is set for "pull_request" and "review".
	PullRequest *PullRequest `json:"pull_request,omitempty"`
	// BodyFrom is what the pull request said before, where its text was edited.
	BodyFrom *string `json:"body_from,omitempty"`
	Review   *Review `json:"review,omitempty"`
	// For "push":
	Branch string `json:"branch,omitempty"`
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
	// For "check", a status or check run that changed: the commit, and the branches
	// that GitHub named with it, at most ten and maybe none. What the checks are now
	// has to be asked.
	SHA      string   `json:"sha,omitempty"`
	Check    string   `json:"check,omitempty"` // the name of the check, where it is one alone
	Branches []string `json:"branches,omitempty"`
}

// Check is one commit status or check run at a head.
type Check struct {
	Name  string `json:"name"`
	State string `json:"state"` // "pending", "success" or "failure"
	URL   string `json:"url,omitempty"`
}

// FileChange sets a path of a commit to a blob; an empty Blob deletes it. Mode ""
// is an ordinary file.
type FileChange struct{ Path, Blob, Mode string }

// NewCommit is a commit made without a work tree.
type NewCommit struct {
	Message string
	Parents []string     // SHAs
	Tree    string       // a tree's SHA; or:
	Base    string       // a commit whose tree is taken, with
	Files   []FileChange // these changes
}

// Delivery is one delivery of a webhook that did not arrive.
type Delivery struct {
	Hook, ID      int64 // Hook is 0 for a GitHub App's own webhook
	GUID          string
	Event, Action string
	At            time.Time // of the attempt
	Status        string    // GitHub's word for what went wrong
	Code          int       // what was answered; 0 where nothing was
	Redelivery    bool
}

// NewPull is a pull request to be opened.
type NewPull struct {
	Title string
	Body  string
	Head  string // branch
	Base  string // branch
}
