package ecs

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Tasks that cannot be placed never stop: the service says why there are none.
func TestWhyNoTaskIsPlaced(t *testing.T) {
	at := time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)
	event := func(after time.Duration, text string) types.ServiceEvent {
		return types.ServiceEvent{CreatedAt: aws.Time(at.Add(after)), Message: aws.String(text)}
	}
	s := &types.Service{
		Deployments: []types.Deployment{{Id: aws.String("d-2"), CreatedAt: aws.Time(at)}},
		Events: []types.ServiceEvent{
			event(3*time.Second, "(service shop) was unable to place a task because no container instance met all of its requirements."),
			event(2*time.Second, "(service shop) has started 1 tasks: (task x)."),
			event(time.Second, "(service shop) was unable to place a task because no container instance met all of its requirements."),
			event(-time.Second, "(service shop) was unable to place a task of before."),
		},
	}
	w := &watch{Tool: &Tool{}, r: record{Deployment: "d-2"}}
	if got := strings.Join(w.events(s), "|"); got != "(service shop) was unable to place a task because no container instance met all of its requirements" {
		t.Errorf("it says %q", got)
	}
}

func TestTheReasonOfATask(t *testing.T) {
	for want, task := range map[string]types.Task{
		"Essential container in task exited (app: exit code 137)":  {StoppedReason: aws.String("Essential container in task exited"), Containers: []types.Container{{Name: aws.String("app"), ExitCode: aws.Int32(137)}, {Name: aws.String("side"), ExitCode: aws.Int32(0)}}},
		"OutOfMemoryError: killed":                                 {StoppedReason: aws.String("OutOfMemoryError: killed"), Containers: []types.Container{{Name: aws.String("app"), Reason: aws.String("OutOfMemoryError: killed")}}},
		"Task failed to start (app: CannotPullContainerError: no)": {StoppedReason: aws.String("Task failed to start."), Containers: []types.Container{{Name: aws.String("app"), Reason: aws.String("CannotPullContainerError: no")}}},
	} {
		if got := reason(task); got != want {
			t.Errorf("it says %q, want %q", got, want)
		}
	}
}
