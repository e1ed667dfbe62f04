package gate

import (
	"fmt"

	"github.com/signalbox-chatops/signalbox/store"
)

// Attempted is what was last begun on a target. It is written before the run and
// kept when the run fails, because state may have moved.
type Attempted struct {
	SHA   string `json:"sha"`
	Order uint64 `json:"order"`
	Job   string `json:"job"`
}

// AttemptedFeature is where Attempted records stand, by target.
const AttemptedFeature = "attempted"

// Position is closed for a commit that lies behind what the target has already
// seen: applying it would take the newer change back without anybody saying so.
func Position(tx *store.Tx, q Question) ([]Closed, error) {
	if q.Job == nil {
		return nil, nil
	}
	last, ok, err := store.Feature[Attempted](tx, AttemptedFeature).Get(q.Job.Target)
	if err != nil || !ok {
		return nil, err
	}
	if q.Job.Order >= last.Order || q.Beside && q.Job.ApprovedBy != nil {
		return nil, nil
	}
	if q.Beside {
		return []Closed{{
			Reason: fmt.Sprintf("the base branch was moved back: %s, which %s began on %s, is not in it", short(last.SHA), last.Job, q.Job.Target),
			Opens:  "somebody who has looked presses Approve",
		}}, nil
	}
	return []Closed{{
		Reason: fmt.Sprintf("it lies behind %s, which %s already began on %s", short(last.SHA), last.Job, q.Job.Target),
		Opens:  "nothing: open a pull request that reverts to it",
	}}, nil
}

func short(sha string) string {
	if len(sha) > 7 {
		return sha[:7]
	}
	return sha
}
