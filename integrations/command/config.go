package command

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Argv is a program with its arguments, never a line for a shell.
type Argv []string

// Example is what the configuration shows to who wrote something else.
func (Argv) Example() string { return "[chef-client, --why-run]" }

// Config is what the configuration says of one step.
type Config struct {
	// Name is what people call it; else the name of the program.
	Name string `yaml:"name"`
	// Dir is where it is run, from the root of the repository; that root unless said.
	Dir string `yaml:"dir"`
	// Plan is the dry run, which changes nothing, and Apply what carries it out.
	Plan  Argv `yaml:"plan"`
	Apply Argv `yaml:"apply"`
	// Nothing and Pending are how a dry run says that there is nothing to do, and that
	// there is something. One of them is enough: the other is then whatever else a
	// dry run says that ends with 0.
	Nothing Sign `yaml:"nothing"`
	Pending Sign `yaml:"pending"`
	// Add, Change and Destroy are patterns of the entries of a dry run. One with a group
	// called n is of a count; of another each match is an entry, named by its first group.
	Add     string `yaml:"add"`
	Change  string `yaml:"change"`
	Destroy string `yaml:"destroy"`
	// Volatile are patterns of what differs from run to run and means nothing.
	Volatile []string `yaml:"volatile"`
	// Env names the variables of plan_env and apply_env that the commands see; all of
	// them unless said.
	Env []string `yaml:"env"`
	// Set holds further variables, which must be no secrets.
	Set map[string]string `yaml:"set"`
	// Timeout of wall time for each of the two; the runner's unless said.
	Timeout time.Duration `yaml:"timeout"`
}

// Sign is how a dry run is read: what is given has to hold, all of it.
type Sign struct {
	// Exit is its exit code.
	Exit *int `yaml:"exit"`
	// Pattern is found in what it prints; ^ and $ are of a line, \A and \z of all.
	Pattern string `yaml:"pattern"`
}

func (s Sign) given() bool { return s.Exit != nil || s.Pattern != "" }

var (
	variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	ours         = []string{"HOME", "PATH", "TMPDIR"}
)

// Validate returns every mistake there is, joined.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	for _, argv := range []struct {
		field, example string
		Argv
	}{{"plan", "[dnscontrol, preview]", c.Plan}, {"apply", "[dnscontrol, push]", c.Apply}} {
		switch {
		case len(argv.Argv) == 0:
			bad("%s: is missing; want a list, the program first, such as %s", argv.field, argv.example)
		case argv.Argv[0] == "":
			bad("%s: its first word is the program, and empty; want a list such as %s", argv.field, argv.example)
		case len(argv.Argv) == 1 && strings.ContainsAny(argv.Argv[0], " \t"):
			bad("%s: %q is one word, and no shell takes it apart; want a list such as [%s]", argv.field, argv.Argv[0], strings.Join(strings.Fields(argv.Argv[0]), ", "))
		}
	}
	if c.Dir != "" && !filepath.IsLocal(c.Dir) {
		bad("dir: %q must be a folder inside the repository, such as \"dns\"", c.Dir)
	}
	if !c.Nothing.given() && !c.Pending.given() {
		bad("nothing: is missing: how a dry run says that there is nothing to do, such as nothing: {pattern: '^No change'}; or pending, how it says that there is something")
	}
	for field, s := range map[string]Sign{"nothing": c.Nothing, "pending": c.Pending} {
		if s.Exit != nil && (*s.Exit < 0 || *s.Exit > 255) {
			bad("%s.exit: %d is no exit code; want 0 to 255", field, *s.Exit)
		}
	}
	for field, p := range c.patterns() {
		if re, err := compile(p); err != nil {
			bad("%s: %q is no pattern: %v", field, p, err)
		} else if re.MatchString("") && !strings.HasPrefix(field, "nothing") {
			bad("%s: %q matches where nothing stands", field, p)
		}
	}
	for _, name := range c.Env {
		if !variableName.MatchString(name) {
			bad("env: %q is not the name of an environment variable", name)
		}
	}
	for name := range c.Set {
		if !variableName.MatchString(name) {
			bad("set: %q is not the name of an environment variable", name)
		} else if slices.Contains(ours, name) || slices.Contains(c.Env, name) {
			bad("set: %s is set by something else", name)
		}
	}
	if c.Timeout < 0 {
		bad("timeout: %v is negative", c.Timeout)
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}

// patterns are those that are given, by their fields.
func (c Config) patterns() map[string]string {
	out := map[string]string{"nothing.pattern": c.Nothing.Pattern, "pending.pattern": c.Pending.Pattern, "add": c.Add, "change": c.Change, "destroy": c.Destroy}
	for field, p := range out {
		if p == "" {
			delete(out, field)
		}
	}
	for i, p := range c.Volatile {
		out["volatile["+strconv.Itoa(i)+"]"] = p
	}
	return out
}

// compile is a pattern whose ^ and $ are of a line.
func compile(p string) (*regexp.Regexp, error) { return regexp.Compile("(?m)" + p) }
