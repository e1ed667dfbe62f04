package deploy

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/commands/runner"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

func (f *feature) cancelVerb() commands.Verb {
	return commands.Verb{
		Name: "cancel", Aliases: []string{"abort"}, Summary: "Close a deploy pull request, drop a queued job or interrupt a running one", Effect: commands.Changes, Halts: true,
		Args: subjectArg("the operation, its pull request, or a job"), Examples: []string{"cancel op-3", "cancel job-7"},
		Detail: "A running apply is interrupted once and may take its time to stop cleanly. Cancelling it again kills it, and then nobody knows how far it came. A pull request stands for all that its merge began.",
		Flags:  []commands.Arg{{Name: "kill", Kind: commands.ArgBool, Optional: true, Help: "end an interrupted apply at once, leaving it unknown"}},
		Decide: f.actAll(f.cancel),
	}
}

func (f *feature) cancel(tx *store.Tx, c *commands.Call, s subject) (commands.Reply, error) {
	if s.op == nil && s.job == nil {
		return commands.Reply{}, commands.Refuse("no_operation", "That pull request was not opened from here; close it on GitHub.")
	}
	if s.op != nil && (s.op.State == store.OpOpen || s.op.State == store.OpOpening) && s.job == nil {
		return f.cancelOpen(tx, c, s.op)
	}
	jobs := []*store.Job{s.job}
	if s.job == nil {
		var err error
		if jobs, err = s.applies(tx); err != nil {
			return commands.Reply{}, err
		}
	}
	var did []string
	for _, j := range jobs {
		j, err := tx.Job(j.ID) // the end of one before it may have changed it: a later wave is asked at once
		if err != nil {
			return commands.Reply{}, err
		}
		if err := cancellable(j); err != nil {
			return commands.Reply{}, err
		}
		say, err := f.cancelJob(tx, c, j)
		if err != nil {
			return commands.Reply{}, err
		}
		if say != "" {
			did = append(did, say)
		}
	}
	if len(did) == 0 {
		return commands.Reply{}, commands.Refuse("over", fmt.Sprintf("There is nothing left to cancel: %s is over.", c.Arg("subject")))
	}
	return commands.Reply{Private: say(strings.Join(did, " "))}, nil
}

func (f *feature) cancelOpen(tx *store.Tx, c *commands.Call, op *store.Operation) (commands.Reply, error) {
	if op.CloseAskedBy != nil {
		return commands.Reply{}, commands.Refuse("closing", fmt.Sprintf("%s is being cancelled: %s asked first.", op.ID, gate.FromStore(*op.CloseAskedBy).Display()))
	}
	if j, err := waitingMerge(tx, op); err != nil {
		return commands.Reply{}, err
	} else if op.MergeAskedBy != nil && j != nil {
		return f.dropMerge(tx, c, op, j)
	}
	if op.MergeAskedBy != nil {
		return commands.Reply{}, commands.Refuse("merging", fmt.Sprintf("%s is being merged, as %s asked; cancel its apply when it has begun.", op.ID, gate.FromStore(*op.MergeAskedBy).Display()))
	}
	if err := f.closeOpen(tx, c, op, "Closing the pull request, as "+c.Who.Display()+" asked."); err != nil {
		return commands.Reply{}, err
	}
	return commands.Reply{Private: say("Cancelling " + op.ID + ".")}, nil
}

// closeOpen has an operation's pull request closed. One that waits for its turn
// has none and is closed at once; one that is still being opened closes as soon
// as it has a number.
func (f *feature) closeOpen(tx *store.Tx, c *commands.Call, op *store.Operation, note string) error {
	who := gate.ToStore(c.Who)
	if op.CloseAskedBy, op.Note = &who, note; op.Waits != "" {
		op.Waits, op.State, op.Ended = "", store.OpClosed, f.Clock.Now()
		if !strings.HasPrefix(note, supersededBy) {
			op.Note = "Cancelled by " + c.Who.Display() + " before a pull request was opened."
		}
		return f.putOp(tx, op, true)
	}
	_, _, err := tx.InsertJob(&store.Job{Key: fmt.Sprintf("close|%s|%d", op.ID, c.Event), Kind: kindClose, Operation: op.ID, Repo: op.Repo, RepoID: op.RepoID, PR: op.PR,
		Requester: who, State: store.JobQueued, Created: f.Clock.Now()})
	if err != nil {
		return err
	}
	return f.putOp(tx, op, true)
}

