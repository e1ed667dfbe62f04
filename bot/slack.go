package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/integrations/slack"
	"github.com/signalbox-chatops/signalbox/store"
)

// slackDoor is where Slack comes in: what people type, press and submit is on
// disk before Slack hears that it arrived. It decides nothing.
type slackDoor struct {
	client *slack.Client
	store  *store.Store
	clock  clock.Clock
	log    *slog.Logger
}

func newSlackDoor(client *slack.Client, st *store.Store, clk clock.Clock, log *slog.Logger) *slackDoor {
	return &slackDoor{client: client, store: st, clock: clk, log: log}
}

// Run holds the sockets open until ctx ends, and then lets what was delivered be
// stored and acknowledged. An error is one that no reconnect mends.
func (d *slackDoor) Run(ctx context.Context) error {
	if err := d.client.Listen(ctx, d.accept); err != nil {
		return fmt.Errorf("slack door: %w", err)
	}
	return nil
}

// Ready says whether Slack can reach us.
func (d *slackDoor) Ready() bool { return d.client.Ready() }

// accept stores one envelope. Slack delivers some of them twice and sends a
// mention as two events; what was stored already is acknowledged again. Without
// an error the envelope is acknowledged; with one, the person is told that
// nothing was done, or Slack sends the event again.
func (d *slackDoor) accept(ctx context.Context, e slack.Envelope) (any, error) {
	seq, duplicate, err := d.store.Accept(ctx, store.Event{
		Kind: e.Kind, Keys: e.Keys, Sent: e.Sent, Accepted: d.clock.Now(), Body: e.Body,
	})
	if err != nil {
		return nil, err
	}
	d.log.Debug("accepted", "kind", e.Kind, "event", seq, "duplicate", duplicate, "retry", e.RetryAttempt, "user", e.User)
	return nil, nil
}
