// Package demo is the applier of last resort for the sandbox on a machine with
// neither Terraform nor OpenTofu. It is a system like the others: it plans the
// difference between the resource blocks of a folder and a state file, and
// applying writes that file. Nothing else is made, and its output says so.
//
// Its work is done by a process of its own, our binary called with "demo", so
// that it stands under the step shim as a real tool would. See Main.
package demo

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// Config is the step's settings.
type Config struct {
	// Dir holds the resource blocks, from the root of the repository.
	Dir string `yaml:"dir"`
	// State is the file that is changed, an absolute path.
	State string `yaml:"state"`
}

// Validate returns every mistake there is, joined.
func (c Config) Validate() error {
	var errs []error
	if !filepath.IsLocal(cmp.Or(c.Dir, ".")) {
		errs = append(errs, fmt.Errorf("dir: %q is not a folder inside the repository", c.Dir))
	}
	if !filepath.IsAbs(c.State) {
		errs = append(errs, fmt.Errorf("state: %q is not an absolute path", c.State))
	}
	return errors.Join(errs...)
}

// Applier is one step.
type Applier struct {
	cfg  Config
	self string // our own binary
}

// Make makes a step from its settings, which decode lays over a struct. The
// folder it is given is not needed.
func Make(_ string, decode func(any) error) (integrations.Applier, error) {
	var c Config
	if err := decode(&c); err != nil {
		return nil, err
	}
	if err := c.Validate(); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find our own binary: %w", err)
	}
	return &Applier{cfg: c, self: self}, nil
}

const toolName = "signalbox demonstration"

// Describe names the step.
func (a *Applier) Describe() string { return "demo " + cmp.Or(a.cfg.Dir, ".") }

func (a *Applier) command(r integrations.Run, step string, args ...string) integrations.Command {
	return integrations.Command{Step: "demo " + step, Argv: append([]string{a.self, "demo", step}, args...), Dir: r.Tree}
}

func planFile(r integrations.Run) string { return filepath.Join(r.Work, "plan.json") }

// Plan compares the folder with the state and leaves the plan in r.Work.
func (a *Applier) Plan(ctx context.Context, r integrations.Run) (integrations.Plan, error) {
	p, err := a.look(ctx, r, planFile(r))
	if err != nil {
		return integrations.Plan{}, err
	}
	out := integrations.Plan{
		Step: a.Describe(), Tool: toolName, Text: p.text(),
		Notes: []string{"This is a demonstration: it writes " + filepath.Base(a.cfg.State) + " and makes nothing. Put terraform or tofu on PATH for the real thing."},
	}
	for _, c := range p.Changes {
		switch c.Action {
		case "create":
			out.Add++
		case "update":
			out.Change++
		case "delete":
			out.Destroy++
		}
		h := hmac.New(sha256.New, r.HashKey)
		fmt.Fprintf(h, "%q %q", c.Before, c.After)
		out.Changes = append(out.Changes, integrations.Change{
			Address: c.Address, Actions: []string{c.Action}, Provider: "demo", Hash: hex.EncodeToString(h.Sum(nil)),
		})
	}
	return out, nil
}

// look has the difference worked out and written to out, "" for nowhere.
func (a *Applier) look(ctx context.Context, r integrations.Run, out string) (*plan, error) {
	c := a.command(r, "plan", r.Tree, cmp.Or(a.cfg.Dir, "."), a.cfg.State, out)
	c.Capture = true
	o, err := r.Exec.Run(ctx, c)
	if err != nil {
		return nil, err
	}
	var p plan
	if err := json.Unmarshal(o.Stdout, &p); err != nil {
		return nil, fmt.Errorf("read what %s said: %w", c.Step, err)
	}
	return &p, nil
}

// Apply writes the state as planned.
func (a *Applier) Apply(ctx context.Context, r integrations.Run) error {
	_, err := r.Exec.Effect(ctx, "apply", a.command(r, "apply", planFile(r), a.cfg.State))
	return err
}

// Probe says what a plan would still change.
func (a *Applier) Probe(ctx context.Context, r integrations.Run) (integrations.Probe, error) {
	p, err := a.look(ctx, r, "")
	if err != nil {
		return integrations.Probe{}, err
	}
	if len(p.Changes) == 0 {
		return integrations.Probe{Clean: true, Text: "A plan finds nothing left to do."}, nil
	}
	return integrations.Probe{Text: "A plan would still do this:\n" + p.text()}, nil
}

func (p *plan) text() string {
	sign := map[string]string{"create": "+", "update": "~", "delete": "-"}
	var b strings.Builder
	for _, c := range p.Changes {
		fmt.Fprintf(&b, "%s %s\n", sign[c.Action], c.Address)
	}
	if len(p.Changes) == 0 {
		b.WriteString("No changes.\n")
	}
	return b.String()
}
