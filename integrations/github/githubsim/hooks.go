package githubsim

import (
	"fmt"
	"net/http"
	"net/url"
)

func (s *Sim) hookObj(r *repoRow, h *hookRow) obj {
	self := fmt.Sprintf("%s/hooks/%d", s.repoURL(r), h.ID)
	config := obj{"url": s.urlOf(h), "content_type": h.ContentType, "insecure_ssl": "0"}
	if h.Secret != "" {
		config["secret"] = "********"
	}
	return obj{
		"id": h.ID, "type": "Repository", "name": "web", "active": h.Active, "events": h.Events, "config": config,
		"created_at": stamp(h.Created), "updated_at": stamp(h.Created), "url": self, "test_url": self + "/test",
		"ping_url": self + "/pings", "deliveries_url": self + "/deliveries", "last_response": obj{"code": nil, "status": "unused", "message": nil},
	}
}

func (s *Sim) hooksOf(repo int64) []*hookRow {
	return s.state.Hooks.sorted(func(h *hookRow) bool { return h.Repo == repo && !h.App })
}

func listHooks(c *call) (int, any, error) {
	return http.StatusOK, list(page(c, c.s.hooksOf(c.repo.ID), 30, 100), func(h *hookRow) obj { return c.s.hookObj(c.repo, h) }), nil
}

type hookIn struct {
	Name   string
	Active *bool
	Events []string
	Config *struct {
		URL, Secret string
		ContentType string `json:"content_type"`
	}
}

func (in hookIn) apply(h *hookRow) error {
	if in.Config != nil {
		u, err := url.Parse(in.Config.URL)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return custom("Hook", "url is not a valid URL")
		}
		h.URL, h.Secret, h.ContentType = in.Config.URL, in.Config.Secret, in.Config.ContentType
		switch h.ContentType {
		case "":
			h.ContentType = "form"
		case "form", "json":
		default:
			return custom("Hook", "content_type is invalid")
		}
	}
	if in.Active != nil {
		h.Active = *in.Active
	}
	if in.Events != nil {
		h.Events = in.Events
	}
	return nil
}

func createHook(c *call) (int, any, error) {
	var in hookIn
	if err := c.in(&in); err != nil {
		return 0, nil, err
	}
	if in.Config == nil {
		return 0, nil, unprocessable("Invalid request.\n\n\"config\" wasn't supplied.")
	}
	for _, h := range c.s.hooksOf(c.repo.ID) {
		if c.s.urlOf(h) == in.Config.URL {
			return 0, nil, custom("Hook", "Hook already exists on this repository")
		}
	}
	h := &hookRow{Repo: c.repo.ID, Events: []string{"push"}, Active: true, Created: c.s.now()}
	if err := in.apply(h); err != nil {
		return 0, nil, err
	}
	h.ID = c.s.newID()
	put(c.s, &c.s.state.Hooks, h.ID, h)
	return http.StatusCreated, c.s.hookObj(c.repo, h), c.ping(h)
}

func (c *call) ping(h *hookRow) error {
	return c.s.queue(c.repo, h, c.login(), "ping", obj{
		"zen": "Keep it logically awesome.", "hook_id": h.ID, "hook": c.s.hookObj(c.repo, h),
	})
}

func (c *call) hook() (*hookRow, error) {
	id, err := c.number("id")
	if err != nil {
		return nil, err
	}
	h := c.s.state.Hooks.rows[id]
	if h == nil || h.Repo != c.repo.ID || h.App {
		return nil, notFound()
	}
	return h, nil
}

func getHook(c *call) (int, any, error) {
	h, err := c.hook()
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, c.s.hookObj(c.repo, h), nil
}

func updateHook(c *call) (int, any, error) {
	var in hookIn
	if err := c.in(&in); err != nil {
		return 0, nil, err
	}
	h, err := c.hook()
	if err != nil {
		return 0, nil, err
	}
	changed := *h
	if err := in.apply(&changed); err != nil {
		return 0, nil, err
	}
	put(c.s, &c.s.state.Hooks, h.ID, &changed)
	return http.StatusOK, c.s.hookObj(c.repo, &changed), nil
}

func deleteHook(c *call) (int, any, error) {
	h, err := c.hook()
	if err != nil {
		return 0, nil, err
	}
	s := c.s
	for _, d := range s.state.Deliveries.sorted(func(d *deliveryRow) bool { return d.Hook == h.ID }) {
		remove(s, &s.state.Deliveries, d.ID)
		s.state.dirty[dirtyKey{payloadBucket, d.ID}] = nil
	}
	remove(s, &s.state.Hooks, h.ID)
	return http.StatusNoContent, nil, nil
}

func pingHook(c *call) (int, any, error) {
	h, err := c.hook()
	if err != nil {
		return 0, nil, err
	}
	return http.StatusNoContent, nil, c.ping(h)
}
