package ecs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// The acts of the tool.
const (
	actPlan     = "plan"     // prints what would be changed
	actApply    = "apply"    // changes it, and follows it to its end
	actFind     = "find"     // follows what a killed apply began
	actProbe    = "probe"    // says how that stands now
	actRevision = "revision" // prints what runs
	actRevert   = "revert"   // has an earlier revision run again
)

var (
	changes  = map[string]bool{actApply: true, actRevert: true}
	captures = map[string]bool{actPlan: true, actFind: true, actProbe: true, actRevision: true}
)

const (
	// spare is what the shim leaves beyond the limits of the tool.
	spare = 5 * time.Minute
	// patience is how many looks are taken until it is believed that there is not what
	// was just made: ECS is eventually consistent.
	patience  = 6
	errorMark = "Error: "
)

// Tool deploys a service of ECS: it copies the task definition that runs, with another
// image in one container, registers that, has the service run it, and waits until ECS
// says that this very deployment is the one that is wanted, is complete, and that all
// tasks run. That the service is steady says nothing: it is steady too when the circuit
// breaker has taken everything back.
//
// Whatever it makes it looks for first. It can be killed between any two calls and
// started again.
type Tool struct {
	reads, changes *sdk.Client
	images         *ecr.Client
	parameters     *ssm.Client
	explain        func(ctx context.Context, act, thing string, err error) error
	out, log       io.Writer
	q              Request
}

// NewTool makes one. The clients of reads may try again, those of changes must not;
// explain gives an error of the SDK the words of integrations.
func NewTool(reads, changes, images aws.Config, explain func(ctx context.Context, act, thing string, err error) error, out, log io.Writer) *Tool {
	return &Tool{reads: sdk.NewFromConfig(reads), changes: sdk.NewFromConfig(changes), images: ecr.NewFromConfig(images), parameters: ssm.NewFromConfig(reads), explain: explain, out: out, log: log}
}

// Region of the registry that an image is in, "" where it is none of ECR.
func Region(image string) string {
	_, region, _ := registry(image)
	return region
}

// Do does one act and returns the exit code. When ctx ends it stops waiting; what ECS
// was told goes on there.
func (t *Tool) Do(ctx context.Context, act string, q Request) int {
	t.q = q
	do, ok := map[string]func(context.Context) error{
		actPlan: t.plan, actApply: t.apply, actRevert: t.revert, actFind: t.find, actProbe: t.probe, actRevision: t.revision,
	}[act]
	if !ok {
		fmt.Fprintf(t.log, "%sthere is no act %q\n", errorMark, act)
		return 2
	}
	err := do(ctx)
	if changes[act] {
		return t.conclude(ctx, err)
	}
	if err != nil {
		fmt.Fprintln(t.log, errorMark+err.Error())
		return 1
	}
	return 0
}

// unsure is an error after which ECS may or may not do what it was asked for.
type unsure struct{ error }

// unfinished is the end of ctx while ECS goes on.
type unfinished struct{ error }

// judge puts an error into an outcome.
func judge(ctx context.Context, err error) outcome {
	var doubt unsure
	var goesOn unfinished
	switch {
	case err == nil:
		return outcome{State: outcomeDone}
	case errors.As(err, &goesOn):
		return outcome{outcomeStopped, err.Error()}
	case errors.As(err, &doubt):
		return outcome{outcomeUnknown, err.Error()}
	case ctx.Err() != nil:
		return outcome{outcomeStopped, "nothing was deployed"}
	}
	return outcome{outcomeFailed, err.Error()}
}

// conclude writes down how a change came out, for the bot, and says it, for people.
func (t *Tool) conclude(ctx context.Context, err error) int {
	o := judge(ctx, err)
	if bad := writeJSON(t.q.Dir, outcomeFile, o); bad != nil {
		fmt.Fprintln(t.log, errorMark+bad.Error())
		return codeUnknown
	}
	if o.State == outcomeDone {
		return 0
	}
	fmt.Fprintln(t.log, errorMark+o.Why)
	if o.State == outcomeUnknown {
		return codeUnknown
	}
	return 1
}

func (t *Tool) say(format string, args ...any) { fmt.Fprintf(t.log, format+"\n", args...) }

func (t *Tool) answer(v any) error { return json.NewEncoder(t.out).Encode(v) }

// pause waits for the next look; it is false when ctx has ended.
func (t *Tool) pause(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(t.q.Poll):
		return true
	}
}

func (t *Tool) name() string { return t.q.Service + " of the cluster " + t.q.Cluster }

// service reads it, with its deployments.
func (t *Tool) service(ctx context.Context) (*types.Service, error) {
	got, err := t.reads.DescribeServices(ctx, &sdk.DescribeServicesInput{Cluster: &t.q.Cluster, Services: []string{t.q.Service}})
	if err != nil {
		return nil, t.explain(ctx, "read the service", t.name(), err)
	}
	if len(got.Services) == 0 {
		return nil, fmt.Errorf("there is no service %s: %w", t.name(), failure(got.Failures))
	}
	return &got.Services[0], nil
}

