package described

import (
	"flag"
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/integrationstest"
)

var update = flag.Bool("update", false, "write the golden files anew")

const samples = "testdata/alerts"

func alerts(tb testing.TB) integrations.AlertSource {
	tb.Helper()
	s, err := New(integrations.AlertOptions{Decode: zabbix})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func TestAlerts(t *testing.T) {
	integrationstest.Alerts(t, integrationstest.AlertSuite{
		Source: alerts(t), Dir: samples, Update: *update,
		Stories: [][]string{{"firing", "repeated", "resolved", "unknown_state"}},
		Broken:  []string{"no_key", "malformed"},
	})
}

func FuzzAlerts(f *testing.F) { integrationstest.FuzzAlerts(f, alerts(f), samples) }

// zabbix is the description of the samples.
func zabbix(into any) error {
	*into.(*Config) = Config{
		ID: "/event/id", Key: []string{"/host/name", "/trigger/id"}, Title: []string{"/trigger/name", "/host/name"}, Text: []string{"/item/value"}, State: "/event/value",
		States: map[string]string{"1": "firing", "0": "resolved"}, Severity: "/trigger/severity", Host: "/host/name", URL: "/trigger/url", At: "/event/time",
		Labels: "/event/tags", Service: "/event/tags/service", Value: "/item/value",
	}
	return nil
}

func TestValidate(t *testing.T) {
	good := Config{Key: []string{"/k"}, Title: []string{"/t"}}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Config){
		"settings.key: is missing":                         func(c *Config) { c.Key = nil },
		"settings.title: is missing":                       func(c *Config) { c.Title = nil },
		`settings.title[0]: "t" is not a JSON pointer`:     func(c *Config) { c.Title = []string{"t"} },
		`settings.key[1]: "" is not a JSON pointer`:        func(c *Config) { c.Key = []string{"/k", ""} },
		`settings.url: "$.url" is not a JSON pointer`:      func(c *Config) { c.URL = "$.url" },
		`settings.each: "/a~" has a ~ in it`:               func(c *Config) { c.Each = "/a~" },
		`settings.states.up: unknown state "well"`:         func(c *Config) { c.State, c.States = "/s", map[string]string{"up": "well", "down": "firing"} },
		"settings.states: is given, and state does not":    func(c *Config) { c.States = map[string]string{"down": "firing"} },
		"settings.states: names none that means firing":    func(c *Config) { c.State, c.States = "/s", map[string]string{"up": "resolved"} },
		`settings.severities.p1: unknown severity "worst"`: func(c *Config) { c.Severities = map[string]string{"p1": "worst"} },
	} {
		c := good
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

// A body may hold several alerts; those without a key are counted, and the rest taken.
func TestEach(t *testing.T) {
	s, err := New(integrations.AlertOptions{Decode: func(into any) error {
		*into.(*Config) = Config{Each: "/list", Key: []string{"/k"}, Title: []string{"/t"}, Severity: "/s", Severities: map[string]string{"P1": "critical"}}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	n, err := integrationstest.Read(t, s, nil, []byte(`{"list":[{"k":1,"t":"one","s":"p1"},{"t":"no key"},{"k":"2","t":"two","s":"warn"}]}`))
	if err != nil || len(n.Alerts) != 2 || n.More != 1 || n.Alerts[0].Key != "1" || n.Alerts[0].Severity != "critical" || n.Alerts[1].Severity != "warning" || n.Alerts[1].State != "firing" {
		t.Errorf("read %+v, %v", n, err)
	}
	if _, err := s.Read(nil, []byte(`{"alerts":[]}`)); err == nil || !strings.Contains(err.Error(), "/list") {
		t.Errorf("a body without the list: %v", err)
	}
}
