package rounds

import (
	"context"
	"maps"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// A monitoring that tells the status of a host does not tell since when it has it. So
// hosts are looked at each hour, and what changed is written down.

// A sighting is since when a host has its status.
type sighting struct {
	Status string    `json:"status"`
	Since  time.Time `json:"since"`
	// Longer says that it had the status when it was first seen.
	Longer bool `json:"longer,omitempty"`
}

// keepSight looks at the hosts once an hour.
func (f *feature) keepSight(ctx context.Context, now time.Time) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.Monitor == nil || now.Sub(f.sight) < sightEvery && !now.Before(f.sight) {
		return nil
	}
	f.sight = now
	hosts, err := f.Monitor.Hosts(ctx)
	if err != nil { // the next hour sees it, and a round tells it
		f.Log.Info("look at the hosts of the monitoring", "error", err)
		return nil
	}
	found := facts{hosts: hosts, at: now}
	var changes bool
	err = f.Store.View(func(tx *store.Tx) error {
		was, err := seenBefore(tx)
		changes = len(fresh(was, found)) > 0 || len(left(was, found)) > 0
		return err
	})
	if err != nil || !changes {
		return err
	}
	return f.Store.Update(ctx, func(tx *store.Tx) error { return note(tx, found) })
}

func seenBefore(tx *store.Tx) (map[string]sighting, error) {
	out := map[string]sighting{}
	err := sightings(tx).Each("", func(id string, s sighting) error { out[id] = s; return nil })
	return out, err
}

// fresh are the hosts, by their ids, whose status is another one or that are new. Where
// none was known, nobody can tell since when.
func fresh(was map[string]sighting, found facts) map[string]sighting {
	out := map[string]sighting{}
	for _, h := range found.hosts {
		before, known := was[h.ID]
		if known && before.Status == h.Status {
			continue
		}
		now := sighting{Status: h.Status, Since: found.at, Longer: !known}
		if !known && found.at.Sub(h.Since) < sightEvery && !h.Since.IsZero() {
			now.Since, now.Longer = h.Since, false // it is new altogether
		}
		out[h.ID] = now
	}
	return out
}

// left are the ids of hosts that there are no more.
func left(was map[string]sighting, found facts) (out []string) {
	there := map[string]bool{}
	for _, h := range found.hosts {
		there[h.ID] = true
	}
	for id := range was {
		if !there[id] {
			out = append(out, id)
		}
	}
	return out
}

// note writes down what changed.
func note(tx *store.Tx, found facts) error {
	was, err := seenBefore(tx)
	if err != nil {
		return err
	}
	for id, now := range fresh(was, found) {
		if err := sightings(tx).Put(id, now); err != nil {
			return err
		}
	}
	for _, id := range left(was, found) {
		if err := sightings(tx).Delete(id); err != nil {
			return err
		}
	}
	return nil
}

// sighted gives since when each has its status, by their ids.
func sighted(tx *store.Tx, found facts) (map[string]host, error) {
	was, err := seenBefore(tx)
	if err != nil {
		return nil, err
	}
	maps.Copy(was, fresh(was, found))
	out := map[string]host{}
	for _, h := range found.hosts {
		out[h.ID] = host{Name: name(h), Since: was[h.ID].Since, Longer: was[h.ID].Longer}
	}
	return out, nil
}

func name(h integrations.MonitoredHost) string {
	if h.Name == "" {
		return h.ID
	}
	return h.Name
}
