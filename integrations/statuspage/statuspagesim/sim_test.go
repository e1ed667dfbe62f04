package statuspagesim

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
)

type still struct{ now time.Time }

func (c *still) Now() time.Time                     { return c.now }
func (c *still) NewTimer(time.Duration) clock.Timer { panic("nothing here sleeps") }

func opened(t *testing.T, dir string) (*Sim, *still) {
	t.Helper()
	clk := &still{time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC)}
	s, err := New(Config{Dir: dir, Clock: clk, Page: "p1", Name: "Acme", Components: []string{"web", "EU / api"}, Keys: map[string]bool{"k": true}})
	if err != nil {
		t.Fatal(err)
	}
	return s, clk
}

// asks sends one request; it gives the answer's status and text.
func asks(s *Sim, method, path, body string) (int, string, http.Header) {
	r := httptest.NewRequest(method, "/v1"+path, strings.NewReader(body))
	r.Header.Set("Authorization", "OAuth k")
	if method != http.MethodGet {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w.Code, w.Body.String(), w.Header()
}

func TestItRefusesWhatItDoesNotKnow(t *testing.T) {
	s, _ := opened(t, "")
	for _, tt := range []struct {
		method, path, body string
		status             int
		says               string
	}{
		{"GET", "/pages/p2/components", "", 404, "Not found"},
		{"GET", "/pages/p1/users", "", 404, "does not know"},
		{"GET", "/pages/p1/components?limit=3", "", 400, "takes no parameter"},
		{"GET", "/pages/p1/components?page=1&per_page=1000", "", 400, "per_page is invalid"},
		{"GET", "/pages/p1/incidents", "{}", 400, "takes no body"},
		{"POST", "/pages/p1/incidents", `{"incident":{"name":"x","colour":"red"}}`, 400, "unknown field"},
		{"POST", "/pages/p1/incidents", `{"name":"x"}`, 400, "unknown field"},
		{"POST", "/pages/p1/incidents", `{}`, 400, "incident is missing"},
		{"POST", "/pages/p1/incidents", `{"incident":{"name":" "}}`, 422, "Name can't be blank"},
		{"POST", "/pages/p1/incidents", `{"incident":{"name":"` + strings.Repeat("x", 256) + `"}}`, 422, "Name is too long"},
		{"POST", "/pages/p1/incidents", `{"incident":{"name":"x","status":"broken"}}`, 422, "Status is not included"},
		{"POST", "/pages/p1/incidents", `{"incident":{"name":"x","impact_override":"huge"}}`, 422, "Impact override"},
		{"POST", "/pages/p1/incidents", `{"incident":{"name":"x","component_ids":["nope"]}}`, 422, "Component not found"},
		{"POST", "/pages/p1/incidents", `{"incident":{"name":"x","components":{"com00000001":"down"}}}`, 422, "Components are invalid"},
		{"POST", "/pages/p1/incidents", `{"incident":{"name":"x","metadata":{"a":"b"}}}`, 400, "invalid"},
		{"PATCH", "/pages/p1/components/com00000001", `{"component":{"status":"down"}}`, 422, "Status is not included"},
		{"PATCH", "/pages/p1/components/grp00000002", `{"component":{"status":"operational"}}`, 404, "Component not found"},
		{"PATCH", "/pages/p1/incidents/inc1", `{"incident":{"status":"resolved"}}`, 404, "Incident not found"},
	} {
		if status, text, _ := asks(s, tt.method, tt.path, tt.body); status != tt.status || !strings.Contains(text, tt.says) {
			t.Errorf("%s %s %s: %d %s", tt.method, tt.path, tt.body, status, text)
		}
	}
	if len(s.Incidents()) > 0 || len(s.Notifications()) > 0 {
		t.Error("what it refused it did")
	}
}

func TestAllComponentsAtOnceAreHandedOutOnceAMinute(t *testing.T) {
	s, clk := opened(t, "")
	want := []int{200, 420, 420, 200}
	for n, by := range []time.Duration{0, time.Second, 58 * time.Second, 2 * time.Second} {
		clk.now = clk.now.Add(by)
		if status, text, header := asks(s, "GET", "/pages/p1/components", ""); status != want[n] || status == 420 && header.Get("Retry-After") == "" {
			t.Errorf("after %s: %d %s", by, status, text)
		}
	}
}

func TestImpactIsWorkedOut(t *testing.T) {
	s, _ := opened(t, "")
	for state, want := range map[string]string{"operational": "none", "degraded_performance": "minor", "partial_outage": "major", "major_outage": "critical"} {
		_, text, _ := asks(s, "POST", "/pages/p1/incidents", `{"incident":{"name":"x","components":{"com00000001":"`+state+`"}}}`)
		var i Incident
		if err := json.Unmarshal([]byte(text), &i); err != nil || i.Impact != want || len(i.Components) != 1 || i.Components[0].Status != state {
			t.Errorf("%s: %s", state, text)
		}
	}
	if len(s.Notifications()) != 4 {
		t.Error("nobody is notified where nothing is said")
	}
}

func TestItGoesOnWhereItWas(t *testing.T) {
	dir := t.TempDir()
	s, _ := opened(t, dir)
	if status, text, _ := asks(s, "POST", "/pages/p1/incidents", `{"incident":{"name":"x","body":"y","component_ids":["com00000001"],"deliver_notifications":true,"metadata":{"a":{"b":1}}}}`); status != 201 {
		t.Fatalf("%d %s", status, text)
	}
	next, _ := opened(t, dir)
	was, is := s.Incidents(), next.Incidents()
	if len(is) != 1 || is[0].ID != was[0].ID || is[0].Metadata["a"]["b"] == nil || len(is[0].Components) != 1 || len(next.Notifications()) != 1 || len(next.Components()) != 3 {
		t.Errorf("%+v", is)
	}
}
