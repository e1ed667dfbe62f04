package deploy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/commands/runner"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// expected are the targets that must be planned before a pull request may be
// merged: those of its operation, and whatever else it touches.
func expected(p *store.Pull, op *store.Operation) []string {
	if op == nil {
		return p.Targets
	}
	return append(slices.Clone(op.Targets), without(p.Targets, op.Targets)...)
}

func without(list, not []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(not, s) })
}

// ensurePlans queues a plan of each target at the head that has none, and opens
// the statuses that show it. A fork's code is not run until somebody with the
// right asks for it.
func (f *feature) ensurePlans(tx *store.Tx, p *store.Pull, op *store.Operation) error {
	if err := f.openStatuses(tx, p, expected(p, op)); err != nil {
		return err
	}
	if p.Fork && p.ForkAllowed != p.Head {
		return nil
	}
	for _, t := range p.Targets {
		if p.Plans[t].Head == p.Head {
			continue
		}
		if err := f.queuePlan(tx, p, op, t, ""); err != nil {
			return err
		}
	}
	return nil
}

// queuePlan queues a plan and makes those of other heads pointless. again tells
// a repetition at the same head apart.
func (f *feature) queuePlan(tx *store.Tx, p *store.Pull, op *store.Operation, target, again string) error {
	if old := p.Plans[target]; old.Job != "" {
		if err := f.endJob(tx, old.Job, "a newer head is planned"); err != nil {
			return err
		}
	}
	j := &store.Job{
		Key:  fmt.Sprintf("plan|%d|%d|%s|%s|%s", p.RepoID, p.Number, p.Head, target, again),
		Kind: kindPlan, Target: target, Repo: p.Repo, RepoID: p.RepoID, PR: p.Number, SHA: p.Head, Base: p.Base,
		State: store.JobQueued, Created: f.Clock.Now(),
	}
	if op != nil {
		j.Operation, j.Requester = op.ID, op.Requester
	}
	j, err := insertFresh(tx, j)
	if err != nil {
		return err
	}
	if p.Plans == nil {
		p.Plans = map[string]store.Planned{}
	}
	p.Plans[target] = store.Planned{Head: p.Head, Job: j.ID, State: "pending", At: f.Clock.Now()}
	return nil
}

// insertFresh inserts a job unless one that means the same is not over yet, which
// it then returns. One that is over has done its part: a head that comes back
// after a force-push is planned again.
func insertFresh(tx *store.Tx, j *store.Job) (*store.Job, error) {
	for {
		inserted, existing, err := tx.InsertJob(j)
		switch {
		case err != nil:
			return nil, err
		case inserted:
			return j, nil
		case !existing.Terminal():
			return existing, nil
		}
		j.Key += "|after " + existing.ID
	}
}

// endJob drops a queued job that has become pointless and interrupts a running one.
func (f *feature) endJob(tx *store.Tx, id, why string) error {
	j, err := tx.Job(id)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	} else if err != nil || j.Terminal() {
		return err
	}
	if j.State == store.JobQueued {
		j.State, j.Why, j.Ended = store.JobSuperseded, why, f.Clock.Now()
	} else {
		j.Interrupts = max(1, j.Interrupts)
	}
	return tx.PutJob(j)
}

// dropPlans ends what is still being planned for a closed pull request.
func (f *feature) dropPlans(tx *store.Tx, p *store.Pull) error {
	for t, planned := range p.Plans {
		if planned.State != "pending" {
			continue
		}
		if err := f.endJob(tx, planned.Job, "the pull request was closed"); err != nil {
			return err
		}
		if renewing(planned) { // what people reviewed is the old one; the new one's end says nothing here
			planned.State, planned.Job = "done", ""
			p.Plans[t] = planned
			continue
		}
		delete(p.Plans, t)
	}
	return nil
}

// plan plans one target at one commit.
func (f *feature) plan(ctx context.Context, r *runner.Run) runner.End {
	t, ok := f.Catalog().Target(r.Job.Target)
	if !ok {
		return runner.Failed(fmt.Errorf("no target is called %q any more", r.Job.Target))
	}
	tree, err := f.checkout(ctx, r)
	if err != nil {
		return again(r.Job, err)
	}
	plans, err := f.planSteps(ctx, r, t, tree)
	if err != nil {
		return offering(runner.Failed(err))
	}
	return runner.End{State: store.JobSucceeded, Save: func(tx *store.Tx, j *store.Job) error {
		rec := recordOf(j)
		rec.Plans = plans
		return setRecord(j, rec)
	}}
}

// checkout makes the attempt's work tree.
func (f *feature) checkout(ctx context.Context, r *runner.Run) (string, error) {
	tree := filepath.Join(r.Dir(), "tree")
	r.OnClean(func(ctx context.Context) error { return f.Trees.Remove(ctx, r.Job.Repo, tree) })
	if err := f.Trees.Fetch(ctx, r.Job.Repo, r.Job.SHA); err != nil {
		return "", err
	}
	return tree, f.Trees.Checkout(ctx, r.Job.Repo, r.Job.SHA, tree)
}

