package mackerelsim

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
)

// alert is one as it stands at the wire (mackerel.io/api-docs/entry/alerts).
type alert struct {
	ID        string  `json:"id"`
	Status    string  `json:"status"`
	MonitorID string  `json:"monitorId"`
	Type      string  `json:"type"`
	HostID    string  `json:"hostId,omitempty"`
	Value     float64 `json:"value,omitempty"`
	Message   string  `json:"message,omitempty"`
	OpenedAt  int64   `json:"openedAt"`
	ClosedAt  int64   `json:"closedAt,omitempty"`
}

// An Alarm is what somebody wants to be alerted of.
type Alarm struct {
	Host    string  `json:"host"` // its name, or its id; "" is none's
	Status  string  `json:"status"`
	Type    string  `json:"type"`
	Monitor string  `json:"monitor"` // its name
	Message string  `json:"message"`
	Value   float64 `json:"value"`
}

var (
	alertStatuses = []string{"CRITICAL", "WARNING", "UNKNOWN"}
	alertTypes    = []string{"connectivity", "host", "service", "external", "check", "expression", "anomalyDetection"}
)

// Open opens an alert, and gives its id.
func (s *Sim) Open(a Alarm) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(alertStatuses, a.Status) || !slices.Contains(alertTypes, a.Type) {
		return "", fmt.Errorf("open an alert: no status %q of a type %q", a.Status, a.Type)
	}
	made := &alert{ID: fmt.Sprintf("3AlrTt%05d", len(s.alerts)+1), Status: a.Status, MonitorID: monitorID(a.Monitor), Type: a.Type, Message: a.Message, Value: a.Value, OpenedAt: s.clock.Now().Unix()}
	if a.Host != "" {
		n := slices.IndexFunc(s.hosts, func(h *host) bool { return !h.Retired && (h.Name == a.Host || h.ID == a.Host) })
		if n < 0 {
			return "", fmt.Errorf("open an alert: no host is called %q", a.Host)
		}
		made.HostID = s.hosts[n].ID
	}
	s.alerts = append(s.alerts, made)
	if a.Monitor != "" && !slices.Contains(s.monitors, a.Monitor) {
		s.monitors = append(s.monitors, a.Monitor)
	}
	return made.ID, s.save()
}

// Close closes an alert.
func (s *Sim) Close(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := slices.IndexFunc(s.alerts, func(a *alert) bool { return a.ID == id && a.ClosedAt == 0 })
	if n < 0 {
		return fmt.Errorf("close an alert: none that is open has the id %q", id)
	}
	s.alerts[n].Status, s.alerts[n].ClosedAt = "OK", s.clock.Now().Unix()
	return s.save()
}

// monitorID is the id of a monitor with a name: its letters that an id may have.
func monitorID(name string) string {
	id := []rune("3Mntr")
	for _, r := range name {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			id = append(id, r)
		}
	}
	return string(id)
}

// alertsAtOnce is how many alerts a page has at most.
const alertsAtOnce = 100

// listAlerts gives the open ones, the newest first, a page at a time.
func (s *Sim) listAlerts(c *call) (any, *refusal) {
	limit := alertsAtOnce
	if c.query.Has("limit") {
		n, err := strconv.Atoi(c.query.Get("limit"))
		if err != nil || n < 1 || n > alertsAtOnce {
			return nil, refuse(http.StatusBadRequest, "the limit is a number of 1 to %d", alertsAtOnce)
		}
		limit = n
	}
	all := []*alert{}
	for _, a := range slices.Backward(s.alerts) {
		if a.ClosedAt == 0 || c.query.Get("withClosed") == "true" {
			all = append(all, a)
		}
	}
	if next := c.query.Get("nextId"); next != "" {
		at := slices.IndexFunc(all, func(a *alert) bool { return a.ID == next })
		if at < 0 {
			return nil, refuse(http.StatusBadRequest, "no alert has the id %q", next)
		}
		all = all[at:]
	}
	out := map[string]any{"alerts": all}
	if len(all) > limit {
		out["alerts"], out["nextId"] = all[:limit], all[limit].ID
	}
	return out, nil
}

func (s *Sim) listMonitors(*call) (any, *refusal) {
	out := []any{}
	for _, name := range s.monitors {
		out = append(out, map[string]any{"id": monitorID(name), "type": "host", "name": name, "metric": "cpu.user.percentage", "operator": ">", "warning": 80, "critical": 90, "duration": 3})
	}
	return map[string]any{"monitors": out}, nil
}
