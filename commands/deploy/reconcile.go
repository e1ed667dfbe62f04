package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// lookBack is how far back merged pull requests are looked for when every
// webhook may have been lost.
const lookBack = 48 * time.Hour

// reconcile walks GitHub and takes in whatever no webhook told us of. What it
// cannot read of one pull request does not keep it from the others.
func (f *feature) reconcile(ctx context.Context) error {
	var errs []error
	for _, repo := range f.Catalog().Repositories() {
		if err := f.reconcileRepo(ctx, repo); err != nil {
			errs = append(errs, fmt.Errorf("reconcile %s: %w", repo, err))
		}
	}
	return errors.Join(append(errs, f.reconcileAutos(ctx))...)
}

func (f *feature) reconcileRepo(ctx context.Context, repo string) error {
	open, err := f.Forge.OpenPulls(ctx, repo)
	if err != nil {
		return err
	}
	var errs []error
	seen := map[int]bool{}
	for _, pr := range open {
		seen[pr.Number] = true
		errs = append(errs, f.takeIfNews(ctx, pr), f.reconcileBoxes(ctx, pr), f.refreshFacts(ctx, pr.RepoID, pr.Number))
	}
	gone, err := f.believedOpen(repo, seen)
	if err != nil {
		return err
	}
	for _, n := range gone {
		pr, err := f.Forge.Pull(ctx, repo, n)
		if err == nil {
			err = f.takeIfNews(ctx, pr)
		}
		errs = append(errs, err)
	}
	for _, base := range f.bases(repo) {
		errs = append(errs, f.reconcileBase(ctx, repo, base))
	}
	return errors.Join(append(errs, f.reconcileSources(ctx, repo))...)
}

// believedOpen are the pull requests that we hold for open and that were not listed.
func (f *feature) believedOpen(repo string, listed map[int]bool) ([]int, error) {
	var out []int
	err := f.Store.View(func(tx *store.Tx) error {
		pulls, err := tx.OpenPulls(repo)
		if err != nil {
			return err
		}
		for _, p := range pulls {
			if !listed[p.Number] {
				out = append(out, p.Number)
			}
		}
		ops, err := tx.LiveOperations()
		for _, op := range ops {
			if op.Repo == repo && op.State == store.OpOpen && !listed[op.PR] && !slices.Contains(out, op.PR) {
				out = append(out, op.PR)
			}
		}
		return err
	})
	return out, err
}

func (f *feature) bases(repo string) []string {
	var out []string
	for _, t := range f.Catalog().Targets {
		if t.Repository == repo && !slices.Contains(out, t.Base) {
			out = append(out, t.Base)
		}
	}
	return out
}

// reconcileBase takes in merges to a watched branch, and how its head got there.
func (f *feature) reconcileBase(ctx context.Context, repo, base string) error {
	head, err := f.Forge.BranchHead(ctx, repo, base)
	if errors.Is(err, integrations.ErrNotFound) {
		f.Log.Warn("a watched branch is not there", "repo", repo, "branch", base)
		return nil
	} else if err != nil {
		return err
	}
	var last string
	var known bool
	err = f.Store.View(func(tx *store.Tx) (err error) {
		last, known, err = store.Feature[string](tx, branchFeature).Get(branchKey(repo, base))
		return err
	})
	if err != nil || known && last == head {
		return err
	}
	if !known { // what is merged from now on came after us, also if the rest of this look fails
		err := f.Store.Update(ctx, func(tx *store.Tx) error {
			return store.Feature[string](tx, branchFeature).Put(branchKey(repo, base), head)
		})
		if err != nil {
			return err
		}
	}
	merged, err := f.Forge.RecentPulls(ctx, repo, base, f.Clock.Now().Add(-lookBack))
	if err != nil {
		return err
	}
	var errs []error
	for _, pr := range merged {
		if !known && !f.ours(pr) { // first sight: what is there was there before us
			continue
		}
		errs = append(errs, f.takeIfNews(ctx, pr))
	}
	id, err := f.Forge.RepoID(ctx, repo)
	if err == nil {
		err = f.Store.Update(ctx, func(tx *store.Tx) error { return f.branchAt(tx, id, repo, base, "", head, integrations.Person{}) })
	}
	return errors.Join(append(errs, err)...)
}

// ours says whether we know a pull request or its branch.
func (f *feature) ours(pr integrations.PullRequest) bool {
	known := false
	err := f.Store.View(func(tx *store.Tx) error {
		if _, err := tx.Pull(pr.RepoID, pr.Number); err == nil {
			known = true
			return nil
		}
		op, err := f.ownOperation(tx, pr)
		known = op != nil
		return err
	})
	return err == nil && known
}

// takeIfNews takes in a pull request that differs from what the store holds.
func (f *feature) takeIfNews(ctx context.Context, pr integrations.PullRequest) error {
	news := true
	err := f.Store.View(func(tx *store.Tx) error {
		p, err := tx.Pull(pr.RepoID, pr.Number)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		} else if err != nil {
			return err
		}
		under := fingerprint(f.Catalog().TargetsOf(pr.Repo, pr.Base))
		news = pr.State == "open" && p.ExaminedFor != under || p.State != pr.State || p.Head != pr.Head || p.Base != pr.Base || p.ExaminedHead != pr.Head || pr.State == "merged" && !p.Applied && len(p.Targets) > 0
		return nil
	})
	if err != nil || !news {
		return err
	}
	s, err := f.look(ctx, pr)
	if err != nil {
		return err
	}
	return f.Store.Update(ctx, func(tx *store.Tx) error {
		row := store.AuditRow{Who: gate.ToStore(f.Catalog().PersonByGitHub(s.pr.MergedBy)), Act: "found by looking", Subject: pullSubject(s.pr.RepoID, s.pr.Number),
			Outcome: s.pr.State, Detail: "no webhook told of it; its head is " + short(s.pr.Head), Via: "reconciler"}
		if err := tx.Audit(row); err != nil {
			return err
		}
		return f.take(tx, s)
	})
}
