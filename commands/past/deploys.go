package past

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/kit/stats"
	"github.com/signalbox-chatops/signalbox/store"
)

// Deploys are the operations that were applied, or were to be, and ended after since and
// not after until, oldest first; "" is any service or environment. One whose pull request
// was never merged is none, and neither is an apply that only undid drift.
func Deploys(tx *store.Tx, service, environment string, since, until time.Time) ([]stats.Deploy, error) {
	ops, err := tx.FindOperations(store.OperationFilter{Service: service, Environment: environment, Since: since.Add(-openLongest), Keep: func(o *store.Operation) bool {
		return (worked(o) || failed(o)) && o.Kind != "reapply" && o.Ended.After(since) && !o.Ended.After(until)
	}})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(ops, func(a, b *store.Operation) int { return a.Ended.Compare(b.Ended) })
	return deploysFrom(tx, ops)
}

// deploysFrom are operations, oldest first, as they are counted.
func deploysFrom(tx *store.Tx, ops []*store.Operation) ([]stats.Deploy, error) {
	undone := map[string]bool{}
	for _, o := range ops {
		if o.Rollback && worked(o) {
			undone[o.Undoes] = true
		}
	}
	lived := map[string]bool{} // pull requests that were live before
	var out []stats.Deploy
	for _, o := range ops {
		d := stats.Deploy{Service: o.Service, Environment: o.Environment, At: o.Ended, Bad: failed(o) || undone[o.ID], Rollback: o.Rollback}
		if !o.Rollback {
			var err error
			if d.Leads, err = leadsOf(tx, o, lived); err != nil {
				return nil, err
			}
		}
		out = append(out, d)
	}
	return out, nil
}

// leadsOf are the lead times of what an operation brought to life for the first time.
func leadsOf(tx *store.Tx, o *store.Operation, lived map[string]bool) ([]time.Duration, error) {
	if !worked(o) {
		return nil, nil
	}
	var out []time.Duration
	note := func(at time.Time) {
		if !at.IsZero() {
			out = append(out, max(0, o.Ended.Sub(at)))
		}
	}
	for _, s := range o.Ships {
		at, name := s.At, fmt.Sprintf("%s|%s|%d#%d", o.Service, o.Environment, o.RepoID, s.Number)
		if s.Number > 0 {
			if lived[name] {
				continue
			}
			lived[name] = true
		}
		if at.IsZero() && s.Number > 0 {
			p, err := tx.Pull(o.RepoID, s.Number)
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return nil, err
			} else if err == nil {
				at = p.MergedAt
			}
		}
		note(at)
	}
	for _, at := range o.Authored {
		note(at)
	}
	return out, nil
}
