package deploy

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// Failed deliveries are listed and asked for again, once each.

func (w *world) redeliver() {
	w.t.Helper()
	if err := w.f.redeliver(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) asked() []string {
	w.forge.mu.Lock()
	defer w.forge.mu.Unlock()
	return slices.Clone(w.forge.asked)
}

func (w *world) deliveries() string {
	w.t.Helper()
	return w.must("carol", "deliveries", nil).Private.Text
}

func TestWhatDidNotArriveIsAskedForOnce(t *testing.T) {
	w := newWorld(t)
	w.f.Hooks = 5 * time.Minute
	contains(t, w.deliveries(), "Webhooks that fail are not looked for here") // the verb's feature has none
	at := w.clock.Now()
	old := integrations.Delivery{ID: 1, GUID: "old", Event: "push", At: at, Status: "Invalid HTTP Response: 503", Code: 503}
	recent := integrations.Delivery{ID: 2, GUID: "new", Event: "pull_request", Action: "closed", At: at.Add(time.Second), Status: "timed out"}
	w.forge.do(func() { w.forge.lost = []integrations.Delivery{recent, old} })
	w.redeliver()
	if got := w.asked(); !slices.Equal(got, []string{"old", "new"}) {
		t.Fatalf("asked for %v, want the oldest first", got)
	}
	contains(t, w.deliveries(), "pull_request closed of acme/web at")
	contains(t, w.deliveries(), "timed out; sent again")

	w.forge.do(func() { // one arrives, one fails once more
		recent.ID, recent.Redelivery, recent.At = 3, true, at.Add(time.Minute)
		w.forge.lost = []integrations.Delivery{recent}
	})
	w.redeliver()
	contains(t, w.deliveries(), "timed out; sent again, and failed again")
	contains(t, w.deliveries(), "503; sent again, and arrived")
	w.forge.do(func() { w.forge.lost = nil }) // somebody pressed the button on GitHub
	w.redeliver()
	contains(t, w.deliveries(), "timed out; sent again, and arrived")
	if got := w.asked(); len(got) != 2 {
		t.Errorf("asked for %v", got)
	}
	if err := w.clock.Advance(t.Context(), deliveryLife+25*time.Hour, nil); err != nil {
		t.Fatal(err)
	}
	w.redeliver()
	w.view(func(tx *store.Tx) error {
		return store.Feature[lostDelivery](tx, lostFeature).Each("", func(guid string, _ lostDelivery) error {
			t.Errorf("%s is remembered longer than GitHub does", guid)
			return nil
		})
	})
}

// An order that GitHub does not take is told, and not repeated.
func TestARedeliveryThatGitHubRefuses(t *testing.T) {
	w := newWorld(t)
	w.forge.errs["Redeliver"] = errors.New("502")
	w.forge.do(func() {
		w.forge.lost = []integrations.Delivery{{ID: 1, GUID: "g", Event: "push", At: w.clock.Now(), Status: "timed out"}}
	})
	w.redeliver()
	w.redeliver()
	if got := w.asked(); len(got) != 1 {
		t.Errorf("asked for %v", got)
	}
	contains(t, w.deliveries(), "GitHub does not send it again: 502")
}

// Where webhooks cannot be looked at, that is no error; it is told until they can.
func TestWebhooksThatCannotBeListed(t *testing.T) {
	w := newWorld(t)
	w.forge.errs["FailedDeliveries"] = integrations.ErrNotFound
	w.redeliver()
	w.redeliver()
	contains(t, w.deliveries(), "Those of acme/web cannot be listed")
	w.forge.do(func() { delete(w.forge.errs, "FailedDeliveries") })
	w.redeliver()
	if got := w.deliveries(); len(got) > 100 {
		t.Errorf("it says still: %s", got)
	}
}
