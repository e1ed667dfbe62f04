package oncall

import (
	"slices"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// moves are the changes by which somebody comes on call for somebody else.
var moves = []string{"take", "cover", "swap"}

// Served is who was on call of each schedule from a time until before another, in the
// order of the configuration, and what people changed. A schedule of which that time is
// not known at all is left out; of one that is kept elsewhere From is since when it is.
func (f *Rota) Served(tx *store.Tx, from, to time.Time) (out []integrations.Served, err error) {
	for _, s := range f.Config().Schedules {
		one := integrations.Served{Schedule: s.Name, Zone: s.zone(), From: minute(from), To: minute(to), People: uniqueSorted(s.people())}
		if s.elsewhere() {
			r, found, err := reads(tx).Get(s.Name)
			if err != nil {
				return nil, err
			}
			one.From, one.To = later(one.From, r.From), earlier(one.To, r.To)
			if !found || r.ID != s.PagerDuty || r.From.IsZero() {
				continue
			}
		}
		if !one.From.Before(one.To) {
			continue
		}
		if one.Shifts, err = f.timeline(tx, s, one.From, one.To); err != nil {
			return nil, err
		}
		err = changes(tx).Each("", func(_ string, c change) error {
			if c.Schedule == s.Name && !c.Undone && slices.Contains(moves, c.Act) && !c.At.Before(from) && c.At.Before(to) {
				one.Changes = append(one.Changes, c.Act)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}
