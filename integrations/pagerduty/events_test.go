package pagerduty_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/pagerduty"
	"github.com/signalbox-chatops/signalbox/integrations/pagerduty/pagerdutysim"
)

var ofWeb = integrations.NewSecret(strings.Repeat("w", 32))

func (a *account) events() *pagerduty.Events {
	return pagerduty.NewEvents(pagerduty.Config{}, pagerduty.Options{HTTP: &http.Client{Transport: a}, Clock: a.clock})
}

func TestEventsOpenAndCloseAnIncident(t *testing.T) {
	inAccount(t, paging(), func(a *account) {
		e, ctx := a.events(), a.Context()
		what := integrations.RemoteEvent{
			Dedup: "disk of web-1", Summary: "/ is 97 % full", Source: "web-1", Severity: integrations.SeverityUnknown, At: noon, Component: "disk", Group: "web", Class: "space",
			Details: map[string]string{"mount": "/"}, Links: []integrations.RemoteLink{{URL: "https://example.com/1", Text: "graph"}}, Client: integrations.RemoteLink{URL: "https://example.com", Text: "signalbox"},
		}
		// However often it is told, and whatever becomes of the answers, it is one incident.
		a.fault(pagerdutysim.Fault{Kind: "lost", Action: "events.enqueue"})
		if err := e.Trigger(ctx, ofWeb, what); isLater(err) == nil || isLater(err).Unsent {
			a.Errorf("lost: %v", err)
		}
		for range 2 {
			if err := e.Trigger(ctx, ofWeb, what); err != nil {
				a.Error(err)
			}
		}
		all := a.sim.Incidents()
		if len(all) != 1 || all[0].Title != what.Summary || all[0].Key != what.Dedup || all[0].Service != "PWEB" {
			a.Fatalf("%+v", all)
		}
		want := `POST /v2/enqueue {"routing_key":"` + ofWeb.Reveal() + `","event_action":"trigger","dedup_key":"disk of web-1","payload":{"summary":"/ is 97 % full","source":"web-1","severity":"error","timestamp":"2026-12-01T12:00:00Z",` +
			`"component":"disk","group":"web","class":"space","custom_details":{"mount":"/"}},"links":[{"href":"https://example.com/1","text":"graph"}],"client":"signalbox","client_url":"https://example.com"}`
		a.want(a.sent[len(a.sent)-1], want)
		id := all[0].ID
		for range 2 {
			if err := e.AcknowledgeEvent(ctx, ofWeb, what.Dedup); err != nil {
				a.Error(err)
			}
		}
		a.want(a.state(id), "acknowledged of PBOB: acknowledge")
		if err := e.ResolveEvent(ctx, integrations.NewSecret(strings.Repeat("d", 32)), what.Dedup); err != nil { // it is another service's
			a.Error(err)
		}
		a.want(a.state(id), "acknowledged of PBOB: acknowledge")
		if err := e.ResolveEvent(ctx, ofWeb, what.Dedup); err != nil {
			a.Error(err)
		}
		a.want(a.state(id), "resolved: resolve")
		if err := e.Trigger(ctx, ofWeb, what); err != nil || len(a.sim.Incidents()) != 2 {
			a.Errorf("anew: %v", err)
		}
	})
}

func TestAnEventIsNoLongerThanPagerDutyTakes(t *testing.T) {
	inAccount(t, paging(), func(a *account) {
		e, ctx := a.events(), a.Context()
		long := strings.Repeat("駅", 400)
		what := integrations.RemoteEvent{Dedup: long, Summary: strings.Repeat("駅", 1100), Source: "web-1", Severity: integrations.SeverityCritical, Details: map[string]string{"log": strings.Repeat("x", 600<<10)}}
		other := what
		other.Dedup += "2"
		for _, ev := range []integrations.RemoteEvent{what, what, other} {
			if err := e.Trigger(ctx, ofWeb, ev); err != nil {
				a.Fatal(err)
			}
		}
		all := a.sim.Incidents()
		if len(all) != 2 || all[0].Title != strings.Repeat("駅", 1023)+"…" || len([]rune(all[0].Key)) != 255 || all[0].Key == all[1].Key {
			a.Errorf("%d: %+v", len(all), all)
		}
		if err := e.ResolveEvent(ctx, ofWeb, long); err != nil {
			a.Error(err)
		}
		a.want(a.state(all[0].ID), "resolved: resolve")
		if !strings.Contains(a.sent[0], "the details were too long, and were left out") {
			a.Error("it does not say that something is missing")
		}
	})
}

