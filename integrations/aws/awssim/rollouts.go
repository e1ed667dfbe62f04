package awssim

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// What a deployment is, in ECS's words.
const (
	primary = "PRIMARY"

	rolloutRunning   = "IN_PROGRESS"
	rolloutCompleted = "COMPLETED"
	rolloutFailed    = "FAILED"
)

// The circuit breakers of a service.
const (
	BreakerStop     = "stop"     // a deployment whose tasks fail is given up
	BreakerRollback = "rollback" // and the last one that was completed comes back
)

// CompleteTime is between the moment at which all tasks run and that at which ECS calls
// the deployment completed.
const CompleteTime = 5 * time.Second

// ExitText is why a task ends whose container does, in ECS's words.
const ExitText = "Essential container in task exited"

// service is one of a cluster, with its deployments, the newest first.
type service struct {
	Service
	Deployments []*deployment
	Events      []serviceEvent // the newest first
	Good        string         // the definition of the last deployment that was completed
	Next        string         // why tasks of the next deployment end; "" if they do not
}

type deployment struct {
	ID, Definition, Status, Rollout, Reason string
	Made, Changed, Steady                   time.Time
	Failed                                  int
	Broken                                  string // why its tasks end; "" if they do not
}

type serviceEvent struct {
	N    int
	At   time.Time
	Text string
}

func (w *world) roll() int {
	w.Rolls++
	return w.Rolls
}

func (cl *cluster) service(name string) *service {
	for _, sv := range cl.Services {
		if sv.Name == name {
			return sv
		}
	}
	return nil
}

// furnish gives the services that have none a task definition and a deployment that was
// completed long ago.
func (s *site) furnish(w *world, cl *cluster, now time.Time) {
	for _, sv := range cl.Services {
		if len(sv.Deployments) > 0 {
			continue
		}
		sv.Container, sv.Controller = cmp.Or(sv.Container, "main"), cmp.Or(sv.Controller, "ECS")
		sv.Image = cmp.Or(sv.Image, s.Number+".dkr.ecr."+s.Region+".amazonaws.com/"+sv.Name+":1")
		container := map[string]any{"name": sv.Container, "image": sv.Image, "essential": true, "environment": []any{map[string]string{"name": "PORT", "value": "8080"}}}
		var secrets []map[string]string
		for n, from := range sv.Secrets {
			secrets = append(secrets, map[string]string{"name": fmt.Sprint("SECRET_", n+1), "valueFrom": from})
		}
		if secrets != nil {
			container["secrets"] = secrets
		}
		containers, err := json.Marshal([]map[string]any{container})
		if err != nil {
			panic(fmt.Sprintf("awssim: define %s: %v", sv.Name, err)) // plain data
		}
		d := s.define(sv.Name, map[string]json.RawMessage{"family": json.RawMessage(fmt.Sprintf("%q", sv.Name)), "containerDefinitions": containers}, "arn:aws:iam::"+s.Number+":user/founder", now)
		first := sv.deploy(w, d.name(), now)
		first.Rollout, first.Reason = rolloutCompleted, "ECS deployment "+first.ID+" completed."
		sv.Good = d.name()
		for _, t := range cl.Tasks {
			if t.Group == sv.group() {
				t.Of, t.Definition = first.ID, d.name()
			}
		}
	}
}

// primary is the deployment that is wanted.
func (sv *service) primary() *deployment { return sv.Deployments[0] }

func (sv *service) say(at time.Time, format string, args ...any) {
	n := len(sv.Events)
	if n > 0 {
		n = sv.Events[0].N
	}
	sv.Events = slices.Insert(sv.Events, 0, serviceEvent{n + 1, at, "(service " + sv.Name + ") " + fmt.Sprintf(format, args...)})
	sv.Events = sv.Events[:min(len(sv.Events), 100)]
}

// deploy begins a deployment, which takes the place of the one before.
func (sv *service) deploy(w *world, definition string, at time.Time) *deployment {
	for _, d := range sv.Deployments {
		d.Status, d.Steady = active, time.Time{}
	}
	d := &deployment{ID: fmt.Sprintf("ecs-svc/%019d", w.roll()), Definition: definition, Status: primary, Rollout: rolloutRunning, Made: at, Changed: at}
	d.Reason = "ECS deployment " + d.ID + " in progress."
	sv.Deployments = slices.Insert(sv.Deployments, 0, d)
	return d
}

