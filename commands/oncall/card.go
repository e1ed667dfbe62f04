package oncall

import (
	"fmt"

	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// changeCard is the message of a change: what is different, before and after.
func (f *Rota) changeCard(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	c, found, err := changes(tx).Get(s.Subject)
	if err != nil || !found {
		return integrations.Message{Hold: true}, err
	}
	zone := f.zoneOf(c.Schedule)
	title := integrations.R("☎️ ", integrations.Bold(c.Schedule), ": ", c.What)
	if len(c.After) == 0 {
		title = append(title, integrations.R("; PagerDuty says what comes then")...)
	} else if now := c.After[0]; !now.Gap() && !now.End.IsZero() && !same(c.Before[0], now) {
		title = append(title, integrations.R(", and is on call until ", integrations.When(c.After[0].End, zone))...)
		if c.Act == "cancel" || c.Act == "swap" {
			title = integrations.R("☎️ ", integrations.Bold(c.Schedule), ": ", c.What, "; ", names(c.After[0]), " is on call until ", integrations.When(c.After[0].End, zone))
		}
	}
	switch {
	case c.Refused != "":
		title = integrations.R("⚠️ ", integrations.Bold(c.Schedule), ": ", c.What, ": PagerDuty did not take it, and nothing was changed: “", c.Refused, "”")
	case c.Undone:
		title = append(title, integrations.R(" · taken back")...)
	}
	m := integrations.Message{Text: title.Plain(), Blocks: []integrations.Block{{Text: title}}}
	if c.Waits != "" && c.Refused == "" && !c.Undone {
		wait := integrations.R("⏳ PagerDuty does not have it yet, and calls whom it called before: “", c.Waits, "”")
		m.Text += "\n" + wait.Plain()
		m.Blocks = append(m.Blocks, integrations.Block{Text: wait})
	}
	if c.Reason != "" {
		m.Blocks = append(m.Blocks, integrations.Block{Text: integrations.R(integrations.Italic(c.Reason))})
	}
	if !c.Undone && len(c.After) > 0 {
		before, after := lines(c.Before, zone), lines(c.After, zone)
		m.Text += "\nbefore:\n" + before + "\nafter:\n" + after
		m.Blocks = append(m.Blocks, integrations.Block{Context: integrations.R("before")}, integrations.Block{Code: before},
			integrations.Block{Context: integrations.R("after")}, integrations.Block{Code: after})
		if len(c.Overrides) > 0 {
			m.Blocks = append(m.Blocks, integrations.Block{Buttons: []integrations.Button{{Label: "Take back", Command: "oncall cancel " + c.ID, Confirm: "Take it back? The rotation is then as if it had not been, from now on."}}})
		}
	}
	m.Blocks = append(m.Blocks, integrations.Block{Context: integrations.R(integrations.Code(c.ID), by(c), " · times are those of ", zone.String())})
	return m, nil
}

// movedCard tells somebody that their next shift is another one.
func (f *Rota) movedCard(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	c, found, err := changes(tx).Get(s.Subject)
	if err != nil || !found {
		return integrations.Message{Hold: true}, err
	}
	for _, m := range c.Moved {
		if m.Person != s.Where["name"] {
			continue
		}
		zone := f.zoneOf(c.Schedule)
		told := func(p *period) integrations.Rich {
			if p == nil {
				return integrations.R("none in sight")
			}
			return integrations.R(integrations.When(p.Start, zone), " – ", integrations.When(p.End, zone))
		}
		text := integrations.R("☎️ Your next shift of ", integrations.Bold(c.Schedule), " has moved: it was ", told(m.Was), ", and is now ", told(m.Is), ". ")
		why := integrations.R(c.What, " (", integrations.Code(c.ID), by(c), ")")
		if c.Undone && c.Refused != "" {
			text = integrations.R("☎️ Your next shift of ", integrations.Bold(c.Schedule), " has not moved: PagerDuty did not take the change. ")
		}
		return integrations.Message{Text: text.Plain() + why.Plain(), Blocks: []integrations.Block{{Text: text}, {Context: why}}}, nil
	}
	return integrations.Message{Hold: true}, nil
}

// swapCard asks for the answer to a swap.
func (f *Rota) swapCard(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	w, found, err := swaps(tx).Get(s.Subject)
	if err != nil || !found {
		return integrations.Message{Hold: true}, err
	}
	zone, cat := f.zoneOf(w.Schedule), f.Catalog()
	by, with := gate.FromStore(w.By), person(cat, w.With)
	gives := integrations.R(integrations.When(w.Mine.Start, zone), " – ", integrations.When(w.Mine.End, zone))
	gets := integrations.R(integrations.When(w.Theirs.Start, zone), " – ", integrations.When(w.Theirs.End, zone))
	if w.State != swapAsked {
		icons := map[string]string{swapDone: "✅", swapDeclined: "🚫", swapCanceled: "⚪", swapExpired: "⌛"}
		text := integrations.R(icons[w.State], " ", integrations.Bold(w.Schedule), ": the swap of ", by.Display(), " and ", w.With, " is ", w.State)
		if w.Why != "" {
			text = append(text, integrations.R(": ", w.Why)...)
		}
		return integrations.Message{Text: w.ID + " " + text.Plain(), Blocks: []integrations.Block{{Text: text}, {Context: integrations.R(integrations.Code(w.ID), " · ", gives, " ⇄ ", gets)}}}, nil
	}
	text := integrations.R("🔁 ", integrations.Bold(w.Schedule), ": ", integrations.Who(with), ", would you swap shifts with ", integrations.Bold(by.Display()), "?")
	m := integrations.Message{Asks: true, Text: fmt.Sprintf("%s %s You would be on call %s, and %s instead of you %s.", w.ID, text.Plain(), gives.Plain(), by.Display(), gets.Plain())}
	m.Blocks = []integrations.Block{{Text: text}, {Fields: []integrations.Field{{Name: "You take", Value: gives}, {Name: by.Display() + " takes", Value: gets}}}}
	if w.Reason != "" {
		m.Blocks = append(m.Blocks, integrations.Block{Text: integrations.R(integrations.Italic(w.Reason))})
	}
	m.Blocks = append(m.Blocks, integrations.Block{Buttons: []integrations.Button{
		{Label: "Accept", Command: "oncall accept " + w.ID, Style: "primary", Confirm: "Exchange both shifts?"},
		{Label: "Decline", Command: "oncall decline " + w.ID},
		{Label: "Cancel", Command: "oncall cancel " + w.ID},
	}}, integrations.Block{Context: integrations.R(integrations.Code(w.ID), " · to be answered before ", integrations.When(w.before(), zone))})
	return m, nil
}

// by is who made a change; nobody is named for what the configuration says.
func by(c change) integrations.Rich {
	if c.By == (store.Person{}) {
		return nil
	}
	return integrations.R(" · ", integrations.Who(gate.FromStore(c.By)))
}
