package pagerduty

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// incident is one as PagerDuty has it.
type incident struct {
	ID          string    `json:"id"`
	Number      int       `json:"incident_number"`
	Status      string    `json:"status"`
	Title       string    `json:"title"`
	Urgency     string    `json:"urgency"`
	URL         string    `json:"html_url"`
	Key         string    `json:"incident_key"`
	CreatedAt   time.Time `json:"created_at"`
	Service     reference `json:"service"`
	Policy      reference `json:"escalation_policy"`
	Priority    reference `json:"priority"`
	Via         string    `json:"assigned_via"` // viaPolicy, or it was given to somebody
	Assignments []struct {
		Assignee reference `json:"assignee"`
	} `json:"assignments"`
	Acknowledgements []struct {
		By reference `json:"acknowledger"`
	} `json:"acknowledgements"`
	Pending []struct {
		Type string    `json:"type"`
		At   time.Time `json:"at"`
	} `json:"pending_actions"`
	ChangedAt time.Time `json:"last_status_change_at"`
	ChangedBy reference `json:"last_status_change_by"`
}

const viaPolicy = "escalation_policy"

// user says whether it is a user.
func (r reference) user() bool { return strings.HasPrefix(r.Type, "user") }

// logEntry is a line of the log of an incident.
type logEntry struct {
	ID      string    `json:"id"`
	Type    string    `json:"type"` // "acknowledge_log_entry"
	Summary string    `json:"summary"`
	At      time.Time `json:"created_at"`
	Agent   reference `json:"agent"`
	Channel struct {
		Summary string `json:"summary"`
		Content string `json:"content"`
	} `json:"channel"`
}

type policy struct {
	ID    string     `json:"id"`
	Name  string     `json:"name"`
	Rules []struct{} `json:"escalation_rules"`
}

// OpenIncidents implements IncidentReader.
func (c *Client) OpenIncidents(ctx context.Context, serviceIDs []string) ([]integrations.RemoteIncident, error) {
	query := url.Values{"statuses[]": {integrations.RemoteTriggered, integrations.RemoteAcknowledged}, "sort_by": {"created_at:asc"}}
	all, err := c.incidents(ctx, query, serviceIDs)
	if err != nil {
		return nil, err
	}
	return c.told(ctx, all...), nil
}

