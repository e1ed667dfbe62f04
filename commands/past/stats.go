package past

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/store"
)

const statsUsually = "30d"

func (f *feature) statsVerb() commands.Verb {
	return commands.Verb{
		Name: "stats", Aliases: []string{"metrics", "dora"}, Summary: "Show how often is deployed, how often it fails and how long it takes", Effect: commands.Reads,
		Args: []commands.Arg{
			{Name: "service", Kind: commands.ArgService, Optional: true, Help: "of one service"},
			{Name: "environment", Kind: commands.ArgEnvironment, Keyword: "in", Optional: true, Help: "where; production, or the last of the environments, unless said"},
			sinceArg("30d unless said; friday, last month, 2026-11-20, in your own time zone"),
		},
		Examples: []string{"stats", "stats {service} --since 30d", "stats in {environment} since last month"},
		Detail: "Failed is a deploy whose apply failed, or that was rolled back. Lead time is from the merge of a pull request, or from a commit without one, until it was live. " +
			"Time to restore is from a failed deploy until the next that went well. A picture is sent to you in a direct message.",
		Decide: f.decide(f.stats),
	}
}

func (f *feature) stats(_ context.Context, a asked) (answer, error) {
	since, _, err := a.since(statsUsually)
	if err != nil {
		return answer{}, err
	}
	r := report{service: a.Arg("service"), environment: a.Arg("environment"), since: since, until: a.now, zone: a.zone}
	if r.environment == "" {
		r.environment = last(a.Catalog, r.service)
	}
	if err := f.Store.View(func(tx *store.Tx) error { return r.count(tx) }); err != nil {
		return answer{}, err
	}
	return r.answer(a)
}

// A report is what was counted of a place in a time.
type report struct {
	service, environment string
	since, until         time.Time
	zone                 *time.Location
	all                  tally
	services             []tally // by name; what belongs to no service comes last
	deploys              []deployed
}

// A tally is the counts of one service, or of all.
type tally struct {
	name      string
	deploys   int // without rollbacks
	failed    int // of them: the apply failed, or they were rolled back
	rollbacks int
	leads     []time.Duration // from the merge until live, of each pull request
	restores  []time.Duration // from a failed deploy to the next good one
	broken    bool            // the last deploy failed
}

// A deployed is one deploy of the report.
type deployed struct {
	at    time.Time
	bad   bool
	leads []time.Duration
}

// infrastructure is what the operations of no service are called.
const infrastructure = "infrastructure"

// count reads the operations that ended in the time, and counts them.
func (r *report) count(tx *store.Tx) error {
	ops, err := tx.FindOperations(store.OperationFilter{Service: r.service, Environment: r.environment, Since: r.since.Add(-openLongest), Keep: func(o *store.Operation) bool {
		return (worked(o) || failed(o)) && o.Kind != "reapply" && o.Ended.After(r.since) && !o.Ended.After(r.until)
	}})
	if err != nil {
		return err
	}
	slices.SortStableFunc(ops, func(a, b *store.Operation) int { return a.Ended.Compare(b.Ended) })
	by := map[string][]*store.Operation{}
	for _, o := range ops {
		name := cmp.Or(o.Service, infrastructure)
		by[name] = append(by[name], o)
	}
	for name, ops := range by {
		t, deploys, err := tallyOf(tx, name, ops)
		if err != nil {
			return err
		}
		r.services = append(r.services, t)
		r.deploys = append(r.deploys, deploys...)
		r.all.add(t)
	}
	slices.SortFunc(r.services, func(a, b tally) int {
		last := func(t tally) int { return map[string]int{infrastructure: 1}[t.name] }
		return cmp.Or(cmp.Compare(last(a), last(b)), cmp.Compare(a.name, b.name))
	})
	return nil
}

func (t *tally) add(o tally) {
	t.deploys, t.failed, t.rollbacks, t.broken = t.deploys+o.deploys, t.failed+o.failed, t.rollbacks+o.rollbacks, t.broken || o.broken
	t.leads, t.restores = append(t.leads, o.leads...), append(t.restores, o.restores...)
}

