package deploy

import (
	"slices"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// waveOf is a target's place among those of one operation.
func (f *feature) waveOf(target string) int {
	t, _ := f.Catalog().Target(target)
	return t.Wave
}

// wakeWaves has the gates of later waves asked at once when a job ends. Those
// whose wave will never come are asked even when they wait for a person: there
// is nothing left to say yes to.
func (f *feature) wakeWaves(tx *store.Tx, op *store.Operation, j *store.Job) error {
	all, err := tx.JobsOf(op.ID)
	if err != nil {
		return err
	}
	over := j.State == store.JobFailed || j.State == store.JobCancelled || j.State == store.JobExpired
	for _, later := range all {
		waits := later.State == store.JobQueued && !later.NotBefore.IsZero() || later.State == store.JobBlocked && over
		if later.Kind != kindApply || later.Wave <= j.Wave || !waits {
			continue
		}
		later.State, later.NotBefore = store.JobQueued, time.Time{}
		if err := tx.PutJob(later); err != nil {
			return err
		}
	}
	return nil
}

// waves shows how far the waves of an operation are, first things first; nil
// where there is but one, or all is well.
func (v view) waves() integrations.Rich {
	jobs := slices.Clone(v.jobs)
	slices.SortStableFunc(jobs, func(a, b *store.Job) int { return a.Wave - b.Wave })
	well := !slices.ContainsFunc(jobs, func(j *store.Job) bool { return j.State != store.JobSucceeded && j.State != store.JobNoop })
	if len(jobs) == 0 || jobs[0].Wave == jobs[len(jobs)-1].Wave || well {
		return nil
	}
	var parts []any
	for i, j := range jobs {
		switch {
		case i == 0:
		case j.Wave == jobs[i-1].Wave:
			parts = append(parts, ", ")
		default:
			parts = append(parts, " → ")
		}
		parts = append(parts, j.Target, " ", waveWord(j))
	}
	return integrations.R(parts...)
}

func waveWord(j *store.Job) string {
	switch {
	case j.Skipped:
		return "never started"
	case j.State == store.JobQueued:
		return "waits"
	}
	return j.State
}
