package mackerel

import (
	"cmp"
	"errors"
	"net/http"
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/loose"
)

// NewAlerts makes the source of what Mackerel's webhook channels send
// (mackerel.io/docs/entry/howto/alerts/webhook). Nothing of it is signed. With a key among
// its settings it is an integrations.AlertSilencer and an integrations.AlertLooker too.
func NewAlerts(o integrations.AlertOptions) (integrations.AlertSource, error) {
	var c AlertsConfig
	if o.Decode != nil {
		if err := o.Decode(&c); err != nil {
			return nil, err
		}
	}
	if err := c.check(); err != nil || c.APIKey.IsZero() {
		return alertSource{}, err
	}
	return newQuieter(c, o), nil
}

type alertSource struct{}

// Headers implements integrations.AlertSource.
func (alertSource) Headers() []string { return nil }

// alertSeverities are those of an alert's status.
var alertSeverities = map[string]string{"critical": integrations.SeverityCritical, "warning": integrations.SeverityWarning, "ok": integrations.SeverityInfo}

// Read implements integrations.AlertSource. The key is the alert's id, which stays the
// same until it is closed; a delivery has no id, and one that is sent again at the
// channel's interval may be the same again.
func (alertSource) Read(_ http.Header, body []byte) (integrations.AlertNotice, error) {
	d, err := loose.Object(body)
	if err != nil {
		return integrations.AlertNotice{}, err
	}
	event := d.At("event").Text()
	switch {
	case event == "":
		return integrations.AlertNotice{}, errors.New("no webhook of Mackerel: it does not say which event it is")
	case event != "alert":
		return integrations.AlertNotice{Kind: event}.Tidy(), nil
	}
	a := d.At("alert")
	id := strings.TrimSpace(a.At("id").Text())
	if id == "" {
		return integrations.AlertNotice{}, errors.New("no alert of Mackerel: it has no id")
	}
	return integrations.AlertNotice{Kind: event, Alerts: []integrations.Alert{readAlert(d, a, id)}}.Tidy(), nil
}

func readAlert(d, a loose.Value, id string) integrations.Alert {
	host, service := d.At("host"), d.At("service")
	out := integrations.Alert{
		Key: id, State: integrations.AlertFiring, Kind: d.At("type").Text(), Severity: cmp.Or(alertSeverities[strings.ToLower(a.At("status").Text())], integrations.SeverityUnknown),
		Host: host.At("name").Text(), HostID: host.At("id").Text(), Instance: integrations.InstanceID(append(strings.Fields(host.At("memo").Text()), host.At("name").Text())...),
		Service: service.At("name").Text(), Check: a.At("monitorName").Text(), URL: a.At("url").Text(), Image: d.At("imageUrl").Text(),
		At: a.At("statusChangedAt").Time(), Opened: a.At("openedAt").Time(),
	}
	if out.Opened.IsZero() {
		out.Opened = a.At("createdAt").Time()
	}
	if open := a.At("isOpen"); open.Is() && !open.True() || a.At("status").Text() == "ok" {
		out.State = integrations.AlertResolved
		if out.At.IsZero() {
			out.At = a.At("closedAt").Time()
		}
	}
	if out.At.IsZero() {
		out.At = out.Opened
	}
	for _, r := range append(host.At("roles").List(), service.At("roles").List()...) {
		name := r.At("serviceName").Text()
		if role := r.At("roleName").Text(); name != "" && role != "" {
			out.Roles = append(out.Roles, name+":"+role)
		}
		out.Service = cmp.Or(out.Service, name)
	}
	// Hosts on standby are watched, and nobody is called for them; those in maintenance
	// or powered off are not watched (mackerel.io/docs/entry/howto/host-status).
	switch host.At("status").Text() {
	case "standby":
		out.Silenced = true
	case "maintenance", "poweroff":
		out.Maintenance = true
	}
	out.Metric = metric(a)
	out.Labels = map[string]string{"organization": d.At("orgName").Text(), "trigger": a.At("trigger").Text()}
	said := d.At("message").Text()
	if said == "" && out.Metric.Value != "" {
		said = strings.Join([]string{out.Metric.Name, out.Metric.Value, out.Metric.Operator, out.Metric.Threshold}, " ")
	}
	title := []string{}
	for _, part := range []string{cmp.Or(out.Host, service.At("name").Text()), out.Check} {
		if part != "" {
			title = append(title, part)
		}
	}
	out.Title = strings.Join(title, " ")
	if line, _, _ := strings.Cut(said, "\n"); line != "" {
		out.Title = strings.TrimPrefix(out.Title+": "+line, ": ")
	}
	out.Text = strings.TrimSpace(said + "\n" + d.At("memo").Text())
	return out
}

// metric is what was measured, against the threshold of the alert's status.
func metric(a loose.Value) integrations.Metric {
	m := integrations.Metric{Name: a.At("metricLabel").Text(), Value: a.At("metricValue").Short(), Operator: a.At("monitorOperator").Text()}
	for _, threshold := range []string{strings.ToLower(a.At("status").Text()) + "Threshold", "warningThreshold", "criticalThreshold"} {
		if m.Threshold == "" {
			m.Threshold = a.At(threshold).Short()
		}
	}
	return m
}
