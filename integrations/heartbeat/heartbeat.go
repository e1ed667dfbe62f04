// Package heartbeat tells a service outside that signalbox is at work, so that it
// alarms people when it is told no more. It stands in integrations; when to send,
// and when to be quiet, is the process's to know.
package heartbeat

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/redact"
	"github.com/signalbox-chatops/signalbox/integrations/kit/transport"
)

// Config is where the heartbeat goes.
type Config struct {
	// URL is asked or written to; for many services it is a secret.
	URL integrations.Secret `yaml:"url"`
	// Every is how often, in domain time; 0 sends none.
	Every time.Duration `yaml:"every"`
	// Kind is a key of Kinds; "" is "get".
	Kind string `yaml:"kind"`
	// Key is the API key, for kinds that want one.
	Key integrations.Secret `yaml:"key"`
}

// kind makes the request of one beat.
type kind struct {
	key  bool // it needs Config.Key
	make func(ctx context.Context, c Config, now time.Time) (*http.Request, error)
}

var kinds = map[string]kind{
	// healthchecks.io, Dead Man's Snitch, Uptime Kuma, Better Stack …
	"get": {make: func(ctx context.Context, c Config, _ time.Time) (*http.Request, error) {
		return http.NewRequestWithContext(ctx, http.MethodGet, c.URL.Reveal(), nil)
	}},
	"post": {make: func(ctx context.Context, c Config, _ time.Time) (*http.Request, error) {
		return http.NewRequestWithContext(ctx, http.MethodPost, c.URL.Reveal(), nil)
	}},
	// A service metric of Mackerel, by POST /api/v0/services/<name>/tsdb; a monitor of
	// "signalbox.heartbeat" with an alert on missing values is what alarms.
	"mackerel": {key: true, make: func(ctx context.Context, c Config, now time.Time) (*http.Request, error) {
		body, err := json.Marshal([]map[string]any{{"name": "signalbox.heartbeat", "time": now.Unix(), "value": 1}})
		if err != nil {
			return nil, err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL.Reveal(), bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-Api-Key", c.Key.Reveal())
		return req, nil
	}},
}

// Kinds are the kinds of heartbeats, sorted.
func Kinds() []string { return slices.Sorted(maps.Keys(kinds)) }

// Validate names every mistake at once, with the field that holds it.
func (c Config) Validate() error {
	if c.URL.IsZero() && c.Every == 0 && c.Kind == "" && c.Key.IsZero() {
		return nil
	}
	var errs []error
	if u, err := url.Parse(c.URL.Reveal()); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		errs = append(errs, errors.New("url: is not an http(s) address")) // and may be a secret
	}
	if c.Every < 10*time.Second {
		errs = append(errs, fmt.Errorf("every: %v is less than 10s", c.Every))
	}
	switch k, ok := kinds[c.kind()]; {
	case !ok:
		errs = append(errs, fmt.Errorf("kind: unknown kind %q; there is %s", c.Kind, strings.Join(Kinds(), ", ")))
	case k.key && c.Key.IsZero():
		errs = append(errs, fmt.Errorf("key: is missing; %s needs an API key", c.kind()))
	}
	return errors.Join(errs...)
}

func (c Config) kind() string {
	if c.Kind == "" {
		return "get"
	}
	return c.Kind
}

// Sender sends heartbeats.
type Sender struct {
	cfg  Config
	http *http.Client
}

// New makes a sender of a valid configuration.
func New(c Config) *Sender {
	hide := redact.New([]string{c.URL.Reveal(), c.Key.Reveal()})
	return &Sender{c, &http.Client{Transport: transport.New(transport.Options{Timeout: 10 * time.Second, Tries: 2, MaxBody: 1 << 20, Redact: hide})}}
}

// Send sends one. The error tells neither the URL nor the key.
func (s *Sender) Send(ctx context.Context, now time.Time) error {
	req, err := kinds[s.cfg.kind()].make(ctx, s.cfg, now)
	if err != nil {
		return errors.New("send the heartbeat: its address is wrong")
	}
	resp, err := s.http.Do(req)
	if err != nil {
		var outer *url.Error // which names the address
		if errors.As(err, &outer) {
			err = outer.Err
		}
		return fmt.Errorf("send the heartbeat: %w", err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that its connection is used again
	if resp.StatusCode >= 300 {
		return fmt.Errorf("send the heartbeat: the answer is %s", resp.Status)
	}
	return nil
}
