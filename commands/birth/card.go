package birth

import (
	"fmt"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// card is the message of one birth. One that ended well is a line.
func (f *feature) card(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	b, found, err := births(tx).Get(s.Subject)
	if err != nil || !found {
		return integrations.Message{Hold: true}, err
	}
	title := fmt.Sprintf("new instance %s", b.short())
	m := integrations.Message{Text: fmt.Sprintf("%s %s: %s", b.ID, title, stand(&b)), Asks: b.State == stateFailed}
	if b.over() {
		m.Final = fmt.Sprintf("%s %s", icon(&b), m.Text)
	}
	head := integrations.R(icon(&b), " ", integrations.Bold(fmt.Sprintf("New instance %s", b.short())), " · ", stand(&b))
	if b.Why != "" {
		m.Text += " · " + b.Why
	}
	small := integrations.R(integrations.Code(b.ID), " · ", integrations.Code(b.Instance), " · ", b.Role, " · ", b.Zone)
	if b.State == stateDone {
		head = append(head, integrations.R(" · took ", gate.Age(b.Ended.Sub(b.Launched)))...)
	} else {
		small = append(small, integrations.R(" · launched ", integrations.When(b.Launched, nil))...)
	}
	m.Blocks = []integrations.Block{{Text: head}}
	if line := bar(&b); line != "" && b.State != stateDone {
		m.Blocks = append(m.Blocks, integrations.Block{Context: integrations.R(line)})
	}
	if called := f.called(); b.State == stateFailed && len(called) > 0 {
		m.Blocks = append(m.Blocks, integrations.Block{Text: append(called, integrations.R(": ", b.Why)...)})
	} else if b.Why != "" {
		m.Blocks = append(m.Blocks, integrations.Block{Text: integrations.R(b.Why)})
	}
	m.Blocks = append(m.Blocks, notes(&b, f.Monitor != nil)...)
	if all := buttons(&b); len(all) > 0 {
		m.Blocks = append(m.Blocks, integrations.Block{Buttons: all})
	}
	m.Blocks = append(m.Blocks, integrations.Block{Context: small})
	return m, nil
}

// called mentions those who are on call for births.
func (f *feature) called() (out integrations.Rich) {
	names := f.Config().OnCall
	for _, p := range f.Catalog().People {
		if !slices.Contains(names, p.Name) {
			continue
		}
		if len(out) > 0 {
			out = append(out, integrations.R(" ")...)
		}
		out = append(out, integrations.Who(p))
	}
	return out
}

// stand is how far it is, in words.
func stand(b *Birth) string {
	if b.State == stateSteps && b.Step < len(b.Steps) {
		return b.Steps[b.Step].Name
	}
	return word(b.State)
}

func icon(b *Birth) string {
	switch {
	case b.State == stateFailed:
		return "✋"
	case b.State == stateDone && b.Warning == "":
		return "✅"
	case b.State == stateDone, b.State == stateGone && b.EndedBy == nil:
		return "⚠️"
	case b.over():
		return "⚪"
	}
	return "🐣"
}

// bar shows how far it is: ● is over, ◐ goes on, ✕ is where it failed, ○ is to come.
func bar(b *Birth) string {
	at := b.State
	if at == stateFailed {
		at = b.Failed
	}
	names, now := []string{"marked", "reached"}, map[string]int{stateMark: 0, stateReach: 1, stateSteps: 2 + b.Step}
	for _, s := range b.Steps {
		names = append(names, s.Name)
	}
	now[stateEnter], now[stateWorking] = len(names), len(names)+1
	names = append(names, "admitted", "working")
	here, ok := now[at]
	if !ok {
		return ""
	}
	var parts []string
	for i, name := range names {
		sign := "○ "
		switch {
		case i < here:
			sign = "● "
		case i == here && b.State == stateFailed:
			sign = "✕ "
		case i == here:
			sign = "◐ "
		}
		parts = append(parts, sign+name)
	}
	return strings.Join(parts, "  ")
}

// notes are what people have to know besides.
func notes(b *Birth, monitored bool) (out []integrations.Block) {
	add := func(parts ...any) { out = append(out, integrations.Block{Text: integrations.R(parts...)}) }
	switch {
	case b.over() && b.State != stateDone:
	case b.Way == wayBare:
		add(fmt.Sprintf("Its group %s puts it into its load balancer by itself: it was tested while it took requests.", b.Group))
	case b.Way == wayEarly:
		add(fmt.Sprintf("Its group %s put it into its load balancer before its steps were over.", b.Group))
	case b.Way == wayAlone && b.State == stateFailed:
		add("No group looks after it, so it is put into no load balancer from here; HAProxy takes it by its tag Status, which is standby.")
	}
	if b.State == stateFailed {
		if b.Waits {
			add(what(b), integrations.When(b.Until, nil), then(b))
		}
		add(alarmed(b, monitored))
	}
	if b.Warning != "" {
		add("⚠️ ", b.Warning)
	}
	if d := b.Anyway; d != nil {
		add("Let in anyway by ", integrations.Who(gate.FromStore(d.By)), ": ", integrations.Italic(d.Reason))
	}
	return out
}

// alarmed is what its monitoring does meanwhile, and what it says of itself.
func alarmed(b *Birth, monitored bool) string {
	switch {
	case !monitored:
		return "Its tag Status stays standby."
	case b.Alarms:
		return "Its monitoring calls people for it, and its tag Status stays standby."
	}
	return "Its monitoring is not told yet to call people for it. Its tag Status stays standby."
}

func what(b *Birth) string {
	return fmt.Sprintf("It gets no requests: %s waits for it. AWS lets it wait until ", b.Group)
}

func then(b *Birth) string {
	if b.Ends {
		return ", and then ends it."
	}
	return ", and then lets it in."
}

// buttons are what people can do about it.
func buttons(b *Birth) (out []integrations.Button) {
	if b.State != stateFailed {
		return nil
	}
	out = append(out, integrations.Button{Label: "Retry", Command: "birth-retry " + b.ID, Style: "primary"})
	if b.Waits {
		out = append(out, integrations.Button{Label: "End it…", Command: "birth-end " + b.ID, Style: "danger"})
	} else {
		out = append(out, integrations.Button{Label: "Drain…", Command: "drain " + b.Instance + " --terminate"})
	}
	return append(out, integrations.Button{Label: "Let in anyway…", Command: "birth-let-in " + b.ID, Style: "danger"})
}

// failedCard calls people again, under the message that they have seen already.
func (f *feature) failedCard(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	b, found, err := births(tx).Get(s.Subject)
	if err != nil || !found {
		return integrations.Message{Hold: true}, err
	}
	if b.State != stateFailed || fmt.Sprint(b.Failures) != s.Where["failure"] {
		return integrations.Message{Hold: s.Ref == "", Text: fmt.Sprintf("%s %s is %s by now.", b.ID, b.machine(), word(b.State))}, nil
	}
	m := integrations.Message{Asks: true, Text: fmt.Sprintf("✋ %s %s failed: %s", b.ID, b.machine(), b.Why)}
	line := integrations.R("✋ ")
	if called := f.called(); len(called) > 0 {
		line = append(append(line, called...), integrations.R(": ")...)
	}
	line = append(line, integrations.R(integrations.Code(b.ID), " ", b.machine(), " failed: ", b.Why)...)
	m.Blocks = []integrations.Block{{Text: line}, {Buttons: buttons(&b)}}
	return m, nil
}
