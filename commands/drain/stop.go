package drain

import (
	"errors"
	"fmt"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// The application and its connections.

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
	n, unknown := connections(r)
	if s.d.Connections = n; n == 0 {
		return true, nil
	}
	s.d.Why = fmt.Sprintf("%d connections are open", n)
	if unknown != nil {
		s.d.Why = unknown.Error()
	}
	s.d.Script = name // and again, without stopping it again
	return false, nil
}

// countMeanwhile counts them while it waits to be out of what sends it requests. Nobody
// waits for that: what cannot be counted now is not known.
func (s *stepper) countMeanwhile(m integrations.Machine) error {
	const counting = "connections-meanwhile"
	d := s.d
	if s.role.Port == 0 || !m.Reachable || d.Script == "" && s.now.Sub(d.CommandAt) < countEvery {
		return nil
	}
	r, ready, err := s.host(counting, script("connections", s.role))
	s.next = 0
	switch {
	case errors.Is(err, errMoved) || s.ctx.Err() != nil:
		return err
	case err != nil:
		d.Script, d.Command, d.Connections = "", "", -1
	case ready:
		d.Connections, _ = connections(r) // -1 if it was not said
	}
	return nil
}
