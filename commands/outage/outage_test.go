package outage

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/store"
)

// A watch is the feature on a real store, and a system whose silence a test decides.
type watch struct {
	t     *testing.T
	clock *clock.Movable
	store *store.Store
	feat  commands.Feature
	since time.Time // of the silence; zero while it answers
}

func newWatch(t *testing.T, system string, tells bool) *watch {
	t.Helper()
	w := &watch{t: t, clock: clock.NewMovable(0)}
	var err error
	w.store, err = store.Open(filepath.Join(t.TempDir(), "signalbox.db"), store.Options{Now: w.clock.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.store.Close(); err != nil {
			t.Error(err)
		}
	})
	w.starts(system, tells)
	return w
}

// starts begins the feature, as the bot's start does.
func (w *watch) starts(system string, tells bool) {
	cat := &integrations.Catalog{Environments: []integrations.Environment{
		{Name: "staging", Channels: []string{"ops"}}, {Name: "sandbox"}, {Name: "production", Channels: []string{"ops", "alerts"}}, {Name: "lab", Channels: []string{"lab"}}}}
	w.feat = New(Deps{
		Store: w.store, Clock: w.clock, Log: slog.New(slog.DiscardHandler), Catalog: func() *integrations.Catalog { return cat },
		Watched: []integrations.Watched{{Name: system, Tells: tells, Silent: func() (time.Time, bool) { return w.since, !w.since.IsZero() }}},
		Channel: func(name string) string { return "C-" + name },
	})
}

