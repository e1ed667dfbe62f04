package aws_test

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/aws/awssim"
	"github.com/signalbox-chatops/signalbox/integrations/aws/codebuild"
)

// Others have begun more builds of the project meanwhile than stand on a page.
func TestABuildIsFoundAmongMany(t *testing.T) {
	d := newDepot(t)
	d.must(d.sim.SetProject("deploy", func(p *awssim.Project) { p.Takes = 2 * time.Minute }))
	a := d.make(nil)
	d.planned(a, "+0 ~1 -0")
	d.once(syscall.SIGKILL, "StartBuild", true)
	d.run.Exec = deaf{d.quay}
	if err := a.Apply(t.Context(), d.run); !errors.Is(err, integrations.ErrUnknown) {
		t.Fatalf("nobody can look: %v", err)
	}
	for range 250 {
		d.must(d.sim.Hook("deploy", commitB, commitB))
	}
	d.run.Exec = d.quay
	d.probe(a, false, "the project deploy goes on at AWS CodeBuild: IN_PROGRESS: phase ")
	d.again()
	d.planned(a, "+0 ~1 -0")
	d.apply(a)
	d.probe(a, true, "")
	ours := 0
	for _, b := range d.sim.Builds() {
		if b.Env["SIGNALBOX_NONCE"] != "" {
			ours++
		}
	}
	if ours != 1 {
		t.Errorf("%d builds are ours\n%s", ours, d.log.String())
	}
}

// An answer was lost, and then nothing is taken any more: that nothing was started would
// be wrong.
func TestABuildWhoseStartIsInDoubt(t *testing.T) {
	d := newDepot(t)
	a := d.make(func(o *codebuild.Order) { o.StartWait = time.Second })
	d.planned(a, "+0 ~1 -0")
	d.must(d.sim.Fault(awssim.Fault{Kind: "lost", Action: "StartBuild"}))
	sent := 0
	d.at = func(action string, done bool) os.Signal {
		if action != "StartBuild" || done {
			return nil
		}
		if sent++; sent == 2 {
			d.must(d.sim.Fault(awssim.Fault{Kind: "throttle", Action: "StartBuild", Count: -1}))
		}
		return nil
	}
	d.apply(a)
	d.built("SUCCEEDED")
}

// A build that CodeBuild does not tell of any more cannot be followed.
func TestABuildThatIsDeleted(t *testing.T) {
	d := newDepot(t)
	a := d.make(nil)
	d.planned(a, "+0 ~1 -0")
	d.must(d.sim.Fault(awssim.Fault{Kind: "lag", Action: "StartBuild", LagSeconds: 3600}))
	err := a.Apply(t.Context(), d.run)
	d.says(err, "it cannot be followed any more", "CodeBuild tells of no build deploy:")
	if !errors.Is(err, integrations.ErrUnknown) {
		t.Errorf("nobody can know: %v", err)
	}
	if n := strings.Count(d.log.String(), "It cannot be looked at now"); n != 1 {
		t.Errorf("that is said %d times:\n%s", n, d.log.String())
	}
}
