package pagerduty

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// Config is the PagerDuty account; the zero value is no PagerDuty.
type Config struct {
	// Token is a REST API key: of the account, or of a user, as whom it then acts.
	Token integrations.Secret `yaml:"token"`
	// URL is the base of the API: "" is https://api.pagerduty.com, and
	// https://api.eu.pagerduty.com is for accounts in the EU.
	URL string `yaml:"url"`
	// EventsURL is the base of the Events API: "" is https://events.pagerduty.com, or
	// https://events.eu.pagerduty.com where URL is that of the EU.
	EventsURL string `yaml:"events_url"`
	// Services are the ids of those whose incidents are read; none are all that the token
	// sees.
	Services []string `yaml:"services"`
	// RoutingKeys are the integration keys of Events API v2 of services, by the names that
	// escalations call them.
	RoutingKeys map[string]integrations.Secret `yaml:"routing_keys"`
}

// Validate names every mistake at once, each line with the field that holds it:
// "token: …".
func (c Config) Validate() error {
	if c.None() {
		return nil
	}
	var errs []error
	switch token := c.Token.Reveal(); {
	case token == "":
		errs = append(errs, errors.New("token: is missing; make a REST API key in PagerDuty under Integrations, API Access Keys"))
	case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' || r == '=' }):
		errs = append(errs, errors.New(`token: has characters in it that no key has; want the key alone, in one line, without "Token token="`))
	}
	if c.URL != "" {
		errs = append(errs, checkURL(c.URL))
	}
	if c.EventsURL != "" {
		errs = append(errs, checkEventsURL(c.EventsURL))
	}
	for _, name := range slices.Sorted(maps.Keys(c.RoutingKeys)) {
		if key := c.RoutingKeys[name].Reveal(); !keyShape.MatchString(key) {
			errs = append(errs, fmt.Errorf("routing_keys.%s: is no integration key; it stands in PagerDuty under the service's Integrations, Events API V2, and has 32 characters", name))
		}
	}
	for n, id := range c.Services {
		if !idShape.MatchString(id) {
			errs = append(errs, fmt.Errorf("services[%d]: %q is no id of a service; it stands at the end of the address of its page: PABC123", n, id))
		}
	}
	return errors.Join(errs...)
}

// keyShape is that of an integration key (Events API v2, routing_key).
var keyShape = regexp.MustCompile(`^[0-9A-Za-z-]{32}$`)

const wantURL = "want " + ownURL + ", or https://api.eu.pagerduty.com for an account in the EU"

func baseURL(text string) (*url.URL, bool) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, false
	}
	return u, true
}

func checkURL(text string) error {
	u, ok := baseURL(text)
	if !ok {
		return errors.New("url: is not a URL; " + wantURL) // and may hold a password
	}
	host := strings.ToLower(u.Hostname())
	if !strings.HasSuffix("."+host, ".pagerduty.com") {
		return nil // a sandbox's, or a proxy's
	}
	switch {
	case !strings.HasPrefix(host, "api."):
		return fmt.Errorf("url: %s is for browsers; %s", host, wantURL)
	case u.Scheme != "https" || strings.Trim(u.Path, "/") != "":
		return errors.New("url: " + wantURL + ", with nothing behind it")
	}
	return nil
}

func checkEventsURL(text string) error {
	const want = "want " + ownEventsURL + ", or " + euEventsURL + " for an account in the EU"
	u, ok := baseURL(text)
	if !ok {
		return errors.New("events_url: is not a URL; " + want)
	}
	host := strings.ToLower(u.Hostname())
	if !strings.HasSuffix("."+host, ".pagerduty.com") {
		return nil
	}
	if !strings.HasPrefix(host, "events.") || u.Scheme != "https" || strings.Trim(u.Path, "/") != "" {
		return errors.New("events_url: takes no events; " + want + ", with nothing behind it")
	}
	return nil
}

// None says that no PagerDuty is configured.
func (c Config) None() bool { return c.Token.IsZero() && c.URL == "" && c.EventsURL == "" }

// Secrets are the values that must not be seen.
func (c Config) Secrets() []integrations.Secret {
	if c.Token.IsZero() {
		return nil
	}
	return append([]integrations.Secret{c.Token}, slices.Collect(maps.Values(c.RoutingKeys))...)
}
