package terraform

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Config is what the configuration says of one step.
type Config struct {
	// Dir is the root module's folder, from the root of the repository.
	Dir string `yaml:"dir"`
	// Workspace is Terraform's, "" the default one.
	Workspace string `yaml:"workspace"`
	// Backend holds settings of the backend block, which must be no secrets:
	// those go into the target's plan_env and apply_env.
	Backend map[string]string `yaml:"backend"`
	// BackendFiles and VarFiles are files of settings, from Dir.
	BackendFiles []string `yaml:"backend_files"`
	VarFiles     []string `yaml:"var_files"`
	// Vars are variables, which must be no secrets: those go into plan_env and
	// apply_env as TF_VAR_name.
	Vars map[string]string `yaml:"vars"`
	// LockTimeout is how long to wait for the state's lock.
	LockTimeout time.Duration `yaml:"lock_timeout"`
	// Parallelism is Terraform's; 0 is its default.
	Parallelism int `yaml:"parallelism"`
	// ExtraArgs are further options.
	ExtraArgs ExtraArgs `yaml:"extra_args"`
	// Tool is "terraform" or "tofu" on PATH; "" is the process's own.
	Tool string `yaml:"tool"`
}

// ExtraArgs are further options of each command.
type ExtraArgs struct {
	Init  []string `yaml:"init"`
	Plan  []string `yaml:"plan"`
	Apply []string `yaml:"apply"`
}

var variableName = regexp.MustCompile(`^[\p{L}_][\p{L}\p{N}_-]*$`)

// Validate returns every mistake there is, joined.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !filepath.IsLocal(c.Dir) {
		bad("dir: %q must be a folder inside the repository, such as \"deploy/production\" or \".\"", c.Dir)
	}
	for field, files := range map[string][]string{"backend_files": c.BackendFiles, "var_files": c.VarFiles} {
		for _, f := range files {
			if f == "" || filepath.IsAbs(f) || !filepath.IsLocal(filepath.Join(c.Dir, f)) {
				bad("%s: %q must be a file inside the repository, from dir", field, f)
			}
		}
	}
	for name := range c.Vars {
		if !variableName.MatchString(name) {
			bad("vars: %q is not the name of a variable", name)
		}
	}
	for name := range c.Backend {
		if !variableName.MatchString(name) {
			bad("backend: %q is not the name of a setting", name)
		}
	}
	if c.LockTimeout < 0 {
		bad("lock_timeout: %v is negative", c.LockTimeout)
	}
	if c.Parallelism < 0 {
		bad("parallelism: %d is negative", c.Parallelism)
	}
	if c.Tool != "" && c.Tool != "terraform" && c.Tool != "tofu" {
		bad("tool: %q is neither terraform nor tofu", c.Tool)
	}
	for command, args := range map[string][]string{"init": c.ExtraArgs.Init, "plan": c.ExtraArgs.Plan, "apply": c.ExtraArgs.Apply} {
		for _, arg := range args {
			if why := refused(command, arg); why != "" {
				bad("extra_args.%s: %q is refused: %s", command, arg, why)
			}
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}

// ours are the options that signalbox itself gives or needs the absence of, by command,
// and why nobody else may set them. "" is every command.
var ours = map[string]map[string]string{
	"": {
		"chdir":        "dir says where the root module stands",
		"input":        "nobody is there to answer",
		"json":         "the log is for people, and the plan is read from its file",
		"lock":         "without the lock two runs could write one state",
		"lock-timeout": "lock_timeout says it",
		"parallelism":  "parallelism says it",
		"state":        "the backend says where the state is",
		"state-out":    "the backend says where the state is",
		"backup":       "the backend says where the state is",
		"var":          "vars says it, or TF_VAR_name in plan_env and apply_env",
		"var-file":     "var_files says it",
		"help":         "it would do nothing else",
		"version":      "it would do nothing else",
	},
	"init": {
		"backend":        "without its backend there is no state to plan against",
		"backend-config": "backend and backend_files say it",
		"force-copy":     "it would copy a state without asking",
		"from-module":    "it would put other code in the place of what was reviewed",
		"migrate-state":  "it would copy a state, which nobody reviewed",
		"reconfigure":    "each run begins without the backend of an earlier one anyway",
	},
	"plan": {
		"compact-warnings":    "the warnings would not be seen beside the counts",
		"destroy":             "every plan would destroy everything; take it out of the code instead, which is reviewed",
		"detailed-exitcode":   "changes would count as a failure",
		"generate-config-out": "it writes into a checkout that is thrown away",
		"out":                 "the plan file is signalbox's own, which is applied as it was reviewed",
		"refresh-only":        "what it changes is only in the state, and shows in no plan",
		"replace":             "every plan would replace it again, and no apply would leave nothing to do",
	},
	"apply": {
		"auto-approve": "what is applied is the plan file that people saw, which asks for nothing",
		"destroy":      "what is applied is the plan file that people saw",
		"refresh-only": "what is applied is the plan file that people saw",
		"replace":      "what is applied is the plan file that people saw",
		"target":       "what is applied is the plan file that people saw; put it under plan",
	},
}

// refused says why an option may not be given to a command; "" is that it may. What is
// unknown here is the tool's to judge.
func refused(command, arg string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-"), "=")
	switch {
	case strings.TrimSpace(arg) != arg || strings.ContainsAny(arg, "\n\x00"):
		return "it has a space around it or a line break in it"
	case !strings.HasPrefix(arg, "-") && command == "apply":
		return "it is no option, and the only plan file that is applied is signalbox's own"
	case !strings.HasPrefix(arg, "-"):
		return "it is no option; a value stands in the same word: -name=value"
	case name == "":
		return "it is no option"
	}
	if why := ours[""][name]; why != "" {
		return why
	}
	return ours[command][name]
}
