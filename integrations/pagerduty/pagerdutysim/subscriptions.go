package pagerdutysim

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Subscription sends webhooks. ID is made up when empty.
type Subscription struct {
	ID      string    `json:"id"`
	URL     string    `json:"url"`
	Secret  string    `json:"secret"`
	Events  []string  `json:"events"`            // none is all of incidents
	Service string    `json:"service,omitempty"` // its id; "" is the account
	Active  bool      `json:"active"`
	Until   time.Time `json:"until,omitzero"` // disabled till then
	Drops   int       `json:"drops,omitempty"`
}

var subscriptionRoutes = []route{
	{action: "subscriptions.list", method: http.MethodGet, path: "/webhook_subscriptions", takes: []string{"limit", "offset", "filter_type", "filter_id"}, do: (*Sim).listSubscriptions},
	{action: "subscriptions.create", method: http.MethodPost, path: "/webhook_subscriptions", change: true, do: (*Sim).createSubscription},
	{action: "subscription.update", method: http.MethodPut, path: "/webhook_subscriptions/{id}", change: true, do: (*Sim).updateSubscription},
	{action: "subscription.enable", method: http.MethodPost, path: "/webhook_subscriptions/{id}/enable", change: true, do: (*Sim).enableSubscription},
	{action: "subscription.ping", method: http.MethodPost, path: "/webhook_subscriptions/{id}/ping", change: true, do: (*Sim).pingSubscription},
	{action: "subscription.delete", method: http.MethodDelete, path: "/webhook_subscriptions/{id}", change: true, do: (*Sim).deleteSubscription},
}

// wire shows the secret where it was just made, and only there.
func (sub *Subscription) wire(secret any) map[string]any {
	filter := map[string]any{"type": "account_reference"}
	if sub.Service != "" {
		filter = map[string]any{"type": "service_reference", "id": sub.Service}
	}
	events := sub.Events
	if events == nil {
		events = knownEvents
	}
	return map[string]any{
		"id": sub.ID, "type": "webhook_subscription", "active": sub.Active, "events": events, "filter": filter,
		"delivery_method": map[string]any{"type": "http_delivery_method", "url": sub.URL, "secret": secret, "temporarily_disabled": !sub.Until.IsZero(), "custom_headers": []any{}},
	}
}

// knownEvents are those that one may subscribe to.
var knownEvents = []string{
	"incident.acknowledged", "incident.annotated", "incident.conference_bridge.updated", "incident.custom_field_values.updated", "incident.delegated", "incident.escalated",
	"incident.incident_type.changed", "incident.priority_updated", "incident.reassigned", "incident.reopened", "incident.resolved", "incident.responder.added",
	"incident.responder.replied", "incident.role.assigned", "incident.role.unassigned", "incident.service_updated", "incident.status_update_published", "incident.task.completed",
	"incident.task.created", "incident.triggered", "incident.unacknowledged", "incident.workflow.completed", "incident.workflow.started", "service.created", "service.deleted", "service.updated",
}

func (s *Sim) subscription(id string) *Subscription {
	for _, sub := range s.state.Subscriptions {
		if sub.ID == id {
			return sub
		}
	}
	return nil
}

// Point has a subscription deliver to another address. It is an error if there is none.
func (s *Sim) Point(id, url string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	sub := s.subscription(id)
	if sub == nil {
		return fmt.Errorf("there is no webhook subscription %q", id)
	}
	sub.URL = url
	return s.save()
}

func (s *Sim) listSubscriptions(c *call) (any, *refusal) {
	offset, limit, no := c.page(25, 100)
	if no != nil {
		return nil, no
	}
	return paged("webhook_subscriptions", s.state.Subscriptions, offset, limit, func(sub *Subscription) any { return sub.wire(nil) }), nil
}

// subscriptionIn is one in a body.
type subscriptionIn struct {
	Type        string      `json:"type"`
	Description string      `json:"description"`
	Active      *bool       `json:"active"`
	Events      []string    `json:"events"`
	Filter      referenceIn `json:"filter"`
	Method      struct {
		Type string `json:"type"`
		URL  string `json:"url"`
	} `json:"delivery_method"`
}

