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
	"slices"
	"strconv"
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations"
)

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
	if c.Tool != "" && c.Tool != t.Name() { // the cache is one, whoever fills it
		t = &Tool{binary: c.Tool, cache: t.cache, init: t.init}
	}
	return &Applier{tool: t, c: c}, nil
}

// Applier applies one root module.
type Applier struct {
	tool *Tool
	c    Config
}

var _ integrations.Mender = (*Applier)(nil)

// Describe implements integrations.Applier.
func (a *Applier) Describe() string {
	name := a.tool.Name() + " " + filepath.ToSlash(filepath.Clean(a.c.Dir))
	if a.c.Workspace != "" {
		name += " (" + a.c.Workspace + ")"
	}
	return name
}

// planFile and dataDir stand in the work folder.
const (
	planFile = "terraform.tfplan"
	dataDir  = "terraform"
)

// Plan implements integrations.Applier.
func (a *Applier) Plan(ctx context.Context, r integrations.Run) (integrations.Plan, error) {
	if err := a.initialize(ctx, r); err != nil {
		return integrations.Plan{}, err
	}
	p, err := a.plan(ctx, r, planFile, a.lock()...)
	return p, a.met(err)
}

// plan makes a plan file in the work folder and reads it.
func (a *Applier) plan(ctx context.Context, r integrations.Run, file string, more ...string) (integrations.Plan, error) {
	path := filepath.Join(r.Work, file)
	told, err := a.planTo(ctx, r, path, more...)
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

// planTo makes a plan file.
func (a *Applier) planTo(ctx context.Context, r integrations.Run, path string, more ...string) (integrations.Output, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return integrations.Output{}, fmt.Errorf("remove the plan of an earlier try: %w", err)
	}
	args := append([]string{"plan", "-out=" + path}, more...)
	if a.c.Parallelism > 0 {
		args = append(args, "-parallelism="+strconv.Itoa(a.c.Parallelism))
	}
	for _, f := range a.c.VarFiles {
		args = append(args, "-var-file="+f)
	}
	for _, k := range slices.Sorted(maps.Keys(a.c.Vars)) {
		args = append(args, "-var="+k+"="+a.c.Vars[k])
	}
	return r.Exec.Run(ctx, a.command(r, append(args, a.c.ExtraArgs.Plan...)...))
}

// Apply implements integrations.Applier.
func (a *Applier) Apply(ctx context.Context, r integrations.Run) error {
	args := append([]string{"apply"}, a.lock()...)
	if a.c.Parallelism > 0 {
		args = append(args, "-parallelism="+strconv.Itoa(a.c.Parallelism))
	}
	c := a.command(r, append(args, a.c.ExtraArgs.Apply...)...)
	c.Argv = append(c.Argv, filepath.Join(r.Work, planFile))
	_, err := r.Exec.Effect(ctx, "apply", c)
	if err == nil {
		return nil
	}
	if path := filepath.Join(a.dir(r), erroredState); exists(path) {
		return a.unsaved(r, path, err)
	}
	return a.met(err)
}

// Probe implements integrations.Applier. It plans, into a file that nobody
// applies; where somebody holds the state's lock it says who, and plans without.
func (a *Applier) Probe(ctx context.Context, r integrations.Run) (integrations.Probe, error) {
	var say []string
	var offers []integrations.Offer
	if r.Keep != "" {
		switch kept, err := readState(filepath.Join(r.Keep, erroredState)); {
		case err == nil:
			o := kept.offer("")
			say, offers = append(say, sentence(o.Words)), append(offers, o)
		case !errors.Is(err, os.ErrNotExist):
			say = append(say, "The state could not be saved, and what was kept of it cannot be read: "+err.Error()+".")
		}
	}
	if err := a.initialize(ctx, r); err != nil {
		return integrations.Probe{Text: strings.Join(say, "\n"), Offers: offers}, err
	}
	const file = "probe.tfplan"
	defer os.Remove(filepath.Join(r.Work, file))
	plan, err := a.plan(ctx, r, file, "-lock-timeout=0s")
	if lock, held := lockOf(err); held {
		say = append(say, sentence(lock.words()))
		if o, can := lock.offer(); can {
			offers = append(offers, o)
		}
		plan, err = a.plan(ctx, r, file, "-lock=false")
	}
	if err != nil {
		return integrations.Probe{Text: strings.Join(say, "\n"), Offers: offers}, err
	}
	left := integrations.Plans{plan}
	clean := left.Empty() && len(say) == 0
	if left.Empty() {
		say = append(say, "A plan finds nothing left to do.")
	} else {
		say = append(say, fmt.Sprintf("A plan would still change %s:\n%s", left, listing(plan.Changes)))
	}
	return integrations.Probe{Clean: clean, Text: strings.Join(append(say, plan.Notes...), "\n"), Offers: offers}, nil
}

// initialize fetches providers, modules and the backend's settings.
func (a *Applier) initialize(ctx context.Context, r integrations.Run) error {
	if _, err := r.Folder(a.Describe(), a.c.Dir); err != nil {
		return err
	}
	// What an earlier try in this folder noted of its backend is not asked about: with
	// another one by now Terraform would want to copy the state.
	if err := os.Remove(filepath.Join(r.Work, dataDir, "terraform.tfstate")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("forget the backend of an earlier try: %w", err)
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
	_, err := r.Exec.Run(ctx, a.command(r, append(args, a.c.ExtraArgs.Init...)...))
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
		"TF_DATA_DIR":        filepath.Join(r.Work, dataDir),
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

// sentence begins with a capital letter and ends with a full stop.
func sentence(s string) string { return strings.ToUpper(s[:1]) + s[1:] + "." }
