package lock

import (
	"fmt"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// A hold that is older than a day is everybody's business: its owner has been asked
// often enough, and a message every three hours is read by nobody. It stands in the
// day's digest of its channel, but for the last hour, of which its owner is told.

const (
	oldAfter = 24 * time.Hour
	cardOld  = "old"
)

// old says whether a reminder of a hold now is for the channel.
func (f *feature) old(h *store.Hold) bool {
	now := f.Clock.Now()
	return now.Sub(h.Created) > oldAfter && (h.Expires.IsZero() || h.Expires.Sub(now) > nagBefore)
}

// nagOld has it stand in the next digest, once a day.
func (f *feature) nagOld(tx *store.Tx, h *store.Hold) error {
	rooms, err := f.shownIn(tx, h)
	if err != nil || len(rooms) == 0 {
		return err
	}
	environment := about(f.Catalog(), h).Environment
	env, _ := f.Catalog().Environment(environment)
	next := env.Digest.Next(f.Clock.Now())
	err = tell.Raise(tx, f.Catalog(), f.Clock.Now(), tell.Notice{Event: integrations.EventNag, Environment: environment, Channel: rooms[0],
		Surface: store.Surface{ID: tell.ID(placeMessage, h.ID, cardOld, env.Digest.Day(next)), Place: placeMessage, Card: cardOld, Subject: h.ID}})
	if err != nil {
		return err
	}
	return f.mark(tx, h)
}

// oldCard is a hold that has stood for long; over before it was told, it is not.
func (f *feature) oldCard(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	h, err := tx.Hold(s.Subject)
	if err != nil {
		over, ok, err := gate.EndedHold(tx, s.Subject)
		if err != nil || !ok || s.Ref == "" {
			return integrations.Message{Hold: true}, err
		}
		return *say(fmt.Sprintf("The %s %s (%s) %s.", noun(&over.Hold), onWhat(&over.Hold), over.Hold.ID, f.howEnded(over))), nil
	}
	release := integrations.Button{Label: "Release", Command: "unlock " + h.ID, Version: h.Version}
	switch {
	case h.Stop:
		release.Label = "Go"
	case h.Kind == store.HoldFreeze:
		release.Command = "unfreeze " + h.ID
	}
	text := fmt.Sprintf("The %s of %s %s stands since %s%s: “%s” (%s).", noun(h), gate.FromStore(h.Owner).Display(), onWhat(h), gate.Clock(h.Created), until(h, ", until "), h.Reason, h.ID)
	return *say(text, release), nil
}

// PastNag are the holds whose owners were reminded of them, and that still stand.
func PastNag(tx *store.Tx) (out []integrations.Rich, err error) {
	all, err := tx.Holds()
	for _, h := range all {
		if h.Nagged.IsZero() || h.Over(tx.Now()) {
			continue
		}
		icon, what := icons[rank(h)], "everything"
		if !h.Stop {
			what = gate.Scope(h)
		}
		row := integrations.R(icon, integrations.Code(h.ID), " ", integrations.Bold(what), " · ", gate.FromStore(h.Owner).Display(), " · since ", integrations.When(h.Created, time.UTC))
		if !h.Expires.IsZero() {
			row = append(row, integrations.R(" · until ", integrations.When(h.Expires, time.UTC))...)
		}
		if h.Reason != "" {
			row = append(row, integrations.R(" · ", integrations.Italic(h.Reason))...)
		}
		out = append(out, row)
	}
	return out, err
}
