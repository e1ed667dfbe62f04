package integrations

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/kit/remote"
)

// Remote is the applier of a step that runs on the team's own CI. Each CI makes one with
// its own settings; what it does is the tool of kit/remote, a process of its own that the
// bot may die beside.
//
// Its plan is what a run prints that plans. Where none does, the plan is one change, "runs
// this at that commit", until such a run has succeeded at that commit.
type Remote struct {
	// Word is what our binary is called with to be the tool, and the kind of the step;
	// Name tells it from others of the kind: "acme/infra/deploy.yml".
	Word, Name string
	// Engine is what people call the CI, "GitHub Actions"; What is what is run there,
	// "deploy.yml of acme/infra", and PlanWhat what plans there, "" where nothing does.
	Engine, What, PlanWhat string
	Order                  remote.Order
	// PlanInputs are given to the run that plans besides those of the order.
	PlanInputs map[string]string
	// Settings are the engine's, as the tool gets them. They hold no secret.
	Settings any
	// Nothing is found in a plan in which there is nothing to do; nil is of one that
	// prints nothing then.
	Nothing *regexp.Regexp
	// Env names the variables of plan_env and apply_env that the tool sees.
	Env []string

	self     string
	settings json.RawMessage
}

// NewRemote makes a step. The settings of its engine have been tried.
func NewRemote(r Remote) (*Remote, error) {
	var err error
	if r.self, err = os.Executable(); err != nil {
		return nil, fmt.Errorf("find our own binary: %w", err)
	}
	r.settings, err = json.Marshal(r.Settings)
	return &r, err
}

const (
	remoteSpare = 15 * time.Minute // that the shim leaves beyond the limits of the tool
	remoteText  = 48 << 10         // bytes of a plan's text; a comment on GitHub holds 65,536
)

// Describe implements Applier.
func (s *Remote) Describe() string { return s.Word + " " + s.Name }

func (s *Remote) command(r Run, act string, plans bool) (Command, error) {
	q := remote.Request{
		Order: s.Order, Engine: s.Engine, What: s.What, Settings: s.settings, Plan: plans, Dir: r.Work,
		Target: r.Target, Job: r.Job, SHA: r.SHA, Key: s.key(r, "sb-"),
	}
	if plans { // nobody starts it but us
		q.What, q.Adopt, q.Key = s.PlanWhat, false, s.key(r, "sp-")
		q.Inputs = map[string]string{}
		maps.Copy(q.Inputs, s.Order.Inputs)
		maps.Copy(q.Inputs, s.PlanInputs)
	}
	b, err := json.Marshal(q)
	if err != nil {
		return Command{}, err
	}
	// It has limits of its own, and says more when they are over than the shim can.
	limit := 3*s.Order.StartWait + s.Order.Limit + remoteSpare
	step := s.Word + " " + act
	if act == remote.ActSee { // people have asked for no other plan
		step = s.Word + " " + remote.ActPlan
	}
	return Command{Step: step, Argv: []string{s.self, s.Word, act, string(b)}, Dir: r.Work, Capture: act != remote.ActApply, Secrets: s.Env, Timeout: limit}, nil
}

// key begins the nonces of the runs of this step of this target, and of no other's.
func (s *Remote) key(r Run, kind string) string {
	h := hmac.New(sha256.New, r.HashKey)
	fmt.Fprintf(h, "%q %q", s.Describe(), r.Target)
	return kind + hex.EncodeToString(h.Sum(nil)[:6])
}

// ask has the tool read something, or plan, and decodes its answer.
func (s *Remote) ask(ctx context.Context, r Run, act string, plans bool, into any) (Output, error) {
	c, err := s.command(r, act, plans)
	if err != nil {
		return Output{}, err
	}
	o, err := r.Exec.Run(ctx, c)
	if err != nil {
		return o, s.away(WithWords(err, remote.ErrorMark))
	}
	if err := json.Unmarshal(o.Stdout, into); err != nil {
		return o, fmt.Errorf("read what %s said: %w", c.Step, err)
	}
	return o, nil
}

// remoteNothing marks in the work folder that the plan found nothing to do.
const remoteNothing = "remote.nothing"

// Plan implements Applier.
func (s *Remote) Plan(ctx context.Context, r Run) (Plan, error) {
	if err := r.Mark(remoteNothing, false); err != nil {
		return Plan{}, err
	}
	p, err := s.plan(ctx, r)
	if err == nil && (Plans{p}).Empty() {
		err = r.Mark(remoteNothing, true)
	}
	return p, err
}

