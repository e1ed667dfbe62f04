package awssim

import "time"

// placement is a task to be started.
type placement struct {
	group string
	host  *taskHost // nil: on Fargate
	of    *deployment
}

// due is what the scheduler would do now. It moves the tasks of services from hosts
// that drain, and keeps to their bounds: at least MinHealthyPercent of them run, and
// at most MaxPercent. A task of no service is nothing to it.
func (s *site) due(cl *cluster) (stop []*task, start []placement) {
	room := map[*taskHost]int{}
	for _, h := range cl.Hosts {
		if i := s.instance(h.Instance); h.Status == active && i != nil && i.Ending.IsZero() && !i.Host.Unreachable {
			room[h] = cl.Room
		}
	}
	for _, t := range cl.Tasks {
		if h := cl.host(t.Host); room[h] > 0 && t.Status != taskStopped {
			room[h]--
		}
	}
	for _, sv := range cl.Services {
		var staying, leaving []*task
		live, running, now := 0, 0, sv.primary()
		for _, t := range cl.Tasks {
			if t.Group != sv.group() || t.Desired != taskRunning {
				continue
			}
			leaves := t.Of != now.ID // what another deployment started
			if h := cl.host(t.Host); h != nil && h.Status != active {
				leaves = true
			}
			switch {
			case leaves && t.Status == taskPending:
				stop = append(stop, t)
				continue
			case leaves:
				leaving = append(leaving, t)
			default:
				staying = append(staying, t)
			}
			live++
			if t.Status == taskRunning {
				running++
			}
		}
		if n := len(staying) - sv.Tasks; n > 0 { // more than it wants: the newest go
			leaving = append(leaving, staying[len(staying)-n:]...)
		}
		least, most := (sv.Tasks*sv.MinHealthyPercent+99)/100, sv.Tasks*sv.MaxPercent/100
		for _, t := range leaving {
			if running > least {
				stop = append(stop, t)
				running, live = running-1, live-1
			}
		}
		for n := len(staying); n < sv.Tasks && live < most && now.Rollout != rolloutFailed; n, live = n+1, live+1 {
			h := cl.roomiest(room)
			if h == nil && !cl.Fargate {
				break
			}
			if h != nil {
				room[h]--
			}
			start = append(start, placement{sv.group(), h, now})
		}
	}
	return stop, start
}

// roomiest is the host with the most room; nil if there is none.
func (cl *cluster) roomiest(room map[*taskHost]int) *taskHost {
	var best *taskHost
	for _, h := range cl.Hosts { // in their order
		if room[h] > 0 && (best == nil || room[h] > room[best]) {
			best = h
		}
	}
	return best
}

func (s *site) schedule(w *world, cl *cluster, at time.Time) {
	cl.Off = time.Time{}
	stop, start := s.due(cl)
	for _, t := range stop {
		t.Why = "Scaling activity initiated by (deployment " + t.Of + ")"
		cl.stop(t, at)
	}
	for _, p := range start {
		t := cl.run(w, p.group, p.host, at)
		t.Of, t.Definition = p.of.ID, p.of.Definition
	}
}
