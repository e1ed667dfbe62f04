package birth

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// Where the records are kept.
const (
	keptBirths  = "birth"
	keptWatched = "birth watched"
)

// Birth is one new instance on its way in. It is written before each change to the
// outside, and after each look.
type Birth struct {
	ID      string            `json:"id"` // "birth-3"
	Version uint64            `json:"version"`
	At      integrations.Site `json:"at"`
	// What it was when it was found.
	Instance string    `json:"instance"`
	Name     string    `json:"name,omitempty"`
	Role     string    `json:"role"`
	Zone     string    `json:"zone"`
	Group    string    `json:"group,omitempty"`
	Launched time.Time `json:"launched"`
	Begun    time.Time `json:"begun"`
	Room     string    `json:"room"`
	Hook     string    `json:"hook"`           // the name of its group's, whether it has one or not
	Turn     int       `json:"turn,omitempty"` // of its jobs: only the newest drives it
	Shown    bool      `json:"shown,omitempty"`

	State    string    `json:"state"`
	Since    time.Time `json:"since"`             // that it is in this state
	Deadline time.Time `json:"deadline,omitzero"` // of the state
	Intent   time.Time `json:"intent,omitzero"`   // the change of this state was begun
	Why      string    `json:"why,omitempty"`     // what it waits for, why it failed, how it ended
	Ended    time.Time `json:"ended,omitzero"`
	Warning  string    `json:"warning,omitempty"` // what is not as it should be, though it goes on

	Steps []Step `json:"steps"` // of its role, when it began or was tried again
	Step  int    `json:"step"`  // the one that goes on, or is the next
	Tries int    `json:"tries,omitempty"`
	// Script is the step under way, Command its id once that is known.
	Script    string    `json:"script,omitempty"`
	Command   string    `json:"command,omitempty"`
	CommandAt time.Time `json:"command_at,omitzero"`

	Way   string    `json:"way,omitempty"`   // how it comes into its pools
	Waits bool      `json:"waits,omitempty"` // at the hook, at the newest look
	Until time.Time `json:"until,omitzero"`  // AWS lets it wait
	Ends  bool      `json:"ends,omitempty"`  // and ends it then, or lets it in
	Beat  time.Time `json:"beat,omitzero"`   // the newest heartbeat
	Let   time.Time `json:"let_in,omitzero"` // it was told to go on

	Failed   string    `json:"failed,omitempty"`  // the state in which it failed
	Failures int       `json:"failures"`          // each is told once
	Alarms   bool      `json:"alarms,omitempty"`  // its monitoring was told to call people
	Anyway   *Decision `json:"anyway,omitempty"`  // it is let in although it failed
	EndedBy  *Decision `json:"end_it,omitempty"`  // and this, that it is to be ended
	Retried  *Decision `json:"retried,omitempty"` // the newest
}

// Decision is a person's word.
type Decision struct {
	By     store.Person `json:"by"`
	At     time.Time    `json:"at"`
	Reason string       `json:"reason,omitempty"`
}

// Ways in which an instance comes to where it gets requests.
const (
	wayHook  = "hook"  // its group waits until it is told
	wayBare  = "bare"  // its group has no launch hook, and puts it in by itself
	wayEarly = "early" // its group has one, and put it in before its steps were over
	wayAlone = "alone" // it is in no group
)

// over says whether nothing is to be done any more.
func (b *Birth) over() bool { return !b.Ended.IsZero() }

// machine is what people call it.
func (b *Birth) machine() string {
	if b.Name != "" {
		return b.Name + " (" + b.Instance + ")"
	}
	return b.Instance
}

// short is its name alone, where it has one.
func (b *Birth) short() string { return cmp.Or(b.Name, b.Instance) }

// warn adds to what is not as it should be, once.
func (b *Birth) warn(what string) {
	switch {
	case b.Warning == "":
		b.Warning = what
	case !strings.Contains(b.Warning, what):
		b.Warning += "; " + what
	}
}

// Watched is a role whose new instances are born here.
type Watched struct {
	// Since: what was launched before is left alone.
	Since time.Time `json:"since"`
	// Passed are instances that were launched later and said of themselves that they
	// work when they were first seen.
	Passed []string `json:"passed,omitempty"`
}

func births(tx *store.Tx) *store.Records[Birth] { return store.Feature[Birth](tx, keptBirths) }

func watched(tx *store.Tx) *store.Records[Watched] { return store.Feature[Watched](tx, keptWatched) }

var errMoved = errors.New("it was changed meanwhile")

// put writes b if nobody else did since it was read, and marks its cards.
func put(tx *store.Tx, b *Birth, urgent bool) error {
	now, found, err := births(tx).Get(b.ID)
	if err != nil {
		return err
	}
	if found && now.Version != b.Version {
		return fmt.Errorf("write %s: %w", b.ID, errMoved)
	}
	next := *b
	next.Version++
	if err := births(tx).Put(b.ID, next); err != nil {
		return err
	}
	return tell.Mark(tx, b.ID, urgent)
}

// list returns the births that a condition holds for, oldest first.
func list(tx *store.Tx, which func(*Birth) bool) (out []*Birth, err error) {
	err = births(tx).Each("", func(_ string, b Birth) error {
		if which(&b) {
			out = append(out, &b)
		}
		return nil
	})
	slices.SortFunc(out, func(a, b *Birth) int {
		return cmp.Or(len(a.ID)-len(b.ID), strings.Compare(a.ID, b.ID))
	})
	return out, err
}

func going(b *Birth) bool { return !b.over() }
