package slack

import (
	"context"
	"testing"
	"time"

	slackgo "github.com/slack-go/slack"

	"github.com/signalbox-chatops/signalbox/integrations/slack/slacksim"
)

func TestZoneOfAPerson(t *testing.T) {
	o := open(t, func(sc *slacksim.Config, _ *Config) { sc.Users[0].TZ = "America/New_York" })
	z, err := o.Zone(context.Background(), "U0ALICE")
	if err != nil || z.String() != "America/New_York" {
		t.Errorf("alice's zone: %v, %v", z, err)
	}
	if z, err := o.Zone(context.Background(), "U0BOB"); err != nil || z.String() != "Etc/UTC" {
		t.Errorf("bob's zone: %v, %v", z, err)
	}
	if _, err := o.Zone(context.Background(), "U0NOBODY"); err == nil {
		t.Error("nobody has a zone")
	}
}

func TestAZoneThatIsNotKnownHereIsAnOffset(t *testing.T) {
	at := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	for _, x := range []struct {
		user slackgo.User
		want string
	}{
		{slackgo.User{TZ: "Mars/Olympus", TZLabel: "Olympus Time", TZOffset: 5400}, "13:30 Olympus Time"},
		{slackgo.User{TZ: "Europe/Berlin", TZLabel: "Central European Time", TZOffset: 3600}, "14:00 CEST"},
		{slackgo.User{}, "12:00 UTC"},
	} {
		if got := at.In(zone(&x.user)).Format("15:04 MST"); got != x.want {
			t.Errorf("%+v: %s, want %s", x.user.TZ, got, x.want)
		}
	}
}
