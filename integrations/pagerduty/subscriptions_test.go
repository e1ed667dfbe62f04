package pagerduty_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/pagerduty"
	"github.com/signalbox-chatops/signalbox/integrations/pagerduty/pagerdutysim"
)

const ourURL = "https://signalbox.example.com/alerts/pagerduty"

// receiver is our door for webhooks: it lets in what is signed, and reads it.
type receiver struct {
	t    *testing.T
	mu   sync.Mutex
	door integrations.AlertSource
	got  []string // "<event> <incident's title>"
}

func (r *receiver) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	status := http.StatusAccepted
	if err := r.door.(integrations.AlertSigner).Authentic(req.Context(), req.Header, body); err != nil {
		status = http.StatusUnauthorized
	}
	n, err := r.door.Read(req.Header, body)
	if err != nil {
		r.t.Error(err)
	}
	text := fmt.Sprintf("%d %s", status, n.Kind)
	for _, one := range n.Alerts {
		text += fmt.Sprintf(" %s: %s %q %s of %d", one.State, one.Title, one.Text, one.By.Name, len(one.Assigned))
	}
	if n.ID != req.Header.Get("X-Webhook-Id") || n.ID == "" {
		r.t.Errorf("%s: its id is %q", text, n.ID)
	}
	r.got = append(r.got, text)
	return &http.Response{StatusCode: status, Body: io.NopCloser(&bytes.Buffer{}), Header: http.Header{}}, nil
}

