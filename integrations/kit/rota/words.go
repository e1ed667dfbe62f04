package rota

import "time"

// The words of a rotation. The rest of the house knows them as those of package
// integrations, which cannot be imported from the kit.

// A Shift is a stretch of a schedule's timeline in which the same people are on call,
// from Start until before End.
type Shift struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
	// On are the people, who is asked first at the front; none is a gap.
	On []Duty `json:"on,omitempty"`
}

// Gap says that nobody is on call.
func (s Shift) Gap() bool { return len(s.On) == 0 }

// A Duty is somebody who is on call, and why.
type Duty struct {
	// Person is the name in the configuration; of somebody who is not in it, the name
	// that the source shows.
	Person string `json:"person"`
	Layer  string `json:"layer,omitempty"`
	// Override is the id of the override that put them there, Instead whom it put
	// aside; "" where there is none.
	Override string `json:"override,omitempty"`
	Instead  string `json:"instead,omitempty"`
}

// Kinds of overrides.
const (
	Take    = "take"    // Person is on call instead of whoever is
	Replace = "replace" // Person is on call instead of Instead, wherever that one is
	Add     = "add"     // Person is on call as well
	Remove  = "remove"  // Instead is not on call
)

// An Override changes a timeline from Start until before End. All are applied to the
// timeline as its layers make it, never to what another override made of it; where two
// say something about the same person, the one that was made last holds.
type Override struct {
	ID       string    `json:"id"`
	Schedule string    `json:"schedule"`
	Kind     string    `json:"kind"`
	Person   string    `json:"person,omitempty"`
	Instead  string    `json:"instead,omitempty"`
	Start    time.Time `json:"start"`
	End      time.Time `json:"end"`
	// Order grows with each that is made.
	Order uint64 `json:"order"`
	// Swap is what the two halves of a swap have in common.
	Swap   string    `json:"swap,omitempty"`
	By     string    `json:"by,omitempty"`
	Reason string    `json:"reason,omitempty"`
	Made   time.Time `json:"made"`
	// Remote is its id in the system that keeps the schedule, "" where that is us.
	Remote string `json:"remote,omitempty"`
}
