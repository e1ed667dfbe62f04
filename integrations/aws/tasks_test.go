package aws_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/aws/awssim"
)

// tasks are those of an instance, and what its cluster makes of it.
func (w *world) tasks(cluster, id string) (*integrations.TaskHost, string) {
	w.Helper()
	h, err := w.fleet.TaskHost(w.Context(), home, cluster, id)
	w.ok(err)
	if h == nil {
		return nil, "none"
	}
	count := map[string]int{}
	for _, t := range h.Tasks {
		count[t.Group+" "+t.Status]++
	}
	out := []string{h.Cluster + " " + h.Status}
	for what, n := range count {
		out = append(out, fmt.Sprint(n, " ", what))
	}
	slices.Sort(out[1:])
	return h, strings.Join(out, ", ")
}

func (w *world) follows(id string, story ...string) {
	w.Helper()
	for n, line := range story {
		after, want, _ := strings.Cut(line, ": ")
		pass, err := time.ParseDuration(after)
		w.ok(err)
		w.pass(pass)
		if _, got := w.tasks("apps", id); got != want {
			w.Errorf("look %d: %s, want %s", n, got, want)
		}
	}
}

// Tasks are there until their last status is STOPPED, though nothing counts them any
// more; those of no service stay.
func TestTasksLeaveAnInstance(t *testing.T) {
	w := newWorld(t)
	h, got := w.tasks(integrations.AnyCluster, lone)
	if got != "apps ACTIVE, 1 family:batch RUNNING, 2 service:web RUNNING" {
		t.Fatalf("they are %s", got)
	}
	had := map[int]bool{}
	for _, one := range h.Tasks {
		if len(one.Ports) != 1 || one.Ports[0] < 32768 || had[one.Ports[0]] {
			t.Errorf("%s has the ports %v", one.ID, one.Ports)
			continue
		}
		had[one.Ports[0]] = true
	}
	w.ok(w.fleet.DrainTasks(t.Context(), home, h.Cluster, h.ID))
	w.follows(lone,
		"0s: apps DRAINING, 1 family:batch RUNNING, 2 service:web RUNNING",
		"5s: apps DRAINING, 1 family:batch RUNNING, 2 service:web DEACTIVATING",
		"5s: apps DRAINING, 1 family:batch RUNNING, 2 service:web STOPPING",
		"10s: apps DRAINING, 1 family:batch RUNNING",
	)
	h, _ = w.tasks("apps", lone)
	w.ok(w.sim.StopTask(h.Tasks[0].ID))
	w.follows(lone, "5s: apps DRAINING, 1 family:batch STOPPING", "1m: apps DRAINING", "2h: apps DRAINING")
	w.ok(w.fleet.ActivateTasks(t.Context(), home, "apps", h.ID))
	w.follows(lone, "0s: apps ACTIVE")
}

func TestInstancesThatRunNoTasks(t *testing.T) {
	w := newWorld(t)
	for cluster, id := range map[string]string{"apps": bare, "spare": lone, integrations.AnyCluster: bare} {
		if _, got := w.tasks(cluster, id); got != "none" {
			t.Errorf("%s in %s is %s", id, cluster, got)
		}
	}
	_, err := w.fleet.TaskHost(t.Context(), home, "nope", lone)
	w.refused(err, "aws read the tasks of "+lone+": ClusterNotFoundException: Cluster not found.")
	w.refused(w.fleet.DrainTasks(t.Context(), home, "apps", "nope"), "aws move tasks from nope of apps: nope: MISSING")
	w.refused(w.fleet.ActivateTasks(t.Context(), home, "nope", "nope"), "aws let tasks run on nope of nope: ClusterNotFoundException: Cluster not found.")
}

// Nobody can tell which of two is alive.
func TestAnInstanceOfTwoClusters(t *testing.T) {
	f := estate()
	f.In[0].Clusters[0].Instances = []string{lone}
	w := newWorldOf(t, f)
	_, err := w.fleet.TaskHost(t.Context(), home, integrations.AnyCluster, lone)
	w.refused(err, "")
	if !strings.Contains(err.Error(), "two container instances") {
		t.Errorf("got %v", err)
	}
	if _, got := w.tasks("spare", lone); got != "spare ACTIVE" {
		t.Errorf("it is %s", got)
	}
}

// More than one call tells, with tasks of both desired statuses.
func TestManyTasks(t *testing.T) {
	f := estate()
	f.In[0].Clusters[1].Room = 500
	f.In[0].Clusters[1].Services = []awssim.Service{{Name: "web", Tasks: 500, MinHealthyPercent: 80}}
	w := newWorldOf(t, f)
	h, got := w.tasks("apps", lone)
	if got != "apps ACTIVE, 1 family:batch RUNNING, 250 service:web RUNNING" {
		t.Fatalf("they are %s", got)
	}
	w.ok(w.fleet.DrainTasks(t.Context(), home, "apps", h.ID))
	w.follows(lone, "5s: apps DRAINING, 1 family:batch RUNNING, 100 service:web DEACTIVATING, 150 service:web RUNNING")
}

// An answer that is lost, or that lags behind, is looked at again.
func TestTasksWhenECSIsNotWell(t *testing.T) {
	w := newWorld(t)
	h, _ := w.tasks("apps", lone)
	w.fault(awssim.Fault{Kind: "lost", Service: "ecs", Action: "UpdateContainerInstancesState"})
	if later := w.later(w.fleet.DrainTasks(t.Context(), home, "apps", h.ID)); later.Unsent {
		t.Error("it is told that nothing was done")
	}
	w.follows(lone, "0s: apps DRAINING, 1 family:batch RUNNING, 2 service:web RUNNING")
	for _, action := range []string{"ListContainerInstances", "DescribeContainerInstances", "ListTasks", "DescribeTasks"} {
		w.fault(awssim.Fault{Kind: "error", Service: "ecs", Action: action, Code: "ServerException", Count: 3})
		_, err := w.fleet.TaskHost(t.Context(), home, "apps", lone)
		w.later(err)
	}
	w.ok(w.sim.Kill(lone))
	w.follows(lone, "5m: none")
}
