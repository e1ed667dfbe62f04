// Package outage tells people that a system which signalbox needs does not answer,
// what waits for it, and that it answers again; and then has what waited go on at
// once. It asks no system: their clients notice by the requests that are made.
package outage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/store"
)

const (
	card         = "outage"
	placeMessage = "slack.message"
	kept         = "outage" // where the silences are kept

	every    = 15 * time.Second // how soon what waited goes on
	patience = 2 * time.Minute  // of silence, before people are told
	settle   = time.Minute      // after the start, until not having heard of a silence says something
)

// Deps are what the feature works with.
type Deps struct {
	Store   *store.Store
	Clock   clock.Clock
	Log     *slog.Logger
	Catalog func() *integrations.Catalog
	Watched []integrations.Watched
	// Channel turns a channel's name into its id; where it cannot, the name stays.
	Channel func(name string) string
}

type feature struct {
	Deps
	began time.Time // of the first look, which is at the start; the tick's alone
}

// New is the feature.
func New(d Deps) commands.Feature {
	f := &feature{Deps: d}
	return commands.Feature{
		Name: "outage", Words: map[string]string{"ja": ja},
		Ticks: []commands.Tick{{Name: "what does not answer", Every: every, Run: f.look}},
		Cards: map[string]tell.Card{card: f.card},
	}
}

// silence is one time that a system did not answer.
type silence struct {
	ID     string    `json:"id"` // "outage-2"
	System string    `json:"system"`
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until,omitzero"`
	Waits  string    `json:"waits,omitempty"` // what waits for it, and at its end, what waited
}

func silences(tx *store.Tx) *store.Records[silence] { return store.Feature[silence](tx, kept) }

// going finds the silence of a system that is not over; its ID is "" if there is none.
func going(tx *store.Tx, system string) (out silence, err error) {
	err = silences(tx).Each("", func(_ string, s silence) error {
		if s.System == system && s.Until.IsZero() {
			out = s
		}
		return nil
	})
	return out, err
}

// look compares what is heard of each system with what people were told.
func (f *feature) look(ctx context.Context) error {
	if f.began.IsZero() {
		f.began = f.Clock.Now()
	}
	var errs []error
	for _, w := range f.Watched {
		since, silent := w.Silent()
		if quiet, err := f.nothingNew(w, silent); err != nil || quiet {
			errs = append(errs, err)
			continue
		}
		err := f.Store.Update(ctx, func(tx *store.Tx) error {
			s, err := going(tx, w.Name)
			switch {
			case err != nil:
				return err
			case silent && s.ID == "" && tx.Now().Sub(since) >= patience:
				return f.begin(tx, w, since)
			case silent && s.ID != "":
				return f.goOn(tx, w, s)
			case !silent && tx.Now().Sub(f.began) >= settle:
				return f.end(tx, w, s)
			}
			return nil
		})
		if err != nil {
			errs = append(errs, fmt.Errorf("look whether %s answers: %w", w.Name, err))
		}
	}
	return errors.Join(errs...)
}

// nothingNew says whether a look at a system would change nothing, as most do.
func (f *feature) nothingNew(w integrations.Watched, silent bool) (quiet bool, err error) {
	err = f.Store.View(func(tx *store.Tx) error {
		s, err := going(tx, w.Name)
		if err != nil || silent || s.ID != "" {
			return err
		}
		jobs, err := gate.WaitFor(tx, w.Name)
		quiet = len(jobs) == 0
		return err
	})
	return quiet, err
}

func (f *feature) begin(tx *store.Tx, w integrations.Watched, since time.Time) error {
	s := silence{System: w.Name, Since: since}
	var err error
	if s.ID, err = tx.NextID("outage"); err != nil {
		return err
	}
	if s.Waits, err = waits(tx, w); err != nil {
		return err
	}
	if err := silences(tx).Put(s.ID, s); err != nil {
		return err
	}
	for _, room := range f.rooms() {
		err := tell.Open(tx, store.Surface{ID: tell.ID(placeMessage, s.ID, room), Place: placeMessage, Card: card, Subject: s.ID, Where: map[string]string{"channel": room}})
		if err != nil {
			return err
		}
	}
	return tx.Audit(store.AuditRow{Act: "outage", Subject: s.ID, Outcome: "silent", Detail: w.Silence(since, tx.Now()), Via: "clock"})
}

// rooms are the first channels of the environments, where people are told.
func (f *feature) rooms() (out []string) {
	for _, e := range f.Catalog().Environments {
		if len(e.Channels) == 0 {
			continue
		}
		if room := f.Channel(e.Channels[0]); !slices.Contains(out, room) {
			out = append(out, room)
		}
	}
	return out
}

// goOn has what waits shown anew when it is another.
func (f *feature) goOn(tx *store.Tx, w integrations.Watched, s silence) error {
	now, err := waits(tx, w)
	if err != nil || now == s.Waits {
		return err
	}
	s.Waits = now
	return errors.Join(silences(tx).Put(s.ID, s), tell.Mark(tx, s.ID, false))
}

