package gate

import (
	"time"

	"github.com/signalbox-chatops/signalbox/store"
)

// How a hold ends.
const (
	EndReleased = "released" // by a person
	EndExpired  = "expired"  // by the clock
	EndHealed   = "healed"   // what was dirty was set right: an apply, an empty plan
)

// Ended is what is remembered of a hold that is over, for its message.
type Ended struct {
	Hold store.Hold   `json:"hold"`
	How  string       `json:"how"` // one of those above
	By   store.Person `json:"by,omitzero"`
	Why  string       `json:"why,omitempty"` // what whoever ended it said, or what set it right
	At   time.Time    `json:"at"`
}

// EndedFeature is where Ended records stand, by the hold's id.
const EndedFeature = "hold ended"

// EndHold deletes a hold at its version and remembers how it ended. Whoever calls
// it marks what shows the hold (its surfaces' subject is its id) and writes the
// audit row. ErrConflict and ErrNotFound are as those of DeleteHold.
func EndHold(tx *store.Tx, e Ended) error {
	if err := tx.DeleteHold(e.Hold.ID, e.Hold.Version); err != nil {
		return err
	}
	return store.Feature[Ended](tx, EndedFeature).Put(e.Hold.ID, e)
}

// EndedHold is how a hold ended; false if that is not known.
func EndedHold(tx *store.Tx, id string) (Ended, bool, error) {
	return store.Feature[Ended](tx, EndedFeature).Get(id)
}
