package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/commands/runner"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// branchFeature keeps the newest commit that was looked at, by repository and branch.
const branchFeature = "branch"

// lagLimit is how long GitHub may take to know which pull request a commit came
// by, before the commit counts as one without.
const lagLimit = 20 * time.Second

func branchKey(repo, branch string) string { return repo + "|" + branch }

func (f *feature) onPush(ctx context.Context, h commands.Happening) (commands.Act, error) {
	e := h.Forge
	if e == nil || e.Branch == "" || strings.Trim(e.After, "0") == "" {
		return nil, nil
	}
	return func(tx *store.Tx) (commands.Reply, error) {
		if err := f.sourceAt(tx, e.Repo, e.Branch, e.After); err != nil {
			return commands.Reply{}, err
		}
		if err := errors.Join(f.baseMoved(tx, e.Repo, e.Branch), f.autoAt(tx, e.Repo, e.Branch, e.Before, e.After)); err != nil {
			return commands.Reply{}, err
		}
		if len(h.Catalog.TargetsOf(e.Repo, e.Branch)) == 0 {
			return commands.Reply{}, nil
		}
		return commands.Reply{}, f.branchAt(tx, e.RepoID, e.Repo, e.Branch, e.Before, e.After, h.Catalog.PersonByGitHub(e.Sender))
	}, nil
}

// branchAt queues a look at how a watched branch came to a commit. from is where
// it was before, as far as the sender knows; what we looked at last counts more.
// by is who pushed, where that is known.
func (f *feature) branchAt(tx *store.Tx, repoID int64, repo, branch, from, to string, by integrations.Person) error {
	last, known, err := store.Feature[string](tx, branchFeature).Get(branchKey(repo, branch))
	if err != nil {
		return err
	}
	before := from
	if known {
		from = last
	}
	if from == to {
		if before != to { // it was elsewhere meanwhile, further on perhaps, and is back
			return f.examineAgain(tx, repo, branch)
		}
		return nil
	}
	if strings.Trim(from, "0") == "" { // first sight: what is there was there before us
		return store.Feature[string](tx, branchFeature).Put(branchKey(repo, branch), to)
	}
	j := &store.Job{Key: fmt.Sprintf("watch|%d|%s|%s|%s", repoID, branch, from, to), Kind: kindWatch, RepoID: repoID, Repo: repo, Base: branch, SHA: to,
		State: store.JobQueued, Created: f.Clock.Now(), NotBefore: f.Clock.Now().Add(2 * time.Second)} // the merge itself goes first
	if err := setRecord(j, record{From: from, By: []store.Person{gate.ToStore(by)}}); err != nil {
		return err
	}
	_, err = insertFresh(tx, j)
	return err
}

// watch finds, for each new commit of a branch, the pull request that brought
// it; one that came without is shown as unplanned.
func (f *feature) watch(ctx context.Context, r *runner.Run) runner.End {
	j := r.Job
	from := recordOf(j).From
	if err := f.Trees.Fetch(ctx, j.Repo, j.SHA); err != nil {
		return again(j, err)
	}
	commits, err := f.Trees.Since(ctx, j.Repo, from, j.SHA)
	if err != nil {
		return again(j, err)
	}
	var sights []sight
	var loose []string
	for _, sha := range commits {
		prs, err := f.cameBy(ctx, j, sha)
		if err != nil {
			return again(j, err)
		}
		if len(prs) == 0 {
			loose = append(loose, sha)
		}
		for _, pr := range prs {
			s, err := f.look(ctx, pr)
			if err != nil {
				return again(j, err)
			}
			sights = append(sights, s)
		}
	}
	if len(loose) > 0 && f.Clock.Now().Sub(j.Created) < lagLimit {
		return runner.End{State: store.JobQueued, Why: "GitHub names no pull request for " + short(loose[0]) + " yet", After: 5 * time.Second}
	}
	finds, err := f.unplanned(ctx, j, loose)
	if err != nil {
		return again(j, err)
	}
	back := f.movedBack(ctx, j, from)
	return runner.End{State: store.JobSucceeded, Save: func(tx *store.Tx, _ *store.Job) error {
		last, _, err := store.Feature[string](tx, branchFeature).Get(branchKey(j.Repo, j.Base))
		if err != nil {
			return err
		}
		if back || last != from { // another look ended meanwhile, at what this one was not compared with
			if err := f.examineAgain(tx, j.Repo, j.Base); err != nil {
				return err
			}
		}
		for _, s := range sights {
			if err := f.take(tx, s); err != nil {
				return err
			}
		}
		for _, u := range finds {
			if err := f.showUnplanned(tx, j, u); err != nil {
				return err
			}
		}
		return store.Feature[string](tx, branchFeature).Put(branchKey(j.Repo, j.Base), j.SHA)
	}}
}

