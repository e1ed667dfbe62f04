package main

import (
	"context"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/aws"
	"github.com/signalbox-chatops/signalbox/integrations/aws/awssim"
	"github.com/signalbox-chatops/signalbox/integrations/kit/proc"
)

var scalingSite = integrations.Site{Account: "main", Region: "ap-northeast-1"}

// scalingFleet is a simulated account with a group, of which somebody has suspended
// ScheduledActions; and our client of it.
func scalingFleet(t *testing.T) (*awssim.Sim, string, *aws.Fleet) {
	t.Helper()
	const key = "AKIATEST000000000001"
	sim, err := awssim.New(awssim.Config{Accounts: map[string]string{key: "main"}, Fleet: awssim.Fleet{
		Accounts: []awssim.Account{{Name: "main", Number: "111111111111"}}, Regions: []string{scalingSite.Region},
		In: []awssim.Estate{{Account: "main", Region: scalingSite.Region, Groups: []awssim.Group{{Name: "web", Min: 1, Max: 2, Desired: 1, Tags: map[string]string{"Role": "app"}}}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sim.Handler())
	t.Cleanup(server.Close)
	fleet, err := aws.New(aws.Config{Accounts: []aws.Account{{Name: "main", Regions: []string{scalingSite.Region}, Endpoint: server.URL,
		AccessKeyID: integrations.NewSecret(key), SecretAccessKey: integrations.NewSecret("secret")}}}, aws.Options{HTTP: server.Client()})
	if err != nil {
		t.Fatal(err)
	}
	if err := fleet.Suspend(t.Context(), scalingSite, "web", []string{"ScheduledActions"}); err != nil {
		t.Fatal(err)
	}
	return sim, "aws:\n  accounts:\n    - {name: main, regions: [" + scalingSite.Region + "], endpoint: \"" + server.URL + "\", access_key_id: " + key + ", secret_access_key: secret}\n", fleet
}

// stands is what of the group is suspended, and its lock.
func stands(t *testing.T, fleet *aws.Fleet) string {
	t.Helper()
	g, err := fleet.Group(context.WithoutCancel(t.Context()), scalingSite, "web")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(g.Suspended)
	lock, _, _ := strings.Cut(g.Tags[integrations.TagLock], " until ")
	return strings.TrimSpace(strings.Join(g.Suspended, " ") + " " + lock)
}

// The processes of a target's group are suspended before its tool changes anything,
// and those that we suspended run again when it has ended: also when the bot dies
// meanwhile, when the tool ends while there is no bot, and when AWS loses its answers.
func TestAnApplyKeepsItsGroupStill(t *testing.T) {
	for name, dies := range map[string]func(b *box){
		"the bot lives":   func(b *box) { b.untell("hold-apply") },
		"the bot dies":    func(b *box) { b.restart(); b.until("the bot is back", b.ready); b.untell("hold-apply") },
		"it ends without": func(b *box) { b.kill(); b.untell("hold-apply"); b.untilStep(b.step("-apply"), proc.Exited); b.start() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sim, accounts, fleet := scalingFleet(t)
			for _, action := range []string{"SuspendProcesses", "CreateOrUpdateTags"} {
				if err := sim.Fault(awssim.Fault{Kind: "lost", Service: "autoscaling", Action: action}); err != nil {
					t.Fatal(err)
				}
			}
			b := applying(t, func(w *boxWorld) {
				w.staging = "    asg: [web]\n"
				w.edit = func(text string) string { return text + accounts }
			})
			locked := "AZRebalance AlarmNotification InstanceRefresh ReplaceUnhealthy ScheduledActions " + b.applyJob().ID
			if got := stands(t, fleet); got != locked {
				t.Errorf("while it is applied the group is %q, want %q", got, locked)
			}
			dies(b)
			b.untilTold("op-1", "succeeded")
			b.until("the group runs again", func() bool { return stands(t, fleet) == "ScheduledActions" })
			if n := len(b.effects()); n != 1 {
				t.Errorf("it was applied %d times", n)
			}
		})
	}
}
