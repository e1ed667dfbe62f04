package ecs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// watch is a deployment that is being followed.
type watch struct {
	*Tool
	r        record
	began    time.Time
	seen     bool // ECS has told of it
	unseen   int  // looks at which it did not
	failing  int  // looks at which it was failed and still wanted
	late     int  // looks at which ECS told of what was wanted before
	told     string
	failures int32 // whose reasons were told
}

// follow waits for the end of a deployment. s is the service as it was last read, nil if
// it has to be looked at first. Only a deployment that is PRIMARY and COMPLETED, alone,
// with as many tasks running as are wanted, came out well.
func (t *Tool) follow(ctx context.Context, s *types.Service, r record) error {
	w := &watch{Tool: t, r: r, began: time.Now(), seen: s != nil}
	for {
		if s != nil {
			over, err := w.look(ctx, s)
			if over {
				return err
			}
		}
		if time.Since(w.began) > t.q.Limit {
			return unsure{fmt.Errorf("it is not over after %v: %s; nothing was taken back, and ECS goes on by itself", t.q.Limit, w.state(s))}
		}
		if !t.pause(ctx) {
			return unfinished{fmt.Errorf("ECS goes on by itself: %s. Nothing takes it back but its circuit breaker, or a roll-back", w.state(s))}
		}
		now, err := t.service(ctx)
		switch {
		case err == nil:
			s = now
		case ctx.Err() != nil:
		default:
			if soon, _ := later(err); !soon {
				return unsure{fmt.Errorf("it cannot be followed any more, and ECS goes on by itself: %w", err)}
			}
			t.say("It cannot be looked at now: %v", err)
		}
	}
}

// mine is the deployment that is followed, as the service tells of it; nil if it does
// not. One whose id is not known is the one of our task definition.
func (w *watch) mine(s *types.Service) *types.Deployment {
	for n := range s.Deployments {
		d := &s.Deployments[n]
		if w.r.Deployment != "" && aws.ToString(d.Id) == w.r.Deployment || w.r.Deployment == "" && aws.ToString(d.TaskDefinition) == w.r.Definition {
			return d
		}
	}
	return nil
}

// look says whether it is over, and how.
func (w *watch) look(ctx context.Context, s *types.Service) (over bool, _ error) {
	d, wanted := w.mine(s), primaryOf(s)
	w.tell(ctx, s, d)
	switch {
	case d != nil:
		w.seen, w.unseen, w.r.Deployment = true, 0, aws.ToString(d.Id)
	case !w.seen:
		if w.unseen++; w.unseen <= patience {
			return false, nil
		}
		// Another one than before is wanted: ours came and went while nobody looked.
		if w.r.Deployment == "" && (w.r.Before == "" || wanted == nil || aws.ToString(wanted.Id) == w.r.Before) {
			return true, unsure{fmt.Errorf("ECS tells of no deployment of %s; it is at %s", last(w.r.Definition), last(aws.ToString(s.TaskDefinition)))}
		}
	}
	switch {
	case wanted == nil:
		return false, nil
	case w.behind(wanted):
		return false, nil
	case aws.ToString(wanted.Id) != w.r.Deployment:
		return w.replaced(ctx, s, wanted)
	case wanted.RolloutState == types.DeploymentRolloutStateFailed:
		// A roll-back begins a moment later.
		if w.failing++; rollsBack(s) && w.failing <= patience {
			return false, nil
		}
		return true, fmt.Errorf("%s did not come up: %s%s. Nothing went back by itself: %s", last(w.r.Definition), said(wanted), w.reasons(ctx, s), w.state(s))
	}
	done := wanted.RolloutState == types.DeploymentRolloutStateCompleted && len(s.Deployments) == 1 && s.RunningCount == s.DesiredCount && s.DesiredCount > 0
	if done {
		w.say("%s is deployed: %d of %d tasks run it.", last(w.r.Definition), s.RunningCount, s.DesiredCount)
	}
	return done, nil
}

// behind says that ECS still tells of what was wanted before. It is not believed at once
// that it is wanted again without a word about a roll-back.
func (w *watch) behind(wanted *types.Deployment) bool {
	if aws.ToString(wanted.Id) != w.r.Before || w.r.Before == w.r.Deployment || strings.Contains(aws.ToString(wanted.RolloutStateReason), "rolling back") {
		w.late = 0
		return false
	}
	w.late++
	return w.late <= patience
}

func rollsBack(s *types.Service) bool {
	c := s.DeploymentConfiguration
	return c != nil && c.DeploymentCircuitBreaker != nil && c.DeploymentCircuitBreaker.Enable && c.DeploymentCircuitBreaker.Rollback
}

