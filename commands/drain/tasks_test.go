package drain

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// hosted is a box of the fake fleet as its cluster sees it.
type hosted struct {
	status  string // "" is not in the cluster
	tasks   []integrations.Task
	stays   bool      // its services cannot spare their tasks
	emptied time.Time // it was told to move them
	off     []int     // ports that were taken out of taskPool
}

// taskPool is the id of a pool that services register their tasks in, where the fleet has
// it: by ports that Docker gives.
const taskPool = "tg/tasks"

// taskSeats are those of its tasks there.
func (f *fleet) taskSeats(p integrations.Pool, b *box) (out []integrations.Seat) {
	for _, t := range f.left(b) {
		for _, port := range t.Ports {
			if !slices.Contains(b.off, port) {
				state := integrations.SeatHealthy
				if t.Status == "PENDING" {
					state = "initial"
				}
				out = append(out, integrations.Seat{Pool: p.ID, Kind: p.Kind, Instance: b.ID, Port: port, State: state, Connections: -1})
			}
		}
	}
	return out
}

// with adds the seats that were asked for and are none.
func (f *fleet) with(p integrations.Pool, asked []integrations.Seat) integrations.Pool {
	for _, a := range asked {
		if a.Pool == p.ID && !slices.ContainsFunc(p.Seats, func(s integrations.Seat) bool { return s.Instance == a.Instance && s.Port == a.Port }) {
			a.State, a.Reason, a.Connections = integrations.SeatUnused, integrations.ReasonNotRegistered, -1
			p.Seats = append(p.Seats, a)
		}
	}
	return p
}

// docked has the tasks of the fleet's instances have ports in a pool of their own.
func (r *room) docked() {
	r.fleet.pools = append(r.fleet.pools, integrations.Pool{ID: taskPool, Name: "tasks", Kind: integrations.PoolALB, Delay: 10 * time.Second, Spread: true})
	port := 32768
	for _, id := range r.fleet.ids() {
		for n := range r.fleet.boxes[id].tasks {
			port++
			r.fleet.boxes[id].tasks[n].Ports = []int{port}
		}
	}
}

// clusters has the instances of a fleet run tasks: two of a service each.
func (r *room) clusters() {
	r.cfg.Roles[0].Cluster = "apps"
	r.fleet.cluster = true
	for _, b := range r.fleet.boxes {
		b.register()
	}
}

func (b *box) register() {
	b.hosted = hosted{status: integrations.TaskHostActive, tasks: []integrations.Task{
		{ID: b.ID + "-1", Group: "service:web", Status: "RUNNING"}, {ID: b.ID + "-2", Group: "service:web", Status: "RUNNING"},
	}}
}

// alone has a task of no service run on it.
func (b *box) alone() {
	b.tasks = append(b.tasks, integrations.Task{ID: b.ID + "-alone", Group: "family:batch", Status: "RUNNING"})
}

// left are its tasks that are not over, as they are now.
func (f *fleet) left(b *box) (out []integrations.Task) {
	for _, t := range b.tasks {
		if gone := f.clock.Now().Sub(b.emptied); !b.emptied.IsZero() && !b.stays && ofService(t) {
			switch {
			case gone >= 40*time.Second:
				t.Status = integrations.TaskStopped
			case gone >= 10*time.Second:
				t.Status = "STOPPING"
			}
		}
		if t.Status != integrations.TaskStopped {
			out = append(out, t)
		}
	}
	return out
}

func (f *fleet) TaskHost(_ context.Context, _ integrations.Site, cluster, instance string) (*integrations.TaskHost, error) {
	b := f.boxes[instance]
	if b == nil || b.hosted.status == "" || cluster != "apps" && cluster != integrations.AnyCluster {
		return nil, nil
	}
	return &integrations.TaskHost{Cluster: "apps", ID: "host-" + instance, Status: b.hosted.status, Tasks: f.left(b)}, nil
}

func (f *fleet) DrainTasks(_ context.Context, _ integrations.Site, cluster, host string) error {
	return f.change("empty "+strings.TrimPrefix(host, "host-")+" of "+cluster, func() error {
		b := f.boxes[strings.TrimPrefix(host, "host-")]
		if b.hosted.status != integrations.TaskHostDraining {
			b.hosted.status, b.emptied = integrations.TaskHostDraining, f.clock.Now()
		}
		return nil
	})
}

func (f *fleet) ActivateTasks(_ context.Context, _ integrations.Site, cluster, host string) error {
	return f.change("fill "+strings.TrimPrefix(host, "host-")+" of "+cluster, func() error {
		b := f.boxes[strings.TrimPrefix(host, "host-")]
		b.tasks, b.hosted.status, b.emptied = f.left(b), integrations.TaskHostActive, time.Time{}
		return nil
	})
}

// through are the states of a drain, in order.
func (r *room) through(d *Drain) (seen []string) {
	r.t.Helper()
	r.goes(func() bool {
		if now := r.drain(d.ID).State; len(seen) == 0 || seen[len(seen)-1] != now {
			seen = append(seen, now)
		}
		return false
	})
	return seen
}