func (s *Sim) readSubscription(c *call) (in subscriptionIn, no *refusal) {
	var body struct {
		Subscription subscriptionIn `json:"webhook_subscription"`
	}
	if no := c.read(&body); no != nil {
		return in, no
	}
	for _, e := range body.Subscription.Events {
		if !slices.Contains(knownEvents, e) {
			return in, invalid("events: %q is none", e)
		}
	}
	return body.Subscription, nil
}

func (s *Sim) createSubscription(c *call) (any, *refusal) {
	in, no := s.readSubscription(c)
	if no != nil {
		return nil, no
	}
	at, err := url.Parse(in.Method.URL)
	switch {
	case in.Type != "webhook_subscription" || in.Method.Type != "http_delivery_method" || len(in.Events) == 0:
		return nil, invalid("type, events or the type of delivery_method is missing")
	case err != nil || at.Host == "" || !strings.HasPrefix(at.Scheme, "http"):
		return nil, invalid("delivery_method.url: %q is no URL", in.Method.URL)
	case in.Filter.Type != "account_reference" && in.Filter.Type != "service_reference" && in.Filter.Type != "team_reference":
		return nil, invalid("filter.type: %q is none", in.Filter.Type)
	}
	if _, ok := s.service(func(v Service) bool { return v.ID == in.Filter.ID }); in.Filter.Type == "service_reference" && !ok {
		return nil, notFound()
	}
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		return nil, refuse(http.StatusInternalServerError, 2000, err.Error())
	}
	sub := &Subscription{ID: s.id(false), URL: in.Method.URL, Secret: hex.EncodeToString(secret), Events: in.Events, Service: in.Filter.ID, Active: true}
	s.state.Subscriptions = append(s.state.Subscriptions, sub)
	c.status = http.StatusCreated
	return map[string]any{"webhook_subscription": sub.wire(sub.Secret)}, nil
}

func (s *Sim) theSubscription(c *call) (*Subscription, *refusal) {
	sub := s.subscription(c.ids[0])
	if sub == nil {
		return nil, notFound()
	}
	return sub, nil
}

func (s *Sim) updateSubscription(c *call) (any, *refusal) {
	sub, no := s.theSubscription(c)
	if no != nil {
		return nil, no
	}
	in, no := s.readSubscription(c)
	if no != nil {
		return nil, no
	}
	if len(in.Events) > 0 {
		sub.Events = in.Events
	}
	if in.Active != nil {
		sub.Active = *in.Active
	}
	return map[string]any{"webhook_subscription": sub.wire(nil)}, nil
}

// enableSubscription refuses one that is not disabled.
func (s *Sim) enableSubscription(c *call) (any, *refusal) {
	sub, no := s.theSubscription(c)
	if no != nil {
		return nil, no
	}
	if sub.Until.IsZero() {
		return nil, invalid("the webhook subscription is not temporarily disabled")
	}
	sub.Until, sub.Drops = time.Time{}, 0
	return map[string]any{"webhook_subscription": sub.wire(nil)}, nil
}

func (s *Sim) pingSubscription(c *call) (any, *refusal) {
	sub, no := s.theSubscription(c)
	if no != nil {
		return nil, no
	}
	s.queue(sub, "", "pagey.ping", s.eventBody("pagey.ping", "pagey", "", map[string]any{"message": "Hello from your friend Pagey!", "type": "ping"}))
	c.status = http.StatusAccepted
	return map[string]any{}, nil
}

func (s *Sim) deleteSubscription(c *call) (any, *refusal) {
	if _, no := s.theSubscription(c); no != nil {
		return nil, no
	}
	s.state.Subscriptions = slices.DeleteFunc(s.state.Subscriptions, func(sub *Subscription) bool { return sub.ID == c.ids[0] })
	c.status = http.StatusNoContent
	return nil, nil
}
