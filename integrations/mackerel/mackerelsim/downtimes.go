package mackerelsim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// downtime is one as it stands at the wire (mackerel.io/api-docs/entry/downtimes).
type downtime struct {
	ID                   string      `json:"id"`
	Name                 string      `json:"name"`
	Memo                 string      `json:"memo,omitempty"`
	Start                int64       `json:"start"`
	Duration             int64       `json:"duration"` // minutes
	Recurrence           *recurrence `json:"recurrence,omitempty"`
	ServiceScopes        []string    `json:"serviceScopes,omitempty"`
	ServiceExcludeScopes []string    `json:"serviceExcludeScopes,omitempty"`
	RoleScopes           []string    `json:"roleScopes,omitempty"`
	RoleExcludeScopes    []string    `json:"roleExcludeScopes,omitempty"`
	MonitorScopes        []string    `json:"monitorScopes,omitempty"`
	MonitorExcludeScopes []string    `json:"monitorExcludeScopes,omitempty"`
}

type recurrence struct {
	Type     string   `json:"type"`
	Interval int64    `json:"interval"`
	Weekdays []string `json:"weekdays,omitempty"`
	Until    int64    `json:"until,omitempty"`
}

var (
	recurs   = []string{"hourly", "daily", "weekly", "monthly", "yearly"}
	weekdays = []string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}
)

// A Down is a downtime as it is now.
type Down struct {
	ID, Name, Memo string
	Services       []string
	From, Until    time.Time
}

// Downtimes lists all that there are, in the order in which they were made. Of those that
// recur it is the first turn.
func (s *Sim) Downtimes() (out []Down) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.downtimes {
		from := time.Unix(d.Start, 0).UTC()
		out = append(out, Down{d.ID, d.Name, d.Memo, slices.Clone(d.ServiceScopes), from, from.Add(time.Duration(d.Duration) * time.Minute)})
	}
	return out
}

// NoteDowntime gives a downtime another memo, as somebody does in the console.
func (s *Sim) NoteDowntime(id, memo string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := slices.IndexFunc(s.downtimes, func(d *downtime) bool { return d.ID == id })
	if n < 0 {
		return fmt.Errorf("no downtime has the id %q", id)
	}
	s.downtimes[n].Memo = memo
	return s.save()
}

func (s *Sim) listDowntimes(*call) (any, *refusal) {
	return map[string]any{"downtimes": append([]*downtime{}, s.downtimes...)}, nil
}

func (s *Sim) createDowntime(c *call) (any, *refusal) {
	d := &downtime{}
	from := json.NewDecoder(bytes.NewReader(c.body))
	from.DisallowUnknownFields()
	if err := from.Decode(d); err != nil || from.More() || d.ID != "" {
		return nil, refuse(http.StatusBadRequest, "the input is invalid")
	}
	r := d.Recurrence
	switch {
	case strings.TrimSpace(d.Name) == "":
		return nil, refuse(http.StatusBadRequest, "the name is missing")
	case d.Start <= 0 || d.Duration <= 0:
		return nil, refuse(http.StatusBadRequest, "the downtime duration is invalid")
	case r != nil && (!slices.Contains(recurs, r.Type) || r.Interval <= 0 || len(r.Weekdays) > 0 && r.Type != "weekly"),
		r != nil && slices.ContainsFunc(r.Weekdays, func(day string) bool { return !slices.Contains(weekdays, day) }):
		return nil, refuse(http.StatusBadRequest, "the recurrence configuration is invalid")
	}
	for _, full := range slices.Concat(d.RoleScopes, d.RoleExcludeScopes) {
		if service, role, ok := strings.Cut(full, ":"); !ok || service == "" || role == "" {
			return nil, refuse(http.StatusBadRequest, "the role %q does not exist", full)
		}
	}
	there := s.services()
	for _, service := range slices.Concat(d.ServiceScopes, d.ServiceExcludeScopes) {
		if _, ok := there[service]; !ok {
			return nil, refuse(http.StatusBadRequest, "the service %q does not exist", service)
		}
	}
	highest := 0
	for _, other := range s.downtimes {
		var n int
		if _, err := fmt.Sscanf(other.ID, "3DwnTm%d", &n); err == nil {
			highest = max(highest, n)
		}
	}
	d.ID = fmt.Sprintf("3DwnTm%05d", highest+1)
	s.downtimes = append(s.downtimes, d)
	return d, nil
}

func (s *Sim) deleteDowntime(c *call) (any, *refusal) {
	n := slices.IndexFunc(s.downtimes, func(d *downtime) bool { return d.ID == c.id })
	if n < 0 {
		return nil, refuse(http.StatusNotFound, "Downtime not found.")
	}
	gone := s.downtimes[n]
	s.downtimes = slices.Delete(s.downtimes, n, n+1)
	return gone, nil
}
