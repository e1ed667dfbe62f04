package ecs

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// apply carries the plan out. Nothing of it is done that was done before: of a try that
// was killed, or of one before a person said Retry.
func (t *Tool) apply(ctx context.Context) error {
	var p planned
	if err := readJSON(t.q.Dir, planFile, &p); err != nil {
		return err
	}
	if p.Base == "" {
		return errors.New("there is no plan to carry out")
	}
	if p.empty() {
		t.say("Nothing is to be changed.")
		return nil
	}
	s, err := t.service(ctx)
	if err == nil {
		err = t.ready(s)
	}
	if err != nil {
		return err
	}
	if done, err := t.begun(ctx, s); err != nil {
		return err
	} else if done {
		t.say("The service is at %s already, which an earlier try began.", last(aws.ToString(s.TaskDefinition)))
		r := record{Definition: aws.ToString(s.TaskDefinition), Base: p.Base, Deployment: aws.ToString(primaryOf(s).Id)}
		return t.follow(ctx, s, r)
	}
	if err := t.still(s, p); err != nil {
		return err
	}
	base, tags, err := t.definition(ctx, p.Base)
	if err != nil {
		return err
	}
	digest, err := t.digest(ctx, ecrtypes.ImageIdentifier{ImageDigest: &p.Digest})
	if err != nil {
		return err
	}
	if digest == "" {
		return fmt.Errorf("the image %s, which was planned, is not in ECR any more", p.New)
	}
	in := changed(base, tags, t.q.Container, p.New, map[string]string{tagRun: t.q.Run, tagSHA: t.q.SHA})
	arn, err := t.register(ctx, in, p.Base)
	if err != nil {
		return err
	}
	return t.deploy(ctx, s, record{Base: p.Base, Definition: arn})
}

// begun says whether what the service is to run was registered by this apply.
func (t *Tool) begun(ctx context.Context, s *types.Service) (bool, error) {
	_, tags, err := t.definition(ctx, aws.ToString(s.TaskDefinition))
	if err != nil {
		return false, err
	}
	var p planned
	if err := readJSON(t.q.Dir, planFile, &p); err != nil {
		return false, err
	}
	// What it ran when this was planned was there before, whatever registered it.
	return tagged(tags, tagRun, t.q.Run) && aws.ToString(s.TaskDefinition) != p.Base, nil
}

// still says what has changed at ECS since the plan was made.
func (t *Tool) still(s *types.Service, p planned) error {
	if now := aws.ToString(s.TaskDefinition); now != p.Base {
		return fmt.Errorf("the plan is stale: it was made when %s ran, and now it is %s; plan it again", last(p.Base), last(now))
	}
	d := primaryOf(s)
	if d.RolloutState == types.DeploymentRolloutStateInProgress || len(s.Deployments) > 1 {
		return fmt.Errorf("another deployment is under way at ECS: %s of %s, %s; apply it again when that is over", aws.ToString(d.Id), last(aws.ToString(d.TaskDefinition)), d.RolloutState)
	}
	return nil
}

// register registers a task definition, unless this apply has: the answer of an earlier
// try may have been lost.
func (t *Tool) register(ctx context.Context, in *sdk.RegisterTaskDefinitionInput, base string) (string, error) {
	arn, err := t.registered(ctx, in, base)
	if err != nil {
		return "", err
	}
	if arn != "" {
		t.say("%s was registered by an earlier try.", last(arn))
		return arn, nil
	}
	for n := 1; ; n++ {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		got, err := t.changes.RegisterTaskDefinition(context.WithoutCancel(ctx), in)
		if err == nil {
			arn = aws.ToString(got.TaskDefinition.TaskDefinitionArn)
			t.say("Registered %s.", last(arn))
			return arn, nil
		}
		err = t.explain(ctx, "register a task definition of", aws.ToString(in.Family), err)
		soon, unsent := later(err)
		switch {
		case !soon || n >= patience:
			return "", fmt.Errorf("%w; nothing was deployed", err)
		case !unsent:
			t.say("It is not known whether a task definition was registered: %v", err)
			return t.lost(ctx, in, base, err)
		}
		t.say("It is tried again: %v", err)
		if !t.pause(ctx) {
			return "", ctx.Err()
		}
	}
}