// Its tasks are moved away before its application is stopped, and the card tells which
// are left.
func TestTasksAreMovedFirst(t *testing.T) {
	r := newRoom(t, 4)
	r.guarded()
	r.clusters()
	d := r.begins("drain web-2")
	if plan := fmt.Sprint(planBody(d)); !strings.Contains(plan, "moved away in the cluster apps") {
		t.Errorf("the plan is %s", plan)
	}
	r.goes(func() bool { return len(r.drain(d.ID).Tasks) == 2 && r.drain(d.ID).Why != "" })
	now := r.drain(d.ID)
	card := bar(now) + " " + fmt.Sprint(body(now))
	for _, want := range []string{"● out of its load balancers  ◐ without tasks  ○ stopped", "tasks are left on it: service:web×2"} {
		if !strings.Contains(card, want) {
			t.Errorf("the card lacks %q: %s", want, card)
		}
	}
	want := []string{stateTasks, stateStop, stateFlush, stateTerminate, stateVerify}
	if seen := r.through(d); !slices.Equal(seen, want) {
		t.Errorf("it went through %v", seen)
	}
	if d = r.drain(d.ID); d.State != stateDone || len(d.Tasks) > 0 {
		t.Errorf("it is %s: %s; %s", d.State, d.Why, r.story())
	}
}

// Where no cluster is named, none is asked, and nothing is told of tasks.
func TestWithoutAClusterNobodyIsAsked(t *testing.T) {
	r := newRoom(t, 4)
	r.clusters()
	r.cfg.Roles[0].Cluster = ""
	d := r.begins("drain web-2")
	if seen := r.through(d); slices.Contains(seen, stateTasks) || strings.Contains(bar(r.drain(d.ID)), "tasks") {
		t.Errorf("it went through %v: %s", seen, bar(r.drain(d.ID)))
	}
	if r.fleet.boxes["i-2"].hosted.status != integrations.TaskHostActive {
		t.Error("its tasks were moved")
	}
}

// Kept, it is without tasks before it is out; put back, it gets them again.
func TestKeptWithoutTasks(t *testing.T) {
	r := newRoom(t, 4)
	r.clusters()
	d := r.begins("drain web-2 --keep")
	seen := r.through(d)
	d = r.drain(d.ID)
	if len(seen) == 0 || seen[len(seen)-1] != stateTasks || d.State != stateOut || len(r.fleet.left(r.fleet.boxes["i-2"])) > 0 {
		t.Fatalf("it went through %v and is %s", seen, d.State)
	}
	if d.State = stateTasks; !strings.HasSuffix(bar(d), "◐ without tasks") {
		t.Errorf("its bar is %s", bar(d))
	}
	r.must(bob, "undrain web-2")
	if seen, want := r.through(d), []string{stateLetIn, stateJoin, stateHealthy, stateUnmark}; !slices.Equal(seen, want) {
		t.Errorf("it went back through %v", seen)
	}
	if d = r.drain(d.ID); d.State != stateUndone || r.fleet.boxes["i-2"].hosted.status != integrations.TaskHostActive {
		t.Errorf("it is %s, and %s", d.State, r.fleet.boxes["i-2"].hosted.status)
	}
}

// It can be put back while its tasks are moved, and afterwards, and lets them in again
// whenever it did not before.
func TestPutBackWithTasks(t *testing.T) {
	for _, at := range []string{stateWait, stateTasks, stateStop, stateFlush, stateTerminate} {
		t.Run(at, func(t *testing.T) {
			r := newRoom(t, 4)
			r.clusters()
			before := r.look("i-2")
			d := r.begins("drain web-2")
			r.goes(func() bool {
				now := r.drain(d.ID)
				return now.State == at && (at != stateTasks || now.Emptied)
			})
			r.must(bob, "undrain "+d.ID)
			r.goes(nil)
			if d = r.drain(d.ID); d.State != stateUndone {
				t.Fatalf("it is %s: %s; %s", d.State, d.Why, r.story())
			}
			told := slices.Contains(r.fleet.calls, "fill i-2 of apps")
			if want := at != stateWait; told != want || r.fleet.boxes["i-2"].hosted.status != integrations.TaskHostActive {
				t.Errorf("it is %s, and tasks were let in by us: %t", r.fleet.boxes["i-2"].hosted.status, told)
			}
			r.endsSurplus()
			if after := r.look("i-2"); after != before {
				t.Errorf("it was\n%s\nand is\n%s", before, after)
			}
		})
	}
}

// One that somebody else had emptied before stays so.
func TestItWasDrainingBefore(t *testing.T) {
	r := newRoom(t, 4)
	r.clusters()
	b := r.fleet.boxes["i-2"]
	b.hosted = hosted{status: integrations.TaskHostDraining}
	d := r.begins("drain web-2")
	r.goes(func() bool { return r.drain(d.ID).State == stateFlush })
	r.must(bob, "undrain web-2")
	r.goes(nil)
	if d = r.drain(d.ID); d.State != stateUndone || b.hosted.status != integrations.TaskHostDraining {
		t.Errorf("it is %s, and %s: %s", d.State, b.hosted.status, d.Why)
	}
}

