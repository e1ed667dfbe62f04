package awssim

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

func ec2Ops() []op {
	return []op{
		{
			service: ec2Service, action: "DescribeInstances", do: describeInstances,
			takes: split("DryRun Filter.#.Name Filter.#.Value.# InstanceId.# MaxResults NextToken"), knows: split("IncludeManagedResources"),
		},
		{
			service: ec2Service, action: "DescribeInstanceAttribute", do: describeInstanceAttribute,
			takes: split("DryRun Attribute InstanceId"), needs: split("Attribute InstanceId"),
		},
		{
			service: ec2Service, action: "DescribeVolumes", do: describeVolumes,
			takes: split("DryRun Filter.#.Name Filter.#.Value.# VolumeId.# MaxResults NextToken"), knows: split("IncludeManagedResources"),
		},
		{
			service: ec2Service, action: "DescribeInstanceTypes", do: describeInstanceTypes,
			takes: split("DryRun InstanceType.# MaxResults NextToken"), knows: split("Filter.** IncludeUnsupportedInRegion"),
		},
		{
			service: ec2Service, action: "DescribeSpotInstanceRequests", do: describeSpotRequests,
			takes: split("DryRun Filter.#.Name Filter.#.Value.# SpotInstanceRequestId.# MaxResults NextToken"),
		},
		{
			service: ec2Service, action: "DescribeImages", do: describeAMIs,
			takes: split("DryRun Filter.#.Name Filter.#.Value.# MaxResults NextToken Owner.#"), knows: split("ExecutableBy.# ImageId.# IncludeDeprecated IncludeDisabled"),
		},
		{
			service: ec2Service, action: "CreateTags", change: true, do: createTags,
			takes: split("DryRun ResourceId.# Tag.#.Key Tag.#.Value"), needs: split("ResourceId"),
		},
		{
			service: ec2Service, action: "DeleteTags", change: true, do: deleteTags,
			takes: split("DryRun ResourceId.# Tag.#.Key Tag.#.Value"), needs: split("ResourceId"),
		},
		{
			service: ec2Service, action: "TerminateInstances", change: true, do: terminateInstances,
			takes: split("DryRun InstanceId.#"), knows: split("Force SkipOsShutdown"), needs: split("InstanceId"),
		},
	}
}

type ec2Tag struct {
	Key   string `xml:"key"`
	Value string `xml:"value"`
}

type ec2State struct {
	Code int    `xml:"code"`
	Name string `xml:"name"`
}

func ec2StateOf(name string) ec2State { return ec2State{stateCodes[name], name} }

type ec2Disk struct {
	Device   string `xml:"deviceName"`
	Volume   string `xml:"ebs>volumeId"`
	Status   string `xml:"ebs>status"`
	Attached string `xml:"ebs>attachTime"`
	Deleted  bool   `xml:"ebs>deleteOnTermination"`
}

type ec2Reason struct {
	Code    string `xml:"code"`
	Message string `xml:"message"`
}

type ec2Instance struct {
	ID        string     `xml:"instanceId"`
	Image     string     `xml:"imageId"`
	State     ec2State   `xml:"instanceState"`
	DNS       string     `xml:"privateDnsName"`
	Reason    *ec2Reason `xml:"stateReason"`
	Type      string     `xml:"instanceType"`
	Launched  string     `xml:"launchTime"`
	Zone      string     `xml:"placement>availabilityZone"`
	Address   string     `xml:"privateIpAddress,omitempty"`
	Root      string     `xml:"rootDeviceName"`
	RootType  string     `xml:"rootDeviceType"`
	Disks     []ec2Disk  `xml:"blockDeviceMapping>item"`
	Lifecycle string     `xml:"instanceLifecycle,omitempty"`
	Tags      []ec2Tag   `xml:"tagSet>item"`
}

type ec2Reservation struct {
	ID        string        `xml:"reservationId"`
	Owner     string        `xml:"ownerId"`
	Instances []ec2Instance `xml:"instancesSet>item"`
}

func (c *call) ec2Instance(i *instance) ec2Instance {
	state := i.state(c.now)
	out := ec2Instance{
		ID: i.ID, Image: "ami-0a000000000000001", State: ec2StateOf(state), Type: i.Type, Launched: stamp(i.Launched),
		Zone: i.Zone, Root: i.Volumes[0].Device, RootType: "ebs",
	}
	if i.Spot {
		out.Lifecycle = "spot"
	}
	for _, k := range slices.Sorted(maps.Keys(i.Tags)) {
		out.Tags = append(out.Tags, ec2Tag{k, i.Tags[k]})
	}
	if i.Why != "" && !i.Ending.IsZero() {
		out.Reason = &ec2Reason{i.Why, i.Why}
	}
	if state != "terminated" { // one that is has neither an address nor disks
		out.Address = i.Address
		out.DNS = "ip-" + strings.ReplaceAll(i.Address, ".", "-") + "." + c.site.Region + ".compute.internal"
		for _, v := range i.Volumes {
			out.Disks = append(out.Disks, ec2Disk{v.Device, v.ID, "attached", stamp(i.Launched), !v.Kept})
		}
	}
	return out
}

