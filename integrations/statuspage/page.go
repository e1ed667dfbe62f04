package statuspage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// A list is asked for by pages: all components at once may be asked for once a minute.
const (
	perPage   = 100
	mostPages = 20
)

// component is one at the wire; a group of them is one as well.
type component struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Status  string `json:"status"`
	Group   bool   `json:"group"`
	GroupID string `json:"group_id"`
}

// Components are all but the groups, in the order of the page.
func (c *Client) Components(ctx context.Context) ([]integrations.PageComponent, error) {
	all, err := list[component](ctx, c, call{act: "list the components", path: []string{"components"}}, "per_page")
	if err != nil {
		return nil, err
	}
	groups := map[string]string{}
	for _, one := range all {
		if one.Group {
			groups[one.ID] = one.Name
		}
	}
	var out []integrations.PageComponent
	for _, one := range all {
		if !one.Group && one.ID != "" {
			out = append(out, integrations.PageComponent{ID: one.ID, Name: one.Name, Status: one.Status, Group: groups[one.GroupID]})
		}
	}
	return out, nil
}

// list asks for one page after another until one is not full. size is the parameter that
// says how much a page holds.
func list[T any](ctx context.Context, c *Client, a call, size string) (out []T, err error) {
	a.method = http.MethodGet
	for n := 1; n <= mostPages; n++ {
		a.query = url.Values{"page": {strconv.Itoa(n)}, size: {strconv.Itoa(perPage)}}
		var page []T
		if err := c.do(ctx, a, &page); err != nil {
			return nil, err
		}
		out = append(out, page...)
		if len(page) < perPage {
			return out, nil
		}
	}
	return out, nil
}

// SetComponent gives a component a state.
func (c *Client) SetComponent(ctx context.Context, id, status string) error {
	a := call{act: "set the component", thing: id, method: http.MethodPatch, path: []string{"components", id}}
	a.body = map[string]any{"component": map[string]string{"status": status}}
	return c.do(ctx, a, nil)
}

// incident is one at the wire.
type incident struct {
	ID         string      `json:"id"`
	Name       string      `json:"name"`
	Status     string      `json:"status"`
	Impact     string      `json:"impact"`
	Shortlink  string      `json:"shortlink"`
	Created    time.Time   `json:"created_at"`
	Resolved   *time.Time  `json:"resolved_at"`
	Components []component `json:"components"`
	Updates    []struct {
		ID      string    `json:"id"`
		Status  string    `json:"status"`
		Body    string    `json:"body"`
		Created time.Time `json:"created_at"`
	} `json:"incident_updates"`
	Metadata map[string]json.RawMessage `json:"metadata"`
}

// ours is the key of what we keep in an incident's metadata.
const ours = "signalbox"

type kept struct {
	Nonce string `json:"nonce"`
}

func (i incident) read() integrations.PageIncident {
	out := integrations.PageIncident{ID: i.ID, Title: i.Name, Status: i.Status, Impact: i.Impact, URL: i.Shortlink, Opened: i.Created}
	if i.Resolved != nil {
		out.Resolved = *i.Resolved
	}
	for _, one := range i.Components {
		out.Components = append(out.Components, integrations.PageComponent{ID: one.ID, Name: one.Name, Status: one.Status})
	}
	for _, u := range i.Updates {
		out.Updates = append(out.Updates, integrations.PageUpdate{ID: u.ID, Status: u.Status, Body: u.Body, At: u.Created})
	}
	slices.SortStableFunc(out.Updates, func(a, b integrations.PageUpdate) int { return b.At.Compare(a.At) })
	var k kept
	if json.Unmarshal(i.Metadata[ours], &k) == nil {
		out.Nonce = k.Nonce
	}
	return out
}

func readAll(all []incident) []integrations.PageIncident {
	var out []integrations.PageIncident
	for _, i := range all {
		if i.ID != "" {
			out = append(out, i.read())
		}
	}
	return out
}

// Unresolved are the incidents that are open; maintenances are not among them.
func (c *Client) Unresolved(ctx context.Context) ([]integrations.PageIncident, error) {
	all, err := list[incident](ctx, c, call{act: "list the open incidents", path: []string{"incidents", "unresolved"}}, "per_page")
	return readAll(all), err
}

// Incident reads one; *integrations.Gone is that there is none.
func (c *Client) Incident(ctx context.Context, id string) (integrations.PageIncident, error) {
	i, err := c.incident(ctx, id)
	return i.read(), err
}

func (c *Client) incident(ctx context.Context, id string) (i incident, err error) {
	err = c.do(ctx, call{act: "read the incident", thing: id, method: http.MethodGet, path: []string{"incidents", id}}, &i)
	if err == nil && i.ID != id {
		err = fmt.Errorf("statuspage read the incident %s: the answer is of %q", id, i.ID)
	}
	return i, err
}

// FindIncident looks among the newest incidents, open or not, for the one that was opened
// with a nonce.
func (c *Client) FindIncident(ctx context.Context, nonce string) (integrations.PageIncident, bool, error) {
	a := call{act: "look for the incident", thing: nonce, method: http.MethodGet, path: []string{"incidents"}, query: url.Values{"page": {"1"}, "limit": {strconv.Itoa(perPage)}}}
	var all []incident
	if err := c.do(ctx, a, &all); err != nil {
		return integrations.PageIncident{}, false, err
	}
	for _, i := range readAll(all) {
		if nonce != "" && i.Nonce == nonce {
			return i, true, nil
		}
	}
	return integrations.PageIncident{}, false, nil
}

// OpenIncident posts a new incident.
func (c *Client) OpenIncident(ctx context.Context, p integrations.PagePost) (integrations.PageIncident, error) {
	body := fields(p, nil, nil)
	body["name"] = p.Title
	var made incident
	err := c.do(ctx, call{act: "open the incident", method: http.MethodPost, path: []string{"incidents"}, body: map[string]any{"incident": body}}, &made)
	return made.read(), err
}

// UpdateIncident posts a message of an incident. What others keep in its metadata, and the
// components that it names already, stay.
func (c *Client) UpdateIncident(ctx context.Context, id string, p integrations.PagePost) (integrations.PageIncident, error) {
	was, err := c.incident(ctx, id)
	if later := (*integrations.Later)(nil); errors.As(err, &later) {
		return integrations.PageIncident{}, &integrations.Later{After: later.After, Err: later.Err, Unsent: true} // nothing was posted yet
	}
	if err != nil {
		return integrations.PageIncident{}, err
	}
	a := call{act: "update the incident", thing: id, method: http.MethodPatch, path: []string{"incidents", id}}
	a.body = map[string]any{"incident": fields(p, was.Metadata, was.Components)}
	var made incident
	err = c.do(ctx, a, &made)
	return made.read(), err
}

// fields are those of a post at the wire. Whether subscribers are notified is always said.
func fields(p integrations.PagePost, metadata map[string]json.RawMessage, named []component) map[string]any {
	about := map[string]any{}
	for k, v := range metadata {
		about[k] = v
	}
	about[ours] = kept{p.Nonce}
	out := map[string]any{"status": p.Status, "body": p.Body, "deliver_notifications": p.Notify, "metadata": about}
	if p.Impact != "" {
		out["impact_override"] = p.Impact
	}
	if len(p.Components) > 0 {
		ids := slices.Sorted(maps.Keys(p.Components))
		for _, one := range named {
			if _, ok := p.Components[one.ID]; !ok {
				ids = append(ids, one.ID)
			}
		}
		out["component_ids"], out["components"] = ids, p.Components
	}
	return out
}
