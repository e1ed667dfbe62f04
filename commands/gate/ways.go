package gate

import (
	"errors"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// mostWays is how many buttons a refusal offers at most.
const mostWays = 6

// Ways are the buttons for somebody whom the holds of closed gates stop in an
// environment: to ask each owner once, and to take a lock over, where they may.
func Ways(tx *store.Tx, cat *integrations.Catalog, who integrations.Person, environment string, closed []Closed) ([]integrations.Button, error) {
	var holds []*store.Hold
	for _, c := range closed {
		if c.Hold == "" {
			continue
		}
		h, err := tx.Hold(c.Hold)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		holds = append(holds, h)
	}
	return WaysPast(who, cat.May(who, "force", environment), holds...), nil
}

// WaysPast are the buttons for somebody whom holds stop; force says that they may
// take over what is somebody else's.
func WaysPast(who integrations.Person, force bool, holds ...*store.Hold) []integrations.Button {
	var ask, steal []integrations.Button
	asked := map[string]bool{}
	for _, h := range holds {
		owner := FromStore(h.Owner)
		if h.Kind == store.HoldDirty || owner.Same(who) {
			continue
		}
		if name := owner.Display(); !asked[name] {
			asked[name] = true
			ask = append(ask, integrations.Button{Label: "Ask " + name, Command: "ask-release " + h.ID})
		}
		if force && h.Kind == store.HoldHold {
			steal = append(steal, integrations.Button{Label: "Steal " + h.ID + "…", Command: "steal " + h.ID, Version: h.Version, Style: "danger"})
		}
	}
	if len(steal) == 1 {
		steal[0].Label = "Steal…"
	}
	all := append(ask, steal...)
	return all[:min(mostWays, len(all))]
}
