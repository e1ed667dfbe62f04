package alertmanager

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/integrationstest"
)

// manager is an Alertmanager at the wire, as far as silences and alerts go
// (api/v2/api.go there): it refuses what that one refuses, and knows no more.
type manager struct {
	t      *testing.T
	url    string
	header string // of right credentials
	up     time.Time

	mu       sync.Mutex
	silences []*kept
	alerts   string
	lose     bool
	throttle bool
}

type kept struct {
	silence
	ID    string
	Ended bool
}

func newManager(t *testing.T) *manager {
	m := &manager{t: t, header: "Bearer s3cret-token", up: time.Now().Add(-time.Hour), alerts: "[]"}
	server := httptest.NewServer(http.StripPrefix("/am", m))
	t.Cleanup(server.Close)
	m.url = server.URL + "/am/"
	return m
}

func (m *manager) source(with Config, environment string) client {
	m.t.Helper()
	with.URL = m.url
	if with.User == "" {
		with.Token = integrations.NewSecret("s3cret-token")
	}
	s, err := New(integrations.AlertOptions{Environment: environment, Decode: func(into any) error { *into.(*Config) = with; return nil }})
	if err != nil {
		m.t.Fatal(err)
	}
	return s.(client)
}

func (m *manager) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	said := func(status int, v any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(v)
	}
	change := r.Method != http.MethodGet
	id := strings.TrimPrefix(r.URL.Path, "/api/v2/silence/")
	n := slices.IndexFunc(m.silences, func(s *kept) bool { return s.ID == id })
	if r.Header.Get("Authorization") != m.header {
		said(http.StatusUnauthorized, "Unauthorized")
		return
	}
	if change && m.throttle {
		m.throttle = false
		said(http.StatusTooManyRequests, "slow down")
		return
	}
	if change && m.lose {
		m.lose = false
		defer func() { panic(http.ErrAbortHandler) }()
		said = func(int, any) {}
	}
	switch at := r.Method + " " + r.URL.Path; {
	case at == "POST /api/v2/silences":
		s := &kept{ID: fmt.Sprintf("5e6f8d3a-0000-4000-8000-%012d", len(m.silences)+1)}
		if no := m.refuses(r, &s.silence); no != "" {
			said(http.StatusBadRequest, no)
			return
		}
		m.silences = append(m.silences, s)
		said(http.StatusOK, map[string]string{"silenceID": s.ID})
	case at == "GET /api/v2/silences":
		all := []any{}
		for _, s := range m.silences {
			all = append(all, s.wire())
		}
		said(http.StatusOK, all)
	case at == "GET /api/v2/status":
		said(http.StatusOK, map[string]any{"uptime": m.up, "versionInfo": map[string]string{"version": "0.34.0"}})
	case at == "GET /api/v2/alerts":
		said(http.StatusOK, json.RawMessage(m.alerts))
	case id == r.URL.Path:
		m.t.Errorf("it was asked %s", at)
		said(http.StatusNotFound, "path "+r.URL.Path+" was not found")
	case n < 0 && change: // as 0.25 does
		said(http.StatusInternalServerError, "silence not found")
	case n < 0:
		said(http.StatusNotFound, nil)
	case r.Method == http.MethodGet:
		said(http.StatusOK, m.silences[n].wire())
	case r.Method == http.MethodDelete && m.silences[n].Ended: // 0.25 lets it pass
		said(http.StatusInternalServerError, "silence "+id+" already expired")
	case r.Method == http.MethodDelete:
		m.silences[n].Ended = true
		said(http.StatusOK, nil)
	}
}

func (k *kept) wire() any {
	state := "active"
	if k.Ended || !time.Now().Before(k.EndsAt) {
		state = "expired"
	}
	return map[string]any{"id": k.ID, "status": map[string]string{"state": state}, "matchers": k.Matchers, "startsAt": k.StartsAt, "endsAt": k.EndsAt, "createdBy": k.CreatedBy, "comment": k.Comment, "updatedAt": k.StartsAt}
}