func (f *feature) step(r *runner.Run, t integrations.Target, tree string, i int, env map[string]integrations.Secret) integrations.Run {
	work := workDir(r, i)
	var earlier []string
	for before := range i {
		earlier = append(earlier, workDir(r, before))
	}
	return integrations.Run{
		Target: t.Name, Environment: t.Environment, Job: r.Job.ID, SHA: r.Job.SHA, Tree: tree, Work: work, Keep: keepOf(r.Job, i), Here: recordOf(r.Job).Here != "", Earlier: earlier,
		HashKey: f.Store.HashKey(), Exec: r.Exec(env, tree, work), Ingress: f.Ingress,
	}
}

func workDir(r *runner.Run, i int) string { return filepath.Join(r.Dir(), stepName(i)) }

// stepName is the folder of a step, and keepOf the one that outlives its job.
func stepName(i int) string { return "step-" + strconv.Itoa(i+1) }

func keepOf(j *store.Job, i int) string { return filepath.Join(runner.KeepDir(j), stepName(i)) }

func (f *feature) planSteps(ctx context.Context, r *runner.Run, t integrations.Target, tree string) (integrations.Plans, error) {
	if len(t.Steps) == 0 {
		return nil, fmt.Errorf("target %s has no step to plan", t.Name)
	}
	same := f.sameFiles(ctx, r.Job)
	var plans integrations.Plans
	for i, s := range t.Steps {
		run := f.step(r, t, tree, i, t.PlanEnv)
		run.Same, run.Before = same, plans
		if err := makeDir(run.Work); err != nil {
			return nil, err
		}
		p, err := s.Plan(ctx, run)
		if err != nil {
			return nil, ofStep(i, s, err)
		}
		plans = append(plans, p)
	}
	return plans, nil
}

// planChanged brings a plan job's state to its pull request. A plan that ends
// after its head has moved changes nothing there.
func (f *feature) planChanged(tx *store.Tx, j *store.Job, urgent bool) error {
	if err := tell.Mark(tx, j.ID, urgent); err != nil || j.PR == 0 { // the message of whoever asked for it in chat
		return err
	}
	p, err := tx.Pull(j.RepoID, j.PR)
	if err != nil {
		return err
	}
	planned, ok := p.Plans[j.Target]
	if !ok || planned.Job != j.ID {
		return nil
	}
	switch j.State {
	case store.JobSucceeded:
		doc, err := json.Marshal(recordOf(j).Plans)
		if err != nil {
			return err
		}
		planned.State, planned.Doc, planned.Why = "done", doc, ""
	case store.JobFailed, store.JobCancelled:
		planned.State, planned.Why = "failed", j.Why
	case store.JobQueued, store.JobPreparing, store.JobRunning:
		planned.State = "pending"
	}
	if planned.State != "pending" {
		planned.At = f.Clock.Now()
	}
	p.Plans[j.Target] = planned
	if err := tx.PutPull(p); err != nil {
		return err
	}
	if planned.State != "pending" {
		if err := errors.Join(f.openComment(tx, p), f.tellPull(tx, p)); err != nil {
			return err
		}
	}
	if err := f.askWhenPlanned(tx, p); err != nil {
		return err
	}
	if err := f.planOperation(tx, p, j, urgent); err != nil {
		return err
	}
	if planned.State != "pending" {
		return errors.Join(f.selfMergeOf(tx, p), f.markHead(tx, p))
	}
	return tell.Mark(tx, pullSubject(p.RepoID, p.Number), urgent)
}

// planOperation shows a plan's state on the card of the operation that it is for.
func (f *feature) planOperation(tx *store.Tx, p *store.Pull, j *store.Job, urgent bool) error {
	if p.Operation == "" {
		return nil
	}
	if j.State == store.JobFailed && urgent {
		op, err := tx.Operation(p.Operation)
		if err != nil {
			return err
		}
		if err := f.openAttention(tx, op, j); err != nil {
			return err
		}
	}
	return tell.Mark(tx, p.Operation, urgent)
}

func (f *feature) planVerb() commands.Verb {
	return commands.Verb{
		Name:    "plan",
		Aliases: []string{"noop", "preview", "dry-run"},
		Summary: "Show what a deploy or a pull request would change; it changes nothing",
		Effect:  commands.Changes, // it runs a pull request's code and writes to its page
		Args: []commands.Arg{
			{Name: "subject", Kind: commands.ArgThing, Help: "a pull request (#12, acme/infra#12, its URL), an operation, or a service"},
			{Name: "ref", Kind: commands.ArgRef, Optional: true, Help: "with a service: a branch, tag or SHA"},
			{Name: "environment", Kind: commands.ArgEnvironment, Keyword: "to", Optional: true, Help: "with a service: where to"},
		},
		Examples: []string{"plan {service} to {environment}", "plan #12", "plan op-3"},
		Detail: "With a pull request it is planned again. A fork's code runs with the plan credentials then, so it is planned at the head that you have looked at and no other: " +
			"the answer names it and has a button, or say `plan #12@` and its whole SHA.",
		Decide: f.decidePlan,
	}
}

