package deploy

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

func short(sha string) string { return sha[:min(7, len(sha))] }

func pullSubject(repoID int64, number int) string { return tell.PullSubject(repoID, number) }

// plansOf reads a stored plan.
func plansOf(p store.Planned) integrations.Plans { return decode[integrations.Plans](p.Doc) }

// counts sums the plans of several targets.
func counts(p *store.Pull, targets []string) (all integrations.Plans, complete bool) {
	complete = len(targets) > 0
	for _, t := range targets {
		pl, ok := p.Plans[t]
		if !ok || pl.Head != p.Head || pl.State != "done" {
			complete = false
			continue
		}
		all = append(all, plansOf(pl)...)
	}
	return all, complete
}

// stamp names what somebody sees when a button is drawn: the head and its plans.
// A button whose stamp has changed was drawn for something else.
func stamp(p *store.Pull, targets []string) uint64 {
	h := fnv.New64a()
	fmt.Fprint(h, p.Head)
	for _, t := range slices.Sorted(slices.Values(targets)) {
		fmt.Fprint(h, "|", t, p.Plans[t].Head, p.Plans[t].State, plansOf(p.Plans[t]).Digest())
	}
	return fit(h.Sum64())
}

// stampOf is the stamp of a digest.
func stampOf(digest string) uint64 {
	h := fnv.New64a()
	fmt.Fprint(h, digest)
	return fit(h.Sum64())
}

// stampBlocked names what keeps the blocked ones of some jobs: an approval is for
// that, and for the head that they were merged at.
func stampBlocked(jobs []*store.Job) uint64 {
	h := fnv.New64a()
	for _, j := range jobs {
		if j.State == store.JobBlocked {
			fmt.Fprint(h, j.ID, "|", j.SHA, "|", j.Closed, "|")
		}
	}
	return fit(h.Sum64())
}

// fit keeps a stamp within what JSON carries exactly, and never zero.
func fit(n uint64) uint64 { return n>>12 | 1 }

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}

// ended says how a job ended, naming the step once.
func ended(j *store.Job) string {
	step, why := "", strings.TrimSuffix(j.Why, ".")
	if j.FailedStep != "" {
		step, why = " in "+j.FailedStep, strings.TrimPrefix(why, j.FailedStep+": ")
	}
	if j.State == store.JobCancelled {
		said := j.Target + " was " + why + step + "."
		if left := recordOf(j).Left; left != "" {
			said += " " + upper(left) + "."
		}
		return said
	}
	return j.Target + " " + j.State + step + ": " + why + "."
}

func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

// clip cuts a text to a number of runes.
func clip(s string, most int) string {
	r := []rune(firstLine(s))
	if len(r) <= most {
		return string(r)
	}
	return string(r[:most-1]) + "…"
}

// coded sets what stands between backticks as code.
func coded(s string) integrations.Rich {
	var parts []any
	for i, piece := range strings.Split(s, "`") {
		if i%2 == 1 {
			parts = append(parts, integrations.Code(piece))
		} else {
			parts = append(parts, piece)
		}
	}
	return integrations.R(parts...)
}
