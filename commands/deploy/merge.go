package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/commands/runner"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

func subjectArg(help string) []commands.Arg {
	return []commands.Arg{{Name: "subject", Kind: commands.ArgSubject, Help: help}}
}

func (f *feature) mergeVerb() commands.Verb {
	return commands.Verb{
		Name:     "merge",
		Summary:  "Merge a deploy pull request, which starts the apply",
		Effect:   commands.Changes,
		Args:     subjectArg("the operation or its pull request"),
		Flags:    []commands.Arg{destroysFlag},
		Examples: []string{"merge op-3", "merge #12"},
		Detail:   "The head that was planned is merged, and no other: if somebody pushed meanwhile, the merge is refused.",
		Decide: func(ctx context.Context, c *commands.Call) (commands.Act, error) {
			return f.decideWithFacts(ctx, c, func(tx *store.Tx, facts store.Facts) (commands.Reply, error) { return f.askMerge(tx, c, facts) })
		},
	}
}

// askMerge checks the gates and queues the merge.
func (f *feature) askMerge(tx *store.Tx, c *commands.Call, facts store.Facts) (commands.Reply, error) {
	sub, err := f.findOne(tx, c)
	if err != nil {
		return commands.Reply{}, err
	}
	op, p := sub.op, sub.pull
	if op == nil {
		return commands.Reply{}, commands.Refuse("no_operation", fmt.Sprintf("%s was not opened from here, so it is merged on GitHub.", c.Arg("subject"))).
			WithHint("Its merge there starts the apply all the same.")
	}
	reply := commands.Reply{Subject: op.ID, Service: op.Service, Environment: op.Environment}
	if err := commands.Allow(c, "merge", op.Environment); err != nil {
		return reply, err
	}
	if err := f.mergeable(c, op, p); err != nil {
		return reply, err
	}
	if p != nil {
		withFacts(p, facts)
		if err := tx.PutPull(p); err != nil {
			return reply, err
		}
	}
	q := f.question(gate.AtMerge, c.Catalog, op, p)
	q.Actor, q.Explicit = c.Who, c.Who.Same(q.Requester)
	closed := gate.Ask(tx, q)
	later := p != nil && onlyAway(p.Facts, closed)
	if len(closed) > 0 && !later {
		return reply, heldRefusal(tx, c, op.Environment, closed)
	}
	if p != nil {
		if ask, err := f.typeNames(c, op, destroying(op, p, q.Targets), stamp(p, op.Targets)); err != nil {
			return reply, err
		} else if ask != nil {
			reply.Modal, reply.Outcome = ask.Modal, ask.Outcome
			return reply, nil
		}
	}
	f.countMerger(op, c.Who)
	who := gate.ToStore(c.Who)
	op.MergeAskedBy, op.Note = &who, "Merging, as "+c.Who.Display()+" asked."
	_, _, err = tx.InsertJob(&store.Job{Key: fmt.Sprintf("merge|%s|%s|%d", op.ID, op.Head, c.Event), Kind: kindMerge, Operation: op.ID, Repo: op.Repo,
		RepoID: op.RepoID, PR: op.PR, SHA: op.Head, Requester: who, State: store.JobQueued, Created: f.Clock.Now()})
	if err != nil {
		return reply, err
	}
	reply.Private = say(fmt.Sprintf("Merging %s#%d. Its card shows how the apply goes.", op.Repo, op.PR))
	if later {
		reply.Private = mergingLater(c, op, p.Facts.Away)
	}
	return reply, f.putOp(tx, op, true)
}

