package awssim

import (
	"slices"
	"strings"
)

const groupTagParams = "Tags.member.#.Key Tags.member.#.Value Tags.member.#.ResourceId Tags.member.#.ResourceType Tags.member.#.PropagateAtLaunch"

// updateKnown are the parameters of UpdateAutoScalingGroup that say something else
// than its size.
const updateKnown = "AvailabilityZoneDistribution.** AvailabilityZoneIds.** AvailabilityZoneImpairmentPolicy.** AvailabilityZones.** CapacityRebalance " +
	"CapacityReservationSpecification.** Context DefaultCooldown DefaultInstanceWarmup DeletionProtection DesiredCapacityType HealthCheckGracePeriod HealthCheckType " +
	"InstanceLifecyclePolicy.** InstanceMaintenancePolicy.** LaunchConfigurationName LaunchTemplate.** MaxInstanceLifetime MixedInstancesPolicy.** " +
	"NewInstancesProtectedFromScaleIn PlacementGroup ServiceLinkedRoleARN SkipZonalShiftValidation TerminationPolicies.** VPCZoneIdentifier"

func autoscalingOps() []op {
	ops := []op{
		{
			action: "DescribeAutoScalingGroups", do: describeGroups, knows: split("IncludeManagedResources"),
			takes: split("AutoScalingGroupNames.member.# Filters.member.#.Name Filters.member.#.Values.member.# IncludeInstances MaxRecords NextToken"),
		},
		{
			action: "DescribeAutoScalingInstances", do: describeMembers, knows: split("IncludeManagedResources"),
			takes: split("InstanceIds.member.# MaxRecords NextToken"),
		},
		{
			action: "EnterStandby", change: true, do: enterStandby,
			takes: split("AutoScalingGroupName InstanceIds.member.# ShouldDecrementDesiredCapacity"), needs: split("AutoScalingGroupName ShouldDecrementDesiredCapacity"),
		},
		{
			action: "ExitStandby", change: true, do: exitStandby,
			takes: split("AutoScalingGroupName InstanceIds.member.#"), needs: split("AutoScalingGroupName"),
		},
		{
			action: "SetDesiredCapacity", change: true, do: setDesired, takes: split("AutoScalingGroupName DesiredCapacity HonorCooldown"),
			needs: split("AutoScalingGroupName DesiredCapacity"),
		},
		{
			action: "UpdateAutoScalingGroup", change: true, do: updateGroup, needs: split("AutoScalingGroupName"),
			takes: split("AutoScalingGroupName MinSize MaxSize DesiredCapacity"), knows: split(updateKnown),
		},
		{
			action: "TerminateInstanceInAutoScalingGroup", change: true, do: terminateMember, needs: split("InstanceId ShouldDecrementDesiredCapacity"),
			takes: split("InstanceId ShouldDecrementDesiredCapacity"), knows: split("AutoScalingGroupName InstanceIds.**"),
		},
		{
			action: "DescribeLifecycleHooks", do: describeHooks,
			takes: split("AutoScalingGroupName LifecycleHookNames.member.#"), needs: split("AutoScalingGroupName"),
		},
		{
			action: "DescribeInstanceRefreshes", do: describeRefreshes, knows: split("InstanceRefreshIds.**"),
			takes: split("AutoScalingGroupName MaxRecords NextToken"), needs: split("AutoScalingGroupName"),
		},
		{
			action: "SuspendProcesses", change: true, do: suspend,
			takes: split("AutoScalingGroupName ScalingProcesses.member.#"), needs: split("AutoScalingGroupName"),
		},
		{
			action: "ResumeProcesses", change: true, do: resume,
			takes: split("AutoScalingGroupName ScalingProcesses.member.#"), needs: split("AutoScalingGroupName"),
		},
		{action: "CreateOrUpdateTags", change: true, do: tagGroups, takes: split(groupTagParams)},
		{action: "DeleteTags", change: true, do: untagGroups, takes: split(groupTagParams)},
		{
			action: "DescribeScalingActivities", do: describeActivities, knows: split("ActivityIds.** Filters.** IncludeDeletedGroups IncludeManagedResources"),
			takes: split("AutoScalingGroupName MaxRecords NextToken"),
		},
	}
	for n := range ops {
		ops[n].service = autoscalingService
	}
	return ops
}

