package aws_test

import (
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/aws/awssim"
)

// That EC2 takes a Spot instance back is read of its request, for all of a list by one
// call, and of no others. Nobody may guess where it cannot be read.
func TestASpotInstanceThatIsTakenBack(t *testing.T) {
	w := newWorld(t)
	w.machine(lone)
	if n := w.calls(0, "ec2:DescribeSpotInstanceRequests"); n != 0 {
		t.Errorf("it was asked %d times of one that is no Spot instance", n)
	}
	if m := w.machine(bare); m.Notice != "" {
		t.Errorf("without a notice it is %q", m.Notice)
	}
	w.ok(w.sim.SpotNotice(bare))
	w.ok(w.sim.SpotNotice(w.member()))
	if m := w.machine(bare); m.Notice != "marked-for-termination" {
		t.Errorf("with a notice it is %q", m.Notice)
	}
	from := len(w.sim.Calls())
	all, err := w.fleet.Instances(t.Context())
	w.ok(err)
	noticed := 0
	for _, i := range all {
		if i.Notice == "marked-for-termination" {
			noticed++
		}
	}
	if n := w.calls(from, "ec2:DescribeSpotInstanceRequests"); noticed != 2 || n != 1 {
		t.Errorf("%d of the list are taken back, by %d calls", noticed, n)
	}
	w.fault(awssim.Fault{Kind: "error", Service: "ec2", Action: "DescribeSpotInstanceRequests", Code: "UnauthorizedOperation", Status: 403, Count: -1})
	if _, err := w.fleet.Machine(t.Context(), home, bare); err == nil || !strings.Contains(err.Error(), "read the Spot request of "+bare) {
		t.Errorf("where it may not be asked: %v", err)
	}
	if _, err := w.fleet.Instances(t.Context()); err != nil {
		t.Errorf("the list is not to be had: %v", err)
	}
	w.pass(3 * time.Minute)
	if m := w.machine(bare); m.State != integrations.InstanceTerminated || m.Notice != "" {
		t.Errorf("after two minutes it is %s, %q", m.State, m.Notice)
	}
}
