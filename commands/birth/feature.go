// Package birth brings new instances in: each starts in standby, is provisioned and
// tested by the steps of its role, and is let work only when they pass. One whose steps
// fail calls people, and gets no requests. Where its group has a launch hook, the group
// waits for that; unknown is never passed, every change is written down before it is
// made, and every step can be taken up again after a crash.
package birth

import (
	"context"
	"errors"
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
	kind       = "birth" // of its jobs
	right      = "admit"
	cardOne    = "birth"
	cardFailed = "birth failed"

	placeMessage = "slack.message"

	watchEvery = time.Minute
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
	// Config is that of this moment, as is Catalog; nil is none.
	Config  func() Config
	Catalog func() *integrations.Catalog
	// Channel turns a channel's name into its id; where it cannot, the name stays.
	Channel func(name string) string
}

type feature struct{ Deps }

// New is the feature.
func New(d Deps) commands.Feature {
	if d.Config == nil {
		d.Config = func() Config { return Config{} }
	}
	f := &feature{d}
	return commands.Feature{
		Name: "birth", Words: map[string]string{"ja": ja},
		Verbs: []commands.Verb{f.birthsVerb(), f.retryVerb(), f.letInVerb(), f.endVerb()},
		Ticks: []commands.Tick{{Name: "look for births", Every: watchEvery, Run: f.look}},
		Kinds: []runner.Kind{{Name: kind, Quiet: true, Run: f.run}},
		Cards: map[string]tell.Card{cardOne: f.card, cardFailed: f.failedCard},
		Prune: f.prune,
	}
}

func (f *feature) look(ctx context.Context) error {
	return errors.Join(f.watch(ctx), f.keepGoing(ctx))
}
