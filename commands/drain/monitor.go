package drain

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// Monitor is what watches instances, and calls people. Its errors are those of Cloud:
// *integrations.Later, *integrations.Gone, or a refusal; and a change may have worked
// although it returned one.
type Monitor interface {
	// HostByInstance finds the host of an instance; *integrations.Gone says that it has
	// none.
	HostByInstance(ctx context.Context, instanceID string) (integrations.MonitoredHost, error)
	// Hosts are all that are not retired.
	Hosts(ctx context.Context) ([]integrations.MonitoredHost, error)
	SetStatus(ctx context.Context, hostID, status string) error
	// OpenAlerts are those of a host that are open, the oldest first; more says that not
	// all could be looked through.
	OpenAlerts(ctx context.Context, hostID string) (open []integrations.Alert, more bool, err error)
	// Retire has a host watched no more, for good, and closes its alerts.
	Retire(ctx context.Context, hostID string) error
}

// watched looks its host up. ok is false where it has none that is not retired.
func (s *stepper) watched() (h integrations.MonitoredHost, ok bool, err error) {
	h, err = s.Monitor.HostByInstance(s.ctx, s.d.Instance)
	var gone *integrations.Gone
	if errors.As(err, &gone) {
		return h, false, nil
	}
	return h, err == nil && !h.Retired, err
}

// asked gives an error of the monitor the words that a person reads. That a host is gone
// says nothing of the instance: it is looked for again.
func (s *stepper) asked(err error) error {
	var later *integrations.Later
	var gone *integrations.Gone
	switch {
	case err == nil || s.ctx.Err() != nil:
		return err
	case errors.As(err, &later):
		s.d.Why, s.next = fmt.Sprintf("its monitoring asks to wait: %v", later.Err), later.After
	case errors.As(err, &gone):
		s.d.Why, s.next = "its monitoring loses sight of it: "+gone.Why, lookEvery
	default:
		return stuck("its monitoring refuses: " + err.Error())
	}
	return nil
}

// silence puts its host into standby, so that nobody is called for what is done on
// purpose. What cannot be told now is waited for, and noted as why; whoever asked may
// have it go on without.
func (s *stepper) silence() (done bool, err error) {
	d := s.d
	if s.Monitor == nil || d.Unwatched || d.Without != nil {
		return true, nil
	}
	d.Mute = ""
	done, err = s.standby()
	if err == nil || errors.Is(err, errMoved) || s.ctx.Err() != nil {
		return done, err
	}
	err = s.asked(err)
	d.Mute = d.Why
	if err != nil {
		d.Mute = plainly(err)
	}
	return false, err
}

// standby does that. What it was before is written down first, with the intent. Where it
// has no host, that is said once, and is no obstacle. Its errors are the monitor's.
func (s *stepper) standby() (done bool, err error) {
	d := s.d
	h, watched, err := s.watched()
	if err != nil {
		return false, err
	}
	if !watched {
		d.Unwatched, d.Why, s.next = true, "its monitoring does not know it: nothing is changed there", time.Second
		return false, nil
	}
	if d.MonitorHost != h.ID {
		if err := s.intend(func(d *Drain) { d.MonitorHost, d.MonitorWas = h.ID, h.Status }); err != nil {
			return false, err
		}
	}
	if h.Status == integrations.HostStandby {
		return true, nil
	}
	s.next = time.Second
	return false, s.Monitor.SetStatus(s.ctx, h.ID, integrations.HostStandby)
}

// speak gives its host the status back that it had, unless somebody gave it another one
// meanwhile.
func (s *stepper) speak() (done bool, err error) {
	d := s.d
	if d.MonitorHost == "" || d.MonitorWas == integrations.HostStandby {
		return true, nil
	}
	if s.Monitor == nil {
		d.warn(fmt.Sprintf("its host %s in the monitoring may still be in standby, and was %s: no monitoring is configured any more", d.MonitorHost, d.MonitorWas))
		return true, nil
	}
	h, watched, err := s.watched()
	if err != nil {
		return false, s.asked(err)
	}
	if !watched || h.ID != d.MonitorHost {
		return true, nil
	}
	if h.Status != integrations.HostStandby {
		return s.alerted(h)
	}
	if err := s.intend(nil); err != nil {
		return false, err
	}
	s.next = time.Second
	return false, s.asked(s.Monitor.SetStatus(s.ctx, h.ID, d.MonitorWas))
}

