package mackerel

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	sdk "github.com/mackerelio/mackerel-client-go"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// mostPages is how many pages of open alerts are looked through, of 100 each: Mackerel
// lists those of all hosts together, the newest first.
const mostPages = 20

// OpenAlerts are the alerts of a host that are open, the oldest first. more says that
// there are more open alerts than could be looked through. Its monitor names an alert
// where that can be read, else its kind does.
func (c *Client) OpenAlerts(ctx context.Context, hostID string) (open []integrations.Alert, more bool, err error) {
	const act = "list the open alerts of"
	var found []*sdk.Alert
	seen := map[string]bool{} // pages that were asked for: a list that leads back is over
	for next, page := "", 0; ; page++ {
		if page == mostPages {
			more = true
			break
		}
		var got *sdk.AlertsResp
		err := c.call(ctx, "read", act, hostID, func(api *sdk.Client) (err error) {
			if next == "" {
				got, err = api.FindAlerts()
			} else {
				got, err = api.FindAlertsByNextID(next)
			}
			return err
		})
		if err != nil {
			return nil, false, err
		}
		for _, a := range got.Alerts {
			if a != nil && a.HostID == hostID && a.ClosedAt == 0 {
				found = append(found, a)
			}
		}
		if next = got.NextID; next == "" || seen[next] {
			break
		}
		seen[next] = true
	}
	if len(found) == 0 {
		return nil, more, nil
	}
	slices.Reverse(found)
	names := c.monitorNames(ctx)
	for _, a := range found {
		check := names[a.MonitorID]
		out := integrations.Alert{
			Key: a.ID, State: integrations.AlertFiring, Kind: a.Type, HostID: a.HostID, Check: check, Text: a.Message,
			Severity: cmp.Or(alertSeverities[strings.ToLower(a.Status)], integrations.SeverityUnknown), Title: cmp.Or(check, a.Type),
		}
		if line, _, _ := strings.Cut(strings.TrimSpace(a.Message), "\n"); line != "" {
			out.Title += ": " + line
		}
		if a.OpenedAt > 0 {
			out.Opened = time.Unix(a.OpenedAt, 0).UTC()
		}
		open = append(open, out)
	}
	slices.SortStableFunc(open, func(a, b integrations.Alert) int { return a.Opened.Compare(b.Opened) })
	return open, more, nil
}

// monitorNames are the names of what opens alerts, by id; empty where they cannot be
// read, without which an alert is one all the same.
func (c *Client) monitorNames(ctx context.Context) map[string]string {
	out := map[string]string{}
	err := c.call(ctx, "read", "list", "the monitors", func(api *sdk.Client) error {
		all, err := api.FindMonitors()
		for _, m := range all {
			out[m.MonitorID()] = m.MonitorName()
		}
		return err
	})
	if err != nil {
		c.log.WarnContext(ctx, "alerts are shown without the names of their monitors", "error", err)
	}
	return out
}
