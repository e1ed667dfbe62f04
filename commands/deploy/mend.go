package deploy

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/commands/runner"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// A step may meet something that a person can have set right from here, or leave it
// behind. It offers that (integrations.Mender), the job's record keeps the offer, and
// whoever may force things takes it up: a job of its own then does it, in the tree and
// with the credentials of the run that met it. No machine takes an offer up.

// rightForce is the right that this asks for, as a lock of somebody else does.
const rightForce = "force"

func (f *feature) mendVerb() commands.Verb {
	return commands.Verb{
		Name: "mend", Summary: "Set right what a plan or an apply met, or could not put down: what its card offers", Effect: commands.Changes, Right: rightForce,
		Args: append(subjectArg("the job that offers it, or its operation"),
			commands.Arg{Name: "what", Kind: commands.ArgWord, Optional: true, Help: "the word of the offer, where there are several: unlock, say"}),
		Examples: []string{"mend job-7", "mend job-7 unlock"},
		Detail: "Terraform offers to release a state lock whose holder is gone, and to save a state that an apply could not save. " +
			"Look first that nobody is at work there. It is posted and on record, and does exactly what was offered: another lock that is held by then stays.",
		Decide: func(_ context.Context, c *commands.Call) (commands.Act, error) {
			return func(tx *store.Tx) (commands.Reply, error) {
				s, err := f.findOne(tx, c)
				if err != nil {
					return commands.Reply{}, err
				}
				return f.askMend(tx, c, s)
			}, nil
		},
	}
}

// askMend queues a job that does what was offered.
func (f *feature) askMend(tx *store.Tx, c *commands.Call, s subject) (commands.Reply, error) {
	from, o, err := f.findOffer(tx, c, s)
	if err != nil {
		return commands.Reply{}, err
	}
	t, ok := c.Catalog.Target(from.Target)
	reply := commands.Reply{Subject: from.ID, Target: from.Target, Environment: t.Environment}
	if !ok {
		return reply, commands.Refuse("unknown_target", fmt.Sprintf("There is no target “%s” any more.", from.Target))
	}
	if err := commands.Allow(c, rightForce, t.Environment); err != nil {
		return reply, err
	}
	if c.Version != 0 && c.Version != stampOf(o.Key) {
		return reply, commands.Refuse("stale", "It is not what this button was drawn for any more.").WithHint("Look at the card, then press the new button.")
	}
	if left, err := runner.Leftovers(from); err != nil || left > 0 {
		return reply, commands.Refuse("running", fmt.Sprintf("Processes of %s are still running, so it is not over.", from.ID)).
			WithHint("Cancel them first.").WithExample("cancel " + from.ID)
	}
	j := &store.Job{Key: fmt.Sprintf("mend|%s|%d|%s|%d", from.ID, from.Attempt, o.Kind, c.Event), Kind: kindMend, Target: from.Target, Operation: from.Operation,
		Repo: from.Repo, RepoID: from.RepoID, PR: from.PR, SHA: from.SHA, Base: from.Base, Requester: gate.ToStore(c.Who), State: store.JobQueued, Created: f.Clock.Now()}
	if from.State != store.JobUnknown { // which keeps the target's run lock itself
		j.Locks, j.Order = true, 1 // before all that waits for what this sets right
	}
	if err := setRecord(j, record{From: from.ID, Mend: &o}); err != nil {
		return reply, err
	}
	inserted, j, err := insertOnce(tx, j)
	if err != nil || !inserted {
		return reply, err
	}
	rec := recordOf(from)
	rec.taken(o, j)
	if err := setRecord(from, rec); err != nil {
		return reply, err
	}
	if err := tx.PutJob(from); err != nil {
		return reply, err
	}
	channel, err := f.mendRoom(tx, c, from)
	if err != nil {
		return reply, err
	}
	err = tell.Open(tx, store.Surface{ID: tell.ID(placeMessage, j.ID, cardMend), Place: placeMessage, Card: cardMend, Subject: j.ID, Where: map[string]string{"channel": channel}})
	reply.Private = say(fmt.Sprintf("%s sets that right on %s. It is posted.", j.ID, from.Target))
	return reply, errors.Join(err, f.markOffers(tx, from))
}

// insertOnce inserts a job whose key may be there when the transaction is run again.
func insertOnce(tx *store.Tx, j *store.Job) (bool, *store.Job, error) {
	inserted, there, err := tx.InsertJob(j)
	if inserted || err != nil {
		return inserted, j, err
	}
	return false, there, nil
}

