package aws

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"unicode/utf8"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// Config is the fleet's accounts; none is no AWS.
type Config struct {
	Accounts []Account `yaml:"accounts"`
}

// Account is one account of AWS, in one region or several.
type Account struct {
	// Name is what people call it: "production".
	Name    string   `yaml:"name"`
	Regions []string `yaml:"regions"`
	// Role is the ARN of a role to assume; "" is to act as the credentials themselves.
	Role       string `yaml:"role"`
	ExternalID string `yaml:"external_id"` // that the role asks for
	// Endpoint is the base URL of all services, for a sandbox; "" is AWS.
	Endpoint string `yaml:"endpoint"`
	// AccessKeyID and SecretAccessKey are credentials; without them they are looked for
	// where the AWS CLI looks: the environment, its files, the instance's role.
	AccessKeyID     integrations.Secret `yaml:"access_key_id"`
	SecretAccessKey integrations.Secret `yaml:"secret_access_key"`
}

var (
	accountShape = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$`)
	regionShape  = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]+$`)
	roleShape    = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]+$`)
	// external: 2 to 1,224 of these characters (the API reference of AssumeRole).
	externalShape = regexp.MustCompile(`^[\w+=,.@:/-]{2,}$`)
)

const (
	longestRole     = 2048
	longestExternal = 1224
)

// Validate names every mistake at once, each line with the field that holds it:
// "accounts[0].role: …".
func (c Config) Validate() error {
	var errs []error
	first := map[string]int{}
	for n, a := range c.Accounts {
		bad := func(field, format string, args ...any) {
			errs = append(errs, fmt.Errorf("accounts[%d].%s: %s", n, field, fmt.Sprintf(format, args...)))
		}
		a.validate(bad)
		if was, twice := first[a.Name]; twice && a.Name != "" {
			bad("name", "%q is the name of accounts[%d] too", a.Name, was)
		} else {
			first[a.Name] = n
		}
	}
	return errors.Join(errs...)
}

func (a Account) validate(bad func(field, format string, args ...any)) {
	switch {
	case a.Name == "":
		bad("name", "is missing")
	case !accountShape.MatchString(a.Name):
		bad("name", "%q is not a name; want up to 40 of a-z, 0-9 and -", a.Name)
	}
	if len(a.Regions) == 0 {
		bad("regions", "is missing; list one at least, like ap-northeast-1")
	}
	for n, r := range a.Regions {
		switch {
		case !regionShape.MatchString(r):
			bad(fmt.Sprintf("regions[%d]", n), "%q is not a region; want one like ap-northeast-1", r)
		case slices.Index(a.Regions, r) < n:
			bad(fmt.Sprintf("regions[%d]", n), "%q is here twice", r)
		}
	}
	if a.Role != "" && (len(a.Role) > longestRole || !roleShape.MatchString(a.Role)) {
		bad("role", "%q is not the ARN of a role; want one like arn:aws:iam::123456789012:role/signalbox", a.Role)
	}
	switch {
	case a.ExternalID == "":
	case a.Role == "":
		bad("external_id", "is given, and there is no role that asks for it")
	case utf8.RuneCountInString(a.ExternalID) > longestExternal || !externalShape.MatchString(a.ExternalID):
		bad("external_id", "is not 2 to %d letters, digits and +=,.@:/-_", longestExternal)
	}
	if a.Endpoint != "" {
		u, err := url.Parse(a.Endpoint)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
			bad("endpoint", "is not a URL; want one like http://127.0.0.1:8421/aws") // and may hold a password
		}
	}
	switch {
	case a.AccessKeyID.IsZero() && !a.SecretAccessKey.IsZero():
		bad("access_key_id", "is missing, and there is a secret_access_key")
	case !a.AccessKeyID.IsZero() && a.SecretAccessKey.IsZero():
		bad("secret_access_key", "is missing, and there is an access_key_id")
	}
}

// Secrets are the values that must not be seen.
func (c Config) Secrets() (out []integrations.Secret) {
	for _, a := range c.Accounts {
		if !a.SecretAccessKey.IsZero() {
			out = append(out, a.SecretAccessKey)
		}
	}
	return out
}
