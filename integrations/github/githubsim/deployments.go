package githubsim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

func (s *Sim) deploymentObj(r *repoRow, d *deploymentRow) obj {
	url := fmt.Sprintf("%s/deployments/%d", s.repoURL(r), d.ID)
	var payload any = obj{}
	if len(d.Payload) > 0 {
		payload = d.Payload
	}
	return obj{
		"id": d.ID, "node_id": nodeID("DE", d.ID), "url": url, "statuses_url": url + "/statuses",
		"repository_url": s.repoURL(r), "sha": d.SHA, "ref": d.Ref, "task": d.Task, "payload": payload,
		"environment": d.Environment, "original_environment": d.Environment, "description": textOrNil(d.Description),
		"creator": s.user(d.Creator), "created_at": stamp(d.Created), "updated_at": stamp(d.Updated),
		"transient_environment": d.Transient, "production_environment": d.Production,
	}
}

func (s *Sim) deploymentStatusObj(r *repoRow, v *deploymentStatusRow) obj {
	url := fmt.Sprintf("%s/deployments/%d", s.repoURL(r), v.Deployment)
	return obj{
		"id": v.ID, "node_id": nodeID("DES", v.ID), "state": v.State, "creator": s.user(v.Creator),
		"description": v.Description, "environment": v.Environment, "log_url": v.LogURL, "target_url": v.LogURL,
		"environment_url": v.EnvironmentURL, "deployment_url": url, "repository_url": s.repoURL(r),
		"url": fmt.Sprintf("%s/statuses/%d", url, v.ID), "created_at": stamp(v.Created), "updated_at": stamp(v.Created),
	}
}

func listDeployments(c *call) (int, any, error) {
	q := c.r.URL.Query()
	is := func(name, value string) bool { v := q.Get(name); return v == "" || v == "none" || v == value }
	rows := c.s.state.Deployments.sorted(func(d *deploymentRow) bool {
		return d.Repo == c.repo.ID && is("sha", d.SHA) && is("ref", d.Ref) && is("task", d.Task) && is("environment", d.Environment)
	})
	slices.Reverse(rows)
	return http.StatusOK, list(page(c, rows, 30, 100), func(d *deploymentRow) obj { return c.s.deploymentObj(c.repo, d) }), nil
}

func createDeployment(c *call) (int, any, error) {
	in := struct {
		Ref, Task, Environment, Description string
		Payload                             json.RawMessage
		AutoMerge                           *bool     `json:"auto_merge"`
		RequiredContexts                    *[]string `json:"required_contexts"`
		Transient                           bool      `json:"transient_environment"`
		Production                          *bool     `json:"production_environment"`
	}{Task: "deploy", Environment: "production"}
	if err := c.in(&in); err != nil {
		return 0, nil, err
	}
	if in.Ref == "" {
		return 0, nil, unprocessable("Invalid request.\n\n\"ref\" wasn't supplied.")
	}
	sha := c.resolve(in.Ref)
	if sha == "" {
		return 0, nil, unprocessable("No ref found for: %s", in.Ref)
	}
	if utf8.RuneCountInString(in.Description) > 140 {
		return 0, nil, tooLong("Deployment", "description", 140)
	}
	if in.AutoMerge == nil || *in.AutoMerge {
		if merged, err := c.autoMerge(in.Ref, sha); merged || err != nil {
			return http.StatusAccepted, obj{"message": fmt.Sprintf("Auto-merged %s into %s on deployment.", c.repo.DefaultBranch, in.Ref)}, err
		}
	}
	if err := c.deployable(in.Ref, sha, in.RequiredContexts); err != nil {
		return 0, nil, err
	}
	now := c.s.now()
	d := &deploymentRow{
		ID: c.s.newID(), Repo: c.repo.ID, SHA: sha, Ref: in.Ref, Task: in.Task, Environment: in.Environment, Creator: c.login(),
		Description: in.Description, Transient: in.Transient, Production: in.Environment == "production", Created: now, Updated: now,
	}
	if len(in.Payload) > 0 && string(in.Payload) != "null" {
		d.Payload = in.Payload
	}
	if in.Production != nil {
		d.Production = *in.Production
	}
	put(c.s, &c.s.state.Deployments, d.ID, d)
	o := c.s.deploymentObj(c.repo, d)
	return http.StatusCreated, o, c.s.emit(c.repo, c.login(), "deployment", obj{"action": "created", "deployment": o, "workflow": nil, "workflow_run": nil})
}

// autoMerge is on unless a caller turns it off: a branch that is behind the
// default branch is brought up to date instead of deployed.
func (c *call) autoMerge(ref, sha string) (bool, error) {
	tip := c.repo.Refs["refs/heads/"+c.repo.DefaultBranch]
	branch := c.repo.Refs["refs/heads/"+ref] != ""
	if !branch || ref == c.repo.DefaultBranch || c.s.isAncestor(c.repo, tip, sha) {
		return false, nil
	}
	_, err := c.s.mergeInto(c.repo, ref, tip, fmt.Sprintf("Merge %s into %s", c.repo.DefaultBranch, ref), c.login())
	if e, ok := err.(*apiError); ok && e.status == http.StatusConflict {
		return false, refuse(http.StatusConflict, "Conflict merging %s into %s.", c.repo.DefaultBranch, ref)
	}
	return err == nil, err
}

