package deploy

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/commands/runner"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// tries is how often a job against GitHub is begun before it is called failed.
const tries = 6

// again ends a run so that it is begun once more after a while, or, after
// enough attempts, as failed. What the person got wrong is not tried again.
func again(j *store.Job, err error) runner.End {
	var later *integrations.Later
	var away *integrations.Away
	switch {
	case errors.As(err, &later):
		return runner.End{State: store.JobQueued, Err: err, After: later.After}
	case errors.As(err, &away) && away.Known():
		why := fmt.Sprintf("%s; it goes on as soon as it does", away.Silence())
		return runner.End{State: store.JobQueued, Err: err, Why: why, After: away.Wait(), Uncounted: true}
	case j.Attempt >= tries, errors.Is(err, integrations.ErrNotFound), errors.Is(err, integrations.ErrMoved), errors.Is(err, integrations.ErrExists):
		return runner.Failed(err)
	}
	end := runner.End{State: store.JobQueued, Err: err, After: time.Second << min(j.Attempt, 6)}
	if away != nil {
		end.Why = away.Silence() + "; it is tried again"
	}
	return end
}

func (f *feature) job(id string) (j *store.Job, err error) {
	err = f.Store.View(func(tx *store.Tx) error {
		j, err = tx.Job(id)
		return err
	})
	return j, err
}

func (f *feature) operation(id string) (op *store.Operation, err error) {
	err = f.Store.View(func(tx *store.Tx) error {
		op, err = tx.Operation(id)
		return err
	})
	return op, err
}

// open makes the branch and the pull request of an operation, each only if it
// is not there already: the branch's name holds the operation's id, and the body
// its nonce.
func (f *feature) open(ctx context.Context, r *runner.Run) runner.End {
	op, err := f.operation(r.Job.Operation)
	if err != nil {
		return runner.Failed(err)
	}
	if op.State != store.OpOpening { // a webhook was faster
		return runner.End{State: store.JobNoop}
	}
	if op.CloseAskedBy != nil {
		return f.openCancelled(ctx, r.Job, op)
	}
	if shipped, err := f.atItsTurn(ctx, op); err != nil {
		return again(r.Job, err)
	} else if shipped != "" {
		return runner.End{State: store.JobNoop, Why: shipped}
	}
	if err := f.gatherShips(ctx, op); err != nil {
		return again(r.Job, err)
	}
	if err := f.makeHead(ctx, r, op); err != nil {
		return again(r.Job, err)
	}
	if err := f.makeBranch(ctx, op); err != nil {
		return again(r.Job, err)
	}
	pr, err := f.makePull(ctx, op)
	if err != nil {
		return again(r.Job, err)
	}
	s, err := f.look(ctx, pr)
	if err != nil {
		return again(r.Job, err)
	}
	return runner.End{State: store.JobSucceeded, Save: func(tx *store.Tx, j *store.Job) error {
		now, err := tx.Operation(op.ID)
		if err != nil {
			return err
		}
		now.Ships, now.Commits, now.CompareURL = op.Ships, op.Commits, op.CompareURL
		now.FromSHA, now.From, now.Forward, now.Unsafe = op.FromSHA, op.From, op.Forward, op.Unsafe
		if err := tx.PutOperation(now); err != nil {
			return err
		}
		return f.take(tx, s)
	}}
}

// atItsTurn brings an operation that waited for its turn to where its base branch
// stands now. What it ships does not move; shipped says that the one before it
// shipped all of that.
func (f *feature) atItsTurn(ctx context.Context, op *store.Operation) (shipped string, err error) {
	if op.Rollback {
		return f.renewRollback(ctx, op)
	}
	from, err := f.Forge.BranchHead(ctx, op.Repo, op.Base)
	if err != nil || from == op.FromSHA || op.Made != "" {
		return "", err
	}
	if op.Strategy != "pin" {
		nothing, err := f.chart(ctx, op, from)
		if err != nil {
			return "", err
		}
		if nothing {
			shipped = fmt.Sprintf("there is nothing left to ship: %s is at %s, and all of %s is in it", op.Base, short(from), short(op.ToSHA))
		}
		return shipped, nil
	}
	op.FromSHA = from
	svc, _ := f.Catalog().Service(op.Service)
	se := svc.Environments[op.Environment]
	content, _, err := f.Forge.ReadFile(ctx, op.Repo, se.File, from)
	if err != nil {
		return "", err
	}
	if _, op.From, err = setVersion(se.File, content, se.Key, op.To); err == nil && op.From == op.To {
		shipped = fmt.Sprintf("there is nothing left to ship: %s in %s is at %s already", op.Service, op.Environment, op.To)
	}
	return shipped, err
}