// end lets what waited go on, and says so where a silence was told of.
func (f *feature) end(tx *store.Tx, w integrations.Watched, s silence) error {
	jobs, err := gate.WaitFor(tx, w.Name)
	if err != nil {
		return err
	}
	for _, j := range jobs {
		if j.NotBefore.After(tx.Now()) {
			j.NotBefore = time.Time{}
			if err := tx.PutJob(j); err != nil {
				return err
			}
		}
	}
	if s.ID == "" {
		return nil
	}
	if err := untold(tx, w); err != nil {
		return err
	}
	if s.Until = tx.Now(); w.Tells { // else what waited is what people were told last
		if s.Waits, err = meanwhile(tx, s); err != nil {
			return err
		}
	}
	row := store.AuditRow{Act: "outage", Subject: s.ID, Outcome: "answers", Detail: fmt.Sprintf("%s was silent from %s to %s", w.Name, gate.Clock(s.Since), gate.Clock(s.Until)), Via: "clock"}
	return errors.Join(silences(tx).Put(s.ID, s), tx.Audit(row), tell.Mark(tx, s.ID, true))
}

// untold has what could not be shown in the places of a system tried at once, all of
// it, so that it comes in its order.
func untold(tx *store.Tx, w integrations.Watched) error {
	all, err := gate.Untold(tx, w.Name, tx.Now())
	if err != nil {
		return err
	}
	for _, s := range all {
		if s.Tries == 0 || !s.Due.After(tx.Now()) {
			continue
		}
		s.Due = time.Time{}
		if err := tx.PutSurface(s); err != nil {
			return err
		}
	}
	return nil
}

func waits(tx *store.Tx, w integrations.Watched) (string, error) {
	jobs, err := gate.WaitFor(tx, w.Name)
	return gate.Things(jobs), err
}

// meanwhile says what people missed in the place where they are told.
func meanwhile(tx *store.Tx, s silence) (string, error) {
	ops, err := tx.Operations("", 500)
	if err != nil {
		return "", err
	}
	ended := 0
	for _, op := range ops {
		if op.Terminal() && !op.Ended.Before(s.Since) { // at the very moment: the silence is known by what could not be shown
			ended++
		}
	}
	rows, err := tx.AuditRows(store.AuditFilter{Since: s.Since})
	if err != nil {
		return "", err
	}
	typed := 0
	for _, r := range rows {
		if r.Via == "host" {
			typed++
		}
	}
	var parts []string
	switch ended {
	case 0:
	case 1:
		parts = append(parts, "1 operation ended")
	default:
		parts = append(parts, fmt.Sprintf("%d operations ended", ended))
	}
	switch typed {
	case 0:
	case 1:
		parts = append(parts, "1 command was given on the host")
	default:
		parts = append(parts, fmt.Sprintf("%d commands were given on the host", typed))
	}
	return strings.Join(parts, ", "), nil
}

// card is the message about a silence.
func (f *feature) card(tx *store.Tx, at *store.Surface) (integrations.Message, error) {
	s, ok, err := silences(tx).Get(at.Subject)
	i := slices.IndexFunc(f.Watched, func(w integrations.Watched) bool { return w.Name == s.System })
	if err != nil || !ok || i < 0 {
		return integrations.Message{Hold: true}, err
	}
	w := f.Watched[i]
	head, more := "", ""
	switch {
	case s.Until.IsZero() && w.Tells: // whoever reads this reads it when it is over
		head = fmt.Sprintf("%s answers again: it was silent from %s on.", w.Name, s.Since.UTC().Format("15:04 MST"))
		more = "What happened meanwhile is shown now."
	case s.Until.IsZero():
		head = w.Silence(s.Since, s.Since) + "."
		more = "What runs goes on. What needs it waits, and goes on by itself in the order in which it was asked for."
		if s.Waits != "" {
			more += " " + upper(s.Waits) + "."
		}
	default:
		head = fmt.Sprintf("%s answers again: it was silent from %s to %s, %s.", w.Name, s.Since.UTC().Format("15:04 MST"), s.Until.UTC().Format("15:04 MST"), gate.Age(s.Until.Sub(s.Since)))
		switch {
		case w.Tells && s.Waits != "":
			more = "Meanwhile " + s.Waits + ". All of it is shown now."
		case w.Tells:
			more = "Nothing happened meanwhile."
		case s.Waits != "":
			more = "What waited goes on: " + strings.SplitN(s.Waits, ": ", 2)[1] + "."
		default:
			more = "Nothing waited for it."
		}
	}
	return integrations.Message{
		Text:   "📡 " + head + " " + more,
		Blocks: []integrations.Block{{Text: integrations.R("📡 ", integrations.Bold(head), " ", more)}},
	}, nil
}

func upper(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
