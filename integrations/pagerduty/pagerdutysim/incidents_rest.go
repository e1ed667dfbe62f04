package pagerdutysim

import (
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	mostAtOnce    = 250
	mostOfNote    = 2000
	longestSnooze = 604800
	alreadyOver   = "Incident Already Resolved"
)

var incidentRoutes = []route{
	{action: "incidents.list", method: http.MethodGet, path: "/incidents", takes: []string{"statuses[]", "service_ids[]", "user_ids[]", "urgencies[]", "date_range", "sort_by", "limit", "offset"}, do: (*Sim).listIncidents},
	{action: "incidents.update", method: http.MethodPut, path: "/incidents", change: true, from: true, do: (*Sim).updateIncidents},
	{action: "incident.get", method: http.MethodGet, path: "/incidents/{id}", do: (*Sim).getIncident},
	{action: "incident.update", method: http.MethodPut, path: "/incidents/{id}", change: true, from: true, do: (*Sim).updateIncident},
	{action: "incident.log", method: http.MethodGet, path: "/incidents/{id}/log_entries", takes: []string{"since", "until", "is_overview", "limit", "offset"}, anySpan: true, do: (*Sim).listLog},
	{action: "incident.snooze", method: http.MethodPost, path: "/incidents/{id}/snooze", change: true, from: true, do: (*Sim).snoozeIncident},
	{action: "notes.list", method: http.MethodGet, path: "/incidents/{id}/notes", do: (*Sim).listNotes},
	{action: "notes.create", method: http.MethodPost, path: "/incidents/{id}/notes", change: true, from: true, do: (*Sim).createNote},
	{action: "services.list", method: http.MethodGet, path: "/services", takes: []string{"query", "limit", "offset"}, do: (*Sim).listServices},
	{action: "policies.list", method: http.MethodGet, path: "/escalation_policies", takes: []string{"query", "limit", "offset"}, do: (*Sim).listPolicies},
	{action: "oncalls.list", method: http.MethodGet, path: "/oncalls", takes: []string{"escalation_policy_ids[]", "limit", "offset"}, do: (*Sim).listOnCalls},
}

// listIncidents leaves out what is older than a month, unless all are asked for.
func (s *Sim) listIncidents(c *call) (any, *refusal) {
	offset, limit, no := c.page(25, 100)
	if no != nil {
		return nil, no
	}
	for _, status := range c.query["statuses[]"] {
		if !slices.Contains([]string{triggered, acknowledged, resolved}, status) {
			return nil, invalid("statuses[]: %q is none", status)
		}
	}
	among := func(name, value string) bool {
		return len(c.query[name]) == 0 || slices.Contains(c.query[name], value)
	}
	var found []*Incident
	for _, i := range s.state.Incidents {
		mine := len(c.query["user_ids[]"]) == 0 || slices.ContainsFunc(i.Assigned, func(a Stamp) bool { return slices.Contains(c.query["user_ids[]"], a.User) })
		young := c.query.Get("date_range") == "all" || s.now().Sub(i.Created) <= 30*24*time.Hour
		if mine && young && among("statuses[]", i.Status) && among("service_ids[]", i.Service) && among("urgencies[]", i.Urgency) {
			found = append(found, i)
		}
	}
	if c.query.Get("sort_by") != "created_at:asc" {
		slices.Reverse(found)
	}
	return paged("incidents", found, offset, limit, s.wire), nil
}

// theIncident is the one in the path.
func (s *Sim) theIncident(c *call) (*Incident, *refusal) {
	i := s.incident(c.ids[0])
	if i == nil {
		return nil, notFound()
	}
	return i, nil
}

func (s *Sim) getIncident(c *call) (any, *refusal) {
	i, no := s.theIncident(c)
	if no != nil {
		return nil, no
	}
	return map[string]any{"incident": s.wire(i)}, nil
}

// referenceIn is a thing as a body names it.
type referenceIn struct {
	ID   string `json:"id"`
	Type string `json:"type"`
}

// changeIn is what is to become of an incident.
type changeIn struct {
	ID          string `json:"id"`
	Type        string `json:"type"`
	Status      string `json:"status"`
	Assignments []struct {
		Assignee referenceIn `json:"assignee"`
	} `json:"assignments"`
	Level  int          `json:"escalation_level"`
	Policy *referenceIn `json:"escalation_policy"`
}

