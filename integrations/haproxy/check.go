package haproxy

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// Check says of each backend whether its socket is reached, at the level that changes
// need, whether the process has that backend, and which servers. It changes nothing.
func (c *Client) Check(ctx context.Context) []integrations.Finding {
	out := make([]integrations.Finding, len(c.backends))
	var all errgroup.Group
	for n, b := range c.backends {
		all.Go(func() error { out[n] = c.check(ctx, b); return nil })
	}
	_ = all.Wait() // each error is in a finding
	return out
}

func (c *Client) check(ctx context.Context, b Backend) integrations.Finding {
	found := integrations.Finding{What: fmt.Sprintf("HAProxy %s at %s", b.pool(), b.Address)}
	said, err := c.call(ctx, b, "show cli level")
	if err = b.shape(ctx, "ask for the level", err); err != nil {
		found.Say, found.Do = err.Error(), "see that the process has a stats socket there that this machine reaches, such as `stats socket ipv4@10.0.0.5:9999 level admin`"
		return found
	}
	if level := strings.TrimSpace(said); level != "admin" {
		found.Say, found.Do = fmt.Sprintf("the level of its socket is “%s”, and no server can be taken out by it", short(level)), "give this socket the level admin"
		return found
	}
	servers, err := c.look(ctx, b)
	var no *refused
	switch {
	case errors.As(err, &no):
		found.Say, found.Do = fmt.Sprintf("%s: there is no backend %s", no, b.Backend), "mend haproxy[].backend, or the configuration of HAProxy"
		return found
	case err != nil:
		found.Say, found.Do = err.Error(), "see that it is a HAProxy that answers there"
		return found
	case len(servers) == 0:
		found.Say, found.Do = fmt.Sprintf("the backend %s has no server", b.Backend), "mend haproxy[].backend, or the configuration of HAProxy"
		return found
	}
	return serversFound(found, servers)
}

// serversFound names the servers, and those that no instance can be told by.
func serversFound(found integrations.Finding, servers []server) integrations.Finding {
	var names, bare []string
	for _, s := range servers {
		names = append(names, s.name)
		if s.address == "" || !backendShape.MatchString(s.name) {
			bare = append(bare, s.name)
		}
	}
	found.OK, found.Say = true, fmt.Sprintf("%d servers: %s", len(names), strings.Join(names, ", "))
	if len(bare) > 0 {
		found.OK, found.Warn = false, true
		found.Say += fmt.Sprintf("; no instance is known by %s, which has no address yet", strings.Join(bare, ", "))
		found.Do = "see that its address is resolved"
	}
	return found
}
