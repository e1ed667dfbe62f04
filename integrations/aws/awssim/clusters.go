package awssim

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// What a container instance and a task are, in ECS's words.
const (
	active       = "ACTIVE"
	drainingHost = "DRAINING"
	inactive     = "INACTIVE" // it was deregistered

	taskPending      = "PENDING"
	taskRunning      = "RUNNING"
	taskDeactivating = "DEACTIVATING"
	taskStopping     = "STOPPING"
	taskStopped      = "STOPPED"
)

// How long tasks take, as the others in settle.go.
const (
	ScheduleTime   = 5 * time.Second  // until the scheduler acts
	StartTaskTime  = 5 * time.Second  // from PENDING to RUNNING
	DeactivateTime = 5 * time.Second  // in DEACTIVATING
	StopTaskTime   = 10 * time.Second // in STOPPING
	silentTime     = 10 * time.Second // until it is tried again to reach an agent
)

// Cluster is one of ECS.
type Cluster struct {
	Name string
	// Instances are the ids of its container instances; Groups those whose members
	// are, from the moment that their agents have started.
	Instances, Groups []string
	// Room is how many tasks one of them takes; 10 when 0.
	Room     int
	Services []Service
	// Alone are the ids of instances on each of which a task runs that is of no service.
	Alone []string
	// Fargate says that its tasks need no instance, and Quick that all takes a fifth of the
	// time in it.
	Fargate, Quick bool
}

// Service keeps a number of tasks running, which begin spread over the instances.
type Service struct {
	Name  string
	Tasks int
	// MinHealthyPercent of its tasks have to run at all times, and MaxPercent may; 100
	// and 200 when 0. Negative is none.
	MinHealthyPercent, MaxPercent int
	// Image is what its container runs, a tag of the repository of its name in the
	// account's registry when empty; Container is that container's name, "main" when empty.
	Image, Container string
	// Secrets are the parameters that the container takes its secrets from.
	Secrets []string
	// Breaker is its deployment circuit breaker: BreakerStop, BreakerRollback, or none
	// when empty.
	Breaker string
	// Controller of its deployments; "ECS" when empty.
	Controller string
}

type cluster struct {
	Name     string
	Groups   []string
	Room     int
	Hosts    []*taskHost
	Services []*service
	Tasks    []*task
	Fargate  bool
	Quick    bool
	Off      time.Time // since when the scheduler has had something to do
}

// taskHost is a container instance.
type taskHost struct {
	ID, Instance, Status string
	Since                time.Time
}

// task is on the host of that id, or on none. Next is when it goes on by itself. Of is
// the deployment that started it, and Why says why it ended; Exit is then the exit code
// of its container, if that ever ran.
type task struct {
	ID, Group, Host, Status, Desired string
	Of, Definition, Why              string
	Exit                             *int
	Made, Ended, Next                time.Time
}

// takes is how long something takes in it.
func (cl *cluster) takes(d time.Duration) time.Duration {
	if cl.Quick {
		return d / 5
	}
	return d
}

func (s *site) cluster(name string) *cluster {
	for _, cl := range s.Clusters {
		if cl.Name == name {
			return cl
		}
	}
	return nil
}

func (cl *cluster) host(id string) *taskHost {
	for _, h := range cl.Hosts {
		if h.ID == id {
			return h
		}
	}
	return nil
}

// of is the container instance that an instance is now; nil if none.
func (cl *cluster) of(instance string) *taskHost {
	for _, h := range cl.Hosts {
		if h.Instance == instance && h.Status != inactive {
			return h
		}
	}
	return nil
}

func (s *site) plantCluster(w *world, seed Cluster, now time.Time) error {
	cl := &cluster{Name: seed.Name, Groups: seed.Groups, Room: cmp.Or(seed.Room, 10), Fargate: seed.Fargate, Quick: seed.Quick}
	s.Clusters = append(s.Clusters, cl)
	for _, id := range seed.Instances {
		if s.instance(id) == nil {
			return fmt.Errorf("cluster %s: no instance %s", seed.Name, id)
		}
		cl.register(w, id, now)
	}
	for _, name := range seed.Groups {
		g := s.group(name)
		if g == nil {
			return fmt.Errorf("cluster %s: no group %s", seed.Name, name)
		}
		for _, i := range s.members(g) {
			cl.register(w, i.ID, now)
		}
	}
	for _, sv := range seed.Services {
		sv.MinHealthyPercent, sv.MaxPercent = max(0, cmp.Or(sv.MinHealthyPercent, 100)), cmp.Or(sv.MaxPercent, 200)
		cl.Services = append(cl.Services, &service{Service: sv})
		for n := range sv.Tasks {
			if len(cl.Hosts) == 0 && !cl.Fargate {
				return fmt.Errorf("cluster %s: no instance runs %s", seed.Name, sv.Name)
			}
			var on *taskHost
			if !cl.Fargate {
				on = cl.Hosts[n%len(cl.Hosts)]
			}
			cl.run(w, sv.group(), on, now).Status = taskRunning
		}
	}
	for _, id := range seed.Alone {
		h := cl.of(id)
		if h == nil {
			return fmt.Errorf("cluster %s: no container instance %s", seed.Name, id)
		}
		cl.run(w, "family:batch", h, now).Status = taskRunning
	}
	for _, t := range cl.Tasks {
		t.Next = time.Time{}
	}
	s.furnish(w, cl, now)
	return nil
}