// mergeable says no to what is over, on its way, or not what was looked at.
func (f *feature) mergeable(c *commands.Call, op *store.Operation, p *store.Pull) error {
	switch {
	case op.State == store.OpOpening:
		return commands.Refuse("opening", op.ID+" is still being opened.").WithHint("The Merge button comes with its plan.")
	case op.State == store.OpClosed:
		return commands.Refuse("closed", fmt.Sprintf("%s is closed: %s", op.ID, op.Note))
	case op.State != store.OpOpen:
		return commands.Refuse("merged", fmt.Sprintf("%s is merged already, by %s; it is %s.", op.ID, gate.FromStore(op.MergedBy).Display(), op.State))
	case op.MergeAskedBy != nil:
		return commands.Refuse("merging", fmt.Sprintf("%s is being merged: %s asked first.", op.ID, gate.FromStore(*op.MergeAskedBy).Display()))
	case op.CloseAskedBy != nil:
		return commands.Refuse("closing", fmt.Sprintf("%s is being cancelled by %s.", op.ID, gate.FromStore(*op.CloseAskedBy).Display()))
	case p != nil && p.Base != op.Base:
		return commands.Refuse("retargeted", fmt.Sprintf("The pull request of %s goes into %s now, not into %s.", op.ID, p.Base, op.Base)).
			WithHint("Change its base back on GitHub, or cancel it and ask again.").WithExample("cancel " + op.ID)
	case p != nil && c.Version != 0 && c.Version != stamp(p, op.Targets):
		return commands.Refuse("stale", fmt.Sprintf("%s has changed since this button was drawn: its head is %s now.", op.ID, short(p.Head))).
			WithHint("Look at the new plan on the card, then press the new button.")
	}
	return nil
}

// countMerger makes the merger the second person, where they can be that.
func (f *feature) countMerger(op *store.Operation, who integrations.Person) {
	chose := slices.ContainsFunc(gate.Choosers(op, gate.FromStore(op.Requester)), who.Same)
	if chose || !f.Catalog().May(who, "approve", op.Environment) {
		return
	}
	f.approved(op, who, "slack")
}

func (f *feature) approved(op *store.Operation, who integrations.Person, via string) (already bool) {
	for _, a := range op.Approvals {
		if a.Head == op.Head && gate.FromStore(a.By).Same(who) {
			return true
		}
	}
	op.Approvals = append(op.Approvals, store.Approval{By: gate.ToStore(who), Head: op.Head, Via: via, At: f.Clock.Now()})
	return false
}

// question is what the gates are asked about an operation.
func (f *feature) question(at string, cat *integrations.Catalog, op *store.Operation, p *store.Pull) gate.Question {
	targets := op.Targets
	if p != nil {
		targets = expected(p, op)
	}
	return gate.Question{
		At: at, Now: f.Clock.Now(), Catalog: cat, Environment: op.Environment, Service: op.Service, Targets: targets,
		Requester: known(cat, op.Requester), Op: op, Pull: p, Head: op.Head,
	}
}

// known is a stored person as the configuration has them today.
func known(cat *integrations.Catalog, p store.Person) integrations.Person {
	for _, q := range cat.People {
		if gate.FromStore(p).Same(q) {
			return q
		}
	}
	return integrations.Person{Slack: p.Slack, GitHub: p.GitHub}
}

// merge merges the planned head, unless it is merged already.
func (f *feature) merge(ctx context.Context, r *runner.Run) runner.End {
	j := r.Job
	op, err := f.operation(j.Operation)
	if err != nil {
		return runner.Failed(err)
	}
	pr, err := f.Forge.Pull(ctx, j.Repo, j.PR)
	if err != nil {
		return again(j, err)
	}
	switch {
	case pr.State == "open" && pr.Base != op.Base: // GitHub holds a merge to its head, not to its base
		return f.seen(ctx, j, pr, runner.End{State: store.JobFailed, Why: fmt.Sprintf("the pull request goes into %s now, not into %s", pr.Base, op.Base)})
	case pr.State == "closed":
		return f.seen(ctx, j, pr, runner.End{State: store.JobFailed, Why: "the pull request was closed meanwhile"})
	case pr.State == "open" && pr.Head != j.SHA:
		return f.seen(ctx, j, pr, runner.End{State: store.JobFailed, Why: fmt.Sprintf("the head moved from %s to %s; it is planned again", short(j.SHA), short(pr.Head))})
	case pr.State == "open":
		if going, err := f.selfMerging(ctx, j); err != nil || !going {
			return keptBack(j, err)
		}
		if why, err := f.mergeHeld(ctx, j); err != nil {
			return again(j, err)
		} else if why != "" {
			return runner.End{State: store.JobFailed, Why: why}
		}
		_, err = f.Forge.MergePull(ctx, j.Repo, j.PR, j.SHA, upper(title(op)))
		if end, stop := mergeError(j, err); stop {
			return end
		}
		if pr, err = f.Forge.Pull(ctx, j.Repo, j.PR); err != nil {
			return again(j, err)
		}
		if pr.State != "merged" {
			return again(j, fmt.Errorf("%s#%d was merged and does not show it yet", j.Repo, j.PR))
		}
	}
	return f.seen(ctx, j, pr, runner.End{State: store.JobSucceeded})
}

