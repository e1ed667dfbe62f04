package ansible

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
	// Dir is where Ansible is run, from the root of the repository; that root unless
	// said. Its ansible.cfg is read, and the files below go from it.
	Dir      string `yaml:"dir"`
	Playbook string `yaml:"playbook"`
	// Inventory are files and folders, or lists of hosts with a comma, "web-1,"; without
	// any those of ansible.cfg.
	Inventory []string `yaml:"inventory"`
	// Limit is a pattern of hosts, "" all of the playbook's.
	Limit    string   `yaml:"limit"`
	Tags     []string `yaml:"tags"`
	SkipTags []string `yaml:"skip_tags"`
	// ExtraVars must be no secrets: those are vaulted. ExtraVarsFiles are files of more.
	ExtraVars      map[string]string `yaml:"extra_vars"`
	ExtraVarsFiles []string          `yaml:"extra_vars_files"`
	// Vault names, for each vault id, the variable of plan_env and apply_env that holds
	// its password. A vault that was made without an id is "default".
	Vault map[string]string `yaml:"vault"`
	// Timeout of wall time for each of check and playbook; the runner's unless said.
	Timeout time.Duration `yaml:"timeout"`
	// SSHWindow is a port that is open to this machine while Ansible runs.
	SSHWindow Window `yaml:"ssh_window"`
}

var (
	variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	vaultID      = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)
	ours         = []string{"HOME", "PATH", "TMPDIR"}
)

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
		bad("dir: %q must be a folder inside the repository, such as \"ansible\"", c.Dir)
	}
	if c.Playbook == "" {
		bad("playbook: is missing; want a file from dir, such as site.yml")
	} else {
		inside("playbook", c.Playbook)
	}
	for _, i := range c.Inventory {
		if strings.HasPrefix(i, "-") {
			bad("inventory: %q is an option; want a file from dir, such as hosts.ini, or hosts, such as \"web-1,\"", i)
		} else if !strings.Contains(i, ",") {
			inside("inventory", i)
		}
	}
	for _, f := range c.ExtraVarsFiles {
		inside("extra_vars_files", f)
	}
	for field, tags := range map[string][]string{"tags": c.Tags, "skip_tags": c.SkipTags} {
		for _, tag := range tags {
			if tag == "" || strings.ContainsAny(tag, ", ") || strings.HasPrefix(tag, "-") {
				bad("%s: %q is not one tag", field, tag)
			}
		}
	}
	if strings.HasPrefix(c.Limit, "-") {
		bad("limit: %q is an option; want a pattern of hosts, such as web:!web-9", c.Limit)
	}
	for name := range c.ExtraVars {
		if !variableName.MatchString(name) {
			bad("extra_vars: %q is not the name of a variable", name)
		}
	}
	for id, env := range c.Vault {
		if !vaultID.MatchString(id) {
			bad("vault: %q is not a vault id; without one it is default", id)
		}
		if !variableName.MatchString(env) || slices.Contains(ours, env) {
			bad("vault.%s: %q is not a variable of plan_env and apply_env; want its name, such as vault: {default: VAULT_PASSWORD}", id, env)
		}
	}
	if c.Timeout < 0 {
		bad("timeout: %v is negative", c.Timeout)
	}
	if c.SSHWindow != (Window{}) && c.Timeout > integrations.IngressLongest {
		bad("timeout: %v is longer than a port may be open; with ssh_window it is %v at most", c.Timeout, integrations.IngressLongest)
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}
