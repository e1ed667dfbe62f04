package deploy

import (
	"context"

	"github.com/signalbox-chatops/signalbox/commands/runner"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// reached stores, before a step is applied, which one it is: the card shows how far the
// target has come, also after a restart. Of a target of one step there is nothing to show.
func reached(ctx context.Context, r *runner.Run, t integrations.Target, step int) error {
	rec := recordOf(r.Job)
	if len(t.Steps) < 2 || rec.Steps != nil && rec.Step >= step {
		return nil
	}
	return r.Update(ctx, func(_ *store.Tx, j *store.Job) error {
		rec := recordOf(j)
		if rec.Step = step; rec.Steps == nil {
			for _, s := range t.Steps {
				rec.Steps = append(rec.Steps, s.Describe())
			}
		}
		return setRecord(j, rec)
	})
}

// stages are the lines of a card that show how far each target of several steps has come.
func (v view) stages() (out []integrations.Block) {
	for _, j := range v.jobs {
		rec := recordOf(j)
		if len(rec.Steps) == 0 {
			continue
		}
		line := j.Target + ": "
		for i, name := range rec.Steps {
			if i > 0 {
				line += "  "
			}
			line += stageMark(j, i, rec.Step) + " " + name
		}
		out = append(out, integrations.Block{Context: integrations.R(line)})
	}
	return out
}

// stageMark is how a step stands, in the signs of the bar.
func stageMark(j *store.Job, step, reached int) string {
	switch {
	case step < reached || j.State == store.JobSucceeded || j.State == store.JobNoop:
		return "●"
	case step > reached:
		return "○"
	case j.State == store.JobUnknown:
		return "✋"
	case j.Terminal():
		return "✖"
	}
	return "◐"
}
