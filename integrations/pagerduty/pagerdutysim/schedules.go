package pagerdutysim

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

var scheduleRoutes = []route{
	{action: "schedule.get", method: http.MethodGet, path: "/schedules/{id}", takes: []string{"since", "until"}, do: (*Sim).getSchedule},
	{action: "overrides.list", method: http.MethodGet, path: "/schedules/{id}/overrides", takes: []string{"since", "until", "editable", "overflow"}, do: (*Sim).listOverrides},
	{action: "overrides.create", method: http.MethodPost, path: "/schedules/{id}/overrides", change: true, do: (*Sim).createOverrides},
	{action: "override.delete", method: http.MethodDelete, path: "/schedules/{id}/overrides/{id}", change: true, do: (*Sim).deleteOverride},
}

// ofLayers is a schedule of layers; one of shifts is refused.
func (s *Sim) ofLayers(id string) (*Schedule, *refusal) {
	sc := s.schedule(id)
	switch {
	case sc == nil:
		return nil, notFound()
	case sc.Shifts:
		return nil, invalid("the schedule is shift-based; use /v3/schedules")
	}
	return sc, nil
}

// zone was checked when the schedule was added.
func (sc *Schedule) zone() *time.Location {
	zone, err := time.LoadLocation(sc.Zone)
	if err != nil {
		return time.UTC
	}
	return zone
}

func (s *Sim) getSchedule(c *call) (any, *refusal) {
	sc, no := s.ofLayers(c.ids[0])
	if no != nil {
		return nil, no
	}
	zone := sc.zone()
	wire := func(all []entry) []any {
		out := []any{}
		for _, e := range all {
			v := map[string]any{"start": e.start.In(zone).Format(time.RFC3339), "end": e.end.In(zone).Format(time.RFC3339), "user": s.reference(e.user)}
			if e.id != "" {
				v["id"] = e.id
			}
			out = append(out, v)
		}
		return out
	}
	layers := []any{}
	for _, l := range slices.Backward(sc.Layers) {
		users, restrictions := []any{}, []any{}
		for _, id := range l.Users {
			users = append(users, map[string]any{"user": s.reference(id)})
		}
		for _, r := range l.Restrictions {
			v := map[string]any{"type": "daily_restriction", "start_time_of_day": r.From, "duration_seconds": r.Seconds}
			if r.Day != 0 {
				v["type"], v["start_day_of_week"] = "weekly_restriction", r.Day
			}
			restrictions = append(restrictions, v)
		}
		layers = append(layers, map[string]any{
			"id": l.ID, "name": l.Name, "start": l.Start.In(zone).Format(time.RFC3339), "end": endOf(l.End, zone),
			"rotation_virtual_start": l.Virtual.In(zone).Format(time.RFC3339), "rotation_turn_length_seconds": l.Turn, "users": users,
			"restrictions": restrictions, "rendered_schedule_entries": wire(l.entries(zone, c.since, c.until)),
		})
	}
	v := sc.wire("schedule")
	v["schedule_layers"] = layers
	v["overrides_subschedule"] = map[string]any{"name": "Overrides", "rendered_schedule_entries": wire(sc.covering(c.since, c.until))}
	v["final_schedule"] = map[string]any{"name": "Final Schedule", "rendered_schedule_entries": wire(sc.final(zone, c.since, c.until))}
	return map[string]any{"schedule": v}, nil
}

func endOf(t time.Time, zone *time.Location) any {
	if t.IsZero() {
		return nil
	}
	return t.In(zone).Format(time.RFC3339)
}

func (sc *Schedule) wire(kind string) map[string]any {
	return map[string]any{"id": sc.ID, "type": kind, "summary": sc.Name, "name": sc.Name, "description": "", "time_zone": sc.Zone, "escalation_policies": []any{}, "teams": []any{}}
}

