package lock

import (
	"errors"
	"fmt"
	"strings"

	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// holdCard is the message of one hold, of any kind, and how it ended.
func (f *feature) holdCard(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	h, err := tx.Hold(s.Subject)
	if errors.Is(err, store.ErrNotFound) {
		return f.endedCard(tx, s.Subject, s.Where["channel"])
	}
	if err != nil {
		return integrations.Message{}, err
	}
	also, err := f.also(tx, h)
	if err != nil {
		return integrations.Message{}, err
	}
	switch {
	case h.Stop:
		return f.stopCard(h), nil
	case h.Kind == store.HoldDirty:
		return f.dirtyCard(h, strings.TrimSpace(also+" "+f.gone(f.Catalog(), h))), nil
	}
	owner := gate.FromStore(h.Owner)
	end, icon, release := until(h, " until "), "🔒 ", integrations.Button{Label: "Release", Command: "unlock " + h.ID, Version: h.Version}
	did := " is locked by "
	if h.Kind == store.HoldFreeze {
		did, icon, release.Command = " is frozen by ", "🧊 ", "unfreeze "+h.ID
	}
	m := integrations.Message{Text: h.ID + " " + gate.Scope(h) + did + owner.Display() + end + ": “" + h.Reason + "”"}
	line := integrations.R(icon, integrations.Bold(gate.Scope(h)), did, integrations.Who(owner), end, ": ", integrations.Italic(h.Reason))
	if h.Link != "" {
		m.Text += " " + h.Link
		line = append(line, integrations.R(" · ", integrations.Link(h.Link, "more"))...)
	}
	m.Blocks = []integrations.Block{{Text: line}, {Buttons: []integrations.Button{release}}}
	if more, err := f.small(tx, h, also); err != nil {
		return m, err
	} else if more != "" {
		m.Text += " · " + more
		m.Blocks = append(m.Blocks, integrations.Block{Context: integrations.R(more)})
	}
	return m, nil
}

// small is what stands in small print: that a freeze spares nobody, whom it was
// taken over from, who else holds the same.
func (f *feature) small(tx *store.Tx, h *store.Hold, also string) (string, error) {
	text := ""
	add := func(s string) {
		if text != "" && s != "" {
			text += " "
		}
		text += s
	}
	if h.Kind == store.HoldFreeze {
		add(fmt.Sprintf("Nobody passes it, %s included.", gate.FromStore(h.Owner).Display()))
	}
	t, ok, err := store.Feature[taken](tx, takenFeature).Get(h.ID)
	if ok {
		add(fmt.Sprintf("Taken over from %s, who held it for “%s”.", gate.FromStore(t.From).Display(), t.Reason))
	}
	add(also)
	add(f.gone(f.Catalog(), h))
	return text, err
}

// also names the others that stand on exactly the same.
func (f *feature) also(tx *store.Tx, h *store.Hold) (string, error) {
	all, err := f.live(tx)
	if err != nil {
		return "", err
	}
	text := ""
	for _, o := range all {
		if o.ID == h.ID || scopeOf(f.Catalog(), o) != scopeOf(f.Catalog(), h) {
			continue
		}
		if text != "" {
			text += "; "
		}
		if text += "also " + o.ID + ", "; o.Kind == store.HoldDirty {
			text += "a dirty mark"
		} else {
			text += fmt.Sprintf("a %s of %s", noun(o), gate.FromStore(o.Owner).Display())
		}
	}
	if text == "" {
		return "", nil
	}
	return "A" + text[1:] + ".", nil
}

// stopCard is short and loud.
func (f *feature) stopCard(h *store.Hold) integrations.Message {
	owner := gate.FromStore(h.Owner)
	const rest = "Nothing is merged or applied from here. What runs already runs to its end."
	return integrations.Message{
		Text: fmt.Sprintf("🛑 STOP: everything is stopped by %s: “%s” (%s). %s", owner.Display(), h.Reason, h.ID, rest),
		Blocks: []integrations.Block{
			{Header: "🛑 Everything is stopped"},
			{Text: integrations.R(integrations.Who(owner), ": ", integrations.Bold(h.Reason))},
			{Buttons: []integrations.Button{{Label: "Go", Command: "unfreeze " + h.ID, Version: h.Version, Confirm: "Let everything go on?"}}},
			{Context: integrations.R(integrations.Code(h.ID), " · ", rest)},
		},
	}
}

// dirtyCard shows what an apply or handwork left.
func (f *feature) dirtyCard(h *store.Hold, also string) integrations.Message {
	passes := "A rollback passes, and a deploy that is said to be the fix."
	var buttons []integrations.Button
	if h.Job != "" {
		passes = "A retry passes, a rollback, and a deploy that is said to be the fix."
		buttons = append(buttons, integrations.Button{Label: "Retry", Command: "retry " + h.Job, Style: "primary"})
	}
	buttons = append(buttons, integrations.Button{Label: "Release…", Command: "unlock " + h.ID, Version: h.Version})
	m := integrations.Message{
		Text:   fmt.Sprintf("%s %s is dirty: %s. %s", h.ID, gate.Scope(h), h.Reason, passes),
		Blocks: []integrations.Block{{Text: integrations.R("🧹 ", integrations.Bold(gate.Scope(h)), " is dirty: ", h.Reason)}},
	}
	if also != "" {
		m.Text, passes = m.Text+" "+also, passes+" "+also
	}
	m.Blocks = append(m.Blocks, integrations.Block{Buttons: buttons}, integrations.Block{Context: integrations.R(integrations.Code(h.ID), " · ", passes)})
	return m
}

// endedCard is what is left of a hold's message, with what waited for it.
func (f *feature) endedCard(tx *store.Tx, id, room string) (integrations.Message, error) {
	e, ok, err := gate.EndedHold(tx, id)
	if err != nil {
		return integrations.Message{}, err
	}
	if !ok {
		return *say("🔓 " + id + " is over."), nil
	}
	waiting, err := f.waited(tx, &e.Hold)
	if err != nil {
		return integrations.Message{}, err
	}
	if e.Hold.Stop { // a message of its own asks about what waited
		waiting = nil
	}
	return f.offer(tx, f.endedLong(e), waiting, room)
}

// endedLong says which hold is over, and how.
func (f *feature) endedLong(e gate.Ended) string {
	h, owner := &e.Hold, gate.FromStore(e.Hold.Owner).Display()
	switch {
	case h.Stop:
		return fmt.Sprintf("🟢 Everything may go on: the stop of %s (“%s”) %s.", owner, h.Reason, f.howEnded(e))
	case h.Kind == store.HoldFreeze:
		return fmt.Sprintf("🔓 %s is no longer frozen: the freeze of %s (“%s”) %s.", gate.Scope(h), owner, h.Reason, f.howEnded(e))
	case h.Kind == store.HoldDirty:
		return fmt.Sprintf("🧼 %s is no longer dirty (“%s”): it %s.", gate.Scope(h), h.Reason, f.howEnded(e))
	}
	return fmt.Sprintf("🔓 %s is unlocked: the lock of %s (“%s”) %s.", gate.Scope(h), owner, h.Reason, f.howEnded(e))
}

// openedCard asks, in a message of its own, about what waited.
func (f *feature) openedCard(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	e, ok, err := gate.EndedHold(tx, s.Subject)
	if err != nil || !ok {
		return integrations.Message{Hold: true}, err
	}
	waiting, err := f.waited(tx, &e.Hold)
	if err != nil {
		return integrations.Message{}, err
	}
	h := &e.Hold
	text := fmt.Sprintf("The %s of %s on %s (“%s”, %s) %s.", noun(h), gate.FromStore(h.Owner).Display(), gate.Scope(h), h.Reason, h.ID, f.howEnded(e))
	if h.Stop {
		text = fmt.Sprintf("🟢 Go: everything may go on, says %s. It was stopped since %s.", gate.FromStore(e.By).Display(), gate.Clock(h.Created))
	}
	if s.Ref == "" && s.IntentAt.IsZero() && len(waiting) == 0 && !h.Stop {
		return integrations.Message{Hold: true}, nil
	}
	if len(waiting) == 0 && !h.Stop {
		text += " Nothing waits for it any more."
	}
	return f.offer(tx, text, waiting, s.Where["channel"])
}
