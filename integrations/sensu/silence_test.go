package sensu

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/integrationstest"
)

// backend is a Sensu Go at the wire, as far as silenced entries and events go: it refuses
// what that one refuses, and knows no more.
type backend struct {
	t   *testing.T
	url string
	key string

	mu       sync.Mutex
	entries  []*entry
	events   []string
	lose     bool
	throttle bool
}

func newBackend(t *testing.T) *backend {
	b := &backend{t: t, key: "s3cret-key"}
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	b.url = server.URL
	return b
}

func (b *backend) source(environment string) client {
	b.t.Helper()
	c := Config{URL: b.url, APIKey: integrations.NewSecret("s3cret-key"), Namespace: "ops", Subscriptions: map[string]string{"web": "web-servers", "web/staging": "web-test"}}
	s, err := New(integrations.AlertOptions{Environment: environment, Decode: func(into any) error { *into.(*Config) = c; return nil }})
	if err != nil {
		b.t.Fatal(err)
	}
	return s.(client)
}

func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	said := func(status int, v any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		if v != nil {
			_ = json.NewEncoder(w).Encode(v)
		}
	}
	no := func(status, code int, text string) {
		said(status, map[string]any{"message": text, "code": code})
	}
	change := r.Method != http.MethodGet
	switch {
	case r.Header.Get("Authorization") != "Key "+b.key:
		no(http.StatusUnauthorized, 8, "bad credentials")
		return
	case change && b.throttle:
		b.throttle = false
		no(http.StatusTooManyRequests, 9, "rate limit exceeded")
		return
	case change && b.lose:
		b.lose = false
		defer func() { panic(http.ErrAbortHandler) }()
		said = func(int, any) {}
	}
	path, ok := strings.CutPrefix(r.URL.Path, "/api/core/v2/namespaces/ops/")
	name, one := strings.CutPrefix(path, "silenced/")
	n := slices.IndexFunc(b.entries, func(e *entry) bool { return e.Metadata.Name == name })
	switch {
	case ok && path == "silenced" && change:
		b.create(r, said, no)
	case ok && path == "silenced":
		said(http.StatusOK, append([]*entry{}, b.entries...))
	case ok && path == "events" && !change:
		b.list(w, r, said)
	case !ok || !one:
		b.t.Errorf("it was asked %s %s", r.Method, r.URL.Path)
		no(http.StatusNotFound, 2, "not found")
	case n < 0:
		no(http.StatusNotFound, 2, "not found")
	case r.Method == http.MethodDelete:
		b.entries = slices.Delete(b.entries, n, n+1)
		said(http.StatusNoContent, nil)
	default:
		said(http.StatusOK, b.entries[n])
	}
}

func (b *backend) create(r *http.Request, said func(int, any), no func(int, int, string)) {
	var e entry
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil {
		no(http.StatusBadRequest, 1, err.Error())
		return
	}
	name := e.Subscription + ":*"
	switch {
	case e.Subscription == "" || e.Metadata.Name != name || e.Metadata.Namespace != "ops":
		no(http.StatusBadRequest, 1, "must provide check or subscription")
	case e.Expire <= 0 || e.Begin <= 0:
		no(http.StatusBadRequest, 1, "it would never end")
	case slices.ContainsFunc(b.entries, func(o *entry) bool { return o.Metadata.Name == name }):
		no(http.StatusConflict, 3, "resource already exists")
	default:
		e.Creator = "the key's user" // whatever was said
		b.entries = append(b.entries, &e)
		said(http.StatusCreated, nil)
	}
}

// list gives a page of two events.
func (b *backend) list(w http.ResponseWriter, r *http.Request, said func(int, any)) {
	from := 0
	if next := r.URL.Query().Get("continue"); next != "" {
		if _, err := fmt.Sscanf(next, "at-%d", &from); err != nil {
			b.t.Error(err)
		}
	}
	until := min(from+2, len(b.events))
	if until < len(b.events) {
		w.Header().Set("Sensu-Continue", fmt.Sprintf("at-%d", until))
	}
	all := []json.RawMessage{}
	for _, e := range b.events[from:until] {
		all = append(all, json.RawMessage(e))
	}
	said(http.StatusOK, all)
}

func quiet() integrations.Quiet {
	return integrations.Quiet{ID: "silence-3", Services: []string{"web"}, Reason: "the disks are replaced", By: "bob", From: time.Now(), Until: time.Now().Add(time.Hour), Nonce: "01JD0000000000000000000000"}
}

