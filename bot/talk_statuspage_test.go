package main

import (
	"fmt"
	"strings"
)

// statuspagePage is what customers read.
type statuspagePage struct {
	Components []struct{ Name, Status string }
	Incidents  []struct {
		ID, Name, Status, Impact string
		Updates                  []struct{ Status, Body string } `json:"incident_updates"`
	}
	Notifications []struct{ Title, Status, Body string }
}

func (w *talkWorld) statuspagePage() (p statuspagePage, err error) {
	return p, w.call("", "GET", "/sim/statuspage", nil, &p)
}

// lookAtStatuspage shows the page as customers read it, and what subscribers were written.
func (k *talk) lookAtStatuspage([]string) error {
	p, err := k.statuspagePage()
	if err != nil {
		return err
	}
	var states, lines []string
	for _, c := range p.Components {
		states = append(states, c.Name+" "+c.Status)
	}
	lines = append(lines, strings.Join(states, ", "))
	for _, i := range p.Incidents {
		lines = append(lines, fmt.Sprintf("%s %s: %s, impact %s", i.ID, i.Name, i.Status, i.Impact))
		for _, u := range i.Updates {
			lines = append(lines, "  "+u.Status+": "+u.Body)
		}
	}
	lines = append(lines, fmt.Sprintf("subscribers were written to %d times", len(p.Notifications)))
	for _, n := range p.Notifications {
		lines = append(lines, "  "+n.Title+" "+n.Status+": "+n.Body)
	}
	k.write("", lines)
	return nil
}

// postOnStatuspage is what somebody does on Statuspage's own pages.
func (k *talk) postOnStatuspage(m []string) error {
	return k.call("", "POST", "/sim/statuspage/post", map[string]string{"incident": m[0], "status": m[1], "message": m[2]}, nil)
}

func (k *talk) setOnStatuspage(m []string) error {
	return k.call("", "POST", "/sim/statuspage/component", map[string]string{"name": m[0], "status": m[1]}, nil)
}

func (k *talk) statuspageAnswers(m []string) error {
	fault := map[string]map[string]any{
		"answers again":         {"kind": "clear"},
		"answers nothing":       {"kind": "error", "status": 503, "count": -1},
		"loses its next answer": {"kind": "lost", "action": "incident.create"},
		"asks to wait":          {"kind": "throttle", "action": "incident.update", "retry_after": "10"},
	}[m[0]]
	fault["system"] = "statuspage"
	return k.call("", "POST", "/sim/fault", fault, nil)
}
