// Package pingdom reads the state change webhooks of Pingdom. Nothing of them is signed,
// and Pingdom sends no header of ours: the secret is in the path.
package pingdom

import (
	"errors"
	"net/http"
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/loose"
)

// New makes the source.
func New(o integrations.AlertOptions) (integrations.AlertSource, error) {
	return source{}, o.NoSettings()
}

type source struct{}

// Headers implements integrations.AlertSource.
func (source) Headers() []string { return nil }

// states are those of uptime checks, and of transaction checks.
var states = map[string]string{
	"DOWN": integrations.AlertFiring, "FAILING": integrations.AlertFiring, "UP": integrations.AlertResolved, "SUCCESS": integrations.AlertResolved,
}

// severities are those of a check's importance. Where Pingdom says none it is an error: a
// site that is down is one.
var severities = map[string]string{"HIGH": integrations.SeverityCritical, "LOW": integrations.SeverityWarning}

// Read implements integrations.AlertSource (www.pingdom.com/resources/webhooks). The key
// is the check's id. A state that is not known is an update.
func (source) Read(_ http.Header, body []byte) (integrations.AlertNotice, error) {
	d, err := loose.Object(body)
	if err != nil {
		return integrations.AlertNotice{}, err
	}
	id, state := strings.TrimSpace(d.At("check_id").Text()), strings.ToUpper(d.At("current_state").Text())
	if id == "" || state == "" {
		return integrations.AlertNotice{}, errors.New("no state change of Pingdom: it has no check_id or no current_state")
	}
	params := d.At("check_params")
	a := integrations.Alert{
		Key: id, State: states[state], Kind: state, Severity: severities[d.At("importance_level").Text()], Check: d.At("check_name").Text(),
		Title: d.At("check_name").Text() + " is " + state, Host: params.At("hostname").Text(), Roles: d.At("tags").Texts(), At: d.At("state_changed_timestamp").Time(),
		Labels: map[string]string{"check_type": d.At("check_type").Text(), "address": params.At("full_url").Text(), "probe": d.At("first_probe", "location").Text()},
	}
	if a.At.IsZero() {
		a.At = d.At("state_changed_utc_time").Time()
	}
	switch a.State {
	case integrations.AlertFiring:
		a.Opened = a.At
		if a.Severity == "" {
			a.Severity = integrations.SeverityError
		}
	case integrations.AlertResolved:
		a.Severity = integrations.SeverityInfo
	}
	if short := d.At("description").Text(); short != "" && a.State != integrations.AlertResolved {
		a.Title += ": " + short
	}
	var text []string
	for _, name := range []string{"long_description", "custom_message"} {
		if t := d.At(name).Text(); t != "" {
			text = append(text, t)
		}
	}
	a.Text = strings.Join(text, "\n")
	n := integrations.AlertNotice{Kind: d.At("check_type").Text(), Alerts: []integrations.Alert{a}}
	if !a.At.IsZero() {
		n.ID = strings.Join([]string{id, state, a.At.Format("2006-01-02T15:04:05Z")}, " ")
	}
	return n.Tidy(), nil
}
