package digest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations/kit/calendar"
	"github.com/signalbox-chatops/signalbox/store"
)

// A watch is how far the digest is.
type watch struct {
	// Next is when the next one is due, by the expression and the zone beside it.
	Next time.Time `json:"next"`
	At   string    `json:"at,omitempty"`
	Zone string    `json:"zone,omitempty"`
}

// A telling is a digest that was posted: what it says stays as it was then.
type telling struct {
	ID     string        `json:"id"`
	Due    time.Time     `json:"due"`
	Late   time.Duration `json:"late,omitempty"`
	Report report        `json:"report"`
}

func watches(tx *store.Tx) *store.Records[watch] {
	return store.Feature[watch](tx, "weekly digest watch")
}

func told(tx *store.Tx) *store.Records[telling] { return store.Feature[telling](tx, "weekly digest") }

// theWatch is the key of the only one.
const theWatch = "digest"

// watch posts the digest when it is due. How far it is stands in the store and moves in
// the transaction that opens the post, so that none is posted twice; after a standstill
// there is one, of the last week that was missed, or none if that would be too late.
func (f *feature) watch(ctx context.Context) error {
	now, c := f.Clock.Now(), f.Config()
	due := false
	err := f.Store.View(func(tx *store.Tx) (err error) {
		due, err = c.due(tx, now)
		return err
	})
	if err == nil && due {
		err = f.Store.Update(ctx, func(tx *store.Tx) error { return f.turn(tx, c, now) })
	}
	if err != nil {
		return fmt.Errorf("post the weekly digest: %w", err)
	}
	return nil
}

// due says whether there is anything to write.
func (c Config) due(tx *store.Tx, now time.Time) (bool, error) {
	w, known, err := watches(tx).Get(theWatch)
	if c.Channel == "" {
		return known, err
	}
	return !known || w.At != c.At || w.Zone != c.Zone || !now.Before(w.Next), err
}

// turn moves on, and posts what is due. What was due before anybody asked for it, or at
// other times than are asked for now, is not posted.
func (f *feature) turn(tx *store.Tx, c Config, now time.Time) error {
	w, known, err := watches(tx).Get(theWatch)
	if err != nil {
		return err
	}
	if c.Channel == "" {
		return watches(tx).Delete(theWatch)
	}
	var due time.Time
	if known && w.At == c.At && w.Zone == c.Zone {
		due = c.times().Newest(w.Next, now)
	}
	if err := watches(tx).Put(theWatch, watch{Next: c.times().After(now), At: c.At, Zone: c.Zone}); err != nil || due.IsZero() {
		return err
	}
	late := now.Sub(due)
	if late > c.late() {
		f.Log.Info("the weekly digest is too late and left out", "due", due, "late", late)
		return nil
	}
	if late < lateAfter {
		late = 0
	}
	return f.post(tx, c, due, late, now)
}

// post opens the digest of the seven days before a day.
func (f *feature) post(tx *store.Tx, c Config, due time.Time, late time.Duration, now time.Time) error {
	// A time that the clock shows twice is the same digest.
	t := telling{ID: "weekly-" + due.In(c.zone()).Format(time.DateOnly), Due: due, Late: late}
	if _, twice, err := told(tx).Get(t.ID); err != nil || twice {
		return err
	}
	to := midnight(due, c.zone(), 0)
	var err error
	if t.Report, err = f.report(tx, c, c.zone(), midnight(due, c.zone(), -7), to, now); err != nil {
		return err
	}
	if err := told(tx).Put(t.ID, t); err != nil {
		return err
	}
	open := func(place, card string) error {
		where := map[string]string{"channel": f.Channel(c.Channel), "silent": "yes"}
		if c.Language != "" {
			where["language"] = c.Language
		}
		return tell.Open(tx, store.Surface{ID: tell.ID(place, t.ID, card), Place: place, Card: card, Subject: t.ID, Where: where})
	}
	err = open(placeMessage, cardText)
	if deploysOf(t.Report, "") != nil {
		err = errors.Join(err, open(placeFile, cardDeploys))
	}
	if loadOf(t.Report, "") != nil {
		err = errors.Join(err, open(placeFile, cardLoad))
	}
	return err
}

// midnight is when a day begins, so many after that of a moment.
func midnight(at time.Time, zone *time.Location, days int) time.Time {
	y, m, d := at.In(zone).Date()
	return calendar.At(zone, y, m, d+days, 0, 0, 0)
}
