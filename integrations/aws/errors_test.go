package aws

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/aws/ec2"
)

// answered is an error as the SDK wraps it.
func answered(status int, err error) error {
	return &smithy.OperationError{ServiceID: "EC2", OperationName: "X", Err: &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: &http.Response{StatusCode: status}}, Err: err,
	}}
}

func coded(status int, code, message string) error {
	return answered(status, &smithy.GenericAPIError{Code: code, Message: message})
}

func TestShape(t *testing.T) {
	const later, gone, refused = "later", "gone", "refused"
	for _, tt := range []struct {
		name, want string
		err        error
		text       string
		after      time.Duration
		unsent     bool
	}{
		{name: "EC2 throttles", err: coded(503, "RequestLimitExceeded", "Slow"), want: later, after: afterThrottle, unsent: true, text: "aws end i-1: RequestLimitExceeded: Slow"},
		{name: "a query service throttles", err: coded(400, "Throttling", "Rate exceeded"), want: later, after: afterThrottle, unsent: true},
		{name: "Systems Manager throttles", err: coded(400, "ThrottlingException", "Rate exceeded"), want: later, after: afterThrottle, unsent: true},
		{name: "too many", err: coded(429, "TooManyRequests", "Slow"), want: later, after: afterThrottle, unsent: true},
		{name: "too many, by the status alone", err: coded(429, "Odd", "Slow"), want: later, after: afterThrottle, unsent: true},
		{name: "two at once", err: coded(500, "ResourceContention", "You already have a pending update"), want: later, after: afterBusy, unsent: true},
		{name: "a group is moving", err: coded(400, "ScalingActivityInProgress", "Wait"), want: later, after: afterBusy, unsent: true},
		{name: "the service is not well", err: coded(500, "InternalFailure", "Sorry"), want: later, after: afterServer},
		{name: "it says so with 400", err: coded(400, "InternalError", "Sorry"), want: later, after: afterServer},
		{name: "a code that nobody knows, with 502", err: coded(502, "UnknownError", "UnknownError"), want: later, after: afterServer},
		{name: "a page that is no answer", err: answered(502, errors.New("not XML")), want: later, after: afterNetwork},
		{name: "the network", err: &smithy.OperationError{Err: &smithyhttp.RequestSendError{Err: &url.Error{Op: "Post", URL: "https://ec2", Err: errors.New("connection refused")}}}, want: later, after: afterNetwork, text: "aws end i-1: connection refused"},
		{name: "an answer that broke off", err: answered(200, &smithy.DeserializationError{Err: io.ErrUnexpectedEOF}), want: later, after: afterNetwork},
		{name: "no answer in time", err: &smithy.OperationError{Err: context.DeadlineExceeded}, want: later, after: afterNetwork, text: "aws end i-1: no answer within 20s"},
		{name: "no instance", err: coded(400, "InvalidInstanceID.NotFound", "The instance ID 'i-1' does not exist"), want: gone, text: "aws end i-1: InvalidInstanceID.NotFound: The instance ID 'i-1' does not exist"},
		{name: "an answer without it", err: &ec2.NotFound{ID: "i-1"}, want: gone, text: "aws end i-1: there is no instance i-1"},
		{name: "no target group", err: coded(400, "TargetGroupNotFound", "One or more target groups not found"), want: gone},
		{name: "no load balancer", err: coded(400, "LoadBalancerNotFound", "There is no ACTIVE Load Balancer named 'x'"), want: gone},
		{name: "not in a classic load balancer", err: coded(400, "InvalidInstance", "Could not find EC2 instance i-1."), want: gone},
		{name: "not in the group", err: coded(400, "ValidationError", "The instance i-1 is not part of Auto Scaling group web."), want: gone},
		{name: "in no group", err: coded(400, "ValidationError", "Instance Id not found - No managed instance found for instance ID: i-1"), want: gone},
		{name: "no group", err: coded(400, "ValidationError", "AutoScalingGroup name not found - AutoScalingGroup 'web' not found"), want: gone},
		{name: "below the minimum", err: coded(400, "ValidationError", "AutoScalingGroup web has min-size=2, max-size=3, and desired-size=2."), want: refused, text: "aws end i-1: ValidationError: AutoScalingGroup web has min-size=2, max-size=3, and desired-size=2."},
		{name: "the same words of another code", err: coded(400, "AccessDenied", "it is not part of Auto Scaling group web"), want: refused},
		{name: "not allowed", err: coded(403, "UnauthorizedOperation", "You are not authorized. Encoded authorization failure message: 4OIAmmE5"), want: refused, text: "aws end i-1: UnauthorizedOperation: You are not authorized."},
		{name: "a mistake of ours", err: &smithy.OperationError{Err: errors.New("1 validation error(s) found")}, want: refused, text: "aws end i-1: 1 validation error(s) found"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := shape(t.Context(), "end", "i-1", tt.err)
			var l *integrations.Later
			var g *integrations.Gone
			got := refused
			switch {
			case errors.As(err, &l):
				got, err = later, l.Err
				if l.After != tt.after || l.Unsent != tt.unsent {
					t.Errorf("again after %v, unsent %v; want %v, %v", l.After, l.Unsent, tt.after, tt.unsent)
				}
			case errors.As(err, &g):
				got = gone
			}
			if got != tt.want {
				t.Errorf("%v is %s; want %s", err, got, tt.want)
			}
			if tt.text != "" && err.Error() != tt.text {
				t.Errorf("got %q; want %q", err, tt.text)
			}
		})
	}
}

func TestTheCallersEndIsNotAnOutage(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := shape(ctx, "end", "i-1", &smithy.OperationError{Err: context.Canceled})
	var later *integrations.Later
	if !errors.Is(err, context.Canceled) || errors.As(err, &later) {
		t.Errorf("got %v; want the context's own end", err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 0)
	defer cancel()
	err = shape(ctx, "end", "i-1", &smithy.OperationError{Err: context.DeadlineExceeded})
	if !errors.Is(err, context.DeadlineExceeded) || errors.As(err, &later) {
		t.Errorf("got %v; want the context's own end", err)
	}
}

// What is read on the way to something else may be gone without that being gone.
func TestAPartThatIsGoneIsLookedAtAgain(t *testing.T) {
	err := part(t.Context(), "read", "web", coded(400, "LoadBalancerNotFound", "none"))
	var later *integrations.Later
	var gone *integrations.Gone
	if !errors.As(err, &later) || errors.As(err, &gone) {
		t.Errorf("got %v; want *integrations.Later", err)
	}
}

func TestTogether(t *testing.T) {
	later := func(site string) error {
		return fmt.Errorf("%s: %w", site, &integrations.Later{After: time.Second, Err: errors.New("slow")})
	}
	refused := errors.New("b/tokyo: denied")
	var l *integrations.Later
	if err := together([]error{nil, nil}); err != nil {
		t.Errorf("got %v of no error", err)
	}
	if err := together([]error{later("a/osaka"), nil, later("c/seoul")}); !errors.As(err, &l) || !strings.Contains(err.Error(), "a/osaka") || !strings.Contains(err.Error(), "c/seoul") {
		t.Errorf("got %v; want a Later that names both sites", err)
	}
	if err := together([]error{later("a/osaka"), refused}); errors.As(err, &l) || !errors.Is(err, refused) {
		t.Errorf("got %v; want the refusal, which waiting does not mend", err)
	}
}
