package deploy

import (
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// graphs has the applies of a target marked.
func (w *world) graphs(target, service string, roles ...string) {
	for i := range w.cat.Targets {
		if w.cat.Targets[i].Name == target {
			w.cat.Targets[i].Graphs = integrations.Graphs{Service: service, Roles: roles}
		}
	}
}

// marks are the surfaces of a place, with what they show.
func (w *world) marks(place string, subject string) (out []*store.Surface, shown []integrations.Message) {
	w.t.Helper()
	w.view(func(tx *store.Tx) error {
		all, err := tx.SurfacesOf(subject)
		for _, s := range all {
			if s.Place != place {
				continue
			}
			m, err := w.f.cards()[s.Card](tx, s)
			if err != nil {
				return err
			}
			out, shown = append(out, s), append(shown, m)
		}
		return err
	})
	return out, shown
}

func (w *world) deployedToStaging() (*store.Operation, *store.Job) {
	w.t.Helper()
	op := w.planned(w.deploy("alice", "staging").ID)
	w.must("alice", "merge", about(op.ID))
	op = w.reaches(op.ID, store.OpSucceeded)
	return op, w.apply(op.ID, store.JobSucceeded)
}

func TestAnApplyIsMarkedOnGraphs(t *testing.T) {
	w := newWorld(t)
	w.graphs("web/staging", "shop", "web", "app")
	op, j := w.deployedToStaging()
	all, shown := w.marks(placeAnnotation, j.ID)
	if len(all) != 1 {
		t.Fatalf("there are %d marks", len(all))
	}
	if all[0].Where["service"] != "shop" || all[0].Where["roles"] != "web,app" {
		t.Errorf("it is of %v", all[0].Where)
	}
	a := shown[0].Annotation
	if a == nil || a.Title != "deploy web to staging ("+op.ID+"): succeeded" {
		t.Fatalf("it says %+v", shown[0])
	}
	if a.From.Unix() != j.Started.Unix() || !a.Until.Equal(j.Ended) && a.Until.Unix() != a.From.Unix() {
		t.Errorf("it is from %v to %v, the apply from %v to %v", a.From, a.Until, j.Started, j.Ended)
	}
	for _, want := range []string{"web/staging at " + short(j.SHA), j.ID, "asked for by alice", op.PRURL} {
		if !strings.Contains(a.Text, want) {
			t.Errorf("it does not say %q: %s", want, a.Text)
		}
	}
}

// Where no graphs are named nothing is sent.
func TestAnApplyWithoutGraphsIsNotMarked(t *testing.T) {
	w := newWorld(t)
	_, j := w.deployedToStaging()
	if all, _ := w.marks(placeAnnotation, j.ID); len(all) > 0 {
		t.Errorf("there are marks: %+v", all)
	}
	w.view(func(tx *store.Tx) error {
		return store.Feature[release](tx, releasesFeature).Each("", func(op string, r release) error {
			t.Errorf("%s took %v", op, r)
			return nil
		})
	})
}

// Each attempt has a mark of its own, and the first keeps what it showed.
func TestEachAttemptIsMarked(t *testing.T) {
	w := newWorld(t)
	w.graphs("web/staging", "shop")
	started := w.clock.Now()
	j := &store.Job{ID: "job-7", Key: "k", Kind: kindApply, Target: "web/staging", Operation: "op-1", State: store.JobRunning, Attempt: 1, SHA: "abcdef0123", Started: started}
	op := &store.Operation{ID: "op-1", State: store.OpApplying, Kind: "deploy", Service: "web", Environment: "staging", FromSHA: "aaaa", ToSHA: "bbbb"}
	change := func(do func()) {
		w.update(func(tx *store.Tx) error {
			do()
			if err := tx.PutJob(j); err != nil {
				return err
			}
			return w.f.openGraph(tx, j)
		})
	}
	w.update(func(tx *store.Tx) error { return tx.PutOperation(op) })
	change(func() {})
	_, shown := w.marks(placeAnnotation, j.ID)
	if a := shown[0].Annotation; a.Title != "deploy web to staging (op-1): applying" || !a.From.Equal(a.Until) {
		t.Errorf("it begins as %+v", a)
	}
	change(func() { j.State, j.Ended = store.JobFailed, started.Add(time.Minute) })
	_, shown = w.marks(placeAnnotation, j.ID)
	if a := shown[0].Annotation; a.Title != "deploy web to staging (op-1): failed" || a.Until.Sub(a.From) < 59*time.Second {
		t.Errorf("it ends as %+v", a)
	}
	change(func() {
		j.State, j.Attempt, j.Started, j.Ended = store.JobPreparing, 2, started.Add(time.Hour), time.Time{}
	})
	if all, _ := w.marks(placeAnnotation, j.ID); len(all) != 1 {
		t.Errorf("an attempt that changes nothing yet has a mark: %d", len(all))
	}
	change(func() { j.State = store.JobRunning })
	change(func() { j.State = store.JobDispatching }) // again
	all, shown := w.marks(placeAnnotation, j.ID)
	if len(all) != 2 {
		t.Fatalf("there are %d marks", len(all))
	}
	first, second := shown[0].Annotation, shown[1].Annotation
	if all[0].Where["attempt"] == "2" {
		first, second = second, first
	}
	// Nobody was shown the first: it is over when the second begins.
	if first.Title != "deploy web to staging (op-1): over" || !first.Until.Equal(j.Started) || second.Title != "deploy web to staging (op-1): applying" || !strings.Contains(second.Text, "attempt 2") {
		t.Errorf("they are %+v and %+v", first, second)
	}
	w.update(func(tx *store.Tx) error {
		s, err := tx.Surface(tell.ID(placeAnnotation, j.ID, "1"))
		if err != nil {
			return err
		}
		s.Ref = "3AnnTn00001"
		return tx.PutSurface(s)
	})
	if all, shown := w.marks(placeAnnotation, j.ID); !shown[0].Hold || all[0].Where["attempt"] != "1" {
		t.Errorf("the first changes after it was shown: %+v", shown[0])
	}
}

// The release time is from the merge to the end of all applies; it is noted once, and
// offered for a day.
func TestReleaseTimeIsMeasuredOnce(t *testing.T) {
	w := newWorld(t)
	w.graphs("web/staging", "shop")
	now := w.clock.Now()
	op := &store.Operation{ID: "op-1", State: store.OpSucceeded, Service: "web", Environment: "stag ing", Targets: []string{"cdn/production", "web/staging"}, Merged: now.Add(-4 * time.Minute), Ended: now}
	measure := func(was string) {
		w.update(func(tx *store.Tx) error { return w.f.measure(tx, op, was) })
	}
	measure(store.OpApplying)
	measure(store.OpApplying)
	measure(store.OpSucceeded)
	subject := "releases shop"
	all, shown := w.marks(placeMetric, subject)
	if len(all) != 1 || all[0].Where["service"] != "shop" || len(shown[0].Measured) != 1 || all[0].Marked != 1 {
		t.Fatalf("%+v shows %+v", all, shown)
	}
	if m := shown[0].Measured[0]; m.Metric != "signalbox.release.web.stag_ing" || m.Value != 240 || !m.At.Equal(op.Ended) {
		t.Errorf("it is %+v", m)
	}
	for _, o := range []*store.Operation{
		{ID: "op-2", State: store.OpFailed, Service: "web", Environment: "staging", Targets: op.Targets, Merged: now, Ended: now},
		{ID: "op-3", State: store.OpSucceeded, Environment: "staging", Targets: op.Targets, Merged: now, Ended: now},
		{ID: "op-4", State: store.OpSucceeded, Service: "web", Environment: "staging", Targets: op.Targets, Ended: now},
		{ID: "op-5", State: store.OpSucceeded, Service: "web", Environment: "staging", Targets: []string{"cdn/production"}, Merged: now, Ended: now},
	} {
		w.update(func(tx *store.Tx) error { return w.f.measure(tx, o, store.OpApplying) })
	}
	if _, shown := w.marks(placeMetric, subject); len(shown[0].Measured) != 1 {
		t.Errorf("now it shows %+v", shown[0].Measured)
	}
	if err := w.clock.Advance(t.Context(), 24*time.Hour, nil); err != nil {
		t.Fatal(err)
	}
	if _, shown := w.marks(placeMetric, subject); !shown[0].Hold {
		t.Errorf("after a day it shows %+v", shown[0])
	}
	w.update(func(tx *store.Tx) error {
		all[0].Parked = "no such service"
		return tx.PutSurface(all[0])
	})
	op = &store.Operation{ID: "op-6", State: store.OpSucceeded, Service: "web", Environment: "staging", Targets: op.Targets, Merged: all[0].Updated, Ended: all[0].Updated.Add(time.Second)}
	measure(store.OpApplying)
	all, shown = w.marks(placeMetric, subject)
	if all[0].Parked != "" || len(shown[0].Measured) != 1 || shown[0].Measured[0].Number != 2 || shown[0].Measured[0].Value != 1 {
		t.Errorf("%+v shows %+v", all[0], shown[0].Measured)
	}
	w.view(func(tx *store.Tx) error {
		n := 0
		err := store.Feature[release](tx, releasesFeature).Each("", func(string, release) error { n++; return nil })
		if n != 1 {
			t.Errorf("%d are kept", n)
		}
		return err
	})
}
