package integrations

import "context"

// Image is a machine image: an AMI.
type Image struct {
	Site
	ID    string
	Name  string
	State string // "available", "pending", …
	Tags  map[string]string
}

// The tags of images.
const (
	// TagTested holds the commit of which an image was built and tested.
	TagTested = "signalbox:tested"
	// TagRun holds the name of the build that an image is of, where its template sets it.
	TagRun = "signalbox:run"
)

// Images are the machine images of the accounts.
type Images interface {
	// Sites are the accounts and their regions, in the order of the configuration.
	Sites() []Site
	// Image looks for one of a site by its id; nil is none.
	Image(ctx context.Context, at Site, id string) (*Image, error)
	// ImagesTagged are those at a site with a tag of that very value.
	ImagesTagged(ctx context.Context, at Site, key, value string) ([]Image, error)
	// TagImage writes tags on one, over those of the same keys.
	TagImage(ctx context.Context, at Site, id string, tags map[string]string) error
}
