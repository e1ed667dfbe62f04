package birth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/commands/runner"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// A job of this kind drives one birth. Each run of it is one step: it looks, changes
// what is not so yet, and is queued again. So it can be killed anywhere: the next run
// looks first. It goes on while a birth has failed, for what waits has to be kept
// waiting, and ends when the birth is over.

type jobData struct {
	Birth string `json:"birth"`
	Turn  int    `json:"turn"`
}

// begin inserts the job of a birth that goes on from here; the one before it ends.
func begin(tx *store.Tx, b *Birth) error {
	data, err := json.Marshal(jobData{b.ID, b.Turn})
	if err != nil {
		return err
	}
	_, _, err = tx.InsertJob(&store.Job{Key: fmt.Sprintf("%s at %d", b.ID, b.Version), Kind: kind, State: store.JobQueued, Data: data})
	return err
}

// run is one step.
func (f *feature) run(ctx context.Context, r *runner.Run) runner.End {
	var data jobData
	if err := json.Unmarshal(r.Job.Data, &data); err != nil {
		return runner.Failed(fmt.Errorf("read what %s is for: %w", r.Job.ID, err))
	}
	b, err := f.read(data.Birth)
	if err != nil {
		return runner.Failed(err)
	}
	if b.over() || b.Turn != data.Turn {
		return runner.End{State: store.JobSucceeded}
	}
	again, err := f.step(ctx, b)
	switch {
	case ctx.Err() != nil, errors.Is(err, errMoved):
		return runner.End{State: store.JobQueued, Uncounted: true}
	case err != nil:
		return runner.End{State: store.JobQueued, Uncounted: true, After: lookEvery, Err: err}
	case again < 0:
		return runner.End{State: store.JobSucceeded}
	}
	return runner.End{State: store.JobQueued, Uncounted: true, After: again}
}

func (f *feature) read(id string) (*Birth, error) {
	var b Birth
	var found bool
	err := f.Store.View(func(tx *store.Tx) (err error) { b, found, err = births(tx).Get(id); return err })
	if err == nil && !found {
		err = fmt.Errorf("no birth is called %s", id)
	}
	return &b, err
}

// stepper is one step of one birth.
type stepper struct {
	*feature
	ctx  context.Context
	b    *Birth
	was  Birth
	now  time.Time
	wait time.Duration // until the next look; 0 is the usual
}

// step makes one, and says after how long the next one is due; less than 0: none is.
func (f *feature) step(ctx context.Context, b *Birth) (time.Duration, error) {
	s := &stepper{feature: f, ctx: ctx, b: b, was: *b, now: f.Clock.Now()}
	row, ok := steps()[b.State]
	if !ok || f.Cloud == nil {
		return -1, nil
	}
	done, err := row.do(s)
	var later *integrations.Later
	var gone *integrations.Gone
	var left *leftError
	switch {
	case errors.Is(err, errMoved) || ctx.Err() != nil:
		return 0, err
	case errors.As(err, &left):
		return s.finish(stateLeft, left.Error())
	case errors.As(err, &gone):
		return s.finish(stateGone, s.gone())
	case errors.As(err, &later):
		s.wait = later.After
		if b.State != stateFailed {
			b.Why = fmt.Sprintf("its cloud asks to wait: “%v”", later.Err)
		}
	case err != nil && b.State == stateFailed:
		b.warn(plainly(err))
	case err != nil:
		return s.fail(plainly(err))
	case done:
		return s.move(row.next)
	}
	if !b.Deadline.IsZero() && s.now.After(b.Deadline) {
		return s.late()
	}
	if s.wait <= 0 {
		s.wait = lookEvery
	}
	return s.wait, s.save(false)
}

// stuck is why a step cannot go on: a person reads it.
type stuck string

func (s stuck) Error() string { return string(s) }

// leftError says that somebody else has taken the instance over.
type leftError struct{ status string }

func (l *leftError) Error() string {
	return fmt.Sprintf("its tag Status says %s: it is left to whoever says so", l.status)
}

// plainly is an error as a person reads it: our own words as they are, others' quoted.
func plainly(err error) string {
	var ours stuck
	if errors.As(err, &ours) {
		return string(ours)
	}
	return "it was refused: “" + err.Error() + "”"
}

// gone is how a birth ended whose instance is not there any more.
func (s *stepper) gone() string {
	if d := s.b.EndedBy; d != nil {
		return fmt.Sprintf("%s had it ended: %s", gate.FromStore(d.By).Display(), d.Reason)
	}
	return "the instance is not there any more: somebody else ended it while it was " + word(s.b.State)
}

