// Package commands is the language people speak to signalbox and the dispatcher
// that decides what they said. It stands on the second floor: the doors in bot
// hand it stored events; the features below it hold the verbs. It knows no system.
package commands

import (
	"context"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// Effect says whether a verb changes anything outside the store's log of questions.
type Effect int

// A verb reads or it changes.
const (
	Reads Effect = iota
	Changes
)

// Verb is one thing people can ask for. Parser, policy, help, modals, completion
// and documentation all read this one value.
type Verb struct {
	Name    string
	Aliases []string
	// Takes are the names of other verbs that mean this one where what follows begins so:
	// {"resolve": "incident-"} has "resolve incident-3" be of this verb.
	Takes   map[string]string
	Summary string // one line for the list of help
	Effect  Effect
	// Right is what the policy must grant; empty means Name. Verbs that read ask
	// for the right "read", which every linked person has.
	Right string
	// Who says in words who may, where the verb asks that itself and the right
	// alone does not tell it.
	Who string
	// Args are the positional arguments in order; Flags come anywhere as --name value.
	Args  []Arg
	Flags []Arg
	// Examples are whole lines without "/ops". "{service}" and "{environment}"
	// are replaced by names of this workspace.
	Examples []string
	Detail   string // a paragraph for `help <verb>`
	Hidden   bool   // left out of the list of help
	// Halts says that all it does is to stop something. Such a verb is decided
	// even while the process itself is being stopped and keeps the rest.
	Halts bool
	// Open verbs work for everybody, also for people nobody has linked; they say
	// nothing of the workspace to those.
	Open bool
	// Decide works out what is to be done. It may ask the network (and should
	// be done within a second); it changes nothing. What it returns runs in the
	// one transaction that also marks the event as decided and writes the audit row.
	// An error of type *Refusal goes to the person; any other is logged, and the
	// person is told that it went wrong, with its text.
	Decide func(ctx context.Context, c *Call) (Act, error)
}

// Act is the transaction of a decision. It may be run twice (its transaction is
// retried alone when another one of the same batch fails), so it changes only tx.
type Act func(tx *store.Tx) (Reply, error)

// ArgKind is how an argument is read and what a modal offers for it.
type ArgKind string

// The kinds of arguments.
const (
	ArgService     ArgKind = "service"     // resolved to its canonical name
	ArgEnvironment ArgKind = "environment" // likewise
	ArgSchedule    ArgKind = "schedule"    // likewise
	ArgTarget      ArgKind = "target"      // "web/production", aliases understood in both halves; or a configured target's name
	ArgScope       ArgKind = "scope"       // what a hold can hold, see Scope: also a service, an environment or "everything"
	ArgHold        ArgKind = "hold"        // such a scope, or one hold: "hold-4"
	ArgRef         ArgKind = "ref"         // branch, tag or SHA, as typed
	ArgSubject     ArgKind = "subject"     // "op-12", "job-31", "#12", a pull request's URL or acme/web#12
	ArgThing       ArgKind = "thing"       // a service or a subject; beside a service an environment is asked for
	ArgAbout       ArgKind = "about"       // a subject or a target; either is what can be asked about
	ArgVerb        ArgKind = "verb"
	ArgDuration    ArgKind = "duration" // "2h", "90m", "1d", "2h30m"; kept as a Go duration string
	ArgWhen        ArgKind = "when"     // a time in the past, "friday", "7d", "2026-11-20 10:00"; kept as typed, see Since
	ArgMoment      ArgKind = "moment"   // a time to come, "18:00", "tomorrow", "friday 9:00", "2026-12-24"; a past one only where it says so; kept as typed, see Moment
	ArgWord        ArgKind = "word"
	ArgText        ArgKind = "text" // the rest of the line, exactly as typed (a quoted text loses its quotes)
	ArgBool        ArgKind = "bool" // a flag without a value
)

// Arg is one argument or flag.
type Arg struct {
	Name     string
	Kind     ArgKind
	Optional bool
	// Keyword must stand before it ("to" before an environment). It may be left
	// out where the words around it are unambiguous, and stands in usage.
	Keyword string
	// Also are other words that may stand in the keyword's place.
	Also []string
	// Strict keywords may not be left out: without one, any word would do.
	Strict  bool
	Help    string
	Default string
	// Choices are the words that an ArgWord may be, where they are few: others are refused
	// with the nearest of them, and a form lists them.
	Choices []string
}

// Call is one line, understood.
type Call struct {
	Verb  *Verb
	Line  string // as typed, for the audit
	Args  map[string]string
	Who   integrations.Person
	Heard integrations.Heard
	// Event is the sequence number of the stored event; what the act makes can be keyed by it.
	Event uint64
	// Version is that of the subject when the pressed button was drawn; 0 for a typed line.
	Version uint64
	Catalog *integrations.Catalog
}

// Arg is an argument's value, "" if it was not given.
func (c *Call) Arg(name string) string { return c.Args[name] }

// Reply is what a decision says.
type Reply struct {
	// Private is seen by the person alone.
	Private *integrations.Message
	// Public is posted where they spoke, once.
	Public *integrations.Message
	// Modal is opened for them.
	Modal *integrations.Modal
	// Subject and the rest go to the audit row.
	Subject     string
	Service     string
	Environment string
	Target      string
	Outcome     string // "" is "done"
}

// Happening is what a Feature's handler of outside events needs to know.
type Happening struct {
	Event   uint64
	Kind    string                   // the stored event's kind
	Forge   *integrations.ForgeEvent // for the kinds "github.…"
	Body    []byte                   // as it was accepted, for all others
	Catalog *integrations.Catalog
}

// Handler decides on an outside event that no person typed. The act's Reply is
// only used for its audit fields.
type Handler func(ctx context.Context, h Happening) (Act, error)
