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

// next says what comes next, and offers it.
func (f *feature) next(tx *store.Tx, v view) (integrations.Rich, []integrations.Button, error) {
	op := v.op
	note := func(parts ...any) integrations.Rich {
		if op.Note != "" {
			parts = append([]any{op.Note + " "}, parts...)
		}
		if len(parts) == 0 {
			return nil
		}
		return integrations.R(parts...)
	}
	cancel := integrations.Button{Label: "Cancel", Command: "cancel " + op.ID, Confirm: "Close the pull request of " + op.ID + " and delete its branch?"}
	log := integrations.Button{Label: "Log", Command: "log " + op.ID}
	switch {
	case op.Waits != "":
		cancel.Confirm = "Give up the place of " + op.ID + "?"
		return note(), []integrations.Button{cancel}, nil
	case v.state == store.OpOpening:
		return note("Opening the pull request."), []integrations.Button{cancel}, nil
	case v.state == store.OpOpen:
		return f.nextOpen(tx, v, note, cancel)
	case len(v.jobs) > 0 && !op.Terminal():
		return f.nextApplying(tx, v, note, log)
	case op.State == store.OpFailed && op.PR == 0 && len(v.jobs) == 0, op.State == store.OpFailed, op.State == store.OpPartial:
		return f.nextFailed(tx, v, note, log)
	case op.State == store.OpSucceeded:
		why, buttons, err := f.withBack(tx, op, nil, log)
		return note(why...), buttons, err
	}
	return note(), nil, nil
}

// nextFailed says what did not work, and offers to try it again or to take it back, and
// before that what can be set right.
func (f *feature) nextFailed(tx *store.Tx, v view, note func(...any) integrations.Rich, log integrations.Button) (integrations.Rich, []integrations.Button, error) {
	why, mends := []any{}, []integrations.Button{}
	retry := integrations.Button{Label: "Retry", Command: "retry " + v.op.ID, Style: "primary"}
	for _, j := range v.jobs {
		if !j.Terminal() || j.State == store.JobSucceeded || j.State == store.JobNoop {
			continue
		}
		why = append(why, ended(j), " ")
		buttons, lines, err := f.mendButtons(tx, j)
		if err != nil {
			return nil, nil, err
		}
		mends = append(mends, buttons...)
		if b, can := f.hereButton(j); can {
			mends = append(mends, b)
		}
		for _, l := range lines {
			why = append(why, "\n", l)
		}
		if o, harms := harm(j); harms {
			retry = retryOver(j, o)
		}
	}
	why, buttons, err := f.withBack(tx, v.op, why, append(mends, retry, log)...)
	return note(why...), buttons, err
}

func (f *feature) nextOpen(tx *store.Tx, v view, note func(...any) integrations.Rich, cancel integrations.Button) (integrations.Rich, []integrations.Button, error) {
	op := v.op
	if op.MergeAskedBy != nil || op.CloseAskedBy != nil {
		return note(), nil, nil
	}
	if !v.ready {
		return f.nextUnplanned(tx, v, note, cancel)
	}
	st := stamp(v.pull, op.Targets)
	merge := integrations.Button{Label: "Merge", Command: "merge " + op.ID, Version: st, Style: "primary", Confirm: fmt.Sprintf("%s with plan %s?", upper(title(op)), v.plans)}
	if len(destroys(v.plans)) > 0 {
		merge.Confirm = "" // the form asks for the target's name
	}
	q := f.question(gate.AtCard, f.Catalog(), op, v.pull)
	q.Explicit, q.Actor = true, q.Requester
	closed := gate.Ask(tx, q)
	buttons := []integrations.Button{merge, cancel}
	if gate.Named(closed, "approvals") || gate.Named(closed, "policy") {
		merge.Style = ""
		buttons = []integrations.Button{{Label: "Approve", Command: "approve " + op.ID, Version: st, Style: "primary"}, merge, cancel}
	}
	var lines []integrations.Rich
	for _, c := range closed {
		lines = append(lines, shortLine(c))
	}
	switch {
	case op.Newer > 0 && op.Head != headWanted(op):
		lines = append(lines, integrations.R(plural(op.Newer, "newer pull request"), " on ", op.Ref, " would not ship; taking them in would take away what was pushed to the branch."))
	case op.Newer > 0:
		lines = append(lines, integrations.R(plural(op.Newer, "newer pull request"), " on ", op.Ref, " would not ship; Include takes them in and plans again."))
		buttons = append(buttons, integrations.Button{Label: "Include", Command: "include " + op.ID, Version: st})
	}
	if gate.Named(closed, "checked") {
		buttons = append(buttons, integrations.Button{Label: "Checked", Command: "checked " + op.ID})
	}
	self, keep := f.selfLine(op, closed)
	switch {
	case self != nil:
		lines, buttons = append(lines, self), slices.Insert(buttons, 1, keep...)
	case len(closed) == 0:
		lines = append(lines, integrations.R("Merge it here or on GitHub: the merge starts the apply."))
	}
	var wait []any
	for i, l := range lines {
		if i > 0 {
			wait = append(wait, "\n")
		}
		wait = append(wait, l)
	}
	return note(wait...), buttons, nil
}

