package githubsim

import (
	"fmt"
	"maps"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// workflow is as much of a workflow's file as the simulator knows.
type workflow struct {
	Path    string `yaml:"-"` // .github/workflows/deploy.yml
	Name    string `yaml:"name"`
	RunName string `yaml:"run-name"`
	On      any    `yaml:"on"`
}

type workflowInput struct {
	Required bool     `yaml:"required"`
	Default  string   `yaml:"default"`
	Type     string   `yaml:"type"`
	Options  []string `yaml:"options"`
}

const workflowsDir = ".github/workflows/"

// mostInputs is how many a dispatch may have.
const mostInputs = 25

// workflowAt reads a workflow's file at a commit; nil if there is none.
func (s *Sim) workflowAt(r *repoRow, sha, name string) (*workflow, error) {
	if name != path.Base(name) {
		return nil, nil
	}
	e, err := s.entryAt(r, sha, workflowsDir+name)
	if err != nil || e == nil {
		return nil, err
	}
	text, err := s.git(r, "cat-file", "blob", e.sha)
	if err != nil {
		return nil, err
	}
	w := &workflow{Path: workflowsDir + name}
	if err := yaml.Unmarshal([]byte(text), w); err != nil {
		return nil, unprocessable("Failed to parse workflow: %v", err)
	}
	if w.Name == "" {
		w.Name = w.Path
	}
	return w, nil
}

// on says whether an event starts it. Its inputs are those of workflow_dispatch.
func (w *workflow) on(event string) bool {
	switch on := w.On.(type) {
	case string:
		return on == event
	case []any:
		return slices.Contains(on, any(event))
	case map[string]any:
		_, ok := on[event]
		return ok
	}
	return false
}

func (w *workflow) declared() (map[string]workflowInput, error) {
	on, _ := w.On.(map[string]any)
	raw, err := yaml.Marshal(on["workflow_dispatch"])
	if err != nil {
		return nil, err
	}
	var in struct {
		Inputs map[string]workflowInput `yaml:"inputs"`
	}
	err = yaml.Unmarshal(raw, &in)
	return in.Inputs, err
}

// take holds what a dispatch gives against what is declared, and fills in defaults.
func (w *workflow) take(given map[string]string) (map[string]string, error) {
	declared, err := w.declared()
	if err != nil {
		return nil, unprocessable("Failed to parse workflow: %v", err)
	}
	if len(given) > mostInputs {
		return nil, unprocessable("Too many inputs: %d (maximum is %d)", len(given), mostInputs)
	}
	var unknown []string
	for name := range given {
		if _, ok := declared[name]; !ok {
			unknown = append(unknown, fmt.Sprintf("%q", name))
		}
	}
	if slices.Sort(unknown); len(unknown) > 0 {
		return nil, unprocessable("Unexpected inputs provided: [%s]", strings.Join(unknown, ", "))
	}
	out := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(declared)) {
		in := declared[name]
		v, ok := given[name]
		switch {
		case !ok && in.Required && in.Default == "":
			return nil, unprocessable("Required input '%s' not provided", name)
		case !ok:
			v = in.Default
		case in.Type == "choice" && !slices.Contains(in.Options, v):
			return nil, unprocessable("Provided value '%s' for input '%s' not in the list of allowed values", v, name)
		}
		out[name] = v
	}
	return out, nil
}

var expression = regexp.MustCompile(`\$\{\{\s*(?:github\.event\.)?inputs\.([A-Za-z0-9_-]+)\s*\}\}`)

// title is the name of a run: run-name with its inputs, or otherwise the workflow's.
func (w *workflow) title(inputs map[string]string) string {
	if w.RunName == "" {
		return w.Name
	}
	return expression.ReplaceAllStringFunc(w.RunName, func(m string) string {
		return inputs[expression.FindStringSubmatch(m)[1]]
	})
}

type dispatchIn struct {
	Ref     string         `json:"ref"`
	Inputs  map[string]any `json:"inputs"`
	Details *bool          `json:"return_run_details"`
}

// dispatchWorkflow starts a run. Which one that is it says only where it is asked to.
func dispatchWorkflow(c *call) (int, any, error) {
	var in dispatchIn
	if err := c.in(&in); err != nil {
		return 0, nil, err
	}
	known, err := c.s.workflowAt(c.repo, c.repo.Refs["refs/heads/"+c.repo.DefaultBranch], c.path("workflow"))
	if err != nil {
		return 0, nil, err
	}
	switch {
	case known == nil:
		return 0, nil, notFound()
	case in.Ref == "":
		return 0, nil, unprocessable("Invalid request.\n\n\"ref\" wasn't supplied.")
	case in.Details != nil && c.s.cfg.NoRunDetails:
		return 0, nil, unprocessable("Invalid request.\n\n\"return_run_details\" is not a permitted key.")
	}
	branch, sha := c.branchOrTag(in.Ref)
	if sha == "" {
		return 0, nil, unprocessable("No ref found for: %s", in.Ref)
	}
	w, err := c.s.workflowAt(c.repo, sha, c.path("workflow"))
	if err != nil {
		return 0, nil, err
	}
	if w == nil || !w.on("workflow_dispatch") {
		return 0, nil, unprocessable("Workflow does not have 'workflow_dispatch' trigger")
	}
	given := map[string]string{}
	for name, v := range in.Inputs {
		text, ok := v.(string)
		if !ok {
			return 0, nil, unprocessable("Invalid request.\n\nFor 'inputs/%s', %v is not a string.", name, v)
		}
		given[name] = text
	}
	inputs, err := w.take(given)
	if err != nil {
		return 0, nil, err
	}
	run := c.s.startRun(c.repo, w, "workflow_dispatch", branch, sha, c.login(), inputs)
	if in.Details != nil && *in.Details {
		o := c.s.runObj(c.repo, run)
		return http.StatusOK, obj{"workflow_run_id": run.ID, "run_url": o["url"], "html_url": o["html_url"]}, nil
	}
	return http.StatusNoContent, nil, nil
}

// branchOrTag finds what a dispatch may run at: a branch or a tag, by its short name or
// its whole one, and no commit.
func (c *call) branchOrTag(ref string) (short, sha string) {
	for _, prefix := range []string{"refs/heads/", "refs/tags/"} {
		short = strings.TrimPrefix(ref, prefix)
		if sha := c.s.resolve(c.repo, c.repo.Refs, prefix+short); c.repo.Refs[prefix+short] != "" {
			return short, sha
		}
	}
	return "", ""
}
