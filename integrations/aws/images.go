package aws

import (
	"context"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// Image looks for an AMI of a site's account; nil is none.
func (f *Fleet) Image(ctx context.Context, at integrations.Site, id string) (*integrations.Image, error) {
	s, err := f.one(at)
	if err != nil {
		return nil, err
	}
	i, err := s.insts.Image(ctx, id)
	return i, part(ctx, "look for", id, err)
}

// ImagesTagged are the AMIs of a site's account with a tag of that very value.
func (f *Fleet) ImagesTagged(ctx context.Context, at integrations.Site, key, value string) ([]integrations.Image, error) {
	s, err := f.one(at)
	if err != nil {
		return nil, err
	}
	all, err := s.insts.ImagesTagged(ctx, key, value)
	return all, part(ctx, "look for images with the tag", key, err)
}

// TagImage writes tags on an AMI, over those of the same keys.
func (f *Fleet) TagImage(ctx context.Context, at integrations.Site, id string, tags map[string]string) error {
	return f.change(ctx, at, "tag", id, func(s *site) error { return s.tags.Set(ctx, id, tags) })
}
