package aws

import (
	"context"
	"slices"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// Suspend has the named processes of a group rest; those that do already go on
// resting. No name at all is refused, which EC2 Auto Scaling takes for all of them.
func (f *Fleet) Suspend(ctx context.Context, at integrations.Site, group string, processes []string) error {
	return f.change(ctx, at, "suspend processes of", group, func(s *site) error { return s.rest.Suspend(ctx, group, slices.Clone(processes)) })
}

// Resume has the named processes run again; none is refused likewise.
func (f *Fleet) Resume(ctx context.Context, at integrations.Site, group string, processes []string) error {
	return f.change(ctx, at, "resume processes of", group, func(s *site) error { return s.rest.Resume(ctx, group, slices.Clone(processes)) })
}

// TagGroup sets a tag of a group; the instances that it starts do not get it.
func (f *Fleet) TagGroup(ctx context.Context, at integrations.Site, group, key, value string) error {
	return f.change(ctx, at, "tag", group, func(s *site) error { return s.rest.Tag(ctx, group, key, value) })
}

// UntagGroup takes a tag of a group away; one that it has not is no error.
func (f *Fleet) UntagGroup(ctx context.Context, at integrations.Site, group, key string) error {
	return f.change(ctx, at, "untag", group, func(s *site) error { return s.rest.Untag(ctx, group, key) })
}
