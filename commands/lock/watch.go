package lock

import (
	"context"
	"errors"
	"strconv"

	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/store"
)

// watch ends the holds whose time is over and reminds the owners of those whose
// time is near. What the messages of ended holds ask about may have come to be
// held by what another feature put there, a dirty target say, so they are shown
// anew. Each is marked in the transaction that opens its message, so that nobody
// is told twice.
func (f *feature) watch(ctx context.Context) error {
	due := false
	err := f.Store.View(func(tx *store.Tx) error {
		all, err := tx.Holds()
		for _, h := range all {
			due = due || h.Over(f.Clock.Now()) || nagDue(h, f.Clock.Now())
		}
		if err != nil {
			return err
		}
		moved, err := f.movedOn(tx)
		due = due || len(moved) > 0
		if err != nil {
			return err
		}
		changed, err := f.goneChanged(tx)
		due = due || len(changed) > 0
		if err != nil {
			return err
		}
		return store.Feature[[]string](tx, askedAbout).Each("", func(string, []string) error {
			due = true
			return nil
		})
	})
	if err != nil || !due {
		return err
	}
	return f.Store.Update(ctx, func(tx *store.Tx) error {
		all, err := tx.Holds()
		if err != nil {
			return err
		}
		for _, h := range all {
			switch now := f.Clock.Now(); {
			case h.Over(now):
				err = f.expire(tx, h)
			case nagDue(h, now):
				err = f.nag(tx, h)
			}
			if err != nil {
				return err
			}
		}
		return errors.Join(f.showGone(tx), f.showMovedOn(tx), f.markAsking(tx))
	})
}

// goneHolds are the holds whose messages say that what they hold is not in the
// configuration.
func goneHolds(tx *store.Tx) *store.Records[bool] { return store.Feature[bool](tx, "hold gone") }

// goneChanged are the holds of which a reload changed that.
func (f *feature) goneChanged(tx *store.Tx) ([]*store.Hold, error) {
	all, err := tx.Holds()
	if err != nil {
		return nil, err
	}
	var out []*store.Hold
	for _, h := range all {
		_, said, err := goneHolds(tx).Get(h.ID)
		if err != nil {
			return nil, err
		}
		if said != gate.Gone(f.Catalog(), h) {
			out = append(out, h)
		}
	}
	return out, nil
}

func (f *feature) showGone(tx *store.Tx) error {
	changed, err := f.goneChanged(tx)
	if err != nil {
		return err
	}
	for _, h := range changed {
		if gate.Gone(f.Catalog(), h) {
			err = goneHolds(tx).Put(h.ID, true)
		} else {
			err = goneHolds(tx).Delete(h.ID)
		}
		if err == nil {
			err = tell.Mark(tx, h.ID, true)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// expire ends a hold whose owner let its time pass. What waited for it stays as it
// is, and the channel is asked.
func (f *feature) expire(tx *store.Tx, h *store.Hold) error {
	e := gate.Ended{Hold: *h, How: gate.EndExpired, At: f.Clock.Now()}
	if err := f.end(tx, e); err != nil {
		return err
	}
	if err := f.audit(tx, h, noun(h)+" expired"); err != nil {
		return err
	}
	if err := f.tellEnd(tx, e); err != nil {
		return err
	}
	if err := f.remember(tx, h); err != nil {
		return err
	}
	waiting, err := f.waiting(tx, h)
	if err != nil || len(waiting) == 0 {
		return err
	}
	return f.openAsk(tx, h)
}

// nag reminds the owner of a hold.
func (f *feature) nag(tx *store.Tx, h *store.Hold) error {
	h.Nagged = f.Clock.Now()
	if err := tx.PutHold(h, h.Version); err != nil {
		return err
	}
	if err := f.audit(tx, h, noun(h)+" reminder"); err != nil {
		return err
	}
	if f.old(h) {
		return f.nagOld(tx, h)
	}
	err := f.direct(tx, h, h.Owner, directNag, strconv.FormatInt(h.Nagged.Unix(), 10), map[string]string{
		"owner": gate.FromStore(h.Owner).Display(), "reason": h.Reason, "until": gate.Clock(h.Expires), "at": strconv.FormatInt(h.Nagged.Unix(), 10),
	})
	if err != nil {
		return err
	}
	return f.mark(tx, h)
}

func (f *feature) audit(tx *store.Tx, h *store.Hold, act string) error {
	r := about(f.Catalog(), h)
	return tx.Audit(store.AuditRow{Who: h.Owner, Act: act, Subject: h.ID, Service: r.Service, Environment: r.Environment, Target: r.Target, Outcome: "done", Detail: h.Reason, Via: "clock"})
}
