package gate

import (
	"fmt"

	"github.com/signalbox-chatops/signalbox/store"
)

// Window is closed outside the environment's deploy windows: a freeze that is
// computed. A rollback does not wait for them.
func Window(_ *store.Tx, q Question) ([]Closed, error) {
	env, err := q.environment()
	if err != nil {
		return nil, err
	}
	if env.Windows == nil || q.rollback() {
		return nil, nil
	}
	at := env.Windows.At(q.Now)
	if at.Open {
		return nil, nil
	}
	c := Closed{Reason: fmt.Sprintf("%s is closed: %s", q.Environment, at.Why), Since: at.Since, Until: at.Until, Opens: "it opens by itself"}
	if !at.Until.IsZero() {
		c.Opens = "it opens on " + at.Until.In(env.Windows.Zone()).Format("Mon 2006-01-02 15:04 MST")
	}
	return []Closed{c}, nil
}
