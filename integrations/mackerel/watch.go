package mackerel

import (
	"context"
	"slices"
	"strings"
	"time"

	sdk "github.com/mackerelio/mackerel-client-go"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// ofEC2 ends the identifier that mackerel-agent gives the host of an instance
// (spec/cloud.go there).
const ofEC2 = ".ec2.amazonaws.com"

// Hosts are all that are not retired, whatever their status. Mackerel lists them without
// pages.
func (c *Client) Hosts(ctx context.Context) ([]integrations.MonitoredHost, error) {
	var out []integrations.MonitoredHost
	err := c.call(ctx, "read", "list", "the hosts", func(api *sdk.Client) error {
		all, err := api.FindHosts(&sdk.FindHostsParam{Statuses: statuses})
		for _, h := range all {
			if h != nil && !h.IsRetired {
				out = append(out, shown(h))
			}
		}
		return err
	})
	return out, err
}

// shown is a host in our words.
func shown(h *sdk.Host) integrations.MonitoredHost {
	out := integrations.MonitoredHost{ID: h.ID, Name: h.Name, Status: h.Status, Retired: h.IsRetired, Instance: instanceOf(h)}
	if id, is := strings.CutSuffix(h.CustomIdentifier, ofEC2); is {
		out.Instance = id
	}
	if h.CreatedAt > 0 {
		out.Since = time.Unix(int64(h.CreatedAt), 0).UTC()
	}
	for service, roles := range h.Roles {
		for _, role := range roles {
			out.Roles = append(out.Roles, service+":"+role)
		}
	}
	slices.Sort(out.Roles)
	return out
}

// instanceOf is what a host says of its cloud, "" unless it is EC2.
func instanceOf(h *sdk.Host) string {
	if h.Meta.Cloud == nil || h.Meta.Cloud.Provider != "ec2" {
		return ""
	}
	about, _ := h.Meta.Cloud.MetaData.(map[string]any)
	id, _ := about["instance-id"].(string)
	return id
}

// Downtimes are those under way at a moment, the first to end first.
func (c *Client) Downtimes(ctx context.Context, at time.Time) ([]integrations.Downtime, error) {
	var out []integrations.Downtime
	err := c.call(ctx, "read", "list", "the downtimes", func(api *sdk.Client) error {
		all, err := api.FindDowntimes()
		for _, d := range all {
			if d == nil {
				continue
			}
			if from, until, on := during(d, at); on {
				out = append(out, integrations.Downtime{ID: d.ID, Name: d.Name, Note: d.Memo, From: from, Until: until, Covers: slices.Concat(d.ServiceScopes, d.RoleScopes, d.MonitorScopes)})
			}
		}
		return err
	})
	slices.SortFunc(out, func(a, b integrations.Downtime) int {
		if n := a.Until.Compare(b.Until); n != 0 {
			return n
		}
		return strings.Compare(a.Name, b.Name)
	})
	return out, err
}

// console is the zone by which recurring downtimes are counted. Mackerel's documentation
// names none; its console is one of Japan.
var console = time.FixedZone("JST", 9*60*60)

// sundays is how long a downtime that begins on a Sunday works at most
// (mackerel.io/docs/entry/howto/downtimes, Notes).
const sundays = 24 * time.Hour

// during finds the turn of a downtime that a moment is in: [from, until).
func during(d *sdk.Downtime, at time.Time) (from, until time.Time, on bool) {
	first := time.Unix(d.Start, 0).In(console)
	long := time.Duration(d.Duration) * time.Minute
	if at.Before(first) || long <= 0 {
		return from, until, false
	}
	in := func(start time.Time) bool {
		from, until = start, start.Add(long)
		if start.Weekday() == time.Sunday {
			until = start.Add(min(long, sundays))
		}
		return !at.Before(start) && at.Before(until)
	}
	r := d.Recurrence
	if r == nil {
		on = in(first)
		return from.UTC(), until.UTC(), on
	}
	every := int(max(1, r.Interval))
	// A turn that has begun by now began at most its length ago: only these are tried.
	for _, start := range starts(first, r, every, at, long) {
		if start.Before(first) || r.Until > 0 && start.Unix() > r.Until {
			continue
		}
		if in(start) {
			return from.UTC(), until.UTC(), true
		}
	}
	return time.Time{}, time.Time{}, false
}

// starts are the moments around at, from the last backwards, at which turns begin.
func starts(first time.Time, r *sdk.DowntimeRecurrence, every int, at time.Time, long time.Duration) (out []time.Time) {
	oldest := at.Add(-long)
	add := func(k int) time.Time {
		switch r.Type {
		case sdk.DowntimeRecurrenceTypeHourly:
			return first.Add(time.Duration(k*every) * time.Hour)
		case sdk.DowntimeRecurrenceTypeDaily:
			return first.AddDate(0, 0, k*every)
		case sdk.DowntimeRecurrenceTypeWeekly:
			return first.AddDate(0, 0, 7*k*every)
		case sdk.DowntimeRecurrenceTypeMonthly:
			return monthsLater(first, k*every)
		default: // yearly
			return monthsLater(first, 12*k*every)
		}
	}
	k := int(at.Sub(first) / (add(1).Sub(first))) // about; the longest turn of a kind is 4 % off
	for k += k/20 + 1; k >= 0; k-- {
		turn := add(k)
		if r.Type == sdk.DowntimeRecurrenceTypeWeekly && len(r.Weekdays) > 0 {
			sunday := turn.AddDate(0, 0, -int(turn.Weekday()))
			for day := 6; day >= 0; day-- {
				if slices.Contains(r.Weekdays, sdk.DowntimeWeekday(day)) {
					out = append(out, sunday.AddDate(0, 0, day))
				}
			}
			turn = sunday
		} else {
			out = append(out, turn)
		}
		if turn.Before(oldest) {
			break
		}
	}
	return slices.DeleteFunc(out, func(t time.Time) bool { return t.After(at) })
}

// monthsLater is so many months later, on the last day of a month that has no such day.
func monthsLater(t time.Time, n int) time.Time {
	out := t.AddDate(0, n, 0)
	if out.Day() != t.Day() {
		out = out.AddDate(0, 0, -out.Day())
	}
	return out
}
