package pagerduty

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/signalbox-chatops/signalbox/integrations"
)

func TestConfigTellsEveryMistakeAtOnce(t *testing.T) {
	const noURL = "url: is not a URL; want https://api.pagerduty.com, or https://api.eu.pagerduty.com for an account in the EU"
	key := integrations.NewSecret("u+k3y-Abc_1")
	for _, tt := range []struct {
		name string
		in   Config
		want []string
	}{
		{name: "nothing is no PagerDuty"},
		{name: "a token", in: Config{Token: key}},
		{name: "the EU", in: Config{Token: key, URL: "https://api.eu.pagerduty.com"}},
		{name: "a sandbox", in: Config{Token: key, URL: "http://127.0.0.1:8421/pagerduty"}},
		{name: "events of the EU", in: Config{Token: key, EventsURL: "https://events.eu.pagerduty.com"}},
		{name: "events of a sandbox", in: Config{Token: key, EventsURL: "http://127.0.0.1:8421/pagerduty/events"}},
		{name: "events at the API", in: Config{Token: key, EventsURL: "https://api.pagerduty.com"}, want: []string{"events_url: takes no events; want https://events.pagerduty.com, or https://events.eu.pagerduty.com for an account in the EU, with nothing behind it"}},
		{name: "no URL of events", in: Config{Token: key, EventsURL: "hunter2"}, want: []string{"events_url: is not a URL; want https://events.pagerduty.com, or https://events.eu.pagerduty.com for an account in the EU"}},
		{name: "no token", in: Config{URL: "http://me:hunter2@host"}, want: []string{"token: is missing; make a REST API key in PagerDuty under Integrations, API Access Keys", noURL}},
		{name: "the whole header", in: Config{Token: integrations.NewSecret("Token token=hunter2")}, want: []string{`token: has characters in it that no key has; want the key alone, in one line, without "Token token="`}},
		{name: "a part of the header", in: Config{Token: integrations.NewSecret("token=hunter2")}, want: []string{`token: has characters in it that no key has; want the key alone, in one line, without "Token token="`}},
		{name: "two lines", in: Config{Token: integrations.NewSecret("hunter2\n"), URL: "api.pagerduty.com"}, want: []string{`token: has characters in it that no key has; want the key alone, in one line, without "Token token="`, noURL}},
		{name: "a query", in: Config{Token: key, URL: "http://host?key=hunter2"}, want: []string{noURL}},
		{name: "the page of the account", in: Config{Token: key, URL: "https://acme.pagerduty.com"}, want: []string{"url: acme.pagerduty.com is for browsers; want https://api.pagerduty.com, or https://api.eu.pagerduty.com for an account in the EU"}},
		{name: "a path", in: Config{Token: key, URL: "https://api.pagerduty.com/v2"}, want: []string{"url: want https://api.pagerduty.com, or https://api.eu.pagerduty.com for an account in the EU, with nothing behind it"}},
		{name: "without TLS", in: Config{Token: key, URL: "http://api.eu.pagerduty.com"}, want: []string{"url: want https://api.pagerduty.com, or https://api.eu.pagerduty.com for an account in the EU, with nothing behind it"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			if err := tt.in.Validate(); err != nil {
				got = strings.Split(err.Error(), "\n")
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
			if strings.Contains(strings.Join(got, " "), "hunter2") {
				t.Error("it tells the secret")
			}
		})
	}
}

func TestSecretsAreNamed(t *testing.T) {
	if got := (Config{Token: integrations.NewSecret("key")}).Secrets(); len(got) != 1 || got[0].Reveal() != "key" {
		t.Errorf("%d secrets", len(got))
	}
	if got := (Config{}).Secrets(); len(got) != 0 {
		t.Errorf("%d secrets of nothing", len(got))
	}
}
