package aws

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/aws/cloudwatch"
)

// Names finds an instance by its id or its Name, with the metrics that CloudWatch has of
// it. The error is *integrations.Unmeasured where none, or several, are called so.
func (f *Fleet) Names(ctx context.Context, of string) (integrations.Gauge, error) {
	found, err := f.Find(ctx, of)
	if err != nil {
		return integrations.Gauge{}, err
	}
	found = slices.DeleteFunc(found, func(i integrations.Instance) bool { return i.State == integrations.InstanceTerminated })
	switch len(found) {
	case 0:
		all, err := f.Instances(ctx)
		if err != nil {
			return integrations.Gauge{}, err
		}
		none := &integrations.Unmeasured{}
		for _, i := range all {
			none.Others = append(none.Others, cmp.Or(i.Name, i.ID))
		}
		slices.Sort(none.Others)
		none.Others = slices.Compact(none.Others)
		return integrations.Gauge{}, none
	case 1:
		i := found[0]
		return integrations.Gauge{System: "CloudWatch", Kind: integrations.GaugeHost, Name: cmp.Or(i.Name, i.ID), Key: i.Site.String() + " " + i.ID, Metrics: cloudwatch.Names()}, nil
	}
	several := &integrations.Unmeasured{}
	for _, i := range found {
		several.Several = append(several.Several, i.ID)
	}
	return integrations.Gauge{}, several
}

// Series are the values of a metric of an instance that Names found, one in five minutes.
func (f *Fleet) Series(ctx context.Context, g integrations.Gauge, metric string, from, until time.Time) (integrations.Series, error) {
	for _, s := range f.sites {
		if id, here := strings.CutPrefix(g.Key, s.String()+" "); here {
			out, err := s.meter.Series(ctx, id, metric, from, until)
			return out, shape(ctx, "read "+metric+" of", id, err)
		}
	}
	return integrations.Series{}, fmt.Errorf("aws read %s of %s: the configuration has no such site", metric, g.Key)
}
