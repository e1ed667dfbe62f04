package awssim

import (
	"fmt"
	"slices"
	"time"
)

// View is an instance as the sandbox shows it.
type View struct {
	ID          string     `json:"id"`
	Account     string     `json:"account"`
	Region      string     `json:"region"`
	Name        string     `json:"name"`
	Role        string     `json:"role"`
	Status      string     `json:"status"`
	Zone        string     `json:"zone"`
	Group       string     `json:"group"`
	Lifecycle   string     `json:"lifecycle"`
	State       string     `json:"state"`
	Launched    time.Time  `json:"launched"`
	Pools       []PoolView `json:"pools"`
	Connections int        `json:"connections"`
	BufferBytes int64      `json:"buffer_bytes"`
	Unit        string     `json:"unit"` // running or stopped
	Age         string     `json:"age"`
	SpotNotice  *time.Time `json:"spot_notice,omitempty"`
	Reachable   bool       `json:"reachable"`
	// Tasks is what ECS runs on it; nil if it is in no cluster.
	Tasks *TasksView `json:"tasks,omitempty"`
}

// PoolView is an instance in a pool. State is as DescribeTargetHealth and
// DescribeInstanceHealth have it for target groups; Takes says that it gets new requests.
type PoolView struct {
	Name  string `json:"name"`
	Kind  string `json:"kind"`
	State string `json:"state"`
	Takes bool   `json:"takes"`
}

// GroupView is an Auto Scaling group as the sandbox shows it.
type GroupView struct {
	Account    string   `json:"account"`
	Region     string   `json:"region"`
	Name       string   `json:"name"`
	Min        int      `json:"min"`
	Max        int      `json:"max"`
	Desired    int      `json:"desired"`
	InService  int      `json:"in_service"`
	Suspended  []string `json:"suspended"`
	Refreshing bool     `json:"refreshing"`
	// Resumed is when a suspended process was last let run again; nil if never.
	Resumed *time.Time        `json:"resumed,omitempty"`
	Tags    map[string]string `json:"tags"`
	// Untagged is the tag that was last taken away; nil if none ever was.
	Untagged *Untagged `json:"untagged,omitempty"`
}

// Untagged is a tag that is not there any more: it may have been there too short a time
// to be seen.
type Untagged struct {
	Key   string    `json:"key"`
	Value string    `json:"value"`
	At    time.Time `json:"at"`
}

// Instances shows the fleet as it is now; terminated instances too, as long as EC2
// shows them.
func (s *Sim) Instances() []View {
	out := []View{}
	s.look(func(now time.Time) {
		for _, st := range s.world.Sites {
			for _, i := range st.Instances {
				out = append(out, st.view(i, now))
			}
		}
	})
	return out
}

func (st *site) view(i *instance, now time.Time) View {
	h := i.host(st, now)
	v := View{
		ID: i.ID, Account: st.Account, Region: st.Region, Name: i.Tags["Name"], Role: i.Tags["Role"], Status: i.Tags["Status"], Zone: i.Zone,
		Group: i.Group, Lifecycle: i.Lifecycle, State: i.state(now), Launched: i.Launched, Pools: []PoolView{},
		Connections: h.Open(), BufferBytes: h.Buffered(), Unit: "running", Age: now.Sub(i.Launched).Truncate(time.Second).String(),
		Reachable: !h.Unreachable && i.Ending.IsZero() && !now.Before(i.Running.Add(AgentTime)),
	}
	v.Tasks = st.tasksOn(i)
	if h.Stopped || v.State != "running" {
		v.Unit = "stopped"
	}
	if !i.SpotNotice.IsZero() {
		at := i.SpotNotice
		v.SpotNotice = &at
	}
	for _, p := range st.Pools {
		for _, seat := range p.of(i.ID) {
			state := p.state(st, seat, now)
			if takes := p.takes(st, seat, now); state != seatGone || takes {
				if state == seatGone {
					state = "unused"
				}
				v.Pools = append(v.Pools, PoolView{p.Name, p.Kind, state, takes})
			}
		}
	}
	return v
}

