package drain

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// Where the records are kept.
const (
	keptDrains = "drains"
	keptRolls  = "drain roles"
)

// Drain is one instance on its way out. It is written before each change to the
// outside, and after each look.
type Drain struct {
	ID      string            `json:"id"` // "drain-3"
	Version uint64            `json:"version"`
	Roll    string            `json:"roll,omitempty"` // the role's drain that it is part of
	At      integrations.Site `json:"at"`
	// What it was when it was planned.
	Instance string       `json:"instance"`
	Name     string       `json:"name,omitempty"`
	Role     string       `json:"role"`
	Zone     string       `json:"zone"`
	Group    string       `json:"group,omitempty"`
	Keep     bool         `json:"keep,omitempty"` // taken out, and kept
	Reason   string       `json:"reason,omitempty"`
	By       store.Person `json:"by"`
	Room     string       `json:"room"`
	Plan     Plan         `json:"plan"`
	Now      *Now         `json:"now,omitempty"` // how it stood when it was planned
	Asked    time.Time    `json:"asked"`
	Until    time.Time    `json:"until,omitzero"` // a confirmation is good until then

	State    string    `json:"state"`
	Since    time.Time `json:"since"`              // that it is in this state
	Deadline time.Time `json:"deadline,omitzero"`  // of the state
	Intent   time.Time `json:"intent,omitzero"`    // the change of this state was begun
	Held     string    `json:"held,omitempty"`     // hold: the state that it stands in
	Why      string    `json:"why,omitempty"`      // what it waits for, why it is held, how it ended
	Because  string    `json:"because,omitempty"`  // why it goes back
	Begun    time.Time `json:"begun,omitzero"`     // it was confirmed
	Ended    time.Time `json:"ended,omitzero"`     // and is over
	Stopped  bool      `json:"stopped,omitempty"`  // its application was told to stop
	Left     bool      `json:"left,omitempty"`     // it was told to leave what sends it requests
	Marked   bool      `json:"marked,omitempty"`   // its tags were told to change
	LeftAt   time.Time `json:"left_at,omitzero"`   // when that was
	Holds    int       `json:"holds,omitempty"`    // how often it was held: each is told once
	Warning  string    `json:"warning,omitempty"`  // what is not as it should be, though it is over
	Was      string    `json:"was,omitempty"`      // the tag Status as it was
	HadNone  bool      `json:"had_none,omitempty"` // and it had none
	Desired  int       `json:"desired"`            // what the group wanted before
	Shrunk   bool      `json:"shrunk,omitempty"`   // the group wants one less, by us
	Shrink   bool      `json:"shrink,omitempty"`   // ended without a replacement: it is one itself
	Members  []string  `json:"members,omitempty"`  // of the group before

	Cluster string              `json:"cluster,omitempty"` // that it runs tasks of, once it was found there
	Emptied bool                `json:"emptied,omitempty"` // its cluster was told to move its tasks away
	Tasks   []integrations.Task `json:"tasks,omitempty"`   // that were left at the newest look
	// TaskPorts are those of the host that led to its tasks. Seats of these are its
	// cluster's to register again, and not ours.
	TaskPorts []int `json:"task_ports,omitempty"`

	// MonitorHost is its host in what watches it, "" before that was looked up or where
	// it has none, and MonitorWas is the status that it had there.
	MonitorHost string `json:"monitor_host,omitempty"`
	MonitorWas  string `json:"monitor_was,omitempty"`
	Unwatched   bool   `json:"unwatched,omitempty"`    // it has none, and people were told so
	MonitorOver bool   `json:"monitor_over,omitempty"` // nothing is left to be said there
	// Alarms are the alerts of its host that were open when it was put back; Heard says
	// that they were asked for, and MoreAlarms that there may be more.
	Alarms     []Alarm `json:"alarms,omitempty"`
	Heard      bool    `json:"heard,omitempty"`
	MoreAlarms bool    `json:"more_alarms,omitempty"`
	// Mute is why what watches it cannot be told that it is drained, "" while it can; and
	// Without is the word of whoever asked that it goes on all the same.
	Mute    string `json:"mute,omitempty"`
	Without *Word  `json:"without,omitempty"`

	Seats []integrations.Seat `json:"seats,omitempty"`
	// Command is the script under way, of the kind Script.
	Command   string    `json:"command,omitempty"`
	Script    string    `json:"script,omitempty"`
	CommandAt time.Time `json:"command_at,omitzero"`
	Flushed   bool      `json:"flushed,omitempty"` // the collector was told to flush
	Samples   []Sample  `json:"samples,omitempty"` // the newest looks into the buffers
	Unknowns  int       `json:"unknowns,omitempty"`
	GivenUp   *int64    `json:"given_up,omitempty"` // what the collector had given up at the first look
	// Proved is when the buffers were found empty for the last time that counts.
	Proved   time.Time `json:"proved,omitzero"`
	Override *Override `json:"override,omitempty"`

	Connections int   `json:"connections"` // -1: not known
	Bytes       int64 `json:"bytes"`       // left in the buffers; -1: not known
}

