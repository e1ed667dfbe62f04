package drain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/commands/runner"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// A job of this kind drives one drain. Each run of it is one step: it looks, changes
// what is not so yet, and is queued again. So it can be killed anywhere: the next run
// looks first. It ends when a person has to decide, or when the drain is over.

type jobData struct {
	Drain string `json:"drain"`
	Ask   bool   `json:"ask,omitempty"` // it only asks how it stands, while the drain is planned
}

// begin inserts the job of a drain that goes on from here.
func begin(tx *store.Tx, d *Drain) error {
	return insert(tx, d, fmt.Sprintf("%s at %d", d.ID, d.Version), jobData{Drain: d.ID})
}

func insert(tx *store.Tx, d *Drain, key string, of jobData) error {
	data, err := json.Marshal(of)
	if err != nil {
		return err
	}
	_, _, err = tx.InsertJob(&store.Job{Key: key, Kind: kind, State: store.JobQueued, Requester: d.By, Data: data})
	return err
}

// run is one step.
func (f *feature) run(ctx context.Context, r *runner.Run) runner.End {
	var data jobData
	if err := json.Unmarshal(r.Job.Data, &data); err != nil {
		return runner.Failed(fmt.Errorf("read what %s is for: %w", r.Job.ID, err))
	}
	d, err := f.read(data.Drain)
	if err != nil {
		return runner.Failed(err)
	}
	if data.Ask {
		return f.asks(ctx, d)
	}
	if d.rests() {
		return runner.End{State: store.JobSucceeded}
	}
	again, err := f.step(ctx, d)
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

func (f *feature) read(id string) (*Drain, error) {
	var d Drain
	var found bool
	err := f.Store.View(func(tx *store.Tx) (err error) { d, found, err = drains(tx).Get(id); return err })
	if err == nil && !found {
		err = fmt.Errorf("no drain is called %s", id)
	}
	return &d, err
}

// stepper is one step of one drain.
type stepper struct {
	*feature
	ctx  context.Context
	d    *Drain
	role Role
	now  time.Time
	next time.Duration // until the next look; 0 is the usual
}

// step makes one, and says after how long the next one is due; less than 0: none is.
func (f *feature) step(ctx context.Context, d *Drain) (time.Duration, error) {
	role, _ := f.Config().Role(d.Role)
	s := &stepper{feature: f, ctx: ctx, d: d, role: role, now: f.Clock.Now()}
	row, ok := steps()[d.State]
	if !ok {
		return -1, nil
	}
	if !d.Deadline.IsZero() && s.now.After(d.Deadline) {
		return s.late()
	}
	done, err := row.do(s)
	var later *integrations.Later
	var gone *integrations.Gone
	var no *refused
	var from *again
	switch {
	case errors.Is(err, errMoved) || ctx.Err() != nil:
		return 0, err
	case errors.As(err, &no):
		return s.refuse(no)
	case errors.As(err, &from):
		return s.anew(from)
	case errors.As(err, &later):
		d.Why = fmt.Sprintf("its cloud asks to wait: “%v”", later.Err)
		s.next = later.After
	case errors.As(err, &gone):
		return s.lost(gone, row.word)
	case err != nil:
		return s.hold(plainly(err))
	case done:
		return s.move(row.next(d))
	}
	if s.next <= 0 {
		s.next = lookEvery
	}
	return s.next, s.save(false)
}

// stuck is why a step cannot go on: a person reads it.
type stuck string

func (s stuck) Error() string { return string(s) }

// plainly is an error as a person reads it: our own words as they are, others' quoted.
func plainly(err error) string {
	var ours stuck
	if errors.As(err, &ours) {
		return string(ours)
	}
	return "it was refused: “" + err.Error() + "”"
}

// refused says that a guard is closed at a moment when only a person can go on.
type refused struct{ closed []Closed }

func (r *refused) Error() string { return r.closed[0].String() }

// refuse ends a drain that has changed nothing, and takes back one that has only put
// its mark: it has not left anything yet.
func (s *stepper) refuse(no *refused) (time.Duration, error) {
	if s.d.Left {
		return s.hold(no.Error())
	}
	s.d.Plan.Closed = no.closed
	if !s.d.marked() {
		return s.end(stateRefused, no.Error())
	}
	s.d.Because = no.Error()
	return s.move(stateUnmark)
}

// again says that a drain has to go on from a state that it had behind it.
type again struct{ to, why string }

func (a *again) Error() string { return a.why }

// anew goes back to that state. What was proved of its logs counts no more, nor does the
// word that some of them may be lost: they are not the same.
func (s *stepper) anew(from *again) (time.Duration, error) {
	d := s.d
	enter(d, from.to, s.now, steps()[from.to], s.role)
	d.Why, d.Proved, d.Override = from.why, time.Time{}, nil
	d.Samples, d.Unknowns, d.Flushed = nil, 0, false
	return 0, s.update(true, func(tx *store.Tx) error { return audit(tx, d, word(from.to)+" again", from.why) })
}

// late is what comes of a state that took longer than it may. Before anything was
// changed that is a refusal, and after the end a warning; else a person decides.
func (s *stepper) late() (time.Duration, error) {
	d := s.d
	limit := gate.Age(d.Deadline.Sub(d.Since))
	switch d.State {
	case statePlan:
		return s.end(stateRefused, d.Why)
	case stateForget:
		d.warn(fmt.Sprintf("its host in the monitoring may still be in standby: %s", d.Why))
		return s.move(stateGone)
	case stateVerify:
		d.warn(fmt.Sprintf("it is terminated, and after %s not all is as it was: %s", limit, d.Why))
		return s.move(stateDone)
	}
	why := fmt.Sprintf("it was %s for %s, and is not done with that", word(d.State), limit)
	if d.Why != "" {
		why += ": " + d.Why
	}
	return s.hold(why)
}

// move goes on to the next state.
func (s *stepper) move(to string) (time.Duration, error) {
	d := s.d
	row, ok := steps()[to]
	switch {
	case to == stateOut:
		d.State, d.Since, d.Deadline, d.Intent, d.Why = to, s.now, time.Time{}, time.Time{}, ""
		return -1, s.save(true)
	case to == stateUndone:
		extra, err := s.surplus()
		if err != nil {
			d.Why = plainly(err)
			return lookEvery, s.save(false)
		}
		return s.endWith(to, joined(d.Because, d.Warning), extra)
	case to == stateGone:
		return s.end(to, joined(d.Because, d.Warning))
	case !ok:
		return s.end(to, d.Warning)
	}
	enter(d, to, s.now, row, s.role)
	return 0, s.save(false)
}

// enter puts a drain into a state of the table.
func enter(d *Drain, to string, now time.Time, row state, r Role) {
	d.State, d.Since, d.Deadline, d.Intent, d.Why = to, now, now.Add(row.limit(d, r)), time.Time{}, ""
	d.Command, d.Script, d.CommandAt = "", "", time.Time{}
}

// setOut has a drain go on in a state of the table, because a person says so: one that
// was confirmed, one that was held, and one that goes back. What it had seen of the logs
// counts no more. One that rested gets a job; the others have one.
func (f *feature) setOut(tx *store.Tx, d *Drain, to string) error {
	role, _ := f.Config().Role(d.Role)
	rested, intent := d.rests(), d.Intent
	enter(d, to, tx.Now(), steps()[to], role)
	if to == d.Held { // it is tried again, and what was begun there is begun
		d.Intent = intent
	}
	d.Held, d.Samples, d.Unknowns, d.Flushed = "", nil, 0, false
	if !rested {
		if err := put(tx, d, true); err != nil {
			return err
		}
		d.Version++
		return nil
	}
	return f.drive(tx, d, true)
}

// drive writes a drain, and gives it a job.
func (f *feature) drive(tx *store.Tx, d *Drain, urgent bool) error {
	if err := put(tx, d, urgent); err != nil {
		return err
	}
	d.Version++
	return begin(tx, d)
}

// hold leaves it to a person, who is called once.
func (s *stepper) hold(why string) (time.Duration, error) {
	d := s.d
	d.Held, d.State, d.Since, d.Deadline, d.Why = d.State, stateHold, s.now, time.Time{}, why
	d.Holds++
	d.Command, d.Script = "", ""
	return -1, s.update(true, func(tx *store.Tx) error {
		if err := s.halt(tx, d); err != nil {
			return err
		}
		if err := call(tx, d); err != nil {
			return err
		}
		return audit(tx, d, "held", why)
	})
}

// end is the last state.
func (s *stepper) end(to, why string) (time.Duration, error) { return s.endWith(to, why, nil) }

// endWith is the end, with what is to be asked about then.
func (s *stepper) endWith(to, why string, extra *Drain) (time.Duration, error) {
	d := s.d
	d.State, d.Since, d.Deadline, d.Ended, d.Why = to, s.now, time.Time{}, s.now, why
	return -1, s.update(true, func(tx *store.Tx) error {
		if err := s.goOn(tx, d); err != nil {
			return err
		}
		if extra != nil {
			if err := propose(tx, extra); err != nil {
				return err
			}
		}
		return audit(tx, d, to, why)
	})
}

// save writes the drain as it is now.
func (s *stepper) save(urgent bool) error { return s.update(urgent, nil) }

func (s *stepper) update(urgent bool, also func(tx *store.Tx) error) error {
	err := s.Store.Update(s.ctx, func(tx *store.Tx) error {
		if err := put(tx, s.d, urgent); err != nil {
			return err
		}
		if also != nil {
			return also(tx)
		}
		return nil
	})
	if err == nil {
		s.d.Version++
	}
	return err
}

// intend writes down that the change of this state is begun, before it is.
func (s *stepper) intend(change func(d *Drain)) error {
	if s.d.Intent.IsZero() {
		s.d.Intent = s.now
	}
	if change != nil {
		change(s.d)
	}
	return s.save(false)
}

func audit(tx *store.Tx, d *Drain, outcome, detail string) error {
	return tx.Audit(store.AuditRow{Act: "drain", Subject: d.ID, Outcome: outcome, Detail: d.machine() + ": " + detail, Via: "runner", Who: d.By})
}

// auditBy is of what a person decides, who is not always whoever asked.
func auditBy(tx *store.Tx, c *commands.Call, d *Drain, outcome, detail string) error {
	return tx.Audit(store.AuditRow{Act: "drain", Subject: d.ID, Outcome: outcome, Detail: d.machine() + ": " + detail, Via: c.Via(), Who: gate.ToStore(c.Who)})
}

// call mentions whoever asked under the card, and writes to them, once for each hold.
func call(tx *store.Tx, d *Drain) error {
	under, n := tell.ID(placeMessage, cardSubject(d)), fmt.Sprint(d.Holds)
	places := map[string]map[string]string{"thread": {"channel": d.Room, "under": under}}
	if d.By.Slack != "" {
		places["direct"] = map[string]string{"channel": d.By.Slack}
	}
	for how, where := range places {
		where["hold"] = n
		err := tell.Open(tx, store.Surface{ID: tell.ID(placeMessage, d.ID, "held", n, how), Place: placeMessage, Card: cardHeld, Subject: d.ID, Where: where})
		if err != nil {
			return err
		}
	}
	return nil
}

// propose shows what a drain would do, to be confirmed.
func propose(tx *store.Tx, d *Drain) (err error) {
	if d.ID, err = tx.NextID("drain"); err != nil {
		return err
	}
	d.Asked, d.Since, d.Until = tx.Now(), tx.Now(), tx.Now().Add(confirmFor)
	if err := put(tx, d, true); err != nil {
		return err
	}
	if err := beginAsking(tx, d); err != nil {
		return err
	}
	return openCard(tx, cardOne, d.ID, d.Room)
}

// cardSubject is the subject of the card that shows a drain.
func cardSubject(d *Drain) string {
	if d.Roll != "" {
		return d.Roll
	}
	return d.ID
}
