package incident

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// An Escalation is whom an incident calls, as the configuration said when it began: an
// edit changes none that goes on. Who is on call of a schedule is asked when it is called.
type Escalation struct {
	Steps  []Step    `json:"steps"`
	Repeat int       `json:"repeat,omitempty"`
	Next   int       `json:"next"`  // the step to be taken
	Round  int       `json:"round"` // how often all have been taken
	Due    time.Time `json:"due"`
	Over   bool      `json:"over,omitempty"` // all were called, and nobody came
	// Calls are the steps that were taken.
	Calls []Called `json:"calls,omitempty"`
}

// Called is one step that was taken.
type Called struct {
	At     time.Time `json:"at"`
	People []string  `json:"people,omitempty"`
	// Nobody are the names of the step behind which nobody stood.
	Nobody []string `json:"nobody,omitempty"`
	By     string   `json:"by,omitempty"` // who asked for it, "" by itself
	Why    string   `json:"why,omitempty"`
	Last   bool     `json:"last,omitempty"`  // it called nobody: there was nobody left
	There  string   `json:"there,omitempty"` // the service for which PagerDuty pages
}

const (
	callEvery = 30 * time.Second
	mostCalls = 100
	oldest    = 24 * time.Hour // of an incident of which somebody is reminded
)

// frozen is the escalation of a new incident; nil where nobody is called.
func (f *feature) frozen(service, environment, severity string) *Escalation {
	r := f.Config().rule(service, environment, severity)
	if r == nil {
		return nil
	}
	return &Escalation{Steps: r.Steps, Repeat: r.Repeat, Due: f.Clock.Now()}
}

// freeze gives an incident its escalation; one for which another system pages people has
// none here.
func (f *feature) freeze(i *Incident) {
	if f.elsewhere(i) == nil {
		i.Escalation = f.frozen(i.Service, i.Environment, i.Severity)
	}
}

// turn has an incident that is nobody's any more call again, from the step that it was at.
func (f *feature) turn(i *Incident) {
	if e := i.Escalation; e != nil && i.open() && i.Acked.IsZero() {
		if e.Over {
			e.Over, e.Next, e.Round = false, 0, 0
		}
		e.Due = f.Clock.Now()
	}
}

// due says whether a step is to be taken.
func (i *Incident) due(now time.Time) bool {
	return i.Escalation != nil && !i.Escalation.Over && i.calls(now) && !now.Before(i.Escalation.Due)
}

// wakes says whether its snooze is over.
func (i *Incident) wakes(now time.Time) bool {
	return i.open() && !i.Snoozed.IsZero() && !now.Before(i.Snoozed)
}

// forgotten says whether whoever has it is to be reminded.
func (f *feature) forgotten(i *Incident, now time.Time) bool {
	every := f.Config().remind()
	last := i.Touched
	if i.Reminded.After(last) {
		last = i.Reminded
	}
	return every > 0 && i.open() && !i.Acked.IsZero() && i.Storm == "" && !now.Before(i.Snoozed) && now.Sub(last) >= every && now.Sub(i.Opened) < oldest
}

// watch takes the steps that are due, wakes what was snoozed, reminds, and ends silences.
// Each is one transaction, which writes down that it was done and opens what tells it: so
// nobody is called twice, and nobody is forgotten over a restart.
func (f *feature) watch(ctx context.Context) error {
	now := f.Clock.Now()
	var ids, quiet []string
	err := f.Store.View(func(tx *store.Tx) error {
		ids, quiet = nil, nil
		all, err := openOnes(tx)
		for _, i := range all {
			if i.due(now) || i.wakes(now) || f.forgotten(i, now) {
				ids = append(ids, i.ID)
			}
		}
		return errors.Join(err, silences(tx).Each("", func(id string, s Silence) error {
			if !s.Over && !now.Before(s.Until) && !f.asks() {
				quiet = append(quiet, id)
			}
			return nil
		}))
	})
	for _, id := range quiet {
		if err != nil {
			break
		}
		err = f.Store.Update(ctx, func(tx *store.Tx) error {
			s, found, err := silences(tx).Get(id)
			if err == nil && found && !s.Over {
				_, err = f.endSilence(tx, s, f.Catalog())
			}
			return err
		})
	}
	for _, id := range ids {
		if err != nil {
			break
		}
		err = f.Store.Update(ctx, func(tx *store.Tx) error {
			i, found, err := records(tx).Get(id)
			if err != nil || !found {
				return err
			}
			return f.move(tx, &i, now)
		})
	}
	if err != nil {
		return fmt.Errorf("watch the incidents: %w", err)
	}
	return nil
}

// move does what is due of one.
func (f *feature) move(tx *store.Tx, i *Incident, now time.Time) error {
	switch {
	case i.wakes(now):
		i.Snoozed = time.Time{}
		i.unack()
		if i.Escalation != nil {
			i.Escalation.Over, i.Escalation.Next, i.Escalation.Round, i.Escalation.Due = false, 0, 0, now
		}
		if err := f.under(tx, i, cardAwake, strconv.FormatInt(now.Unix(), 10), nil); err != nil {
			return err
		}
		if err := f.counted(tx, i, 0, -1); err != nil {
			return err
		}
		return put(tx, i, true)
	case i.due(now):
		if err := f.step(tx, i, "", ""); err != nil {
			return err
		}
		return put(tx, i, true)
	case f.forgotten(i, now):
		i.Reminded = now
		if err := f.remindOf(tx, i, now); err != nil {
			return err
		}
		return put(tx, i, false)
	}
	return nil
}