// late is what comes of a state that took longer than it may.
func (s *stepper) late() (time.Duration, error) {
	b := s.b
	why := fmt.Sprintf("it was %s for %s, and is not done with that", word(b.State), gate.Age(b.Deadline.Sub(b.Since)))
	if b.Why != "" {
		why += ": " + b.Why
	}
	return s.fail(why)
}

// move goes on to the next state.
func (s *stepper) move(to string) (time.Duration, error) {
	if _, ok := steps()[to]; !ok {
		return s.finish(to, "")
	}
	enter(s.b, to, s.now)
	return 0, s.save(false)
}

// enter puts a birth into a state of the table.
func enter(b *Birth, to string, now time.Time) {
	b.State, b.Since, b.Deadline, b.Intent, b.Why = to, now, time.Time{}, time.Time{}, ""
	b.Script, b.Command, b.CommandAt, b.Tries = "", "", time.Time{}, 0
	if limit := steps()[to].limit; limit != nil {
		b.Deadline = now.Add(limit(b))
	}
}

// fail leaves it to a person. Its own state is kept, to be taken up from there.
func (s *stepper) fail(why string) (time.Duration, error) {
	b := s.b
	from := b.State
	enter(b, stateFailed, s.now)
	b.Why, b.Alarms = why, false
	if from != stateEnd { // else it is taken up from where it failed before
		b.Failed = from
	}
	b.Failures++
	shown := b.Shown
	b.Shown = true
	return 0, s.update(true, func(tx *store.Tx) error {
		if err := openCard(tx, b); err != nil {
			return err
		}
		if shown { // an edit calls nobody
			if err := call(tx, b); err != nil {
				return err
			}
		}
		return audit(tx, b, store.Person{}, stateFailed, why)
	})
}

// finish is the last state.
func (s *stepper) finish(to, why string) (time.Duration, error) {
	b := s.b
	from := b.State
	enter(b, to, s.now)
	b.Ended, b.Why, b.Waits = s.now, why, false
	// A warning is to be seen, and so is an end that came out of nowhere.
	show := !b.Shown && (b.Warning != "" || to == stateGone && from != stateMark)
	b.Shown = b.Shown || show
	return -1, s.update(true, func(tx *store.Tx) error {
		if show {
			if err := openCard(tx, b); err != nil {
				return err
			}
		}
		return audit(tx, b, store.Person{}, to, why)
	})
}

// save writes the birth as it is now, if that is another one than it was.
func (s *stepper) save(urgent bool) error {
	if reflect.DeepEqual(*s.b, s.was) {
		return nil
	}
	return s.update(urgent, nil)
}

func (s *stepper) update(urgent bool, also func(tx *store.Tx) error) error {
	err := s.Store.Update(s.ctx, func(tx *store.Tx) error {
		if err := put(tx, s.b, urgent); err != nil {
			return err
		}
		if also != nil {
			return also(tx)
		}
		return nil
	})
	if err == nil {
		s.b.Version++
		s.was = *s.b
	}
	return err
}

// intend writes down that the change of this state is begun, before it is.
func (s *stepper) intend(change func(b *Birth)) error {
	if s.b.Intent.IsZero() {
		s.b.Intent = s.now
	}
	if change != nil {
		change(s.b)
	}
	return s.save(false)
}

func audit(tx *store.Tx, b *Birth, who store.Person, outcome, detail string) error {
	text := b.machine()
	if detail != "" {
		text += ": " + detail
	}
	return tx.Audit(store.AuditRow{Act: "birth", Subject: b.ID, Outcome: outcome, Detail: text, Via: "runner", Who: who})
}

func openCard(tx *store.Tx, b *Birth) error {
	return tell.Open(tx, store.Surface{ID: tell.ID(placeMessage, b.ID), Place: placeMessage, Card: cardOne, Subject: b.ID, Where: map[string]string{"channel": b.Room}})
}

// call mentions people under the card, once for each failure.
func call(tx *store.Tx, b *Birth) error {
	n := fmt.Sprint(b.Failures)
	return tell.Open(tx, store.Surface{
		ID: tell.ID(placeMessage, b.ID, "failed", n), Place: placeMessage, Card: cardFailed, Subject: b.ID,
		Where: map[string]string{"channel": b.Room, "under": tell.ID(placeMessage, b.ID), "failure": n},
	})
}
