package pagerdutysim

import (
	"net/http"
	"slices"
	"time"
)

var shiftRoutes = []route{
	{action: "schedule_v3.get", method: http.MethodGet, path: "/v3/schedules/{id}", takes: []string{"since", "until", "include[]"}, do: (*Sim).getShifts},
	{action: "overrides_v3.list", method: http.MethodGet, path: "/v3/schedules/{id}/overrides", takes: []string{"since", "until", "limit", "offset"}, do: (*Sim).listShiftOverrides},
	{action: "overrides_v3.create", method: http.MethodPost, path: "/v3/schedules/{id}/overrides", change: true, do: (*Sim).createShiftOverrides},
	{action: "override_v3.delete", method: http.MethodDelete, path: "/v3/schedules/{id}/overrides/{id}", change: true, do: (*Sim).deleteShiftOverride},
	{action: "custom_shifts.list", method: http.MethodGet, path: "/v3/schedules/{id}/custom_shifts", takes: []string{"since", "until", "limit", "offset"}, do: (*Sim).listCustom},
	{action: "custom_shifts.create", method: http.MethodPost, path: "/v3/schedules/{id}/custom_shifts", change: true, do: (*Sim).createCustom},
	{action: "custom_shift.delete", method: http.MethodDelete, path: "/v3/schedules/{id}/custom_shifts/{id}", change: true, do: (*Sim).deleteCustom},
}

// ofShifts is a schedule of shifts; one that was not upgraded is refused with 400.
func (s *Sim) ofShifts(id string) (*Schedule, *refusal) {
	sc := s.schedule(id)
	switch {
	case sc == nil:
		return nil, notFound()
	case !sc.Shifts:
		return nil, invalid("the schedule is not shift-based; use /schedules")
	}
	return sc, nil
}

func member(id string) map[string]any {
	if id == "" {
		return map[string]any{"type": "empty_member"}
	}
	return map[string]any{"type": "user_member", "user_id": id}
}

// source says where a shift comes from.
func (sh shift) source() map[string]any {
	v := map[string]any{"type": "schedule_rotation", "rotation_id": sh.rotation}
	if sh.custom != "" {
		v = map[string]any{"type": "custom_shift", "shift_id": sh.custom}
	}
	if sh.override != "" {
		v["type"], v["override_id"] = v["type"].(string)+"_override", sh.override
	}
	return v
}

// getShifts has a final schedule only where it is asked for.
func (s *Sim) getShifts(c *call) (any, *refusal) {
	sc, no := s.ofShifts(c.ids[0])
	if no != nil {
		return nil, no
	}
	rotations := []any{}
	for _, r := range sc.Rotations {
		events := []any{}
		for _, e := range r.Events {
			events = append(events, e.wire())
		}
		rotations = append(rotations, map[string]any{"id": r.ID, "type": "schedule_rotation", "events": events})
	}
	v := sc.wire("schedule_v3")
	v["rotations"] = rotations
	switch include := c.query["include[]"]; {
	case slices.Equal(include, []string{"final_schedule"}):
		all := []any{}
		for _, sh := range sc.assigned(c.since, c.until) {
			all = append(all, map[string]any{
				"type": "computed_shift_assignment", "start_time": sh.start.UTC().Format(time.RFC3339), "end_time": sh.end.UTC().Format(time.RFC3339),
				"member": member(sh.member), "source": sh.source(),
			})
		}
		v["final_schedule"] = map[string]any{"type": "final_schedule", "computed_shift_assignments": all}
	case len(include) > 0:
		return nil, invalid("include[] takes final_schedule")
	}
	return map[string]any{"schedule": v}, nil
}

func (e Event) wire() map[string]any {
	members := []any{}
	for _, m := range e.Members {
		members = append(members, member(m))
	}
	how := map[string]any{"type": "rotating_member_assignment_strategy", "shifts_per_member": e.Turn, "members": members}
	if e.Every {
		how = map[string]any{"type": "every_member_assignment_strategy", "members": members}
	}
	return map[string]any{
		"id": e.ID, "type": "schedule_event", "name": e.Name, "recurrence": []string{e.Rule}, "assignment_strategy": how,
		"start_time":      map[string]any{"date_time": e.Start, "time_zone": e.Zone},
		"end_time":        map[string]any{"date_time": e.End, "time_zone": e.Zone},
		"effective_since": endOf(e.Since, time.UTC), "effective_until": endOf(e.Until, time.UTC),
	}
}

func (o Override) wire() map[string]any {
	v := map[string]any{
		"id": o.ID, "type": "override_shift", "start_time": o.Start.UTC().Format(time.RFC3339), "end_time": o.End.UTC().Format(time.RFC3339),
		"overridden_member": member(o.Instead), "overriding_member": member(o.User),
	}
	if o.Rotation != "" {
		v["rotation_id"] = o.Rotation
	} else {
		v["custom_shift_id"] = o.CustomShift
	}
	return v
}

func (o Override) wireCustom() map[string]any {
	return map[string]any{
		"id": o.ID, "type": "custom_shift", "start_time": o.Start.UTC().Format(time.RFC3339), "end_time": o.End.UTC().Format(time.RFC3339),
		"assignments": []any{map[string]any{"type": "shift_assignment", "member": member(o.User)}},
	}
}

