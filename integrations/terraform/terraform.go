// Package terraform is the applier that runs Terraform, or OpenTofu, which
// takes the same arguments.
//
// It plans to a plan file, reads that file as JSON, and applies that very file,
// which Terraform refuses once the state has moved: an effect that happens at
// most once. Everything runs through integrations.Exec. What Terraform keeps
// (its data folder, the plan file) stands in the attempt's work folder, so that
// steps of one tree do not meet.
package terraform

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
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
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}

// Tool is the program and what its runs share. Make one for the process.
type Tool struct {
	binary string
	cache  string
	init   chan struct{} // held during init: the provider cache takes one at a time
}

// NewTool runs binary, a path or a name; "" looks for terraform and then tofu on
// PATH. cache is the folder of the providers that runs share; "" is none.
func NewTool(binary, cache string) *Tool {
	if binary == "" {
		binary = "terraform"
		if !installed("terraform") && installed("tofu") {
			binary = "tofu"
		}
	}
	return &Tool{binary: binary, cache: cache, init: make(chan struct{}, 1)}
}

func installed(name string) bool {
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		info, err := os.Stat(filepath.Join(dir, name))
		if err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return true
		}
	}
	return false
}

// Name is "terraform" or "tofu".
func (t *Tool) Name() string { return filepath.Base(t.binary) }

// Make makes a step from its settings, which decode lays over a struct. The
// folder it is given is not needed.
func (t *Tool) Make(_ string, decode func(any) error) (integrations.Applier, error) {
	c := Config{Dir: "."}
	if err := decode(&c); err != nil {
		return nil, err
	}
	return t.Step(c)
}

// Step makes a step.
func (t *Tool) Step(c Config) (*Applier, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return &Applier{tool: t, c: c}, nil
}

// Applier applies one root module.
type Applier struct {
	tool *Tool
	c    Config
}

var _ integrations.Applier = (*Applier)(nil)

// Describe implements integrations.Applier.
func (a *Applier) Describe() string {
	name := a.tool.Name() + " " + filepath.ToSlash(filepath.Clean(a.c.Dir))
	if a.c.Workspace != "" {
		name += " (" + a.c.Workspace + ")"
	}
	return name
}

const planFile = "terraform.tfplan"

// Plan implements integrations.Applier.
func (a *Applier) Plan(ctx context.Context, r integrations.Run) (integrations.Plan, error) {
	if err := a.initialize(ctx, r); err != nil {
		return integrations.Plan{}, err
	}
	return a.plan(ctx, r, planFile, a.lock()...)
}

// plan makes a plan file in the work folder and reads it.
func (a *Applier) plan(ctx context.Context, r integrations.Run, file string, lock ...string) (integrations.Plan, error) {
	path := filepath.Join(r.Work, file)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return integrations.Plan{}, fmt.Errorf("remove the plan of an earlier try: %w", err)
	}
	args := append([]string{"plan", "-out=" + path}, lock...)
	if a.c.Parallelism > 0 {
		args = append(args, "-parallelism="+strconv.Itoa(a.c.Parallelism))
	}
	for _, f := range a.c.VarFiles {
		args = append(args, "-var-file="+f)
	}
	for _, k := range slices.Sorted(maps.Keys(a.c.Vars)) {
		args = append(args, "-var="+k+"="+a.c.Vars[k])
	}
	told, err := r.Exec.Run(ctx, a.command(r, args...))
	if err != nil {
		return integrations.Plan{}, err
	}
	show := a.command(r, "show", "-json", path)
	show.Argv = []string{a.tool.binary, "show", "-json", path}
	show.Capture = true
	shown, err := r.Exec.Run(ctx, show)
	if err != nil {
		return integrations.Plan{}, err
	}
	return a.read(shown.Stdout, told.Tail, r.HashKey)
}

// Apply implements integrations.Applier.
func (a *Applier) Apply(ctx context.Context, r integrations.Run) error {
	args := append([]string{"apply"}, a.lock()...)
	if a.c.Parallelism > 0 {
		args = append(args, "-parallelism="+strconv.Itoa(a.c.Parallelism))
	}
	c := a.command(r, args...)
	c.Argv = append(c.Argv, filepath.Join(r.Work, planFile))
	_, err := r.Exec.Effect(ctx, "apply", c)
	if err == nil {
		return nil
	}
	if path := filepath.Join(a.dir(r), erroredState); exists(path) {
		return fmt.Errorf("%w: the new state could not be saved; it stands in %s: %w", integrations.ErrUnknown, path, err)
	}
	return err
}

// erroredState is where Terraform leaves a state that it could not save.
const erroredState = "errored.tfstate"

