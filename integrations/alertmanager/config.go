package alertmanager

import (
	"cmp"
	"encoding/base64"
	"errors"
	"net/http"
	"regexp"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/jsonapi"
)

// Config is how Alertmanager's API is reached, and which labels say what; the zero value
// asks it nothing.
type Config struct {
	// URL is what stands before /api/v2; "" carries no silences there.
	URL string `yaml:"url"`
	// Token is sent as a bearer token; User and Password are what some have instead.
	Token    integrations.Secret `yaml:"token"`
	User     string              `yaml:"user"`
	Password integrations.Secret `yaml:"password"`
	// ServiceLabel says whose alert it is; "" is "service". EnvironmentLabel says where;
	// "" is "environment".
	ServiceLabel     string `yaml:"service_label"`
	EnvironmentLabel string `yaml:"environment_label"`
}

const exampleURL = "https://alertmanager.example.com"

// labelShape is of the names of labels (prometheus.io/docs/concepts/data_model).
var labelShape = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// check names every mistake, each in a line with its field.
func (c Config) check() error {
	var errs []error
	bad := func(field, say string) { errs = append(errs, errors.New("settings."+field+": "+say)) }
	for _, one := range [][2]string{{"service_label", c.ServiceLabel}, {"environment_label", c.EnvironmentLabel}} {
		if one[1] != "" && !labelShape.MatchString(one[1]) {
			bad(one[0], "is no name of a label; want letters, digits and _, such as service")
		}
	}
	if c.URL != "" {
		if err := jsonapi.Check(c.URL, exampleURL); err != nil {
			bad("url", err.Error())
		}
	} else if c.User != "" || !c.Token.IsZero() || !c.Password.IsZero() {
		bad("url", "is missing, and there are credentials for it; want one like "+exampleURL)
	}
	switch {
	case !c.Token.IsZero() && (c.User != "" || !c.Password.IsZero()):
		bad("token", "is given, and user or password too; want one of both")
	case (c.User == "") != c.Password.IsZero():
		bad("user", "and password belong together; one of them is missing")
	}
	return errors.Join(errs...)
}

func (c Config) serviceLabel() string     { return cmp.Or(c.ServiceLabel, "service") }
func (c Config) environmentLabel() string { return cmp.Or(c.EnvironmentLabel, "environment") }

func (c Config) secrets() (out []integrations.Secret) {
	for _, s := range []integrations.Secret{c.Token, c.Password} {
		if !s.IsZero() {
			out = append(out, s)
		}
	}
	return out
}

// header holds the credentials.
func (c Config) header() http.Header {
	h := http.Header{}
	switch {
	case !c.Token.IsZero():
		h.Set("Authorization", "Bearer "+c.Token.Reveal())
	case c.User != "":
		h.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(c.User+":"+c.Password.Reveal())))
	}
	return h
}
