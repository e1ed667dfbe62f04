// Package circlecisim is CircleCI at the wire, for tests: as much of its API v2 as triggers
// pipelines, follows and cancels them, and the call of v1.1 that tells where the output of a
// job is. It knows nothing of the bot.
//
// It refuses what CircleCI refuses: parameters that the configuration does not declare,
// branches that are not there, calls without a token. It misbehaves on demand (Fault).
// What it knows it forgets when it is closed.
package circlecisim

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/goccy/go-yaml"
)

// Config is what New needs.
type Config struct {
	// Token is the one that is let in.
	Token string
	// Project is its slug, "gh/acme/infra"; Branches are its branches, with their commits.
	Project  string
	Branches map[string]string
	// File is its .circleci/config.yml.
	File string
	// Definition is the id of its pipeline definition.
	Definition string
	// Runner is the machine of the workflows: it prints to log, and what it returns is how
	// its workflow ends. Its context ends when that is cancelled. Without one each succeeds
	// at once.
	Runner func(ctx context.Context, r Run, log io.Writer) error
	// OnRequest is called at each call: "before" nothing has been done, "after" all is
	// done, and the reply is not written.
	OnRequest func(stage, method, path string)
}

// Run is a workflow of a pipeline, as its runner and tests see it.
type Run struct {
	Pipeline, Workflow string // the id, and the name
	Trigger            string // "api", "webhook"
	SHA                string
	Parameters         map[string]string
	Status             string
}

// Sim is a running simulator.
type Sim struct {
	cfg    Config
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu        sync.Mutex
	base      string
	pipelines []*pipeline // oldest first
	jobs      int
	faults    []*Fault
	wrong     []string // calls that CircleCI would not have understood
}

type pipeline struct {
	id        string
	number    int
	trigger   string
	branch    string
	sha       string
	params    map[string]string
	compiled  string
	errors    []string
	created   time.Time
	workflows []*workflow
}

type workflow struct {
	id, name, status string
	job              int
	pipeline         *pipeline
	created          time.Time
	stop             context.CancelCauseFunc
	log              strings.Builder
}

// New makes one. SetBase says where it is reached.
func New(cfg Config) *Sim {
	s := &Sim{cfg: cfg}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// SetBase says under which URL Handler is reached.
func (s *Sim) SetBase(url string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.base = url
}

// Close stops all workflows and waits for their machines.
func (s *Sim) Close() {
	s.cancel()
	s.wg.Wait()
}

// Violations lists the calls that CircleCI would not have understood.
func (s *Sim) Violations() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.wrong)
}

// Runs lists the workflows, oldest first.
func (s *Sim) Runs() (out []Run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.pipelines {
		for _, w := range p.workflows {
			out = append(out, w.view())
		}
	}
	return out
}

// Pipelines is how many there ever were.
func (s *Sim) Pipelines() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.pipelines)
}

func (w *workflow) view() Run {
	return Run{Pipeline: w.pipeline.id, Workflow: w.name, Trigger: w.pipeline.trigger, SHA: w.pipeline.sha, Parameters: w.pipeline.params, Status: w.status}
}

// Push has a commit come to a branch, which starts a pipeline by itself.
func (s *Sim) Push(branch, sha string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cfg.Branches[branch] = sha
	_, err := s.begin("webhook", branch, sha, nil)
	return err
}

// file is as much of a configuration as the simulator knows.
type file struct {
	Parameters map[string]struct {
		Type    string `yaml:"type"`
		Default any    `yaml:"default"`
	} `yaml:"parameters"`
	Workflows yaml.MapSlice `yaml:"workflows"`
}

// when says whether a workflow is to be run: as much of the conditions as "equal" is.
func when(workflow any) bool {
	w, _ := workflow.(map[string]any)
	on, ok := w["when"].(map[string]any)
	if !ok {
		return true
	}
	both, _ := on["equal"].([]any)
	return len(both) == 2 && fmt.Sprint(both[0]) == fmt.Sprint(both[1])
}

var reference = regexp.MustCompile(`<<\s*pipeline\.parameters\.([A-Za-z0-9_-]+)\s*>>`)

// begin starts a pipeline. Call it with the lock held.
func (s *Sim) begin(trigger, branch, sha string, given map[string]string) (*pipeline, error) {
	var f file
	if err := yaml.Unmarshal([]byte(reference.ReplaceAllString(s.cfg.File, "x")), &f); err != nil {
		return nil, err
	}
	params := map[string]string{}
	for name, p := range f.Parameters {
		params[name] = fmt.Sprint(p.Default)
	}
	for name, v := range given {
		if _, ok := f.Parameters[name]; !ok {
			return nil, undeclared(name)
		}
		params[name] = v
	}
	p := &pipeline{id: uuid(), number: len(s.pipelines) + 1, trigger: trigger, branch: branch, sha: sha, params: params, created: time.Now()}
	p.compiled = reference.ReplaceAllStringFunc(s.cfg.File, func(m string) string { return params[reference.FindStringSubmatch(m)[1]] })
	s.pipelines = append(s.pipelines, p)
	if params["broken"] == "true" {
		p.errors = []string{"Job 'deploy' requires 'build', which is the name of 0 other jobs in workflow 'deploy'"}
		return p, nil
	}
	if err := yaml.Unmarshal([]byte(p.compiled), &f); err != nil {
		return nil, err
	}
	for _, item := range f.Workflows {
		if name, ok := item.Key.(string); ok && when(item.Value) {
			s.startWorkflow(p, name)
		}
	}
	return p, nil
}

func uuid() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// undeclared is a parameter that the configuration does not know, in CircleCI's words.
type undeclared string

func (u undeclared) Error() string { return "Unexpected argument(s): " + string(u) }

var errCancelled = errors.New("canceled")

func (s *Sim) startWorkflow(p *pipeline, name string) {
	s.jobs++
	w := &workflow{id: uuid(), name: name, status: "running", job: s.jobs, pipeline: p, created: time.Now()}
	p.workflows = append(p.workflows, w)
	var ctx context.Context
	ctx, w.stop = context.WithCancelCause(s.ctx)
	view := w.view()
	s.wg.Go(func() {
		var log strings.Builder
		var err error
		if s.cfg.Runner != nil {
			err = s.cfg.Runner(ctx, view, &log)
		}
		status := "success"
		switch {
		case errors.Is(context.Cause(ctx), errCancelled):
			status = "canceled"
		case err != nil:
			status = "failed"
			fmt.Fprintln(&log, err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		w.status = status
		w.log.WriteString(log.String())
		w.stop(nil)
	})
}

// CancelAll cancels all workflows, as somebody does at CircleCI.
func (s *Sim) CancelAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.pipelines {
		for _, w := range p.workflows {
			w.stop(errCancelled)
		}
	}
}
