package store

import (
	"encoding/json"
	"fmt"
	"time"
)

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

var pulls = table[Pull]{
	what: "pull request", rows: bucketPullsRows, topic: TopicPulls,
	entries: func(p *Pull) []entry {
		list := []entry{{bucketPullsByHead, key{}.text(p.Repo).text(p.Head).num(uint64(p.Number))}}
		if p.State == "open" {
			list = append(list, entry{bucketPullsOpen, key{}.text(p.Repo).num(uint64(p.Number))})
		}
		return list
	},
}

// Pull returns a pull request by the repository's number and its own, or ErrNotFound.
func (tx *Tx) Pull(repoID int64, number int) (*Pull, error) {
	return pulls.get(tx, key{}.pull(repoID, number))
}

// PutPull writes p, whose Version must be the one that is stored (0: none is),
// else it is ErrConflict. It raises p.Version and sets p.Updated.
func (tx *Tx) PutPull(p *Pull) error {
	if err := checkText(p.Repo, p.Head); err != nil {
		return fmt.Errorf("write pull request: %w", err)
	}
	k := key{}.pull(p.RepoID, p.Number)
	old, have, err := stored(tx, &pulls, k)
	if err != nil {
		return err
	}
	if have && old.Version != p.Version || !have && p.Version != 0 {
		return conflict("pull request", fmt.Sprintf("%s#%d", p.Repo, p.Number), p.Version)
	}
	stamp(tx, &p.Version, &p.Created, &p.Updated)
	return pulls.put(tx, k, old, p)
}

// OpenPulls returns the open pull requests of a repository ("": of all), by
// repository and number.
func (tx *Tx) OpenPulls(repo string) ([]*Pull, error) {
	prefix := key{}
	if repo != "" {
		prefix = prefix.text(repo)
	}
	return pulls.through(tx, bucketPullsOpen, prefix, false, 0, nil)
}

// PullsByHead returns the pull requests of a repository whose head is sha.
func (tx *Tx) PullsByHead(repo, sha string) ([]*Pull, error) {
	return pulls.through(tx, bucketPullsByHead, key{}.text(repo).text(sha), false, 0, nil)
}
