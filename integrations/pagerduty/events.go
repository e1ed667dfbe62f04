package pagerduty

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/signalbox-chatops/signalbox/integrations"
)

const (
	ownEventsURL = "https://events.pagerduty.com"
	euEventsURL  = "https://events.eu.pagerduty.com"

	mostOfDedup   = 255
	mostOfSummary = 1024
	mostOfEvent   = 512 << 10 // bytes (developer.pagerduty.com, Events API v2)
)

// Events sends events of version 2. It does not wait for a limit, which is of the routing
// key: that is *integrations.Later, as is a service that is not well.
type Events struct{ c *Client }

// NewEvents makes a sender. Nothing is sent yet.
func NewEvents(c Config, o Options) *Events {
	at := c.EventsURL
	if at == "" {
		at = ownEventsURL
		if base, ok := baseURL(c.URL); ok && strings.EqualFold(base.Host, "api.eu.pagerduty.com") {
			at = euEventsURL
		}
	}
	o.NoWait = true
	out := New(Config{URL: at}, o)
	out.bare = true
	return &Events{out}
}

type event struct {
	Key       string        `json:"routing_key"`
	Action    string        `json:"event_action,omitempty"`
	Dedup     string        `json:"dedup_key,omitempty"`
	Payload   *payload      `json:"payload,omitempty"`
	Links     []integration `json:"links,omitempty"`
	Client    string        `json:"client,omitempty"`
	ClientURL string        `json:"client_url,omitempty"`
}

type integration struct {
	Href string `json:"href"`
	Text string `json:"text,omitempty"`
}

type payload struct {
	Summary   string            `json:"summary"`
	Source    string            `json:"source,omitempty"`
	Severity  string            `json:"severity,omitempty"`
	Timestamp string            `json:"timestamp,omitempty"`
	Component string            `json:"component,omitempty"`
	Group     string            `json:"group,omitempty"`
	Class     string            `json:"class,omitempty"`
	Details   map[string]string `json:"custom_details,omitempty"`
}

// Trigger implements EventSender. A text that is too long is cut, and details that are too
// many bytes are left out.
func (e *Events) Trigger(ctx context.Context, key integrations.Secret, ev integrations.RemoteEvent) error {
	severity := ev.Severity
	if severity == "" || severity == integrations.SeverityUnknown {
		severity = integrations.SeverityError // PagerDuty has no word for it
	}
	summary, _ := shorten(ev.Summary, mostOfSummary)
	return e.send(ctx, "trigger", key, event{
		Dedup: ev.Dedup, Links: links(ev.Links), Client: ev.Client.Text, ClientURL: ev.Client.URL,
		Payload: &payload{Summary: summary, Source: ev.Source, Severity: severity, Timestamp: stamp(ev.At), Component: ev.Component, Group: ev.Group, Class: ev.Class, Details: ev.Details},
	})
}

// AcknowledgeEvent implements EventSender. PagerDuty drops it where the incident was
// triggered by another routing key, or is over.
func (e *Events) AcknowledgeEvent(ctx context.Context, key integrations.Secret, dedup string) error {
	return e.send(ctx, "acknowledge", key, event{Dedup: dedup})
}

// ResolveEvent implements EventSender, and is dropped likewise.
func (e *Events) ResolveEvent(ctx context.Context, key integrations.Secret, dedup string) error {
	return e.send(ctx, "resolve", key, event{Dedup: dedup})
}

// Change implements EventSender.
func (e *Events) Change(ctx context.Context, key integrations.Secret, ch integrations.RemoteChange) error {
	summary, _ := shorten(ch.Summary, mostOfSummary)
	return e.enqueue(ctx, call{act: "tell of a change", method: http.MethodPost, path: "/v2/change/enqueue"}, key,
		event{Links: links(ch.Links), Payload: &payload{Summary: summary, Source: ch.Source, Timestamp: stamp(ch.At), Details: ch.Details}})
}

func (e *Events) send(ctx context.Context, action string, key integrations.Secret, ev event) error {
	a := call{act: action + " the event", thing: ev.Dedup, method: http.MethodPost, path: "/v2/enqueue"}
	if ev.Dedup == "" {
		return fmt.Errorf("%s: it has no dedup key, without which a second try would be a second incident", a)
	}
	ev.Action, ev.Dedup = action, dedupKey(ev.Dedup)
	return e.enqueue(ctx, a, key, ev)
}

func (e *Events) enqueue(ctx context.Context, a call, key integrations.Secret, ev event) error {
	if key.IsZero() {
		return fmt.Errorf("%s: there is no routing key; it is the integration key of Events API v2 of a service", a)
	}
	if ev.Payload != nil && (ev.Payload.Summary == "" || ev.Action != "" && ev.Payload.Source == "") {
		return fmt.Errorf("%s: it has no summary, or no source", a)
	}
	ev.Key = key.Reveal()
	body, err := json.Marshal(ev)
	if err != nil {
		return fmt.Errorf("%s: %w", a, err)
	}
	if len(body) > mostOfEvent && ev.Payload != nil {
		ev.Payload.Details = map[string]string{"signalbox": "the details were too long, and were left out"}
		if body, err = json.Marshal(ev); err != nil {
			return fmt.Errorf("%s: %w", a, err)
		}
	}
	if len(body) > mostOfEvent {
		return fmt.Errorf("%s: it is %d bytes; PagerDuty takes %d", a, len(body), mostOfEvent)
	}
	a.body = json.RawMessage(body)
	err = e.c.do(ctx, a, nil)
	var gone *integrations.Gone
	if errors.As(err, &gone) { // the address is wrong: nothing of PagerDuty's is away
		return &refusal{status: http.StatusNotFound, text: gone.Why}
	}
	return err
}

// dedupKey is a key that PagerDuty takes: a longer one keeps its beginning, and ends with
// a hash of the whole.
func dedupKey(key string) string {
	if utf8.RuneCountInString(key) <= mostOfDedup {
		return key
	}
	sum := sha256.Sum256([]byte(key))
	end := "-" + hex.EncodeToString(sum[:])
	return string([]rune(key)[:mostOfDedup-len(end)]) + end
}

func links(in []integrations.RemoteLink) (out []integration) {
	for _, l := range in {
		out = append(out, integration{l.URL, l.Text})
	}
	return out
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
