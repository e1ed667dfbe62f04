package awssim

import (
	"slices"
	"time"
)

// A member waits at a hook for 48 hours at the longest, or for a hundred time-outs of
// the hook, whichever is less.
const longestWait, waits = 48 * time.Hour, 100

func (h *Hook) longest() time.Duration { return min(longestWait, waits*h.Heartbeat) }

// beat begins the time of the hook anew, as far as the longest wait lets it.
func (h *Hook) beat(i *instance, at time.Time) { i.Next = minTime(at.Add(h.Heartbeat), i.WaitEnd) }

// ProceedTime is from the end of a wait until the member goes on.
const ProceedTime = time.Second

// complete ends the wait of a new member: it goes on, or is ended and replaced.
func (s *site) complete(w *world, g *group, i *instance, on bool, at time.Time) {
	i.Hooked, i.WaitEnd = false, time.Time{}
	if on {
		i.Lifecycle, i.Next = pendingProceed, at.Add(ProceedTime)
		return
	}
	s.terminate(w, g, i, at, "was taken out of service because its launch was abandoned")
}

func hookOps() []op {
	named := "AutoScalingGroupName LifecycleHookName InstanceId"
	return []op{
		{
			action: "RecordLifecycleActionHeartbeat", do: recordHeartbeat, takes: split(named), knows: split("LifecycleActionToken"),
			needs: split("AutoScalingGroupName LifecycleHookName"),
		},
		{
			action: "CompleteLifecycleAction", do: completeAction, takes: split(named + " LifecycleActionResult"), knows: split("LifecycleActionToken"),
			needs: split("AutoScalingGroupName LifecycleHookName LifecycleActionResult"),
		},
	}
}

// waiting finds the member that the call names, which has to wait at the hook that it
// names: whoever comes late is refused.
func (c *call) waiting() (*group, *Hook, *instance, error) {
	g, err := c.group()
	if err != nil {
		return nil, nil, nil, err
	}
	name, id := c.p["LifecycleHookName"], c.p["InstanceId"]
	if id == "" {
		return nil, nil, nil, refuse("ValidationError", "Either a lifecycle action token or an instance id must be specified")
	}
	i := c.site.instance(id)
	for state, h := range map[string]*Hook{pendingWait: g.Launch, terminatingWait: g.Hook} {
		if h != nil && h.Name == name && i != nil && i.Group == g.Name && i.Lifecycle == state {
			return g, h, i, nil
		}
	}
	return nil, nil, nil, refuse("ValidationError", "No active Lifecycle Action found with instance ID %s", id)
}

func recordHeartbeat(c *call) (any, error) {
	_, h, i, err := c.waiting()
	if err != nil {
		return nil, err
	}
	h.beat(i, c.now)
	return struct{}{}, nil
}

func completeAction(c *call) (any, error) {
	result := c.p["LifecycleActionResult"]
	if !slices.Contains([]string{"CONTINUE", "ABANDON"}, result) {
		return nil, refuse("ValidationError", "LifecycleActionResult must be CONTINUE or ABANDON, not %s", result)
	}
	g, _, i, err := c.waiting()
	if err != nil {
		return nil, err
	}
	if i.Lifecycle == terminatingWait { // which goes on either way
		c.site.proceedToEnd(i, c.now)
		return struct{}{}, nil
	}
	c.site.complete(c.w, g, i, result == "CONTINUE", c.now)
	return struct{}{}, nil
}
