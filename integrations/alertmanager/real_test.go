package alertmanager

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// real starts an Alertmanager, where there is one on PATH.
func real(t *testing.T) (url string) {
	t.Helper()
	program := ""
	for _, name := range []string{"alertmanager", "prometheus-alertmanager"} {
		if at, err := exec.LookPath(name); err == nil {
			program = at
		}
	}
	if program == "" {
		t.Skip("SKIPPED: there is no alertmanager on PATH, so nothing here was tried against a real one (apt-get install prometheus-alertmanager)")
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "am.yml")
	if err := os.WriteFile(config, []byte("route: {receiver: none}\nreceivers: [{name: none}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, program, "--config.file="+config, "--storage.path="+dir, "--web.listen-address="+at, "--cluster.listen-address=", "--web.route-prefix=/am")
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was killed
		if t.Failed() {
			t.Logf("alertmanager: %s", &out)
		}
	})
	url = "http://" + at + "/am"
	tick, end := time.NewTicker(5*time.Millisecond), time.After(20*time.Second)
	defer tick.Stop()
	for {
		if resp, err := http.Get(url + "/-/ready"); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return url
			}
		}
		select {
		case <-tick.C:
		case <-end:
			t.Fatal("after 20 s it does not answer")
		}
	}
}

// post sends alerts, as Prometheus does.
func post(t *testing.T, url string, alerts any) {
	t.Helper()
	body, err := json.Marshal(alerts)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(url+"/api/v2/alerts", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if said, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK {
		t.Fatalf("%d: %s", resp.StatusCode, said)
	}
}

// What the test's own Alertmanager is taken for is so of the real one: what a silence is
// made of, found and removed by; which alerts it silences; what is a refusal.
func TestARealAlertmanager(t *testing.T) {
	url := real(t)
	made, err := New(integrations.AlertOptions{Environment: "production", Decode: func(into any) error { *into.(*Config) = Config{URL: url}; return nil }})
	if err != nil {
		t.Fatal(err)
	}
	c := made.(client)
	post(t, url, []any{
		map[string]any{"labels": map[string]string{"alertname": "disk", "service": "web"}},
		map[string]any{"labels": map[string]string{"alertname": "cpu", "service": "the.shop", "environment": "prod"}},
		map[string]any{"labels": map[string]string{"alertname": "other", "service": "web", "environment": "staging"}},
		map[string]any{"labels": map[string]string{"alertname": "api", "service": "api"}},
	})
	q := quiet()
	q.Services, q.Environments = []string{"web", "the.shop"}, []string{"production", "prod"}
	id, err := c.Silence(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	if got, found, err := c.FindSilence(t.Context(), q.Nonce); err != nil || !found || got != id {
		t.Errorf("%s is found as %s, %v, %v", id, got, found, err)
	}
	if got := suppressed(t, url); got != "cpu disk" {
		t.Errorf("silent are %s", got)
	}
	for range 2 {
		if err := c.Unsilence(t.Context(), id, q.Nonce); err != nil {
			t.Error(err)
		}
	}
	if got := suppressed(t, url); got != "" {
		t.Errorf("silent are still %s", got)
	}
	if err := c.Unsilence(t.Context(), "5e6f8d3a-0000-4000-8000-000000000000", q.Nonce); err != nil {
		t.Errorf("one that there never was: %v", err)
	}
	q.Until = time.Now().Add(-time.Second)
	if _, err := c.Silence(t.Context(), q); err == nil || errors.As(err, new(*integrations.Later)) {
		t.Errorf("one that is past: %v", err)
	}
	if _, err := c.Wrong(t.Context()); !errors.As(err, new(*integrations.Later)) {
		t.Errorf("it has just begun, and says what is wrong: %v", err)
	}
}

// suppressed are the names of the alerts that are silenced.
func suppressed(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url + "/api/v2/alerts?active=false&inhibited=false&unprocessed=false")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var all []struct {
		Labels map[string]string `json:"labels"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&all); err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, a := range all {
		names[a.Labels["alertname"]] = true
	}
	var out []string
	for _, n := range []string{"api", "cpu", "disk", "other"} {
		if names[n] {
			out = append(out, n)
		}
	}
	return strings.Join(out, " ")
}
