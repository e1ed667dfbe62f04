package birth

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// The tags of this feature. tagStatus is the teams' own.
const (
	tagStatus = "Status"
	tagBirth  = "signalbox:birth"

	standby = "standby"
	working = "working"
)

// look reads the instance, and keeps it waiting where it waits. One that is ended ends
// the birth, and so does one of which somebody else says something else.
func (s *stepper) look() (integrations.Machine, error) {
	b := s.b
	m, err := s.Cloud.Machine(s.ctx, b.At, b.Instance)
	if err != nil {
		return m, err
	}
	if m.State == integrations.InstanceTerminated || m.State == integrations.InstanceEnding {
		return m, &integrations.Gone{Why: m.ID + " is " + m.State}
	}
	if !slices.Contains([]string{"", standby, working}, m.Tags[tagStatus]) {
		return m, &leftError{m.Tags[tagStatus]}
	}
	s.place(m)
	return m, s.beat(m)
}

// place notes how it comes into its pools.
func (s *stepper) place(m integrations.Machine) {
	b := s.b
	member, _ := m.Group.Member(m.ID)
	hook, has := m.Group.Hook(b.Hook)
	b.Waits = has && member.Lifecycle == integrations.MemberWaiting
	switch {
	case m.Group == nil:
		b.Way = wayAlone
	case b.Waits, b.Way == "" && has && member.Lifecycle != integrations.MemberInService:
		b.Way, b.Until, b.Ends = wayHook, b.Launched.Add(hook.Longest), hook.Ends
	case !has && b.Let.IsZero():
		b.Way = wayBare
	case member.Lifecycle == integrations.MemberInService && b.Let.IsZero():
		b.Way = wayEarly
	}
	if m.Group != nil {
		b.Group = m.Group.Name
	}
}

// Heartbeats come three times in the time of the hook; the shortest there is are 30 s.
const (
	beats        = 3
	shortestBeat = 10 * time.Second
	longestBeat  = 10 * time.Minute
)

// beat keeps it waiting. That it cannot be kept is no failure of the birth, and people
// are told.
func (s *stepper) beat(m integrations.Machine) error {
	b := s.b
	hook, _ := m.Group.Hook(b.Hook)
	every := min(max(hook.Timeout/beats, shortestBeat), longestBeat)
	told := b.State == stateEnd || b.State == stateEnter && !b.Let.IsZero()
	if !b.Waits || told || s.now.Sub(b.Beat) < every {
		return nil
	}
	b.Beat = s.now
	err := s.Cloud.KeepWaiting(s.ctx, b.At, b.Group, b.Hook, b.Instance)
	switch {
	case err == nil:
	case s.ctx.Err() != nil:
		return s.ctx.Err()
	case isLater(err):
		b.Beat = s.now.Add(shortestBeat - every)
	case isGone(err): // the next look tells of what
	default:
		b.warn("its wait cannot be prolonged: “" + err.Error() + "”")
	}
	return nil
}

// mark says that it is not to work yet: to all that read its tags, and to what watches
// it, as soon as that knows it.
func (s *stepper) mark() (bool, error) {
	m, err := s.look()
	if err != nil {
		return false, err
	}
	b := s.b
	status := m.Tags[tagStatus]
	if status == working {
		return false, &leftError{status}
	}
	if status != standby || m.Tags[tagBirth] != b.ID {
		if err := s.intend(nil); err != nil {
			return false, err
		}
		s.wait = time.Second
		return false, s.Cloud.Tag(s.ctx, b.At, b.Instance, map[string]string{tagStatus: standby, tagBirth: b.ID}, nil)
	}
	if quiet, err := s.quiet(); err != nil || quiet {
		return quiet, err
	}
	return s.now.Sub(b.Since) >= monitorWait, nil // it is looked for again before each step
}

// reach waits until commands can be run on it.
func (s *stepper) reach() (bool, error) {
	m, err := s.look()
	if err != nil {
		return false, err
	}
	if !m.Reachable {
		s.b.Why = "Systems Manager does not reach it yet"
	}
	return m.Reachable, nil
}

// steps runs them in their order.
func (s *stepper) steps() (bool, error) {
	b := s.b
	if _, err := s.look(); err != nil {
		return false, err
	}
	if b.Step >= len(b.Steps) {
		return true, nil
	}
	one := b.Steps[b.Step]
	if b.Script == "" {
		if _, err := s.quiet(); err != nil {
			return false, err
		}
	}
	r, ready, err := s.host(one)
	if err != nil || !ready {
		return false, err
	}
	switch {
	case r.State != integrations.CommandDone:
		if b.Tries++; b.Tries >= tries {
			return false, stuck(fmt.Sprintf("nobody can tell whether %s ran, %d times in a row: “%s”", one.Name, b.Tries, r.Why))
		}
		b.Why = fmt.Sprintf("nobody can tell whether %s ran, so it is run again: “%s”", one.Name, r.Why)
		s.wait = time.Second
		return false, nil
	case r.Exit != 0:
		return false, stuck(fmt.Sprintf("%s ended with %d: “%s”", one.Name, r.Exit, brief(r.Output+" "+r.Why)))
	}
	b.Step++
	b.Why, b.Tries, s.wait = "", 0, time.Second
	b.Deadline = s.now.Add(limitStep(b))
	return b.Step >= len(b.Steps), nil
}