// refuses reads a silence, and says what is wrong with it.
func (m *manager) refuses(r *http.Request, s *silence) string {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	switch err := d.Decode(s); {
	case err != nil:
		return err.Error()
	case r.Header.Get("Content-Type") != "application/json":
		return "unsupported media type"
	case !s.StartsAt.Before(s.EndsAt):
		return "Failed to create silence: start time must be before end time"
	case s.EndsAt.Before(time.Now()):
		return "Failed to create silence: end time can't be in the past"
	case s.Comment == "" || s.CreatedBy == "":
		return "comment and createdBy are required"
	case len(s.Matchers) == 0 || !slices.ContainsFunc(s.Matchers, func(m matcher) bool { return !matches(m, "") }):
		return "silence invalid: at least one matcher must not match the empty string"
	}
	return ""
}

func matches(m matcher, value string) bool {
	if !m.IsRegex {
		return (m.Value == value) == m.IsEqual
	}
	return regexp.MustCompile("^(?:"+m.Value+")$").MatchString(value) == m.IsEqual
}

func quiet() integrations.Quiet {
	return integrations.Quiet{ID: "silence-3", Services: []string{"web"}, Reason: "the disks\nare replaced", By: "bob", From: time.Now().Add(-time.Minute), Until: time.Now().Add(time.Hour), Nonce: "01JD0000000000000000000000"}
}

func TestSilences(t *testing.T) {
	integrationstest.Silences(t, func(t *testing.T) integrationstest.SilenceSystem {
		m := newManager(t)
		locked := func(do func()) func() { return func() { m.mu.Lock(); defer m.mu.Unlock(); do() } }
		return integrationstest.SilenceSystem{
			Source: m.source(Config{}, ""), Quiet: quiet(),
			Silent: func() (out []string) {
				for _, s := range m.silences {
					if !s.Ended {
						out = append(out, s.ID)
					}
				}
				return out
			},
			Lose: locked(func() { m.lose = true }), Throttle: locked(func() { m.throttle = true }), Refuse: locked(func() { m.header = "another" }),
			Take: func(id string) { m.silences[0].Comment = "mine" },
		}
	})
}

// A silence is of the labels that say the service and where, whatever names they have, and
// of alerts that name no environment where the source is of that one.
func TestWhatIsSilent(t *testing.T) {
	for _, c := range []struct {
		with          Config
		of            string // the source's environment
		services, env []string
		silent, heard []map[string]string
	}{
		{services: []string{"web"}, silent: []map[string]string{{"service": "web"}, {"service": "web", "environment": "staging"}}, heard: []map[string]string{{"service": "website"}, {"job": "web"}, {}}},
		{services: []string{"web", "the.shop"}, silent: []map[string]string{{"service": "web"}, {"service": "the.shop"}}, heard: []map[string]string{{"service": "the-shop"}, {"service": "web|the.shop"}}},
		{services: []string{"web"}, env: []string{"production", "prod"}, of: "staging", silent: []map[string]string{{"service": "web", "environment": "prod"}}, heard: []map[string]string{{"service": "web"}, {"service": "web", "environment": "staging"}, {"environment": "prod"}}},
		{services: []string{"web"}, env: []string{"production"}, of: "production", silent: []map[string]string{{"service": "web", "environment": "production"}, {"service": "web"}}, heard: []map[string]string{{"service": "web", "environment": "staging"}, {}}},
		{with: Config{ServiceLabel: "app", EnvironmentLabel: "stage"}, services: []string{"web"}, env: []string{"production"}, silent: []map[string]string{{"app": "web", "stage": "production"}}, heard: []map[string]string{{"service": "web", "environment": "production"}}},
	} {
		m := newManager(t)
		q := quiet()
		q.Services, q.Environments = c.services, c.env
		if _, err := m.source(c.with, c.of).Silence(t.Context(), q); err != nil {
			t.Fatal(err)
		}
		s := m.silences[0]
		for want, all := range map[bool][]map[string]string{true: c.silent, false: c.heard} {
			for _, labels := range all {
				got := !slices.ContainsFunc(s.Matchers, func(m matcher) bool { return !matches(m, labels[m.Name]) })
				if got != want {
					t.Errorf("%v in %v: %v is silent: %v, by %+v", c.services, c.env, labels, got, s.Matchers)
				}
			}
		}
		if !s.EndsAt.Equal(q.Until) || s.CreatedBy != "bob (signalbox)" || s.Comment != "the disks are replaced · bob · silence-3 · signalbox "+q.Nonce {
			t.Errorf("it is %+v", s.silence)
		}
	}
}

