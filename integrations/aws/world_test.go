package aws_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/aws"
	"github.com/signalbox-chatops/signalbox/integrations/aws/awssim"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
)

// The contract that the drain asks for is here once more, since a system may not name
// a feature: that *aws.Fleet has it is checked when this is compiled.
var _ interface {
	Sites() []integrations.Site
	Instances(ctx context.Context, roles ...string) ([]integrations.Instance, error)
	Find(ctx context.Context, idOrName string) ([]integrations.Instance, error)
	Machine(ctx context.Context, at integrations.Site, id string) (integrations.Machine, error)
	Pools(ctx context.Context, at integrations.Site, seats []integrations.Seat) ([]integrations.Pool, error)
	TaskHost(ctx context.Context, at integrations.Site, cluster, instance string) (*integrations.TaskHost, error)
	DrainTasks(ctx context.Context, at integrations.Site, cluster, host string) error
	ActivateTasks(ctx context.Context, at integrations.Site, cluster, host string) error
	Tag(ctx context.Context, at integrations.Site, id string, set map[string]string, unset []string) error
	EnterStandby(ctx context.Context, at integrations.Site, group, id string, shrink bool) error
	ExitStandby(ctx context.Context, at integrations.Site, group, id string) error
	SetDesired(ctx context.Context, at integrations.Site, group string, n int) error
	Leave(ctx context.Context, at integrations.Site, s integrations.Seat) error
	Join(ctx context.Context, at integrations.Site, s integrations.Seat) error
	Terminate(ctx context.Context, at integrations.Site, group, id string) error
	Start(ctx context.Context, at integrations.Site, id, script string, limit time.Duration) (command string, err error)
	Result(ctx context.Context, at integrations.Site, id, command string) (integrations.CommandResult, error)
} = (*aws.Fleet)(nil)

// And so is that of the groups whose processes rest.
var _ interface {
	Group(ctx context.Context, at integrations.Site, name string) (integrations.ScalingGroup, error)
	Suspend(ctx context.Context, at integrations.Site, group string, processes []string) error
	Resume(ctx context.Context, at integrations.Site, group string, processes []string) error
	TagGroup(ctx context.Context, at integrations.Site, group, key, value string) error
	UntagGroup(ctx context.Context, at integrations.Site, group, key string) error
} = (*aws.Fleet)(nil)

// And that of the ports that are opened for steps.
var _ interface {
	Ingress(ctx context.Context, at integrations.Site, group string, tagged bool) ([]integrations.IngressRule, error)
	Authorize(ctx context.Context, at integrations.Site, r integrations.IngressRule) (id string, err error)
	Revoke(ctx context.Context, at integrations.Site, group, id string) error
} = (*aws.Fleet)(nil)

const (
	key     = "AKIATEST000000000001"
	lone    = "i-0bbb0000000000001" // that no group replaces, in two target groups
	bare    = "i-0ccc0000000000001" // in nothing, locked, with much to lose
	away    = "i-0ddd0000000000001" // in the other account
	nothing = "i-0eee0000000000001"
	doors   = "sg-0aaa0000000000001"
)

var (
	home  = integrations.Site{Account: "main", Region: "ap-northeast-1"}
	other = integrations.Site{Account: "other", Region: "us-west-2"}
)

// world is a simulated fleet and the real clients of it.
type world struct {
	*testing.T
	sim   *awssim.Sim
	url   string
	clock *clock.Movable
	fleet *aws.Fleet
}