// step calls whoever is next. by asked for it, "" is its time.
func (f *feature) step(tx *store.Tx, i *Incident, by, why string) error {
	now, e := f.Clock.Now(), i.Escalation
	if e.Next >= len(e.Steps) && e.Round < e.Repeat {
		e.Next, e.Round = 0, e.Round+1
	}
	done := Called{At: now, By: by, Why: why}
	if e.Next >= len(e.Steps) {
		e.Over, done.Last = true, true
		return f.call(tx, i, done, nil)
	}
	s := e.Steps[e.Next]
	people, nobody := f.people(s.Call, now)
	done.Nobody = nobody
	there := false
	if s.PagerDuty != "" {
		var err error
		if there, err = f.pageThere(tx, i, s.PagerDuty); err != nil {
			return err
		}
		if there {
			done.There = s.PagerDuty
		} else {
			done.Nobody = append(done.Nobody, "PagerDuty "+s.PagerDuty)
		}
	}
	e.Next++
	e.Due = now.Add(s.wait())
	n := len(e.Calls)
	if err := f.call(tx, i, done, people); err != nil {
		return err
	}
	if s.SMS {
		if err := f.wish(tx, i, n, people); err != nil {
			return err
		}
	}
	if there || len(people) > 0 {
		return nil
	}
	return f.step(tx, i, by, why) // the next one, at once
}

// people are those behind some names now, each once, and the names behind which nobody is.
func (f *feature) people(names []string, now time.Time) (out []integrations.Person, nobody []string) {
	for _, name := range names {
		all, err := f.Called(name, now)
		if err != nil {
			f.Log.Warn("ask who is to be called", "name", name, "error", err)
		}
		if len(all) == 0 {
			nobody = append(nobody, name)
		}
		for _, p := range all {
			if !slices.ContainsFunc(out, p.Same) {
				out = append(out, p)
			}
		}
	}
	return out, nobody
}

func pages(tx *store.Tx) *store.Records[integrations.Page] {
	return store.Feature[integrations.Page](tx, keptPages)
}

// Pages are those of a time, [from, to).
func Pages(tx *store.Tx, from, to time.Time) (out []integrations.Page, err error) {
	err = pages(tx).Each("", func(_ string, p integrations.Page) error {
		if !p.At.Before(from) && p.At.Before(to) {
			out = append(out, p)
		}
		return nil
	})
	return out, err
}

// call tells people, each in a direct message and all of them under the incident.
func (f *feature) call(tx *store.Tx, i *Incident, done Called, people []integrations.Person) error {
	e := i.Escalation
	n := len(e.Calls)
	for _, p := range people {
		done.People = append(done.People, p.Display())
		id := fmt.Sprintf("%s-%03d-%s", i.ID, n, p.Display())
		if err := pages(tx).Put(id, integrations.Page{Person: p.Display(), At: done.At, Incident: i.ID}); err != nil {
			return err
		}
		if p.Slack == "" {
			continue
		}
		where := map[string]string{"channel": p.Slack, "n": strconv.Itoa(n)}
		if err := tell.Open(tx, store.Surface{ID: tell.ID(placeMessage, i.ID, cardPage, strconv.Itoa(n), p.Slack), Place: placeMessage, Card: cardPage, Subject: i.ID, Where: where}); err != nil {
			return err
		}
	}
	if len(e.Calls) < mostCalls {
		e.Calls = append(e.Calls, done)
	}
	return f.under(tx, i, cardCalled, strconv.Itoa(n), nil)
}

// under opens a message in the thread of an incident.
func (f *feature) under(tx *store.Tx, i *Incident, card, n string, more map[string]string) error {
	root := tell.ID(placeMessage, i.ID)
	if i.Storm != "" {
		root = tell.ID(placeMessage, i.Storm)
	}
	where := map[string]string{"channel": i.Channel, "under": root, "n": n}
	for k, v := range more {
		where[k] = v
	}
	return tell.Open(tx, store.Surface{ID: tell.ID(placeMessage, i.ID, card, n), Place: placeMessage, Card: card, Subject: i.ID, Where: where})
}

// remindOf reminds whoever has an incident; one whose holder is not known here is told of
// in its thread.
func (f *feature) remindOf(tx *store.Tx, i *Incident, now time.Time) error {
	at := strconv.FormatInt(now.Unix(), 10)
	p := gate.FromStore(i.AckedBy)
	if p.Slack == "" {
		return f.under(tx, i, cardReminder, at, nil)
	}
	return tell.Open(tx, store.Surface{ID: tell.ID(placeMessage, i.ID, cardReminder, at), Place: placeMessage, Card: cardReminder, Subject: i.ID, Where: map[string]string{"channel": p.Slack, "n": at}})
}
