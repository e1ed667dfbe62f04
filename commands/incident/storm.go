package incident

import (
	"cmp"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// When more incidents come to a channel within a minute than people can read, those
// beyond are told in one message, that of a storm. A storm is an incident itself: it is
// acknowledged, snoozed and escalated as one, for all that it stands for.

// A room is what came to a channel lately.
type room struct {
	Recent []time.Time `json:"recent,omitempty"` // within the window
	Storm  string      `json:"storm,omitempty"`  // the newest
	Joined time.Time   `json:"joined,omitzero"`  // when the last one came to it
}

func rooms(tx *store.Tx) *store.Records[room] { return store.Feature[room](tx, keptRooms) }

const (
	stormWindow = time.Minute
	stormCalm   = 5 * time.Minute // without a new one, after which it takes no more
	mostChecks  = 50              // that are counted apart
	otherChecks = "others"
)

// storm puts a new incident into the storm of its channel, and makes one where too many
// come; false where it is told by itself.
func (f *feature) storm(tx *store.Tx, i *Incident) (bool, error) {
	now := f.Clock.Now()
	r, _, err := rooms(tx).Get(i.Room)
	if err != nil {
		return false, err
	}
	var recent []time.Time
	for _, at := range r.Recent {
		if now.Sub(at) < stormWindow {
			recent = append(recent, at)
		}
	}
	r.Recent = append(recent, now)
	var s *Incident
	if r.Storm != "" && now.Sub(r.Joined) < stormCalm {
		if old, found, err := records(tx).Get(r.Storm); err != nil {
			return false, err
		} else if found {
			s = &old
		}
	}
	if s == nil {
		if len(r.Recent) <= f.Config().storm() {
			return false, rooms(tx).Put(i.Room, r)
		}
		if s, err = f.brews(tx, i); err != nil {
			return false, err
		}
	}
	if most := 2 * f.Config().storm(); len(r.Recent) > most {
		r.Recent = r.Recent[len(r.Recent)-most:]
	}
	r.Storm, r.Joined = s.ID, now
	if err := rooms(tx).Put(i.Room, r); err != nil {
		return false, err
	}
	i.Storm = s.ID
	s.Members.All++
	check := cmp.Or(i.Alert.Check, i.Title)
	if _, known := s.Members.Checks[check]; !known && len(s.Members.Checks) >= mostChecks {
		check = otherChecks
	}
	s.Members.Checks[check]++
	if s.Last = now; rank(i.Severity) < rank(s.Severity) {
		s.Severity = i.Severity
	}
	if !s.Acked.IsZero() && i.Acked.IsZero() && f.elsewhere(i) == nil { // whoever has the storm has it
		i.ack(now, s.AckedBy, s.AckedName)
	}
	return true, f.count(tx, s, 1, acks(i))
}

// brews makes the storm that begins with an incident.
func (f *feature) brews(tx *store.Tx, i *Incident) (*Incident, error) {
	s := &Incident{Severity: i.Severity, Last: i.Opened, Members: &Members{Checks: map[string]int{}}}
	var err error
	if s.ID, err = tx.NextID("incident"); err != nil {
		return nil, err
	}
	s.Source, s.Title, s.Opened, s.Channel, s.Room = i.Source, "a storm of alerts", i.Opened, i.Channel, i.Room
	s.Escalation = f.frozen(i.Service, i.Environment, i.Severity)
	if err := openCard(tx, s); err != nil || !s.due(f.Clock.Now()) {
		return s, err
	}
	return s, f.step(tx, s, "", "")
}

// counted tells the storm of an incident, if it is in one, of a change.
func (f *feature) counted(tx *store.Tx, i *Incident, open, acked int) error {
	if i.Storm == "" || open == 0 && acked == 0 {
		return nil
	}
	s, found, err := records(tx).Get(i.Storm)
	if err != nil || !found {
		return err
	}
	return f.count(tx, &s, open, acked)
}

// count keeps how many of a storm are open; it is over with the last of them.
func (f *feature) count(tx *store.Tx, s *Incident, open, acked int) error {
	s.Members.Open = max(0, s.Members.Open+open)
	s.Members.Acked = max(0, min(s.Members.Open, s.Members.Acked+acked))
	switch {
	case s.Members.Open == 0 && s.open():
		s.Over, s.OverName = f.Clock.Now(), integrations.AlertResolved
		return put(tx, s, true)
	case s.Members.Open > 0 && !s.open():
		s.Over, s.OverBy, s.OverName = time.Time{}, store.Person{}, ""
		s.Reopened++
	}
	return put(tx, s, false)
}

// membersOf are the open incidents of a storm.
func membersOf(tx *store.Tx, storm string) ([]*Incident, error) {
	all, err := openOnes(tx)
	var out []*Incident
	for _, i := range all {
		if i.Storm == storm {
			out = append(out, i)
		}
	}
	return out, err
}

// endMembers ends what a storm that is over stands for.
func (f *feature) endMembers(tx *store.Tx, s *Incident) error {
	if s.Members == nil {
		return nil
	}
	members, err := membersOf(tx, s.ID)
	for _, m := range members {
		if err == nil {
			m.Over, m.OverBy, m.OverName = s.Over, s.OverBy, s.OverName
			err = f.end(tx, m)
		}
	}
	s.Members.Open, s.Members.Acked = 0, 0
	return err
}

// stormOver tells the other system, if it was to page for the storm of an incident, that
// this was the last of it.
func (f *feature) stormOver(tx *store.Tx, i *Incident) error {
	if i.Storm == "" {
		return nil
	}
	s, found, err := records(tx).Get(i.Storm)
	if err != nil || !found || s.open() || s.Elsewhere == nil || s.Elsewhere.Dedup == "" {
		return err
	}
	if err := f.overHere(tx, &s); err != nil {
		return err
	}
	return records(tx).Put(s.ID, s)
}
