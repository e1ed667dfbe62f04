package main

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// AlertsConfig is one source of alerts. What comes at its address is let in by one of its
// tokens or, where the kind signs what it sends, by a right signature.
type AlertsConfig struct {
	Name    string                `yaml:",key"`
	Kind    string                `yaml:"kind"`    // a key of alertSources; "" is the name
	Tokens  []integrations.Secret `yaml:"tokens"`  // two while one is being rotated
	Secrets []integrations.Secret `yaml:"secrets"` // those that it signs with; likewise
	// What its alerts are taken for where they do not say themselves.
	Service     string `yaml:"service"`
	Environment string `yaml:"environment"`
	Severity    string `yaml:"severity"`

	Settings SettingsConfig `yaml:"settings"` // of the kind
}

// alertMaker makes a source of its settings. Its error names each mistake in a line that
// begins with the field: "settings.key: …".
type alertMaker = func(integrations.AlertOptions) (integrations.AlertSource, error)

// alertSource is a source that stands in the configuration.
type alertSource struct {
	AlertsConfig
	read integrations.AlertSource
}

// signer is what tells its signatures; nil where it does not sign.
func (s alertSource) signer() integrations.AlertSigner {
	signer, _ := s.read.(integrations.AlertSigner)
	return signer
}

var (
	sourceShape = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)
	tokenShape  = regexp.MustCompile(`^[A-Za-z0-9._~-]+$`) // what a URL leaves as it is (RFC 3986, 2.3)
)

// checkAlerts finds mistakes in the sources of alerts, and makes them.
func (c *Config) checkAlerts() {
	if len(c.Alerts) > 0 && c.Inbound == "none" {
		c.bad("alerts", "is given, and inbound: none lets nobody in; say inbound: webhook")
	}
	c.sources = nil
	for i := range c.Alerts {
		s := &c.Alerts[i]
		at := "alerts." + s.Name
		if !sourceShape.MatchString(s.Name) {
			c.bad(at, "is no name for a source; it stands in a URL, so want small letters, digits and -, such as sensu-tokyo")
		}
		orElse(&s.Kind, s.Name)
		if !c.wantOne(at+".kind", "kind of source", s.Kind, slices.Sorted(maps.Keys(alertSources))) {
			continue
		}
		for n, t := range s.Tokens {
			if !tokenShape.MatchString(t.Reveal()) {
				c.bad(fmt.Sprintf("%s.tokens[%d]", at, n), "is empty or has characters in it that a URL would change; want letters, digits and . _ ~ -, such as `openssl rand -hex 20` makes")
			}
		}
		for n, t := range s.Secrets {
			if t.IsZero() {
				c.bad(fmt.Sprintf("%s.secrets[%d]", at, n), "is empty")
			}
		}
		if s.Service != "" {
			c.wantOne(at+".service", "service", s.Service, c.serviceNames())
		}
		if s.Environment != "" {
			c.wantOne(at+".environment", "environment", s.Environment, c.environmentNames())
		}
		if s.Severity != "" {
			c.wantOne(at+".severity", "severity", s.Severity, integrations.Severities)
		}
		c.makeSource(at, *s)
	}
}

// sourcesOf are the names of the sources of a kind.
func (c *Config) sourcesOf(kind string) (out []string) {
	for _, s := range c.Alerts {
		if s.Kind == kind {
			out = append(out, s.Name)
		}
	}
	return out
}

// checkOffers wants proposals to be of what there is.
func (c *Config) checkOffers() {
	for n, o := range c.Statuspage.Offers {
		at := fmt.Sprintf("statuspage.offers[%d]", n)
		for _, one := range []struct {
			field, what string
			names       []string
			known       []string
		}{
			{"sources", "source of alerts", o.Sources, names(c.Alerts, func(s AlertsConfig) string { return s.Name })},
			{"services", "service", o.Services, c.serviceNames()},
			{"environments", "environment", o.Environments, c.environmentNames()},
		} {
			for k, name := range one.names {
				c.wantOne(fmt.Sprintf("%s.%s[%d]", at, one.field, k), one.what, name, one.known)
			}
		}
	}
}

func (c *Config) makeSource(at string, s AlertsConfig) {
	made, err := alertSources[s.Kind](integrations.AlertOptions{Secrets: s.Secrets, Environment: s.Environment, Decode: func(into any) error { return c.r.decode(s.Settings, into) }})
	var told *ConfigError
	switch {
	case errors.As(err, &told): // decode has recorded it
		return
	case err != nil:
		for _, what := range strings.Split(err.Error(), "\n") {
			field, say, _ := strings.Cut(what, ": ")
			c.bad(at+"."+field, "%s", say)
		}
		return
	}
	signer, signs := made.(integrations.AlertSigner)
	switch {
	case !signs && len(s.Secrets) > 0:
		c.bad(at+".secrets", "is given, and %s signs nothing that it sends; want tokens", s.Kind)
	case len(s.Tokens) == 0 && !c.r.wrong(at+".tokens") && !(signs && signer.Signs()):
		c.bad(at+".tokens", "is missing: nothing could be let in; want one such as `openssl rand -hex 20` makes")
	}
	c.sources = append(c.sources, alertSource{s, made})
}
