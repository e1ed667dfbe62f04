package mackerel_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/mackerel/mackerelsim"
)

// opened opens an alert there.
func (o *organisation) opened(host, status, monitor, message string) string {
	o.Helper()
	id, err := o.sim.Open(mackerelsim.Alarm{Host: host, Status: status, Type: "host", Monitor: monitor, Message: message})
	if err != nil {
		o.Fatal(err)
	}
	return id
}

// Of all open alerts those of one host are found, on whichever page, with the names of
// their monitors; those that were closed are not.
func TestOpenAlertsOfAHost(t *testing.T) {
	o := found(t, mackerelsim.Host{Name: "web-1", Instance: web}, mackerelsim.Host{Name: "other"})
	first := o.opened("web-1", "WARNING", "disk", "/var is 91 % full\nand more")
	for n := range 230 {
		o.opened("other", "CRITICAL", fmt.Sprintf("m%d", n), "")
	}
	closed := o.opened("web-1", "CRITICAL", "cpu", "")
	last := o.opened("web-1", "CRITICAL", "cpu", "")
	if err := o.sim.Close(closed); err != nil {
		t.Fatal(err)
	}
	id := o.host(web).ID
	open, more, err := o.client.OpenAlerts(t.Context(), id)
	if err != nil || more || len(open) != 2 {
		t.Fatalf("%+v, %v, %v", open, more, err)
	}
	a, b := open[0], open[1]
	if a.Key != first || a.Severity != integrations.SeverityWarning || a.Title != "disk: /var is 91 % full" || a.Check != "disk" || a.HostID != id || time.Since(a.Opened) > time.Hour ||
		b.Key != last || b.Severity != integrations.SeverityCritical || b.Title != "cpu" {
		t.Errorf("they are %+v and %+v", a, b)
	}
	o.fault(mackerelsim.Fault{Kind: "error", Action: "monitors.list"})
	if open, _, err = o.client.OpenAlerts(t.Context(), id); err != nil || len(open) != 2 || open[1].Title != "host" {
		t.Errorf("without monitors: %+v, %v", open, err)
	}
	o.fault(mackerelsim.Fault{Kind: "throttle", Action: "alerts.list"})
	if _, _, err = o.client.OpenAlerts(t.Context(), id); isLater(err) == nil {
		t.Errorf("throttled: %v", err)
	}
}

// Pages without an end are looked through so far and no further; one that leads back is
// the last.
func TestOpenAlertsAreBounded(t *testing.T) {
	asked := 0
	c := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		asked++
		_, _ = fmt.Fprintf(w, `{"alerts":[null,{"id":"a%d","hostId":"x"}],"nextId":"n%d"}`, asked, asked)
	})
	if open, more, err := c.OpenAlerts(t.Context(), "h1"); err != nil || !more || len(open) > 0 || asked != 20 {
		t.Errorf("%d pages, %v, %v, %v", asked, open, more, err)
	}
	asked = 0
	c = answering(t, func(w http.ResponseWriter, _ *http.Request) {
		asked++
		_, _ = w.Write([]byte(`{"alerts":[],"nextId":"n"}`))
	})
	if _, more, err := c.OpenAlerts(t.Context(), "h1"); err != nil || more || asked != 2 {
		t.Errorf("%d pages, %v, %v", asked, more, err)
	}
}
