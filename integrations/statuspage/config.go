package statuspage

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// Config is the status page; the zero value is none.
type Config struct {
	// APIKey is that of a user of Statuspage, who may change the page.
	APIKey integrations.Secret `yaml:"api_key"`
	// Page is the page's id.
	Page string `yaml:"page"`
	// Channel is where its incidents have their messages; "" is where somebody asked.
	Channel string `yaml:"channel"`
	// Every is how often the page is looked at; 0 is three minutes.
	Every time.Duration `yaml:"every"`
	// Offers have messages of incidents propose to tell customers; the first that fits
	// counts.
	Offers []integrations.PageOffer `yaml:"offers"`
	// URL is the base of the API; "" is https://api.statuspage.io/v1.
	URL string `yaml:"url"`
}

// How often the page may be looked at: its API takes 60 calls a minute.
const (
	usualEvery = 3 * time.Minute
	leastEvery = time.Minute
	mostEvery  = time.Hour
)

// Often is how often the page is looked at.
func (c Config) Often() time.Duration {
	if c.Every == 0 {
		return usualEvery
	}
	return c.Every
}

// Validate names every mistake at once, each line with the field that holds it:
// "api_key: …".
func (c Config) Validate() error {
	if c.None() && c.Channel == "" && c.Every == 0 && c.URL == "" && len(c.Offers) == 0 {
		return nil
	}
	var errs []error
	switch key := c.APIKey.Reveal(); {
	case key == "":
		errs = append(errs, errors.New("api_key: is missing; make one in Statuspage under your avatar, API info"))
	case strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }):
		errs = append(errs, errors.New(`api_key: has characters in it that no key has; want the key alone, in one line, without "OAuth"`))
	}
	switch {
	case c.Page == "":
		errs = append(errs, errors.New("page: is missing; its id stands in Statuspage under your avatar, API info, such as kctbh9vrtdwd"))
	case !idShape.MatchString(c.Page):
		errs = append(errs, fmt.Errorf("page: %q is no id of a page; want one like kctbh9vrtdwd, not its address", c.Page))
	}
	if c.Every != 0 && (c.Every < leastEvery || c.Every > mostEvery) {
		errs = append(errs, fmt.Errorf("every: is %v; want %v to %v", c.Every, leastEvery, mostEvery))
	}
	if c.URL != "" {
		u, err := url.Parse(c.URL)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
			errs = append(errs, errors.New("url: is not a URL; want one like "+ownURL)) // and may hold a password
		}
	}
	for n, o := range c.Offers {
		errs = append(errs, checkOffer(fmt.Sprintf("offers[%d]", n), o)...)
	}
	return errors.Join(errs...)
}

// checkOffer finds what the command line of a proposal could not say.
func checkOffer(at string, o integrations.PageOffer) (errs []error) {
	oneOf := func(field, value string, of []string) {
		if value != "" && !slices.Contains(of, value) {
			errs = append(errs, fmt.Errorf("%s.%s: %q is none; there are %s", at, field, value, strings.Join(of, ", ")))
		}
	}
	oneOf("status", o.Status, integrations.ComponentStatuses)
	oneOf("impact", o.Impact, integrations.PageImpacts)
	for n, s := range o.Severities {
		oneOf(fmt.Sprintf("severities[%d]", n), s, integrations.Severities)
	}
	for n, c := range o.Components {
		if strings.TrimSpace(c) == "" || strings.ContainsAny(c, ",=、，\"") {
			errs = append(errs, fmt.Errorf("%s.components[%d]: %q is no name of a component; want it as the page shows it, or group/name", at, n, c))
		}
	}
	if o.Status != "" && len(o.Components) == 0 {
		errs = append(errs, fmt.Errorf("%s.status: is that of components, and none is named", at))
	}
	return errs
}

// None says that no page is configured.
func (c Config) None() bool { return c.APIKey.IsZero() && c.Page == "" }

// Secrets are the values that must not be seen.
func (c Config) Secrets() []integrations.Secret {
	if c.APIKey.IsZero() {
		return nil
	}
	return []integrations.Secret{c.APIKey}
}