// Groups shows the Auto Scaling groups as they are now.
func (s *Sim) Groups() []GroupView {
	out := []GroupView{}
	s.look(func(time.Time) {
		for _, st := range s.world.Sites {
			for _, g := range st.Groups {
				v := GroupView{
					Account: st.Account, Region: st.Region, Name: g.Name, Min: g.Min, Max: g.Max, Desired: g.Desired,
					Suspended: append([]string{}, g.Suspended...), Refreshing: g.Refreshing, Tags: map[string]string{},
				}
				for _, t := range g.Tags {
					v.Tags[t.Key] = t.Value
				}
				if at := g.Resumed; !at.IsZero() {
					v.Resumed = &at
				}
				if last := g.Untagged; last.Key != "" {
					v.Untagged = &last
				}
				for _, i := range st.members(g) {
					if i.Lifecycle == inService {
						v.InService++
					}
				}
				out = append(out, v)
			}
		}
	})
	return out
}

func (s *Sim) with(id string, f func(st *site, i *instance, now time.Time)) error {
	return s.change(func(now time.Time) error {
		st, i := s.world.find(id)
		if i == nil {
			return fmt.Errorf("no instance %s", id)
		}
		f(st, i, now)
		return nil
	})
}

// SetHost changes the inside of an instance. f must not call the simulator; setting
// Stopped is the same as a unit that was stopped or started.
func (s *Sim) SetHost(id string, f func(h *Host)) error {
	return s.with(id, func(st *site, i *instance, now time.Time) {
		h := i.host(st, now)
		stopped, unreachable := h.Stopped, h.Unreachable
		f(h)
		if want := h.Stopped; want != stopped {
			h.Stopped = stopped
			if want {
				h.Stop()
			} else {
				h.Start()
			}
		}
		if h.Unreachable && !unreachable {
			h.Lost = now
		}
	})
}

// SetTag changes a tag of an instance by another hand; an empty value takes it away.
func (s *Sim) SetTag(id, key, value string) error {
	return s.with(id, func(_ *site, i *instance, _ time.Time) {
		if value == "" {
			delete(i.Tags, key)
		} else {
			i.Tags[key] = value
		}
	})
}

// Kill terminates an instance by another hand; it stays on show for an hour.
func (s *Sim) Kill(id string) error {
	return s.with(id, func(_ *site, i *instance, now time.Time) { i.end(now, "Client.UserInitiatedShutdown") })
}

// Vanish makes an instance go by another hand so that nothing is left of it: EC2 does
// not know its id, and its group replaces it.
func (s *Sim) Vanish(id string) error {
	return s.with(id, func(st *site, i *instance, _ time.Time) { st.remove(i) })
}

// SpotNotice tells that a spot instance is about to be taken back: two minutes later
// it is terminated.
func (s *Sim) SpotNotice(id string) error {
	return s.with(id, func(_ *site, i *instance, now time.Time) { i.Spot, i.SpotNotice = true, now })
}

// Refresh begins or ends an instance refresh of a group. It is only shown: no member
// is replaced.
func (s *Sim) Refresh(group string, on bool) error {
	return s.change(func(time.Time) error {
		for _, st := range s.world.Sites {
			if g := st.group(group); g != nil {
				g.Refreshing = on
				return nil
			}
		}
		return fmt.Errorf("no group %s", group)
	})
}

// Suspend suspends processes of a group by another hand, or lets them run again.
func (s *Sim) Suspend(group string, on bool, names ...string) error {
	return s.change(func(time.Time) error {
		for _, st := range s.world.Sites {
			if g := st.group(group); g != nil {
				g.Suspended = slices.DeleteFunc(g.Suspended, func(p string) bool { return slices.Contains(names, p) })
				if on {
					g.Suspended = append(g.Suspended, names...)
				}
				return nil
			}
		}
		return fmt.Errorf("no group %s", group)
	})
}
