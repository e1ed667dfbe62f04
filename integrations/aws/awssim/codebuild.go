package awssim

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"time"
)

func codebuildOps() []op {
	return []op{
		{
			service: codebuildService, action: "StartBuild", change: true, needs: split("projectName"), do: startBuild,
			takes: split("projectName sourceVersion idempotencyToken timeoutInMinutesOverride environmentVariablesOverride.#.name environmentVariablesOverride.#.value environmentVariablesOverride.#.type"),
			knows: split("artifactsOverride.** autoRetryLimitOverride buildStatusConfigOverride.** buildspecOverride cacheOverride.** certificateOverride computeTypeOverride " +
				"debugSessionEnabled encryptionKeyOverride environmentTypeOverride fleetOverride.** gitCloneDepthOverride gitSubmodulesConfigOverride.** imageOverride imagePullCredentialsTypeOverride " +
				"insecureSslOverride logsConfigOverride.** privilegedModeOverride queuedTimeoutInMinutesOverride registryCredentialOverride.** reportBuildStatusOverride secondaryArtifactsOverride.** " +
				"secondarySourcesOverride.** secondarySourcesVersionOverride.** serviceRoleOverride sourceAuthOverride.** sourceLocationOverride sourceTypeOverride"),
		},
		{service: codebuildService, action: "StopBuild", change: true, needs: split("id"), takes: split("id"), do: stopBuild},
		{service: codebuildService, action: "BatchGetBuilds", needs: split("ids"), takes: split("ids.#"), do: getBuilds},
		{
			service: codebuildService, action: "ListBuildsForProject", needs: split("projectName"), do: listBuilds,
			takes: split("projectName nextToken sortOrder"),
		},
	}
}

const (
	badCodeBuild = "InvalidInputException"
	noCodeBuild  = "ResourceNotFoundException"
)

// project finds the one that is named.
func (c *call) project() (*project, error) {
	name := c.p["projectName"]
	if p := c.site.project(name); p != nil {
		return p, nil
	}
	return nil, refuse(noCodeBuild, "Project cannot be found: %s", c.site.arn("codebuild", "project/"+name))
}

var (
	variableName  = regexp.MustCompile(`^\S+$`)
	variableTypes = map[string]bool{"PLAINTEXT": true, "PARAMETER_STORE": true, "SECRETS_MANAGER": true}
	// tokenTime is for how long an idempotency token is known (the API reference of
	// StartBuild).
	tokenTime = 5 * time.Minute
)

// variables are those of a request.
func (c *call) variables() ([]variable, error) {
	var out []variable
	for _, p := range c.p.each("environmentVariablesOverride") {
		v := variable{Name: p["name"], Value: p["value"], Type: p["type"]}
		if v.Type == "" {
			v.Type = "PLAINTEXT"
		}
		_, said := p["value"]
		switch {
		case !variableName.MatchString(v.Name):
			return nil, refuse(badCodeBuild, "Invalid environment variable: name must not be empty")
		case !said:
			return nil, refuse(badCodeBuild, "Invalid environment variable: the value of %s is missing", v.Name)
		case !variableTypes[v.Type]:
			return nil, refuse(badCodeBuild, "Invalid environment variable type: %s", v.Type)
		case slices.ContainsFunc(out, func(o variable) bool { return o.Name == v.Name }):
			return nil, refuse(badCodeBuild, "Invalid environment variable: duplicate name %s", v.Name)
		}
		out = append(out, v)
	}
	return out, nil
}

// asked is what a request says but for its token, so that two can be compared.
func (c *call) asked() string {
	said := map[string]string{}
	for k, v := range c.p {
		if k != "idempotencyToken" {
			said[k] = v
		}
	}
	b, err := json.Marshal(said) // its keys are sorted
	if err != nil {
		return err.Error() // it holds strings alone
	}
	return string(b)
}

// startBuild is strict about the token: the same request gives the build that the first
// one began, for five minutes, and another request is refused.
func startBuild(c *call) (any, error) {
	p, err := c.project()
	if err != nil {
		return nil, err
	}
	env, err := c.variables()
	if err != nil {
		return nil, err
	}
	minutes, err := c.number("timeoutInMinutesOverride", int(p.Timeout/time.Minute), 5, 2160)
	if err != nil {
		return nil, err
	}
	token := c.p["idempotencyToken"]
	for _, b := range p.Builds {
		if token == "" || b.Token != token || c.now.Sub(b.Started) >= tokenTime {
			continue
		}
		if b.Asked != c.asked() {
			return nil, refuse(badCodeBuild, "Parameter mismatch: the idempotency token was used with other parameters")
		}
		return map[string]any{"build": c.showBuild(p, b)}, nil
	}
	if p.Limit > 0 && p.going() >= p.Limit {
		return nil, refuse("AccountLimitExceededException", "Cannot have more than %d builds in queue for the account", p.Limit)
	}
	b := p.start(c.w, c.now)
	b.Source, b.Token, b.Asked, b.Env, b.Timeout = c.p["sourceVersion"], token, c.asked(), env, time.Duration(minutes)*time.Minute
	b.Initiator = c.key.account
	return map[string]any{"build": c.showBuild(p, b)}, nil
}

