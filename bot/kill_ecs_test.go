package main

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/aws/awssim"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/integrations/kit/proc"
	"github.com/signalbox-chatops/signalbox/store"
)

// A machine that dies in the middle of a deploy to ECS, bot, shim and tool: what is no
// longer known here is known there, so that the job is not left unknown, and nothing is
// registered or deployed twice.
func TestKilledWhileAServiceIsUpdated(t *testing.T) {
	for what, c := range map[string]struct {
		done  bool // ECS has heard of it
		state string
		says  string
		begun int
	}{
		"before": {false, "failed", "nothing was deployed", 1},
		"after":  {true, "succeeded", "", 2},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			sim := shopOnECS(t)
			at, on := make(chan struct{}), make(chan struct{})
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".UpdateService") {
					sim.Handler().ServeHTTP(w, r)
					return
				}
				if c.done {
					sim.Handler().ServeHTTP(httptest.NewRecorder(), r)
				}
				close(at) // a second update is one too many, and would panic
				<-on
			}))
			t.Cleanup(server.Close)
			b := newBox(t, appliedByECS(server.URL))
			b.start()
			b.say("alice", "/ops deploy web to staging")
			b.untilCard("op-1", ": open", "plan +0 ~1 -0")
			b.pressMerge("op-1")
			<-at
			b.kill()
			if err := proc.Kill(b.step("-apply")); err != nil {
				t.Fatal(err)
			}
			close(on)
			b.start()
			b.untilTold("op-1", c.state)
			j := b.applyJob()
			if want := map[string]string{"failed": store.JobFailed, "succeeded": store.JobSucceeded}[c.state]; j.State != want || !strings.Contains(j.Why, c.says) || j.Attempt != 1 {
				t.Errorf("%s is %s at the attempt %d: %s", j.ID, j.State, j.Attempt, j.Why)
			}
			for _, s := range sim.Services() {
				if s.Begun != c.begun || sim.Revisions("shop") != 2 {
					t.Errorf("it came to %+v, of %d revisions", s, sim.Revisions("shop"))
				}
			}
		})
	}
}

// shopOnECS is a service of ECS, and a registry in which each commit has an image.
func shopOnECS(t *testing.T) *awssim.Sim {
	t.Helper()
	sim, err := awssim.New(awssim.Config{Clock: quick{clock.Real(), time.Now()}, Sessions: clock.Real(), Log: slog.New(slog.DiscardHandler), Accounts: map[string]string{awssim.DemoKey: "main"}, Fleet: awssim.Fleet{
		Accounts: []awssim.Account{{Name: "main", Number: "123456789012"}}, Regions: []string{"ap-northeast-1"},
		In: []awssim.Estate{{
			Clusters: []awssim.Cluster{{Name: "apps", Fargate: true, Services: []awssim.Service{
				{Name: "shop", Tasks: 2, Image: shopHub + ":old", Breaker: awssim.BreakerRollback},
			}}},
			Repositories: []awssim.Repository{{Name: "shop", Tags: []string{"old"}, Builds: time.Millisecond}},
		}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return sim
}

const shopHub = "123456789012.dkr.ecr.ap-northeast-1.amazonaws.com/shop"

// appliedByECS has web/staging deploy that service.
func appliedByECS(url string) func(w *boxWorld) {
	return func(w *boxWorld) {
		keys := "{AWS_ACCESS_KEY_ID: " + awssim.DemoKey + ", AWS_SECRET_ACCESS_KEY: sandbox-secret-key}"
		w.staging = "    plan_env: " + keys + "\n    apply_env: " + keys + "\n"
		w.edit = func(config string) string {
			before, rest, _ := strings.Cut(config, "      - terraform: {dir: deploy/staging")
			_, after, _ := strings.Cut(rest, "\n")
			return before + "      - ecs: {cluster: apps, service: shop, container: main, image: " + shopHub + ", poll: 50ms}\n" + after +
				"aws:\n  accounts:\n    - {name: main, regions: [ap-northeast-1], endpoint: " + url + "}\n"
		}
	}
}