func (s *Remote) plan(ctx context.Context, r Run) (Plan, error) {
	if r.Here {
		return s.planHere(ctx, r)
	}
	p := Plan{Step: s.Describe(), Tool: s.Engine}
	var seen remote.Seen
	switch {
	case s.PlanWhat != "":
		o, err := s.ask(ctx, r, remote.ActPlan, true, &seen)
		if err != nil {
			return p, err
		}
		p.Text = o.Redact(seen.Text)
		if len(p.Text) > remoteText {
			p.Text = strings.ToValidUTF8(p.Text[:remoteText], "") + "\n[… the rest is left out here]"
		}
		if strings.TrimSpace(seen.Text) == "" || s.Nothing != nil && s.Nothing.MatchString(seen.Text) {
			return p, nil
		}
		p.Notes = []string{"It is the plan of " + s.PlanWhat + ", and ~1 stands for all of it: " + seen.Run.URL}
	case s.Order.Adopt:
		p.Text = fmt.Sprintf("%s runs %s by itself when this is merged; that run is followed, and none is started.\n", s.Engine, s.What)
	default:
		if _, err := s.ask(ctx, r, remote.ActSee, false, &seen); err != nil {
			return p, err
		}
		if seen.Same && seen.Run.State == remote.Succeeded {
			p.Text = fmt.Sprintf("No changes. %s succeeded at %.12s already: %s\n", s.What, r.SHA, seen.Run.URL)
			return p, nil
		}
		p.Text = fmt.Sprintf("runs %s at %.12s\n", s.What, r.SHA)
	}
	s.changes(&p, r, seen.Text)
	return p, nil
}

// changes makes a plan one change. The commit is no part of it: what is reviewed at the head
// of a pull request is run at its merge.
func (s *Remote) changes(p *Plan, r Run, text string) {
	h := hmac.New(sha256.New, r.HashKey)
	fmt.Fprintf(h, "%q %s %q %v %q", s.What, s.settings, s.Order.Inputs, s.Order.Adopt, strings.TrimSpace(text))
	p.Change = 1
	p.Changes = []Change{{Address: s.What, Actions: []string{"update"}, Provider: s.Word, Hash: hex.EncodeToString(h.Sum(nil)[:16])}}
}

// Apply implements Applier. Of a tool that was killed the CI itself is asked: its run is
// found by the nonce, and followed.
func (s *Remote) Apply(ctx context.Context, r Run) error {
	if r.Marked(remoteNothing) {
		return nil
	}
	if r.Here {
		return s.applyHere(ctx, r)
	}
	c, err := s.command(r, remote.ActApply, false)
	if err != nil {
		return err
	}
	out, err := r.Exec.Effect(ctx, "apply", c)
	if err == nil {
		return nil
	}
	o, bad := remote.Ended(r.Work)
	switch {
	case bad != nil:
		return errors.Join(err, bad)
	case errors.Is(err, ErrUnknown) && o.State == "":
		return s.find(ctx, r, err)
	case o.State == "":
		return WithWords(err, remote.ErrorMark)
	}
	// What it wrote down is as it came from the CI; of its log the secrets are taken out.
	var failed *CommandError
	if errors.As(err, &failed) {
		out.Tail = failed.Tail
	}
	o.Why = cmp.Or(LastWords(out.Tail, remote.ErrorMark), "it ended, and its log does not say how")
	return s.away(remoteError(o, c.Step, err))
}

func (s *Remote) find(ctx context.Context, r Run, killed error) error {
	var o remote.Outcome
	out, err := s.ask(ctx, r, remote.ActFind, false, &o)
	if err != nil {
		return fmt.Errorf("%w; and it could not be looked at: %w", killed, err)
	}
	o.Why = out.Redact(o.Why)
	step := s.Word + " " + remote.ActFind
	err = &CommandError{Step: step, Code: 1}
	if o.State == remote.Stopped {
		err = &CommandError{Step: step, Code: 1, Err: ErrInterrupted}
	}
	return remoteError(o, step, err)
}

// remoteError is an outcome as an error; nil where it came out well.
func remoteError(o remote.Outcome, step string, err error) error {
	if o.State == remote.Done {
		return nil
	}
	failed := &CommandError{Step: step, Code: 1}
	var told *CommandError
	if errors.As(err, &told) {
		*failed = *told
	}
	switch {
	case o.State == remote.Unknown:
		failed.Err = errors.New(o.Why)
		return fmt.Errorf("%w: %w", ErrUnknown, failed)
	case errors.Is(err, ErrInterrupted):
		return &Left{What: o.Why, Err: failed}
	case failed.Err != nil: // the shim's word: it took too long
		failed.Err = fmt.Errorf("%w; %s", failed.Err, o.Why)
	default:
		failed.Err = errors.New(o.Why)
	}
	return failed
}

// Probe implements Applier.
func (s *Remote) Probe(ctx context.Context, r Run) (p Probe, err error) {
	if r.Here {
		return Probe{Text: s.Here() + " was run here. What it had done when it was interrupted stays, and nobody can look."}, nil
	}
	out, err := s.ask(ctx, r, remote.ActProbe, false, &p)
	if err == nil {
		p.Text = out.Redact(p.Text)
	}
	return p, err
}
