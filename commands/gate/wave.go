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
	for _, j := range all {
		if j.Kind != q.Job.Kind || j.Wave >= q.Job.Wave || j.State == store.JobSucceeded || j.State == store.JobNoop {
			continue
		}
		if j.Terminal() {
			return []Closed{{
				Reason: fmt.Sprintf("%s of an earlier wave %s", j.Target, j.State), Never: true,
				Opens: fmt.Sprintf("`/ops retry %s` runs what did not work, and then this", q.Job.Operation),
			}}, nil
		}
		wait = append(wait, Closed{Reason: fmt.Sprintf("%s of an earlier wave is %s", j.Target, j.State), Opens: "it succeeds", Wait: true})
	}
	return wait, nil
}
