// Package gate holds the conditions that a change must meet, one a file. A gate
// is pure over a transaction and a snapshot of facts: it asks no network. The
// same gates are asked at the command, when the pull request is opened, at the
// merge, and again in the transaction that takes the run lock; a fact that
// cannot be read keeps the gate closed.
package gate

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// The moments at which gates are asked. A card and a commit status show how the
// gates of the merge stand, by what was known last; nothing is decided by them.
const (
	AtCommand = "command"
	AtOpening = "opening"
	AtCard    = "card"
	AtMerge   = "merge"
	AtDequeue = "dequeue"
)

// Question is what the gates are asked about.
type Question struct {
	At          string // one of the moments above
	Now         time.Time
	Catalog     *integrations.Catalog
	Environment string
	Service     string
	Targets     []string
	// Actor is who acts now; at dequeue, who merged.
	Actor integrations.Person
	// Requester is who asked for the change; for a plain pull request its author.
	Requester integrations.Person
	// Explicit says that Actor asked for this very change, so that their own
	// hold lets it pass.
	Explicit bool
	// Shown says that the answer is only shown: facts count then however old they
	// are. Else what a card says would depend on when it was last drawn.
	Shown bool
	Op    *store.Operation
	Pull  *store.Pull
	Job   *store.Job
	// Stands is how Job's commit stands to what its target saw last.
	Stands string
	// Pins are the versions that Job's commit sets.
	Pins []store.Pin
	// Head is the pull request's head that would be merged or was merged.
	Head string
}

// Closed is one closed gate: why, since when, and what would open it.
type Closed struct {
	Gate   string
	Reason string
	Since  time.Time // zero where that cannot be told
	Opens  string    // a sentence: what would open it
	Hold   string    // the hold's id, where one closes it
	Link   string    // where more is said of that hold
	Until  time.Time // when it opens by itself, where that is known
	// Wait says that something under way opens it: a job waits in its place in
	// the queue and asks nobody.
	Wait bool
	// Never says that nothing opens it, and By names the job that runs instead.
	Never bool
	By    string
	// Unread says that it is closed because something could not be read.
	Unread bool
}

// Says is the reason, with the link where a hold has one: for texts that cannot
// hide an address behind a word.
func (c Closed) Says() string { return strings.TrimSpace(c.Reason + " " + c.Link) }

// Gate is one condition. An error keeps it closed.
type Gate func(tx *store.Tx, q Question) ([]Closed, error)

// Rule is a gate as it is asked: its name, what it wants, and when.
type Rule struct {
	Name  string
	Wants string // what an open one says: "nobody holds it"
	Ask   Gate
	At    []string
	// Passable gates may be passed by somebody alone, for a reason.
	Passable bool
}

// Rules are all gates, in the order in which closed ones are named: the plainest
// first.
var Rules = []Rule{
	{"freeze", "nothing is frozen", Freeze, []string{AtCommand, AtOpening, AtCard, AtMerge, AtDequeue}, true},
	{"hold", "nobody holds it", Hold, []string{AtCommand, AtOpening, AtCard, AtMerge, AtDequeue}, false},
	{"dirty", "no apply or handwork left it dirty", Dirty, []string{AtCommand, AtOpening, AtCard, AtMerge, AtDequeue}, false},
	{"policy", "those who asked, pushed and merged may do so", Policy, []string{AtCard, AtMerge, AtDequeue}, false},
	{"window", "the deploy window is open", Window, []string{AtCard, AtMerge, AtDequeue}, true},
	{"cool-down", "the last deploy is long enough ago", CoolDown, []string{AtCard, AtMerge, AtDequeue}, true},
	{"promotion", "it succeeded where it has to run first", Promotion, []string{AtCard, AtMerge, AtDequeue}, false},
	{"covers", "every target is planned at this head", Covered, []string{AtCard, AtMerge}, false},
	{"fresh", "the plan is less than a day old", Fresh, []string{AtCard, AtMerge}, false},
	{"base", "the base branch has not touched its paths since", Base, []string{AtCard, AtMerge}, false},
	{"checks", "the checks are green", Checks, []string{AtCard, AtMerge, AtDequeue}, true},
	{"approvals", "enough people agreed to this head", Approvals, []string{AtCard, AtMerge, AtDequeue}, true},
	{"checked", "the authors checked what ships", Checked, []string{AtCard, AtMerge, AtDequeue}, true},
	{"order", "it comes after what the target saw last", Order, []string{AtDequeue}, false},
	{"wave", "the waves before it have succeeded", Wave, []string{AtDequeue}, false},
}

