package incident

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// hear makes incidents of what a source delivered. A delivery that cannot be read is kept
// as it came, and the door has said so.
func (f *feature) hear(_ context.Context, h commands.Happening) (commands.Act, error) {
	n, err := f.Read(h.Kind, h.Body)
	if err != nil {
		f.Log.Warn("an alert is left as it is", "event", h.Event, "error", err)
		return nil, nil
	}
	if len(n.Alerts) == 0 || f.Config().Channel == "" {
		return nil, nil
	}
	return func(tx *store.Tx) (commands.Reply, error) {
		reply := commands.Reply{Outcome: "heard"}
		for _, a := range n.Alerts {
			a.Source = n.Source
			i, err := f.take(tx, a, h.Catalog)
			if err != nil {
				return reply, err
			}
			if i != nil {
				reply.Subject, reply.Service, reply.Environment = i.ID, i.Service, i.Environment
			}
		}
		return reply, nil
	}, nil
}

// take makes of one alert what it is: a new incident, or a change of one. nil is neither.
func (f *feature) take(tx *store.Tx, a integrations.Alert, cat *integrations.Catalog) (*Incident, error) {
	if service, ok := cat.Service(a.Service); ok {
		a.Service = service.Name
	}
	if e, ok := cat.Environment(a.Environment); ok {
		a.Environment = e.Name
	}
	if now := f.Clock.Now(); a.At.After(now) { // by a clock that is wrong: what comes next would seem to be overtaken
		a.At = now
	}
	joined, err := f.join(tx, a)
	if err != nil {
		return nil, err
	}
	key := trailKey(a.Source, a.Key)
	t, _, err := trails(tx).Get(key)
	if err != nil {
		return nil, err
	}
	switch {
	case t.Open == "" && joined: // it was over here before it was told there
		return nil, nil
	case t.Open == "":
		return f.begin(tx, key, t, a)
	case joined && a.State == integrations.AlertFiring: // which is ours
		a.State, a.Title = integrations.AlertUpdated, ""
	}
	i, found, err := records(tx).Get(t.Open)
	if err != nil || !found {
		return nil, err
	}
	do, ok := changes[a.State]
	if !ok {
		do = changes[integrations.AlertUpdated]
	}
	if f.theirs(a) && (i.overtaken(a) || i.knows(a)) {
		return &i, nil
	}
	if was := i; a.At.IsZero() || !a.At.Before(i.Alert.At) || a.State == integrations.AlertNoted { // one that was overtaken changes nothing
		if urgent, changed := do(&i, a, f.Clock.Now()); changed {
			f.name(&i, &was, a)
			if !i.open() {
				if !joined {
					if err := f.overHere(tx, &i); err != nil {
						return nil, err
					}
				}
				return &i, errors.Join(f.endMembers(tx, &i), f.end(tx, &i), f.stormOver(tx, &i))
			}
			if was.Acked.IsZero() != i.Acked.IsZero() {
				if err := f.counted(tx, &i, 0, acks(&i)-acks(&was)); err != nil {
					return nil, err
				}
				f.turn(&i)
			}
			return &i, put(tx, &i, urgent)
		}
	}
	return &i, nil
}

func acks(i *Incident) int {
	if i.open() && !i.Acked.IsZero() {
		return 1
	}
	return 0
}

// changes are what alerts of each state make of an open incident: whether people wait for
// it to be shown, and whether anything is another.
var changes = map[string]func(i *Incident, a integrations.Alert, now time.Time) (urgent, changed bool){
	integrations.AlertFiring:   again(false),
	integrations.AlertFlapping: again(true),
	integrations.AlertResolved: func(i *Incident, a integrations.Alert, now time.Time) (bool, bool) {
		i.Over, i.OverName = now, cmp.Or(a.By.Name, a.By.Email, a.Source)
		return true, true
	},
	integrations.AlertAcknowledged: func(i *Incident, a integrations.Alert, now time.Time) (bool, bool) {
		if !i.Acked.IsZero() {
			return false, false
		}
		i.ack(now, store.Person{}, cmp.Or(a.By.Name, a.By.Email, a.Source))
		return true, true
	},
	integrations.AlertUnacknowledged: func(i *Incident, a integrations.Alert, now time.Time) (bool, bool) {
		if i.Acked.IsZero() {
			return false, false
		}
		i.unack()
		return true, true
	},
	integrations.AlertNoted: func(i *Incident, a integrations.Alert, now time.Time) (bool, bool) {
		i.note(Note{At: now, Name: cmp.Or(a.By.Name, a.By.Email, a.Source), Text: a.Text})
		i.Touched = now
		return false, a.Text != ""
	},
	integrations.AlertUpdated: func(i *Incident, a integrations.Alert, now time.Time) (bool, bool) {
		was := i.Title
		i.Title = cmp.Or(a.Title, i.Title)
		if e := i.Elsewhere; e != nil && len(a.Assigned) > 0 {
			e.Assigned = a.Assigned
			return false, true
		}
		return false, was != i.Title
	},
}

// again is one more alert that something is wrong.
func again(flaps bool) func(i *Incident, a integrations.Alert, now time.Time) (urgent, changed bool) {
	return func(i *Incident, a integrations.Alert, now time.Time) (bool, bool) {
		i.Count++
		i.Last, i.Alert, i.Flaps = now, a, flaps
		i.Title = cmp.Or(a.Title, i.Title)
		worse := rank(a.Severity) < rank(i.Severity)
		if worse {
			i.Severity = a.Severity
		}
		return worse, true
	}
}

