package pagerduty

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

const (
	mostAtOnce    = 250 // incidents in one call (API reference, Manage incidents)
	mostOfNote    = 2000
	longestSnooze = 604800 * time.Second
	codeNobody    = 1008 // From is no user's
	// skew is how far our clock may be from PagerDuty's, which counts in seconds.
	skew = time.Minute
)

// actor is the user as whom somebody acts.
func (c *Client) actor(ctx context.Context, email string) (User, error) {
	u, err := c.UserByEmail(ctx, email)
	if statusOf(err) == http.StatusNotFound || strings.TrimSpace(email) == "" {
		return User{}, &integrations.RemoteStranger{System: "PagerDuty", Email: email}
	}
	return u, err
}

// Knows implements IncidentReader.
func (c *Client) Knows(ctx context.Context, email string) error {
	_, err := c.actor(ctx, email)
	return err
}

// stranger says of a refusal that PagerDuty does not know the user any more.
func (c *Client) stranger(me User, err error) error {
	if codeOf(err) != codeNobody {
		return err
	}
	c.users.mu.Lock()
	delete(c.users.byID, me.ID)
	c.users.mu.Unlock()
	return &integrations.RemoteStranger{System: "PagerDuty", Email: me.Email}
}

// act is one of a person on an incident.
type act struct {
	integrations.RemoteAct
	me  User
	was incident // as it was just now
}

// begin finds out who acts, and what the incident is now.
func (c *Client) begin(ctx context.Context, a integrations.RemoteAct) (act, error) {
	me, err := c.actor(ctx, a.As)
	if err != nil {
		return act{}, err
	}
	was, err := c.incident(ctx, a.ID)
	return act{RemoteAct: a, me: me, was: was}, err
}

// over refuses to act on an incident that is.
func (c *Client) over(ctx context.Context, i incident) error {
	if i.Status != integrations.RemoteResolved {
		return nil
	}
	return &integrations.RemoteOver{Incident: c.told(ctx, i)[0]}
}

func (c *Client) acted(ctx context.Context, i incident) integrations.RemoteActed {
	return integrations.RemoteActed{Incident: c.told(ctx, i)[0]}
}

func (c *Client) already(ctx context.Context, i incident, by reference) integrations.RemoteActed {
	out := c.acted(ctx, i)
	out.Already = true
	if by.ID != "" {
		out.By = c.personOf(by)
	}
	return out
}

// Acknowledge implements IncidentResponder.
func (c *Client) Acknowledge(ctx context.Context, a integrations.RemoteAct) (integrations.RemoteActed, error) {
	on, err := c.begin(ctx, a)
	if err == nil {
		err = c.over(ctx, on.was)
	}
	if err != nil {
		return integrations.RemoteActed{}, err
	}
	if by, ok := holder(on.was, on.me); ok {
		return c.already(ctx, on.was, by), nil
	}
	now, err := c.put(ctx, on, "acknowledge the incident", map[string]any{"status": integrations.RemoteAcknowledged}, func(i incident) bool {
		by, ok := holder(i, on.me)
		return ok && by.ID == on.me.ID
	})
	if err != nil {
		return integrations.RemoteActed{}, err
	}
	return c.acted(ctx, now), nil
}

// holder is who has acknowledged an incident, of several the user who acts.
func holder(i incident, me User) (by reference, ok bool) {
	if i.Status != integrations.RemoteAcknowledged {
		return reference{}, false
	}
	for _, a := range i.Acknowledgements {
		if by.ID == "" || a.By.ID == me.ID {
			by = a.By
		}
	}
	return by, true
}

// Resolve implements IncidentResponder.
func (c *Client) Resolve(ctx context.Context, a integrations.RemoteAct) (integrations.RemoteActed, error) {
	on, err := c.begin(ctx, a)
	if err != nil {
		return integrations.RemoteActed{}, err
	}
	mine := func(i incident) bool {
		return i.Status == integrations.RemoteResolved && i.ChangedBy.ID == on.me.ID
	}
	if mine(on.was) {
		return c.already(ctx, on.was, on.was.ChangedBy), nil
	}
	if err := c.over(ctx, on.was); err != nil {
		return integrations.RemoteActed{}, err
	}
	now, err := c.put(ctx, on, "resolve the incident", map[string]any{"status": integrations.RemoteResolved}, mine)
	if err != nil {
		return integrations.RemoteActed{}, err
	}
	return c.acted(ctx, now), nil
}

