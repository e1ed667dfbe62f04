package integrations

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Applier is one step of one target: a tool with its settings, which can say
// what it would change and then change it. A value is made once for each step
// in the configuration and is used by several jobs at once, so it keeps no state.
//
// Everything that an applier runs goes through Run.Exec, never through os/exec:
// that is what puts it under the step shim, with its allow-list of environment
// variables and its redacted log.
type Applier interface {
	// Describe names the step for people: "terraform network/production".
	Describe() string
	// Plan works out what Apply would change and changes nothing. It may be
	// called again for the same Run after an interruption.
	Plan(ctx context.Context, r Run) (Plan, error)
	// Apply carries out the plan that Plan left in r.Work. Its one changing
	// command goes through r.Exec.Effect. After a restart of the bot it is called
	// again with the same r.Work, and must come to the same Effect call without
	// having changed anything before it.
	Apply(ctx context.Context, r Run) error
	// Probe looks, changing nothing, at what an interrupted Apply left behind.
	Probe(ctx context.Context, r Run) (Probe, error)
}

// Reverter is an Applier whose target remembers what it ran before, and can be set
// back to that without the repository: an ECS service has its task definitions.
type Reverter interface {
	Applier
	// Revision names what runs now, in a few words that Revert understands later:
	// "web:41". It changes nothing, and needs nothing of r.Tree.
	Revision(ctx context.Context, r Run) (string, error)
	// Revert has an earlier revision run again. Its one changing command goes through
	// r.Exec.Effect, as that of Apply does; r.Tree is empty. It is an error when
	// there is no such revision any more.
	Revert(ctx context.Context, r Run, revision string) error
}

// Run is one attempt of a job at one step.
type Run struct {
	Target      string
	Environment string
	Job         string
	SHA         string
	// Same are other commits that hold the very files of SHA: the head that was merged,
	// where the merge added nothing to it. What was built of one is what SHA would be.
	Same []string
	// Tree is the root of the checked-out repository.
	Tree string
	// Work is a folder of this attempt and step, outside Tree, that is kept
	// until the job is over: plan files go here.
	Work string
	// Earlier are the work folders of the steps before this one, in order. What they
	// built is told by Artifacts.
	Earlier []string
	// Before is what those steps would change, to Plan; to others it is empty.
	Before Plans
	// Here says that a person wants an Elsewhere to run on this machine.
	Here bool
	// Keep is a folder of this attempt and step that outlives the job, for what must not
	// be lost. It need not be there yet. The commands of a step cannot read it where they
	// run as another user. A probe and a Mend get that of the run that they are about.
	Keep string
	// HashKey keys the hashes of planned values, so that a stored plan does not
	// give secrets away to guessing.
	HashKey []byte
	Exec    Exec
	// Ingress opens ports to this machine for the steps that ask for one; nil is nobody.
	Ingress IngressWindow
}

// Exec runs the commands of a step under the step shim.
type Exec interface {
	// Run runs a command that changes nothing outside and may be repeated.
	Run(ctx context.Context, c Command) (Output, error)
	// Effect runs the command that changes something. Its intent is stored
	// under name first. Called again after a restart it follows the command that
	// was started then, or returns how that ended; if neither can be told, the
	// error is ErrUnknown.
	Effect(ctx context.Context, name string, c Command) (Output, error)
}

// ErrUnknown says that an effect was started and that nobody can tell how it
// ended. No machine retries it.
var ErrUnknown = errors.New("interrupted: its outcome is unknown")

// ErrInterrupted says that a person's cancel stopped the command.
var ErrInterrupted = errors.New("interrupted by a person")

// Left is the error of an apply that a person stopped, where it can be told what is left:
// that nothing was changed, or what goes on elsewhere by itself.
type Left struct {
	What string // a sentence without its end: "ECS goes on by itself"
	Err  error
}

func (e *Left) Error() string { return e.Err.Error() + "; " + e.What }

func (e *Left) Unwrap() error { return e.Err }

// Command is a program to run, never a shell line.
type Command struct {
	// Step names it in cards and errors: "terraform plan".
	Step string
	Argv []string
	Dir  string
	// Env is added to the allow-listed environment and must hold no secret.
	Env map[string]string
	// Secrets names the secret variables of the target that the command sees; nil is
	// all of them. The others are kept out of its log all the same.
	Secrets []string
	// Capture returns standard output unredacted in Output.Stdout instead of
	// writing it to the log. It is for machine-readable output.
	Capture bool
	// Tee writes what is captured to the log as well. It is for output that people
	// read too.
	Tee bool
	// OK lists the exit codes, besides 0, that are not an error.
	OK []int
	// Timeout of wall time; 0 is the runner's default.
	Timeout time.Duration
}

// Output is what a finished command left.
type Output struct {
	Code   int
	Stdout []byte // only with Capture
	// Redact takes the secrets of the step out of what is made of Stdout; only with Capture.
	Redact func(string) string
	Tail   string // the last lines of its log, redacted
}

// CommandError is a command that ended with an exit code that is not OK, or
// could not be started.
type CommandError struct {
	Step string
	Code int
	Tail string // last lines of its log, redacted: the tool's own words
	Err  error  // why it could not be started, or ErrInterrupted
}

