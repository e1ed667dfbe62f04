package digest

import (
	"slices"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations/kit/stats"
	"github.com/signalbox-chatops/signalbox/store"
)

// A report is what was in a time, and in the time of the same length before it.
type report struct {
	From time.Time `json:"from"` // what happened after it counts
	To   time.Time `json:"to"`   // and not after this
	Zone string    `json:"zone"`
	// Environments are those whose deploys count; none is all.
	Environments []string   `json:"environments,omitempty"`
	All          service    `json:"all"`
	Services     []service  `json:"services,omitempty"` // by name; what belongs to none comes last
	Incidents    incidents  `json:"incidents,omitzero"`
	Handled      []handling `json:"handled,omitempty"` // all first
	Schedules    []schedule `json:"schedules,omitempty"`
	// Paged says that calls of people are kept at all.
	Paged     bool `json:"paged,omitempty"`
	Strangers int  `json:"strangers,omitempty"` // calls of people who are in no schedule
}

// A service is its numbers, and those of the time before.
type service struct {
	Name   string  `json:"name,omitempty"` // "" is what belongs to none
	Now    numbers `json:"now"`
	Before numbers `json:"before"`
}

// numbers are a tally in what is shown of it.
type numbers struct {
	Deploys   int           `json:"deploys"`
	Failed    int           `json:"failed"`
	Rollbacks int           `json:"rollbacks,omitempty"`
	Share     float64       `json:"share,omitempty"` // of the deploys failed, in percent
	Lead      time.Duration `json:"lead,omitempty"`  // the median
	Leads     int           `json:"leads,omitempty"` // of so many
	Restore   time.Duration `json:"restore,omitempty"`
	Restores  int           `json:"restores,omitempty"`
	Broken    bool          `json:"broken,omitempty"`
}

func numbersOf(t stats.Tally) numbers {
	return numbers{
		Deploys: t.Deploys, Failed: t.Failed, Rollbacks: t.Rollbacks, Share: t.Share(),
		Lead: stats.Percentile(t.Leads, 50), Leads: len(t.Leads), Restore: stats.Percentile(t.Restores, 50), Restores: len(t.Restores), Broken: t.Broken,
	}
}

// none says that nothing was deployed, and nothing is broken.
func (n numbers) none() bool { return n.Deploys+n.Rollbacks == 0 && !n.Broken }

// incidents are those of the time.
type incidents struct {
	Opened int           `json:"opened,omitempty"`
	Over   int           `json:"over,omitempty"`
	Took   time.Duration `json:"took,omitempty"` // those that were over, the median
	Open   int           `json:"open,omitempty"` // at its end
}

// brokenSince is how long before the time deploys are read: what was mended in it may have
// been broken that long.
const brokenSince = 30 * 24 * time.Hour

// report reads a time, as all is known at a moment.
func (f *feature) report(tx *store.Tx, c Config, zone *time.Location, from, to, now time.Time) (report, error) {
	r := report{From: from, To: to, Zone: zone.String(), Environments: c.Environments, Paged: f.Pages != nil}
	if err := f.deploys(tx, &r, now); err != nil {
		return r, err
	}
	if err := r.count(tx); err != nil {
		return r, err
	}
	if err := f.handle(tx, &r); err != nil {
		return r, err
	}
	return r, f.serve(tx, c, zone, &r)
}

// before is when the time before begins, which is as long.
func (r report) before() time.Time {
	zone := r.zone()
	for days := 1; days <= mostDays; days++ {
		if r.From.In(zone).AddDate(0, 0, days).Equal(r.To) { // whole days, however long they are
			return r.From.In(zone).AddDate(0, 0, -days)
		}
	}
	return r.From.Add(-r.To.Sub(r.From))
}

func (r report) zone() *time.Location {
	z, err := time.LoadLocation(r.Zone)
	if err != nil {
		return time.UTC
	}
	return z
}

// deploys counts them. That one was rolled back since makes it a failed one.
func (f *feature) deploys(tx *store.Tx, r *report, now time.Time) error {
	before := r.before()
	all, err := f.Deploys(tx, "", "", before.Add(-brokenSince), now)
	if err != nil {
		return err
	}
	if len(r.Environments) > 0 {
		all = slices.DeleteFunc(all, func(d stats.Deploy) bool { return !slices.Contains(r.Environments, d.Environment) })
	}
	was, is := stats.ByService(all, before, r.From), stats.ByService(all, r.From, r.To)
	for _, t := range is {
		s := service{Name: t.Service, Now: numbersOf(t)}
		if i := slices.IndexFunc(was, func(o stats.Tally) bool { return o.Service == t.Service }); i >= 0 {
			s.Before = numbersOf(was[i])
		}
		r.Services = append(r.Services, s)
	}
	r.All = service{Now: numbersOf(stats.Sum(is)), Before: numbersOf(stats.Sum(was))}
	return nil
}

// An incidentRow is an incident as far as it counts: one of a storm does with the storm.
type incidentRow struct {
	gate.Incident
	Storm string `json:"storm"`
}

// count counts the incidents.
func (r *report) count(tx *store.Tx) error {
	var took []time.Duration
	in := func(at time.Time) bool { return at.After(r.From) && !at.After(r.To) }
	err := store.Feature[incidentRow](tx, gate.IncidentFeature).Each("", func(_ string, i incidentRow) error {
		if i.Storm != "" {
			return nil
		}
		if in(i.Opened) {
			r.Incidents.Opened++
		}
		switch {
		case in(i.Over):
			took = append(took, i.Over.Sub(i.Opened))
		case !i.Opened.After(r.To) && (i.Over.IsZero() || i.Over.After(r.To)):
			r.Incidents.Open++
		}
		return nil
	})
	r.Incidents.Over, r.Incidents.Took = len(took), stats.Percentile(took, 50)
	return err
}
