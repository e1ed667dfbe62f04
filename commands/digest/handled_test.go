package digest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// took adds an incident that began at noon of a day of November; acked 0 is never.
func (s *scene) took(day int, source, service string, acked, over time.Duration) {
	h := integrations.Handled{Incident: fmt.Sprintf("incident-%d", len(s.handled)+1), Source: source, Service: service, Opened: time.Date(2026, 11, day, 12, 0, 0, 0, s.cfg.zone())}
	if h.Over = h.Opened.Add(over); acked > 0 {
		h.Acked = h.Opened.Add(acked)
	}
	s.handled = append(s.handled, h)
}

// Worked out by hand: of ten of pingdom the fifth is the half and the ninth the 90 percent;
// of the week before there was one, and one of the week after counts nowhere.
func TestHowLongIncidentsTook(t *testing.T) {
	s := newScene(t)
	for n := range 10 {
		s.took(16+n%6, "pingdom", "web", time.Duration(n+1)*time.Minute, time.Duration(10*(n+1))*time.Minute)
	}
	s.took(17, "sensu", "api", 0, 3*time.Hour)
	s.took(18, "", "", 30*time.Second, 40*time.Minute)
	s.took(10, "pingdom", "web", 7*time.Minute, 20*time.Minute)
	s.took(23, "pingdom", "web", time.Hour, 20*time.Hour)
	want := `
⏱ How long incidents took: 11 acknowledged: half within 5 min, nine of ten within 9 min, the longest after 10 min (↓ from 7 min) · 12 over: half within 50 min, nine of ten within 1 h 40 min, the longest after 3 h (↑ from 20 min)
• pingdom: 10 acknowledged: half within 5 min, nine of ten within 9 min, the longest after 10 min (↓ from 7 min) · 10 over: half within 50 min, nine of ten within 1 h 30 min, the longest after 1 h 40 min (↑ from 20 min)
• What people declared: acknowledged after 30 s · over after 40 min
• sensu: nobody acknowledged · over after 3 h
• web: 10 acknowledged: half within 5 min, nine of ten within 9 min, the longest after 10 min (↓ from 7 min) · 10 over: half within 50 min, nine of ten within 1 h 30 min, the longest after 1 h 40 min (↑ from 20 min)
• Of no service: acknowledged after 30 s · over after 40 min
• api: nobody acknowledged · over after 3 h
arrows compare with the time before`
	if got := s.text(); !strings.Contains(got, want) {
		t.Errorf("it says %s", got)
	}
	for n := range 20 {
		s.took(16, fmt.Sprintf("source-%02d", n), "web", time.Minute, time.Hour)
	}
	if got := s.text(); strings.Contains(got, "source-05") || !strings.Contains(got, "source-04") {
		t.Errorf("of many it says %s", got)
	}
}

// What is counted of incidents counts a storm once.
func TestAStormCountsOnce(t *testing.T) {
	s := newScene(t)
	at := time.Date(2026, 11, 17, 8, 0, 0, 0, s.cfg.zone())
	err := s.store.Update(t.Context(), func(tx *store.Tx) (err error) {
		for n := range 5 {
			i := incidentRow{Incident: gate.Incident{Opened: at, Over: at.Add(time.Hour)}}
			if n > 0 {
				i.Storm = "incident-0"
			}
			if err := store.Feature[incidentRow](tx, gate.IncidentFeature).Put(fmt.Sprintf("incident-%d", n), i); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := s.text(); !strings.Contains(got, "🔥 Incidents: 1 opened · 1 over within 1 h\n") {
		t.Errorf("it says %s", got)
	}
}