// movedBack says whether a branch lost what it had. What cannot be compared may have.
func (f *feature) movedBack(ctx context.Context, j *store.Job, from string) bool {
	kept, err := f.Trees.Contains(ctx, j.Repo, j.SHA, from)
	if err != nil {
		f.Log.Info("compare with what a branch was", "repo", j.Repo, "branch", j.Base, "was", from, "error", err)
	}
	return !kept
}

// examineAgain has the changed files of the open pull requests into a branch read
// anew: once the branch was moved back, a merge of theirs brings what it lost, too.
func (f *feature) examineAgain(tx *store.Tx, repo, branch string) error {
	open, err := tx.OpenPulls(repo)
	if err != nil {
		return err
	}
	for _, p := range open {
		if p.Base != branch {
			continue
		}
		p.ExaminedFor = ""
		if err := tx.PutPull(p); err != nil {
			return err
		}
	}
	return nil
}

// cameBy names the merged pull requests that brought a commit to a branch.
func (f *feature) cameBy(ctx context.Context, j *store.Job, sha string) ([]integrations.PullRequest, error) {
	all, err := f.Forge.PullsOfCommit(ctx, j.Repo, sha)
	if errors.Is(err, integrations.ErrNotFound) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(p integrations.PullRequest) bool {
		return p.State != "merged" || p.Base != j.Base
	}), nil
}

// unplannedCommit is a commit that came to a watched branch without a pull request.
type unplannedCommit struct {
	author   integrations.Person
	sha      string
	targets  []string
	position uint64
}

func (f *feature) unplanned(ctx context.Context, j *store.Job, loose []string) ([]unplannedCommit, error) {
	var out []unplannedCommit
	authors := map[string]string{}
	if len(loose) > 0 {
		cmp, err := f.Forge.Compare(ctx, j.Repo, recordOf(j).From, j.SHA)
		if err != nil {
			return nil, err
		}
		for _, c := range cmp.Commits {
			authors[c.SHA] = c.Author
		}
	}
	for _, sha := range loose {
		files, err := f.Trees.Introduced(ctx, j.Repo, sha)
		if err != nil {
			return nil, err
		}
		u := unplannedCommit{sha: sha, author: f.Catalog().PersonByGitHub(authors[sha])}
		for _, t := range f.Catalog().TargetsOf(j.Repo, j.Base) {
			if matches(t.Paths, files) {
				u.targets = append(u.targets, t.Name)
			}
		}
		if len(u.targets) == 0 {
			continue
		}
		if u.position, err = f.Trees.Position(ctx, j.Repo, sha); err != nil {
			return nil, err
		}
		out = append(out, u)
	}
	return out, nil
}

func (f *feature) showUnplanned(tx *store.Tx, j *store.Job, u unplannedCommit) error {
	for env, targets := range f.byEnvironment(u.targets) {
		key := fmt.Sprintf("unplanned|%d|%s|%s", j.RepoID, u.sha, targets[0])
		if _, err := tx.JobByKey(key); err == nil {
			continue
		} else if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		e, _ := f.Catalog().Environment(env)
		o, err := f.newOperation(tx, "unplanned", j.RepoID, j.Repo, j.Base, e, targets)
		if err != nil {
			return err
		}
		o.State, o.MergeSHA, o.Head = store.OpMerged, u.sha, u.sha
		o.Note = fmt.Sprintf("Commit %s came to %s without a pull request. Nothing is applied until somebody confirms its plan.", short(u.sha), j.Base)
		if err := tx.PutOperation(o); err != nil {
			return err
		}
		if err := f.openCard(tx, o); err != nil {
			return err
		}
		for i, t := range targets {
			k := key
			if i > 0 {
				k = fmt.Sprintf("unplanned|%d|%s|%s", j.RepoID, u.sha, t)
			}
			a := &store.Job{Key: k, Kind: kindApply, Target: t, Locks: true, Order: u.position, Wave: f.waveOf(t), Operation: o.ID, Repo: j.Repo, RepoID: j.RepoID,
				SHA: u.sha, Base: j.Base, State: store.JobQueued, Created: f.Clock.Now()}
			if err := setRecord(a, record{By: append(recordOf(j).By, gate.ToStore(u.author))}); err != nil {
				return err
			}
			if _, _, err := tx.InsertJob(a); err != nil {
				return err
			}
			if err := f.openJobSurfaces(tx, o, a); err != nil {
				return err
			}
		}
	}
	return nil
}

// newOperation begins an operation that nobody asked for in chat.
func (f *feature) newOperation(tx *store.Tx, kind string, repoID int64, repo, base string, env integrations.Environment, targets []string) (*store.Operation, error) {
	id, err := tx.NextID("op")
	if err != nil {
		return nil, err
	}
	return &store.Operation{
		ID: id, Nonce: ulid.Make().String(), Kind: kind, Environment: env.Name, Targets: targets,
		RepoID: repoID, Repo: repo, Base: base, Channel: f.home(env), Created: f.Clock.Now(),
	}, nil
}
