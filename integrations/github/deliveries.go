package github

import (
	"context"
	"net/http"
	"strings"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// FailedDeliveries are the webhook deliveries of a repository that were attempted
// since then and have not arrived, newest first: of each delivery the newest
// attempt, so one that arrived the second time is fine. With a token it looks at
// the repository's own webhooks that deliver to Config.HookURL, with a GitHub App
// at the App's. GitHub keeps them for three days. ErrNotFound says that the token
// may not look at webhooks.
func (c *Client) FailedDeliveries(ctx context.Context, repo string, since time.Time) ([]integrations.Delivery, error) {
	out, err := c.failedDeliveries(ctx, repo, since)
	return out, about(unreadable(err), "list the failed deliveries of %s", repo)
}

// unreadable: who may not see webhooks is told so by 404 or by 403.
func unreadable(err error) error {
	if says(err, http.StatusForbidden) {
		return as(err, integrations.ErrNotFound)
	}
	return err
}

func (c *Client) failedDeliveries(ctx context.Context, repo string, since time.Time) ([]integrations.Delivery, error) {
	owner, name, err := split(repo)
	if err != nil {
		return nil, err
	}
	if c.app != nil {
		id, err := c.RepoID(ctx, repo)
		if err != nil {
			return nil, err
		}
		return c.failedOf(since, func(o *gh.ListCursorOptions) ([]*gh.HookDelivery, *gh.Response, error) {
			return c.app.Apps.ListHookDeliveries(ctx, o)
		}, func(d *gh.HookDelivery) bool { return d.GetRepositoryID() == id })
	}
	hooks, err := c.hooks(ctx, owner, name)
	if err != nil {
		return nil, err
	}
	var out []integrations.Delivery
	for _, h := range hooks {
		if !h.GetActive() || !c.ours(h) {
			continue
		}
		failed, err := c.failedOf(since, func(o *gh.ListCursorOptions) ([]*gh.HookDelivery, *gh.Response, error) {
			return c.api.Repositories.ListHookDeliveries(ctx, owner, name, h.GetID(), o)
		}, func(*gh.HookDelivery) bool { return true })
		if err != nil {
			return nil, err
		}
		for i := range failed {
			failed[i].Hook = h.GetID()
		}
		out = append(out, failed...)
	}
	return out, nil
}

func (c *Client) hooks(ctx context.Context, owner, name string) ([]*gh.Hook, error) {
	var out []*gh.Hook
	err := c.pages(ctx, func(page int) (*gh.Response, bool, error) {
		got, resp, err := c.api.Repositories.ListHooks(ctx, owner, name, &gh.ListOptions{Page: page, PerPage: 100})
		out = append(out, got...)
		return resp, true, err
	})
	return out, err
}

func (c *Client) ours(h *gh.Hook) bool {
	return c.cfg.HookURL == "" || strings.TrimRight(h.GetConfig().GetURL(), "/") == strings.TrimRight(c.cfg.HookURL, "/")
}

// failedOf reads a list of deliveries, newest first, page after page by cursor, as
// far back as since. The error is shaped.
func (c *Client) failedOf(since time.Time, list func(*gh.ListCursorOptions) ([]*gh.HookDelivery, *gh.Response, error),
	keep func(*gh.HookDelivery) bool,
) ([]integrations.Delivery, error) {
	var out []integrations.Delivery
	seen := map[string]bool{}
	for o := (&gh.ListCursorOptions{PerPage: 100}); ; {
		got, resp, err := list(o)
		if err = shape(err); err != nil {
			return nil, err
		}
		for _, d := range got {
			if d.GetDeliveredAt().Before(since) {
				return out, nil
			}
			if seen[d.GetGUID()] || !keep(d) {
				continue
			}
			seen[d.GetGUID()] = true
			if code := d.GetStatusCode(); code < 200 || code > 299 {
				out = append(out, integrations.Delivery{
					ID: d.GetID(), GUID: d.GetGUID(), Event: d.GetEvent(), Action: d.GetAction(), At: d.GetDeliveredAt().UTC(),
					Status: d.GetStatus(), Code: code, Redelivery: d.GetRedelivery(),
				})
			}
		}
		if resp == nil || resp.Cursor == "" || resp.Cursor == o.Cursor {
			return out, nil
		}
		o = &gh.ListCursorOptions{PerPage: 100, Cursor: resp.Cursor}
	}
}

// Redeliver has a delivery sent again, under the same GUID. That GitHub took the
// order is success; whether it arrived, the next FailedDeliveries tells.
func (c *Client) Redeliver(ctx context.Context, repo string, d integrations.Delivery) error {
	owner, name, err := split(repo)
	if err != nil {
		return err
	}
	if c.app != nil {
		_, _, err = c.app.Apps.RedeliverHookDelivery(ctx, d.ID)
	} else {
		_, _, err = c.api.Repositories.RedeliverHookDelivery(ctx, owner, name, d.Hook, d.ID)
	}
	return about(unreadable(shape(err)), "redeliver %s of %s", d.GUID, repo)
}