// group finds the one that the call names.
func (c *call) group() (*group, error) {
	name := c.p["AutoScalingGroupName"]
	if g := c.site.group(name); g != nil {
		return g, nil
	}
	return nil, refuse("ValidationError", "AutoScalingGroup name not found - AutoScalingGroup '%s' not found", name)
}

type asgMember struct {
	ID        string `xml:"InstanceId"`
	Type      string `xml:"InstanceType"`
	Zone      string `xml:"AvailabilityZone"`
	State     string `xml:"LifecycleState"`
	Health    string `xml:"HealthStatus"`
	Group     string `xml:"AutoScalingGroupName,omitempty"`
	Protected bool   `xml:"ProtectedFromScaleIn"`
}

type asgTag struct {
	ResourceID        string `xml:"ResourceId"`
	ResourceType      string
	Key, Value        string
	PropagateAtLaunch bool
}

type asgProcess struct {
	Name   string `xml:"ProcessName"`
	Reason string `xml:"SuspensionReason"`
}

type asgGroup struct {
	Name        string       `xml:"AutoScalingGroupName"`
	ARN         string       `xml:"AutoScalingGroupARN"`
	Min         int          `xml:"MinSize"`
	Max         int          `xml:"MaxSize"`
	Desired     int          `xml:"DesiredCapacity"`
	Cooldown    int          `xml:"DefaultCooldown"`
	Zones       []string     `xml:"AvailabilityZones>member"`
	Classics    []string     `xml:"LoadBalancerNames>member"`
	Targets     []string     `xml:"TargetGroupARNs>member"`
	HealthCheck string       `xml:"HealthCheckType"`
	Grace       int          `xml:"HealthCheckGracePeriod"`
	Members     []asgMember  `xml:"Instances>member"`
	Created     string       `xml:"CreatedTime"`
	Suspended   []asgProcess `xml:"SuspendedProcesses>member"`
	Tags        []asgTag     `xml:"Tags>member"`
	New         bool         `xml:"NewInstancesProtectedFromScaleIn"`
}

func (c *call) member(i *instance) asgMember {
	health := "Healthy"
	if !i.Ending.IsZero() && strings.HasPrefix(i.Lifecycle, terminating) {
		health = "Unhealthy"
	}
	return asgMember{ID: i.ID, Type: i.Type, Zone: i.Zone, State: i.Lifecycle, Health: health, Protected: i.Protected}
}

func (c *call) asgGroup(g *group) asgGroup {
	out := asgGroup{
		Name: g.Name, ARN: c.site.groupARN(g), Min: g.Min, Max: g.Max, Desired: g.Desired, Cooldown: 300, Zones: g.Zones,
		HealthCheck: g.HealthCheck, Created: stamp(g.Made),
	}
	for _, name := range g.Pools {
		if p := c.site.pool(name); p.Kind == KindClassic {
			out.Classics = append(out.Classics, name)
		} else {
			out.Targets = append(out.Targets, c.site.poolARN(p))
		}
	}
	if v, given := c.p["IncludeInstances"]; !given || v == "true" {
		for _, i := range c.site.members(g) {
			out.Members = append(out.Members, c.member(i))
		}
	}
	for _, p := range g.Suspended {
		out.Suspended = append(out.Suspended, asgProcess{p, "User suspended at " + stamp(c.now)})
	}
	for _, t := range g.Tags {
		out.Tags = append(out.Tags, asgTag{g.Name, "auto-scaling-group", t.Key, t.Value, t.Propagate})
	}
	return out
}

// groupFilters says whether a tag of a group is one that a filter wants.
var groupFilters = map[string]func(t groupTag, values []string) bool{
	"tag-key":   func(t groupTag, values []string) bool { return slices.Contains(values, t.Key) },
	"tag-value": func(t groupTag, values []string) bool { return slices.Contains(values, t.Value) },
}

func (c *call) groupsFiltered(all []*group) ([]*group, error) {
	for _, f := range c.p.each("Filters.member") {
		fits := groupFilters[f["Name"]]
		if key, is := strings.CutPrefix(f["Name"], "tag:"); is {
			fits = func(t groupTag, values []string) bool { return t.Key == key && slices.Contains(values, t.Value) }
		}
		if fits == nil {
			return nil, refuse("ValidationError", "Filter type %s is not correct. Allowed Filter types are: tag-key, tag-value, tag:<key>", f["Name"])
		}
		values := f.list("Values.member")
		all = slices.DeleteFunc(slices.Clone(all), func(g *group) bool {
			return !slices.ContainsFunc(g.Tags, func(t groupTag) bool { return fits(t, values) })
		})
	}
	return all, nil
}

