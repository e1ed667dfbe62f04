package drain

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/gate"
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

// leave takes it out of its pools: through its group, which puts it in Standby, and
// of what it has not left by that, one by one.
func (s *stepper) leave() (bool, error) {
	m, err := s.look()
	if err != nil {
		return false, err
	}
	d := s.d
	member, grouped := m.Group.Member(m.ID)
	if grouped && (member.Lifecycle == integrations.MemberStandby || member.Lifecycle == integrations.MemberEnteringStandby) && d.Left {
		return true, nil
	}
	if !grouped && d.Left && len(s.staying(m.Pools)) == 0 {
		return true, nil
	}
	// Also of one that was told to leave already, and has not: others may have fallen
	// ill since.
	closed, err := s.ask(m, false)
	switch {
	case err != nil:
		return false, err
	case len(closed) > 0 && !d.Left:
		return false, &refused{closed}
	case len(closed) > 0:
		d.Why = closed[0].String()
		return false, nil
	}
	if !d.Left {
		if err := s.intend(func(d *Drain) { d.Left, d.LeftAt, d.Shrunk = true, s.now, d.shrinks() && grouped }); err != nil {
			return false, err
		}
	}
	s.next = time.Second
	if grouped {
		if member.Lifecycle != integrations.MemberInService {
			d.Why = fmt.Sprintf("it is %s in its group", member.Lifecycle)
			return false, nil
		}
		return false, s.Cloud.EnterStandby(s.ctx, d.At, d.Group, d.Instance, d.shrinks())
	}
	return false, s.leaveAll(m.Pools)
}

// staying are its seats that were not told to go.
func (s *stepper) staying(pools []integrations.Pool) (out []integrations.Seat) {
	for _, p := range pools {
		for _, seat := range p.Seats {
			if seat.Instance == s.d.Instance && seat.State != integrations.SeatUnused && seat.State != integrations.SeatDraining {
				out = append(out, seat)
			}
		}
	}
	return out
}

func (s *stepper) leaveAll(pools []integrations.Pool) error { return s.leaveSeats(s.staying(pools)) }

func (s *stepper) leaveSeats(seats []integrations.Seat) error {
	var errs []error
	for _, seat := range seats {
		errs = append(errs, s.Cloud.Leave(s.ctx, s.d.At, seat))
	}
	return errors.Join(errs...)
}

// wait waits until it is in no pool any more, and has no connection that they know of.
func (s *stepper) wait() (bool, error) {
	d := s.d
	m, err := s.look()
	if err != nil {
		return false, err
	}
	member, grouped := m.Group.Member(m.ID)
	if grouped && member.Lifecycle != integrations.MemberStandby {
		if member.Lifecycle == integrations.MemberInService {
			return false, stuck(fmt.Sprintf("it is InService in %s again: somebody put it back", d.Group))
		}
		d.Why = fmt.Sprintf("it is %s in %s", member.Lifecycle, d.Group)
		return false, nil
	}
	pools, err := s.Cloud.Pools(s.ctx, d.At, d.Seats)
	if err != nil {
		return false, err
	}
	if len(s.staying(pools)) > 0 { // what its group does not take it out of, or what forgot it
		closed, err := s.ask(m, grouped)
		if err != nil {
			return false, err
		}
		if len(closed) > 0 {
			d.Why = closed[0].String()
			return false, nil
		}
		return false, s.leaveAll(pools)
	}
	d.Connections = -1
	for _, p := range pools {
		for _, seat := range p.Seats {
			if seat.Instance != d.Instance {
				continue
			}
			if seat.Connections >= 0 {
				d.Connections = max(d.Connections, 0) + seat.Connections
			}
			if seat.State != integrations.SeatUnused || seat.Reason != integrations.ReasonNotRegistered || seat.Connections > 0 {
				d.Why = fmt.Sprintf("%s: %s", p.Name, seat.State)
				return false, nil
			}
		}
		if left := nlbSettle - s.now.Sub(d.LeftAt); p.Kind == integrations.PoolNLB && left > 0 {
			d.Why = fmt.Sprintf("%s may send new connections for %s more", p.Name, gate.Age(left))
			return false, nil
		}
	}
	return true, nil
}

// host runs a script there, and says when there is a result. It is started again
// when nobody can tell whether it was started.
func (s *stepper) host(name, text string) (r integrations.CommandResult, ready bool, err error) {
	d := s.d
	if d.Script != name || d.Command == "" {
		d.Script, d.Command, d.CommandAt = name, "", s.now
		if err := s.save(false); err != nil {
			return r, false, err
		}
		command, err := s.Cloud.Start(s.ctx, d.At, d.Instance, text, scriptLimit)
		if err != nil {
			return r, false, err
		}
		d.Command = command
		s.next = time.Second
		return r, false, nil
	}
	r, err = s.Cloud.Result(s.ctx, d.At, d.Instance, d.Command)
	switch {
	case err != nil:
		return r, false, err
	case r.State == integrations.CommandRunning && s.now.Sub(d.CommandAt) < 2*scriptLimit:
		s.next = 2 * time.Second
		return r, false, nil
	case r.State == integrations.CommandRunning:
		r.State, r.Why = integrations.CommandUnknown, "it runs for too long"
	}
	d.Script, d.Command = "", ""
	return r, true, nil
}

