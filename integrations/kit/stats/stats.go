// Package stats counts deploys: how many there were, how many failed, how long a change
// took until it was live, and how long it took until something worked again. It is a tool
// of the kit and pure: whoever asks reads the deploys, and says of what time they are.
package stats

import (
	"cmp"
	"slices"
	"time"
)

// A Deploy is one that was applied, or was to be.
type Deploy struct {
	Service     string // "" for what belongs to none
	Environment string
	At          time.Time // when it ended
	// Bad says that it failed, or that it was rolled back later.
	Bad bool
	// Rollback says that it took something back: it is counted apart.
	Rollback bool
	// Leads are the times from the merge until live of each change that came to life with it.
	Leads []time.Duration
}

// A Tally is the counts of one service, or of several.
type Tally struct {
	Service   string
	Deploys   int // without rollbacks
	Failed    int // of them
	Rollbacks int
	Leads     []time.Duration
	// Restores are from the first failed deploy of an environment to the next good one
	// there, of those that ended in the time.
	Restores []time.Duration
	// Broken says that at the end of the time the last deploy of an environment had failed.
	Broken bool
}

// In says whether a deploy ended after since and not after until.
func (d Deploy) In(since, until time.Time) bool { return d.At.After(since) && !d.At.After(until) }

// Count counts the deploys of one service that ended after since and not after until. It
// is given them oldest first. Those from before that time are not counted, but say since
// when what was mended in it had been broken.
func Count(service string, all []Deploy, since, until time.Time) Tally {
	t := Tally{Service: service}
	broke := map[string]time.Time{} // by environment
	for _, d := range all {
		if d.At.After(until) {
			break
		}
		since0, broken := broke[d.Environment]
		switch {
		case d.Bad && !broken:
			broke[d.Environment] = d.At
		case !d.Bad && broken:
			delete(broke, d.Environment)
			if d.In(since, until) {
				t.Restores = append(t.Restores, d.At.Sub(since0))
			}
		}
		switch {
		case !d.In(since, until):
		case d.Rollback:
			t.Rollbacks++
		default:
			t.Deploys++
			t.Leads = append(t.Leads, d.Leads...)
			if d.Bad {
				t.Failed++
			}
		}
	}
	t.Broken = len(broke) > 0
	return t
}

// ByService counts each service by itself, by name; what belongs to none comes last. A
// service without anything in the time is left out, unless it is still broken.
func ByService(all []Deploy, since, until time.Time) (out []Tally) {
	by := map[string][]Deploy{}
	for _, d := range all {
		by[d.Service] = append(by[d.Service], d)
	}
	for name, deploys := range by {
		if t := Count(name, deploys, since, until); t.Deploys+t.Rollbacks > 0 || t.Broken {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, func(a, b Tally) int {
		none := func(t Tally) int { return map[bool]int{true: 1}[t.Service == ""] }
		return cmp.Or(none(a)-none(b), cmp.Compare(a.Service, b.Service))
	})
	return out
}

// Sum is several tallies as one.
func Sum(all []Tally) (t Tally) {
	for _, o := range all {
		t.Deploys, t.Failed, t.Rollbacks, t.Broken = t.Deploys+o.Deploys, t.Failed+o.Failed, t.Rollbacks+o.Rollbacks, t.Broken || o.Broken
		t.Leads, t.Restores = append(t.Leads, o.Leads...), append(t.Restores, o.Restores...)
	}
	return t
}

// Share is the part of the deploys that failed, in percent; 0 of none.
func (t Tally) Share() float64 {
	if t.Deploys == 0 {
		return 0
	}
	return 100 * float64(t.Failed) / float64(t.Deploys)
}

// Percentile is the smallest of some times that so many percent do not exceed; 0 of none.
func Percentile(all []time.Duration, percent int) time.Duration {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	return sorted[max(0, (len(sorted)*percent+99)/100-1)]
}
