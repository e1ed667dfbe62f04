// Package digest tells once a week what the week was like: deploys and failures of each
// service, how long changes took and how long it took to mend what broke, who was on call
// in which hours, and whether that is shared out evenly. It is shown on demand too. (What
// is told once a day, of each thing that is only good to know, is package morning.)
//
// It changes nothing, and counts nothing itself: the deploys are read by package past and
// the shifts by package oncall, which are handed over in bot/wire.go; the sums are those
// of integrations/kit/stats and integrations/kit/rota. It says what was, compared with the
// time before, and nothing about whether that is good.
package digest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/integrations/kit/stats"
	"github.com/signalbox-chatops/signalbox/store"
)

const (
	cardText    = "weekly digest"
	cardDeploys = "weekly digest deploys"
	cardLoad    = "weekly digest load"

	placeMessage = "slack.message"
	placeFile    = "slack.file"

	watchEvery = time.Minute
	// lateAfter is how late a digest may be without being marked as late.
	lateAfter = 2 * time.Minute
	keepFor   = 120 * 24 * time.Hour
	// keepPictures is how long pictures are kept, in wall time: they are sent at once.
	keepPictures = 7 * 24 * time.Hour
)

// Deps are what the feature works with.
type Deps struct {
	Store *store.Store
	Clock clock.Clock
	Log   *slog.Logger
	// Config is that of this moment; nil is none.
	Config func() Config
	// Channel turns a channel's name into its id; where it cannot, the name stays.
	Channel func(name string) string
	// Zone is the time zone of somebody, by their id in chat.
	Zone func(ctx context.Context, user string) (*time.Location, error)
	// Language is in which language a surface is spoken to: pictures are drawn in it.
	Language func(tx *store.Tx, s *store.Surface) (string, error)
	// Deploys are those that ended after since and not after until, oldest first; "" is
	// any service or environment.
	Deploys func(tx *store.Tx, service, environment string, since, until time.Time) ([]stats.Deploy, error)
	// Served is who was on call of each schedule.
	Served func(tx *store.Tx, from, to time.Time) ([]integrations.Served, error)
	// Pages are the calls of people; nil where nobody keeps them, and then nothing is said
	// of them.
	Pages func(tx *store.Tx, from, to time.Time) ([]integrations.Page, error)
	// Handled are the incidents that were over after from and not after to; nil says nothing
	// of how long they took.
	Handled func(tx *store.Tx, from, to time.Time) ([]integrations.Handled, error)
	// Dir is where pictures are kept until they are sent.
	Dir string
}

type feature struct {
	Deps
	sent [2]commands.Files // of who asked: the picture of the deploys, and that of the load
}

// New is the feature.
func New(d Deps) commands.Feature { return newFeature(d).feature() }

func newFeature(d Deps) *feature {
	if d.Config == nil {
		d.Config = func() Config { return Config{} }
	}
	f := &feature{Deps: d}
	for i, of := range []string{"digest-deploys", "digest-load"} {
		f.sent[i] = commands.Files{Store: d.Store, Clock: d.Clock, Dir: filepath.Join(d.Dir, "asked"), Of: of}
	}
	return f
}

func (f *feature) feature() commands.Feature {
	cards := map[string]tell.Card{cardText: f.card, cardDeploys: f.pictureCard(deploysOf), cardLoad: f.pictureCard(loadOf)}
	ticks := []commands.Tick{{Name: "post the weekly digest", Every: watchEvery, Run: f.watch}}
	for _, s := range f.sent {
		cards[s.CardName()] = s.Card
		ticks = append(ticks, s.Tick())
	}
	return commands.Feature{Name: "digest", Words: map[string]string{"ja": ja}, Verbs: []commands.Verb{f.verb()}, Ticks: ticks, Cards: cards, Prune: f.prune}
}

// prune removes what was told long ago.
func (f *feature) prune(ctx context.Context) error {
	if err := f.sweep(); err != nil {
		return fmt.Errorf("remove pictures of digests: %w", err)
	}
	return f.Store.Update(ctx, func(tx *store.Tx) error {
		old := tx.Now().Add(-keepFor)
		var keys []string
		err := told(tx).Each("", func(k string, t telling) error {
			if t.Due.Before(old) {
				keys = append(keys, k)
			}
			return nil
		})
		for _, k := range keys {
			if err == nil {
				err = errors.Join(told(tx).Delete(k), tell.Forget(tx, k))
			}
		}
		return err
	})
}

// sweep removes pictures that were shown long ago.
func (f *feature) sweep() error {
	all, err := os.ReadDir(f.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range all {
		if info, err2 := e.Info(); !e.IsDir() && err2 == nil && time.Since(info.ModTime()) > keepPictures { // files go by wall time
			err = errors.Join(err, os.Remove(filepath.Join(f.Dir, e.Name())))
		}
	}
	return err
}
