package slack

import (
	"context"
	"errors"
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

// slowly is a place that asks to come again later and later, the longer Slack is
// silent: everything that waits to be shown comes round again and again.
type slowly struct {
	integrations.Place
	c *Client
}

// mostSlow is the longest it asks for. That long things may wait when Slack is back.
const mostSlow = 20 * time.Second

// Show implements integrations.Place.
func (p slowly) Show(ctx context.Context, post integrations.Post) (string, error) {
	ref, err := p.Place.Show(ctx, post)
	return ref, p.later(err)
}

// Find implements integrations.Place.
func (p slowly) Find(ctx context.Context, post integrations.Post) (string, bool, error) {
	ref, found, err := p.Place.Find(ctx, post)
	return ref, found, p.later(err)
}

func (p slowly) later(err error) error {
	var later *integrations.Later
	since, silent := p.c.Silent()
	if !silent || !errors.As(err, &later) {
		return err
	}
	wait := min(p.c.clock.Now().Sub(since)/10, mostSlow)
	return &integrations.Later{After: max(later.After, wait), Err: later.Err, Unsent: later.Unsent}
}
