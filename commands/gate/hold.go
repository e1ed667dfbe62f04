package gate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// Hold is closed by every hold whose scope covers one of the targets. The owner
// passes by an explicit act of their own; a freeze stops its owner too.
func Hold(tx *store.Tx, q Question) ([]Closed, error) {
	holds, err := tx.Holds()
	if err != nil {
		return nil, err
	}
	var out []Closed
	for _, h := range holds {
		if !q.Now.Before(h.Expires) || !Covers(q.Catalog, h, q.Service, q.Environment, q.Targets) {
			continue
		}
		owner := integrations.Person{Name: h.Owner.Name, Slack: h.Owner.Slack, GitHub: h.Owner.GitHub}
		if h.Kind == "hold" && q.Explicit && owner.Same(q.Actor) && owner.Same(q.Requester) {
			continue
		}
		out = append(out, Closed{
			Reason: fmt.Sprintf("%s is locked by %s: “%s” (%s, for %s, until %s)", Scope(h), owner.Display(), h.Reason, h.ID,
				Age(q.Now.Sub(h.Created)), h.Expires.UTC().Format("2006-01-02 15:04 MST")),
			Since: h.Created,
			Opens: fmt.Sprintf("%s releases it with `/ops unlock %s`", owner.Display(), Scope(h)),
			Hold:  h.ID,
		})
	}
	return out, nil
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
