package drain

import (
	"fmt"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// card is the message of one drain.
func (f *feature) card(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	d, found, err := drains(tx).Get(s.Subject)
	if err != nil || !found {
		return integrations.Message{Hold: true}, err
	}
	title := title(&d)
	m := integrations.Message{Text: fmt.Sprintf("%s %s: %s", d.ID, title, d.State), Asks: d.State == statePlanned || d.State == stateHold}
	if d.Why != "" {
		m.Text += " · " + d.Why
	}
	m.Blocks = []integrations.Block{{Text: integrations.R(icon(&d), " ", integrations.Bold(upper(title)), " · ", word(d.State))}}
	if d.over() {
		m.Final = fmt.Sprintf("%s %s %s: %s", icon(&d), d.ID, title, word(d.State))
	}
	m.Blocks = append(m.Blocks, body(&d)...)
	if b := buttons(&d); len(b) > 0 {
		m.Blocks = append(m.Blocks, integrations.Block{Buttons: b})
	}
	small := integrations.R(integrations.Code(d.ID), " · asked by ", integrations.Who(gate.FromStore(d.By)))
	if d.active() {
		small = append(small, integrations.R(" · since ", integrations.When(d.Begun, nil))...)
	}
	if d.Reason != "" {
		small = append(small, integrations.R(": ", integrations.Italic(d.Reason))...)
	}
	m.Blocks = append(m.Blocks, integrations.Block{Context: small})
	return m, nil
}

func title(d *Drain) string {
	if d.Keep {
		return "take out and keep " + d.short()
	}
	return "drain " + d.short()
}

func upper(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

func icon(d *Drain) string {
	switch d.State {
	case statePlanned:
		return "🔷"
	case stateHold:
		return "✋"
	case stateDone, stateUndone:
		if d.Warning != "" {
			return "⚠️"
		}
		return "✅"
	case stateOut:
		return "⏸️"
	case stateRefused, stateExpired:
		return "⚪"
	case stateGone, stateForget:
		return "⚠️"
	}
	if steps()[d.State].back {
		return "↩️"
	}
	return "🚰"
}

// body is what stands between the title and the buttons.
func body(d *Drain) (out []integrations.Block) {
	if d.State == statePlanned {
		return planBody(d)
	}
	if !d.over() && d.State != stateOut || d.State == stateDone {
		out = append(out, integrations.Block{Context: integrations.R(bar(d))})
	}
	if d.Why != "" {
		out = append(out, integrations.Block{Text: integrations.R(d.Why)})
	}
	if d.State == stateUndone {
		out = append(out, alarmsBody(d)...)
	}
	if d.active() && d.State != stateHold {
		if left := progress(d); left != "" {
			out = append(out, integrations.Block{Context: integrations.R(left)})
		}
	}
	if o := d.Override; o != nil {
		out = append(out, integrations.Block{Text: integrations.R("Log loss accepted by ", integrations.Who(gate.FromStore(o.By)), ": ", integrations.Italic(o.Reason))})
	}
	if w := d.Without; w != nil {
		out = append(out, integrations.Block{Text: integrations.R("It went on without its monitoring, says ", integrations.Who(gate.FromStore(w.By)), ": ", integrations.Italic(w.Why))})
	}
	if d.State == stateDone {
		out = append(out, integrations.Block{Context: integrations.R("took ", gate.Age(d.Ended.Sub(d.Begun)))})
	}
	return out
}

// planBody is what would happen.
func planBody(d *Drain) []integrations.Block {
	fields := append([]integrations.Field{{Name: "Instance", Value: integrations.R(integrations.Code(d.Instance), " · ", d.Role, " · ", d.Zone, " · ", d.At.Account)}}, planFields(d)...)
	back := "It can be put back until it is being terminated."
	if d.Keep {
		back = "It can be put back at any time."
	}
	return []integrations.Block{{Fields: fields}, {Context: integrations.R(back)}}
}

// planFields are what happens around an instance.
func planFields(d *Drain) (fields []integrations.Field) {
	p := d.Plan
	if p.Group != "" {
		wants := fmt.Sprintf("%s: wants %d, %d to %d", p.Group, p.Desired, p.Min, p.Max)
		if d.shrinks() {
			wants += fmt.Sprintf("; it would want %d, and nothing replaces it", p.Desired-1)
		} else {
			wants += "; another one is started in its place"
		}
		fields = append(fields, integrations.Field{Name: "Group", Value: integrations.R(wants)})
	}
	for _, f := range p.Pools {
		fields = append(fields, integrations.Field{Name: fmt.Sprintf("Pool %s", f.Pool), Value: integrations.R(fmt.Sprintf("%d of %d healthy, %d without it; at least %d have to stay", f.Before, f.Of, f.After, f.Need))})
	}
	if p.Cluster != "" {
		tasks := "moved away in the cluster " + p.Cluster
		if p.Cluster == integrations.AnyCluster {
			tasks = "moved away, in whichever cluster it is"
		}
		fields = append(fields, integrations.Field{Name: "Tasks", Value: integrations.R(tasks)})
	}
	if !d.Keep {
		logs := "proved to be shipped by " + p.Logs + " before it ends"
		if p.Logs == logsNone {
			logs = "it keeps none, says the configuration"
		}
		fields = append(fields, integrations.Field{Name: "Logs", Value: integrations.R(logs)})
	}
	if d.Now != nil {
		fields = append(fields, d.Now.fields()...)
	}
	return fields
}

// buttons are what people can do about it.
func buttons(d *Drain) (out []integrations.Button) {
	abort := integrations.Button{Label: "Abort", Command: "undrain " + d.ID, Confirm: "Put " + d.machine() + " back?"}
	switch {
	case d.State == statePlanned:
		ask := "End " + d.machine() + " once its logs are shipped?"
		if d.Keep {
			ask = "Take " + d.machine() + " out, and keep it?"
		}
		return []integrations.Button{
			{Label: "Confirm", Command: "drain-confirm " + d.ID + " " + d.Plan.Digest(d.Instance), Style: "primary", Confirm: ask},
			{Label: "Cancel", Command: "undrain " + d.ID},
		}
	case d.State == stateHold:
		out = append(out, integrations.Button{Label: "Retry", Command: "drain-retry " + d.ID, Style: "primary"})
		if d.blocked() {
			out = append(out, unwatchedButton(d))
		}
		if d.Held == stateFlush {
			out = append(out, integrations.Button{Label: "Override…", Command: "drain-override " + d.ID, Style: "danger"})
		}
		if mayGoBack(d) {
			abort.Label = "Put back"
			out = append(out, abort)
		}
		return out
	case d.State == stateUndone || d.State == stateRefused || d.State == stateExpired:
		keep := ""
		if d.Keep {
			keep = " --keep"
		}
		return []integrations.Button{{Label: "Drain again", Command: "drain " + d.Instance + keep}}
	case d.State == stateOut:
		abort.Label = "Put back"
		return []integrations.Button{abort}
	case d.blocked():
		return []integrations.Button{unwatchedButton(d), abort}
	case mayGoBack(d):
		return []integrations.Button{abort}
	}
	return nil
}

func unwatchedButton(d *Drain) integrations.Button {
	return integrations.Button{Label: "Go on without it", Command: "drain-unwatched " + d.ID, Confirm: "Go on without its monitoring? Alerts of " + d.machine() + " may call people."}
}

// stages are those of the bar, with the states that each is of.
var stages = []struct {
	name   string
	states []string
}{
	{"marked", []string{statePlan, stateMark}},
	{"out of its load balancers", []string{stateLeave, stateWait}},
	{"without tasks", []string{stateTasks}},
	{"stopped", []string{stateStop}},
	{"logs shipped", []string{stateFlush}},
	{"terminated", []string{stateTerminate}},
	{"replaced", []string{stateVerify}},
}

// bar shows how far it is: ● is over, ◐ goes on, ○ is to come.
func bar(d *Drain) string {
	at := d.State
	if at == stateHold {
		at = d.Held
	}
	row, inTable := steps()[at]
	if row.back || !inTable && d.State != stateDone {
		return ""
	}
	stages := stages[:]
	if d.Keep {
		stages = stages[:3]
	}
	if d.Plan.Cluster == "" {
		stages = slices.Concat(stages[:2], stages[3:])
	}
	now := len(stages)
	for i, s := range stages {
		for _, name := range s.states {
			if name == at {
				now = i
			}
		}
	}
	var parts []string
	for i, s := range stages {
		sign := "○ "
		switch {
		case i < now:
			sign = "● "
		case i == now:
			sign = "◐ "
		}
		parts = append(parts, sign+s.name)
	}
	return strings.Join(parts, "  ")
}

// progress is what is left, in numbers.
func progress(d *Drain) string {
	var parts []string
	if d.Connections > 0 && (d.State == stateWait || d.State == stateStop) {
		parts = append(parts, fmt.Sprintf("%d connections left", d.Connections))
	}
	if d.State == stateFlush && d.Bytes > 0 {
		parts = append(parts, fmt.Sprintf("%d bytes left in the buffers", d.Bytes))
	}
	return strings.Join(parts, " · ")
}

// heldCard calls whoever asked.
func (f *feature) heldCard(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	d, found, err := drains(tx).Get(s.Subject)
	if err != nil || !found {
		return integrations.Message{Hold: true}, err
	}
	who := gate.FromStore(d.By)
	if d.State != stateHold || fmt.Sprint(d.Holds) != s.Where["hold"] {
		text := fmt.Sprintf("%s %s is held no more: it is %s.", d.ID, d.machine(), word(d.State))
		return integrations.Message{Hold: s.Ref == "", Text: text}, nil
	}
	m := integrations.Message{Asks: true, Text: fmt.Sprintf("✋ %s %s: %s needs you: %s", d.ID, who.Display(), d.machine(), d.Why),
		Blocks: []integrations.Block{{Text: integrations.R("✋ ", integrations.Who(who), ": ", integrations.Code(d.ID), " ", d.machine(), " needs you: ", d.Why)}}}
	m.Blocks = append(m.Blocks, integrations.Block{Buttons: buttons(&d)})
	return m, nil
}