func (e *CommandError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %v", e.Step, e.Err)
	}
	return fmt.Sprintf("%s: exit code %d", e.Step, e.Code)
}

func (e *CommandError) Unwrap() error { return e.Err }

// Probe is what can be told about an interrupted apply.
type Probe struct {
	// Clean says that the tool sees nothing left to do.
	Clean bool
	// Text is what people need to choose: the state lock's holder, what a plan
	// would still change.
	Text string
	// Offers are what a Mender could set right.
	Offers []Offer
}

// Plan is what one step would change.
type Plan struct {
	Step    string   `json:"step"` // Applier.Describe
	Tool    string   `json:"tool,omitempty"`
	Add     int      `json:"add"`
	Change  int      `json:"change"`
	Destroy int      `json:"destroy"` // a replacement counts as one Add and one Destroy
	Changes []Change `json:"changes,omitempty"`
	// Text is the tool's own account, redacted and cut to a size fit for a comment.
	Text string `json:"text,omitempty"`
	// Notes are sentences people should see beside the counts: drift, warnings.
	Notes []string `json:"notes,omitempty"`
}

// Change is one entry of a plan. Two are equal when every field is.
type Change struct {
	Address      string   `json:"address"`
	Actions      []string `json:"actions"` // "create", "update", "delete", "read"
	Provider     string   `json:"provider,omitempty"`
	ReplacePaths []string `json:"replace_paths,omitempty"`
	Hash         string   `json:"hash"` // keyed, over before, after and unknown
}

// Deletes says whether the entry destroys something, by itself or to replace it.
func (c Change) Deletes() bool { return slices.Contains(c.Actions, "delete") }

// Replaces says whether the entry destroys something and makes it anew.
func (c Change) Replaces() bool {
	return c.Deletes() && slices.Contains(c.Actions, "create")
}

func (c Change) key() string {
	return strings.Join([]string{c.Address, strings.Join(c.Actions, ","), c.Provider, strings.Join(c.ReplacePaths, ","), c.Hash}, "\x00")
}

// Plans is the plan of a target: one entry for each of its steps, in order.
type Plans []Plan

// Empty says that there is nothing to do.
func (p Plans) Empty() bool {
	for _, s := range p {
		if len(s.Changes) > 0 || s.Add+s.Change+s.Destroy > 0 {
			return false
		}
	}
	return true
}

// Counts are the sums over the steps.
func (p Plans) Counts() (add, change, destroy int) {
	for _, s := range p {
		add, change, destroy = add+s.Add, change+s.Change, destroy+s.Destroy
	}
	return
}

// String is the counts as they stand in every text: "+1 ~0 -0".
func (p Plans) String() string {
	a, c, d := p.Counts()
	return fmt.Sprintf("+%d ~%d -%d", a, c, d)
}

// Destroyed names what is destroyed for good, Replaced what is made anew.
func (p Plans) Destroyed() []string {
	return p.addresses(func(c Change) bool { return c.Deletes() && !c.Replaces() })
}

// Replaced names what is destroyed and made anew.
func (p Plans) Replaced() []string { return p.addresses(Change.Replaces) }

func (p Plans) addresses(want func(Change) bool) []string {
	var out []string
	for _, s := range p {
		for _, c := range s.Changes {
			if want(c) {
				out = append(out, c.Address)
			}
		}
	}
	return out
}

// Digest names the change set: two plans with equal entries in the same steps
// have the same digest, whatever the order of their entries.
func (p Plans) Digest() string {
	h := sha256.New()
	for i, s := range p {
		keys := make([]string, len(s.Changes))
		for j, c := range s.Changes {
			keys[j] = c.key()
		}
		slices.Sort(keys)
		fmt.Fprintf(h, "%d %q %d %d %d %q\n", i, s.Step, s.Add, s.Change, s.Destroy, keys)
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}

// Within says whether p, a fresh plan, may be applied on the strength of
// reviewed: it is equal, or smaller with no delete or replace in what remains.
// If not, why names the first differences.
func (p Plans) Within(reviewed Plans) (ok bool, why string) {
	if p.Digest() == reviewed.Digest() {
		return true, ""
	}
	if len(p) != len(reviewed) {
		return false, fmt.Sprintf("it has %d steps, the reviewed plan had %d", len(p), len(reviewed))
	}
	var news, deletes []string
	for i, s := range p {
		had := map[string]bool{}
		for _, c := range reviewed[i].Changes {
			had[c.key()] = true
		}
		for _, c := range s.Changes {
			switch {
			case !had[c.key()]:
				news = append(news, c.Address+" ("+strings.Join(c.Actions, ", ")+")")
			case c.Deletes():
				deletes = append(deletes, c.Address)
			}
		}
		if len(s.Changes) == 0 && s.Add+s.Change+s.Destroy > reviewed[i].Add+reviewed[i].Change+reviewed[i].Destroy {
			news = append(news, s.Step)
		}
	}
	switch {
	case len(news) > 0:
		return false, "not in the reviewed plan: " + few(news)
	case len(deletes) > 0:
		return false, "the plan shrank and what remains destroys " + few(deletes)
	}
	return true, ""
}

func few(names []string) string {
	if len(names) > 5 {
		return strings.Join(names[:5], ", ") + fmt.Sprintf(" and %d more", len(names)-5)
	}
	return strings.Join(names, ", ")
}
