package aws

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/aws/ec2"
)

// When to come again.
const (
	afterNetwork  = 2 * time.Second
	afterThrottle = 5 * time.Second
	afterServer   = 5 * time.Second
	afterBusy     = 10 * time.Second
	afterChange   = 2 * time.Second // something was deleted while it was read
)

// soon are codes that ask to come again, besides those that the SDK knows. Each is a
// refusal: nothing was done.
var soon = map[string]time.Duration{
	"TooManyRequests":           afterThrottle,
	"RateExceeded":              afterThrottle,
	"DependencyThrottle":        afterThrottle,
	"ResourceContention":        afterBusy,
	"ResourceContentionFault":   afterBusy,
	"ScalingActivityInProgress": afterBusy,
	// CodeBuild: as many builds as it takes at a time are under way.
	"AccountLimitExceededException": afterBusy,
}

// broken are codes of a service that does not do well, whatever their HTTP status:
// what was asked of it may have been done.
var broken = map[string]bool{
	"InternalError": true, "InternalFailure": true, "InternalServerError": true,
	"ServiceUnavailable": true, "ServiceUnavailableException": true, "Unavailable": true,
}

// none are codes for what is not there.
var none = map[string]bool{
	"InvalidInstanceID.NotFound": true, // EC2
	"TargetGroupNotFound":        true, // Elastic Load Balancing V2
	"LoadBalancerNotFound":       true, // both
	"InvalidInstance":            true, // classic: it is not registered

	"InvalidGroup.NotFound":               true, // EC2, of security groups
	"InvalidSecurityGroupRuleId.NotFound": true,
	"InvalidPermission.NotFound":          true,
}

// notThere are the words of a ValidationError of EC2 Auto Scaling about what is not
// there; it has no code for it.
var notThere = []string{"is not part of auto scaling group", "no managed instance found", "autoscalinggroup name not found", "group name not found"}

// shape gives an error of the SDK the words of integrations: *integrations.Later for
// throttling, a service or a network that is not well, and a group in the middle of
// something; *integrations.Gone for what is not there; a refusal otherwise. Its text is
// "aws <act> <thing>: <Code>: <message>". The end of ctx stays what it is.
func shape(ctx context.Context, act, thing string, err error) error {
	if err == nil {
		return nil
	}
	what := strings.TrimSpace("aws " + act + " " + thing)
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", what, ctx.Err())
	}
	var shaped *integrations.Later
	if errors.As(err, &shaped) {
		return err
	}
	var absent *ec2.NotFound
	if errors.As(err, &absent) {
		return &integrations.Gone{Why: what + ": " + absent.Error()}
	}
	var api smithy.APIError
	if !errors.As(err, &api) {
		return unanswered(what, err)
	}
	code := api.ErrorCode()
	// EC2 adds half a kilobyte that only an administrator can decode.
	message, _, _ := strings.Cut(api.ErrorMessage(), " Encoded authorization failure message:")
	said := fmt.Errorf("%s: %s: %s", what, code, message)
	_, throttled := retry.DefaultThrottleErrorCodes[code]
	wait := soon[code]
	switch {
	case wait > 0:
		return &integrations.Later{After: wait, Err: said, Unsent: true}
	case throttled:
		return &integrations.Later{After: afterThrottle, Err: said, Unsent: true}
	case none[code] || code == "ValidationError" && speaksOfNothing(message):
		return &integrations.Gone{Why: said.Error()}
	case broken[code] || status(err) >= http.StatusInternalServerError:
		return &integrations.Later{After: afterServer, Err: said}
	case status(err) == http.StatusTooManyRequests:
		return &integrations.Later{After: afterThrottle, Err: said, Unsent: true}
	}
	return said
}

func speaksOfNothing(message string) bool {
	message = strings.ToLower(message)
	for _, words := range notThere {
		if strings.Contains(message, words) {
			return true
		}
	}
	return false
}

// status is the HTTP status of the answer, 0 if there was none.
func status(err error) int {
	var answer *smithyhttp.ResponseError
	if errors.As(err, &answer) && answer.Response != nil {
		return answer.HTTPStatusCode()
	}
	return 0
}

// unanswered is an error without an answer of AWS in it: the network's, or our own.
func unanswered(what string, err error) error {
	var (
		send  *smithyhttp.RequestSendError
		ended *smithy.DeserializationError // an answer that broke off
		wire  net.Error
	)
	lost := errors.As(err, &send) || errors.As(err, &ended) || errors.As(err, &wire) || status(err) >= http.StatusInternalServerError ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, context.DeadlineExceeded)
	said := fmt.Errorf("%s: %w", what, inner(err))
	if errors.Is(err, context.DeadlineExceeded) {
		said = fmt.Errorf("%s: no answer within %v", what, callLimit)
	}
	if lost {
		return &integrations.Later{After: afterNetwork, Err: said}
	}
	return said
}

// inner leaves out the SDK's layers, which say what was said, and the address.
func inner(err error) error {
	var address *url.Error
	if errors.As(err, &address) {
		return address.Err
	}
	var op *smithy.OperationError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}

// part is shape for something that was read on the way to something else: that it is
// gone does not say that the other is, so it is to be looked at again.
func part(ctx context.Context, act, thing string, err error) error {
	err = shape(ctx, act, thing, err)
	var gone *integrations.Gone
	if errors.As(err, &gone) {
		return &integrations.Later{After: afterChange, Err: errors.New(gone.Why)}
	}
	return err
}

// together joins the errors of several sites. They are *integrations.Later only if all
// are: a refusal does not go away by waiting.
func together(errs []error) error {
	var found, refused []error
	after := time.Duration(0)
	for _, err := range errs {
		var later *integrations.Later
		switch {
		case err == nil:
			continue
		case errors.As(err, &later):
			after = max(after, later.After)
		default:
			refused = append(refused, err)
		}
		found = append(found, err)
	}
	switch {
	case len(found) == 0:
		return nil
	case len(refused) == 0:
		return &integrations.Later{After: after, Err: errors.Join(found...)}
	}
	return errors.Join(refused...)
}
