package deploy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// view is all that an operation's card shows.
type view struct {
	op    *store.Operation
	pull  *store.Pull
	jobs  []*store.Job // applies
	state string       // the word that matters most now
	plans integrations.Plans
	ready bool // every target is planned at this head
	boxes bool // what it ships is checked by its authors
}

func (f *feature) view(tx *store.Tx, id string) (view, error) {
	op, err := tx.Operation(id)
	if err != nil {
		return view{}, err
	}
	s, err := f.fill(tx, subject{op: op})
	if err != nil {
		return view{}, err
	}
	v := view{op: op, pull: s.pull, state: op.State, boxes: f.boxes(op)}
	if v.jobs, err = s.applies(tx); err != nil {
		return view{}, err
	}
	for _, word := range []string{store.JobUnknown, store.JobNeedsConfirm, store.JobBlocked} {
		for _, j := range v.jobs {
			if j.State == word && !slices.Contains([]string{store.JobUnknown, store.JobNeedsConfirm}, v.state) {
				v.state = word
			}
		}
	}
	if v.pull != nil {
		v.plans, v.ready = counts(v.pull, op.Targets)
	}
	if len(v.jobs) > 0 {
		var fresh integrations.Plans
		for _, j := range v.jobs {
			fresh = append(fresh, recordOf(j).Plans...)
		}
		if len(fresh) > 0 {
			v.plans, v.ready = fresh, true
		}
	}
	return v, nil
}

// operationCard is the one card of an operation, edited in place.
func (f *feature) operationCard(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	v, err := f.view(tx, s.Subject)
	if err != nil {
		return integrations.Message{}, err
	}
	op := v.op
	m := integrations.Message{Text: v.text(), Asks: slices.ContainsFunc(v.jobs, func(j *store.Job) bool {
		return slices.Contains([]string{store.JobNeedsConfirm, store.JobBlocked, store.JobUnknown}, j.State)
	})}
	head := integrations.R(icon(v.state)+" ", integrations.Bold(upper(title(op))), " · ", integrations.Bold(v.state))
	m.Blocks = append(m.Blocks, integrations.Block{Text: head}, integrations.Block{Text: integrations.R(v.bar())})
	m.Blocks = append(m.Blocks, integrations.Block{Fields: v.fields(f.Clock.Now())})
	if warn := v.warning(); warn != nil {
		m.Blocks = append(m.Blocks, integrations.Block{Text: warn})
	}
	for _, p := range op.Passes {
		m.Blocks = append(m.Blocks, integrations.Block{Text: f.passLine(p)})
	}
	if ships := v.ships(); ships != nil {
		if op.Rollback {
			m.Blocks = append(m.Blocks, integrations.Block{Text: integrations.R(shipsTitle(op), ":")})
		}
		m.Blocks = append(m.Blocks, integrations.Block{Context: ships})
	}
	for _, j := range v.jobs {
		if j.State == store.JobFailed && j.Tail != "" {
			m.Blocks = append(m.Blocks, integrations.Block{Code: lastLines(j.Tail, 12)})
			break
		}
	}
	if tail, err := f.failedPlan(tx, v); err != nil {
		return m, err
	} else if tail != "" {
		m.Blocks = append(m.Blocks, integrations.Block{Code: lastLines(tail, 12)})
	}
	if dirty, err := f.dirtyLine(tx, v); err != nil {
		return m, err
	} else if dirty != nil {
		m.Blocks = append(m.Blocks, integrations.Block{Text: dirty})
	}
	next, buttons, err := f.next(tx, v)
	if err != nil {
		return m, err
	}
	if next != nil {
		m.Blocks = append(m.Blocks, integrations.Block{Text: next})
	}
	if len(buttons) > 0 {
		m.Blocks = append(m.Blocks, integrations.Block{Buttons: buttons})
	}
	m.Blocks = append(m.Blocks, integrations.Block{Context: v.footer(f.Clock.Now())})
	if op.Terminal() {
		m.Final = fmt.Sprintf("%s %s %s: %s", icon(v.state), op.ID, title(op), v.state)
	}
	return m, nil
}

// text says the same to phones and screen readers, and to whoever greps.
func (v view) text() string {
	op := v.op
	parts := []string{op.ID + " " + title(op) + ": " + v.state}
	if op.PRURL != "" {
		parts = append(parts, op.PRURL)
	}
	if v.ready {
		parts = append(parts, "plan "+v.plans.String())
	}
	for _, j := range v.jobs {
		if j.Why != "" && j.State != store.JobSucceeded && j.State != store.JobSuperseded { // its note tells that
			parts = append(parts, j.Target+": "+j.Why)
		}
	}
	if op.Note != "" {
		parts = append(parts, op.Note)
	}
	return strings.Join(parts, " · ")
}

