package packer

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// Config is what the configuration says of one step.
type Config struct {
	// Dir is where Packer is run, from the root of the repository; that root unless said.
	// All that is in it is a source of the image.
	Dir string `yaml:"dir"`
	// Template is a file from Dir, JSON or HCL2, or a folder of HCL2 files: "web.json".
	Template string `yaml:"template"`
	// VarFiles are files of variables from Dir, Vars further ones, which must be no
	// secrets: they stand in arguments.
	VarFiles []string          `yaml:"var_files"`
	Vars     map[string]string `yaml:"vars"`
	// Only names the builds that are made; all of them unless said.
	Only []string `yaml:"only"`
	// Sources are further files and folders of the repository, from its root, that go
	// into the image.
	Sources []string `yaml:"sources"`
	// Env names the variables of plan_env and apply_env that Packer sees; all of them
	// unless said.
	Env []string `yaml:"env"`
	// Account is the one of aws.accounts in which AMIs are looked for and tagged; the only
	// one unless said.
	Account string `yaml:"account"`
	// Pin are the services that an image is offered to.
	Pin []integrations.Pin `yaml:"pin"`
	// Timeout of wall time for a build; the runner's unless said.
	Timeout time.Duration `yaml:"timeout"`
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

// Validate returns every mistake there is, joined.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	inside := func(field, file string) {
		if file == "" || filepath.IsAbs(file) || strings.HasPrefix(file, "-") || !filepath.IsLocal(filepath.Join(c.Dir, file)) {
			bad("%s: %q must be a file inside the repository, from dir", field, file)
		}
	}
	if c.Dir != "" && !filepath.IsLocal(c.Dir) {
		bad("dir: %q must be a folder inside the repository, such as \"packer\"", c.Dir)
	}
	if c.Template == "" {
		bad("template: is missing; want a file from dir, such as web.json, or . for a folder of HCL2 files")
	} else {
		inside("template", c.Template)
	}
	for _, f := range c.VarFiles {
		inside("var_files", f)
	}
	for name := range c.Vars {
		if !variableName.MatchString(name) {
			bad("vars: %q is not the name of a variable", name)
		}
	}
	for _, name := range c.Only {
		if name == "" || strings.ContainsAny(name, ", ") || strings.HasPrefix(name, "-") {
			bad("only: %q is not one build", name)
		}
	}
	for _, s := range c.Sources {
		if !filepath.IsLocal(s) {
			bad("sources: %q must be a file or a folder inside the repository, from its root", s)
		}
	}
	for _, name := range c.Env {
		if !variableName.MatchString(name) {
			bad("env: %q is not the name of an environment variable", name)
		}
	}
	for _, p := range c.Pin {
		if p.Service == "" || p.Environment == "" {
			bad("pin: names no service or no environment; want some such as [{service: web, environment: production}]")
		}
	}
	if c.Timeout < 0 {
		bad("timeout: %v is negative", c.Timeout)
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}
