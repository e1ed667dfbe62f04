package integrations

import (
	"fmt"
	"time"
)

// The statuses of an incident at the system that pages people.
const (
	RemoteTriggered    = "triggered"
	RemoteAcknowledged = "acknowledged"
	RemoteResolved     = "resolved"
)

// RemoteIncident is an incident as the system that pages people has it. Its texts were
// written by others. What that system does not say is zero.
type RemoteIncident struct {
	ID        string    `json:"id"`
	Number    int       `json:"number"` // as people there call it
	Status    string    `json:"status"`
	Title     string    `json:"title"`
	Service   string    `json:"service,omitempty"` // its name there
	ServiceID string    `json:"service_id,omitempty"`
	Policy    string    `json:"policy,omitempty"` // who is paged, and in which order
	PolicyID  string    `json:"policy_id,omitempty"`
	Urgency   string    `json:"urgency,omitempty"`  // "high" or "low"
	Priority  string    `json:"priority,omitempty"` // such as "P1"
	URL       string    `json:"url,omitempty"`
	Key       string    `json:"key,omitempty"` // the dedup key of the event that triggered it
	CreatedAt time.Time `json:"created_at"`
	ChangedAt time.Time `json:"changed_at,omitzero"` // of the status, the last time
	// Wakes is when one that somebody has is triggered again, by a snooze or by the patience
	// of its service.
	Wakes          time.Time     `json:"wakes,omitzero"`
	Assigned       []AlertPerson `json:"assigned,omitempty"`
	AcknowledgedBy []AlertPerson `json:"acknowledged_by,omitempty"`
	ResolvedBy     AlertPerson   `json:"resolved_by,omitzero"` // without an ID where it was no person
}

// RemoteEntry is a line of the log of an incident there.
type RemoteEntry struct {
	ID   string      `json:"id"`
	Kind string      `json:"kind"` // "trigger", "acknowledge", "escalate", "annotate" …
	At   time.Time   `json:"at"`
	By   AlertPerson `json:"by,omitzero"` // without an ID where it was no person
	Text string      `json:"text,omitempty"`
}

// RemotePolicy is an order of paging there.
type RemotePolicy struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Levels int    `json:"levels"`
}

// RemoteAct is who wants something done to an incident there.
type RemoteAct struct {
	As string // the address of the person who acts, which that system has to know
	ID string // of the incident
	// Asked is when the person asked. What has been done since then by the same person is
	// taken for this act, so trying it again after a lost answer does it once. Zero looks
	// at nothing.
	Asked time.Time
}

// RemoteTarget is whom an incident is given to: one of the two.
type RemoteTarget struct {
	Email  string // of a user there
	Policy string // the id of an order of paging
}

// RemoteActed is what came of an act.
type RemoteActed struct {
	Incident RemoteIncident // as it is now
	// Already says that nothing was done, because it was so; By is who had done it, and is
	// zero where that is not known.
	Already bool
	By      AlertPerson
	Cut     bool // a text was too long there, and was cut
	Level   int  // that it was escalated to
}

// RemoteOver refuses to act on an incident that is over: that would open it again.
type RemoteOver struct{ Incident RemoteIncident }

func (e *RemoteOver) Error() string {
	i := e.Incident
	text := fmt.Sprintf("incident #%d is over", i.Number)
	switch who := i.ResolvedBy.Name; {
	case who != "" && !i.ChangedAt.IsZero():
		return fmt.Sprintf("%s: %s resolved it at %s", text, who, i.ChangedAt.UTC().Format(time.RFC3339))
	case who != "":
		return fmt.Sprintf("%s: %s resolved it", text, who)
	case !i.ChangedAt.IsZero():
		return fmt.Sprintf("%s since %s", text, i.ChangedAt.UTC().Format(time.RFC3339))
	}
	return text
}

// RemoteStranger refuses an act of somebody whom the other system does not know. It is a
// *Refused too.
type RemoteStranger struct{ System, Email string }

func (e *RemoteStranger) Error() string {
	return fmt.Sprintf("no %s user has the address %s", e.System, e.Email)
}

// Unwrap says what can be done about it.
func (e *RemoteStranger) Unwrap() error {
	return &Refused{Why: e.Error(), Do: "give the person the address under people that " + e.System + " has"}
}

// RemoteEvent is what a machine tells the system that pages people.
type RemoteEvent struct {
	Dedup     string // what it is about: the same one opens one incident, however often it is told
	Summary   string // one line, which becomes the title
	Source    string // what is affected
	Severity  string // one of Severities
	At        time.Time
	Component string
	Group     string
	Class     string
	Details   map[string]string
	Links     []RemoteLink
	Client    RemoteLink // who tells it
}

// RemoteLink is an address with its text.
type RemoteLink struct{ URL, Text string }

// RemoteChange is a change that whoever is paged may want to know of, such as a deploy.
type RemoteChange struct {
	Summary string
	Source  string
	At      time.Time
	Details map[string]string
	Links   []RemoteLink
}

// RemoteHook is the subscription by which the other system tells us what happens, after
// it was looked after.
type RemoteHook struct {
	ID string
	// Did is what was done, in order: "created", "activated", "enabled", "widened", "pinged".
	Did []string
	// Secret is what deliveries are signed with. It is said once, where it was created.
	Secret Secret
}
