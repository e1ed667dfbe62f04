package drain

import (
	"fmt"
	"strings"

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
