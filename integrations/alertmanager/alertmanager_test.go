package alertmanager

import (
	"flag"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/integrationstest"
)

var update = flag.Bool("update", false, "write the golden files anew")

const samples = "testdata/alerts"

func alerts(tb testing.TB) integrations.AlertSource {
	tb.Helper()
	s, err := New(integrations.AlertOptions{})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func TestAlerts(t *testing.T) {
	integrationstest.Alerts(t, integrationstest.AlertSuite{
		Source: alerts(t), Dir: samples, Update: *update,
		Stories: [][]string{
			{"firing", "repeated", "one_resolved", "resolved", "firing_again"},
		},
		Silent: []string{"no_alerts"},
		Broken: []string{"malformed", "other"},
	})
}

func FuzzAlerts(f *testing.F) { integrationstest.FuzzAlerts(f, alerts(f), samples) }
