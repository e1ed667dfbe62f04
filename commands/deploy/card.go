package deploy

import (
	"fmt"
	"slices"
	"strings"

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

// operationCard is the one card of an operation, edited in place. A phone shows its
// first lines: what it is and how it stands, what comes next, and the buttons. What
// it is made of comes below.
func (f *feature) operationCard(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	v, err := f.view(tx, s.Subject)
	if err != nil {
		return integrations.Message{}, err
	}
	op := v.op
	m := integrations.Message{Text: v.text(), Asks: slices.ContainsFunc(v.jobs, func(j *store.Job) bool {
		return slices.Contains([]string{store.JobNeedsConfirm, store.JobBlocked, store.JobUnknown}, j.State)
	})}
	line := func(r integrations.Rich) {
		if r != nil {
			m.Blocks = append(m.Blocks, integrations.Block{Text: r})
		}
	}
	line(v.head())
	if !op.Terminal() {
		line(v.warning())
	}
	next, buttons, err := f.next(tx, v)
	if err != nil {
		return m, err
	}
	line(next)
	if v.folded() {
		buttons = append(buttons, integrations.Button{Label: "Details", Command: "status " + op.ID})
	}
	if len(buttons) > 0 {
		m.Blocks = append(m.Blocks, integrations.Block{Buttons: buttons})
	}
	dirty, err := f.dirtyLine(tx, v)
	if err != nil {
		return m, err
	}
	line(dirty)
	if op.Terminal() { // nothing is left to be warned of
		line(v.warning())
	}
	for _, p := range op.Passes {
		line(f.passLine(p))
	}
	m.Blocks = append(m.Blocks, v.built()...)
	tail, err := f.failedTail(tx, v)
	if err != nil {
		return m, err
	}
	if tail != "" {
		m.Blocks = append(m.Blocks, integrations.Block{Code: lastWords(tail, 10)})
	}
	m.Blocks = append(m.Blocks, integrations.Block{Context: integrations.R(v.bar())})
	m.Blocks = append(append(append(m.Blocks, v.stages()...), v.here()...), integrations.Block{Fields: v.fields()})
	if waves := v.waves(); waves != nil {
		line(integrations.R(integrations.Bold("Waves"), ": ", waves))
	}
	if ships := v.ships(); ships != nil {
		if op.Rollback {
			line(integrations.R(shipsTitle(op), ":"))
		}
		m.Blocks = append(m.Blocks, integrations.Block{Context: ships})
	}
	m.Blocks = append(m.Blocks, integrations.Block{Context: v.footer()})
	if op.Terminal() {
		m.Final = fmt.Sprintf("%s %s %s: %s", icon(v.state), op.ID, title(op), v.state)
	}
	return m, nil
}

// head is the card's first line. Where somebody may merge, it says what that does.
func (v view) head() integrations.Rich {
	head := integrations.R(icon(v.state)+" ", integrations.Bold(upper(headline(v.op))), " · ", integrations.Bold(v.state))
	if v.state == store.OpOpen && v.ready {
		head = integrations.R(head, " · ", integrations.Code(v.plans.String()))
	}
	return head
}

// headline is the title without the commits, where a field shows them.
func headline(op *store.Operation) string {
	t := title(op)
	if at := strings.LastIndex(t, " ("); at > 0 && what(op) != nil {
		return t[:at]
	}
	return t
}

// notified is how many characters of a text a phone's notification is sure to show.
const notified = 60

// text says the same to phones and screen readers, and to whoever greps. Its first
// characters are what a locked phone shows: a long quoted title is cut for them.
func (v view) text() string {
	op := v.op
	what := headline(op)
	if over := len([]rune(op.ID+" "+what+": "+v.state)) - notified; over > 0 {
		if from, to := strings.Index(what, "“"), strings.LastIndex(what, "”"); from >= 0 && to > from {
			quoted := what[from+len("“") : to]
			what = what[:from] + "“" + clip(quoted, max(8, len([]rune(quoted))-over)) + what[to:]
		}
	}
	parts := []string{op.ID + " " + what + ": " + v.state}
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
	if op.PRURL != "" {
		parts = append(parts, op.PRURL)
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
