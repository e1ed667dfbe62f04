package mackerel_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/integrationstest"
	"github.com/signalbox-chatops/signalbox/integrations/mackerel"
	"github.com/signalbox-chatops/signalbox/integrations/mackerel/mackerelsim"
)

// carries makes a source in whose organisation downtimes are made.
func (o *organisation) carries(environment string) integrations.AlertSilencer {
	o.Helper()
	c := mackerel.AlertsConfig{APIKey: integrations.NewSecret(key), URL: o.url, Services: map[string]string{"web": "shop", "web/staging": "shop-test"}}
	s, err := mackerel.NewAlerts(integrations.AlertOptions{Environment: environment, HTTP: &http.Transport{DisableKeepAlives: true}, Decode: func(into any) error { *into.(*mackerel.AlertsConfig) = c; return nil }})
	if err != nil {
		o.Fatal(err)
	}
	return s.(integrations.AlertSilencer)
}

// monday is a time of which nothing is lost.
var monday = time.Date(2026, 11, 30, 3, 0, 30, 0, time.UTC)

func quiet() integrations.Quiet {
	return integrations.Quiet{ID: "silence-3", Services: []string{"web"}, Reason: "the disks are replaced", By: "bob", From: monday, Until: monday.Add(time.Hour), Nonce: "01JD0000000000000000000000"}
}

func shopping(t *testing.T) *organisation {
	return found(t, mackerelsim.Host{Name: "web-1", Roles: []string{"shop:app"}}, mackerelsim.Host{Name: "test-1", Roles: []string{"shop-test:app"}})
}

func TestSilences(t *testing.T) {
	integrationstest.Silences(t, func(t *testing.T) integrationstest.SilenceSystem {
		o := shopping(t)
		change := func(kind string) func() { // of which there is one at a time
			return func() {
				action := "downtime.create"
				if len(o.sim.Downtimes()) > 0 {
					action = "downtime.delete"
				}
				o.fault(mackerelsim.Fault{Kind: kind, Action: action})
			}
		}
		return integrationstest.SilenceSystem{
			Source: o.carries(""), Quiet: quiet(),
			Silent: func() (out []string) {
				for _, d := range o.sim.Downtimes() {
					out = append(out, d.ID)
				}
				return out
			},
			Lose: change("lost"), Throttle: change("throttle"),
			Refuse: func() {
				o.fault(mackerelsim.Fault{Kind: "error", Status: http.StatusUnauthorized, Count: -1})
			},
			Take: func(id string) {
				if err := o.sim.NoteDowntime(id, "mine"); err != nil {
					t.Error(err)
				}
			},
		}
	})
}

// A downtime is of the service's name there, in whole minutes that end no sooner.
func TestADowntimeIsOfTheService(t *testing.T) {
	o := shopping(t)
	if _, err := o.carries("").Silence(t.Context(), quiet()); err != nil {
		t.Fatal(err)
	}
	all, err := o.client.Downtimes(t.Context(), monday.Add(time.Minute))
	if err != nil || len(all) != 1 {
		t.Fatalf("%+v, %v", all, err)
	}
	if d := all[0]; d.Name != "signalbox silence-3 shop" || d.Note != quiet().Comment() || fmt.Sprint(d.Covers) != "[shop]" || !d.From.Equal(monday) || !d.Until.Equal(monday.Add(time.Hour)) {
		t.Errorf("%+v", d)
	}
	q := quiet()
	q.From = monday.Add(time.Second / 2)
	q.Until = monday.Add(time.Hour + time.Second)
	if _, err := o.carries("").Silence(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	if d := o.sim.Downtimes()[1]; d.Until.Before(q.Until) || d.Until.Sub(q.Until) > time.Minute {
		t.Errorf("until %s, want %s", d.Until, q.Until)
	}
}

func TestWhichService(t *testing.T) {
	for _, c := range []struct {
		of            string
		services, env []string
		want          string
	}{
		{services: []string{"web"}, want: "shop"},
		{services: []string{"website", "web"}, want: "shop"}, // an alias
		{services: []string{"web"}, env: []string{"staging"}, want: "shop-test"},
		{services: []string{"web"}, env: []string{"production"}, want: "no service there is that of web/production"},
		{services: []string{"web"}, env: []string{"production", "prod"}, of: "prod", want: "shop"},
		{services: []string{"api"}, want: `mackerel make a downtime of api: 400 Bad Request: the service "api" does not exist`},
		{services: []string{"the api"}, want: `"the api" cannot be the name of a service there`},
	} {
		o := shopping(t)
		q := quiet()
		q.Services, q.Environments = c.services, c.env
		var got string
		if _, err := o.carries(c.of).Silence(t.Context(), q); err != nil {
			if got = err.Error(); errors.As(err, new(*integrations.Later)) {
				t.Errorf("%v", err)
			}
		} else {
			got = o.sim.Downtimes()[0].Services[0]
		}
		if got != c.want {
			t.Errorf("%v in %v: %s, want %s", c.services, c.env, got, c.want)
		}
	}
}

// Of what begins on a Sunday there, more than a day is ignored; so it is said.
func TestALongSunday(t *testing.T) {
	s := shopping(t).carries("")
	for from, ok := range map[string]bool{"2026-11-28T15:30:00Z": false, "2026-11-28T14:30:00Z": true, "2026-11-29T14:30:00Z": false, "2026-11-29T15:30:00Z": true} { // of Japan
		q := quiet()
		q.From, _ = time.Parse(time.RFC3339, from)
		q.Until = q.From.Add(25 * time.Hour)
		if err := s.Keeps(q); (err == nil) != ok {
			t.Errorf("from %s: %v", from, err)
		}
		q.Until = q.From.Add(24 * time.Hour)
		if err := s.Keeps(q); err != nil {
			t.Errorf("a day from %s: %v", from, err)
		}
	}
}

func TestWhatIsWrong(t *testing.T) {
	o := shopping(t)
	s := o.carries("").(integrations.AlertLooker)
	var ids []string
	for n := range 120 {
		ids = append(ids, o.opened("web-1", "CRITICAL", fmt.Sprintf("m%d", n), ""))
	}
	if err := o.sim.Close(ids[3]); err != nil {
		t.Fatal(err)
	}
	wrong, err := s.Wrong(t.Context())
	if err != nil || len(wrong) != 119 || !wrong[ids[0]] || wrong[ids[3]] {
		t.Errorf("%d, %v", len(wrong), err)
	}
	o.fault(mackerelsim.Fault{Kind: "reset", Action: "alerts.list", Count: -1})
	if wrong, err := s.Wrong(t.Context()); err == nil || wrong != nil {
		t.Errorf("%v, %v", wrong, err)
	}
}

func TestSettingsOfAlerts(t *testing.T) {
	k := integrations.NewSecret("x")
	for want, c := range map[string]mackerel.AlertsConfig{
		"":                  {},
		"settings.url:":     {APIKey: k, URL: "mackerel"},
		"settings.api_key:": {URL: "https://mackerel.example.com"},
		"settings.api_key: is missing, and services":                    {Services: map[string]string{"web": "shop"}},
		`settings.services.web: "my shop" is not the name of a service`: {APIKey: k, Services: map[string]string{"web": "my shop"}},
	} {
		s, err := mackerel.NewAlerts(integrations.AlertOptions{Decode: func(into any) error { *into.(*mackerel.AlertsConfig) = c; return nil }})
		if (err == nil) != (want == "") || err != nil && !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%+v: %v, want %s", c, err, want)
		}
		if _, carries := s.(integrations.AlertSilencer); carries {
			t.Errorf("%+v carries silences", c)
		}
	}
}
