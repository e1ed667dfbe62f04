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
	time.Sleep(talkRefill)
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
