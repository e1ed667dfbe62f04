// Package circleci is the applier of steps that run as a pipeline of CircleCI: its API v2
// triggers, follows and cancels them. What does not depend on the CI is in kit/remote and
// in integrations.Remote.
package circleci

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/jsonapi"
	"github.com/signalbox-chatops/signalbox/integrations/kit/remote"
)

// Word is what our binary is called with to be the tool of this step.
const Word = "circleci"

// Config is what the configuration says of a step.
type Config struct {
	remote.Order `yaml:",inline"`
	// URL is that of the API v2, which a CircleCI server has elsewhere.
	URL string `yaml:"url"`
	// Project is its slug, "gh/acme/infra"; Workflow the one of the pipeline that counts,
	// all of them unless said.
	Project  string `yaml:"project"`
	Workflow string `yaml:"workflow"`
	// Branch is that whose configuration is run; the commit is a parameter.
	Branch string `yaml:"branch"`
	// Definition is the id of a pipeline definition, for projects that need one.
	Definition string `yaml:"definition"`
	Plan       Plan   `yaml:"plan"`
	// Token names the variable of plan_env and apply_env that holds CircleCI's token.
	Token string `yaml:"token"`
}

// Plan is a pipeline that plans and changes nothing.
type Plan struct {
	Workflow string `yaml:"workflow"`
	// Inputs are the parameters that have it plan, besides those of the step.
	Inputs map[string]string `yaml:"inputs"`
	// Nothing is a pattern that is found in a plan in which there is nothing to do.
	Nothing string `yaml:"nothing"`
}

// Default is a step of which nothing is said.
func Default() Config {
	return Config{Order: remote.Default(), URL: "https://circleci.com/api/v2", Branch: "main", Token: "CIRCLE_TOKEN"}
}

// Make makes a step from its settings, which decode lays over a struct. The folder it is
// given is not needed.
func Make(_ string, decode func(any) error) (integrations.Applier, error) {
	c := Default()
	if err := decode(&c); err != nil {
		return nil, err
	}
	if err := c.Validate(); err != nil {
		return nil, err
	}
	name, what := c.Project, "the pipeline of "+c.Project
	if c.Workflow != "" {
		name, what = c.Project+"/"+c.Workflow, c.Workflow+" of "+c.Project
	}
	step := integrations.Remote{
		Word: Word, Name: name, Engine: "CircleCI", What: what, Order: c.Order, PlanInputs: c.Plan.Inputs, Env: []string{c.Token},
		Settings: settings{
			URL: strings.TrimRight(c.URL, "/"), Project: c.Project, Workflow: c.Workflow, Branch: c.Branch, Definition: c.Definition,
			PlanFlow: c.Plan.Workflow, Token: c.Token,
		},
	}
	if c.Plan.Workflow != "" {
		step.PlanWhat = c.Plan.Workflow + " of " + c.Project
	}
	var err error
	if step.Nothing, err = remote.Nothing(c.Plan.Nothing); err != nil {
		return nil, err
	}
	return integrations.NewRemote(step)
}

var (
	projectShape  = regexp.MustCompile(`^(gh|github|bb|bitbucket|circleci)/[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$`)
	workflowShape = regexp.MustCompile(`^[A-Za-z0-9_. -]{1,100}$`)
	branchShape   = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_./-]{0,200}$`)
	idShape       = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
)

// Validate returns every mistake there is, joined.
func (c Config) Validate() error {
	errs := []error{c.Order.Validate()}
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if err := jsonapi.Check(c.URL, "https://circleci.com/api/v2"); err != nil {
		bad("url: %v", err)
	} else if !strings.HasSuffix(strings.TrimRight(c.URL, "/"), "/v2") {
		bad("url: %q is not that of the API v2; want one like https://circleci.com/api/v2", c.URL)
	}
	if !projectShape.MatchString(c.Project) {
		bad("project: %q is not the slug of a project; want one like gh/acme/infra", c.Project)
	}
	for field, name := range map[string]string{"workflow": c.Workflow, "plan.workflow": c.Plan.Workflow} {
		if name != "" && !workflowShape.MatchString(name) {
			bad("%s: %q is not the name of a workflow", field, name)
		}
	}
	if !branchShape.MatchString(c.Branch) {
		bad("branch: %q is not a branch", c.Branch)
	}
	if c.Definition != "" && !idShape.MatchString(c.Definition) {
		bad("definition: %q is not the id of a pipeline definition", c.Definition)
	}
	if err := remote.CheckToken(c.Token, "CIRCLE_TOKEN"); err != nil {
		bad("token: %v", err)
	}
	errs = append(errs, c.Plan.validate())
	return errors.Join(errs...)
}

func (p Plan) validate() error {
	var errs []error
	if p.Workflow == "" && (p.Nothing != "" || len(p.Inputs) > 0) {
		errs = append(errs, errors.New("plan.workflow: is missing: the workflow that plans"))
	}
	for _, err := range remote.CheckInputs(p.Inputs) {
		errs = append(errs, fmt.Errorf("plan.%w", err))
	}
	if _, err := remote.Nothing(p.Nothing); err != nil {
		errs = append(errs, fmt.Errorf("plan.nothing: %w", err))
	}
	return errors.Join(errs...)
}
