package aws

import (
	"context"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/smithy-go/middleware"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/aws/awssim"
)

const testKey = "AKIATEST000000000001"

var testSite = integrations.Site{Account: "main", Region: "ap-northeast-1"}

// counted is a simulator under a path, as the sandbox has it.
func counted(t *testing.T) (*awssim.Sim, string) {
	t.Helper()
	sim, err := awssim.New(awssim.Config{Fleet: awssim.Demo(), Accounts: map[string]string{testKey: "main"}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.StripPrefix("/aws", sim.Handler()))
	t.Cleanup(server.Close)
	return sim, server.URL + "/aws"
}

// fromEnvironment lays out an environment that would spoil it all: credentials are
// taken from it, and nothing else.
func fromEnvironment(t *testing.T) {
	t.Helper()
	for k, v := range map[string]string{
		"AWS_ACCESS_KEY_ID": testKey, "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "",
		"AWS_MAX_ATTEMPTS": "7", "AWS_RETRY_MODE": "adaptive", "AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL_EC2": "http://127.0.0.1:1",
		"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_CA_BUNDLE": "",
	} {
		t.Setenv(k, v)
	}
}

func TestCredentialsOfTheEnvironment(t *testing.T) {
	fromEnvironment(t)
	sim, url := counted(t)
	f, err := New(Config{Accounts: []Account{{Name: "main", Regions: []string{"ap-northeast-1"}, Endpoint: url}}}, Options{HTTP: &http.Client{}})
	if err != nil {
		t.Fatal(err)
	}
	found, err := f.Instances(t.Context(), "db")
	if err != nil || len(found) != 1 {
		t.Fatalf("found %d instances, %v; want db-1", len(found), err)
	}
	if err := sim.Fault(awssim.Fault{Kind: "reset", Count: -1}); err != nil {
		t.Fatal(err)
	}
	for act, tt := range map[string]struct {
		do   func() error
		want int
	}{
		"a read":   {func() error { _, err := f.Instances(t.Context(), "db"); return err }, 3},
		"a change": {func() error { return f.SetDesired(t.Context(), testSite, "web", 12) }, 1},
	} {
		before := len(sim.Calls())
		if err := tt.do(); err == nil {
			t.Errorf("%s that was cut off is no error", act)
		}
		if n := len(sim.Calls()) - before; n != tt.want {
			t.Errorf("%s was tried %d times; want %d", act, n, tt.want)
		}
	}
}

// Without an endpoint the environment may name one; it does not say how often a call
// is tried, even so.
func TestAnEndpointOfTheEnvironment(t *testing.T) {
	fromEnvironment(t)
	sim, url := counted(t)
	t.Setenv("AWS_ENDPOINT_URL", url)
	t.Setenv("AWS_ENDPOINT_URL_EC2", url)
	f, err := New(Config{Accounts: []Account{{Name: "main", Regions: []string{"ap-northeast-1"}}}}, Options{HTTP: &http.Client{}})
	if err != nil {
		t.Fatal(err)
	}
	if err := sim.Fault(awssim.Fault{Kind: "reset", Count: -1}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Instances(t.Context(), "db"); err == nil || len(sim.Calls()) != 3 {
		t.Errorf("a read was tried %d times, and %v came of it; want 3", len(sim.Calls()), err)
	}
	if err := f.SetDesired(t.Context(), testSite, "web", 12); err == nil || len(sim.Calls()) != 4 {
		t.Errorf("a change was tried %d times, and %v came of it; want once", len(sim.Calls())-3, err)
	}
}

// AWS_CA_BUNDLE makes the SDK refuse an HTTP client that it did not make.
func TestAnHTTPClientBesideABundleOfCertificates(t *testing.T) {
	fromEnvironment(t)
	sample := httptest.NewTLSServer(nil)
	defer sample.Close()
	bundle := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(bundle, pemOf(sample.Certificate().Raw), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_CA_BUNDLE", bundle)
	_, url := counted(t)
	f, err := New(Config{Accounts: []Account{{Name: "main", Regions: []string{"ap-northeast-1"}, Endpoint: url}}}, Options{HTTP: &http.Client{}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Instances(t.Context(), "db"); err != nil {
		t.Error(err)
	}
}

func TestAConfigurationThatIsWrong(t *testing.T) {
	if _, err := New(Config{Accounts: []Account{{Name: "main"}}}, Options{}); err == nil {
		t.Error("a fleet was made of it")
	}
	f, err := New(Config{}, Options{})
	if err != nil || len(f.Sites()) != 0 {
		t.Errorf("no accounts are %v; want a fleet of no sites", err)
	}
	if got, err := f.Instances(t.Context()); err != nil || len(got) != 0 {
		t.Errorf("it has %d instances, %v", len(got), err)
	}
}

func TestACallHasALimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stack := middleware.NewStack("call", nil)
		if err := bound(stack); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		_, _, err := stack.Initialize.HandleMiddleware(t.Context(), nil, middleware.HandlerFunc(func(ctx context.Context, _ any) (any, middleware.Metadata, error) {
			<-ctx.Done()
			return nil, middleware.Metadata{}, ctx.Err()
		}))
		if took := time.Since(begun); err == nil || took != callLimit {
			t.Errorf("it took %v, and %v came of it; want %v", took, err, callLimit)
		}
	})
}

// busy counts how many requests of an action are under way at a time, and those that
// have no limit.
type busy struct {
	action    string
	endless   int
	mu        sync.Mutex
	now, most int
}

func (b *busy) RoundTrip(req *http.Request) (*http.Response, error) {
	text, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	req = req.Clone(req.Context())
	req.Body = io.NopCloser(strings.NewReader(string(text)))
	if end, ok := req.Context().Deadline(); !ok || time.Until(end) > callLimit {
		b.mu.Lock()
		b.endless++
		b.mu.Unlock()
	}
	if strings.Contains(string(text), "Action="+b.action+"&") {
		b.count(1)
		defer b.count(-1)
	}
	return http.DefaultTransport.RoundTrip(req)
}

func (b *busy) count(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now += n
	b.most = max(b.most, b.now)
}

func TestTargetGroupsAreAskedAFewAtATime(t *testing.T) {
	estate := awssim.Estate{Instances: []awssim.Instance{{ID: "i-0bbb0000000000001", Name: "lone", Role: "app"}}}
	for _, c := range strings.Split("abcdefghijklmnopqrstuvwxyz", "") {
		estate.Pools = append(estate.Pools, awssim.Pool{Name: c})
	}
	sim, err := awssim.New(awssim.Config{Fleet: awssim.Fleet{In: []awssim.Estate{estate}}, Accounts: map[string]string{testKey: "main"}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sim.Handler())
	defer server.Close()
	count := &busy{action: "DescribeTargetHealth"}
	f, err := New(Config{Accounts: []Account{{
		Name: "main", Regions: []string{"ap-northeast-1"}, Endpoint: server.URL,
		AccessKeyID: integrations.NewSecret(testKey), SecretAccessKey: integrations.NewSecret("secret"),
	}}}, Options{HTTP: &http.Client{Transport: count}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Machine(t.Context(), testSite, "i-0bbb0000000000001"); err != nil {
		t.Fatal(err)
	}
	if count.endless > 0 {
		t.Errorf("%d calls have no limit", count.endless)
	}
	if count.most == 0 || count.most > 4 {
		t.Errorf("%d target groups were asked at a time; want up to 4", count.most)
	}
}

func pemOf(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
