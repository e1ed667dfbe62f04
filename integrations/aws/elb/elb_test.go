package elb

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v1 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/google/go-cmp/cmp"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// An instance that leaves is said to be InService, or OutOfService if it was not well;
// either way it still has connections.
func TestWhatAClassicLoadBalancerSays(t *testing.T) {
	for _, tt := range []struct{ state, description, want, reason string }{
		{"InService", "N/A", "healthy", ""},
		{"InService", "Instance deregistration currently in progress.", "draining", "Target.DeregistrationInProgress"},
		{"OutOfService", "Instance deregistration currently in progress.", "draining", "Target.DeregistrationInProgress"},
		{"OutOfService", "Instance is not currently registered with the LoadBalancer.", "unused", integrations.ReasonNotRegistered},
		{"OutOfService", "Instance registration is still in progress.", "initial", "Elb.RegistrationInProgress"},
		{"OutOfService", "Instance has failed health checks.", "unhealthy", "Instance has failed health checks."},
		{"Unknown", "A transient error occurred.", "unavailable", "A transient error occurred."},
	} {
		got, reason := state(v1.InstanceState{State: aws.String(tt.state), Description: aws.String(tt.description)})
		if got != tt.want || reason != tt.reason {
			t.Errorf("%s: %s is %s (%s); want %s (%s)", tt.state, tt.description, got, reason, tt.want, tt.reason)
		}
	}
}

func TestKindOf(t *testing.T) {
	want := map[types.ProtocolEnum]string{"HTTP": "alb", "HTTPS": "alb", "TCP": "nlb", "TLS": "nlb", "UDP": "nlb", "TCP_UDP": "nlb", "GENEVE": "nlb", "QUIC": "nlb"}
	for p, kind := range want {
		if got := kindOf(p); got != kind {
			t.Errorf("%s is of %s; want %s", p, got, kind)
		}
	}
}

func TestLacking(t *testing.T) {
	seats := []integrations.Seat{{Instance: "i-1", Port: 80}, {Instance: "i-2", Port: 80, Zone: "a"}}
	asked := []integrations.Seat{{Instance: "i-1"}, {Instance: "i-1", Port: 81}, {Instance: "i-2", Port: 80, Zone: "b"}, {Instance: "i-3", Port: 80}}
	if diff := cmp.Diff(asked[1:], lacking(seats, asked)); diff != "" {
		t.Error(diff)
	}
}

// Whether an instance takes requests of all zones is the group's to say, or its load
// balancer's.
func TestSpread(t *testing.T) {
	for _, tt := range []struct {
		protocol, setting, balancer string
		want                        bool
	}{
		{"HTTP", "true", "x", true},
		{"HTTP", "false", "x", false},
		{"HTTP", "use_load_balancer_configuration", "x", true},
		{"HTTP", "", "x", true},
		{"TCP", "true", "x", true},
		{"TCP", "false", "true", false},
		{"TCP", "use_load_balancer_configuration", "true", true},
		{"TCP", "use_load_balancer_configuration", "false", false},
		{"TCP", "", "true", true},
		{"TCP", "", "false,true", false},
		{"TCP", "", "true,false", false},
		{"TCP", "", "true,true", true},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			const set = `<Attributes><member><Key>load_balancing.cross_zone.enabled</Key><Value>%s</Value></member></Attributes>`
			answers := map[string]string{
				"DescribeTargetGroupAttributes":  fmt.Sprintf(set, tt.setting),
				"DescribeLoadBalancerAttributes": fmt.Sprintf(set, r.FormValue("LoadBalancerArn")), // which is what it says
			}
			for arn := range strings.SplitSeq(tt.balancer, ",") {
				answers["DescribeLoadBalancers"] += `<member><LoadBalancerArn>` + arn + `</LoadBalancerArn><AvailabilityZones>
					<member><ZoneName>b</ZoneName></member><member><ZoneName>a</ZoneName></member></AvailabilityZones></member>`
			}
			answers["DescribeLoadBalancers"] = "<LoadBalancers>" + answers["DescribeLoadBalancers"] + "</LoadBalancers>"
			action := r.FormValue("Action")
			fmt.Fprintf(w, "<%[1]sResponse><%[1]sResult>%[2]s</%[1]sResult></%[1]sResponse>", action, answers[action])
		}))
		r := NewReader(aws.Config{Region: "x", BaseEndpoint: &server.URL, Credentials: aws.AnonymousCredentials{}}, time.Now)
		got, err := r.group(t.Context(), types.TargetGroup{TargetGroupArn: aws.String("group"), Protocol: types.ProtocolEnum(tt.protocol), LoadBalancerArns: []string{"arn"}})
		server.Close()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"a", "b"}, got.Zones); diff != "" || got.Spread != tt.want || got.Delay != 300*time.Second {
			t.Errorf("%s, %q, %q: spread is %v, the delay %v; %s", tt.protocol, tt.setting, tt.balancer, got.Spread, got.Delay, diff)
		}
	}
}
