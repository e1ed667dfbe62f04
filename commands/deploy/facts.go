package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/runner"
	"github.com/signalbox-chatops/signalbox/store"
)

// readFacts reads what the gates need to know of a pull request: where its base
// branch stands and what that changed in the paths of targets, the checks of the
// head, the reviews. What cannot be read is written down by gate and keeps that
// gate closed. environment "" is any that wants checks or approvals.
func (f *feature) readFacts(ctx context.Context, p *store.Pull, targets []string, environments ...string) store.Facts {
	facts := store.Facts{At: f.Clock.Now(), Head: p.Head, Into: p.Base, Unread: map[string]string{}}
	if p.State == "open" && len(targets) > 0 {
		if err := f.readBase(ctx, p, targets, &facts); err != nil {
			noteAway(&facts, err)
			facts.Unread["base"] = fmt.Sprintf("where %s stands cannot be read: %v", p.Base, err)
		}
		if err := f.readPins(ctx, p, targets, &facts); err != nil {
			noteAway(&facts, err)
			facts.Unread["promotion"] = fmt.Sprintf("which versions it sets cannot be read: %v", err)
		}
	}
	checks, approvals := false, false
	for _, name := range environments {
		env, _ := f.Catalog().Environment(name)
		checks, approvals = checks || len(env.Checks) > 0, approvals || env.Approvals > 0
	}
	if checks {
		if err := f.readChecks(ctx, p, &facts); err != nil {
			noteAway(&facts, err)
			facts.Unread["checks"] = "the checks cannot be read: " + err.Error()
		}
	}
	if approvals || p.HeadBy != "" { // somebody may have to answer for the push
		if err := f.readReviews(ctx, p, &facts); err != nil {
			noteAway(&facts, err)
			facts.Unread["approvals"] = "the reviews cannot be read: " + err.Error()
		}
	}
	return facts
}

func (f *feature) readBase(ctx context.Context, p *store.Pull, targets []string, facts *store.Facts) (err error) {
	if facts.Base, err = f.Forge.BranchHead(ctx, p.Repo, p.Base); err != nil {
		return err
	}
	files, err := f.Trees.Touched(ctx, p.Repo, p.Head, facts.Base)
	if err != nil || len(files) == 0 {
		return err
	}
	facts.Moved = map[string][]string{}
	for _, name := range targets {
		t, ok := f.Catalog().Target(name)
		if !ok {
			continue
		}
		for _, file := range files {
			if matches(t.Paths, []string{file}) {
				facts.Moved[name] = append(facts.Moved[name], file)
			}
		}
	}
	return nil
}

func (f *feature) readChecks(ctx context.Context, p *store.Pull, facts *store.Facts) error {
	all, err := f.Forge.Checks(ctx, p.Repo, p.Head)
	if err != nil {
		return err
	}
	facts.Checks = map[string]string{}
	for _, c := range all {
		facts.Checks[c.Name] = c.State
	}
	return nil
}

// readReviews keeps the approvals that were given for the base branch of today: a
// yes to one branch is none to another, also where it was turned there and back.
func (f *feature) readReviews(ctx context.Context, p *store.Pull, facts *store.Facts) error {
	reviews, err := f.Forge.Reviews(ctx, p.Repo, p.Number)
	if err != nil {
		return err
	}
	turned, err := f.Forge.Retargeted(ctx, p.Repo, p.Number)
	if err != nil {
		return err
	}
	if turned.Before(p.TurnedAfter) { // GitHub does not tell of it yet, so we go by when we saw it
		turned = p.Turned
	}
	facts.Reviews = map[string]string{}
	for _, r := range reviews {
		if !turned.IsZero() && !r.At.After(turned) {
			continue
		}
		switch strings.ToUpper(r.State) {
		case "APPROVED":
			facts.Reviews[r.Author] = r.Head
		case "CHANGES_REQUESTED", "DISMISSED":
			delete(facts.Reviews, r.Author)
		}
	}
	return nil
}

// withFacts gives a pull request what was read of it, unless its head has moved
// since, it goes into another branch, or it knows newer.
func withFacts(p *store.Pull, facts store.Facts) {
	if facts.Head != p.Head || facts.Into != p.Base || facts.At.Before(p.Facts.At) {
		return
	}
	if p.Facts = facts; facts.Reviews != nil {
		p.Reviews = facts.Reviews
	}
}

// environmentsOf are those of an operation and of targets, each once.
func (f *feature) environmentsOf(op *store.Operation, targets []string) []string {
	var out []string
	if op != nil {
		out = append(out, op.Environment)
	}
	for _, name := range targets {
		if t, ok := f.Catalog().Target(name); ok && !slices.Contains(out, t.Environment) {
			out = append(out, t.Environment)
		}
	}
	return out
}

// queueFacts has the facts of an open pull request read anew, for its card and
// its statuses.
func (f *feature) queueFacts(tx *store.Tx, p *store.Pull) error {
	if p.State != "open" || len(p.Targets) == 0 {
		return nil
	}
	j := &store.Job{Key: fmt.Sprintf("facts|%d|%d|%s|%s", p.RepoID, p.Number, p.Head, p.Base), Kind: kindFacts, Operation: p.Operation, Repo: p.Repo, RepoID: p.RepoID,
		PR: p.Number, SHA: p.Head, Base: p.Base, State: store.JobQueued, Created: f.Clock.Now()}
	_, err := insertFresh(tx, j)
	return err
}