// tallyOf counts the operations of one service, oldest first.
func tallyOf(tx *store.Tx, name string, ops []*store.Operation) (tally, []deployed, error) {
	t := tally{name: name}
	var out []deployed
	undone := map[string]bool{}
	for _, o := range ops {
		if o.Rollback && worked(o) {
			undone[o.Undoes] = true
		}
	}
	lived := map[string]bool{} // pull requests that were live before
	var broke time.Time
	for _, o := range ops {
		bad := failed(o) || undone[o.ID]
		switch {
		case bad && broke.IsZero():
			broke = o.Ended
		case !bad && !broke.IsZero():
			t.restores, broke = append(t.restores, o.Ended.Sub(broke)), time.Time{}
		}
		if o.Rollback {
			t.rollbacks++
			continue
		}
		leads, err := leadsOf(tx, o, lived)
		if err != nil {
			return t, nil, err
		}
		t.deploys++
		if bad {
			t.failed++
		}
		t.leads = append(t.leads, leads...)
		out = append(out, deployed{o.Ended, bad, leads})
	}
	t.broken = !broke.IsZero()
	return t, out, nil
}

// leadsOf are the lead times of what an operation brought to life for the first time.
func leadsOf(tx *store.Tx, o *store.Operation, lived map[string]bool) ([]time.Duration, error) {
	if !worked(o) {
		return nil, nil
	}
	var out []time.Duration
	note := func(at time.Time) {
		if !at.IsZero() {
			out = append(out, max(0, o.Ended.Sub(at)))
		}
	}
	for _, s := range o.Ships {
		at, name := s.At, fmt.Sprintf("%d#%d", o.RepoID, s.Number)
		if s.Number > 0 {
			if lived[name] {
				continue
			}
			lived[name] = true
		}
		if at.IsZero() && s.Number > 0 {
			p, err := tx.Pull(o.RepoID, s.Number)
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return nil, err
			} else if err == nil {
				at = p.MergedAt
			}
		}
		note(at)
	}
	for _, at := range o.Authored {
		note(at)
	}
	return out, nil
}

// percentile is the smallest of some times that so many percent do not exceed; 0
// of none.
func percentile(all []time.Duration, percent int) time.Duration {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	return sorted[max(0, (len(sorted)*percent+99)/100-1)]
}

// share is the part of the deploys that failed, in percent.
func (t tally) share() float64 {
	if t.deploys == 0 {
		return 0
	}
	return 100 * float64(t.failed) / float64(t.deploys)
}

// bars divides the time into days, weeks or months, as many as can be told apart.
func (r report) bars() []bar {
	var starts []time.Time
	y, m, d := r.since.In(r.zone).Date()
	at := time.Date(y, m, d, 0, 0, 0, 0, r.zone)
	days, months, form := 1, 0, "2 Jan"
	switch span := r.until.Sub(r.since); {
	case span > 190*24*time.Hour:
		at, days, months, form = time.Date(y, m, 1, 0, 0, 0, 0, r.zone), 0, 1, "Jan 06"
	case span > 14*24*time.Hour:
		at, days = time.Date(y, m, d-(int(at.Weekday())+6)%7, 0, 0, 0, 0, r.zone), 7
	}
	for ; !at.After(r.until); at = at.AddDate(0, months, days) {
		starts = append(starts, at)
	}
	out := make([]bar, len(starts))
	leads := make([][]time.Duration, len(starts))
	for i, s := range starts {
		out[i].label = s.Format(form)
	}
	for _, x := range r.deploys {
		i := len(starts) - 1
		for i > 0 && x.at.Before(starts[i]) {
			i--
		}
		if x.bad {
			out[i].failed++
		} else {
			out[i].good++
		}
		leads[i] = append(leads[i], x.leads...)
	}
	for i := range out {
		out[i].lead = percentile(leads[i], 50)
	}
	return out
}
