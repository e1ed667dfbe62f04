package integrations

import (
	"context"
	"fmt"
	"time"
)

// Place is a kind of place where a surface can stand: a Slack message, a pull
// request's comment, a commit status. The teller calls it for one surface at a time.
type Place interface {
	// Show makes the place show p.Message and returns the reference by which it
	// can be changed later. With p.Ref "" it is new there. Errors: *Later for a
	// rate limit or an outage, *Gone when it can never be shown again.
	Show(ctx context.Context, p Post) (ref string, err error)
	// Find looks for a post with p.Nonce that was made and not recorded. found
	// is false only when the place was read and holds no such post. A place that
	// cannot be read back returns ErrNotReadable.
	Find(ctx context.Context, p Post) (ref string, found bool, err error)
}

// Post is what a Place shows.
type Post struct {
	Where   map[string]string // the address, in the place's own words
	Ref     string
	Nonce   string    // unique to the surface
	Since   time.Time // when the first try to post was begun
	Message Message
}

// ErrNotReadable is a Place's answer to Find where nothing can be read back.
var ErrNotReadable = fmt.Errorf("this place cannot be read back")

// Later says that it would work after some time.
type Later struct {
	After time.Duration
	Err   error
	// Unsent says that nothing was shown for certain: there is nothing to look for.
	Unsent bool
}

func (e *Later) Error() string { return fmt.Sprintf("%v (again after %v)", e.Err, e.After) }
func (e *Later) Unwrap() error { return e.Err }

// Gone says that the place is not there any more: a message that was deleted, a
// channel that was archived or left.
type Gone struct{ Why string }

func (e *Gone) Error() string { return e.Why }
