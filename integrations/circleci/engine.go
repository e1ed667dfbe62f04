package circleci

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/kit/jsonapi"
	"github.com/signalbox-chatops/signalbox/integrations/kit/remote"
	"github.com/signalbox-chatops/signalbox/integrations/kit/transport"
)

// engine is CircleCI: the pipelines of one project, of which one workflow counts, or all.
type engine struct {
	settings
	api, old *jsonapi.Client   // v2, and v1.1, which alone tells of outputs
	logs     http.RoundTripper // without our credentials, which are not for where outputs are
}

// settings go from the bot to the tool.
type settings struct {
	URL        string `json:"url"`
	Project    string `json:"project"`
	Workflow   string `json:"workflow,omitempty"`
	Branch     string `json:"branch"`
	Definition string `json:"definition,omitempty"`
	PlanFlow   string `json:"plan_workflow,omitempty"`
	Token      string `json:"token"` // the name of the variable that holds it
}

var _ remote.Engine = (*engine)(nil)

const (
	mostPages   = 10 // of pipelines, that are looked through for one
	mostConfigs = 60 // of pipelines that an API call began, of which the nonce is looked up
	skew        = 5 * time.Minute
)

// Main is the tool of the steps `circleci`: our binary called with their word.
func Main(args []string, out, errOut io.Writer) int {
	return remote.Main(args, out, errOut, func(q remote.Request) (remote.Engine, error) {
		var s settings
		if err := json.Unmarshal(q.Settings, &s); err != nil {
			return nil, fmt.Errorf("read the request: %w", err)
		}
		if q.Plan {
			s.Workflow = s.PlanFlow
		}
		return dial(s)
	})
}

func dial(s settings) (*engine, error) {
	token, err := remote.Token(s.Token)
	if err != nil {
		return nil, err
	}
	client := func(at string) *jsonapi.Client {
		return jsonapi.New(jsonapi.Options{Name: "circleci", URL: at, Header: http.Header{"Circle-Token": {token}}, Secrets: []string{token}})
	}
	return &engine{
		settings: s, api: client(s.URL), old: client(strings.TrimSuffix(s.URL, "/v2") + "/v1.1"),
		logs: transport.New(transport.Options{}),
	}, nil
}

// call makes a call whose error has the words of kit/remote.
func (e *engine) call(ctx context.Context, c jsonapi.Call, out any) error {
	_, err := e.api.Do(ctx, c, out)
	return remote.Judge(err)
}

// items reads a list to its end.
func items[T any](ctx context.Context, e *engine, act, thing string, path ...string) (out []T, err error) {
	for query := (url.Values{}); ; {
		var page struct {
			Items []T    `json:"items"`
			Next  string `json:"next_page_token"`
		}
		err := e.call(ctx, jsonapi.Call{Act: act, Thing: thing, Method: http.MethodGet, Path: path, Query: query}, &page)
		if err != nil {
			return nil, err
		}
		out = append(out, page.Items...)
		if page.Next == "" || len(page.Items) == 0 {
			return out, nil
		}
		query.Set("page-token", page.Next)
	}
}

func (e *engine) project(more ...string) []string {
	return append(append([]string{"project"}, strings.Split(e.Project, "/")...), more...)
}

// pipeline is as much of one as matters here.
type pipeline struct {
	ID      string    `json:"id"`
	Number  int       `json:"number"`
	State   string    `json:"state"`
	Created time.Time `json:"created_at"`
	Errors  []struct {
		Message string `json:"message"`
	} `json:"errors"`
	Trigger struct {
		Type string `json:"type"`
	} `json:"trigger"`
	VCS struct {
		Revision string `json:"revision"`
	} `json:"vcs"`
}

// triggeredByUs is the kind of trigger of a pipeline that an API call began.
const triggeredByUs = "api"

// Start triggers a pipeline. What it is told are pipeline parameters.
func (e *engine) Start(ctx context.Context, q remote.Request, nonce string) (remote.Run, error) {
	at, body := e.project("pipeline"), map[string]any{"parameters": q.Values(nonce)}
	if e.Definition == "" {
		body["branch"] = e.Branch
	} else {
		at = append(at, "run")
		body["definition_id"] = e.Definition
		body["config"], body["checkout"] = map[string]string{"branch": e.Branch}, map[string]string{"branch": e.Branch}
	}
	var p pipeline
	err := e.call(ctx, jsonapi.Call{Act: "trigger a pipeline of", Thing: e.Project, Method: http.MethodPost, Path: at, Body: body}, &p)
	if err != nil {
		return remote.Run{}, err
	}
	if p.ID == "" {
		return remote.Run{}, &remote.Refused{Err: fmt.Errorf("circleci trigger a pipeline of %s: it answered that none is triggered", e.Project)}
	}
	return remote.Run{ID: p.ID, URL: e.page(p), State: remote.Waiting}, nil
}

// page is where people see a pipeline.
func (e *engine) page(p pipeline) string {
	u, err := url.Parse(e.URL)
	if err != nil {
		return ""
	}
	if u.Host == "circleci.com" {
		u.Host = "app.circleci.com"
	}
	long := strings.NewReplacer("gh/", "github/", "bb/", "bitbucket/").Replace(e.Project)
	return fmt.Sprintf("%s://%s/pipelines/%s/%d", u.Scheme, u.Host, long, p.Number)
}

