package sandbox

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/pagerduty/pagerdutysim"
)

// pagerDutyIncident is one as PagerDuty's page shows it, with people by their names.
type pagerDutyIncident struct {
	ID             string          `json:"id"`
	Number         int             `json:"number"`
	Status         string          `json:"status"`
	Title          string          `json:"title"`
	Service        string          `json:"service"`
	Urgency        string          `json:"urgency"`
	Key            string          `json:"key"`
	Level          int             `json:"level"` // 0 where it was given to somebody
	Created        time.Time       `json:"created"`
	Changed        time.Time       `json:"changed"`
	ChangedBy      string          `json:"changed_by"` // "" is nobody
	Assigned       []string        `json:"assigned"`
	AcknowledgedBy []string        `json:"acknowledged_by"`
	Log            []pagerDutyLine `json:"log"` // oldest first, notes too
}

type pagerDutyLine struct {
	At   time.Time `json:"at"`
	Kind string    `json:"kind"`
	User string    `json:"user"`
	Text string    `json:"text"`
}

// pagerDutyIncidents answers /sim/pagerduty/incidents, oldest first.
func (w *world) pagerDutyIncidents(r *http.Request) (any, error) {
	if err := only(r.URL.Query()); err != nil {
		return nil, err
	}
	names, services := map[string]string{}, map[string]string{}
	for _, u := range w.pagerDuty.Users() {
		names[u.ID], _, _ = strings.Cut(u.Email, "@")
	}
	for _, v := range w.pagerDuty.Services() {
		services[v.ID] = v.Name
	}
	named := func(list []pagerdutysim.Stamp) []string {
		out := []string{}
		for _, s := range list {
			out = append(out, names[s.User])
		}
		return out
	}
	all := []pagerDutyIncident{}
	for _, i := range w.pagerDuty.Incidents() {
		v := pagerDutyIncident{
			ID: i.ID, Number: i.Number, Status: i.Status, Title: i.Title, Service: services[i.Service], Urgency: i.Urgency, Key: i.Key, Level: i.Level,
			Created: i.Created, Changed: i.Changed, ChangedBy: names[i.ChangedBy], Assigned: named(i.Assigned), AcknowledgedBy: named(i.Acks),
		}
		for _, e := range i.Log {
			v.Log = append(v.Log, pagerDutyLine{e.At, e.Kind, names[e.User], e.Text})
		}
		all = append(all, v)
	}
	return map[string]any{"incidents": all}, nil
}

// triggerCall opens an incident: by a user, or by a machine where there is none.
type triggerCall struct {
	Service string `json:"service"`
	Title   string `json:"title"`
	Key     string `json:"key"`
	User    string `json:"user"`
}

func (w *world) triggerThere(_ context.Context, c triggerCall) (any, error) {
	user := ""
	if c.User != "" {
		user = pagerDutyUser(c.User)
	}
	id, err := w.pagerDuty.Trigger(c.Service, c.Title, c.Key, user)
	if err != nil {
		return nil, wrong("%v", err)
	}
	return map[string]any{"ok": true, "id": id}, nil
}

// actCall is what a user does with an incident: acknowledge, resolve, reassign (to
// another), note (a text).
type actCall struct {
	User string `json:"user"`
	Act  string `json:"act"`
	To   string `json:"to"`
	Text string `json:"text"`
}

func (w *world) actThere(r *http.Request) (any, error) {
	var c actCall
	if err := decode(r.Body, &c); err != nil {
		return nil, err
	}
	more := c.Text
	if c.Act == "reassign" {
		more = pagerDutyUser(c.To)
	}
	if err := w.pagerDuty.Act(r.PathValue("id"), pagerDutyUser(c.User), c.Act, more); err != nil {
		return nil, wrong("%v", err)
	}
	return map[string]any{"ok": true}, nil
}

// pagerDutyDelivery is a webhook that was sent, or has yet to be.
type pagerDutyDelivery struct {
	Webhook  string    `json:"webhook"` // its X-Webhook-Id
	Event    string    `json:"event"`
	Incident string    `json:"incident"`
	Queued   time.Time `json:"queued"`
	Next     time.Time `json:"next"` // when it is tried, while it is pending
	Tries    int       `json:"tries"`
	Status   int       `json:"status"` // of the last answer; 0 is none
	Ended    string    `json:"ended"`  // "" is pending, "delivered", "dropped" or "lost"
}

func (w *world) pagerDutyDeliveries(r *http.Request) (any, error) {
	if err := only(r.URL.Query()); err != nil {
		return nil, err
	}
	all := []pagerDutyDelivery{}
	for _, d := range w.pagerDuty.Deliveries() {
		all = append(all, pagerDutyDelivery{d.Webhook, d.Event, d.Incident, d.Queued, d.Next, d.Tries, d.Status, d.Ended})
	}
	return map[string]any{"deliveries": all}, nil
}
