package aws_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/aws"
	"github.com/signalbox-chatops/signalbox/integrations/aws/awssim"
	"github.com/signalbox-chatops/signalbox/integrations/aws/codebuild"
	"github.com/signalbox-chatops/signalbox/integrations/aws/ecs"
	"github.com/signalbox-chatops/signalbox/integrations/integrationstest"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
)

// The tool is our binary called with a word; in these tests that is the test's own.
func TestMain(m *testing.M) {
	integrationstest.Main(m, map[string]func(args []string, out, errOut io.Writer) int{ecs.Word: aws.DeployMain, codebuild.Word: aws.BuildMain})
}

const (
	commitA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	commitB = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	hub     = "111111111111.dkr.ecr.ap-northeast-1.amazonaws.com/shop"
)

// quay is a service that is deployed to by the real tool, a process of its own that can
// be killed at any call. Each call takes three seconds on the clock of the simulator.
type quay struct {
	*testing.T
	sim   *awssim.Sim
	url   string
	clock *clock.Movable
	run   integrations.Run
	env   []string

	mu  sync.Mutex
	cmd *exec.Cmd
	log bytes.Buffer
	// at is asked at each call, before it is acted on and after; a signal is sent to the
	// tool, and the answer is not.
	at    func(action string, done bool) os.Signal
	spent int  // calls that a signal was sent at
	asked bool // the run that goes on was interrupted
}

func newQuay(t *testing.T, services ...awssim.Service) *quay {
	t.Helper()
	if len(services) == 0 {
		services = []awssim.Service{{Name: "shop", Tasks: 2, Container: "app", Image: hub + ":old", Breaker: awssim.BreakerRollback}}
	}
	q := &quay{T: t, clock: clock.NewMovable(0), env: []string{"AWS_ACCESS_KEY_ID=" + key, "AWS_SECRET_ACCESS_KEY=secret", "AWS_EC2_METADATA_DISABLED=true"}}
	var err error
	q.sim, err = awssim.New(awssim.Config{Clock: q.clock, Sessions: clock.Real(), Accounts: map[string]string{key: "main"}, Fleet: awssim.Fleet{
		Accounts: []awssim.Account{{Name: "main", Number: "111111111111"}}, Regions: []string{"ap-northeast-1"},
		In: []awssim.Estate{{
			Clusters:     []awssim.Cluster{{Name: "apps", Fargate: true, Services: services}},
			Repositories: []awssim.Repository{{Name: "shop", Tags: []string{"old", commitA, "1.4.2"}}},
			Parameters:   []string{"/shop/db", "plain"},
			Projects:     []awssim.Project{{Name: "deploy", Prints: []string{"deploying"}}, {Name: "plan"}},
		}},
	}})
	q.must(err)
	server := httptest.NewServer(http.HandlerFunc(q.serve))
	t.Cleanup(server.Close)
	q.url = server.URL
	q.run = integrations.Run{Target: "shop/production", SHA: commitA, Tree: t.TempDir(), Work: t.TempDir(), HashKey: []byte("key"), Exec: q}
	return q
}

func (q *quay) must(err error) {
	q.Helper()
	if err != nil {
		q.Fatal(err)
	}
}

func (q *quay) serve(w http.ResponseWriter, r *http.Request) {
	_, action, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	q.must(q.clock.Advance(context.Background(), 3*time.Second, nil))
	q.hit(action, false)
	rec := httptest.NewRecorder()
	q.sim.Handler().ServeHTTP(rec, r)
	q.hit(action, true)
	for k, v := range rec.Header() {
		w.Header()[k] = v
	}
	w.WriteHeader(rec.Code)
	_, _ = w.Write(rec.Body.Bytes()) // nobody may be left to read it
}

// hit sends the tool a signal. One that kills ends the call as well.
func (q *quay) hit(action string, done bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.at == nil {
		return
	}
	sig := q.at(action, done)
	if sig == nil {
		return
	}
	q.spent++
	q.asked = q.asked || sig == syscall.SIGINT
	_ = q.cmd.Process.Signal(sig) // it has not been waited for
	if sig == syscall.SIGKILL {
		q.at = nil
		panic(http.ErrAbortHandler)
	}
}

// once sends a signal at the first call of an action.
func (q *quay) once(sig os.Signal, action string, done bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.spent = 0
	q.at = func(a string, d bool) os.Signal {
		if a != action || d != done || q.spent > 0 {
			return nil
		}
		return sig
	}
}

// Run and Effect stand for the step shim.
func (q *quay) Run(_ context.Context, c integrations.Command) (integrations.Output, error) {
	if !filepath.IsAbs(c.Dir) {
		return integrations.Output{}, errors.New("run nowhere")
	}
	for _, secret := range []string{"secret", key} {
		if strings.Contains(strings.Join(c.Argv, " "), secret) {
			q.Errorf("a secret is among the arguments: %q", c.Argv)
		}
	}
	var out, log bytes.Buffer
	cmd := exec.Command(c.Argv[0], c.Argv[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.Dir, &out, &log
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.Dir}, q.env...)
	q.mu.Lock()
	q.cmd, q.asked = cmd, false
	err := cmd.Start()
	q.mu.Unlock()
	if err == nil {
		err = cmd.Wait()
	}
	q.log.Write(log.Bytes())
	failed := &integrations.CommandError{Step: c.Step, Code: cmd.ProcessState.ExitCode(), Tail: log.String()}
	switch status := cmd.ProcessState.Sys().(syscall.WaitStatus); {
	case err == nil:
		return integrations.Output{Stdout: out.Bytes(), Redact: strings.Clone}, nil // it has no secret
	case status.Signaled():
		return integrations.Output{}, integrations.ErrUnknown
	case q.asked:
		failed.Err = integrations.ErrInterrupted
	}
	return integrations.Output{}, failed
}