// lost looks for what a call may have made whose answer did not come.
func (t *Tool) lost(ctx context.Context, in *sdk.RegisterTaskDefinitionInput, base string, why error) (string, error) {
	for range patience {
		if !t.pause(ctx) {
			return "", ctx.Err()
		}
		arn, err := t.registered(ctx, in, base)
		if err == nil && arn != "" {
			t.say("It was: %s.", last(arn))
			return arn, nil
		}
	}
	return "", fmt.Errorf("%w; nothing was deployed: try it again", why)
}

// longestList is how many revisions are looked through, at most.
const longestList = 100

// registered finds what this apply registered before, by its tag; "" if nothing. It can
// only be newer than what ran when it was made.
func (t *Tool) registered(ctx context.Context, in *sdk.RegisterTaskDefinitionInput, base string) (string, error) {
	got, err := t.reads.ListTaskDefinitions(ctx, &sdk.ListTaskDefinitionsInput{FamilyPrefix: in.Family, Sort: types.SortOrderDesc, MaxResults: aws.Int32(longestList)})
	if err != nil {
		return "", t.explain(ctx, "list the task definitions of", aws.ToString(in.Family), err)
	}
	for _, arn := range got.TaskDefinitionArns {
		if arn == base {
			break
		}
		d, tags, err := t.definition(ctx, arn)
		if err != nil {
			return "", err
		}
		if tagged(tags, tagRun, t.q.Run) && (len(in.ContainerDefinitions) == 0 || same(input(d, nil), in)) {
			return arn, nil
		}
	}
	return "", nil
}

// deploy has the service run a task definition. How many tasks it runs is not said: that
// belongs to its autoscaling.
func (t *Tool) deploy(ctx context.Context, s *types.Service, r record) error {
	r.Before = aws.ToString(primaryOf(s).Id)
	if err := writeJSON(t.q.Dir, recordFile, r); err != nil { // what is looked for after a kill
		return err
	}
	for n := 1; ; n++ {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		got, err := t.changes.UpdateService(context.WithoutCancel(ctx), &sdk.UpdateServiceInput{Cluster: &t.q.Cluster, Service: &t.q.Service, TaskDefinition: &r.Definition})
		if err == nil {
			d := primaryOf(got.Service)
			if d == nil || aws.ToString(d.Id) == r.Before && aws.ToString(d.TaskDefinition) != r.Definition {
				return unsure{fmt.Errorf("ECS took the update of %s and began no deployment", t.name())}
			}
			r.Deployment = aws.ToString(d.Id)
			if err := writeJSON(t.q.Dir, recordFile, r); err != nil {
				return unsure{err}
			}
			t.say("The deployment %s of %s has begun.", r.Deployment, last(r.Definition))
			return t.follow(ctx, got.Service, r)
		}
		err = t.explain(ctx, "update the service", t.name(), err)
		soon, unsent := later(err)
		switch {
		case !soon:
			return fmt.Errorf("%w; nothing was deployed", err)
		case !unsent:
			t.say("It is not known whether the service was updated: %v", err)
			return t.follow(ctx, nil, r)
		case n >= patience:
			return fmt.Errorf("%w; nothing was deployed", err)
		}
		t.say("It is tried again: %v", err)
		if !t.pause(ctx) {
			return ctx.Err()
		}
	}
}

// revert has the service run a revision that it ran before. It may do so while a
// deployment is under way: that is what one wants to get away from.
func (t *Tool) revert(ctx context.Context) error {
	d, _, err := t.definition(ctx, t.q.To)
	if err != nil {
		return fmt.Errorf("%w; there is no revision %s any more", err, t.q.To)
	}
	if d.Status != types.TaskDefinitionStatusActive {
		return fmt.Errorf("there is no revision %s any more: it was deregistered, and is %s", t.q.To, d.Status)
	}
	if _, err := imageOf(d, t.q.Container); err != nil {
		return err
	}
	s, err := t.service(ctx)
	if err == nil {
		err = t.ready(s)
	}
	if err != nil {
		return err
	}
	r := record{Base: aws.ToString(s.TaskDefinition), Definition: aws.ToString(d.TaskDefinitionArn)}
	if r.Base == r.Definition {
		t.say("The service is at %s already.", last(r.Definition))
		r.Deployment = aws.ToString(primaryOf(s).Id)
		return t.follow(ctx, s, r)
	}
	if err := reaches(s, d); err != nil {
		return err
	}
	return t.deploy(ctx, s, r)
}