// describeGroups leaves out names that it does not know.
func describeGroups(c *call) (any, error) {
	all := c.site.Groups
	if names := c.p.list("AutoScalingGroupNames.member"); len(names) > 0 {
		all = slices.DeleteFunc(slices.Clone(all), func(g *group) bool { return !slices.Contains(names, g.Name) })
	}
	all, err := c.groupsFiltered(all)
	if err != nil {
		return nil, err
	}
	all, next, err := page(c, all, "MaxRecords", "NextToken", "InvalidNextToken", 50, 1, 100)
	var out struct {
		Groups    []asgGroup `xml:"AutoScalingGroups>member"`
		NextToken string     `xml:",omitempty"`
	}
	out.NextToken = next
	for _, g := range all {
		out.Groups = append(out.Groups, c.asgGroup(g))
	}
	return out, err
}

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

const mostMembers = 10_000

func setDesired(c *call) (any, error) {
	g, err := c.group()
	if err != nil {
		return nil, err
	}
	n, err := c.number("DesiredCapacity", 0, 0, mostMembers)
	if err != nil {
		return nil, err
	}
	switch {
	case n > g.Max:
		return nil, refuse("ValidationError", "New SetDesiredCapacity value %d is above max value %d for the AutoScalingGroup.", n, g.Max)
	case n < g.Min:
		return nil, refuse("ValidationError", "New SetDesiredCapacity value %d is below min value %d for the AutoScalingGroup.", n, g.Min)
	case c.p.flag("HonorCooldown"):
		return nil, refuse(unsimulated, "SetDesiredCapacity with HonorCooldown")
	}
	g.Desired = n
	return struct{}{}, nil
}

// updateGroup moves a desired capacity that is not given into the new bounds, and
// refuses one that is given and is not in them.
func updateGroup(c *call) (any, error) {
	g, err := c.group()
	if err != nil {
		return nil, err
	}
	var least, most, desired int
	for key, to := range map[string]struct {
		n   *int
		def int
	}{"MinSize": {&least, g.Min}, "MaxSize": {&most, g.Max}, "DesiredCapacity": {&desired, -1}} {
		if *to.n, err = c.number(key, to.def, 0, mostMembers); err != nil {
			return nil, err
		}
	}
	switch {
	case least > most:
		return nil, refuse("ValidationError", "Max bound, %d, must be greater than or equal to min bound, %d", most, least)
	case desired < 0:
		desired = min(max(g.Desired, least), most)
	case desired < least || desired > most:
		return nil, refuse("ValidationError", "Desired capacity:%d must be between the specified min size:%d and max size:%d", desired, least, most)
	}
	g.Min, g.Max, g.Desired = least, most, desired
	return struct{}{}, nil
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
	cause := "instance " + id + " was taken out of service in response to a user request"
	if decrement := c.p.flag("ShouldDecrementDesiredCapacity"); decrement && counts {
		if g.Desired-1 < g.Min {
			return nil, refuse("ValidationError", "Currently, desiredSize equals minSize (%d). Terminating instance without replacement will violate group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false or lower group's min size.", g.Min)
		}
		g.Desired--
		cause += ", shrinking the capacity"
	}
	c.site.terminate(g, i, c.now, "Client.UserInitiatedShutdown")
	a := g.note(c.w, "Terminating EC2 instance: "+id, cause+".", c.now, i.Next)
	return struct{ Activity asgActivity }{c.activity(g, a)}, nil
}

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
	if h := g.Hook; h != nil && (len(names) == 0 || slices.Contains(names, h.Name)) {
		seconds := int(h.Heartbeat.Seconds())
		out.Hooks = append(out.Hooks, hook{h.Name, g.Name, "autoscaling:EC2_INSTANCE_TERMINATING", seconds, min(172800, 100*seconds), "ABANDON"})
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
	g.Suspended = slices.DeleteFunc(g.Suspended, func(p string) bool { return slices.Contains(names, p) })
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
		g.Tags = slices.DeleteFunc(g.Tags, func(t groupTag) bool { return t.Key == tags[n].Key })
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
