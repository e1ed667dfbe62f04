package ecs

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

// Word is what our binary is called with to be the tool of this step.
const Word = "ecs"

// Step is the applier: it has the tool, a process of its own that the bot may die
// beside, deploy a service.
type Step struct {
	Order Order
	// Self is our own binary.
	Self string
	// PlanVia and ApplyVia are the Request.Via of what reads and of what changes.
	PlanVia, ApplyVia json.RawMessage
}

var _ integrations.Reverter = (*Step)(nil)

// Describe names the step.
func (s *Step) Describe() string { return "ecs " + s.Order.Cluster + "/" + s.Order.Service }

func (s *Step) command(r integrations.Run, act string, q Request) (integrations.Command, error) {
	q.Order, q.Dir = s.Order, r.Work
	q.Via = s.PlanVia
	if changes[act] {
		q.Via = s.ApplyVia
	}
	q.Run, q.SHA = s.run(r), r.SHA
	b, err := json.Marshal(q)
	if err != nil {
		return integrations.Command{}, err
	}
	c := integrations.Command{Step: "ecs " + act, Argv: []string{s.Self, Word, act, string(b)}, Dir: r.Work, Capture: captures[act]}
	// It has limits of its own, and says more when they are over than the shim can.
	if changes[act] {
		c.Timeout = s.Order.Limit + spare
	} else if act == actPlan {
		c.Timeout = s.Order.ImageWait + spare
	}
	return c, nil
}

// run names what an apply of one commit registers. A second try of the same commit has
// the same name, and so finds what the first one left.
func (s *Step) run(r integrations.Run) string {
	h := hmac.New(sha256.New, r.HashKey)
	fmt.Fprintf(h, "%q %q %q %q", s.Describe(), s.Order.Container, r.Target, r.SHA)
	return hex.EncodeToString(h.Sum(nil)[:12])
}

// tags are those that the image of the commit may have, the best first: what was
// reviewed, then what was merged.
func (s *Step) tags(r integrations.Run) ([]string, error) {
	if s.Order.TagFile == "" {
		var out []string
		for _, sha := range append(append([]string{}, r.Same...), r.SHA) {
			out = append(out, fill(s.Order.Tag, sha))
		}
		return out, nil
	}
	root, err := os.OpenRoot(r.Tree)
	if err != nil {
		return nil, fmt.Errorf("open the work tree: %w", err)
	}
	defer root.Close()
	b, err := root.ReadFile(filepath.Clean(s.Order.TagFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s: there is no file %s in the repository at %.12s, which is to hold the image's tag", s.Describe(), s.Order.TagFile, r.SHA)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: read the image's tag: %w", s.Describe(), err)
	}
	tag := strings.TrimSpace(string(b))
	if !tagShape.MatchString(tag) {
		return nil, fmt.Errorf("%s: %s is to hold an image's tag, such as 1.4.2, and holds %q", s.Describe(), s.Order.TagFile, cut(tag, 60))
	}
	return []string{tag}, nil
}

func cut(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n]) + "…"
	}
	return s
}

// ask has the tool read something and decodes its answer. What AWS says in it may hold
// secrets, which redact takes out.
func (s *Step) ask(ctx context.Context, r integrations.Run, act string, q Request, into any) (redact func(string) string, _ error) {
	c, err := s.command(r, act, q)
	if err != nil {
		return nil, err
	}
	o, err := r.Exec.Run(ctx, c)
	if err != nil {
		return nil, integrations.WithWords(err, errorMark)
	}
	if err := json.Unmarshal(o.Stdout, into); err != nil {
		return nil, fmt.Errorf("read what %s said: %w", c.Step, err)
	}
	return o.Redact, nil
}

// Plan waits for the commit's image and says what it would replace.
func (s *Step) Plan(ctx context.Context, r integrations.Run) (integrations.Plan, error) {
	tags, err := s.tags(r)
	if err != nil {
		return integrations.Plan{}, err
	}
	var p planned
	redact, err := s.ask(ctx, r, actPlan, Request{Tags: tags}, &p)
	if err != nil {
		return integrations.Plan{}, err
	}
	out := integrations.Plan{Step: s.Describe(), Tool: "Amazon ECS", Text: redact(s.text(p))}
	for _, n := range p.Notes {
		out.Notes = append(out.Notes, redact(n))
	}
	if p.empty() {
		return out, nil
	}
	out.Change = 1
	h := hmac.New(sha256.New, r.HashKey)
	fmt.Fprintf(h, "%q %q %q", p.Base, p.Image, p.New)
	out.Changes = []integrations.Change{{Address: "container " + s.Order.Container + " of " + s.Order.Service, Actions: []string{"update"}, Provider: Word, Hash: hex.EncodeToString(h.Sum(nil))}}
	return out, nil
}

