package gate

import (
	"fmt"
	"time"

	"github.com/signalbox-chatops/signalbox/store"
)

// planLife is how long a plan may be merged on the strength of: who looked at it
// yesterday has not looked at what it would do now (facts/deploy.md, c, plan 2).
const planLife = 24 * time.Hour

// Stale says whether a plan was too old at a moment to go by.
func Stale(p store.Planned, at time.Time) bool { return at.Sub(p.At) >= planLife }

// Fresh is closed by a plan that is a day old.
func Fresh(_ *store.Tx, q Question) ([]Closed, error) {
	if q.Pull == nil {
		return nil, nil // Covered says so
	}
	var out []Closed
	for _, t := range q.Targets {
		p := q.Pull.Plans[t]
		if p.Head != q.Head || p.State != "done" || !Stale(p, q.Now) {
			continue
		}
		out = append(out, Closed{
			Reason: fmt.Sprintf("the plan of %s is %s old", t, Age(q.Now.Sub(p.At))),
			Opens:  fmt.Sprintf("`/ops plan #%d` makes a new one", q.Pull.Number), Since: p.At.Add(planLife),
		})
	}
	return out, nil
}
