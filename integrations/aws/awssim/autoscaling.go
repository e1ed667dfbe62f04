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
	ops := append(autoscalingReads(), autoscalingChanges()...)
	for n := range ops {
		ops[n].service = autoscalingService
	}
	return ops
}

func autoscalingReads() []op {
	return []op{
		{
			action: "DescribeAutoScalingGroups", do: describeGroups, knows: split("IncludeManagedResources"),
			takes: split("AutoScalingGroupNames.member.# Filters.member.#.Name Filters.member.#.Values.member.# IncludeInstances MaxRecords NextToken"),
		},
		{
			action: "DescribeAutoScalingInstances", do: describeMembers, knows: split("IncludeManagedResources"),
			takes: split("InstanceIds.member.# MaxRecords NextToken"),
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
			action: "DescribeScalingActivities", do: describeActivities, knows: split("ActivityIds.** Filters.** IncludeDeletedGroups IncludeManagedResources"),
			takes: split("AutoScalingGroupName MaxRecords NextToken"),
		},
	}
}

func autoscalingChanges() []op {
	named := split("AutoScalingGroupName")
	ops := []op{
		{
			action: "EnterStandby", do: enterStandby, needs: split("AutoScalingGroupName ShouldDecrementDesiredCapacity"),
			takes: split("AutoScalingGroupName InstanceIds.member.# ShouldDecrementDesiredCapacity"),
		},
		{action: "ExitStandby", do: exitStandby, needs: named, takes: split("AutoScalingGroupName InstanceIds.member.#")},
		{
			action: "SetDesiredCapacity", do: setDesired, needs: split("AutoScalingGroupName DesiredCapacity"),
			takes: split("AutoScalingGroupName DesiredCapacity HonorCooldown"),
		},
		{
			action: "UpdateAutoScalingGroup", do: updateGroup, needs: named,
			takes: split("AutoScalingGroupName MinSize MaxSize DesiredCapacity"), knows: split(updateKnown),
		},
		{
			action: "TerminateInstanceInAutoScalingGroup", do: terminateMember, needs: split("InstanceId ShouldDecrementDesiredCapacity"),
			takes: split("InstanceId ShouldDecrementDesiredCapacity"), knows: split("AutoScalingGroupName InstanceIds.**"),
		},
		{action: "SuspendProcesses", do: suspend, needs: named, takes: split("AutoScalingGroupName ScalingProcesses.member.#")},
		{action: "ResumeProcesses", do: resume, needs: named, takes: split("AutoScalingGroupName ScalingProcesses.member.#")},
		{action: "CreateOrUpdateTags", do: tagGroups, takes: split(groupTagParams)},
		{action: "DeleteTags", do: untagGroups, takes: split(groupTagParams)},
	}
	ops = append(ops, hookOps()...)
	for n := range ops {
		ops[n].change = true
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
		out.Suspended = append(out.Suspended, asgProcess{p, "User suspended"})
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
