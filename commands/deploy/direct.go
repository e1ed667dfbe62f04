package deploy

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/commands/runner"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// A direct rollback goes past git: an applier that can sets its target back to the
// revision that an earlier apply recorded. It needs neither GitHub nor a plan, and
// so leaves the target dirty, as handwork does, until git says the same.

// rightDirect is the right of its own that this asks for, besides rollback.
const rightDirect = "rollback-direct"

const (
	kindRevert = "revert" // one target back to a recorded revision
	cardDirect = "direct"
)

var directFlag = commands.Arg{Name: "direct", Kind: commands.ArgBool, Optional: true,
	Help: "go back at once and without git, where the applier can; the target is dirty until git agrees"}

// directly is what such a job has to do.
type directly struct {
	Revisions []string `json:"revisions"` // by step
	To        string   `json:"to"`        // what comes back, in words
	From      string   `json:"from"`      // the operation that is taken back
	Reason    string   `json:"reason"`
	Hold      string   `json:"hold,omitempty"`
}

// decideDirect takes a service back without git, all its targets or none.
func (f *feature) decideDirect(c *commands.Call) commands.Act {
	return func(tx *store.Tx) (commands.Reply, error) {
		b, err := f.whatBack(tx, c)
		if err != nil {
			return commands.Reply{}, err
		}
		op := b.undo
		reply := commands.Reply{Subject: op.ID, Service: op.Service, Environment: op.Environment}
		if err := commands.Allow(c, rightDirect, op.Environment); err != nil {
			return reply, err
		}
		if strings.TrimSpace(c.Arg("reason")) == "" {
			return reply, commands.Refuse("no_reason", "Going back past git needs a reason: everybody will read it.").
				WithExample(fmt.Sprintf(`rollback %s --direct "the shop is down, and GitHub too"`, op.ID))
		}
		jobs, err := f.reverts(tx, c, b)
		if err != nil {
			return reply, err
		}
		q := f.question(gate.AtCommand, c.Catalog, op, nil)
		q.Op, q.Actor, q.Requester, q.Explicit = nil, c.Who, c.Who, true
		if closed := gate.Ask(tx, q, "freeze", "hold"); len(closed) > 0 {
			return reply, heldRefusal(tx, c, op.Environment, closed)
		}
		for _, j := range jobs {
			if _, _, err := tx.InsertJob(j); err != nil {
				return reply, err
			}
			err := tell.Open(tx, store.Surface{ID: tell.ID(placeMessage, j.ID, cardDirect), Place: placeMessage, Card: cardDirect, Subject: j.ID,
				Where: map[string]string{"channel": f.directRoom(c, op)}})
			if err != nil {
				return reply, err
			}
		}
		reply.Private = say(fmt.Sprintf("Taking %s in %s back to %s, past git. It is posted.", op.Service, op.Environment, b.to.told()))
		return reply, nil
	}
}

func (f *feature) directRoom(c *commands.Call, op *store.Operation) string {
	if op.Channel != "" {
		return op.Channel
	}
	return c.Heard.Channel
}

// reverts makes the jobs, one for each target; a target that cannot go back keeps
// all of them from it.
func (f *feature) reverts(tx *store.Tx, c *commands.Call, b back) ([]*store.Job, error) {
	if b.infra {
		return nil, commands.Refuse("not_direct", fmt.Sprintf("%s was merged by people on GitHub; what it changed goes back by git alone.", b.undo.ID)).WithExample("rollback " + b.undo.ID)
	}
	var jobs []*store.Job
	for _, name := range b.undo.Targets {
		t, ok := c.Catalog.Target(name)
		if !ok {
			return nil, commands.Refuse("unknown_target", fmt.Sprintf("There is no target “%s” any more.", name))
		}
		for _, s := range t.Steps {
			if _, can := s.(integrations.Reverter); !can {
				return nil, f.byGit(b, fmt.Sprintf("%s is applied by %s, which cannot go back past git: what it would go back to stands in the repository alone.", t.Name, s.Describe()))
			}
		}
		revisions, err := revisionsOf(tx, b.to.op, t.Name)
		if err != nil {
			return nil, err
		}
		if len(revisions) != len(t.Steps) || len(revisions) == 0 {
			return nil, f.byGit(b, fmt.Sprintf("No revision of %s is on record for %s, so there is nothing to set it back to.", t.Name, b.to.told()))
		}
		j := &store.Job{Key: fmt.Sprintf("revert|%s|%d", t.Name, c.Event), Kind: kindRevert, Target: t.Name, Locks: true, Operation: b.undo.ID,
			Repo: b.undo.Repo, RepoID: b.undo.RepoID, SHA: b.to.merge, Base: b.undo.Base, Requester: gate.ToStore(c.Who), State: store.JobQueued, Created: f.Clock.Now()}
		if err := setRecord(j, record{Direct: &directly{Revisions: revisions, To: b.to.told(), From: b.undo.ID, Reason: strings.TrimSpace(c.Arg("reason"))}}); err != nil {
			return nil, err
		}
		jobs = append(jobs, j)
	}
	return jobs, nil
}