func TestAnEventIsRefused(t *testing.T) {
	inAccount(t, paging(), func(a *account) {
		e, ctx := a.events(), a.Context()
		ok := integrations.RemoteEvent{Dedup: "x", Summary: "x", Source: "x", Severity: integrations.SeverityInfo}
		a.refused(e.Trigger(ctx, integrations.NewSecret("short"), ok), "400 Bad Request: Event object is invalid", "routing_key")
		a.refused(e.Trigger(ctx, integrations.NewSecret(strings.Repeat("n", 32)), ok), "Invalid routing key")
		a.refused(e.Trigger(ctx, integrations.Secret{}, ok), "there is no routing key")
		a.refused(e.Trigger(ctx, ofWeb, integrations.RemoteEvent{Summary: "x", Source: "x"}), "no dedup key")
		a.refused(e.Trigger(ctx, ofWeb, integrations.RemoteEvent{Dedup: "x", Source: "x"}), "no summary")
		a.refused(e.Trigger(ctx, ofWeb, integrations.RemoteEvent{Dedup: "x", Summary: "x"}), "no source")
		a.refused(e.ResolveEvent(ctx, ofWeb, ""), "no dedup key")
		long := integrations.RemoteEvent{Dedup: "x", Summary: "x", Source: strings.Repeat("x", 600<<10)}
		a.refused(e.Trigger(ctx, ofWeb, long), "PagerDuty takes 524288")
		for _, f := range []pagerdutysim.Fault{{Kind: "throttle", Seconds: 7}, {Kind: "error", Status: 500}, {Kind: "reset"}} {
			f.Action = "events.enqueue"
			a.fault(f)
			err := e.Trigger(ctx, ofWeb, ok)
			later := isLater(err)
			if later == nil || later.Unsent != (f.Kind == "throttle") || f.Kind == "throttle" && later.After != 7*time.Second {
				a.Errorf("%s: %v", f.Kind, err)
			}
			a.pass(10 * time.Second)
		}
		if n := len(a.sim.Incidents()); n != 0 {
			a.Errorf("%d incidents", n)
		}
		if err := e.Trigger(ctx, ofWeb, ok); err != nil {
			a.Error(err)
		}
	})
}

func TestADeployIsToldOf(t *testing.T) {
	inAccount(t, paging(), func(a *account) {
		ch := integrations.RemoteChange{Summary: "web 1.2 is in production", Source: "signalbox", At: noon, Details: map[string]string{"by": "alice"}, Links: []integrations.RemoteLink{{URL: "https://example.com/pull/1"}}}
		if err := a.events().Change(a.Context(), ofWeb, ch); err != nil {
			a.Fatal(err)
		}
		if got := a.sim.Changes(); len(got) != 1 || got[0].Summary != ch.Summary || got[0].Service != "PWEB" {
			a.Errorf("%+v", got)
		}
		a.want(a.sent[0], `POST /v2/change/enqueue {"routing_key":"`+ofWeb.Reveal()+`","payload":{"summary":"web 1.2 is in production","source":"signalbox","timestamp":"2026-12-01T12:00:00Z","custom_details":{"by":"alice"}},"links":[{"href":"https://example.com/pull/1"}]}`)
		a.refused(a.events().Change(a.Context(), ofWeb, integrations.RemoteChange{}), "no summary")
	})
}

// Events go where the account is, and carry no token.
func TestWhereEventsGo(t *testing.T) {
	for want, c := range map[string]pagerduty.Config{
		"https://events.pagerduty.com/v2/enqueue":        {Token: integrations.NewSecret(token)},
		"https://events.eu.pagerduty.com/v2/enqueue":     {URL: "https://api.eu.pagerduty.com"},
		"http://127.0.0.1:1/pagerduty/events/v2/enqueue": {EventsURL: "http://127.0.0.1:1/pagerduty/events/"},
		"https://events.pagerduty.com:443/v2/enqueue":    {EventsURL: "https://events.pagerduty.com:443"},
	} {
		e := pagerduty.NewEvents(c, pagerduty.Options{HTTP: &http.Client{Transport: trip(func(r *http.Request) (*http.Response, error) {
			if got := r.URL.String(); got != want || r.Header.Get("Authorization") != "" {
				t.Errorf("%s with %v, want %s", got, r.Header, want)
			}
			return &http.Response{StatusCode: 404, Body: http.NoBody}, nil
		})}})
		err := e.ResolveEvent(t.Context(), ofWeb, "x")
		if err == nil || isGone(err) || isLater(err) != nil {
			t.Errorf("%s: %v", want, err)
		}
	}
}