// facts is the job that reads them.
func (f *feature) facts(ctx context.Context, r *runner.Run) runner.End {
	p, facts, err := f.factsOf(ctx, r.Job.RepoID, r.Job.PR)
	if err != nil {
		return runner.Failed(err)
	}
	return runner.End{State: store.JobSucceeded, Save: func(tx *store.Tx, _ *store.Job) error { return f.saveFacts(tx, p.RepoID, p.Number, facts) }}
}

func (f *feature) factsOf(ctx context.Context, repoID int64, number int) (*store.Pull, store.Facts, error) {
	var p *store.Pull
	var op *store.Operation
	err := f.Store.View(func(tx *store.Tx) (err error) {
		if p, err = tx.Pull(repoID, number); err != nil || p.Operation == "" {
			return err
		}
		op, err = tx.Operation(p.Operation)
		return err
	})
	if err != nil {
		return nil, store.Facts{}, err
	}
	targets := expected(p, op)
	return p, f.readFacts(ctx, p, targets, f.environmentsOf(op, targets)...), ctx.Err()
}

// saveFacts keeps what was read, and shows what it changes.
func (f *feature) saveFacts(tx *store.Tx, repoID int64, number int, facts store.Facts) error {
	p, err := tx.Pull(repoID, number)
	if err != nil {
		return err
	}
	withFacts(p, facts)
	if err := tx.PutPull(p); err != nil {
		return err
	}
	return errors.Join(f.selfMergeOf(tx, p), f.markPullOf(tx, p))
}

// decideWithFacts is a verb about one subject whose gates need fresh facts of its
// pull request: they are read before the transaction.
func (f *feature) decideWithFacts(ctx context.Context, c *commands.Call, do func(tx *store.Tx, facts store.Facts) (commands.Reply, error)) (commands.Act, error) {
	var s subject
	err := f.Store.View(func(tx *store.Tx) (err error) {
		s, err = f.findOne(tx, c)
		return err
	})
	if err != nil {
		return nil, err
	}
	var facts store.Facts
	if s.pull != nil && s.pull.State == "open" {
		if _, facts, err = f.factsOf(ctx, s.pull.RepoID, s.pull.Number); err != nil {
			return nil, err
		}
	}
	return func(tx *store.Tx) (commands.Reply, error) { return do(tx, facts) }, nil
}

// baseMoved has the facts of the open pull requests into a branch read anew.
func (f *feature) baseMoved(tx *store.Tx, repo, branch string) error {
	open, err := tx.OpenPulls(repo)
	if err != nil {
		return err
	}
	for _, p := range open {
		if p.Base != branch {
			continue
		}
		if err := f.queueFacts(tx, p); err != nil {
			return err
		}
	}
	return nil
}

// onCheck is told that a check of a commit has moved: where an environment wants
// checks they are read anew. Our own statuses come round this way, too.
func (f *feature) onCheck(_ context.Context, h commands.Happening) (commands.Act, error) {
	e := h.Forge
	if e == nil || e.Kind != "check" || strings.HasPrefix(e.Check, ourStatuses) {
		return nil, nil
	}
	return func(tx *store.Tx) (commands.Reply, error) {
		pulls, err := tx.PullsByHead(e.Repo, e.SHA)
		if err != nil {
			return commands.Reply{}, err
		}
		for _, p := range pulls {
			if !f.wantsChecks(p) {
				continue
			}
			if err := f.queueFacts(tx, p); err != nil {
				return commands.Reply{}, err
			}
		}
		return commands.Reply{}, nil
	}, nil
}

// ourStatuses is how the names of our own statuses begin.
const ourStatuses = "signalbox/"

func (f *feature) wantsChecks(p *store.Pull) bool {
	for _, name := range f.environmentsOf(nil, p.Targets) {
		if env, _ := f.Catalog().Environment(name); len(env.Checks) > 0 {
			return true
		}
	}
	return false
}

// factsRound is how old the facts of an open pull request may be before the
// reconciler reads them anew, every webhook having been lost perhaps.
const factsRound = 4 * time.Minute

// refreshFacts is the reconciler's look at an open pull request.
func (f *feature) refreshFacts(ctx context.Context, repoID int64, number int) error {
	due := false
	err := f.Store.View(func(tx *store.Tx) error {
		p, err := tx.Pull(repoID, number)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		} else if err != nil {
			return err
		}
		due = p.State == "open" && len(p.Targets) > 0 && f.Clock.Now().Sub(p.Facts.At) > factsRound
		return nil
	})
	if err != nil || !due {
		return err
	}
	_, facts, err := f.factsOf(ctx, repoID, number)
	if err != nil {
		return err
	}
	return f.Store.Update(ctx, func(tx *store.Tx) error { return f.saveFacts(tx, repoID, number, facts) })
}
