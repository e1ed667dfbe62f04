package gate

import (
	"fmt"
	"slices"

	"github.com/signalbox-chatops/signalbox/store"
)

// Dirty is closed by a target that a failed apply, or work by hand, left in a
// state that nobody planned. What sets it right passes: a retry of that commit,
// a rollback, and a change that somebody says is the fix. Nothing else does, not
// even break-glass.
func Dirty(tx *store.Tx, q Question) ([]Closed, error) {
	holds, err := holdsOn(tx, q, store.HoldDirty)
	if err != nil {
		return nil, err
	}
	var out []Closed
	for _, h := range holds {
		if q.rollback() || q.fix(h) || q.Job != nil && h.SHA != "" && q.Job.SHA == h.SHA && (q.Job.ID == h.Job || q.Job.Again) {
			continue
		}
		c := Closed{
			Reason: fmt.Sprintf("%s is dirty: %s (%s)", Scope(h), h.Reason, span(q, h)),
			Opens:  fmt.Sprintf("an empty plan of %s, or a deploy that is said to be the fix: `--fix`, or Approve", Scope(h)),
			Since:  h.Created, Hold: h.ID, Link: h.Link,
		}
		if h.Job != "" {
			c.Opens = fmt.Sprintf("`/ops retry %s`, a rollback, or a deploy that is said to be the fix: `--fix`, or Approve", h.Job)
		}
		out = append(out, c)
	}
	return out, nil
}

// fix says whether somebody said that this change sets right what is dirty. What
// became dirty only after they said so is not what they meant.
func (q Question) fix(h *store.Hold) bool {
	said := q.Op != nil && q.Op.Fix && (q.Op.Created.IsZero() || !q.Op.Created.Before(h.Created))
	return said || q.approved("dirty")
}

// approved says whether the job was approved while a gate kept it.
func (q Question) approved(name string) bool {
	return q.Job != nil && q.Job.ApprovedBy != nil && slices.Contains(q.Job.ApprovedFor, name)
}
