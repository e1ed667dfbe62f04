package integrations

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/kit/remote"
)

var _ Elsewhere = (*Remote)(nil)

// Here implements Elsewhere.
func (s *Remote) Here() string { return strings.Join(s.Order.Local, " ") }

// away marks the error of a CI that was not reached.
func (s *Remote) away(err error) error {
	var failed *CommandError
	if errors.As(err, &failed) && failed.Err != nil && strings.HasPrefix(failed.Err.Error(), s.Engine+remote.AwayMark) {
		return &Unreached{System: s.Engine, Err: err}
	}
	return err
}

// planHere is the plan of a step that is to run on this machine. The CI is asked once more:
// what runs or has run there is not done a second time. Where a run of its own plans, nobody
// knows what it would say, and a person confirms.
func (s *Remote) planHere(ctx context.Context, r Run) (Plan, error) {
	p := Plan{Step: s.Describe(), Tool: s.Engine}
	if s.Here() == "" {
		return p, fmt.Errorf("%s has no local, by which it could be run here", s.Describe())
	}
	brief := *s
	brief.Order.StartWait = time.Millisecond
	var seen remote.Seen
	_, err := brief.ask(ctx, r, remote.ActSee, false, &seen)
	switch {
	case ctx.Err() != nil:
		return p, err
	case err != nil:
		p.Notes = []string{"Whether it runs there nobody can tell: " + err.Error()}
	case seen.Same && seen.Run.State == remote.Succeeded:
		p.Text = fmt.Sprintf("No changes. %s succeeded at %.12s already: %s\n", s.What, r.SHA, seen.Run.URL)
		return p, nil
	case seen.Same && !seen.Run.State.Over():
		return p, fmt.Errorf("%s is back, and %s runs there at this commit: %s; nothing was run here", s.Engine, s.What, seen.Run.URL)
	}
	p.Text = fmt.Sprintf("runs %s on this machine at %.12s, in place of %s\n", s.Here(), r.SHA, s.What)
	text := ""
	if s.PlanWhat != "" {
		text = p.Text
	}
	s.changes(&p, r, text)
	return p, nil
}

// applyHere runs what does the same on this machine.
func (s *Remote) applyHere(ctx context.Context, r Run) error {
	_, err := r.Exec.Effect(ctx, "here", Command{
		Step: s.Word + " here", Argv: s.Order.Local, Dir: r.Tree, Timeout: s.Order.Limit,
		Env: map[string]string{"SIGNALBOX_TARGET": r.Target, "SIGNALBOX_SHA": r.SHA, "SIGNALBOX_JOB": r.Job},
	})
	return err
}
