package lock

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// scopeOf is what a hold holds, by the names that the configuration has for it now.
func scopeOf(cat *integrations.Catalog, h *store.Hold) commands.Scope {
	s := commands.Scope{Service: h.Service, Environment: h.Environment, Target: h.Target}
	if svc, ok := cat.Service(h.Service); ok {
		s.Service = svc.Name
	}
	if e, ok := cat.Environment(h.Environment); ok {
		s.Environment = e.Name
	}
	return s
}

// where fills in what the audit row says of a scope: its environment only where
// it is one alone.
func where(cat *integrations.Catalog, s commands.Scope) commands.Reply {
	r := commands.Reply{Service: s.Service, Environment: s.Environment, Target: s.Target}
	if envs := s.Environments(cat); s.Target != "" && len(envs) == 1 {
		r.Environment = envs[0]
	}
	return r
}

func about(cat *integrations.Catalog, h *store.Hold) commands.Reply {
	r := where(cat, scopeOf(cat, h))
	r.Subject = h.ID
	return r
}

// place is one of those that a scope is made of, as the gates are asked about it.
type place struct {
	service, environment string
	targets              []string
}

func places(cat *integrations.Catalog, s commands.Scope) []place {
	var out []place
	for _, env := range s.Environments(cat) {
		if s.Target != "" {
			out = append(out, place{environment: env, targets: []string{s.Target}})
			continue
		}
		for _, svc := range cat.Services {
			if at, runs := svc.Environments[env]; runs && (s.Service == "" || s.Service == svc.Name) {
				out = append(out, place{svc.Name, env, at.Targets})
			}
		}
		if s.Service != "" {
			continue
		}
		all := place{environment: env}
		for _, t := range cat.Targets {
			if t.Environment == env {
				all.targets = append(all.targets, t.Name)
			}
		}
		out = append(out, all)
	}
	return out
}

// touches says whether a hold holds anything of a scope.
func touches(cat *integrations.Catalog, h *store.Hold, s commands.Scope) bool {
	return slices.ContainsFunc(places(cat, s), func(p place) bool {
		return gate.Covers(cat, h, p.service, p.environment, p.targets)
	})
}

// live are the holds that are not over, oldest first.
func (f *feature) live(tx *store.Tx) ([]*store.Hold, error) {
	all, err := tx.Holds()
	if err != nil {
		return nil, fmt.Errorf("the locks cannot be read, so everything counts as locked: %w", err)
	}
	return slices.DeleteFunc(all, func(h *store.Hold) bool { return h.Over(f.Clock.Now()) }), nil
}

// beside are the live holds that hold something of what h holds.
func (f *feature) beside(tx *store.Tx, cat *integrations.Catalog, h *store.Hold) ([]*store.Hold, error) {
	all, err := f.live(tx)
	return slices.DeleteFunc(all, func(o *store.Hold) bool { return o.ID == h.ID || !touches(cat, o, scopeOf(cat, h)) }), err
}

// rooms are the channels that a hold is shown in: where it was said, and for each
// environment that it touches one of its own, unless one of those is there.
func (f *feature) rooms(cat *integrations.Catalog, h *store.Hold, said integrations.Heard) []string {
	var out []string
	if said.Channel != "" && !said.App {
		out = append(out, said.Channel)
	}
	for _, name := range scopeOf(cat, h).Environments(cat) {
		env, _ := cat.Environment(name)
		told := slices.ContainsFunc(env.Channels, func(ch string) bool {
			return slices.Contains(out, f.Channel(ch)) || said.ChannelName != "" && strings.TrimPrefix(ch, "#") == said.ChannelName
		})
		if len(env.Channels) > 0 && !told {
			out = append(out, f.Channel(env.Channels[0]))
		}
	}
	if len(out) == 0 && said.App { // no environment has a channel
		out = append(out, said.Channel)
	}
	return out
}

// what says what a hold does to what it holds: "web/production is locked".
func what(h *store.Hold) string {
	switch {
	case h.Stop:
		return "everything is stopped"
	case h.Kind == store.HoldFreeze:
		return gate.Scope(h) + " is frozen"
	case h.Kind == store.HoldDirty:
		return gate.Scope(h) + " is dirty"
	}
	return gate.Scope(h) + " is locked"
}

// noun is what people call a hold.
func noun(h *store.Hold) string {
	switch {
	case h.Stop:
		return "stop"
	case h.Kind == store.HoldFreeze:
		return "freeze"
	case h.Kind == store.HoldDirty:
		return "dirty mark"
	}
	return "lock"
}

// sentence says all of a hold in one line, as the gates do: "web/production is
// locked by alice: “migration” (hold-1, for 5 min, until …)", and where more is said.
func (f *feature) sentence(h *store.Hold) string {
	return strings.TrimSpace(brief(h, f.Clock.Now()) + " " + h.Link)
}

// brief is the sentence without its link.
func brief(h *store.Hold, now time.Time) string {
	s := what(h)
	if h.Kind != store.HoldDirty {
		s += " by " + gate.FromStore(h.Owner).Display()
	}
	age := gate.Age(now.Sub(h.Created))
	if h.Expires.IsZero() {
		return fmt.Sprintf("%s: “%s” (%s, for %s)", s, h.Reason, h.ID, age)
	}
	return fmt.Sprintf("%s: “%s” (%s, for %s, until %s)", s, h.Reason, h.ID, age, gate.Clock(h.Expires))
}

// until is when a hold ends, behind a word; nothing for one that does not end.
func until(h *store.Hold, before string) string {
	if h.Expires.IsZero() {
		return ""
	}
	return before + gate.Clock(h.Expires)
}

func mine(h *store.Hold, who integrations.Person) bool { return gate.FromStore(h.Owner).Same(who) }

func say(text string, buttons ...integrations.Button) *integrations.Message {
	m := &integrations.Message{Text: text, Blocks: []integrations.Block{{Text: integrations.R(text)}}}
	if len(buttons) > 0 {
		m.Blocks = append(m.Blocks, integrations.Block{Buttons: buttons})
	}
	return m
}

// upper begins a sentence; a name such as "web/production" keeps its case.
func upper(s string) string {
	if rest, ok := strings.CutPrefix(s, commands.Everything); ok {
		return "Everything" + rest
	}
	return s
}

// gone says of a hold whose scope is not in the configuration what it still holds;
// nothing of any other.
func (f *feature) gone(cat *integrations.Catalog, h *store.Hold) string {
	if !gate.Gone(cat, h) {
		return ""
	}
	if left := gate.TargetsOf(cat, h); len(left) > 0 {
		return "Of something not in the configuration: it holds " + strings.Join(left, ", ") + ", which was part of it, and all of it if it comes back."
	}
	return "Of something not in the configuration: it holds nothing, unless that comes back."
}