func TestSilences(t *testing.T) {
	integrationstest.Silences(t, func(t *testing.T) integrationstest.SilenceSystem {
		b := newBackend(t)
		return integrationstest.SilenceSystem{
			Source: b.source(""), Quiet: quiet(),
			Silent: func() (out []string) {
				for _, e := range b.entries {
					out = append(out, e.Metadata.Name)
				}
				return out
			},
			Lose: func() { b.lose = true }, Throttle: func() { b.throttle = true }, Refuse: func() { b.key = "another" },
			Take: func(string) { b.entries[0].Reason = "mine" },
		}
	})
}

// There is one entry of a subscription: somebody else's is left, and waited for.
func TestOneThatIsThereAlready(t *testing.T) {
	b := newBackend(t)
	theirs := quiet()
	theirs.Nonce = "01JD0000000000000000000009"
	s := b.source("")
	if _, err := s.Silence(t.Context(), theirs); err != nil {
		t.Fatal(err)
	}
	var later *integrations.Later
	if _, err := s.Silence(t.Context(), quiet()); !errors.As(err, &later) || !later.Unsent || later.After != time.Minute || !strings.Contains(err.Error(), "sensu silence web-servers:*: it is silenced already") {
		t.Errorf("%v", err)
	}
	if len(b.entries) != 1 || !integrations.QuietIs(b.entries[0].Reason, theirs.Nonce) {
		t.Errorf("there are %+v", b.entries)
	}
}

func TestWhichSubscription(t *testing.T) {
	for _, c := range []struct {
		of            string
		services, env []string
		want          string
	}{
		{services: []string{"web"}, want: "web-servers"},
		{services: []string{"shop", "web"}, want: "web-servers"}, // an alias
		{services: []string{"web"}, env: []string{"staging"}, want: "web-test"},
		{services: []string{"web"}, env: []string{"production"}, want: "no subscription there is that of web/production"},
		{services: []string{"web"}, env: []string{"production", "prod"}, of: "prod", want: "web-servers"},
		{services: []string{"api"}, want: "no subscription there is that of api"},
	} {
		q := quiet()
		q.Services, q.Environments = c.services, c.env
		s := newBackend(t).source(c.of)
		got, err := s.subscription(q)
		if err != nil {
			got = err.Error()
		}
		if got != c.want || (s.Keeps(q) == nil) != (err == nil) {
			t.Errorf("%v in %v: %s, want %s", c.services, c.env, got, c.want)
		}
	}
}

func TestAnEntryLastsAsLong(t *testing.T) {
	b := newBackend(t)
	q := quiet()
	q.From, q.Until = time.Unix(1700000000, 5e8), time.Unix(1700003600, 6e8)
	if _, err := b.source("").Silence(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	if e := b.entries[0]; e.Begin != 1700000000 || e.Expire != 3601 || e.ExpireOnResolve || e.Reason != q.Comment() {
		t.Errorf("%+v", e)
	}
}

// What is wrong is known by the keys that its handler sends, from all pages.
func TestWhatIsWrong(t *testing.T) {
	b := newBackend(t)
	s := b.source("")
	event := func(host, check string, status int) string {
		return fmt.Sprintf(`{"entity":{"metadata":{"name":%q,"namespace":"ops"}},"check":{"metadata":{"name":%q},"status":%d,"state":"failing"}}`, host, check, status)
	}
	b.events = []string{event("web-1", "disk", 2), event("web-1", "cpu", 0), `{"entity":{"metadata":{"name":"web-1"}},"metrics":{}}`, event("web-2", "disk", 1), event("web-3", "disk", 2)}
	wrong, err := s.Wrong(t.Context())
	if err != nil || len(wrong) != 3 || !wrong["ops/web-1/disk"] || !wrong["ops/web-3/disk"] || wrong["ops/web-1/cpu"] {
		t.Fatalf("%v, %v", wrong, err)
	}
	n, err := s.Read(nil, []byte(b.events[0]))
	if err != nil || !wrong[n.Alerts[0].Key] {
		t.Errorf("it is %s: %v", n.Alerts[0].Key, err)
	}
	b.key = "another"
	if wrong, err = s.Wrong(t.Context()); err == nil || wrong != nil {
		t.Errorf("%v, %v", wrong, err)
	}
}

func TestSettings(t *testing.T) {
	key, web := integrations.NewSecret("x"), map[string]string{"web": "web-servers"}
	for want, c := range map[string]Config{
		"":                        {},
		"settings.url: is not":    {URL: "sensu:8080", APIKey: key, Subscriptions: web},
		"settings.url: is mis":    {APIKey: key},
		"settings.api_key:":       {URL: exampleURL, Subscriptions: web},
		"settings.namespace:":     {URL: exampleURL, APIKey: key, Subscriptions: web, Namespace: "a/b"},
		"settings.subscriptions:": {URL: exampleURL, APIKey: key},
		`settings.subscriptions.web: "web servers" is no name of a subscription`: {URL: exampleURL, APIKey: key, Subscriptions: map[string]string{"web": "web servers"}},
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
