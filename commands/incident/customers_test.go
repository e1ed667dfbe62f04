package incident

import (
	"slices"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// What customers may be told is asked of whoever knows the status page, for an incident that
// is open and for one that is over; of a storm nothing is.
func TestCustomersAreToldFromTheMessage(t *testing.T) {
	d := newDesk(t)
	var asked []integrations.PageSubject
	d.customers = func(_ *store.Tx, s integrations.PageSubject) ([]integrations.Button, error) {
		asked = append(asked, s)
		return []integrations.Button{{Label: "Tell", Command: "tell " + s.ID}}, nil
	}
	d.starts()
	d.sends(d.alert("firing"))
	want := integrations.PageSubject{ID: "incident-1", Title: "disk is full on web-1", Source: "sensu", Service: "web", Environment: "production", Check: "disk", Severity: "critical"}
	if _, buttons := d.card("incident-1"); !slices.Contains(buttons, "Tell: tell incident-1") || asked[0] != want {
		t.Errorf("asked of %+v, the card has %q", asked, buttons)
	}
	d.sends(d.alert("resolved"))
	asked, want.Over = nil, true
	if _, buttons := d.card("incident-1"); !slices.Equal(buttons, []string{"Tell: tell incident-1"}) || asked[0] != want {
		t.Errorf("asked of %+v, the card has %q", asked, buttons)
	}
	d.cfg.Storm = 1
	for _, k := range []string{"a", "b", "c"} {
		d.sends(d.alert("firing", key(k)))
	}
	asked = nil
	for _, id := range []string{"incident-3", "incident-4", "incident-5"} {
		if i := d.incident(id); i.Members == nil && i.Storm == "" {
			t.Fatalf("%s is in no storm", id)
		}
		if d.card(id); len(asked) != 0 {
			t.Errorf("of %s it is asked", id)
		}
	}
	d.customers = nil
	d.starts()
	d.card("incident-1")
}
