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

// without says whether one that no cluster lists may go on: unless it was to be in one,
// or in whichever, and was.
func (s *stepper) without() error {
	if s.role.Cluster == integrations.AnyCluster && s.d.Cluster == "" {
		return nil
	}
	return stuck(fmt.Sprintf("the cluster %s does not list it, so nobody can tell whether tasks run on it", cmp.Or(s.d.Cluster, s.role.Cluster)))
}

// noteTasks writes down by which ports its tasks are known, before they are moved.
func (s *stepper) noteTasks() error {
	if s.role.Cluster == "" {
		return nil
	}
	h, err := s.taskHost()
	if err == nil && h != nil {
		s.d.know(h.Tasks)
	}
	return err
}

func (d *Drain) know(tasks []integrations.Task) {
	for _, t := range tasks {
		for _, port := range t.Ports {
			if !slices.Contains(d.TaskPorts, port) {
				d.TaskPorts = append(d.TaskPorts, port)
			}
		}
	}
}

// ofTask says whether a seat is of a task: by its port, or because it was none of the
// instance's when that was taken out. The service of a task registers the new ones.
func (d *Drain) ofTask(seat integrations.Seat) bool {
	if d.Plan.Cluster == "" {
		return false
	}
	return slices.Contains(d.TaskPorts, seat.Port) || !slices.ContainsFunc(d.Seats, func(s integrations.Seat) bool {
		return s.Pool == seat.Pool && s.Port == seat.Port
	})
}

// stillEmpty looks at its tasks once more, immediately before its end. What was started
// since, or may be at any moment because somebody lets tasks in again, is moved away
// first; and then its logs are proved anew.
func (s *stepper) stillEmpty() error {
	if s.role.Cluster == "" {
		return nil
	}
	h, err := s.taskHost()
	switch {
	case err != nil:
		return err
	case h == nil:
		return s.without()
	case len(h.Tasks) > 0:
		return &again{stateTasks, fmt.Sprintf("tasks were started on it since: %s", tasksLeft(h.Tasks))}
	case h.Status != integrations.TaskHostDraining:
		return &again{stateTasks, fmt.Sprintf("it is %s in the cluster %s again: somebody lets tasks run on it", h.Status, h.Cluster)}
	}
	return nil
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
	if err != nil {
		return false, err
	}
	if h == nil {
		return true, s.without()
	}
	d.Cluster, d.Tasks = h.Cluster, h.Tasks
	d.know(h.Tasks)
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
