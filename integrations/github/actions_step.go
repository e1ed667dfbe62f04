package github

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/remote"
)

// ActionsWord is what our binary is called with to be the tool of this step.
const ActionsWord = "actions"

// ActionsConfig is what the configuration says of a step that runs a workflow of GitHub
// Actions.
type ActionsConfig struct {
	remote.Order `yaml:",inline"`
	// Repository is that of the workflow, "acme/infra"; Workflow its file, "deploy.yml".
	Repository string `yaml:"repository"`
	Workflow   string `yaml:"workflow"`
	// Ref is the branch or tag whose workflow is run; the commit is an input.
	Ref string `yaml:"ref"`
	// Event is what starts the run that is adopted.
	Event string `yaml:"event"`
	// Plan is the workflow that plans.
	Plan ActionsPlan `yaml:"plan"`
	// Token names the variable of plan_env and apply_env that holds GitHub's token.
	Token string `yaml:"token"`
}

// ActionsPlan is a workflow that plans and changes nothing.
type ActionsPlan struct {
	Workflow string `yaml:"workflow"`
	// Inputs are given to it besides those of the step.
	Inputs map[string]string `yaml:"inputs"`
	// Nothing is a pattern that is found in a plan in which there is nothing to do.
	Nothing string `yaml:"nothing"`
}

// DefaultActions is a step of which nothing is said.
func DefaultActions() ActionsConfig {
	return ActionsConfig{Order: remote.Default(), Ref: "main", Event: "push", Token: "GITHUB_TOKEN"}
}

// Actions makes the steps `actions` of targets, on the GitHub of a configuration.
func Actions(c Config) func(dir string, decode func(any) error) (integrations.Applier, error) {
	return func(_ string, decode func(any) error) (integrations.Applier, error) {
		o := DefaultActions()
		if err := decode(&o); err != nil {
			return nil, err
		}
		if err := o.Validate(); err != nil {
			return nil, err
		}
		step := integrations.Remote{
			Word: ActionsWord, Name: o.Repository + "/" + o.Workflow, Engine: "GitHub Actions", What: o.Workflow + " of " + o.Repository,
			Order: o.Order, PlanInputs: o.Plan.Inputs, Env: []string{o.Token},
			Settings: actionsSettings{
				APIURL: c.withDefaults().APIURL, Repository: o.Repository, Workflow: o.Workflow, PlanWorkflow: o.Plan.Workflow,
				Ref: o.Ref, Event: o.Event, Token: o.Token,
			},
		}
		if o.Plan.Workflow != "" {
			step.PlanWhat = o.Plan.Workflow + " of " + o.Repository
		}
		var err error
		if step.Nothing, err = remote.Nothing(o.Plan.Nothing); err != nil {
			return nil, err
		}
		return integrations.NewRemote(step)
	}
}

var eventShape = regexp.MustCompile(`^[a-z_]{1,50}$`)

// Validate returns every mistake there is, joined.
func (o ActionsConfig) Validate() error {
	errs := []error{o.Order.Validate()}
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if _, _, err := split(o.Repository); err != nil {
		bad("repository: %q is not a repository; want one like acme/infra", o.Repository)
	}
	if !workflowFile(o.Workflow) {
		bad("workflow: %q is not the file of a workflow; want one like deploy.yml, without its folder", o.Workflow)
	}
	if o.Plan.Workflow != "" && !workflowFile(o.Plan.Workflow) {
		bad("plan.workflow: %q is not the file of a workflow; want one like plan.yml, without its folder", o.Plan.Workflow)
	}
	if o.Plan.Workflow == "" && (o.Plan.Nothing != "" || len(o.Plan.Inputs) > 0) {
		bad("plan.workflow: is missing: the file of the workflow that plans")
	}
	for _, err := range remote.CheckInputs(o.Plan.Inputs) {
		bad("plan.%v", err)
	}
	if _, err := remote.Nothing(o.Plan.Nothing); err != nil {
		bad("plan.nothing: %v", err)
	}
	if !validRef(o.Ref) || fullSHA.MatchString(o.Ref) {
		bad("ref: %q is not a branch or tag", o.Ref)
	}
	if !eventShape.MatchString(o.Event) {
		bad("event: %q is not an event; want one like push", o.Event)
	}
	if err := remote.CheckToken(o.Token, "GITHUB_TOKEN"); err != nil {
		bad("token: %v", err)
	}
	return errors.Join(errs...)
}

// workflowFile says whether a name can be that of a workflow's file.
func workflowFile(name string) bool {
	return name == path.Base(name) && (strings.HasSuffix(name, ".yml") || strings.HasSuffix(name, ".yaml")) && !strings.ContainsAny(name, "%?# \t")
}
