package statuspage

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// Check tries the key and the page's id, and reads its components. It changes nothing.
func (c *Client) Check(ctx context.Context) []integrations.Finding {
	var page struct {
		Name string `json:"name"`
	}
	f := integrations.Finding{What: "Statuspage", OK: true}
	err := c.do(ctx, call{act: "read the page", thing: c.page, method: http.MethodGet}, &page)
	switch status := statusOf(err); {
	case status == http.StatusNotFound:
		f.Say, f.Do = fmt.Sprintf("there is no page %s, or this key may not see it", c.page), "copy the page's id from Statuspage, under your avatar, API info"
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		f.Say, f.Do = err.Error(), "make an API key in Statuspage under your avatar, API info"
	case err != nil:
		f.Say, f.Do = err.Error(), "see that this machine reaches "+c.base.Host
	}
	if err != nil {
		f.OK = false
		return []integrations.Finding{f}
	}
	all, err := c.Components(ctx)
	f.Say = fmt.Sprintf("the page %q is there, with %d components", page.Name, len(all))
	switch {
	case err != nil:
		f.OK, f.Say = false, err.Error()
	case len(all) == 0:
		f.OK, f.Warn, f.Do = false, true, "make components in Statuspage, so that customers see what an incident is about"
	}
	return append([]integrations.Finding{f}, c.offerFindings(all)...)
}

// offerFindings looks for the components of proposals.
func (c *Client) offerFindings(all []integrations.PageComponent) (out []integrations.Finding) {
	for n, o := range c.offers {
		for _, name := range o.Components {
			is := func(c integrations.PageComponent) bool {
				return slices.Contains([]string{integrations.Fold(c.Name), integrations.Fold(c.Group + "/" + c.Name)}, integrations.Fold(name))
			}
			if len(all) > 0 && !slices.ContainsFunc(all, is) {
				out = append(out, integrations.Finding{What: fmt.Sprintf("statuspage.offers[%d]", n), Warn: true, Say: fmt.Sprintf("the page has no component %q", name), Do: "name it as the page shows it, or group/name where two have the name"})
			}
		}
	}
	return out
}
