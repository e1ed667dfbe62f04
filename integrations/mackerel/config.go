package mackerel

import (
	"errors"
	"net/url"
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// Config is the organisation that watches the hosts; the zero value is no Mackerel.
type Config struct {
	// APIKey may read and write.
	APIKey integrations.Secret `yaml:"api_key"`
	// URL is the base of the API, for a sandbox; "" is Mackerel's own.
	URL string `yaml:"url"`
}

// Validate names every mistake at once, each line with the field that holds it:
// "api_key: …".
func (c Config) Validate() error {
	if c.None() {
		return nil
	}
	var errs []error
	switch key := c.APIKey.Reveal(); {
	case key == "":
		errs = append(errs, errors.New("api_key: is missing; make one in Mackerel that may read and write"))
	case strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }):
		errs = append(errs, errors.New("api_key: has characters in it that no key has; want letters, digits and signs in one line"))
	}
	if c.URL != "" {
		u, err := url.Parse(c.URL)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
			errs = append(errs, errors.New("url: is not a URL; want one like http://127.0.0.1:8421/mackerel")) // and may hold a password
		}
	}
	return errors.Join(errs...)
}

// None says that no Mackerel is configured.
func (c Config) None() bool { return c.APIKey.IsZero() && c.URL == "" }

// Secrets are the values that must not be seen.
func (c Config) Secrets() []integrations.Secret {
	if c.APIKey.IsZero() {
		return nil
	}
	return []integrations.Secret{c.APIKey}
}
