// Package sensu reads the events of Sensu, Core and Go, as a handler that pipes them to
// a program sends them on. Nothing of them is signed.
package sensu

import (
	"errors"
	"net/http"
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/loose"
)

// New makes the source. With a URL among its settings, that of Sensu Go, it is an
// integrations.AlertSilencer and an integrations.AlertLooker too.
func New(o integrations.AlertOptions) (integrations.AlertSource, error) {
	var c Config
	if o.Decode != nil {
		if err := o.Decode(&c); err != nil {
			return nil, err
		}
	}
	if err := c.check(); err != nil || c.URL == "" {
		return source{}, err
	}
	return newClient(c, o), nil
}

type source struct{}

// Headers implements integrations.AlertSource.
func (source) Headers() []string { return nil }

// Read implements integrations.AlertSource. An event of Sensu Core has a client, one of
// Sensu Go an entity.
func (source) Read(_ http.Header, body []byte) (integrations.AlertNotice, error) {
	e, err := loose.Object(body)
	if err != nil {
		return integrations.AlertNotice{}, err
	}
	if e.At("client").IsObject() && e.At("check").IsObject() {
		return core(e)
	}
	if !e.At("entity").IsObject() && e.At("spec").IsObject() { // as sensuctl prints it
		e = e.At("spec")
	}
	switch {
	case !e.At("entity").IsObject():
		return integrations.AlertNotice{}, errors.New("no event of Sensu: it has neither a client and a check, nor an entity")
	case !e.At("check").IsObject():
		return integrations.AlertNotice{ID: e.At("id").Text(), Kind: "metrics"}.Tidy(), nil
	}
	return event(e)
}

// severities are those of a check's exit status, as Nagios' plugins have it; every other
// status is unknown.
var severities = map[int64]string{0: integrations.SeverityInfo, 1: integrations.SeverityWarning, 2: integrations.SeverityCritical}

func severity(status int64) string {
	if s, ok := severities[status]; ok {
		return s
	}
	return integrations.SeverityUnknown
}

// core reads an event of Sensu Core (the reference documentation "Events" of Sensu 1.x).
func core(e loose.Value) (integrations.AlertNotice, error) {
	client, check := e.At("client"), e.At("check")
	host, name := client.At("name").Text(), check.At("name").Text()
	if host == "" || name == "" {
		return integrations.AlertNotice{}, errors.New("no event of Sensu: its client or its check has no name")
	}
	action := e.At("action").Text()
	state, known := map[string]string{"create": integrations.AlertFiring, "resolve": integrations.AlertResolved, "flapping": integrations.AlertFlapping}[action]
	if !known {
		return integrations.AlertNotice{Kind: action + " event"}.Tidy(), nil
	}
	a := integrations.Alert{
		Key: host + "/" + name, State: state, Kind: action, Severity: severity(check.At("status").Int()), Title: title(host, name, check.At("output").Text()),
		Text: check.At("output").Text(), Host: host, Check: name, Instance: integrations.InstanceID(host, client.At("instance_id").Text()),
		Service: first(check.At("service"), client.At("service")), Environment: first(check.At("environment"), client.At("environment")),
		Roles: subscriptions(client.At("subscriptions")), Runbook: first(check.At("runbook"), check.At("playbook")), Silenced: e.At("silenced").True(),
		At: e.At("timestamp").Time(), Count: int(e.At("occurrences").Int()),
	}
	if state != integrations.AlertResolved {
		a.Opened = e.At("last_state_change").Time()
	}
	return notice(e, a), nil
}

// event reads an event of Sensu Go (the reference documentation "Events" of Sensu Go 6).
func event(e loose.Value) (integrations.AlertNotice, error) {
	entity, check := e.At("entity"), e.At("check")
	host, name := entity.At("metadata", "name").Text(), check.At("metadata", "name").Text()
	if host == "" || name == "" {
		return integrations.AlertNotice{}, errors.New("no event of Sensu: its entity or its check has no name")
	}
	key := host + "/" + name
	if ns := first(entity.At("metadata", "namespace"), check.At("metadata", "namespace")); ns != "" && ns != "default" {
		key = ns + "/" + key
	}
	status := check.At("status").Int()
	state := integrations.AlertFiring
	switch {
	case check.At("state").Text() == "flapping":
		state = integrations.AlertFlapping
	case status == 0:
		state = integrations.AlertResolved
	}
	label := func(names ...string) string {
		for _, n := range names {
			for _, from := range []loose.Value{check, entity} {
				if v := first(from.At("metadata", "labels", n), from.At("metadata", "annotations", n)); v != "" {
					return v
				}
			}
		}
		return ""
	}
	a := integrations.Alert{
		Key: key, State: state, Kind: check.At("state").Text(), Severity: severity(status), Title: title(host, name, check.At("output").Text()),
		Text: check.At("output").Text(), Host: host, Check: name, Instance: integrations.InstanceID(host, label("instance_id", "ec2_instance_id")),
		Service: label("service"), Environment: label("environment", "env"), Roles: subscriptions(entity.At("subscriptions")),
		Runbook: label("runbook", "runbook_url", "playbook"), URL: label("url"), Image: label("image"), Labels: entity.At("metadata", "labels").Map(),
		Silenced: check.At("is_silenced").True() || len(check.At("silenced").List()) > 0, At: e.At("timestamp").Time(), Count: int(check.At("occurrences").Int()),
	}
	for k, v := range check.At("metadata", "labels").Map() {
		a.Labels[k] = v
	}
	return notice(e, a), nil
}

// notice gives an event its id. That of Sensu Core stays the same until it is resolved,
// so what changes with each goes in too.
func notice(e loose.Value, a integrations.Alert) integrations.AlertNotice {
	n := integrations.AlertNotice{Kind: a.Kind, Alerts: []integrations.Alert{a}}
	if id, at := e.At("id").Text(), e.At("timestamp").Text(); id != "" && at != "" {
		n.ID = strings.Join([]string{id, at, a.State, first(e.At("occurrences"), e.At("check", "occurrences"))}, " ")
	}
	return n.Tidy()
}

func title(host, check, output string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(output), "\n")
	if line == "" {
		return host + " " + check
	}
	return host + " " + check + ": " + line
}

// subscriptions are the roles; what every client subscribes for itself is none.
func subscriptions(list loose.Value) (out []string) {
	for _, s := range list.Texts() {
		if !strings.HasPrefix(s, "client:") && !strings.HasPrefix(s, "entity:") && !strings.HasPrefix(s, "roundrobin:") {
			out = append(out, s)
		}
	}
	return out
}

func first(values ...loose.Value) string {
	for _, v := range values {
		if t := v.Text(); t != "" {
			return t
		}
	}
	return ""
}