func (s *Sim) updateIncident(c *call) (any, *refusal) {
	i, no := s.theIncident(c)
	if no != nil {
		return nil, no
	}
	var in struct {
		Incident changeIn `json:"incident"`
	}
	if no := c.read(&in); no != nil {
		return nil, no
	}
	if no := s.refuseChange(i, in.Incident); no != nil {
		return nil, no
	}
	s.change(i, in.Incident, c.from)
	return map[string]any{"incident": s.wire(i)}, nil
}

// updateIncidents changes all or none.
func (s *Sim) updateIncidents(c *call) (any, *refusal) {
	var in struct {
		Incidents []changeIn `json:"incidents"`
	}
	if no := c.read(&in); no != nil {
		return nil, no
	}
	if len(in.Incidents) > mostAtOnce {
		return nil, refuse(http.StatusRequestEntityTooLarge, codeInvalid, "Request Entity Too Large")
	}
	if len(in.Incidents) == 0 {
		return nil, invalid("incidents is required")
	}
	for _, ch := range in.Incidents {
		i := s.incident(ch.ID)
		if i == nil {
			return nil, notFound()
		}
		if no := s.refuseChange(i, ch); no != nil {
			return nil, no
		}
	}
	out := []any{}
	for _, ch := range in.Incidents {
		i := s.incident(ch.ID)
		s.change(i, ch, c.from)
		out = append(out, s.wire(i))
	}
	return map[string]any{"incidents": out}, nil
}

// refuseChange looks at a change before it is made.
func (s *Sim) refuseChange(i *Incident, in changeIn) *refusal {
	p, _ := s.policy(i.Policy)
	moves := len(in.Assignments) > 0 || in.Level != 0 || in.Policy != nil
	switch {
	case in.Type != "incident_reference" && in.Type != "incident":
		return invalid("type: %q is none of an incident", in.Type)
	case in.Status != "" && !slices.Contains([]string{triggered, acknowledged, resolved}, in.Status):
		return invalid("status: %q is none", in.Status)
	case in.Status == "" && !moves:
		return invalid("there is nothing to change")
	case i.Status == resolved && (moves || in.Status == resolved):
		return invalid(alreadyOver)
	case in.Level < 0 || in.Level > len(p.Levels):
		return invalid("escalation_level: %d is not in the escalation policy", in.Level)
	case in.Policy != nil && in.Policy.Type != "escalation_policy_reference":
		return invalid("escalation_policy: %q is the type of none", in.Policy.Type)
	}
	if in.Policy != nil {
		if _, ok := s.policy(in.Policy.ID); !ok {
			return invalid("escalation_policy: there is none %q", in.Policy.ID)
		}
	}
	for _, a := range in.Assignments {
		if _, ok := s.user(a.Assignee.ID); !ok || a.Assignee.Type != "user_reference" {
			return invalid("assignments: there is no user %q of the type %q", a.Assignee.ID, a.Assignee.Type)
		}
	}
	return nil
}

// change makes one. One that is over is opened again by a status, as PagerDuty does it.
func (s *Sim) change(i *Incident, in changeIn, user string) {
	if i.Status == resolved {
		s.reopen(i, user)
	}
	switch {
	case in.Status == acknowledged:
		s.acknowledge(i, user)
	case in.Status == resolved:
		s.resolve(i, user, s.now())
	case in.Status == triggered && i.Status == acknowledged:
		s.wake(i, s.now())
	}
	if in.Policy != nil {
		p, _ := s.policy(in.Policy.ID)
		s.delegate(i, p, user)
	}
	if len(in.Assignments) > 0 {
		var to []string
		for _, a := range in.Assignments {
			to = append(to, a.Assignee.ID)
		}
		s.reassign(i, to, user)
	}
	if in.Level > 0 {
		s.escalate(i, in.Level, user, s.now())
	}
}

