package awssim

import (
	"cmp"
	"slices"
)

type ec2SpotRequest struct {
	ID       string    `xml:"spotInstanceRequestId"`
	Instance string    `xml:"instanceId"`
	Kind     string    `xml:"type"`
	State    string    `xml:"state"`
	Status   ec2Reason `xml:"status"`
}

func spotRequestID(i *instance) string { return "sir-" + i.ID[len(i.ID)-8:] }

// spotRequest is the request that a spot instance came from, in the words of its status
// codes ("Spot request status codes", EC2 User Guide).
func (c *call) spotRequest(i *instance) ec2SpotRequest {
	state, code := "active", "fulfilled"
	switch over := !i.Ending.IsZero() && !c.now.Before(i.Ending); {
	case over && i.Why == "Server.SpotInstanceTermination":
		state, code = "closed", "instance-terminated-no-capacity"
	case over:
		state, code = "closed", "instance-terminated-by-user"
	case !i.SpotNotice.IsZero():
		code = "marked-for-termination"
	}
	return ec2SpotRequest{spotRequestID(i), i.ID, "one-time", state, ec2Reason{code, code}}
}

var spotFilters = map[string]func(r ec2SpotRequest) string{
	"instance-id":              func(r ec2SpotRequest) string { return r.Instance },
	"spot-instance-request-id": func(r ec2SpotRequest) string { return r.ID },
	"state":                    func(r ec2SpotRequest) string { return r.State },
	"status-code":              func(r ec2SpotRequest) string { return r.Status.Code },
}

// mostFilterValues is how many values a filter takes.
const mostFilterValues = 200

func describeSpotRequests(c *call) (any, error) {
	var all []ec2SpotRequest
	for _, i := range c.site.Instances {
		if i.Spot {
			all = append(all, c.spotRequest(i))
		}
	}
	if named := c.p.list("SpotInstanceRequestId"); len(named) > 0 {
		all = slices.DeleteFunc(all, func(r ec2SpotRequest) bool { return !slices.Contains(named, r.ID) })
		if len(all) < len(named) {
			return nil, refuse("InvalidSpotInstanceRequestID.NotFound", "The spot instance request ID '%s' does not exist", named[0])
		}
	}
	for _, f := range c.p.each("Filter") {
		get, values := spotFilters[f["Name"]], f.list("Value")
		if get == nil || len(values) == 0 {
			return nil, refuse("InvalidParameterValue", "The filter '%s' is invalid", f["Name"])
		}
		if len(values) > mostFilterValues {
			return nil, refuse("FilterLimitExceeded", "The maximum number of filter values specified on a single call is %d", mostFilterValues)
		}
		all = slices.DeleteFunc(all, func(r ec2SpotRequest) bool {
			return !slices.ContainsFunc(values, func(v string) bool { return wild(v, get(r)) })
		})
	}
	all, next, err := page(c, all, "MaxResults", "NextToken", "InvalidNextToken", 1000, 5, 1000)
	return struct {
		Requests []ec2SpotRequest `xml:"spotInstanceRequestSet>item"`
		Next     string           `xml:"nextToken,omitempty"`
	}{all, next}, cmp.Or(err, c.dryRun())
}
