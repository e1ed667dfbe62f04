package statuspage

import (
	"errors"
	"fmt"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// The states of a notice.
const (
	stateAsking    = "asking"    // it waits for a confirmation
	stateSending   = "sending"   // it was confirmed
	statePosted    = "posted"    //
	stateFailed    = "failed"    // it was not posted
	stateUnknown   = "unknown"   // nobody can tell whether it was
	stateCancelled = "cancelled" // nobody wants it any more
)

// Notice is one change of the page: what somebody asked for, what customers will read of
// it, and what became of it.
type Notice struct {
	ID      string       `json:"id"` // "notice-3"
	Version uint64       `json:"version"`
	Ask     request      `json:"ask"`
	Plan    plan         `json:"plan"`
	Planned time.Time    `json:"planned"` // when the page was read for it
	Shown   time.Time    `json:"shown"`   // since when it can be confirmed
	By      store.Person `json:"by"`
	Room    string       `json:"room"`

	State string    `json:"state"`
	Since time.Time `json:"since"`
	Old   bool      `json:"old,omitempty"`  // it was shown too long ago to be confirmed
	Note  string    `json:"note,omitempty"` // why it is asked again
	Why   string    `json:"why,omitempty"`  // what it waits for, or how it ended

	// Of the confirmation. Notify says that subscribers are written to.
	Turn      int          `json:"turn,omitempty"` // of its jobs: only the newest works
	Confirmed store.Person `json:"confirmed,omitzero"`
	At        time.Time    `json:"confirmed_at,omitzero"`
	Notify    bool         `json:"notify,omitempty"`
	Nonce     string       `json:"nonce,omitempty"`
	Tried     time.Time    `json:"tried,omitzero"` // it is posted, or nobody knows; written before it is

	Incident string `json:"incident,omitempty"` // its id on the page
	URL      string `json:"url,omitempty"`
}

func (n *Notice) over() bool {
	return n.State == statePosted || n.State == stateFailed || n.State == stateUnknown || n.State == stateCancelled
}

// request is what somebody asked for; it is planned again when it is confirmed.
type request struct {
	Act        string `json:"act"`
	Incident   string `json:"incident,omitempty"`
	Title      string `json:"title,omitempty"`
	Status     string `json:"status,omitempty"`
	Body       string `json:"body,omitempty"`
	Impact     string `json:"impact,omitempty"`
	Components string `json:"components,omitempty"` // as typed: "web, api=major_outage"
	Each       string `json:"each,omitempty"`       // the state of those that say none
	About      string `json:"about,omitempty"`      // the incident here that it is about
}

// Incident is one of the page as it was last seen there.
type Incident struct {
	integrations.PageIncident
	Room  string    `json:"room"`
	Seen  time.Time `json:"seen"`
	Ended time.Time `json:"ended,omitzero"` // it was seen to be over
	Gone  bool      `json:"gone,omitempty"` // it is not on the page any more
	// About is the incident here that it was opened from: "incident-3".
	About string `json:"about,omitempty"`
}

// Reading is how the page was looked at.
type Reading struct {
	At  time.Time `json:"at"`
	Why string    `json:"why,omitempty"` // it does not answer
}

const theReading = "page"

func notices(tx *store.Tx) *store.Records[Notice] { return store.Feature[Notice](tx, keptNotices) }
func incidents(tx *store.Tx) *store.Records[Incident] {
	return store.Feature[Incident](tx, keptIncidents)
}
func readings(tx *store.Tx) *store.Records[Reading] { return store.Feature[Reading](tx, keptReading) }

var errMoved = errors.New("it was changed meanwhile")

// put writes a notice if nobody else did since it was read, and marks its card.
func put(tx *store.Tx, n *Notice) error {
	now, found, err := notices(tx).Get(n.ID)
	if err != nil {
		return err
	}
	if found && now.Version != n.Version {
		return fmt.Errorf("write %s: %w", n.ID, errMoved)
	}
	next := *n
	next.Version++
	return errors.Join(notices(tx).Put(n.ID, next), tell.Mark(tx, n.ID, true))
}

func incidentSubject(id string) string { return "page incident " + id }

// keep writes what was seen of an incident, unless something newer was, and shows it where
// it has a place.
func keep(tx *store.Tx, seen integrations.PageIncident, at time.Time, room string) error {
	was, found, err := incidents(tx).Get(seen.ID)
	if err != nil || found && was.Seen.After(at) {
		return err
	}
	next := Incident{PageIncident: seen, Room: was.Room, Seen: at, Ended: was.Ended, About: was.About}
	if next.Room == "" {
		next.Room = room
	}
	if next.Ended = was.Ended; !seen.Over() {
		next.Ended = time.Time{}
	} else if next.Ended.IsZero() {
		next.Ended = tx.Now()
	}
	if err := incidents(tx).Put(seen.ID, next); err != nil {
		return err
	}
	if next.About != "" && was.Ended.IsZero() != next.Ended.IsZero() {
		if err := tell.Mark(tx, next.About, true); err != nil {
			return err
		}
	}
	if next.Room == "" {
		return nil
	}
	if found && was.Room != "" {
		if same(was, next) {
			return nil
		}
		return tell.Mark(tx, incidentSubject(seen.ID), true)
	}
	s := store.Surface{ID: tell.ID(placeMessage, incidentSubject(seen.ID)), Place: placeMessage, Card: cardIncident, Subject: incidentSubject(seen.ID), Where: map[string]string{"channel": next.Room}}
	return tell.Open(tx, s)
}

// same says whether two sights of an incident are told alike.
func same(a, b Incident) bool {
	if a.Gone != b.Gone || a.Ended != b.Ended || a.Title != b.Title || a.Status != b.Status || a.Impact != b.Impact || len(a.Updates) != len(b.Updates) || len(a.Components) != len(b.Components) {
		return false
	}
	for n := range a.Updates {
		if a.Updates[n] != b.Updates[n] {
			return false
		}
	}
	for n := range a.Components {
		if a.Components[n] != b.Components[n] {
			return false
		}
	}
	return true
}
