package deploy

import (
	"context"
	"fmt"
	"strings"

	"github.com/signalbox-chatops/signalbox/commands/runner"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// queueProbe looks, reading only, at what an interrupted apply left. after is the job
// that set something right there since the last look, "" for the first one.
func (f *feature) queueProbe(tx *store.Tx, j *store.Job, after string) error {
	p := &store.Job{
		Key: fmt.Sprintf("probe|%s|%d|%s", j.ID, j.Attempt, after), Kind: kindProbe, Target: j.Target, Operation: j.Operation,
		Repo: j.Repo, RepoID: j.RepoID, PR: j.PR, SHA: j.SHA, Base: j.Base, Requester: j.Requester,
		State: store.JobQueued, Created: f.Clock.Now(),
	}
	if err := setRecord(p, record{From: j.ID}); err != nil {
		return err
	}
	_, _, err := tx.InsertJob(p)
	return err
}

// probe asks the tools what they see, and keeps the answer with the unknown job.
func (f *feature) probe(ctx context.Context, r *runner.Run) runner.End {
	t, ok := f.Catalog().Target(r.Job.Target)
	if !ok {
		return runner.Failed(fmt.Errorf("no target is called %q any more", r.Job.Target))
	}
	tree, err := f.checkout(ctx, r)
	if err != nil {
		return again(r.Job, err)
	}
	of, err := f.job(recordOf(r.Job).From)
	if err != nil {
		return runner.Failed(err)
	}
	var texts []string
	offers := map[int][]integrations.Offer{} // of the steps that could be probed
	clean := len(t.Steps) > 0
	for i, s := range t.Steps {
		run := f.step(r, t, tree, i, t.PlanEnv)
		run.Keep = keepOf(of, i)
		if err := makeDir(run.Work); err != nil {
			return runner.Failed(err)
		}
		p, err := s.Probe(ctx, run)
		if err != nil {
			clean = false
			texts = append(texts, s.Describe()+" could not be probed: "+err.Error())
			continue
		}
		clean = clean && p.Clean
		offers[i] = p.Offers
		if p.Text != "" {
			texts = append(texts, p.Text)
		}
	}
	return runner.End{State: store.JobSucceeded, Save: func(tx *store.Tx, j *store.Job) error {
		of, err := tx.Job(recordOf(j).From)
		if err != nil || of.State != store.JobUnknown {
			return err
		}
		rec := recordOf(of)
		rec.Probe, rec.Clean = strings.Join(texts, "\n"), clean
		for i, seen := range offers {
			rec.seen(of.Attempt, i, t.Steps[i].Describe(), seen)
		}
		if err := setRecord(of, rec); err != nil {
			return err
		}
		return tx.PutJob(of)
	}}
}

func (f *feature) probeChanged(tx *store.Tx, j *store.Job, urgent bool) error {
	if j.Operation == "" {
		return nil
	}
	return tell.Mark(tx, j.Operation, urgent)
}