// Passable names the gates that somebody may pass alone, for a reason.
func Passable() []string {
	var out []string
	for _, r := range Rules {
		if r.Passable {
			out = append(out, r.Name)
		}
	}
	return out
}

// Line is how one gate stands.
type Line struct {
	Rule   Rule
	Closed []Closed // none: it is open
	Passed *store.Pass
}

// List asks the gates of the question's moment, and says of each how it stands.
// Without a moment it asks all that the question has an answer for.
func List(tx *store.Tx, q Question) []Line {
	var out []Line
	for _, r := range Rules {
		if !slices.Contains(r.At, q.At) {
			continue
		}
		closed, err := r.Ask(tx, q)
		if err != nil {
			closed = []Closed{{Unread: true, Reason: "it cannot be read: " + err.Error(), Opens: "what keeps it from being read is mended; it is read again by itself"}}
		}
		for i := range closed {
			closed[i].Gate = r.Name
		}
		line := Line{Rule: r, Closed: closed}
		if len(closed) > 0 && r.Passable {
			line.Passed = passed(q, r.Name, closed)
		}
		out = append(out, line)
	}
	return out
}

// Ask lists the closed gates of the question's moment; a gate that could not be
// read is listed as closed with the reason. only narrows it to some, by name.
func Ask(tx *store.Tx, q Question, only ...string) []Closed {
	var out []Closed
	for _, l := range List(tx, q) {
		if l.Passed == nil && (len(only) == 0 || slices.Contains(only, l.Rule.Name)) {
			out = append(out, l.Closed...)
		}
	}
	return out
}

// passed finds who let the operation through a gate. A pass is for the head that
// it was given to, as an approval is, and for what was frozen then: a stop that
// comes later stops it, too.
func passed(q Question, name string, closed []Closed) *store.Pass {
	if q.Op == nil {
		return nil
	}
	for i := range q.Op.Passes {
		p := &q.Op.Passes[i]
		later := slices.ContainsFunc(closed, func(c Closed) bool { return c.Hold != "" && c.Since.After(p.At) })
		if slices.Contains(p.Gates, name) && (p.Head == q.Head || q.Head == "") && !later {
			return p
		}
	}
	return nil
}

// Named says whether one of several closed gates has a name.
func Named(closed []Closed, name string) bool {
	return slices.ContainsFunc(closed, func(c Closed) bool { return c.Gate == name })
}

// factsLife is how old a fact may be when something is decided by it; what is
// older is read again outside the transaction (DESIGN.md section 3).
const factsLife = 30 * time.Second

// facts are those of the head in question, fit to decide by.
func (q Question) facts(gate string) (store.Facts, error) {
	switch {
	case q.Pull == nil:
		return store.Facts{}, fmt.Errorf("the pull request is not known yet")
	case q.Pull.Facts.Head != q.Head || q.Pull.Facts.Into != q.Pull.Base || q.Pull.Facts.At.IsZero():
		return store.Facts{}, fmt.Errorf("what GitHub knows of %s has not been read yet", short(q.Head))
	case q.Pull.Facts.Unread[gate] != "":
		return store.Facts{}, fmt.Errorf("%s", q.Pull.Facts.Unread[gate])
	case (q.At == AtMerge || q.At == AtDequeue) && !q.Shown && q.Now.Sub(q.Pull.Facts.At) > factsLife:
		return store.Facts{}, fmt.Errorf("it was read %s ago, which is too old to decide by", Age(q.Now.Sub(q.Pull.Facts.At)))
	}
	return q.Pull.Facts, nil
}

func (q Question) environment() (integrations.Environment, error) {
	env, ok := q.Catalog.Environment(q.Environment)
	if !ok {
		return env, fmt.Errorf("no environment is called %q", q.Environment)
	}
	return env, nil
}

func (q Question) rollback() bool { return q.Op != nil && q.Op.Rollback }

// Clock is an instant as gates write it; Slack shows it in the zone of whoever reads.
func Clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }

func short(sha string) string {
	if len(sha) > 7 {
		return sha[:7]
	}
	return sha
}
