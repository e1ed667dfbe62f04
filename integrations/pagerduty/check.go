package pagerduty

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// looksAhead is how far Check reads a schedule for people who are not in the configuration.
const looksAhead = 28 * 24 * time.Hour

// onlyRead are the roles of users who may change no schedule (support.pagerduty.com, User
// Roles).
var onlyRead = []string{"read_only_user", "read_only_limited_user", "observer", "restricted_access"}

// Check tries the token, whether overrides may be written, as far as PagerDuty says so,
// and the schedules by their ids. It changes nothing.
func (c *Client) Check(ctx context.Context, schedules []string) []integrations.Finding {
	var said struct {
		Abilities []string `json:"abilities"`
	}
	f := integrations.Finding{What: "PagerDuty token", OK: true, Say: "is valid at " + c.base.Host}
	if err := c.do(ctx, call{act: "try the token", method: http.MethodGet, path: "/abilities"}, &said); err != nil {
		f.OK, f.Say, f.Do = false, err.Error(), "see that this machine reaches "+c.base.Host
		if status := statusOf(err); status != 0 {
			f.Do = "make a REST API key in PagerDuty under Integrations, API Access Keys"
		}
		return []integrations.Finding{f}
	}
	out := []integrations.Finding{f, c.checkWrites(ctx)}
	for _, id := range schedules {
		out = append(out, c.checkSchedule(ctx, id))
	}
	return out
}

// checkWrites looks at whose the token is. One of the account is nobody's, and whether it
// is read-only is not said.
func (c *Client) checkWrites(ctx context.Context) integrations.Finding {
	f := integrations.Finding{What: "PagerDuty overrides"}
	var got struct {
		User User `json:"user"`
	}
	err := c.do(ctx, call{act: "read whose the token is", method: http.MethodGet, path: "/users/me"}, &got)
	switch {
	case statusOf(err) == http.StatusBadRequest:
		f.Warn, f.Say, f.Do = true, "the token is the account's: whether it may write is not said", "see in PagerDuty, under API Access Keys, that it is not read-only"
	case err != nil:
		f.Warn, f.Say = true, "cannot be told: "+err.Error()
	case slices.Contains(onlyRead, got.User.Role):
		f.Say = fmt.Sprintf("may not be written: the token is %s's, who is %s", got.User.Name, got.User.Role)
		f.Do = "use the token of a user who may change schedules, such as a Responder, or one of the account"
	default:
		f.OK, f.Say = true, fmt.Sprintf("may be written, as %s, as far as the teams of the schedules let that user", got.User.Name)
	}
	return f
}

func (c *Client) checkSchedule(ctx context.Context, id string) integrations.Finding {
	f := integrations.Finding{What: "PagerDuty schedule " + id}
	now := c.clock.Now()
	all, err := c.stints(ctx, id, now, now.Add(looksAhead))
	switch {
	case statusOf(err) == http.StatusNotFound:
		f.Say, f.Do = "there is none, or it may not be seen", "copy the id from the end of the schedule's address in PagerDuty, such as PABC123"
		return f
	case err != nil:
		f.Say = err.Error()
		return f
	}
	c.mu.Lock()
	of := map[kind]string{kindLayers: "layers", kindShifts: "shifts"}[c.kinds[id]]
	c.mu.Unlock()
	f.OK, f.Say = true, "is there, of "+of
	var strangers []string
	for _, s := range all {
		c.users.mu.Lock()
		u := c.users.byID[s.user]
		c.users.mu.Unlock()
		who := c.shown(s.user, s.summary)
		if u.known {
			if _, ok := c.name(u.Email); ok {
				continue
			}
			who += " (" + u.Email + ")"
		}
		if !slices.Contains(strangers, who) {
			strangers = append(strangers, who)
		}
	}
	if len(strangers) > 0 {
		slices.Sort(strangers)
		f.OK, f.Warn = false, true
		f.Say += "; not in the configuration by their email: " + strings.Join(strangers, ", ")
		f.Do = "give people their email under people, as PagerDuty has it"
	}
	return f
}
