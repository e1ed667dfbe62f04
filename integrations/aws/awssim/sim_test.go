package awssim

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
)

// still is a clock that moves when it is told to.
type still struct {
	mu  sync.Mutex
	now time.Time
}

func (c *still) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *still) NewTimer(time.Duration) clock.Timer { panic("the simulator needs no timer") }

func (c *still) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// bench is a simulator with a client of each service.
type bench struct {
	*testing.T
	ctx   context.Context
	sim   *Sim
	clock *still
	url   string
	ec2   *ec2.Client
	elbv2 *elbv2.Client
	elb   *elb.Client
	asg   *autoscaling.Client
	ssm   *ssm.Client
	sts   *sts.Client
}

const region = "ap-northeast-1"

func newBench(t *testing.T, fleet Fleet, change func(c *Config)) *bench {
	t.Helper()
	b := &bench{T: t, ctx: t.Context(), clock: &still{now: time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)}}
	cfg := Config{Clock: b.clock, Fleet: fleet, Accounts: map[string]string{DemoKey: "main"}}
	if change != nil {
		change(&cfg)
	}
	var err error
	b.sim, err = New(cfg)
	b.must(err)
	server := httptest.NewServer(b.sim.Handler())
	t.Cleanup(func() {
		server.Close()
		b.must(b.sim.Close())
	})
	b.url = server.URL
	b.connect(b.config(DemoKey, "", region))
	return b
}

func (b *bench) config(key, token, region string) aws.Config {
	return aws.Config{
		Region: region, BaseEndpoint: aws.String(b.url + "/"), HTTPClient: plainBodies{},
		Credentials: credentials.NewStaticCredentialsProvider(key, "secret", token),
		Retryer:     func() aws.Retryer { return aws.NopRetryer{} },
	}
}

// plainBodies is an HTTP client that hides WriteTo of a request's body. The SDK closes
// the body as soon as it has an answer, and WriteTo of a closed one is an error, while
// Read is its end: so a server that answers before net/http has looked whether there is
// more of the body has its answer cut off.
type plainBodies struct{}

func (plainBodies) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		r.Body = struct{ io.ReadCloser }{r.Body}
	}
	return http.DefaultClient.Do(r)
}

func (b *bench) connect(cfg aws.Config) {
	b.ec2, b.elbv2, b.elb = ec2.NewFromConfig(cfg), elbv2.NewFromConfig(cfg), elb.NewFromConfig(cfg)
	b.asg, b.ssm, b.sts = autoscaling.NewFromConfig(cfg), ssm.NewFromConfig(cfg), sts.NewFromConfig(cfg)
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bench) refused(err error, code string) {
	b.Helper()
	var refused smithy.APIError
	if !errors.As(err, &refused) || refused.ErrorCode() != code {
		b.Fatalf("%v, want %s", err, code)
	}
}

// view finds an instance by its name.
func (b *bench) view(name string) View {
	b.Helper()
	for _, v := range b.sim.Instances() {
		if v.Name == name {
			return v
		}
	}
	b.Fatalf("no instance is named %s", name)
	return View{}
}

func (b *bench) id(name string) string { b.Helper(); return b.view(name).ID }

func ok[T any](b *bench) func(T, error) T {
	return func(v T, err error) T {
		b.Helper()
		b.must(err)
		return v
	}
}

func equal[T comparable](b *bench, what string, got, want T) {
	b.Helper()
	if got != want {
		b.Errorf("%s: %v, want %v", what, got, want)
	}
}
