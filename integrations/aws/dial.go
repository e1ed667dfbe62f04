package aws

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/middleware"
)

const (
	callLimit  = 20 * time.Second // of one call, with all its tries
	tries      = 3                // of a read
	longestGap = 2 * time.Second  // between them
	session    = "signalbox"      // the name of its sessions in CloudTrail
	renewal    = 5 * time.Minute  // before an assumed role's credentials end
)

// thrice tries reads again. It has no quota: one question makes many calls, and they
// have limits of their own.
func thrice() sdk.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts, o.MaxBackoff, o.RateLimiter = tries, longestGap, ratelimit.None
	})
}

// once tries nothing again.
func once() sdk.Retryer { return sdk.NopRetryer{} }

// dial is how an account is spoken to, in its first region. It asks nobody yet.
func dial(a Account, client *http.Client) (sdk.Config, error) {
	c, err := begin(a)
	if err != nil {
		return c, err
	}
	// The environment's AWS_MAX_ATTEMPTS would lay itself over the retryers.
	c.RetryMaxAttempts, c.RetryMode, c.Retryer = 0, "", thrice
	c.APIOptions = append(c.APIOptions, bound)
	if client != nil {
		c.HTTPClient = client // after the credentials: AWS_CA_BUNDLE refuses a client of ours
	}
	if c.HTTPClient == nil {
		c.HTTPClient = awshttp.NewBuildableClient()
	}
	c.HTTPClient = plainBodies{c.HTTPClient}
	if a.Role != "" {
		c.Credentials = assume(c, a)
	}
	return c, nil
}

// plainBodies hides WriteTo of a request's body. The SDK closes a body as soon as it has
// an answer; WriteTo on a closed body then looks like a failed write to net/http, which
// drops the connection, and with it an answer that came fast (smithy-go v1.28.9).
type plainBodies struct{ sdk.HTTPClient }

func (p plainBodies) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		r = r.Clone(r.Context())
		r.Body = struct{ io.ReadCloser }{r.Body}
	}
	return p.HTTPClient.Do(r)
}

func begin(a Account) (sdk.Config, error) {
	c := sdk.Config{Region: a.Regions[0]}
	if a.AccessKeyID.IsZero() {
		found, err := config.LoadDefaultConfig(context.Background(), config.WithRegion(a.Regions[0]))
		if err != nil {
			return c, err
		}
		if a.Endpoint == "" {
			return found, nil
		}
		// What the environment says of endpoints is not for this one.
		c.Credentials = found.Credentials
	} else {
		c.Credentials = sdk.NewCredentialsCache(credentials.NewStaticCredentialsProvider(a.AccessKeyID.Reveal(), a.SecretAccessKey.Reveal(), ""))
	}
	if a.Endpoint != "" {
		c.BaseEndpoint = sdk.String(a.Endpoint)
	}
	return c, nil
}

func assume(c sdk.Config, a Account) sdk.CredentialsProvider {
	role := stscreds.NewAssumeRoleProvider(sts.NewFromConfig(c), a.Role, func(o *stscreds.AssumeRoleOptions) {
		o.RoleSessionName = session
		if a.ExternalID != "" {
			o.ExternalID = sdk.String(a.ExternalID)
		}
	})
	return sdk.NewCredentialsCache(role, func(o *sdk.CredentialsCacheOptions) { o.ExpiryWindow = renewal })
}

// bound gives each call a limit of time.
func bound(stack *middleware.Stack) error {
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("signalboxLimit",
		func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
			ctx, cancel := context.WithTimeoutCause(ctx, callLimit, fmt.Errorf("no answer within %v", callLimit))
			defer cancel()
			return next.HandleInitialize(ctx, in)
		}), middleware.Before)
}
