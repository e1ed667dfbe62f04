// Package cloudwatch speaks to Amazon CloudWatch for package aws: it reads how the
// metrics of instances went. Errors are the SDK's.
package cloudwatch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/aws/iam"
)

// Needs are the actions that this folder calls.
var Needs = []iam.Action{{Name: "cloudwatch:GetMetricData", Why: "reads a metric of an instance, for `/ops graph`"}}

const (
	namespace = "AWS/EC2"
	// Period is between two values: EC2 sends one in five minutes, unless more is paid
	// for; of more they are averages.
	Period = 5 * time.Minute
	// mostPages is how many pages of one metric are read; each has thousands of values.
	mostPages = 20
)

// metrics are those that EC2 sends of every instance (list-available-metrics of its user
// guide), each with what is made of several values of a period.
var metrics = map[string]struct{ stat, unit string }{
	"CPUUtilization": {"Average", integrations.UnitPercent}, "CPUCreditBalance": {"Average", integrations.UnitNone},
	"NetworkIn": {"Average", integrations.UnitBytes}, "NetworkOut": {"Average", integrations.UnitBytes},
	"EBSReadBytes": {"Average", integrations.UnitBytes}, "EBSWriteBytes": {"Average", integrations.UnitBytes},
	"StatusCheckFailed": {"Maximum", integrations.UnitNone},
}

// Names are those of the metrics of an instance, sorted.
func Names() []string {
	var out []string
	for name := range metrics {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// Reader reads metrics.
type Reader struct{ api *sdk.Client }

// NewReader makes one for the account and the region of c.
func NewReader(c aws.Config) *Reader { return &Reader{sdk.NewFromConfig(c)} }

// Series are the values of a metric of an instance in a time, the oldest first.
func (r *Reader) Series(ctx context.Context, instance, metric string, from, until time.Time) (integrations.Series, error) {
	how, ok := metrics[metric]
	if !ok {
		return integrations.Series{}, fmt.Errorf("no metric of an instance is called %q", metric)
	}
	out := integrations.Series{Unit: how.unit, Every: Period}
	in := &sdk.GetMetricDataInput{
		StartTime: aws.Time(from.Truncate(Period)), EndTime: aws.Time(until), ScanBy: types.ScanByTimestampAscending,
		MetricDataQueries: []types.MetricDataQuery{{Id: aws.String("m"), MetricStat: &types.MetricStat{
			Period: aws.Int32(int32(Period / time.Second)), Stat: aws.String(how.stat),
			Metric: &types.Metric{Namespace: aws.String(namespace), MetricName: aws.String(metric), Dimensions: []types.Dimension{{Name: aws.String("InstanceId"), Value: aws.String(instance)}}},
		}}},
	}
	for range mostPages {
		got, err := r.api.GetMetricData(ctx, in)
		if err != nil {
			return out, err
		}
		for _, one := range got.MetricDataResults {
			if len(one.Timestamps) != len(one.Values) {
				return out, errors.New("CloudWatch gave more values than times, or fewer")
			}
			for i, at := range one.Timestamps {
				out.Points = append(out.Points, integrations.Point{At: at.UTC(), Value: one.Values[i]})
			}
		}
		if aws.ToString(got.NextToken) == "" {
			slices.SortStableFunc(out.Points, func(a, b integrations.Point) int { return a.At.Compare(b.At) })
			return out, nil
		}
		in.NextToken = got.NextToken
	}
	return out, fmt.Errorf("CloudWatch has more than %d pages of %s", mostPages, metric)
}