// Tasks that do not go hold it, by their names, with its application running; it goes on
// when they are gone.
func TestTasksThatStayHoldIt(t *testing.T) {
	for what, c := range map[string]struct {
		spoil, mend func(b *box)
		says        string
	}{
		"a service that cannot spare them": {func(b *box) { b.stays = true }, func(b *box) { b.stays = false }, "tasks are left on it: service:web×2"},
		"of no service": {(*box).alone, func(b *box) { b.tasks = b.tasks[:2] },
			"tasks are left on it: family:batch×1; those of no service end by themselves, or a person stops them: i-2-alone"},
		"its cluster does not know it": {func(b *box) { b.hosted.status = "" }, func(b *box) { b.hosted.status = integrations.TaskHostActive }, "does not list it, so nobody can tell"},
		"it is registering":            {func(b *box) { b.hosted.status = "REGISTERING" }, func(b *box) { b.hosted.status = integrations.TaskHostActive }, "it is REGISTERING in the cluster apps"},
	} {
		t.Run(what, func(t *testing.T) {
			r := newRoom(t, 4)
			r.guarded()
			r.clusters()
			b := r.fleet.boxes["i-2"]
			c.spoil(b)
			d := r.begins("drain web-2")
			r.goes(nil)
			if d = r.drain(d.ID); d.State != stateHold || d.Held != stateTasks || !b.running || !strings.Contains(d.Why, c.says) {
				t.Fatalf("it is %s in %s: %s", d.State, d.Held, d.Why)
			}
			c.mend(b)
			r.must(alice, "drain-retry "+d.ID)
			r.goes(nil)
			if d = r.drain(d.ID); d.State != stateDone {
				t.Errorf("it is %s: %s", d.State, d.Why)
			}
		})
	}
}

// Held for its tasks it can be put back, also when its cluster is slow to know it; one
// that its cluster forgot waits for a person.
func TestHeldWithTasksAndPutBack(t *testing.T) {
	r := newRoom(t, 4)
	r.clusters()
	b := r.fleet.boxes["i-2"]
	b.alone()
	d := r.begins("drain web-2")
	r.goes(nil)
	b.hosted.status = ""
	r.must(bob, "undrain web-2")
	r.goes(nil)
	if d = r.drain(d.ID); d.State != stateHold || d.Held != stateLetIn || !strings.Contains(d.Why, "the cluster apps does not list it any more") {
		t.Fatalf("it is %s: %s", d.State, d.Why)
	}
	b.hosted.status = integrations.TaskHostDraining
	r.cfg.Roles[0].Cluster = "" // it is known where it was
	r.must(bob, "drain-retry "+d.ID)
	r.goes(nil)
	if d = r.drain(d.ID); d.State != stateUndone || b.hosted.status != integrations.TaskHostActive {
		t.Errorf("it is %s, and %s: %s", d.State, b.hosted.status, d.Why)
	}
}

// Whichever cluster it is in, if any; but one that it was in does not just forget it.
func TestAnyCluster(t *testing.T) {
	for what, in := range map[string]bool{"in one": true, "in none": false} {
		t.Run(what, func(t *testing.T) {
			r := newRoom(t, 4)
			r.guarded()
			r.clusters()
			r.cfg.Roles[0].Cluster = integrations.AnyCluster
			if !in {
				r.fleet.boxes["i-2"].hosted = hosted{}
			}
			d := r.begins("drain web-2")
			r.goes(nil)
			if d = r.drain(d.ID); d.State != stateDone || in != slices.Contains(r.fleet.calls, "empty i-2 of apps") {
				t.Errorf("it is %s: %s", d.State, r.story())
			}
		})
	}
	r := newRoom(t, 4)
	r.clusters()
	r.cfg.Roles[0].Cluster = integrations.AnyCluster
	d := r.begins("drain web-2")
	r.goes(func() bool { return r.drain(d.ID).Emptied })
	r.fleet.boxes["i-2"].hosted.status = ""
	r.goes(nil)
	if d = r.drain(d.ID); d.State != stateHold {
		t.Errorf("it is %s: %s", d.State, d.Why)
	}
}

// A person who takes the cluster from the configuration lets it go on.
func TestTheClusterIsTakenFromTheConfiguration(t *testing.T) {
	r := newRoom(t, 4)
	r.clusters()
	r.fleet.boxes["i-2"].hosted.status = ""
	d := r.begins("drain web-2")
	r.goes(nil)
	r.cfg.Roles[0].Cluster = ""
	r.must(alice, "drain-retry "+d.ID)
	r.goes(nil)
	if d = r.drain(d.ID); d.State != stateDone {
		t.Errorf("it is %s: %s", d.State, d.Why)
	}
}

func TestNamesOfClusters(t *testing.T) {
	for name, good := range map[string]bool{"": true, "*": true, "web_1-A": true, "web apps": false, "**": false, "arn:aws:ecs:x": false} {
		role := appRole
		role.Cluster = name
		err := Config{Roles: []Role{role}}.Validate()
		if good != (err == nil) || !good && !strings.HasPrefix(err.Error(), "roles.app.ecs_cluster: ") {
			t.Errorf("%q: %v", name, err)
		}
	}
}
