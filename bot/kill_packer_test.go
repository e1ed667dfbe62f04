package main

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/aws/awssim"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/integrations/kit/proc"
	"github.com/signalbox-chatops/signalbox/store"
)

const builtImage = "ami-0abc0000000000001"

// An image is built, tested and tagged in one job, each once, wherever the bot is killed.
// Where the build is killed too, nobody can tell what it left, and it is said.
func TestKilledWhileAnImageIsBuilt(t *testing.T) {
	if _, err := exec.LookPath("rspec"); err != nil {
		t.Skip("rspec is not on PATH")
	}
	for name, c := range map[string]struct {
		built, tagged bool // the bot is killed while it is
		shim          bool // and with it the build
		state         string
	}{
		"nowhere":              {state: store.JobSucceeded},
		"during the build":     {built: true, state: store.JobSucceeded},
		"together with it":     {built: true, shim: true, state: store.JobUnknown},
		"while the tag is set": {tagged: true, state: store.JobSucceeded},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sim := accountWithAnImage(t)
			at, on := make(chan struct{}, 2), make(chan struct{}) // a third tag would hang
			if !c.tagged {
				close(on)
			}
			b := newBox(t, builtByPacker(t, heldAtTags(t, sim, at, on)))
			b.env = append(b.env, "PATH="+standInPacker(t)+":"+os.Getenv("PATH"))
			if c.built {
				b.tell("hold-build")
			}
			b.start()
			b.say("alice", "/ops deploy web to staging")
			b.untilCard("op-1", ": open", "plan +1 ~0 -0")
			b.pressMerge("op-1")
			if c.built {
				b.until("the build has begun", func() bool { return b.told("at-build") })
				b.kill()
			}
			if c.shim {
				if err := proc.Kill(b.step("-packer-build")); err != nil {
					t.Fatal(err)
				}
			}
			if c.tagged {
				<-at
				b.kill()
				close(on)
			}
			b.untell("hold-build")
			if c.built || c.tagged {
				b.start()
			}
			b.checkBuilt(sim, c.state)
		})
	}
}

// heldAtTags serves a simulator of AWS, whose CreateTags says that it is there and waits.
func heldAtTags(t *testing.T, sim *awssim.Sim, at chan<- struct{}, on <-chan struct{}) (url string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err == nil && r.Form.Get("Action") == "CreateTags" {
			at <- struct{}{}
			<-on
		}
		r.Body = io.NopCloser(strings.NewReader(r.Form.Encode())) // it was read
		sim.Handler().ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// checkBuilt waits for the end of op-1 and looks at what came of it.
func (b *box) checkBuilt(sim *awssim.Sim, state string) {
	b.t.Helper()
	b.untilCard("op-1", ": "+state)
	j := b.applyJob()
	if j.State != state || j.Attempt != 1 {
		b.t.Errorf("%s is %s at the attempt %d: %s", j.ID, j.State, j.Attempt, j.Why)
	}
	builds, err := os.ReadFile(filepath.Join(b.dir, "tool", "builds"))
	if err != nil || string(builds) != "build\n" {
		b.t.Errorf("it was built as %q says (%v)", builds, err)
	}
	tag, want, says := sim.Images()[0].Tags[integrations.TagTested], "", "may be left, and an image too"
	if state == store.JobSucceeded {
		want, says = j.SHA, "and tested (1 example)"
	}
	b.until("the card says "+says, func() bool { return strings.Contains(string(b.card("op-1").Blocks), says) })
	if tag != want {
		b.t.Errorf("its tag is %q, want %q", tag, want)
	}
}

func standInPacker(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../integrations/packer/testdata/bin")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func accountWithAnImage(t *testing.T) *awssim.Sim {
	t.Helper()
	sim, err := awssim.New(awssim.Config{Clock: quick{clock.Real(), time.Now()}, Sessions: clock.Real(), Log: slog.New(slog.DiscardHandler), Accounts: map[string]string{awssim.DemoKey: "main"}, Fleet: awssim.Fleet{
		Accounts: []awssim.Account{{Name: "main", Number: "123456789012"}}, Regions: []string{"ap-northeast-1"},
		In: []awssim.Estate{{Images: []awssim.Image{{ID: builtImage, Name: "web"}}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return sim
}

// builtByPacker has web/staging build an image and test it.
func builtByPacker(t *testing.T, url string) func(w *boxWorld) {
	return func(w *boxWorld) {
		w.deploy = "ap-northeast-1:" + builtImage + "\n" + filepath.Join(w.b.dir, "tool") + "\n"
		w.files = map[string]string{"serverspec/spec/image_spec.rb": "describe 'the image' do\n  it('is told') { expect(ENV['SIGNALBOX_AMI']).to eq '" + builtImage + "' }\nend\n"}
		w.edit = func(config string) string {
			before, rest, _ := strings.Cut(config, "      - terraform: {dir: deploy/staging")
			_, after, _ := strings.Cut(rest, "\n")
			return before + "      - packer: {dir: deploy/staging, template: main.tf, sources: [VERSION]}\n      - serverspec: {dir: serverspec}\n" + after +
				"aws:\n  accounts:\n    - {name: main, regions: [ap-northeast-1], endpoint: " + url + ", access_key_id: " + awssim.DemoKey + ", secret_access_key: sandbox-secret-key}\n"
		}
	}
}
