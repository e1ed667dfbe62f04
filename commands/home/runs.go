package home

import (
	"fmt"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// onCall shows who is called where, a service by itself where that is somebody else.
func (p *page) onCall() error {
	p.title("On call")
	var lines []integrations.Rich
	for _, e := range p.cat.Environments {
		all, err := p.called("", e.Name)
		if err != nil {
			lines = append(lines, integrations.R(integrations.Bold(e.Name), ": nobody can tell: ", err.Error()))
			continue
		}
		if len(all) > 0 {
			lines = append(lines, integrations.R(integrations.Bold(e.Name), ": ", all))
		}
		for _, s := range p.cat.Services {
			if _, there := s.Environments[e.Name]; !there {
				continue
			}
			if own, err := p.called(s.Name, e.Name); err == nil && own.Plain() != all.Plain() {
				lines = append(lines, integrations.R(integrations.Bold(s.Name+"/"+e.Name), ": ", own))
			}
		}
	}
	if len(lines) == 0 {
		p.small("Nobody is on call.")
		return nil
	}
	var text integrations.Rich
	for i, l := range lines {
		if i == mostOnCall {
			text = append(text, integrations.R(fmt.Sprintf("\n… and %d more", len(lines)-i))...)
			break
		}
		if i > 0 {
			text = append(text, integrations.R("\n")...)
		}
		text = append(text, l...)
	}
	p.add(integrations.Block{Text: text})
	return nil
}

// called are the people on call, who is asked first at the front.
func (p *page) called(service, environment string) (integrations.Rich, error) {
	people, err := p.Roster.OnCall(service, environment, p.Clock.Now())
	var out integrations.Rich
	for i, who := range people {
		if i > 0 {
			out = append(out, integrations.R(", then ")...)
		}
		out = append(out, integrations.Who(who))
	}
	return out, err
}

// runs shows each service with where it runs and at what.
func (p *page) runs() error {
	p.title("What runs where")
	if len(p.cat.Services) == 0 {
		p.small("No service is configured.")
		return nil
	}
	holds, err := p.tx.Holds()
	if err != nil {
		return err
	}
	live, err := p.tx.LiveOperations()
	if err != nil {
		return err
	}
	for i, s := range p.cat.Services {
		if i == mostServices {
			p.small(fmt.Sprintf("… and %d more: `/ops services` lists them.", len(p.cat.Services)-i))
			break
		}
		text := integrations.R(integrations.Bold(s.Name))
		n := 0
		for _, e := range p.cat.Environments {
			at, there := s.Environments[e.Name]
			if !there {
				continue
			}
			if n++; n > mostPlaces {
				text = append(text, integrations.R(fmt.Sprintf("\n… and %d more", len(s.Environments)-mostPlaces))...)
				break
			}
			line, err := p.runsAt(s.Name, e.Name, at.Targets, live, holds)
			if err != nil {
				return err
			}
			text = append(text, integrations.R("\n", line)...)
		}
		p.add(integrations.Block{Text: text})
	}
	return nil
}

// lately is how many operations of a place are looked through for what runs there.
const lately = 20

// runsAt is one service in one environment: a sign, what runs, since when, and what
// is in the way.
func (p *page) runsAt(service, env string, targets []string, live []*store.Operation, holds []*store.Hold) (integrations.Rich, error) {
	ops, err := p.tx.OperationsOf(service, env, lately)
	if err != nil {
		return nil, err
	}
	sign, marks := "⚪", p.marks(service, env, targets, holds)
	runs := integrations.R("nothing from here yet")
	for _, op := range ops {
		switch op.State {
		case store.OpFailed, store.OpPartial:
			if sign == "⚪" {
				sign, marks = "❌", append(marks, "the last deploy "+map[string]string{store.OpFailed: "failed", store.OpPartial: "was partial"}[op.State])
			}
			continue
		case store.OpSucceeded, store.OpNoop:
			if sign == "⚪" {
				sign = "✅"
			}
			runs = integrations.R(integrations.Code(version(op)), " since ", gate.Clock(op.Ended))
		default:
			continue
		}
		break
	}
	for _, op := range live {
		if op.Service == service && op.Environment == env && (op.State == store.OpMerged || op.State == store.OpApplying) {
			sign, marks = "🚧", append(marks, op.ID+" is being applied")
		}
	}
	if slices.ContainsFunc(marks, func(m string) bool { return strings.HasPrefix(m, "🧹") }) {
		sign = "🧹"
	}
	line := integrations.R(sign+" ", env, ": ", runs)
	for _, m := range marks {
		line = append(line, integrations.R(" · ", strings.TrimPrefix(m, "🧹 "))...)
	}
	return line, nil
}

// marks say what is in the way of a service in an environment, by its holds.
func (p *page) marks(service, env string, targets []string, holds []*store.Hold) []string {
	var out []string
	add := func(s string) {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	for _, h := range holds {
		if h.Over(p.Clock.Now()) || !gate.Covers(p.cat, h, service, env, targets) {
			continue
		}
		switch {
		case h.Stop:
			add("🛑 stopped")
		case h.Kind == store.HoldFreeze:
			add("🧊 frozen")
		case h.Kind == store.HoldDirty:
			add("🧹 dirty")
		default:
			add("🔒 " + gate.FromStore(h.Owner).Display())
		}
	}
	return out
}

// version is what an operation brought.
func version(op *store.Operation) string {
	if op.To != "" && len(op.To) != 40 {
		return op.To
	}
	return op.ToSHA[:min(7, len(op.ToSHA))]
}
