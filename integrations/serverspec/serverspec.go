// Package serverspec is the applier that tests what the steps before it have made, with
// Serverspec, or whatever else RSpec runs: the examples that would run are its plan, to run
// them its apply. A failure stops the steps after it.
//
// Tests change nothing outside, so that a plan of them has entries and counts nothing.
// Between the step shim and RSpec stands a process of our own, our binary called with
// "serverspec" (see Main), which reads RSpec's JSON and says what failed.
package serverspec

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// Word is what our binary is called with to be the tool of this step.
const Word = "serverspec"

// Applier is one step: a folder of specs.
type Applier struct {
	c    Config
	self string // our own binary
	last integrations.Memory
}

var _ integrations.Applier = (*Applier)(nil)

// Make makes a step from its settings, which decode lays over a struct. What was tested
// last is remembered in the folder dir.
func Make(dir string, decode func(any) error) (integrations.Applier, error) {
	c := Config{RSpec: Argv{"rspec"}}
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
	return &Applier{c: c, self: self, last: integrations.Memory{Dir: filepath.Join(dir, Word)}}, nil
}

// Describe implements integrations.Applier.
func (a *Applier) Describe() string {
	return "serverspec " + cmp.Or(a.c.Name, filepath.ToSlash(filepath.Clean(a.c.Dir)))
}

// tested is what is remembered of the last tests that ended well.
type tested struct {
	Sum string `json:"sum"` // of the specs, the settings and the artifacts, keyed
	SHA string `json:"sha"`
	integrations.Tests
}

// nothingFile marks in the work folder that there is nothing to test.
const nothingFile = "serverspec.nothing"

// sums are that of the specs with the settings, and that of it with what they are run on.
func (a *Applier) sums(r integrations.Run, on []integrations.Artifact) (specs, all string, err error) {
	dir := cmp.Or(a.c.Dir, ".")
	if _, err := r.Folder(a.Describe(), dir); err != nil {
		return "", "", err
	}
	files, err := r.Sums(a.Describe(), dir)
	if err != nil {
		return "", "", err
	}
	how, err := json.Marshal([]any{a.c.Files, a.c.RSpec, a.c.Set})
	if err != nil {
		return "", "", err
	}
	specs = r.Keyed(r.KeyedAll(files), string(how))
	parts := []string{specs}
	for _, one := range on {
		parts = append(parts, one.ID, one.Sources)
	}
	return specs, r.Keyed(parts...), nil
}

// look says whether all this has passed before: these specs, on these artifacts.
func (a *Applier) look(r integrations.Run) (last tested, passed bool, err error) {
	on, err := r.Artifacts()
	if err != nil {
		return last, false, err
	}
	_, all, err := a.sums(r, on)
	if err != nil {
		return last, false, err
	}
	err = a.last.Get(r, a.Describe(), &last)
	return last, last.Sum == all, err
}

// Plan implements integrations.Applier. Where a step before it would change something,
// every test is run again.
func (a *Applier) Plan(ctx context.Context, r integrations.Run) (integrations.Plan, error) {
	p := integrations.Plan{Step: a.Describe(), Tool: "RSpec"}
	if err := r.Mark(nothingFile, false); err != nil {
		return p, err
	}
	would, err := a.list(ctx, r)
	if err != nil {
		return p, err
	}
	p.Tool = "RSpec " + would.Version
	last, passed, err := a.look(r)
	if err != nil {
		return p, err
	}
	if passed && r.Before.Empty() {
		p.Text = fmt.Sprintf("No changes. These specs have passed at %.12s: %s.\n", last.SHA, counts(last.Tests))
		return p, r.Mark(nothingFile, true)
	}
	on, err := r.Artifacts()
	if err != nil {
		return p, err
	}
	specs, _, err := a.sums(r, on)
	if err != nil {
		return p, err
	}
	of := []string{specs}
	for _, one := range on {
		of = append(of, one.Sources)
	}
	for _, e := range would.Examples {
		p.Changes = append(p.Changes, integrations.Change{Address: e.name(), Actions: []string{"read"}, Provider: Word, Hash: r.Keyed(append(of, e.ID)...)})
	}
	p.Text = text(would, on)
	return p, nil
}

// list has RSpec say which examples there are. It loads the specs, and runs none.
func (a *Applier) list(ctx context.Context, r integrations.Run) (report, error) {
	var out report
	c, err := a.command(r, actList)
	if err != nil {
		return out, err
	}
	c.Capture = true
	o, err := r.Exec.Run(ctx, c)
	if err != nil {
		return out, integrations.WithWords(err, errorMark)
	}
	if err := json.Unmarshal(o.Stdout, &out); err != nil {
		return out, fmt.Errorf("%s: read which examples there are: %w", a.Describe(), err)
	}
	for i, e := range out.Examples {
		out.Examples[i].ID, out.Examples[i].Text, out.Examples[i].File = o.Redact(e.ID), o.Redact(e.Text), o.Redact(e.File)
	}
	return out, nil
}