// Find looks through the pipelines, newest first. A nonce stands in the configuration that
// was compiled for its pipeline, where that uses the parameter.
func (e *engine) Find(ctx context.Context, s remote.Search) (remote.Run, error) {
	token, configs := "", 0
	for range mostPages {
		var page struct {
			Items []pipeline `json:"items"`
			Next  string     `json:"next_page_token"`
		}
		query := url.Values{}
		if token != "" {
			query.Set("page-token", token)
		}
		err := e.call(ctx, jsonapi.Call{Act: "list the pipelines of", Thing: e.Project, Method: http.MethodGet, Path: e.project("pipeline"), Query: query}, &page)
		if err != nil {
			return remote.Run{}, err
		}
		for _, p := range page.Items {
			switch {
			case !s.Since.IsZero() && p.Created.Before(s.Since.Add(-skew)):
				return remote.Run{}, nil
			case s.Nonce == "" && p.Trigger.Type != triggeredByUs && p.VCS.Revision == s.SHA:
				return e.stands(ctx, p, "")
			case s.Nonce == "" || p.Trigger.Type != triggeredByUs:
				continue
			}
			if configs++; configs > mostConfigs {
				return remote.Run{}, nil
			}
			name, err := e.nonceOf(ctx, p, s.Nonce)
			if err != nil {
				return remote.Run{}, err
			}
			if name != "" {
				return e.stands(ctx, p, name)
			}
		}
		if token = page.Next; token == "" {
			break
		}
	}
	return remote.Run{}, nil
}

// nonceOf is the nonce that a pipeline was begun with, if it begins so; "" otherwise.
func (e *engine) nonceOf(ctx context.Context, p pipeline, begins string) (string, error) {
	var c struct {
		Compiled string `json:"compiled"`
	}
	err := e.call(ctx, jsonapi.Call{Act: "read the configuration of the pipeline", Thing: p.ID, Method: http.MethodGet, Path: []string{"pipeline", p.ID, "config"}}, &c)
	if errors.As(err, new(*remote.Refused)) { // it has none yet, or was not to have one
		return "", nil
	}
	if err != nil {
		return "", err
	}
	i := strings.Index(c.Compiled, begins)
	if i < 0 {
		return "", nil
	}
	rest := c.Compiled[i+len(begins):]
	n := strings.IndexFunc(rest, func(r rune) bool { return !strings.ContainsRune("0123456789abcdef-", r) })
	if n < 0 {
		n = len(rest)
	}
	return begins + rest[:n], nil
}

// Look implements remote.Engine.
func (e *engine) Look(ctx context.Context, id string) (remote.Run, error) {
	var p pipeline
	if err := e.call(ctx, jsonapi.Call{Act: "read the pipeline", Thing: id, Method: http.MethodGet, Path: []string{"pipeline", id}}, &p); err != nil {
		return remote.Run{}, err
	}
	return e.stands(ctx, p, "")
}

// flow is a workflow of a pipeline.
type flow struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Status string `json:"status"`
}

func (f flow) state() remote.State {
	switch f.Status {
	case "success":
		return remote.Succeeded
	case "failed", "error", "unauthorized", "not_run":
		return remote.Failed
	case "canceled":
		return remote.Cancelled
	case "on_hold":
		return remote.Waiting
	}
	return remote.Running
}

// flows are the workflows that count: those of the name, or all; of one that was run again
// the newest.
func (e *engine) flows(ctx context.Context, id string) (count []flow, any bool, err error) {
	all, err := items[flow](ctx, e, "list the workflows of the pipeline", id, "pipeline", id, "workflow")
	for _, f := range all {
		if (e.Workflow == "" || e.Workflow == f.Name) && !slices.ContainsFunc(count, func(have flow) bool { return have.Name == f.Name }) {
			count = append(count, f)
		}
	}
	return count, len(all) > 0, err
}

// stands is a pipeline as a run: it is over when all that counts is, and succeeded when all
// of that did.
func (e *engine) stands(ctx context.Context, p pipeline, name string) (remote.Run, error) {
	r := remote.Run{ID: p.ID, URL: e.page(p), Name: name, State: remote.Waiting, Said: p.State}
	if p.State == "errored" {
		r.State = remote.Failed
		for _, bad := range p.Errors {
			r.Said += ": " + strings.ReplaceAll(strings.TrimSpace(bad.Message), "\n", " ")
		}
		return r, nil
	}
	flows, any, err := e.flows(ctx, p.ID)
	if err != nil {
		return r, err
	}
	if len(flows) == 0 {
		if any && p.State == "created" {
			r.State, r.Said = remote.Failed, "it has no workflow "+e.Workflow
		}
		return r, nil
	}
	var said []string
	worst := remote.Succeeded
	for _, f := range flows {
		said = append(said, f.Name+" "+f.Status)
		if s := f.state(); rank(s) > rank(worst) {
			worst = s
		}
	}
	r.State, r.Said = worst, strings.Join(said, ", ")
	return r, nil
}

// rank orders states: what goes on before what failed, since it is not over.
func rank(s remote.State) int {
	return slices.Index([]remote.State{remote.Succeeded, remote.Cancelled, remote.Failed, remote.Waiting, remote.Running}, s)
}

// Cancel cancels the workflows that go on. A pipeline that has none yet cannot be.
func (e *engine) Cancel(ctx context.Context, id string) error {
	flows, _, err := e.flows(ctx, id)
	if err != nil {
		return err
	}
	if len(flows) == 0 {
		return fmt.Errorf("circleci cancel the pipeline %s: it has no workflow yet", id)
	}
	for _, f := range flows {
		if !f.state().Over() {
			err := e.call(ctx, jsonapi.Call{Act: "cancel the workflow", Thing: f.Name, Method: http.MethodPost, Path: []string{"workflow", f.ID, "cancel"}}, nil)
			if err != nil {
				return err
			}
		}
	}
	return nil
}
