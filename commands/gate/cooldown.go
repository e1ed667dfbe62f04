package gate

import (
	"fmt"

	"github.com/signalbox-chatops/signalbox/store"
)

// CoolDown is closed for a while after each deploy, so that what it does can be
// seen before the next one. A rollback does not wait, nor does a retry of what
// was begun last.
func CoolDown(tx *store.Tx, q Question) ([]Closed, error) {
	env, err := q.environment()
	if err != nil {
		return nil, err
	}
	if env.CoolDown <= 0 || q.rollback() {
		return nil, nil
	}
	var out []Closed
	for _, t := range q.Targets {
		last, ok, err := LastOn(tx, t)
		if err != nil {
			return nil, err
		}
		until := last.Ended.Add(env.CoolDown)
		if !ok || last.Ended.IsZero() || !q.Now.Before(until) || q.Job != nil && last.Job == q.Job.ID {
			continue
		}
		out = append(out, Closed{
			Reason: fmt.Sprintf("%s cools down after %s until %s", t, last.Op, Clock(until)),
			Opens:  "it is over by itself", Since: last.Ended, Until: until,
		})
	}
	return out, nil
}
