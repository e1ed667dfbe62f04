package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/runner"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// sameTree says whether two commits hold the same files.
func (f *feature) sameTree(ctx context.Context, repo, a, b string) (bool, error) {
	one, err := f.Trees.Tree(ctx, repo, a)
	if err != nil {
		return false, err
	}
	two, err := f.Trees.Tree(ctx, repo, b)
	return one == two, err
}

// chart works out what a promotion ships, its base branch being at a commit.
//
// Where a rollback was merged last, git has what was rolled back in the base
// branch's history and would not bring it again: a merge keeps what the rollback
// did. Such a promotion goes forward instead, by a commit on the base branch that
// has the tree of what ships; and it ships what came since the commit that the
// rollback went back to.
func (f *feature) chart(ctx context.Context, op *store.Operation, base string) (nothing bool, err error) {
	var last *store.Operation
	err = f.Store.View(func(tx *store.Tx) error {
		p, err := pastOf(tx, op.Service, op.Environment)
		last = p.now()
		return err
	})
	if err != nil {
		return false, err
	}
	op.FromSHA, op.Forward = base, false
	if last != nil && last.Rollback && last.Strategy == "promote" && last.Base == op.Base {
		op.FromSHA, op.Forward = last.TreeOf, true
	}
	cmp, err := f.Forge.Compare(ctx, op.Repo, op.FromSHA, op.ToSHA)
	if err != nil {
		return false, err
	}
	op.Commits, op.CompareURL = len(cmp.Commits), cmp.URL
	if op.Forward {
		return f.sameTree(ctx, op.Repo, base, op.ToSHA)
	}
	return cmp.Ahead == 0, nil
}

// headWanted is the head that was asked for: one that we made, or the commit
// that ships.
func headWanted(op *store.Operation) string {
	if op.Made != "" {
		return op.Made
	}
	return op.ToSHA
}

// makeHead makes the commit that the branch begins at, where that is none that
// the repository has. It is written down before the branch points to it, so that
// one that was made twice is pointed to once.
func (f *feature) makeHead(ctx context.Context, r *runner.Run, op *store.Operation) error {
	if op.Made != "" || op.Strategy == "pin" || !op.Rollback && !op.Forward {
		return nil
	}
	base, err := f.Forge.BranchHead(ctx, op.Repo, op.Base)
	if err != nil {
		return err
	}
	made, err := f.makeCommit(ctx, op, base)
	if err != nil {
		return err
	}
	op.Made = made
	return r.Update(ctx, func(tx *store.Tx, _ *store.Job) error {
		now, err := tx.Operation(op.ID)
		if err != nil {
			return err
		}
		now.Made, now.Forward, now.FromSHA = op.Made, op.Forward, op.FromSHA
		return tx.PutOperation(now)
	})
}

// makeCommit makes a commit on top of another one: with the tree that comes back
// or ships, or with some files as they were.
func (f *feature) makeCommit(ctx context.Context, op *store.Operation, on string) (string, error) {
	nc := integrations.NewCommit{Message: upper(title(op)) + "\n\nOperation " + op.ID + ".", Parents: []string{on}}
	var err error
	switch {
	case op.Strategy == "restore":
		var changed restored
		if changed, err = f.restore(ctx, op, on); err != nil {
			return "", err
		}
		if len(changed.files) == 0 {
			return "", fmt.Errorf("nothing of %s is left to go back (%w)", op.Undoes, integrations.ErrExists)
		}
		nc.Base, nc.Files = on, changed.files
	case op.Forward:
		nc.Parents = append(nc.Parents, op.ToSHA)
		nc.Tree, err = f.Trees.Tree(ctx, op.Repo, op.ToSHA)
	default:
		nc.Tree, err = f.Trees.Tree(ctx, op.Repo, op.TreeOf)
	}
	if err != nil {
		return "", err
	}
	return f.Forge.CreateCommit(ctx, op.Repo, nc)
}

// renewRollback closes a rollback that waited while something else was merged: it
// was asked for when another operation was the newest.
func (f *feature) renewRollback(ctx context.Context, op *store.Operation) (over string, err error) {
	if op.Service == "" || op.Made != "" {
		return "", nil
	}
	var now *store.Operation
	err = f.Store.View(func(tx *store.Tx) error {
		p, err := pastOf(tx, op.Service, op.Environment)
		if now = p.now(); err != nil || now == nil {
			return err
		}
		op.Unsafe, err = unsafe(tx, p.taken(good{op: op.Back}), op.Targets)
		return err
	})
	if err != nil {
		return "", err
	}
	if now != nil && now.ID != op.Undoes {
		return fmt.Sprintf("%s was deployed since this was asked for: roll back %s from its card", now.ID, now.ID), nil
	}
	from, err := f.Forge.BranchHead(ctx, op.Repo, op.Base)
	if err != nil {
		return "", err
	}
	op.FromSHA = from
	if op.Strategy != "pin" {
		same, err := f.sameTree(ctx, op.Repo, from, op.TreeOf)
		if err == nil && same {
			over = fmt.Sprintf("there is nothing left to roll back: %s is at %s already", op.Base, short(op.ToSHA))
		}
		return over, err
	}
	svc, _ := f.Catalog().Service(op.Service)
	if op.From, err = f.pinned(ctx, svc, svc.Environments[op.Environment], from, op.To); err == nil && op.From == op.To {
		over = fmt.Sprintf("there is nothing left to roll back: %s in %s is at %s already", op.Service, op.Environment, op.To)
	}
	return over, err
}

