package deploy

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// fields are at most five, and short: side by side on a desk, one below the other on
// a phone.
func (v view) fields() []integrations.Field {
	op := v.op
	asked := integrations.R(integrations.Who(gate.FromStore(op.Requester)))
	if op.Kind == "unplanned" {
		asked = integrations.R("nobody: it came without a pull request")
	}
	out := []integrations.Field{{Name: "Asked by", Value: asked}}
	if op.PRURL != "" {
		out = append(out, integrations.Field{Name: "Pull request", Value: integrations.R(integrations.Link(op.PRURL, fmt.Sprintf("%s#%d", op.Repo, op.PR)))})
	}
	if w := what(op); w != nil {
		out = append(out, integrations.Field{Name: "What", Value: w})
	}
	out = append(out, integrations.Field{Name: "Plan", Value: v.planLine()})
	approved := v.approved()
	if op.MergedBy != (store.Person{}) {
		merged := integrations.R(integrations.Who(gate.FromStore(op.MergedBy)), " as ", integrations.Code(short(op.MergeSHA)))
		if approved != nil {
			merged = integrations.R(merged, ", approved by ", approved)
		}
		return append(out, integrations.Field{Name: "Merged by", Value: merged})
	}
	if approved != nil {
		out = append(out, integrations.Field{Name: "Approved by", Value: approved})
	}
	return out
}

// what is the step that a deploy takes, nil for an operation that is none.
func what(op *store.Operation) integrations.Rich {
	if op.FromSHA == "" || op.Strategy == "restore" {
		return nil
	}
	from, to := short(op.FromSHA), short(op.ToSHA)
	if op.Rollback {
		from = short(op.From)
	}
	if op.Strategy == "pin" {
		from, to = version(op.From), version(op.To)
	}
	step := integrations.R(integrations.Code(from), " → ", integrations.Code(to))
	if op.CompareURL != "" {
		step = integrations.R(step, ", ", integrations.Link(op.CompareURL, plural(op.Commits, "commit")))
	}
	return step
}

// approved names who agreed, to the head, to a merge that was blocked or to a plan.
func (v view) approved() integrations.Rich {
	op := v.op
	var names []integrations.Rich
	for _, a := range op.Approvals {
		if a.Head == op.Head {
			names = append(names, integrations.R(integrations.Who(gate.FromStore(a.By))))
		}
	}
	for _, j := range v.jobs {
		if j.ApprovedBy != nil && !slices.ContainsFunc(op.Approvals, func(a store.Approval) bool {
			return a.Head == op.Head && gate.FromStore(a.By).Same(gate.FromStore(*j.ApprovedBy))
		}) {
			names = append(names, integrations.R(integrations.Who(gate.FromStore(*j.ApprovedBy)), " (the blocked merge)"))
		}
		if j.ConfirmedBy != nil {
			names = append(names, integrations.R(integrations.Who(gate.FromStore(*j.ConfirmedBy)), " (the plan)"))
		}
	}
	var out integrations.Rich
	for i, n := range names {
		if i > 0 {
			out = append(out, integrations.R(", ")...)
		}
		out = append(out, n...)
	}
	return out
}

// planLine is the counts by target, or how far the planning is.
func (v view) planLine() integrations.Rich {
	switch {
	case len(v.op.Targets) == 0:
		return integrations.R("no target")
	case v.ready && v.plans.Empty():
		return integrations.R(integrations.Code(v.plans.String()), " nothing to change")
	case v.ready:
		return integrations.R(integrations.Code(v.plans.String()), " on ", some(v.op.Targets))
	case v.pull == nil:
		return integrations.R("once the pull request is open")
	}
	for _, t := range v.op.Targets {
		if p := v.pull.Plans[t]; p.Head == v.pull.Head && p.State == "failed" {
			return integrations.R(integrations.Bold("did not work"), " on ", t, ": ", p.Why)
		}
	}
	for _, t := range v.op.Targets {
		if p := v.pull.Plans[t]; p.Head == v.pull.Head && renewing(p) {
			return integrations.R("was ", integrations.Code(plansOf(p).String()), "; being made again, because ", t, " was changed since")
		}
	}
	return integrations.R("being made on ", some(v.op.Targets))
}

// failedTail is what the tool said of an apply, or else of a plan, that did not work.
func (f *feature) failedTail(tx *store.Tx, v view) (string, error) {
	for _, j := range v.jobs {
		if j.State == store.JobFailed && j.Tail != "" {
			return j.Tail, nil
		}
	}
	if v.pull == nil || v.op.State != store.OpOpen {
		return "", nil
	}
	for _, t := range v.op.Targets {
		if p := v.pull.Plans[t]; p.Head == v.pull.Head && p.State == "failed" {
			return tailOf(tx, p.Job)
		}
	}
	return "", nil
}

