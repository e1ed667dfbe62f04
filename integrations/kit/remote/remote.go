// Package remote runs a step on the team's own CI and follows it there: a workflow of
// GitHub Actions, a pipeline of CircleCI, a build of CodeBuild. It is the part that does
// not depend on which one it is, and a tool of the kit: what a plan and an apply are
// stands above, in integrations.Remote.
//
// The Tool is a process of its own, our binary called with a word, which the bot may die
// beside. Before it starts a run it writes down, synced, by which nonce that will be
// known, and after it the run's id. A process that was killed in between is followed by
// another one that looks for the nonce: it never starts a second run.
package remote

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/kit/jsonapi"
)

// Engine is a CI. Its errors are *Refused and *Unsent where it is known that nothing was
// done; after any other one nobody knows.
type Engine interface {
	// Start begins a run that knows the values of q.Values, the nonce among them. It
	// makes one call and never tries again. The ID of what it returns is empty where the
	// engine tells none: it is then looked for.
	Start(ctx context.Context, q Request, nonce string) (Run, error)
	// Find returns the newest run that fits, whether it is over or not; one with an
	// empty ID if there is none. It may look for a run as far back as it likes, but not
	// further than s.Since.
	Find(ctx context.Context, s Search) (Run, error)
	// Look says how a run stands. One that is not there is *Refused.
	Look(ctx context.Context, id string) (Run, error)
	// Log writes what a run has printed since a place, "" being its beginning, and
	// returns the next place. An engine that has a log only of what is over writes it
	// then.
	Log(ctx context.Context, id, since string, w io.Writer) (next string, err error)
	// Cancel asks for the end of a run. It may be called again, and of a run that is
	// over.
	Cancel(ctx context.Context, id string) error
}

// Run is a run of an engine, as it stands.
type Run struct {
	ID    string
	URL   string // where people see it
	Name  string // holds the nonce that it was started with
	State State
	// Said is how it stands in the engine's words, for people: "in_progress: job deploy,
	// step Terraform apply". Where it failed, it says what did.
	Said string
}

// State is how far a run is.
type State string

// The states of a run.
const (
	Waiting   State = "waiting" // for a machine, or for somebody's approval
	Running   State = "running"
	Succeeded State = "succeeded"
	Failed    State = "failed"
	Cancelled State = "cancelled"
)

// Over says that a run has ended.
func (s State) Over() bool { return s == Succeeded || s == Failed || s == Cancelled }

// Search is what a run is looked for by: the nonce that it was started with, or the
// beginning of one; or, where Nonce is empty, the commit that the CI runs it for by itself.
type Search struct {
	Nonce string
	SHA   string
	Since time.Time // that it was started, at the earliest; zero is any time
}

// Refused is an engine's answer that it will not do something, and did not.
type Refused struct{ Err error }

func (e *Refused) Error() string { return e.Err.Error() }
func (e *Refused) Unwrap() error { return e.Err }

// Unsent is of a call that did nothing, and that may do it later: the engine was not
// reached, or asks to come again.
type Unsent struct {
	After time.Duration // it asks to wait so long; 0 where it does not say
	Err   error
}

func (e *Unsent) Error() string { return e.Err.Error() }
func (e *Unsent) Unwrap() error { return e.Err }

// Judge makes *Refused and *Unsent of an error of kit/jsonapi, and of a network that did
// not let a request out. 503 is a server that did not take it.
func Judge(err error) error {
	var no *jsonapi.Error
	if errors.As(err, &no) && no.Status != 0 {
		return JudgeStatus(no.Status, no.After, err)
	}
	var op *net.OpError
	var name *net.DNSError
	if errors.As(err, &name) || errors.As(err, &op) && op.Op == "dial" {
		return &Unsent{Err: err}
	}
	return err
}

// JudgeStatus is Judge for an answer with that status, which asks to wait for after.
func JudgeStatus(status int, after time.Duration, err error) error {
	switch {
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable, status == http.StatusForbidden && after > 0:
		return &Unsent{After: after, Err: err}
	case status >= 400 && status < 500 && status != http.StatusRequestTimeout:
		return &Refused{Err: err}
	}
	return err
}

// known says whether nothing was done for certain, and whether it may be later.
func known(err error) (refused, unsent bool, after time.Duration) {
	var no *Refused
	var not *Unsent
	switch {
	case errors.As(err, &no):
		return true, false, 0
	case errors.As(err, &not):
		return false, true, not.After
	}
	return false, false, 0
}

// at puts the URL of a run behind a sentence.
func at(r Run) string {
	if r.URL == "" {
		return ""
	}
	return ": " + r.URL
}

// said is how a run stands, in words.
func said(r Run) string {
	if s := strings.TrimSpace(r.Said); s != "" {
		return s
	}
	return string(r.State)
}
