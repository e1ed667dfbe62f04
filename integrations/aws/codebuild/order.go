package codebuild

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations/kit/remote"
)

// Word is what our binary is called with to be the tool of this step, and its kind.
const Word = "codebuild"

// Name is what people call the engine.
const Name = "AWS CodeBuild"

// Order is what the configuration says of a step that CodeBuild runs.
type Order struct {
	remote.Order `yaml:",inline"`
	// Project is the one whose build is the apply.
	Project string `yaml:"project"`
	// Plan is the one whose build prints the plan.
	Plan Plan `yaml:"plan"`
	// Account is one of aws.accounts, whose role, endpoint and region are used;
	// PlanAccount is the one that plans and probes, Account where it is empty. Keys come
	// from the target's plan_env and apply_env, or from where the AWS CLI looks.
	Account     string `yaml:"account"`
	PlanAccount string `yaml:"plan_account"`
	Region      string `yaml:"region"`
}

// Plan is a project that plans and changes nothing. Without one a step has no plan of its
// own.
type Plan struct {
	Project string `yaml:"project"`
	// Inputs are given to that build besides those of the order.
	Inputs map[string]string `yaml:"inputs"`
	// Nothing is a pattern that is found in a plan in which there is nothing to do.
	Nothing string `yaml:"nothing"`
}

// Default is an order in which nothing is said.
func Default() Order { return Order{Order: remote.Default()} }

// Settings are what the tool is told of an order. They hold no secret.
type Settings struct {
	Project     string `json:"project"`
	PlanProject string `json:"plan_project,omitempty"`
	// Via and PlanVia are how AWS is reached; the package above knows what stands in them.
	Via     json.RawMessage `json:"via"`
	PlanVia json.RawMessage `json:"plan_via"`
}

// prefix begins the variables that a build is given by us; what the order's inputs hold
// is given by their own names.
const (
	prefix   = "SIGNALBOX_"
	reserved = "CODEBUILD_" // CodeBuild's own (its user guide, "Environment variables")
)

var (
	// projectShape is that of the name of a project (the API reference of CreateProject).
	projectShape  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{1,254}$`)
	variableShape = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// Validate returns every mistake there is, joined.
func (o Order) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !projectShape.MatchString(o.Project) {
		bad("project: %q is not the name of a project; want one like deploy-shop, and no ARN", o.Project)
	}
	if o.Plan.Project != "" && !projectShape.MatchString(o.Plan.Project) {
		bad("plan.project: %q is not the name of a project; want one like plan-shop, and no ARN", o.Plan.Project)
	}
	if _, err := remote.Nothing(o.Plan.Nothing); err != nil {
		bad("plan.nothing: %v", err)
	}
	if o.Plan.Project == "" && (o.Plan.Nothing != "" || len(o.Plan.Inputs) > 0) {
		bad("plan.project: is missing, and there is more of a plan")
	}
	errs = append(errs, checkVariables("inputs", o.Inputs), checkVariables("plan.inputs", o.Plan.Inputs))
	return errors.Join(o.Order.Validate(), errors.Join(errs...))
}

// checkVariables says what keeps inputs from being environment variables of a build.
func checkVariables(field string, inputs map[string]string) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(inputs)) {
		switch {
		case !variableShape.MatchString(name):
			errs = append(errs, fmt.Errorf("%s: %q is not the name of an environment variable", field, name))
		case strings.HasPrefix(name, prefix), strings.HasPrefix(name, reserved):
			errs = append(errs, fmt.Errorf("%s: %s is a name of signalbox or of CodeBuild", field, name))
		}
	}
	return errors.Join(errs...)
}