var instanceID = regexp.MustCompile(`^i-[0-9a-f]{8}([0-9a-f]{9})?$`)

// instances finds those that are named, or all when none is.
func (c *call) instances(ids []string) ([]*instance, error) {
	if len(ids) == 0 {
		return c.site.Instances, nil
	}
	var out []*instance
	var missing []string
	for _, id := range ids {
		if !instanceID.MatchString(id) {
			return nil, refuse("InvalidInstanceID.Malformed", "Invalid id: %q", id)
		}
		if i := c.site.instance(id); i == nil {
			missing = append(missing, id)
		} else if !slices.Contains(out, i) {
			out = append(out, i)
		}
	}
	switch len(missing) {
	case 0:
		return out, nil
	case 1:
		return nil, refuse("InvalidInstanceID.NotFound", "The instance ID '%s' does not exist", missing[0])
	}
	return nil, refuse("InvalidInstanceID.NotFound", "The instance IDs '%s' do not exist", strings.Join(missing, ", "))
}

// instanceFilters gives what each filter compares.
var instanceFilters = map[string]func(c *call, i *instance) string{
	"instance-id":         func(_ *call, i *instance) string { return i.ID },
	"instance-state-name": func(c *call, i *instance) string { return i.state(c.now) },
	"private-ip-address": func(c *call, i *instance) string {
		if i.state(c.now) == "terminated" {
			return ""
		}
		return i.Address
	},
	"availability-zone": func(_ *call, i *instance) string { return i.Zone },
}

// filtered keeps those that fit every filter; a filter wants one of its values, which
// may have * and ?.
func (c *call) filtered(all []*instance) ([]*instance, error) {
	out := slices.Clone(all)
	for _, f := range c.p.each("Filter") {
		name, values := f["Name"], f.list("Value")
		get := instanceFilters[name]
		if tag, is := strings.CutPrefix(name, "tag:"); is {
			get = func(_ *call, i *instance) string { return i.Tags[tag] }
			out = slices.DeleteFunc(out, func(i *instance) bool { _, has := i.Tags[tag]; return !has })
		}
		if get == nil {
			return nil, refuse("InvalidParameterValue", "The filter '%s' is invalid", name)
		}
		if len(values) == 0 {
			return nil, refuse("InvalidParameterValue", "The filter '%s' has no value", name)
		}
		out = slices.DeleteFunc(out, func(i *instance) bool {
			return !slices.ContainsFunc(values, func(v string) bool { return wild(v, get(c, i)) })
		})
	}
	return out, nil
}

// wild says whether text fits a pattern with * and ?.
func wild(pattern, text string) bool {
	re := regexp.QuoteMeta(pattern)
	re = strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(re)
	ok, err := regexp.MatchString("(?s)^"+re+"$", text)
	return err == nil && ok
}

func (c *call) dryRun() error {
	if c.p.flag("DryRun") {
		return refuse("DryRunOperation", "Request would have succeeded, but DryRun flag is set.")
	}
	return nil
}

func describeInstances(c *call) (any, error) {
	ids := c.p.list("InstanceId")
	if len(ids) > 0 && c.p["MaxResults"] != "" {
		return nil, refuse("InvalidParameterCombination", "The parameter instancesSet cannot be used with the parameter maxResults")
	}
	list, err := c.instances(ids)
	if err != nil {
		return nil, err
	}
	if list, err = c.filtered(list); err != nil {
		return nil, err
	}
	list, next, err := page(c, list, "MaxResults", "NextToken", "InvalidNextToken", 1000, 5, 1000)
	if err != nil {
		return nil, err
	}
	if err := c.dryRun(); err != nil {
		return nil, err
	}
	var out struct {
		Reservations []ec2Reservation `xml:"reservationSet>item"`
		Next         string           `xml:"nextToken,omitempty"`
	}
	out.Next = next
	for _, i := range list {
		out.Reservations = append(out.Reservations, ec2Reservation{"r-" + i.ID[2:], c.site.Number, []ec2Instance{c.ec2Instance(i)}})
	}
	return out, nil
}

func describeInstanceAttribute(c *call) (any, error) {
	list, err := c.instances([]string{c.p["InstanceId"]})
	if err != nil {
		return nil, err
	}
	if a := c.p["Attribute"]; a != "disableApiTermination" {
		return nil, refuse(unsimulated, "the attribute %s", a)
	}
	return struct {
		ID     string `xml:"instanceId"`
		Locked bool   `xml:"disableApiTermination>value"`
	}{list[0].ID, list[0].Locked}, c.dryRun()
}
