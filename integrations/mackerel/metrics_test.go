package mackerel_test

import (
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/mackerel/mackerelsim"
)

func TestWhatHasMetrics(t *testing.T) {
	o := found(t, shop, mackerelsim.Host{Name: "twin", Roles: []string{"mail:app"}}, mackerelsim.Host{Name: "twin"})
	host := o.host(web)
	for _, of := range []string{"web-1", "WEB-1", host.ID, web} {
		g, err := o.client.Names(t.Context(), of)
		if err != nil || g.Kind != integrations.GaugeHost || g.Key != host.ID || g.Name != "web-1" || !slices.Equal(g.Services, []string{"shop"}) || !slices.Contains(g.Metrics, "cpu.user.percentage") {
			t.Errorf("%s: %+v, %v", of, g, err)
		}
	}
	g, err := o.client.Names(t.Context(), "Shop")
	if err != nil || g.Kind != integrations.GaugeService || g.Key != "shop" || !slices.Contains(g.Metrics, "access_latency.p99") || !slices.Equal(g.Services, []string{"shop"}) {
		t.Errorf("a service is %+v, %v", g, err)
	}
	var none *integrations.Unmeasured
	if _, err := o.client.Names(t.Context(), "none"); !errors.As(err, &none) || !slices.Equal(none.Others, []string{"mail", "shop", "twin", "web-1"}) {
		t.Errorf("none is %v", none)
	}
	if _, err := o.client.Names(t.Context(), "twin"); !errors.As(err, &none) || len(none.Several) != 2 || none.Several[0] == none.Several[1] {
		t.Errorf("two are %v", none)
	}
	if _, err := o.client.Names(t.Context(), ""); !errors.As(err, &none) {
		t.Errorf("an empty name is %v", err)
	}
	o.fault(mackerelsim.Fault{Kind: "throttle", Action: "services.list"})
	if _, err := o.client.Names(t.Context(), "shop"); isLater(err) == nil {
		t.Errorf("throttled: %v", err)
	}
}

func TestSeriesOfAHostAndAService(t *testing.T) {
	o := found(t, shop)
	until := time.Now().Add(-2 * time.Minute)
	from := until.Add(-time.Hour)
	for of, metrics := range map[string]map[string]string{
		"web-1": {"cpu.user.percentage": "%", "memory.used": "B", "interface.eth0.rxBytes.delta": "B/s", "loadavg5": ""}, "shop": {"access_num.2xx": ""},
	} {
		g, err := o.client.Names(t.Context(), of)
		if err != nil {
			t.Fatal(err)
		}
		for metric, unit := range metrics {
			s, err := o.client.Series(t.Context(), g, metric, from, until)
			if err != nil || s.Unit != unit || len(s.Points) < 25 || len(s.Points) > 61 {
				t.Fatalf("%s of %s: %d values in %q, %v", metric, of, len(s.Points), s.Unit, err)
			}
			again, err := o.client.Series(t.Context(), g, metric, from, until)
			if err != nil || !slices.Equal(s.Points, again.Points) {
				t.Errorf("%s of %s is another one now", metric, of)
			}
			for i, p := range s.Points {
				if p.At.Before(from.Truncate(time.Second)) || p.At.After(until) || i > 0 && !p.At.After(s.Points[i-1].At) {
					t.Fatalf("value %d is of %v", i, p.At)
				}
			}
		}
		if _, err := o.client.Series(t.Context(), g, "no.such", from, until); !isGone(err) {
			t.Errorf("an unknown metric of %s: %v", of, err)
		}
	}
	if _, err := o.client.Places()["mackerel.metric"].Show(t.Context(), measured(until.Add(-time.Minute), 1)); err != nil {
		t.Fatal(err)
	}
	g, err := o.client.Names(t.Context(), "shop")
	if err != nil || !slices.Contains(g.Metrics, "signalbox.release.web.production") {
		t.Fatalf("%v, %v", g.Metrics, err)
	}
	if s, err := o.client.Series(t.Context(), g, "signalbox.release.web.production", from, until); err != nil || len(s.Points) != 1 || s.Points[0].Value != 100 || s.Unit != "s" {
		t.Errorf("what was sent is %+v, %v", s, err)
	}
	if _, err := o.client.Series(t.Context(), integrations.Gauge{Key: "../x"}, "m", from, until); err == nil {
		t.Error("a path was taken for an id")
	}
	c := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"metrics":[{"time":1,"value":"much"}]}`))
	})
	if _, err := c.Series(t.Context(), g, "m", from, until); err == nil {
		t.Error("what is no number was taken")
	}
}
