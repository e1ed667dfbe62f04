package awssim

import (
	"slices"
	"strings"
)

// describeMembers leaves out instances that are in no group. It writes the health in
// capitals, where describeGroups does not.
func describeMembers(c *call) (any, error) {
	ids := c.p.list("InstanceIds.member")
	if len(ids) > 50 {
		return nil, refuse("ValidationError", "The number of instance ids that may be passed in is limited to 50")
	}
	all := slices.DeleteFunc(slices.Clone(c.site.Instances), func(i *instance) bool {
		return i.Group == "" || len(ids) > 0 && !slices.Contains(ids, i.ID)
	})
	all, next, err := page(c, all, "MaxRecords", "NextToken", "InvalidNextToken", 50, 1, 50)
	var out struct {
		Members   []asgMember `xml:"AutoScalingInstances>member"`
		NextToken string      `xml:",omitempty"`
	}
	out.NextToken = next
	for _, i := range all {
		m := c.member(i)
		m.Group, m.Health = i.Group, strings.ToUpper(m.Health)
		out.Members = append(out.Members, m)
	}
	return out, err
}

// standbyMembers finds the members that are to enter or leave Standby. They have to be
// in that state: who asks a second time is refused.
func (c *call) standbyMembers(state string) (*group, []*instance, error) {
	g, err := c.group()
	if err != nil {
		return nil, nil, err
	}
	ids := c.p.list("InstanceIds.member")
	if len(ids) == 0 {
		return nil, nil, refuse("ValidationError", "At least one instance must be specified")
	}
	list, err := c.site.membersNamed(g, ids)
	if err != nil {
		return nil, nil, err
	}
	for _, i := range list {
		if i.Lifecycle != state {
			return nil, nil, refuse("ValidationError", "The instance %s is not in %s: its lifecycle state is %s.", i.ID, state, i.Lifecycle)
		}
	}
	return g, list, nil
}

func enterStandby(c *call) (any, error) {
	g, list, err := c.standbyMembers(inService)
	if err != nil {
		return nil, err
	}
	decrement := c.p.flag("ShouldDecrementDesiredCapacity")
	if decrement && g.Desired-len(list) < g.Min {
		return nil, refuse("ValidationError", "%s To place into standby %d instance, please update the AutoScalingGroup sizes appropriately.", g.sizes(), len(list))
	}
	var out asgActivities
	for _, i := range list {
		out.Activities = append(out.Activities, c.activity(g, c.site.enterStandby(c.w, g, i, decrement, c.now)))
	}
	return out, nil
}

func exitStandby(c *call) (any, error) {
	g, list, err := c.standbyMembers(standby)
	if err != nil {
		return nil, err
	}
	if g.Desired+len(list) > g.Max {
		return nil, refuse("ValidationError", "%s To bring out of standby %d instance, please update the AutoScalingGroup sizes appropriately.", g.sizes(), len(list))
	}
	if !g.runs("Launch") {
		return nil, refuse("ValidationError", "The process Launch of AutoScalingGroup %s is suspended: its instances cannot leave Standby.", g.Name)
	}
	for _, i := range list {
		if i.state(c.now) != "running" {
			return nil, refuse("ValidationError", "The instance %s is not running.", i.ID)
		}
	}
	var out asgActivities
	for _, i := range list {
		out.Activities = append(out.Activities, c.activity(g, c.site.exitStandby(c.w, g, i, c.now)))
	}
	return out, nil
}

func terminateMember(c *call) (any, error) {
	id := c.p["InstanceId"]
	i := c.site.instance(id)
	if i == nil || i.Group == "" {
		return nil, refuse("ValidationError", "Instance Id not found - No managed instance found for instance ID %s", id)
	}
	g := c.site.group(i.Group)
	if strings.HasPrefix(i.Lifecycle, terminating) {
		return nil, refuse("ScalingActivityInProgress", "Activity for instance %s is in progress: its lifecycle state is %s.", id, i.Lifecycle)
	}
	counts := i.Lifecycle == inService || i.Lifecycle == pending
	cause := "was taken out of service in response to a user request"
	if decrement := c.p.flag("ShouldDecrementDesiredCapacity"); decrement && counts {
		if g.Desired-1 < g.Min {
			return nil, refuse("ValidationError", "Currently, desiredSize equals minSize (%d). Terminating instance without replacement will violate group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false or lower group's min size.", g.Min)
		}
		g.Desired--
		cause += ", shrinking the capacity"
	}
	a := c.site.terminate(c.w, g, i, c.now, cause)
	return struct{ Activity asgActivity }{c.activity(g, a)}, nil
}
