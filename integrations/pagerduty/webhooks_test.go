package pagerduty

import (
	"errors"
	"flag"
	"net/http"
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/integrationstest"
)

var update = flag.Bool("update", false, "write the golden files anew")

const samples = "testdata/alerts"

func alerts(tb testing.TB) integrations.AlertSource {
	tb.Helper()
	s, err := NewWebhooks(integrations.AlertOptions{})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func TestAlerts(t *testing.T) {
	integrationstest.Alerts(t, integrationstest.AlertSuite{
		Source: alerts(t), Dir: samples, Update: *update,
		Stories: [][]string{
			{"triggered", "acknowledged", "unacknowledged", "escalated", "annotated", "responder_added", "status_update", "custom_field", "resolved", "reopened", "unknown_incident_event"},
		},
		Silent: []string{"ping", "service_event"},
		Broken: []string{"no_incident", "malformed", "version_2"},
	})
}

func FuzzAlerts(f *testing.F) { integrationstest.FuzzAlerts(f, alerts(f), samples) }

func TestAuthentic(t *testing.T) {
	one, two, other := integrations.NewSecret("the first secret"), integrations.NewSecret("the second secret"), integrations.NewSecret("another")
	body := []byte(`{"event":{}}`)
	for _, c := range []struct {
		name    string
		header  []string
		secrets []integrations.Secret
		want    error
	}{
		{"right", []string{Sign(body, one)}, []integrations.Secret{one}, nil},
		{"any of our secrets", []string{Sign(body, two)}, []integrations.Secret{one, two}, nil},
		{"any of theirs", []string{Sign(body, other) + "," + Sign(body, one)}, []integrations.Secret{one}, nil},
		{"spaces", []string{" " + Sign(body, other) + " , " + Sign(body, one) + " "}, []integrations.Secret{one}, nil},
		{"two headers", []string{Sign(body, other), Sign(body, one)}, []integrations.Secret{one}, nil},
		{"a later version beside it", []string{"v2=00," + Sign(body, one)}, []integrations.Secret{one}, nil},
		{"none", nil, []integrations.Secret{one}, integrations.ErrAlertUnsigned},
		{"another secret", []string{Sign(body, other)}, []integrations.Secret{one, two}, integrations.ErrAlertForged},
		{"another body", []string{Sign([]byte("{}"), one)}, []integrations.Secret{one}, integrations.ErrAlertForged},
		{"another version", []string{"v2=" + Sign(body, one)[3:]}, []integrations.Secret{one}, integrations.ErrAlertForged},
		{"no version", []string{Sign(body, one)[3:]}, []integrations.Secret{one}, integrations.ErrAlertForged},
		{"cut", []string{Sign(body, one)[:40]}, []integrations.Secret{one}, integrations.ErrAlertForged},
		{"empty", []string{"v1="}, []integrations.Secret{one}, integrations.ErrAlertForged},
		{"an empty secret", []string{Sign(body, integrations.Secret{})}, []integrations.Secret{{}}, integrations.ErrAlertForged},
		{"no secret", []string{Sign(body, one)}, nil, integrations.ErrAlertForged},
		{"very many", []string{strings.Repeat("v1=00,", 1000) + Sign(body, one)}, []integrations.Secret{one}, integrations.ErrAlertForged},
	} {
		s, err := NewWebhooks(integrations.AlertOptions{Secrets: c.secrets})
		if err != nil {
			t.Fatal(err)
		}
		h := http.Header{}
		for _, v := range c.header {
			h.Add("x-pagerduty-signature", v)
		}
		if err := s.(integrations.AlertSigner).Authentic(t.Context(), h, body); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	if (webhooks{}).Signs() || !(webhooks{[]integrations.Secret{one}}).Signs() {
		t.Error("it can tell a signature with secrets, and only then")
	}
}