// nextUnplanned offers to plan again what could not be planned, and before that what can
// be set right.
func (f *feature) nextUnplanned(tx *store.Tx, v view, note func(...any) integrations.Rich, cancel integrations.Button) (integrations.Rich, []integrations.Button, error) {
	op, buttons := v.op, []integrations.Button{cancel}
	var mends []integrations.Button
	var say []any
	for _, t := range op.Targets {
		if v.pull == nil || v.pull.Plans[t].State != "failed" {
			continue
		}
		buttons = []integrations.Button{{Label: "Retry", Command: "plan " + op.ID, Style: "primary"}, {Label: "Log", Command: "log " + op.ID}, cancel}
		j, err := tx.Job(v.pull.Plans[t].Job)
		if errors.Is(err, store.ErrNotFound) {
			continue
		} else if err != nil {
			return nil, nil, err
		}
		more, lines, err := f.mendButtons(tx, j)
		if err != nil {
			return nil, nil, err
		}
		mends = append(mends, more...)
		for _, l := range lines {
			if len(say) > 0 {
				say = append(say, "\n")
			}
			say = append(say, l)
		}
	}
	return note(say...), append(mends, buttons...), nil
}

// shortLine is a closed gate as a card shows it; the whole list, with the open
// ones, is the answer to why.
func shortLine(c gate.Closed) integrations.Rich {
	line := integrations.R("✋ ", integrations.Bold(c.Gate), ": ", reason(c), ".")
	if c.Opens != "" {
		line = integrations.R(line, " Opens: ", coded(c.Opens), ".")
	}
	return line
}

// reason is why a gate is closed, with a link where its hold has one.
func reason(c gate.Closed) integrations.Rich {
	if c.Link == "" {
		return coded(c.Reason)
	}
	return integrations.R(coded(c.Reason), " · ", integrations.Link(c.Link, "more"))
}

// nextBlocked offers an approval where one would help: it lets a change on as the
// fix of what is dirty, and does nothing against a lock.
func (f *feature) nextBlocked(tx *store.Tx, v view, j *store.Job, note func(...any) integrations.Rich) (integrations.Rich, []integrations.Button) {
	op := v.op
	retry := integrations.Button{Label: "Retry", Command: "retry " + op.ID}
	cancel := integrations.Button{Label: "Cancel", Command: "cancel " + op.ID, Confirm: "Drop the apply of " + op.ID + "? The merge stays."}
	q, _ := f.applyQuestion(gate.AtDequeue, op, v.pull, j)
	q.Shown = true
	closed := gate.Ask(tx, q, j.Closed...) // the others may have been opened by facts that are too old by now
	if approvable(op, j, closed) {
		return note("Blocked: ", coded(j.Why), "."), []integrations.Button{{Label: "Approve", Command: "approve " + op.ID, Version: stampBlocked(v.jobs), Style: "primary"}, retry, cancel}
	}
	retry.Style = "primary"
	if len(closed) == 0 {
		return note("What blocked it is gone. Retry it."), []integrations.Button{retry, cancel}
	}
	then := ". Retry it when that is released."
	if byTime(j) {
		then = ". It is asked about when that is over."
		if env, _ := f.Catalog().Environment(op.Environment); env.OnOpen == "run" {
			then = ". It starts by itself when that is over."
		}
	}
	return note("Blocked: ", coded(j.Why), then), []integrations.Button{retry, cancel}
}