// put changes an incident. Where the answer was lost, or PagerDuty says no, it looks at
// what the incident is: so says whether that is what was wanted.
func (c *Client) put(ctx context.Context, on act, what string, change map[string]any, so func(incident) bool) (incident, error) {
	change["type"] = "incident_reference"
	at, err := path(what, "incidents", on.ID)
	if err != nil {
		return incident{}, err
	}
	now, err := c.one(ctx, call{act: what, thing: on.ID, method: http.MethodPut, path: at, from: on.me.Email, of: "incident", body: map[string]any{"incident": change}})
	if err == nil || !lost(err) && statusOf(err) != http.StatusBadRequest {
		return now, err
	}
	if err = c.stranger(on.me, err); errors.As(err, new(*integrations.RemoteStranger)) {
		return incident{}, err
	}
	is, failed := c.incident(ctx, on.ID)
	switch {
	case failed != nil:
		return incident{}, err
	case so(is):
		return is, nil
	}
	if over := c.over(ctx, is); over != nil {
		return incident{}, over
	}
	return incident{}, err
}

// Reassign implements IncidentResponder.
func (c *Client) Reassign(ctx context.Context, a integrations.RemoteAct, to integrations.RemoteTarget) (integrations.RemoteActed, error) {
	const what = "reassign the incident"
	if (to.Email == "") == (to.Policy == "") {
		return integrations.RemoteActed{}, fmt.Errorf("pagerduty %s %s: give it to a user or to an escalation policy", what, a.ID)
	}
	on, err := c.begin(ctx, a)
	if err == nil {
		err = c.over(ctx, on.was)
	}
	if err != nil {
		return integrations.RemoteActed{}, err
	}
	change := map[string]any{}
	var so func(incident) bool
	if to.Policy != "" {
		change["escalation_policy"] = reference{ID: to.Policy, Type: "escalation_policy_reference"}
		so = func(i incident) bool { // its policy pages, and nobody has it
			return i.Policy.ID == to.Policy && i.Status == integrations.RemoteTriggered && i.Via == viaPolicy
		}
	} else {
		u, err := c.actor(ctx, to.Email)
		if err != nil {
			return integrations.RemoteActed{}, err
		}
		change["assignments"] = []map[string]any{{"assignee": reference{ID: u.ID, Type: "user_reference"}}}
		so = func(i incident) bool { return len(i.Assignments) == 1 && i.Assignments[0].Assignee.ID == u.ID }
	}
	if so(on.was) {
		return c.already(ctx, on.was, reference{}), nil
	}
	now, err := c.put(ctx, on, what, change, so)
	if err != nil {
		return integrations.RemoteActed{}, err
	}
	return c.acted(ctx, now), nil
}

// Snooze implements IncidentResponder. One that wakes within a minute of the time that is
// wanted is snoozed already.
func (c *Client) Snooze(ctx context.Context, a integrations.RemoteAct, d time.Duration) (integrations.RemoteActed, error) {
	const what = "snooze the incident"
	if d < time.Second || d > longestSnooze {
		return integrations.RemoteActed{}, fmt.Errorf("pagerduty %s %s: for %v is not possible; want a second at least and seven days at most", what, a.ID, d)
	}
	on, err := c.begin(ctx, a)
	if err == nil {
		err = c.over(ctx, on.was)
	}
	if err != nil {
		return integrations.RemoteActed{}, err
	}
	so := func(i incident) bool {
		by, ok := holder(i, on.me)
		return ok && by.ID == on.me.ID && !i.wakes().IsZero() && i.wakes().Sub(c.clock.Now().Add(d)).Abs() < min(skew, d)
	}
	if so(on.was) {
		return c.already(ctx, on.was, reference{ID: on.me.ID, Type: "user_reference", Summary: on.me.Name}), nil
	}
	at, err := path(what, "incidents", a.ID, "snooze")
	if err != nil {
		return integrations.RemoteActed{}, err
	}
	body := map[string]any{"duration": int((d + time.Second - 1) / time.Second)}
	now, err := c.one(ctx, call{act: what, thing: a.ID, method: http.MethodPost, path: at, from: on.me.Email, of: "incident", body: body})
	if lost(err) {
		if is, failed := c.incident(ctx, a.ID); failed == nil && so(is) {
			now, err = is, nil
		}
	}
	if err != nil {
		return integrations.RemoteActed{}, c.stranger(on.me, err)
	}
	return c.acted(ctx, now), nil
}