// ready says what keeps a service from being deployed to.
func (t *Tool) ready(s *types.Service) error {
	switch {
	case aws.ToString(s.Status) != "ACTIVE":
		return fmt.Errorf("the service %s is %s", t.name(), aws.ToString(s.Status))
	case s.DeploymentController != nil && s.DeploymentController.Type != types.DeploymentControllerTypeEcs:
		return fmt.Errorf("the deployments of %s are made by %s; this step is for services whose deployment controller is ECS", t.name(), s.DeploymentController.Type)
	case s.DesiredCount == 0:
		return fmt.Errorf("the service %s wants no task, so that nothing would show whether the image runs; scale it up first", t.name())
	case primaryOf(s) == nil:
		return fmt.Errorf("the service %s has no deployment that is PRIMARY", t.name())
	}
	return nil
}

func primaryOf(s *types.Service) *types.Deployment {
	for n := range s.Deployments {
		if aws.ToString(s.Deployments[n].Status) == "PRIMARY" {
			return &s.Deployments[n]
		}
	}
	return nil
}

// definition reads a task definition and its tags.
func (t *Tool) definition(ctx context.Context, arn string) (*types.TaskDefinition, []types.Tag, error) {
	got, err := t.reads.DescribeTaskDefinition(ctx, &sdk.DescribeTaskDefinitionInput{TaskDefinition: &arn, Include: []types.TaskDefinitionField{types.TaskDefinitionFieldTags}})
	if err != nil {
		return nil, nil, t.explain(ctx, "read the task definition", last(arn), err)
	}
	return got.TaskDefinition, got.Tags, nil
}

// plan waits for the image, and only then looks at what runs.
func (t *Tool) plan(ctx context.Context) error {
	s, err := t.service(ctx) // what is wrong with it is said before anything is waited for
	if err == nil {
		err = t.ready(s)
	}
	if err != nil {
		return err
	}
	found, waited, err := t.await(ctx)
	if err != nil {
		return err
	}
	if waited {
		if s, err = t.service(ctx); err == nil {
			err = t.ready(s)
		}
		if err != nil {
			return err
		}
	}
	base, _, err := t.definition(ctx, aws.ToString(s.TaskDefinition))
	if err != nil {
		return err
	}
	now, err := imageOf(base, t.q.Container)
	if err == nil {
		err = reaches(s, base)
	}
	if err != nil {
		return err
	}
	p := planned{Base: aws.ToString(base.TaskDefinitionArn), Image: now, New: t.q.Image + "@" + found.digest, Tag: found.tag, Digest: found.digest, Tasks: int(s.DesiredCount), Least: 100, Most: 200}
	if c := s.DeploymentConfiguration; c != nil {
		p.Least, p.Most = orElse(c.MinimumHealthyPercent, 100), orElse(c.MaximumPercent, 200)
	}
	p.Notes = t.notes(s)
	if note, err := t.secrets(ctx, base); err != nil {
		return err
	} else if note != "" {
		p.Notes = append(p.Notes, note)
	}
	if err := writeJSON(t.q.Dir, planFile, p); err != nil {
		return err
	}
	return t.answer(p)
}

func orElse(v *int32, otherwise int32) int32 {
	if v == nil {
		return otherwise
	}
	return *v
}

// notes are what people should see beside the difference.
func (t *Tool) notes(s *types.Service) (out []string) {
	if d := primaryOf(s); len(s.Deployments) > 1 || d.RolloutState == types.DeploymentRolloutStateInProgress {
		out = append(out, fmt.Sprintf("A deployment is under way at ECS: %s of %s.", aws.ToString(d.Id), last(aws.ToString(d.TaskDefinition))))
	}
	c := s.DeploymentConfiguration
	if c == nil || c.DeploymentCircuitBreaker == nil || !c.DeploymentCircuitBreaker.Enable {
		return append(out, fmt.Sprintf("The service has no deployment circuit breaker: tasks that fail are started again and again, and nothing goes back by itself. It is waited for %v.", t.q.Limit))
	}
	if !c.DeploymentCircuitBreaker.Rollback {
		out = append(out, "The service's circuit breaker does not roll back: after tasks that fail it stays with those of before that still run.")
	}
	return out
}

func (t *Tool) revision(ctx context.Context) error {
	s, err := t.service(ctx)
	if err != nil {
		return err
	}
	return t.answer(last(aws.ToString(s.TaskDefinition)))
}

// later says whether an error may go away by itself; unsent, that nothing was done.
func later(err error) (soon, unsent bool) {
	var l *integrations.Later
	if errors.As(err, &l) {
		return true, l.Unsent
	}
	return false, false
}
