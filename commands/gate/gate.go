// Package gate holds the conditions that a change must meet, one a file. A gate
// is pure over a transaction and a snapshot of facts: it asks no network. The
// same gates are asked at the command, when the pull request is opened, at the
// merge, and again in the transaction that takes the run lock; a fact that
// cannot be read keeps the gate closed.
package gate

import (
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// The moments at which gates are asked.
const (
	AtCommand = "command"
	AtMerge   = "merge"
	AtDequeue = "dequeue"
)

// Question is what the gates are asked about.
type Question struct {
	At          string // one of the moments above
	Now         time.Time
	Catalog     *integrations.Catalog
	Environment string
	Service     string
	Targets     []string
	// Actor is who acts now; at dequeue, who merged.
	Actor integrations.Person
	// Requester is who asked for the change; for a plain pull request its author.
	Requester integrations.Person
	// Explicit says that Actor asked for this very change, so that their own
	// hold lets it pass.
	Explicit bool
	Op       *store.Operation
	Pull     *store.Pull
	Job      *store.Job
	// Beside says that Job's commit is not in the history of what its target saw
	// last, although it stands lower on the base branch, which was moved back.
	Beside bool
	// Head is the pull request's head that would be merged or was merged.
	Head string
}

// Closed is one closed gate: why, since when, and what would open it.
type Closed struct {
	Gate   string
	Reason string
	Since  time.Time
	Opens  string // a sentence: what would open it
	Hold   string // the hold's id, where one closes it
}

// Gate is one condition. An error keeps it closed.
type Gate func(tx *store.Tx, q Question) ([]Closed, error)

// All asks several gates and lists the closed ones; a gate that could not be
// read is listed as closed with the reason.
func All(tx *store.Tx, q Question, gates map[string]Gate) []Closed {
	var out []Closed
	for _, name := range Order {
		g, ok := gates[name]
		if !ok {
			continue
		}
		closed, err := g(tx, q)
		if err != nil {
			closed = []Closed{{Gate: name, Reason: "it cannot be read: " + err.Error(), Opens: "an operator looks at the store"}}
		}
		for _, c := range closed {
			c.Gate = name
			out = append(out, c)
		}
	}
	return out
}

// Order is the order in which closed gates are named, the plainest first.
var Order = []string{"hold", "policy", "plan", "approvals", "order"}

// The gates of each moment.
var (
	Command = map[string]Gate{"hold": Hold}
	Merge   = map[string]Gate{"hold": Hold, "plan": Plan, "approvals": Approvals}
	Dequeue = map[string]Gate{"hold": Hold, "policy": Policy, "approvals": Approvals, "order": Position}
)
