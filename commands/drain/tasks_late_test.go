package drain

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// The seats of its tasks are told to leave, and on the way back nobody waits for them or
// puts them in: their services register others, which may take their time.
func TestSeatsOfTasksAreTheirServices(t *testing.T) {
	for what, c := range map[string]func(r *room){
		"in a group": func(*room) {},
		"in none": func(r *room) {
			r.cfg.Roles[0].Alone, r.fleet.boxes["i-2"].Group, r.fleet.boxes["i-2"].lifecycle = true, "", ""
			r.fleet.group.Desired--
		},
	} {
		t.Run(what, func(t *testing.T) {
			r := newRoom(t, 4)
			r.clusters()
			r.docked()
			c(r)
			d := r.begins("drain web-2")
			r.goes(func() bool { return r.drain(d.ID).State == stateFlush })
			if d = r.drain(d.ID); d.State != stateFlush || len(r.told("leave "+taskPool)) != 2 || !slices.Equal(d.TaskPorts, []int{32771, 32772}) {
				t.Fatalf("it is %s: %s, with the ports %v; %s", d.State, d.Why, d.TaskPorts, r.story())
			}
			r.must(bob, "undrain web-2")
			r.goes(func() bool { return r.drain(d.ID).State == stateHealthy })
			r.fleet.boxes["i-2"].tasks = append(r.fleet.boxes["i-2"].tasks, integrations.Task{ID: "new", Group: "service:web", Status: "PENDING", Ports: []int{40000}})
			r.goes(nil)
			if d = r.drain(d.ID); d.State != stateUndone || len(r.told("join "+taskPool)) > 0 {
				t.Errorf("it is %s: %s; %s", d.State, d.Why, r.story())
			}
		})
	}
}

// A task that is started after its tasks were gone is not ended with it: it is moved away
// as well, and what it wrote is proved to be shipped.
func TestATaskThatStartsBeforeTheEnd(t *testing.T) {
	one := integrations.Task{ID: "late", Group: "service:web", Status: "RUNNING"}
	for what, late := range map[string]func(b *box){
		"a task": func(b *box) {
			b.hosted.status, b.emptied, b.tasks = integrations.TaskHostActive, time.Time{}, []integrations.Task{one}
		},
		"tasks may start": func(b *box) { b.hosted.status, b.emptied, b.tasks = integrations.TaskHostActive, time.Time{}, nil },
	} {
		t.Run(what, func(t *testing.T) {
			r := newRoom(t, 4)
			r.guarded()
			r.clusters()
			d := r.begins("drain web-2")
			r.goes(func() bool { return r.drain(d.ID).State == stateTerminate })
			b := r.fleet.boxes["i-2"]
			late(b)
			b.bytes = 512
			want := []string{stateTerminate, stateTasks, stateStop, stateFlush, stateTerminate, stateVerify}
			if seen := r.through(d); !slices.Equal(seen, want) {
				t.Errorf("it went through %v", seen)
			}
			if d = r.drain(d.ID); d.State != stateDone || b.bytes > 0 {
				t.Errorf("it is %s: %s; %s", d.State, d.Why, r.story())
			}
		})
	}
}

// Accepted losses are of what there was then: what a task writes since is another thing.
func TestALossIsNotAcceptedForTasksThatStartLater(t *testing.T) {
	r := newRoom(t, 4)
	r.guarded()
	r.clusters()
	b := r.fleet.boxes["i-2"]
	b.stuck = true
	d := r.begins("drain web-2")
	r.goes(nil)
	b.hosted.status, b.emptied, b.tasks = integrations.TaskHostActive, time.Time{}, []integrations.Task{{ID: "late", Group: "service:web", Status: "RUNNING"}}
	r.must(bob, "drain-override "+d.ID+" its disk is broken")
	r.goes(nil)
	if d = r.drain(d.ID); d.State != stateHold || d.Held != stateFlush || d.Override != nil || len(r.fleet.ended) > 0 {
		t.Errorf("it is %s in %s: %s; ended %v", d.State, d.Held, d.Why, r.fleet.ended)
	}
}

// Where nobody can tell any more what runs on it, it is not ended.
func TestAClusterThatForgetsItBeforeTheEnd(t *testing.T) {
	r := newRoom(t, 4)
	r.clusters()
	d := r.begins("drain web-2")
	r.goes(func() bool { return r.drain(d.ID).State == stateTerminate })
	r.fleet.boxes["i-2"].hosted.status = ""
	r.goes(nil)
	if d = r.drain(d.ID); d.State != stateHold || d.Held != stateTerminate || len(r.fleet.ended) > 0 || !strings.Contains(d.Why, "nobody can tell whether tasks run on it") {
		t.Errorf("it is %s: %s", d.State, d.Why)
	}
}