// listed is a page of what touches the span.
func listed(c *call, key string, all []Override, wire func(Override) map[string]any) (any, *refusal) {
	offset, limit, no := c.page(100, 1000)
	if no != nil {
		return nil, no
	}
	var found []Override
	for _, o := range all {
		if _, _, ok := clip(o.Start, o.End, c.since, c.until); ok {
			found = append(found, o)
		}
	}
	return paged(key, found, offset, limit, func(o Override) any { return wire(o) }), nil
}

func (s *Sim) listShiftOverrides(c *call) (any, *refusal) {
	sc, no := s.ofShifts(c.ids[0])
	if no != nil {
		return nil, no
	}
	return listed(c, "overrides", sc.Overrides, Override.wire)
}

func (s *Sim) listCustom(c *call) (any, *refusal) {
	sc, no := s.ofShifts(c.ids[0])
	if no != nil {
		return nil, no
	}
	return listed(c, "custom_shifts", sc.Custom, Override.wireCustom)
}

// memberIn is a member of a body.
type memberIn struct {
	Type   string `json:"type"`
	UserID string `json:"user_id"`
}

func (s *Sim) isUser(m memberIn) bool {
	_, ok := s.user(m.UserID)
	return ok && m.Type == "user_member"
}

// createShiftOverrides makes all, or none.
func (s *Sim) createShiftOverrides(c *call) (any, *refusal) {
	sc, no := s.ofShifts(c.ids[0])
	if no != nil {
		return nil, no
	}
	var in struct {
		Overrides []struct {
			Type       string   `json:"type"`
			Rotation   string   `json:"rotation_id"`
			Custom     string   `json:"custom_shift_id"`
			Start      string   `json:"start_time"`
			End        string   `json:"end_time"`
			Overridden memberIn `json:"overridden_member"`
			Overriding memberIn `json:"overriding_member"`
		} `json:"overrides"`
	}
	if no := c.read(&in); no != nil {
		return nil, no
	}
	if len(in.Overrides) == 0 {
		return nil, invalid("overrides is required")
	}
	var made []Override
	for _, o := range in.Overrides {
		start, end, said := s.stretch(o.Start, o.End)
		one := Override{Start: start, End: end, User: o.Overriding.UserID, Rotation: o.Rotation, CustomShift: o.Custom, Instead: o.Overridden.UserID}
		switch {
		case len(said) > 0:
			return nil, invalid("%s", said[0])
		case o.Type != "override_shift":
			return nil, invalid("type must be override_shift")
		case (o.Rotation == "") == (o.Custom == ""):
			return nil, invalid("one of rotation_id and custom_shift_id is required, and not both")
		case !s.isUser(o.Overridden) || !s.isUser(o.Overriding):
			return nil, invalid("overridden_member and overriding_member must be users")
		case !slices.ContainsFunc(sc.planned(start, end), one.concerns):
			return nil, invalid("overridden_member has no shift there in that time")
		}
		made = append(made, one)
	}
	out := []any{}
	for _, o := range made {
		o.ID = s.id(true)
		sc.Overrides = append(sc.Overrides, o)
		out = append(out, o.wire())
	}
	c.status = http.StatusCreated
	return map[string]any{"overrides": out}, nil
}

// createCustom makes all, or none.
func (s *Sim) createCustom(c *call) (any, *refusal) {
	sc, no := s.ofShifts(c.ids[0])
	if no != nil {
		return nil, no
	}
	var in struct {
		Shifts []struct {
			Type        string `json:"type"`
			Start       string `json:"start_time"`
			End         string `json:"end_time"`
			Assignments []struct {
				Type   string   `json:"type"`
				Member memberIn `json:"member"`
			} `json:"assignments"`
		} `json:"custom_shifts"`
	}
	if no := c.read(&in); no != nil {
		return nil, no
	}
	if len(in.Shifts) == 0 {
		return nil, invalid("custom_shifts is required")
	}
	var made []Override
	for _, sh := range in.Shifts {
		start, end, said := s.stretch(sh.Start, sh.End)
		switch {
		case len(said) > 0:
			return nil, invalid("%s", said[0])
		case sh.Type != "custom_shift":
			return nil, invalid("type must be custom_shift")
		case len(sh.Assignments) != 1 || sh.Assignments[0].Type != "shift_assignment" || !s.isUser(sh.Assignments[0].Member):
			return nil, invalid("assignments must be exactly one shift_assignment of a user")
		}
		made = append(made, Override{Start: start, End: end, User: sh.Assignments[0].Member.UserID})
	}
	out := []any{}
	for _, o := range made {
		o.ID = s.id(true)
		sc.Custom = append(sc.Custom, o)
		out = append(out, o.wireCustom())
	}
	c.status = http.StatusCreated
	return map[string]any{"custom_shifts": out}, nil
}

func (s *Sim) deleteShiftOverride(c *call) (any, *refusal) {
	sc, no := s.ofShifts(c.ids[0])
	if no != nil {
		return nil, no
	}
	return s.remove(&sc.Overrides, c)
}

// deleteCustom takes the overrides of a custom shift along.
func (s *Sim) deleteCustom(c *call) (any, *refusal) {
	sc, no := s.ofShifts(c.ids[0])
	if no != nil {
		return nil, no
	}
	v, no := s.remove(&sc.Custom, c)
	if no == nil && c.status == http.StatusNoContent {
		sc.Overrides = slices.DeleteFunc(sc.Overrides, func(o Override) bool { return o.CustomShift == c.ids[1] })
	}
	return v, no
}
