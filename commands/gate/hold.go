package gate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// Hold is closed by every hold of a person whose scope covers one of the
// targets. The owner passes by an explicit act of their own; what comes by
// itself, and what others asked for, waits even where the owner pressed merge.
func Hold(tx *store.Tx, q Question) ([]Closed, error) {
	holds, err := holdsOn(tx, q, store.HoldHold)
	if err != nil {
		return nil, err
	}
	var out []Closed
	for _, h := range holds {
		owner := FromStore(h.Owner)
		if q.Explicit && owner.Same(q.Actor) && owner.Same(q.Requester) {
			continue
		}
		out = append(out, Closed{
			Reason: fmt.Sprintf("%s is locked by %s: “%s” (%s)", Scope(h), owner.Display(), h.Reason, span(q, h)),
			Since:  h.Created, Until: h.Expires, Hold: h.ID, Link: h.Link,
			Opens: fmt.Sprintf("%s releases it with `/ops unlock %s`", owner.Display(), Scope(h)),
		})
	}
	return out, nil
}

// holdsOn are the holds of a kind that are not over and cover the question.
func holdsOn(tx *store.Tx, q Question, kind string) ([]*store.Hold, error) {
	all, err := tx.Holds()
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(h *store.Hold) bool {
		return h.Kind != kind || h.Over(q.Now) || !Covers(q.Catalog, h, q.Service, q.Environment, q.Targets)
	}), nil
}

// span says which hold it is, for how long it has been there, and until when.
func span(q Question, h *store.Hold) string {
	s := fmt.Sprintf("%s, for %s", h.ID, Age(q.Now.Sub(h.Created)))
	if !h.Expires.IsZero() {
		s += ", until " + Clock(h.Expires)
	}
	return s
}

// Covers says whether a hold's scope touches a service, an environment or one of
// the targets. A hold on a service in an environment covers that place's targets
// whoever changes them. A name may be one that the configuration keeps as an alias;
// of one that it no longer knows, the targets that were there are held.
func Covers(cat *integrations.Catalog, h *store.Hold, service, environment string, targets []string) bool {
	has := func(t string) bool { return slices.Contains(targets, t) }
	if h.Target != "" {
		return has(h.Target)
	}
	if Gone(cat, h) && slices.ContainsFunc(had(h), has) {
		return true
	}
	environment = environmentName(cat, environment)
	if h.Environment != "" && environmentName(cat, h.Environment) != environment {
		return false
	}
	if h.Service == "" || serviceName(cat, h.Service) == serviceName(cat, service) {
		return true
	}
	svc, _ := cat.Service(h.Service)
	return slices.ContainsFunc(svc.Environments[environment].Targets, has)
}

// Gone says whether a hold's scope names something that is not in the
// configuration.
func Gone(cat *integrations.Catalog, h *store.Hold) bool {
	if h.Target != "" {
		_, ok := cat.Target(h.Target)
		return !ok
	}
	svc, isService := cat.Service(h.Service)
	env, isEnvironment := cat.Environment(h.Environment)
	if h.Service != "" && !isService || h.Environment != "" && !isEnvironment {
		return true
	}
	_, runs := svc.Environments[env.Name]
	return h.Service != "" && h.Environment != "" && !runs
}

// TargetsOf are the targets of what a hold's scope names, by the configuration;
// what is gone from it has those it had when the hold was taken, as far as they are
// still there. A hold on everything names none.
func TargetsOf(cat *integrations.Catalog, h *store.Hold) []string {
	var out []string
	add := func(names ...string) {
		for _, n := range names {
			if _, ok := cat.Target(n); ok && !slices.Contains(out, n) {
				out = append(out, n)
			}
		}
	}
	switch {
	case h.Target != "":
		add(h.Target)
	case Gone(cat, h):
		add(had(h)...)
	case h.Service != "":
		svc, _ := cat.Service(h.Service)
		for _, e := range cat.Environments {
			if h.Environment == "" || environmentName(cat, h.Environment) == e.Name {
				add(svc.Environments[e.Name].Targets...)
			}
		}
	case h.Environment != "":
		for _, t := range cat.Targets {
			if t.Environment == environmentName(cat, h.Environment) {
				add(t.Name)
			}
		}
	}
	return out
}

// had are the targets of a hold's scope when it was taken; an old hold does not
// tell them, and its place's name may be a target's.
func had(h *store.Hold) []string {
	if len(h.Targets) == 0 {
		return []string{Scope(h)}
	}
	return h.Targets
}

// serviceName is the name that a service has now; one that is not known keeps its own.
func serviceName(cat *integrations.Catalog, name string) string {
	if s, ok := cat.Service(name); ok {
		return s.Name
	}
	return name
}

func environmentName(cat *integrations.Catalog, name string) string {
	if e, ok := cat.Environment(name); ok {
		return e.Name
	}
	return name
}

// Scope names what a hold holds, as it is typed: "web/production".
func Scope(h *store.Hold) string {
	switch {
	case h.Target != "":
		return h.Target
	case h.Service != "" && h.Environment != "":
		return h.Service + "/" + h.Environment
	case h.Service+h.Environment != "":
		return strings.TrimSpace(h.Service + h.Environment)
	}
	return "everything"
}