// cancellable refuses to stop what keeps signalbox's own books, or what is a
// moment from being over.
func cancellable(j *store.Job) error {
	switch {
	case j.Terminal(), j.Kind == kindApply, j.Kind == kindRevert, j.Kind == kindMend, j.Kind == kindPlan, j.Kind == kindMerge && j.State == store.JobQueued:
		return nil
	case j.Operation != "":
		return commands.Refuse("not_cancellable", fmt.Sprintf("%s (%s) is not stopped by itself.", j.ID, j.Kind)).
			WithHint("Cancel what it belongs to.").WithExample("cancel " + j.Operation)
	}
	return commands.Refuse("not_cancellable", fmt.Sprintf("%s (%s) is signalbox's own and ends by itself.", j.ID, j.Kind)).WithExample("status")
}

// changed brings a job that a person stopped to what it belongs to.
func (f *feature) changed(tx *store.Tx, j *store.Job) error {
	switch j.Kind {
	case kindApply:
		return f.applyChanged(tx, j, true)
	case kindMerge:
		return f.mergeChanged(tx, j, true)
	case kindRevert:
		return f.revertChanged(tx, j, true)
	case kindMend:
		return f.mendChanged(tx, j, true)
	}
	return f.planChanged(tx, j, true)
}

// cancelJob drops a job that waits and interrupts one that runs.
func (f *feature) cancelJob(tx *store.Tx, c *commands.Call, j *store.Job) (string, error) {
	who := gate.ToStore(c.Who)
	switch j.State {
	case store.JobQueued, store.JobBlocked, store.JobNeedsConfirm:
		j.State, j.Why, j.Ended, j.CancelledBy = store.JobCancelled, "cancelled by "+c.Who.Display(), f.Clock.Now(), &who
		if err := tx.PutJob(j); err != nil {
			return "", err
		}
		return "Dropped " + j.ID + ".", f.changed(tx, j)
	case store.JobPreparing, store.JobDispatching, store.JobRunning:
	case store.JobUnknown:
		if left, err := runner.Leftovers(j); err == nil && left > 0 {
			j.Interrupts, j.CancelledBy = max(2, j.Interrupts+1), &who
			return "Ending what " + j.ID + " left running.", tx.PutJob(j)
		}
		return "", lost(j)
	default:
		return "", nil
	}
	if j.Interrupts > 0 && c.Arg("kill") == "" {
		return "", commands.Refuse("interrupted", fmt.Sprintf("%s was interrupted already and is stopping.", j.ID)).
			WithHint("Killing it leaves its target in a state that nobody knows.").
			WithButtons(integrations.Button{Label: "Abort", Command: "cancel " + j.ID + " --kill", Style: "danger", Confirm: "Kill " + j.ID + " at once? Nobody will know how far it came."})
	}
	if j.Interrupts == 0 && c.Arg("kill") != "" {
		return "", commands.Refuse("not_interrupted", j.ID+" has not been asked to stop yet.").WithExample("cancel " + j.ID)
	}
	j.Interrupts++
	j.CancelledBy = &who
	if err := tx.PutJob(j); err != nil {
		return "", err
	}
	if j.Kind == kindApply {
		if err := f.applyChanged(tx, j, true); err != nil {
			return "", err
		}
	}
	if j.Interrupts > 1 {
		return "Killing " + j.ID + ".", nil
	}
	return "Interrupting " + j.ID + "; it stops when its tool has cleaned up.", nil
}

// lost refuses what cannot be done to a job of which nobody knows how it ended.
func lost(j *store.Job) error {
	return commands.Refuse("unknown", j.ID+" is not running any more; nobody knows how far it came.").
		WithHint("Look at " + j.Target + " itself, then say what it was: succeeded, failed or retry.").WithExample("resolve " + j.ID + " failed")
}

