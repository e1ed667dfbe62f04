package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// waitDecided waits for the decision on an event, and answerWait at most for what
// is said of it. What a door did not store, because it is no business of ours,
// needs none; a door stores before it acknowledges, so that shows within a moment.
func (a *app) waitDecided(ctx context.Context, key string) error {
	for range dropLooks {
		accepted := false
		err := a.store.View(func(tx *store.Tx) error {
			for _, prefix := range []string{"", "env:", "evt:", "trg:"} {
				known, err := tx.Accepted(prefix + key)
				if err != nil {
					return err
				}
				accepted = accepted || known
			}
			return nil
		})
		if err != nil {
			return err
		}
		if accepted {
			if err := a.dispatcher.WaitDecided(ctx, key); err != nil {
				return err
			}
			for end := time.Now().Add(answerWait); ctx.Err() == nil && !a.teller.Idle() && time.Now().Before(end); {
				time.Sleep(answerLook)
			}
			return ctx.Err()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(dropWait / dropLooks):
		}
	}
	return errDropped
}

// errDropped says that a door kept nothing of an event.
var errDropped = errors.New("the event was not accepted")

// work runs recovery, then decides, does and tells until ctx ends.
func (a *app) work(ctx context.Context) error {
	if err := a.runner.Recover(ctx); err != nil {
		return err
	}
	a.readGroups(ctx, a.catalog.Load()) // before the first job asks who may
	inner := newLife(a.Log)
	for _, w := range a.workers() {
		inner.start(w.name, w.limit, w.run)
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-inner.failed:
	}
	return errors.Join(err, inner.stop())
}

// A worker is a part of work, and how long its stop may take.
type worker struct {
	name  string
	limit time.Duration
	run   func(context.Context) error
}

// workers are the parts of work in the order in which they start.
func (a *app) workers() []worker {
	var list []worker
	for _, w := range a.wired.works { // what they follow is at rest when they are stopped
		list = append(list, worker{w.Name, stopWait, w.Run})
	}
	list = append(list, []worker{
		{"teller", stopWait, a.teller.Run},
		{"mirrors", stopWait, a.mirrors.Run},
		{"runner", stopWait, a.runner.Run},
		{"clock door", stopWait, a.ticks.Run},
		{"groups", stopWait, a.groups.Run},
		{"dispatcher", stopWait, func(ctx context.Context) error {
			a.ready.Store(true)
			return a.dispatcher.Run(ctx)
		}},
		// What comes from elsewhere, and from this machine, is decided meanwhile.
		{"introduction", stopWait, func(ctx context.Context) error {
			if a.meetSlack(ctx) {
				a.met.Store(true)
				a.dispatcher.Listen()
			}
			return nil
		}},
	}...)
	if h := a.Config.Heartbeat; h.Every > 0 {
		to := heartbeats(h)
		list = append(list, worker{"heartbeat", stopWait, func(ctx context.Context) error {
			return beat(ctx, a.Clock, h.Every, to, a.stuck, a.Log.Error)
		}})
	}
	if !a.Inside {
		list = append(list, worker{"check", stopWait, a.check})
	}
	return list
}

// stopLimit is how long the stop of all parts may take, one after the other.
func stopLimit(list []worker) time.Duration {
	var sum time.Duration
	for _, w := range list {
		sum += w.limit
	}
	return sum
}

// meetSlack learns who we are, without which nothing that was said can be
// understood, and the ids of the channels in the configuration. What is wrong
// with a token is said at once; an outage is waited for.
func (a *app) meetSlack(ctx context.Context) bool {
	for wait := time.Second; ; wait = min(2*wait, 30*time.Second) {
		_, err := a.slack.Auth(ctx)
		if err == nil {
			break
		}
		a.Log.Error("ask Slack who we are", "error", err)
		select {
		case <-ctx.Done():
			return false
		case <-time.After(wait):
		}
	}
	for _, e := range a.catalog.Load().Environments {
		for _, name := range e.Channels {
			id, err := a.slack.ChannelID(ctx, name)
			if err != nil {
				a.Log.Warn("a channel of the configuration", "environment", e.Name, "channel", name, "error", err)
				continue
			}
			a.channels.Store(strings.TrimPrefix(name, "#"), id)
		}
	}
	return true
}

// check says at the start what would keep this machine from its work.
func (a *app) check(ctx context.Context) error {
	findings(ctx, a.Config, func(all ...integrations.Finding) {
		if ctx.Err() == nil {
			warn(a.Log)(all...)
		}
	})
	return nil
}

// channelID is a channel's id where it is known; a name otherwise, which Slack's
// client looks up when it posts.
func (a *app) channelID(name string) string {
	if id, ok := a.channels.Load(strings.TrimPrefix(name, "#")); ok {
		return id.(string)
	}
	return name
}

// underWay names what is being decided, done or told, and nothing when all is
// quiet.
func (a *app) underWay() string {
	switch {
	case !a.ready.Load():
		return "the bot is starting or stopping"
	case !a.ticks.Idle():
		return "a tick"
	case !a.groups.Idle():
		return "the reading of groups"
	case !a.dispatcher.Idle():
		return "an event that is not decided"
	case !a.runner.Idle():
		return fmt.Sprintf("a job (%d are running)", a.runner.Active())
	case !a.teller.Idle():
		return "something to tell"
	default:
		return ""
	}
}
