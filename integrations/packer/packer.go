// Package packer is the applier that builds machine images with Packer: the diff of their
// sources against what was built last is its plan, the build its apply.
//
// Packer has no plan of its own and makes something new each time. What it was built of is
// remembered with what came of it, so that the same sources are not built twice. Between
// the step shim and Packer stands a process of our own, our binary called with "packer" (see
// Main): it turns Packer's output for machines into one for people, and writes down the
// artifacts.
package packer

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// Word is what our binary is called with to be the tool of this step.
const Word = "packer"

// Tool is what its steps share. Make one for the process.
type Tool struct {
	images integrations.Images // nil where no account is configured
	pinned func(integrations.Pin) error
}

// NewTool makes one. AMIs are looked for and tagged through images; nil is nowhere. pinned
// says what is wrong with a pin; nil is nothing.
func NewTool(images integrations.Images, pinned func(integrations.Pin) error) *Tool {
	return &Tool{images, pinned}
}

// Applier is one step: a template.
type Applier struct {
	c      Config
	self   string // our own binary
	images integrations.Images
	last   integrations.Memory // a built
}

var _ integrations.Finisher = (*Applier)(nil)

// Make makes a step from its settings, which decode lays over a struct. What was built last
// is remembered in the folder dir.
func (t *Tool) Make(dir string, decode func(any) error) (integrations.Applier, error) {
	var c Config
	if err := decode(&c); err != nil {
		return nil, err
	}
	if err := c.Validate(); err != nil {
		return nil, err
	}
	for _, p := range c.Pin {
		if t.pinned == nil {
			break
		}
		if err := t.pinned(p); err != nil {
			return nil, fmt.Errorf("pin: %w", err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find our own binary: %w", err)
	}
	a := &Applier{c: c, self: self, images: t.images, last: integrations.Memory{Dir: filepath.Join(dir, Word)}}
	return a, a.checkAccount()
}

// Describe implements integrations.Applier.
func (a *Applier) Describe() string {
	return "packer " + filepath.ToSlash(filepath.Join(a.c.Dir, a.c.Template))
}

// built is what is remembered of the last build that ended well.
type built struct {
	Sources   sources                 `json:"sources"`
	SHA       string                  `json:"sha"`
	Artifacts []integrations.Artifact `json:"artifacts"`
	// Files are the size and the time of artifacts that are files, by their paths.
	Files map[string]string `json:"files,omitempty"`
	// Passed is how many examples it has passed, and Failed how many it has not.
	Passed int `json:"passed"`
	Failed int `json:"failed,omitempty"`
}

// nothingFile marks in the work folder that there is nothing to build.
const nothingFile = "packer.nothing"

// state is how a commit stands to what was built last.
type state struct {
	now   sources
	last  built
	there bool     // it was built of these sources, and is still there
	untag []string // AMIs that have passed their tests, and lack the tag that says so
	notes []string
}

func (a *Applier) look(ctx context.Context, r integrations.Run) (s state, err error) {
	if s.now, err = a.sources(r); err != nil {
		return s, err
	}
	if err := a.last.Get(r, a.Describe(), &s.last); err != nil {
		return s, fmt.Errorf("%s: %w", a.Describe(), err)
	}
	if s.last.Sources.Sum != s.now.Sum {
		return s, nil
	}
	if s.last.Failed > 0 {
		s.notes = append(s.notes, a.was(s.last)+" of the same sources, and failed its tests")
		return s, nil
	}
	s.there = true
	for _, one := range s.last.Artifacts {
		if err := a.still(ctx, one, &s); err != nil {
			return s, err
		}
	}
	return s, nil
}

// still looks whether an artifact of the last build is there.
func (a *Applier) still(ctx context.Context, one integrations.Artifact, s *state) error {
	switch one.Kind {
	case integrations.ArtifactFile:
		if stamp(one.ID) != s.last.Files[one.ID] {
			s.there = false
			s.notes = append(s.notes, one.ID+", which was built of the same sources, is gone or was changed since")
		}
	case integrations.ArtifactAMI:
		at, id, ok := a.site(one.ID)
		if !ok {
			s.notes = append(s.notes, "no account of aws.accounts has the region of "+one.ID+", so that nobody looks whether it is still there")
			return nil
		}
		image, err := a.images.Image(ctx, at, id)
		switch {
		case err != nil:
			return err
		case image == nil:
			s.there = false
			s.notes = append(s.notes, one.ID+", which was built of the same sources, is gone")
		case s.last.Passed > 0 && image.Tags[integrations.TagTested] == "":
			s.untag = append(s.untag, one.ID)
		}
	}
	return nil
}

// stamp tells a file from another one in its place, "" where there is none.
func stamp(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%d %d", info.Size(), info.ModTime().UnixNano())
}

// Plan implements integrations.Applier.
func (a *Applier) Plan(ctx context.Context, r integrations.Run) (integrations.Plan, error) {
	p := integrations.Plan{Step: a.Describe(), Tool: "Packer"}
	if err := r.Mark(nothingFile, false); err != nil {
		return p, err
	}
	said, err := a.inspect(ctx, r)
	if err != nil {
		return p, err
	}
	s, err := a.look(ctx, r)
	if err != nil {
		return p, err
	}
	p.Notes = s.notes
	if s.there {
		for _, id := range s.untag {
			p.Changes = append(p.Changes, integrations.Change{Address: "the tag " + integrations.TagTested + " of " + id, Actions: []string{"update"}, Provider: Word, Hash: r.Keyed(id)})
		}
		p.Change = len(s.untag)
		p.Text = "No changes. " + a.was(s.last) + " of the same sources.\n"
		return p, nothing(r, s.last.Artifacts)
	}
	p.Add = 1
	p.Changes = []integrations.Change{{Address: "image of " + strings.TrimPrefix(a.Describe(), "packer "), Actions: []string{"create"}, Provider: Word, Hash: s.now.Sum}}
	p.Text = a.text(s, said)
	return p, r.PutArtifacts([]integrations.Artifact{{Step: a.Describe(), SHA: r.SHA, Sources: s.now.Sum}})
}

// nothing notes that there is nothing to build, and hands on what was built.
func nothing(r integrations.Run, all []integrations.Artifact) error {
	if err := r.PutArtifacts(all); err != nil {
		return err
	}
	return r.Mark(nothingFile, true)
}

// was says what the last build came to.
func (a *Applier) was(b built) string {
	var ids []string
	for _, one := range b.Artifacts {
		ids = append(ids, one.ID)
	}
	what := strings.Join(ids, ", ") + " was built"
	if len(ids) == 0 {
		what = "It was built, and left no artifact,"
	}
	return what + fmt.Sprintf(" from %.12s", b.SHA)
}

const maxText = 48 << 10 // bounds Plan.Text; a GitHub comment holds 65,536 characters

// text is what differs from the last build, and what Packer itself says of the template.
func (a *Applier) text(s state, said string) string {
	var b strings.Builder
	if s.last.SHA == "" {
		fmt.Fprintf(&b, "It was not built before. Its %d sources:\n", len(s.now.Files))
	} else {
		b.WriteString(a.was(s.last) + ". Since then:\n")
	}
	lines := s.now.since(s.last.Sources)
	if more := len(lines) - 100; more > 0 {
		lines = append(lines[:100], fmt.Sprintf("… and %d more", more))
	}
	if len(lines) == 0 {
		lines = []string{"nothing but what became of it"}
	}
	b.WriteString("  " + strings.Join(lines, "\n  ") + "\n")
	for _, name := range slices.Sorted(maps.Keys(a.c.Vars)) {
		fmt.Fprintf(&b, "%s = %q\n", name, a.c.Vars[name])
	}
	b.WriteString("\n" + strings.TrimSpace(said) + "\n")
	if b.Len() > maxText {
		return b.String()[:maxText] + "\n…"
	}
	return b.String()
}

// inspect tries the template and has Packer say what is in it.
func (a *Applier) inspect(ctx context.Context, r integrations.Run) (string, error) {
	c, err := a.command(r, "validate", append([]string{"validate"}, a.arguments(true)...))
	if err != nil {
		return "", err
	}
	if _, err := r.Exec.Run(ctx, c); err != nil {
		return "", integrations.WithWords(err, errorMark)
	}
	if c, err = a.command(r, "inspect", append([]string{"inspect"}, a.arguments(false)...)); err != nil {
		return "", err
	}
	c.Capture, c.Tee = true, true
	o, err := r.Exec.Run(ctx, c)
	if err != nil {
		return "", integrations.WithWords(err, errorMark)
	}
	return o.Redact(string(o.Stdout)), nil
}

// Apply implements integrations.Applier.
func (a *Applier) Apply(ctx context.Context, r integrations.Run) error {
	if r.Marked(nothingFile) {
		return nil
	}
	s, err := a.sources(r)
	if err != nil {
		return err
	}
	c, err := a.command(r, "build", append([]string{"build", "-machine-readable", "-on-error=cleanup"}, a.arguments(true)...))
	if err != nil {
		return err
	}
	c.Timeout = a.c.Timeout
	if _, err := r.Exec.Effect(ctx, "build", c); err != nil {
		return integrations.WithWords(err, errorMark)
	}
	all, err := r.Own()
	if err != nil {
		return err
	}
	b := built{Sources: s, SHA: r.SHA, Files: map[string]string{}}
	for _, one := range all {
		if one.ID == "" { // it was only planned
			continue
		}
		one.Step, one.SHA, one.Sources = a.Describe(), r.SHA, s.Sum
		if one.Kind == integrations.ArtifactFile {
			b.Files[one.ID] = stamp(one.ID)
		}
		b.Artifacts = append(b.Artifacts, one)
	}
	if err := r.PutArtifacts(b.Artifacts); err != nil {
		return err
	}
	return a.last.Put(r, a.Describe(), b)
}

// Probe implements integrations.Applier. What Packer left when it was killed is known to
// AWS alone, and there by a tag that the template has to set.
func (a *Applier) Probe(ctx context.Context, r integrations.Run) (integrations.Probe, error) {
	s, err := a.look(ctx, r)
	if err != nil {
		return integrations.Probe{}, err
	}
	if s.there { // the steps after this one are asked what they see of it
		return integrations.Probe{Clean: true, Text: a.was(s.last) + " of these sources, and is there."}, r.PutArtifacts(s.last.Artifacts)
	}
	say := []string{"No build of these sources is known to have ended. Packer cleans up when it is interrupted, and could not when it was killed: " +
		"an instance, a key pair or a security group whose name begins with “packer” may be left, and an image too."}
	found, err := a.tagged(ctx, r)
	switch {
	case err != nil:
		return integrations.Probe{}, err
	case a.images == nil:
		say = append(say, "No account of AWS is configured, so that nobody can look for it.")
	case len(found) == 0:
		say = append(say, fmt.Sprintf("There is no AMI with the tag %s=%s, which it has where the template sets it.", integrations.TagRun, a.run(r)))
	default:
		say = append(say, fmt.Sprintf("Of this build there is %s: see whether it is whole, or deregister it. Another try builds a new one.", strings.Join(found, ", ")))
	}
	return integrations.Probe{Text: strings.Join(say, " ")}, nil
}

// run names the builds of one commit, for the template to put into a tag.
func (a *Applier) run(r integrations.Run) string {
	return r.Keyed(a.Describe(), r.Target, r.SHA)[:24]
}

// command is one of Packer by Main.
func (a *Applier) command(r integrations.Run, step string, args []string) (integrations.Command, error) {
	dir, err := r.Folder(a.Describe(), cmp.Or(a.c.Dir, "."))
	if err != nil {
		return integrations.Command{}, err
	}
	run, argv := a.run(r), append([]string{a.self, Word, "--work=" + r.Work, "--", "packer"}, args...)
	env := map[string]string{
		"CHECKPOINT_DISABLE": "1", "PACKER_CACHE_DIR": filepath.Join(r.Work, "cache"), "PACKER_NO_COLOR": "1",
		"SIGNALBOX_SHA": r.SHA, "SIGNALBOX_RUN": run, "PKR_VAR_signalbox_sha": r.SHA, "PKR_VAR_signalbox_run": run,
	}
	return integrations.Command{Step: "packer " + step, Argv: argv, Dir: dir, Env: env, Secrets: a.c.Env}, nil
}

// arguments are those of Packer's commands after their own; only is of those that take it.
func (a *Applier) arguments(only bool) (out []string) {
	if only && len(a.c.Only) > 0 {
		out = append(out, "-only="+strings.Join(a.c.Only, ","))
	}
	for _, f := range a.c.VarFiles {
		out = append(out, "-var-file="+f)
	}
	for _, name := range slices.Sorted(maps.Keys(a.c.Vars)) {
		out = append(out, "-var="+name+"="+a.c.Vars[name])
	}
	return append(out, a.c.Template)
}