func (f *feature) retryVerb() commands.Verb {
	return commands.Verb{
		Name: "retry", Summary: "Try again what failed, or what was blocked", Effect: commands.Changes,
		Args: subjectArg("the operation or one of its jobs"), Flags: append([]commands.Arg{hereFlag}, reserveFlags...), Examples: []string{"retry op-3", "retry job-7", "retry job-7 --here"},
		Detail: "An apply is planned again first, from the same merge commit. What a CI was to do that cannot be reached, --here does on my machine, where the target's local says how; it asks for the right force.",
		Decide: f.act(f.retry),
	}
}

func (f *feature) retry(tx *store.Tx, c *commands.Call, s subject) (commands.Reply, error) {
	jobs, err := s.applies(tx)
	if err != nil {
		return commands.Reply{}, err
	}
	if s.op != nil && s.job == nil && s.op.Kind == "deploy" && s.op.State == store.OpFailed && s.op.PR == 0 {
		return f.retryOpening(tx, c, s.op)
	}
	var did []string
	for _, j := range jobs {
		ok, err := f.retryJob(tx, c, j, s.job != nil)
		if err != nil {
			return commands.Reply{}, err
		}
		if ok {
			did = append(did, j.Target)
		}
	}
	if len(did) == 0 {
		return commands.Reply{}, f.notWaiting(s, "a retry")
	}
	return commands.Reply{Private: say("Trying again: " + strings.Join(did, ", ") + ".")}, nil
}

// retryJob queues a job again. What a cancel dropped was dropped on purpose, so
// it comes back only when it is named; what was never started because an earlier
// wave failed comes back with that.
func (f *feature) retryJob(tx *store.Tx, c *commands.Call, j *store.Job, named bool) (bool, error) {
	if j.Kind != kindApply && j.Kind != kindPlan {
		return false, nil
	}
	switch j.State {
	case store.JobFailed, store.JobExpired, store.JobBlocked:
	case store.JobUnknown:
		return false, lost(j)
	case store.JobCancelled:
		if !named && j.Attempt == 0 && !j.Skipped {
			return false, nil
		}
	default:
		return false, nil
	}
	if j.Kind == kindPlan {
		return false, commands.Refuse("plan", "A plan is made again by its own verb.").WithExample(fmt.Sprintf("plan #%d", j.PR))
	}
	if err := settles(tx, c, j, store.JobQueued); err != nil {
		return false, err
	}
	if err := f.askHere(c, j); err != nil {
		return false, err
	}
	last, ok, err := store.Feature[gate.Attempted](tx, gate.AttemptedFeature).Get(j.Target)
	if err != nil {
		return false, err
	}
	if ok && last.Order > j.Order {
		return false, commands.Refuse("behind", fmt.Sprintf("%s lies behind %s, which %s has begun on %s since.", j.ID, short(last.SHA), last.Job, j.Target)).
			WithHint("To go back to it, open a pull request that reverts what came after.")
	}
	j.State, j.Why, j.Ended, j.NotBefore, j.CancelledBy = store.JobQueued, "tried again by "+c.Who.Display(), time.Time{}, time.Time{}, nil
	j.Again, j.Skipped, j.Phase, j.Interrupts = true, false, "", 0 // this attempt has begun nothing yet
	if err := tx.PutJob(j); err != nil {
		return false, err
	}
	return true, f.applyChanged(tx, j, true)
}

func (f *feature) retryOpening(tx *store.Tx, c *commands.Call, op *store.Operation) (commands.Reply, error) {
	if err := f.mayBegin(tx, c, op); err != nil {
		return commands.Reply{}, err
	}
	op.State, op.Note, op.CloseAskedBy = store.OpOpening, "Opening is tried again by "+c.Who.Display()+".", nil
	op.Ended = time.Time{}
	if op.Waits == "" {
		if err := f.queueOpen(tx, op, strconv.FormatUint(c.Event, 10)); err != nil {
			return commands.Reply{}, err
		}
	}
	return commands.Reply{Private: say("Trying again to open " + op.ID + ".")}, f.putOp(tx, op, true)
}

func (f *feature) resolveVerb() commands.Verb {
	return commands.Verb{
		Name: "resolve", Summary: "Say what an interrupted apply was: succeeded, failed, or to be tried again", Effect: commands.Changes,
		Args: append(subjectArg("the unknown job, or its operation"),
			commands.Arg{Name: "outcome", Kind: commands.ArgWord, Keyword: "as", Help: "succeeded, failed or retry"}),
		Examples: []string{"resolve job-7 succeeded", "resolve job-7 failed", "resolve job-7 retry"},
		Detail:   "Look at the real thing first. Until somebody chooses, the target stays locked.",
		Decide:   f.act(f.resolve),
	}
}