// Override is a second person's word that logs may be lost.
type Override struct {
	By     store.Person `json:"by"`
	At     time.Time    `json:"at"`
	Reason string       `json:"reason"`
}

// Word is what somebody decided, and why that had to be.
type Word struct {
	By  store.Person `json:"by"`
	At  time.Time    `json:"at"`
	Why string       `json:"why"`
}

// over says whether nothing is to be done any more.
func (d *Drain) over() bool { return !d.Ended.IsZero() }

// shrinks says whether its group is to want one less.
func (d *Drain) shrinks() bool { return d.Keep || d.Shrink }

// active says whether it may change anything now.
func (d *Drain) active() bool { return !d.over() && d.State != statePlanned && d.State != stateOut }

// marked says whether anything marks it as being drained.
func (d *Drain) marked() bool { return d.Marked || d.MonitorHost != "" }

// rests says that nothing goes on until a person says so.
func (d *Drain) rests() bool {
	return d.over() || d.State == statePlanned || d.State == stateOut || d.State == stateHold
}

// machine is what people call it.
func (d *Drain) machine() string {
	if d.Name != "" {
		return d.Name + " (" + d.Instance + ")"
	}
	return d.Instance
}

// short is its name alone, where it has one.
func (d *Drain) short() string { return cmp.Or(d.Name, d.Instance) }

func drains(tx *store.Tx) *store.Records[Drain] { return store.Feature[Drain](tx, keptDrains) }

var errMoved = errors.New("it was changed meanwhile")

// put writes d if nobody else did since it was read, and marks its cards.
func put(tx *store.Tx, d *Drain, urgent bool) error {
	now, found, err := drains(tx).Get(d.ID)
	if err != nil {
		return err
	}
	if found && now.Version != d.Version {
		return fmt.Errorf("write %s: %w", d.ID, errMoved)
	}
	next := *d
	next.Version++
	if err := drains(tx).Put(d.ID, next); err != nil {
		return err
	}
	if d.Roll != "" {
		if err := tell.Mark(tx, d.Roll, urgent); err != nil {
			return err
		}
	}
	return tell.Mark(tx, d.ID, urgent)
}

// list returns the drains that a condition holds for, oldest first.
func list(tx *store.Tx, which func(*Drain) bool) (out []*Drain, err error) {
	err = drains(tx).Each("", func(_ string, d Drain) error {
		if which(&d) {
			out = append(out, &d)
		}
		return nil
	})
	slices.SortFunc(out, func(a, b *Drain) int { return naturally(a.ID, b.ID) })
	return out, err
}

// actives are those that may change something now.
func actives(tx *store.Tx) ([]*Drain, error) { return list(tx, (*Drain).active) }
