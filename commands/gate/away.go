package gate

import (
	"fmt"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/store"
)

// WaitFor are the jobs that wait because a system does not answer, in the order in
// which they were asked for.
func WaitFor(tx *store.Tx, system string) ([]*store.Job, error) {
	live, err := tx.LiveJobs()
	var out []*store.Job
	for _, j := range live {
		if j.Away == system && j.State == store.JobQueued {
			out = append(out, j)
		}
	}
	return out, err
}

// years is further ahead than anything that is to be told is put off.
const years = 10 * 365 * 24 * time.Hour

// Untold is what waits to be told in the places of a system, which are called by its
// name: "slack.message".
func Untold(tx *store.Tx, system string, now time.Time) ([]*store.Surface, error) {
	due, err := tx.DueSurfaces(now.Add(years), 0)
	var out []*store.Surface
	for _, s := range due {
		if s.Parked == "" && strings.HasPrefix(s.Place, strings.ToLower(system)+".") {
			out = append(out, s)
		}
	}
	return out, err
}

// Things says how many jobs wait, and which of the first few: "3 things wait for
// it: the merge of op-3, …". "" if none does. What nobody has asked for and changes
// nothing of theirs, such as finding out how a commit came, is none.
func Things(all []*store.Job) string {
	var jobs []*store.Job
	for _, j := range all {
		if j.Operation != "" || j.Target != "" {
			jobs = append(jobs, j)
		}
	}
	if len(jobs) == 0 {
		return ""
	}
	var names []string
	for _, j := range jobs {
		if len(names) == 5 {
			names = append(names, fmt.Sprintf("%d more", len(jobs)-5))
			break
		}
		what := "the " + j.Kind
		if j.Target != "" {
			what += " on " + j.Target
		}
		if j.Operation != "" {
			what += " of " + j.Operation
		}
		names = append(names, what)
	}
	if len(jobs) == 1 {
		return "1 thing waits for it: " + names[0]
	}
	return fmt.Sprintf("%d things wait for it: %s", len(jobs), strings.Join(names, ", "))
}
