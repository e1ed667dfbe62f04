package aws

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/aws/codebuild"
	"github.com/signalbox-chatops/signalbox/integrations/kit/remote"
)

// Builds makes the steps `codebuild` of targets, by the accounts of a configuration.
func Builds(c Config) func(dir string, decode func(any) error) (integrations.Applier, error) {
	return func(_ string, decode func(any) error) (integrations.Applier, error) {
		o := codebuild.Default()
		if err := decode(&o); err != nil {
			return nil, err
		}
		err := o.Validate()
		change, badChange := c.via("account", o.Account, o.Region)
		read := change
		var badRead error
		if o.PlanAccount != "" {
			read, badRead = c.via("plan_account", o.PlanAccount, cmp.Or(o.Region, change.Region))
		}
		if err := errors.Join(err, badChange, badRead); err != nil {
			return nil, err
		}
		s := codebuild.Settings{Project: o.Project, PlanProject: o.Plan.Project}
		if s.Via, err = json.Marshal(change); err != nil {
			return nil, err
		}
		if s.PlanVia, err = json.Marshal(read); err != nil {
			return nil, err
		}
		r := integrations.Remote{
			Word: codebuild.Word, Name: o.Project, Engine: codebuild.Name, What: "the project " + o.Project, Order: o.Order, Settings: s, PlanInputs: o.Plan.Inputs,
		}
		if o.Plan.Project != "" {
			r.PlanWhat = "the project " + o.Plan.Project
		}
		if r.Nothing, err = remote.Nothing(o.Plan.Nothing); err != nil {
			return nil, err
		}
		return integrations.NewRemote(r)
	}
}

// BuildMain is the tool of the steps `codebuild`: our binary called with codebuild.Word,
// an act and a request. It returns the exit code. SIGINT stops the build.
func BuildMain(args []string, out, errOut io.Writer) int {
	return remote.Main(args, out, errOut, func(q remote.Request) (remote.Engine, error) {
		var s codebuild.Settings
		if err := json.Unmarshal(q.Settings, &s); err != nil {
			return nil, fmt.Errorf("read the request: %w", err)
		}
		project, way := s.Project, s.Via
		if args[0] != remote.ActApply && args[0] != remote.ActFind {
			way = s.PlanVia
		}
		if q.Plan {
			project = s.PlanProject
		}
		var v via
		if err := json.Unmarshal(way, &v); err != nil {
			return nil, fmt.Errorf("read the request: %w", err)
		}
		reads, changes, err := v.dial()
		if err != nil {
			return nil, err
		}
		return codebuild.New(reads, changes, shape, project, q.Poll), nil
	})
}
