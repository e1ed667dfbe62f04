package aws_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/aws/awssim"
)

func (w *world) group() integrations.ScalingGroup {
	w.Helper()
	g, err := w.fleet.Group(w.Context(), home, "web")
	w.ok(err)
	slices.Sort(g.Suspended)
	return g
}

// Those that are named rest and run; no name is not all of them.
func TestProcessesRest(t *testing.T) {
	w := newWorld(t)
	w.ok(w.fleet.Suspend(t.Context(), home, "web", []string{"AZRebalance", "ReplaceUnhealthy"}))
	w.ok(w.fleet.Suspend(t.Context(), home, "web", []string{"AZRebalance", "ScheduledActions"}))
	if diff := cmp.Diff([]string{"AZRebalance", "ReplaceUnhealthy", "ScheduledActions"}, w.group().Suspended); diff != "" {
		t.Error(diff)
	}
	w.ok(w.fleet.Resume(t.Context(), home, "web", []string{"AZRebalance", "AlarmNotification"}))
	if diff := cmp.Diff([]string{"ReplaceUnhealthy", "ScheduledActions"}, w.group().Suspended); diff != "" {
		t.Error(diff)
	}
	from := len(w.sim.Calls())
	w.refused(w.fleet.Suspend(t.Context(), home, "web", nil), "aws suspend processes of web: no process is named, which would be all of them")
	w.refused(w.fleet.Resume(t.Context(), home, "web", []string{}), "aws resume processes of web: no process is named, which would be all of them")
	if n := len(w.sim.Calls()) - from; n > 0 {
		t.Errorf("%d calls were made that name no process", n)
	}
	w.gone(w.fleet.Suspend(t.Context(), home, "none", []string{"AZRebalance"}))
	w.gone(w.fleet.Resume(t.Context(), home, "none", []string{"AZRebalance"}))
}

func TestTagsOfAGroup(t *testing.T) {
	w := newWorld(t)
	w.ok(w.fleet.TagGroup(t.Context(), home, "web", integrations.TagLock, "job-7"))
	w.ok(w.fleet.TagGroup(t.Context(), home, "web", integrations.TagLock, "job-8"))
	if got := w.group().Tags; got[integrations.TagLock] != "job-8" || got["Owner"] != "web team" {
		t.Errorf("its tags are %v", got)
	}
	for range 2 { // the second time there is none
		w.ok(w.fleet.UntagGroup(t.Context(), home, "web", integrations.TagLock))
	}
	if got := w.group().Tags; got[integrations.TagLock] != "" || got["Owner"] != "web team" {
		t.Errorf("its tags are %v", got)
	}
	w.gone(w.fleet.TagGroup(t.Context(), home, "none", integrations.TagLock, "job-7"))
	w.gone(w.fleet.UntagGroup(t.Context(), home, "none", integrations.TagLock))
}

// What was suspended or tagged although its answer was lost is seen by whoever looks.
func TestALostRestIsSeen(t *testing.T) {
	w := newWorld(t)
	w.fault(awssim.Fault{Kind: "lost", Action: "SuspendProcesses"})
	w.fault(awssim.Fault{Kind: "lost", Action: "CreateOrUpdateTags"})
	w.later(w.fleet.Suspend(t.Context(), home, "web", []string{"AZRebalance"}))
	w.later(w.fleet.TagGroup(t.Context(), home, "web", integrations.TagLock, "job-7"))
	if g := w.group(); len(g.Suspended) != 1 || g.Tags[integrations.TagLock] != "job-7" {
		t.Errorf("%v rest, and its tags are %v", g.Suspended, g.Tags)
	}
}
