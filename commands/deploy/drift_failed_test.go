package deploy

import (
	"errors"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

func (w *world) blind(target string) (id string) {
	w.t.Helper()
	w.view(func(tx *store.Tx) error {
		l, _, err := store.Feature[look](tx, lookFeature).Get(target)
		id = l.Blind
		return err
	})
	return id
}

func (w *world) blindMessage(id string) (m integrations.Message) {
	w.t.Helper()
	w.view(func(tx *store.Tx) (err error) {
		m, err = w.f.blindCard(tx, &store.Surface{Subject: id})
		return err
	})
	return m
}

// A look that fails has one message a target, edited until one works again; the
// next failure has another.
func TestALookThatFailsIsTold(t *testing.T) {
	w, _ := driftWorld(t)
	fail := func(err error) { w.tool.set(func(f *fakeTool) { f.planFail = err }) }
	next := func() *store.Job { w.tick(time.Hour); return w.looked("a/production") }
	w.tick(0)
	w.looked("a/production")
	if id := w.blind("a/production"); id != "" {
		t.Fatalf("a look that worked is told as %s", id)
	}
	fail(errors.New("no credentials for the state"))
	j := next()
	id := w.blind("a/production")
	m := w.blindMessage(id)
	contains(t, m.Text, "a/production cannot be looked at for drift: ")
	contains(t, m.Text, "no credentials for the state")
	if b := buttonsOf(m); len(b) != 2 || b[0].Label != "Log" || b[0].Command != "log "+j.ID || b[1].Command != "drift a/production" {
		t.Errorf("its buttons are %+v", b)
	}
	next()
	if again := w.blind("a/production"); again != id {
		t.Errorf("%s goes on as %s", id, again)
	}
	m = w.blindMessage(id)
	contains(t, m.Blocks[len(m.Blocks)-1].Context.Plain(), "failed 2 times")
	fail(nil)
	next()
	m = w.blindMessage(id)
	contains(t, m.Text, "✅ a/production can be looked at for drift again")
	if len(buttonsOf(m)) > 0 || w.blind("a/production") != "" {
		t.Errorf("over, it is %+v", m)
	}
	fail(errors.New("no credentials for the state"))
	next()
	if second := w.blind("a/production"); second == "" || second == id {
		t.Errorf("the next one is %q", second)
	}
	w.view(func(tx *store.Tx) error {
		all, err := tx.SurfacesOf(id)
		if len(all) != 1 || all[0].Where["channel"] != "C-ops" {
			t.Errorf("its messages are %+v", all)
		}
		return err
	})
}

// A look that fails does not end a drift that was seen.
func TestALookThatFailsEndsNoDrift(t *testing.T) {
	w, id := driftedWorld(t)
	w.tool.set(func(f *fakeTool) { f.planFail = errors.New("no credentials") })
	w.tick(time.Hour)
	w.looked("a/production")
	if w.drift("a/production") != id || w.blind("a/production") == "" {
		t.Errorf("the drift is %q, the failing look %q", w.drift("a/production"), w.blind("a/production"))
	}
}
