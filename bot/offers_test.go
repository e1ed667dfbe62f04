package main

import (
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/store"
)

// What Pingdom reports is proposed to customers where there is a status page, as the
// configuration says it, or else without components; other sources where they are named.
func TestOutagesAreProposedToCustomers(t *testing.T) {
	c, err := parseConfig("offers.yaml", []byte(`data: /var/lib/signalbox
public_url: https://signalbox.example.com
slack: {app_token: xapp-1, bot_token: xoxb-1}
github: {token: ghp_1, webhook_secrets: [webhook-very-secret]}
people: [{name: alice, slack: U01ALICE}]
alerts:
  outside: {kind: pingdom, tokens: [a-token-of-pingdom-x]}
  sensu: {tokens: [a-token-of-sensu-xxx]}
statuspage: {api_key: abc, page: kctbh9vrtdwd, offers: [{sources: [outside], environments: [production], components: [web]}]}
environments: {production: {}, staging: {}}
`), testEnv)
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(filepath.Join(t.TempDir(), "signalbox.db"), store.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	s := systems{clock: clock.Real(), log: slog.New(slog.DiscardHandler)}
	s.pages(c.Statuspage, c.sourcesOf(kindOutages))
	for _, one := range []struct{ source, environment, want string }{
		{"outside", "production", "--components web --component-status major_outage --about incident-1"},
		{"outside", "staging", `"shop is down" --about incident-1`},
		{"sensu", "production", ""},
	} {
		err := db.View(func(tx *store.Tx) error {
			all, err := s.customers(tx, integrations.PageSubject{ID: "incident-1", Title: "shop is down", Source: one.source, Environment: one.environment})
			if len(all) != map[bool]int{true: 1, false: 0}[one.want != ""] || len(all) == 1 && !strings.HasSuffix(all[0].Command, one.want) {
				t.Errorf("%+v: it proposes %+v", one, all)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	without := systems{}
	if without.pages(StatuspageConfig{}, []string{"outside"}); without.customers != nil {
		t.Error("without a status page something is proposed")
	}
}
