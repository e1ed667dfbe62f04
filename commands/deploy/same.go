package deploy

import (
	"context"

	"github.com/signalbox-chatops/signalbox/store"
)

// sameFiles is the head that a job's commit merged, where that added nothing to it. What
// cannot be told is not worth a failed plan: a step then goes by the commit itself.
func (f *feature) sameFiles(ctx context.Context, j *store.Job) []string {
	var head string
	err := f.Store.View(func(tx *store.Tx) error {
		p, err := tx.Pull(j.RepoID, j.PR)
		if err == nil {
			head = p.Head
		}
		return err
	})
	if err != nil || head == "" || head == j.SHA {
		return nil
	}
	merged, err := f.Trees.Tree(ctx, j.Repo, j.SHA)
	if err != nil {
		return nil
	}
	if of, err := f.Trees.Tree(ctx, j.Repo, head); err != nil || of != merged {
		return nil
	}
	return []string{head}
}
