package cloudwatch

import (
	"flag"
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/integrationstest"
)

var update = flag.Bool("update", false, "write the golden files anew")

const (
	samples = "testdata/alerts"
	topic   = "arn:aws:sns:ap-northeast-1:123456789012:alarms"
)

// make makes a source with topics of its own.
func makeSource(tb testing.TB, o integrations.AlertOptions, topics ...string) *source {
	tb.Helper()
	o.Decode = func(into any) error { into.(*Config).Topics = topics; return nil }
	s, err := New(o)
	if err != nil {
		tb.Fatal(err)
	}
	return s.(*source)
}

func TestAlerts(t *testing.T) {
	integrationstest.Alerts(t, integrationstest.AlertSuite{
		Source: makeSource(t, integrations.AlertOptions{}), Dir: samples, Update: *update,
		Stories: [][]string{
			{"alarm", "insufficient_data", "ok", "alarm_again", "alarm_without_arn", "eventbridge_sns", "eventbridge_direct", "raw"},
		},
		Silent: []string{"eventbridge_other", "subscription", "unsubscribed", "text_message"},
		Broken: []string{"malformed"},
	})
}

func FuzzAlerts(f *testing.F) {
	integrationstest.FuzzAlerts(f, makeSource(f, integrations.AlertOptions{}), samples)
}

func TestConfig(t *testing.T) {
	for want, c := range map[string]struct {
		topics  []string
		secrets []integrations.Secret
	}{
		"settings.topics[1]: \"alarms\" is not the ARN of a topic": {topics: []string{topic, "alarms"}},
		"secrets: SNS signs with Amazon's key":                     {secrets: []integrations.Secret{integrations.NewSecret("x")}},
	} {
		_, err := New(integrations.AlertOptions{Secrets: c.secrets, Decode: func(into any) error { into.(*Config).Topics = c.topics; return nil }})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}