// restored is what has to change for a merge's files to be what they were before
// it, and which of those were changed again since.
type restored struct {
	files []integrations.FileChange
	since []string
}

// restore compares the files that a merge changed, in the paths of its targets,
// with how they were before it and how they are at a commit.
func (f *feature) restore(ctx context.Context, op *store.Operation, at string) (out restored, err error) {
	if err = f.Trees.Fetch(ctx, op.Repo, op.TreeOf); err != nil {
		return out, err
	}
	all, err := f.Trees.Introduced(ctx, op.Repo, op.TreeOf)
	if err != nil {
		return out, err
	}
	files := slices.DeleteFunc(all, func(file string) bool { return !f.inPaths(op.Targets, file) })
	parent, err := f.Trees.Parent(ctx, op.Repo, op.TreeOf)
	if err != nil {
		return out, err
	}
	var held [3]map[string]integrations.FileChange
	for i, sha := range []string{parent, op.TreeOf, at} {
		if held[i], err = f.Trees.Blobs(ctx, op.Repo, sha, files); err != nil {
			return out, err
		}
	}
	before, after, now := held[0], held[1], held[2]
	for _, file := range files {
		if now[file] != after[file] && now[file] != before[file] {
			out.since = append(out.since, file)
		}
		if now[file] != before[file] {
			change := before[file]
			change.Path = file // also of one that was not there
			out.files = append(out.files, change)
		}
	}
	return out, nil
}

func (f *feature) inPaths(targets []string, file string) bool {
	return slices.ContainsFunc(targets, func(name string) bool {
		t, ok := f.Catalog().Target(name)
		return ok && matches(t.Paths, []string{file})
	})
}

// requestRestore works out whether there is anything to restore, and who changed
// the same files since.
func (f *feature) requestRestore(ctx context.Context, op *store.Operation) error {
	var err error
	if op.FromSHA, err = f.Forge.BranchHead(ctx, op.Repo, op.Base); err != nil {
		return err
	}
	changed, err := f.restore(ctx, op, op.FromSHA)
	if err != nil {
		return err
	}
	if len(changed.files) == 0 {
		return commands.Refuse("nothing_to_roll_back", fmt.Sprintf("There is nothing to roll back: of what %s changed in %s, all is as it was before.", op.Undoes, strings.Join(op.Targets, ", "))).
			WithHint("No pull request was opened.").WithExample("status " + op.Undoes)
	}
	if len(changed.since) == 0 {
		return nil
	}
	who, err := f.changedSince(ctx, op, changed.since)
	if err != nil {
		return err
	}
	op.Unsafe = strings.TrimPrefix(op.Unsafe+"; "+who+", and that goes too", "; ")
	return nil
}

// sinceLimit is how many merges are looked through for who changed a file.
const sinceLimit = 100

// changedSince names the merges that changed files since the one that is undone.
func (f *feature) changedSince(ctx context.Context, op *store.Operation, files []string) (string, error) {
	merges, err := f.Trees.Since(ctx, op.Repo, op.TreeOf, op.FromSHA)
	if err != nil {
		return "", err
	}
	var out []string
	for _, sha := range merges[max(0, len(merges)-sinceLimit):] {
		all, err := f.Trees.Introduced(ctx, op.Repo, sha)
		if err != nil {
			return "", err
		}
		both := slices.DeleteFunc(slices.Clone(files), func(file string) bool { return !slices.Contains(all, file) })
		if len(both) == 0 {
			continue
		}
		by := "commit " + short(sha)
		prs, err := f.Forge.PullsOfCommit(ctx, op.Repo, sha)
		if err != nil && !errors.Is(err, integrations.ErrNotFound) {
			return "", err
		}
		for _, pr := range prs {
			if pr.State == "merged" && pr.Base == op.Base {
				by = fmt.Sprintf("#%d", pr.Number)
			}
		}
		out = append(out, fmt.Sprintf("%s changed %s since", by, strings.Join(both[:min(3, len(both))], ", ")))
	}
	if len(out) == 0 {
		out = []string{fmt.Sprintf("%s changed since", strings.Join(files[:min(3, len(files))], ", "))}
	}
	return strings.Join(out, ", "), nil
}