// byGit refuses, and offers the rollback that goes by a pull request.
func (f *feature) byGit(b back, why string) error {
	return commands.Refuse("not_direct", why).WithHint("Roll it back by a pull request; if GitHub is away, apply it by hand and put that on record with `record`.").WithButtons(backButton(b))
}

// revisionsOf are those that the apply of an operation on a target left, by step.
func revisionsOf(tx *store.Tx, op, target string) ([]string, error) {
	if op == "" {
		return nil, nil
	}
	jobs, err := tx.JobsOf(op)
	if err != nil {
		return nil, err
	}
	for _, j := range jobs {
		if j.Kind == kindApply && j.Target == target && (j.State == store.JobSucceeded || j.State == store.JobNoop) {
			return recordOf(j).Revisions, nil
		}
	}
	return nil, nil
}

// noteRevisions keeps with an apply that came out well what its steps run now,
// where they can go back to that. It is not worth a failed apply.
func (f *feature) noteRevisions(ctx context.Context, r *runner.Run, t integrations.Target, tree string, end runner.End) runner.End {
	if end.State != store.JobSucceeded && end.State != store.JobNoop {
		return end
	}
	var all []string
	for i, s := range t.Steps {
		by, can := s.(integrations.Reverter)
		if !can {
			return end
		}
		revision, err := by.Revision(ctx, f.step(r, t, tree, i, t.PlanEnv))
		if err != nil {
			f.Log.Warn("read the revision that runs now", "job", r.Job.ID, "target", t.Name, "error", err)
			return end
		}
		all = append(all, revision)
	}
	save := end.Save
	end.Save = func(tx *store.Tx, j *store.Job) error {
		if save != nil {
			if err := save(tx, j); err != nil {
				return err
			}
		}
		rec := recordOf(j)
		rec.Revisions = all
		return setRecord(j, rec)
	}
	return end
}

// revertGate asks once more what may have been closed since.
func (f *feature) revertGate(tx *store.Tx, j *store.Job, _ any) (runner.Verdict, error) {
	op, err := tx.Operation(j.Operation)
	if err != nil {
		return runner.Go, err
	}
	q := f.question(gate.AtDequeue, f.Catalog(), op, nil)
	who := known(f.Catalog(), j.Requester)
	q.Op, q.Targets, q.Actor, q.Requester, q.Explicit = nil, []string{j.Target}, who, who, true
	var why []string
	for _, c := range gate.Ask(tx, q, "freeze", "hold") {
		why = append(why, c.Reason)
	}
	if len(why) > 0 {
		return runner.Verdict{State: store.JobCancelled, Why: "never started: " + strings.Join(why, "; ")}, nil
	}
	return runner.Go, nil
}

// revert sets one target back. The target is dirty before anything is changed.
func (f *feature) revert(ctx context.Context, r *runner.Run) runner.End {
	t, ok := f.Catalog().Target(r.Job.Target)
	if !ok {
		return runner.Failed(fmt.Errorf("no target is called %q any more", r.Job.Target))
	}
	d := recordOf(r.Job).Direct
	if d == nil || len(d.Revisions) != len(t.Steps) {
		return runner.Failed(fmt.Errorf("the steps of %s are others than they were", t.Name))
	}
	if err := r.Update(ctx, f.soilDirect); err != nil {
		return runner.Failed(err)
	}
	tree := filepath.Join(r.Dir(), "tree") // an empty one: nothing of the repository is needed
	if err := makeDir(tree); err != nil {
		return runner.Failed(err)
	}
	for i, s := range t.Steps {
		by, can := s.(integrations.Reverter)
		if !can {
			return runner.Failed(fmt.Errorf("%s cannot go back past git", s.Describe()))
		}
		run := f.step(r, t, tree, i, t.ApplyEnv)
		run.Exec = named{run.Exec, fmt.Sprintf("%d ", i+1)}
		if err := makeDir(run.Work); err != nil {
			return runner.Failed(err)
		}
		if err := by.Revert(ctx, run, d.Revisions[i]); err != nil {
			if errors.Is(err, integrations.ErrUnknown) {
				return runner.End{State: store.JobUnknown, Err: err, Why: "it was interrupted while it changed things, and nobody can tell how far it came"}
			}
			return runner.Failed(err)
		}
	}
	return runner.End{State: store.JobSucceeded}
}

