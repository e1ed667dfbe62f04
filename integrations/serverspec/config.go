package serverspec

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Argv is a program with its arguments, never a line for a shell.
type Argv []string

// Example is what the configuration shows to who wrote something else.
func (Argv) Example() string { return "[bundle, exec, rspec]" }

// Config is what the configuration says of one step.
type Config struct {
	// Name is what people call it; else Dir.
	Name string `yaml:"name"`
	// Dir is where RSpec is run, from the root of the repository; that root unless said.
	Dir string `yaml:"dir"`
	// Files are files and folders of specs from Dir; what RSpec finds by itself unless
	// said: spec.
	Files []string `yaml:"files"`
	// RSpec is the program; rspec unless said.
	RSpec Argv `yaml:"rspec"`
	// Env names the variables of apply_env and plan_env that the specs see; all of them
	// unless said. Set holds further ones, such as the host, which must be no secrets.
	Env []string          `yaml:"env"`
	Set map[string]string `yaml:"set"`
	// Timeout of wall time for the tests; the runner's unless said.
	Timeout time.Duration `yaml:"timeout"`
}

var (
	variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	ours         = []string{"HOME", "PATH", "TMPDIR", artifactsVariable, amiVariable, regionVariable, fileVariable}
)

// Validate returns every mistake there is, joined.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.Dir != "" && !filepath.IsLocal(c.Dir) {
		bad("dir: %q must be a folder inside the repository, such as \"serverspec\"", c.Dir)
	}
	for _, f := range c.Files {
		if f == "" || filepath.IsAbs(f) || strings.HasPrefix(f, "-") || !filepath.IsLocal(filepath.Join(c.Dir, f)) {
			bad("files: %q must be a file or a folder inside the repository, from dir", f)
		}
	}
	switch {
	case len(c.RSpec) > 0 && c.RSpec[0] == "":
		bad("rspec: its first word is the program, and empty; want a list such as [bundle, exec, rspec]")
	case len(c.RSpec) == 1 && strings.ContainsAny(c.RSpec[0], " \t"):
		bad("rspec: %q is one word, and no shell takes it apart; want a list such as [%s]", c.RSpec[0], strings.Join(strings.Fields(c.RSpec[0]), ", "))
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
