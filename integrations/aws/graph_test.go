package aws_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/aws/awssim"
)

// An instance is found by its id and by its Name, in whichever account; its metrics go
// as they went, page by page.
func TestMetricsOfAnInstance(t *testing.T) {
	w := newWorld(t)
	until := w.clock.Now()
	for _, id := range []string{lone, away} {
		g, err := w.fleet.Names(t.Context(), id)
		if err != nil || g.System != "CloudWatch" || !slices.Contains(g.Metrics, "CPUUtilization") || !slices.IsSorted(g.Metrics) {
			t.Fatalf("%s: %+v, %v", id, g, err)
		}
		long := 2 * time.Hour
		s, err := w.fleet.Series(t.Context(), g, "CPUUtilization", until.Add(-long), until)
		if err != nil || s.Unit != integrations.UnitPercent || s.Every != 5*time.Minute || len(s.Points) < 2 || len(s.Points) > 25 {
			t.Fatalf("%s: %+v, %v", id, s, err)
		}
		again, err := w.fleet.Series(t.Context(), g, "CPUUtilization", until.Add(-long), until)
		if err != nil || !slices.Equal(s.Points, again.Points) {
			t.Errorf("%s: it is another one now: %v", id, err)
		}
		for i, p := range s.Points[1:] {
			if p.At.Sub(s.Points[i].At) != 5*time.Minute || p.At.After(until) {
				t.Errorf("%s: value %d is of %v", id, i, p.At)
			}
		}
		if _, err := w.fleet.Series(t.Context(), g, "NoSuch", until.Add(-long), until); err == nil {
			t.Errorf("%s: an unknown metric is no error", id)
		}
	}
	g, err := w.fleet.Names(t.Context(), lone)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.clock.Advance(t.Context(), 10*24*time.Hour, nil); err != nil {
		t.Fatal(err)
	}
	until = w.clock.Now()
	s, err := w.fleet.Series(t.Context(), g, "NetworkIn", until.Add(-10*24*time.Hour), until)
	if err != nil || len(s.Points) < 2875 || len(s.Points) > 2881 {
		t.Fatalf("ten days are %d values, %v", len(s.Points), err)
	}
	for i, p := range s.Points[1:] {
		if p.At.Sub(s.Points[i].At) != 5*time.Minute {
			t.Fatalf("a page is missing before %v", p.At)
		}
	}
	w.fault(awssim.Fault{Kind: "error", Service: "cloudwatch", Action: "GetMetricData", Code: "AccessDenied", Status: 403, Count: -1})
	var later *integrations.Later
	if _, err := w.fleet.Series(t.Context(), g, "NetworkIn", until.Add(-time.Hour), until); err == nil || errors.As(err, &later) {
		t.Errorf("not allowed: %v", err)
	}
	g.Key = "nowhere/x " + lone
	if _, err := w.fleet.Series(t.Context(), g, "NetworkIn", until.Add(-time.Hour), until); err == nil {
		t.Error("a site that there is not was asked")
	}
}

func TestWhatHasNoMetrics(t *testing.T) {
	w := newWorld(t)
	var none *integrations.Unmeasured
	if _, err := w.fleet.Names(t.Context(), nothing); !errors.As(err, &none) || len(none.Others) == 0 || len(none.Several) > 0 {
		t.Errorf("none is %v", err)
	}
}
