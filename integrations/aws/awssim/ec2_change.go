package awssim

import (
	"maps"
	"strings"
)

type ec2Return struct {
	Return bool `xml:"return"`
}

const maxTags = 50

func createTags(c *call) (any, error) {
	list, err := c.taggable(c.p.list("ResourceId"))
	if err != nil {
		return nil, err
	}
	tags := c.p.each("Tag")
	if len(tags) == 0 {
		return nil, refuse("MissingParameter", "The request must contain the parameter tagSet")
	}
	for _, t := range tags {
		switch {
		case strings.HasPrefix(t["Key"], "aws:"):
			return nil, refuse("InvalidParameterValue", "Tag keys starting with 'aws:' are reserved for internal use")
		case t["Key"] == "" || len([]rune(t["Key"])) > 127 || len([]rune(t["Value"])) > 255:
			return nil, refuse("InvalidParameterValue", "Tag key or value is too long or empty")
		}
	}
	for _, had := range list {
		all := maps.Clone(had)
		for _, t := range tags {
			all[t["Key"]] = t["Value"]
		}
		if len(all) > maxTags {
			return nil, refuse("TagLimitExceeded", "The maximum number of Tags for a resource has been reached.")
		}
	}
	if err := c.dryRun(); err != nil {
		return nil, err
	}
	for _, of := range list {
		for _, t := range tags {
			of[t["Key"]] = t["Value"]
		}
	}
	return ec2Return{true}, nil
}

// deleteTags takes away a tag that has the value given, or any value when none is; and
// all of them when no tag is named.
func deleteTags(c *call) (any, error) {
	list, err := c.instances(c.p.list("ResourceId"))
	if err != nil {
		return nil, err
	}
	if err := c.dryRun(); err != nil {
		return nil, err
	}
	tags := c.p.each("Tag")
	for _, i := range list {
		if len(tags) == 0 {
			maps.DeleteFunc(i.Tags, func(k, _ string) bool { return !strings.HasPrefix(k, "aws:") })
		}
		for _, t := range tags {
			if v, given := t["Value"]; !given || v == i.Tags[t["Key"]] {
				delete(i.Tags, t["Key"])
			}
		}
	}
	return ec2Return{true}, nil
}

// terminateInstances kills at once, members of a group too: their pools and hooks are
// not asked, and the group notices later.
func terminateInstances(c *call) (any, error) {
	list, err := c.instances(c.p.list("InstanceId"))
	if err != nil {
		return nil, err
	}
	for _, i := range list {
		if i.Locked && i.state(c.now) != "terminated" {
			return nil, refuse("OperationNotPermitted", "The instance '%s' may not be terminated. Modify its 'disableApiTermination' instance attribute and try again.", i.ID)
		}
	}
	if err := c.dryRun(); err != nil {
		return nil, err
	}
	type item struct {
		ID      string   `xml:"instanceId"`
		Current ec2State `xml:"currentState"`
		Before  ec2State `xml:"previousState"`
	}
	var out struct {
		Items []item `xml:"instancesSet>item"`
	}
	for _, i := range list {
		before := i.state(c.now)
		i.end(c.now, "Client.UserInitiatedShutdown")
		out.Items = append(out.Items, item{i.ID, ec2StateOf(i.state(c.now)), ec2StateOf(before)})
	}
	return out, nil
}