func icon(state string) string {
	switch state {
	case store.OpSucceeded, store.OpNoop:
		return "✅"
	case store.OpFailed, store.OpPartial:
		return "❌"
	case store.JobUnknown:
		return "❓"
	case store.JobBlocked, store.JobNeedsConfirm:
		return "✋"
	case store.OpClosed:
		return "⚪"
	case store.OpMerged, store.OpApplying:
		return "🚧"
	}
	return "🔷"
}

// bar shows the stages: done, current, to come.
func (v view) bar() string {
	stages := []string{"opened", "planned", "merged", "applied"}
	done, mark := 0, "◐"
	switch v.state {
	case store.OpOpen:
		done = 1
		if v.ready {
			done = 2
		}
	case store.OpMerged, store.OpApplying:
		done = 3
	case store.JobBlocked, store.JobNeedsConfirm, store.JobUnknown:
		done, mark = 3, "✋"
	case store.OpFailed, store.OpPartial:
		done, mark = 3, "✖"
	case store.OpSucceeded, store.OpNoop:
		done = 4
	case store.OpClosed:
		if v.op.MergeSHA != "" {
			return "opened → merged → not applied"
		}
		return "opened → closed without a merge"
	}
	var out []string
	for i, s := range stages {
		switch {
		case i < done:
			out = append(out, "● "+s)
		case i == done:
			out = append(out, mark+" "+s)
		default:
			out = append(out, "○ "+s)
		}
	}
	return strings.Join(out, "  ")
}

func (v view) fields(now time.Time) []integrations.Field {
	op := v.op
	asked := integrations.R(integrations.Who(gate.FromStore(op.Requester)))
	if op.Kind == "unplanned" {
		asked = integrations.R("nobody: it came without a pull request")
	}
	out := []integrations.Field{{Name: "Asked by", Value: asked}}
	if op.PRURL != "" {
		out = append(out, integrations.Field{Name: "Pull request", Value: integrations.R(integrations.Link(op.PRURL, fmt.Sprintf("%s#%d", op.Repo, op.PR)))})
	}
	if op.FromSHA != "" && op.Strategy != "restore" {
		what := integrations.R(integrations.Code(short(op.FromSHA)), " → ", integrations.Code(short(op.ToSHA)))
		if op.Rollback {
			what = integrations.R(integrations.Code(short(op.From)), " → ", integrations.Code(short(op.ToSHA)))
		}
		if op.Strategy == "pin" {
			what = integrations.R(integrations.Code(version(op.From)), " → ", integrations.Code(version(op.To)))
		}
		if op.CompareURL != "" {
			what = integrations.R(what, ", ", integrations.Link(op.CompareURL, plural(op.Commits, "commit")))
		}
		out = append(out, integrations.Field{Name: "What", Value: what})
	}
	out = append(out, integrations.Field{Name: "Plan", Value: v.planLine()})
	if waves := v.waves(); waves != nil {
		out = append(out, integrations.Field{Name: "Waves", Value: waves})
	}
	if op.MergedBy != (store.Person{}) {
		out = append(out, integrations.Field{Name: "Merged by", Value: integrations.R(integrations.Who(gate.FromStore(op.MergedBy)), " as ", integrations.Code(short(op.MergeSHA)))})
	}
	var approved []any
	for _, a := range op.Approvals {
		if a.Head == op.Head {
			approved = append(approved, integrations.Who(gate.FromStore(a.By)), " ")
		}
	}
	for _, j := range v.jobs {
		if j.ApprovedBy != nil && !slices.ContainsFunc(op.Approvals, func(a store.Approval) bool {
			return a.Head == op.Head && gate.FromStore(a.By).Same(gate.FromStore(*j.ApprovedBy))
		}) {
			approved = append(approved, integrations.Who(gate.FromStore(*j.ApprovedBy)), " (the blocked merge) ")
		}
		if j.ConfirmedBy != nil {
			approved = append(approved, integrations.Who(gate.FromStore(*j.ConfirmedBy)), " (the plan) ")
		}
	}
	if len(approved) > 0 {
		out = append(out, integrations.Field{Name: "Approved by", Value: integrations.R(approved...)})
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
		return integrations.R(integrations.Code(v.plans.String()), " on ", strings.Join(v.op.Targets, ", "))
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
	return integrations.R("being made on ", strings.Join(v.op.Targets, ", "))
}

// failedPlan is what the tool said of a plan that did not work.
func (f *feature) failedPlan(tx *store.Tx, v view) (string, error) {
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

func (v view) ships() integrations.Rich {
	var parts []any
	for i, s := range v.op.Ships {
		if i == 6 {
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

func (v view) footer(now time.Time) integrations.Rich {
	op := v.op
	parts := []any{integrations.Code(op.ID)}
	if op.Reason != "" && op.Kind == "deploy" {
		parts = append(parts, " · ", integrations.Italic(op.Reason))
	}
	for _, j := range v.jobs {
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
