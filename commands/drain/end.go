package drain

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// The end, which cannot be taken back.

// terminate is the one step that cannot be taken back.
func (s *stepper) terminate() (bool, error) {
	d := s.d
	m, err := s.look()
	var gone *integrations.Gone
	if errors.As(err, &gone) && !d.Intent.IsZero() {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	switch m.State {
	case integrations.InstanceTerminated:
		return true, nil
	case integrations.InstanceEnding:
		d.Why = "it is shutting down"
		return false, nil
	}
	if d.Proved.IsZero() && d.Override == nil {
		return false, stuck("its logs are not proved to be shipped")
	}
	if member, ok := m.Group.Member(m.ID); ok && strings.HasPrefix(member.Lifecycle, "Terminating") {
		d.Why = fmt.Sprintf("it is %s in %s", member.Lifecycle, d.Group)
		return false, nil
	}
	if d.Intent.IsZero() {
		if in, err := s.keepOut(m); in || err != nil {
			return false, err
		}
		closed, err := s.ask(m, true)
		if err != nil {
			return false, err
		}
		if len(closed) > 0 {
			d.Why = closed[0].String()
			return false, nil // it may open while its replacement starts
		}
	}
	if err := s.stillEmpty(); err != nil {
		return false, err
	}
	if err := s.intend(nil); err != nil {
		return false, err
	}
	return false, s.Cloud.Terminate(s.ctx, d.At, d.Group, d.Instance)
}

// verify has what watches it watch it no more, and looks whether all else is as it was.
func (s *stepper) verify() (bool, error) {
	retired, why := s.retire()
	replaced, err := s.replaced()
	if err != nil || !replaced {
		return false, err
	}
	if !retired {
		s.d.Why = why
	}
	return retired, nil
}

// replaced looks whether the group is as it was, without it.
func (s *stepper) replaced() (bool, error) {
	d := s.d
	pools, err := s.Cloud.Pools(s.ctx, d.At, d.Seats)
	if err != nil {
		return false, err
	}
	if left := s.staying(pools); len(left) > 0 {
		d.Why = "a pool still lists it: " + left[0].Pool
		return false, s.leaveAll(pools)
	}
	if d.Group == "" {
		return true, nil
	}
	g, err := s.Cloud.Group(s.ctx, d.At, d.Group)
	var gone *integrations.Gone
	if errors.As(err, &gone) { // nothing replaces it; that is not ours to mend
		d.warn(gone.Why)
		return true, nil
	}
	if err != nil {
		return false, err
	}
	in := 0
	for _, m := range g.Members {
		if m.Lifecycle == integrations.MemberInService && m.ID != d.Instance {
			in++
		}
	}
	if in < g.Desired {
		d.Why = fmt.Sprintf("%d of %d are in service in %s", in, g.Desired, g.Name)
		return false, nil
	}
	return !slices.ContainsFunc(g.Members, func(m integrations.Member) bool { return m.ID == d.Instance }), nil
}
