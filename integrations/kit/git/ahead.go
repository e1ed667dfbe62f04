package git

import "context"

// aheadMost is how many commits wait to be fetched ahead; more are not.
const aheadMost = 64

type wish struct {
	repo *Repo
	sha  string
}

// Ahead lets Run fetch a commit that somebody will ask for soon. It never waits,
// and nothing may rest on it: whoever needs the commit calls Ensure, which joins
// a fetch that is going on and hears what is wrong.
func (r *Repo) Ahead(sha string) {
	select {
	case r.m.wishes <- wish{r, sha}:
	default:
	}
}

// Run fetches what is asked for ahead, one commit at a time, until ctx ends.
func (m *Mirrors) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case w := <-m.wishes:
			_ = w.repo.Ensure(ctx, w.sha) // it is asked for again, and then in earnest
		}
	}
}
