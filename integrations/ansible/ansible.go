// Package ansible is the applier that runs Ansible: --check --diff is its plan, the
// playbook its apply.
//
// Between the step shim and Ansible stands a process of our own, our binary called with
// "ansible" (see Main): it holds the passwords of vaults in memory and hands them to
// Ansible by pipes, decrypts what is vaulted to keep it out of all that Ansible prints, and
// hears from a callback plugin of ours what each task did. Ansible's exit code says nothing
// of changes, and its output is for people.
package ansible

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// Applier is one step: a playbook.
type Applier struct {
	c      Config
	self   string                // our own binary
	window *integrations.Ingress // that is open while Ansible runs; nil is none
}

var _ integrations.Applier = (*Applier)(nil)

// Opening makes the maker of steps that may have these ports opened, and no other. It
// makes a step from its settings, which decode lays over a struct; the folder it is given
// is not needed.
func Opening(allowed []integrations.Ingress) func(string, func(any) error) (integrations.Applier, error) {
	return func(_ string, decode func(any) error) (integrations.Applier, error) {
		var c Config
		if err := decode(&c); err != nil {
			return nil, err
		}
		return Step(c, allowed...)
	}
}

// Step makes a step, which may have these ports opened.
func Step(c Config, allowed ...integrations.Ingress) (*Applier, error) {
	window, err := c.SSHWindow.among(allowed)
	if err := errors.Join(c.Validate(), err); err != nil {
		return nil, err
	}
	if window != nil {
		c.Timeout = cmp.Or(c.Timeout, integrations.IngressTimeout)
		window.Limit = c.Timeout + integrations.IngressGrace
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find our own binary: %w", err)
	}
	return &Applier{c: c, self: self, window: window}, nil
}

// Describe implements integrations.Applier.
func (a *Applier) Describe() string {
	name := "ansible " + strings.TrimPrefix(a.c.Dir+"/"+a.c.Playbook, "/")
	if a.c.Limit != "" {
		name += " (" + a.c.Limit + ")"
	}
	return name
}

// emptyFile marks in the work folder that the check found nothing to do.
const emptyFile = "ansible.nothing"

// Plan implements integrations.Applier.
func (a *Applier) Plan(ctx context.Context, r integrations.Run) (integrations.Plan, error) {
	if err := errors.Join(r.Mark(emptyFile, false), r.Mark(openFile, false)); err != nil {
		return integrations.Plan{}, err
	}
	p, err := a.check(ctx, r)
	if err == nil && (integrations.Plans{p}).Empty() {
		err = r.Mark(emptyFile, true)
	}
	return p, err
}

func (a *Applier) check(ctx context.Context, r integrations.Run) (integrations.Plan, error) {
	c, err := a.command(r, "check", "--check", "--diff")
	if err != nil {
		return integrations.Plan{}, err
	}
	c.Capture = true
	if err := a.open(ctx, r); err != nil {
		return integrations.Plan{}, err
	}
	defer a.close(ctx, r)
	o, err := r.Exec.Run(ctx, c)
	if err != nil {
		return integrations.Plan{}, err
	}
	var did outcome
	if err := json.Unmarshal(o.Stdout, &did); err != nil {
		return integrations.Plan{}, fmt.Errorf("%s: read what came of it: %w", a.Describe(), err)
	}
	for i := range did.Entries { // what is vaulted is out already
		did.Entries[i].Host, did.Entries[i].Task = o.Redact(did.Entries[i].Host), o.Redact(did.Entries[i].Task)
	}
	return a.plan(did, o.Tail, r.HashKey), nil
}

// Apply implements integrations.Applier. The window is open around its one effect.
func (a *Applier) Apply(ctx context.Context, r integrations.Run) error {
	if r.Marked(emptyFile) {
		return nil
	}
	c, err := a.command(r, "apply", "--diff")
	if err != nil {
		return err
	}
	if err := a.openOnce(ctx, r); err != nil {
		return err
	}
	defer func() {
		if ctx.Err() == nil { // else the playbook goes on without this process, and the next one follows it
			a.close(ctx, r)
		}
	}()
	_, err = r.Exec.Effect(ctx, "apply", c)
	return err
}

// Probe implements integrations.Applier. It is a check, which cannot tell of every task
// whether it has run.
func (a *Applier) Probe(ctx context.Context, r integrations.Run) (integrations.Probe, error) {
	p, err := a.check(ctx, r)
	if err != nil {
		return integrations.Probe{}, err
	}
	left := integrations.Plans{p}
	if left.Empty() {
		return integrations.Probe{Clean: true, Text: "A check finds nothing left to do."}, nil
	}
	say := []string{fmt.Sprintf("A check would still change %s:", left), listing(p.Changes)}
	return integrations.Probe{Text: strings.Join(append(say, p.Notes...), "\n")}, nil
}

// command is a run of the playbook by Main.
func (a *Applier) command(r integrations.Run, step string, more ...string) (integrations.Command, error) {
	dir, err := r.Folder(a.Describe(), cmp.Or(a.c.Dir, "."))
	if err != nil {
		return integrations.Command{}, err
	}
	argv := []string{a.self, "ansible", step, "--tree=" + r.Tree}
	for _, id := range slices.Sorted(maps.Keys(a.c.Vault)) {
		argv = append(argv, "--vault="+id+"="+a.c.Vault[id])
	}
	args, err := a.arguments()
	if err != nil {
		return integrations.Command{}, err
	}
	if a.window != nil {
		argv = append(argv, "--alone")
	}
	return integrations.Command{Step: "ansible " + step, Argv: append(append(append(argv, "--"), more...), args...), Dir: dir, Timeout: a.c.Timeout}, nil
}

// arguments are those of ansible-playbook, but for what makes it a check and the vaults.
func (a *Applier) arguments() ([]string, error) {
	var out []string
	for _, i := range a.c.Inventory {
		out = append(out, "--inventory="+i)
	}
	if a.c.Limit != "" {
		out = append(out, "--limit="+a.c.Limit)
	}
	if len(a.c.Tags) > 0 {
		out = append(out, "--tags="+strings.Join(a.c.Tags, ","))
	}
	if len(a.c.SkipTags) > 0 {
		out = append(out, "--skip-tags="+strings.Join(a.c.SkipTags, ","))
	}
	for _, f := range a.c.ExtraVarsFiles {
		out = append(out, "--extra-vars=@"+f)
	}
	if len(a.c.ExtraVars) > 0 {
		b, err := json.Marshal(a.c.ExtraVars)
		if err != nil {
			return nil, err
		}
		out = append(out, "--extra-vars="+string(b))
	}
	return append(out, a.c.Playbook), nil
}
