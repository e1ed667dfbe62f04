// Package oncall says who is on call: the rotations of the configuration and those that
// another system keeps, with what people have changed in them from chat, and the posts
// that tell a channel. Who is on call at a moment, what is coming, what is posted and
// what others are told of it all come from one timeline (integrations/kit/rota); no
// position is kept anywhere. The rules are those of facts/oncall.md section (b).
package oncall

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/store"
)

const (
	cardChange  = "oncall change"
	cardMoved   = "oncall moved"
	cardSwap    = "oncall swap"
	cardHandoff = "oncall handoff"
	cardGap     = "oncall gap"

	placeMessage = "slack.message"

	watchEvery = time.Minute
	// lateAfter is how late a post may be without being marked as late.
	lateAfter = 2 * time.Minute
	// keepFor is how long what is over is kept: longer than anybody looks back at it.
	keepFor = 120 * 24 * time.Hour
)

// Deps are what the feature works with.
type Deps struct {
	Store   *store.Store
	Clock   clock.Clock
	Log     *slog.Logger
	Catalog func() *integrations.Catalog
	// Config is that of this moment; nil is none.
	Config func() Config
	// Zone is the time zone of somebody, by their id in chat.
	Zone func(ctx context.Context, user string) (*time.Location, error)
	// Channel turns a channel's name into its id; where it cannot, the name stays.
	Channel func(name string) string
	// URL is where this process is reached from outside, "" where it is not.
	URL string
	// Dir is where pictures are kept until they are sent.
	Dir string
	// Language is in which language a surface is spoken to; nil is English. Pictures and
	// calendars are made in it: nobody can put them into another one later.
	Language func(tx *store.Tx, s *store.Surface) (string, error)
	// Source keeps the schedules that are PagerDuty's; nil where there is none.
	Source Source
	// Chat shows who is on call, in user groups and topics; nil shows nothing.
	Chat Chat
	// WithTopic is a topic with what it says of a schedule's people put in; the name is
	// "" where there is one schedule.
	WithTopic func(topic, schedule, text string) string
	// HandedOver are lists of what waits for whoever comes on call.
	HandedOver []func(*store.Tx) ([]integrations.Rich, error)
}

// Rota knows who is on call.
type Rota struct{ Deps }

// New makes it.
func New(d Deps) *Rota {
	if d.Config == nil {
		d.Config = func() Config { return Config{} }
	}
	if d.Language == nil {
		d.Language = func(*store.Tx, *store.Surface) (string, error) { return "en", nil }
	}
	return &Rota{d}
}

// Feature is its part of the house.
func (f *Rota) Feature() commands.Feature {
	ticks := []commands.Tick{{Name: "watch the rotations", Every: watchEvery, Run: f.look}}
	if f.Source != nil {
		ticks = append(ticks, commands.Tick{Name: "keep PagerDuty in step", Every: remoteEvery, Run: f.abroad})
	}
	return commands.Feature{
		Name: "oncall", Words: map[string]string{"ja": ja},
		Verbs:  []commands.Verb{f.showVerb(), f.nextVerb(), f.mineVerb(), f.takeVerb(), f.coverVerb(), f.swapVerb(), f.acceptVerb(), f.declineVerb(), f.cancelVerb(), f.calendarVerb()},
		Ticks:  ticks,
		Cards:  map[string]tell.Card{cardChange: f.changeCard, cardMoved: f.movedCard, cardSwap: f.swapCard, cardHandoff: f.handoffCard, cardGap: f.gapCard, cardSync: f.syncCard, cardWeek: f.weekCard},
		Serves: map[string]http.Handler{"GET " + feedPath + "{token}": http.HandlerFunc(f.serveFeed)},
		Prune:  f.prune,
	}
}

// look posts what is due, and keeps what chat shows in step.
func (f *Rota) look(ctx context.Context) error {
	return errors.Join(f.watch(ctx), f.sync(ctx))
}

// OnCall are the people on call for a service in an environment at a moment: those that
// stand in the configuration, and of each schedule that stands there whoever is on. It
// is an error if one of them has nobody then.
func (f *Rota) OnCall(service, environment string, at time.Time) ([]integrations.Person, error) {
	cat := f.Catalog()
	var out []integrations.Person
	err := f.Store.View(func(tx *store.Tx) error {
		out = nil
		for _, name := range integrations.OnCallNames(cat, service, environment) {
			s, ok := f.Config().schedule(name)
			if !ok {
				out = append(out, person(cat, name))
				continue
			}
			if err := f.fresh(tx, s); err != nil {
				return err
			}
			shift, err := f.at(tx, s, at)
			if err != nil {
				return err
			}
			if shift.Gap() {
				return nobody(s.Name, at, s.zone())
			}
			for _, d := range shift.On {
				out = append(out, person(cat, d.Person))
			}
		}
		return nil
	})
	return out, err
}

// Called are the people behind a name at a moment: a person, whoever is on call of a
// schedule, or those of a group. A name that is nobody's, and a time in which nobody is on
// call, have none.
func (f *Rota) Called(name string, at time.Time) ([]integrations.Person, error) {
	cat := f.Catalog()
	if sch, ok := cat.Schedule(name); ok {
		name = sch.Name
	}
	s, ok := f.Config().schedule(name)
	if !ok {
		return cat.Named(name)
	}
	var out []integrations.Person
	err := f.Store.View(func(tx *store.Tx) error {
		out = nil
		if err := f.fresh(tx, s); err != nil {
			return err
		}
		shift, err := f.at(tx, s, at)
		for _, d := range shift.On {
			out = append(out, person(cat, d.Person))
		}
		return err
	})
	return out, err
}

// person is somebody by name; one whom the configuration does not know has that alone.
func person(cat *integrations.Catalog, name string) integrations.Person {
	for _, p := range cat.People {
		if p.Name == name {
			return p
		}
	}
	return integrations.Person{Name: name}
}
