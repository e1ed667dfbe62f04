package main

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/aws/awssim"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/store"
)

// texting is a configuration whose incidents send text messages to alice, who has a phone,
// and to bob, who has none; by a simulated account.
func texting(t *testing.T) (*Config, *awssim.Sim) {
	t.Helper()
	sim, err := awssim.New(awssim.Config{Fleet: awssim.Demo(), Accounts: map[string]string{awssim.DemoKey: "main"}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sim.Handler())
	t.Cleanup(server.Close)
	c, err := parseConfig("texts.yaml", []byte(`data: /var/lib/signalbox
public_url: https://signalbox.example.com
slack: {app_token: xapp-1, bot_token: xoxb-1}
github: {token: ghp_1, webhook_secrets: [webhook-very-secret]}
aws: {accounts: [{name: main, regions: [ap-northeast-1], endpoint: "`+server.URL+`", access_key_id: `+awssim.DemoKey+`, secret_access_key: x}]}
people:
  - {name: alice, slack: U01ALICE, phone: "+819012345678"}
  - {name: bob, slack: U02BOB}
  - {name: carol, slack: U03CAROL}
groups: {ops: [alice, bob]}
incidents: {channel: ops, sms: {sender: signalbox}, escalations: [{steps: [{call: [ops], sms: true}, {call: [carol]}]}]}
environments: {production: {}}
`), testEnv)
	if err != nil {
		t.Fatal(err)
	}
	return c, sim
}

// From the configuration to the wire: whoever is called by a step with sms and has a phone
// is sent one text message, by the only account and its only region.
func TestTextMessagesReachTheWire(t *testing.T) {
	c, sim := texting(t)
	clk, quiet := clock.NewMovable(0), slog.New(slog.DiscardHandler)
	db, err := store.Open(filepath.Join(t.TempDir(), "signalbox.db"), store.Options{Now: clk.Now, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	cat, err := c.Catalog(nil)
	if err != nil {
		t.Fatal(err)
	}
	s := systems{clock: clk, log: quiet}
	if err := s.clouds(c.AWS, nil); err != nil {
		t.Fatal(err)
	}
	s.store, s.catalog, s.channel = db, func() *integrations.Catalog { return cat }, func(name string) string { return name }
	s.incidents, s.oncall = func() IncidentsConfig { return c.Incidents }, func() OnCallConfig { return c.OnCall }
	all := features(s)
	feature := all[slices.IndexFunc(all, func(f commands.Feature) bool { return f.Name == "incident" })]
	u := commands.Parse(feature.Verbs, cat, "raise in production shop is down", false)
	if u.Call == nil {
		t.Fatal(u.Refusal)
	}
	u.Call.Who, u.Call.Heard = cat.People[1], integrations.Heard{Channel: "C1"}
	act, err := u.Call.Verb.Decide(t.Context(), u.Call)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Update(t.Context(), func(tx *store.Tx) error { _, err := act(tx); return err }); err != nil {
		t.Fatal(err)
	}
	if err := sim.Fault(awssim.Fault{Kind: "throttle", Service: "sns", Action: "Publish"}); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		for _, tick := range feature.Ticks {
			if err := tick.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if err := clk.Advance(context.Background(), 30*time.Second, nil); err != nil {
			t.Fatal(err)
		}
	}
	if all := sim.Texts(); len(all) != 1 || all[0].Phone != "+819012345678" || all[0].From != "signalbox" || all[0].Text != "incident-1: shop is down /ops ack 1" {
		t.Errorf("SNS has %+v", all)
	}
}

// check says who may be called by a step with sms and has no phone, and whose phone takes
// none.
func TestCheckLooksAtPhones(t *testing.T) {
	c, sim := texting(t)
	all := textFindings(c)
	if len(all) != 1 || !all[0].Warn || all[0].Say != "bob may be called by a step with sms, and has no phone" {
		t.Errorf("%+v", all)
	}
	if all := phoneFindings(t.Context(), c, c.texted().phones); len(all) != 0 {
		t.Errorf("%+v", all)
	}
	if err := sim.OptOut("+819012345678"); err != nil {
		t.Fatal(err)
	}
	if all := phoneFindings(t.Context(), c, c.texted().phones); len(all) != 1 || !strings.Contains(all[0].What, "alice") || !strings.Contains(all[0].Say, "opted out") {
		t.Errorf("%+v", all)
	}
	c.People[1].Phone = "+819012345679"
	c.Incidents.Escalations[0].Steps[1].Call, c.Incidents.Escalations[0].Steps[1].SMS = []string{"carol", "night"}, true
	if got := c.texted(); !slices.Equal(got.without, []string{"carol"}) || len(got.phones) != 2 {
		t.Errorf("%+v", got)
	}
	c.Incidents.Escalations = nil
	if all := textFindings(c); len(all) != 0 {
		t.Errorf("without text messages: %+v", all)
	}
}
