package awssim

import (
	"slices"
)

func describeHooks(c *call) (any, error) {
	g, err := c.group()
	if err != nil {
		return nil, err
	}
	type hook struct {
		Name             string `xml:"LifecycleHookName"`
		Group            string `xml:"AutoScalingGroupName"`
		Transition       string `xml:"LifecycleTransition"`
		HeartbeatTimeout int
		GlobalTimeout    int
		DefaultResult    string
	}
	var out struct {
		Hooks []hook `xml:"LifecycleHooks>member"`
	}
	names := c.p.list("LifecycleHookNames.member")
	for _, one := range []struct {
		of         *Hook
		transition string
	}{{g.Hook, "autoscaling:EC2_INSTANCE_TERMINATING"}, {g.Launch, "autoscaling:EC2_INSTANCE_LAUNCHING"}} {
		if h := one.of; h != nil && (len(names) == 0 || slices.Contains(names, h.Name)) {
			result := "ABANDON"
			if h.Continue {
				result = "CONTINUE"
			}
			out.Hooks = append(out.Hooks, hook{h.Name, g.Name, one.transition, int(h.Heartbeat.Seconds()), int(h.longest().Seconds()), result})
		}
	}
	return out, nil
}

func describeRefreshes(c *call) (any, error) {
	g, err := c.group()
	if err != nil {
		return nil, err
	}
	if _, err := c.number("MaxRecords", 50, 1, 100); err != nil {
		return nil, err
	}
	type refresh struct {
		ID     string `xml:"InstanceRefreshId"`
		Group  string `xml:"AutoScalingGroupName"`
		Status string
	}
	var out struct {
		Refreshes []refresh `xml:"InstanceRefreshes>member"`
	}
	if g.Refreshing {
		out.Refreshes = append(out.Refreshes, refresh{uuid(1), g.Name, "InProgress"})
	}
	return out, nil
}

// suspendable reads the processes; an empty list is all of them.
func (c *call) suspendable() ([]string, error) {
	names := c.p.list("ScalingProcesses.member")
	for _, n := range names {
		if !slices.Contains(processes, n) {
			return nil, refuse("ValidationError", "'%s' is not a valid process type", n)
		}
	}
	if len(names) == 0 {
		return processes, nil
	}
	return names, nil
}

func suspend(c *call) (any, error) {
	g, err := c.group()
	if err != nil {
		return nil, err
	}
	names, err := c.suspendable()
	if err != nil {
		return nil, err
	}
	for _, n := range names {
		if g.runs(n) {
			g.Suspended = append(g.Suspended, n)
		}
	}
	return struct{}{}, nil
}

func resume(c *call) (any, error) {
	g, err := c.group()
	if err != nil {
		return nil, err
	}
	names, err := c.suspendable()
	if err != nil {
		return nil, err
	}
	before := len(g.Suspended)
	g.Suspended = slices.DeleteFunc(g.Suspended, func(p string) bool { return slices.Contains(names, p) })
	if len(g.Suspended) < before {
		g.Resumed = c.now
	}
	return struct{}{}, nil
}

// taggedGroups reads Tags, whose resources have to be groups.
func (c *call) taggedGroups() ([]*group, []groupTag, error) {
	var groups []*group
	var tags []groupTag
	for _, t := range c.p.each("Tags.member") {
		if kind := t["ResourceType"]; kind != "auto-scaling-group" {
			return nil, nil, refuse("ValidationError", "Invalid resource type '%s'", kind)
		}
		g := c.site.group(t["ResourceId"])
		if g == nil {
			return nil, nil, refuse("ValidationError", "AutoScalingGroup name not found - no such group: %s", t["ResourceId"])
		}
		if t["Key"] == "" {
			return nil, nil, refuse("ValidationError", "A tag has to have a key")
		}
		groups = append(groups, g)
		tags = append(tags, groupTag{t["Key"], t["Value"], t.flag("PropagateAtLaunch")})
	}
	if len(tags) == 0 {
		return nil, nil, refuse("ValidationError", "At least one tag must be specified")
	}
	return groups, tags, nil
}

func tagGroups(c *call) (any, error) {
	groups, tags, err := c.taggedGroups()
	for n, g := range groups {
		same := slices.IndexFunc(g.Tags, func(t groupTag) bool { return t.Key == tags[n].Key })
		if same < 0 {
			g.Tags = append(g.Tags, tags[n])
		} else {
			g.Tags[same] = tags[n]
		}
	}
	return struct{}{}, err
}

func untagGroups(c *call) (any, error) {
	groups, tags, err := c.taggedGroups()
	for n, g := range groups {
		same := slices.IndexFunc(g.Tags, func(t groupTag) bool { return t.Key == tags[n].Key })
		if same >= 0 {
			g.Untagged = Untagged{g.Tags[same].Key, g.Tags[same].Value, c.now}
			g.Tags = slices.Delete(g.Tags, same, same+1)
		}
	}
	return struct{}{}, err
}

// describeActivities has the newest first.
func describeActivities(c *call) (any, error) {
	groups := c.site.Groups
	if _, named := c.p["AutoScalingGroupName"]; named {
		g, err := c.group()
		if err != nil {
			return nil, err
		}
		groups = []*group{g}
	}
	var all []asgActivity
	for _, g := range groups {
		for _, a := range slices.Backward(g.Activities) {
			all = append(all, c.activity(g, a))
		}
	}
	all, next, err := page(c, all, "MaxRecords", "NextToken", "InvalidNextToken", 100, 1, 100)
	return struct {
		Activities []asgActivity `xml:"Activities>member"`
		NextToken  string        `xml:",omitempty"`
	}{all, next}, err
}

type asgActivity struct {
	ID          string `xml:"ActivityId"`
	Group       string `xml:"AutoScalingGroupName"`
	Description string
	Cause       string
	StartTime   string
	EndTime     string `xml:",omitempty"`
	StatusCode  string
	Progress    int
}

func (c *call) activity(g *group, a activity) asgActivity {
	out := asgActivity{ID: a.ID, Group: g.Name, Description: a.What, Cause: "At " + stamp(a.Start) + " " + a.Cause, StartTime: stamp(a.Start), StatusCode: "InProgress", Progress: 50}
	if !c.now.Before(a.End) {
		out.EndTime, out.StatusCode, out.Progress = stamp(a.End), "Successful", 100
	}
	return out
}

type asgActivities struct {
	Activities []asgActivity `xml:"Activities>member"`
}
