// Package drain takes instances out: out of what sends them requests, with their logs
// proved to be shipped, and then to their end through the group that replaces them. An
// abnormal server is not investigated here, it is replaced; what is treated with care
// is its logs. The rules are those of facts/aws.md section 1: unknown is never empty,
// nothing irreversible happens unless everything was looked at just before, and every
// step can be taken up again after a crash.
package drain

import (
	"context"
	"log/slog"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/runner"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/store"
)

const (
	kind     = "drain" // of its jobs
	right    = "drain"
	cardOne  = "drain"
	cardRoll = "drain role"
	cardHeld = "drain held"

	placeMessage = "slack.message"

	confirmFor = 5 * time.Minute // facts/aws.md 1.2 G6
)

// Deps are what the feature works with.
type Deps struct {
	Store *store.Store
	Clock clock.Clock
	Log   *slog.Logger
	// Cloud is nil where no account is configured.
	Cloud Cloud
	// Monitor is nil where nothing watches the instances.
	Monitor Monitor
	// Self says on which instance signalbox runs, "" if on none or if that cannot be
	// told, and whether it is one of EC2. Nil is none.
	Self func(ctx context.Context) (id string, onEC2 bool, err error)
	// Config is that of this moment.
	Config func() Config
	// Channel turns a channel's name into its id; where it cannot, the name stays.
	Channel func(name string) string
	// Notes says of instances, by their ids, what others are doing with them; nil is
	// nobody does.
	Notes func(tx *store.Tx) (map[string]integrations.Rich, error)
}

type feature struct{ Deps }

// New is the feature.
func New(d Deps) commands.Feature {
	f := &feature{d}
	return commands.Feature{
		Name: "drain", Words: map[string]string{"ja": ja},
		Verbs: []commands.Verb{f.drainVerb(), f.confirmVerb(), f.undrainVerb(), f.retryVerb(), f.overrideVerb(), f.unwatchedVerb(), f.pauseVerb(), f.resumeVerb(), f.instancesVerb(), f.drainsVerb()},
		Ticks: []commands.Tick{{Name: "keep drains going", Every: keepEvery, Run: f.keepGoing}},
		Kinds: []runner.Kind{{Name: kind, Quiet: true, Run: f.run}},
		Cards: map[string]tell.Card{cardOne: f.card, cardRoll: f.rollCard, cardHeld: f.heldCard},
	}
}