// inLine says what queued applies wait for, when all that is left of them waits
// behind others; without it a card would stand still and nobody would know why.
func inLine(tx *store.Tx, jobs []*store.Job) string {
	var waits []string
	for _, j := range jobs {
		if j.Terminal() {
			continue
		}
		queue, err := tx.TargetQueue(j.Target)
		if err != nil || j.State != store.JobQueued || len(queue) == 0 || queue[0].ID == j.ID {
			return ""
		}
		waits = append(waits, fmt.Sprintf("%s waits for %s of %s, which comes before it on %s.", j.ID, queue[0].ID, queue[0].Operation, j.Target))
	}
	return strings.Join(waits, " ")
}

// settling are the buttons that say how an interrupted job ended.
func settling(j *store.Job) []integrations.Button {
	retry := integrations.Button{Label: "Retry", Command: "resolve " + j.ID + " retry", Confirm: "Plan and apply " + j.Target + " again?"}
	if o, harms := harm(j); harms {
		retry = retryOver(j, o)
	}
	return []integrations.Button{
		{Label: "Mark succeeded", Command: "resolve " + j.ID + " succeeded", Confirm: "You have looked, and " + j.Target + " is as the merge wants it?"},
		{Label: "Mark failed", Command: "resolve " + j.ID + " failed", Confirm: "You have looked, and " + j.Target + " is not as the merge wants it?"},
		retry,
	}
}

// nextUnknown says what can be seen of an interrupted apply, and asks how it ended.
func (f *feature) nextUnknown(tx *store.Tx, j *store.Job, note func(...any) integrations.Rich, log integrations.Button) (integrations.Rich, []integrations.Button, error) {
	mends, lines, err := f.mendButtons(tx, j)
	if err != nil {
		return nil, nil, err
	}
	text := []any{fmt.Sprintf("%s of %s was interrupted while it changed things; nobody can tell how far it came, so %s stays locked. Look at the real thing, then choose. ", j.ID, j.Target, j.Target)}
	if _, harms := harm(j); harms {
		text = []any{fmt.Sprintf("%s of %s did not put down what it changed, so %s stays locked: ", j.ID, j.Target, j.Target), strings.TrimSuffix(j.Why, "."), ". Set that right first, then choose. "}
	}
	if rec := recordOf(j); rec.Probe != "" {
		text = append(text, integrations.Bold("What can be seen: "), rec.Probe)
	}
	for _, l := range lines {
		text = append(text, "\n", l)
	}
	return note(text...), append(append(mends, settling(j)...), log), nil
}

func (f *feature) nextApplying(tx *store.Tx, v view, note func(...any) integrations.Rich, log integrations.Button) (integrations.Rich, []integrations.Button, error) {
	op := v.op
	for _, j := range v.jobs {
		switch j.State {
		case store.JobUnknown:
			return f.nextUnknown(tx, j, note, log)
		case store.JobBlocked:
			rich, buttons := f.nextBlocked(tx, v, j, note)
			return rich, buttons, nil
		case store.JobNeedsConfirm:
			return note("The plan has to be confirmed: ", j.Why, ". Do so in the message below, or cancel."),
				[]integrations.Button{{Label: "Cancel", Command: "cancel " + op.ID, Confirm: "Drop the apply of " + op.ID + "? The merge stays."}}, nil
		}
	}
	for _, j := range v.jobs {
		if j.Interrupts > 0 && !j.Terminal() {
			return note(j.ID, " was asked to stop and is cleaning up."), []integrations.Button{log,
				{Label: "Abort", Command: "cancel " + j.ID + " --kill", Style: "danger", Confirm: "Kill " + j.ID + " at once? Nobody will know how far it came."}}, nil
		}
	}
	if ahead := inLine(tx, v.jobs); ahead != "" {
		return note(ahead), []integrations.Button{{Label: "Cancel", Command: "cancel " + op.ID, Confirm: "Drop the apply of " + op.ID + "? The merge stays."}}, nil
	}
	return note(), []integrations.Button{log, {Label: "Cancel", Command: "cancel " + op.ID, Style: "danger", Confirm: "Interrupt the apply of " + op.ID + "?"}}, nil
}
