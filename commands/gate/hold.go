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
			Since:  h.Created, Until: h.Expires, Hold: h.ID,
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
// whoever changes them.
func Covers(cat *integrations.Catalog, h *store.Hold, service, environment string, targets []string) bool {
	if h.Target != "" {
		return slices.Contains(targets, h.Target)
	}
	if h.Environment != "" && h.Environment != environment {
		return false
	}
	if h.Service == "" || h.Service == service {
		return true
	}
	svc, ok := cat.Service(h.Service)
	if !ok {
		return false
	}
	for _, t := range svc.Environments[environment].Targets {
		if slices.Contains(targets, t) {
			return true
		}
	}
	return false
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
