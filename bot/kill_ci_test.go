package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations/circleci/circlecisim"
	"github.com/signalbox-chatops/signalbox/integrations/kit/proc"
	"github.com/signalbox-chatops/signalbox/store"
)

// A machine that dies as it triggers a pipeline, bot, shim and tool, whether CircleCI has
// heard of it or not. It is looked for there, by its nonce: there is one pipeline in the
// end, and the job is what became of it.
func TestKilledWhileAPipelineIsTriggered(t *testing.T) {
	for what, c := range map[string]struct {
		heard bool
		state string
		told  string
	}{
		"before": {false, store.JobUnknown, "unknown"},
		"after":  {true, store.JobSucceeded, "succeeded"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			sim := pipelinesOfWeb()
			at, on := make(chan struct{}), make(chan struct{})
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodPost {
					sim.Handler().ServeHTTP(w, r)
					return
				}
				if c.heard {
					sim.Handler().ServeHTTP(httptest.NewRecorder(), r)
				}
				close(at) // a second pipeline is one too many, and would panic
				<-on
			}))
			t.Cleanup(func() { server.Close(); sim.Close() })
			sim.SetBase(server.URL)
			b := newBox(t, appliedByCircleCI(server.URL))
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
			b.untilCard("op-1", c.told)
			j := b.applyJob()
			if j.State != c.state || j.Attempt != 1 {
				t.Errorf("%s is %s at the attempt %d: %s", j.ID, j.State, j.Attempt, j.Why)
			}
			want := 0
			if c.heard {
				want = 1
			}
			if n := sim.Pipelines(); n != want {
				t.Errorf("there are %d pipelines, want %d", n, want)
			}
		})
	}
}

// pipelinesOfWeb is a project of CircleCI whose every pipeline succeeds at once.
func pipelinesOfWeb() *circlecisim.Sim {
	return circlecisim.New(circlecisim.Config{
		Token: "circle-5ignal", Project: "gh/acme/web", Branches: map[string]string{"main": strings.Repeat("cd", 20)},
		File: "parameters: {target: {}, sha: {}, job: {}, nonce: {}}\njobs: {deploy: {environment: {NONCE: << pipeline.parameters.nonce >>}}}\nworkflows: {deploy: {jobs: [deploy]}}\n",
	})
}

// appliedByCircleCI has web/staging deployed by such a pipeline.
func appliedByCircleCI(url string) func(w *boxWorld) {
	return func(w *boxWorld) {
		w.staging = "    plan_env: {CIRCLE_TOKEN: circle-5ignal}\n    apply_env: {CIRCLE_TOKEN: circle-5ignal}\n"
		w.edit = func(config string) string {
			before, rest, _ := strings.Cut(config, "      - terraform: {dir: deploy/staging")
			_, after, _ := strings.Cut(rest, "\n")
			return before + "      - circleci: {project: gh/acme/web, workflow: deploy, url: " + url + "/api/v2, poll: 50ms, start_wait: 1s, local: [sh, here.sh]}\n" + after
		}
	}
}

// While CircleCI is away an apply fails, and says how it can be run here. Nothing was
// started, so that a Retry starts it once; and a button runs it here, once.
func TestTheCIIsAwayAtAnApply(t *testing.T) {
	for name, here := range map[string]bool{"and comes back": false, "and it is run here": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ciAway(t, here)
		})
	}
}

func ciAway(t *testing.T, here bool) {
	sim := pipelinesOfWeb()
	var away atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if away.Load() {
			http.Error(w, "upstream", http.StatusServiceUnavailable)
			return
		}
		sim.Handler().ServeHTTP(w, r)
	}))
	t.Cleanup(func() { server.Close(); sim.Close() })
	sim.SetBase(server.URL)
	b := newBox(t, func(w *boxWorld) {
		appliedByCircleCI(server.URL)(w)
		w.files = map[string]string{"here.sh": "echo \"$SIGNALBOX_TARGET $CIRCLE_TOKEN\" >> " + filepath.Join(w.b.dir, "tool", "here") + "\necho done with $CIRCLE_TOKEN\n"}
	})
	b.start()
	b.say("alice", "/ops deploy web to staging")
	b.untilCard("op-1", ": open", "plan +0 ~1 -0")
	away.Store(true)
	b.pressMerge("op-1")
	card := b.untilCard("op-1", ": failed", "web/staging: circleci plan: CircleCI cannot be reached since ", "503 Service Unavailable: upstream", "; nothing was started; it can be run here: sh here.sh")
	if here {
		b.click("alice", card.TS, "Run it here")
		b.untilCard("op-1", ": succeeded")
		b.until("the card says who asked", func() bool {
			return strings.Contains(string(b.card("op-1").Blocks), "is done on my machine and not by its CI, as alice asked")
		})
		ran, err := os.ReadFile(filepath.Join(b.dir, "tool", "here"))
		if n := sim.Pipelines(); err != nil || n != 0 || string(ran) != "web/staging circle-5ignal\n" {
			t.Errorf("there are %d pipelines, and here it ran as %q says (%v)", n, ran, err)
		}
		return
	}
	away.Store(false)
	b.click("alice", card.TS, "Retry")
	b.untilCard("op-1", ": succeeded")
	if n := sim.Pipelines(); n != 1 {
		t.Errorf("there are %d pipelines", n)
	}
}
