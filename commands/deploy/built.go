package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/commands/runner"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// finish has the steps that built something finish it, with what the steps after them have
// tried of it, and keeps what was built with the job. The first done steps have ended well.
func (f *feature) finish(ctx context.Context, r *runner.Run, t integrations.Target, tree string, done int, end runner.End) runner.End {
	var all []integrations.Built
	var errs []error
	for i, s := range t.Steps[:done] {
		by, can := s.(integrations.Finisher)
		if !can {
			continue
		}
		var tests []integrations.Tests
		for j := i + 1; j < min(done+1, len(t.Steps)); j++ {
			one, err := integrations.TestsIn(workDir(r, j))
			if err != nil {
				errs = append(errs, err)
			} else if one.Examples > 0 {
				tests = append(tests, one)
			}
		}
		built, err := by.Finish(ctx, f.step(r, t, tree, i, t.ApplyEnv), tests)
		all = append(all, built...)
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		if end.State == store.JobSucceeded {
			end = runner.Failed(err)
		} else {
			f.Log.Warn("finish what was built", "job", r.Job.ID, "target", t.Name, "error", err)
		}
	}
	if len(all) == 0 {
		return end
	}
	save := end.Save
	end.Save = func(tx *store.Tx, j *store.Job) error {
		if save != nil {
			if err := save(tx, j); err != nil {
				return err
			}
		}
		rec := recordOf(j)
		rec.Built = all
		return setRecord(j, rec)
	}
	return end
}

// built tells what the jobs of an operation have built.
func (v view) built() (out []integrations.Block) {
	for _, j := range v.jobs {
		out = append(out, builtBlocks(j)...)
	}
	return out
}

// builtBlocks tell what a job has built, and offer to pin what has passed its tests.
func builtBlocks(j *store.Job) (out []integrations.Block) {
	var buttons []integrations.Button
	for _, b := range recordOf(j).Built {
		out = append(out, integrations.Block{Text: builtLine(b)})
		if b.Passed == 0 || b.Failed > 0 {
			continue
		}
		for _, p := range b.Pins {
			if strings.ContainsAny(p.Version, " \t\n") { // it is no word of a command
				continue
			}
			one := integrations.Button{Label: fmt.Sprintf("Deploy to %s", p.Environment), Command: fmt.Sprintf("deploy %s %s to %s", p.Service, p.Version, p.Environment),
				Confirm: fmt.Sprintf("Open the pull request that sets %s in %s to %s?", p.Service, p.Environment, p.Version)}
			if !slices.Contains(buttons, one) {
				buttons = append(buttons, one)
			}
		}
	}
	if len(buttons) > 0 {
		out = append(out, integrations.Block{Buttons: buttons})
	}
	return out
}

// builtLine says of what an artifact was built, and whether it has passed its tests.
func builtLine(b integrations.Built) integrations.Rich {
	how := "and not tested"
	switch {
	case b.Failed > 0:
		how = fmt.Sprintf("and failed %d of %s", b.Failed, plural(b.Passed+b.Failed+b.Pending, "example"))
	case b.Passed > 0 && b.Pending > 0:
		how = fmt.Sprintf("and tested (%s, %d pending)", plural(b.Passed, "example"), b.Pending)
	case b.Passed > 0:
		how = fmt.Sprintf("and tested (%s)", plural(b.Passed, "example"))
	}
	id, of, from := integrations.Code(b.ID), integrations.Code(b.Of), integrations.Code(short(b.SHA))
	if b.Kind == integrations.ArtifactFile {
		return integrations.R("📦 file ", id, " of ", of, " was built from ", from, " ", how)
	}
	return integrations.R("📦 image ", id, " of ", of, " was built from ", from, " ", how)
}
