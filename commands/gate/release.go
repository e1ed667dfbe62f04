package gate

import (
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// Ended is what is remembered of a hold that is over, for the messages that
// showed it.
type Ended struct {
	Hold store.Hold `json:"hold"`
	How  string     `json:"how"` // "released by bob", "expired", "job-4 succeeded on it"
}

// EndedFeature is where Ended records stand, by the hold's id.
const EndedFeature = "hold ended"

// EndHold takes a hold away, remembers how it ended, and has what shows it told
// again. It is store.ErrConflict if the hold was changed since it was read.
func EndHold(tx *store.Tx, h *store.Hold, how string) error {
	if err := store.Feature[Ended](tx, EndedFeature).Put(h.ID, Ended{Hold: *h, How: how}); err != nil {
		return err
	}
	if err := tx.DeleteHold(h.ID, h.Version); err != nil {
		return err
	}
	return markNow(tx, h.ID)
}

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

// markNow marks a subject's surfaces; somebody waits for this, so it does not
// wait for the pace of edits. (tell does the same, one floor beside this one.)
func markNow(tx *store.Tx, subject string) error {
	all, err := tx.SurfacesOf(subject)
	if err != nil {
		return err
	}
	for _, s := range all {
		s.Marked++
		if s.Error == "" { // with an error, Due is the wait that the place asked for
			s.Due = time.Time{}
		}
		if err := tx.PutSurface(s); err != nil {
			return err
		}
	}
	return nil
}
