package integrations

import (
	"slices"
	"testing"
	"time"
)

func TestWay(t *testing.T) {
	c := &Catalog{
		Environments: []Environment{{Name: "production", Notify: map[string]string{EventFailed: WayDirect, EventDrift: WayChannel}}, {Name: "staging"}},
		Services: []Service{{Name: "web", Environments: map[string]ServiceEnvironment{
			"production": {Notify: map[string]string{EventFailed: WayChannel}}, "staging": {},
		}}},
	}
	for _, row := range []struct{ service, environment, event, want string }{
		{"web", "production", EventFailed, WayChannel},
		{"web", "production", EventDrift, WayChannel},
		{"", "production", EventFailed, WayDirect},
		{"web", "staging", EventFailed, WayThread},
		{"", "", EventDrift, WayDigest},
		{"nobody", "nowhere", EventPlan, WayNone},
	} {
		if got := c.Way(row.service, row.environment, row.event); got != row.want {
			t.Errorf("%s of %q in %q: %s, want %s", row.event, row.service, row.environment, got, row.want)
		}
	}
}

// Each default is one of the ways, and what a machine cannot leave unsaid has no
// way to be left out.
func TestNotifyEvents(t *testing.T) {
	for _, e := range NotifyEvents {
		if !slices.Contains(e.Ways, e.Default) {
			t.Errorf("%s: the default %s is none of %v", e.Name, e.Default, e.Ways)
		}
		if slices.Contains([]string{EventConfirm, EventWaits, EventFailed}, e.Name) && slices.Contains(e.Ways, WayNone) {
			t.Errorf("%s can be silenced, and nobody would know that something stands still", e.Name)
		}
	}
}

func TestHours(t *testing.T) {
	tokyo, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	night := func(z *time.Location) Hours { return Hours{From: 22 * time.Hour, To: 8 * time.Hour, Zone: z} }
	for _, row := range []struct {
		h         Hours
		now, want string // UTC; "" is outside
	}{
		{night(tokyo), "2026-11-26T12:59:00Z", ""},
		{night(tokyo), "2026-11-26T13:00:00Z", "2026-11-26T23:00:00Z"},
		{night(tokyo), "2026-11-26T22:59:59Z", "2026-11-26T23:00:00Z"},
		{night(tokyo), "2026-11-26T23:00:00Z", ""},
		{night(nil), "2026-11-26T03:00:00Z", "2026-11-26T08:00:00Z"},
		{night(berlin), "2026-10-24T21:00:00Z", "2026-10-25T07:00:00Z"}, // the clocks go back that night
		{Hours{From: 12 * time.Hour, To: 13 * time.Hour}, "2026-11-26T12:30:00Z", "2026-11-26T13:00:00Z"},
		{Hours{}, "2026-11-26T00:00:00Z", ""},
	} {
		now, err := time.Parse(time.RFC3339, row.now)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if end := row.h.End(now); !end.IsZero() {
			got = end.UTC().Format(time.RFC3339)
		}
		if got != row.want {
			t.Errorf("%s: quiet until %q, want %q", row.now, got, row.want)
		}
	}
}

func TestDaily(t *testing.T) {
	tokyo, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	d := Daily{At: 9 * time.Hour, Zone: tokyo}
	for now, want := range map[string]string{
		"2026-11-26T23:59:59Z": "2026-11-27T00:00:00Z",
		"2026-11-27T00:00:00Z": "2026-11-28T00:00:00Z",
	} {
		at, err := time.Parse(time.RFC3339, now)
		if err != nil {
			t.Fatal(err)
		}
		if got := d.Next(at).UTC().Format(time.RFC3339); got != want {
			t.Errorf("after %s comes %s, want %s", now, got, want)
		}
	}
}