// mergeHeld asks the gates of the merge again, right before it: GitHub may have
// kept the job waiting since somebody pressed. "" lets it go on.
func (f *feature) mergeHeld(ctx context.Context, j *store.Job) (string, error) {
	_, facts, err := f.factsOf(ctx, j.RepoID, j.PR)
	if err != nil {
		return "", err
	} else if err := awayNow(facts); err != nil {
		return "", err
	}
	var why []string
	err = f.Store.View(func(tx *store.Tx) error {
		op, err := tx.Operation(j.Operation)
		if err != nil {
			return err
		}
		p, err := tx.Pull(j.RepoID, j.PR)
		if err != nil {
			return err
		}
		withFacts(p, facts)
		q := f.question(gate.AtMerge, f.Catalog(), op, p)
		q.Actor = known(f.Catalog(), j.Requester)
		q.Explicit = q.Actor.Same(q.Requester)
		for _, c := range gate.Ask(tx, q) {
			why = append(why, c.Says())
		}
		return nil
	})
	return strings.Join(why, "; "), err
}

// mergeError sorts what a refused merge means. A status that GitHub has not seen
// yet looks like any other refusal, so that is tried a few times.
func mergeError(j *store.Job, err error) (runner.End, bool) {
	switch {
	case err == nil:
		return runner.End{}, false
	case errors.Is(err, integrations.ErrMoved):
		return runner.End{State: store.JobFailed, Why: "the head moved while it was being merged; it is planned again", Err: err}, true
	case errors.Is(err, integrations.ErrNotMergeable):
		return refusedMerge(j, err), true
	}
	return again(j, err), true
}

// seen ends a run with what was seen of a pull request.
func (f *feature) seen(ctx context.Context, j *store.Job, pr integrations.PullRequest, end runner.End) runner.End {
	s, err := f.look(ctx, pr)
	if err != nil {
		return again(j, err)
	}
	end.Save = func(tx *store.Tx, _ *store.Job) error { return f.take(tx, s) }
	return end
}

func (f *feature) mergeChanged(tx *store.Tx, j *store.Job, urgent bool) error {
	op, err := tx.Operation(j.Operation)
	if err != nil {
		return err
	}
	if op.State == store.OpOpen {
		switch j.State {
		case store.JobFailed, store.JobCancelled:
			op.MergeAskedBy = nil
			f.selfMergeFailed(op, j)
			op.Note = "It was not merged: " + strings.TrimSuffix(j.Why, ".") + "."
		case store.JobQueued:
			if j.Away != "" {
				op.Note = fmt.Sprintf("The merge that %s asked for waits: %s.", gate.FromStore(j.Requester).Display(), j.Why)
			} else if j.Error != "" {
				op.Note = "The merge is tried again: " + j.Error
			}
		}
	}
	return f.putOp(tx, op, urgent)
}

