package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

type doing func(tx *store.Tx, c *commands.Call, s subject) (commands.Reply, error)

// act is a verb about one subject that is decided in the transaction alone.
func (f *feature) act(do doing) func(context.Context, *commands.Call) (commands.Act, error) {
	return func(_ context.Context, c *commands.Call) (commands.Act, error) {
		return func(tx *store.Tx) (commands.Reply, error) {
			sub, err := f.findOne(tx, c)
			if err != nil {
				return commands.Reply{}, err
			}
			return f.allowed(tx, c, sub, do)
		}, nil
	}
}

// actAll is one that means all operations of a pull request: each of them, or, if
// one refuses, none.
func (f *feature) actAll(do doing) func(context.Context, *commands.Call) (commands.Act, error) {
	return func(_ context.Context, c *commands.Call) (commands.Act, error) {
		return func(tx *store.Tx) (commands.Reply, error) {
			sub, err := f.findAny(tx, c.Arg("subject"), c.Heard.Channel)
			if err != nil {
				return commands.Reply{}, err
			}
			live := slices.DeleteFunc(slices.Clone(sub.ops), (*store.Operation).Terminal)
			if len(live) < 2 {
				return f.allowed(tx, c, sub, do)
			}
			reply := commands.Reply{Subject: pullSubject(sub.pull.RepoID, sub.pull.Number)}
			var did []string
			for _, op := range live {
				one, err := f.fill(tx, subject{op: op})
				if err != nil {
					return reply, err
				}
				r, err := f.allowed(tx, of(c, op), one, do)
				if err != nil {
					return reply, amongSeveral(c, op, live, err)
				}
				if r.Private != nil {
					did = append(did, op.ID+" in "+op.Environment+": "+r.Private.Text)
				}
			}
			reply.Private = say(strings.Join(did, "\n"))
			return reply, nil
		}, nil
	}
}

// amongSeveral says which operation refused, and offers each by itself.
func amongSeveral(c *commands.Call, op *store.Operation, ops []*store.Operation, err error) error {
	var r *commands.Refusal
	if !errors.As(err, &r) {
		return err
	}
	one := *r
	one.What = fmt.Sprintf("%s of %s refuses, so nothing was done: %s", op.ID, c.Arg("subject"), r.What)
	var each *commands.Refusal
	if errors.As(severalOf(c, c.Arg("subject"), ops), &each) {
		one.Buttons = append(slices.Clone(r.Buttons), each.Buttons...)
	}
	return &one
}

// allowed does what a verb does to a subject, if the caller may where that is.
func (f *feature) allowed(tx *store.Tx, c *commands.Call, sub subject, do doing) (commands.Reply, error) {
	reply := commands.Reply{}
	env := ""
	if sub.op != nil {
		reply.Subject, reply.Service, reply.Environment, env = sub.op.ID, sub.op.Service, sub.op.Environment, sub.op.Environment
	}
	if sub.job != nil {
		reply.Subject, reply.Target = sub.job.ID, sub.job.Target
		if t, ok := c.Catalog.Target(sub.job.Target); ok {
			env = t.Environment
		}
	}
	if err := commands.Allow(c, c.Verb.Name, env); err != nil {
		return reply, err
	}
	r, err := do(tx, c, sub)
	r.Subject, r.Service, r.Environment, r.Target = reply.Subject, reply.Service, reply.Environment, reply.Target
	return r, err
}

func (f *feature) approveVerb() commands.Verb {
	return commands.Verb{
		Name: "approve", Summary: "Agree, as the second person, to a deploy or to a merge that is blocked", Effect: commands.Changes,
		Args: subjectArg("the operation, its pull request, or a blocked job"), Examples: []string{"approve op-3"},
		Detail: "Whoever asked for a change cannot approve it. An approval is for the head that is planned now; a push takes it back.",
		Decide: f.act(f.approve),
	}
}

