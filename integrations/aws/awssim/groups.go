package awssim

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Where a member stands in its group.
const (
	pending         = "Pending"
	pendingWait     = "Pending:Wait"
	pendingProceed  = "Pending:Proceed"
	inService       = "InService"
	enteringStandby = "EnteringStandby"
	standby         = "Standby"
	terminating     = "Terminating"
	terminatingWait = "Terminating:Wait"
	proceed         = "Terminating:Proceed"
)

// processes are those that can be suspended.
var processes = []string{
	"Launch", "Terminate", "AddToLoadBalancer", "AlarmNotification", "AZRebalance",
	"HealthCheck", "InstanceRefresh", "ReplaceUnhealthy", "ScheduledActions",
}

func (g *group) runs(process string) bool { return !slices.Contains(g.Suspended, process) }

// replaces says whether the group acts on a member that is dead or unhealthy.
func (g *group) replaces() bool {
	return g.runs("HealthCheck") && g.runs("ReplaceUnhealthy") && g.runs("Terminate")
}

func (g *group) note(w *world, what, cause string, at, end time.Time) activity {
	a := activity{ID: uuid(w.next()), What: what, Cause: cause, Start: at, End: end}
	g.Activities = append(g.Activities, a)
	if n := len(g.Activities); n > 50 {
		g.Activities = slices.Clone(g.Activities[n-50:])
	}
	return a
}

