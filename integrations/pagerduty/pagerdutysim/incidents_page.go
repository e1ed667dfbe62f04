package pagerdutysim

import (
	"fmt"
	"slices"
	"strings"
)

// What somebody sees of incidents and does with them in PagerDuty's own pages.

// Services lists all.
func (s *Sim) Services() []Service {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.state.Services)
}

// Incidents lists all as they are now, oldest first.
func (s *Sim) Incidents() (out []Incident) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.advance() {
		s.keep()
	}
	for _, i := range s.state.Incidents {
		one := *i
		one.Assigned, one.Acks, one.Log, one.Notes = slices.Clone(i.Assigned), slices.Clone(i.Acks), slices.Clone(i.Log), slices.Clone(i.Notes)
		out = append(out, one)
	}
	return out
}

// Subscriptions lists all.
func (s *Sim) Subscriptions() (out []Subscription) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sub := range s.state.Subscriptions {
		out = append(out, *sub)
	}
	return out
}

// Changes lists the change events that were told.
func (s *Sim) Changes() []Change {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.state.Changes)
}

// Trigger opens an incident of a service, by its id or name, as its page does for a user,
// or for a machine where there is none. key may be empty; where it is that of an open
// incident, that one is given.
func (s *Sim) Trigger(service, title, key, user string) (id string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.advance()
	v, ok := s.service(func(v Service) bool { return v.ID == service || strings.EqualFold(v.Name, service) })
	_, known := s.user(user)
	switch {
	case !ok:
		return "", fmt.Errorf("there is no service %q", service)
	case strings.TrimSpace(title) == "":
		return "", fmt.Errorf("an incident wants a title")
	case user != "" && !known:
		return "", fmt.Errorf("there is no user %q", user)
	}
	if key == "" {
		key = s.id(true)
	}
	return s.open(v, title, key, v.urgencyOf("critical"), user).ID, s.save()
}

// acts are what a user does with an incident in its page. more is to whom, or what.
var acts = map[string]func(s *Sim, i *Incident, user, more string) error{
	"acknowledge": func(s *Sim, i *Incident, user, _ string) error {
		s.acknowledge(i, user)
		return nil
	},
	"resolve": func(s *Sim, i *Incident, user, _ string) error {
		s.resolve(i, user, s.now())
		return nil
	},
	"reassign": func(s *Sim, i *Incident, user, more string) error {
		if _, ok := s.user(more); !ok {
			return fmt.Errorf("there is no user %q", more)
		}
		s.reassign(i, []string{more}, user)
		return nil
	},
	"note": func(s *Sim, i *Incident, user, more string) error {
		if strings.TrimSpace(more) == "" {
			return fmt.Errorf("a note wants a text")
		}
		s.annotate(i, user, more)
		return nil
	},
}

// Act does something with an incident as a user: "acknowledge", "resolve", "reassign" to
// another, or "note". One that is over takes notes alone: its page has no other button.
func (s *Sim) Act(id, user, act, more string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.advance()
	i := s.incident(id)
	do, ok := acts[act]
	_, known := s.user(user)
	switch {
	case i == nil:
		return fmt.Errorf("there is no incident %q", id)
	case !ok:
		return fmt.Errorf("act: want acknowledge, resolve, reassign or note, not %q", act)
	case !known:
		return fmt.Errorf("there is no user %q", user)
	case i.Status == resolved && act != "note":
		return fmt.Errorf("the incident is over")
	}
	if err := do(s, i, user, more); err != nil {
		return err
	}
	return s.save()
}