// listOverrides says an id only where editable is asked for, and then leaves out those
// that are over; it cuts them at the ends of the span, but for overflow.
func (s *Sim) listOverrides(c *call) (any, *refusal) {
	sc, no := s.ofLayers(c.ids[0])
	if no != nil {
		return nil, no
	}
	now, out := s.clock.Now(), []any{}
	for _, o := range sc.Overrides {
		start, end, ok := clip(o.Start, o.End, c.since, c.until)
		if !ok || c.query.Has("editable") && !o.End.After(now) {
			continue
		}
		if c.query.Get("overflow") == "true" {
			start, end = o.Start, o.End
		}
		v := map[string]any{"start": start.UTC().Format(time.RFC3339), "end": end.UTC().Format(time.RFC3339), "user": s.reference(o.User)}
		if c.query.Has("editable") {
			v["id"] = o.ID
		}
		out = append(out, v)
	}
	return map[string]any{"overrides": out}, nil
}

// late is how far in the past an override may begin: the time of a call.
const late = time.Minute

// stretch reads the time of what is to be made. It is not in the past; what begins a
// moment ago begins now.
func (s *Sim) stretch(start, end string) (from, to time.Time, said []string) {
	now := s.clock.Now().UTC().Truncate(time.Second)
	from, errFrom := time.Parse(time.RFC3339, start)
	to, errTo := time.Parse(time.RFC3339, end)
	switch {
	case errFrom != nil || errTo != nil:
		said = append(said, "start and end must be times of ISO 8601 with a zone")
	case !from.Before(to):
		said = append(said, "Override must end after its start")
	case !to.After(now):
		said = append(said, "Override must end in the future")
	case from.Before(now.Add(-late)):
		said = append(said, "Override must not start in the past")
	}
	if from.Before(now) {
		from = now
	}
	return from.UTC(), to.UTC(), said
}

// createOverrides makes each that it can, and says of each how it went.
func (s *Sim) createOverrides(c *call) (any, *refusal) {
	sc, no := s.ofLayers(c.ids[0])
	if no != nil {
		return nil, no
	}
	var in struct {
		Overrides []struct {
			Start string `json:"start"`
			End   string `json:"end"`
			Zone  string `json:"time_zone"`
			User  struct {
				ID   string `json:"id"`
				Type string `json:"type"`
			} `json:"user"`
		} `json:"overrides"`
	}
	if no := c.read(&in); no != nil {
		return nil, no
	}
	if len(in.Overrides) == 0 {
		return nil, invalid("overrides is required")
	}
	out, made := []any{}, 0
	for _, o := range in.Overrides {
		start, end, said := s.stretch(o.Start, o.End)
		if _, ok := s.user(o.User.ID); !ok || o.User.Type != "user_reference" {
			said = append(said, fmt.Sprintf("the user %q of the type %q is none", o.User.ID, o.User.Type))
		}
		if len(said) > 0 {
			out = append(out, map[string]any{"status": http.StatusBadRequest, "errors": said})
			continue
		}
		made++
		one := Override{ID: "Q" + s.id(false), Start: start, End: end, User: o.User.ID}
		sc.Overrides = append(sc.Overrides, one)
		out = append(out, map[string]any{"status": http.StatusCreated, "override": map[string]any{
			"id": one.ID, "start": start.Format(time.RFC3339), "end": end.Format(time.RFC3339), "user": s.reference(one.User),
		}})
	}
	c.status = http.StatusCreated
	if made == 0 {
		first := out[0].(map[string]any)["errors"].([]string)
		return nil, invalid("%s", strings.Join(first, "; "))
	}
	return out, nil
}

// deleteOverride ends one that runs (200), takes away one that is to come (204), and
// refuses one that is over.
func (s *Sim) deleteOverride(c *call) (any, *refusal) {
	sc, no := s.ofLayers(c.ids[0])
	if no != nil {
		return nil, no
	}
	return s.remove(&sc.Overrides, c)
}

func (s *Sim) remove(from *[]Override, c *call) (any, *refusal) {
	n := slices.IndexFunc(*from, func(o Override) bool { return o.ID == c.ids[1] })
	if n < 0 {
		return nil, notFound()
	}
	now := s.clock.Now().UTC().Truncate(time.Second)
	switch o := &(*from)[n]; {
	case !o.End.After(now):
		return nil, invalid("it is over and cannot be removed")
	case o.Start.Before(now):
		o.End = now
		return map[string]any{}, nil
	}
	*from = slices.Delete(*from, n, n+1)
	c.status = http.StatusNoContent
	return nil, nil
}