func uuid(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012x", n) }

// active are the members that count: neither on their way out nor in Standby.
func (s *site) active(g *group) []*instance {
	var out []*instance
	for _, i := range s.members(g) {
		if strings.HasPrefix(i.Lifecycle, pending) || i.Lifecycle == inService {
			out = append(out, i)
		}
	}
	return out
}

func (s *site) unbalanced(g *group) bool {
	n := len(s.active(g))
	return n < g.Desired && g.runs("Launch") || n > g.Desired && g.runs("Terminate") && s.surplus(g) != nil
}

// balance launches what is missing, or ends what is too much.
func (s *site) balance(w *world, g *group, at time.Time) {
	g.Off = time.Time{}
	for len(s.active(g)) < g.Desired {
		i := s.launch(w, g, at)
		g.note(w, "Launching a new EC2 instance: "+i.ID, "an instance was started in response to a difference between desired and actual capacity", at, i.Next)
	}
	for len(s.active(g)) > g.Desired {
		i := s.surplus(g)
		if i == nil {
			return
		}
		s.terminate(w, g, i, at, "was taken out of service in response to a difference between desired and actual capacity")
	}
}

// surplus is the member that a scale-in ends: the oldest that is not protected, in the
// zone that has the most.
func (s *site) surplus(g *group) *instance {
	count := map[string]int{}
	for _, i := range s.active(g) {
		count[i.Zone]++
	}
	var pick *instance
	for _, i := range s.active(g) {
		if !i.Protected && i.Lifecycle == inService && (pick == nil || count[i.Zone] > count[pick.Zone]) {
			pick = i
		}
	}
	return pick
}

// launch makes a member, in the zone that has the fewest.
func (s *site) launch(w *world, g *group, at time.Time) *instance {
	count := map[string]int{}
	for _, i := range s.active(g) {
		count[i.Zone]++
	}
	m := g.Model
	m.ID, m.Address, m.Volumes = "", "", slices.Clone(m.Volumes)
	m.Zone = g.Zones[0]
	for _, z := range g.Zones {
		if count[z] < count[m.Zone] {
			m.Zone = z
		}
	}
	g.Launched++
	i := s.add(w, m, fmt.Sprintf("%s-%d", g.Name, g.Launched), at)
	for _, t := range g.Tags {
		if t.Propagate {
			i.Tags[t.Key] = t.Value
		}
	}
	i.Tags["aws:autoscaling:groupName"] = g.Name
	i.Group, i.Lifecycle = g.Name, pending
	i.Running, i.Next, i.Hooked = at.Add(BootTime), at.Add(JoinTime), g.Launch != nil
	return i
}

// join puts a member into the pools of its group.
func (s *site) join(g *group, i *instance, at time.Time) {
	i.Lifecycle = inService
	if !g.runs("AddToLoadBalancer") {
		return
	}
	for _, name := range g.Pools {
		s.pool(name).enter(i.ID, 0, "", at)
	}
}

// leave takes a member out of the pools of its group, and says when the last of them
// has let it go.
func (s *site) leave(g *group, i *instance, at time.Time) time.Time {
	last := at
	for _, name := range g.Pools {
		p := s.pool(name)
		for _, seat := range p.of(i.ID) {
			p.part(s, seat, at)
			if end := seat.Left.Add(p.Delay); end.After(last) {
				last = end
			}
		}
	}
	return last
}

// terminate begins the end of a member. The pools let it go first; then the hook, if
// there is one, has its time; then the machine is shut down.
func (s *site) terminate(w *world, g *group, i *instance, at time.Time, cause string) activity {
	i.Lifecycle = terminating
	i.Next = at.Add(EndTime)
	gone := s.leave(g, i, at)
	if gone.After(i.Next) && i.Ending.IsZero() {
		i.Next = gone
	}
	end := i.Next.Add(ShutdownTime)
	if g.Hook != nil {
		end = end.Add(g.Hook.Heartbeat)
	}
	return g.note(w, "Terminating EC2 instance: "+i.ID, "instance "+i.ID+" "+cause+".", at, end)
}

// advance moves a member on to where it was going.
func (s *site) advance(w *world, i *instance, at time.Time) {
	g := s.group(i.Group)
	i.Next = time.Time{}
	step := map[string]func(){
		pending: func() {
			if i.Hooked {
				i.Lifecycle, i.WaitEnd = pendingWait, at.Add(g.Launch.longest())
				g.Launch.beat(i, at)
				return
			}
			s.join(g, i, at)
		},
		pendingWait:     func() { s.complete(w, g, i, g.Launch.Continue, at) },
		pendingProceed:  func() { s.join(g, i, at) },
		enteringStandby: func() { i.Lifecycle = standby },
		terminating: func() {
			if g.Hook != nil {
				i.Lifecycle, i.WaitEnd = terminatingWait, at.Add(g.Hook.longest())
				g.Hook.beat(i, at)
				return
			}
			s.proceedToEnd(i, at)
		},
		terminatingWait: func() { s.proceedToEnd(i, at) },
		proceed:         func() { i.Group, i.Lifecycle = "", "" },
	}
	if do := step[i.Lifecycle]; do != nil && g != nil {
		do()
	}
}

func (s *site) proceedToEnd(i *instance, at time.Time) {
	i.end(at, "Client.UserInitiatedShutdown")
	i.Lifecycle, i.Next = proceed, i.Ended
	if i.Next.Before(at) {
		i.Next = at
	}
}

// unhealthySince is when a member began to be one that its group replaces.
func (s *site) unhealthySince(g *group, i *instance) time.Time {
	if !i.Ending.IsZero() {
		return i.Ending
	}
	if g.HealthCheck != "ELB" || !i.Host.Stopped {
		return time.Time{}
	}
	for _, name := range g.Pools {
		p := s.pool(name)
		for _, seat := range p.of(i.ID) {
			if seat.Left.IsZero() {
				return i.Host.Since.Add(p.unhealthyTime())
			}
		}
	}
	return time.Time{}
}

// enterStandby has checked nothing; the caller did.
func (s *site) enterStandby(w *world, g *group, i *instance, decrement bool, at time.Time) activity {
	i.Lifecycle, i.Next = enteringStandby, at.Add(StandbyTime)
	s.leave(g, i, at)
	cause := "instance " + i.ID + " was moved to standby in response to a user request"
	if decrement {
		g.Desired--
		cause += fmt.Sprintf(", shrinking the capacity from %d to %d", g.Desired+1, g.Desired)
	}
	return g.note(w, "Moving EC2 instance to Standby: "+i.ID, cause+".", at, i.Next)
}

func (s *site) exitStandby(w *world, g *group, i *instance, at time.Time) activity {
	i.Lifecycle, i.Next = pending, at.Add(StandbyTime)
	g.Desired++
	cause := fmt.Sprintf("instance %s was moved out of standby in response to a user request, increasing the capacity from %d to %d.", i.ID, g.Desired-1, g.Desired)
	return g.note(w, "Moving EC2 instance out of Standby: "+i.ID, cause, at, i.Next)
}

func (g *group) sizes() string {
	return fmt.Sprintf("AutoScalingGroup %s has min-size=%d, max-size=%d, and desired-size=%d.", g.Name, g.Min, g.Max, g.Desired)
}

// membersNamed finds members, or says which is not one.
func (s *site) membersNamed(g *group, ids []string) ([]*instance, error) {
	var out []*instance
	var missing []string
	for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
		i := s.instance(id)
		if i == nil || i.Group != g.Name {
			missing = append(missing, id)
			continue
		}
		out = append(out, i)
	}
	if len(missing) > 0 {
		return nil, refuse("ValidationError", "The instance %s is not part of Auto Scaling group %s.", strings.Join(missing, ", "), g.Name)
	}
	return out, nil
}
