package github

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// Config says how GitHub is reached. Exactly one of Token and App is set.
type Config struct {
	Token integrations.Secret `yaml:"token"`
	App   *AppConfig          `yaml:"app"`
	// APIURL is "https://api.github.com", or "<url>/api/v3" of an Enterprise Server.
	APIURL string `yaml:"api_url"`
	// GitURL is what stands before "/owner/name.git" in a clone URL.
	GitURL string `yaml:"git_url"`
	// WebhookSecrets are the secrets that a delivery may be signed with: one, or
	// two while one replaces the other.
	WebhookSecrets []integrations.Secret `yaml:"webhook_secrets"`
	// MergeMethod is "merge" (the default), "squash" or "rebase". A promotion
	// needs "merge": the others give the commits new SHAs.
	MergeMethod string `yaml:"merge_method"`
	// OAuthClientID is the OAuth app by whose device flow people show which account
	// is theirs; "" is none.
	OAuthClientID string `yaml:"-"`
	// HookURL is where webhooks of ours are delivered, as GitHub has it; "" takes
	// every active webhook of a repository for ours.
	HookURL string `yaml:"-"`
}

// AppConfig is a GitHub App's installation.
type AppConfig struct {
	ID             int64               `yaml:"id"`
	InstallationID int64               `yaml:"installation_id"`
	PrivateKey     integrations.Secret `yaml:"private_key"` // PEM
}

const (
	defaultAPIURL = "https://api.github.com"
	defaultGitURL = "https://github.com"
)

// withDefaults fills in what was left out.
func (c Config) withDefaults() Config {
	if c.APIURL == "" {
		c.APIURL = defaultAPIURL
	}
	if c.GitURL == "" {
		c.GitURL = defaultGitURL
		if u, err := url.Parse(c.APIURL); err == nil && c.APIURL != defaultAPIURL {
			u.Path = strings.TrimSuffix(strings.TrimRight(u.Path, "/"), "/api/v3")
			c.GitURL = u.String()
		}
	}
	c.APIURL = strings.TrimRight(c.APIURL, "/")
	c.GitURL = strings.TrimRight(c.GitURL, "/")
	if c.MergeMethod == "" {
		c.MergeMethod = "merge"
	}
	return c
}

// Validate returns every mistake at once, joined; each begins with its field.
func (c Config) Validate() error {
	var errs []error
	bad := func(field, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %s", field, fmt.Sprintf(format, args...)))
	}
	switch {
	case c.Token.IsZero() && c.App == nil:
		bad("token", "missing: give a token, or app for a GitHub App")
	case !c.Token.IsZero() && c.App != nil:
		bad("token", "give either token or app, not both")
	}
	if strings.ContainsAny(c.Token.Reveal(), " \t\r\n") {
		bad("token", "has white space in it")
	}
	if c.App != nil {
		if c.App.ID <= 0 {
			bad("app.id", "missing: the App ID stands on the app's settings page")
		}
		if c.App.InstallationID <= 0 {
			bad("app.installation_id", "missing: it is the number that ends the URL of the installation's page")
		}
		if !strings.Contains(c.App.PrivateKey.Reveal(), "PRIVATE KEY-----") {
			bad("app.private_key", "is not a PEM private key")
		}
	}
	for _, f := range []struct{ name, value string }{{"api_url", c.APIURL}, {"git_url", c.GitURL}} {
		if f.value == "" {
			continue
		}
		u, err := url.Parse(f.value)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			bad(f.name, "%q is not an http or https URL", f.value)
		} else if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			bad(f.name, "holds more than a host and a path")
		}
	}
	if len(c.WebhookSecrets) > 2 {
		bad("webhook_secrets", "has %d secrets: one, or two while one replaces the other", len(c.WebhookSecrets))
	}
	for i, s := range c.WebhookSecrets {
		if len(s.Reveal()) < 8 {
			bad(fmt.Sprintf("webhook_secrets[%d]", i), "is shorter than 8 characters")
		}
	}
	switch c.MergeMethod {
	case "", "merge", "squash", "rebase":
	default:
		bad("merge_method", "%q is none of merge, squash, rebase", c.MergeMethod)
	}
	return errors.Join(errs...)
}