func estate() awssim.Fleet {
	return awssim.Fleet{
		Accounts: []awssim.Account{{Name: "main", Number: "111111111111"}, {Name: "other", Number: "222222222222", ExternalID: "signalbox-other"}},
		Regions:  []string{"ap-northeast-1", "us-west-2"},
		In: []awssim.Estate{{
			Account: "main", Region: "ap-northeast-1",
			Pools: []awssim.Pool{
				{Name: "web", Kind: awssim.KindALB, Port: 8080, Delay: 30 * time.Second, MinHealthyPercent: 50},
				{Name: "tcp", Kind: awssim.KindNLB, Port: 9000, Delay: 60 * time.Second, MinHealthy: 2, Instances: []string{lone}},
				{Name: "old", Kind: awssim.KindClassic, Port: 80, Delay: 40 * time.Second, CrossZone: "false", Instances: []string{lone}},
				{Name: "empty", Kind: awssim.KindALB, Port: 80},
			},
			Groups: []awssim.Group{{
				Name: "web", Min: 1, Max: 4, Desired: 3, Pools: []string{"web"}, Hook: &awssim.Hook{Name: "wait", Heartbeat: 7 * time.Minute},
				Tags: map[string]string{"Owner": "web team"}, Model: awssim.Instance{Role: "app", Age: time.Hour},
			}, {
				Name: "born", Max: 2, Launch: &awssim.Hook{Name: "birth", Heartbeat: 2 * time.Minute}, Model: awssim.Instance{Role: "born", Age: time.Hour},
			}},
			Instances: []awssim.Instance{
				{ID: lone, Name: "lone", Role: "app", Age: time.Hour, Type: "c5d.large"},
				{ID: bare, Name: "db-1", Role: "db", Locked: true, Spot: true, Age: time.Hour, Volumes: []awssim.Volume{
					{Device: "/dev/xvda"}, {ID: "vol-0123456789abcdef0", Device: "/dev/sdf", Kept: true},
				}},
				{ID: "i-0fff0000000000001", Name: "no role", Age: time.Hour},
			},
			Images:         []awssim.Image{{ID: "ami-0abc0000000000001", Name: "web 1", Tags: map[string]string{integrations.TagRun: "r1"}}},
			SecurityGroups: []awssim.SecurityGroup{{ID: doors, Limit: 3, Rules: []awssim.SecurityRule{{From: 443, To: 443, CIDR: "0.0.0.0/0"}}}},
			Clusters: []awssim.Cluster{{Name: "spare"}, {
				Name: "apps", Instances: []string{lone, "i-0fff0000000000001"}, Alone: []string{lone},
				Services: []awssim.Service{{Name: "web", Tasks: 4, MinHealthyPercent: 50}},
			}},
		}, {
			Account: "other", Region: "us-west-2",
			Instances: []awssim.Instance{{ID: away, Name: "lone", Role: "app", Age: time.Hour}},
		}},
	}
}

func config(url string) aws.Config {
	id, secret := integrations.NewSecret(key), integrations.NewSecret("secret")
	return aws.Config{Accounts: []aws.Account{
		{Name: "main", Regions: []string{"ap-northeast-1", "us-west-2"}, Endpoint: url, AccessKeyID: id, SecretAccessKey: secret},
		{
			Name: "other", Regions: []string{"us-west-2"}, Endpoint: url, AccessKeyID: id, SecretAccessKey: secret,
			Role: "arn:aws:iam::222222222222:role/signalbox", ExternalID: "signalbox-other",
		},
	}}
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldOf(t, estate())
}

func newWorldOf(t *testing.T, f awssim.Fleet) *world {
	t.Helper()
	w := &world{T: t, clock: clock.NewMovable(0)}
	var err error
	w.sim, err = awssim.New(awssim.Config{Clock: w.clock, Fleet: f, Accounts: map[string]string{key: "main"}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(w.sim.Handler())
	t.Cleanup(server.Close)
	w.url = server.URL
	w.fleet, err = aws.New(config(w.url), aws.Options{Clock: w.clock, HTTP: server.Client()})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// pass moves the clock.
func (w *world) pass(d time.Duration) {
	w.Helper()
	w.ok(w.clock.Advance(w.Context(), d, nil))
}

func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) fault(f awssim.Fault) {
	w.Helper()
	w.ok(w.sim.Fault(f))
}

// member is a member of the group web.
func (w *world) member() string {
	w.Helper()
	for _, i := range w.sim.Instances() {
		if i.Group == "web" && i.Lifecycle == integrations.MemberInService {
			return i.ID
		}
	}
	w.Fatal("the group web has no member in service")
	return ""
}

func (w *world) machine(id string) integrations.Machine {
	w.Helper()
	m, err := w.fleet.Machine(w.Context(), home, id)
	w.ok(err)
	return m
}

// calls are how often an action was called since the nth call.
func (w *world) calls(from int, name string) (n int) {
	for _, c := range w.sim.Calls()[from:] {
		if c.Name == name {
			n++
		}
	}
	return n
}

func (w *world) later(err error) *integrations.Later {
	w.Helper()
	var later *integrations.Later
	if !errors.As(err, &later) {
		w.Fatalf("got %v; want *integrations.Later", err)
	}
	return later
}

func (w *world) gone(err error) {
	w.Helper()
	var gone *integrations.Gone
	if !errors.As(err, &gone) {
		w.Fatalf("got %v; want *integrations.Gone", err)
	}
}

// refused is neither.
func (w *world) refused(err error, text string) {
	w.Helper()
	var later *integrations.Later
	var gone *integrations.Gone
	if err == nil || errors.As(err, &later) || errors.As(err, &gone) {
		w.Fatalf("got %v; want a refusal", err)
	}
	if text != "" && err.Error() != text {
		w.Fatalf("got %q; want %q", err, text)
	}
}

// seat is the one of an instance in the pool of that name.
func seat(t *testing.T, m integrations.Machine, pool string) integrations.Seat {
	t.Helper()
	for _, p := range m.Pools {
		for _, s := range p.Seats {
			if p.Name == pool && s.Instance == m.ID {
				return s
			}
		}
	}
	t.Fatalf("%s has no seat in %s", m.ID, pool)
	return integrations.Seat{}
}

// down answers no request.
type down struct{}

func (down) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("no route to host")
}
