package graph

import (
	"slices"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// A mark is a deploy that ended in the time of a chart.
type mark struct {
	at   time.Time
	id   string // "op-3"
	what string // "web → production"
	good bool
}

// openLongest is how long before its end a deploy may have been asked for.
const openLongest = 30 * 24 * time.Hour

// deploys are those that ended in a question's time and changed what is looked at: by the
// services of the monitoring that its targets name, or by its own service's name.
func (f *feature) deploys(tx *store.Tx, q question, g integrations.Gauge) (out []mark, err error) {
	cat := f.Catalog()
	concerns := func(o *store.Operation) bool {
		for _, name := range o.Targets {
			if t, ok := cat.Target(name); ok && t.Graphs.Service != "" {
				return slices.Contains(g.Services, t.Graphs.Service)
			}
		}
		return o.Service != "" && slices.Contains(g.Services, o.Service)
	}
	ended := map[string]bool{store.OpSucceeded: true, store.OpFailed: true, store.OpPartial: true}
	all, err := tx.FindOperations(store.OperationFilter{Since: q.from().Add(-openLongest), Keep: func(o *store.Operation) bool {
		return ended[o.State] && !o.Ended.Before(q.from()) && !o.Ended.After(q.now) && concerns(o)
	}})
	for _, o := range all {
		what := o.Environment
		if o.Service != "" {
			what = o.Service + " → " + o.Environment
		}
		out = append(out, mark{at: o.Ended, id: o.ID, what: what, good: o.State == store.OpSucceeded})
	}
	slices.SortFunc(out, func(a, b mark) int { return a.at.Compare(b.at) })
	return out, err
}
