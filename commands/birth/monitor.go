package birth

import (
	"errors"

	"github.com/signalbox-chatops/signalbox/integrations"
)

func isLater(err error) bool {
	var later *integrations.Later
	return errors.As(err, &later)
}

func isGone(err error) bool {
	var gone *integrations.Gone
	return errors.As(err, &gone)
}

// quiet puts its host into standby, so that nobody is called for what is not done yet.
func (s *stepper) quiet() (done bool, err error) {
	return s.say(integrations.HostStandby)
}

// loud has people called for it.
func (s *stepper) loud() (done bool, err error) {
	return s.say(integrations.HostWorking)
}

// say gives its host a status. A new instance may not be known there yet, and what is
// refused there stops no birth: people are told.
func (s *stepper) say(status string) (done bool, err error) {
	if s.Monitor == nil {
		return true, nil
	}
	h, err := s.Monitor.HostByInstance(s.ctx, s.b.Instance)
	switch {
	case s.ctx.Err() != nil:
		return false, s.ctx.Err()
	case isGone(err), err == nil && h.Retired, isLater(err):
		return false, nil
	case err == nil && h.Status == status:
		return true, nil
	case err == nil:
		if err := s.intend(nil); err != nil {
			return false, err
		}
		err = s.Monitor.SetStatus(s.ctx, h.ID, status)
	}
	if err == nil || isLater(err) || isGone(err) { // it is looked at again
		return false, s.ctx.Err()
	}
	s.b.warn("its monitoring refuses: “" + err.Error() + "”")
	return s.b.State != stateFailed, s.ctx.Err()
}