// listLog gives the newest first.
func (s *Sim) listLog(c *call) (any, *refusal) {
	i, no := s.theIncident(c)
	if no != nil {
		return nil, no
	}
	offset, limit, no := c.page(25, 100)
	if no != nil {
		return nil, no
	}
	since := time.Time{}
	if text := c.query.Get("since"); text != "" {
		var err error
		if since, err = time.Parse(time.RFC3339, text); err != nil {
			return nil, invalid("since: %q is no time of ISO 8601 with a zone", text)
		}
	}
	found := slices.DeleteFunc(slices.Clone(i.Log), func(e Entry) bool { return e.At.Before(since) })
	slices.Reverse(found)
	return paged("log_entries", found, offset, limit, func(e Entry) any { return s.wireEntry(i, e) }), nil
}

func (s *Sim) snoozeIncident(c *call) (any, *refusal) {
	i, no := s.theIncident(c)
	if no != nil {
		return nil, no
	}
	var in struct {
		Duration int `json:"duration"`
	}
	if no := c.read(&in); no != nil {
		return nil, no
	}
	switch {
	case in.Duration < 1 || in.Duration > longestSnooze:
		return nil, invalid("duration: %d is not between 1 and %d", in.Duration, longestSnooze)
	case i.Status == resolved:
		return nil, invalid(alreadyOver)
	}
	s.snooze(i, c.from, time.Duration(in.Duration)*time.Second)
	c.status = http.StatusCreated
	return map[string]any{"incident": s.wire(i)}, nil
}

func (s *Sim) listNotes(c *call) (any, *refusal) {
	i, no := s.theIncident(c)
	if no != nil {
		return nil, no
	}
	out := []any{}
	for _, n := range i.Notes {
		out = append(out, s.wireNote(n))
	}
	return map[string]any{"notes": out}, nil
}

func (s *Sim) createNote(c *call) (any, *refusal) {
	i, no := s.theIncident(c)
	if no != nil {
		return nil, no
	}
	var in struct {
		Note struct {
			Content string `json:"content"`
		} `json:"note"`
	}
	if no := c.read(&in); no != nil {
		return nil, no
	}
	if n := utf8.RuneCountInString(in.Note.Content); n == 0 || n > mostOfNote {
		return nil, invalid("content is %d characters; want between 1 and %d", n, mostOfNote)
	}
	return map[string]any{"note": s.wireNote(s.annotate(i, c.from, in.Note.Content))}, nil
}

// named finds those whose name has the query in it.
func named[T any](all []T, c *call, name func(T) string) (out []T) {
	for _, one := range all {
		if strings.Contains(strings.ToLower(name(one)), strings.ToLower(c.query.Get("query"))) {
			out = append(out, one)
		}
	}
	return out
}

func (s *Sim) listServices(c *call) (any, *refusal) {
	offset, limit, no := c.page(25, 100)
	if no != nil {
		return nil, no
	}
	return paged("services", named(s.state.Services, c, func(v Service) string { return v.Name }), offset, limit, func(v Service) any {
		p, _ := s.policy(v.Policy)
		return map[string]any{"id": v.ID, "type": "service", "summary": v.Name, "name": v.Name, "status": "active", "escalation_policy": p.reference()}
	}), nil
}

func (s *Sim) listPolicies(c *call) (any, *refusal) {
	offset, limit, no := c.page(25, 100)
	if no != nil {
		return nil, no
	}
	return paged("escalation_policies", named(s.state.Policies, c, func(p Policy) string { return p.Name }), offset, limit, Policy.wire), nil
}

// listOnCalls are those who would be paged now, a line for each level of each policy.
func (s *Sim) listOnCalls(c *call) (any, *refusal) {
	offset, limit, no := c.page(25, 100)
	if no != nil {
		return nil, no
	}
	all := []any{}
	for _, p := range s.state.Policies {
		if ids := c.query["escalation_policy_ids[]"]; len(ids) > 0 && !slices.Contains(ids, p.ID) {
			continue
		}
		for n, l := range p.Levels {
			for _, u := range s.paged(l, s.now()) {
				all = append(all, map[string]any{"escalation_level": n + 1, "escalation_policy": p.reference(), "user": s.reference(u), "schedule": nil, "start": nil, "end": nil})
			}
		}
	}
	return paged("oncalls", all, offset, limit, func(one any) any { return one }), nil
}
