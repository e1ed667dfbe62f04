package deploy

import (
	"errors"
	"fmt"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/runner"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// hereFlag has a retry done on this machine: the way on of a team whose CI is out.
var hereFlag = commands.Arg{Name: "here", Kind: commands.ArgBool, Optional: true, Help: "do on my machine what a CI was to do that cannot be reached"}

// unreached keeps with a job which system a step of it could not reach.
func unreached(end runner.End) runner.End {
	var away *integrations.Unreached
	if !errors.As(end.Err, &away) {
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
		rec.Unreached = away.System
		return setRecord(j, rec)
	}
	return end
}

// localOf is the command that does on this machine what a step of a target's is to do
// elsewhere; "" where there is none.
func localOf(t integrations.Target) string {
	for _, s := range t.Steps {
		if e, is := s.(integrations.Elsewhere); is && e.Here() != "" {
			return e.Here()
		}
	}
	return ""
}

// hereButton offers that for an apply that failed since nobody was reached there.
func (f *feature) hereButton(j *store.Job) (integrations.Button, bool) {
	t, ok := f.Catalog().Target(j.Target)
	away := recordOf(j).Unreached
	if !ok || away == "" || j.State != store.JobFailed || localOf(t) == "" {
		return integrations.Button{}, false
	}
	return integrations.Button{Label: "Run it here", Command: "retry " + j.ID + " --here", Confirm: fmt.Sprintf("Run %s on my machine, in place of %s? What that begins by itself when it is back, it does as well.", localOf(t), away)}, true
}

// askHere takes up, with a retry, what its button offers, and otherwise has the job done
// where it belongs.
func (f *feature) askHere(c *commands.Call, j *store.Job) error {
	rec := recordOf(j)
	away := rec.Unreached
	rec.Unreached, rec.Here = "", ""
	if c.Arg("here") != "" {
		t, ok := f.Catalog().Target(j.Target)
		switch {
		case !ok || localOf(t) == "":
			return commands.Refuse("not_here", fmt.Sprintf("Nothing of %s can be done on my machine: none of its steps has a local.", j.Target)).WithExample("retry " + j.ID)
		case away == "":
			return commands.Refuse("reached", fmt.Sprintf("%s did not fail for a CI that cannot be reached.", j.ID)).WithHint("Try it again where it belongs.").WithExample("retry " + j.ID)
		}
		if err := commands.Allow(c, rightForce, t.Environment); err != nil {
			return err
		}
		rec.Here = c.Who.Display()
	}
	return setRecord(j, rec)
}

// here says who had the jobs of an operation done on this machine.
func (v view) here() (out []integrations.Block) {
	for _, j := range v.jobs {
		if who := recordOf(j).Here; who != "" {
			out = append(out, integrations.Block{Context: integrations.R(fmt.Sprintf("%s is done on my machine and not by its CI, as %s asked", j.ID, who))})
		}
	}
	return out
}