// note is one of an incident.
type note struct {
	User    reference `json:"user"`
	Content string    `json:"content"`
	At      time.Time `json:"created_at"`
}

// Note implements IncidentResponder. The same text of the same person since they asked is
// this note.
func (c *Client) Note(ctx context.Context, a integrations.RemoteAct, text string) (integrations.RemoteActed, error) {
	const what = "write a note on the incident"
	text, cut := shorten(strings.TrimSpace(text), mostOfNote)
	if text == "" {
		return integrations.RemoteActed{}, fmt.Errorf("pagerduty %s %s: there is nothing in it", what, a.ID)
	}
	on, err := c.begin(ctx, a)
	if err != nil {
		return integrations.RemoteActed{}, err
	}
	at, err := path(what, "incidents", a.ID, "notes")
	if err != nil {
		return integrations.RemoteActed{}, err
	}
	from := a.Asked
	written := func() (bool, error) {
		var got struct {
			Notes []note `json:"notes"`
		}
		err := c.do(ctx, call{act: "read the notes of the incident", thing: a.ID, method: http.MethodGet, path: at}, &got)
		return slices.ContainsFunc(got.Notes, func(n note) bool {
			return n.User.ID == on.me.ID && n.Content == text && !n.At.Before(from.Add(-skew))
		}), err
	}
	out := c.acted(ctx, on.was)
	out.Cut = cut
	if !from.IsZero() {
		if out.Already, err = written(); err != nil || out.Already {
			return out, err
		}
	} else {
		from = c.clock.Now()
	}
	err = c.do(ctx, call{act: what, thing: a.ID, method: http.MethodPost, path: at, from: on.me.Email, of: "incident", body: map[string]any{"note": map[string]any{"content": text}}}, nil)
	if lost(err) {
		if there, failed := written(); failed == nil && there {
			err = nil
		}
	}
	return out, c.stranger(on.me, err)
}

// AcknowledgeMine implements IncidentResponder.
func (c *Client) AcknowledgeMine(ctx context.Context, as string, serviceIDs []string) (out []integrations.RemoteIncident, err error) {
	me, err := c.actor(ctx, as)
	if err != nil {
		return nil, err
	}
	mine, err := c.incidents(ctx, url.Values{"statuses[]": {integrations.RemoteTriggered}, "user_ids[]": {me.ID}}, serviceIDs)
	if err != nil {
		return nil, err
	}
	for some := range slices.Chunk(mine, mostAtOnce) {
		var changes []map[string]any
		for _, i := range some {
			changes = append(changes, map[string]any{"id": i.ID, "type": "incident_reference", "status": integrations.RemoteAcknowledged})
		}
		var got page
		err := c.do(ctx, call{act: "acknowledge incidents", method: http.MethodPut, path: "/incidents", from: me.Email, of: "incidents", body: map[string]any{"incidents": changes}}, &got)
		if lost(err) {
			if done := c.has(ctx, me, some, serviceIDs); len(done) > 0 { // a call is done whole
				got.Incidents, err = done, nil
			}
		}
		if err != nil {
			return out, c.stranger(me, err)
		}
		out = append(out, c.told(ctx, got.Incidents...)...)
	}
	return out, nil
}

// has are those of some incidents that somebody has acknowledged.
func (c *Client) has(ctx context.Context, me User, some []incident, serviceIDs []string) (out []incident) {
	all, err := c.incidents(ctx, url.Values{"statuses[]": {integrations.RemoteAcknowledged}, "user_ids[]": {me.ID}}, serviceIDs)
	if err != nil {
		return nil
	}
	for _, i := range all {
		by, ok := holder(i, me)
		if ok && by.ID == me.ID && slices.ContainsFunc(some, func(o incident) bool { return o.ID == i.ID }) {
			out = append(out, i)
		}
	}
	return out
}

// shorten cuts a text to so many characters.
func shorten(text string, most int) (string, bool) {
	text = strings.ToValidUTF8(text, "\uFFFD")
	r := []rune(text)
	if len(r) <= most {
		return text, false
	}
	return string(r[:most-1]) + "…", true
}
