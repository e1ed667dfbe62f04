package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
)

// The example carries silences to three sources, whose secrets no log shows.
func TestWhichSourcesKeepSilences(t *testing.T) {
	b, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	c, err := parseConfig(exampleFile, b, exampleEnv)
	if err != nil {
		t.Fatal(err)
	}
	var keep []string
	for _, s := range (systems{sources: func() []alertSource { return c.sources }}).incidentSources() {
		if (s.Silencer == nil) != (s.Looker == nil) {
			t.Errorf("%s is %+v", s.Name, s)
		}
		if s.Silencer != nil {
			keep = append(keep, s.Name)
		}
	}
	if got := strings.Join(keep, " "); got != "sensu alertmanager mackerel" {
		t.Errorf("silences are carried to %s", got)
	}
	for _, secret := range []string{"am", "sk", "k"} {
		if !slices.Contains(c.secrets(), secret) {
			t.Errorf("%q is not hidden", secret)
		}
	}
	if got := (systems{}).incidentSources(); got != nil {
		t.Errorf("%+v", got)
	}
}

// What is wrong with a source is said with its line, and `check` tries the others.
func TestSettingsOfSilences(t *testing.T) {
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.Header.Get("Authorization") != "Bearer s3cret" {
			t.Errorf("it was asked %s with %q", r.Method, r.Header.Get("Authorization"))
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte("[]"))
	}))
	defer server.Close()
	settings := func(more string) (*Config, error) {
		base, err := os.ReadFile("testdata/config/right.yaml")
		if err != nil {
			t.Fatal(err)
		}
		text := string(base) + "\nalerts:\n  am:\n    kind: alertmanager\n    tokens: [abcdefghijklmnopqrst]\n    settings: {url: '" + server.URL + "', token: s3cret" + more + "}\n"
		return parseConfig("test.yaml", []byte(text), testEnv)
	}
	if _, err := settings(", user: bob"); err == nil || !strings.Contains(err.Error(), "\"alerts.am.settings.token\": is given, and user or password too") {
		t.Errorf("%v", err)
	}
	c, err := settings("")
	if err != nil {
		t.Fatal(err)
	}
	if f := silenceFindings(t.Context(), c); len(f) != 1 || !f[0].OK || f[0].What != "Silences at am" {
		t.Errorf("%+v", f)
	}
	status = http.StatusForbidden
	if f := silenceFindings(t.Context(), c); f[0].OK || !strings.Contains(f[0].Say, "403 Forbidden") || f[0].Do != "mend alerts.am.settings; see docs/alerts.md" {
		t.Errorf("%+v", f)
	}
}
