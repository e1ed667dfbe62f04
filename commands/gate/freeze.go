package gate

import (
	"fmt"

	"github.com/signalbox-chatops/signalbox/store"
)

// Freeze is closed by every freeze whose scope covers one of the targets, for
// its owner too: only break-glass passes it. The stop of everything is one.
func Freeze(tx *store.Tx, q Question) ([]Closed, error) {
	holds, err := holdsOn(tx, q, store.HoldFreeze)
	if err != nil {
		return nil, err
	}
	var out []Closed
	for _, h := range holds {
		owner := FromStore(h.Owner).Display()
		c := Closed{
			Reason: fmt.Sprintf("%s is frozen by %s: “%s” (%s)", Scope(h), owner, h.Reason, span(q, h)),
			Opens:  fmt.Sprintf("%s releases it with `/ops unfreeze %s`", owner, Scope(h)),
			Since:  h.Created, Until: h.Expires, Hold: h.ID, Link: h.Link,
		}
		if h.Stop {
			c.Reason = fmt.Sprintf("everything is stopped by %s: “%s” (%s)", owner, h.Reason, span(q, h))
			c.Opens = "whoever may freeze says `/ops go`"
		}
		out = append(out, c)
	}
	return out, nil
}
