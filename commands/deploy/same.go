package deploy

import (
	"context"
	"slices"

	"github.com/signalbox-chatops/signalbox/store"
)

// sameFiles are the heads that a job's commit merged, where that added nothing to them:
// that of its pull request, which a squash has no other trace of, and the second parent,
// which is known of what has no pull request at hand, as when a branch is looked at. What
// cannot be told is not worth a failed plan: a step then goes by the commit itself.
func (f *feature) sameFiles(ctx context.Context, j *store.Job) (same []string) {
	var heads []string
	err := f.Store.View(func(tx *store.Tx) error {
		p, err := tx.Pull(j.RepoID, j.PR)
		if err == nil {
			heads = append(heads, p.Head)
		}
		return err
	})
	if second, bad := f.Trees.Merged(ctx, j.Repo, j.SHA); bad == nil {
		heads = append(heads, second)
	}
	merged, bad := f.Trees.Tree(ctx, j.Repo, j.SHA)
	if err != nil && len(heads) == 0 || bad != nil {
		return nil
	}
	for _, head := range heads {
		if head == "" || head == j.SHA || slices.Contains(same, head) {
			continue
		}
		if of, err := f.Trees.Tree(ctx, j.Repo, head); err == nil && of == merged {
			same = append(same, head)
		}
	}
	return same
}
