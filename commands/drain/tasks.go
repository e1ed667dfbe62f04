package drain

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// Of an instance that runs the tasks of a cluster, and where its role names the cluster:
// its tasks are moved away once it is out of its load balancers, and let in again on the
// way back.

// tasksLimit is for services that replace their tasks one by one. One that has to keep
// all of them and finds no room elsewhere never ends (aws/containers-roadmap#2467).
const tasksLimit = 30 * time.Minute

// taskHost is the instance as its cluster sees it: the one that it was found in before,
// or that its role names.
func (s *stepper) taskHost() (*integrations.TaskHost, error) {
	return s.Cloud.TaskHost(s.ctx, s.d.At, cmp.Or(s.d.Cluster, s.role.Cluster), s.d.Instance)
}

// moveTasks waits until no task is left on it; what the cluster counts is not asked, for
// that misses those that are being stopped.
func (s *stepper) moveTasks() (bool, error) {
	d := s.d
	if _, err := s.look(); err != nil {
		return false, err
	}
	if s.role.Cluster == "" { // a person took it from the configuration meanwhile
		return true, nil
	}
	h, err := s.taskHost()
	switch {
	case err != nil:
		return false, err
	case h == nil && s.role.Cluster == integrations.AnyCluster && d.Cluster == "":
		return true, nil // it runs none of any cluster
	case h == nil:
		return false, stuck(fmt.Sprintf("the cluster %s does not list it, so nobody can tell whether tasks run on it", cmp.Or(d.Cluster, s.role.Cluster)))
	}
	d.Cluster, d.Tasks = h.Cluster, h.Tasks
	switch h.Status {
	case integrations.TaskHostDraining:
	case integrations.TaskHostActive:
		if err := s.intend(func(d *Drain) { d.Emptied = true }); err != nil {
			return false, err
		}
		s.next = time.Second
		return false, s.Cloud.DrainTasks(s.ctx, d.At, h.Cluster, h.ID)
	default:
		d.Why = fmt.Sprintf("it is %s in the cluster %s", h.Status, h.Cluster)
		return false, nil
	}
	d.Why = tasksWhy(d.Tasks)
	return len(d.Tasks) == 0, nil
}

// tasksWhy is what is left, and what only a person can end.
func tasksWhy(tasks []integrations.Task) string {
	if len(tasks) == 0 {
		return ""
	}
	why := fmt.Sprintf("tasks are left on it: %s", tasksLeft(tasks))
	var alone []string
	for _, t := range tasks {
		if !ofService(t) {
			alone = append(alone, t.ID)
		}
	}
	if len(alone) == 0 {
		return why
	}
	slices.Sort(alone)
	return why + "; " + fmt.Sprintf("those of no service end by themselves, or a person stops them: %s", strings.Join(alone, ", "))
}

func ofService(t integrations.Task) bool { return strings.HasPrefix(t.Group, "service:") }

// tasksLeft counts them by their groups: "family:batch×1, service:web×2".
func tasksLeft(tasks []integrations.Task) string {
	count := map[string]int{}
	for _, t := range tasks {
		count[t.Group]++
	}
	var out []string
	for _, group := range slices.Sorted(maps.Keys(count)) {
		out = append(out, fmt.Sprintf("%s×%d", group, count[group]))
	}
	return strings.Join(out, ", ")
}

// activate lets tasks run on it again.
func (s *stepper) activate() (bool, error) {
	d := s.d
	if _, err := s.look(); err != nil {
		return false, err
	}
	h, err := s.taskHost()
	switch {
	case err != nil:
		return false, err
	case h == nil:
		return false, stuck(fmt.Sprintf("the cluster %s does not list it any more", d.Cluster))
	}
	d.Tasks = nil
	switch h.Status {
	case integrations.TaskHostActive:
		return true, nil
	case integrations.TaskHostDraining:
		if err := s.intend(nil); err != nil {
			return false, err
		}
		s.next = time.Second
		return false, s.Cloud.ActivateTasks(s.ctx, d.At, h.Cluster, h.ID)
	}
	d.Why = fmt.Sprintf("it is %s in the cluster %s", h.Status, h.Cluster)
	return false, nil
}
