package awssim

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
)

type ec2Attachment struct {
	Volume   string `xml:"volumeId"`
	Instance string `xml:"instanceId"`
	Device   string `xml:"device"`
	Status   string `xml:"status"`
	Attached string `xml:"attachTime"`
	Deleted  bool   `xml:"deleteOnTermination"`
}

type ec2Volume struct {
	ID          string          `xml:"volumeId"`
	Size        int             `xml:"size"`
	Zone        string          `xml:"availabilityZone"`
	Status      string          `xml:"status"`
	Attachments []ec2Attachment `xml:"attachmentSet>item"`
}

var volumeID = regexp.MustCompile(`^vol-[0-9a-f]{8}([0-9a-f]{9})?$`)

// describeVolumes knows the volumes of the instances that have not ended.
func describeVolumes(c *call) (any, error) {
	wanted := c.p.list("VolumeId")
	for _, id := range wanted {
		if !volumeID.MatchString(id) {
			return nil, refuse("InvalidVolumeID.Malformed", "Invalid id: %q", id)
		}
	}
	var of []string
	for _, f := range c.p.each("Filter") {
		if f["Name"] != "attachment.instance-id" {
			return nil, refuse("InvalidParameterValue", "The filter '%s' is invalid", f["Name"])
		}
		of = append(of, f.list("Value")...)
	}
	var list []ec2Volume
	found := map[string]bool{}
	for _, i := range c.site.Instances {
		if i.state(c.now) == "terminated" || len(of) > 0 && !slices.Contains(of, i.ID) {
			continue
		}
		for _, v := range i.Volumes {
			if len(wanted) > 0 && !slices.Contains(wanted, v.ID) {
				continue
			}
			found[v.ID] = true
			at := ec2Attachment{v.ID, i.ID, v.Device, "attached", stamp(i.Launched), !v.Kept}
			list = append(list, ec2Volume{v.ID, 8, i.Zone, "in-use", []ec2Attachment{at}})
		}
	}
	for _, id := range wanted {
		if !found[id] {
			return nil, refuse("InvalidVolume.NotFound", "The volume '%s' does not exist.", id)
		}
	}
	list, next, err := page(c, list, "MaxResults", "NextToken", "InvalidNextToken", 1000, 5, 1000)
	return struct {
		Volumes []ec2Volume `xml:"volumeSet>item"`
		Next    string      `xml:"nextToken,omitempty"`
	}{list, next}, cmp.Or(err, c.dryRun())
}

// instanceTypes says of each type that there is here whether it has disks of its own.
var instanceTypes = map[string]bool{
	"t3.micro": false, "t3.medium": false, "c5.large": false, "c5.xlarge": false, "m5.large": false, "r5.xlarge": false,
	"c5d.large": true, "m5d.large": true, "i3.large": true,
}

func describeInstanceTypes(c *call) (any, error) {
	names := c.p.list("InstanceType")
	for _, n := range names {
		if _, ok := instanceTypes[n]; !ok {
			return nil, refuse("InvalidInstanceType", "The following supplied instance types do not exist: [%s]", n)
		}
	}
	if len(names) == 0 {
		names = slices.Sorted(maps.Keys(instanceTypes))
	}
	names, next, err := page(c, names, "MaxResults", "NextToken", "InvalidNextToken", 100, 5, 100)
	type item struct {
		Name    string `xml:"instanceType"`
		Storage bool   `xml:"instanceStorageSupported"`
	}
	var out struct {
		Types []item `xml:"instanceTypeSet>item"`
		Next  string `xml:"nextToken,omitempty"`
	}
	out.Next = next
	for _, n := range names {
		out.Types = append(out.Types, item{n, instanceTypes[n]})
	}
	return out, cmp.Or(err, c.dryRun())
}
