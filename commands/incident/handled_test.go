package incident

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// handled are those of all time, by their ids: how long until somebody had it, and until it
// was over.
func (d *desk) handled() (out []string) {
	d.t.Helper()
	err := d.store.View(func(tx *store.Tx) error {
		all, err := Handled(tx, time.Time{}, d.clock.Now())
		slices.SortFunc(all, func(a, b integrations.Handled) int { return cmp.Compare(a.Incident, b.Incident) })
		for _, h := range all {
			acked := time.Duration(0)
			if !h.Acked.IsZero() {
				acked = h.Acked.Sub(h.Opened).Round(time.Minute)
			}
			out = append(out, fmt.Sprintf("%s %s %s %v %v", h.Incident, h.Source, h.Service, acked, h.Over.Sub(h.Opened).Round(time.Minute)))
		}
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return out
}

// How long an incident took stands in the store once it is over, by whatever hand; one that
// comes back is not over, and takes from its beginning.
func TestHowLongAnIncidentTook(t *testing.T) {
	d := newDesk(t)
	d.sends(d.alert("firing"))
	d.later(4 * time.Minute)
	d.says("bob", "ack 1")
	if h := d.handled(); len(h) != 0 {
		t.Errorf("while it is open it took %q", h)
	}
	d.later(16 * time.Minute)
	d.sends(d.alert("resolved"))
	d.later(time.Second)
	if h := d.handled(); !slices.Equal(h, []string{"incident-1 sensu web 4m0s 20m0s"}) {
		t.Errorf("it took %q", h)
	}
	d.later(5 * time.Minute)
	d.sends(d.alert("firing"))
	if h := d.handled(); len(h) != 0 {
		t.Errorf("it came back, and took %q", h)
	}
	d.later(5 * time.Minute)
	d.says("alice", "all-clear 1")
	d.says("alice", `incident in production "the shop is down"`)
	d.later(time.Hour)
	d.says("alice", "all-clear 2")
	d.later(time.Second)
	if h := d.handled(); !slices.Equal(h, []string{"incident-1 sensu web 4m0s 30m0s", "incident-2   0s 1h0m0s"}) {
		t.Errorf("they took %q", h)
	}
	d.later(keepFor + time.Hour)
	if err := d.feat.Prune(context.Background()); err != nil {
		t.Fatal(err)
	}
	if h := d.handled(); len(h) != 0 {
		t.Errorf("half a year later there is %q", h)
	}
}

// A storm took as long as it took, once, however many it stands for.
func TestHowLongAStormTook(t *testing.T) {
	d := newDesk(t)
	d.cfg.Storm = 1
	for n := range 6 {
		d.sends(d.alert("firing", key(fmt.Sprint(n))))
	}
	d.later(10 * time.Minute)
	d.says("bob", "ack all")
	for n := range 6 {
		d.sends(d.alert("resolved", key(fmt.Sprint(n))))
	}
	d.later(time.Second)
	if h := d.handled(); !slices.Equal(h, []string{"incident-1 sensu web 10m0s 10m0s", "incident-3 sensu  10m0s 10m0s"}) {
		t.Errorf("they took %q", h)
	}
}
