package past

import (
	"cmp"
	"context"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/integrations/kit/stats"
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
	deploys              []stats.Deploy
}

// A tally is the counts of one service, or of all.
type tally struct {
	stats.Tally
	name string
}

// infrastructure is what the operations of no service are called.
const infrastructure = "infrastructure"

// count reads the deploys that ended in the time, and counts them.
func (r *report) count(tx *store.Tx) error {
	all, err := Deploys(tx, r.service, r.environment, r.since, r.until)
	if err != nil {
		return err
	}
	counted := stats.ByService(all, r.since, r.until)
	r.all.Tally = stats.Sum(counted)
	for _, t := range counted {
		r.services = append(r.services, tally{t, cmp.Or(t.Service, infrastructure)})
	}
	for _, d := range all {
		if !d.Rollback {
			r.deploys = append(r.deploys, d)
		}
	}
	return nil
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
		for i > 0 && x.At.Before(starts[i]) {
			i--
		}
		if x.Bad {
			out[i].failed++
		} else {
			out[i].good++
		}
		leads[i] = append(leads[i], x.Leads...)
	}
	for i := range out {
		out[i].lead = stats.Percentile(leads[i], 50)
	}
	return out
}