// openCancelled ends an opening that somebody cancelled. What an attempt before
// it made, whose answer may have been lost, is found: a pull request is taken in
// and closed by the job that waits for it, a branch is deleted here.
func (f *feature) openCancelled(ctx context.Context, j *store.Job, op *store.Operation) runner.End {
	pr, err := f.Forge.FindPull(ctx, op.Repo, op.Branch, op.Base)
	switch {
	case err == nil && strings.Contains(pr.Body, op.Nonce):
		return f.seen(ctx, j, pr, runner.End{State: store.JobSucceeded})
	case err != nil && !errors.Is(err, integrations.ErrNotFound):
		return again(j, err)
	}
	if err := f.Forge.DeleteBranch(ctx, op.Repo, op.Branch); err != nil && !errors.Is(err, integrations.ErrNotFound) {
		return again(j, err)
	}
	return runner.End{State: store.JobCancelled, Why: "cancelled before the pull request was opened"}
}

// openGate asks once more, when the pull request is about to be opened, what was
// asked at the command.
func (f *feature) openGate(tx *store.Tx, j *store.Job, _ any) (runner.Verdict, error) {
	op, err := tx.Operation(j.Operation)
	if err != nil || op.State != store.OpOpening || op.CloseAskedBy != nil {
		return runner.Go, err
	}
	q := f.question(gate.AtOpening, f.Catalog(), op, nil)
	q.Actor, q.Explicit = q.Requester, true
	closed := gate.Ask(tx, q)
	if len(closed) == 0 {
		return runner.Go, nil
	}
	var why []string
	for _, c := range closed {
		why = append(why, c.Says())
	}
	j.Error = strings.Join(why, "; ")
	return runner.Verdict{State: store.JobFailed, Why: j.Error}, nil
}

// openChanged tells the operation how its opening went.
func (f *feature) openChanged(tx *store.Tx, j *store.Job, urgent bool) error {
	op, err := tx.Operation(j.Operation)
	if err != nil {
		return err
	}
	if op.State == store.OpOpening {
		switch j.State {
		case store.JobFailed:
			op.State, op.Ended, op.Note = store.OpFailed, f.Clock.Now(), "The pull request could not be opened: "+j.Error
		case store.JobNoop:
			if j.Why != "" {
				op.State, op.Ended, op.Note = store.OpClosed, f.Clock.Now(), upper(j.Why)+"."
			}
		case store.JobCancelled:
			op.State, op.Ended, op.Note = store.OpClosed, f.Clock.Now(), "Cancelled before a pull request was opened."
		case store.JobQueued:
			if j.Away != "" {
				op.Note = "Its pull request waits: " + j.Why + "."
			} else if j.Error != "" {
				op.Note = "GitHub did not answer as it should; it is tried again: " + j.Error
			}
		}
	}
	return f.putOp(tx, op, urgent)
}

// gatherShips groups what a promotion ships by pull request.
func (f *feature) gatherShips(ctx context.Context, op *store.Operation) error {
	if op.Strategy != "promote" || op.Rollback {
		return nil
	}
	cmp, err := f.Forge.Compare(ctx, op.Repo, op.FromSHA, op.ToSHA)
	if err != nil {
		return err
	}
	op.Commits, op.Ships = len(cmp.Commits), nil
	at := map[int]int{}
	loose := store.Ship{}
	for _, c := range cmp.Commits {
		prs, err := f.Forge.PullsOfCommit(ctx, op.Repo, c.SHA)
		if err != nil {
			return err
		}
		pr, ok := shippedBy(prs, op)
		if !ok {
			if loose.Commits++; loose.Title == "" {
				loose.Title, loose.Author, loose.URL, loose.At = firstLine(c.Message), c.Author, c.URL, c.At
			}
			continue
		}
		i, seen := at[pr.Number]
		if !seen {
			i = len(op.Ships)
			at[pr.Number] = i
			op.Ships = append(op.Ships, store.Ship{Number: pr.Number, Title: pr.Title, Author: pr.Author, URL: pr.URL, At: pr.MergedAt})
		}
		op.Ships[i].Commits++
	}
	if loose.Commits > 0 {
		op.Ships = append(op.Ships, loose)
	}
	return nil
}

// shippedBy picks the merged pull request that brought a commit to the source
// branch; deploy pull requests, which only move it on, do not count.
func shippedBy(prs []integrations.PullRequest, op *store.Operation) (integrations.PullRequest, bool) {
	for _, pr := range prs {
		if pr.State == "merged" && pr.Base != op.Base && !strings.HasPrefix(pr.Branch, "signalbox/") {
			return pr, true
		}
	}
	return integrations.PullRequest{}, false
}

func (f *feature) makeBranch(ctx context.Context, op *store.Operation) error {
	head, err := f.Forge.BranchHead(ctx, op.Repo, op.Branch)
	if errors.Is(err, integrations.ErrNotFound) {
		start := headWanted(op)
		if op.Strategy == "pin" {
			start = op.FromSHA
		}
		if err = f.Forge.CreateBranch(ctx, op.Repo, op.Branch, start); err != nil && !errors.Is(err, integrations.ErrExists) {
			return err
		}
		head = start
	} else if err != nil {
		return err
	}
	if op.Strategy != "pin" {
		if head != headWanted(op) {
			return fmt.Errorf("branch %s is at %s, not at %s: somebody else made it (%w)", op.Branch, short(head), short(headWanted(op)), integrations.ErrExists)
		}
		return nil
	}
	return f.commitPin(ctx, op)
}