func (f *feature) mendRoom(tx *store.Tx, c *commands.Call, from *store.Job) (string, error) {
	if from.Operation == "" {
		return c.Heard.Channel, nil
	}
	op, err := tx.Operation(from.Operation)
	if err != nil {
		return "", err
	}
	return f.directRoom(c, op), nil
}

// findOffer is the one that a call means.
func (f *feature) findOffer(tx *store.Tx, c *commands.Call, s subject) (*store.Job, offered, error) {
	jobs, err := s.applies(tx)
	if err != nil {
		return nil, offered{}, err
	}
	if s.job == nil && s.pull != nil {
		for _, name := range expected(s.pull, s.op) {
			j, err := tx.Job(s.pull.Plans[name].Job)
			if err == nil {
				jobs = append(jobs, j)
			} else if !errors.Is(err, store.ErrNotFound) {
				return nil, offered{}, err
			}
		}
	}
	type found struct {
		j *store.Job
		o offered
	}
	var all []found
	for _, j := range jobs {
		for _, o := range offersOf(j) {
			if what := integrations.Fold(c.Arg("what")); what == "" || what == o.Kind {
				all = append(all, found{j, o})
			}
		}
	}
	open := slices.DeleteFunc(slices.Clone(all), func(w found) bool { return w.o.Done != "" })
	switch {
	case len(open) > 1:
		var buttons []integrations.Button
		for _, w := range open {
			buttons = append(buttons, mendButton(w.j, w.o))
		}
		return nil, offered{}, commands.Refuse("several", fmt.Sprintf("%s offers several things.", c.Arg("subject"))).WithHint("Say which.").WithButtons(buttons...)
	case len(open) == 0 && len(all) > 0:
		last := all[len(all)-1]
		return nil, offered{}, commands.Refuse("mended", fmt.Sprintf("That is done, by %s: %s", last.o.Job, last.o.Done))
	case len(open) == 0:
		return nil, offered{}, commands.Refuse("nothing_to_mend", fmt.Sprintf("%s offers nothing of that kind to set right.", c.Arg("subject"))).
			WithHint("Its card says what stands in the way.").WithExample("status")
	}
	if by, err := mending(tx, open[0].o); err != nil {
		return nil, offered{}, err
	} else if by != nil {
		return nil, offered{}, commands.Refuse("mending", fmt.Sprintf("%s is at it already, as %s asked.", by.ID, gate.FromStore(by.Requester).Display()))
	}
	return open[0].j, open[0].o, nil
}

// mendGate asks once more whether what is to be done is still offered.
func (f *feature) mendGate(tx *store.Tx, j *store.Job, _ any) (runner.Verdict, error) {
	rec := recordOf(j)
	from, err := tx.Job(rec.From)
	if err != nil {
		return runner.Go, err
	}
	still := slices.ContainsFunc(offersOf(from), func(o offered) bool { return o.same(*rec.Mend) && o.Key == rec.Mend.Key && o.Done == "" })
	if !still || !j.Locks && from.State != store.JobUnknown {
		return runner.Verdict{State: store.JobCancelled, Why: "never started: " + from.ID + " does not offer it any more"}, nil
	}
	return runner.Go, nil
}

// mend does what was offered. As its step looks first, it is asked for again when it was
// interrupted, and never unknown.
func (f *feature) mend(ctx context.Context, r *runner.Run) runner.End {
	o := *recordOf(r.Job).Mend
	from, err := f.job(recordOf(r.Job).From)
	if err != nil {
		return runner.Failed(err)
	}
	t, ok := f.Catalog().Target(r.Job.Target)
	if !ok || o.Step >= len(t.Steps) || t.Steps[o.Step].Describe() != o.By {
		return runner.Failed(fmt.Errorf("the steps of %s are others than they were", r.Job.Target))
	}
	by, can := t.Steps[o.Step].(integrations.Mender)
	if !can {
		return runner.Failed(fmt.Errorf("%s sets nothing right", o.By))
	}
	tree := filepath.Join(r.Dir(), "tree")
	if r.Resumed {
		r.OnClean(func(ctx context.Context) error { return f.Trees.Remove(ctx, r.Job.Repo, tree) })
	} else if tree, err = f.checkout(ctx, r); err != nil {
		return again(r.Job, err)
	}
	run := f.step(r, t, tree, o.Step, credentials(t, from))
	run.Keep = keepOf(from, o.Step)
	if err := makeDir(run.Work); err != nil {
		return runner.Failed(err)
	}
	did, err := by.Mend(ctx, run, o.Offer)
	switch {
	case errors.Is(err, integrations.ErrUnknown):
		err = fmt.Errorf("%s was interrupted; when it is asked for again, it looks first whether it came through", o.Label)
		return runner.Failed(err)
	case err != nil:
		end := runner.Failed(err)
		end.Save = f.offerAnew(o, err)
		return end
	}
	return runner.End{State: store.JobSucceeded, Why: did, Save: f.noteMended(o, did)}
}

