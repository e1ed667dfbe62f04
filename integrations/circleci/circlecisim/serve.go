package circlecisim

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

type obj = map[string]any

// refusal is what is said instead.
type refusal struct {
	status int
	said   string
	after  int // seconds
}

func refuse(status int, format string, args ...any) *refusal {
	return &refusal{status: status, said: fmt.Sprintf(format, args...)}
}

const perPage = 1 // the real one has more, and pages all the same

// Handler answers the API at "/api/v2" and "/api/v1.1", and has the outputs at "/output".
func (s *Sim) Handler() http.Handler { return http.HandlerFunc(s.serve) }

func (s *Sim) serve(w http.ResponseWriter, r *http.Request) {
	if id, ok := strings.CutPrefix(r.URL.Path, "/output/"); ok {
		s.output(w, r, id)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if s.cfg.OnRequest != nil {
		s.cfg.OnRequest("before", r.Method, r.URL.Path)
	}
	status, answer, no, cut := s.answer(r, body)
	if s.cfg.OnRequest != nil {
		s.cfg.OnRequest("after", r.Method, r.URL.Path)
	}
	if cut {
		panic(http.ErrAbortHandler) // the connection is closed, and nothing said
	}
	if no != nil {
		if status, answer = no.status, (obj{"message": no.said}); no.after > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(no.after))
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer) // nobody may be left to read it
}

