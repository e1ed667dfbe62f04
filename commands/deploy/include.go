package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/commands/runner"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// The head of a promotion does not move by itself: what people look at is what
// is merged. When its source branch has moved on, the card says so, and somebody
// may take the newer commits in, which makes a new plan and drops approvals.

// promotions are the open promotions of a branch.
func (f *feature) promotions(tx *store.Tx, repo, branch string) ([]*store.Operation, error) {
	live, err := tx.LiveOperations()
	if err != nil {
		return nil, err
	}
	var out []*store.Operation
	for _, op := range live {
		if op.State == store.OpOpen && op.Strategy == "promote" && !op.Rollback && op.Repo == repo && op.Ref == branch {
			out = append(out, op)
		}
	}
	return out, nil
}

// sourceAt queues a count of what is newer for the promotions of a branch.
func (f *feature) sourceAt(tx *store.Tx, repo, branch, head string) error {
	ops, err := f.promotions(tx, repo, branch)
	if err != nil {
		return err
	}
	for _, op := range ops {
		if op.ToSHA == head {
			continue
		}
		_, _, err := tx.InsertJob(&store.Job{Key: fmt.Sprintf("newer|%s|%s|%s", op.ID, op.ToSHA, head), Kind: kindNewer, Operation: op.ID,
			Repo: repo, RepoID: op.RepoID, PR: op.PR, SHA: head, State: store.JobQueued, Created: f.Clock.Now()})
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *feature) reconcileSources(ctx context.Context, repo string) error {
	branches := map[string]bool{}
	err := f.Store.View(func(tx *store.Tx) error {
		live, err := tx.LiveOperations()
		for _, op := range live {
			if op.Repo == repo && op.State == store.OpOpen && op.Strategy == "promote" && !op.Rollback {
				branches[op.Ref] = true
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	for branch := range branches {
		head, err := f.Forge.BranchHead(ctx, repo, branch)
		if errors.Is(err, integrations.ErrNotFound) { // a tag or a SHA: nothing is newer than that
			continue
		} else if err != nil {
			return err
		}
		if err := f.Store.Update(ctx, func(tx *store.Tx) error { return f.sourceAt(tx, repo, branch, head) }); err != nil {
			return err
		}
	}
	return nil
}

// newer counts the pull requests that came to the source branch since.
func (f *feature) newer(ctx context.Context, r *runner.Run) runner.End {
	op, err := f.operation(r.Job.Operation)
	if err != nil {
		return runner.Failed(err)
	}
	since := *op
	since.FromSHA, since.ToSHA = op.ToSHA, r.Job.SHA
	if err := f.gatherShips(ctx, &since); err != nil {
		return again(r.Job, err)
	}
	return runner.End{State: store.JobSucceeded, Save: func(tx *store.Tx, _ *store.Job) error {
		now, err := tx.Operation(op.ID)
		if err != nil || now.State != store.OpOpen || now.ToSHA != op.ToSHA {
			return err
		}
		now.Newer = len(since.Ships)
		return f.putOp(tx, now, true)
	}}
}

func (f *feature) includeVerb() commands.Verb {
	return commands.Verb{
		Name: "include", Summary: "Take newer pull requests into an open promotion, and plan it again", Effect: commands.Changes, Right: "deploy",
		Args: subjectArg("the operation"), Examples: []string{"include op-3"},
		Detail: "Approvals of the old head no longer count. What people pushed to the branch is not taken away: with such a push it is refused.",
		Decide: f.decideInclude,
	}
}

func (f *feature) decideInclude(ctx context.Context, c *commands.Call) (commands.Act, error) {
	var op *store.Operation
	err := f.Store.View(func(tx *store.Tx) error {
		s, err := f.findOne(tx, c)
		op = s.op
		return err
	})
	if err != nil {
		return nil, err
	}
	if op == nil || op.Strategy != "promote" || op.Rollback || op.State != store.OpOpen {
		return nil, commands.Refuse("not_open", c.Arg("subject")+" is no open promotion, so there is nothing to take in.").WithExample("status")
	}
	if err := commands.Allow(c, "deploy", op.Environment); err != nil {
		return nil, err
	}
	head, err := f.Forge.Resolve(ctx, op.Repo, op.Ref)
	if err != nil {
		return nil, err
	}
	return func(tx *store.Tx) (commands.Reply, error) {
		now, err := tx.Operation(op.ID)
		if err != nil {
			return commands.Reply{}, err
		}
		reply := commands.Reply{Subject: now.ID, Service: now.Service, Environment: now.Environment}
		switch {
		case now.State != store.OpOpen || now.MergeAskedBy != nil || now.CloseAskedBy != nil:
			return reply, commands.Refuse("not_open", now.ID+" is being merged or closed.")
		case now.ToSHA == head:
			return reply, commands.Refuse("nothing_newer", fmt.Sprintf("Nothing is newer: %s ships all of %s.", now.ID, now.Ref))
		case now.Head != headWanted(now):
			return reply, commands.Refuse("pushed", upper(overPush(now, now.Head))+".").
				WithHint(fmt.Sprintf("Take that push back on GitHub, or bring it to %s and ask for a new deploy in place of this one.", now.Ref)).
				WithExample(fmt.Sprintf("deploy %s %s to %s --supersede", now.Service, now.Ref, now.Environment))
		}
		now.Note = fmt.Sprintf("Taking in what came to %s since, as %s asked.", now.Ref, c.Who.Display())
		_, _, err = tx.InsertJob(&store.Job{Key: fmt.Sprintf("include|%s|%s|%d", now.ID, head, c.Event), Kind: kindInclude, Operation: now.ID, Repo: now.Repo,
			RepoID: now.RepoID, PR: now.PR, SHA: head, Requester: gate.ToStore(c.Who), State: store.JobQueued, Created: f.Clock.Now()})
		if err != nil {
			return reply, err
		}
		reply.Private = say(fmt.Sprintf("%s is moved on to %s and planned again.", now.ID, short(head)))
		return reply, f.putOp(tx, now, true)
	}, nil
}

// include moves the branch of a promotion on, and says in the pull request what
// ships now. The moved head is planned as any pushed head is.
func (f *feature) include(ctx context.Context, r *runner.Run) runner.End {
	j := r.Job
	op, err := f.operation(j.Operation)
	if err != nil {
		return runner.Failed(err)
	}
	if op.State != store.OpOpen {
		return runner.End{State: store.JobFailed, Why: op.ID + " is " + op.State + " by now"}
	}
	head, err := f.Forge.BranchHead(ctx, j.Repo, op.Branch)
	if err != nil {
		return again(j, err)
	}
	wanted, made := headWanted(op), recordOf(j).Made
	if head != wanted && head != j.SHA && (made == "" || head != made) { // one that we moved to comes from an attempt before
		return runner.End{State: store.JobFailed, Why: overPush(op, head)}
	}
	op.ToSHA = j.SHA
	want, err := f.forwardOn(ctx, r, op, head)
	if err != nil {
		return again(j, err)
	}
	if head != want {
		if err := f.Forge.MoveBranch(ctx, j.Repo, op.Branch, want); errors.Is(err, integrations.ErrMoved) {
			return runner.End{State: store.JobFailed, Why: fmt.Sprintf("branch %s does not lead to %s: somebody pushed to it meanwhile, or %s was rewritten", op.Branch, short(want), op.Ref), Err: err}
		} else if err != nil {
			return again(j, err)
		}
	}
	was := op.Ships
	if err := f.gatherShips(ctx, op); err != nil {
		return again(j, err)
	}
	op.Ships = keepTicks(was, op.Ships)
	if cmp, err := f.Forge.Compare(ctx, j.Repo, op.FromSHA, op.ToSHA); err == nil {
		op.CompareURL = cmp.URL
	}
	if err := f.Forge.UpdatePull(ctx, j.Repo, op.PR, upper(title(op)), f.body(op)); err != nil {
		return again(j, err)
	}
	pr, err := f.Forge.Pull(ctx, j.Repo, op.PR)
	if err != nil {
		return again(j, err)
	}
	if pr.State == "open" && pr.Head != want {
		return again(j, fmt.Errorf("%s#%d does not show its new head yet", j.Repo, op.PR))
	}
	s, err := f.look(ctx, pr)
	if err != nil {
		return again(j, err)
	}
	return runner.End{State: store.JobSucceeded, Save: func(tx *store.Tx, _ *store.Job) error {
		now, err := tx.Operation(op.ID)
		if err != nil {
			return err
		}
		if now.Forward {
			now.Made = want
		}
		now.Ships = keepTicks(now.Ships, op.Ships) // somebody may have ticked one meanwhile
		now.ToSHA, now.Commits, now.CompareURL, now.Newer, now.Note = op.ToSHA, op.Commits, op.CompareURL, 0, ""
		if err := errors.Join(tx.PutOperation(now), f.agree(tx, now)); err != nil {
			return err
		}
		return f.take(tx, s)
	}}
}

// overPush says that somebody's push is in the way of what is newer.
func overPush(op *store.Operation, head string) string {
	return fmt.Sprintf("somebody pushed %s to the branch of %s, and taking in what is newer would take that push away", short(head), op.ID)
}

// forwardOn is where the branch of a promotion moves to: what ships, or, of one
// that goes forward past a rollback, a commit with that tree on top of its branch.
func (f *feature) forwardOn(ctx context.Context, r *runner.Run, op *store.Operation, head string) (string, error) {
	rec := recordOf(r.Job)
	if !op.Forward {
		return op.ToSHA, nil
	} else if rec.Made != "" {
		return rec.Made, nil
	}
	made, err := f.makeCommit(ctx, op, head)
	if err != nil {
		return "", err
	}
	rec.Made = made
	return made, r.Update(ctx, func(_ *store.Tx, j *store.Job) error { return setRecord(j, rec) })
}

// choseHead finds who chose an operation's head, where that was not whoever
// asked for it: who took newer commits in, or who pushed to the branch. They are
// not the second person to what they brought.
func (f *feature) choseHead(tx *store.Tx, op *store.Operation, by string) (*store.Person, error) {
	all, err := tx.JobsOf(op.ID)
	if err != nil {
		return nil, err
	}
	for _, j := range slices.Backward(all) {
		if j.Kind == kindInclude && (j.SHA == op.Head || recordOf(j).Made == op.Head) {
			return notRequester(op, j.Requester), nil
		}
	}
	if op.Head == headWanted(op) {
		return nil, nil
	}
	if by == "" {
		by = nobodyKnown
	}
	return notRequester(op, gate.ToStore(f.Catalog().PersonByGitHub(by))), nil
}

func notRequester(op *store.Operation, p store.Person) *store.Person {
	if gate.FromStore(op.Requester).Same(gate.FromStore(p)) {
		return nil
	}
	return &p
}

func (f *feature) includeChanged(tx *store.Tx, j *store.Job, urgent bool) error {
	op, err := tx.Operation(j.Operation)
	if err != nil {
		return err
	}
	if j.State == store.JobFailed && op.State == store.OpOpen {
		op.Note = "What is newer could not be taken in: " + j.Why
	}
	return f.putOp(tx, op, urgent)
}
