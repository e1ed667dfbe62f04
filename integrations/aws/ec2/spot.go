package ec2

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// mostValues is how many values a filter of EC2 takes.
const mostValues = 200

// takenBack are the beginnings of the status codes of a Spot request whose instance EC2
// is about to take back, or is taking back ("Spot request status codes", EC2 User
// Guide). An instance itself does not show it before it ends.
var takenBack = []string{"marked-for-", "instance-terminated-", "instance-stopped-"}

// Notices are the status codes of those of some Spot instances that EC2 takes back, by
// their ids: "marked-for-termination" in the two minutes before. It is one call for 200.
func (r *Reader) Notices(ctx context.Context, ids []string) (map[string]string, error) {
	out := map[string]string{}
	for some := range slices.Chunk(ids, mostValues) {
		pages := sdk.NewDescribeSpotInstanceRequestsPaginator(r.api, &sdk.DescribeSpotInstanceRequestsInput{
			Filters: []types.Filter{filter("instance-id", some...)}, MaxResults: aws.Int32(1000),
		})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return nil, err
			}
			for _, one := range page.SpotInstanceRequests {
				if one.Status == nil {
					continue
				}
				code := aws.ToString(one.Status.Code)
				if slices.ContainsFunc(takenBack, func(p string) bool { return strings.HasPrefix(code, p) }) {
					out[aws.ToString(one.InstanceId)] = code
				}
			}
		}
	}
	return out, nil
}

// Note writes down of each running Spot instance that EC2 takes it back. Where there is
// none, nothing is asked.
func (r *Reader) Note(ctx context.Context, all []*integrations.Instance) error {
	spot := map[string]*integrations.Instance{}
	for _, i := range all {
		if i.Spot && i.State == integrations.InstanceRunning {
			spot[i.ID] = i
		}
	}
	if len(spot) == 0 {
		return nil
	}
	notices, err := r.Notices(ctx, slices.Sorted(maps.Keys(spot)))
	for id, code := range notices {
		if i := spot[id]; i != nil {
			i.Notice = code
		}
	}
	return err
}
