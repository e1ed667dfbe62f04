package integrations

import (
	"context"
	"errors"
	"strings"
)

// Mender is an Applier that can set something right which stands in its way, or which it
// left behind: the lock of somebody who is gone, a state that could not be saved. It never
// does so by itself. It offers, with the error of a plan or an apply (Mendable) or with a
// probe, and a person who may takes the offer up.
type Mender interface {
	Applier
	// Mend carries out an offer that this step made, and says in a sentence what came of
	// it. It looks first: what is so already is no error, and of what is no longer as it
	// was offered the error is ErrOutdated. r has the tree, the credentials and the Keep of
	// the run that made the offer.
	//
	// Its one changing command goes through r.Exec.Effect. After a restart of the bot it is
	// called again with the same r.Work, and must come to the same Effect call. As it looks
	// first, it may be called with a new r.Work too when that command was interrupted.
	Mend(ctx context.Context, r Run, o Offer) (did string, err error)
}

// Offer is one thing that a person may have a Mender do.
type Offer struct {
	Kind string `json:"kind"` // the step's own word for it, one that can be typed: "unlock"
	// Key is what exactly it is about, the lock's id, say: the offer is good for that and
	// for nothing that takes its place.
	Key     string `json:"key"`
	Label   string `json:"label"`           // of its button
	Words   string `json:"words"`           // what there is, a sentence without its end
	Confirm string `json:"confirm"`         // what is asked before it is done
	Retry   string `json:"retry,omitempty"` // what a retry would do as long as it is not done; "" is no harm
}

// ErrOutdated says that what an offer was about is no longer as it was then.
var ErrOutdated = errors.New("it is not as it was when this was offered")

// Mendable is the error of a run that a person can have something done about.
type Mendable struct {
	Offers []Offer
	Err    error
}

func (e *Mendable) Error() string {
	parts := []string{e.Err.Error()}
	for _, o := range e.Offers {
		parts = append(parts, o.Words)
	}
	return strings.Join(parts, "; ")
}

func (e *Mendable) Unwrap() error { return e.Err }

// Offers are those of an error; none where it has none.
func Offers(err error) []Offer {
	if m := (*Mendable)(nil); errors.As(err, &m) {
		return m.Offers
	}
	return nil
}
