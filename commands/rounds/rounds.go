// Package rounds goes round twice a day and tells what nobody looks at: hosts that nobody
// watches, instances that their monitoring does not know, and what was forgotten. A host
// that was put into maintenance for ten minutes is found again here and not by its
// customers. Where all is well nothing is told; that nobody could be asked is told.
package rounds

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/store"
)

const (
	card         = "round"
	placeMessage = "slack.message"

	keptRounds    = "rounds"          // what was told
	keptNext      = "rounds-next"     // when the next one is
	keptSightings = "rounds-sighting" // since when hosts have their status

	lookEvery  = time.Minute
	sightEvery = time.Hour        // how exact ages are
	patience   = 10 * time.Minute // with who does not answer, before it is told
	lateAfter  = 2 * time.Minute  // how late a round may be without being marked so; more than patience is told anyway
	keepFor    = 30 * 24 * time.Hour
)

// Monitor is what watches hosts. Its errors are told as they are.
type Monitor interface {
	// Hosts are all that are not retired.
	Hosts(ctx context.Context) ([]integrations.MonitoredHost, error)
	// Downtimes are those under way at a moment.
	Downtimes(ctx context.Context, at time.Time) ([]integrations.Downtime, error)
}

// Cloud is what has the instances; no roles are all.
type Cloud interface {
	Instances(ctx context.Context, roles ...string) ([]integrations.Instance, error)
}

// Deps are what the feature works with.
type Deps struct {
	Store *store.Store
	Clock clock.Clock
	Log   *slog.Logger
	// Config is that of this moment; nil is none.
	Config func() Config
	// Channel turns a channel's name into its id; where it cannot, the name stays.
	Channel func(name string) string
	// Monitor is nil where nothing watches hosts, Cloud where no account is configured.
	Monitor Monitor
	Cloud   Cloud
	// Forgotten are lists of what somebody began and did not end.
	Forgotten []func(*store.Tx) ([]integrations.Rich, error)
}

type feature struct {
	Deps

	mu    sync.Mutex
	sight time.Time // when hosts were last looked at
}

// New is the feature.
func New(d Deps) commands.Feature {
	if d.Config == nil {
		d.Config = func() Config { return Config{} }
	}
	f := &feature{Deps: d}
	return commands.Feature{
		Name: "rounds", Words: map[string]string{"ja": ja}, Verbs: []commands.Verb{f.verb()},
		Ticks: []commands.Tick{{Name: "go round", Every: lookEvery, Run: f.look}},
		Cards: map[string]tell.Card{card: f.card},
		Prune: f.prune,
	}
}

func (f *feature) verb() commands.Verb {
	return commands.Verb{
		Name: "rounds", Summary: "Say which hosts nobody watches, and what was forgotten", Effect: commands.Reads,
		Examples: []string{"rounds"},
		Detail:   "Twice a day, or whenever the configuration says, the same is told in a channel, unless all is well.",
		Decide: func(ctx context.Context, _ *commands.Call) (commands.Act, error) {
			now := f.Clock.Now()
			found := f.ask(ctx, now)
			return func(tx *store.Tx) (commands.Reply, error) {
				r := round{At: now, Zone: f.Config().zone().String()}
				if err := f.fill(tx, &r, found); err != nil {
					return commands.Reply{}, err
				}
				m := f.shown(r)
				return commands.Reply{Private: &m}, nil
			}, nil
		},
	}
}

// next is when the next round is, as it stands in the store. It is worked out again when
// the times are others.
type next struct {
	At    time.Time `json:"at"`
	Times []string  `json:"times"`
	Zone  string    `json:"zone"`
}

const onlyNext = "next"

func nexts(tx *store.Tx) *store.Records[next]   { return store.Feature[next](tx, keptNext) }
func rounds(tx *store.Tx) *store.Records[round] { return store.Feature[round](tx, keptRounds) }
func sightings(tx *store.Tx) *store.Records[sighting] {
	return store.Feature[sighting](tx, keptSightings)
}

// look makes the round that is due. When the next one is stands in the store, and moves
// in the transaction that opens what is told, so that nothing is told twice; after a
// standstill one is told for all that were missed.
func (f *feature) look(ctx context.Context) error {
	now, c := f.Clock.Now(), f.Config()
	var at time.Time // of the one that is due
	var begins bool
	err := f.Store.View(func(tx *store.Tx) error {
		n, _, err := nexts(tx).Get(onlyNext)
		begins = !n.of(c)
		if !begins && !n.At.IsZero() && !now.Before(n.At) {
			at = n.At
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case begins:
		return errors.Join(f.Store.Update(ctx, func(tx *store.Tx) error { return setNext(tx, c, now) }), f.keepSight(ctx, now))
	case at.IsZero():
		return f.keepSight(ctx, now)
	}
	at = c.times().Newest(at, now)
	late := now.Sub(at)
	if late > c.late() {
		f.Log.Info("a round is too late and left out", "due", at, "late", late)
		return f.Store.Update(ctx, func(tx *store.Tx) error { return setNext(tx, c, now) })
	}
	found := f.ask(ctx, now)
	if len(found.unread) > 0 && late < min(patience, c.late()) {
		return nil // whoever does not answer is asked again
	}
	return f.Store.Update(ctx, func(tx *store.Tx) error {
		if n, _, err := nexts(tx).Get(onlyNext); err != nil || now.Before(n.At) {
			return err
		}
		if err := setNext(tx, c, now); err != nil {
			return err
		}
		r := round{ID: fmt.Sprintf("round-%d", at.Unix()), At: at, Zone: c.zone().String()}
		if late >= lateAfter {
			r.Late = late
		}
		if err := f.fill(tx, &r, found); err != nil {
			return err
		}
		if found.seen {
			if err := note(tx, found); err != nil {
				return err
			}
		}
		if r.things() == 0 {
			return nil
		}
		if err := rounds(tx).Put(r.ID, r); err != nil {
			return err
		}
		where := map[string]string{"channel": f.Channel(c.Channel), "silent": "yes"}
		return tell.Open(tx, store.Surface{ID: tell.ID(placeMessage, r.ID), Place: placeMessage, Card: card, Subject: r.ID, Where: where})
	})
}

// of says whether it was worked out from these times.
func (n next) of(c Config) bool {
	if c.Channel == "" {
		return len(n.Times) == 0 && n.At.IsZero()
	}
	if n.Zone != c.Zone || len(n.Times) != len(c.at()) {
		return false
	}
	for k, at := range c.at() {
		if n.Times[k] != at {
			return false
		}
	}
	return true
}

func setNext(tx *store.Tx, c Config, now time.Time) error {
	n := next{Zone: c.Zone}
	if c.Channel != "" {
		n.At, n.Times = c.times().After(now), c.at()
	}
	return nexts(tx).Put(onlyNext, n)
}

// prune forgets what was told long ago.
func (f *feature) prune(ctx context.Context) error {
	return f.Store.Update(ctx, func(tx *store.Tx) error {
		var old []string
		err := rounds(tx).Each("", func(id string, r round) error {
			if tx.Now().Sub(r.At) > keepFor {
				old = append(old, id)
			}
			return nil
		})
		for _, id := range old {
			if err == nil {
				err = rounds(tx).Delete(id)
			}
		}
		return err
	})
}
