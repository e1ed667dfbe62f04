package drain

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// Of an instance that another hand ended while it was drained.

// ended says whether a look at an instance finds it ended, or on its way there.
func ended(m integrations.Machine, err error) bool {
	var gone *integrations.Gone
	return errors.As(err, &gone) || err == nil && (m.State == integrations.InstanceTerminated || m.State == integrations.InstanceEnding)
}

// lost is what comes of something that is not there any more. Mostly it is the instance;
// one that is there is a person's to decide about.
func (s *stepper) lost(why *integrations.Gone, doing string) (time.Duration, error) {
	m, err := s.Cloud.Machine(s.ctx, s.d.At, s.d.Instance)
	var later *integrations.Later
	switch {
	case ended(m, err):
	case errors.As(err, &later):
		s.d.Why = fmt.Sprintf("its cloud asks to wait: “%v”", later.Err)
		return max(later.After, time.Second), s.save(false)
	case err != nil:
		return s.hold(plainly(err))
	default:
		return s.hold("something that it needs is not there any more: “" + why.Why + "”")
	}
	say := endedBy(doing)
	if !s.forgets(s.d) {
		return s.end(stateGone, say)
	}
	s.d.Because = say
	return s.move(stateForget)
}

func endedBy(doing string) string {
	return fmt.Sprintf("the instance is not there any more: somebody else ended it while it was %s", doing)
}

// forgets says whether what watches it has to be told that it is ended: we put its host
// into standby, where it would stay.
func (f *feature) forgets(d *Drain) bool {
	return f.Monitor != nil && d.MonitorHost != "" && !d.MonitorOver
}

// forget tells it.
func (s *stepper) forget() (bool, error) {
	done, why := s.retire()
	if !done {
		s.d.Why = why
	}
	return done, nil
}

// lookAfter looks at those that wait for a person: an instance that is ended meanwhile is
// nobody's to decide about any more, and its role is not held up by it.
func (f *feature) lookAfter(ctx context.Context) error {
	if f.Cloud == nil {
		return nil
	}
	var all []*Drain
	err := f.Store.View(func(tx *store.Tx) (err error) {
		all, err = list(tx, func(d *Drain) bool {
			return d.State == stateOut || d.State == stateHold && d.Held != stateVerify && (d.Held != stateTerminate || d.Intent.IsZero())
		})
		return err
	})
	if err != nil {
		return err
	}
	for _, d := range all {
		m, err := f.Cloud.Machine(ctx, d.At, d.Instance)
		if !ended(m, err) {
			continue // what cannot be told now is asked again
		}
		if err := f.Store.Update(ctx, func(tx *store.Tx) error { return f.giveUp(tx, d) }); err != nil && !errors.Is(err, errMoved) {
			return err
		}
	}
	return nil
}

// giveUp ends one that waited for a person, unless it goes on again.
func (f *feature) giveUp(tx *store.Tx, d *Drain) error {
	say := endedBy(word(d.State))
	if f.forgets(d) {
		d.Because = say
		if err := f.setOut(tx, d, stateForget); err != nil {
			return err
		}
		return audit(tx, d, word(stateForget), say)
	}
	d.State, d.Since, d.Ended, d.Why = stateGone, tx.Now(), tx.Now(), say
	if err := put(tx, d, true); err != nil {
		return err
	}
	d.Version++
	if err := f.goOn(tx, d); err != nil {
		return err
	}
	return audit(tx, d, stateGone, say)
}
