package pagerduty

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// hookEvents are those that a subscription of ours delivers: what becomes of an incident.
var hookEvents = []string{
	"incident.triggered", "incident.acknowledged", "incident.unacknowledged", "incident.escalated", "incident.reassigned", "incident.delegated",
	"incident.reopened", "incident.resolved", "incident.annotated", "incident.priority_updated", "incident.service_updated",
	"incident.responder.added", "incident.responder.replied", "incident.status_update_published",
}

// subscription is one of webhooks.
type subscription struct {
	ID          string     `json:"id,omitempty"`
	Type        string     `json:"type"`
	Active      *bool      `json:"active,omitempty"`
	Description string     `json:"description,omitempty"`
	Events      []string   `json:"events"`
	Filter      hookFilter `json:"filter"`
	Method      hookMethod `json:"delivery_method"`
}

type hookFilter struct {
	ID   string `json:"id,omitempty"`
	Type string `json:"type"` // account_reference, service_reference or team_reference
}

type hookMethod struct {
	Type     string `json:"type"`
	URL      string `json:"url"`
	Secret   string `json:"secret,omitempty"`               // where it was just made
	Disabled bool   `json:"temporarily_disabled,omitempty"` // after deliveries that were refused
}

// sleeps says that it is switched off by somebody.
func (s subscription) sleeps() bool { return s.Active != nil && !*s.Active }

// lacks are the events that it does not deliver.
func (s subscription) lacks() (out []string) {
	for _, e := range hookEvents {
		if !slices.Contains(s.Events, e) {
			out = append(out, e)
		}
	}
	return out
}

// hook finds the subscription to an address; the one that delivers where there are
// several. nil is none.
func (c *Client) hook(ctx context.Context, url string) (found *subscription, err error) {
	err = c.pages(ctx, call{act: "list webhook subscriptions", method: http.MethodGet, path: "/webhook_subscriptions"}, nil, func(p page) bool {
		for n, s := range p.Subscriptions {
			if s.Method.URL == url && (found == nil || found.sleeps() && !s.sleeps()) {
				found = &p.Subscriptions[n]
			}
		}
		return true
	})
	return found, err
}

// KeepHook implements HookKeeper. Where the answer to its making was lost, its secret is:
// the error says what is to be done, and which it is.
func (c *Client) KeepHook(ctx context.Context, url, service string) (integrations.RemoteHook, error) {
	s, err := c.hook(ctx, url)
	if err != nil {
		return integrations.RemoteHook{}, err
	}
	if s == nil {
		return c.makeHook(ctx, url, service)
	}
	return c.mendHook(ctx, s, s.sleeps())
}

// MendHook implements HookKeeper.
func (c *Client) MendHook(ctx context.Context, url string) (integrations.RemoteHook, error) {
	s, err := c.hook(ctx, url)
	if err != nil || s == nil || s.sleeps() {
		return integrations.RemoteHook{}, err
	}
	return c.mendHook(ctx, s, false)
}

func (c *Client) mendHook(ctx context.Context, s *subscription, wake bool) (integrations.RemoteHook, error) {
	out := integrations.RemoteHook{ID: s.ID}
	change := map[string]any{}
	if wake {
		change["active"], out.Did = true, append(out.Did, "activated")
	}
	if len(s.lacks()) > 0 {
		change["events"], out.Did = append(slices.Clone(s.Events), s.lacks()...), append(out.Did, "widened")
	}
	if len(change) > 0 {
		if err := c.ofHook(ctx, "change", s.ID, http.MethodPut, "", map[string]any{"webhook_subscription": change}); err != nil {
			return integrations.RemoteHook{ID: s.ID}, err
		}
	}
	if s.Method.Disabled {
		if err := c.ofHook(ctx, "enable", s.ID, http.MethodPost, "enable", map[string]any{}); err != nil {
			return out, err
		}
		out.Did = append(out.Did, "enabled")
	}
	if len(out.Did) == 0 {
		return out, nil
	}
	return c.ping(ctx, out)
}

func (c *Client) makeHook(ctx context.Context, url, service string) (integrations.RemoteHook, error) {
	s := subscription{Type: "webhook_subscription", Description: "signalbox", Events: hookEvents, Filter: hookFilter{Type: "account_reference"}, Method: hookMethod{Type: "http_delivery_method", URL: url}}
	if service != "" {
		s.Filter = hookFilter{ID: service, Type: "service_reference"}
	}
	var got struct {
		Made subscription `json:"webhook_subscription"`
	}
	a := call{act: "make a webhook subscription to", thing: url, method: http.MethodPost, path: "/webhook_subscriptions", of: "webhooks", body: map[string]any{"webhook_subscription": s}}
	err := c.do(ctx, a, &got)
	if lost(err) {
		if there, failed := c.hook(ctx, url); failed == nil && there != nil {
			return integrations.RemoteHook{ID: there.ID}, fmt.Errorf("%s: %s was made, and the answer with its secret was lost: delete it in PagerDuty, and try again", a, there.ID)
		}
	}
	if err != nil {
		return integrations.RemoteHook{}, err
	}
	return c.ping(ctx, integrations.RemoteHook{ID: got.Made.ID, Did: []string{"created"}, Secret: integrations.NewSecret(got.Made.Method.Secret)})
}

// ping has a subscription deliver something. What was done before it stays done.
func (c *Client) ping(ctx context.Context, h integrations.RemoteHook) (integrations.RemoteHook, error) {
	if err := c.ofHook(ctx, "ping", h.ID, http.MethodPost, "ping", map[string]any{}); err != nil {
		return h, err
	}
	h.Did = append(h.Did, "pinged")
	return h, nil
}

func (c *Client) ofHook(ctx context.Context, what, id, method, word string, body any) error {
	what += " the webhook subscription"
	words := []string{"webhook_subscriptions", id}
	if word != "" {
		words = append(words, word)
	}
	at, err := path(what, words...)
	if err != nil {
		return err
	}
	return c.do(ctx, call{act: what, thing: id, method: method, path: at, of: "webhooks", body: body}, nil)
}
