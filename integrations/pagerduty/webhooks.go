package pagerduty

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/loose"
)

// signatureHeader holds "v1=<hex>[,v1=<hex>]", one for each secret of the subscription
// (developer.pagerduty.com/docs/webhooks/webhook-signatures).
const signatureHeader = "X-PagerDuty-Signature"

// mostSignatures are looked at in one header: a subscription has two secrets at most.
const mostSignatures = 16

// NewWebhooks makes the source of what webhook subscriptions of version 3 send.
func NewWebhooks(o integrations.AlertOptions) (integrations.AlertSource, error) {
	return webhooks{o.Secrets}, o.NoSettings()
}

type webhooks struct{ secrets []integrations.Secret }

// Headers implements integrations.AlertSource.
func (webhooks) Headers() []string { return []string{"X-Webhook-Id"} }

// Signs implements integrations.AlertSigner.
func (w webhooks) Signs() bool { return len(w.secrets) > 0 }

// Authentic implements integrations.AlertSigner: any signature of version 1 by any secret
// will do; other versions are passed over.
func (w webhooks) Authentic(_ context.Context, header http.Header, body []byte) error {
	given := strings.Join(header.Values(signatureHeader), ",")
	if given == "" {
		return integrations.ErrAlertUnsigned
	}
	var right [][]byte
	for _, s := range w.secrets {
		if s.IsZero() { // an empty secret would let everybody in
			continue
		}
		mac := hmac.New(sha256.New, []byte(s.Reveal()))
		mac.Write(body)
		right = append(right, mac.Sum(nil))
	}
	found := false
	for _, one := range strings.SplitN(given, ",", mostSignatures+1)[:min(mostSignatures, strings.Count(given, ",")+1)] {
		digest, v1 := strings.CutPrefix(strings.TrimSpace(one), "v1=")
		got, err := hex.DecodeString(strings.TrimSpace(digest))
		if !v1 || err != nil {
			continue
		}
		for _, r := range right {
			if hmac.Equal(r, got) {
				found = true
			}
		}
	}
	if !found {
		return integrations.ErrAlertForged
	}
	return nil
}

// Sign makes a signature that Authentic accepts, as the header holds it.
func Sign(body []byte, secret integrations.Secret) string {
	mac := hmac.New(sha256.New, []byte(secret.Reveal()))
	mac.Write(body)
	return "v1=" + hex.EncodeToString(mac.Sum(nil))
}

// states are those of the types of events that have one; every other event of an incident
// is an update of it.
var states = map[string]string{
	"incident.triggered": integrations.AlertFiring, "incident.reopened": integrations.AlertFiring,
	"incident.acknowledged": integrations.AlertAcknowledged, "incident.unacknowledged": integrations.AlertUnacknowledged,
	"incident.resolved": integrations.AlertResolved, "incident.annotated": integrations.AlertNoted,
}

var urgencies = map[string]string{"high": integrations.SeverityCritical, "low": integrations.SeverityWarning}

// Read implements integrations.AlertSource
// (developer.pagerduty.com/docs/webhooks/v3-overview). The key is the incident's id. What
// is no event of an incident, such as a ping, holds no alert.
func (w webhooks) Read(header http.Header, body []byte) (integrations.AlertNotice, error) {
	d, err := loose.Object(body)
	if err != nil {
		return integrations.AlertNotice{}, err
	}
	e := d.At("event")
	kind := e.At("event_type").Text()
	if kind == "" {
		return integrations.AlertNotice{}, errors.New("no webhook of PagerDuty, version 3: it has no event_type")
	}
	n := integrations.AlertNotice{ID: cmp.Or(header.Get("X-Webhook-Id"), e.At("id").Text()), Kind: kind}
	if !strings.HasPrefix(kind, "incident.") {
		return n.Tidy(), nil
	}
	data := e.At("data")
	incident := data
	if data.At("incident").IsObject() { // a note, a responder, a status update …
		incident = data.At("incident")
	}
	id := strings.TrimSpace(incident.At("id").Text())
	if id == "" {
		return integrations.AlertNotice{}, errors.New("a webhook of PagerDuty without the id of its incident")
	}
	n.Alerts = []integrations.Alert{readIncident(e, data, incident, kind, id)}
	return n.Tidy(), nil
}

func readIncident(e, data, incident loose.Value, kind, id string) integrations.Alert {
	a := integrations.Alert{
		Key: id, State: cmp.Or(states[kind], integrations.AlertUpdated), Kind: kind, Severity: cmp.Or(urgencies[incident.At("urgency").Text()], integrations.SeverityUnknown),
		Title: cmp.Or(incident.At("title").Text(), incident.At("summary").Text()), Service: cmp.Or(incident.At("service", "summary").Text(), data.At("service", "summary").Text()),
		URL: incident.At("html_url").Text(), At: e.At("occurred_at").Time(), Opened: incident.At("created_at").Time(), By: person(e.At("agent")),
		Labels: map[string]string{},
	}
	for _, p := range incident.At("assignees").List() {
		a.Assigned = append(a.Assigned, person(p))
	}
	for name, v := range map[string]loose.Value{
		"incident_key": incident.At("incident_key"), "priority": incident.At("priority", "summary"), "escalation_policy": incident.At("escalation_policy", "summary"),
		"service_id": incident.At("service", "id"), "resolve_reason": incident.At("resolve_reason", "type"), "client": e.At("client", "name"), "conference": incident.At("conference_bridge", "conference_url"),
	} {
		a.Labels[name] = v.Text()
	}
	if n := incident.At("number").Int(); n > 0 {
		a.Labels["number"] = strconv.FormatInt(n, 10)
	}
	a.Text = said(a, data, kind)
	return a
}

// said is what an event says besides its incident, in words.
func said(a integrations.Alert, data loose.Value, kind string) string {
	var names []string
	for _, p := range a.Assigned {
		names = append(names, cmp.Or(p.Name, p.ID))
	}
	who := strings.Join(names, ", ")
	switch {
	case kind == "incident.annotated":
		return data.At("content").Text()
	case data.At("type").Text() == "incident_responder":
		return cmp.Or(data.At("user", "summary").Text(), data.At("escalation_policy", "summary").Text()) + ": " + data.At("state").Text() + ". " + data.At("message").Text()
	case data.At("message").Is():
		return data.At("message").Text()
	case data.At("conference_url").Is():
		return data.At("conference_url").Text()
	case a.State == integrations.AlertUpdated:
		for _, part := range []struct{ of, text string }{
			{"escalated", who}, {"delegated", a.Labels["escalation_policy"]}, {"reassigned", who}, {"priority_updated", a.Labels["priority"]}, {"service_updated", a.Service},
		} {
			if kind == "incident."+part.of {
				return part.text
			}
		}
		return data.At("summary").Text()
	}
	return ""
}

// person is who did something; what is no user is named without an id of one.
func person(v loose.Value) integrations.AlertPerson {
	p := integrations.AlertPerson{Name: v.At("summary").Text(), Email: v.At("email").Text()}
	if t := v.At("type").Text(); t == "user_reference" || t == "user" {
		p.ID = v.At("id").Text()
	}
	return p
}
