package pagerduty

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// CheckIncidents says whether incidents can be changed, and whether what becomes of them is
// delivered to an address of ours; "" is none, where nothing is said of it. It changes
// nothing.
func (c *Client) CheckIncidents(ctx context.Context, url string) []integrations.Finding {
	out := []integrations.Finding{c.checkActs(ctx)}
	if url != "" {
		out = append(out, c.checkHook(ctx, url))
	}
	return out
}

// checkActs looks at whose the token is, and whether it may read incidents at all.
func (c *Client) checkActs(ctx context.Context) integrations.Finding {
	f := integrations.Finding{What: "PagerDuty incidents"}
	var got page
	if err := c.do(ctx, call{act: "list incidents", method: http.MethodGet, path: "/incidents", query: map[string][]string{"limit": {"1"}}}, &got); err != nil {
		f.Say = err.Error()
		if statusOf(err) == http.StatusForbidden {
			f.Do = "use a REST API key whose user sees incidents, or one of the account"
		}
		return f
	}
	var me struct {
		User User `json:"user"`
	}
	err := c.do(ctx, call{act: "read whose the token is", method: http.MethodGet, path: "/users/me"}, &me)
	switch {
	case statusOf(err) == http.StatusBadRequest:
		f.Warn, f.Say, f.Do = true, "can be read; the token is the account's: whether it may write is not said", "see in PagerDuty, under API Access Keys, that it is not read-only"
	case err != nil:
		f.Warn, f.Say = true, "can be read; whether they may be changed cannot be told: "+err.Error()
	case slices.Contains(onlyRead, me.User.Role):
		f.Say = fmt.Sprintf("may not be changed: the token is %s's, who is %s", me.User.Name, me.User.Role)
		f.Do = "use the token of a user who may change incidents, such as a Responder, or one of the account"
	default:
		f.OK, f.Say = true, fmt.Sprintf("may be changed, as far as %s may, whose the token is", me.User.Name)
	}
	return f
}

func (c *Client) checkHook(ctx context.Context, url string) integrations.Finding {
	f := integrations.Finding{What: "PagerDuty webhooks"}
	s, err := c.hook(ctx, url)
	switch {
	case err != nil:
		f.Warn, f.Say = true, "cannot be told: "+err.Error()
	case s == nil:
		f.Say, f.Do = "no subscription delivers to "+url, "make one in PagerDuty under Integrations, Generic Webhooks (v3), with all events of incidents"
	case s.sleeps():
		f.Say, f.Do = s.ID+" is switched off", "activate it in PagerDuty under Integrations, Generic Webhooks (v3)"
	case s.Method.Disabled:
		f.Say, f.Do = s.ID+" is disabled for a day, since deliveries were refused: what happens meanwhile is not told", "see that its secret stands in the configuration, then enable it in PagerDuty under Integrations, Generic Webhooks (v3)"
	case len(s.lacks()) > 0:
		f.Warn, f.Say, f.Do = true, fmt.Sprintf("%s delivers, but not %s", s.ID, sentence(s.lacks())), "tick all events of incidents in it"
	default:
		f.OK, f.Say = true, s.ID+" delivers to "+url
	}
	return f
}

// sentence names a few of many.
func sentence(all []string) string {
	const most = 3
	out := ""
	for n, s := range all {
		if n == most {
			return fmt.Sprintf("%s and %d more", out, len(all)-most)
		}
		if n > 0 {
			out += ", "
		}
		out += s
	}
	return out
}
