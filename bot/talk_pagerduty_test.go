package main

import (
	"fmt"
	"strings"
	"time"
)

// pagerDutyPage is the page of the schedule that PagerDuty keeps.
type pagerDutyPage struct {
	ID, Zone string
	Shifts   []struct {
		Start, End time.Time
		On         []string
	}
	Overrides []struct {
		ID, User   string
		Start, End time.Time
	}
}

func (w *talkWorld) pagerDutyPage() (p pagerDutyPage, err error) {
	var got struct{ Schedules []pagerDutyPage }
	if err := w.call("", "GET", "/sim/pagerduty/schedules", nil, &got); err != nil {
		return p, err
	}
	if len(got.Schedules) != 1 {
		return p, fmt.Errorf("PagerDuty has %d schedules", len(got.Schedules))
	}
	return got.Schedules[0], nil
}

// itIs passes the time until a time of day of UTC, for what shows its minutes.
func (k *talk) itIs(m []string) error {
	at, err := time.Parse("15:04", m[0])
	if err != nil {
		return err
	}
	now := k.now().UTC()
	by := time.Date(now.Year(), now.Month(), now.Day(), at.Hour(), at.Minute(), 0, 0, time.UTC).Sub(now)
	if by <= 0 {
		by += 24 * time.Hour
	}
	k.settle(by)
	return nil
}

// putOnCall is what somebody does on PagerDuty's page.
func (k *talk) putOnCall(m []string) error {
	p, err := k.pagerDutyPage()
	if err != nil {
		return err
	}
	return k.call("", "POST", "/sim/pagerduty/override", map[string]string{"schedule": p.ID, "user": m[0], "for": m[1]}, nil)
}

// lookAtPagerDuty shows who comes next there, and by how many overrides.
func (k *talk) lookAtPagerDuty([]string) error {
	p, err := k.pagerDutyPage()
	if err != nil {
		return err
	}
	zone, err := time.LoadLocation(p.Zone)
	if err != nil {
		return err
	}
	var lines []string
	for n, s := range p.Shifts[:4] {
		at := s.Start.In(zone).Format("Mon 2 Jan 15:04")
		if n == 0 {
			at = "now"
		}
		lines = append(lines, at+" "+strings.Join(s.On, " + "))
	}
	k.write("", append(lines, fmt.Sprintf("%d overrides", len(p.Overrides))))
	return nil
}

// pagerDutyAnswers has its API refuse everything, or work again.
func (k *talk) pagerDutyAnswers(m []string) error {
	if m[0] == "again" {
		return k.fault("pagerduty", "clear")
	}
	return k.call("", "POST", "/sim/fault", map[string]any{"system": "pagerduty", "kind": "error", "status": 503, "count": -1}, nil)
}

// pagerDutyPages opens an incident there, as a machine does.
func (k *talk) pagerDutyPages(m []string) error {
	service := map[string]string{"web": "PWEB", "database": "PDB"}[m[0]]
	return k.call("", "POST", "/sim/pagerduty/incidents", map[string]string{"service": service, "title": m[1]}, nil)
}

type pagerDutyIncident struct {
	ID, Title, Status string
	Assigned          []string
	AcknowledgedBy    []string `json:"acknowledged_by"`
	Log               []struct{ Kind, User, Text string }
}

func (w *talkWorld) newestIncident() (pagerDutyIncident, error) {
	var got struct{ Incidents []pagerDutyIncident }
	if err := w.call("", "GET", "/sim/pagerduty/incidents", nil, &got); err != nil {
		return pagerDutyIncident{}, err
	}
	if len(got.Incidents) == 0 {
		return pagerDutyIncident{}, fmt.Errorf("PagerDuty has no incident")
	}
	return got.Incidents[len(got.Incidents)-1], nil
}

// actsInPagerDuty is what somebody does on PagerDuty's own page.
func (k *talk) actsInPagerDuty(m []string) error {
	i, err := k.newestIncident()
	if err != nil {
		return err
	}
	return k.call("", "POST", "/sim/pagerduty/incidents/"+i.ID, map[string]string{"user": m[0], "act": m[1]}, nil)
}

// lookAtPagerDutyIncident shows it with its log.
func (k *talk) lookAtPagerDutyIncident([]string) error {
	i, err := k.newestIncident()
	if err != nil {
		return err
	}
	lines := []string{fmt.Sprintf("%s: %s, with %s", i.Title, i.Status, strings.Join(i.Assigned, " + "))}
	for _, e := range i.Log {
		line := strings.TrimSpace(e.Kind + " " + e.User)
		if e.Kind == "annotate" {
			line += ": " + e.Text
		}
		lines = append(lines, "  "+line)
	}
	k.write("", lines)
	return nil
}
