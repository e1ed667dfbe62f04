package ecs

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// answering speaks to a service that gives each action its answer; ListTasks has one for
// each desired status.
func answering(t *testing.T, answers map[string]string) *Reader {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		_, action, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		if action == "ListTasks" && strings.Contains(string(body), "STOPPED") {
			action += " STOPPED"
		}
		if _, ok := answers[action]; !ok {
			t.Errorf("%s was not expected", action)
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		fmt.Fprint(w, answers[action])
	}))
	t.Cleanup(server.Close)
	return NewReader(aws.Config{Region: "ap-northeast-1", BaseEndpoint: &server.URL, HTTPClient: server.Client(), Credentials: aws.AnonymousCredentials{},
		Retryer: func() aws.Retryer { return aws.NopRetryer{} }})
}

// What ECS tells may not agree with itself for a while, and none of it says then that
// there is no task.
func TestAnswersThatDoNotAgree(t *testing.T) {
	const gone, task = `{"failures":[{"arn":"x/t-1","reason":"MISSING"}],"tasks":[]}`, `{"tasks":[{"taskArn":"x/t-1","group":"service:web","lastStatus":"%s"}]}`
	for _, c := range []struct {
		what, runs, stopped, told string
		counted                   int
		failed                    bool // the container instance is not known
		want                      string
	}{
		{what: "nothing", want: "0"},
		{what: "one runs", runs: `"x/t-1"`, told: fmt.Sprintf(task, "RUNNING"), counted: 1, want: "1"},
		{what: "one goes over while it is listed", runs: `"x/t-1"`, stopped: `"x/t-1"`, told: fmt.Sprintf(task, "STOPPING"), want: "1"},
		{what: "one has stopped", stopped: `"x/t-1"`, told: fmt.Sprintf(task, "STOPPED"), want: "0"},
		{what: "a stopped one is forgotten", stopped: `"x/t-1"`, told: gone, want: "0"},
		{what: "a running one is not known", runs: `"x/t-1"`, told: gone, want: "does not know"},
		{what: "one is not told", runs: `"x/t-1"`, told: `{"tasks":[]}`, want: "told 0"},
		{what: "another reason", stopped: `"x/t-1"`, told: strings.ReplaceAll(gone, "MISSING", "BUSY"), want: "BUSY"},
		{what: "counted and not listed", counted: 2, want: "counts 2"},
		{what: "the host is not known", failed: true, want: "h-1: MISSING"},
	} {
		t.Run(c.what, func(t *testing.T) {
			hosts := fmt.Sprintf(`{"containerInstances":[{"containerInstanceArn":"x/h-1","ec2InstanceId":"i-1","status":"DRAINING","runningTasksCount":%d}]}`, c.counted)
			if c.failed {
				hosts = `{"failures":[{"arn":"x/h-1","reason":"MISSING"}]}`
			}
			h, err := answering(t, map[string]string{
				"ListContainerInstances": `{"containerInstanceArns":["x/h-1"]}`, "DescribeContainerInstances": hosts,
				"ListTasks": `{"taskArns":[` + c.runs + `]}`, "ListTasks STOPPED": `{"taskArns":[` + c.stopped + `]}`, "DescribeTasks": c.told,
			}).Host(t.Context(), "web", "i-1")
			var later *integrations.Later
			switch {
			case err != nil && (!errors.As(err, &later) || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v, want %s", err, c.want)
			case err == nil && (h == nil || fmt.Sprint(len(h.Tasks)) != c.want):
				t.Errorf("got %+v, want %s", h, c.want)
			}
		})
	}
}
