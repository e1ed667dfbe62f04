package ecs

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/signalbox-chatops/signalbox/integrations"
)

const mostReasons = 3 // that are told

// reasons are why tasks of the deployment ended, each once and with how many: "; 3 tasks
// stopped: Essential container in task exited (app: exit code 1)". Where none ended, as
// when none can be placed, the service's own words stand for them.
func (w *watch) reasons(ctx context.Context, s *types.Service) string {
	ctx = context.WithoutCancel(ctx) // each call has a limit of its own
	tasks, err := w.stopped(ctx)
	if err != nil {
		w.say("The stopped tasks cannot be read: %v", err)
	}
	count := map[string]int{}
	var order []string
	for _, t := range tasks {
		if aws.ToString(t.TaskDefinitionArn) != w.r.Definition || aws.ToString(t.StoppedReason) == "" || scaledIn(t) {
			continue
		}
		text := reason(t)
		if count[text] == 0 {
			order = append(order, text)
		}
		count[text]++
	}
	var parts []string
	for _, text := range order[:min(len(order), mostReasons)] {
		parts = append(parts, fmt.Sprintf("%d %s: %s", count[text], stoppedWord(count[text]), text))
	}
	if len(parts) == 0 {
		parts = w.events(s)
	}
	if len(parts) == 0 {
		return ""
	}
	return "; " + strings.Join(parts, "; ")
}

func stoppedWord(n int) string {
	if n == 1 {
		return "task stopped"
	}
	return "tasks stopped"
}

// scaledIn says that the scheduler itself let a task go.
func scaledIn(t types.Task) bool {
	return strings.HasPrefix(aws.ToString(t.StoppedReason), "Scaling activity")
}

// reason is why a task ended, with what its containers left.
func reason(t types.Task) string {
	text := strings.TrimSuffix(aws.ToString(t.StoppedReason), ".")
	var parts []string
	for _, c := range t.Containers {
		switch why := aws.ToString(c.Reason); {
		case why != "" && !strings.Contains(text, why):
			parts = append(parts, aws.ToString(c.Name)+": "+why)
		case aws.ToInt32(c.ExitCode) != 0:
			parts = append(parts, fmt.Sprintf("%s: exit code %d", aws.ToString(c.Name), *c.ExitCode))
		}
	}
	if len(parts) > 0 {
		text += " (" + strings.Join(parts, ", ") + ")"
	}
	return cut(text, 300)
}

// stopped are the tasks of the service that have ended, as long as ECS tells of them,
// which is an hour.
func (w *watch) stopped(ctx context.Context) ([]types.Task, error) {
	got, err := w.reads.ListTasks(ctx, &sdk.ListTasksInput{Cluster: &w.q.Cluster, ServiceName: &w.q.Service, DesiredStatus: types.DesiredStatusStopped, MaxResults: aws.Int32(tasksAtOnce)})
	if err != nil {
		return nil, w.explain(ctx, "list the stopped tasks of", w.name(), err)
	}
	if len(got.TaskArns) == 0 {
		return nil, nil
	}
	told, err := w.reads.DescribeTasks(ctx, &sdk.DescribeTasksInput{Cluster: &w.q.Cluster, Tasks: got.TaskArns})
	if err != nil {
		return nil, w.explain(ctx, "read the stopped tasks of", w.name(), err)
	}
	return told.Tasks, nil
}

// events are the newest that ECS told since the deployment began.
func (w *watch) events(s *types.Service) (out []string) {
	if s == nil {
		return nil
	}
	d := w.mine(s)
	for _, e := range s.Events {
		if d != nil && d.CreatedAt != nil && e.CreatedAt != nil && e.CreatedAt.Before(*d.CreatedAt) {
			break
		}
		text := strings.TrimSuffix(aws.ToString(e.Message), ".")
		if strings.Contains(text, "unable to") && !slices.Contains(out, text) && len(out) < mostReasons {
			out = append(out, cut(text, 300))
		}
	}
	return out
}

// probe says how the service stands to what an apply of this commit registered.
func (t *Tool) probe(ctx context.Context) error {
	r, s, err := t.left(ctx)
	if err != nil {
		return err
	}
	w := &watch{Tool: t, r: r}
	d := primaryOf(s)
	at := last(aws.ToString(s.TaskDefinition))
	switch {
	case r.Definition == "":
		return t.answer(integrations.Probe{Text: fmt.Sprintf("Nothing was deployed: this apply registered no task definition, and %s is at %s.\n%s.", t.q.Service, at, w.state(s))})
	case aws.ToString(s.TaskDefinition) != r.Definition:
		return t.answer(integrations.Probe{Text: fmt.Sprintf("%s, which this apply registered, does not run: %s is at %s%s.\n%s.", last(r.Definition), t.q.Service, at, w.reasons(ctx, s), w.state(s))})
	case d != nil && d.RolloutState == types.DeploymentRolloutStateCompleted && len(s.Deployments) == 1 && s.RunningCount == s.DesiredCount && s.DesiredCount > 0:
		return t.answer(integrations.Probe{Clean: true, Text: fmt.Sprintf("%s is deployed: %d of %d tasks run it, and the deployment %s is COMPLETED.", at, s.RunningCount, s.DesiredCount, aws.ToString(d.Id))})
	}
	return t.answer(integrations.Probe{Text: fmt.Sprintf("It goes on at ECS by itself%s.\n%s.", w.reasons(ctx, s), w.state(s))})
}