// An Alarm is an alert of a host that was open when the host came back.
type Alarm struct {
	What     string    `json:"what"`
	Severity string    `json:"severity,omitempty"`
	Since    time.Time `json:"since,omitzero"`
}

const (
	mostAlarms = 10 // that are listed
	// askAlarms is how long it is tried to hear of them; a card without them is better
	// than a host that is not put back.
	askAlarms = 15 * time.Second
)

// alerted notes which alerts of its host are open. Those that came while it was in
// standby called nobody, and are not sent again now that it works
// (mackerel.io/docs/entry/howto/host-status): whoever put it back has to see them.
func (s *stepper) alerted(h integrations.MonitoredHost) (done bool, err error) {
	d := s.d
	if d.Heard {
		return true, nil
	}
	open, more, err := s.Monitor.OpenAlerts(s.ctx, h.ID)
	var later *integrations.Later
	switch {
	case err == nil:
	case s.ctx.Err() != nil:
		return false, err
	case errors.As(err, &later) && s.Clock.Now().Sub(d.Since) < askAlarms:
		d.Why, s.next = fmt.Sprintf("its monitoring asks to wait: %v", later.Err), max(later.After, time.Second)
		return false, nil
	default:
		d.warn("whether alerts of it are open could not be asked: " + err.Error())
	}
	d.Heard, d.Alarms, d.MoreAlarms = true, nil, more
	for _, a := range open {
		d.Alarms = append(d.Alarms, Alarm{What: cmp.Or(a.Title, a.Check, a.Kind, a.Key), Severity: a.Severity, Since: a.Opened})
	}
	return true, nil
}

// alarmsBody lists them.
func alarmsBody(d *Drain) []integrations.Block {
	if len(d.Alarms) == 0 && !d.MoreAlarms {
		return nil
	}
	lines := integrations.R("🔔 ", integrations.Bold("Alerts of it are open, and nobody is called for them again:"))
	for n, a := range d.Alarms {
		if n == mostAlarms {
			lines = append(lines, integrations.R(fmt.Sprintf("\n… and %d more", len(d.Alarms)-n))...)
			break
		}
		lines = append(lines, integrations.R("\n", alarmIcon(a.Severity), " ", integrations.Italic(a.What))...)
		if !a.Since.IsZero() {
			lines = append(lines, integrations.R(" · since ", integrations.When(a.Since, nil))...)
		}
	}
	if d.MoreAlarms {
		lines = append(lines, integrations.R("\nThere are too many open alerts to look through: look at its page in the monitoring.")...)
	}
	return []integrations.Block{{Text: lines}}
}

func alarmIcon(severity string) string {
	switch severity {
	case integrations.SeverityCritical:
		return "🔴"
	case integrations.SeverityWarning:
		return "🟠"
	}
	return "⚪"
}

// retire says that it is ended: poweroff first, and then it is retired, for a host that
// is only powered off keeps its open alerts for ever. What is refused is a warning: the
// instance is ended, whatever becomes of its host there.
func (s *stepper) retire() (done bool, why string) {
	d := s.d
	if s.Monitor == nil || d.MonitorOver {
		return true, ""
	}
	h, watched, err := s.watched()
	switch {
	case err != nil:
	case !watched:
		d.MonitorOver = true
		return true, ""
	case h.Status != integrations.HostPoweroff:
		err = s.Monitor.SetStatus(s.ctx, h.ID, integrations.HostPoweroff)
	default:
		err = s.Monitor.Retire(s.ctx, h.ID)
	}
	d.Why = "its host in the monitoring is not retired yet"
	if err := s.asked(err); err != nil {
		d.MonitorOver = true
		d.warn(err.Error())
		return true, ""
	}
	return false, d.Why
}

// warn adds to what is not as it should be.
func (d *Drain) warn(what string) { d.Warning = joined(d.Warning, what) }

// joined are two sentences, either of which may be "".
func joined(one, two string) string {
	if one == "" || two == "" {
		return one + two
	}
	return one + "; " + two
}
