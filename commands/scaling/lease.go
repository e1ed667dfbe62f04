package scaling

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/runner"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

const kept = "scaling" // where the leases are kept

// The states of a lease. Whatever it is found in after a crash, the group says what
// is still to be done.
const (
	stateTaking    = "taking" // something may be suspended, and nobody relies on it
	stateHeld      = "held"
	stateReleasing = "releasing"
	stateOver      = "over"
)

// Lease is one group's processes suspended for one job.
type Lease struct {
	ID    string            `json:"id"` // "lease-2"
	At    integrations.Site `json:"at"`
	Group string            `json:"group"`
	State string            `json:"state"`

	Job         string       `json:"job"`
	Target      string       `json:"target"`
	Environment string       `json:"environment"`
	By          store.Person `json:"by"` // who asked for the job
	Room        string       `json:"room,omitempty"`

	Processes []string `json:"processes"`        // that have to be suspended
	Before    []string `json:"before,omitempty"` // that were, by somebody else
	Ours      []string `json:"ours,omitempty"`   // that we suspend: these alone are resumed

	Limit   time.Duration `json:"limit"`
	Expires time.Time     `json:"expires"`
	// Sent is when the last change was begun that reads may not show yet.
	Sent  time.Time `json:"sent,omitzero"`
	Since time.Time `json:"since,omitzero"` // that it is being given back
	Ended time.Time `json:"ended,omitzero"`
	Why   string    `json:"why,omitempty"` // it could not be given back yet
	// Stuck and Overdue say that people were told: that resuming fails, that the job
	// runs longer than its lease.
	Stuck   bool `json:"stuck,omitempty"`
	Overdue bool `json:"overdue,omitempty"`
}

// tag is the value of the group's tag.
func (l *Lease) tag() string {
	return strings.Join([]string{l.Job, "until", l.Expires.UTC().Format(time.RFC3339)}, " ")
}

// begun is when it was taken, by the job's newest attempt.
func (l *Lease) begun() time.Time { return l.Expires.Add(-l.Limit) }

func (l *Lease) on(at integrations.Site, group string) bool { return l.At == at && l.Group == group }

func leases(tx *store.Tx) *store.Records[Lease] { return store.Feature[Lease](tx, kept) }

// live are the leases that are not over and that a condition holds for, by id.
func live(tx *store.Tx, which func(*Lease) bool) (out []*Lease, err error) {
	err = leases(tx).Each("", func(_ string, l Lease) error {
		if l.State != stateOver && which(&l) {
			out = append(out, &l)
		}
		return nil
	})
	return out, err
}

// holds says whether a lease's job may be changing something now. Of an unknown one
// nobody can tell; its lease ends with its time.
func holds(tx *store.Tx, l *Lease) (bool, error) {
	j, err := tx.Job(l.Job)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	return runner.UnderWay(j) || j.State == store.JobUnknown, nil
}

// latest is the lease that ends last: the group's tag names it.
func latest(all []*Lease) *Lease {
	return slices.MaxFunc(all, func(a, b *Lease) int { return cmp.Or(a.Expires.Compare(b.Expires), cmp.Compare(a.ID, b.ID)) })
}

// knows says whether a group's tag was set for one of the leases.
func knows(all []*Lease, tag string) bool {
	job, _, _ := strings.Cut(tag, " ")
	return slices.ContainsFunc(all, func(l *Lease) bool { return l.Job == job })
}

// past says whether a tag names a time that is over.
func past(tag string, now time.Time) bool {
	_, until, _ := strings.Cut(tag, " until ")
	at, err := time.Parse(time.RFC3339, until)
	return err == nil && !now.Before(at)
}

// without returns the names that are not among others.
func without(names, others []string) (out []string) {
	for _, n := range names {
		if !slices.Contains(others, n) {
			out = append(out, n)
		}
	}
	return out
}

// with adds names that are not there yet.
func with(names, more []string) []string { return append(slices.Clone(names), without(more, names)...) }

func union(all []*Lease, of func(*Lease) []string) (out []string) {
	for _, l := range all {
		out = with(out, of(l))
	}
	return out
}

func processesOf(l *Lease) []string { return l.Processes }
func oursOf(l *Lease) []string      { return l.Ours }