// text is the difference, which is one image: the rest is copied from what runs.
func (s *Step) text(p planned) string {
	if p.empty() {
		return fmt.Sprintf("No changes. %s runs %s.\n", s.Order.Service, p.Image)
	}
	return fmt.Sprintf("service %s of the cluster %s: %s, with another image\n~ container %s\n    - image %s\n    + image %s\n      (the tag %s)\n%d %s: at least %d %% of them run meanwhile, at most %d %%\n",
		s.Order.Service, s.Order.Cluster, last(p.Base), s.Order.Container, p.Image, p.New, p.Tag, p.Tasks, tasksWord(p.Tasks), p.Least, p.Most)
}

func tasksWord(n int) string {
	if n == 1 {
		return "task is replaced"
	}
	return "tasks are replaced"
}

// Apply carries the plan out: see Tool.
func (s *Step) Apply(ctx context.Context, r integrations.Run) error {
	return s.change(ctx, r, actApply, Request{})
}

// Revision is the task definition that the service runs: "shop:41".
func (s *Step) Revision(ctx context.Context, r integrations.Run) (string, error) {
	var name string
	_, err := s.ask(ctx, r, actRevision, Request{}, &name)
	return name, err
}

// Revert has the service run an earlier task definition again.
func (s *Step) Revert(ctx context.Context, r integrations.Run, revision string) error {
	return s.change(ctx, r, actRevert, Request{To: revision})
}

// change has the tool change something and turns what came of it into an error. Of one
// that was killed ECS itself is asked: it is found by the tag of what it registered.
func (s *Step) change(ctx context.Context, r integrations.Run, act string, q Request) error {
	c, err := s.command(r, act, q)
	if err != nil {
		return err
	}
	out, err := r.Exec.Effect(ctx, act, c)
	if err == nil {
		return nil
	}
	if errors.Is(err, integrations.ErrUnknown) && !ended(r.Work) {
		return s.find(ctx, r, q, err)
	}
	var o outcome
	if bad := readJSON(r.Work, outcomeFile, &o); bad != nil || o.State == "" {
		return errors.Join(integrations.WithWords(err, errorMark), bad)
	}
	// What it wrote down is as it came from AWS; of its log the secrets are taken out.
	var failed *integrations.CommandError
	if errors.As(err, &failed) {
		out.Tail = failed.Tail
	}
	o.Why = cmp.Or(integrations.LastWords(out.Tail, errorMark), "it ended, and its log does not say how")
	return shaped(o, c.Step, err)
}

// ended says whether the tool came to write down how it ended.
func ended(dir string) bool {
	var o outcome
	return readJSON(dir, outcomeFile, &o) == nil && o.State != ""
}

// find follows what a killed tool may have begun, to its end, changing nothing.
func (s *Step) find(ctx context.Context, r integrations.Run, q Request, killed error) error {
	var o outcome
	redact, err := s.ask(ctx, r, actFind, q, &o)
	if err != nil {
		return fmt.Errorf("%w; and it could not be looked at: %w", killed, err)
	}
	o.Why = redact(o.Why)
	return shaped(o, "ecs "+actFind, &integrations.CommandError{Step: "ecs " + actFind, Code: 1})
}

// shaped is an outcome as an error; nil where it came out well.
func shaped(o outcome, step string, err error) error {
	if o.State == outcomeDone {
		return nil
	}
	failed := &integrations.CommandError{Step: step, Code: 1}
	var told *integrations.CommandError
	if errors.As(err, &told) {
		*failed = *told
	}
	if errors.Is(err, integrations.ErrInterrupted) {
		return &integrations.Left{What: o.Why, Err: failed}
	}
	failed.Err = errors.New(o.Why)
	if o.State == outcomeUnknown {
		return fmt.Errorf("%w: %w", integrations.ErrUnknown, failed)
	}
	return failed
}

// Probe says how the service stands to what an apply of this commit registered.
func (s *Step) Probe(ctx context.Context, r integrations.Run) (p integrations.Probe, err error) {
	redact, err := s.ask(ctx, r, actProbe, Request{}, &p)
	if err == nil {
		p.Text = redact(p.Text)
	}
	return p, err
}