func (r *receiver) with(secrets ...string) {
	var o integrations.AlertOptions
	for _, s := range secrets {
		o.Secrets = append(o.Secrets, integrations.NewSecret(s))
	}
	door, err := pagerduty.NewWebhooks(o)
	if err != nil {
		r.t.Fatal(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.door = door
}

// took is what came since it was asked last, when all is quiet.
func (r *receiver) took() (out []string) {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	out, r.got = r.got, nil
	return out
}

func delivering(t *testing.T, cfg pagerdutysim.Config, do func(a *account, r *receiver)) {
	t.Helper()
	r := &receiver{t: t}
	cfg.HTTP = r
	inAccount(t, cfg, func(a *account) {
		r.with("sandbox")
		a.sim.Start()
		defer a.sim.Close()
		do(a, r)
	})
}

// What the simulator sends is let in by the door, and read by it.
func TestWebhooksAreLetInAndRead(t *testing.T) {
	cfg := paging()
	cfg.Subscriptions = []pagerdutysim.Subscription{{ID: "PHOOK", URL: ourURL, Secret: "sandbox"}}
	delivering(t, cfg, func(a *account, r *receiver) {
		id := a.trigger("web", "the shop is slow")
		for _, d := range []int{4, 6, 0, 2} {
			if _, err := deeds[d].do(a, a.by("alice", id)); err != nil {
				a.Error(err)
			}
		}
		if _, err := a.client.Resolve(a.Context(), a.by("bob", id)); err != nil {
			a.Error(err)
		}
		a.want(strings.Join(r.took(), "\n"),
			`202 incident.triggered firing: the shop is slow ""  of 1`,
			`202 incident.escalated updated: the shop is slow "Carol Chen" Alice Ames of 1`,
			`202 incident.annotated noted: the shop is slow "I look at it" Alice Ames of 0`,
			`202 incident.acknowledged acknowledged: the shop is slow "" Alice Ames of 1`,
			`202 incident.reassigned updated: the shop is slow "Carol Chen" Alice Ames of 1`,
			`202 incident.resolved resolved: the shop is slow "" Bob Bell of 0`)
		r.with("another") // three refusals disable it
		for range 4 {
			a.trigger("web", "the shop is slow")
			synctest.Wait()
		}
		if got := r.took(); len(got) != 3 || !strings.HasPrefix(got[0], "401 ") {
			a.Errorf("it sent %q", got)
		}
	})
}

func (a *account) keep(service string) integrations.RemoteHook {
	a.Helper()
	h, err := a.client.KeepHook(a.Context(), ourURL, service)
	if err != nil {
		a.Fatal(err)
	}
	return h
}

func TestASubscriptionIsLookedAfter(t *testing.T) {
	delivering(t, paging(), func(a *account, r *receiver) {
		h := a.keep("")
		if !slices.Equal(h.Did, []string{"created", "pinged"}) || h.Secret.IsZero() {
			a.Fatalf("%+v", h)
		}
		r.with(h.Secret.Reveal())
		if h := a.keep(""); len(h.Did) != 0 || !h.Secret.IsZero() {
			a.Errorf("%+v", h)
		}
		r.took()
		a.trigger("database", "slow query")
		a.want(strings.Join(r.took(), "\n"), `202 incident.triggered firing: slow query ""  of 1`)
		a.fault(pagerdutysim.Fault{Kind: "disable"})
		if h := a.keep(""); !slices.Equal(h.Did, []string{"enabled", "pinged"}) {
			a.Errorf("%+v", h)
		}
		a.trigger("web", "on again")
		if got := r.took(); len(got) != 2 || !strings.HasPrefix(got[0], "202 pagey.ping") {
			a.Errorf("%q", got)
		}
	})
	cfg := paging()
	cfg.Subscriptions = []pagerdutysim.Subscription{
		{URL: "https://elsewhere.example.com/", Secret: "x"}, {ID: "PHOOK", URL: ourURL, Secret: "sandbox", Events: []string{"incident.triggered", "incident.task.created"}},
	}
	delivering(t, cfg, func(a *account, r *receiver) {
		if h := a.keep(""); h.ID != "PHOOK" || !slices.Equal(h.Did, []string{"widened", "pinged"}) {
			a.Errorf("%+v", h)
		}
		if got := a.sim.Subscriptions()[1].Events; len(got) != 15 || got[1] != "incident.task.created" {
			a.Errorf("it has %q", got)
		}
	})
	inAccount(t, paging(), func(a *account) {
		if h := a.keep("PWEB"); a.sim.Subscriptions()[0].Service != "PWEB" || a.sim.Subscriptions()[0].ID != h.ID {
			a.Errorf("%+v", a.sim.Subscriptions())
		}
		if _, err := a.with("reads").KeepHook(a.Context(), "https://example.com/other", ""); err == nil || !strings.Contains(err.Error(), "who may change the webhooks") {
			a.Error(err)
		}
	})
	inAccount(t, paging(), func(a *account) { // somebody has switched it off
		h := a.keep("")
		r, err := http.NewRequestWithContext(a.Context(), http.MethodPut, "https://api.pagerduty.com/webhook_subscriptions/"+h.ID, strings.NewReader(`{"webhook_subscription":{"active":false}}`))
		if err != nil {
			a.Fatal(err)
		}
		r.Header = http.Header{"Authorization": {"Token token=" + token}, "Accept": {"application/vnd.pagerduty+json;version=2"}, "Content-Type": {"application/json"}}
		if resp, err := a.RoundTrip(r); err != nil || resp.StatusCode != 200 {
			a.Fatal(resp, err)
		}
		a.want(a.foundOfIncidents(a.client, ourURL)[1], "no PagerDuty webhooks: "+h.ID+" is switched off | activate it in PagerDuty under Integrations, Generic Webhooks (v3)")
		if h := a.keep(""); !slices.Equal(h.Did, []string{"activated", "pinged"}) || !a.sim.Subscriptions()[0].Active {
			a.Errorf("%+v", h)
		}
	})
	inAccount(t, paging(), func(a *account) { // its secret was in the answer
		a.fault(pagerdutysim.Fault{Kind: "lost", Action: "subscriptions.create"})
		_, err := a.client.KeepHook(a.Context(), ourURL, "")
		a.refused(err, a.sim.Subscriptions()[0].ID+" was made, and the answer with its secret was lost: delete it")
	})
}

func (a *account) foundOfIncidents(c *pagerduty.Client, url string) (out []string) {
	for _, f := range c.CheckIncidents(a.Context(), url) {
		mark := map[[2]bool]string{{true, false}: "ok", {false, true}: "warn", {false, false}: "no"}[[2]bool{f.OK, f.Warn}]
		out = append(out, fmt.Sprintf("%s %s: %s | %s", mark, f.What, f.Say, f.Do))
	}
	return out
}

func TestCheckOfIncidents(t *testing.T) {
	cfg := paging()
	cfg.Users = users()
	cfg.Users[3].Role = "observer"
	cfg.Subscriptions = []pagerdutysim.Subscription{{ID: "PHOOK", URL: ourURL, Secret: "sandbox"}, {ID: "PFEW", URL: ourURL + "-few", Secret: "sandbox", Events: []string{"incident.triggered"}}}
	inAccount(t, cfg, func(a *account) {
		const account = "warn PagerDuty incidents: can be read; the token is the account's: whether it may write is not said | see in PagerDuty, under API Access Keys, that it is not read-only"
		a.want(strings.Join(a.foundOfIncidents(a.client, ourURL), "\n"), account, "ok PagerDuty webhooks: PHOOK delivers to "+ourURL+" | ")
		a.want(strings.Join(a.foundOfIncidents(a.client, ""), "\n"), account)
		a.want(a.foundOfIncidents(a.client, ourURL+"/")[1], "no PagerDuty webhooks: no subscription delivers to "+ourURL+"/ | make one in PagerDuty under Integrations, Generic Webhooks (v3), with all events of incidents")
		a.want(a.foundOfIncidents(a.client, ourURL+"-few")[1], "warn PagerDuty webhooks: PFEW delivers, but not incident.acknowledged, incident.unacknowledged, incident.escalated and 10 more | tick all events of incidents in it")
		a.want(a.foundOfIncidents(a.with("alices"), "")[0], "ok PagerDuty incidents: may be changed, as far as Alice Ames may, whose the token is | ")
		a.want(a.foundOfIncidents(a.with("looks"), "")[0], "no PagerDuty incidents: may not be changed: the token is Eve Ek's, who is observer | use the token of a user who may change incidents, such as a Responder, or one of the account")
		a.fault(pagerdutysim.Fault{Kind: "disable"})
		a.want(a.foundOfIncidents(a.client, ourURL)[1], "no PagerDuty webhooks: PHOOK is disabled for a day, since deliveries were refused: what happens meanwhile is not told | see that its secret stands in the configuration, then enable it in PagerDuty under Integrations, Generic Webhooks (v3)")
		a.fault(pagerdutysim.Fault{Kind: "error", Action: "incidents.list", Status: 403})
		if got := a.foundOfIncidents(a.client, "")[0]; !strings.HasPrefix(got, "no PagerDuty incidents: pagerduty list incidents: 403") || !strings.HasSuffix(got, "or one of the account") {
			a.Error(got)
		}
		a.fault(pagerdutysim.Fault{Kind: "error", Action: "subscriptions.list", Status: 403})
		if got := a.foundOfIncidents(a.client, ourURL)[1]; !strings.HasPrefix(got, "warn PagerDuty webhooks: cannot be told: ") {
			a.Error(got)
		}
		a.pass(25 * time.Hour)
		a.want(a.foundOfIncidents(a.client, ourURL)[1], "ok PagerDuty webhooks: PHOOK delivers to "+ourURL+" | ")
		for _, s := range a.sent {
			if !strings.HasPrefix(s, "GET ") {
				a.Errorf("it changed something: %s", s)
			}
		}
	})
}