// tailOf is the end of a job's log, empty where the job is forgotten.
func tailOf(tx *store.Tx, job string) (string, error) {
	j, err := tx.Job(job)
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	} else if err != nil {
		return "", err
	}
	return j.Tail, nil
}

// warning names what is destroyed or replaced.
func (v view) warning() integrations.Rich {
	var parts []any
	if v.op != nil && v.op.Unsafe != "" && !v.op.Terminal() {
		parts = append(parts, "⚠️ Rolling back may not be enough: ", v.op.Unsafe, ". ")
	}
	if d := v.plans.Destroyed(); len(d) > 0 {
		parts = append(parts, "⚠️ destroys ", integrations.Code(strings.Join(d[:min(8, len(d))], ", ")), " ")
	}
	if d := v.plans.Replaced(); len(d) > 0 {
		parts = append(parts, "♻️ replaces ", integrations.Code(strings.Join(d[:min(8, len(d))], ", ")))
	}
	if len(parts) == 0 {
		return nil
	}
	return integrations.R(parts...)
}

// listed is how many things of a kind a card names before it says how many more
// there are; Details lists them all.
const listed = 3

// folded says whether the card leaves something out.
func (v view) folded() bool {
	return fold(len(v.op.Ships)) || fold(len(v.op.Targets)) || fold(len(v.jobs))
}

// fold says whether so many things are too many; "and 1 more" would save no line.
func fold(n int) bool { return n > listed+1 }

// some names the first of several targets.
func some(targets []string) string {
	if !fold(len(targets)) {
		return strings.Join(targets, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(targets[:listed], ", "), len(targets)-listed)
}

func (v view) ships() integrations.Rich {
	var parts []any
	for i, s := range v.op.Ships {
		if i == listed && fold(len(v.op.Ships)) {
			parts = append(parts, fmt.Sprintf("and %d more", len(v.op.Ships)-i))
			break
		}
		label := firstLine(s.Title)
		if s.Number > 0 {
			label = fmt.Sprintf("#%d %s", s.Number, label)
		}
		if v.boxes {
			parts = append(parts, boxShown(v.op, s))
		}
		parts = append(parts, integrations.Link(s.URL, label))
		if s.Author != "" {
			parts = append(parts, " by "+s.Author)
		}
		if v.boxes && s.Checked != nil && !authored(s, gate.FromStore(s.Checked.By)) {
			parts = append(parts, " (checked by "+gate.FromStore(s.Checked.By).Display()+")")
		}
		if i < len(v.op.Ships)-1 {
			parts = append(parts, "\n")
		}
	}
	if len(parts) == 0 {
		return nil
	}
	return integrations.R(parts...)
}

// boxShown is the box of what ships, as a card shows it. Of what is over only who
// has checked is told.
func boxShown(op *store.Operation, s store.Ship) string {
	switch {
	case !gate.Boxed(s):
		return ""
	case s.Checked != nil:
		return "☑ "
	case op.Terminal():
		return ""
	}
	return "☐ "
}

func (v view) footer() integrations.Rich {
	op := v.op
	parts := []any{integrations.Code(op.ID)}
	if op.Reason != "" && op.Kind == "deploy" {
		parts = append(parts, " · ", integrations.Italic(op.Reason))
	}
	for i, j := range v.jobs {
		if i == listed && fold(len(v.jobs)) {
			parts = append(parts, fmt.Sprintf(" · and %d more", len(v.jobs)-i))
			break
		}
		parts = append(parts, " · ", j.ID, " ", j.Target, " ", j.State)
	}
	if !op.Ended.IsZero() {
		parts = append(parts, " · took "+gate.Age(op.Ended.Sub(op.Created)))
	} else if !op.Created.IsZero() {
		parts = append(parts, " · since ", integrations.Span{Text: op.Created.UTC().Format("15:04 MST"), Form: "time", At: op.Created})
	}
	return integrations.R(parts...)
}

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// lastWords are the last lines of a log, from where the tool says what the error is.
func lastWords(s string, n int) string {
	s = lastLines(s, n)
	lines := strings.Split(s, "\n")
	if at := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "Error: ") }); at > 0 {
		return strings.Join(lines[at:], "\n")
	}
	return s
}
