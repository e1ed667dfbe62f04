package aws_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/aws/awssim"
)

// born launches a member of the group that has a launch hook, and waits until that
// holds it up.
func (w *world) born(wants int) string {
	w.Helper()
	w.ok(w.fleet.SetDesired(w.Context(), home, "born", wants))
	w.pass(awssim.BalanceTime)
	w.sim.Instances()
	w.pass(awssim.JoinTime)
	for _, i := range w.sim.Instances() {
		if i.Group == "born" && i.Lifecycle == integrations.MemberWaiting {
			return i.ID
		}
	}
	w.Fatal("nothing was launched")
	return ""
}

// A new member waits while it is kept waiting, and is let in, or ended and replaced.
func TestLaunch(t *testing.T) {
	w := newWorld(t)
	id := w.born(1)
	m := w.machine(id)
	if got := lifecycle(m); got != integrations.MemberWaiting+" of 1" || m.Status != "standby" || len(m.Pools) > 0 {
		t.Errorf("it is %s, says %q and is in %d pools", got, m.Status, len(m.Pools))
	}
	hook, _ := m.Group.Hook("birth")
	if diff := cmp.Diff(integrations.LaunchHook{Name: "birth", Timeout: 2 * time.Minute, Longest: 200 * time.Minute, Ends: true}, hook); diff != "" || m.Group.HookTimeout != 0 {
		t.Errorf("%s; a termination takes %v", diff, m.Group.HookTimeout)
	}
	for range 3 {
		w.pass(100 * time.Second)
		w.ok(w.fleet.KeepWaiting(t.Context(), home, "born", "birth", id))
	}
	w.refused(w.fleet.LetIn(t.Context(), home, "born", "other", id), "")
	w.ok(w.fleet.LetIn(t.Context(), home, "born", "birth", id))
	w.refused(w.fleet.LetIn(t.Context(), home, "born", "birth", id), "")
	w.pass(time.Minute)
	if got := lifecycle(w.machine(id)); got != "InService of 1" {
		t.Errorf("it is %s", got)
	}
	w.refused(w.fleet.KeepWaiting(t.Context(), home, "born", "birth", id), "")
	id = w.born(2)
	w.ok(w.fleet.Abandon(t.Context(), home, "born", "birth", id))
	w.pass(time.Minute)
	if m := w.machine(id); m.State == integrations.InstanceRunning {
		t.Errorf("it is %s", m.State)
	}
}
