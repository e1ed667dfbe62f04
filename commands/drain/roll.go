package drain

import (
	"fmt"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// Roll drains the instances of a role one after the other. The next one begins in the
// transaction in which the one before it ended well; at the first that did not, it is
// paused (facts/aws.md 1.2 G5).
type Roll struct {
	ID      string       `json:"id"` // "roll-2"
	Version uint64       `json:"version"`
	Role    string       `json:"role"`
	Keep    bool         `json:"keep,omitempty"`
	Reason  string       `json:"reason,omitempty"`
	By      store.Person `json:"by"`
	Room    string       `json:"room"`
	Asked   time.Time    `json:"asked"`
	Until   time.Time    `json:"until,omitzero"` // a confirmation is good until then
	Digest  string       `json:"digest"`

	Left    []Chosen  `json:"left"` // still to be drained, in order
	Done    []Chosen  `json:"done,omitempty"`
	Of      int       `json:"of"`
	Current string    `json:"current,omitempty"` // the drain that goes on
	Begun   time.Time `json:"begun,omitzero"`
	Ended   time.Time `json:"ended,omitzero"`
	Paused  bool      `json:"paused,omitempty"`
	Aborted bool      `json:"aborted,omitempty"`
	Why     string    `json:"why,omitempty"` // it is paused, or ended early
	// Plan is that of the first one, as an example of each.
	Plan Plan `json:"plan"`
}

// Chosen is an instance that is to be drained.
type Chosen struct {
	At    integrations.Site `json:"at"`
	ID    string            `json:"id"`
	Name  string            `json:"name,omitempty"`
	Zone  string            `json:"zone"`
	Group string            `json:"group,omitempty"`
}

func rolls(tx *store.Tx) *store.Records[Roll] { return store.Feature[Roll](tx, keptRolls) }

func putRoll(tx *store.Tx, r *Roll) error {
	now, found, err := rolls(tx).Get(r.ID)
	if err != nil {
		return err
	}
	if found && now.Version != r.Version {
		return fmt.Errorf("write %s: %w", r.ID, errMoved)
	}
	next := *r
	next.Version++
	if err := rolls(tx).Put(r.ID, next); err != nil {
		return err
	}
	return tell.Mark(tx, r.ID, true)
}

// goOn is called when a drain ends: the next of its role begins, unless that one did
// not end well.
func (f *feature) goOn(tx *store.Tx, d *Drain) error {
	if d.Roll == "" {
		return nil
	}
	r, found, err := rolls(tx).Get(d.Roll)
	if err != nil || !found || r.Current != d.ID {
		return err
	}
	r.Current = ""
	switch {
	case d.State == stateDone && !r.Aborted, d.State == stateGone && !d.Left:
		r.Done = append(r.Done, Chosen{At: d.At, ID: d.Instance, Name: d.Name, Zone: d.Zone, Group: d.Group})
	case r.Aborted:
		r.Ended, r.Why = tx.Now(), fmt.Sprintf("%s; %s is %s", r.Why, d.machine(), word(d.State))
	default:
		r.Paused, r.Why = true, fmt.Sprintf("%s is %s: %s", d.machine(), word(d.State), d.Why)
	}
	if err := f.next(tx, &r); err != nil {
		return err
	}
	return putRoll(tx, &r)
}

// halt is called when a drain is held: its role waits with it.
func (f *feature) halt(tx *store.Tx, d *Drain) error {
	if d.Roll == "" {
		return nil
	}
	return tell.Mark(tx, d.Roll, true)
}

// next begins the next one.
func (f *feature) next(tx *store.Tx, r *Roll) error {
	switch {
	case r.Paused || r.Current != "" || !r.Ended.IsZero():
		return nil
	case len(r.Left) == 0:
		r.Ended = tx.Now()
		return nil
	}
	c := r.Left[0]
	r.Left = r.Left[1:]
	id, err := tx.NextID("drain")
	if err != nil {
		return err
	}
	d := &Drain{ID: id, Roll: r.ID, At: c.At, Instance: c.ID, Name: c.Name, Role: r.Role, Zone: c.Zone, Group: c.Group, Keep: r.Keep,
		Reason: r.Reason, By: r.By, Room: r.Room, Plan: r.Plan, Asked: tx.Now(), Begun: tx.Now(), State: statePlanned, Connections: -1, Bytes: -1}
	d.Plan.Closed = nil
	r.Current = id
	return f.launch(tx, d)
}

// launch begins a drain that was confirmed.
func (f *feature) launch(tx *store.Tx, d *Drain) error {
	if err := f.setOut(tx, d, statePlan); err != nil {
		return err
	}
	return audit(tx, d, "begun", d.Reason)
}