// after lets time pass, then has the feature look.
func (w *watch) after(d time.Duration) {
	w.t.Helper()
	if err := w.clock.Advance(w.t.Context(), d, func(context.Context) error { return nil }); err != nil {
		w.t.Fatal(err)
	}
	if err := w.feat.Ticks[0].Run(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *watch) update(do func(tx *store.Tx) error) {
	w.t.Helper()
	if err := w.store.Update(w.t.Context(), do); err != nil {
		w.t.Fatal(err)
	}
}

// keeps has a merge wait for an hour because a system does not answer.
func (w *watch) keeps(system string) {
	w.t.Helper()
	w.update(func(tx *store.Tx) error {
		if err := tx.PutOperation(&store.Operation{ID: "op-3", State: store.OpOpen, Environment: "staging"}); err != nil {
			return err
		}
		_, _, err := tx.InsertJob(&store.Job{Key: "merge|op-3", Kind: "merge", Operation: "op-3", State: store.JobQueued, Away: system, NotBefore: w.clock.Now().Add(time.Hour)})
		return err
	})
}

// kept says whether that merge still waits.
func (w *watch) kept() (waits bool) {
	w.t.Helper()
	w.view(func(tx *store.Tx) error {
		j, err := tx.JobByKey("merge|op-3")
		if err == nil {
			waits = j.NotBefore.After(w.clock.Now())
		}
		return err
	})
	return waits
}

func (w *watch) view(do func(tx *store.Tx) error) {
	w.t.Helper()
	if err := w.store.View(do); err != nil {
		w.t.Fatal(err)
	}
}

// told is what each channel is told of a silence; "" where that is held back.
func (w *watch) told(id string) map[string]string {
	w.t.Helper()
	out := map[string]string{}
	w.view(func(tx *store.Tx) error {
		due, err := tx.DueSurfaces(w.clock.Now().Add(time.Hour), 0)
		if err != nil {
			return err
		}
		for _, s := range due {
			if s.Subject != id {
				continue
			}
			m, err := w.feat.Cards[s.Card](tx, s)
			if err != nil {
				return err
			}
			if out[s.Where["channel"]] = m.Text; m.Hold {
				out[s.Where["channel"]] = ""
			}
		}
		return nil
	})
	return out
}

func (w *watch) says(id, want string) {
	w.t.Helper()
	if got := w.told(id)["C-ops"]; !strings.Contains(got, want) {
		w.t.Errorf("%s is told as %q, want %q in it", id, got, want)
	}
}

// A silence is told in each channel once, after two minutes; what waits is named,
// and goes on as soon as there is an answer.
func TestASilenceIsToldOnceAndWhatWaitedGoesOn(t *testing.T) {
	w := newWatch(t, "GitHub", false)
	w.after(0)
	w.since = w.clock.Now()
	w.after(patience - time.Second)
	if got := w.told("outage-1"); len(got) != 0 {
		t.Fatalf("told before it was long: %v", got)
	}
	w.after(2 * time.Second)
	if got := w.told("outage-1"); len(got) != 2 || got["C-lab"] == "" {
		t.Fatalf("told as %v; production and staging share a channel, and the lab has its own", got)
	}
	w.says("outage-1", "GitHub has not answered since "+w.since.UTC().Format("15:04")+" UTC.")
	w.keeps("GitHub")
	w.after(every)
	w.says("outage-1", "1 thing waits for it: the merge of op-3.")
	if got := w.told("outage-2"); len(got) != 0 {
		t.Errorf("told a second time: %v", got)
	}
	if !w.kept() {
		t.Fatal("the merge does not wait while GitHub is silent")
	}
	w.since = time.Time{}
	w.after(every)
	if w.kept() {
		t.Error("the merge still waits")
	}
	w.says("outage-1", "GitHub answers again")
	w.says("outage-1", "What waited goes on: the merge of op-3.")

	w.update(func(tx *store.Tx) error { // the next one is another silence
		j, err := tx.JobByKey("merge|op-3")
		if err == nil {
			j.Away = ""
			err = tx.PutJob(j)
		}
		return err
	})
	w.since = w.clock.Now()
	w.after(patience)
	w.since = time.Time{}
	w.after(every)
	w.says("outage-2", "Nothing waited for it.")
	var rows []*store.AuditRow
	w.view(func(tx *store.Tx) (err error) { rows, err = tx.AuditRows(store.AuditFilter{}); return err })
	if len(rows) != 4 {
		t.Errorf("%d audit rows, want the begin and the end of two silences: %v", len(rows), rows)
	}
}

// A short silence is told nobody, and what waited for it goes on all the same.
func TestAShortSilenceIsNotTold(t *testing.T) {
	w := newWatch(t, "GitHub", false)
	w.after(0)
	w.since = w.clock.Now()
	w.keeps("GitHub")
	w.after(patience - every)
	w.since = time.Time{}
	w.after(every)
	if w.kept() || len(w.told("outage-1")) > 0 {
		t.Errorf("kept %v, told %v", w.kept(), w.told("outage-1"))
	}
}

// A bot that has just started has heard of no silence yet: that ends none.
func TestARestartInASilenceEndsNothing(t *testing.T) {
	w := newWatch(t, "GitHub", false)
	w.since = w.clock.Now()
	w.after(patience)
	w.keeps("GitHub")
	w.since = time.Time{} // the new process has asked nothing yet
	w.starts("GitHub", false)
	w.after(0)
	w.after(settle - time.Second)
	w.says("outage-1", "has not answered")
	if !w.kept() {
		t.Error("what waited went on at the start")
	}
	w.after(time.Second)
	w.says("outage-1", "answers again")
}

// Where people are told things cannot tell of its own silence: they read afterwards,
// in its turn, what they missed, and what could not be shown is shown at once.
func TestTheSilenceOfWherePeopleAreTold(t *testing.T) {
	w := newWatch(t, "Slack", true)
	w.after(0)
	w.since = w.clock.Now()
	w.after(patience)
	// Its message stands in the line with all that waits to be shown, at its turn.
	w.says("outage-1", "it was silent from "+w.since.UTC().Format("15:04 MST")+" on")
	w.update(func(tx *store.Tx) error {
		late := w.clock.Now().Add(time.Hour)
		s := store.Surface{ID: tell.ID(placeMessage, "op-9"), Place: placeMessage, Card: "card", Subject: "op-9", Where: map[string]string{"channel": "C-ops"}}
		if err := tell.Open(tx, s); err != nil {
			return err
		}
		kept, err := tx.Surface(s.ID)
		if err != nil {
			return err
		}
		kept.Tries, kept.Due = 7, late
		if err := tx.PutSurface(kept); err != nil {
			return err
		}
		if err := tx.Audit(store.AuditRow{Act: "lock", Outcome: "done", Via: "host"}); err != nil {
			return err
		}
		return tx.PutOperation(&store.Operation{ID: "op-9", State: store.OpSucceeded, Environment: "staging", Ended: w.clock.Now()})
	})
	w.since = time.Time{}
	w.after(every)
	w.says("outage-1", "Meanwhile 1 operation ended, 1 command was given on the host. All of it is shown now.")
	w.view(func(tx *store.Tx) error {
		s, err := tx.Surface(tell.ID(placeMessage, "op-9"))
		if err == nil && s.Due.After(w.clock.Now()) {
			t.Errorf("what could not be shown waits until %v", s.Due)
		}
		return err
	})
}