func (f *feature) approve(tx *store.Tx, c *commands.Call, s subject) (commands.Reply, error) {
	if s.op == nil {
		return commands.Reply{}, commands.Refuse("no_operation", "That pull request is not waiting for an approval here.")
	}
	op := s.op
	if op.State == store.OpMerged || op.State == store.OpApplying || op.Kind != "deploy" {
		return f.approveBlocked(tx, c, s)
	}
	if err := f.ownHead(c, op); err != nil {
		return commands.Reply{}, err
	}
	switch {
	case op.State != store.OpOpen:
		return commands.Reply{}, commands.Refuse("not_open", fmt.Sprintf("%s is %s: there is nothing to approve.", op.ID, op.State))
	case s.pull != nil && c.Version != 0 && c.Version != stamp(s.pull, op.Targets):
		return commands.Reply{}, commands.Refuse("stale", op.ID+" has changed since this button was drawn.").WithHint("Look at the new plan on the card, then press the new button.")
	case s.pull == nil:
		return commands.Reply{}, commands.Refuse("opening", op.ID+" is still being opened.")
	}
	if _, complete := counts(s.pull, op.Targets); !complete {
		return commands.Reply{}, commands.Refuse("no_plan", op.ID+" is not planned at this head yet: there is nothing to agree to.")
	}
	if f.approved(op, c.Who, "slack") {
		return commands.Reply{}, commands.Refuse("already", "You have approved this head of "+op.ID+" already.")
	}
	if err := f.markPull(tx, &store.Job{RepoID: op.RepoID, PR: op.PR}); err != nil {
		return commands.Reply{}, err
	}
	return commands.Reply{Private: say(fmt.Sprintf("You approved %s at %s.", op.ID, short(op.Head)))}, f.putOp(tx, op, true)
}

// own refuses to let somebody be the second person to what they chose themselves.
func (f *feature) own(c *commands.Call, op *store.Operation, what string) error {
	if !slices.ContainsFunc(gate.Choosers(op, gate.FromStore(op.Requester)), func(p integrations.Person) bool { return known(c.Catalog, gate.ToStore(p)).Same(c.Who) }) {
		return nil
	}
	did := "asked for " + op.ID
	if op.HeadBy != nil && gate.FromStore(*op.HeadBy).Same(c.Who) {
		did = "chose the head of " + op.ID + ", by pushing to it or taking newer commits in"
	}
	return commands.Refuse("own", fmt.Sprintf("You %s, so somebody else has to %s it.", did, what)).WithHint(f.whoElse(c, op, c.Who))
}

// ownHead does the same for an approval. Where no second person is wanted whoever
// asked may answer for what somebody else pushed; whoever pushed may not anywhere.
func (f *feature) ownHead(c *commands.Call, op *store.Operation) error {
	env, _ := c.Catalog.Environment(op.Environment)
	pushed := op.HeadBy != nil && known(c.Catalog, *op.HeadBy).Same(c.Who)
	if env.Approvals == 0 && op.HeadBy != nil && !pushed {
		return nil
	}
	return f.own(c, op, "approve")
}

func (f *feature) whoElse(c *commands.Call, op *store.Operation, not ...integrations.Person) string {
	var names []string
	for _, p := range c.Catalog.Who("approve", op.Environment) {
		if !slices.ContainsFunc(not, p.Same) {
			names = append(names, p.Name)
		}
	}
	if len(names) == 0 {
		return "Nobody else may approve in " + op.Environment + "; the configuration's policy says who."
	}
	return "These may: " + strings.Join(names, ", ") + "."
}

// approveBlocked lets a merge that skipped a rule go on.
func (f *feature) approveBlocked(tx *store.Tx, c *commands.Call, s subject) (commands.Reply, error) {
	all, err := s.applies(tx)
	if err != nil {
		return commands.Reply{}, err
	}
	env, _ := c.Catalog.Environment(s.op.Environment)
	if err := f.ownHead(c, s.op); err != nil && (env.Approvals > 0 || s.op.HeadBy != nil) {
		return commands.Reply{}, err
	}
	if c.Version != 0 && c.Version != stampBlocked(all) {
		return commands.Reply{}, commands.Refuse("stale", s.op.ID+" is kept by something else than when this button was drawn.").
			WithHint("Look at its card, then press the button there.").WithExample("why " + s.op.ID)
	}
	var done []string
	for _, j := range all {
		if j.State != store.JobBlocked {
			continue
		}
		who := gate.ToStore(c.Who)
		j.ApprovedBy, j.ApprovedFor, j.State, j.Why = &who, append(j.ApprovedFor, without(j.Closed, j.ApprovedFor)...), store.JobQueued, ""
		if err := f.letOn(tx, j); err != nil {
			return commands.Reply{}, err
		}
		done = append(done, j.Target)
	}
	if f.approved(s.op, c.Who, "slack"); len(done) == 0 { // where several have to, each counts
		return commands.Reply{}, commands.Refuse("not_blocked", fmt.Sprintf("%s waits for no approval; it is %s.", s.op.ID, s.op.State))
	}
	return commands.Reply{Private: say("You approved " + strings.Join(done, ", ") + " of " + s.op.ID + ".")}, f.putOp(tx, s.op, true)
}

