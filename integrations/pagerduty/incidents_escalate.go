package pagerduty

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

const escalated = "escalate_log_entry"

// onCall is who would be paged now at a level of a policy.
type onCall struct {
	Level int       `json:"escalation_level"`
	User  reference `json:"user"`
}

// Escalate implements IncidentResponder. That the same person has escalated it since they
// asked is read from its log: the incident does not say of which level it is.
func (c *Client) Escalate(ctx context.Context, a integrations.RemoteAct, level int) (integrations.RemoteActed, error) {
	const what = "escalate the incident"
	if level < 0 {
		return integrations.RemoteActed{}, fmt.Errorf("pagerduty %s %s: there is no level %d; the first is 1", what, a.ID, level)
	}
	on, err := c.begin(ctx, a)
	if err == nil {
		err = c.over(ctx, on.was)
	}
	if err != nil {
		return integrations.RemoteActed{}, err
	}
	done, err := c.since(ctx, on, escalated)
	if err != nil {
		return integrations.RemoteActed{}, err
	}
	if done {
		return c.already(ctx, on.was, reference{ID: on.me.ID, Type: "user_reference", Summary: on.me.Name}), nil
	}
	if level == 0 {
		if level, err = c.next(ctx, on.was); err != nil {
			return integrations.RemoteActed{}, err
		}
	}
	now, err := c.put(ctx, on, what, map[string]any{"escalation_level": level}, func(incident) bool {
		done, err := c.since(ctx, on, escalated)
		return err == nil && done
	})
	if err != nil {
		return integrations.RemoteActed{}, err
	}
	out := c.acted(ctx, now)
	out.Level = level
	return out, nil
}

// next is the level behind the last one that has somebody of those who have an incident.
func (c *Client) next(ctx context.Context, i incident) (int, error) {
	at, last := 0, 0
	a := call{act: "read who is paged by", thing: i.Policy.ID, method: http.MethodGet, path: "/oncalls"}
	err := c.pages(ctx, a, url.Values{"escalation_policy_ids[]": {i.Policy.ID}}, func(p page) bool {
		for _, o := range p.OnCalls {
			last = max(last, o.Level)
			for _, has := range i.Assignments {
				if has.Assignee.ID == o.User.ID {
					at = max(at, o.Level)
				}
			}
		}
		return true
	})
	switch {
	case err != nil:
		return 0, err
	case at >= last:
		return 0, &integrations.Refused{Why: fmt.Sprintf("incident #%d is with the last level of %s, which is %d", i.Number, i.Policy.Summary, last), Do: "reassign it, or say which level is to be paged"}
	}
	return at + 1, nil
}

// since says whether the log has a line of a kind by the person who acts, of the time
// since they asked.
func (c *Client) since(ctx context.Context, on act, kind string) (bool, error) {
	if on.Asked.IsZero() {
		return false, nil
	}
	all, err := c.entries(ctx, on.ID, on.Asked.Truncate(time.Second))
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(all, func(e logEntry) bool { return e.Type == kind && e.Agent.ID == on.me.ID }), nil
}
