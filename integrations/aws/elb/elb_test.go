package elb

import (
	"testing"

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