// count is how many of its tasks run, and how many are to.
func (d *deployment) count(cl *cluster) (running, pending int) {
	for _, t := range cl.Tasks {
		switch {
		case t.Of != d.ID || t.Desired != taskRunning:
		case t.Status == taskRunning:
			running++
		case t.Status == taskPending:
			pending++
		}
	}
	return running, pending
}

// watch notes since when all that is wanted runs, and nothing else. Deployments of which
// nothing is left are told of no more: ECS is steady some time before it says that a
// deployment is completed.
func (sv *service) watch(cl *cluster, at time.Time) {
	now := sv.primary()
	sv.Deployments = slices.DeleteFunc(sv.Deployments, func(d *deployment) bool {
		return d != now && d.Rollout != rolloutFailed && !slices.ContainsFunc(cl.Tasks, func(t *task) bool { return t.Of == d.ID && t.Status != taskStopped })
	})
	if now.Rollout != rolloutRunning {
		now.Steady = time.Time{}
		return
	}
	running, _ := now.count(cl)
	others := 0
	for _, t := range cl.Tasks {
		if t.Group == sv.group() && t.Of != now.ID && t.Status != taskStopped {
			others++
		}
	}
	switch {
	case running < sv.Tasks || others > 0:
		now.Steady = time.Time{}
	case now.Steady.IsZero():
		now.Steady = at
	}
}

func (sv *service) complete(at time.Time) {
	now := sv.primary()
	now.Rollout, now.Reason, now.Changed, now.Steady = rolloutCompleted, "ECS deployment "+now.ID+" completed.", at, time.Time{}
	sv.Deployments, sv.Good = sv.Deployments[:1], now.Definition
	sv.say(at, "(deployment %s) deployment completed.", now.ID)
	sv.say(at, "has reached a steady state.")
}

// threshold is how many tasks have to fail until the circuit breaker opens: half of
// those that are wanted, 3 at the least and 200 at the most.
func (sv *service) threshold() int { return min(max((sv.Tasks+1)/2, 3), 200) }

// breaks lets a task end that was about to run, where its deployment is one whose tasks
// do, and opens the circuit breaker.
func (s *site) breaks(w *world, cl *cluster, t *task, at time.Time) bool {
	for _, sv := range cl.Services {
		n := slices.IndexFunc(sv.Deployments, func(d *deployment) bool { return d.ID == t.Of })
		if n < 0 || sv.Deployments[n].Broken == "" {
			continue
		}
		d := sv.Deployments[n]
		t.Why = d.Broken
		if !strings.HasPrefix(d.Broken, "CannotPull") {
			one := 1
			t.Exit = &one
		}
		t.end(at)
		d.Failed++
		if n > 0 || sv.Breaker == "" || d.Rollout != rolloutRunning || d.Failed < sv.threshold() {
			return true
		}
		d.Rollout, d.Changed = rolloutFailed, at
		d.Reason = "ECS deployment circuit breaker: tasks failed to start."
		sv.say(at, "(deployment %s) deployment failed: tasks failed to start.", d.ID)
		if sv.Breaker == BreakerRollback && sv.Good != "" {
			back := sv.deploy(w, sv.Good, at)
			back.Reason = "ECS deployment circuit breaker: rolling back to deploymentId " + back.ID + "."
			sv.say(at, "rolling back to deployment %s.", back.ID)
		}
		return true
	}
	return false
}

// unpulled says in ECS's words which image of a definition its registry does not have.
func (s *site) unpulled(d *definition) string {
	for _, c := range d.containers() {
		if image, ok := s.image(c.Image); !ok {
			return "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref " + image + ": not found"
		}
	}
	return ""
}

// Redeploy has a service run another task definition, by another hand.
func (s *Sim) Redeploy(name, definition string) error {
	return s.change(func(now time.Time) error {
		for _, st := range s.world.Sites {
			for _, cl := range st.Clusters {
				if sv := cl.service(name); sv != nil && st.definition(definition) != nil {
					sv.say(now, "has started a deployment %s.", sv.deploy(s.world, definition, now).ID)
					return nil
				}
			}
		}
		return fmt.Errorf("no service %s, or no task definition %s", name, definition)
	})
}

// BreakService has the tasks of the next deployment of a service end for that reason,
// ExitText when it is empty.
func (s *Sim) BreakService(name, why string) error {
	return s.change(func(time.Time) error {
		for _, st := range s.world.Sites {
			for _, cl := range st.Clusters {
				if sv := cl.service(name); sv != nil {
					sv.Next = cmp.Or(why, ExitText)
					return nil
				}
			}
		}
		return fmt.Errorf("no service %s", name)
	})
}
