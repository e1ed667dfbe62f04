package incident

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// An Incident is one message, from the first alert or the word of a person until it is
// over. One that a person declared has no source.
type Incident struct {
	gate.Incident
	Key string `json:"key,omitempty"` // of its alerts, see integrations.Alert
	// Room is its channel as the configuration names it: what that is in Slack may not be
	// known when the process has just begun.
	Room     string `json:"room,omitempty"`
	Severity string `json:"severity,omitempty"`
	// Alert is the newest one that said that something is wrong.
	Alert integrations.Alert `json:"alert,omitzero"`
	// Flaps is true while its source says that it goes to and fro; Reopened is how often
	// it was over and came back.
	Flaps    bool      `json:"flaps,omitempty"`
	Reopened int       `json:"reopened,omitempty"`
	Count    int       `json:"count,omitempty"` // of alerts that said that something is wrong
	Last     time.Time `json:"last,omitzero"`   // when the newest of them came

	// Acked is the first acknowledgement that stands; AckedName says whose it is, where
	// it came from its source.
	Acked     time.Time    `json:"acked,omitzero"`
	AckedBy   store.Person `json:"acked_by,omitzero"`
	AckedName string       `json:"acked_name,omitempty"`
	FirstAck  time.Time    `json:"first_ack,omitzero"` // for the time it took
	// OverName says who ended it, where it was no person here.
	OverName  string       `json:"over_name,omitempty"`
	Owner     store.Person `json:"owner,omitzero"` // to whom it was given
	Snoozed   time.Time    `json:"snoozed,omitzero"`
	SnoozedBy store.Person `json:"snoozed_by,omitzero"`
	Notes     []Note       `json:"notes,omitempty"`
	Reminded  time.Time    `json:"reminded,omitzero"` // that somebody has it and it is still open
	Touched   time.Time    `json:"touched,omitzero"`  // when a person last did something about it

	Escalation *Escalation `json:"escalation,omitempty"`
	// Elsewhere is what is known of it at the system that pages people for it.
	Elsewhere *Elsewhere `json:"elsewhere,omitempty"`
	// Storm is the incident that stands for this one and others that came at once.
	Storm string `json:"storm,omitempty"`
	// Members counts, in a storm, the incidents that it stands for.
	Members *Members `json:"members,omitempty"`
}

// A Note is what somebody wrote down.
type Note struct {
	At   time.Time    `json:"at"`
	By   store.Person `json:"by,omitzero"`
	Name string       `json:"name,omitempty"` // of somebody elsewhere
	Text string       `json:"text"`
}

const (
	mostNotes = 50
	mostPast  = 20
)

// Members are the incidents of a storm.
type Members struct {
	All    int            `json:"all"`
	Open   int            `json:"open"`
	Acked  int            `json:"acked"`
	Checks map[string]int `json:"checks"` // how many of each check, or title
}

func (i *Incident) open() bool { return i.Over.IsZero() }

// took says whose it is, "" while it is nobody's.
func (i *Incident) took() string {
	switch {
	case i.Acked.IsZero():
		return ""
	case i.AckedBy != (store.Person{}):
		return gate.FromStore(i.AckedBy).Display()
	}
	return i.AckedName
}

// calls says whether people are to be called for it now.
func (i *Incident) calls(now time.Time) bool {
	return i.open() && i.Acked.IsZero() && !now.Before(i.Snoozed) && i.Storm == ""
}

// A trail is what is known of one key of a source: which incident is open, and those that
// were, the newest last.
type trail struct {
	Open   string    `json:"open,omitempty"`
	Past   []string  `json:"past,omitempty"`
	Closed time.Time `json:"closed,omitzero"` // the newest of them
}

// Where the records stand; the incidents themselves are where the gates look for them.
const (
	keptOpen    = "incident-open"
	keptTrails  = "incident-trail"
	keptRooms   = "incident-room"
	keptPages   = "incident-page"
	keptSilence = "incident-silence"
)

func records(tx *store.Tx) *store.Records[Incident] {
	return store.Feature[Incident](tx, gate.IncidentFeature)
}

func trails(tx *store.Tx) *store.Records[trail] { return store.Feature[trail](tx, keptTrails) }

// opens are the ids of the open incidents that alerts made.
func opens(tx *store.Tx) *store.Records[time.Time] { return store.Feature[time.Time](tx, keptOpen) }

// trailKey is that of the alerts of one thing; keys of sources are long, and what they like.
func trailKey(source, key string) string {
	sum := sha256.Sum256([]byte(source + "\x00" + key))
	return hex.EncodeToString(sum[:16])
}

// put writes an incident down and has what shows it told anew.
func put(tx *store.Tx, i *Incident, urgent bool) error {
	if err := records(tx).Put(i.ID, *i); err != nil {
		return err
	}
	if err := i.time(tx); err != nil {
		return err
	}
	if i.open() {
		if err := opens(tx).Put(i.ID, i.Opened); err != nil {
			return err
		}
	} else if err := opens(tx).Delete(i.ID); err != nil {
		return err
	}
	return tell.Mark(tx, i.ID, urgent)
}

// openOnes are those that are open, the oldest first.
func openOnes(tx *store.Tx) (out []*Incident, err error) {
	var ids []string
	if err := opens(tx).Each("", func(id string, _ time.Time) error { ids = append(ids, id); return nil }); err != nil {
		return nil, err
	}
	for _, id := range ids {
		i, found, err := records(tx).Get(id)
		if err != nil {
			return nil, err
		}
		if found && i.open() {
			out = append(out, &i)
		}
	}
	slices.SortStableFunc(out, func(a, b *Incident) int { return a.Opened.Compare(b.Opened) })
	return out, nil
}

// note adds one.
func (i *Incident) note(n Note) {
	i.Notes = append(i.Notes, n)
	if over := len(i.Notes) - mostNotes; over > 0 {
		i.Notes = slices.Delete(i.Notes, 0, over)
	}
}