func (sv Service) group() string { return "service:" + sv.Name }

func (cl *cluster) register(w *world, instance string, at time.Time) {
	cl.Hosts = append(cl.Hosts, &taskHost{ID: fmt.Sprintf("%032x", w.next()), Instance: instance, Status: active, Since: at})
}

// run starts a task.
func (cl *cluster) run(w *world, group string, h *taskHost, at time.Time) *task {
	t := &task{Group: group, Status: taskPending, Desired: taskRunning, Made: at, Next: at.Add(cl.takes(StartTaskTime))}
	if h != nil {
		t.ID, t.Host = fmt.Sprintf("%032x", w.next()), h.ID
	} else {
		t.ID = fmt.Sprintf("f%031x", w.roll()) // the ids of machines are not to depend on it
	}
	cl.Tasks = append(cl.Tasks, t)
	return t
}

// stop lets a task end; one that has not begun ends at once.
func (cl *cluster) stop(t *task, at time.Time) {
	t.Desired = taskStopped
	if t.Status == taskPending {
		t.end(at)
		return
	}
	t.Status, t.Next = taskDeactivating, at.Add(cl.takes(DeactivateTime))
}

func (t *task) end(at time.Time) {
	t.Desired, t.Status, t.Ended, t.Next = taskStopped, taskStopped, at, at.Add(RemainTime)
}

// advanceTask takes a task on to where it was going. Nothing becomes of it while its
// agent is not heard of.
func (s *site) advanceTask(w *world, cl *cluster, t *task, at time.Time) {
	if h := cl.host(t.Host); h != nil {
		if i := s.instance(h.Instance); t.Status != taskStopped && i != nil && i.Host.Unreachable {
			t.Next = at.Add(silentTime)
			return
		}
	}
	t.Next = time.Time{}
	switch t.Status {
	case taskPending:
		if s.breaks(w, cl, t, at) {
			return
		}
		t.Status = taskRunning
	case taskDeactivating:
		t.Status, t.Next = taskStopping, at.Add(cl.takes(StopTaskTime))
	case taskStopping:
		t.end(at)
	case taskStopped:
		cl.Tasks = slices.DeleteFunc(cl.Tasks, func(x *task) bool { return x == t })
	}
}

// clusterEvents are what happens in a cluster by itself.
func (s *site) clusterEvents(w *world, cl *cluster, offer func(time.Time, func(time.Time))) {
	for _, h := range cl.Hosts {
		if i := s.instance(h.Instance); i != nil && h.Status != inactive && !i.Ended.IsZero() {
			offer(i.Ended, func(at time.Time) { cl.deregister(h, at) })
		}
	}
	for _, i := range s.Instances {
		if i.Group != "" && slices.Contains(cl.Groups, i.Group) && i.Ending.IsZero() && cl.of(i.ID) == nil {
			offer(i.Running.Add(AgentTime), func(at time.Time) { cl.register(w, i.ID, at) })
		}
	}
	for _, t := range cl.Tasks {
		offer(t.Next, func(at time.Time) { s.advanceTask(w, cl, t, at) })
	}
	for _, sv := range cl.Services {
		if now := sv.primary(); !now.Steady.IsZero() {
			offer(now.Steady.Add(cl.takes(CompleteTime)), func(at time.Time) { sv.complete(at) })
		}
	}
	if !cl.Off.IsZero() {
		offer(cl.Off.Add(cl.takes(ScheduleTime)), func(at time.Time) { s.schedule(w, cl, at) })
	}
}

// deregister is of a host whose instance is gone, and its tasks with it.
func (cl *cluster) deregister(h *taskHost, at time.Time) {
	h.Status = inactive
	for _, t := range cl.Tasks {
		if t.Host == h.ID && t.Status != taskStopped {
			t.Why = "Host EC2 (instance " + h.Instance + ") terminated."
			t.end(at)
		}
	}
}

// watchClusters notes since when each scheduler has had something to do, and lets go of
// the hosts that vanished.
func (s *site) watchClusters(at time.Time) {
	for _, cl := range s.Clusters {
		for _, h := range cl.Hosts {
			if h.Status != inactive && s.instance(h.Instance) == nil {
				cl.deregister(h, at)
			}
		}
		for _, sv := range cl.Services {
			sv.watch(cl, at)
		}
		stop, start := s.due(cl)
		switch {
		case len(stop)+len(start) == 0:
			cl.Off = time.Time{}
		case cl.Off.IsZero():
			cl.Off = at
		}
	}
}

// StopTask stops a task of ECS by another hand.
func (s *Sim) StopTask(id string) error {
	return s.change(func(now time.Time) error {
		for _, st := range s.world.Sites {
			for _, cl := range st.Clusters {
				for _, t := range cl.Tasks {
					if t.ID == id {
						cl.stop(t, now)
						return nil
					}
				}
			}
		}
		return fmt.Errorf("no task %s", id)
	})
}

// SetRoom changes how many tasks an instance of a cluster takes.
func (s *Sim) SetRoom(name string, n int) error {
	return s.change(func(time.Time) error {
		for _, st := range s.world.Sites {
			if cl := st.cluster(name); cl != nil {
				cl.Room = n
				return nil
			}
		}
		return fmt.Errorf("no cluster %s", name)
	})
}