// credentials are those of the run that made an offer: what was not merged is never run
// with more than those of a plan, which takes and gives back the same lock.
func credentials(t integrations.Target, from *store.Job) map[string]integrations.Secret {
	if from.Kind == kindApply {
		return t.ApplyEnv
	}
	return t.PlanEnv
}

// noteMended notes with the job that made the offer that it was done, and has what an
// unknown one left looked at again.
func (f *feature) noteMended(o offered, did string) func(*store.Tx, *store.Job) error {
	return func(tx *store.Tx, j *store.Job) error {
		return f.changeOffers(tx, j, func(from *store.Job, rec *record) error {
			rec.done(o, j, did)
			if from.State != store.JobUnknown {
				return nil
			}
			rec.Probe = "" // it is not true any more
			return f.queueProbe(tx, from, j.ID)
		})
	}
}

// offerAnew offers, of a mend that did not work, what it met itself.
func (f *feature) offerAnew(o offered, cause error) func(*store.Tx, *store.Job) error {
	met := integrations.Offers(cause)
	return func(tx *store.Tx, j *store.Job) error {
		return f.changeOffers(tx, j, func(_ *store.Job, rec *record) error {
			for _, offer := range met {
				rec.offer(offered{Offer: offer, Step: o.Step, By: o.By, Attempt: o.Attempt})
			}
			return nil
		})
	}
}

// changeOffers changes what the job offers that a mend is about.
func (f *feature) changeOffers(tx *store.Tx, j *store.Job, change func(from *store.Job, rec *record) error) error {
	from, err := tx.Job(recordOf(j).From)
	if err != nil {
		return err
	}
	rec := recordOf(from)
	if err := change(from, &rec); err != nil {
		return err
	}
	if err := setRecord(from, rec); err != nil {
		return err
	}
	return tx.PutJob(from)
}

func (f *feature) mendChanged(tx *store.Tx, j *store.Job, urgent bool) error {
	from, err := tx.Job(recordOf(j).From)
	if err != nil {
		return err
	}
	return errors.Join(tell.Mark(tx, j.ID, urgent), f.markOffers(tx, from))
}

// markOffers has everything shown anew that shows what a job offers.
func (f *feature) markOffers(tx *store.Tx, from *store.Job) error {
	err := errors.Join(tell.Mark(tx, from.ID, true), f.markPull(tx, from))
	if from.Operation != "" {
		err = errors.Join(err, tell.Mark(tx, from.Operation, true))
	}
	if l, _, lerr := store.Feature[look](tx, lookFeature).Get(from.Target); lerr != nil || l.Blind != "" {
		err = errors.Join(err, lerr, tell.Mark(tx, l.Blind, true))
	}
	return err
}

// settles refuses to have a job tried again, or said to be over, while something is
// being set right in it, and a retry that would do harm as long as something is not:
// unless its button said so, which is drawn for that.
func settles(tx *store.Tx, c *commands.Call, j *store.Job, state string) error {
	for _, o := range offersOf(j) {
		by, err := mending(tx, o)
		switch {
		case err != nil:
			return err
		case by != nil:
			return commands.Refuse("mending", fmt.Sprintf("%s is setting something right in %s; wait for it.", by.ID, j.ID)).WithExample("log " + by.ID)
		case state == store.JobQueued && o.Retry != "" && o.Done == "" && c.Version != stampOf(o.Key):
			return commands.Refuse("harm", fmt.Sprintf("%s is not tried again just so: %s.", j.ID, o.Retry)).
				WithHint("Set that right first.").WithButtons(mendButton(j, o), retryOver(j, o))
		}
	}
	return nil
}

// unknownWhy says why nobody knows how an apply ended.
func unknownWhy(err error) string {
	var words []string
	for _, o := range integrations.Offers(err) {
		words = append(words, o.Words)
	}
	if len(words) > 0 {
		return strings.Join(words, "; ")
	}
	return "it was interrupted while it changed things, and nobody can tell how far it came"
}