// replaced is of a deployment that is not wanted any more: the circuit breaker rolled it
// back, or somebody else deployed. A roll-back is waited for.
func (w *watch) replaced(ctx context.Context, s *types.Service, by *types.Deployment) (bool, error) {
	if by.RolloutState == types.DeploymentRolloutStateInProgress && time.Since(w.began) <= w.q.Limit && ctx.Err() == nil {
		return false, nil
	}
	to := last(aws.ToString(by.TaskDefinition))
	if aws.ToString(by.TaskDefinition) != w.r.Base && !strings.Contains(aws.ToString(by.RolloutStateReason), "rolling back") {
		return true, fmt.Errorf("another deployment took its place: %s of %s (%s); %s did not come up to its end", aws.ToString(by.Id), to, by.RolloutState, last(w.r.Definition))
	}
	why := "ECS tells no reason"
	if text := w.reasons(ctx, s); text != "" {
		why = strings.TrimPrefix(text, "; ")
	}
	switch by.RolloutState {
	case types.DeploymentRolloutStateCompleted:
		return true, fmt.Errorf("the service rolled back to %s: %s", to, why)
	case types.DeploymentRolloutStateFailed:
		return true, fmt.Errorf("the service tried to roll back to %s, and that failed too: %s; %s", to, said(by), why)
	}
	return true, fmt.Errorf("the service is rolling back to %s: %s", to, why)
}

// said is what ECS says of a deployment.
func said(d *types.Deployment) string {
	if r := aws.ToString(d.RolloutStateReason); r != "" {
		return strings.TrimSuffix(r, ".")
	}
	return string(d.RolloutState)
}

// state is how the deployments stand, in words.
func (w *watch) state(s *types.Service) string {
	if s == nil {
		return "nothing is known of the deployment of " + last(w.r.Definition)
	}
	var parts []string
	for _, d := range s.Deployments {
		parts = append(parts, fmt.Sprintf("%s of %s is %s, %s, with %d of %d running", aws.ToString(d.Id), last(aws.ToString(d.TaskDefinition)), aws.ToString(d.Status), d.RolloutState, d.RunningCount, d.DesiredCount))
	}
	return strings.Join(parts, "; ")
}

// tell logs what has changed since the last look.
func (w *watch) tell(ctx context.Context, s *types.Service, d *types.Deployment) {
	if now := w.state(s); now != w.told {
		w.told = now
		w.say("%s", now)
	}
	if d != nil && d.FailedTasks > w.failures {
		w.failures = d.FailedTasks
		w.say("%d failed%s", d.FailedTasks, w.reasons(ctx, s))
	}
}

// find follows what a killed apply began, and says how it came out. It changes nothing.
func (t *Tool) find(ctx context.Context) error {
	r, s, err := t.left(ctx)
	if err != nil {
		return err
	}
	if r.Definition == "" {
		return t.answer(outcome{outcomeFailed, fmt.Sprintf("it was killed before anything was registered; %s is at %s, and nothing was deployed", t.q.Service, last(aws.ToString(s.TaskDefinition)))})
	}
	err = t.follow(ctx, nil, r)
	var doubt unsure
	if errors.As(err, &doubt) {
		if now, bad := t.service(ctx); bad == nil && untouched(now, r) {
			return t.answer(outcome{outcomeFailed, fmt.Sprintf("it was killed after %s was registered and before the service was told; %s is at %s, and nothing was deployed", last(r.Definition), t.q.Service, last(aws.ToString(now.TaskDefinition)))})
		}
	}
	return t.answer(judge(ctx, err))
}

// untouched says that the service was never told: all that is known of is what ran
// before, and it is at rest.
func untouched(s *types.Service, r record) bool {
	d := primaryOf(s)
	return r.Deployment == "" && d != nil && (r.Before == "" || r.Before == aws.ToString(d.Id)) && len(s.Deployments) == 1 && aws.ToString(d.TaskDefinition) == r.Base && d.RolloutState == types.DeploymentRolloutStateCompleted
}

// left is what an apply left behind: what it wrote down, or what it registered.
func (t *Tool) left(ctx context.Context) (record, *types.Service, error) {
	var r record
	if err := readJSON(t.q.Dir, recordFile, &r); err != nil {
		return r, nil, err
	}
	s, err := t.service(ctx)
	if err != nil {
		return r, nil, err
	}
	if r.Definition != "" {
		return r, s, nil
	}
	var p planned
	if err := readJSON(t.q.Dir, planFile, &p); err != nil {
		return r, s, err
	}
	now, tags, err := t.definition(ctx, aws.ToString(s.TaskDefinition))
	if err != nil {
		return r, s, err
	}
	if tagged(tags, tagRun, t.q.Run) {
		r.Definition, r.Base = aws.ToString(now.TaskDefinitionArn), p.Base
		return r, s, nil
	}
	r.Base = aws.ToString(now.TaskDefinitionArn)
	in := input(now, nil)
	in.ContainerDefinitions = nil // whatever it holds
	r.Definition, err = t.registered(ctx, in, r.Base)
	return r, s, err
}