func (q *quay) Effect(ctx context.Context, _ string, c integrations.Command) (integrations.Output, error) {
	return q.Run(ctx, c)
}

// step makes one by its settings, which are JSON here.
func (q *quay) step(more string) integrations.Reverter {
	q.Helper()
	a, err := q.make(more)
	q.must(err)
	return a.(integrations.Reverter)
}

func (q *quay) make(more string) (integrations.Applier, error) {
	c := config(q.url)
	c.Accounts = c.Accounts[:1]
	c.Accounts[0].Regions = []string{"ap-northeast-1"}
	reader := c.Accounts[0]
	reader.Name, reader.Role = "reader", "arn:aws:iam::111111111111:role/reader"
	c.Accounts = append(c.Accounts, reader)
	return aws.Deploys(c)("", func(into any) error {
		o := into.(*ecs.Order)
		o.Cluster, o.Service, o.Container, o.Image, o.Account = "apps", "shop", "app", hub, "main"
		o.Poll = 20 * time.Millisecond
		return json.Unmarshal([]byte("{"+more+"}"), (*settings)(o))
	})
}

// settings are an order as the configuration writes it.
type settings ecs.Order

func (s *settings) UnmarshalJSON(b []byte) error {
	var v struct {
		Cluster, Service, Container, Image, Tag, Region, Account *string
		TagFile                                                  *string `json:"tag_file"`
		PlanAccount                                              *string `json:"plan_account"`
		ImageWait                                                *int64  `json:"image_wait"`
		Limit                                                    *int64
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	for _, f := range []struct{ to, from *string }{
		{&s.Cluster, v.Cluster}, {&s.Service, v.Service}, {&s.Container, v.Container}, {&s.Image, v.Image}, {&s.Tag, v.Tag}, {&s.Region, v.Region},
		{&s.Account, v.Account}, {&s.TagFile, v.TagFile}, {&s.PlanAccount, v.PlanAccount},
	} {
		if f.from != nil {
			*f.to = *f.from
		}
	}
	if v.ImageWait != nil {
		s.ImageWait = time.Duration(*v.ImageWait) * time.Millisecond
	}
	if v.Limit != nil {
		s.Limit = time.Duration(*v.Limit) * time.Millisecond
	}
	return nil
}

func (q *quay) service() awssim.ServiceView {
	q.Helper()
	for _, s := range q.sim.Services() {
		if s.Name == "shop" {
			return s
		}
	}
	q.Fatal("no service shop")
	return awssim.ServiceView{}
}

// planned plans and holds the counts to what is wanted.
func (q *quay) planned(a integrations.Applier, want string) integrations.Plan {
	q.Helper()
	p, err := a.Plan(q.Context(), q.run)
	if err != nil {
		q.Fatalf("%v\n%s", err, q.log.String())
	}
	if got := (integrations.Plans{p}).String(); got != want {
		q.Errorf("planned %s, want %s\n%s", got, want, p.Text)
	}
	return p
}

// says holds an error to what it has to say.
func (q *quay) says(err error, words ...string) {
	q.Helper()
	if err == nil {
		q.Fatalf("it came out well; want %q\n%s", words, q.log.String())
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			q.Errorf("it says %q, and nothing of %q\n%s", err, w, q.log.String())
		}
	}
}

// at holds the service to a revision, to how many there are, and to how many deployments
// were ever begun.
func (q *quay) stands(definition string, revisions, begun int) {
	q.Helper()
	s := q.service()
	if s.Definition != definition || q.sim.Revisions("shop") != revisions || s.Begun != begun {
		q.Errorf("it is at %s, of %d revisions, by %d deployments; want %s, %d, %d\n%s", s.Definition, q.sim.Revisions("shop"), s.Begun, definition, revisions, begun, q.log.String())
	}
}

// called are the actions that were, sorted.
func (q *quay) called() (out []string) {
	for _, c := range q.sim.Calls() {
		if !slices.Contains(out, c.Name) {
			out = append(out, c.Name)
		}
	}
	slices.Sort(out)
	return out
}

// allowed are the actions of a policy of the manual.
func (q *quay) allowed(doc, mark string) (out []string) {
	q.Helper()
	b, err := os.ReadFile("../../docs/" + doc)
	q.must(err)
	_, rest, _ := strings.Cut(string(b), "<!-- "+mark+" -->\n```json\n")
	text, _, ok := strings.Cut(rest, "```\n<!-- end of "+mark+" -->")
	var policy struct{ Statement []struct{ Action []string } }
	if err := json.Unmarshal([]byte(text), &policy); err != nil || !ok {
		q.Fatalf("the policy %s cannot be read: %v", mark, err)
	}
	for _, s := range policy.Statement {
		out = append(out, s.Action...)
	}
	return out
}