// incidents lists those of a query. One that moves to another page meanwhile is listed once.
func (c *Client) incidents(ctx context.Context, query url.Values, serviceIDs []string) (all []incident, err error) {
	query.Set("date_range", "all") // else none older than a month
	if len(serviceIDs) > 0 {
		query["service_ids[]"] = serviceIDs
	}
	seen := map[string]bool{}
	err = c.pages(ctx, call{act: "list incidents", method: http.MethodGet, path: "/incidents"}, query, func(p page) bool {
		for _, i := range p.Incidents {
			if !seen[i.ID] {
				seen[i.ID], all = true, append(all, i)
			}
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(all, func(a, b incident) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return all, nil
}

// Incident implements IncidentReader.
func (c *Client) Incident(ctx context.Context, id string) (integrations.RemoteIncident, error) {
	i, err := c.incident(ctx, id)
	if err != nil {
		return integrations.RemoteIncident{}, err
	}
	return c.told(ctx, i)[0], nil
}

func (c *Client) incident(ctx context.Context, id string) (incident, error) {
	const act = "read the incident"
	at, err := path(act, "incidents", id)
	if err != nil {
		return incident{}, err
	}
	return c.one(ctx, call{act: act, thing: id, method: http.MethodGet, path: at})
}

// one makes a call that is answered with an incident.
func (c *Client) one(ctx context.Context, a call) (incident, error) {
	var got struct {
		Incident incident `json:"incident"`
	}
	err := c.do(ctx, a, &got)
	return got.Incident, err
}

// IncidentLog implements IncidentReader.
func (c *Client) IncidentLog(ctx context.Context, id string, since time.Time) ([]integrations.RemoteEntry, error) {
	all, err := c.entries(ctx, id, since)
	if err != nil {
		return nil, err
	}
	var people []string
	for _, e := range all {
		if e.Agent.user() {
			people = append(people, e.Agent.ID)
		}
	}
	c.meet(ctx, people)
	var out []integrations.RemoteEntry
	for _, e := range all {
		out = append(out, integrations.RemoteEntry{ID: e.ID, Kind: strings.TrimSuffix(e.Type, "_log_entry"), At: e.At.UTC(), By: c.personOf(e.Agent), Text: cmp.Or(e.Channel.Content, e.Channel.Summary, e.Summary)})
	}
	return out, nil
}

func (c *Client) entries(ctx context.Context, id string, since time.Time) (all []logEntry, err error) {
	const act = "read the log of the incident"
	at, err := path(act, "incidents", id, "log_entries")
	if err != nil {
		return nil, err
	}
	query := url.Values{}
	if !since.IsZero() {
		query.Set("since", since.UTC().Format(time.RFC3339))
	}
	err = c.pages(ctx, call{act: act, thing: id, method: http.MethodGet, path: at}, query, func(p page) bool {
		all = append(all, p.Entries...)
		return true
	})
	slices.SortStableFunc(all, func(a, b logEntry) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID)) })
	return all, err
}

// EscalationPolicies implements IncidentReader.
func (c *Client) EscalationPolicies(ctx context.Context, name string) (out []integrations.RemotePolicy, err error) {
	query := url.Values{}
	if name != "" {
		query.Set("query", name)
	}
	err = c.pages(ctx, call{act: "list escalation policies", method: http.MethodGet, path: "/escalation_policies"}, query, func(p page) bool {
		for _, one := range p.Policies {
			out = append(out, integrations.RemotePolicy{ID: one.ID, Name: one.Name, Levels: len(one.Rules)})
		}
		return true
	})
	return out, err
}

// told gives incidents the words of integrations, with people as the configuration names
// them.
func (c *Client) told(ctx context.Context, all ...incident) []integrations.RemoteIncident {
	var people []string
	for _, i := range all {
		for _, a := range i.Assignments {
			people = append(people, a.Assignee.ID)
		}
		for _, a := range i.Acknowledgements {
			people = append(people, a.By.ID)
		}
		if i.ChangedBy.user() {
			people = append(people, i.ChangedBy.ID)
		}
	}
	c.meet(ctx, people)
	out := []integrations.RemoteIncident{}
	for _, i := range all {
		r := integrations.RemoteIncident{
			ID: i.ID, Number: i.Number, Status: i.Status, Title: i.Title, Service: i.Service.Summary, ServiceID: i.Service.ID, Policy: i.Policy.Summary, PolicyID: i.Policy.ID,
			Urgency: i.Urgency, Priority: i.Priority.Summary, URL: i.URL, Key: i.Key, CreatedAt: i.CreatedAt.UTC(), ChangedAt: i.ChangedAt.UTC(), Wakes: i.wakes(),
		}
		for _, a := range i.Assignments {
			r.Assigned = append(r.Assigned, c.personOf(a.Assignee))
		}
		for _, a := range i.Acknowledgements {
			r.AcknowledgedBy = append(r.AcknowledgedBy, c.personOf(a.By))
		}
		if i.Status == integrations.RemoteResolved {
			r.ResolvedBy = c.personOf(i.ChangedBy)
		}
		out = append(out, r)
	}
	return out
}

// wakes is when it is triggered again, or zero.
func (i incident) wakes() time.Time {
	for _, p := range i.Pending {
		if p.Type == "unacknowledge" {
			return p.At.UTC()
		}
	}
	return time.Time{}
}

// meet learns who users are. That it cannot is no reason to keep an incident back: they
// are named as it names them.
func (c *Client) meet(ctx context.Context, ids []string) {
	if err := c.learn(ctx, ids); err != nil {
		c.log.WarnContext(ctx, "people are shown as PagerDuty names them", "err", err)
	}
}

func (c *Client) personOf(r reference) integrations.AlertPerson {
	if !r.user() {
		return integrations.AlertPerson{Name: r.Summary}
	}
	p := integrations.AlertPerson{ID: r.ID, Name: c.shown(r.ID, r.Summary)}
	c.users.mu.Lock()
	defer c.users.mu.Unlock()
	p.Email = c.users.byID[r.ID].Email
	return p
}
