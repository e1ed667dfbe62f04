package main

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/integrationstest"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/store"
)

const everySource = `
incidents: {channel: ops}
alerts:
  sensu: {tokens: [sensu-token-0123456789]}
  alertmanager: {tokens: [sensu-token-0123456789]}
  mackerel: {tokens: [sensu-token-0123456789]}
  pagerduty: {secrets: [pd-secret-0123456789]}
  pingdom: {tokens: [sensu-token-0123456789]}
  cloudwatch: {tokens: [sensu-token-0123456789], settings: {confirm_by_hand: true}}
`

// heardOf is an incident as its feature keeps it, as far as this test looks.
type heardOf struct {
	ID, Title    string
	Opened, Over string
	Count        int
	Flaps        bool
	AckedName    string `json:"acked_name"`
	OverName     string `json:"over_name"`
	Notes        []struct{ Text string }
}

func (i heardOf) String() string {
	out := fmt.Sprintf("%s ×%d", i.ID, i.Count)
	if i.Flaps {
		out += " flaps"
	}
	if i.AckedName != "" {
		out += " " + i.AckedName
	}
	if len(i.Notes) > 0 {
		out += fmt.Sprintf(" %d notes", len(i.Notes))
	}
	if i.Over != "" {
		out += " over"
	}
	return out
}

// Genuine payloads of each source become the incidents that they tell of: one for what is
// wrong, however often it is told, until it is told that it is well; what cannot be read, and
// what is not known, becomes none.
func TestPayloadsBecomeIncidents(t *testing.T) {
	for _, c := range []struct {
		source, steps string
		want          []string
	}{
		{"sensu", "core_firing core_repeated core_resolved", []string{"core_firing: incident-1 ×1", "core_repeated: incident-1 ×2", "core_resolved: incident-1 ×2 over"}},
		{"sensu", "go_firing go_repeated go_flapping go_resolved", []string{"go_firing: incident-1 ×1", "go_repeated: incident-1 ×2", "go_flapping: incident-1 ×3 flaps", "go_resolved: incident-1 ×3 flaps over"}},
		{"sensu", "core_flapping", []string{"core_flapping: "}}, // which is silenced there
		{"sensu", "malformed other core_unknown_action core_nameless go_metrics", []string{"malformed: ", "other: ", "core_unknown_action: ", "core_nameless: ", "go_metrics: "}},
		{"alertmanager", "firing repeated one_resolved resolved", []string{"firing: incident-1 ×1, incident-2 ×1", "repeated: incident-1 ×2, incident-2 ×2", "one_resolved: incident-1 ×2 over, incident-2 ×3", "resolved: incident-1 ×2 over, incident-2 ×3 over"}},
		{"alertmanager", "malformed other no_alerts", []string{"malformed: ", "other: ", "no_alerts: "}},
		{"mackerel", "host_firing host_repeated host_resolved", []string{"host_firing: incident-1 ×1", "host_repeated: incident-1 ×2", "host_resolved: incident-1 ×2 over"}},
		{"mackerel", "malformed no_id sample host_status host_in_maintenance", []string{"malformed: ", "no_id: ", "sample: ", "host_status: ", "host_in_maintenance: "}},
		{"pagerduty", "triggered escalated acknowledged annotated unacknowledged resolved", []string{
			"triggered: incident-1 ×1", "escalated: incident-1 ×1", "acknowledged: incident-1 ×1 Alice Archer", "annotated: incident-1 ×1 Alice Archer 1 notes",
			"unacknowledged: incident-1 ×1 1 notes", "resolved: incident-1 ×1 1 notes over"}},
		{"pagerduty", "malformed ping version_2 service_event unknown_incident_event no_incident", []string{"malformed: ", "ping: ", "version_2: ", "service_event: ", "unknown_incident_event: ", "no_incident: "}},
		{"pingdom", "down down_again", []string{"down: incident-1 ×1", "down_again: incident-1 ×2"}},
		{"pingdom", "down up", []string{"down: incident-1 ×1", "up: incident-1 ×1 over"}},
		{"pingdom", "down down_again up", []string{"down: incident-1 ×1", "down_again: incident-1 ×2", "up: incident-1 ×2"}}, // which is of before it was down again
		{"pingdom", "transaction_failing transaction_success", []string{"transaction_failing: incident-1 ×1", "transaction_success: incident-1 ×1 over"}},
		{"pingdom", "malformed no_id unknown_state", []string{"malformed: ", "no_id: ", "unknown_state: "}},
		{"cloudwatch", "alarm alarm_again", []string{"alarm: incident-1 ×1", "alarm_again: incident-1 ×2"}},
		{"cloudwatch", "alarm ok", []string{"alarm: incident-1 ×1", "ok: incident-1 ×1 over"}},
		{"cloudwatch", "malformed subscription text_message eventbridge_other", []string{"malformed: ", "subscription: ", "text_message: ", "eventbridge_other: "}},
	} {
		t.Run(c.source+" "+c.steps, func(t *testing.T) {
			t.Parallel()
			config, cat := withAlerts(t, everySource), &integrations.Catalog{}
			clk, quiet := clock.NewMovable(0), slog.New(slog.DiscardHandler)
			db := openDoorStore(t, filepath.Join(t.TempDir(), "signalbox.db"))
			all := features(systems{
				store: db, clock: clk, log: quiet, catalog: func() *integrations.Catalog { return cat }, channel: func(name string) string { return name },
				incidents: func() IncidentsConfig { return config.Incidents }, alerts: &alertReader{sources: func() []alertSource { return config.sources }, log: quiet},
			})
			hear := all[slices.IndexFunc(all, func(f commands.Feature) bool { return f.Name == "incident" })].Events[alertEvents]
			source := config.sources[slices.IndexFunc(config.sources, func(s alertSource) bool { return s.Name == c.source })]
			samples := integrationstest.Samples(t, filepath.Join("../integrations", c.source, "testdata/alerts"))
			var got []string
			for n, step := range strings.Fields(c.steps) {
				header, body := samples[step].Delivery(t)
				act, err := hear(t.Context(), commands.Happening{Event: uint64(n + 1), Kind: alertEvents + c.source, Body: packAlert(source, header, body), Catalog: cat})
				if err != nil {
					t.Fatal(err)
				}
				var now []string
				err = db.Update(t.Context(), func(tx *store.Tx) error {
					if act != nil {
						if _, err := act(tx); err != nil {
							return err
						}
					}
					now = nil
					return store.Feature[heardOf](tx, gate.IncidentFeature).Each("", func(_ string, i heardOf) error {
						now = append(now, i.String())
						return nil
					})
				})
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, step+": "+strings.Join(now, ", "))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("it became\n%q", got)
			}
		})
	}
}
