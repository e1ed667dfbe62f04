package aws

import (
	"context"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// A new member of a group with a launch hook waits before its group puts it into its
// pools. EC2 Auto Scaling refuses all three for one that does not wait at that hook.

// KeepWaiting begins the time of a hook anew, which never goes beyond its longest.
func (f *Fleet) KeepWaiting(ctx context.Context, at integrations.Site, group, hook, id string) error {
	return f.change(ctx, at, "keep", id+" of "+group+" waiting", func(s *site) error { return s.begin.Wait(ctx, group, hook, id) })
}

// LetIn lets it go on, into its group's pools.
func (f *Fleet) LetIn(ctx context.Context, at integrations.Site, group, hook, id string) error {
	return f.change(ctx, at, "let", id+" into "+group, func(s *site) error { return s.begin.Proceed(ctx, group, hook, id) })
}

// Abandon has its group end it, for good, and start another one.
func (f *Fleet) Abandon(ctx context.Context, at integrations.Site, group, hook, id string) error {
	return f.change(ctx, at, "abandon", id+" of "+group, func(s *site) error { return s.let.Abandon(ctx, group, hook, id) })
}
