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

// A machine that dies as it starts a build, bot, shim and tool: CodeBuild has heard of it,
// so that the build is found by its nonce and followed, and is the only one.
func TestKilledWhileABuildIsStarted(t *testing.T) {
	t.Parallel()
	sim, err := awssim.New(awssim.Config{Clock: quick{clock.Real(), time.Now()}, Sessions: clock.Real(), Log: slog.New(slog.DiscardHandler), Accounts: map[string]string{awssim.DemoKey: "main"}, Fleet: awssim.Fleet{
		Accounts: []awssim.Account{{Name: "main", Number: "123456789012"}}, Regions: []string{"ap-northeast-1"},
		In: []awssim.Estate{{Projects: []awssim.Project{{Name: "deploy"}}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	at, on := make(chan struct{}), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".StartBuild") {
			sim.Handler().ServeHTTP(w, r)
			return
		}
		sim.Handler().ServeHTTP(httptest.NewRecorder(), r)
		close(at) // a second start is one too many, and would panic
		<-on
	}))
	t.Cleanup(server.Close)
	b := newBox(t, appliedByCodeBuild(server.URL))
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
	b.untilTold("op-1", "succeeded")
	if j := b.applyJob(); j.State != store.JobSucceeded || j.Attempt != 1 {
		t.Errorf("%s is %s at the attempt %d: %s", j.ID, j.State, j.Attempt, j.Why)
	}
	if all := sim.Builds(); len(all) != 1 || all[0].Status != "SUCCEEDED" || all[0].Env["SIGNALBOX_TARGET"] != "web/staging" {
		t.Errorf("its builds are %+v", all)
	}
}

// appliedByCodeBuild has web/staging deployed by a build.
func appliedByCodeBuild(url string) func(w *boxWorld) {
	return func(w *boxWorld) {
		keys := "{AWS_ACCESS_KEY_ID: " + awssim.DemoKey + ", AWS_SECRET_ACCESS_KEY: sandbox-secret-key}"
		w.staging = "    plan_env: " + keys + "\n    apply_env: " + keys + "\n"
		w.edit = func(config string) string {
			before, rest, _ := strings.Cut(config, "      - terraform: {dir: deploy/staging")
			_, after, _ := strings.Cut(rest, "\n")
			return before + "      - codebuild: {project: deploy, poll: 50ms}\n" + after +
				"aws:\n  accounts:\n    - {name: main, regions: [ap-northeast-1], endpoint: " + url + "}\n"
		}
	}
}