const maxText = 48 << 10 // bounds Plan.Text; a GitHub comment holds 65,536 characters

func text(would report, on []integrations.Artifact) string {
	var b strings.Builder
	b.WriteString(plural(len(would.Examples), "example") + " would run")
	for i, one := range on {
		b.WriteString([]string{" on ", ", "}[min(i, 1)] + cmp.Or(one.ID, "what "+one.Step+" builds"))
	}
	b.WriteString(":\n")
	for i, e := range would.Examples {
		if b.Len() > maxText {
			fmt.Fprintf(&b, "… and %d more\n", len(would.Examples)-i)
			break
		}
		b.WriteString("? " + e.name() + "\n")
	}
	return b.String()
}

// Apply implements integrations.Applier. It changes nothing, and is an effect all the same:
// tests that go on after a restart are not begun a second time beside themselves.
func (a *Applier) Apply(ctx context.Context, r integrations.Run) error {
	if r.Marked(nothingFile) {
		return nil
	}
	c, err := a.command(r, actRun)
	if err != nil {
		return err
	}
	c.Timeout = a.c.Timeout
	_, failed := r.Exec.Effect(ctx, "tests", c)
	if errors.Is(failed, integrations.ErrUnknown) || errors.Is(failed, integrations.ErrInterrupted) {
		return failed
	}
	t, err := integrations.TestsIn(r.Work)
	if err != nil {
		return errors.Join(failed, err)
	}
	on, err := r.Artifacts()
	if err != nil {
		return errors.Join(failed, err)
	}
	t.Step = a.Describe()
	for _, one := range on {
		if one.ID != "" && !slices.Contains(t.Of, one.ID) {
			t.Of = append(t.Of, one.ID)
		}
	}
	if err := r.PutTests(t); err != nil || failed != nil {
		return errors.Join(integrations.WithWords(failed, errorMark), err)
	}
	_, all, err := a.sums(r, on)
	if err != nil {
		return err
	}
	return a.last.Put(r, a.Describe(), tested{all, r.SHA, t})
}

// Probe implements integrations.Applier.
func (a *Applier) Probe(_ context.Context, r integrations.Run) (integrations.Probe, error) {
	last, passed, err := a.look(r)
	if err != nil {
		return integrations.Probe{}, err
	}
	if passed {
		return integrations.Probe{Clean: true, Text: fmt.Sprintf("These specs have passed at %.12s: %s.", last.SHA, counts(last.Tests))}, nil
	}
	return integrations.Probe{Text: "The tests were not run to their end, so that nobody can tell whether they pass. They change nothing: another try runs them again."}, nil
}

// The variables in which specs are told what the steps before them have built; empty where
// that is nothing, or is only planned.
const (
	artifactsVariable = "SIGNALBOX_ARTIFACTS" // all of them, JSON
	amiVariable       = "SIGNALBOX_AMI"       // the first AMI
	regionVariable    = "SIGNALBOX_AMI_REGION"
	fileVariable      = "SIGNALBOX_FILE" // the first file
)

func (a *Applier) command(r integrations.Run, act string) (integrations.Command, error) {
	dir, err := r.Folder(a.Describe(), cmp.Or(a.c.Dir, "."))
	if err != nil {
		return integrations.Command{}, err
	}
	on, err := r.Artifacts()
	if err != nil {
		return integrations.Command{}, err
	}
	on = slices.DeleteFunc(on, func(one integrations.Artifact) bool { return one.ID == "" })
	b, err := json.Marshal(on)
	if err != nil {
		return integrations.Command{}, err
	}
	env := map[string]string{artifactsVariable: string(b), amiVariable: "", regionVariable: "", fileVariable: ""}
	for name, value := range a.c.Set {
		env[name] = value
	}
	for _, one := range slices.Backward(on) {
		switch one.Kind {
		case integrations.ArtifactAMI:
			env[regionVariable], env[amiVariable], _ = strings.Cut(one.ID, ":")
		case integrations.ArtifactFile:
			env[fileVariable] = one.ID
		}
	}
	argv := append([]string{a.self, Word, act, "--work=" + r.Work, "--"}, a.c.RSpec...)
	return integrations.Command{Step: Word + " " + act, Argv: append(argv, a.c.Files...), Dir: dir, Env: env, Secrets: a.c.Env}, nil
}

func counts(t integrations.Tests) string {
	return fmt.Sprintf("%s, %d failed, %d pending", plural(t.Examples, "example"), t.Failed, t.Pending)
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
