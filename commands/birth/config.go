package birth

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Config is which new instances are born here, and how.
type Config struct {
	// Channel is where births are shown; "" is the first of the environments.
	Channel string `yaml:"channel"`
	// Notify is which births have a message: "failed", which is what "" is, or "all".
	Notify string `yaml:"notify"`
	// OnCall are the people who are mentioned when one fails.
	OnCall []string `yaml:"on_call"`
	// Roles are those whose instances are born here, by the tag Role.
	Roles []Role `yaml:"roles"`
}

// Role is how instances of one role are born.
type Role struct {
	Name string `yaml:",key"`
	// Hook is the name of the launch hook at which its groups wait; "" is DefaultHook.
	Hook  string `yaml:"hook"`
	Steps []Step `yaml:"steps"`
}

// Step is one script of a birth.
type Step struct {
	Name string `yaml:"name" json:"name"`
	// Kind is a word for people: kindProvision or kindTest, which is what "" is.
	Kind string `yaml:"kind" json:"kind"`
	// Run is the absolute path of a program on the host, Args what it is given.
	Run  string   `yaml:"run" json:"run"`
	Args []string `yaml:"args" json:"args,omitempty"`
	// Limit is how long it may run; 0 is defaultLimit.
	Limit time.Duration `yaml:"limit" json:"limit"`
}

// DefaultHook is the name of the launch hook of a role that names none.
const DefaultHook = "signalbox-birth"

const (
	kindProvision = "provision"
	kindTest      = "test"

	notifyFailed = "failed"
	notifyAll    = "all"

	defaultLimit = 15 * time.Minute
	longestLimit = 12 * time.Hour
)

func (r Role) hook() string { return cmp.Or(r.Hook, DefaultHook) }

func (s Step) kind() string { return cmp.Or(s.Kind, kindTest) }

func (s Step) limit() time.Duration { return cmp.Or(s.Limit, defaultLimit) }

// script is what the host's shell runs. It may run twice. Its first line says what it
// is, and has been checked to be plain words.
func (s Step) script() string {
	words := []string{"exec", quoted(s.Run)}
	for _, a := range s.Args {
		words = append(words, quoted(a))
	}
	return fmt.Sprintf("# signalbox:birth %s %s\n%s\n", s.kind(), s.Name, strings.Join(words, " "))
}

// quoted is one word of a shell, whatever is in it.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// Role finds a role by its name.
func (c Config) Role(name string) (Role, bool) {
	i := slices.IndexFunc(c.Roles, func(r Role) bool { return r.Name == name })
	if i < 0 {
		return Role{}, false
	}
	return c.Roles[i], true
}

// Names are those of the roles, in the order of the file.
func (c Config) Names() []string {
	var out []string
	for _, r := range c.Roles {
		out = append(out, r.Name)
	}
	return out
}

// Validate names every mistake at once, each line with the field that holds it:
// "roles.app.steps[0].run: …".
func (c Config) Validate() error {
	var errs []error
	if !slices.Contains([]string{"", notifyFailed, notifyAll}, c.Notify) {
		errs = append(errs, fmt.Errorf("notify: is %q; want %s, or %s for a message of each birth", c.Notify, notifyFailed, notifyAll))
	}
	for _, r := range c.Roles {
		errs = append(errs, r.mistakes()...)
	}
	return errors.Join(errs...)
}

func (r Role) mistakes() (errs []error) {
	at := "roles." + r.Name
	if r.Hook != "" && !plainWord(r.Hook) {
		errs = append(errs, fmt.Errorf("%s.hook: %q is not the name of a lifecycle hook; want one like %s", at, r.Hook, DefaultHook))
	}
	if len(r.Steps) == 0 {
		errs = append(errs, fmt.Errorf("%s.steps: is empty; name what is run on a new instance before it may work, like {name: test, run: /opt/app/test}", at))
	}
	taken := map[string]bool{}
	for n, s := range r.Steps {
		at := fmt.Sprintf("%s.steps[%d]", at, n)
		errs = append(errs, s.mistakes(at)...)
		if taken[s.Name] {
			errs = append(errs, fmt.Errorf("%s.name: %q is here twice", at, s.Name))
		}
		taken[s.Name] = true
	}
	return errs
}

func (s Step) mistakes(at string) (errs []error) {
	if !plainWord(s.Name) {
		errs = append(errs, fmt.Errorf("%s.name: %q is not a word of letters, digits and ./_@:-", at, s.Name))
	}
	if !slices.Contains([]string{kindProvision, kindTest}, s.kind()) {
		errs = append(errs, fmt.Errorf("%s.kind: is %q; want %s or %s", at, s.Kind, kindProvision, kindTest))
	}
	if !strings.HasPrefix(s.Run, "/") || !printable(s.Run) {
		errs = append(errs, fmt.Errorf("%s.run: %q is not the absolute path of a program on the host, like /opt/app/test", at, s.Run))
	}
	for n, a := range s.Args {
		if !printable(a) {
			errs = append(errs, fmt.Errorf("%s.args[%d]: %q has a line end or another control character", at, n, a))
		}
	}
	if s.limit() < time.Second || s.limit() > longestLimit {
		errs = append(errs, fmt.Errorf("%s.limit: is %v; want 1s to %v", at, s.Limit, longestLimit))
	}
	return errs
}

func printable(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) < 0
}

// plainWord says whether a value may stand in a script's first line as it is.
func plainWord(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("./_@:-", r))
	}) < 0
}
