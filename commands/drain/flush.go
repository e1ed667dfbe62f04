package drain

import (
	"fmt"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// The log gate as a step: logs.go says what proves that nothing is left.

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
	return s.sample(c, gap)
}

// sample looks into the buffers once, and says whether the looks so far prove enough.
func (s *stepper) sample(c collector, gap time.Duration) (bool, error) {
	d := s.d
	r, ready, err := s.host("logs", script(c.look, s.role))
	if err != nil || !ready {
		return false, err
	}
	sample, why := Sample{At: s.now}, ""
	if r.State != integrations.CommandDone || r.Exit != 0 {
		why = told(r)
	} else if read, err := c.read([]byte(r.Output), s.role); err != nil {
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
	case sample.empty() && retries(d.Samples) > 0:
		d.Why = fmt.Sprintf("its buffers are empty, and its outputs try again: %d more since the last look", retries(d.Samples))
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
