package deploy

import (
	"context"
	"time"

	"github.com/signalbox-chatops/signalbox/store"
)

// confirmLife is how long a plan waits for its confirmation. Who reviewed it a
// day ago has not reviewed what it would do now.
const confirmLife = 24 * time.Hour

// expire ends the jobs whose confirmation nobody gave.
func (f *feature) expire(ctx context.Context) error {
	return f.Store.Update(ctx, func(tx *store.Tx) error {
		live, err := tx.LiveJobs()
		if err != nil {
			return err
		}
		for _, j := range live {
			if j.State != store.JobNeedsConfirm || f.Clock.Now().Sub(j.Updated) < confirmLife {
				continue
			}
			j.State, j.Why, j.Ended = store.JobExpired, "nobody confirmed its plan within a day", f.Clock.Now()
			if err := tx.PutJob(j); err != nil {
				return err
			}
			err := tx.Audit(store.AuditRow{Who: j.Requester, Act: "job apply", Subject: j.ID, Target: j.Target, Outcome: j.State, Detail: j.Why, Via: "clock"})
			if err != nil {
				return err
			}
			if err := f.applyChanged(tx, j, true); err != nil {
				return err
			}
		}
		return nil
	})
}
