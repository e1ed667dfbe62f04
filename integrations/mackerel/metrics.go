package mackerel

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	sdk "github.com/mackerelio/mackerel-client-go"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// Names finds a service or a host: a service by its name; a host by its name, its id or
// that of its instance. The error is *integrations.Unmeasured where nothing, or several
// hosts, are called so.
func (c *Client) Names(ctx context.Context, of string) (integrations.Gauge, error) {
	g, others, err := c.service(ctx, of)
	if err != nil || g.Key != "" {
		return g, err
	}
	hosts, err := c.Hosts(ctx)
	if err != nil {
		return integrations.Gauge{}, err
	}
	var found []integrations.MonitoredHost
	for _, h := range hosts {
		others = append(others, h.Name)
		if strings.EqualFold(h.Name, of) || h.ID == of || h.Instance == of && of != "" {
			found = append(found, h)
		}
	}
	switch len(found) {
	case 0:
		slices.Sort(others)
		return integrations.Gauge{}, &integrations.Unmeasured{Others: slices.Compact(others)}
	case 1:
	default:
		several := &integrations.Unmeasured{}
		for _, h := range found {
			several.Several = append(several.Several, cmp.Or(h.Instance, h.ID))
		}
		return integrations.Gauge{}, several
	}
	h := found[0]
	g = integrations.Gauge{System: "Mackerel", Kind: integrations.GaugeHost, Name: h.Name, Key: h.ID}
	for _, full := range h.Roles {
		if service, _, ok := strings.Cut(full, ":"); ok && !slices.Contains(g.Services, service) {
			g.Services = append(g.Services, service)
		}
	}
	if !hostShape.MatchString(h.ID) {
		return integrations.Gauge{}, fmt.Errorf("mackerel list the metrics of %q: this is not the id of a host", h.ID)
	}
	err = c.call(ctx, "read", "list the metrics of", h.Name, func(api *sdk.Client) (err error) {
		g.Metrics, err = api.ListHostMetricNames(h.ID)
		return err
	})
	slices.Sort(g.Metrics)
	return g, err
}

// service finds a service, with the names of all.
func (c *Client) service(ctx context.Context, of string) (g integrations.Gauge, names []string, err error) {
	err = c.call(ctx, "read", "list", "the services", func(api *sdk.Client) error {
		all, err := api.FindServices()
		for _, s := range all {
			if s == nil {
				continue
			}
			if names = append(names, s.Name); strings.EqualFold(s.Name, of) && serviceShape.MatchString(s.Name) {
				g = integrations.Gauge{System: "Mackerel", Kind: integrations.GaugeService, Name: s.Name, Key: s.Name, Services: []string{s.Name}}
			}
		}
		return err
	})
	if err != nil || g.Key == "" {
		return g, names, err
	}
	err = c.call(ctx, "read", "list the metrics of", g.Name, func(api *sdk.Client) (err error) {
		g.Metrics, err = api.ListServiceMetricNames(g.Key)
		return err
	})
	slices.Sort(g.Metrics)
	return g, names, err
}

// Series are the values of a metric of a gauge, from and until included. Mackerel gives
// fewer of a longer time.
func (c *Client) Series(ctx context.Context, g integrations.Gauge, metric string, from, until time.Time) (integrations.Series, error) {
	out := integrations.Series{Unit: unitOf(metric)}
	if !hostShape.MatchString(g.Key) && !serviceShape.MatchString(g.Key) {
		return out, fmt.Errorf("mackerel read %s of %q: this is no host and no service", metric, g.Key)
	}
	var all []sdk.MetricValue
	err := c.call(ctx, "read", "read "+metric+" of", g.Name, func(api *sdk.Client) (err error) {
		if g.Kind == integrations.GaugeService {
			all, err = api.FetchServiceMetricValues(g.Key, metric, from.Unix(), until.Unix())
		} else {
			all, err = api.FetchHostMetricValues(g.Key, metric, from.Unix(), until.Unix())
		}
		return err
	})
	if err != nil {
		return out, err
	}
	for _, v := range all {
		n, ok := v.Value.(float64)
		if !ok {
			return out, errors.New("mackerel read " + metric + " of " + g.Name + ": a value is no number")
		}
		out.Points = append(out.Points, integrations.Point{At: time.Unix(v.Time, 0).UTC(), Value: n})
	}
	slices.SortStableFunc(out.Points, func(a, b integrations.Point) int { return a.At.Compare(b.At) })
	return out, nil
}

// unitOf is the unit of a metric by its name, as Mackerel's agent names them
// (mackerel.io/docs/entry/spec/metrics); what it does not name has none.
func unitOf(metric string) string {
	switch {
	case strings.HasSuffix(metric, ".percentage"):
		return integrations.UnitPercent
	case strings.HasSuffix(metric, "Bytes.delta"):
		return integrations.UnitRate
	case strings.HasPrefix(metric, "memory."), strings.HasPrefix(metric, "filesystem."):
		return integrations.UnitBytes
	case strings.HasPrefix(metric, "signalbox.release."):
		return integrations.UnitSeconds
	}
	return integrations.UnitNone
}
