package main

import (
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/aws/awssim"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
)

// Whole drains elsewhere than in the first account and region: of a member of a group
// behind a classic load balancer, in an account that is entered by a role; and of one of no
// group behind another, in a second region, which is put back.
func TestDrainsInOtherAccountsAndRegions(t *testing.T) {
	t.Parallel()
	const region = "us-west-2"
	sim, err := awssim.New(awssim.Config{
		Clock: quick{clock.Real(), time.Now()}, Log: slog.New(slog.DiscardHandler), Accounts: map[string]string{awssim.DemoKey: "main"},
		Fleet: awssim.Fleet{
			Accounts: []awssim.Account{{Name: "main", Number: "111111111111"}, {Name: "other", Number: "222222222222", ExternalID: "signalbox-other"}},
			Regions:  []string{"ap-northeast-1", region},
			In: []awssim.Estate{
				{Account: "other", Region: region,
					Pools: []awssim.Pool{{Name: "old", Kind: awssim.KindClassic, Delay: 10 * time.Second}},
					Groups: []awssim.Group{{Name: "legacy", Min: 1, Max: 5, Desired: 3, Pools: []string{"old"},
						Model: awssim.Instance{Role: "app", Host: awssim.Host{Connections: 5, BufferBytes: 1 << 20}}}}},
				{Account: "main", Region: region,
					Pools:     []awssim.Pool{{Name: "older", Kind: awssim.KindClassic, Delay: 10 * time.Second, Instances: []string{"i-0bbb0000000000001", "i-0bbb0000000000002"}}},
					Instances: []awssim.Instance{{ID: "i-0bbb0000000000001", Name: "solo-1", Role: "solo"}, {ID: "i-0bbb0000000000002", Name: "solo-2", Role: "solo"}}},
			},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sim.Handler())
	t.Cleanup(server.Close)
	at := `endpoint: ` + server.URL + `, access_key_id: ` + awssim.DemoKey + `, secret_access_key: sandbox-secret-key}`
	b := newBox(t, func(w *boxWorld) {
		w.edit = func(config string) string {
			return config + `
aws:
  accounts:
    - {name: main, regions: [ap-northeast-1, ` + region + `], ` + at + `
    - {name: other, regions: [` + region + `], role: "arn:aws:iam::222222222222:role/signalbox", external_id: signalbox-other, ` + at + `
drain:
  roles:
    app: {unit: app.service, port: 8080, logs: fluentd, buffers: [/var/log/td-agent/buffer]}
    solo: {logs: none, alone: true}
`
		}
	})
	b.start()
	begin := func(line, id string) {
		b.say("alice", line)
		b.untilCard(id, ": planned")
		b.click("alice", b.card(id).TS, "Confirm")
	}
	begin("/ops drain legacy-2", "drain-1")
	begin("/ops drain solo-1 --keep", "drain-2")
	b.untilCard("drain-2", ": out")
	pools := func(name string) (out []string) {
		for _, i := range sim.Instances() {
			for _, p := range i.Pools {
				if i.Name == name {
					out = append(out, p.Name+" "+p.State)
				}
			}
		}
		return out
	}
	if got := pools("solo-1"); slices.Contains(got, "older healthy") {
		t.Errorf("out and kept, solo-1 is in %v", got)
	}
	b.click("alice", b.card("drain-2").TS, "Put back")
	b.untilCard("drain-2", ": undone")
	if got := pools("solo-1"); !slices.Equal(got, []string{"older healthy"}) {
		t.Errorf("put back, solo-1 is in %v", got)
	}
	b.untilCard("drain-1", ": done")
	if got := pools("legacy-2"); len(got) > 0 {
		t.Errorf("it is ended, and in %v", got)
	}
	for _, i := range sim.Instances() {
		if over := i.State != "running"; over != (i.Name == "legacy-2") {
			t.Errorf("%s is %s", i.Name, i.State)
		}
	}
	var story []string
	for _, c := range sim.Calls() {
		if c.Change && c.Service != "sts" {
			story = append(story, strings.Join([]string{c.Account, c.Region, c.Name}, " "))
		}
	}
	for _, want := range []string{"other us-west-2 autoscaling:EnterStandby", "other us-west-2 autoscaling:TerminateInstanceInAutoScalingGroup",
		"main us-west-2 elasticloadbalancing:DeregisterInstancesFromLoadBalancer", "main us-west-2 elasticloadbalancing:RegisterInstancesWithLoadBalancer"} {
		if n := len(slices.DeleteFunc(slices.Clone(story), func(s string) bool { return s != want })); n != 1 {
			t.Errorf("%s was called %d times: %q", want, n, story)
		}
	}
	for _, s := range story {
		if strings.Contains(s, "ap-northeast-1") {
			t.Errorf("where nothing stands: %s", s)
		}
	}
}