// merged turns a merge into one apply job for each target, once.
func (f *feature) merged(tx *store.Tx, p *store.Pull, op *store.Operation, s sight) error {
	if err := f.dropPlans(tx, p); err != nil {
		return err
	}
	if p.Applied || len(p.Targets) == 0 && op == nil {
		return nil
	}
	merger, rest := f.merger(p, op, s.byUs), p.Targets
	if op != nil {
		rest = without(p.Targets, op.Targets)
		op.MergeSHA, op.MergedBy, op.Merged, op.State, op.Note = p.MergeSHA, merger, f.Clock.Now(), store.OpMerged, ""
		if p.Base != op.Base {
			op.State, op.Ended = store.OpClosed, f.Clock.Now()
			op.Note = fmt.Sprintf("The pull request was merged into %s instead of %s, so nothing was deployed to %s.", p.Base, op.Base, op.Environment)
		} else if err := f.queueApplies(tx, p, op, s.position); err != nil {
			return err
		}
	}
	p.Applied = true
	return f.mergedInfra(tx, p, op, rest, merger, s.position)
}

// mergedInfra begins an operation in each environment whose targets a merge
// touches beside those of the operation that opened the pull request, if any.
func (f *feature) mergedInfra(tx *store.Tx, p *store.Pull, from *store.Operation, rest []string, merger store.Person, position uint64) error {
	for env, targets := range f.byEnvironment(rest) {
		e, _ := f.Catalog().Environment(env)
		o, err := f.newOperation(tx, "infra", p.RepoID, p.Repo, p.Base, e, targets)
		if err != nil {
			return err
		}
		o.State, o.PR, o.PRURL, o.Head, o.Branch = store.OpMerged, p.Number, p.URL, p.Head, p.Branch
		o.Reason = p.Title
		o.MergeSHA, o.MergedBy, o.Merged = p.MergeSHA, merger, f.Clock.Now()
		if o.Requester = gate.ToStore(f.Catalog().PersonByGitHub(p.Author)); from == nil && p.HeadBy != "" {
			o.HeadBy = notRequester(o, gate.ToStore(f.Catalog().PersonByGitHub(p.HeadBy)))
		} else if from != nil {
			o.Requester, o.HeadBy, o.Typed = from.Requester, from.HeadBy, from.Typed
			// A yes to one environment is none to another, nor to what was made of
			// the pull request by turning it to another branch.
			if env == from.Environment && p.Base == from.Base {
				o.Approvals, o.Passes = from.Approvals, from.Passes
			}
		}
		if err := f.queueApplies(tx, p, o, position); err != nil {
			return err
		}
		if err := tx.PutOperation(o); err != nil {
			return err
		}
		if err := f.openCard(tx, o); err != nil {
			return err
		}
	}
	return nil
}

// merger is who merged: whoever pressed here, when we did it for them. They pressed
// for the branch that the operation is for, and for no other; and somebody else may
// have been faster on GitHub, also one whom nobody knows.
func (f *feature) merger(p *store.Pull, op *store.Operation, byUs bool) store.Person {
	if op != nil && op.MergeAskedBy != nil && p.Base == op.Base && byUs {
		return *op.MergeAskedBy
	}
	return gate.ToStore(f.Catalog().PersonByGitHub(p.MergedBy))
}

func (f *feature) byEnvironment(targets []string) map[string][]string {
	out := map[string][]string{}
	for _, name := range targets {
		if t, ok := f.Catalog().Target(name); ok {
			out[t.Environment] = append(out[t.Environment], name)
		}
	}
	return out
}

func (f *feature) queueApplies(tx *store.Tx, p *store.Pull, op *store.Operation, position uint64) error {
	for _, t := range op.Targets {
		j := &store.Job{
			Key:  fmt.Sprintf("apply|%d|%d|%s|%s", p.RepoID, p.Number, p.MergeSHA, t),
			Kind: kindApply, Target: t, Locks: true, Order: position, Wave: f.waveOf(t), Operation: op.ID,
			Repo: p.Repo, RepoID: p.RepoID, PR: p.Number, SHA: p.MergeSHA, Base: p.Base, Requester: op.Requester,
			State: store.JobQueued, Created: f.Clock.Now(),
		}
		inserted, _, err := tx.InsertJob(j)
		if err != nil {
			return err
		}
		if inserted {
			if err := f.openJobSurfaces(tx, op, j); err != nil {
				return err
			}
		}
	}
	return nil
}
