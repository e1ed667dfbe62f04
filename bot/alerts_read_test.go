package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/integrations"
)

// What was stored is read as a feature reads it.
func TestAlertReader(t *testing.T) {
	b := newAlertBox(t)
	pd := sample(t, "pagerduty", "acknowledged")
	b.send("/alerts/sensu/"+sensuToken, sample(t, "sensu", "go_namespace"), "Cookie", "a=b")
	b.send("/alerts/pagerduty", pd, "X-PagerDuty-Signature", pdSign(pd, "pd-secret-0123456789"), "X-Webhook-Id", "w-7")
	b.send("/alerts/pagerduty", "hello", "X-PagerDuty-Signature", pdSign("hello", "pd-secret-0123456789"))
	events := undecided(t, b.store)
	if len(events) != 3 || events[0].Kind != "alert.sensu" || events[1].Kind != "alert.pagerduty" {
		t.Fatalf("stored %+v", events)
	}
	n, err := b.reader.Read(events[0].Kind, events[0].Body)
	if err != nil || n.Source != "sensu" || len(n.Alerts) != 1 {
		t.Fatalf("read %+v, %v", n, err)
	}
	if a := n.Alerts[0]; a.Source != "sensu" || a.Key != "staging/api-1/check_http_api" || a.Service != "api" || a.Environment != "production" || a.Severity != "error" {
		t.Errorf("of Sensu: %+v", a)
	}
	n, err = b.reader.Read(events[1].Kind, events[1].Body)
	if err != nil || n.ID != "w-7" || len(n.Alerts) != 1 || n.Alerts[0].State != integrations.AlertAcknowledged || n.Alerts[0].By.Name != "Alice Archer" {
		t.Errorf("of PagerDuty: %+v, %v", n, err)
	}
	if _, err := b.reader.Read(events[2].Kind, events[2].Body); err == nil || !strings.Contains(err.Error(), "pagerduty") {
		t.Errorf("what cannot be read: %v", err)
	}
	b.config = withAlerts(t, "alerts: {sensu: {kind: pingdom, tokens: [another-token-0123456789]}}\n")
	for _, e := range events[:2] {
		if _, err := b.reader.Read(e.Kind, e.Body); err == nil || !strings.Contains(err.Error(), "not in the configuration any more") {
			t.Errorf("%s: %v", e.Kind, err)
		}
	}
	for _, body := range []string{"", "x", "{", "null\n{}"} {
		if _, err := b.reader.Read("alert.sensu", []byte(body)); err == nil {
			t.Errorf("%q is read", body)
		}
	}
	if _, err := b.reader.Read("github.push", events[0].Body); err == nil {
		t.Error("an event of GitHub is read")
	}
}

// shy is a source that wants to be answered.
type shy struct {
	err   error
	asked int
}

func (s *shy) Headers() []string { return nil }
func (s *shy) Read(http.Header, []byte) (integrations.AlertNotice, error) {
	return integrations.AlertNotice{Kind: "hello"}, nil
}
func (s *shy) Confirm(_ context.Context, _ http.Header, body []byte) (string, error) {
	s.asked++
	if string(body) != "hello" {
		return "", fmt.Errorf("the body is %q", body)
	}
	return "said hello", s.err
}

func TestConfirm(t *testing.T) {
	for _, c := range []struct {
		name  string
		err   error
		again bool
		log   string
	}{
		{"right", nil, false, "said hello"},
		{"later", &integrations.Later{After: time.Second, Err: errors.New("not there")}, true, ""},
		{"never", errors.New("it is too late"), false, "level=ERROR"},
	} {
		t.Run(c.name, func(t *testing.T) {
			log, s := new(lockedBuffer), &shy{err: c.err}
			source := alertSource{AlertsConfig{Name: "shy", Kind: "shy"}, s}
			r := &alertReader{sources: func() []alertSource { return []alertSource{source} }, log: slog.New(slog.NewTextHandler(log, nil))}
			act, err := r.confirm(t.Context(), commands.Happening{Kind: "alert.shy", Body: packAlert(source, nil, []byte("hello"))})
			if act != nil || (err != nil) != c.again || s.asked != 1 || !strings.Contains(log.String(), c.log) {
				t.Errorf("act %v, err %v, asked %d, log %s", act != nil, err, s.asked, log)
			}
		})
	}
}

func TestAlertFindings(t *testing.T) {
	find := func(alerts string, change func(*Config)) string {
		c := withAlerts(t, alerts)
		if change != nil {
			change(c)
		}
		var b strings.Builder
		p := newFindingPrinter(&b)
		p.print(alertFindings(c)...)
		return b.String()
	}
	right := find(alertConfig, nil)
	for _, want := range []string{
		"POST https://signalbox.example.com/alerts/sensu/<token>, or https://signalbox.example.com/alerts/sensu with Authorization: Bearer <token>\n",
		"POST https://signalbox.example.com/alerts/pagerduty, signed\n",
		"POST https://signalbox.example.com/alerts/both, signed, or https://signalbox.example.com/alerts/both/<token>\n",
		"it shares a secret with pagerduty",
	} {
		if !strings.Contains(right, want) {
			t.Errorf("want %q in\n%s", want, right)
		}
	}
	if strings.Contains(right, "0123456789,") || strings.Contains(right, sensuToken) {
		t.Errorf("a token is shown:\n%s", right)
	}
	for want, c := range map[string]struct {
		alerts string
		change func(*Config)
	}{
		"less than 16 characters":         {"alerts: {sensu: {tokens: [short]}}\n", nil},
		"signatures are not looked at":    {"alerts: {pagerduty: {tokens: [long-enough-0123456789]}}\n", nil},
		"say in public_url":               {alertConfig, func(c *Config) { c.PublicURL = "" }},
		"goes through the net for":        {alertConfig, func(c *Config) { c.PublicURL = "http://signalbox.example.com" }},
		"✓ ok     Alerts from sensu     ": {alertConfig, func(c *Config) { c.PublicURL = "http://127.0.0.1:8421/bot" }},
	} {
		if got := find(c.alerts, c.change); !strings.Contains(got, want) {
			t.Errorf("want %q in\n%s", want, got)
		}
	}
}

// Tokens and secrets are hidden from logs and channels, and so are settings, which may
// hold some.
func TestAlertSecretsAreHidden(t *testing.T) {
	old := withAlerts(t, alertConfig)
	text := strings.NewReplacer("sensu-older-0123456789", "sensu-newer-0123456789", "pd-older-0123456789", "pd-newer-0123456789", "/at}", "/when}").Replace(alertConfig)
	want := []string{"alerts.pagerduty.secrets[1]: changed", "alerts.plain.settings: changed", "alerts.sensu.tokens[1]: changed"}
	changes := diffConfig(old, withAlerts(t, text))
	if d := cmp.Diff(want, changes); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	if later := needRestart(changes); len(later) > 0 {
		t.Errorf("after a restart only: %q", later)
	}
	for _, secret := range []string{sensuToken, "sensu-older-0123456789", "pd-older-0123456789", plainToken} {
		if !slices.Contains(old.secrets(), secret) {
			t.Errorf("%s is not hidden", secret)
		}
	}
}
