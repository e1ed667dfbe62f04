package gate

import (
	"time"

	"github.com/signalbox-chatops/signalbox/store"
)

// Attempted is what was last begun on a target. It is written before the run and
// kept when the run fails, because state may have moved.
type Attempted struct {
	SHA   string `json:"sha"`
	Order uint64 `json:"order"`
	Job   string `json:"job"`
	Op    string `json:"op,omitempty"`
	// Ended and State are how it ended; zero while it runs.
	Ended time.Time `json:"ended,omitzero"`
	State string    `json:"state,omitempty"`
	// Good is the last that succeeded, and Before the good one before that.
	Good   *Good `json:"good,omitempty"`
	Before *Good `json:"before,omitempty"`
}

// Good is an apply that succeeded.
type Good struct {
	SHA   string    `json:"sha"` // the merge commit
	Order uint64    `json:"order"`
	Job   string    `json:"job"`
	Op    string    `json:"op"`
	At    time.Time `json:"at"`
}

// AttemptedFeature is where Attempted records stand, by target.
const AttemptedFeature = "attempted"

// LastOn is what was last begun on a target; false if nothing ever was.
func LastOn(tx *store.Tx, target string) (Attempted, bool, error) {
	return store.Feature[Attempted](tx, AttemptedFeature).Get(target)
}

// Begin writes down that a job begins to change its target.
func Begin(tx *store.Tx, j *store.Job) error {
	last, _, err := LastOn(tx, j.Target)
	if err != nil {
		return err
	}
	last.SHA, last.Order, last.Job, last.Op = j.SHA, j.Order, j.ID, j.Operation
	last.Ended, last.State = time.Time{}, ""
	return store.Feature[Attempted](tx, AttemptedFeature).Put(j.Target, last)
}

// End writes down how the job that began last on its target ended. One that
// began nothing, or that another one followed, changes nothing here.
func End(tx *store.Tx, j *store.Job) error {
	last, ok, err := LastOn(tx, j.Target)
	if err != nil || !ok || last.Job != j.ID || !j.Terminal() || last.State == j.State && last.Ended.Equal(j.Ended) {
		return err
	}
	last.Ended, last.State = j.Ended, j.State
	if j.State == store.JobSucceeded && (last.Good == nil || last.Good.Job != j.ID) {
		if last.Good != nil && last.Good.SHA != j.SHA { // the same commit once more is nothing to go back from
			last.Before = last.Good
		}
		last.Good = &Good{SHA: j.SHA, Order: j.Order, Job: j.ID, Op: j.Operation, At: j.Ended}
	}
	return store.Feature[Attempted](tx, AttemptedFeature).Put(j.Target, last)
}
