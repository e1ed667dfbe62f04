package gate

import (
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// Waiting lists the operations that a hold keeps waiting, or no longer does once
// it is over.
func Waiting(tx *store.Tx, cat *integrations.Catalog, h *store.Hold) ([]*store.Operation, error) {
	live, err := tx.LiveOperations()
	if err != nil {
		return nil, err
	}
	var out []*store.Operation
	for _, op := range live {
		if Covers(cat, h, op.Service, op.Environment, op.Targets) {
			out = append(out, op)
		}
	}
	return out, nil
}
