package awssim

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Image is an AMI that an account owns.
type Image struct {
	ID, Name string
	Tags     map[string]string
}

type ec2Image struct {
	ID    string   `xml:"imageId"`
	Name  string   `xml:"name"`
	Owner string   `xml:"imageOwnerId"`
	State string   `xml:"imageState"`
	Tags  []ec2Tag `xml:"tagSet>item"`
}

func (st *site) ami(id string) *Image {
	for _, i := range st.Images {
		if i.ID == id {
			return i
		}
	}
	return nil
}

var imageID = regexp.MustCompile(`^ami-[0-9a-f]{8}([0-9a-f]{9})?$`)

// taggable are the tags of instances and images that are named.
func (c *call) taggable(ids []string) (out []map[string]string, err error) {
	for _, id := range ids {
		if !strings.HasPrefix(id, "ami-") {
			list, err := c.instances([]string{id})
			if err != nil {
				return nil, err
			}
			out = append(out, list[0].Tags)
			continue
		}
		if !imageID.MatchString(id) {
			return nil, refuse("InvalidAMIID.Malformed", "Invalid id: %q", id)
		}
		i := c.site.ami(id)
		if i == nil {
			return nil, refuse("InvalidAMIID.NotFound", "The image id '[%s]' does not exist", id)
		}
		out = append(out, i.Tags)
	}
	return out, nil
}

// describeAMIs shows those of the account; all that others share is left out.
func describeAMIs(c *call) (any, error) {
	all := slices.Clone(c.site.Images)
	for _, owner := range c.p.list("Owner") {
		if owner != "self" && owner != c.site.Number {
			return nil, refuse(unsimulated, "the owner %s", owner)
		}
	}
	for _, f := range c.p.each("Filter") {
		name, values := f["Name"], f.list("Value")
		get := map[string]func(*Image) string{
			"image-id": func(i *Image) string { return i.ID },
			"name":     func(i *Image) string { return i.Name },
			"state":    func(*Image) string { return "available" },
		}[name]
		if tag, is := strings.CutPrefix(name, "tag:"); is {
			get = func(i *Image) string { return i.Tags[tag] }
			all = slices.DeleteFunc(all, func(i *Image) bool { _, has := i.Tags[tag]; return !has })
		}
		if get == nil || len(values) == 0 {
			return nil, refuse("InvalidParameterValue", "The filter '%s' is invalid", name)
		}
		all = slices.DeleteFunc(all, func(i *Image) bool {
			return !slices.ContainsFunc(values, func(v string) bool { return wild(v, get(i)) })
		})
	}
	all, next, err := page(c, all, "MaxResults", "NextToken", "InvalidNextToken", 1000, 1, 1000)
	if err != nil {
		return nil, err
	}
	if err := c.dryRun(); err != nil {
		return nil, err
	}
	var out struct {
		Images []ec2Image `xml:"imagesSet>item"`
		Next   string     `xml:"nextToken,omitempty"`
	}
	out.Next = next
	for _, i := range all {
		one := ec2Image{ID: i.ID, Name: i.Name, Owner: c.site.Number, State: "available"}
		for _, k := range slices.Sorted(maps.Keys(i.Tags)) {
			one.Tags = append(one.Tags, ec2Tag{k, i.Tags[k]})
		}
		out.Images = append(out.Images, one)
	}
	return out, nil
}

// Images shows the AMIs of all accounts.
func (s *Sim) Images() (out []Image) {
	s.look(func(time.Time) {
		for _, st := range s.world.Sites {
			for _, i := range st.Images {
				out = append(out, Image{i.ID, i.Name, maps.Clone(i.Tags)})
			}
		}
	})
	return out
}