// The label that says the service is the one that is read, too.
func TestTheLabelsThatAreRead(t *testing.T) {
	s := newManager(t).source(Config{ServiceLabel: "app", EnvironmentLabel: "stage"}, "")
	n, err := s.Read(nil, []byte(`{"alerts":[{"labels":{"app":"web","stage":"production","service":"x","environment":"y"}},{"labels":{"service":"x","env":"y"}}]}`))
	if err != nil || n.Alerts[0].Service != "web" || n.Alerts[0].Environment != "production" || n.Alerts[1].Service != "x" || n.Alerts[1].Environment != "y" {
		t.Errorf("%+v, %v", n, err)
	}
}

func TestOneThatIsOverByItsClock(t *testing.T) {
	m := newManager(t)
	q := quiet()
	q.Until = time.Now().Add(-time.Second)
	_, err := m.source(Config{}, "").Silence(t.Context(), q)
	if err == nil || errors.As(err, new(*integrations.Later)) || !strings.Contains(err.Error(), "end time can't be in the past") {
		t.Errorf("%v", err)
	}
}

func TestBasicCredentials(t *testing.T) {
	m := newManager(t)
	m.header = "Basic Ym9iOnMzY3JldC13b3Jk"
	s := m.source(Config{User: "bob", Password: integrations.NewSecret("s3cret-word")}, "")
	if _, err := s.Silence(t.Context(), quiet()); err != nil {
		t.Error(err)
	}
	if all := s.Secrets(); len(all) != 1 || all[0].Reveal() != "s3cret-word" {
		t.Errorf("%d secrets", len(all))
	}
}

// What is wrong is known by the keys that its webhook has; one that has just begun knows
// nothing yet.
func TestWhatIsWrong(t *testing.T) {
	m := newManager(t)
	s := m.source(Config{}, "")
	m.alerts = `[{"fingerprint":"a1","labels":{"alertname":"disk"},"status":{"state":"suppressed","silencedBy":["x"]}},{"fingerprint":"b2","labels":{"alertname":"cpu"},"status":{"state":"active"}}]`
	wrong, err := s.Wrong(t.Context())
	if err != nil || !wrong["a1"] || !wrong["b2"] || wrong["c3"] {
		t.Fatalf("%v, %v", wrong, err)
	}
	n, err := s.Read(nil, []byte(`{"alerts":[{"labels":{"alertname":"disk"}}]}`))
	if err != nil || !wrong[n.Alerts[0].Key] {
		t.Errorf("without a fingerprint it is %s: %v", n.Alerts[0].Key, err)
	}
	m.up = time.Now().Add(-time.Minute)
	if wrong, err = s.Wrong(t.Context()); !errors.As(err, new(*integrations.Later)) {
		t.Errorf("a minute after it began it says %v, %v", wrong, err)
	}
	m.header = "another"
	if wrong, err = s.Wrong(t.Context()); err == nil || wrong != nil {
		t.Errorf("%v, %v", wrong, err)
	}
}

func TestSettings(t *testing.T) {
	secret := integrations.NewSecret("x")
	for want, c := range map[string]Config{
		"":              {ServiceLabel: "app"},
		"settings.url:": {URL: "alertmanager:9093"},
		"settings.url: is missing, and there are credentials for it; want one like https://alertmanager.example.com": {Token: secret},
		"settings.token:": {URL: exampleURL, Token: secret, User: "bob", Password: secret},
		"settings.user:":  {URL: exampleURL, User: "bob"},
		"settings.service_label: is no name of a label; want letters, digits and _, such as service": {ServiceLabel: "my-service"},
	} {
		s, err := New(integrations.AlertOptions{Decode: func(into any) error { *into.(*Config) = c; return nil }})
		if (err == nil) != (want == "") || err != nil && !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%+v: %v, want %s", c, err, want)
		}
		if _, carries := s.(integrations.AlertSilencer); carries {
			t.Errorf("%+v carries silences", c)
		}
	}
}