// answer does a request, with the misbehaviour that was asked for.
func (s *Sim) answer(r *http.Request, body []byte) (status int, answer any, no *refusal, cut bool) {
	if f := s.take(faultDelay, r); f != nil {
		select {
		case <-time.After(time.Duration(f.DelayMS) * time.Millisecond):
		case <-r.Context().Done():
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Header.Get("Circle-Token") != s.cfg.Token {
		return 0, nil, refuse(http.StatusUnauthorized, "You must log in first."), false
	}
	if f := s.takeLocked(faultReset, r); f != nil {
		return 0, nil, nil, true
	}
	if f := s.takeLocked(faultError, r); f != nil {
		return 0, nil, &refusal{f.Status, "Internal server error", f.RetryAfter}, false
	}
	status, answer, no = s.act(r, body)
	return status, answer, no, s.takeLocked(faultLost, r) != nil
}

func (s *Sim) act(r *http.Request, body []byte) (int, any, *refusal) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	is := func(method string, shape ...string) bool {
		return r.Method == method && len(parts) == len(shape)+2 && slices.EqualFunc(parts[2:], shape, func(have, want string) bool { return want == "*" || want == have })
	}
	project := func() string { return strings.Join(parts[3:6], "/") }
	switch {
	case parts[1] == "v1.1" && is("GET", "project", "*", "*", "*", "*") && project() == s.cfg.Project:
		return s.steps(parts[6])
	case parts[1] != "v2":
	case is("POST", "project", "*", "*", "*", "pipeline"), is("POST", "project", "*", "*", "*", "pipeline", "run"), is("GET", "project", "*", "*", "*", "pipeline"):
		switch {
		case project() != s.cfg.Project:
			return 0, nil, refuse(http.StatusNotFound, "Project not found")
		case r.Method == "GET":
			return s.list(r)
		}
		return s.trigger(body, len(parts) == 8)
	case is("GET", "pipeline", "*"), is("GET", "pipeline", "*", "config"), is("GET", "pipeline", "*", "workflow"):
		i := slices.IndexFunc(s.pipelines, func(p *pipeline) bool { return p.id == parts[3] })
		switch {
		case i < 0:
			return 0, nil, refuse(http.StatusNotFound, "Pipeline not found")
		case len(parts) == 4:
			return http.StatusOK, s.pipelineObj(s.pipelines[i]), nil
		case parts[4] == "config":
			return http.StatusOK, obj{"source": s.cfg.File, "compiled": s.pipelines[i].compiled}, nil
		}
		return http.StatusOK, paged(r, s.workflowObjs(s.pipelines[i])), nil
	case is("GET", "workflow", "*", "job"), is("POST", "workflow", "*", "cancel"):
		w := s.workflow(parts[3])
		switch {
		case w == nil:
			return 0, nil, refuse(http.StatusNotFound, "Workflow not found")
		case r.Method == "POST":
			w.stop(errCancelled)
			return http.StatusAccepted, obj{"message": "Accepted."}, nil
		}
		job := obj{"id": w.id + "-job", "job_number": w.job, "name": "job", "type": "build", "status": w.status, "project_slug": s.cfg.Project}
		gate := obj{"id": w.id + "-gate", "name": "hold", "type": "approval", "status": "success", "project_slug": s.cfg.Project}
		return http.StatusOK, paged(r, []obj{gate, job}), nil
	}
	s.wrong = append(s.wrong, r.Method+" "+r.URL.Path+": no such call")
	return 0, nil, refuse(http.StatusNotFound, "Not found")
}

func (s *Sim) workflow(id string) *workflow {
	for _, p := range s.pipelines {
		for _, w := range p.workflows {
			if w.id == id {
				return w
			}
		}
	}
	return nil
}

type triggerIn struct {
	Branch     string         `json:"branch"`
	Tag        string         `json:"tag"`
	Parameters map[string]any `json:"parameters"`
	Definition string         `json:"definition_id"`
	Config     *struct {
		Branch string `json:"branch"`
	} `json:"config"`
	Checkout *struct {
		Branch string `json:"branch"`
	} `json:"checkout"`
}

// trigger starts a pipeline by its project, or by a definition of the project.
func (s *Sim) trigger(body []byte, byDefinition bool) (int, any, *refusal) {
	var in triggerIn
	if err := json.Unmarshal(body, &in); err != nil {
		return 0, nil, refuse(http.StatusBadRequest, "Unable to parse the body")
	}
	branch := in.Branch
	if byDefinition {
		if in.Definition != s.cfg.Definition {
			return 0, nil, refuse(http.StatusNotFound, "Pipeline definition not found")
		}
		if in.Config == nil || in.Checkout == nil {
			return 0, nil, refuse(http.StatusBadRequest, "config and checkout are required")
		}
		branch = in.Checkout.Branch
	}
	sha, ok := s.cfg.Branches[branch]
	if !ok {
		return 0, nil, refuse(http.StatusBadRequest, "Branch not found")
	}
	given := map[string]string{}
	for name, v := range in.Parameters {
		given[name] = fmt.Sprint(v)
	}
	p, err := s.begin("api", branch, sha, given)
	if err != nil {
		return 0, nil, refuse(http.StatusBadRequest, "%v", err)
	}
	return http.StatusCreated, obj{"id": p.id, "state": "pending", "number": p.number, "created_at": p.created.UTC().Format(time.RFC3339Nano)}, nil
}

// list pages through the pipelines, newest first.
func (s *Sim) list(r *http.Request) (int, any, *refusal) {
	rows := slices.Clone(s.pipelines)
	slices.Reverse(rows)
	if len(rows) > 0 && s.takeLocked(faultLate, r) != nil {
		rows = rows[1:] // the list is behind
	}
	items := []obj{}
	for _, p := range rows {
		items = append(items, s.pipelineObj(p))
	}
	return http.StatusOK, paged(r, items), nil
}

// paged cuts a list as the query asks.
func paged(r *http.Request, items []obj) obj {
	from, _ := strconv.Atoi(r.URL.Query().Get("page-token"))
	from = min(max(from, 0), len(items))
	to := min(from+perPage, len(items))
	out := obj{"items": items[from:to], "next_page_token": nil}
	if to < len(items) {
		out["next_page_token"] = strconv.Itoa(to)
	}
	return out
}

func (s *Sim) pipelineObj(p *pipeline) obj {
	state, errs := "created", []obj{}
	for _, e := range p.errors {
		state, errs = "errored", append(errs, obj{"type": "config", "message": e})
	}
	return obj{
		"id": p.id, "number": p.number, "state": state, "errors": errs, "project_slug": s.cfg.Project, "created_at": p.created.UTC().Format(time.RFC3339Nano),
		"trigger": obj{"type": p.trigger, "received_at": p.created.UTC().Format(time.RFC3339Nano), "actor": obj{"login": "ci"}},
		"vcs":     obj{"revision": p.sha, "branch": p.branch},
	}
}

func (s *Sim) workflowObjs(p *pipeline) []obj {
	out := []obj{}
	for _, w := range p.workflows {
		out = append(out, obj{"id": w.id, "name": w.name, "status": w.status, "pipeline_id": p.id, "pipeline_number": p.number, "project_slug": s.cfg.Project, "created_at": w.created.UTC().Format(time.RFC3339Nano)})
	}
	slices.Reverse(out) // newest first
	return out
}

// steps tells where the output of a job is.
func (s *Sim) steps(number string) (int, any, *refusal) {
	for _, p := range s.pipelines {
		for _, w := range p.workflows {
			if strconv.Itoa(w.job) != number {
				continue
			}
			action := obj{"name": "deploy", "status": w.status, "has_output": true, "output_url": s.base + "/output/" + w.id + "?sig=signed"}
			quiet := obj{"name": "Spin up environment", "status": "success", "has_output": false}
			return http.StatusOK, obj{"build_num": w.job, "status": w.status, "steps": []obj{
				{"name": "Spin up environment", "actions": []obj{quiet}}, {"name": "deploy", "actions": []obj{action}},
			}}, nil
		}
	}
	return 0, nil, refuse(http.StatusNotFound, "Build not found")
}

// output is the store of outputs, which is not CircleCI's: it refuses its credentials.
func (s *Sim) output(w http.ResponseWriter, r *http.Request, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Header.Get("Circle-Token") != "" {
		s.wrong = append(s.wrong, r.URL.Path+": with credentials")
	}
	run := s.workflow(id)
	if run == nil || r.URL.Query().Get("sig") != "signed" {
		http.Error(w, "AccessDenied", http.StatusForbidden)
		return
	}
	_ = json.NewEncoder(w).Encode([]obj{{"type": "out", "time": time.Now().UTC().Format(time.RFC3339Nano), "message": strings.ReplaceAll(run.log.String(), "\n", "\r\n")}})
}