func (f *feature) decidePlan(ctx context.Context, c *commands.Call) (commands.Act, error) {
	if svc, ok := c.Catalog.Service(c.Arg("subject")); ok {
		return f.planService(ctx, c, svc)
	}
	return func(tx *store.Tx) (commands.Reply, error) {
		word, sha, err := cutSHA(c.Arg("subject"))
		if err != nil {
			return commands.Reply{}, err
		}
		sub, err := f.findAny(tx, word, c.Heard.Channel)
		if err != nil {
			return commands.Reply{}, err
		}
		p := sub.pull
		if p == nil || p.State != "open" {
			return commands.Reply{}, commands.Refuse("not_open", "There is no open pull request to plan there.").WithExample("plan #12")
		}
		targets := p.Targets
		reply := commands.Reply{Subject: pullSubject(p.RepoID, p.Number)}
		if len(targets) == 0 {
			return reply, commands.Refuse("no_target", fmt.Sprintf("%s#%d touches no target's paths: there is nothing to plan.", p.Repo, p.Number))
		}
		for _, name := range targets {
			if t, ok := c.Catalog.Target(name); ok {
				if err := commands.Allow(c, "plan", t.Environment); err != nil {
					return reply, err
				}
			}
		}
		if err := lookedAt(p, sha); err != nil {
			return reply, err
		}
		for _, t := range targets {
			if p.Plans[t].State == "pending" && p.Plans[t].Head == p.Head {
				continue
			}
			if err := f.queuePlan(tx, p, sub.op, t, strconv.FormatUint(c.Event, 10)); err != nil {
				return reply, err
			}
		}
		if err := tx.PutPull(p); err != nil {
			return reply, err
		}
		if sub.op == nil {
			for _, t := range targets {
				if err := f.openPlanMessage(tx, c.Heard.Channel, p.Plans[t].Job); err != nil {
					return reply, err
				}
			}
		}
		reply.Private = say(fmt.Sprintf("Planning %s#%d: %s.", p.Repo, p.Number, plural(len(targets), "target")))
		return reply, tell.Mark(tx, pullSubject(p.RepoID, p.Number), true)
	}, nil
}

// planService plans what a deploy would do, without a pull request.
func (f *feature) planService(ctx context.Context, c *commands.Call, svc integrations.Service) (commands.Act, error) {
	if c.Arg("environment") == "" {
		return nil, commands.Refuse("missing_argument", "Plan "+svc.Name+" for which environment?").WithExample("plan " + svc.Name + " to staging")
	}
	if svc.Strategy == "pin" {
		return nil, commands.Refuse("no_plan", fmt.Sprintf("%s is deployed by a version in a file, so its plan needs the pull request that sets it.", svc.Name)).
			WithHint("Deploy opens that pull request and plans it; it changes nothing until it is merged.").WithExample(strings.Join(strings.Fields(fmt.Sprintf("deploy %s %s to %s", svc.Name, c.Arg("ref"), c.Arg("environment"))), " "))
	}
	call := *c
	call.Args = map[string]string{"service": svc.Name, "ref": c.Arg("ref"), "environment": c.Arg("environment")}
	op, err := f.request(ctx, &call)
	if err != nil {
		return nil, err
	}
	if err := commands.Allow(c, "plan", op.Environment); err != nil {
		return nil, err
	}
	return func(tx *store.Tx) (commands.Reply, error) {
		reply := commands.Reply{Service: op.Service, Environment: op.Environment}
		for _, t := range op.Targets {
			j := &store.Job{
				Key:  fmt.Sprintf("plan|%d|%s|%s", c.Event, op.ToSHA, t),
				Kind: kindPlan, Target: t, Repo: op.Repo, RepoID: op.RepoID, SHA: op.ToSHA, Base: op.Base,
				Requester: gate.ToStore(c.Who), State: store.JobQueued, Created: f.Clock.Now(),
			}
			if err := setRecord(j, record{Line: fmt.Sprintf("deploy %s %s to %s", op.Service, op.ToSHA, op.Environment)}); err != nil {
				return reply, err
			}
			if _, _, err := tx.InsertJob(j); err != nil {
				return reply, err
			}
			reply.Subject = j.ID
			if err := f.openPlanMessage(tx, c.Heard.Channel, j.ID); err != nil {
				return reply, err
			}
		}
		return reply, nil
	}, nil
}
