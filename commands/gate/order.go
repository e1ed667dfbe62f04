package gate

import (
	"fmt"
	"slices"

	"github.com/signalbox-chatops/signalbox/store"
)

// How a job's commit stands to the one that its target saw last.
const (
	StandsAhead     = "ahead"     // it has that one in its history
	StandsIdentical = "identical" // it is that one
	StandsBehind    = "behind"    // that one has it in its history
	StandsDiverged  = "diverged"  // neither: the base branch was moved
)

// Order lets a target's commits run by their position on the base branch, not by
// arrival. Ahead runs. Identical is only an explicit retry. Behind would take
// the newer change back without anybody saying so, and is superseded. Diverged
// is confirmed by a person. A target that coalesces runs the newest alone.
func Order(tx *store.Tx, q Question) ([]Closed, error) {
	if q.Job == nil {
		return nil, nil
	}
	last, ok, err := LastOn(tx, q.Job.Target)
	if err != nil {
		return nil, err
	}
	if ok {
		if c := stands(q, last); c != nil {
			return []Closed{*c}, nil
		}
	}
	return coalesced(tx, q)
}

func stands(q Question, last Attempted) *Closed {
	by := fmt.Sprintf("%s, which %s began on %s", short(last.SHA), last.Job, q.Job.Target)
	at := q.Stands
	if at == "" { // by position alone, where the history was not looked at
		switch {
		case q.Job.SHA == last.SHA:
			at = StandsIdentical
		case q.Job.Order < last.Order:
			at = StandsBehind
		}
	}
	switch at {
	case StandsBehind:
		return &Closed{Reason: "it lies behind " + by, Opens: "nothing: open a pull request that reverts to it", Never: true, By: last.Job}
	case StandsIdentical:
		if last.Job == q.Job.ID || q.Job.Again {
			return nil
		}
		return &Closed{Reason: "it is " + by + " already", Opens: fmt.Sprintf("`/ops retry %s`, if that has to be done again", last.Job), Never: true, By: last.Job}
	case StandsDiverged:
		if q.approved("order") {
			return nil
		}
		return &Closed{Reason: "the base branch was moved back: " + by + ", is not in it", Opens: "somebody who has looked presses Approve"}
	}
	return nil
}

// coalesced gives way to a newer commit that waits in the same queue.
func coalesced(tx *store.Tx, q Question) ([]Closed, error) {
	t, ok := q.Catalog.Target(q.Job.Target)
	if !ok || !t.Coalesce {
		return nil, nil
	}
	queue, err := tx.TargetQueue(q.Job.Target)
	if err != nil {
		return nil, err
	}
	for _, j := range slices.Backward(queue) { // the newest
		if j.Order > q.Job.Order && j.Kind == q.Job.Kind && j.State == store.JobQueued {
			return []Closed{{Reason: fmt.Sprintf("%s (%s) holds it and is newer; %s runs the newest alone", short(j.SHA), j.ID, t.Name), Opens: "nothing", Never: true, By: j.ID}}, nil
		}
	}
	return nil, nil
}
