package statuspage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// ageing closes what nobody answers: after five minutes what was shown is asked again, and
// after a day it is not asked any more.
func (f *feature) ageing(ctx context.Context) error {
	var due []Notice
	now := f.Clock.Now()
	err := f.Store.View(func(tx *store.Tx) error {
		return notices(tx).Each("", func(_ string, n Notice) error {
			if n.State == stateAsking && (!n.Old && now.Sub(n.Shown) > confirmFor || now.Sub(n.Shown) > askFor) {
				due = append(due, n)
			}
			return nil
		})
	})
	if err != nil || len(due) == 0 {
		return err
	}
	return f.Store.Update(ctx, func(tx *store.Tx) error {
		for _, n := range due {
			n.Old = true
			if now.Sub(n.Shown) > askFor {
				n.State, n.Since, n.Why = stateCancelled, now, "nobody confirmed it within a day"
			}
			if err := put(tx, &n); err != nil && !errors.Is(err, errMoved) {
				return err
			}
		}
		return nil
	})
}

// watch looks at the page, and takes over what it says of incidents: also of those that
// were opened, and of what was changed, on Statuspage's own pages.
func (f *feature) watch(ctx context.Context) error {
	now := f.Clock.Now()
	f.mu.Lock()
	due := f.Page != nil && (f.looked.IsZero() || now.Sub(f.looked) >= f.Every)
	if due {
		f.looked = now
	}
	f.mu.Unlock()
	if !due {
		return nil
	}
	seen, gone, err := f.sight(ctx)
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return f.silent(ctx, now, err)
	}
	return f.Store.Update(ctx, func(tx *store.Tx) error {
		for _, i := range seen {
			if err := keep(tx, i, now, f.home()); err != nil {
				return err
			}
			if err := f.turnedUp(tx, i); err != nil {
				return err
			}
		}
		for _, id := range gone {
			if err := vanished(tx, id, now); err != nil {
				return err
			}
		}
		return f.heard(tx, now, "")
	})
}

// sight is what the page says of the incidents that are open, there or here.
func (f *feature) sight(ctx context.Context) (seen []integrations.PageIncident, gone []string, err error) {
	if seen, err = f.Page.Unresolved(ctx); err != nil {
		return nil, nil, err
	}
	there := map[string]bool{}
	for _, i := range seen {
		there[i.ID] = true
	}
	var missing []string
	err = f.Store.View(func(tx *store.Tx) error {
		return incidents(tx).Each("", func(id string, i Incident) error {
			if i.Ended.IsZero() && !there[id] {
				missing = append(missing, id)
			}
			return nil
		})
	})
	for _, id := range missing {
		i, failed := f.Page.Incident(ctx, id)
		switch {
		case errors.As(failed, new(*integrations.Gone)):
			gone = append(gone, id)
		case failed != nil:
			return nil, nil, errors.Join(err, failed)
		default:
			seen = append(seen, i)
		}
	}
	return seen, gone, err
}

// turnedUp ends a notice of which nobody could tell whether it was posted.
func (f *feature) turnedUp(tx *store.Tx, i integrations.PageIncident) error {
	var all []Notice
	err := notices(tx).Each("", func(_ string, n Notice) error {
		if n.State == stateUnknown && n.Nonce != "" && n.Nonce == i.Nonce {
			all = append(all, n)
		}
		return nil
	})
	for _, n := range all {
		n.State, n.Since, n.Why, n.Incident, n.URL = statePosted, tx.Now(), "", i.ID, i.URL
		err = errors.Join(err, put(tx, &n), about(tx, i.ID, n.Ask.About), tx.Audit(audit(&n, "found on the page")))
	}
	return err
}

func vanished(tx *store.Tx, id string, at time.Time) error {
	i, found, err := incidents(tx).Get(id)
	if err != nil || !found || i.Seen.After(at) {
		return err
	}
	i.Gone, i.Ended, i.Seen = true, tx.Now(), at
	err = errors.Join(incidents(tx).Put(id, i), tell.Mark(tx, incidentSubject(id), true))
	if i.About != "" {
		err = errors.Join(err, tell.Mark(tx, i.About, true))
	}
	return err
}

// silent writes down that the page does not answer; that is told when it has not for a while.
func (f *feature) silent(ctx context.Context, now time.Time, why error) error {
	var later *integrations.Later
	if errors.As(why, &later) && later.Err != nil {
		why = later.Err
	}
	f.Log.Warn("look at the status page", "error", why)
	var r Reading
	if err := f.Store.View(func(tx *store.Tx) (err error) { r, _, err = readings(tx).Get(theReading); return err }); err != nil {
		return err
	}
	if r.Why != "" || !r.At.IsZero() && now.Sub(r.At) < 2*f.Every {
		return nil
	}
	return f.Store.Update(ctx, func(tx *store.Tx) error { return f.heard(tx, r.At, fmt.Sprintf("“%v”", why)) })
}

// heard writes down how the page was looked at, and has the open incidents shown anew where
// it went another way than before.
func (f *feature) heard(tx *store.Tx, at time.Time, why string) error {
	was, _, err := readings(tx).Get(theReading)
	if err != nil {
		return err
	}
	err = readings(tx).Put(theReading, Reading{At: at, Why: why})
	if was.Why == why {
		return err
	}
	var open []string
	err = errors.Join(err, incidents(tx).Each("", func(id string, i Incident) error {
		if i.Ended.IsZero() {
			open = append(open, id)
		}
		return nil
	}))
	for _, id := range open {
		err = errors.Join(err, tell.Mark(tx, incidentSubject(id), false))
	}
	return err
}
