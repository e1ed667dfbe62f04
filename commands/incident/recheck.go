package incident

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// What resolves while its source is silent is told by nobody. So before a silence ends, the
// sources that can be asked are asked what is wrong: what they name no more becomes no
// incident, and an incident that was open since before is over. A source that does not
// answer is waited for, a little; then what is held is taken to be wrong still.

const askFor = 3 * time.Minute

// asks says whether sources are asked at the end of a silence.
func (f *feature) asks() bool {
	return slices.ContainsFunc(f.Sources(), func(at Source) bool { return at.Looker != nil })
}

// carrySilences is the round of silences: those that recur begin, those that are over end,
// and the sources are told. None of these keeps another back.
func (f *feature) carrySilences(ctx context.Context) error {
	now := f.Clock.Now()
	begun := f.recurring(ctx, now)
	return errors.Join(begun, f.endAsked(ctx, now), f.bring(ctx))
}

// endAsked ends what is over, as far as the sources have been asked.
func (f *feature) endAsked(ctx context.Context, now time.Time) error {
	var due []Silence
	err := f.Store.View(func(tx *store.Tx) (err error) {
		due, err = silencesThat(tx, func(s *Silence) bool { return !s.Over && !now.Before(s.Until) && f.asks() })
		return err
	})
	seen := map[string]looked{}
	for _, s := range due {
		if err != nil || ctx.Err() != nil {
			break
		}
		var concerned []string
		if concerned, err = f.concerned(&s); err != nil {
			break
		}
		if f.look(ctx, concerned, seen) || now.Sub(s.Until) >= askFor {
			err = f.endWith(ctx, s.ID, seen)
		}
	}
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("end the silences: %w", err)
	}
	return nil
}

// looked is what a source named as wrong, when it was asked; nil where it did not answer.
type looked struct {
	wrong map[string]bool
	at    time.Time
}

// look asks some sources, each once a round; false where one did not answer.
func (f *feature) look(ctx context.Context, names []string, seen map[string]looked) bool {
	all := true
	for _, source := range f.Sources() {
		if source.Looker == nil || !slices.Contains(names, source.Name) {
			continue
		}
		if _, done := seen[source.Name]; !done {
			at := f.Clock.Now()
			wrong, err := source.Looker.Wrong(ctx)
			if err != nil {
				f.Log.Warn("a source does not say what is wrong at the end of a silence", "source", source.Name, "error", err)
				wrong = nil
			}
			seen[source.Name] = looked{wrong, at}
		}
		all = all && seen[source.Name].wrong != nil
	}
	return all
}

// concerned are the sources of what a silence holds, and of the open incidents that it
// covers.
func (f *feature) concerned(s *Silence) (names []string, err error) {
	err = f.Store.View(func(tx *store.Tx) error {
		names = nil
		for _, a := range s.Held {
			names = append(names, a.Source)
		}
		open, err := openOnes(tx)
		for _, i := range open {
			if i.Key != "" && s.covers(i.Alert) {
				names = append(names, i.Source)
			}
		}
		return err
	})
	slices.Sort(names)
	return slices.Compact(names), err
}

// endWith ends a silence by what its sources said. What came after they were asked counts
// as it came.
func (f *feature) endWith(ctx context.Context, id string, seen map[string]looked) error {
	return f.Store.Update(ctx, func(tx *store.Tx) error {
		s, found, err := silences(tx).Get(id)
		if err != nil || !found || s.Over || f.Clock.Now().Before(s.Until) {
			return err
		}
		well := func(source, key string, since time.Time) bool {
			l := seen[source]
			return l.wrong != nil && !l.wrong[key] && since.Before(l.at)
		}
		for key, a := range s.Held {
			if well(a.Source, a.Key, a.At) {
				delete(s.Held, key)
			}
		}
		open, err := openOnes(tx)
		for _, i := range open {
			if err == nil && i.Key != "" && s.covers(i.Alert) && well(i.Source, i.Key, i.Last) {
				over := i.Alert
				over.Source, over.Key, over.State, over.At, over.By = i.Source, i.Key, integrations.AlertResolved, f.Clock.Now(), integrations.AlertPerson{}
				_, err = f.take(tx, over, f.Catalog())
			}
		}
		if err != nil {
			return err
		}
		_, err = f.endSilence(tx, s, f.Catalog())
		return err
	})
}
