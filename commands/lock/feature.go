// Package lock is about what people hold: locks, which keep everybody but their
// owner from changing something; freezes, which keep their owner too; the stop of
// everything; and what an apply left dirty. Several stand side by side, and each
// has an owner, a reason and an end. Run locks, which jobs hold, are only shown.
package lock

import (
	"log/slog"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/store"
)

const (
	usualLock    = 8 * time.Hour // facts/deploy.md (c): a working day
	usualFreeze  = 24 * time.Hour
	usualMore    = 3 * time.Hour // what Extend adds, so that the next reminder comes 3 h after this one
	nagBefore    = time.Hour
	nagEvery     = 3 * time.Hour
	nagLeast     = 30 * time.Minute
	askAgain     = time.Hour       // until then, a second asking of the same person is the same asking
	watchEvery   = 5 * time.Minute // the gates read the clock themselves; this only tells people
	longest      = 30 * 24 * time.Hour
	longestWords = "30 days" // a slip of the hand must not hold a target for years
)

// The rights beyond the verbs' own.
const (
	rightLock   = "lock"
	rightOther  = "unlock-other" // release and extend what is somebody else's
	rightForce  = "force"        // take a lock over; say that something dirty is clean
	rightFreeze = "freeze"
)

// The cards of this feature. cardHold shows any kind of hold, also those that
// other features make, and how it ended.
const (
	cardHold   = "hold"
	cardOpened = "hold opened"
	cardDirect = "hold direct"

	placeMessage = "slack.message"
)

// Deps are what the feature works with.
type Deps struct {
	Store   *store.Store
	Clock   clock.Clock
	Log     *slog.Logger
	Catalog func() *integrations.Catalog
	// Channel turns a channel's name into its id; where it cannot, the name stays.
	Channel func(name string) string
}

type feature struct{ Deps }

// New is the feature.
func New(d Deps) commands.Feature {
	f := &feature{d}
	return commands.Feature{
		Name: "lock", Words: map[string]string{"ja": ja},
		Verbs: []commands.Verb{
			f.lockVerb(), f.unlockVerb(), f.extendVerb(), f.stealVerb(), f.askVerb(),
			f.freezeVerb(), f.unfreezeVerb(), f.stopVerb(), f.goVerb(), f.locksVerb(),
		},
		Ticks: []commands.Tick{{Name: "watch locks", Every: watchEvery, Run: f.watch}},
		Prune: f.prune,
		Cards: map[string]tell.Card{cardHold: f.holdCard, cardOpened: f.openedCard, cardDirect: f.directCard, cardOld: f.oldCard},
	}
}