// host runs a step there, and says when there is a result. It is started again when
// nobody can tell whether it was started.
func (s *stepper) host(one Step) (r integrations.CommandResult, ready bool, err error) {
	b := s.b
	if b.Script != one.Name || b.Command == "" {
		b.Script, b.Command, b.CommandAt = one.Name, "", s.now
		if err := s.save(false); err != nil {
			return r, false, err
		}
		command, err := s.Cloud.Start(s.ctx, b.At, b.Instance, one.script(), one.limit())
		if err != nil {
			return r, false, err
		}
		b.Command, s.wait = command, 2*time.Second
		return r, false, nil
	}
	r, err = s.Cloud.Result(s.ctx, b.At, b.Instance, b.Command)
	switch {
	case err != nil:
		return r, false, err
	case r.State == integrations.CommandRunning && s.now.Sub(b.CommandAt) < one.limit()+delivery:
		if s.now.Sub(b.CommandAt) < time.Minute {
			s.wait = 2 * time.Second
		}
		return r, false, nil
	case r.State == integrations.CommandRunning:
		r.State, r.Why = integrations.CommandUnknown, "it runs for too long"
	}
	b.Script, b.Command = "", ""
	return r, true, nil
}

func brief(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if r := []rune(text); len(r) > 300 {
		return string(r[:300]) + "…"
	}
	return text
}

// enter has its group let it in, and waits until its pools find it well. Where a person
// lets it in although it failed, what the pools say is theirs.
func (s *stepper) enter() (bool, error) {
	b := s.b
	m, err := s.look()
	if err != nil {
		return false, err
	}
	if m.Group == nil {
		return true, nil
	}
	member, ok := m.Group.Member(m.ID)
	switch {
	case !ok:
		b.Why = fmt.Sprintf("the group %s does not list it", m.Group.Name)
		return false, nil
	case member.Lifecycle == integrations.MemberInService:
		return b.Anyway != nil || s.well(m), nil
	case !b.Waits || !b.Let.IsZero() && s.now.Sub(b.Let) < changeShows:
		b.Why = fmt.Sprintf("it is %s in %s", member.Lifecycle, m.Group.Name)
		return false, nil
	}
	again := !b.Let.IsZero()
	if err := s.intend(func(b *Birth) { b.Let = s.now }); err != nil {
		return false, err
	}
	s.wait = time.Second
	err = s.Cloud.LetIn(s.ctx, b.At, m.Group.Name, b.Hook, b.Instance)
	if err != nil && s.ctx.Err() == nil && !isLater(err) && (again || isGone(err)) {
		b.Why = fmt.Sprintf("it is %s in %s: “%v”", member.Lifecycle, m.Group.Name, err)
		return false, nil // it was told before, and may wait for somebody else
	}
	if err != nil && !isLater(err) {
		b.Let = time.Time{} // it waits still
	}
	return false, err
}

// well says whether every pool that has a seat for it finds it healthy.
func (s *stepper) well(m integrations.Machine) bool {
	for _, p := range m.Pools {
		for _, seat := range p.Seats {
			if seat.Instance == m.ID && seat.State != integrations.SeatHealthy && seat.State != integrations.SeatUnused {
				s.b.Why = fmt.Sprintf("%s: %s", p.Name, seat.State)
				return false
			}
		}
	}
	return true
}

// work says that it works, to all that read its tags and to what watches it.
func (s *stepper) work() (bool, error) {
	b := s.b
	m, err := s.look()
	if err != nil {
		return false, err
	}
	if _, ours := m.Tags[tagBirth]; ours || m.Tags[tagStatus] != working {
		if err := s.intend(nil); err != nil {
			return false, err
		}
		s.wait = time.Second
		return false, s.Cloud.Tag(s.ctx, b.At, b.Instance, map[string]string{tagStatus: working}, []string{tagBirth})
	}
	told, err := s.loud()
	if err != nil || told {
		return told, err
	}
	if s.now.Sub(b.Since) < monitorWait {
		b.Why = "its monitoring does not know it yet"
		return false, nil
	}
	b.warn("its monitoring does not know it: nobody is called when it falls ill")
	return true, nil
}

// failedEvery is how often one is looked at that has failed.
const failedEvery = time.Minute

// failed keeps it waiting until a person decides, and has its monitoring call people.
func (s *stepper) failed() (bool, error) {
	m, err := s.look()
	if err != nil {
		return false, err
	}
	s.wait = failedEvery
	if hook, _ := m.Group.Hook(s.b.Hook); s.b.Waits {
		s.wait = min(s.wait, max(hook.Timeout/beats, shortestBeat))
	}
	if !s.b.Alarms {
		s.b.Alarms, err = s.loud()
	}
	return false, err
}

// end has its group end it, because a person says so.
func (s *stepper) end() (bool, error) {
	b := s.b
	m, err := s.look()
	if err != nil {
		return false, err
	}
	if !b.Waits {
		member, _ := m.Group.Member(m.ID)
		if strings.HasPrefix(member.Lifecycle, "Terminating") {
			b.Why = fmt.Sprintf("it is %s in %s", member.Lifecycle, b.Group)
			return false, nil
		}
		return false, stuck("it does not wait at its group's launch hook any more: drain it instead")
	}
	if !b.Intent.IsZero() && s.now.Sub(b.Intent) < changeShows {
		return false, nil
	}
	if err := s.intend(func(b *Birth) { b.Intent = s.now }); err != nil {
		return false, err
	}
	return false, s.Cloud.Abandon(s.ctx, b.At, b.Group, b.Hook, b.Instance)
}
