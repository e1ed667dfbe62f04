package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// pinFile is where a version of a service stands, of which some targets are made.
type pinFile struct {
	service, environment string
	integrations.ServiceEnvironment
}

// pinFiles are those on a branch whose services run on some of the targets.
func pinFiles(cat *integrations.Catalog, repo, base string, targets []string) []pinFile {
	var out []pinFile
	for _, svc := range cat.Services {
		if svc.Strategy != "pin" || svc.Repository != repo {
			continue
		}
		for name, place := range svc.Environments {
			if place.Branch == base && slices.ContainsFunc(place.Targets, func(t string) bool { return slices.Contains(targets, t) }) {
				out = append(out, pinFile{svc.Name, name, place})
			}
		}
	}
	slices.SortFunc(out, func(a, b pinFile) int {
		return slices.Compare([]string{a.service, a.environment}, []string{b.service, b.environment})
	})
	return out
}

// pinFilesOf are those that a job's target is made of.
func pinFilesOf(cat *integrations.Catalog, j *store.Job) []pinFile {
	t, ok := cat.Target(j.Target)
	if !ok {
		return nil
	}
	return pinFiles(cat, t.Repository, t.Base, []string{t.Name})
}

// readPins reads which versions a pull request sets, in the files that it touched.
func (f *feature) readPins(ctx context.Context, p *store.Pull, targets []string, facts *store.Facts) error {
	files := pinFiles(f.Catalog(), p.Repo, p.Base, targets)
	if len(files) == 0 {
		return nil
	}
	if facts.Base == "" {
		return errors.New(facts.Unread["base"])
	}
	touched, err := f.Trees.Touched(ctx, p.Repo, facts.Base, p.Head)
	if err != nil {
		return err
	}
	files = slices.DeleteFunc(files, func(p pinFile) bool { return !slices.Contains(touched, p.File) })
	facts.Pins, err = f.pinsBetween(ctx, p.Repo, facts.Base, p.Head, files)
	return err
}

// jobPins reads which versions a job would bring to its target that were not in
// what the target saw last, or, before the first apply of all, before the first
// merge. So a version also counts that came by an earlier merge, which waits.
func (f *feature) jobPins(ctx context.Context, j *store.Job, d dequeued) ([]store.Pin, error) {
	files := pinFilesOf(f.Catalog(), j)
	if len(files) == 0 || d.stands == gate.StandsIdentical {
		return nil, nil
	}
	from := d.last
	if from == "" {
		first, err := f.firstMerge(j)
		if err != nil {
			return nil, err
		}
		if from, err = f.Trees.Parent(ctx, j.Repo, first); err != nil {
			return nil, err
		}
	}
	return f.pinsBetween(ctx, j.Repo, from, j.SHA, files)
}

// manyMerges is how far back the first merge to a target is looked for that has
// never been applied.
const manyMerges = 200

// firstMerge is the oldest merge that is known to a job's target; the job's own
// where there is no other.
func (f *feature) firstMerge(j *store.Job) (sha string, err error) {
	sha = j.SHA
	err = f.Store.View(func(tx *store.Tx) error {
		all, err := tx.OperationsByTarget(j.Target, manyMerges)
		for _, op := range slices.Backward(all) {
			if op.MergeSHA != "" && op.Repo == j.Repo && op.Base == j.Base {
				sha = op.MergeSHA
				break
			}
		}
		return err
	})
	return sha, err
}

func (f *feature) pinsBetween(ctx context.Context, repo, from, to string, files []pinFile) ([]store.Pin, error) {
	var out []store.Pin
	for _, file := range files {
		before, err := f.versionAt(ctx, repo, from, file)
		if err != nil {
			f.Log.Info("no version before", "repo", repo, "sha", from, "file", file.File, "error", err) // any other one is new then
			before = ""
		}
		now, err := f.versionAt(ctx, repo, to, file)
		if err != nil {
			return nil, err
		}
		if now != "" && now != before {
			out = append(out, store.Pin{Service: file.service, Environment: file.environment, From: before, To: now})
		}
	}
	return out, nil
}

// versionAt is the version that stands in a file at a commit, "" where there is no
// such file.
func (f *feature) versionAt(ctx context.Context, repo, sha string, file pinFile) (string, error) {
	content, err := f.Trees.File(ctx, repo, sha, file.File)
	if errors.Is(err, integrations.ErrNotFound) {
		return "", nil
	} else if err != nil {
		return "", err
	}
	_, now, err := setVersion(file.File, content, file.Key, "0")
	if err != nil {
		return "", fmt.Errorf("the version of %s in %s: %w", file.service, file.environment, err)
	}
	return now, nil
}

// keepPins writes down in an operation which versions one of its jobs brings, and
// says whether that is news.
func keepPins(cat *integrations.Catalog, op *store.Operation, j *store.Job, d dequeued) bool {
	if d.stands == gate.StandsIdentical { // it was attempted, and the versions are known
		return false
	}
	files := pinFilesOf(cat, j)
	pins := slices.DeleteFunc(slices.Clone(op.Pins), func(p store.Pin) bool {
		return slices.ContainsFunc(files, func(f pinFile) bool { return f.service == p.Service && f.environment == p.Environment })
	})
	pins = append(pins, d.pins...)
	if slices.Equal(pins, op.Pins) {
		return false
	}
	op.Pins = pins
	return true
}
