package gate

import (
	"fmt"

	"github.com/signalbox-chatops/signalbox/store"
)

// Wave keeps a job waiting until every job of its operation in an earlier wave
// has succeeded. When one of those has not and will not, it never starts.
func Wave(tx *store.Tx, q Question) ([]Closed, error) {
	if q.Job == nil || q.Job.Operation == "" || q.Job.Wave == 0 {
		return nil, nil
	}
	all, err := tx.JobsOf(q.Job.Operation)
	if err != nil {
		return nil, err
	}
	var wait []Closed
	for _, earlier := range all {
		if earlier.Kind != q.Job.Kind || earlier.Wave >= q.Job.Wave {
			continue
		}
		j, err := instead(tx, earlier)
		if err != nil {
			return nil, err
		}
		switch {
		case j.State == store.JobSucceeded || j.State == store.JobNoop:
		case j.Terminal():
			return []Closed{{
				Reason: fmt.Sprintf("%s of an earlier wave %s", earlier.Target, how(j)), Never: true,
				Opens: fmt.Sprintf("`/ops retry %s` runs what did not work, and then this", q.Job.Operation),
			}}, nil
		default:
			wait = append(wait, Closed{Reason: fmt.Sprintf("it waits for %s, of an earlier wave", earlier.Target), Opens: "it succeeds", Wait: true})
		}
	}
	return wait, nil
}

// how says how a job ended that did not succeed.
func how(j *store.Job) string {
	switch {
	case j.Skipped:
		return "was never started"
	case j.State == store.JobFailed:
		return "failed"
	case j.State == store.JobExpired:
		return "expired unconfirmed"
	}
	return "was " + j.State
}

// instead is the job that counts for one that was superseded: the newer commit
// that ran on its target holds what it would have changed.
func instead(tx *store.Tx, j *store.Job) (*store.Job, error) {
	for seen := map[string]bool{}; j.State == store.JobSuperseded && j.SupersededBy != "" && !seen[j.ID]; {
		seen[j.ID] = true
		by, err := tx.Job(j.SupersededBy)
		if err != nil {
			return nil, err
		}
		j = by
	}
	return j, nil
}