func (f *feature) confirmVerb() commands.Verb {
	return commands.Verb{
		Name: "confirm", Summary: "Let a job apply a plan that nobody reviewed before the merge", Effect: commands.Changes,
		Args: subjectArg("the job, or its operation"), Flags: []commands.Arg{destroysFlag}, Examples: []string{"confirm job-7"},
		Detail: "It is planned once more before it is applied, and asks again if the plan is not the one that you confirmed.",
		Decide: f.act(f.confirm),
	}
}

// confirm lets the jobs that wait for it go on by the plan that they made at the
// merge. One yes is enough, of somebody who may, and, where a second person is
// wanted, who neither asked nor pushed; also where several have to approve. They
// agreed to the change; this is about what it does now, and it is planned once more
// for it. (What is to be confirmed and by whom: the semantics of an apply, step 5:
// "by an approver, not the requester in production".)
func (f *feature) confirm(tx *store.Tx, c *commands.Call, s subject) (commands.Reply, error) {
	all, err := s.applies(tx)
	if err != nil {
		return commands.Reply{}, err
	}
	if ask, err := f.typeConfirmed(c, s.op, all); err != nil {
		return commands.Reply{}, err
	} else if ask != nil {
		return *ask, nil
	}
	var done []string
	for _, j := range all {
		if j.State != store.JobNeedsConfirm {
			continue
		}
		digest := recordOf(j).Plans.Digest()
		if c.Version != 0 && c.Version != stampOf(digest) {
			return commands.Reply{}, commands.Refuse("stale", "The plan of "+j.ID+" is not the one that this button was drawn for.").WithHint("Look at the newer message, then confirm there.")
		}
		if err := f.ownConfirm(c, s.op, j); err != nil {
			return commands.Reply{}, err
		}
		who := gate.ToStore(c.Who)
		j.ConfirmedDigest, j.ConfirmedBy, j.State, j.Why = digest, &who, store.JobQueued, ""
		if err := tx.PutJob(j); err != nil {
			return commands.Reply{}, err
		}
		if err := f.applyChanged(tx, j, true); err != nil {
			return commands.Reply{}, err
		}
		done = append(done, j.Target)
	}
	if len(done) == 0 {
		return commands.Reply{}, f.notWaiting(s, "a confirmation")
	}
	return commands.Reply{Private: say("Confirmed: " + strings.Join(done, ", ") + " is planned once more and applied if nothing changed.")}, nil
}

// ownConfirm refuses, where a second person is wanted, the confirmation of
// whoever asked for a change, or pushed or wrote a commit that came without a
// pull request.
func (f *feature) ownConfirm(c *commands.Call, op *store.Operation, j *store.Job) error {
	if env, ok := c.Catalog.Environment(op.Environment); ok && env.Approvals == 0 {
		return nil
	}
	if err := f.own(c, op, "confirm"); err != nil {
		return err
	}
	for _, p := range recordOf(j).By {
		if known(c.Catalog, p).Same(c.Who) {
			return commands.Refuse("own", fmt.Sprintf("Commit %s is yours, so somebody else has to confirm it.", short(j.SHA))).WithHint(f.whoElse(c, op, c.Who))
		}
	}
	return nil
}

func (f *feature) notWaiting(s subject, what string) error {
	name, state := "That", ""
	if s.op != nil {
		name, state = s.op.ID, s.op.State
	}
	if s.job != nil {
		name, state = s.job.ID, s.job.State
	}
	return commands.Refuse("not_waiting", fmt.Sprintf("%s does not wait for %s; it is %s.", name, what, state))
}