// commitPin sets the version on the operation's branch, unless it is set.
func (f *feature) commitPin(ctx context.Context, op *store.Operation) error {
	svc, ok := f.Catalog().Service(op.Service)
	if !ok {
		return fmt.Errorf("service %q is no longer configured: %w", op.Service, integrations.ErrNotFound)
	}
	se := svc.Environments[op.Environment]
	content, blob, err := f.Forge.ReadFile(ctx, op.Repo, se.File, op.Branch)
	if err != nil {
		return err
	}
	out, old, err := setVersion(se.File, content, se.Key, op.To)
	if err != nil || old == op.To {
		return err
	}
	_, err = f.Forge.CommitFile(ctx, op.Repo, op.Branch, se.File, out, blob, fmt.Sprintf("%s: %s in %s, was %s", op.Service, version(op.To), op.Environment, version(op.From)))
	return err
}

func (f *feature) makePull(ctx context.Context, op *store.Operation) (integrations.PullRequest, error) {
	pr, err := f.Forge.FindPull(ctx, op.Repo, op.Branch, op.Base)
	if err == nil {
		if !strings.Contains(pr.Body, op.Nonce) {
			return pr, fmt.Errorf("pull request #%d of branch %s was made by somebody else: %w", pr.Number, op.Branch, integrations.ErrExists)
		}
		return pr, nil
	}
	if !errors.Is(err, integrations.ErrNotFound) {
		return pr, err
	}
	return f.Forge.OpenPull(ctx, op.Repo, integrations.NewPull{Title: upper(title(op)), Body: f.body(op), Head: op.Branch, Base: op.Base})
}

// close closes the pull request of a cancelled operation.
func (f *feature) close(ctx context.Context, r *runner.Run) runner.End {
	op, err := f.operation(r.Job.Operation)
	if err != nil {
		return runner.Failed(err)
	}
	switch {
	case op.PR == 0 && op.State == store.OpOpening: // its number comes, or its opening ends without one
		return runner.End{State: store.JobQueued, Why: "the pull request is still being opened", After: time.Second}
	case op.PR == 0:
		return runner.End{State: store.JobNoop}
	}
	pr, err := f.Forge.Pull(ctx, op.Repo, op.PR)
	if err != nil {
		return again(r.Job, err)
	}
	if pr.State == "open" {
		if err := f.Forge.ClosePull(ctx, op.Repo, op.PR); err != nil {
			return again(r.Job, err)
		}
		if pr, err = f.Forge.Pull(ctx, op.Repo, op.PR); err != nil {
			return again(r.Job, err)
		}
	}
	s, err := f.look(ctx, pr)
	if err != nil {
		return again(r.Job, err)
	}
	return runner.End{State: store.JobSucceeded, Save: func(tx *store.Tx, j *store.Job) error { return f.take(tx, s) }}
}

func (f *feature) closeChanged(tx *store.Tx, j *store.Job, urgent bool) error {
	op, err := tx.Operation(j.Operation)
	if err != nil {
		return err
	}
	if j.State == store.JobFailed && (!op.Terminal() || strings.HasPrefix(op.Note, reopenedTooLate)) {
		op.CloseAskedBy, op.Note = nil, "The pull request could not be closed: "+j.Error
	}
	return f.putOp(tx, op, urgent)
}

// openStill says whether what a branch belongs to is open (again): an operation,
// or a pull request without one.
func (f *feature) openStill(j *store.Job) (open bool, err error) {
	err = f.Store.View(func(tx *store.Tx) error {
		if j.Operation == "" {
			p, err := tx.Pull(j.RepoID, j.PR)
			open = err == nil && p.State == "open"
			return err
		}
		op, err := tx.Operation(j.Operation)
		open = err == nil && op.State == store.OpOpen
		return err
	})
	return open, err
}

// tidy deletes the branch of a pull request that is over.
func (f *feature) tidy(ctx context.Context, r *runner.Run) runner.End {
	branch := recordOf(r.Job).Branch
	if !strings.HasPrefix(branch, "signalbox/") {
		return runner.End{State: store.JobNoop, Why: "the branch is not ours"}
	}
	if open, err := f.openStill(r.Job); err != nil {
		return runner.Failed(err)
	} else if open {
		return runner.End{State: store.JobNoop, Why: "the pull request was reopened"}
	}
	if err := f.Forge.DeleteBranch(ctx, r.Job.Repo, branch); err != nil && !errors.Is(err, integrations.ErrNotFound) {
		return again(r.Job, err)
	}
	return runner.End{State: store.JobSucceeded}
}
