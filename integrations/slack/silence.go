package slack

import (
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// Silent says since when Slack has not answered us, in domain time; ok is false
// while it does. It asks nobody: what is shown, and the sockets that are opened
// again and again, ask often enough.
func (c *Client) Silent() (since time.Time, ok bool) { return c.hearing.Silent() }

// Watched is Slack, for whoever tells of its silence.
func (c *Client) Watched() integrations.Watched {
	return integrations.Watched{Name: "Slack", Silent: c.Silent, Tells: true}
}
