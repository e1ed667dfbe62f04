package awssim

import "strconv"

// describeBalancerAttributes tells whether an instance of one zone takes requests of
// all: an application load balancer's does, a network load balancer's does not.
func describeBalancerAttributes(c *call) (any, error) {
	arn := c.p["LoadBalancerArn"]
	for _, p := range c.site.targetGroups() {
		if p.Balancer == "-" || c.site.balancerARN(p) != arn {
			continue
		}
		type attribute struct{ Key, Value string }
		return struct {
			Attributes []attribute `xml:"Attributes>member"`
		}{[]attribute{
			{"deletion_protection.enabled", "false"},
			{"load_balancing.cross_zone.enabled", strconv.FormatBool(p.Kind == KindALB)},
		}}, nil
	}
	return nil, refuse("LoadBalancerNotFound", "Load balancer '%s' not found", arn)
}
