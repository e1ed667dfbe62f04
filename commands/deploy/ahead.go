package deploy

import (
	"context"

	"github.com/signalbox-chatops/signalbox/commands"
)

// ahead lets the mirror fetch the commit that an event is about, if it is likely
// to be planned, while the event is being decided. A fork's is not: nobody may
// ever ask for its plan.
func (f *feature) ahead(decide commands.Handler) commands.Handler {
	return func(ctx context.Context, h commands.Happening) (commands.Act, error) {
		if e := h.Forge; e != nil && h.Catalog != nil {
			repo, base, sha := e.Repo, e.Branch, e.After
			if pr := e.PullRequest; pr != nil {
				repo, base, sha = pr.Repo, pr.Base, pr.Head
				if pr.State != "open" || pr.Fork {
					sha = ""
				}
			}
			if sha != "" && len(h.Catalog.TargetsOf(repo, base)) > 0 {
				f.Trees.Ahead(repo, sha)
			}
		}
		return decide(ctx, h)
	}
}