// soilDirect makes the target dirty as handwork does, so that an empty plan of what
// git says ends it, or the apply of a rollback that was merged. Once for a job.
func (f *feature) soilDirect(tx *store.Tx, j *store.Job) error {
	rec := recordOf(j)
	if rec.Direct.Hold != "" {
		return nil
	}
	who := gate.FromStore(j.Requester)
	h := &store.Hold{Kind: store.HoldDirty, Target: j.Target, Owner: j.Requester, Created: f.Clock.Now(),
		Reason: fmt.Sprintf("%s took it back past git to %s (%s): “%s”", who.Display(), rec.Direct.To, j.ID, rec.Direct.Reason)}
	var err error
	if h.ID, err = tx.NextID("hold"); err != nil {
		return err
	}
	if err := tx.PutHold(h, 0); err != nil {
		return err
	}
	rec.Direct.Hold = h.ID
	if err := setRecord(j, rec); err != nil {
		return err
	}
	t, _ := f.Catalog().Target(j.Target)
	err = tx.Audit(store.AuditRow{Who: j.Requester, Act: "dirty", Subject: h.ID, Environment: t.Environment, Target: j.Target, Outcome: "done", Detail: h.Reason, Via: "runner"})
	return errors.Join(err, f.markHold(tx, h))
}

// markDirect has the post about what went back past git shown anew when the hold
// that it left has ended.
func (f *feature) markDirect(tx *store.Tx, h *store.Hold) error {
	if h.Job != "" {
		return nil
	}
	jobs, err := tx.JobsByTarget(h.Target, 50)
	if err != nil {
		return err
	}
	for _, j := range jobs {
		if d := recordOf(j).Direct; d != nil && d.Hold == h.ID {
			return tell.Mark(tx, j.ID, true)
		}
	}
	return nil
}

func (f *feature) revertChanged(tx *store.Tx, j *store.Job, urgent bool) error {
	return errors.Join(tell.Mark(tx, j.ID, urgent), tell.Mark(tx, j.Operation, urgent))
}

// directCard is the post about one target that goes back past git.
func (f *feature) directCard(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	j, op, err := jobAndOperation(tx, s.Subject)
	if err != nil {
		return integrations.Message{}, err
	}
	d := recordOf(j).Direct
	if d == nil {
		return integrations.Message{Hold: true}, nil
	}
	who := integrations.Who(known(f.Catalog(), j.Requester))
	text := integrations.R("↩️ ", integrations.Bold(j.Target), " goes back past git to ", d.To, " (revision ", integrations.Code(strings.Join(d.Revisions, ", ")), "), as ", who, " asked: ", integrations.Italic(d.Reason), " · ", integrations.Bold(j.State))
	m := integrations.Message{Text: j.ID + " " + strings.TrimPrefix(text.Plain(), "↩️ "), Blocks: []integrations.Block{{Text: text}}, Asks: j.State == store.JobUnknown}
	if j.Why != "" {
		m.Text += " · " + j.Why
		m.Blocks = append(m.Blocks, integrations.Block{Text: integrations.R(upper(strings.TrimSuffix(j.Why, ".")) + ".")})
	}
	var buttons []integrations.Button
	if j.State == store.JobUnknown {
		for _, o := range []string{"succeeded", "failed"} {
			buttons = append(buttons, integrations.Button{Label: "Mark " + o, Command: "resolve " + j.ID + " " + o, Confirm: fmt.Sprintf("You have looked at %s itself?", j.Target)})
		}
	}
	if d.Hold != "" {
		more, dirty, err := f.directDirty(tx, j, op, d)
		if err != nil {
			return m, err
		}
		m.Text += " · " + more
		m.Blocks = append(m.Blocks, integrations.Block{Text: integrations.R(more)})
		if dirty && j.Terminal() {
			buttons = append(buttons, integrations.Button{Label: "Roll back", Command: "rollback " + op.ID, Confirm: "Open a pull request that has git say the same?"},
				integrations.Button{Label: "Look", Command: "drift " + j.Target})
		}
	}
	if len(buttons) > 0 {
		m.Blocks = append(m.Blocks, integrations.Block{Buttons: buttons})
	}
	m.Blocks = append(m.Blocks, integrations.Block{Context: integrations.R(integrations.Code(j.ID), " · ", j.Created.UTC().Format(time.DateOnly+" 15:04 MST"))})
	return m, nil
}

// directDirty says whether git agrees by now.
func (f *feature) directDirty(tx *store.Tx, j *store.Job, op *store.Operation, d *directly) (string, bool, error) {
	switch _, err := tx.Hold(d.Hold); {
	case errors.Is(err, store.ErrNotFound):
		return fmt.Sprintf("Git says the same by now: %s is not dirty any more.", j.Target), false, nil
	case err != nil:
		return "", false, err
	}
	return fmt.Sprintf("🧹 %s is dirty (%s): git still says what %s brought. Roll that back by its pull request too, or deploy the fix; then it is clean.", j.Target, d.Hold, op.ID), true, nil
}