func (c *call) build(id string) (*project, *build, error) {
	name, rest, ok := strings.Cut(id, ":")
	if !ok || name == "" || rest == "" {
		return nil, nil, refuse(badCodeBuild, "Invalid build ID: %s", id)
	}
	p := c.site.project(name)
	if p == nil {
		return nil, nil, nil
	}
	return p, p.build(id), nil
}

// stopBuild asks a build to stop, which takes a moment. One that is over stays as it is.
func stopBuild(c *call) (any, error) {
	p, b, err := c.build(c.p["id"])
	if err != nil {
		return nil, err
	}
	if b == nil {
		return nil, refuse(noCodeBuild, "Build cannot be found: %s", c.p["id"])
	}
	b.stop(c.now)
	return map[string]any{"build": c.showBuild(p, b)}, nil
}

// getBuilds tells of 1 to 100 builds.
func getBuilds(c *call) (any, error) {
	ids := c.p.list("ids")
	if len(ids) == 0 || len(ids) > 100 {
		return nil, refuse(badCodeBuild, "Invalid ids: want 1 to 100 of them")
	}
	found, missing := []any{}, []string{}
	for _, id := range ids {
		p, b, err := c.build(id)
		switch {
		case err != nil:
			return nil, err
		case b == nil:
			missing = append(missing, id)
		default:
			found = append(found, c.showBuild(p, b))
		}
	}
	return map[string]any{"builds": found, "buildsNotFound": missing}, nil
}

// listBuilds lists the newest first. It refuses an order where there are more than a
// hundred, as the API reference says.
func listBuilds(c *call) (any, error) {
	p, err := c.project()
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, b := range p.Builds {
		ids = append(ids, b.ID)
	}
	switch order := c.p["sortOrder"]; {
	case order != "" && order != "ASCENDING" && order != "DESCENDING":
		return nil, refuse(badCodeBuild, "Invalid sort order: %s", order)
	case order != "" && len(ids) > 100:
		return nil, refuse(badCodeBuild, "Invalid sort order: the project has more than 100 builds")
	case order != "ASCENDING":
		slices.Reverse(ids)
	}
	some, next, err := page(c, ids, "", "nextToken", badCodeBuild, 100, 1, 100)
	if err != nil {
		return nil, err
	}
	out := map[string]any{"ids": append([]string{}, some...)}
	if next != "" {
		out["nextToken"] = next
	}
	return out, nil
}

// showBuild is a build as CodeBuild tells of it.
func (c *call) showBuild(p *project, b *build) map[string]any {
	phases := []any{}
	for _, ph := range b.Phases {
		one := map[string]any{"phaseType": ph.Type, "startTime": epoch(ph.Began)}
		if ph.Status != "" {
			one["phaseStatus"] = ph.Status
			one["contexts"] = []any{map[string]any{"statusCode": ph.Code, "message": ph.Message}}
		}
		if !ph.Ended.IsZero() {
			one["endTime"], one["durationInSeconds"] = epoch(ph.Ended), int(ph.Ended.Sub(ph.Began)/time.Second)
		}
		phases = append(phases, one)
	}
	env := []any{}
	for _, v := range b.Env {
		env = append(env, map[string]any{"name": v.Name, "value": v.Value, "type": v.Type})
	}
	out := map[string]any{
		"id": b.ID, "arn": c.site.arn("codebuild", "build/"+b.ID), "buildNumber": b.Number, "projectName": p.Name, "initiator": b.Initiator,
		"startTime": epoch(b.Started), "currentPhase": b.phase().Type, "buildStatus": b.Status, "buildComplete": b.over(), "phases": phases,
		"environment": map[string]any{"environmentVariables": env}, "timeoutInMinutes": int(b.Timeout / time.Minute), "logs": c.showLogs(p, b),
	}
	if b.Source != "" {
		out["sourceVersion"] = b.Source
	}
	if b.Resolved != "" {
		out["resolvedSourceVersion"] = b.Resolved
	}
	if b.over() {
		out["endTime"] = epoch(b.Ended)
	}
	return out
}

// showLogs is where the log stands. The stream is made while the build is provisioned, and
// told of before it is there; the link says nothing until then.
func (c *call) showLogs(p *project, b *build) map[string]any {
	if p.Silent {
		return map[string]any{"cloudWatchLogs": map[string]any{"status": "DISABLED"}}
	}
	home := "https://" + c.site.Region + ".console.aws.amazon.com/cloudwatch/home?region=" + c.site.Region
	out := map[string]any{"deepLink": home + "#logEvent:group=null;stream=null", "cloudWatchLogs": map[string]any{"status": "ENABLED"}}
	if b.entered(phaseProvision) {
		out["groupName"], out["streamName"] = p.logGroup(), b.logStream()
		out["deepLink"] = home + "#logsV2:log-groups/log-group/" + strings.ReplaceAll(p.logGroup(), "/", "$252F") + "/log-events/" + b.logStream()
		out["cloudWatchLogsArn"] = c.site.arn("logs", "log-group:"+p.logGroup()+":log-stream:"+b.logStream())
	}
	return out
}
