package asg

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// answering speaks to a service that gives each action its answer.
func answering(t *testing.T, answers map[string]string) aws.Config {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		asked, err := url.ParseQuery(string(body))
		if err != nil {
			t.Error(err)
		}
		action := asked.Get("Action")
		if _, ok := answers[action]; !ok {
			t.Errorf("%s was not expected", action)
		}
		fmt.Fprintf(w, "<%[1]sResponse><%[1]sResult>%[2]s</%[1]sResult></%[1]sResponse>", action, answers[action])
	}))
	t.Cleanup(server.Close)
	return aws.Config{Region: "ap-northeast-1", BaseEndpoint: &server.URL, HTTPClient: server.Client(), Credentials: aws.AnonymousCredentials{}}
}

// One of a warm pool is in a group, and the group does not list it.
func TestAnInstanceOfAWarmPool(t *testing.T) {
	r := NewReader(answering(t, map[string]string{"DescribeAutoScalingInstances": `<AutoScalingInstances><member><InstanceId>i-1</InstanceId>
		<AutoScalingGroupName>web</AutoScalingGroupName><AvailabilityZone>a</AvailabilityZone><LifecycleState>Warmed:Stopped</LifecycleState>
		<HealthStatus>HEALTHY</HealthStatus><ProtectedFromScaleIn>true</ProtectedFromScaleIn></member></AutoScalingInstances>`}))
	group, got, err := r.Of(t.Context(), "i-1")
	if err != nil {
		t.Fatal(err)
	}
	want := integrations.Member{ID: "i-1", Zone: "a", Lifecycle: "Warmed:Stopped", Healthy: true, Protected: true}
	if diff := cmp.Diff(want, got); diff != "" || group != "web" {
		t.Errorf("its group is %q; %s", group, diff)
	}
	if group, _, err := r.Of(t.Context(), "i-2"); err != nil || group != "" {
		t.Errorf("the group of another is %q, %v", group, err)
	}
}

func TestRefreshesAndHooks(t *testing.T) {
	const hook = `<member><LifecycleTransition>autoscaling:EC2_INSTANCE_%s</LifecycleTransition>%s</member>`
	for _, tt := range []struct {
		status, hooks string
		refreshing    bool
		wait          time.Duration
	}{
		{"Successful", "", false, 0},
		{"Failed", fmt.Sprintf(hook, "LAUNCHING", "<HeartbeatTimeout>60</HeartbeatTimeout>"), false, 0},
		{"Cancelled", fmt.Sprintf(hook, "TERMINATING", ""), false, time.Hour},
		{"RollbackFailed", fmt.Sprintf(hook, "TERMINATING", "<HeartbeatTimeout>60</HeartbeatTimeout>") + fmt.Sprintf(hook, "TERMINATING", "<HeartbeatTimeout>30</HeartbeatTimeout>"), false, time.Minute},
		{"RollbackSuccessful", "", false, 0},
		{"Pending", "", true, 0}, {"InProgress", "", true, 0}, {"Cancelling", "", true, 0}, {"RollbackInProgress", "", true, 0}, {"Baking", "", true, 0},
		{"OfTomorrow", "", true, 0},
	} {
		g, err := NewReader(answering(t, map[string]string{
			"DescribeAutoScalingGroups": `<AutoScalingGroups><member><AutoScalingGroupName>web</AutoScalingGroupName></member></AutoScalingGroups>`,
			"DescribeInstanceRefreshes": `<InstanceRefreshes><member><Status>Successful</Status></member><member><Status>` + tt.status + `</Status></member></InstanceRefreshes>`,
			"DescribeLifecycleHooks":    `<LifecycleHooks>` + tt.hooks + `</LifecycleHooks>`,
		})).Group(t.Context(), "web")
		if err != nil {
			t.Fatal(err)
		}
		if g.Refreshing != tt.refreshing || g.HookTimeout != tt.wait {
			t.Errorf("%s: refreshing %v, hooks for %v; want %v, %v", tt.status, g.Refreshing, g.HookTimeout, tt.refreshing, tt.wait)
		}
	}
}

func TestAGroupThatIsNotThere(t *testing.T) {
	g, err := NewReader(answering(t, map[string]string{"DescribeAutoScalingGroups": ""})).Group(t.Context(), "web")
	if err != nil || g != nil {
		t.Errorf("got %v, %v", g, err)
	}
}
