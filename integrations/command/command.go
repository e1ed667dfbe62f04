// Package command is the applier of any tool that has a dry run: Chef, Roadworker,
// dnscontrol, mysqldiff, a script of the team's own.
//
// Its plan is what the dry run prints. Two plans are equal when they print the same but
// for what the configuration calls volatile. Such a tool has no saved plan: its apply does
// what it finds to do by then, so that it is not run at all where the dry run before it
// found nothing.
package command

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"regexp"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// Applier is one step. Make one with Make or Step.
type Applier struct {
	c        Config
	nothing  *regexp.Regexp // nil where there is none, as the others
	pending  *regexp.Regexp
	kinds    []kind
	volatile []*regexp.Regexp
}

// kind is how entries of one kind are read.
type kind struct {
	action string
	re     *regexp.Regexp
}

var _ integrations.Applier = (*Applier)(nil)

// Make makes a step from its settings, which decode lays over a struct. The folder it is
// given is not needed.
func Make(_ string, decode func(any) error) (integrations.Applier, error) {
	var c Config
	if err := decode(&c); err != nil {
		return nil, err
	}
	return Step(c)
}

// Step makes a step.
func Step(c Config) (*Applier, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	a := &Applier{c: c, nothing: must(c.Nothing.Pattern), pending: must(c.Pending.Pattern)}
	for _, k := range []kind{{"create", must(c.Add)}, {"update", must(c.Change)}, {"delete", must(c.Destroy)}} {
		if k.re != nil {
			a.kinds = append(a.kinds, k)
		}
	}
	for _, p := range c.Volatile {
		a.volatile = append(a.volatile, must(p))
	}
	return a, nil
}

// must compiles what Validate has tried; nil for none.
func must(p string) *regexp.Regexp {
	if p == "" {
		return nil
	}
	re, err := compile(p)
	if err != nil {
		panic(err)
	}
	return re
}

func (a *Applier) name() string { return cmp.Or(a.c.Name, filepath.Base(a.c.Plan[0])) }

// Describe implements integrations.Applier.
func (a *Applier) Describe() string {
	if dir := filepath.ToSlash(filepath.Clean(a.c.Dir)); dir != "." {
		return a.name() + " " + dir
	}
	return a.name()
}

// emptyFile marks in the work folder that the plan found nothing to do.
const emptyFile = "command.nothing"

// Plan implements integrations.Applier.
func (a *Applier) Plan(ctx context.Context, r integrations.Run) (integrations.Plan, error) {
	if err := r.Mark(emptyFile, false); err != nil {
		return integrations.Plan{}, err
	}
	p, err := a.plan(ctx, r)
	if err == nil && (integrations.Plans{p}).Empty() {
		err = r.Mark(emptyFile, true)
	}
	return p, err
}

func (a *Applier) plan(ctx context.Context, r integrations.Run) (integrations.Plan, error) {
	c, err := a.command(r, "plan", a.c.Plan)
	if err != nil {
		return integrations.Plan{}, err
	}
	c.Capture, c.Tee = true, true
	for _, s := range []Sign{a.c.Nothing, a.c.Pending} {
		if s.Exit != nil {
			c.OK = append(c.OK, *s.Exit)
		}
	}
	o, err := r.Exec.Run(ctx, c)
	if err != nil {
		return integrations.Plan{}, err
	}
	return a.read(c.Step, o, r.HashKey)
}

// Apply implements integrations.Applier.
func (a *Applier) Apply(ctx context.Context, r integrations.Run) error {
	if r.Marked(emptyFile) {
		return nil
	}
	c, err := a.command(r, "apply", a.c.Apply)
	if err != nil {
		return err
	}
	_, err = r.Exec.Effect(ctx, "apply", c)
	return err
}

// Probe implements integrations.Applier. It is a dry run.
func (a *Applier) Probe(ctx context.Context, r integrations.Run) (integrations.Probe, error) {
	p, err := a.plan(ctx, r)
	if err != nil {
		return integrations.Probe{}, err
	}
	left := integrations.Plans{p}
	if left.Empty() {
		return integrations.Probe{Clean: true, Text: "Its dry run finds nothing left to do."}, nil
	}
	return integrations.Probe{Text: fmt.Sprintf("Its dry run would still change %s:\n%s", left, middle(p.Text, probeText))}, nil
}

func (a *Applier) command(r integrations.Run, step string, argv Argv) (integrations.Command, error) {
	dir, err := r.Folder(a.Describe(), cmp.Or(a.c.Dir, "."))
	if err != nil {
		return integrations.Command{}, err
	}
	return integrations.Command{Step: a.name() + " " + step, Argv: argv, Dir: dir, Env: a.c.Set, Secrets: a.c.Env, Timeout: a.c.Timeout}, nil
}
