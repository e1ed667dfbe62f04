package deploy

import (
	"context"
	"fmt"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/commands/runner"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// In an environment that says `merge: when_green`, an open deploy merges by itself
// once every gate is open, as whoever asked for it and with their rights. The merge
// stays the one trigger of the apply. What destroys something waits for a person.

// selfMergeOf queues the merge by itself of a pull request's operation when nothing
// is in its way any more, and takes it back when something is.
func (f *feature) selfMergeOf(tx *store.Tx, p *store.Pull) error {
	if p.Operation == "" {
		return nil
	}
	op, err := tx.Operation(p.Operation)
	if err != nil || !f.mergesItself(op) || op.MergeAskedBy != nil {
		return err
	}
	green := op.Self == nil || op.Self.Kept == nil && op.Self.Why == ""
	green = green && len(f.selfClosed(tx, op, p)) == 0
	waits := op.Self != nil && !op.Self.At.IsZero()
	switch {
	case green && !waits:
		env, _ := f.Catalog().Environment(op.Environment)
		return f.selfMergeAt(tx, op, f.Clock.Now().Add(env.MergeAfter))
	case !green && waits:
		return f.selfMergeOff(tx, op, nil)
	}
	return nil
}

// mergesItself says whether an operation's environment has it merge by itself.
func (f *feature) mergesItself(op *store.Operation) bool {
	env, ok := f.Catalog().Environment(op.Environment)
	return ok && env.Merge == "when_green" && op.State == store.OpOpen && op.Kind == "deploy" && op.CloseAskedBy == nil
}

// selfClosed is what keeps a deploy from merging by itself.
func (f *feature) selfClosed(tx *store.Tx, op *store.Operation, p *store.Pull) []gate.Closed {
	asked := known(f.Catalog(), op.Requester)
	plans, ready := counts(p, op.Targets)
	switch {
	case p.State != "open" || p.Base != op.Base || p.Head != op.Head || !ready:
		return []gate.Closed{{Gate: "covers", Reason: "it is being planned"}}
	case len(destroys(plans)) > 0:
		return []gate.Closed{{Gate: "destroys", Reason: "it destroys something, which a person has to merge"}}
	case !f.Catalog().May(asked, "merge", op.Environment):
		return []gate.Closed{{Gate: "policy", Reason: fmt.Sprintf("%s may not merge in %s", asked.Display(), op.Environment)}}
	}
	q := f.question(gate.AtMerge, f.Catalog(), op, p)
	q.Shown, q.Actor, q.Explicit = true, asked, true
	return gate.Ask(tx, q)
}

func (f *feature) selfMergeAt(tx *store.Tx, op *store.Operation, at time.Time) error {
	j := &store.Job{Key: fmt.Sprintf("merge|%s|%s|by itself", op.ID, op.Head), Kind: kindMerge, Operation: op.ID, Repo: op.Repo, RepoID: op.RepoID, PR: op.PR,
		SHA: op.Head, Requester: op.Requester, State: store.JobQueued, Created: f.Clock.Now(), NotBefore: at}
	if err := setRecord(j, record{Self: true}); err != nil {
		return err
	}
	j, err := insertFresh(tx, j)
	if err != nil {
		return err
	}
	op.Self = &store.SelfMerge{At: at, Job: j.ID}
	return f.putOp(tx, op, true)
}

// selfMergeOff takes a merge by itself back. What a person keeps stays so until
// somebody merges it or says otherwise.
func (f *feature) selfMergeOff(tx *store.Tx, op *store.Operation, by *store.Person) error {
	if op.Self != nil && op.Self.Job != "" {
		if err := f.endJob(tx, op.Self.Job, "it is kept from merging by itself"); err != nil {
			return err
		}
	}
	op.Self = nil
	if by != nil {
		op.Self = &store.SelfMerge{Kept: by}
	}
	return f.putOp(tx, op, true)
}

// selfMerging begins the merge that was announced, if it still stands. A merge
// that a person asked for goes on in any case.
func (f *feature) selfMerging(ctx context.Context, j *store.Job) (goes bool, err error) {
	if !recordOf(j).Self {
		return true, nil
	}
	err = f.Store.Update(ctx, func(tx *store.Tx) error {
		op, err := tx.Operation(j.Operation)
		if err != nil {
			return err
		}
		began := op.MergeAskedBy != nil && op.Self != nil && op.Self.Job == j.ID
		if goes = began || f.mergesItself(op) && op.MergeAskedBy == nil && op.Self != nil && op.Self.Job == j.ID; !goes || began {
			return nil
		}
		who := op.Requester
		op.MergeAskedBy, op.Note = &who, fmt.Sprintf("Merging by itself, as %s does when nothing is in the way.", op.Environment)
		return f.putOp(tx, op, true)
	})
	return goes, err
}

// keptBack ends a merge by itself that is not to happen any more.
func keptBack(j *store.Job, err error) runner.End {
	if err != nil {
		return again(j, err)
	}
	return runner.End{State: store.JobSuperseded, Why: "it is kept from merging by itself"}
}

// selfMergeFailed notes what came of a merge by itself that did not work. GitHub's
// no is for a person to look at: nothing here would know when to try again.
func (f *feature) selfMergeFailed(op *store.Operation, j *store.Job) {
	if op.Self == nil || op.Self.Job != j.ID {
		return
	}
	op.Self = nil
	if j.Error != "" && op.Head == j.SHA {
		op.Self = &store.SelfMerge{Why: j.Why}
	}
}

// selfLine says when an operation merges by itself, and offers to keep it. nil is
// for those that never do.
func (f *feature) selfLine(op *store.Operation, closed []gate.Closed) (integrations.Rich, []integrations.Button) {
	if !f.mergesItself(op) {
		return nil, nil
	}
	hold := []integrations.Button{{Label: "Hold", Command: "keep " + op.ID}}
	switch s := op.Self; {
	case s != nil && s.Kept != nil:
		return integrations.R("It does not merge by itself: ", integrations.Who(gate.FromStore(*s.Kept)), " keeps it."),
			[]integrations.Button{{Label: "Let it merge", Command: "keep " + op.ID + " --over"}}
	case s != nil && s.Why != "":
		return integrations.R("It does not merge by itself: look at what GitHub says, then press Merge."), nil
	case s != nil && !s.At.IsZero():
		return integrations.R(fmt.Sprintf("It merges by itself at %s, unless somebody presses Hold.", s.At.UTC().Format("15:04:05 MST"))), hold
	case len(closed) > 0:
		return integrations.R("It merges by itself when nothing is in the way any more."), hold
	}
	return nil, nil
}

func (f *feature) keepVerb() commands.Verb {
	return commands.Verb{
		Name: "keep", Summary: "Keep an open deploy from merging by itself", Effect: commands.Changes, Right: "deploy",
		Args:     subjectArg("the operation or its pull request"),
		Flags:    []commands.Arg{{Name: "over", Kind: commands.ArgBool, Optional: true, Help: "let it merge by itself again"}},
		Examples: []string{"keep op-3", "keep op-3 --over"},
		Detail:   "It stays open until somebody merges it, or lets it go on. Others can be kept from a place with lock and freeze.",
		Halts:    true,
		Decide: func(_ context.Context, c *commands.Call) (commands.Act, error) {
			return func(tx *store.Tx) (commands.Reply, error) { return f.keep(tx, c) }, nil
		},
	}
}

func (f *feature) keep(tx *store.Tx, c *commands.Call) (commands.Reply, error) {
	sub, err := f.findOne(tx, c)
	if err != nil {
		return commands.Reply{}, err
	}
	op := sub.op
	if op == nil {
		return commands.Reply{}, commands.Refuse("no_operation", c.Arg("subject")+" was not opened from here, so it never merges by itself.").WithExample("status")
	}
	reply := commands.Reply{Subject: op.ID, Service: op.Service, Environment: op.Environment}
	if err := commands.Allow(c, "deploy", op.Environment); err != nil {
		return reply, err
	}
	switch {
	case op.State != store.OpOpen:
		return reply, commands.Refuse("not_open", fmt.Sprintf("%s is %s, so there is no merge to keep it from.", op.ID, op.State)).WithExample("status " + op.ID)
	case op.MergeAskedBy != nil:
		return reply, commands.Refuse("merging", fmt.Sprintf("%s is being merged already.", op.ID)).WithHint("Its apply can be interrupted.").WithExample("cancel " + op.ID)
	case !f.mergesItself(op):
		return reply, commands.Refuse("by_hand", fmt.Sprintf("%s does not merge by itself: in %s somebody has to press Merge.", op.ID, op.Environment)).WithExample("status " + op.ID)
	}
	if c.Arg("over") != "" {
		op.Self = nil
		if err := f.putOp(tx, op, true); err != nil {
			return reply, err
		}
		reply.Private = say(fmt.Sprintf("%s merges by itself again.", op.ID))
		return reply, f.selfMergeOf(tx, sub.pull)
	}
	who := gate.ToStore(c.Who)
	reply.Private = say(fmt.Sprintf("%s stays open until somebody merges it.", op.ID))
	return reply, f.selfMergeOff(tx, op, &who)
}
