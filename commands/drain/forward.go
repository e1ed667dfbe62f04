package drain

import (
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// The tags of this feature. tagStatus is the teams' own.
const (
	tagStatus = "Status"
	tagDrain  = "signalbox:drain"
	tagWas    = "signalbox:prev-status"
	tagLock   = integrations.TagLock // on a group, while a deploy holds its processes

	draining = "draining"
	hadNone  = "ABSENT" // as prev-status, where there was no Status
)

// look reads the instance. One that is ended, and not by us, ends the drain.
func (s *stepper) look() (integrations.Machine, error) {
	m, err := s.Cloud.Machine(s.ctx, s.d.At, s.d.Instance)
	if err != nil {
		return m, err
	}
	ours := s.d.State == stateTerminate && !s.d.Intent.IsZero() || s.d.State == stateVerify
	if (m.State == integrations.InstanceTerminated || m.State == integrations.InstanceEnding) && !ours {
		return m, &integrations.Gone{Why: m.ID + " is " + m.State}
	}
	return m, nil
}

// ask asks all guards, with what else is on its way out.
func (s *stepper) ask(m integrations.Machine, out bool) ([]Closed, error) {
	var others []*Drain
	err := s.Store.View(func(tx *store.Tx) (err error) { others, err = othersOf(tx, s.d); return err })
	return guards(Question{Machine: m, Role: s.role, Config: s.Config(), Here: s.here(s.ctx), Others: others, Keep: s.d.Keep, Shrink: s.d.Shrink, Out: out}), err
}

// othersOf are the drains that a drain waits for: all that may change something, but
// those that were asked for later and have not begun either.
func othersOf(tx *store.Tx, d *Drain) ([]*Drain, error) {
	return list(tx, func(o *Drain) bool {
		if !o.active() || o.ID == d.ID {
			return false
		}
		return !(o.State == statePlan && d.State == statePlan && later(o, d))
	})
}

func later(o, d *Drain) bool {
	if !o.Begun.Equal(d.Begun) {
		return o.Begun.After(d.Begun)
	}
	return naturally(o.ID, d.ID) > 0
}

// plan looks again at what was confirmed, and writes down how it was before anything
// is changed. Its guards may open yet, while one before it is being replaced.
func (s *stepper) plan() (bool, error) {
	m, err := s.look()
	if err != nil {
		return false, err
	}
	closed, err := s.ask(m, false)
	if err != nil {
		return false, err
	}
	d := s.d
	d.Plan.Closed = closed
	if len(closed) > 0 {
		d.Why = closed[0].String()
		return false, nil
	}
	if err := s.noteTasks(); err != nil {
		return false, err
	}
	was, ok := m.Tags[tagStatus]
	if prev := m.Tags[tagWas]; prev != "" && was == draining { // left by one that never ended
		was, ok = prev, prev != hadNone
	}
	d.Was, d.HadNone, d.Seats, d.Desired = was, !ok, seats(m), 0
	if m.Group != nil {
		d.Desired, d.Members = m.Group.Desired, nil
		for _, one := range m.Group.Members {
			d.Members = append(d.Members, one.ID)
		}
	}
	return true, nil
}

// mark says that it is on its way out: first to what watches it, so that nobody is
// called for it, and then to all that read its tags.
func (s *stepper) mark() (bool, error) {
	m, err := s.look()
	if err != nil {
		return false, err
	}
	if silent, err := s.silence(); err != nil || !silent {
		return false, err
	}
	d := s.d
	if m.Tags[tagStatus] == draining && m.Tags[tagDrain] == d.ID {
		return true, nil
	}
	was := d.Was
	if d.HadNone {
		was = hadNone
	}
	if err := s.intend(func(d *Drain) { d.Marked = true }); err != nil {
		return false, err
	}
	s.next = time.Second
	return false, s.Cloud.Tag(s.ctx, d.At, d.Instance, map[string]string{tagStatus: draining, tagDrain: d.ID, tagWas: was}, nil)
}
