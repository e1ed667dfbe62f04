package lock

import (
	"context"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/store"
)

// What is remembered of a hold that ended goes after 90 days: its record and its
// surfaces, not its audit rows, not one that is still asked about, and no hold that
// stands.
func TestEndedHoldsArePruned(t *testing.T) {
	d := newDesk(t)
	stands := d.says("chief", "stop the database is on fire").Subject
	done := d.says("alice", "lock web/staging tests").Subject
	d.says("alice", "unlock "+done)
	d.waits("job-9", "cdn", "hold")
	asked := d.says("alice", "lock cdn migration").Subject
	d.says("alice", "unlock "+asked)
	d.update(func(tx *store.Tx) error {
		return tx.Audit(store.AuditRow{Act: "unlock", Subject: done, Outcome: "done", Via: "slack"})
	})
	remembered := func(id string) (ended bool, surfaces, audit int) {
		t.Helper()
		d.view(func(tx *store.Tx) error {
			_, ok, err := gate.EndedHold(tx, id)
			if err != nil {
				return err
			}
			all, err := tx.SurfacesOf(id)
			if err != nil {
				return err
			}
			rows, err := tx.AuditRows(store.AuditFilter{Subject: id, Limit: 10})
			ended, surfaces, audit = ok, len(all), len(rows)
			return err
		})
		return ended, surfaces, audit
	}
	prune := func(after time.Duration) {
		t.Helper()
		if err := d.clock.Advance(context.Background(), after, nil); err != nil {
			t.Fatal(err)
		}
		if err := d.feat.Prune(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	prune(keepEnded - time.Minute)
	if ended, surfaces, _ := remembered(done); !ended || surfaces == 0 {
		t.Fatal("it is forgotten before its time")
	}
	prune(2 * time.Minute)
	if ended, surfaces, audit := remembered(done); ended || surfaces != 0 || audit != 1 {
		t.Errorf("after 90 days it is remembered: %v, with %d surfaces and %d audit rows", ended, surfaces, audit)
	}
	if ended, _, _ := remembered(asked); !ended {
		t.Error("one that is still asked about is forgotten")
	}
	if _, surfaces, _ := remembered(stands); d.hold(stands) == nil || surfaces == 0 {
		t.Error("the stop that stands is forgotten")
	}
	d.update(func(tx *store.Tx) error { // what waited is settled
		j, err := tx.Job("job-9")
		if err != nil {
			return err
		}
		j.State = store.JobCancelled
		return tx.PutJob(j)
	})
	d.tick()
	prune(time.Second)
	if ended, _, _ := remembered(asked); ended {
		t.Error("one that nobody is asked about any more is kept")
	}
}