// stop stops the application and waits for its last connection.
func (s *stepper) stop() (bool, error) {
	d := s.d
	m, err := s.look()
	if err != nil {
		return false, err
	}
	if in, err := s.keepOut(m); in || err != nil {
		return false, err
	}
	if s.role.Unit == "" {
		return true, nil
	}
	const counting = "connections"
	if d.Script == counting {
		return s.count(counting)
	}
	if !d.Stopped {
		if err := s.intend(func(d *Drain) { d.Stopped = true }); err != nil {
			return false, err
		}
	}
	r, ready, err := s.host("stop", script("stop", s.role))
	if err != nil || !ready {
		return false, err
	}
	if r.State != integrations.CommandDone || r.Exit != 0 {
		d.Why = fmt.Sprintf("%s does not stop: %s", s.role.Unit, told(r))
		return false, nil // it is told again
	}
	if s.role.Port == 0 {
		return true, nil
	}
	return s.count(counting)
}

func (s *stepper) count(name string) (bool, error) {
	r, ready, err := s.host(name, script("connections", s.role))
	if err != nil || !ready {
		return false, err
	}
	n := -1
	if r.State == integrations.CommandDone && r.Exit == 0 {
		if _, err := fmt.Sscanf(strings.TrimSpace(r.Output), "%d", &n); err != nil {
			n = -1
		}
	}
	if s.d.Connections = n; n != 0 {
		s.d.Why = "its connections cannot be counted: " + told(r)
		if n > 0 {
			s.d.Why = fmt.Sprintf("%d connections are open", n)
		}
		s.d.Script = name // and again, without stopping it again
		return false, nil
	}
	return true, nil
}

// flush proves that the logs are shipped.
func (s *stepper) flush() (bool, error) {
	d, c := s.d, collectors[s.role.Logs]
	m, err := s.look()
	if err != nil {
		return false, err
	}
	if in, err := s.keepOut(m); in || err != nil {
		return false, err
	}
	if s.role.Logs == logsNone {
		d.Proved = s.now
		return true, nil
	}
	if c.look == "" { // the role is gone from the configuration
		return false, stuck(fmt.Sprintf("the configuration does not say any more what ships the logs of the role %s", d.Role))
	}
	if c.flush != "" && !d.Flushed {
		r, ready, err := s.host("flush", script(c.flush, s.role))
		if err != nil || !ready {
			return false, err
		}
		if r.State != integrations.CommandDone || r.Exit != 0 {
			return s.unknown(fmt.Sprintf("%s cannot be told to flush: %s", s.role.Logs, told(r)))
		}
		d.Flushed = true
	}
	gap := gapOf(s.role)
	if n := len(d.Samples); n > 0 && d.Script == "" {
		if left := gap - s.now.Sub(d.Samples[n-1].At); left > 0 {
			s.next = left
			return false, nil
		}
	}
	r, ready, err := s.host("logs", script(c.look, s.role))
	if err != nil || !ready {
		return false, err
	}
	sample, why := Sample{At: s.now}, ""
	if r.State != integrations.CommandDone || r.Exit != 0 {
		why = told(r)
	} else if read, err := c.read([]byte(r.Output)); err != nil {
		why = err.Error()
	} else {
		sample = read
		sample.At = s.now
	}
	sample.Unknown = why
	d.Samples = append(d.Samples, sample)
	d.Samples = d.Samples[max(0, len(d.Samples)-keepSeen):]
	if why != "" {
		d.Bytes = -1
		return s.unknown(why)
	}
	if d.Unknowns = 0; d.GivenUp == nil {
		d.GivenUp = &sample.GivenUp
	}
	d.Bytes = max(sample.Bytes, sample.Files)
	if proved(d.Samples, *d.GivenUp, gap) {
		d.Proved = s.now
		return true, nil
	}
	switch {
	case sample.GivenUp != *d.GivenUp:
		return false, stuck(fmt.Sprintf("%s gave up some of its logs: they are in no buffer any more, and were not shipped", s.role.Logs))
	case sample.empty():
		d.Why = "its buffers are empty, and are looked into again"
	default:
		d.Why = "its buffers are not empty: " + strings.TrimSpace(fmt.Sprintf("%d bytes %s", d.Bytes, sample.Left))
	}
	s.next = gap
	return false, nil
}

// unknown counts looks that told nothing; after some in a row a person is asked, for
// unknown is never empty.
func (s *stepper) unknown(why string) (bool, error) {
	d := s.d
	d.Unknowns++
	d.Why = "nobody can tell whether its logs are shipped: " + why
	if d.Unknowns < unknowns {
		return false, nil
	}
	d.Unknowns = 0
	return false, stuck(d.Why)
}
