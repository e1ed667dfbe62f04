// Package alertmanager reads the webhooks of Prometheus Alertmanager, and of Grafana,
// which sends the same with a little more. Nothing of them is signed; Alertmanager sends
// a bearer token along when its http_config says so.
package alertmanager

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/loose"
)

// New makes the source. With a URL among its settings it is an integrations.AlertSilencer
// and an integrations.AlertLooker too.
func New(o integrations.AlertOptions) (integrations.AlertSource, error) {
	var s source
	if o.Decode != nil {
		if err := o.Decode(&s.cfg); err != nil {
			return nil, err
		}
	}
	if err := s.cfg.check(); err != nil || s.cfg.URL == "" {
		return s, err
	}
	return newClient(s, o), nil
}

type source struct{ cfg Config }

// Headers implements integrations.AlertSource.
func (source) Headers() []string { return nil }

// Read implements integrations.AlertSource. A delivery is a group, and each alert in it
// stands for itself: its key is its fingerprint, which stays the same from the first time
// that it fires (prometheus.io/docs/alerting/latest/configuration, webhook_config). A
// delivery has no id, and one that is repeated after repeat_interval is the same again.
func (s source) Read(_ http.Header, body []byte) (integrations.AlertNotice, error) {
	d, err := loose.Object(body)
	if err != nil {
		return integrations.AlertNotice{}, err
	}
	if !d.At("alerts").IsList() {
		return integrations.AlertNotice{}, errors.New("no delivery of Alertmanager: it has no list of alerts")
	}
	n := integrations.AlertNotice{Kind: cmp.Or(d.At("status").Text(), "group"), More: int(max(0, min(d.At("truncatedAlerts").Int(), 1e6)))}
	for _, a := range d.At("alerts").List() {
		if !a.At("labels").IsObject() {
			continue
		}
		if len(n.Alerts) == integrations.AlertsMost {
			n.More++
			continue
		}
		n.Alerts = append(n.Alerts, s.alert(d, a))
	}
	return n.Tidy(), nil
}

func (s source) alert(d, a loose.Value) integrations.Alert {
	labels := a.At("labels").Map()
	label := func(names ...string) string { return firstOf(labels, names) }
	note := func(names ...string) string { return firstOf(a.At("annotations").Map(), names) }
	name := label("alertname")
	out := integrations.Alert{
		Key: cmp.Or(strings.TrimSpace(a.At("fingerprint").Text()), digest(labels)), Group: d.At("groupKey").Text(), State: integrations.AlertFiring, Kind: a.At("status").Text(),
		Severity: integrations.Severity(label("severity", "priority")), Text: note("description", "message"),
		Service: label(s.cfg.serviceLabel(), "service", "job"), Environment: label(s.cfg.environmentLabel(), "environment", "env"), Roles: []string{label("role")},
		Host: host(label("host", "hostname", "node", "instance")), Instance: integrations.InstanceID(label("instance_id"), label("instance"), label("host"), label("node")),
		Check: name, URL: cmp.Or(a.At("generatorURL").Text(), d.At("externalURL").Text()), Runbook: note("runbook_url", "runbook"),
		Image: cmp.Or(a.At("imageURL").Text(), note("image", "image_url")), Labels: labels,
		At: a.At("startsAt").Time(), Opened: a.At("startsAt").Time(),
	}
	if out.Kind == "resolved" {
		out.State, out.At = integrations.AlertResolved, a.At("endsAt").Time()
	}
	if values := a.At("values"); len(values.Names()) > 0 { // Grafana
		v := values.Names()[0]
		out.Metric = integrations.Metric{Name: v, Value: values.At(v).Short()}
	}
	first, _, _ := strings.Cut(out.Text, "\n")
	out.Title = cmp.Or(note("summary", "title"), first, strings.TrimSpace(name+" "+out.Host))
	return out
}

func firstOf(m map[string]string, names []string) string {
	for _, n := range names {
		if v := m[n]; v != "" {
			return v
		}
	}
	return ""
}

// host is an instance without the port that it is scraped at.
func host(instance string) string {
	if h, _, err := net.SplitHostPort(instance); err == nil && h != "" {
		return h
	}
	return instance
}

// digest stands for the fingerprint where there is none: of the labels, which are all
// that Alertmanager tells alerts apart by.
func digest(labels map[string]string) string {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		h.Write([]byte(name + "\x00" + labels[name] + "\x00"))
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}