// deployable wants the named contexts green, or all that there are.
func (c *call) deployable(ref, sha string, required *[]string) error {
	var want []string
	if required != nil {
		want = *required
	} else {
		for _, v := range c.s.latestStatuses(c.repo.ID, sha) {
			want = append(want, v.Context)
		}
	}
	var bad []obj
	for _, context := range want {
		if state := c.s.contextState(c.repo.ID, sha, context); state != "success" {
			bad = append(bad, obj{"context": context, "state": state})
		}
	}
	if bad == nil {
		return nil
	}
	return &apiError{
		status: http.StatusConflict, message: "Conflict: Commit status checks failed for " + ref + ".",
		errors: []obj{{"resource": "Deployment", "code": "invalid", "field": "required_contexts", "contexts": bad}},
	}
}

func (c *call) deployment() (*deploymentRow, error) {
	id, err := c.number("id")
	if err != nil {
		return nil, err
	}
	d := c.s.state.Deployments.rows[id]
	if d == nil || d.Repo != c.repo.ID {
		return nil, notFound()
	}
	return d, nil
}

func getDeployment(c *call) (int, any, error) {
	d, err := c.deployment()
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, c.s.deploymentObj(c.repo, d), nil
}

func (s *Sim) deploymentStatusesOf(d int64) []*deploymentStatusRow {
	rows := s.state.DeploymentStatuses.sorted(func(v *deploymentStatusRow) bool { return v.Deployment == d })
	slices.Reverse(rows)
	return rows
}

func listDeploymentStatuses(c *call) (int, any, error) {
	d, err := c.deployment()
	if err != nil {
		return 0, nil, err
	}
	rows := c.s.deploymentStatusesOf(d.ID)
	return http.StatusOK, list(page(c, rows, 30, 100), func(v *deploymentStatusRow) obj { return c.s.deploymentStatusObj(c.repo, v) }), nil
}

func createDeploymentStatus(c *call) (int, any, error) {
	var in struct {
		State, Description, Environment string
		LogURL                          string `json:"log_url"`
		TargetURL                       string `json:"target_url"`
		EnvironmentURL                  string `json:"environment_url"`
		AutoInactive                    *bool  `json:"auto_inactive"`
	}
	if err := c.in(&in); err != nil {
		return 0, nil, err
	}
	d, err := c.deployment()
	if err != nil {
		return 0, nil, err
	}
	if in.LogURL == "" {
		in.LogURL = in.TargetURL
	}
	switch {
	case !slices.Contains(strings.Fields("error failure inactive in_progress queued pending success"), in.State):
		return 0, nil, invalid("DeploymentStatus", "state", "custom", "state is not included in the list")
	case utf8.RuneCountInString(in.Description) > 140:
		return 0, nil, tooLong("DeploymentStatus", "description", 140)
	}
	if in.Environment != "" {
		d.Environment = in.Environment
	}
	v := c.s.addDeploymentStatus(d, c.login(), in.State)
	v.Description, v.LogURL, v.EnvironmentURL = in.Description, in.LogURL, in.EnvironmentURL
	if in.State == "success" && (in.AutoInactive == nil || *in.AutoInactive) {
		if err := c.inactivateOthers(d); err != nil {
			return 0, nil, err
		}
	}
	return http.StatusCreated, c.s.deploymentStatusObj(c.repo, v), c.deploymentStatusEvent(d, v)
}

func (s *Sim) addDeploymentStatus(d *deploymentRow, by, state string) *deploymentStatusRow {
	v := &deploymentStatusRow{
		ID: s.newID(), Repo: d.Repo, Deployment: d.ID, State: state, Creator: by, Environment: d.Environment, Created: s.now(),
	}
	put(s, &s.state.DeploymentStatuses, v.ID, v)
	d.Updated = v.Created
	put(s, &s.state.Deployments, d.ID, d)
	return v
}

// inactivateOthers retires what was live in the environment before, unless it
// is production or transient.
func (c *call) inactivateOthers(d *deploymentRow) error {
	for _, o := range c.s.state.Deployments.sorted(func(o *deploymentRow) bool {
		return o.Repo == d.Repo && o.ID != d.ID && o.Environment == d.Environment && !o.Transient && !o.Production
	}) {
		last := c.s.deploymentStatusesOf(o.ID)
		if len(last) == 0 || last[0].State != "success" {
			continue
		}
		if err := c.deploymentStatusEvent(o, c.s.addDeploymentStatus(o, c.login(), "inactive")); err != nil {
			return err
		}
	}
	return nil
}

func (c *call) deploymentStatusEvent(d *deploymentRow, v *deploymentStatusRow) error {
	return c.s.emit(c.repo, c.login(), "deployment_status", obj{
		"action": "created", "deployment_status": c.s.deploymentStatusObj(c.repo, v), "deployment": c.s.deploymentObj(c.repo, d),
	})
}