// rank is the place of a severity, the worst first.
func rank(severity string) int {
	if n := slices.Index(integrations.Severities, severity); n >= 0 {
		return n
	}
	return len(integrations.Severities)
}

// begin opens the incident of an alert whose key has none, or the last one of it again if
// that is over since a moment ago. What says nothing of something wrong begins none.
func (f *feature) begin(tx *store.Tx, key string, t trail, a integrations.Alert) (*Incident, error) {
	now := f.Clock.Now()
	wrong := a.State == integrations.AlertFiring || a.State == integrations.AlertFlapping
	if a.State == integrations.AlertResolved {
		return nil, f.calm(tx, key)
	}
	if !wrong && a.State != integrations.AlertAcknowledged { // which says that it was, and that we missed it
		return nil, nil
	}
	if !t.Closed.IsZero() && !a.At.IsZero() && a.At.Before(t.Closed.Add(-skew)) { // it was overtaken by its end
		return nil, nil
	}
	if echo, err := f.echo(tx, t, a); err != nil || echo {
		return nil, err
	}
	held, err := f.hush(tx, key, a)
	if err != nil || held {
		return nil, err
	}
	if n := len(t.Past); n > 0 && now.Sub(t.Closed) < f.Config().reopen() {
		if i, found, err := records(tx).Get(t.Past[n-1]); err != nil || found {
			if err != nil {
				return nil, err
			}
			return &i, f.reopen(tx, &i, key, t, a)
		}
	}
	room := f.Config().room(a.Severity)
	if room == "" {
		return nil, nil
	}
	i := &Incident{Key: a.Key, Severity: a.Severity, Alert: a, Count: 1, Last: now, Flaps: a.State == integrations.AlertFlapping}
	if i.ID, err = tx.NextID("incident"); err != nil {
		return nil, err
	}
	i.Source, i.Title, i.Service, i.Environment, i.Opened, i.Channel, i.Room = a.Source, a.Title, a.Service, a.Environment, now, f.Channel(room), room
	if f.elsewhere(i) != nil {
		i.Elsewhere = &Elsewhere{Assigned: a.Assigned}
	}
	if a.State == integrations.AlertAcknowledged {
		i.ack(now, store.Person{}, cmp.Or(a.By.Name, a.By.Email, a.Source))
		f.name(i, &Incident{}, a)
	}
	t.Open = i.ID
	if err := trails(tx).Put(key, t); err != nil {
		return nil, err
	}
	if err := f.place(tx, i); err != nil {
		return nil, err
	}
	return i, put(tx, i, true)
}

// skew is how far the clocks of sources may be off.
const skew = 30 * time.Second

// place decides where an incident is told: in a message of its own, or in that of a storm;
// and who is called for it.
func (f *feature) place(tx *store.Tx, i *Incident) error {
	storm, err := f.storm(tx, i)
	if err != nil {
		return err
	}
	if storm {
		return nil
	}
	f.freeze(i)
	if err := openCard(tx, i); err != nil {
		return err
	}
	if err := f.picture(tx, i); err != nil {
		return err
	}
	if !i.due(f.Clock.Now()) {
		return nil
	}
	return f.step(tx, i, "", "") // at once: nobody waits for a round
}

func openCard(tx *store.Tx, i *Incident) error {
	return tell.Open(tx, store.Surface{ID: tell.ID(placeMessage, i.ID), Place: placeMessage, Card: card, Subject: i.ID, Where: map[string]string{"channel": i.Channel, "silent": "yes"}})
}

// reopen has the same incident go on. Whoever had it has it still.
func (f *feature) reopen(tx *store.Tx, i *Incident, key string, t trail, a integrations.Alert) error {
	now := f.Clock.Now()
	t.Past = t.Past[:len(t.Past)-1]
	t.Open = i.ID
	if err := trails(tx).Put(key, t); err != nil {
		return err
	}
	i.Over, i.OverBy, i.OverName = time.Time{}, store.Person{}, ""
	i.Reopened++
	again(a.State == integrations.AlertFlapping)(i, a, now)
	if err := f.counted(tx, i, 1, acks(i)); err != nil {
		return err
	}
	f.turn(i)
	return put(tx, i, true)
}

// end writes down that an incident is over.
func (f *feature) end(tx *store.Tx, i *Incident) error {
	for _, key := range f.trailsOf(i) {
		t, _, err := trails(tx).Get(key)
		if err != nil {
			return err
		}
		if t.Open != i.ID {
			continue
		}
		t.Open, t.Closed = "", i.Over
		t.Past = append(t.Past, i.ID)
		if over := len(t.Past) - mostPast; over > 0 {
			t.Past = slices.Delete(t.Past, 0, over)
		}
		if err := trails(tx).Put(key, t); err != nil {
			return err
		}
	}
	acked := 0
	if !i.Acked.IsZero() {
		acked = -1
	}
	if err := f.counted(tx, i, -1, acked); err != nil {
		return err
	}
	return put(tx, i, true)
}

func (i *Incident) ack(now time.Time, by store.Person, name string) {
	i.Acked, i.AckedBy, i.AckedName, i.Touched, i.Snoozed = now, by, name, now, time.Time{}
	if i.FirstAck.IsZero() {
		i.FirstAck = now
	}
	if by == (store.Person{}) {
		return
	}
	if i.Owner = by; i.By == (store.Person{}) {
		i.By = by // a person answers for it: gate.OpenIncident counts it
	}
}

func (i *Incident) unack() {
	i.Acked, i.AckedBy, i.AckedName = time.Time{}, store.Person{}, ""
	if i.Source != "" {
		i.By = store.Person{}
	}
}