// Probe implements integrations.Applier. It plans, into a file that nobody
// applies; where somebody holds the state's lock it says who, and plans without.
func (a *Applier) Probe(ctx context.Context, r integrations.Run) (integrations.Probe, error) {
	var say []string
	if path := filepath.Join(a.dir(r), erroredState); exists(path) {
		say = append(say, fmt.Sprintf("The state could not be saved and stands in %s. `%s state push %s` there saves it.", path, a.tool.Name(), erroredState))
	}
	if err := a.initialize(ctx, r); err != nil {
		return integrations.Probe{}, err
	}
	const file = "probe.tfplan"
	defer os.Remove(filepath.Join(r.Work, file))
	plan, err := a.plan(ctx, r, file, "-lock-timeout=0s")
	var failed *integrations.CommandError
	if errors.As(err, &failed) && strings.Contains(failed.Tail, lockError) {
		say = append(say, "The state is locked, in the tool's words:\n"+errorText(failed.Tail))
		plan, err = a.plan(ctx, r, file, "-lock=false")
	}
	if err != nil {
		return integrations.Probe{Text: strings.Join(say, "\n")}, err
	}
	left := integrations.Plans{plan}
	clean := left.Empty() && len(say) == 0
	if left.Empty() {
		say = append(say, "A plan finds nothing left to do.")
	} else {
		say = append(say, fmt.Sprintf("A plan would still change %s:\n%s", left, listing(plan.Changes)))
	}
	return integrations.Probe{Clean: clean, Text: strings.Join(append(say, plan.Notes...), "\n")}, nil
}

const lockError = "Error acquiring the state lock"

// initialize fetches providers, modules and the backend's settings.
func (a *Applier) initialize(ctx context.Context, r integrations.Run) error {
	if _, err := r.Folder(a.Describe(), a.c.Dir); err != nil {
		return err
	}
	args := []string{"init"}
	for _, f := range a.c.BackendFiles {
		args = append(args, "-backend-config="+f)
	}
	for _, k := range slices.Sorted(maps.Keys(a.c.Backend)) {
		args = append(args, "-backend-config="+k+"="+a.c.Backend[k])
	}
	if a.tool.cache != "" {
		if err := a.tool.openCache(); err != nil {
			return err
		}
		select {
		case a.tool.init <- struct{}{}:
			defer func() { <-a.tool.init }()
		case <-ctx.Done():
			return fmt.Errorf("%s init: wait for the provider cache: %w", a.tool.Name(), ctx.Err())
		}
	}
	_, err := r.Exec.Run(ctx, a.command(r, args...))
	return err
}

// openCache makes the cache. The user that steps run as writes to it; what
// stands in it is used only when its checksum is in the module's lock file.
func (t *Tool) openCache() error {
	if err := os.MkdirAll(t.cache, 0o755); err != nil {
		return fmt.Errorf("make the provider cache: %w", err)
	}
	if info, err := os.Stat(t.cache); err == nil && info.Mode().Perm() == 0o777 {
		return nil
	}
	if err := os.Chmod(t.cache, 0o777|os.ModeSticky); err != nil {
		return fmt.Errorf("make the provider cache: %w", err)
	}
	return nil
}

func (a *Applier) dir(r integrations.Run) string { return filepath.Join(r.Tree, a.c.Dir) }

func (a *Applier) lock() []string {
	if a.c.LockTimeout == 0 {
		return nil
	}
	return []string{"-lock-timeout=" + a.c.LockTimeout.String()}
}

// command is a run of the tool; args begin with the subcommand.
func (a *Applier) command(r integrations.Run, args ...string) integrations.Command {
	env := map[string]string{
		"TF_IN_AUTOMATION": "1", "TF_INPUT": "0", "CHECKPOINT_DISABLE": "1",
		"TF_CLI_CONFIG_FILE": "", // one that points nowhere warns on every run
		"TF_DATA_DIR":        filepath.Join(r.Work, "terraform"),
	}
	if a.c.Workspace != "" {
		env["TF_WORKSPACE"] = a.c.Workspace
	}
	if a.tool.cache != "" {
		env["TF_PLUGIN_CACHE_DIR"] = a.tool.cache
	}
	return integrations.Command{
		Step: a.tool.Name() + " " + args[0],
		Argv: append([]string{a.tool.binary, args[0], "-input=false", "-no-color"}, args[1:]...),
		Dir:  a.dir(r),
		Env:  env,
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// errorText is the tool's own account of what went wrong, at the end of its log.
func errorText(tail string) string {
	if i := strings.Index(tail, "Error: "); i >= 0 {
		tail = tail[i:]
	}
	lines := strings.Split(tail, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(strings.TrimPrefix(strings.TrimPrefix(line, "│ "), "│"), " ")
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n╵")
}
