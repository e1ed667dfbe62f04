package pagerdutysim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
)

const (
	routingKeyLength = 32
	mostOfEvent      = 512 << 10
	mostOfDedup      = 255
	mostOfSummary    = 1024
)

var eventRoutes = []route{
	{action: "events.enqueue", method: http.MethodPost, path: "/v2/enqueue", change: true, do: (*Sim).enqueueEvent},
	{action: "events.change", method: http.MethodPost, path: "/v2/change/enqueue", change: true, do: (*Sim).enqueueChange},
}

// Change is a change event that was told.
type Change struct {
	Service string    `json:"service"` // its id
	Summary string    `json:"summary"`
	At      time.Time `json:"at"`
}

// Events answers the Events API v2 at "/". Whoever has a routing key may call it.
func (s *Sim) Events() http.Handler { return http.HandlerFunc(s.serveEvents) }

func (s *Sim) serveEvents(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, mostOfEvent+1))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	a := s.answerEvent(r, body)
	if a.delay > 0 && clock.Sleep(r.Context(), s.clock, a.delay) != nil || a.cut {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/json")
	v := a.value
	if no := a.no; no != nil {
		a.status = no.status
		v = map[string]any{"status": "invalid event", "message": no.message, "errors": no.errors}
		if no.status == http.StatusTooManyRequests {
			v = map[string]any{"status": "throttle exceeded", "message": "Requests for this service are arriving too quickly.  Please retry later."}
		}
		if no.after > 0 {
			w.Header().Set("Retry-After", fmt.Sprint(no.after))
		}
	}
	w.WriteHeader(a.status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		s.log.Debug("pagerduty simulator: write an answer", "err", err)
	}
}

func (s *Sim) answerEvent(r *http.Request, body []byte) answered {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.advance()
	n := slices.IndexFunc(eventRoutes, func(way route) bool { return way.path == r.URL.Path && way.method == r.Method })
	switch {
	case n < 0:
		return answered{no: refuse(http.StatusNotFound, 0, "the simulator does not know "+r.Method+" "+r.URL.Path)}
	case r.Header.Get("Content-Type") != "application/json":
		return answered{no: badEvent("want application/json")}
	case len(body) > mostOfEvent:
		return answered{no: refuse(http.StatusRequestEntityTooLarge, 0, "Event object is too large")}
	}
	c := &call{body: bytes.TrimSpace(body), status: http.StatusAccepted}
	s.calls = append(s.calls, eventRoutes[n].action)
	return s.perform(&eventRoutes[n], c, "")
}

func badEvent(format string, args ...any) *refusal {
	return refuse(http.StatusBadRequest, 0, "Event object is invalid", fmt.Sprintf(format, args...))
}

type linkIn struct {
	Href string `json:"href"`
	Text string `json:"text"`
}

type eventIn struct {
	Key       string   `json:"routing_key"`
	Action    string   `json:"event_action"`
	Dedup     string   `json:"dedup_key"`
	Links     []linkIn `json:"links"`
	Client    string   `json:"client"`
	ClientURL string   `json:"client_url"`
	Payload   *struct {
		Summary   string         `json:"summary"`
		Source    string         `json:"source"`
		Severity  string         `json:"severity"`
		Timestamp string         `json:"timestamp"`
		Component string         `json:"component"`
		Group     string         `json:"group"`
		Class     string         `json:"class"`
		Details   map[string]any `json:"custom_details"`
	} `json:"payload"`
}

// readEvent reads what both kinds have.
func (s *Sim) readEvent(c *call) (in eventIn, v Service, no *refusal) {
	if no := c.read(&in); no != nil {
		return in, v, badEvent("%s", strings.Join(no.errors, "; "))
	}
	if len(in.Key) != routingKeyLength {
		return in, v, badEvent("Length of 'routing_key' is incorrect (should be %d characters)", routingKeyLength)
	}
	v, ok := s.service(func(v Service) bool { return v.RoutingKey == in.Key })
	if !ok {
		return in, v, badEvent("Invalid routing key")
	}
	if p := in.Payload; p != nil {
		if p.Summary == "" || utf8.RuneCountInString(p.Summary) > mostOfSummary {
			return in, v, badEvent("'payload.summary' is missing or longer than %d characters", mostOfSummary)
		}
		if _, err := time.Parse(time.RFC3339, p.Timestamp); p.Timestamp != "" && err != nil {
			return in, v, badEvent("'payload.timestamp' is invalid")
		}
	}
	return in, v, nil
}

// enqueueEvent takes an event. One of another service's key, or of what is over, is
// dropped without a word.
func (s *Sim) enqueueEvent(c *call) (any, *refusal) {
	in, v, no := s.readEvent(c)
	if no != nil {
		return nil, no
	}
	if utf8.RuneCountInString(in.Dedup) > mostOfDedup {
		return nil, badEvent("Length of 'dedup_key' is incorrect (should be at most %d characters)", mostOfDedup)
	}
	var i *Incident
	for _, one := range s.state.Incidents {
		if one.Service == v.ID && one.Key == in.Dedup && one.Status != resolved && in.Dedup != "" {
			i = one
		}
	}
	switch in.Action {
	case "trigger":
		if in.Payload == nil || in.Payload.Source == "" || !slices.Contains([]string{"critical", "error", "warning", "info"}, in.Payload.Severity) {
			return nil, badEvent("'payload' is missing, or its 'source' or 'severity' is missing or invalid")
		}
		if in.Dedup == "" {
			in.Dedup = s.id(true)
		}
		s.open(v, in.Payload.Summary, in.Dedup, v.urgencyOf(in.Payload.Severity), "")
	case "acknowledge", "resolve":
		if in.Dedup == "" {
			return nil, badEvent("'dedup_key' is missing")
		}
		if i != nil && in.Action == "resolve" {
			s.resolve(i, "", s.now())
		}
		if i != nil && in.Action == "acknowledge" && i.Status == triggered {
			s.acknowledge(i, "")
		}
	default:
		return nil, badEvent("'event_action' is missing or invalid")
	}
	return map[string]any{"status": "success", "message": "Event processed", "dedup_key": in.Dedup}, nil
}

func (v Service) urgencyOf(severity string) string {
	low := v.Urgency == "low" || v.Urgency == "severity_based" && (severity == "warning" || severity == "info")
	if low {
		return "low"
	}
	return "high"
}

func (s *Sim) enqueueChange(c *call) (any, *refusal) {
	in, v, no := s.readEvent(c)
	if no != nil {
		return nil, no
	}
	if in.Payload == nil || in.Action != "" || in.Dedup != "" || in.Payload.Severity != "" {
		return nil, badEvent("'payload' is missing, or there is what a change event does not have")
	}
	s.state.Changes = append(s.state.Changes, Change{Service: v.ID, Summary: in.Payload.Summary, At: s.now()})
	return map[string]any{"status": "success", "message": "Change event processed"}, nil
}