// resolve ends an unknown job as a person says it was. Saying so frees the run
// lock; a retry plans again first.
func (f *feature) resolve(tx *store.Tx, c *commands.Call, s subject) (commands.Reply, error) {
	state, ok := map[string]string{"succeeded": store.JobSucceeded, "failed": store.JobFailed, "retry": store.JobQueued}[integrations.Fold(c.Arg("outcome"))]
	if !ok {
		return commands.Reply{}, commands.Refuse("unknown_outcome", fmt.Sprintf("“%s” is no outcome.", c.Arg("outcome"))).
			WithHint("Say succeeded, failed or retry.").WithExample("resolve " + c.Arg("subject") + " failed")
	}
	all, err := s.applies(tx)
	if err != nil {
		return commands.Reply{}, err
	}
	var did []string
	for _, j := range all {
		if j.State != store.JobUnknown {
			continue
		}
		if left, err := runner.Leftovers(j); err != nil || left > 0 {
			return commands.Reply{}, commands.Refuse("running", fmt.Sprintf("Processes of %s are still running, so it is not over.", j.ID)).
				WithHint("Cancel them first.").WithExample("cancel " + j.ID)
		}
		if err := settles(tx, c, j, state); err != nil {
			return commands.Reply{}, err
		}
		who := gate.ToStore(c.Who)
		j.State, j.Ended, j.CancelledBy = state, f.Clock.Now(), &who
		j.Why = c.Who.Display() + " looked and said: " + integrations.Fold(c.Arg("outcome"))
		if state == store.JobQueued {
			j.Ended, j.Again, j.Phase = time.Time{}, true, ""
		}
		if err := tx.DropRunLock(j.Target, j.ID); err != nil {
			return commands.Reply{}, err
		}
		if err := tx.PutJob(j); err != nil {
			return commands.Reply{}, err
		}
		if err := f.changed(tx, j); err != nil {
			return commands.Reply{}, err
		}
		did = append(did, j.Target)
	}
	if len(did) == 0 {
		return commands.Reply{}, f.notWaiting(s, "anybody to say how it ended")
	}
	if state == store.JobQueued {
		return commands.Reply{Private: say("Trying again: " + strings.Join(did, ", ") + ".")}, nil
	}
	return commands.Reply{Private: say("Noted: " + strings.Join(did, ", ") + " " + state + ".")}, nil
}

func (f *feature) logVerb() commands.Verb {
	return commands.Verb{
		Name: "log", Aliases: []string{"logs", "output"}, Summary: "Show the end of a job's log", Effect: commands.Reads,
		Args: subjectArg("the job, or its operation"), Examples: []string{"log job-7", "log op-3"},
		Decide: func(_ context.Context, c *commands.Call) (commands.Act, error) {
			return func(tx *store.Tx) (commands.Reply, error) {
				sub, err := f.findOne(tx, c)
				if err != nil {
					return commands.Reply{}, err
				}
				return f.showLog(tx, sub)
			}, nil
		},
	}
}

func (f *feature) showLog(tx *store.Tx, s subject) (commands.Reply, error) {
	jobs, err := s.applies(tx)
	if err != nil {
		return commands.Reply{}, err
	}
	if s.job == nil && s.pull != nil {
		for _, t := range s.pull.Targets {
			if j, err := tx.Job(s.pull.Plans[t].Job); err == nil && j.Tail != "" {
				jobs = append(jobs, j)
			}
		}
	}
	m := integrations.Message{}
	for _, j := range jobs {
		if j.Tail == "" {
			continue
		}
		head := fmt.Sprintf("%s %s of %s, attempt %d: %s", j.ID, j.Kind, j.Target, j.Attempt, j.State)
		m.Text += head + "\n"
		m.Blocks = append(m.Blocks, integrations.Block{Text: integrations.R(integrations.Bold(head))}, integrations.Block{Code: j.Tail})
	}
	if m.Text == "" {
		return commands.Reply{}, commands.Refuse("no_log", "There is no log of that yet.")
	}
	return commands.Reply{Private: &m}, nil
}
