package pagerdutysim

import (
	"fmt"
	"time"
)

// How things are written on the wire.

func (i *Incident) page() string { return "https://acme.pagerduty.com/incidents/" + i.ID }

func clockText(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(time.RFC3339)
}

func (v Service) reference() map[string]any {
	return map[string]any{"id": v.ID, "type": "service_reference", "summary": v.Name, "html_url": "https://acme.pagerduty.com/service-directory/" + v.ID}
}

func (p Policy) reference() map[string]any {
	return map[string]any{"id": p.ID, "type": "escalation_policy_reference", "summary": p.Name, "html_url": "https://acme.pagerduty.com/escalation_policies/" + p.ID}
}

func (i *Incident) priority() any {
	if i.Priority == "" {
		return nil
	}
	return map[string]any{"id": "PRIORITY" + i.Priority, "type": "priority_reference", "summary": i.Priority}
}

// wire is an incident as the REST API has it.
func (s *Sim) wire(i *Incident) any {
	v := s.serviceOf(i)
	p, _ := s.policy(i.Policy)
	assignments, acks, pending := []any{}, []any{}, []any{}
	for _, a := range i.Assigned {
		assignments = append(assignments, map[string]any{"at": clockText(a.At), "assignee": s.reference(a.User)})
	}
	for _, a := range i.Acks {
		acks = append(acks, map[string]any{"at": clockText(a.At), "acknowledger": s.reference(a.User)})
	}
	for _, t := range []struct {
		kind string
		at   time.Time
	}{{"escalate", i.Escalates}, {"unacknowledge", i.Wakes}, {"resolve", i.Ends}} {
		if !t.at.IsZero() {
			pending = append(pending, map[string]any{"type": t.kind, "at": clockText(t.at)})
		}
	}
	by := v.reference()
	if i.ChangedBy != "" {
		by = s.reference(i.ChangedBy)
	}
	out := map[string]any{
		"id": i.ID, "type": "incident", "summary": fmt.Sprintf("[#%d] %s", i.Number, i.Title), "html_url": i.page(), "incident_number": i.Number, "incident_key": i.Key,
		"status": i.Status, "title": i.Title, "urgency": i.Urgency, "priority": i.priority(), "service": v.reference(), "escalation_policy": p.reference(), "teams": []any{},
		"assignments": assignments, "acknowledgements": acks, "pending_actions": pending, "created_at": clockText(i.Created), "updated_at": clockText(i.Changed),
		"last_status_change_at": clockText(i.Changed), "last_status_change_by": by, "resolve_reason": nil, "assigned_via": "escalation_policy", "resolved_at": nil,
	}
	if i.Level == 0 {
		out["assigned_via"] = "direct_assignment"
	}
	if i.Status == resolved {
		out["resolved_at"] = clockText(i.Changed)
	}
	return out
}

// webhook is an incident as webhooks have it.
func (s *Sim) webhook(i *Incident) map[string]any {
	p, _ := s.policy(i.Policy)
	assignees := []any{}
	for _, a := range i.Assigned {
		assignees = append(assignees, s.reference(a.User))
	}
	return map[string]any{
		"id": i.ID, "type": "incident", "self": "https://api.pagerduty.com/incidents/" + i.ID, "html_url": i.page(), "number": i.Number, "status": i.Status, "incident_key": i.Key,
		"created_at": clockText(i.Created), "title": i.Title, "service": s.serviceOf(i).reference(), "assignees": assignees, "escalation_policy": p.reference(), "teams": []any{},
		"priority": i.priority(), "urgency": i.Urgency, "conference_bridge": nil, "resolve_reason": nil,
	}
}

func (s *Sim) wireEntry(i *Incident, e Entry) any {
	agent := s.serviceOf(i).reference()
	if e.User != "" {
		agent = s.reference(e.User)
	}
	channel := map[string]any{"type": "auto"}
	if e.Kind == "annotate" {
		channel = map[string]any{"type": "note", "content": e.Text}
	}
	return map[string]any{
		"id": e.ID, "type": e.Kind + "_log_entry", "summary": e.Text, "created_at": clockText(e.At), "agent": agent, "channel": channel,
		"incident": map[string]any{"id": i.ID, "type": "incident_reference", "summary": i.Title},
	}
}

func (s *Sim) wireNote(n Note) any {
	return map[string]any{"id": n.ID, "user": s.reference(n.User), "content": n.Content, "created_at": clockText(n.At), "channel": map[string]any{"summary": "The PagerDuty website or APIs"}}
}

func (p Policy) wire() any {
	rules := []any{}
	for n, l := range p.Levels {
		targets := []any{}
		for _, u := range l.Users {
			targets = append(targets, map[string]any{"id": u, "type": "user_reference"})
		}
		for _, id := range l.Schedules {
			targets = append(targets, map[string]any{"id": id, "type": "schedule_reference"})
		}
		rules = append(rules, map[string]any{"id": fmt.Sprintf("%s%d", p.ID, n+1), "escalation_delay_in_minutes": l.Minutes, "targets": targets})
	}
	return map[string]any{"id": p.ID, "type": "escalation_policy", "summary": p.Name, "name": p.Name, "escalation_rules": rules, "num_loops": p.Loops}
}
