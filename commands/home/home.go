// Package home is the bot's own pages: the Home tab of each person who opens it,
// which shows what waits for them, and the one message in which the bot introduces
// itself to a channel. The Home tab is a surface like a card: it is drawn from the
// store as that is now, with the very buttons of the cards it speaks of.
package home

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/store"
)

const (
	cardHome  = "home"
	cardHello = "introduction"

	placeHome    = "slack.home"
	placeMessage = "slack.message"

	// keptFor is how long after somebody looked at their Home tab it is still kept
	// up to date. Whoever opens it later has it drawn anew.
	keptFor = 7 * 24 * time.Hour
	// settle is the least time between two looks at all Home tabs.
	settle = time.Second
	// lookEvery is how often they are looked at although nothing happened: a lock
	// comes near its end by itself.
	lookEvery = 5 * time.Minute
)

// Deps are what the feature works with.
type Deps struct {
	Store   *store.Store
	Clock   clock.Clock
	Log     *slog.Logger
	Catalog func() *integrations.Catalog
	// Cards are those of all features, by Surface.Card: a Home tab offers what they
	// offer.
	Cards func() map[string]tell.Card
	// Guest says whether somebody is only a guest of the workspace. nil: nobody is.
	Guest func(ctx context.Context, user string) (bool, error)
	// Channel is a channel's id by its name; *integrations.Gone if there is none. nil:
	// nobody is introduced to.
	Channel func(ctx context.Context, name string) (string, error)
	// Roster says who is on call; nil is the one in the configuration.
	Roster integrations.Roster
}

type feature struct{ Deps }

// New is the feature.
func New(d Deps) commands.Feature {
	if d.Roster == nil {
		d.Roster = integrations.ConfiguredRoster(d.Catalog)
	}
	f := &feature{d}
	h := &hello{feature: f}
	return commands.Feature{
		Name: "home", Words: map[string]string{"ja": ja},
		Verbs:   []commands.Verb{f.verb()},
		Workers: []commands.Worker{{Name: "home tabs", Run: f.follow}},
		Ticks: []commands.Tick{
			{Name: "look at home tabs", Every: lookEvery, Run: f.look},
			{Name: "introduce", Every: helloEvery, Run: h.introduce},
		},
		Cards: map[string]tell.Card{cardHome: f.card, cardHello: f.helloCard},
	}
}

// A visit is the last time that somebody opened their Home tab.
type visit struct {
	At    time.Time `json:"at"`
	Guest bool      `json:"guest,omitempty"`
}

func visits(tx *store.Tx) *store.Records[visit] { return store.Feature[visit](tx, "home") }

func surfaceID(user string) string { return tell.ID(placeHome, subject(user)) }
func subject(user string) string   { return "home " + user }

// verb is what opening the Home tab asks for.
func (f *feature) verb() commands.Verb {
	return commands.Verb{
		Name: "home", Summary: "Show your Home tab as all is now", Effect: commands.Reads, Open: true, Hidden: true,
		Examples: []string{"home"}, Decide: f.open,
	}
}

func (f *feature) open(ctx context.Context, c *commands.Call) (commands.Act, error) {
	h := c.Heard
	if h.Stranger { // Slack shows no Home tab to people of another workspace
		return nil, nil
	}
	guest := false
	if f.Guest != nil {
		var err error
		if guest, err = f.Guest(ctx, h.User); err != nil {
			return nil, fmt.Errorf("ask whether you are a guest here: %w", err)
		}
	}
	return func(tx *store.Tx) (commands.Reply, error) {
		var reply commands.Reply
		if h.Kind != "home" {
			reply.Private = &integrations.Message{Text: "Your Home tab shows it, under my name in Slack."}
		}
		if err := visits(tx).Put(h.User, visit{At: f.Clock.Now(), Guest: guest}); err != nil {
			return reply, err
		}
		return reply, show(tx, h.User)
	}, nil
}

// show has a person's Home tab drawn at once, whatever is taken to stand there:
// the app may have been installed anew, and the tab be empty.
func show(tx *store.Tx, user string) error {
	s, err := tx.Surface(surfaceID(user))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return tell.Open(tx, store.Surface{ID: surfaceID(user), Place: placeHome, Card: cardHome, Subject: subject(user), Where: map[string]string{"user": user}})
	case err != nil:
		return err
	}
	s.Hash, s.Parked = "", ""
	if err := tx.PutSurface(s); err != nil {
		return err
	}
	return tell.Mark(tx, subject(user), true)
}

// follow has the Home tabs drawn anew that say something else after something
// happened. They show much that is not theirs alone, so that no transition could
// name them; what a stop kept from being marked is found by the first look after it.
func (f *feature) follow(ctx context.Context) error {
	operations, stop1 := f.Store.Watch(store.TopicOperations)
	defer stop1()
	jobs, stop2 := f.Store.Watch(store.TopicJobs)
	defer stop2()
	holds, stop3 := f.Store.Watch(store.TopicHolds)
	defer stop3()
	pulls, stop4 := f.Store.Watch(store.TopicPulls)
	defer stop4()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-operations:
		case <-jobs:
		case <-holds:
		case <-pulls:
		}
		if err := f.look(ctx); err != nil && ctx.Err() == nil {
			f.Log.Error("look at home tabs", "error", err)
		}
		if clock.Sleep(ctx, f.Clock, settle) != nil {
			return nil
		}
	}
}

// look marks the Home tabs that show something else than they should, and forgets
// those that nobody has opened for long.
func (f *feature) look(ctx context.Context) error {
	var stale, old []string
	err := f.Store.View(func(tx *store.Tx) error {
		stale, old = nil, nil
		return visits(tx).Each("", func(user string, v visit) error {
			if f.Clock.Now().Sub(v.At) > keptFor {
				old = append(old, user)
				return nil
			}
			s, err := tx.Surface(surfaceID(user))
			if errors.Is(err, store.ErrNotFound) || err == nil && (s.Parked != "" || s.Marked > s.Shown) {
				return nil
			} else if err != nil {
				return err
			}
			m, err := f.card(tx, s)
			if err != nil {
				return err
			}
			if !tell.Shows(s, m) {
				stale = append(stale, user)
			}
			return nil
		})
	})
	if err != nil || len(stale)+len(old) == 0 {
		return err
	}
	return f.Store.Update(ctx, func(tx *store.Tx) error {
		for _, user := range stale {
			if err := tell.Mark(tx, subject(user), false); err != nil {
				return err
			}
		}
		for _, user := range old {
			if err := errors.Join(tx.DeleteSurface(surfaceID(user)), visits(tx).Delete(user)); err != nil {
				return err
			}
		}
		return nil
	})
}
